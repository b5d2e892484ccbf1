"""The only input door: a study folder, read lazily and checked once."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from symphony_research.checks import Finding, Findings, check_tables, conform
from symphony_research.errors import ArgumentError, SchemaError, suggestion
from symphony_research.policy import Policy, policy_named
from symphony_research.result import Source
from symphony_research.schema import STUDY_TABLES, Table

__all__ = ["DEFAULT_AGE_BANDS", "Study", "check_study", "read_study"]

DEFAULT_AGE_BANDS = tuple(range(0, 90, 5))  # five-year bands, the last 85 and over
_KEYS = {
    "name", "period", "disclosure", "columns", "conditions", "priority_conditions", "age_bands", "price_year",
    "generator", "source", "note",
}  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Study:
    """Linked records of one population over one period, as lazy tables.

    Read one with `read_study`, or take `example_study`. The tables are Polars
    LazyFrames with the names and types of the schema; a table the study does
    not have is there and empty.

    Attributes
    ----------
    name : str
        Name of the study.
    period : (date, date)
        First and last day.
    policy : Policy
        Disclosure policy that study.toml asks for.
    conditions_listed : tuple of str or None
        The code list, if the study states one.
    age_bands : tuple of int
        Lowest age of each band; the last band is open.
    fingerprint : str
        Identifies the contents.
    generated : bool
        Whether it carries the generator's own fingerprint.
    note : str
        What a reader of any number must know of it, such as that a survey is
        unweighted; it stands on every page and under every figure and table.
    """

    name: str
    period: tuple[date, date]
    tables: Mapping[str, pl.LazyFrame]
    policy: Policy = field(default_factory=Policy.nhs_england)
    conditions_listed: tuple[str, ...] | None = None
    age_bands: tuple[int, ...] = DEFAULT_AGE_BANDS
    fingerprint: str = ""
    generated: bool = False
    folder: Path | None = None
    given: frozenset[str] = frozenset()
    note: str = ""

    @property
    def persons(self) -> pl.LazyFrame:
        """One row a person."""
        return self.tables["persons"]

    @property
    def registrations(self) -> pl.LazyFrame:
        """One row a spell with a practice."""
        return self.tables["registrations"]

    @property
    def conditions(self) -> pl.LazyFrame:
        """One row a person's condition."""
        return self.tables["conditions"]

    @property
    def activity(self) -> pl.LazyFrame:
        """One row a contact or spell."""
        return self.tables["activity"]

    @property
    def enrolments(self) -> pl.LazyFrame:
        """One row a person on a programme."""
        return self.tables["enrolments"]

    @property
    def practices(self) -> pl.LazyFrame:
        """One row a practice."""
        return self.tables["practices"]

    @property
    def practice_programmes(self) -> pl.LazyFrame:
        """One row a programme reaching a practice."""
        return self.tables["practice_programmes"]

    @property
    def population(self) -> pl.LazyFrame:
        """One row an area, year, sex and age."""
        return self.tables["population"]

    @property
    def outcomes(self) -> pl.LazyFrame:
        """One row a measure of a person."""
        return self.tables["outcomes"]

    def disclosure_policy(self, policy: str | None = None, *, level: str = "default") -> Policy:
        """Return the disclosure policy of that name, or the study's own, at a level of protection.

        Parameters
        ----------
        policy : str, optional
            One of `policy.POLICIES`; the study's own settings are used for its own policy.
        level : {"default", "strict", "rule_text"}
            How well suppressed counts are protected; see `Policy`.

        Raises
        ------
        ArgumentError
            If there is no such policy or level, or the level does not belong to the policy.
        """
        chosen = self.policy if policy is None or policy == self.policy.name else policy_named(policy)
        return chosen.at_level(level)

    def has(self, table: str) -> bool:
        """Whether the study came with that table."""
        return table in self.given

    @property
    def costs(self) -> tuple[str, ...]:
        """Values of cost the study can sum: ("cost",), or nothing where there is no activity."""
        return ("cost",) if self.has("activity") else ()

    def condition_names(self) -> tuple[str, ...]:
        """The code list, or failing that the conditions recorded, in alphabetical order."""
        if self.conditions_listed is not None:
            return tuple(sorted(self.conditions_listed))
        return tuple(self.conditions.select("condition").unique().sort("condition").collect()["condition"])

    def hubs(self) -> list[str]:
        """Names of the hubs people were enrolled with."""
        return list(self.enrolments.select(pl.col("hub").drop_nulls().unique().sort()).collect()["hub"])

    def programmes(self) -> list[str]:
        """Names of the programmes people were enrolled on."""
        return list(self.enrolments.select(pl.col("programme").drop_nulls().unique().sort()).collect()["programme"])

    def source(self, **population: Any) -> Source:
        """Return this study as the source of numbers about the population described."""
        return Source(self.name, self.fingerprint, self.generated, population, self.note)

    def __repr__(self) -> str:
        first, last = self.period
        given = ", ".join(name for name in STUDY_TABLES if name in self.given)
        return f"Study '{self.name}', {first:%d %B %Y} to {last:%d %B %Y}; tables: {given}"


