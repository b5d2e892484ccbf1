"""The study folder on disk: Parquet parts, study.toml and truth.json."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import tomli_w

from symphony_research.errors import ArgumentError
from symphony_research.files import folder_in_place
from symphony_research.result import library_version
from symphony_research.schema import STUDY_TABLES
from symphony_research.synthetic import parameters
from symphony_research.synthetic.blocks import block_sizes
from symphony_research.synthetic.effects import Effects
from symphony_research.synthetic.fingerprint import GENERATOR_NAME, fingerprint, generator_record
from symphony_research.synthetic.history import draw_history
from symphony_research.synthetic.messy import (
    FAULTS,
    IMPERFECTIONS,
    LEAST_PEOPLE,
    PEOPLE_PER_FAULT,
    faults_of_block,
    mess_up,
)
from symphony_research.synthetic.plan import Plan, Selection, check_seed, profile_named
from symphony_research.synthetic.study_tables import list_sizes, people_tables, study_tables
from symphony_research.synthetic.truth import planted

__all__ = ["synthesise"]

STUDY_NAME = "South Somerset (synthetic)"
_ROWS_IN_GROUP = 1 << 18
_OWN_FILES = {"study.toml", "truth.json", *STUDY_TABLES}


def _write(table: pl.DataFrame, folder: Path, part: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table.rechunk().write_parquet(
        folder / f"part-{part:05d}.parquet", compression="zstd", compression_level=1, row_group_size=_ROWS_IN_GROUP
    )


def _study_toml(people: int, plan: Plan, messy: bool, mark: str) -> str:
    settings = {
        "name": STUDY_NAME,
        "price_year": parameters.PRICE_YEAR,
        "conditions": parameters.CONDITION_NAMES,
        "priority_conditions": parameters.PRIORITY_CONDITIONS,
        "period": {"start": parameters.PERIOD_START, "end": parameters.PERIOD_END},
        "disclosure": {"policy": "nhs_england"},
        "generator": {
            "name": GENERATOR_NAME,
            "version": library_version(),
            "people": people,
            "seed": plan.seed,
            "profile": plan.profile.name,
            "messy": messy,
            "fingerprint": mark,
        },
    }
    return (
        f"# Generated people: no row describes anyone. Made by symphony_research.synthesise.\n{tomli_w.dumps(settings)}"
    )


def _truth(plan: Plan, messy: bool, faults: int, jobs: int) -> dict[str, Any]:
    """Return what was planted, to check whether an analysis finds it."""
    return {
        "profile": {"name": plan.profile.name, "words": plan.profile.words},
        "effects": {programme: dict(outcomes) for programme, outcomes in plan.effects.values.items()},
        "eligible_from_priority_conditions": parameters.ELIGIBLE_PRIORITY_CONDITIONS,
        "hubs_open": {hub.name: hub.opens.isoformat() for hub in parameters.HUBS},
        "hubs_designed_for": parameters.HUBS_DESIGNED_FOR,
        "messy": {
            "imperfections": dict(IMPERFECTIONS),
            "faults": [
                {"table": f.table, "column": f.column, "fault": f.words, "rows": faults} for f in FAULTS if faults
            ],
        }
        if messy
        else None,
        "planted": [record.as_dict() for record in planted(plan, jobs=jobs)],
    }


def _check_destination(out: Path) -> None:
    """Raise ArgumentError unless `out` is free, empty, or a study this generator wrote and nothing else."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir() or out.is_symlink():
        raise ArgumentError("The output path is not a folder. Name a new folder, or one that synthesise made.")
    entries = {entry.name for entry in out.iterdir()}
    if not entries:
        return
    if generator_record(out) is None:
        raise ArgumentError(
            f"The output folder holds {len(entries)} entries and no study.toml with a [generator] of ours, so it is not "
            "overwritten. Name a new folder, or move what is there."
        )
    foreign = entries - _OWN_FILES
    if foreign:
        raise ArgumentError(
            f"The output folder holds {len(foreign)} entries that synthesise did not write, so it is not overwritten. "
            "Move them, or name a new folder."
        )


@contextmanager
def _progress(people: int, shown: bool) -> Iterator[Callable[[int], None]]:
    """Count people made: a bar on a terminal, a line for each tenth elsewhere."""
    if not shown:
        yield lambda _: None
    elif sys.stderr.isatty():
        from tqdm import tqdm

        with tqdm(total=people, unit=" people", unit_scale=True, desc="Generating people") as bar:
            yield lambda made: bar.update(made) and None
    else:
        done = 0

        def line(made: int) -> None:
            nonlocal done
            tenth = 10 * done // people
            done += made
            if 10 * done // people > tenth:
                print(f"Generated {done:,} of {people:,} people", file=sys.stderr, flush=True)

        yield line


