"""One table from its files: named and typed as the schema has it, and every value counted that could not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from symphony_research.door.finding import Finding
from symphony_research.door.folder import shown_suffix
from symphony_research.door.headings import alike, known_headings, listed, match
from symphony_research.door.personal import nhs_numbers, postcodes
from symphony_research.door.text import TextFile, UnreadableError, look_at, scan, uneven_rows
from symphony_research.door.values import family, filled, plural, reading, schema_type
from symphony_research.schema import Column, Table

__all__ = [
    "BROKEN",
    "NHS_NUMBER",
    "POSTCODE_TOLD",
    "UNREADABLE",
    "TableRead",
    "conform",
    "one_type_of_id",
    "read_table",
]

# all that reading a damaged file may raise
BROKEN = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)
UNREADABLE = (
    "cannot be read to its end: a row with too many or too few values, a quote left open, an encoding that is not "
    "UTF-8, or parts whose columns differ in type."
)
NHS_NUMBER = "passes the NHS number check digit: pseudonymise it"
NHS_ADVICE = "If it is a pseudonym of ten digits already, put a letter before every one of them, the same in all tables, such as P."
POSTCODE_TOLD = "looks like a full postcode: remove it"


@dataclass(frozen=True)
class _Part:
    """Files that are read as one: of one kind, headings, types and manner. Columns are named by their place."""

    paths: tuple[Path, ...]
    frame: pl.LazyFrame
    headings: tuple[str, ...]
    types: tuple[pl.DataType, ...]
    texts: tuple[TextFile, ...] = ()

    @property
    def name(self) -> str:
        return self.paths[0].name


@dataclass
class TableRead:
    """A table as the schema has it, and what was found on the way; `frame` is None where it cannot be read."""

    frame: pl.LazyFrame | None = None
    faults: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    texts: dict[Path, TextFile] = field(default_factory=dict)


@dataclass(frozen=True)
class _Count:
    column: str
    message: str
    rows: pl.Expr
    advice: str = ""


def conform(table: Table, frame: pl.LazyFrame) -> pl.LazyFrame:
    """Give a table in memory the schema's names and types; for tables known to be sound."""
    schema = frame.collect_schema()
    return frame.select(
        reading(pl.col(c.name), c, schema[c.name]).value.alias(c.name)
        if c.name in schema
        else pl.lit(None, dtype=schema_type(c)).alias(c.name)
        for c in table.columns
        if c.name in schema or not c.required
    )


def read_table(
    table: Table,
    files: Sequence[Path],
    names: Mapping[str, str],
    words: Mapping[str, Mapping[str, str]],
    *,
    known: Mapping[Path, TextFile] | None = None,
) -> TableRead:
    """Read a table from its files, and count what is lost.

    Parameters
    ----------
    table : Table
        What it should be.
    files : sequence of Path
        Its parts.
    names : mapping
        Schema column to heading, from study.toml.
    words : mapping
        Schema column to (value of the file to value of the schema), from study.toml.
    known : mapping, optional
        How each file of text is to be read, for files that were checked before: the rows are then not read.
    """
    read = TableRead()
    parts = _parts(table, files, names, read, known or {})
    if not parts or read.faults:
        return read
    read.faults += _differences(table, parts, names)
    frames: list[pl.LazyFrame] = []
    for part in parts:
        places, found = match(table, part.headings, names, part=part.name if len(parts) > 1 else "")
        read.faults += [fault for fault in found if fault not in read.faults]
        if not places:
            return read
        frames.append(_conformed(table, part, places, words))
        if known is None:
            _count_part(table, part, places, words, read, alone=len(parts) == 1)
        own = {alike(column.name) for column in table.columns}
        rest = [h for k, h in enumerate(part.headings) if k not in places.values() and h and alike(h) not in own]
        if rest and not read.notes:
            read.notes.append(f"{table.name}: columns that are not used: {listed(rest)}.")
    if any(fault.message.startswith(UNREADABLE[:30]) for fault in read.faults):
        return read
    read.frame = _together(frames)
    return read