def read_study(path: str | Path) -> Study:
    """Read and check a study folder.

    Parameters
    ----------
    path : str or Path
        Folder with one file or folder of files a table (Parquet or CSV) and,
        as a rule, a study.toml.

    Returns
    -------
    Study
        Its tables are lazy: nothing is held in memory.

    Raises
    ------
    SchemaError
        With every finding at once, by table, column and number of rows.

    Examples
    --------
    >>> import symphony_research as sr
    >>> sr.read_study("synthetic/south_somerset").persons  # doctest: +SKIP
    """
    study, findings = _open(Path(path))
    if study is None or not findings.ok:
        raise SchemaError(findings.text())
    return study


def check_study(path: str | Path) -> Findings:
    """Check a study folder and return every finding, with how complete activity is by month.

    Parameters
    ----------
    path : str or Path
        The study folder.

    Returns
    -------
    Findings
        `.ok`, `.faults` and `.text()`.

    Raises
    ------
    ArgumentError
        If there is no such folder.

    Examples
    --------
    >>> import symphony_research as sr
    >>> sr.check_study("synthetic/south_somerset").ok  # doctest: +SKIP
    True
    """
    return _open(Path(path), months=True)[1]


def _open(folder: Path, *, months: bool = False) -> tuple[Study | None, Findings]:
    if not folder.is_dir():
        raise ArgumentError(f"There is no study folder at '{folder}'. Make one with: symphony synthesise '{folder}'")
    faults: list[Finding] = []
    settings = _settings(folder, faults)
    mapped = settings.get("columns", {})
    tables: dict[str, pl.LazyFrame] = {}
    raw: dict[str, tuple[pl.LazyFrame, Mapping[str, str]]] = {}
    for name, table in STUDY_TABLES.items():
        frame = _scan(folder, name, faults)
        if frame is None:
            if table.required:
                there = ", ".join(sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))) or "nothing"
                faults.append(Finding(name, "", 0, f"the table is missing. The folder holds: {there}."))
            continue
        names = dict(mapped.get(name, {}))
        conformed, found = conform(table, frame, names)
        faults += found
        tables[name] = conformed
        raw[name] = (frame, names)
    tables = _one_type_of_id(tables)
    period = _period(settings, tables, faults)
    listed = tuple(settings["conditions"]) if "conditions" in settings else None
    faults += check_tables(tables, raw, period=period, conditions=listed)
    name = str(settings.get("name", folder.name))
    notes: list[str] = []
    # A table that lacks a column or cannot be read has a fault without rows.
    unread = any(fault.table == "activity" and not fault.rows for fault in faults)
    if months and period is not None and "activity" in tables and not unread:
        notes = _completeness(tables["activity"], period)
    findings = Findings(name, tuple(faults), tuple(notes))
    if faults or period is None:
        return None, findings
    return _study(folder, name, settings, tables, period, listed), findings


def _study(
    folder: Path,
    name: str,
    settings: Mapping[str, Any],
    tables: Mapping[str, pl.LazyFrame],
    period: tuple[date, date],
    listed: tuple[str, ...] | None,
) -> Study:
    from symphony_research.synthetic import carries_own_fingerprint

    generated = "generator" in settings and carries_own_fingerprint(folder)
    print_ = settings["generator"]["fingerprint"] if generated else _fingerprint(folder)
    disclosure = settings.get("disclosure", {})
    return Study(
        name,
        period,
        {t: tables.get(t, empty(STUDY_TABLES[t])) for t in STUDY_TABLES},
        policy_named(disclosure.get("policy", "nhs_england"), **{k: v for k, v in disclosure.items() if k != "policy"}),
        listed,
        tuple(settings.get("age_bands", DEFAULT_AGE_BANDS)),
        print_,
        generated,
        folder,
        frozenset(tables),
        str(settings.get("note", "")),
    )


