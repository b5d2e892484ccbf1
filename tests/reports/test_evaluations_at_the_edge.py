"""The report of an evaluation, made of studies in which little or nothing can be estimated: it is made, and says so."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.report import run_reports

pytestmark = pytest.mark.slow
MONTH = date(2016, 2, 1)
Tables = Mapping[str, pl.LazyFrame]


def enrolled_on(study: sr.Study, day: date) -> pl.LazyFrame:
    own = study.enrolments.filter(pl.col("programme") == "complex_care")
    return own.with_columns(start_date=pl.lit(day), end_date=pl.lit(None, dtype=pl.Date))


def twelve_people(study: sr.Study) -> Tables:
    few = study.enrolments.collect().filter(pl.col("programme") == "complex_care")["person_id"].unique().sort()[:12]
    return {"enrolments": study.enrolments.filter(pl.col("person_id").is_in(few.implode()))}


def one_month(study: sr.Study) -> Tables:
    return {"enrolments": enrolled_on(study, MONTH)}


def after_the_end(study: sr.Study) -> Tables:
    """Everybody enrolled after the last day of activity and registrations, and before the study's last."""
    last = study.period[1] - timedelta(days=60)
    alive = study.persons.filter(pl.col("death_date").is_null()).select("person_id")
    return {
        "enrolments": enrolled_on(study, last + timedelta(days=30)).join(alive, on="person_id", how="semi"),
        "activity": study.activity.filter(pl.col("date") <= last),
    }


def nobody_has_it(study: sr.Study) -> Tables:
    """Of enrolled people, no admission after they enrolled."""
    dated = study.enrolments.group_by("person_id").agg(first=pl.col("start_date").min())
    gone = (pl.col("setting") == "inpatient") & (pl.col("date") > pl.col("first")).fill_null(False)
    activity = study.activity.join(dated, on="person_id", how="left").filter(~gone).drop("first")
    return {"activity": activity}


def no_controls(study: sr.Study) -> Tables:
    """Whoever enrolled is a woman, and everybody else a man."""
    own = enrolled_on(study, MONTH).collect()["person_id"].unique()
    sex = pl.when(pl.col("person_id").is_in(own.implode())).then(pl.lit("F")).otherwise(pl.lit("M"))
    return {"persons": study.persons.with_columns(sex=sex), "enrolments": enrolled_on(study, MONTH)}


# the study, and what its page one says of the effect
EDGES: dict[str, tuple[Callable[[sr.Study], Tables], str]] = {
    "twelve people": (twelve_people, r"Too few people are matched for an effect on emergency admissions to be shown"),
    "one month": (one_month, r"Verdict: cannot tell"),
    "after the end": (
        after_the_end,
        r"Too few people, or too few with the event, can be compared, so these are not shown: the effect on",
    ),
    "nobody has it": (
        nobody_has_it,
        r"Too few people, or too few with the event, can be compared, so these are not shown: the effect on",
    ),
    "no controls": (
        no_controls,
        r"Nobody who is comparable with enrolled people was there on the days on which they enrolled, so these are not shown: the effect",
    ),
}


@pytest.fixture(scope="module")
def study() -> sr.Study:
    return sr.example_study(12_000)


def written(study: sr.Study, folder: Path, tables: Tables) -> Path:
    folder.mkdir()
    for name in study.given:
        tables.get(name, study.tables[name]).collect().write_parquet(folder / f"{name}.parquet")
    first, last = study.period
    (folder / "study.toml").write_text(
        f'name = "{folder.name}"\nprice_year = "2012-13"\n[period]\nstart = {first}\nend = {last}\n', encoding="utf-8"
    )
    return folder


def words_of(part: str) -> str:
    text = re.sub(r"(?s)<(style|script|svg).*?</\1>", " ", part)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


@pytest.mark.parametrize("name", EDGES)
def test_the_report_is_made_and_says_what_cannot_be_estimated(study: sr.Study, tmp_path: Path, name: str) -> None:
    tables, said = EDGES[name]
    folder = written(study, tmp_path / name, tables(study))
    made = run_reports(folder, ["06"], out=tmp_path / "out", register=tmp_path / "register", jobs=1, progress=False)
    assert made.ok, [run.error for run in made.failed]
    (page,) = (run.paths["report.html"].read_text(encoding="utf-8") for run in made.runs)
    body = page.split("Data and provenance")[0]
    sections = [words_of(part) for part in body.split("<h2")]
    (until,) = (at for at, part in enumerate(sections) if "Key findings" in part[:60])
    first = " ".join(sections[: until + 1])
    assert re.search(said, first), first
    assert not re.search(r"\b(nan|None|inf|NaN)\b", first), first
    # numbers that the rule suppresses, and the size of the smallest study itself
    assert not re.search(
        r"(?<![–\d.,])(?:[1-7]|12) (?:people|enrolled|controls|deaths|admissions)\b", " ".join(sections)
    )