def _parts(
    table: Table, files: Sequence[Path], names: Mapping[str, str], read: TableRead, known: Mapping[Path, TextFile]
) -> list[_Part]:
    """Look at every file, and put those together that can be read as one."""
    groups: dict[object, list[tuple[Path, object]]] = {}
    for path in files:
        kind = shown_suffix(path)
        try:
            if kind == "parquet":
                schema = pl.scan_parquet(path.absolute(), glob=False, hive_partitioning=False).collect_schema()
                manner: object = tuple(schema.items())
                seen: object = schema
            else:
                how = known.get(path) or look_at(path, lambda headings: known_headings(table, names, headings))
                read.texts[path] = how
                seen, manner = how, how.manner
        except UnreadableError as why:
            read.faults.append(Finding(table.name, "", 0, f"{_named(path, files)}{why}"))
            continue
        except BROKEN as why:
            twice = isinstance(why, pl.exceptions.DuplicateError)
            told = "has two columns of the same name." if twice else f"cannot be read as {path.suffix[1:].upper()}."
            read.faults.append(Finding(table.name, "", 0, f"{_named(path, files)}{told}"))
            continue
        groups.setdefault((kind, manner), []).append((path, seen))
    return [_part(table, group, read) for group in groups.values()]


def _named(path: Path, files: Sequence[Path]) -> str:
    return f"{path.name} " if len(files) > 1 else ""


def _part(table: Table, group: list[tuple[Path, object]], read: TableRead) -> _Part:
    paths = tuple(path for path, _ in group)
    one = group[0][1]
    if isinstance(one, pl.Schema):
        frame = pl.scan_parquet([path.absolute() for path in paths], glob=False, hive_partitioning=False)
        frame = frame.rename({name: str(k) for k, name in enumerate(one)})
        return _Part(paths, frame, tuple(one), tuple(one.values()))
    texts = tuple(text for _, text in group if isinstance(text, TextFile))
    if texts[0].encoding == "cp1252":
        told = f"{paths[0].name} is not UTF-8 and is read as Windows-1252: look over names with accents."
        read.notes.append(f"{table.name}: {told}")
    try:
        frame = scan(list(texts))
    except UnreadableError as why:
        read.faults.append(Finding(table.name, "", 0, str(why)))
        frame = pl.LazyFrame()
    headings = texts[0].headings
    # rows of an Excel sheet that were once filled and are now blank
    if len(headings) > 1:
        frame = frame.filter(pl.any_horizontal(pl.all().is_not_null()))
    return _Part(paths, frame, headings, (pl.String(),) * len(headings), texts)


def _differences(table: Table, parts: Sequence[_Part], names: Mapping[str, str]) -> list[Finding]:
    """Columns of the schema that one part has and another has not, or holds as another kind of thing."""
    found = []
    matched = [(part, match(table, part.headings, names)[0]) for part in parts]
    for column in table.columns:
        having = [part for part, places in matched if column.name in places]
        lacking = [part for part, places in matched if places and column.name not in places]
        if having and lacking and not column.required:
            told = f"the column is in {having[0].name} and not in {lacking[0].name}"
            found.append(Finding(table.name, column.name, 0, told, "Give every part the same columns."))
        kinds: dict[str, tuple[_Part, pl.DataType]] = {}
        for part, places in matched:
            if column.name in places:
                held = part.types[places[column.name]]
                kinds.setdefault(_kin(held, column), (part, held))
        kinds.pop("none", None)
        if len(kinds) > 1:
            (a, held_a), (b, held_b) = list(kinds.values())[:2]
            told = f"holds {plural(held_a)} in {a.name} and {plural(held_b)} in {b.name}"
            found.append(Finding(table.name, column.name, 0, told, "Write it the same way in every part."))
    return found


def _kin(held: pl.DataType, column: Column) -> str:
    """Return the kinds that may stand in one column: an empty one with any, integers with others, days with moments."""
    kind = family(held)
    if kind == "number" and column.type != "text":
        return "whole"
    return "date" if kind == "moment" else kind


def _conformed(
    table: Table, part: _Part, places: Mapping[str, int], words: Mapping[str, Mapping[str, str]]
) -> pl.LazyFrame:
    chosen = []
    for column in table.columns:
        if column.name in places:
            k = places[column.name]
            value = reading(pl.col(str(k)), column, part.types[k], words.get(column.name)).value
            chosen.append(value.alias(column.name))
        elif not column.required:
            chosen.append(pl.lit(None, dtype=schema_type(column)).alias(column.name))
    return part.frame.select(chosen)


