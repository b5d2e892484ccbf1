"""Whom a programme reached: of those who were ever eligible, when, after what time, and who stayed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.cohort.candidates import Eligible, eligible_people, first_enrolments
from symphony_research.cohort.rows import PersonRows
from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition, Nested, Partition, everybody, unrelated
from symphony_research.result.roles import Count, Key, TableRoles
from symphony_research.words.lexicon import NOT_RECORDED, SUPPRESSED, capital
from symphony_research.words.numbers import number, percentage, roughly
from symphony_research.words.phrases import joined

__all__ = ["Uptake", "uptake_of"]

Tables = Mapping[str, pl.DataFrame]
DEPRIVATION, WHEN, WAITED, STAYED = "deprivation", "enrolled in", "waited", "after a year"
FIFTHS = ("1", "2", "3", "4", "5", NOT_RECORDED)
# days from becoming eligible, up to and including
WAITS = (
    ("within three months", 91),
    ("three months to a year", 365),
    ("one to three years", 1_096),
    ("more than three years", None),
)
STAYS = (
    "still enrolled",
    "had left the programme",
    "had died",
    "had left the practices",
    "not yet observed for a year",
)
YEAR = 365
HEADINGS = {
    DEPRIVATION: "Deprivation, national fifths",
    WHEN: "Enrolled in the year from 1 April",
    WAITED: "Time from becoming eligible to enrolling",
    STAYED: "A year after enrolling",
}


class Uptake(Result):
    """Of people who were ever eligible how many enrolled, by deprivation; when they did, after what time, and who stayed."""

    title: ClassVar[str] = "Whom the programme reached"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"planned", "years"})
    shown: ClassVar[tuple[str, ...]] = ("question", "category", "n_persons", "n_eligible", "share")
    percentages: ClassVar[tuple[str, ...]] = ("share",)
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"question": "", "category": "", "n_persons": "Enrolled", "n_eligible": "Ever eligible", "share": "Share"}
    )

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Count people who enrolled, and who were ever eligible."""
        return {
            "population": TableRoles(
                {"n_eligible": Count(), "n_persons": Count()},
                lambda record, column, settings: everybody() if column == "n_persons" else unrelated(_ELIGIBLE),
            ),
            "reached": TableRoles({"category": Key(), "n_eligible": Count(), "n_persons": Count()}, _of_fifth),
            "enrolled": TableRoles({"question": Key(), "category": Key(), "n_persons": Count()}, _of_enrolled),
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that categories add up to everybody, and that whoever enrolled was eligible."""
        fifths = [{"category": name} for name in tables["reached"]["category"]]
        yield Nested(everybody(), unrelated(_ELIGIBLE))
        for column, whole in (("n_persons", everybody()), ("n_eligible", unrelated(_ELIGIBLE))):
            yield Partition(whole, tuple(_of_fifth(row, column, settings) for row in fifths))
        for row in fifths:
            yield Nested(_of_fifth(row, "n_persons", settings), _of_fifth(row, "n_eligible", settings))
        for _, own in tables["enrolled"].group_by("question", maintain_order=True):
            yield Partition(everybody(), tuple(_of_enrolled(row, "", settings) for row in own.iter_rows(named=True)))

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return all counts as rows, each with its share: of the eligible, or of those who enrolled."""
        whole = tables["population"].select(
            pl.lit("people").alias("question"), pl.lit("").alias("category"), "n_persons", "n_eligible"
        )
        reached = tables["reached"].select(pl.lit(DEPRIVATION).alias("question"), "category", "n_persons", "n_eligible")
        rest = tables["enrolled"].with_columns(pl.lit(None, dtype=pl.Int64).alias("n_eligible"))
        frame = pl.concat([whole, reached, rest])
        all_enrolled = tables["population"]["n_persons"][0]
        of = pl.when(pl.col("question").is_in(["people", DEPRIVATION])).then("n_eligible").otherwise(all_enrolled)
        # rounded counts may be a little more than what they are part of
        return frame.with_columns(pl.when(of > 0).then((pl.col("n_persons") / of).clip(0, 1)).alias("share"))

    def display(self) -> pl.DataFrame:
        """Return the table with a heading row for each question."""
        rows: list[dict[str, str]] = []
        asked = ""
        for row in self.estimates.iter_rows(named=True):
            question, category = row["question"], row["category"]
            if question != asked and question in HEADINGS:
                rows.append({"Characteristic": HEADINGS[question], "Enrolled, n (%)": "", "Ever eligible, n": ""})
            asked = question
            if category == NOT_RECORDED and row["n_persons"] == 0 and row["n_eligible"] == 0:
                continue
            said = SUPPRESSED if row["n_persons"] is None else number(row["n_persons"])
            if row["n_persons"] is not None and row["share"] is not None:
                said += f" ({percentage(row['share'])})"
            of_eligible = question in ("people", DEPRIVATION)
            eligible = "" if not of_eligible else SUPPRESSED if row["n_eligible"] is None else number(row["n_eligible"])
            label = (
                "People"
                if question == "people"
                else f"  {capital(_fifth(category) if question == DEPRIVATION else category)}"
            )
            rows.append({"Characteristic": label, "Enrolled, n (%)": said, "Ever eligible, n": eligible})
        return pl.DataFrame(rows)

    def notes(self, columns: Any) -> list[str]:
        """Return of what each share is."""
        return [
            "Of people and by deprivation, the share is of those who were ever eligible; below, of those who enrolled.",
            *super().notes(columns),
        ]

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of a suppressed count."""
        return SUPPRESSED

    def _of(self, question: str, category: str) -> dict[str, Any]:
        frame = self.estimates.filter((pl.col("question") == question) & (pl.col("category") == category))
        return frame.row(0, named=True) if frame.height else {"share": None, "n_persons": None, "n_eligible": None}

    def sentence(self) -> str:
        """Return how many were reached, how evenly, how soon, against how many planned, and how many stayed."""
        whole = self._of("people", "")
        if whole["n_persons"] is None or whole["n_eligible"] is None:
            return "Too few people enrolled for anything to be shown."
        said = f"About {roughly(whole['n_persons'])} of about {roughly(whole['n_eligible'])} people who were ever eligible enrolled ({percentage(whole['share'])})"
        most, least = self._of(DEPRIVATION, "1")["share"], self._of(DEPRIVATION, "5")["share"]
        if most is not None and least is not None:
            said += f": {percentage(most)} in the most deprived fifth of areas and {percentage(least)} in the least deprived"
        planned = self.settings.get("planned")
        if planned:
            said += f"; {number(planned)} were planned"
        parts = [f"{said}."]
        soon, stayed = self._of(WAITED, WAITS[0][0])["share"], self._of(STAYED, STAYS[0])["share"]
        more = [
            f"{percentage(share)} {words}"
            for share, words in (
                (soon, "enrolled within three months of becoming eligible"),
                (stayed, "were still enrolled a year later"),
            )
            if share is not None
        ]
        if more:
            parts.append(capital(f"of those who enrolled, {joined(more)}."))
        return " ".join(parts)


_ELIGIBLE = "people ever eligible"


def _fifth(category: str) -> str:
    return category + {"1": " (most deprived)", "5": " (least deprived)"}.get(category, "")


def _of_fifth(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    name = record["category"]
    # as the baseline table counts them
    if column == "n_persons":
        return everybody().in_state("deprivation_quintile at the index date", name)
    return unrelated(f"{_ELIGIBLE}: deprivation {name}")


def _of_enrolled(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    return everybody().in_state(record["question"], record["category"])


def uptake_of(rows: PersonRows, planned: int | None) -> Uptake:
    """Count who was eligible and who enrolled; the arguments are those of `Cohort.uptake`."""
    rows.require_one_index("uptake")
    if rows.rules.get("index") != "enrolment":
        raise ArgumentError("Uptake is of a programme: define the cohort by one, such as programme='complex_care'.")
    if planned is not None and (type(planned) is not int or planned < 1):
        raise ArgumentError(f"planned={planned!r} must be an integer number of people, at least 1, or None.")
    study = rows.study
    enrolled = rows.people.select("person_id", pl.col("index_date").alias("enrolled_on"))
    everyone = eligible_people(rows, first_enrolments(rows))
    fifth = (
        ((pl.col("deprivation_decile") + 1) // 2)
        .cast(pl.Int64)
        .cast(pl.String)
        .fill_null(NOT_RECORDED)
        .alias("category")
    )
    ids = everyone.people["person_id"]
    people = pl.concat([ids.to_frame(), enrolled.select("person_id")]).unique()
    known = (
        study.persons.join(people.lazy(), on="person_id", how="semi")
        .select("person_id", fifth)
        .collect(engine="streaming")
    )
    own = known.join(enrolled.select("person_id"), on="person_id", how="semi")
    order = pl.DataFrame({"category": FIFTHS})
    reached = order.join(_counted(known, "n_eligible"), on="category", how="left", maintain_order="left")
    reached = reached.join(_counted(own, "n_persons"), on="category", how="left", maintain_order="left").fill_null(0)
    years = _years(study.period)
    found = pl.concat(
        [
            _listed(WHEN, years, _year_of(enrolled, study.period)),
            _listed(WAITED, [name for name, _ in WAITS], _waits(rows, everyone, enrolled)),
            _listed(STAYED, STAYS, _stays(rows)),
        ]
    )
    settings = {
        "method": "people ever eligible and enrolled, counted once each",
        "planned": planned, "years": years, **study.provenance(**rows.rules).as_settings(),
    }  # fmt: skip
    population = pl.DataFrame({"n_eligible": [known.height], "n_persons": [own.height]})
    return Uptake({"population": population, "reached": reached, "enrolled": found}, settings)


def _counted(people: pl.DataFrame, name: str) -> pl.DataFrame:
    return people.group_by("category").agg(pl.len().cast(pl.Int64).alias(name))


def _listed(question: str, categories: Any, found: pl.Series) -> pl.DataFrame:
    """Return one row a category, in order; of those that nobody is in, with nobody."""
    counts = found.alias("category").to_frame().group_by("category").agg(pl.len().cast(pl.Int64).alias("n_persons"))
    table = pl.DataFrame({"category": list(categories)}, schema={"category": pl.String})
    table = table.join(counts, on="category", how="left", maintain_order="left").with_columns(
        pl.col("n_persons").fill_null(0)
    )
    return table.select(pl.lit(question).alias("question"), "category", "n_persons")


def _years(period: tuple[date, date]) -> list[str]:
    """Return the financial years that a period touches."""
    first, last = (day.year - (day.month < 4) for day in period)
    return [str(year) for year in range(first, last + 1)]


def _year_of(enrolled: pl.DataFrame, period: tuple[date, date]) -> pl.Series:
    day = pl.col("enrolled_on").clip(*period)
    year = day.dt.year() - (day.dt.month() < 4).cast(pl.Int32)
    return enrolled.select(year.cast(pl.String).alias("category"))["category"]


def _waits(rows: PersonRows, everyone: Eligible, enrolled: pl.DataFrame) -> pl.Series:
    """Return how long each waited: from the first day on which they were registered and eligible, in the study's period."""
    first = pl.DataFrame({"person_id": everyone.people["person_id"][everyone.person.tolist()], "first": everyone.first})
    first = first.group_by("person_id").agg(pl.col("first").min())
    days = enrolled.join(first, on="person_id", how="left").select(
        (pl.col("enrolled_on").cast(pl.Int32).cast(pl.Int64) - pl.col("first")).fill_null(0).clip(0).alias("days")
    )
    told = pl.lit(WAITS[-1][0])
    for name, most in reversed(WAITS[:-1]):
        told = pl.when(pl.col("days") <= most).then(pl.lit(name)).otherwise(told)
    return days.select(told.alias("category"))["category"]


def _stays(rows: PersonRows) -> pl.Series:
    """Return what had become of each a year after enrolling; what came first counts."""
    anniversary = pl.col("index_date") + timedelta(days=YEAR)
    # of a day on which the data end nothing else is known but a death
    ends = {
        STAYS[2]: pl.col("death_date"), STAYS[4]: pl.lit(rows.study.period[1]), STAYS[3]: pl.col("registered_until"),
        STAYS[1]: pl.col("programme_until"),
    }  # fmt: skip
    earliest = pl.min_horizontal(*ends.values(), anniversary)
    told = pl.lit(STAYS[0])
    for name, end in reversed(ends.items()):
        told = pl.when((end == earliest) & (end < anniversary)).then(pl.lit(name)).otherwise(told)
    return rows.people.select(told.alias("category"))["category"]
