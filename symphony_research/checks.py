"""Every fault of a study folder, found at once and counted; never a value of a row.

Each check is a predicate that is true where a row is at fault. All checks of a
table run in one lazy query, so a country's tables are read once, in pieces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from symphony_research.errors import suggestion
from symphony_research.schema import STUDY_TABLES, Column, Table

__all__ = ["Finding", "Findings", "check_tables", "conform"]

EARLIEST = date(1880, 1, 1)
UNREADABLE = (
    "cannot be read to its end: a row with too many or too few values, a quote left open, an encoding that is not "
    "UTF-8, or parts whose columns differ in type."
)
NAME_LIKE = {
    "name", "forename", "first_name", "firstname", "surname", "last_name", "lastname", "full_name", "fullname",
    "patient_name", "person_name", "middle_name", "maiden_name", "address", "address_line_1", "postcode", "post_code",
    "nhs_number", "nhsnumber", "email", "phone", "telephone", "date_of_birth_full",
}  # fmt: skip
# an outward and an inward part, such as the ones on envelopes
POSTCODE = r"^(?i)\s*[A-Z]{1,2}[0-9][A-Z0-9]?\s*[0-9][A-Z]{2}\s*$"


@dataclass(frozen=True)
class Finding:
    """One kind of fault in one column of one table."""

    table: str
    column: str
    rows: int
    message: str

    def text(self) -> str:
        """The finding on one line."""
        where = f"{self.table}.{self.column}" if self.column else self.table
        rows = f" ({self.rows:,} row{'s' if self.rows != 1 else ''})" if self.rows else ""
        return f"{where}: {self.message}{rows}"


@dataclass(frozen=True)
class Findings:
    """All that a check found, and how complete the study is by month."""

    study: str
    faults: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    def text(self) -> str:
        """The findings for a person to read."""
        if self.ok:
            head = f"{self.study}: no fault found."
        else:
            head = f"{self.study}: {len(self.faults)} finding{'s' if len(self.faults) != 1 else ''}."
        return "\n".join([head, *[f"  {fault.text()}" for fault in self.faults], *self.notes])


def conform(table: Table, frame: pl.LazyFrame, names: Mapping[str, str]) -> tuple[pl.LazyFrame, list[Finding]]:
    """Give a table the schema's names and types, and say which columns could not be.

    Values that cannot be read as their type become null here; they are counted
    by `check_tables`, which is given the frame as it came in as well.

    Parameters
    ----------
    table : Table
        What the table should be.
    frame : polars.LazyFrame
        What was read.
    names : mapping
        Schema column to column of the file, from study.toml.
    """
    schema = frame.collect_schema()
    found: list[Finding] = []
    chosen: list[pl.Expr] = []
    available = schema.names()
    if not {names.get(column.name, column.name) for column in table.columns} & set(available):
        # the first row may then be a person's, and is not repeated
        found.append(
            Finding(
                table.name, "", 0, f"has none of its columns: perhaps the first row is not a heading. {_needs(table)}"
            )
        )
        return frame.select([]), found
    lower = {name.lower(): name for name in available}
    for column in table.columns:
        source = names.get(column.name, column.name)
        if source not in available:
            if column.required:
                found.append(Finding(table.name, column.name, 0, _missing_column(column.name, available)))
            elif column.name in names:
                found.append(Finding(table.name, column.name, 0, "study.toml maps it to a column that is not there."))
            else:
                chosen.append(pl.lit(None, dtype=_polars_type(column, None)).alias(column.name))
            continue
        chosen.append(_cast(pl.col(source), column, schema[source]).alias(column.name))
    # a practice has a name; a person must not
    personal = sorted(NAME_LIKE & set(lower)) if "person_id" in {c.name for c in table.columns} else []
    for word in personal:
        found.append(
            Finding(
                table.name,
                lower[word],
                0,
                "looks like a personal detail. Only pseudonymised data are taken: remove it.",
            )
        )
    return (frame.select(chosen) if chosen else frame), found


def _needs(table: Table) -> str:
    return f"It needs {', '.join(column.name for column in table.columns if column.required)}."


def _missing_column(name: str, available: list[str]) -> str:
    listed = ", ".join(available) or "none"
    close = suggestion(name, available) or (
        " Did you mean 'gender'?" if name == "sex" and "gender" in available else ""
    )
    return f"the column is missing. Columns: {listed}.{close} Rename it, or map it in study.toml under [columns.TABLE]."


def _polars_type(column: Column, found: pl.DataType | None) -> pl.DataType:
    if column.type == "identifier":
        return pl.Int64() if found is not None and found.is_integer() else pl.String()
    return {"text": pl.String(), "date": pl.Date(), "integer": pl.Int64(), "number": pl.Float64()}[column.type]


def _cast(source: pl.Expr, column: Column, found: pl.DataType) -> pl.Expr:
    target = _polars_type(column, found)
    if found == pl.String and column.type != "text":
        source = source.str.strip_chars()
        source = pl.when(source == "").then(None).otherwise(source)
        if column.type == "date":
            return pl.coalesce(
                source.str.to_date("%Y-%m-%d", strict=False), (source + "-01").str.to_date("%Y-%m-%d", strict=False)
            )
    if found == pl.String and column.type == "text":
        return pl.when(source.str.strip_chars() == "").then(None).otherwise(source)
    return source.cast(target, strict=False)


def check_tables(
    tables: Mapping[str, pl.LazyFrame],
    raw: Mapping[str, tuple[pl.LazyFrame, Mapping[str, str]]],
    *,
    period: tuple[date, date] | None,
    conditions: tuple[str, ...] | None,
) -> list[Finding]:
    """Run every check on conformed tables.

    Parameters
    ----------
    tables : mapping
        Conformed tables that were in the folder.
    raw : mapping
        The same as they were read, with the column names of study.toml, for
        counting the values that could not be read.
    period : (date, date) or None
        First and last day of the study.
    conditions : tuple of str or None
        The code list, if the study states one.
    """
    found: list[Finding] = []
    broken: set[str] = set()
    for name, frame in tables.items():
        table = STUDY_TABLES[name]
        try:
            faults = [*_column_faults(table, frame), *_row_faults(name, frame, period, conditions)]
            found += _count(name, frame, faults) + _unreadable(table, *raw[name]) + _repeated_keys(table, frame)
        except pl.exceptions.PolarsError:
            found.append(Finding(name, "", 0, UNREADABLE))
            broken.add(name)
    whole = {name: frame for name, frame in tables.items() if name not in broken}
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
        if column.type == "identifier" and column.name == "person_id":
            faults.append(
                (column.name, "passes the NHS number check digit: pseudonymise it", is_nhs_number(c.cast(pl.String)))
            )
        if have[column.name] == pl.String and column.name not in ("condition", "setting", "sex"):
            faults.append((column.name, "looks like a full postcode: remove it", c.str.contains(POSTCODE)))
    return faults


def is_nhs_number(text: pl.Expr) -> pl.Expr:
    """Whether ten digits pass the NHS number's modulus-11 check.

    The first nine are weighted 10 down to 2; 11 less the remainder of their sum
    is the tenth, 11 standing for 0 and 10 for no number at all.
    """
    digits = text.str.replace_all(r"[\s-]", "")
    # a count from 1 upwards is a pseudonym however long; NHS numbers in issue start at 3
    plausible = digits.str.contains(r"^[3-9][0-9]{9}$")
    total = pl.sum_horizontal([digits.str.slice(k, 1).cast(pl.Int64, strict=False) * (10 - k) for k in range(9)])
    check = (11 - total % 11) % 11
    return plausible & (check == digits.str.slice(9, 1).cast(pl.Int64, strict=False))


def _row_faults(
    name: str, frame: pl.LazyFrame, period: tuple[date, date] | None, conditions: tuple[str, ...] | None
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
                ~pl.col("condition").is_in(conditions),
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
        Finding(name, column, int(counts[str(i)][0]), message)
        for i, (column, message, _) in enumerate(faults)
        if counts[str(i)][0]
    ]


def _unreadable(table: Table, frame: pl.LazyFrame, names: Mapping[str, str]) -> list[Finding]:
    """Count values that are missing, and values that are there but cannot be read as the column's type."""
    schema = frame.collect_schema()
    words = {"date": "a date (YYYY-MM-DD)", "integer": "a whole number", "number": "a number"}
    checks: list[Fault] = []
    for column in table.columns:
        source = names.get(column.name, column.name)
        if source not in schema:
            continue
        value = pl.col(source)
        there = value.is_not_null()
        if schema[source] == pl.String:
            there = there & (value.str.strip_chars() != "")
        if column.required and not column.nullable:
            checks.append((column.name, "is empty", ~there.fill_null(False)))
        if column.type not in words:
            continue
        checks.append(
            (
                column.name,
                f"cannot be read as {words[column.type]}",
                there & _cast(value, column, schema[source]).is_null(),
            )
        )
    return _count(table.name, frame, checks)


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
