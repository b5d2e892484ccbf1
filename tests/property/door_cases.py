"""Small studies made from the schema, one fault planted in each, written in any format the door reads."""

from __future__ import annotations

import csv
import gzip
import io
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from symphony_research.schema import KINDS, RESIDENCES, SETTINGS, SEXES, STUDY_TABLES

FIRST, LAST = date(2011, 4, 1), date(2015, 3, 31)
NAMES = ("zqasthma", "zqgout cured", "zqstroke")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252")
DELIMITERS = (",", ";", "\t", "|")
NHS = ("9434765919", "943 476 5919", "943-476-5919", "9434765919.0", "'9434765919")
POSTCODES = ("ZZ99 3VZ", "zz993vz", " ZZ99  3VZ ")
Row = dict[str, Any]
Fault = tuple[str, str, str, int]


@dataclass
class Case:
    """A study as rows of text, and what the check must say of it."""

    r: random.Random
    tables: dict[str, list[Row]]
    settings: str
    expected: set[Fault] = field(default_factory=set)
    typed: dict[tuple[str, str], pl.Series] = field(default_factory=dict)  # columns of Parquet with a type of their own
    headings: dict[str, list[str]] = field(default_factory=dict)
    spoilt: dict[str, set[int]] = field(default_factory=dict)  # rows that need not survive
    as_csv: set[str] = field(default_factory=set)
    as_parquet: set[str] = field(default_factory=set)
    whole: set[str] = field(default_factory=set)  # tables written as one file
    cut: dict[tuple[str, int], int] = field(default_factory=dict)  # values a row of CSV has more (or fewer)
    rename: dict[str, str] = field(default_factory=dict)
    read: bool = True  # whether the spoilt table can still be read

    def pick(self, table: str, may: Callable[[Row], bool] = lambda row: True, most: int | None = None) -> list[int]:
        """Some rows of a table, at least one."""
        able = [k for k, row in enumerate(self.tables[table]) if may(row)]
        most = len(able) if most is None else min(most, len(able))
        return self.r.sample(able, self.r.randint(1, most)) if able and most else []

    def plant(self, table: str, column: str, rows: list[int], values: tuple[Any, ...], message: str) -> None:
        """Set a value at fault in some rows, and expect them to be counted."""
        for k in rows:
            self.tables[table][k][column] = self.r.choice(values)
            self.spoilt.setdefault(table, set()).add(k)
        if rows:
            self.expected.add((table, column, message, len(rows)))

    def columns(self, table: str) -> list[str]:
        return self.headings.get(table) or list(dict.fromkeys(name for row in self.tables[table] for name in row))


def day(r: random.Random, first: date, last: date) -> str:
    return (first + timedelta(days=r.randrange((last - first).days))).isoformat()


def base(seed: int) -> Case:
    """A sound study of three to nine people."""
    r = random.Random(seed)
    n = r.randint(3, 9)
    numbers = r.sample(range(1_000_000, 2_000_000), n + 3)
    ids = [str(k) if seed % 2 else f"zq{k}" for k in numbers[:n]]
    persons: list[Row] = []
    for k, key in enumerate(ids):
        died = day(r, date(2014, 1, 1), date(2014, 12, 1)) if k % 3 == 2 else None
        persons.append({
            "person_id": key, "sex": r.choice(SEXES), "birth_date": day(r, date(1920, 1, 1), date(1990, 1, 1)), "death_date": died,
            "deprivation_decile": r.choice([None, *map(str, range(1, 11))]), "area": r.choice(["zqé001", "zqé002", None]),
            "residence": r.choice([None, *RESIDENCES]),
        })  # fmt: skip
    conditions = [
        {
            "person_id": key,
            "condition": name,
            "onset_date": r.choice([None, day(r, date(1995, 1, 2), date(2011, 1, 1))]),
        }
        for key in ids
        for name in NAMES
        if name == NAMES[0] or r.random() < 0.5
    ]
    activity = []
    for k in range(r.randint(6, 12)):
        begin = day(r, date(2011, 5, 1), date(2013, 10, 1))
        end = (date.fromisoformat(begin) + timedelta(days=r.randrange(9))).isoformat()
        activity.append({
            "person_id": r.choice(ids), "date": begin, "setting": r.choice(SETTINGS), "end_date": r.choice([None, end]),
            "kind": r.choice([None, *KINDS]), "cost": f"{70_000 + k}.{r.randint(10, 99)}", "provider": r.choice(["zqtrust", None]),
        })  # fmt: skip
    enrolments = [
        {"person_id": key, "programme": "zqcare", "hub": "zqNorth", "start_date": day(r, date(2011, 5, 1), date(2013, 1, 1)),
         "end_date": r.choice([None, day(r, date(2013, 2, 1), date(2013, 12, 1))])}
        for key in ids
    ]  # fmt: skip
    tables = {"persons": persons, "conditions": conditions}
    tables["activity"] = activity
    if r.random() < 0.4:
        tables["enrolments"] = enrolments
    case = Case(r, tables, f"[period]\nstart = {FIRST}\nend = {LAST}\n")
    case.rename = {"strangers": ",".join(str(k) if seed % 2 else f"zq{k}" for k in numbers[n:])}
    return case


