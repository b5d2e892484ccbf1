"""study.toml: what each setting must be, and what is wrong with those given."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from symphony_research.door.finding import Finding
from symphony_research.door.text import UnreadableError, decoded
from symphony_research.errors import ArgumentError, suggestion
from symphony_research.policy import policy_named
from symphony_research.schema import STUDY_TABLES

__all__ = ["REPORT_KEYS", "STATUSES", "data_end_of", "imported_notes", "period_of", "read_settings", "toml_text"]

REPORT_KEYS = (
    "author",
    "contact",
    "status",
    "register",
)  # whose name stands under the reports, and where releases are entered
STATUSES = ("draft", "approved")
_POLICY_KEYS = ("policy", "threshold", "rounding")


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and name.strip() for name in value)


def _ages(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(type(a) is int and a >= 0 for a in value)
        and value == sorted(set(value))
    )


def _texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


# what each setting must be, in code and in words
_SHAPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is(str), "a text"),
    "source": (_is(str), "a text"),
    "note": (_is(str), "a text"),
    "price_year": (_is(str), "a text"),
    "period": (_is(dict), "a table: [period] with start and end, and perhaps data_end"),
    "disclosure": (_is(dict), "a table: [disclosure] with policy"),
    "columns": (
        lambda value: isinstance(value, dict) and all(_texts(names) for names in value.values()),
        'tables: [columns.persons] with sex = "Gender"',
    ),
    "values": (
        lambda value: (
            isinstance(value, dict)
            and all(isinstance(of, dict) and all(_texts(words) for words in of.values()) for of in value.values())
        ),
        'tables: [values.persons.sex] with 1 = "M" and 2 = "F"',
    ),
    "conditions": (_names, "a list of names"),
    "priority_conditions": (_names, "a list of names"),
    "repeated_rows": (_names, 'a list of tables in which equal rows are different contacts, such as ["activity"]'),
    "age_bands": (_ages, "a list of the lowest ages, rising"),
    "report": (
        lambda value: _texts(value) and set(value) <= set(REPORT_KEYS) and value.get("status", "draft") in STATUSES,
        f"a table: [report] with any of {', '.join(REPORT_KEYS)}, the status one of {', '.join(STATUSES)}",
    ),
    "generator": (_is(dict), "a table"),
    "imported": (_is(dict), "a table"),
}


def toml_text(path: Path) -> str:
    """Return the text of a settings file, however Notepad or Excel saved it.

    Raises
    ------
    Unreadable
        If it is in no encoding known.
    """
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return decoded(data, "utf-16")
    try:
        return decoded(data, "")
    except UnreadableError:
        return decoded(data, "cp1252")


def read_settings(folder: Path, faults: list[Finding]) -> dict[str, Any]:
    """Return the settings of a study folder that are what they must be; the others become findings."""
    path = folder / "study.toml"
    if not path.is_file():
        return {}
    try:
        given = tomllib.loads(toml_text(path))
    except (tomllib.TOMLDecodeError, UnreadableError, OSError) as error:
        # a message of the parser may repeat a value; where it stopped does not
        where = str(error).rpartition("(")[2].rstrip(")") if "(at " in str(error) else "somewhere"
        faults.append(Finding("study.toml", "", 0, f"cannot be read as TOML ({where})."))
        return {}
    settings = {}
    for key, value in given.items():
        if key not in _SHAPES:
            told = f"is not a setting. Settings: {', '.join(sorted(_SHAPES))}.{suggestion(key, _SHAPES)}"
            faults.append(Finding("study.toml", key, 0, told))
        elif not _SHAPES[key][0](value):
            faults.append(Finding("study.toml", key, 0, f"must be {_SHAPES[key][1]}."))
        else:
            settings[key] = value
    for key in ("columns", "values"):
        settings[key] = _of_tables(key, settings.get(key, {}), faults)
    for name in settings.get("repeated_rows", []):
        if name not in STUDY_TABLES:
            faults.append(
                Finding("study.toml", "repeated_rows", 0, f"names no table. Tables: {', '.join(STUDY_TABLES)}.")
            )
    if "conditions" in settings:
        settings["conditions"] = [name.strip() for name in settings["conditions"]]
    _check_disclosure(settings, faults)
    return settings


def _of_tables(key: str, given: Mapping[str, Mapping[str, Any]], faults: list[Finding]) -> dict[str, dict[str, Any]]:
    """Keep what belongs to a table and a column that there are."""
    kept: dict[str, dict[str, Any]] = {}
    for table, parts in given.items():
        if table not in STUDY_TABLES:
            told = f"is not a table. Tables: {', '.join(STUDY_TABLES)}.{suggestion(table, STUDY_TABLES)}"
            faults.append(Finding("study.toml", f"{key}.{table}", 0, told))
            continue
        known = {column.name: column for column in STUDY_TABLES[table].columns}
        for name, value in parts.items():
            where = f"{key}.{table}.{name}"
            if name not in known:
                told = f"is not a column. Columns: {', '.join(known)}.{suggestion(name, known)}"
                faults.append(Finding("study.toml", where, 0, told))
            elif key == "values" and known[name].type != "text":
                faults.append(Finding("study.toml", where, 0, "holds no text: only values of text columns are mapped."))
            elif key == "values" and known[name].allowed and not set(value.values()) <= set(known[name].allowed):
                told = f"maps to a value that is none of {', '.join(known[name].allowed)}."
                faults.append(Finding("study.toml", where, 0, told))
            else:
                kept.setdefault(table, {})[name] = value
    return kept


def _check_disclosure(settings: dict[str, Any], faults: list[Finding]) -> None:
    disclosure = settings.get("disclosure", {})
    for key in disclosure:
        if key not in _POLICY_KEYS:
            told = f"is not a setting. Settings: {', '.join(_POLICY_KEYS)}."
            faults.append(Finding("study.toml", f"disclosure.{key}", 0, told))
    try:
        given = {key: value for key, value in disclosure.items() if key in _POLICY_KEYS[1:]}
        policy_named(disclosure.get("policy", "nhs_england"), **given)
    except (ArgumentError, TypeError) as error:
        why = str(error) if isinstance(error, ArgumentError) else "this policy has no threshold or rounding to set."
        faults.append(Finding("study.toml", "disclosure", 0, why))
        settings["disclosure"] = {}


def imported_notes(settings: Mapping[str, Any]) -> list[str]:
    """Return what the import of a survey wrote down of answers that were neither yes nor no."""
    told = settings.get("imported", {})
    rows, excluded = told.get("rows"), told.get("excluded")
    if not isinstance(rows, int) or not isinstance(excluded, int):
        return []
    notes = [f"Imported: {rows:,} rows, {excluded:,} people excluded."]
    for key, words in (("excluded_for", "for the answer on"), ("counted_as_no", "counted as not having")):
        of = told.get(key)
        for name, n in (of if isinstance(of, dict) else {}).items():
            if isinstance(n, int):
                notes.append(f"  {words} {name}: {n:,}")
    return notes


def period_of(settings: Mapping[str, Any], faults: list[Finding]) -> tuple[date, date] | None:
    """Return the first and last day that study.toml states."""
    period = settings.get("period")
    if period is None:
        return None
    ends = [d.date() if isinstance(d, datetime) else d for d in (period.get("start"), period.get("end"))]
    if not all(isinstance(d, date) for d in ends) or ends[0] > ends[1]:
        faults.append(Finding("study.toml", "period", 0, "needs start and end as dates, start first (2011-04-01)."))
        return None
    return ends[0], ends[1]


def data_end_of(
    settings: Mapping[str, Any], period: tuple[date, date] | None, faults: list[Finding]
) -> dict[str, date]:
    """Return the last day of the tables that hold nothing after it, as study.toml states them under [period]."""
    given = (settings.get("period") or {}).get("data_end", {})
    if not isinstance(given, dict):
        told = 'must be tables with their last days, as in data_end = { activity = "2018-01-31" }.'
        faults.append(Finding("study.toml", "period.data_end", 0, told))
        return {}
    ends: dict[str, date] = {}
    for table, value in given.items():
        where = f"period.data_end.{table}"
        day = value.date() if isinstance(value, datetime) else value
        if isinstance(day, str):
            try:
                day = date.fromisoformat(day)
            except ValueError:
                day = None
        if table not in STUDY_TABLES:
            told = f"is not a table. Tables: {', '.join(STUDY_TABLES)}.{suggestion(table, STUDY_TABLES)}"
            faults.append(Finding("study.toml", where, 0, told))
        elif not isinstance(day, date):
            faults.append(Finding("study.toml", where, 0, "must be a date, such as 2018-01-31."))
        elif period is not None and not period[0] <= day <= period[1]:
            told = f"is outside the study, {period[0].isoformat()} to {period[1].isoformat()}."
            faults.append(Finding("study.toml", where, 0, told))
        else:
            ends[table] = day
    return ends
