"""The only input: a study folder, read lazily and checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from symphony_research.checks import Finding, Findings, check_tables
from symphony_research.completeness import completeness_by_month
from symphony_research.door.duplicates import near_names, repeated_rows, same_parts
from symphony_research.door.folder import Found, look_through
from symphony_research.door.stamp import Content, Stamp, content_of, read_stamp, write_stamp
from symphony_research.door.study_settings import data_end_of, imported_notes, period_of, read_settings
from symphony_research.door.table import BROKEN, UNREADABLE, one_type_of_id, read_table
from symphony_research.door.text import TextFile
from symphony_research.door.values import schema_type
from symphony_research.errors import ArgumentError, SchemaError
from symphony_research.policy import Policy, policy_named
from symphony_research.result import Provenance
from symphony_research.schema import GP, STUDY_TABLES, Table

__all__ = ["DEFAULT_AGE_BANDS", "Study", "check_study", "read_study"]

DEFAULT_AGE_BANDS = tuple(range(0, 90, 5))  # five-year bands, the last 85 and over


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
    data_end : mapping
        The last day of the tables that hold nothing after it, where that is before
        the study's last.
    signed : mapping
        Author, contact and status of its reports, as study.toml gives them.
    price_year : str
        The year at whose prices costs are, such as "2012-13"; empty where study.toml does not say.
    priority_conditions : tuple of str
        The conditions that make somebody eligible for a programme, if study.toml names them.
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
    signed: Mapping[str, str] = field(default_factory=dict)
    data_end: Mapping[str, date] = field(default_factory=dict)
    price_year: str = ""
    priority_conditions: tuple[str, ...] = ()

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

    @cached_property
    def recorded(self) -> pl.DataFrame:
        """The kinds of activity, read once: `setting`, `kind`, `staff_role` where it is a GP's, and whether any has an `end_date` or a cost."""
        there = self.activity.collect_schema()
        keys = [pl.col(name) for name in ("setting", "kind") if name in there]
        if "staff_role" in there:  # other roles are the study's own words, and nothing is asked of them
            keys.append(pl.when(pl.col("staff_role") == GP).then(pl.lit(GP)).alias("staff_role"))
        found = self.activity.select(keys).unique().collect(engine="streaming")
        found = found.sort(found.columns)
        for name, has in (("ended", pl.col("end_date").is_not_null()), ("costed", pl.col("cost") > 0)):
            first = (
                self.activity.filter(has).select("setting").head(1).collect(engine="streaming")
            )  # reading ends with it
            found = found.with_columns(pl.lit(first.height > 0).alias(name))
        return found

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
        """Return whether the study came with that table."""
        return table in self.given

    def last_day(self, *tables: str) -> date:
        """Return the last day that all these tables cover: the study's, or the earliest of their own."""
        return min([self.period[1], *(self.data_end[name] for name in tables if name in self.data_end)])

    @property
    def costs(self) -> tuple[str, ...]:
        """Values of cost the study can sum: ("cost",), or nothing where there is no activity."""
        return ("cost",) if self.has("activity") else ()

    def condition_names(self) -> tuple[str, ...]:
        """Return the code list, or failing that the conditions recorded, in alphabetical order."""
        if self.conditions_listed is not None:
            return tuple(sorted(self.conditions_listed))
        return tuple(self.conditions.select("condition").unique().sort("condition").collect()["condition"])

    def hubs(self) -> list[str]:
        """Return the names of the hubs people were enrolled with."""
        return list(self.enrolments.select(pl.col("hub").drop_nulls().unique().sort()).collect()["hub"])

    def programmes(self) -> list[str]:
        """Return the names of the programmes people were enrolled on."""
        return list(self.enrolments.select(pl.col("programme").drop_nulls().unique().sort()).collect()["programme"])

    def provenance(self, **population: Any) -> Provenance:
        """Return this study as the provenance of numbers about the population described."""
        first, last = self.period
        return Provenance(
            self.name, self.fingerprint, self.generated, population, self.note, (first.isoformat(), last.isoformat())
        )

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

    Notes
    -----
    A folder without a fault is stamped in the user's cache directory by the
    bytes of its files, and not checked again until one of them changes.

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
    return _open(Path(path), again=True)[1]