# ------------------------------------------------------------------ faults; each takes a sound case and spoils it


def some(case: Case, *able: tuple[str, str]) -> tuple[str, str]:
    return case.r.choice([pair for pair in able if pair[0] in case.tables])


def bad_word(case: Case) -> None:
    table, column = some(
        case, ("persons", "sex"), ("persons", "residence"), ("activity", "setting"), ("activity", "kind")
    )
    allowed = STUDY_TABLES[table].column(column).allowed
    case.plant(table, column, case.pick(table), ("zqother", "Zqé", "f "), f"is none of {', '.join(allowed)}")


def empty(case: Case) -> None:
    table, column = some(
        case, ("persons", "sex"), ("persons", "birth_date"), ("activity", "cost"), ("activity", "date"), ("conditions", "condition"),
        ("conditions", "person_id"), ("enrolments", "hub"),
    )  # fmt: skip
    case.plant(table, column, case.pick(table), (None, "", "  "), "is empty")


DATES = (
    ("persons", "birth_date"), ("persons", "death_date"), ("conditions", "onset_date"), ("activity", "date"),
    ("activity", "end_date"), ("enrolments", "start_date"),
)  # fmt: skip


def bad_date(case: Case) -> None:
    table, column = some(case, *DATES)
    values = ("31/12/2012", "2012-13-01", "1950", "zq soon", "20120501", "01-May-12")
    case.plant(table, column, case.pick(table), values, "cannot be read as a date (YYYY-MM-DD)")


def timed(case: Case) -> None:
    table, column = some(case, *DATES)
    values = ("2012-05-01 13:45", "2012-05-01T00:00:00Z", "2012-05-01 00:00:01.000", "2012-05-01 00:00:00+01:00")
    case.plant(table, column, case.pick(table), values, "has a time of day or a time zone")


def bad_whole(case: Case) -> None:
    values = ("3.7", "zqthree", "1e1", "99999999999999999999", "3,0")
    case.plant("persons", "deprivation_decile", case.pick("persons"), values, "cannot be read as an integer")


def bad_number(case: Case) -> None:
    case.plant(
        "activity",
        "cost",
        case.pick("activity"),
        ("zqtwelve", "1,234.5", "£12345", "12-345"),
        "cannot be read as a number",
    )


def out_of_range(case: Case) -> None:
    column, value, message = case.r.choice([
        ("deprivation_decile", "11", "is over 10"), ("deprivation_decile", "0", "is under 1"), ("cost", "-12345.5", "is under 0"),
        ("cost", "NaN", "is not a finite number"), ("cost", "-1e400", "is not a finite number"),
    ])  # fmt: skip
    table = "activity" if column == "cost" else "persons"
    rows = case.pick(table)
    case.plant(table, column, rows, (value,), message)
    if value == "-1e400":
        case.expected.add((table, column, "is under 0", len(rows)))


def early(case: Case) -> None:
    table, column = some(case, ("persons", "birth_date"), ("conditions", "onset_date"), ("enrolments", "start_date"))
    case.plant(table, column, case.pick(table), ("1820-11-12", "1879-12-31"), "is before 1880")


def late(case: Case) -> None:
    dead = {row["person_id"] for row in case.tables["persons"] if row["death_date"]}
    table, column = some(
        case, ("persons", "birth_date"), ("persons", "death_date"), ("conditions", "onset_date"), ("activity", "date")
    )
    rows = case.pick(table, lambda row: row["person_id"] not in dead and row.get("end_date") is None)
    told = f"is outside the study, {FIRST} to {LAST}" if column == "date" else f"is after the study's last day, {LAST}"
    case.plant(table, column, rows, ("2015-04-03", "2031-11-12"), told)


