"""Other people's data: a wide survey table of people becomes a study folder.

A mapping file (TOML) says which columns are conditions, what counts as yes, and
where age and sex are. Nothing in it is executed, and every row becomes a person
of its own: equal rows are different people.
"""

from __future__ import annotations

import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path

import polars as pl

from symphony_research.errors import ArgumentError, require_columns, require_one_of, suggestion
from symphony_research.files import folder_in_place
from symphony_research.policy import policy_named
from symphony_research.schema import SEXES

__all__ = ["SurveyMap", "import_survey", "read_survey_map"]

_KEYS = {"name", "source", "date", "policy", "note", "conditions", "sex", "age"}


@dataclass(frozen=True)
class SurveyMap:
    """How the columns of a survey become a study.

    Attributes
    ----------
    name, source : str
        Name of the study, and where the file came from.
    day : date
        Day on which everybody is taken to have answered.
    policy : str
        Disclosure policy of the study.
    conditions : mapping
        Condition to (column, answers that count as yes).
    sex_column, sexes : str, mapping
        Column, and answer to F, M, other or unknown.
    age_column : str
        Column of the age in years, or of an age band.
    age_bands : mapping or None
        Answer to (youngest, oldest) where ages come in bands.
    note : str
        What a reader of any number must know, such as that answers are unweighted.
    """

    name: str
    source: str
    day: date
    policy: str
    conditions: Mapping[str, tuple[str, tuple[str, ...]]]
    sex_column: str
    sexes: Mapping[str, str]
    age_column: str
    age_bands: Mapping[str, tuple[int, int]] | None
    note: str = ""


def read_survey_map(config: str | Path) -> SurveyMap:
    """Read a mapping file, or one that ships with the library by its name ("brfss2020").

    Parameters
    ----------
    config : str or Path
        Path of a TOML file, or the name of a mapping that ships.

    Raises
    ------
    ArgumentError
        If it is not there, is not TOML, or lacks a part; it says which.

    Examples
    --------
    >>> from symphony_research.survey import read_survey_map
    >>> len(read_survey_map("brfss2020").conditions)
    6
    """
    text, place = _config_text(config)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ArgumentError(f"{place} is not TOML: {error}.") from None
    for key in ("conditions", "sex", "age"):
        if key in raw and not isinstance(raw[key], dict):
            raise ArgumentError(f"{place}: {key} must be a table, [{key}]; see the mapping that ships, brfss2020.")
    policy_named(str(raw.get("policy", "nhs_england")))
    for key in raw:
        if key not in _KEYS:
            raise ArgumentError(
                f"{place}: '{key}' is not a setting. Settings: {', '.join(sorted(_KEYS))}.{suggestion(key, _KEYS)}"
            )
    missing = [key for key in ("name", "date", "conditions", "sex", "age") if key not in raw]
    if missing:
        raise ArgumentError(f"{place} lacks {', '.join(missing)}. A mapping needs name, date, conditions, sex and age.")
    if not isinstance(raw["date"], date):
        raise ArgumentError(f"{place}: date must be a day, such as date = 2020-07-01.")
    conditions = {}
    for name, rule in raw["conditions"].items():
        if not isinstance(rule, dict) or "column" not in rule or not rule.get("yes"):
            raise ArgumentError(f'{place}: condition \'{name}\' needs column = "..." and yes = ["..."].')
        conditions[name] = (str(rule["column"]), tuple(str(answer) for answer in rule["yes"]))
    sexes = {str(k): v for k, v in raw["sex"].get("values", {}).items()}
    for answer in sexes.values():
        require_one_of(answer, SEXES, argument=f"{place}: sex.values")
    if "column" not in raw["sex"] or "column" not in raw["age"] or not sexes:
        raise ArgumentError(
            f"{place}: sex needs column and values, age needs column (and bands where ages come in bands)."
        )
    bands = raw["age"].get("bands")
    if bands is not None:
        wrong = [n for n, b in bands.items() if not (isinstance(b, list) and len(b) == 2 and 0 <= b[0] <= b[1])]
        if wrong:
            raise ArgumentError(f"{place}: {len(wrong)} age bands are not [youngest, oldest].")
        bands = {str(k): (int(b[0]), int(b[1])) for k, b in bands.items()}
    return SurveyMap(
        str(raw["name"]), str(raw.get("source", "")), raw["date"], str(raw.get("policy", "nhs_england")), conditions,
        str(raw["sex"]["column"]), sexes, str(raw["age"]["column"]), bands, str(raw.get("note", "")),
    )  # fmt: skip


def _config_text(config: str | Path) -> tuple[str, str]:
    path = Path(config)
    if path.is_file():
        return path.read_text(encoding="utf-8-sig"), path.name
    shipped = {
        f.name.removesuffix(".toml"): f
        for f in files("symphony_research").joinpath("surveys").iterdir()
        if f.name.endswith(".toml")
    }
    name = path.name.removesuffix(".toml")
    if name in shipped:
        return shipped[name].read_text(encoding="utf-8"), f"{name}.toml"
    raise ArgumentError(
        f"There is no mapping file '{config}'. Those that ship: {', '.join(sorted(shipped))}.{suggestion(name, shipped)}"
    )


