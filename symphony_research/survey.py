"""Other people's data: a wide survey table of people becomes a study folder.

A mapping file (TOML) says which columns are conditions, what counts as yes and
as no, and where age and sex are. Nothing in it is executed, and every row
becomes a person of its own: equal rows are different people. An answer that is
neither yes nor no is never taken for a no unless the mapping says so.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import tomli_w

from symphony_research.door.folder import way_on
from symphony_research.door.headings import alike, listed
from symphony_research.door.study_settings import toml_text
from symphony_research.door.text import UnreadableError, look_at, scan, uneven_rows
from symphony_research.door.values import family, filled
from symphony_research.errors import ArgumentError, suggestion
from symphony_research.files import folder_in_place
from symphony_research.policy import Policy, policy_named
from symphony_research.surveys.mapping import PLAIN_NO, ConditionRule, SurveyMap, read_survey_map

__all__ = ["SurveyMap", "import_survey", "read_survey_map"]

_OLDEST = 125
_IMPORTED = "# imported survey"
_NUMBER_TEXT = r"^([+-]?[0-9]+)\.0+$"


@dataclass
class _Import:
    """What is found out about the people: who has what, who is excluded and why, and what stops the import."""

    faults: list[str] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    taken_for_no: dict[str, int] = field(default_factory=dict)


def import_survey(file: str | Path, out: str | Path, *, config: str | Path) -> Path:
    """Turn a wide table of people into a study folder.

    Parameters
    ----------
    file : str or Path
        CSV (also compressed or zipped) or Parquet; one row a person.
    out : str or Path
        Folder to make. It must not exist, or be a survey imported before.
    config : str or Path
        The mapping file, or the name of one that ships ("brfss2020").

    Returns
    -------
    Path
        The study folder, written beside and moved into place.

    Raises
    ------
    ArgumentError
        With everything found at once, by column and number of rows: columns
        that are not there, answers that are neither yes nor no, sexes the
        mapping does not know, ages that are none.

    Notes
    -----
    An answer that the mapping states neither as yes nor as no stops the import,
    unless the condition says `neither = "exclude person"` or `neither = "no"`;
    the study's note and study.toml then tell how many people that concerns. The
    word no needs no stating where the mapping gives no `no`.

    Ages in bands become a birth date in the middle of the band, and study.toml
    keeps the bands, so that people are counted in the band they gave.
    Conditions have no date of onset: they count as always present.

    Examples
    --------
    >>> import symphony_research as sr
    >>> sr.import_survey("heart_2020_cleaned.csv", "brfss", config="brfss2020")  # doctest: +SKIP
    """
    mapping = read_survey_map(config)
    file, out = Path(file), Path(out)
    _refuse_overwrite(out)
    frame, headings = _read(file)
    people = _answers(frame, headings, mapping, file.name)
    done = _Import()
    table = _sex_and_age(people, mapping, done)
    held = {name: _held(people, name, rule, done) for name, rule in mapping.conditions.items()}
    if done.faults:
        raise ArgumentError("\n".join(f"{file.name}: {line}" for line in done.faults))
    table = table.with_columns(pl.Series(f"has {name}", answers) for name, answers in held.items())
    kept = table.filter(pl.all_horizontal(pl.exclude("person_id").is_not_null()))
    if kept.is_empty():
        raise ArgumentError(
            f"{file.name}: nobody is left: every person is excluded by an answer that is neither yes nor no."
        )
    persons = _persons(kept, mapping)
    conditions = _conditions(kept, mapping)
    with folder_in_place(out) as folder:
        persons.write_parquet(folder / "persons.parquet")
        conditions.write_parquet(folder / "conditions.parquet")
        settings = _study_toml(mapping, done, rows=table.height, excluded=table.height - kept.height)
        (folder / "study.toml").write_text(settings, encoding="utf-8", newline="\n")
    return out


def _refuse_overwrite(out: Path) -> None:
    if not out.exists():
        return
    settings = out / "study.toml"
    try:
        ours = settings.is_file() and _IMPORTED in toml_text(settings)
    except UnreadableError:
        ours = False
    extra = (
        {p.name for p in out.iterdir()} - {"study.toml", "persons.parquet", "conditions.parquet"}
        if out.is_dir()
        else {""}
    )
    if ours and extra:
        raise ArgumentError(
            f"'{out}' holds {len(extra)} files that the import did not write. Move them, or choose another folder."
        )
    if not ours and (not out.is_dir() or any(out.iterdir())):
        raise ArgumentError(f"'{out}' is already there and is not an imported survey. Choose another folder.")


def _read(file: Path) -> tuple[pl.LazyFrame, tuple[str, ...]]:
    """Return the table, its columns named by their place, and its headings."""
    if not file.is_file():
        raise ArgumentError(f"There is no file '{file}'.")
    suffix = file.suffix.lower()
    try:
        if suffix == ".parquet":
            frame = pl.scan_parquet(file.absolute(), glob=False, hive_partitioning=False)
            names = tuple(frame.collect_schema().names())
            return frame.rename({name: str(k) for k, name in enumerate(names)}), names
        if suffix not in (".csv", ".tsv", ".txt", ".tab", ".gz", ".zip", ""):
            raise ArgumentError(f"{file.name} cannot be read: {way_on(file, file.stem)}")
        data = _unzipped(file) if suffix == ".zip" else None
        how = look_at(file, lambda headings: 0, data=data)
        uneven = [
            f"{file.name}: {rows:,} rows have {what} values than its heading. Export it again, with quotes around text."
            for rows, what in zip(uneven_rows(how), ("fewer", "more"), strict=True)
            if rows
        ]
        if uneven:
            raise ArgumentError("\n".join(uneven))
        frame = scan([how])
        if len(how.headings) > 1:
            frame = frame.filter(pl.any_horizontal(pl.all().is_not_null()))
        return frame, how.headings
    except UnreadableError as why:
        raise ArgumentError(f"{file.name} cannot be read: {why}") from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        raise ArgumentError(f"{file.name} cannot be read as {suffix.lstrip('.').upper() or 'a table'}.") from None


def _unzipped(file: Path) -> bytes:
    try:
        with zipfile.ZipFile(file) as archive:
            inside = [n for n in archive.namelist() if n.lower().endswith((".csv", ".txt", ".tsv"))]
            inside = [n for n in inside if not n.startswith("__MACOSX/")]
            if len(inside) != 1:
                raise ArgumentError(f"{file.name} holds {len(inside)} CSV files; one is needed.")
            return archive.read(inside[0])
    except (zipfile.BadZipFile, zlib.error, EOFError):
        raise ArgumentError(f"{file.name} cannot be read as ZIP.") from None
    except (RuntimeError, NotImplementedError):
        raise ArgumentError(
            f"{file.name} is locked by a password or packed in an unusual way: unpack it first."
        ) from None


def _answers(frame: pl.LazyFrame, headings: Sequence[str], mapping: SurveyMap, name: str) -> pl.DataFrame:
    """Return every answer that the mapping asks for, as trimmed text under the mapping's name of its column."""
    wanted = dict.fromkeys(
        [*[rule.column for rule in mapping.conditions.values()], mapping.sex_column, mapping.age_column]
    )
    places = {column: _places(column, headings) for column in wanted}
    if not any(places.values()):
        # the first row may then be a person's, and is not repeated
        raise ArgumentError(f"{name} has none of the mapping's columns: perhaps its first row is not a heading.")
    missing = [column for column, at in places.items() if not at]
    told = []
    if missing:
        hints = "".join(suggestion(column, headings) for column in missing)
        named = ", ".join(f"'{column}'" for column in missing)
        told.append(f"{name} has no column {named}. Columns: {listed(headings)}.{hints}")
    told += [f"{name} has {len(at)} columns '{column}': take one out." for column, at in places.items() if len(at) > 1]
    if told:
        raise ArgumentError("\n".join(told))
    schema = frame.collect_schema()
    chosen = [_as_text(pl.col(str(at[0])), schema[str(at[0])]).alias(column) for column, at in places.items()]
    try:
        people = frame.select(chosen).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        raise ArgumentError(
            f"{name} cannot be read to its end: perhaps a quote is left open, or a column holds lists or bytes."
        ) from None
    return people