def empty(table: Table) -> pl.LazyFrame:
    """Return a table of the schema without rows."""
    types = {"identifier": pl.String, "text": pl.String, "date": pl.Date, "integer": pl.Int64, "number": pl.Float64}
    return pl.LazyFrame(schema={column.name: types[column.type] for column in table.columns})


def _settings(folder: Path, faults: list[Finding]) -> dict[str, Any]:
    path = folder / "study.toml"
    if not path.exists():
        return {}
    try:
        # Notepad on Windows puts a mark before the first letter
        settings = _well_shaped(tomllib.loads(path.read_text(encoding="utf-8-sig")), faults)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        where = str(error).rpartition("(")[2].rstrip(")") if "(" in str(error) else "somewhere"
        faults.append(Finding("study.toml", "", 0, f"cannot be read as TOML ({where})."))
        return {}
    for key in settings:
        if key not in _KEYS:
            listed = ", ".join(sorted(_KEYS))
            faults.append(
                Finding("study.toml", key, 0, f"is not a setting. Settings: {listed}.{suggestion(key, _KEYS)}")
            )
    for table, names in settings.get("columns", {}).items():
        if table not in STUDY_TABLES:
            faults.append(
                Finding("study.toml", f"columns.{table}", 0, f"is not a table. Tables: {', '.join(STUDY_TABLES)}.")
            )
            continue
        known = [column.name for column in STUDY_TABLES[table].columns]
        for name in names:
            if name not in known:
                faults.append(
                    Finding(
                        "study.toml", f"columns.{table}.{name}", 0, f"is not a column. Columns: {', '.join(known)}."
                    )
                )
    disclosure = settings.get("disclosure", {})
    unknown = [key for key in disclosure if key not in ("policy", "threshold", "rounding")]
    for key in unknown:
        faults.append(
            Finding("study.toml", f"disclosure.{key}", 0, "is not a setting. Settings: policy, threshold, rounding.")
        )
    try:
        given = {key: value for key, value in disclosure.items() if key in ("threshold", "rounding")}
        policy_named(disclosure.get("policy", "nhs_england"), **given)
    except (ArgumentError, TypeError) as error:
        why = str(error) if isinstance(error, ArgumentError) else "this policy has no threshold or rounding to set."
        faults.append(Finding("study.toml", "disclosure", 0, why))
        settings["disclosure"] = {}
    return settings


# what each setting of study.toml must be
_SHAPES: dict[str, tuple[type, str]] = {
    "name": (str, "a text"),
    "source": (str, "a text"),
    "note": (str, "a text"),
    "price_year": (str, "a text"),
    "period": (dict, "a table: [period] with start and end"),
    "disclosure": (dict, "a table: [disclosure] with policy"),
    "columns": (dict, "tables: [columns.persons] with sex = ..."),
    "conditions": (list, "a list of names"),
    "priority_conditions": (list, "a list of names"),
    "age_bands": (list, "a list of the lowest ages, rising"),
    "generator": (dict, "a table"),
}


def _well_shaped(settings: dict[str, Any], faults: list[Finding]) -> dict[str, Any]:
    """Return the settings that are what they must be; the others become findings."""
    kept = {}
    for key, value in settings.items():
        shape, words = _SHAPES.get(key, (object, ""))
        fits = isinstance(value, shape)
        if fits and key in ("conditions", "priority_conditions"):
            fits = all(isinstance(name, str) for name in value)
        if fits and key == "age_bands":
            fits = len(value) > 0 and all(type(a) is int and a >= 0 for a in value) and value == sorted(set(value))
        if fits and key == "columns":
            fits = all(isinstance(names, dict) for names in value.values())
        if fits:
            kept[key] = value
        else:
            faults.append(Finding("study.toml", key, 0, f"must be {words}."))
    return kept


