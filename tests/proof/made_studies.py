"""Study folders made by hand, by nothing but a seed: of any size, with any number of conditions, and with parts omitted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

PEOPLE = (60, 300, 1_000, 5_000, 115_000)
CONDITIONS = (4, 8, 12, 49)
LACKING = ("costs", "onsets", "activity", "strata")
LACKING_AT = (300, 5_000)
HUBS = ("East", "North", "West")
# Parquet from this size on, CSV below: both kinds of folder are tried
PARQUET_FROM = 5_000
# a common condition first; none is diabetes, which a notebook might take for granted
NAMES = [
    "coronary_heart_disease",
    "asthma",
    "copd",
    "heart_failure",
    "hypertension",
    "depression",
    "osteoarthritis",
    "cataract",
    "anxiety",
    "chronic_kidney_disease",
    "atrial_fibrillation",
    "stroke",
    "hypothyroidism",
    "gout",
    "migraine",
    "eczema",
    "psoriasis",
    "glaucoma",
    "hearing_loss",
    "osteoporosis",
    "anaemia",
    "cancer",
    "dementia",
    "epilepsy",
    "fibromyalgia",
    "bronchiectasis",
    "endometriosis",
    "peptic_ulcer",
    "diverticular_disease",
    "macular_degeneration",
    "parkinsons_disease",
    "multiple_sclerosis",
    "rheumatoid_arthritis",
    "schizophrenia",
    "bipolar_disorder",
    "sleep_apnoea",
    "substance_misuse",
    "alcohol_problems",
    "chronic_liver_disease",
    "chronic_back_pain",
    "inflammatory_bowel_disease",
    "irritable_bowel_syndrome",
    "learning_disability",
    "peripheral_vascular_disease",
    "prostate_disorder",
    "gastro_oesophageal_reflux",
    "urinary_incontinence",
    "eating_disorder",
    "sinusitis",
]


@dataclass(frozen=True)
class StudyPlan:
    """A study to be measured: its name, what it lacks, and the function that writes its folder.

    `people` and `conditions` are those asked for, by which studies are chosen; the tables report those found in
    the folder. `kind` is "made", "public" or "real".
    """

    name: str
    kind: str
    make: Callable[[Path], object]
    people: int | None = None
    conditions: int | None = None
    lacking: str = ""

    @property
    def slug(self) -> str:
        """The name as that of a folder."""
        return "".join(c if c.isalnum() else "_" for c in self.name.lower())


def made_plans() -> list[StudyPlan]:
    """List every study made by hand: each size by each number of conditions, complete and lacking something."""
    found = []
    for people in PEOPLE:
        for conditions in CONDITIONS:
            for lacking in ("", *(LACKING if people in LACKING_AT else ())):
                name = f"{people:,} people x {conditions} conditions" + (f", no {lacking}" if lacking else "")
                found.append(
                    StudyPlan(name, "made", _maker(name, people, conditions, lacking), people, conditions, lacking)
                )
    return found


def _maker(name: str, people: int, conditions: int, lacking: str) -> Callable[[Path], None]:
    return lambda folder: write_study(folder, name=name, people=people, conditions=conditions, lacking=lacking)


def write_study(
    folder: Path,
    *,
    name: str,
    people: int,
    conditions: int,
    lacking: str = "",
    age_bands: tuple[int, ...] | None = None,
    practices: int = 0,
) -> None:
    """Write one study folder; the seed follows from its size, so that a study lacking a part is else the same.

    With practices, each is half as large as the one before it, and people live in the east or the west.
    """
    r = np.random.default_rng([2015, people, conditions])
    ids = np.array([f"p{i:06d}" for i in range(people)])
    persons = _persons(r, ids, strata=lacking != "strata")
    tables = {
        "persons": persons,
        "conditions": _conditions(r, ids, conditions, onsets=lacking != "onsets"),
        "activity": _activity(r, persons, costs=lacking != "costs"),
        "enrolments": _enrolments(r, persons),
    }
    if lacking == "activity":
        del tables["activity"]
    if practices:
        tables["persons"], tables["registrations"] = _placed(
            np.random.default_rng([people, practices]), persons, practices
        )
    folder.mkdir(parents=True, exist_ok=True)
    for table, frame in tables.items():
        if people >= PARQUET_FROM:
            frame.write_parquet(folder / f"{table}.parquet")
        else:
            frame.write_csv(folder / f"{table}.csv")
    write_settings(folder, name, date(2011, 4, 1), date(2018, 3, 31), age_bands=age_bands)


def _placed(r: np.random.Generator, persons: pl.DataFrame, practices: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the people with the area they live in, and their registrations, from before the study."""
    share = 0.5 ** np.arange(practices)
    practice = r.choice([f"P{k + 1:02d}" for k in range(practices)], persons.height, p=share / share.sum())
    registered = persons.select("person_id").with_columns(
        pl.Series("practice_id", practice), pl.lit(date(2005, 1, 1)).alias("start_date")
    )
    return persons.with_columns(pl.Series("area", r.choice(["East", "West"], persons.height))), registered