def backwards(case: Case) -> None:
    if "enrolments" in case.tables and case.r.random() < 0.5:
        case.plant("enrolments", "end_date", case.pick("enrolments"), ("2011-04-02",), "is before start_date")
    else:
        case.plant("activity", "end_date", case.pick("activity"), ("2011-04-02",), "is before date")


def after_death(case: Case) -> None:
    dead = {row["person_id"] for row in case.tables["persons"] if row["death_date"]}
    table, column = some(case, ("conditions", "onset_date"), ("activity", "date"), ("enrolments", "start_date"))
    rows = case.pick(table, lambda row: row["person_id"] in dead and row.get("end_date") is None)
    case.plant(table, column, rows, ("2014-12-30",), "is after the person's death")


def stranger(case: Case) -> None:
    table = case.r.choice([name for name in case.tables if name != "persons"])
    rows = case.pick(table, most=3)
    strangers = case.rename["strangers"].split(",")
    for k, other in zip(rows, strangers, strict=False):
        case.tables[table][k]["person_id"] = other
    case.expected.add((table, "person_id", "is not in persons", len(rows)))


def repeated(case: Case) -> None:
    table = case.r.choice(["persons", "conditions"])
    key = STUDY_TABLES[table].key
    rows = case.pick(table)
    for k in rows:
        case.tables[table].insert(case.r.randrange(len(case.tables[table]) + 1), dict(case.tables[table][k]))
        # what stood after it has moved: rows are held by their key from here on
    column = key[0] if len(key) == 1 else ""
    extra = len(case.tables[table]) - len({tuple(row[name] for name in key) for row in case.tables[table]})
    case.expected.add((table, column, f"the same {' and '.join(key)} comes more than once", extra))


def twice(case: Case) -> None:
    n = len(case.tables["activity"])
    case.tables["activity"] += [dict(row) for row in case.tables["activity"]]
    case.r.shuffle(case.tables["activity"])
    case.expected.add(("activity", "", "the same row comes more than once", n))
    case.whole.add("activity")


def nhs_number(case: Case) -> None:
    told = "passes the NHS number check digit: pseudonymise it"
    if case.r.random() < 0.4:
        case.tables["persons"].append({**case.tables["persons"][0], "person_id": case.r.choice(NHS)})
        case.expected.add(("persons", "person_id", told, 1))
        case.spoilt["persons"] = {len(case.tables["persons"]) - 1}
        return
    table = case.r.choice(list(case.tables))
    column = case.r.choice(["zz_more", "area" if table == "persons" else "zz_more"])
    case.plant(table, column, case.pick(table), (case.r.choice(NHS),), told)


def postcode(case: Case) -> None:
    table, column = some(
        case, ("persons", "area"), ("persons", "zz_more"), ("activity", "provider"), ("activity", "zz_more")
    )
    case.plant(table, column, case.pick(table), (case.r.choice(POSTCODES),), "looks like a full postcode: remove it")


def personal(case: Case) -> None:
    table = case.r.choice(list(case.tables))
    heading = case.r.choice(
        ["NHS Number", "First Name", "Post Code", "Surname", "Address", "DOB", "e-mail", "patient_name"]
    )
    for row in case.tables[table]:
        row[heading] = "zqvalue"
    case.expected.add(
        (table, heading, "looks like a personal detail. Only pseudonymised data are taken: remove it.", 0)
    )


def missing_column(case: Case) -> None:
    table, column = some(
        case,
        ("persons", "sex"),
        ("persons", "birth_date"),
        ("activity", "setting"),
        ("activity", "cost"),
        ("conditions", "condition"),
    )
    for row in case.tables[table]:
        del row[column]
    case.expected.add((table, column, "the column is missing", 0))
    case.read = False


def two_columns(case: Case) -> None:
    table, column = some(case, ("persons", "sex"), ("activity", "cost"), ("conditions", "condition"))
    other = case.r.choice([column.upper(), f" {column.title()}"])
    for row in case.tables[table]:
        row[other] = row[column]
    case.expected.add((table, column, "the column comes 2 times", 0))
    case.read = False


def uneven(case: Case) -> None:
    table = case.r.choice(list(case.tables))
    fewer = case.r.random() < 0.5
    for row in case.tables[table]:
        row["zz_last"] = "zqlast"
    rows = case.pick(table)
    for k in rows:
        case.cut[table, k] = -1 if fewer else case.r.randint(1, 2)
    case.as_csv.add(table)
    case.whole.add(table)
    case.expected.add((table, "", f"has rows with {'fewer' if fewer else 'more'} values than its heading", len(rows)))