def _scan(folder: Path, name: str, faults: list[Finding]) -> pl.LazyFrame | None:
    places = [folder / f"{name}.parquet", folder / f"{name}.csv", folder / name]
    there = [place for place in places if place.exists()]
    if not there:
        return None
    if len(there) > 1:
        faults.append(Finding(name, "", 0, f"is there more than once ({', '.join(p.name for p in there)}): keep one."))
    place = there[0]
    files = sorted(place.glob("*.parquet")) + sorted(place.glob("*.csv")) if place.is_dir() else [place]
    kinds = {file.suffix for file in files}
    if len(kinds) != 1:
        what = "holds no Parquet or CSV file" if not kinds else "mixes Parquet and CSV files"
        faults.append(Finding(name, "", 0, f"the folder {what}."))
        return None
    try:
        # every CSV column comes in as text: what cannot be read as its type is then counted, not guessed
        frame = (
            pl.scan_parquet(files)
            if kinds == {".parquet"}
            else pl.scan_csv(files, infer_schema=False, null_values=[""])
        )
        frame.collect_schema()
    except (pl.exceptions.PolarsError, OSError):
        faults.append(Finding(name, "", 0, f"cannot be read as {kinds.pop().lstrip('.').upper()}."))
        return None
    return frame


def _one_type_of_id(tables: dict[str, pl.LazyFrame]) -> dict[str, pl.LazyFrame]:
    """Where ids are whole numbers in one table and text in another, make them text in all."""
    for column in ("person_id", "practice_id"):
        kinds = {f.collect_schema()[column] for f in tables.values() if column in f.collect_schema()}
        if len(kinds) > 1:
            tables = {
                name: f.with_columns(pl.col(column).cast(pl.String)) if column in f.collect_schema() else f
                for name, f in tables.items()
            }
    return tables


def _period(
    settings: Mapping[str, Any], tables: Mapping[str, pl.LazyFrame], faults: list[Finding]
) -> tuple[date, date] | None:
    period = settings.get("period")
    if period is not None:
        first, last = period.get("start"), period.get("end")
        ends = [d.date() if isinstance(d, datetime) else d for d in (first, last)]
        if not all(isinstance(d, date) for d in ends) or ends[0] > ends[1]:
            faults.append(Finding("study.toml", "period", 0, "needs start and end as dates, start first (2011-04-01)."))
            return None
        return ends[0], ends[1]
    # without study.toml the records themselves say when the study was
    for table, column in (("activity", "date"), ("conditions", "onset_date"), ("registrations", "start_date")):
        if table in tables and column in tables[table].collect_schema():
            row = tables[table].select(pl.col(column).min().alias("a"), pl.col(column).max().alias("b")).collect()
            if row["a"][0] is not None:
                return row["a"][0], row["b"][0]
    faults.append(
        Finding(
            "study.toml", "period", 0, "is missing, and no table has dates to tell it by. Add [period] start and end."
        )
    )
    return None


def _fingerprint(folder: Path) -> str:
    """Identify the contents by the names, sizes and first MiB of the files: cheap for a country, blind to a later byte."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix in (".parquet", ".csv", ".toml"):
            with file.open("rb") as handle:
                digest.update(f"{file.relative_to(folder).as_posix()} {file.stat().st_size} ".encode())
                digest.update(handle.read(1 << 20))
    return digest.hexdigest()


def _completeness(activity: pl.LazyFrame, period: tuple[date, date]) -> list[str]:
    first, last = period
    every = pl.LazyFrame({"month": pl.date_range(first.replace(day=1), last, "1mo", eager=True)})
    months = (
        activity.select(pl.col("date").dt.truncate("1mo").alias("month"))
        .group_by("month")
        .len()
        .join(every, on="month", how="right")
        .select("month", pl.col("len").fill_null(0))
        .sort("month")
        .collect(engine="streaming")
    )
    if months.height < 3:
        return []
    usual = float(months["len"].median() or 0)  # type: ignore[arg-type]
    lines = [f"Activity by month: {months.height} months, {usual:,.0f} rows in the median one."]
    thin = months.filter(pl.col("len") < 0.8 * usual)
    for month, rows in thin.iter_rows():
        lines.append(f"  {month:%B %Y} holds {100 * rows / usual:.0f} % of the median month: perhaps incomplete.")
    return lines