def _places(column: str, headings: Sequence[str]) -> list[int]:
    exact = [k for k, heading in enumerate(headings) if heading == column.strip()]
    return exact or [k for k, heading in enumerate(headings) if alike(heading) == alike(column)]


def _as_text(source: pl.Expr, found: pl.DataType) -> pl.Expr:
    if family(found) == "strange" and not isinstance(found, pl.Boolean):
        return pl.lit(None, dtype=pl.String)  # counted as an answer that is none
    text = source.cast(pl.String).str.strip_chars().str.replace(_NUMBER_TEXT, "$1")
    return pl.when(filled(source, found)).then(text)


def _sex_and_age(people: pl.DataFrame, mapping: SurveyMap, done: _Import) -> pl.DataFrame:
    sex = pl.col(mapping.sex_column).replace_strict(dict(mapping.sexes), default=None, return_dtype=pl.String)
    if mapping.age_bands is None:
        years = pl.col(mapping.age_column).cast(pl.Float64, strict=False)
        age = pl.when(years.is_finite() & (years >= 0) & (years < _OLDEST + 1)).then(years.floor()).cast(pl.Int64)
        why = f"no age in years from 0 to {_OLDEST}"
    else:
        # the middle of the band, kept within it
        middle = {answer: (low + min(high, low + 9)) // 2 for answer, (low, high) in mapping.age_bands.items()}
        age = pl.col(mapping.age_column).replace_strict(middle, default=None, return_dtype=pl.Int64)
        why = "no age that the mapping knows"
    table = people.select(sex.alias("sex"), age.alias("age")).with_row_index("person_id", offset=1)
    table = table.with_columns(pl.col("person_id").cast(pl.Int64))
    reasons = {"sex": ("no sex that the mapping knows", mapping.sex_column), "age": (why, mapping.age_column)}
    for column, (reason, source) in reasons.items():
        rows = table[column].null_count()
        if not rows:
            continue
        if mapping.neither[column] == "exclude person":
            done.left_out[column] = rows
            continue
        done.faults.append(
            f"{rows:,} rows have {reason} (column '{source}'). "
            f'Add the answer to [{column}] in the mapping, or leave those people out: neither = "exclude person".'
        )
    return table


def _held(people: pl.DataFrame, name: str, rule: ConditionRule, done: _Import) -> pl.Series:
    """Return whether each person has the condition; nothing where the answer is neither yes nor no."""
    answer = pl.col(rule.column)
    no = answer.is_in(list(rule.no)) if rule.no else answer.str.to_lowercase().is_in(list(PLAIN_NO))
    yes = answer.is_in(list(rule.yes))
    held = people.select(pl.when(yes).then(True).when(no).then(False).alias("held"))["held"]
    if not held.any():
        done.faults.append(
            f"nobody gave the answer that condition '{name}' counts as yes (column '{rule.column}'). "
            "Spelling and capitals matter."
        )
    neither = held.null_count()
    if not neither:
        return held
    if rule.neither == "no":
        done.taken_for_no[name] = neither
        return held.fill_null(False)
    if rule.neither == "exclude person":
        done.left_out[name] = neither
        return held
    gaps = people[rule.column].null_count()
    gap_told = f" It has no answer in {gaps:,} rows: a blank is not a no." if gaps else ""
    near = _nearly(people, rule)
    near_told = f" {near:,} of them differ from a stated answer only in capitals." if near else ""
    done.faults.append(
        f"column '{rule.column}' of condition '{name}' says neither yes nor no in {neither:,} of {people.height:,} rows."
        f"{gap_told}{near_told} State the other answers under yes or no, or say "
        'neither = "exclude person" or neither = "no" for this condition.'
    )
    return held


def _nearly(people: pl.DataFrame, rule: ConditionRule) -> int:
    stated = [*rule.yes, *rule.no]
    small = pl.col(rule.column).str.to_lowercase().is_in([answer.lower() for answer in stated])
    other = ~pl.col(rule.column).is_in(stated)
    if not rule.no:
        other = other & ~pl.col(rule.column).str.to_lowercase().is_in(list(PLAIN_NO))
    return int(people.select((small & other).sum()).item())


def _persons(kept: pl.DataFrame, mapping: SurveyMap) -> pl.DataFrame:
    # half a year past the birthday, so that the age holds on the day of the survey
    birth = pl.lit(mapping.day).dt.offset_by("-6mo")
    return kept.with_columns(
        birth.dt.offset_by(pl.format("-{}y", pl.col("age"))).dt.truncate("1mo").alias("birth_date")
    ).select("person_id", "sex", "birth_date")


def _conditions(kept: pl.DataFrame, mapping: SurveyMap) -> pl.DataFrame:
    parts = [
        kept.filter(kept[f"has {name}"]).select(
            "person_id", pl.lit(name).alias("condition"), pl.lit(None, dtype=pl.Date).alias("onset_date")
        )
        for name in mapping.conditions
    ]
    return pl.concat(parts).sort("person_id", "condition")


def _note(mapping: SurveyMap, done: _Import, excluded: int) -> str:
    """Return what a reader must know; counts as the study's own rule shows them, for a note is released with every figure."""
    rule = policy_named(mapping.policy)
    told = [mapping.note] if mapping.note else []
    if excluded:
        of = _and(sorted(done.left_out))
        told.append(
            f"{_people(excluded, rule)} excluded, whose answer on {of} was neither a yes nor a no, or not known."
        )
    for name, rows in done.taken_for_no.items():
        told.append(f"{_people(rows, rule)} counted as not having {name}, whose answer was neither a yes nor a no.")
    return " ".join(told)


def _people(count: int, rule: Policy) -> str:
    shown = rule.shown(count)
    return "A few people are" if shown is None else f"About {shown:,} people are"


def _and(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _study_toml(mapping: SurveyMap, done: _Import, *, rows: int, excluded: int) -> str:
    def one_line(text: str) -> str:
        return " ".join(text.split())

    note = one_line(_note(mapping, done, excluded))
    ages = None if mapping.age_bands is None else sorted({low for low, _ in mapping.age_bands.values()})
    imported = {
        "rows": rows,
        "excluded": excluded,
        **({"excluded_for": done.left_out} if done.left_out else {}),
        **({"counted_as_no": done.taken_for_no} if done.taken_for_no else {}),
    }
    told = {
        "name": one_line(mapping.name),
        "source": one_line(mapping.source),
        **({"note": note} if note else {}),
        "conditions": sorted(mapping.conditions),
        **({"age_bands": ages} if ages is not None else {}),
        "period": {"start": mapping.day, "end": mapping.day},
        "disclosure": {"policy": mapping.policy},
    }
    exact = tomli_w.dumps({"imported": imported})
    return f"{_IMPORTED}\n{tomli_w.dumps(told)}\n# exact, and confidential as the tables are\n{exact}"
