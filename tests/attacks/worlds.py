"""Small studies to be attacked: drawn from a seed, and made by hand to be awkward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import polars as pl

import symphony_research as sr
from symphony_research.result import Provenance

NAMES = ("asthma", "cancer", "copd", "diabetes", "stroke")
LEVELS = ("F", "M", "unknown")


@dataclass(frozen=True)
class World:
    """Everybody of a study, one row a person: what only the data's owner knows."""

    name: str
    conditions: tuple[str, ...]
    people: pl.DataFrame  # sex, a 0/1 column a condition, cost, time, event (0, 1, 2), birth_year
    by: tuple[str, ...] = ()
    seed: int = 0
    levels: tuple[str, ...] = field(default=())
    provenance: Provenance | None = None
    values: tuple[str, ...] = ("cost",)

    @cached_property
    def cells(self) -> np.ndarray:
        """People of each stratum (rows) with exactly each set of conditions (columns: bit k is condition k)."""
        mask = sum(self.people[c].cast(pl.Int64) * (1 << k) for k, c in enumerate(self.conditions))
        size = 1 << len(self.conditions)
        strata = self.levels or (None,)
        found = np.zeros((len(strata), size), dtype=np.int64)
        for s, level in enumerate(strata):
            own = mask if level is None else mask.filter(self.people["sex"] == level)
            found[s] = np.bincount(own.to_numpy(), minlength=size)
        return found

    def patterns(self, by: Sequence[str] = ()) -> sr.Patterns:
        """The people, collapsed."""
        return sr.Patterns.from_wide(
            self.people, conditions=list(self.conditions), by=tuple(by), values=self.values, provenance=self.provenance
        )

    def onsets(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """When each person's conditions began, and who they are."""
        rng = np.random.default_rng((self.seed, 77))
        rows = []
        for person, record in enumerate(self.people.iter_rows(named=True)):
            for name in self.conditions:
                if record[name]:
                    rows.append((person, name, date(1985, 1, 1) + timedelta(days=int(rng.integers(0, 9000)))))
        records = pl.DataFrame(
            rows, schema={"person_id": pl.Int64, "condition": pl.String, "onset_date": pl.Date}, orient="row"
        )
        persons = self.people.select(pl.int_range(pl.len()).alias("person_id"), "sex", "birth_year")
        return records, persons


def _finished(name: str, frame: pl.DataFrame, conditions: Sequence[str], by: tuple[str, ...], seed: int) -> World:
    """Add what a hand-made table lacks."""
    rng = np.random.default_rng((seed, 5))
    n = frame.height
    made = {
        "sex": ["F"] * n,
        "cost": np.round(rng.gamma(0.6, 1500, n), 2),
        "time": rng.integers(1, 365, n),
        "event": rng.choice([0, 1, 2], n, p=[0.4, 0.4, 0.2]),
        "birth_year": rng.integers(1930, 1940, n),
    }
    frame = frame.with_columns([pl.Series(k, v) for k, v in made.items() if k not in frame.columns])
    levels = tuple(level for level in LEVELS if (frame["sex"] == level).any()) if by else ()
    return World(name, tuple(conditions), frame, by, seed, levels)


def random_world(seed: int) -> World:
    """A study of 20 to 400 people with two to five conditions; two in three have a stratum of two or three levels."""
    rng = np.random.default_rng((2013, seed))
    people = int(rng.integers(20, 401))
    kind = seed % 3
    # fewer conditions where there are strata: the unknowns are their product
    conditions = NAMES[: int(rng.integers(2 if seed > 20 else 3, 5 if kind else 6))] if people > 40 else NAMES[:3]
    frail = rng.gamma(1.0, 1.0, people)
    how_common = rng.uniform(0.05, 0.5, len(conditions))
    held = {
        c: (rng.random(people) < 1 - np.exp(-p * frail)).astype(int)
        for c, p in zip(conditions, how_common, strict=True)
    }
    shares = {0: [1.0], 1: [0.5, 0.5], 2: [0.55, 0.4, 0.05]}[kind]
    sex = rng.choice(list(LEVELS[: len(shares)]), people, p=shares)
    by = ("sex",) if kind and len(set(sex)) > 1 else ()
    return _finished(f"random {seed}", pl.DataFrame({**held, "sex": sex}), conditions, by, seed)


def _rows(*groups: tuple[int, str, tuple[int, ...]], names: Sequence[str] = NAMES[:3]) -> pl.DataFrame:
    """People by number, sex and conditions: (12, "F", (1, 0, 0)) are twelve women with the first alone."""
    rows = [(sex, *held) for n, sex, held in groups for _ in range(n)]
    return pl.DataFrame(rows, schema=["sex", *names], orient="row")


def three_of_180() -> World:
    """The total beside one small count."""
    return _finished("three of 180", _rows((177, "F", (0, 0, 0)), (3, "F", (1, 0, 0))), NAMES[:3], (), 1)


def one_hidden_cell() -> World:
    """Two rows and their total: 40 women, 4 men with diabetes."""
    frame = _rows((40, "F", (1, 0, 0)), (4, "M", (1, 0, 0)), (60, "F", (0, 1, 0)), (55, "M", (0, 1, 1)))
    return _finished("one hidden cell", frame, NAMES[:3], ("sex",), 2)


def all_or_nobody() -> World:
    """A condition everybody has, one nobody has."""
    return _finished("all or nobody", _rows((48, "F", (1, 0, 0)), (41, "M", (1, 0, 1))), NAMES[:3], ("sex",), 3)


def groups_of_one() -> World:
    """One person of each kind beside two large groups."""
    few = [(1, "F" if k % 2 else "M", (k & 1, k >> 1 & 1, k >> 2 & 1)) for k in range(1, 8)]
    return _finished("groups of one", _rows((90, "F", (0, 0, 0)), (80, "M", (1, 1, 0)), *few), NAMES[:3], ("sex",), 4)


def hidden_stratum() -> World:
    """A stratum of three beside two large ones, with the whole published too."""
    frame = _rows((60, "F", (1, 0, 0)), (50, "F", (0, 0, 0)), (45, "M", (1, 1, 0)), (38, "M", (0, 0, 1)),
                  (2, "unknown", (1, 0, 0)), (1, "unknown", (0, 0, 1)))  # fmt: skip
    return _finished("hidden stratum", frame, NAMES[:3], ("sex",), 5)


def whole_beside_strata() -> World:
    """Strata that sum to a whole, each with one small cell."""
    frame = _rows((31, "F", (1, 0, 0)), (5, "F", (1, 1, 0)), (64, "F", (0, 0, 0)), (29, "M", (1, 0, 0)), (6, "M", (0, 1, 1)),
                  (71, "M", (0, 0, 0)))  # fmt: skip
    return _finished("whole beside strata", frame, NAMES[:3], ("sex",), 6)


def margins_nearly_pairs() -> World:
    """All but two of the people with the first condition have the second as well."""
    frame = _rows(
        (58, "F", (1, 1, 0)), (2, "F", (1, 0, 0)), (30, "F", (0, 1, 1)), (3, "F", (0, 0, 1)), (87, "F", (0, 0, 0))
    )
    return _finished("margins nearly pairs", frame, NAMES[:3], (), 7)


def dominated_cost() -> World:
    """One person has 95 % of the cost of everybody with the first condition."""
    frame = _rows((40, "F", (1, 0, 0)), (30, "F", (1, 1, 0)), (60, "F", (0, 1, 1)))
    cost = np.full(frame.height, 100.0)
    cost[0] = 95 / 5 * 100.0 * 69
    return _finished("dominated cost", frame.with_columns(pl.Series("cost", cost)), NAMES[:3], (), 8)


def squeezed() -> World:
    """A small exact set between a margin and its other parts, all large."""
    frame = _rows((38, "F", (1, 0, 0)), (27, "F", (1, 1, 0)), (22, "F", (1, 0, 1)), (2, "F", (1, 1, 1)), (43, "F", (0, 0, 0)),
                  (33, "F", (0, 1, 0)), (24, "F", (0, 0, 1)), (18, "F", (0, 1, 1)))  # fmt: skip
    return _finished("squeezed", frame, NAMES[:3], (), 9)


def three_and_none() -> World:
    """Three people have the first condition, none of them with the second: noughts are shown, and what stands beside them."""
    frame = _rows((3, "F", (1, 0, 0)), (60, "F", (0, 1, 0)), (20, "M", (0, 1, 1)), (30, "F", (0, 0, 1)), (200, "F", (0, 0, 0)),
                  (190, "M", (0, 0, 0)))  # fmt: skip
    return _finished("three and none", frame, NAMES[:3], ("sex",), 11)


def one_and_the_rest() -> World:
    """Twelve of twelve but one: nearly everybody has a condition."""
    frame = _rows((99, "F", (1, 0, 0)), (1, "F", (0, 0, 0)), (97, "M", (1, 1, 0)), (3, "M", (1, 0, 0)))
    return _finished("one and the rest", frame, NAMES[:3], ("sex",), 10)


def one_sex() -> World:
    """A condition of women alone, beside a small group of men who should not have it."""
    frame = _rows((60, "F", (1, 0, 0)), (45, "F", (0, 1, 0)), (9, "F", (1, 1, 0)), (70, "M", (0, 1, 0)), (2, "M", (1, 1, 0)),
                  (55, "M", (0, 0, 1)), (48, "F", (0, 0, 0)))  # fmt: skip
    return _finished("one sex", frame, NAMES[:3], ("sex",), 12)


def small_hub(people: int, seed: int) -> World:
    """A care hub of a few dozen people, by sex, with their follow-up."""
    rng = np.random.default_rng((people, seed))
    held = {c: (rng.random(people) < p).astype(int) for c, p in zip(NAMES[:2], (0.35, 0.2), strict=True)}
    sex = np.where(rng.random(people) < 0.55, "F", "M")
    frame = pl.DataFrame({**held, "sex": sex, "time": rng.integers(1, 125, people)})
    return _finished(f"hub of {people}", frame, NAMES[:2], ("sex",), seed)


def hub_of_20() -> World:
    """Twenty people."""
    return small_hub(20, 1)


def hub_of_35() -> World:
    """Thirty-five people."""
    return small_hub(35, 2)


def hub_of_60() -> World:
    """Sixty people."""
    return small_hub(60, 3)


HAND_MADE: dict[str, Callable[[], World]] = {
    made.__name__: made
    for made in (
        three_of_180,
        one_hidden_cell,
        all_or_nobody,
        groups_of_one,
        hidden_stratum,
        whole_beside_strata,
        margins_nearly_pairs,
        dominated_cost,
        squeezed,
        three_and_none,
        one_and_the_rest,
        one_sex,
        hub_of_20,
        hub_of_35,
        hub_of_60,
    )
}


def twin_of(world: World, cells: np.ndarray) -> World:
    """Another study with other people in each cell, and the same in every other way."""
    rows = []
    for s, level in enumerate(world.levels or ("F",)):
        for mask, n in enumerate(cells[s]):
            rows += [(level, *[mask >> k & 1 for k in range(len(world.conditions))])] * int(n)
    frame = pl.DataFrame(rows, schema=["sex", *world.conditions], orient="row")
    return _finished(f"{world.name}, twin", frame, world.conditions, world.by, world.seed)
