"""Which files of a study folder are which table, and what becomes of every other file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from symphony_research.door.finding import Finding
from symphony_research.door.headings import alike, listed
from symphony_research.errors import suggestion
from symphony_research.schema import STUDY_TABLES

__all__ = ["Found", "look_through", "shown_suffix", "way_on"]

TEXT = (".csv", ".tsv", ".txt", ".tab")
# read as settings, or kept beside them; `fixed` is what is recorded of a protocol
OWN = {"study.toml", "truth.json", "protocol.toml", "protocol.fixed.jsonl", "protocol.fixed.jsonl.head"}
_MISNAMED = {
    **dict.fromkeys(("study.toml", "study.toml.txt", "study.tml", "study.txt"), "study.toml"),
    # a document of that name may be anything
    **dict.fromkeys(("protocol.toml", "protocol.toml.txt", "protocol.tml"), "protocol.toml"),
}
_DATA = {
    *TEXT, ".parquet", ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".accdb", ".mdb", ".sav", ".dta", ".sas7bdat", ".rds",
    ".rdata", ".feather", ".arrow", ".json", ".jsonl", ".zip", ".7z", ".bz2", ".xz", ".zst", ".dat", ".bak", ".orc",
    ".avro", ".pq",
}  # fmt: skip
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
_PACKED = (".zip", ".7z", ".bz2", ".xz", ".zst", ".gz")
_STATISTICS = (".sav", ".dta", ".sas7bdat", ".rds", ".rdata")
# left by Spark, Windows and Excel beside the data, and never data
_LITTER = re.compile(r"^(\.|_|~\$)|\.crc$|^(thumbs\.db|desktop\.ini)$", re.IGNORECASE)


@dataclass
class Found:
    """The files of each table, and what is wrong or left unread."""

    files: dict[str, list[Path]] = field(default_factory=dict)
    faults: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _stem_and_suffix(path: Path) -> tuple[str, str]:
    """Return the name without its suffix, and the suffix in small letters: ("persons", ".csv.gz")."""
    name, suffix = path.name, path.suffix.lower()
    stem = name[: len(name) - len(suffix)] if suffix else name
    if suffix in _PACKED:
        inner = Path(stem).suffix.lower()
        if inner in _DATA:
            return stem[: len(stem) - len(inner)], inner + suffix
    return stem, suffix


def shown_suffix(path: Path) -> str:
    """Return how a file is to be read: "parquet" or "text", or "" where it is not."""
    suffix = _stem_and_suffix(path)[1]
    if suffix == ".parquet":
        return "parquet"
    return "text" if suffix.removesuffix(".gz") in TEXT else ""


def look_through(folder: Path) -> Found:
    """Sort every entry of a study folder.

    A table is a file of its name, or a folder of its name with one file or
    more; capitals do not matter. What looks like a table and cannot be read is a
    fault, and what does not is named in a note.
    """
    found = Found()
    entries = sorted(path for path in folder.iterdir() if path.name not in OWN and not _LITTER.search(path.name))
    homes: dict[str, list[Path]] = {}
    others: list[Path] = []
    for path in entries:
        # a folder may have a suffix too, as Spark names it
        stem = path.name if path.is_dir() and not shown_suffix(path) else _stem_and_suffix(path)[0]
        if stem.lower() in STUDY_TABLES and (path.is_dir() or shown_suffix(path)):
            homes.setdefault(stem.lower(), []).append(path)
        else:
            others.append(path)
    for table, places in homes.items():
        if len(places) > 1:
            told = f"is there more than once ({', '.join(p.name for p in places)}): keep one."
            found.faults.append(Finding(table, "", 0, told))
        files = _parts(table, places[0], found) if places[0].is_dir() else places[:1]
        if files:
            found.files[table] = files
    others = [path for path in others if not _is_misnamed_settings(path, found)]
    near = _others(others, found)
    for name, rule in STUDY_TABLES.items():
        if rule.required and name not in homes and name not in near:
            there = listed(path.name for path in sorted(folder.iterdir()) if not path.name.startswith("."))
            there = "nothing" if there == "none" else there
            found.faults.append(Finding(name, "", 0, f"the table is missing. The folder holds: {there}."))
    return found


def _is_misnamed_settings(path: Path, found: Found) -> bool:
    """Notepad puts .txt behind the name of a new file, and Windows does not show it."""
    meant = _MISNAMED.get(path.name.lower())
    if meant is None or path.is_dir():
        return False
    told = f"{path.name} is not read: its name must be {meant}, in small letters and with nothing behind it."
    found.faults.append(Finding(meant, "", 0, told))
    return True


def _parts(table: str, place: Path, found: Found) -> list[Path]:
    """Return the files of a table's folder; whatever else lies there is a fault, as its rows would be omitted."""
    inside = sorted(path for path in place.iterdir() if not _LITTER.search(path.name))
    files = [path for path in inside if path.is_file() and shown_suffix(path)]
    if any(path.is_dir() for path in inside):
        told = f"{place.name}/ holds folders ({listed(p.name for p in inside if p.is_dir())}), which are not read"
        found.faults.append(
            Finding(table, "", 0, told, "Put their files into it directly, each under a name of its own.")
        )
    unread = [path for path in inside if path.is_file() and not shown_suffix(path)]
    for path in unread:
        found.faults.append(Finding(table, "", 0, f"{place.name}/{path.name} is not read: {way_on(path, table)}"))
    kinds = {shown_suffix(path) for path in files}
    if len(kinds) == 1:
        return files
    if kinds or not unread:
        what = "holds no Parquet or CSV file" if not kinds else "mixes Parquet and CSV files"
        found.faults.append(Finding(table, "", 0, f"the folder {what}."))
    return []


