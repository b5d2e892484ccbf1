"""Every fault of a study folder, found at once and counted; never a value of a row.

Each check is a predicate that is true where a row is at fault. All checks of a
table run in one lazy query, so a country's tables are read once, in pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from symphony_research.door.finding import Finding, Findings
from symphony_research.door.personal import is_nhs_number
from symphony_research.door.table import BROKEN, UNREADABLE
from symphony_research.schema import STUDY_TABLES, Table

__all__ = ["Finding", "Findings", "check_tables", "is_nhs_number"]

EARLIEST = date(1880, 1, 1)


def check_tables(
    tables: Mapping[str, pl.LazyFrame],
    *,
    period: tuple[date, date] | None,
    conditions: Sequence[str] | None,
) -> list[Finding]:
    """Run every check on conformed tables.

    Parameters
    ----------
    tables : mapping
        Conformed tables that were in the folder.
    period : (date, date) or None
        First and last day of the study.
    conditions : sequence of str or None
        The code list, if the study states one.
    """
    found: list[Finding] = []
    whole = dict(tables)
    for name, frame in tables.items():
        table = STUDY_TABLES[name]
        faults = [*_column_faults(table, frame), *_row_faults(name, frame, period, conditions)]
        try:
            if name == "persons" and not frame.select(pl.len()).collect().item():
                found.append(Finding(name, "", 0, "the table has no row."))
            found += _count(name, frame, faults) + _repeated_keys(table, frame)
        except BROKEN:
            found.append(Finding(name, "", 0, UNREADABLE))
            del whole[name]
    return found + _orphans(whole) + _after_death(whole)


Fault = tuple[str, str, pl.Expr]


def _column_faults(table: Table, frame: pl.LazyFrame) -> list[Fault]:
    faults: list[Fault] = []
    have = frame.collect_schema()
    for column in table.columns:
        if column.name not in have:
            continue
        c = pl.col(column.name)
        if column.allowed:
            faults.append((column.name, f"is none of {', '.join(column.allowed)}", ~c.is_in(column.allowed)))
        if column.minimum is not None:
            faults.append((column.name, f"is under {column.minimum:g}", c < column.minimum))
        if column.maximum is not None:
            faults.append((column.name, f"is over {column.maximum:g}", c > column.maximum))
        if column.type == "number":
            faults.append((column.name, "is not a finite number", c.is_nan() | c.is_infinite()))
        if column.type == "date":
            faults.append((column.name, f"is before {EARLIEST.year}", c < EARLIEST))
    return faults


def _row_faults(
    name: str, frame: pl.LazyFrame, period: tuple[date, date] | None, conditions: Sequence[str] | None
) -> list[Fault]:
    have = frame.collect_schema().names()
    faults: list[Fault] = []

    def both(*columns: str) -> bool:
        return all(column in have for column in columns)

    if both("start_date", "end_date"):
        faults.append(("end_date", "is before start_date", pl.col("end_date") < pl.col("start_date")))
    if name == "persons" and both("birth_date", "death_date"):
        faults.append(
            ("death_date", "is before birth_date", pl.col("death_date") < pl.col("birth_date").dt.truncate("1mo"))
        )
    if name == "activity" and both("date", "end_date"):
        faults.append(("end_date", "is before date", pl.col("end_date") < pl.col("date")))
    if period is not None:
        first, last = period
        after = f"is after the study's last day, {last.isoformat()}"
        for column in ("birth_date", "death_date", "onset_date", "start_date"):
            if column in have and name != "practice_programmes":
                faults.append((column, after, pl.col(column) > last))
        if name == "activity" and "date" in have:
            outside = ~pl.col("date").is_between(first, last)
            faults.append(("date", f"is outside the study, {first.isoformat()} to {last.isoformat()}", outside))
    if name == "conditions" and conditions is not None and "condition" in have:
        faults.append(
            (
                "condition",
                f"is not among the {len(conditions)} conditions of study.toml",
                ~pl.col("condition").is_in(list(conditions)),
            )
        )
    return faults


def _count(name: str, frame: pl.LazyFrame, faults: list[Fault]) -> list[Finding]:
    if not faults:
        return []
    counts = frame.select([f.fill_null(False).sum().alias(str(i)) for i, (_, _, f) in enumerate(faults)]).collect(
        engine="streaming"
    )
    return [
        Finding(name, column, int(counts[str(i)][0]), message, _way_on(name, column, message))
        for i, (column, message, _) in enumerate(faults)
        if counts[str(i)][0]
    ]


def _way_on(table: str, column: str, message: str) -> str:
    if message.startswith("is none of"):
        return f"Map other words in study.toml under [values.{table}.{column}]."
    return ""


def _repeated_keys(table: Table, frame: pl.LazyFrame) -> list[Finding]:
    have = frame.collect_schema().names()
    key = [column for column in table.key if column in have]
    if not key or len(key) < len(table.key):
        return []
    # an empty key is reported as empty, once
    filled = [column.name for column in table.columns if column.name in key and column.required and not column.nullable]
    extra = (
        frame.select(key)
        .drop_nulls(filled)
        .group_by(key)
        .len()
        .select((pl.col("len") - 1).sum().alias("extra"))
        .collect(engine="streaming")["extra"][0]
    )
    if not extra:
        return []
    what = " and ".join(key)
    return [Finding(table.name, key[0] if len(key) == 1 else "", int(extra), f"the same {what} comes more than once")]


def _orphans(tables: Mapping[str, pl.LazyFrame]) -> list[Finding]:
    found = []
    links = [("person_id", "persons"), ("practice_id", "practices")]
    for column, home in links:
        if home not in tables or column not in tables[home].collect_schema():
            continue
        known = tables[home].select(pl.col(column)).drop_nulls().unique()
        for name, frame in tables.items():
            if name == home or column not in frame.collect_schema():
                continue
            theirs = frame.collect_schema()[column]
            listed = (
                known
                if theirs == known.collect_schema()[column]
                else known.select(pl.col(column).cast(theirs, strict=False))
            )
            rows = (
                frame.filter(pl.col(column).is_not_null())
                .join(listed, on=column, how="anti")
                .select(pl.len())
                .collect(engine="streaming")
                .item()
            )
            if rows:
                found.append(Finding(name, column, rows, f"is not in {home}"))
    return found


def _after_death(tables: Mapping[str, pl.LazyFrame]) -> list[Finding]:
    if "persons" not in tables:
        return []
    persons = tables["persons"]
    if not {"person_id", "death_date"} <= set(persons.collect_schema().names()):
        return []
    deaths = persons.select("person_id", "death_date").filter(pl.col("death_date").is_not_null())
    found = []
    for name, column in (("activity", "date"), ("conditions", "onset_date"), ("enrolments", "start_date")):
        frame = tables.get(name)
        if frame is None or not {"person_id", column} <= set(frame.collect_schema().names()):
            continue
        if frame.collect_schema()["person_id"] != deaths.collect_schema()["person_id"]:
            continue
        rows = (
            frame.select("person_id", column)
            .join(deaths, on="person_id", how="inner")
            .filter(pl.col(column) > pl.col("death_date"))
            .select(pl.len())
            .collect(engine="streaming")
            .item()
        )
        if rows:
            found.append(Finding(name, column, rows, "is after the person's death"))
    return found