def _open(folder: Path, *, again: bool = False) -> tuple[Study | None, Findings]:
    """Open a study; one that was checked before, and has not changed, is checked only when asked again."""
    if not folder.is_dir():
        raise ArgumentError(f"There is no study folder at '{folder}'. Make one with: symphony synthesise '{folder}'")
    faults: list[Finding] = []
    settings = read_settings(folder, faults)
    name = str(settings.get("name", folder.name))
    there = look_through(folder)
    content = content_of(folder, (path for paths in there.files.values() for path in paths))
    stamp = None if again or faults or there.faults else read_stamp(content, folder)
    if stamp is not None:
        tables, _ = _tables(there, settings, faults, [], known=stamp.texts)
        period = _period(settings, tables, faults)
        data_end = data_end_of(settings, period, faults)
        if period is not None and not faults:
            study = _study(folder, name, settings, tables, period, data_end, content, generated=stamp.generated)
            # as if it had been read; a study made of this one with other tables reads its own
            vars(study)["recorded"] = stamp.recorded
            return study, Findings(name, ())
    faults += there.faults + same_parts(there.files, content.digests)
    notes = imported_notes(settings) + there.notes
    tables, texts = _tables(there, settings, faults, notes)
    period, data_end = None, {}
    try:
        period = _period(settings, tables, faults)
        data_end = data_end_of(settings, period, faults)
        faults += check_tables(tables, period=period, conditions=settings.get("conditions"))
        faults += near_names(tables, settings.get("conditions"))
        repeated, told = repeated_rows(tables, settings.get("repeated_rows", ()), exactly=again)
        faults += repeated
        notes += told
        if again and period is not None and "activity" in tables and "date" in tables["activity"].collect_schema():
            notes += completeness_by_month(tables["activity"], period, stated=data_end.get("activity"))
    except BROKEN:  # damage that only a certain way of reading meets
        if not any(fault.message.startswith(UNREADABLE) for fault in faults):
            faults.append(Finding("the tables", "", 0, UNREADABLE))
    findings = Findings(name, tuple(faults), tuple(notes))
    if faults or period is None:
        return None, findings
    generated = "generator" in settings and _is_generated(folder, content)
    study = _study(folder, name, settings, tables, period, data_end, content, generated=generated)
    write_stamp(content, folder, Stamp(generated, study.recorded, texts))
    return study, findings


def _tables(
    there: Found,
    settings: Mapping[str, Any],
    faults: list[Finding],
    notes: list[str],
    *,
    known: Mapping[Path, TextFile] | None = None,
) -> tuple[dict[str, pl.LazyFrame], dict[Path, TextFile]]:
    """Return every table that can be read, and how its files of text are read."""
    tables: dict[str, pl.LazyFrame] = {}
    texts: dict[Path, TextFile] = {}
    for name, table in STUDY_TABLES.items():
        if name not in there.files:
            continue
        mapped = settings.get("columns", {}).get(name, {}), settings.get("values", {}).get(name, {})
        read = read_table(table, there.files[name], *mapped, known=known)
        faults += read.faults
        notes += read.notes
        texts |= read.texts
        if read.frame is not None:
            tables[name] = read.frame
    return one_type_of_id(tables), texts


def _is_generated(folder: Path, content: Content) -> bool:
    """Return whether the generator wrote all that is read: its own fingerprint covers files named as it names them."""
    from symphony_research.synthetic import carries_own_fingerprint

    first = (folder / path.relative_to(folder).parts[0] for path in content.digests if path.name != "study.toml")
    covered = all((top.name if top.is_dir() else top.stem) in STUDY_TABLES for top in first)
    return covered and carries_own_fingerprint(folder)


def _study(
    folder: Path,
    name: str,
    settings: Mapping[str, Any],
    tables: Mapping[str, pl.LazyFrame],
    period: tuple[date, date],
    data_end: Mapping[str, date],
    content: Content,
    *,
    generated: bool,
) -> Study:
    disclosure = settings.get("disclosure", {})
    return Study(
        name,
        period,
        {t: tables.get(t, empty(STUDY_TABLES[t])) for t in STUDY_TABLES},
        policy_named(disclosure.get("policy", "nhs_england"), **{k: v for k, v in disclosure.items() if k != "policy"}),
        tuple(settings["conditions"]) if "conditions" in settings else None,
        tuple(settings.get("age_bands", DEFAULT_AGE_BANDS)),
        settings["generator"]["fingerprint"] if generated else content.fingerprint,
        generated,
        folder,
        frozenset(tables),
        str(settings.get("note", "")),
        settings.get("report", {}),
        data_end,
        str(settings.get("price_year", "")),
        tuple(settings.get("priority_conditions", ())),
    )


def empty(table: Table) -> pl.LazyFrame:
    """Return a table of the schema without rows."""
    return pl.LazyFrame(schema={column.name: schema_type(column) for column in table.columns})


def _period(
    settings: Mapping[str, Any], tables: Mapping[str, pl.LazyFrame], faults: list[Finding]
) -> tuple[date, date] | None:
    if "period" in settings:
        return period_of(settings, faults)
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