def import_survey(file: str | Path, out: str | Path, *, config: str | Path) -> Path:
    """Turn a wide table of people into a study folder.

    Parameters
    ----------
    file : str or Path
        CSV, zipped CSV or Parquet; one row a person.
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
        If a column is missing, or rows hold an answer the mapping does not
        know for sex or age; with counts of rows.

    Notes
    -----
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
    wanted = [*[column for column, _ in mapping.conditions.values()], mapping.sex_column, mapping.age_column]
    frame = _read(file)
    if not set(wanted) & set(frame.columns):
        # the first row may then be a person's, and is not repeated
        raise ArgumentError(f"{file.name} has none of the mapping's columns: perhaps its first row is not a heading.")
    require_columns(frame.columns, dict.fromkeys(wanted), what=file.name)
    people = frame.select([pl.col(c).cast(pl.String).str.strip_chars() for c in dict.fromkeys(wanted)]).with_row_index(
        "person_id", offset=1
    )
    people = people.with_columns(pl.col("person_id").cast(pl.Int64))
    _refuse_lost_answers(people, mapping, file.name)
    persons = _persons(people, mapping, file.name)
    conditions = _conditions(people, mapping)
    with folder_in_place(out) as folder:
        persons.write_parquet(folder / "persons.parquet")
        conditions.write_parquet(folder / "conditions.parquet")
        (folder / "study.toml").write_text(_study_toml(mapping), encoding="utf-8")
    return out


def _refuse_overwrite(out: Path) -> None:
    if not out.exists():
        return
    settings = out / "study.toml"
    ours = settings.is_file() and "imported survey" in settings.read_text(encoding="utf-8")
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


def _read(file: Path) -> pl.DataFrame:
    if not file.is_file():
        raise ArgumentError(f"There is no file '{file}'.")
    try:
        if file.suffix == ".parquet":
            return pl.read_parquet(file)
        if file.suffix == ".zip":
            with zipfile.ZipFile(file) as archive:
                inside = [n for n in archive.namelist() if n.lower().endswith(".csv")]
                if len(inside) != 1:
                    raise ArgumentError(f"{file.name} holds {len(inside)} CSV files; one is needed.")
                return pl.read_csv(archive.read(inside[0]), infer_schema=False)
        return pl.read_csv(file, infer_schema=False)
    except (pl.exceptions.PolarsError, zipfile.BadZipFile):
        raise ArgumentError(f"{file.name} cannot be read as {file.suffix.lstrip('.').upper() or 'a table'}.") from None


def _persons(people: pl.DataFrame, mapping: SurveyMap, name: str) -> pl.DataFrame:
    sex = pl.col(mapping.sex_column).replace_strict(mapping.sexes, default=None, return_dtype=pl.String)
    if mapping.age_bands is None:
        age = pl.col(mapping.age_column).cast(pl.Float64, strict=False).floor().cast(pl.Int64)
    else:
        # the middle of the band, kept within it
        middle = {answer: (low + min(high, low + 9)) // 2 for answer, (low, high) in mapping.age_bands.items()}
        age = pl.col(mapping.age_column).replace_strict(middle, default=None, return_dtype=pl.Int64)
    table = people.select("person_id", sex.alias("sex"), age.alias("age"))
    for column, source in (("sex", mapping.sex_column), ("age", mapping.age_column)):
        rows = table[column].null_count()
        if rows:
            raise ArgumentError(
                f"{name}: {rows:,} rows have no {column} that the mapping knows (column '{source}'). "
                f"Add the answer to [{column}] in the mapping, or leave those rows out."
            )
    # half a year past the birthday, so that the age holds on the day of the survey
    birth = pl.lit(mapping.day).dt.offset_by("-6mo")
    return table.with_columns(
        birth.dt.offset_by(pl.format("-{}y", pl.col("age"))).dt.truncate("1mo").alias("birth_date")
    ).select("person_id", "sex", "birth_date")


def _refuse_lost_answers(people: pl.DataFrame, mapping: SurveyMap, name: str) -> None:
    for condition, (column, yes) in mapping.conditions.items():
        gaps = people.filter(pl.col(column).is_null() | (pl.col(column) == "")).height
        if gaps:
            raise ArgumentError(
                f"{name}: column '{column}' of condition '{condition}' has no answer in {gaps:,} rows. Say yes or no for "
                "every person first, or leave those rows out: a gap is not a no."
            )
        if not people.filter(pl.col(column).is_in(list(yes))).height:
            raise ArgumentError(
                f"{name}: nobody gave the answer that condition '{condition}' counts as yes (column '{column}'). "
                "Spelling and capitals matter."
            )


def _conditions(people: pl.DataFrame, mapping: SurveyMap) -> pl.DataFrame:
    parts = [
        people.filter(pl.col(column).is_in(list(yes))).select(
            "person_id", pl.lit(condition).alias("condition"), pl.lit(None, dtype=pl.Date).alias("onset_date")
        )
        for condition, (column, yes) in mapping.conditions.items()
    ]
    return pl.concat(parts).sort("person_id", "condition")


def _study_toml(mapping: SurveyMap) -> str:
    def text(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'

    lines = [
        "# imported survey",
        f"name = {text(mapping.name)}",
        f"source = {text(mapping.source)}",
        *([f"note = {text(mapping.note)}"] if mapping.note else []),
        f"conditions = [{', '.join(text(c) for c in sorted(mapping.conditions))}]",
    ]
    if mapping.age_bands is not None:
        lines.append(f"age_bands = {sorted({low for low, _ in mapping.age_bands.values()})}")
    lines += [
        "",
        "[period]",
        f"start = {mapping.day.isoformat()}",
        f"end = {mapping.day.isoformat()}",
        "",
        "[disclosure]",
        f"policy = {text(mapping.policy)}",
        "",
    ]
    return "\n".join(lines)