def _others(others: Iterable[Path], found: Found) -> set[str]:
    """Name what is not read, and return the tables it is likely to be of."""
    near: set[str] = set()
    unrelated = []
    for path in others:
        stem, suffix = (path.name, "") if path.is_dir() else _stem_and_suffix(path)
        if not path.is_dir() and suffix.split(".")[-1] and not _is_data(suffix):
            unrelated.append(path.name)
            continue
        table, plain = _nearest(stem)
        if table is None:
            unrelated.append(path.name)
            continue
        near.add(table)
        taken = table in found.files
        if plain and not path.is_dir() and not shown_suffix(path):
            if taken:
                unrelated.append(path.name)  # the workbook that the CSV file was saved from
            else:
                found.faults.append(Finding(table, "", 0, f"{path.name} is not read: {way_on(path, table)}"))
            continue
        told = f"{path.name} is not read, as it is not named as a table"
        what = f"{table}.csv" if not path.is_dir() and shown_suffix(path) != "parquet" else f"{table}.parquet"
        if taken:
            advice = f"If it is a second copy of {table}, move it away; if it is a part of it, put both into a folder named {table}."
        else:
            advice = f"Did you mean '{table if path.is_dir() else what}'? Rename it, or move it out of the folder."
        found.faults.append(Finding(table, "", 0, told, advice))
    if unrelated:
        found.notes.append(f"Not read: {listed(unrelated)}.")
    return near


def _is_data(suffix: str) -> bool:
    """Return whether a file of that kind may hold a table; of a packed one, its inner kind counts."""
    inner = suffix[: suffix.rfind(".")] if suffix.count(".") > 1 else suffix
    return inner in _DATA or inner in _PACKED


def _nearest(stem: str) -> tuple[str | None, bool]:
    """Return the table that a name is likely to mean, and whether it is its very name: "activity (1)", "Copy of persons", "person"."""
    letters = alike(stem)
    for table in STUDY_TABLES:
        if letters == alike(table):
            return table, stem.lower() == table
    bare = re.sub(r"(?i)\(\d+\)|\bcopy( of)?\b|^(dbo|tbl)[._]?|[\W_]*\d*$", "", stem.strip())
    for table in STUDY_TABLES:
        if alike(bare) in (alike(table), alike(table)[:-1]):
            return table, False
    close = suggestion(bare, STUDY_TABLES) if len(bare) > 4 else ""
    name = close.rpartition(" '")[2].removesuffix("'?")
    # a far cry of a name is another file, such as a list of outcome definitions
    return (name, False) if name and abs(len(name) - len(bare)) <= 2 else (None, False)


def way_on(path: Path, table: str) -> str:
    """Say why a file of that kind is not read, and what to do."""
    suffix = _stem_and_suffix(path)[1]
    if suffix.endswith(_WORKBOOKS):
        return (
            f"it is a workbook. In Excel choose File, Save As, 'CSV UTF-8 (Comma delimited)', save it as {table}.csv, and "
            "format dates as yyyy-mm-dd first."
        )
    if suffix.endswith(_PACKED):
        return (
            f"it is packed. Unpack it to {table}.csv or {table}.parquet (a CSV file may stay in gzip: {table}.csv.gz)."
        )
    if suffix in _STATISTICS:
        return f"it is a file of a statistics program. Save it from there as {table}.csv or {table}.parquet."
    return f"its kind is not known. Save it as {table}.csv or {table}.parquet."