def near_name(case: Case) -> None:
    held = [k for k, row in enumerate(case.tables["conditions"]) if row["condition"] == NAMES[0]]
    rows = case.r.sample(held, case.r.randint(1, (len(held) - 1) // 2))
    told = "differs from another name only in capitals, spaces or punctuation"
    case.plant("conditions", "condition", rows, ("Zqasthma",), told)


def unlisted(case: Case) -> None:
    case.settings = f'conditions = ["{NAMES[0]}", "{NAMES[1]}", "{NAMES[2]}"]\n' + case.settings
    case.plant("conditions", "condition", case.pick("conditions", lambda row: row["condition"] == NAMES[2]), ("zqother thing",), "is not among the 3 conditions of study.toml")  # fmt: skip


def _typed(case: Case, table: str, column: str, values: list[Any], dtype: Any, rows: int, message: str) -> None:
    case.typed[table, column] = pl.Series(column, values, dtype=dtype)
    case.as_parquet.add(table)
    case.whole.add(table)
    case.spoilt[table] = set(range(len(values)))
    if rows:
        case.expected.add((table, column, message, rows))


def strange_type(case: Case) -> None:
    table, column = some(case, ("persons", "death_date"), ("persons", "deprivation_decile"), ("persons", "area"), ("activity", "end_date"), ("activity", "provider"))  # fmt: skip
    n = len(case.tables[table])
    kind = STUDY_TABLES[table].column(column).type
    words = {"date": "a date (YYYY-MM-DD)", "integer": "an integer", "text": "text"}[kind]
    value, dtype = case.r.choice([(b"zq", pl.Binary), ([1], pl.List(pl.Int64)), (timedelta(1), pl.Duration), (True, pl.Boolean), ({"a": 1}, pl.Struct({"a": pl.Int64}))])  # fmt: skip
    values = [case.r.choice([None, value]) for _ in range(n)]
    _typed(case, table, column, values, dtype, sum(v is not None for v in values), f"cannot be read as {words}")


def numbers_for_dates(case: Case) -> None:
    table, column = some(case, ("persons", "death_date"), ("conditions", "onset_date"), ("activity", "end_date"))
    dtype = case.r.choice([pl.Int64, pl.Int32, pl.UInt16, pl.Float64, pl.Decimal(10, 2)])
    values = [case.r.choice([None, 1950, 2012]) for _ in case.tables[table]]
    _typed(
        case, table, column, values, dtype, sum(v is not None for v in values), "cannot be read as a date (YYYY-MM-DD)"
    )


def moments(case: Case) -> None:
    table, column = some(case, ("persons", "birth_date"), ("activity", "date"))
    zone = case.r.choice([None, "UTC", "Europe/London"])
    days = [datetime.fromisoformat(row[column]) for row in case.tables[table]]
    rows = case.pick(table)
    days = [
        at + timedelta(microseconds=case.r.choice([1, 3_600_000_000])) if k in rows else at for k, at in enumerate(days)
    ]
    series = pl.Series(column, days, dtype=pl.Datetime("us"))
    case.plant(table, column, [], (), "")
    _typed(case, table, column, days, pl.Datetime("us"), len(rows), "has a time of day or a time zone")
    case.typed[table, column] = series.dt.replace_time_zone(zone) if zone else series
    case.spoilt[table] = set(rows)


def fractions(case: Case) -> None:
    rows = case.pick("persons")
    values = [
        case.r.choice([3.7, 1e300, float("nan")]) if k in rows else float(row["deprivation_decile"] or 1)
        for k, row in enumerate(case.tables["persons"])
    ]
    _typed(case, "persons", "deprivation_decile", values, pl.Float64, len(rows), "cannot be read as an integer")


def sound(case: Case) -> None:
    """No fault: the same study, written as sloppily as means the same."""
    for table, rows in case.tables.items():
        for row in rows:
            for column, value in row.items():
                if value is None or case.r.random() < 0.6:
                    continue
                kind = STUDY_TABLES[table].column(column).type
                if kind == "date":
                    row[column] = value + case.r.choice(
                        [" 00:00:00", "T00:00:00.0000000", " 00:00", " 00:00:00.000", " "]
                    )
                elif kind == "integer":
                    row[column] = value + case.r.choice([".0", ".00", " ", "."])
                elif kind in ("text", "identifier"):
                    row[column] = case.r.choice([" ", ""]) + value + case.r.choice([" ", "  ", "\u00a0"])
        if case.r.random() < 0.5:
            for row in rows:
                row["zz_more"] = case.r.choice(["zqextra", None, "zq;,|"])
        spelt = case.r.choice([str, str.upper, lambda name: name.title().replace("_", " "), lambda name: f" {name} "])
        names = [name for row in rows[:1] for name in row]
        case.r.shuffle(names)
        case.headings[table] = names
        case.rename |= {f"{table}.{name}": spelt(name) for name in names}


FAULTS: dict[str, Callable[[Case], None]] = {
    f.__name__: f
    for f in (
        sound, bad_word, empty, bad_date, timed, bad_whole, bad_number, out_of_range, early, late, backwards, after_death, stranger,
        repeated, twice, nhs_number, postcode, personal, missing_column, two_columns, uneven, near_name, unlisted, strange_type,
        numbers_for_dates, moments, fractions,
    )
}  # fmt: skip


# ------------------------------------------------------------------ writing


def write(case: Case, folder: Path) -> None:
    """Write every table in a format of its own."""
    folder.mkdir()
    (folder / "study.toml").write_text(case.settings, encoding="utf-8")
    for table, rows in case.tables.items():
        names = case.columns(table)
        csv_only, parquet_only = table in case.as_csv, table in case.as_parquet
        parquet = parquet_only or (not csv_only and case.r.random() < 0.4)
        parts = 1 if table in case.whole or len(rows) < 2 or case.r.random() < 0.7 else 2
        at = case.r.randint(1, len(rows) - 1) if parts == 2 else len(rows)
        place = folder
        if parts == 2:
            place = folder / table
            place.mkdir()
        typed = case.r.random() < 0.7
        shown = [case.rename.get(f"{table}.{name}", name) for name in names]
        for part, (first, last) in enumerate([(0, at), (at, len(rows))][:parts]):
            stem = f"part {part}" if parts == 2 else case.r.choice([table, table.upper(), table.title()])
            if parquet:
                frame(case, table, names, shown, typed=typed)[first:last].write_parquet(place / f"{stem}.parquet")
            else:
                body, suffix = text(case, table, names, shown, first, last)
                (place / f"{stem}{suffix}").write_bytes(body)


def frame(case: Case, table: str, names: list[str], shown: list[str], *, typed: bool) -> pl.DataFrame:
    """A table of Parquet: columns of the schema's types where every value allows it, of text where not."""
    columns = []
    for name, heading in zip(names, shown, strict=True):
        if (table, name) in case.typed:
            columns.append(case.typed[table, name].rename(heading))
            continue
        column = pl.Series(heading, [row.get(name) for row in case.tables[table]], dtype=pl.String)
        kinds = {c.name: c.type for c in STUDY_TABLES[table].columns}
        to = {"date": pl.Date, "integer": pl.Int32, "number": pl.Float64, "identifier": pl.Int64}.get(
            kinds.get(name, "")
        )
        if typed and to is not None and not any(v is not None and v.startswith("0") for v in column):
            cast = column.str.to_date("%Y-%m-%d", strict=False) if to == pl.Date else column.cast(to, strict=False)
            if cast.null_count() == column.null_count():
                column = cast
        elif typed and to is None and len(set(column)) < 4:
            column = column.cast(pl.Categorical)
        columns.append(column)
    return pl.DataFrame(columns)


def text(case: Case, table: str, names: list[str], shown: list[str], first: int, last: int) -> tuple[bytes, str]:
    """A file of delimited text, in some encoding, and its suffix."""
    r = case.r
    encoding, delimiter = r.choice(ENCODINGS), r.choice(DELIMITERS)
    out = io.StringIO(newline="")
    quoting = r.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(out, delimiter=delimiter, quoting=quoting, lineterminator=r.choice(["\n", "\r\n"]))
    writer.writerow(shown)
    for k in range(first, last):
        row = case.tables[table][k]
        nothing = r.choice(["", "NULL"]) if quoting == csv.QUOTE_MINIMAL else ""
        values = [nothing if row.get(name) is None else row[name] for name in names]
        more = case.cut.get((table, k), 0)
        writer.writerow(values[:more] if more < 0 else values + ["zqmore"] * more)
    body = out.getvalue()
    if encoding == "cp1252" and "\u00e9" not in body and body.isascii():
        encoding = "utf-8"
    data = body.encode(encoding)
    suffix = r.choice([".csv", ".CSV", ".txt", ".tsv"])
    return (gzip.compress(data), f"{suffix}.gz") if r.random() < 0.3 else (data, suffix)
