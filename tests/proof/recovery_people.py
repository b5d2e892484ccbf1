"""Studies drawn for the recovery proofs, read back from the tables that users get, and the truth beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
import polars as pl

from symphony_research.synthetic.blocks import block_sizes
from symphony_research.synthetic.history import draw_history
from symphony_research.synthetic.parameters import CONDITION_NAMES, PERIOD_END
from symphony_research.synthetic.plan import PROFILES, Plan
from symphony_research.synthetic.study_tables import people_tables
from symphony_research.synthetic.truth import planted
from symphony_research.synthetic.truth.simulate import simulate_all
from symphony_research.synthetic.truth.stored import STORED, parameters_digest

T = TypeVar("T")
R = TypeVar("R")

STUDY = 114_874  # people of the Symphony data set (York CHE Research Paper 96)
INDEX = date(2014, 4, 1)
NEVER = np.iinfo(np.int32).max
ENOUGH_FOR_TRUTH = 1_000_000


@dataclass(frozen=True)
class Snapshot:
    """People registered on the index day; `onset` is in days since 1970, `decile` 0 where it is missing."""

    male: np.ndarray
    born: np.ndarray
    birth_year: np.ndarray
    decile: np.ndarray
    onset: np.ndarray

    @property
    def held(self) -> np.ndarray:
        return self.onset < NEVER

    @property
    def age(self) -> np.ndarray:
        """In completed years."""
        return ((days_of(INDEX) - self.born) / 365.25).astype(int)

    @property
    def band(self) -> np.ndarray:
        """Five-year age band; 90 and over is the last."""
        return np.minimum(self.age // 5, 18)


def days_of(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def registered_on(registrations: pl.DataFrame, day: date) -> pl.DataFrame:
    """The people registered with any practice that day."""
    still = pl.col("end_date").is_null() | (pl.col("end_date") >= day)
    return registrations.filter((pl.col("start_date") <= day) & still).select("person_id").unique()


def snapshot(tables: dict[str, pl.DataFrame]) -> Snapshot:
    people = tables["persons"].join(registered_on(tables["registrations"], INDEX), on="person_id", how="semi")
    people = people.sort("person_id").with_row_index("row")
    begun = tables["conditions"].filter(pl.col("onset_date") <= INDEX)
    begun = begun.join(people.select("person_id", "row"), on="person_id")
    onset = np.full((people.height, len(CONDITION_NAMES)), NEVER, np.int32)
    onset[begun["row"].to_numpy(), begun["condition"].to_physical().to_numpy()] = (
        begun["onset_date"].to_physical().to_numpy()
    )
    return Snapshot(
        (people["sex"] == "M").to_numpy(),
        people["birth_date"].to_physical().to_numpy(),
        people["birth_date"].dt.year().to_numpy(),
        people["deprivation_decile"].fill_null(0).to_numpy(),
        onset,
    )


def block_tables(profile: str, seed: int, people: int) -> Iterator[dict[str, pl.DataFrame]]:
    """The tables of each block of a study."""
    for number, size in enumerate(block_sizes(people)):
        yield people_tables(draw_history(Plan(seed, PROFILES[profile]), number, size))


def study_snapshot(profile: str, seed: int, people: int = STUDY) -> Snapshot:
    parts = [snapshot(tables) for tables in block_tables(profile, seed, people)]
    return Snapshot(*(np.concatenate([getattr(part, name) for part in parts]) for name in Snapshot.__annotations__))


def last_days(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """First and last day each person is observed, and whether they died on the last."""
    still = pl.col("end_date").fill_null(PERIOD_END)
    spells = tables["registrations"].group_by("person_id").agg(pl.col("start_date").min(), still.max().alias("last"))
    return tables["persons"].join(spells, on="person_id").with_columns(pl.col("death_date").is_not_null().alias("died"))


@cache
def truth_of(profile: str, *, people: int = ENOUGH_FOR_TRUTH) -> dict[str, tuple[float, float]]:
    """Value and standard error by name: as stored if of these parameters and of enough people, else simulated again."""
    folder = resources.files("symphony_research.synthetic") / "data"
    plan = Plan(0, PROFILES[profile])
    try:
        held = json.loads((folder / STORED).read_text(encoding="utf-8"))
        usable = held["parameters"] == parameters_digest() and held["people"] >= people
    except (OSError, ValueError, KeyError):
        usable = False
    if usable:
        return {record.name: (record.value, record.standard_error) for record in planted(plan)}
    return simulate_all(plan, people, jobs=os.cpu_count() or 1)


def in_parallel(work: Callable[[T], R], items: Iterable[T], jobs: int) -> Iterator[R]:
    """Results in the order of the items, from processes of their own."""
    if jobs == 1:
        yield from map(work, items)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, items)


def markdown(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table: the first column words, the others numbers."""
    return [
        f"| {' | '.join(header)} |",
        "|---|" + "---:|" * (len(header) - 1),
        *[f"| {' | '.join(str(cell) for cell in row)} |" for row in rows],
        "",
    ]


def words(name: str) -> str:
    return name.replace("_", " ")


def share_with_error(hits: int, draws: int, *, expected: float | None = None) -> str:
    """A percentage and its Monte Carlo error, under the share expected if there is one."""
    share = hits / draws
    p = share if expected is None else expected
    return f"{100 * share:.1f} ± {100 * (p * (1 - p) / draws) ** 0.5:.1f}"


def jackknife(values: Callable[[Sequence[T]], float], parts: Sequence[T]) -> tuple[float, float]:
    """A value of all parts together, and its error by leaving out one at a time."""
    left_out = np.array([values([*parts[:k], *parts[k + 1 :]]) for k in range(len(parts))])
    return values(parts), float(np.sqrt((len(parts) - 1) * left_out.var()))


def mean_against(values: np.ndarray, truth: tuple[float, float]) -> tuple[float, float]:
    """Mean over the replicates, and how far from the truth in Monte Carlo errors (those of both)."""
    values = values[np.isfinite(values)]
    error = np.hypot(values.std(ddof=1) / np.sqrt(len(values)), truth[1])
    return float(values.mean()), float((values.mean() - truth[0]) / error)