def write_settings(
    folder: Path, name: str, start: date, end: date, *, age_bands: tuple[int, ...] | None = None, note: str = ""
) -> None:
    """Write study.toml."""
    lines = [f'name = "{name}"']
    lines += [f'note = "{note}"'] if note else []
    lines += [f"age_bands = {list(age_bands)}"] if age_bands else []
    lines += ["[period]", f"start = {start.isoformat()}", f"end = {end.isoformat()}", ""]
    (folder / "study.toml").write_text("\n".join(lines), encoding="utf-8")


def condition_names(number: int) -> list[str]:
    """Return that many names of conditions."""
    return list(NAMES[:number]) if number <= len(NAMES) else [f"condition_{k:03d}" for k in range(1, number + 1)]


def _days(start: date, offsets: np.ndarray) -> pl.Series:
    return pl.select(pl.lit(start) + pl.duration(days=pl.lit(pl.Series(offsets)))).to_series()


def _persons(r: np.random.Generator, ids: np.ndarray, *, strata: bool) -> pl.DataFrame:
    people = len(ids)
    sex, decile = r.choice(["F", "M"], people), r.integers(1, 11, people)
    births, dies, death = r.integers(0, 25_000, people), r.random(people) < 0.08, r.integers(1, 2_500, people)
    persons = pl.DataFrame(
        {
            "person_id": ids,
            "sex": sex,
            "birth_date": _days(date(1928, 1, 1), births),
            "death_date": _days(date(2011, 4, 2), death),
            "deprivation_decile": decile,
        }
    ).with_columns(pl.when(pl.Series(dies)).then("death_date").alias("death_date"))
    if strata:
        return persons
    one_year = _days(date(1950, 1, 1), births % 365)
    return persons.drop("deprivation_decile").with_columns(pl.lit("unknown").alias("sex"), one_year.alias("birth_date"))


def _conditions(r: np.random.Generator, ids: np.ndarray, number: int, *, onsets: bool) -> pl.DataFrame:
    """Draw conditions that a shared frailty brings together, from one in three people down to one in fifty."""
    people = len(ids)
    frailty = r.gamma(1.0, 1.0, people)
    parts = []
    for k, name in enumerate(condition_names(number)):
        share = 0.33 * (0.02 / 0.33) ** (k / max(number - 1, 1)) if number > 4 else (0.3, 0.25, 0.2, 0.15)[k]
        has = r.random(people) < np.minimum(0.9, share * frailty)
        has[k % people] = True  # in the smallest study too every condition is there
        days = r.integers(0, 3_000, people)
        parts.append(
            pl.DataFrame(
                {
                    "person_id": ids[has],
                    "condition": [name] * int(has.sum()),
                    "onset_date": _days(date(2003, 1, 1), days[has]),
                },
                schema={"person_id": pl.String, "condition": pl.String, "onset_date": pl.Date},
            )
        )
    frame = pl.concat(parts)
    return frame if onsets else frame.with_columns(pl.lit(None, dtype=pl.Date).alias("onset_date"))


def _activity(r: np.random.Generator, persons: pl.DataFrame, *, costs: bool) -> pl.DataFrame:
    who = np.repeat(np.arange(persons.height), r.integers(0, 6, persons.height))
    rows = len(who)
    day, stay, cost = r.integers(0, 2_500, rows), r.integers(0, 9, rows), (r.gamma(1.2, 400, rows)).round(2)
    setting = r.choice(
        ["primary_care", "outpatient", "inpatient", "accident_and_emergency"], rows, p=[0.4, 0.2, 0.25, 0.15]
    )
    kind = r.choice(["emergency", "elective"], rows, p=[0.7, 0.3])
    inpatient = pl.col("setting") == "inpatient"
    return (
        pl.DataFrame(
            {
                "person_id": persons["person_id"].gather(who),
                "date": _days(date(2011, 4, 1), day),
                "setting": setting,
                "end_date": _days(date(2011, 4, 1), day + stay),
                "kind": kind,
                "cost": cost if costs else np.zeros(rows),
                "death_date": persons["death_date"].gather(who),
            }
        )
        .filter(pl.col("death_date").is_null() | (pl.col("end_date") <= pl.col("death_date")))
        .with_columns([pl.when(inpatient).then(c).alias(c) for c in ("end_date", "kind")])
        .drop("death_date")
    )


def _enrolments(r: np.random.Generator, persons: pl.DataFrame) -> pl.DataFrame:
    joins, hub, day = r.random(persons.height) < 0.3, r.choice(HUBS, persons.height), r.integers(0, 900, persons.height)
    return (
        persons.select("person_id", "death_date")
        .with_columns(
            pl.lit("complex_care").alias("programme"),
            pl.Series("hub", hub),
            _days(date(2015, 1, 1), day).alias("start_date"),
        )
        .filter(pl.Series(joins) & (pl.col("death_date").is_null() | (pl.col("start_date") <= pl.col("death_date"))))
        .drop("death_date")
    )