def synthesise(
    out: str | os.PathLike[str],
    *,
    people: int = 114_874,
    seed: int = 2013,
    profile: str = "calibrated",
    effects: Mapping[str, Mapping[str, Any]] | None = None,
    selection: Mapping[str, Any] | None = None,
    truth: bool = True,
    messy: bool = False,
    faults: int = 20,
    jobs: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the public study: linked histories of people who never lived, with what was planted in them.

    Parameters
    ----------
    out : path
        Study folder to write. A study this function wrote before is replaced.
    people : int, default 114,874
        Number of people registered at some time in the financial year 2012-13, as the Symphony data set counts them.
        Exactly so many are; the study holds everyone ever registered in its seven years, a third more. In a messy
        study deaths of the year before that are dated late may seem to add a few.
    seed : int, default 2013
        The same seed, size and settings give the same bytes, whatever the number of threads.
    profile : {"calibrated", "planted", "null"}
        What makes conditions go together. ``calibrated``: frailty, latent classes and planted links, fitted to the
        published figures. ``planted``: links alone. ``null``: nothing but age, sex and deprivation.
    effects : mapping of programme to mapping of outcome to values, optional
        What the programmes do, one value a year since their start, the last from then on. Programmes:
        ``complex_care``, ``enhanced_primary_care``, ``health_coaching``. Outcomes with a rate ratio:
        ``emergency_admissions``, ``elective_admissions``, ``outpatient``, ``accident_and_emergency``,
        ``general_practitioner``, ``community`` (0 to 1.5); with pounds added a person-year, of the two programmes of whole
        practices: ``secondary_care_cost``; with points added, of complex care: ``quality_of_life``,
        ``patient_activation``. Those not named keep their defaults.
    selection : mapping, optional
        How people come to be enrolled on complex care: ``after_crisis`` (0.185, the probability that an emergency
        admission soon after another leads to it), ``within_days`` (60, how soon), ``delay_days`` ((5, 60), how long
        after), ``background`` (0.003 a year without one). Its known answers are not stored: it needs ``truth=False``.
    truth : bool, default True
        Whether to work out and write truth.json.
    messy : bool, default False
        Whether to make the study as untidy as extracts are: incomplete last months, deaths recorded late, practices
        that code unevenly, and `faults` rows of every kind of fault that `symphony check` knows.
    faults : int, default 20
        Rows of each kind of fault in a messy study; with 0 it has imperfections alone and can be read.
    jobs : int, optional
        Threads; by default one a processor.
    progress : bool, default True
        Whether to show progress on standard error.

    Returns
    -------
    pathlib.Path
        The folder: one folder of Parquet parts a table, study.toml, and truth.json, the known answers, each with its
        estimand and standard error. Costs are in pounds of 2012-13.

    Raises
    ------
    ArgumentError
        If the folder holds anything this function did not write, or an argument is out of range.

    References
    ----------
    Kasteridis P, Street A, Dolman M, et al. The importance of multimorbidity in explaining utilisation and
    costs across health and social care settings. CHE Research Paper 96, University of York, 2014.

    Examples
    --------
    >>> import tempfile
    >>> from symphony_research.synthetic import synthesise
    >>> with tempfile.TemporaryDirectory() as home:
    ...     sorted(path.name for path in synthesise(f"{home}/study", people=50, progress=False).iterdir())[:3]
    ['activity', 'conditions', 'enrolments']
    """
    out = Path(os.path.abspath(out))
    sizes = block_sizes(people)
    check_seed(seed)
    if selection and truth:
        raise ArgumentError("The known answers are those of the default selection: pass truth=False with selection.")
    plan = Plan(seed, profile_named(profile), Effects.of(effects), selection=Selection.of(selection))
    jobs = _whole(jobs if jobs is not None else os.cpu_count() or 1, "jobs", least=1)
    faults = _whole(faults, "faults", least=0) if messy else 0
    if faults:
        _check_room(faults, sizes)
    _check_destination(out)
    with folder_in_place(out) as folder, _progress(people, progress) as made:

        def write_block(number: int) -> np.ndarray[Any, np.dtype[np.int64]]:
            block = draw_history(plan, number, sizes[number])
            tables = people_tables(block)
            if messy:
                own = faults_of_block(faults, number, len(sizes))
                tables = mess_up(tables, plan.generators(number)["faults"], faults=own)
            for name, table in tables.items():
                _write(table, folder / name, number)
            made(sizes[number])
            return list_sizes(block)

        with ThreadPoolExecutor(jobs) as pool:
            blocks: list[Future[np.ndarray[Any, np.dtype[np.int64]]]] = []
            try:
                blocks = [pool.submit(write_block, number) for number in range(len(sizes))]
                for block in blocks:
                    while not wait([block], timeout=0.2).done:
                        pass  # in short turns: on Windows Ctrl-C is not seen during an endless wait
                registered = np.sum([block.result() for block in blocks], axis=0)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        for name, table in study_tables(registered).items():
            _write(table, folder / name, 0)
        known = json.dumps(_truth(plan, messy, faults, jobs), indent=2) if truth else ""
        settings = _study_toml(people, plan, messy, fingerprint(folder))
        # the same bytes on Windows
        if known:
            (folder / "truth.json").write_text(known + "\n", encoding="utf-8", newline="\n")
        (folder / "study.toml").write_text(settings, encoding="utf-8", newline="\n")
    return out


def _check_room(faults: int, sizes: list[int]) -> None:
    """Raise ArgumentError unless every block has people enough to bear its faults."""
    for number, size in enumerate(sizes):
        own = faults_of_block(faults, number, len(sizes))
        if own and size < max(LEAST_PEOPLE, PEOPLE_PER_FAULT * own):
            raise ArgumentError(
                f"{size:,} people cannot bear {own} rows of each of {len(FAULTS)} kinds of fault: ask for at least "
                f"{max(LEAST_PEOPLE, PEOPLE_PER_FAULT * own):,} people, or for fewer faults."
            )


def _whole(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ArgumentError(f"{name}={value!r} must be an integer, at least {least}.")
    return value
