"""The study folder on disk: Parquet parts, study.toml, truth.json, and the fingerprint that proves whose it is."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.files import folder_in_place
from symphony_research.result import library_version
from symphony_research.schema import STUDY_TABLES
from symphony_research.synthetic import parameters
from symphony_research.synthetic.blocks import block_sizes, check_seed, draw_block, study_tables

__all__ = ["GENERATOR_NAME", "carries_own_fingerprint", "fingerprint", "synthesise"]

GENERATOR_NAME = "symphony_research.synthetic"
STUDY_NAME = "South Somerset (synthetic)"
_DOMAIN = b"symphony_research.synthetic study folder v1"
_ROWS_IN_GROUP = 1 << 18
_OWN_FILES = {"study.toml", "truth.json", *STUDY_TABLES}


def _write(table: pl.DataFrame, folder: Path, part: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    table.rechunk().write_parquet(
        folder / f"part-{part:05d}.parquet", compression="zstd", compression_level=1, row_group_size=_ROWS_IN_GROUP
    )


def _file_digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def fingerprint(folder: str | os.PathLike[str]) -> str:
    """Return the fingerprint of a study folder's tables.

    It is the SHA-256 of a domain string and, for each table in order of name and each of its files, the
    file's path within the folder and the SHA-256 of its bytes.

    Parameters
    ----------
    folder : path
        A study folder.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> import tempfile
    >>> from symphony_research.synthetic import fingerprint, synthesise
    >>> with tempfile.TemporaryDirectory() as home:
    ...     study = synthesise(f"{home}/study", people=50, progress=False)
    ...     len(fingerprint(study))
    64
    """
    folder = Path(folder)
    total = hashlib.sha256(_DOMAIN)
    for path in sorted(_table_files(folder), key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix().encode()
        total.update(len(name).to_bytes(8, "big") + name + _file_digest(path))
    return total.hexdigest()


def _table_files(folder: Path) -> Iterator[Path]:
    """Every file that could be read as a table, so that none can be added unseen."""
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name in STUDY_TABLES:
            yield from (path for path in entry.rglob("*") if path.is_file())
        elif entry.is_file() and entry.stem in STUDY_TABLES:
            yield entry


def _generator_record(folder: Path) -> dict[str, Any] | None:
    """The [generator] table of a folder's study.toml, if it says that this generator wrote it."""
    try:
        with (folder / "study.toml").open("rb") as file:
            record = tomllib.load(file).get("generator")
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        return None
    return record if isinstance(record, dict) and record.get("name") == GENERATOR_NAME else None


def carries_own_fingerprint(folder: str | os.PathLike[str]) -> bool:
    """Return whether a study folder is this generator's own, unchanged since it was written.

    Parameters
    ----------
    folder : path
        A study folder.

    Returns
    -------
    bool
        Whether study.toml names this generator and its fingerprint equals that of the tables there now.

    Examples
    --------
    >>> import tempfile
    >>> from symphony_research.synthetic import carries_own_fingerprint, synthesise
    >>> with tempfile.TemporaryDirectory() as home:
    ...     carries_own_fingerprint(synthesise(f"{home}/study", people=50, progress=False))
    True
    """
    folder = Path(folder)
    record = _generator_record(folder)
    return record is not None and record.get("fingerprint") == fingerprint(folder)


def _study_toml(people: int, seed: int, mark: str) -> str:
    """Return study.toml. Every value is ours: plain words, whole numbers, dates."""

    def listed(names: tuple[str, ...]) -> str:
        return "[\n" + "".join(f'    "{name}",\n' for name in names) + "]"

    return f"""# Generated people: no row describes anyone. Made by symphony_research.synthesise.
name = "{STUDY_NAME}"
price_year = "{parameters.PRICE_YEAR}"
conditions = {listed(parameters.CONDITION_NAMES)}
priority_conditions = {listed(parameters.PRIORITY_CONDITIONS)}

[period]
start = {parameters.PERIOD_START.isoformat()}
end = {parameters.PERIOD_END.isoformat()}

[disclosure]
policy = "nhs_england"

[generator]
name = "{GENERATOR_NAME}"
version = "{library_version()}"
people = {people}
seed = {seed}
fingerprint = "{mark}"
"""


def _truth() -> dict[str, Any]:
    """What was planted, for whoever checks that an analysis finds it."""
    return {
        "complex_care": {
            "outcome": "emergency admissions (activity with setting inpatient and kind emergency)",
            "rate_ratio_by_year_since_enrolment": list(parameters.HUB_EFFECT_ON_EMERGENCY_ADMISSIONS),
            "last_ratio_holds_from_then_on": True,
            "eligible_from_priority_conditions": parameters.ELIGIBLE_PRIORITY_CONDITIONS,
            "hubs_open": {hub.name: hub.opens.isoformat() for hub in parameters.HUBS},
        },
        "condition_links": [
            {"after": list(link.after), "condition": link.condition, "hazard_ratio": link.hazard_ratio}
            for link in parameters.LINKS
        ],
        "readmission_chance": parameters.READMISSION_CHANCE,
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
    if _generator_record(out) is None:
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
    jobs: int | None = None,
    progress: bool = True,
) -> Path:
    """Write the public study: linked histories of people who never lived.

    Parameters
    ----------
    out : path
        Study folder to write. A study this function wrote before is replaced.
    people : int, default 114,874
        Number of people, as in the Symphony data set.
    seed : int, default 2013
        The same seed and size give the same bytes, whatever the number of threads.
    jobs : int, optional
        Threads; by default one a processor.
    progress : bool, default True
        Whether to show progress on standard error.

    Returns
    -------
    pathlib.Path
        The folder: one folder of Parquet parts a table, study.toml and truth.json (what was planted).
        Costs are in pounds of 2012-13.

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
    jobs = (os.cpu_count() or 1) if jobs is None else jobs
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ArgumentError(f"jobs={jobs!r} must be a whole number of at least 1.")
    _check_destination(out)
    with folder_in_place(out) as folder, _progress(people, progress) as made:

        def write_block(number: int) -> np.ndarray[Any, np.dtype[np.int64]]:
            block = draw_block(seed, number, sizes[number])
            for name, table in block.tables.items():
                _write(table, folder / name, number)
            made(sizes[number])
            return block.list_sizes

        with ThreadPoolExecutor(jobs) as pool:
            blocks: list[Future[np.ndarray[Any, np.dtype[np.int64]]]] = []
            try:
                blocks = [pool.submit(write_block, number) for number in range(len(sizes))]
                list_sizes = np.sum([block.result() for block in blocks], axis=0)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        for name, table in study_tables(list_sizes).items():
            _write(table, folder / name, 0)
        (folder / "truth.json").write_text(json.dumps(_truth(), indent=2) + "\n", encoding="utf-8")
        (folder / "study.toml").write_text(_study_toml(people, seed, fingerprint(folder)), encoding="utf-8")
    return out
