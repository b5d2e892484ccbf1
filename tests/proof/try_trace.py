"""Why a cell is not shown: for one that protects others, the suppressed count that would keep too few values beside it.

A lost cell is shown again by itself, all else as it was released, and what is suppressed around it is searched again.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

import symphony_research as sr
from symphony_research.disclosure.decomposition import blocks_of
from symphony_research.disclosure.outputs import ReleasedOutput, interval_of, released_output, whose
from symphony_research.disclosure.secondary import _Selection
from symphony_research.disclosure.system import system_of
from symphony_research.disclosure.triples import with_triples
from symphony_research.result.cells import CellDefinition

SECONDS = 240.0  # for one set of results
NEEDED = "shown, it would leave a suppressed count fewer values than it must keep"
NOT_NEEDED = "shown by itself, all else as it is, it would narrow no suppressed count"
SMALL_STRATUM = "of a stratum of few, which is suppressed altogether"
WITHHELD = "of a part that was not decided within the limit"
ROW_GONE = "its row is omitted"
CURVE_ENDS = "the curve ends earlier"
FEW_EVENTS = "of a curve whose number of events up to then is small itself"
NO_ESTIMATE = "of a curve that has no estimate there"
UNCLEAR = "suppressed, and marked as nothing"
NO_TIME = "not traced within the limit"


class Population:
    """What is released of one population, and which of its suppressed counts a cell protects."""

    def __init__(self, published: list[ReleasedOutput], policy: sr.Policy) -> None:
        self.policy, self.published = policy, published
        self.work = _Selection(system_of(published), (), published, policy)
        self._blocks: dict[int, frozenset[int]] | None = None
        self._narrow: dict[frozenset[int], set[int]] = {}
        self._known: dict[frozenset[CellDefinition], str] = {}

    def why(self, cells: Mapping[CellDefinition, float]) -> str:
        """Return whether cells that are suppressed for the sake of others would narrow one of them, by their exact numbers."""
        key = frozenset(cells)
        if key not in self._known:
            self._known[key] = self._why(cells)
        return self._known[key]

    def _why(self, cells: Mapping[CellDefinition, float]) -> str:
        place = self.work.system.index
        shown = {place[of]: exact for of, exact in cells.items() if of in place}
        around = frozenset[int]().union(*(self._around(at) for at in shown))
        if around not in self._narrow:
            self._narrow[around] = self._narrowed(self.work, around)
        trial = copy.copy(self.work)
        trial.lower, trial.upper = self.work.lower.copy(), self.work.upper.copy()
        for at, exact in shown.items():
            rounded = pl.DataFrame({"n": [int(exact)]}).select(self.policy.rounded("n")).item()
            trial.lower[at], trial.upper[at] = interval_of(self.policy, rounded)
        trial.targets = {k: target for k, target in self.work.targets.items() if k not in shown}
        return NEEDED if self._narrowed(trial, around - set(shown)) - self._narrow[around] else NOT_NEEDED

    def _narrowed(self, work: _Selection, among: frozenset[int]) -> set[int]:
        work = copy.copy(work)
        work.targets = dict(work.targets)
        work.proven = set(work.targets) - among
        work.secondary, work.withheld, work.inferable = set(), set(), set()
        found = {one.unknown for _, few, _ in work.search() for one in few}
        return found | work.inferable

    def _around(self, at: int) -> frozenset[int]:
        """Return the suppressed counts that are held together with a cell."""
        if self._blocks is None:
            work, n = self.work, self.work.system.n_unknowns
            suppressed = np.zeros(n, bool)
            suppressed[list(work.targets)] = True
            system = with_triples(work.system, work.triples, work.lower, work.upper, suppressed)
            self._blocks = {}
            for block in blocks_of(system, work.lower, work.upper, np.ones(n, bool)):
                own = frozenset(int(k) for k in block.unknowns if int(k) in work.targets)
                self._blocks |= {int(k): own for k in block.unknowns}
        return self._blocks.get(at, frozenset())


def reasons_of(
    results: Mapping[str, sr.Result],
    released: Mapping[str, sr.Result],
    lost: Mapping[str, Mapping[str, tuple[Any, Any]]],
    before: Mapping[str, set[str] | None],
    policy: sr.Policy,
) -> dict[str, dict[str, str]]:
    """Return why each cell that the baseline showed is not shown, by result and digest."""
    until = time.perf_counter() + SECONDS
    told = {name: released_output(one) for name, one in released.items()}
    populations: dict[str, Population] = {}
    found: dict[str, dict[str, str]] = {name: {} for name in lost}
    for name, key in [(name, key) for name, cells in lost.items() for key in cells if key in (before[name] or ())]:
        if time.perf_counter() > until:
            found[name][key] = NO_TIME
            continue
        own = whose(told[name])
        if own not in populations:
            populations[own] = Population([one for one in told.values() if whose(one) == own], policy)
        (words, exact), seen = lost[name][key]
        ask = _Asked(results[name], released[name], told[name], populations[own])
        found[name][key] = ask.of_curve(seen) if words.startswith("n_at_risk: ") else ask.of_cell(seen, exact)
    return found


class _Asked:
    """One result, exact and released."""

    def __init__(self, exact: sr.Result, shown: sr.Result, told: ReleasedOutput, population: Population) -> None:
        self.exact, self.shown, self.population = exact, shown, population
        self.of = {cell.position: cell.of for cell in told.cells}

    def of_cell(self, seen: Any, exact: float) -> str:
        """Return why a cell of a table is not shown."""
        return ROW_GONE if seen is None or seen.place is None else self._of({seen.place: exact})

    def _of(self, places: Mapping[tuple[str, int, str], float]) -> str:
        """Return why counts that must be shown together are not."""
        done = self.shown.disclosure
        assert done is not None
        for marked, reason in ((done.of_small, SMALL_STRATUM), (done.withheld, WITHHELD)):
            if not marked.isdisjoint(places):
                return reason
        if not done.secondary.issuperset(places):
            return UNCLEAR
        return self.population.why({self.of[place]: exact for place, exact in places.items()})

    def of_curve(self, seen: Any) -> str:
        """Return why a curve is not shown at a time: by the counts on its grid that are suppressed there."""
        policy, exact = self.population.policy, self.exact
        if seen is None or seen.row is None:
            return CURVE_ENDS
        grid = self.shown.count_tables["grid"].with_row_index("__row")
        whole = exact.release_form(exact.count_tables, exact.settings, exact.by, policy)["grid"]
        keys = [*exact.by, "time", "state"]
        both = grid.join(whole.rename({"n_persons": "__exact"}), on=keys, how="left", nulls_equal=True)
        here = both.filter(pl.col("time") == seen.row["on_grid"], *[pl.col(c) == seen.row[c] for c in exact.by])
        states = [f"event {seen.row.get('cause') or 1}", "at risk"]
        gone = here.filter(pl.col("n_persons").is_null(), pl.col("state").is_in(states))
        if not gone.height:
            return NO_ESTIMATE
        if (gone["__exact"] <= policy.threshold).any():
            return FEW_EVENTS
        return self._of({("grid", row, "n_persons"): n for row, n in zip(gone["__row"], gone["__exact"], strict=True)})