def _together(frames: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """All parts as one table; identifiers that are numbers in one part alone are text in all."""
    if len(frames) == 1:
        return frames[0]
    schemas = [frame.collect_schema() for frame in frames]
    shared = [name for name in schemas[0] if all(name in schema for schema in schemas)]
    mixed = [name for name in shared if len({schema[name] for schema in schemas}) > 1]
    return pl.concat([frame.select(shared).with_columns(pl.col(mixed).cast(pl.String)) for frame in frames])


def _count_part(
    table: Table,
    part: _Part,
    places: Mapping[str, int],
    words: Mapping[str, Mapping[str, str]],
    read: TableRead,
    *,
    alone: bool,
) -> None:
    """Count what is empty, lost or personal in the files as they came, in one pass."""
    counts = [*_lost(table, part, places, words), *_identifiers(table, part, places)]
    try:
        for text in part.texts:
            for rows, what in zip(uneven_rows(text), ("fewer", "more"), strict=True):
                if rows:
                    told = f"{'' if alone and len(part.texts) == 1 else text.path.name + ' '}has rows with {what} values than its heading"
                    read.faults.append(Finding(table.name, "", rows, told, "Export it again, with quotes around text."))
        counted = part.frame.select(
            [count.rows.fill_null(0).cast(pl.Int64).alias(str(k)) for k, count in enumerate(counts)]
        ).collect(engine="streaming")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, UnreadableError):
        broken = _broken_files(part)
        read.faults.append(
            Finding(
                table.name,
                "",
                0,
                UNREADABLE if alone and len(part.paths) == 1 else f"{UNREADABLE} File: {listed(broken)}.",
            )
        )
        return
    for k, count in enumerate(counts):
        if rows := int(counted[str(k)][0]):
            _add(read.faults, Finding(table.name, count.column, rows, count.message, count.advice))


def _add(faults: list[Finding], new: Finding) -> None:
    """Add a finding, or its rows to the same finding in another part."""
    for k, old in enumerate(faults):
        if (old.table, old.column, old.message) == (new.table, new.column, new.message) and old.rows:
            faults[k] = Finding(old.table, old.column, old.rows + new.rows, old.message, old.advice)
            return
    faults.append(new)


def _broken_files(part: _Part) -> list[str]:
    broken = []
    for k, path in enumerate(part.paths):
        one = scan([part.texts[k]]) if part.texts else pl.scan_parquet(path.absolute(), glob=False)
        try:
            one.select(pl.all().is_null().sum()).collect(engine="streaming")
        except BROKEN:
            broken.append(path.name)
    return broken or [part.name]


def _lost(table: Table, part: _Part, places: Mapping[str, int], words: Mapping[str, Mapping[str, str]]) -> list[_Count]:
    counts = []
    for name, k in places.items():
        column, source, held = table.column(name), pl.col(str(k)), part.types[k]
        read = reading(source, column, held, words.get(name))
        if column.required and not column.nullable:
            counts.append(_Count(name, "is empty", _empty_rows(source, held)))
        counts += [_Count(name, lost.message, lost.rows, lost.advice) for lost in read.lost]
    return counts


def _empty_rows(source: pl.Expr, held: pl.DataType) -> pl.Expr:
    if isinstance(held, pl.Enum) and all(name.strip() for name in held.categories):
        return source.null_count()
    return (~filled(source, held)).sum()


def _identifiers(table: Table, part: _Part, places: Mapping[str, int]) -> list[_Count]:
    """NHS numbers and postcodes, in every column that can hold them, of the schema or not."""
    of_people = "person_id" in {column.name for column in table.columns}
    taken = {k: name for name, k in places.items()}
    counts = []
    for k, (heading, held) in enumerate(zip(part.headings, part.types, strict=True)):
        column = table.column(taken[k]) if k in taken else None
        if column is not None and (column.type not in ("identifier", "text") or column.allowed):
            continue
        if column is None and not of_people:
            continue
        name = column.name if column is not None else heading
        source = pl.col(str(k))
        for message, rows, advice in (
            (NHS_NUMBER, nhs_numbers(source, held), NHS_ADVICE if column is not None else "Remove the column."),
            (POSTCODE_TOLD, postcodes(source, held), ""),
        ):
            if rows is not None:
                counts.append(_Count(name, message, rows, advice))
    return counts


def one_type_of_id(tables: dict[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Where ids are integers in one table and text in another, make them text in all."""
    for column in ("person_id", "practice_id"):
        kinds = {f.collect_schema()[column] for f in tables.values() if column in f.collect_schema()}
        if len(kinds) > 1:
            tables = {
                name: f.with_columns(pl.col(column).cast(pl.String)) if column in f.collect_schema() else f
                for name, f in tables.items()
            }
    return tables
