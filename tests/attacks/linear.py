"""Many conditions, all at once: the sets are too many to write out, so the attacker has people, conditions, pairs and numbers alone.

Of each stratum everybody, those with each condition and with each pair, and those of each number of conditions are
unknowns, and what their definitions say is all that holds them together. What he bounds so is as wide as in
integers or wider, so whatever he finds is so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb

import highspy
import numpy as np
import polars as pl
import readers
from attacker import MOST, Cell, Ends, Finding, Rule, Sum, System, sum_of
from scipy.sparse import csr_matrix

import symphony_research as sr

HAIR = 1e-6
DIRECTIONS = 12  # in which every count that is open is pushed at once


@dataclass(frozen=True)
class Book:
    """What everybody knows: the conditions and the strata."""

    conditions: tuple[str, ...]
    levels: tuple[str, ...]

    @cached_property
    def places(self) -> dict[tuple[object, ...], int]:
        """Every unknown by its stratum and whom it counts: nothing, one condition, two, or a number of them."""
        whom: list[object] = [(), *((c,) for c in self.conditions), *combinations(self.conditions, 2)]
        whom += range(len(self.conditions) + 1)
        return {key: at for at, key in enumerate((level, one) for level in self.levels for one in whom)}

    def of(self, level: str | None, *whom: object) -> Sum:
        """Return a count of one stratum, or of all."""
        levels = self.levels if level is None else [level]
        return sum_of(self.places[level, one] for level in levels for one in whom)

    def facts(self) -> dict[Sum, Ends]:
        """What holds of any people."""
        found: dict[Sum, Ends] = {}
        for level in self.levels:
            at = {whom: self.places[level, whom] for _, whom in self.places}
            for a in self.conditions:
                found[_terms((at[()], 1), (at[(a,)], -1))] = 0, np.inf
            for a, b in combinations(self.conditions, 2):
                both = at[(a, b)]
                found[_terms((at[(a,)], 1), (both, -1))] = found[_terms((at[(b,)], 1), (both, -1))] = 0, np.inf
                found[_terms((at[()], 1), (at[(a,)], -1), (at[(b,)], -1), (both, 1))] = 0, np.inf
            # somebody with k conditions has k (k - 1) / 2 pairs of them
            for size in range(3):
                of_size = [(at[whom], -1) for whom in combinations(self.conditions, size)]
                by_number = [(at[k], comb(k, size)) for k in range(size, len(self.conditions) + 1)]
                found[_terms(*of_size, *by_number)] = 0, 0
        return found

    def counted(self, frame: pl.DataFrame) -> np.ndarray:
        """Return the number that every unknown is."""
        found = np.zeros(len(self.places))
        for level in self.levels:
            own = frame.filter(pl.col("sex") == level).select(self.conditions).to_numpy()
            together = own.T @ own
            numbers = np.bincount(own.sum(axis=1), minlength=len(self.conditions) + 1)
            for (other, whom), at in self.places.items():
                if other == level:
                    if isinstance(whom, int):
                        found[at] = numbers[whom]
                    else:
                        rows = [self.conditions.index(c) for c in whom]
                        found[at] = together[rows[0], rows[-1]] if rows else len(own)
        return found

    def read(self, released: Mapping[str, sr.Result]) -> Iterator[Cell]:
        """Every count of prevalences, numbers of conditions and pairs."""
        for kind, result in released.items():
            small = readers._small_strata(result)
            for name, table in result.count_tables.items():
                (column,) = [c for c in table.columns if c in ("n_persons", "n_both")]
                for row in table.iter_rows(named=True):
                    level, whom = row.get("sex"), _whom(row)
                    of_small = level in small and whom != ()
                    yield Cell(f"{kind}.{name}", f"{level or ''} {whom}", self.of(level, whom), readers.count(row[column]), of_small=of_small)  # fmt: skip
            if kind.startswith("condition_count"):
                last = result.count_tables["cells"]["n_conditions"].max()
                for k in range(last + 1, len(self.conditions) + 1):
                    for level in self.levels:
                        yield Cell(f"{kind}.rows", f"{level} {k}", self.of(level, k), 0)


def _terms(*terms: tuple[int, int]) -> Sum:
    return tuple(sorted(terms))


def _whom(row: Mapping[str, object]) -> object:
    if "n_conditions" in row:
        return int(str(row["n_conditions"]))
    return tuple(sorted(str(row[name]) for name in ("condition", "source", "target") if name in row))


def results(frame: pl.DataFrame, *, split: bool = True) -> dict[str, sr.Result]:
    """Conditions, pairs and numbers of conditions, of everybody and by sex."""
    conditions, made = [c for c in frame.columns if c != "sex"], {}
    for by in ((), ("sex",)) if split else ((),):
        patterns, end = sr.Patterns.from_wide(frame, conditions=conditions, by=by), "__by_sex" if by else ""
        made["prevalence" + end] = sr.multimorbidity.prevalence(patterns)
        made["condition_count" + end] = sr.multimorbidity.condition_count(patterns)
        made["cooccurrence" + end] = sr.networks.cooccurrence(patterns)
    return made


class Programme:
    """What is known, as one linear programme that is asked again and again."""

    def __init__(self, system: System) -> None:
        rows, columns, values = zip(*((row, at, c) for row, of in enumerate(system.sums) for at, c in of), strict=True)
        self.matrix = csr_matrix((np.array(values, float), (rows, columns)), shape=(len(system.sums), system.size))
        self.solver = highspy.Highs()
        self.solver.setOptionValue("output_flag", False)
        self.solver.setOptionValue("threads", 1)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = system.size, len(system.sums)
        model.col_cost_, model.col_lower_ = np.zeros(system.size), np.zeros(system.size)
        model.col_upper_ = np.full(system.size, float(10 * MOST))
        model.row_lower_, model.row_upper_ = system.ends
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_ = self.matrix.indptr, self.matrix.indices
        model.a_matrix_.value_ = self.matrix.data
        self.solver.passModel(model)

    def solve(self, cost: np.ndarray) -> np.ndarray:
        """Return what fits everything, at the least cost."""
        self.solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        self.solver.run()
        assert self.solver.getModelStatus() == highspy.HighsModelStatus.kOptimal, self.solver.getModelStatus()
        return np.array(self.solver.getSolution().col_value)


def possible(system: System, known: np.ndarray, wanted: Sequence[Sum]) -> dict[Sum, tuple[int, int]]:
    """Return between which integers counts lie, as far as is needed; `known` is one solution to begin from."""
    programme, rows = Programme(system), [system.sums.index(of) for of in wanted]
    targets = programme.matrix[rows]
    need = np.array([system.targets[of].need for of in wanted])
    low = high = targets @ known
    rng = np.random.default_rng(1)

    def ask(cost: np.ndarray) -> None:
        nonlocal low, high
        value = targets @ programme.solve(cost)
        low, high = np.minimum(low, value), np.maximum(high, value)

    def open_() -> np.ndarray:
        return np.flatnonzero(np.floor(high + HAIR) - np.ceil(low - HAIR) + 1 < need)

    for direction in range(DIRECTIONS):
        left = open_()
        if len(left):
            signs = np.full(len(left), 1.0 - 2 * direction) if direction < 2 else rng.choice([-1.0, 1.0], len(left))
            ask(targets[left].T @ (signs * rng.uniform(0.5, 1.5, len(left))))
    for k in open_():
        for sign in (1.0, -1.0):
            if k in open_():
                ask(sign * targets[[k]].toarray()[0])
    return {of: (int(np.ceil(a - HAIR)), int(np.floor(b + HAIR))) for of, a, b in zip(wanted, low, high, strict=True)}


def at_risk(frame: pl.DataFrame, released: Mapping[str, sr.Result], rule: Rule, *, strict: bool = False) -> tuple[list[Finding], int]:  # fmt: skip
    """Return the suppressed counts of which too few numbers are possible, and how many counts are suppressed."""
    levels: Iterable[str] = frame["sex"].unique().sort()
    book = Book(tuple(c for c in frame.columns if c != "sex"), tuple(levels))
    truth = book.counted(frame)
    system = System.of(list(book.read(released)), truth, rule, book.facts(), strict=strict)
    matrix = Programme(system).matrix
    low, high = system.ends
    assert ((matrix @ truth >= low) & (matrix @ truth <= high)).all(), "a released number does not stand for the exact one"  # fmt: skip
    found = possible(system, truth, list(system.targets))
    few = [of for of, (least, most) in found.items() if most - least + 1 < system.targets[of].need]
    by_marks = possible(system.of_marks(), truth, few) if few else {}
    findings = []
    for of in few:
        target, (least, most), (lowest, highest) = system.targets[of], found[of], by_marks[of]
        needed = min(target.need, highest - lowest + 1)
        if most - least + 1 < needed:
            findings.append(Finding(target.cell, tuple(range(least, most + 1)), needed, target.primary))
    return findings, len(system.targets)
