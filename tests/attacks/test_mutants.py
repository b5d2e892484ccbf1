"""Each kind of relation taken away from the search makes an attack succeed on a small study made for it.

The studies are searched by linear bounds, as those of many conditions are: in integers the sets
of conditions imply every relation but those that families declare. The attacker has none of the
library's relations: he counts people by their sets.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import attacker
import moving
import numpy as np
import polars as pl
import produce
import pytest
import study
import worlds
from foreign import SETTINGS, Parts
from study import POLICIES

import symphony_research as sr
from symphony_research.disclosure import relations, secondary, system
from symphony_research.result.cells import Covered, Nested, Partition, Same

Group = tuple[int, str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Made:
    """People by number, sex and conditions; and what is released of all of them, and by sex."""

    groups: tuple[Group, ...]
    whole: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    policy: str = "nhs_england"

    def findings(self) -> list[str]:
        """What an attacker finds."""
        names, by = worlds.NAMES[: len(self.groups[0][2])], ("sex",) if self.split else ()
        world = worlds._finished("by hand", worlds._rows(*self.groups, names=names), names, by, 1)
        made = produce.of_patterns(world, (), self.whole) if self.whole else {}
        made |= produce.of_patterns(world, by, self.split) if by else {}
        return _found(study.attack(world, POLICIES[self.policy], made, files=False))


def _found(made: study.Attacked) -> list[str]:
    return made.wrong_counts() or [str(finding) for finding in made.at_risk()]


@dataclasses.dataclass(frozen=True)
class Hub:
    """Curves of a hub's people, of all of them and by sex."""

    people: int
    seed: int
    policy: str = "nhs_england"
    kinds: tuple[str, ...] = ("kaplan_meier", "incidence")

    def findings(self) -> list[str]:
        """What an attacker finds."""
        world = worlds.small_hub(self.people, self.seed)
        made = produce.of_time(world) | produce.of_time(world, world.by)
        made = {kind: one for kind, one in made.items() if kind.split("__")[0] in self.kinds}
        return _found(study.attack(world, POLICIES[self.policy], made, files=False))


@dataclasses.dataclass(frozen=True)
class Moving:
    """Rates of a hub's people by calendar year and attained age, of all of them and by sex, beside rates and curves of all time."""

    people: int
    seed: int
    policy: str = "nhs_england"

    def findings(self) -> list[str]:
        """What an attacker finds."""
        world = worlds.small_hub(self.people, self.seed)
        made: dict[str, sr.Result] = {}
        for by in ((), world.by):
            curves = {"kaplan_meier", "incidence"}
            made |= {kind: one for kind, one in produce.of_time(world, by).items() if kind.split("__")[0] in curves}
            made |= produce.of_rates(world, by) | moving.of_moving_rates(world, by)
        return _found(study.attack(world, POLICIES[self.policy], made, files=False))


class Attended(Parts):
    """People of whom some attended: that they are among all is said by the definition alone."""

    @staticmethod
    def relations(tables: Any, settings: Any) -> tuple[()]:
        """Return nothing."""
        return ()


@dataclasses.dataclass(frozen=True)
class Attendance:
    """Women and men who attended, of all women and men, in a family from outside the package."""

    women: tuple[int, int]
    men: tuple[int, int]

    def findings(self) -> list[str]:
        """What an attacker finds."""
        book = attacker.Codebook(("attended",), ("F", "M"))
        rows = pl.DataFrame([("F", *self.women), ("M", *self.men)], schema=["sex", "n", "of"], orient="row")
        total = rows.sum().drop("sex")
        released = sr.suppress([_attended(total, ()), _attended(rows, ("sex",))], POLICIES["sacro"])
        cells = []
        for result in released:
            for name, wanted in (("parts", [1]), ("population", [0, 1])):
                for row in result.count_tables[name].iter_rows(named=True):
                    shown = "*" if row["n_persons"] is None else row["n_persons"]
                    cells.append(attacker.Cell(name, str(row.get("sex")), book.sets(row.get("sex"), wanted), shown))
        truth = np.array([n for some, every in (self.women, self.men) for n in (every - some, some)])
        return [str(finding) for finding in attacker.at_risk(cells, truth, attacker.RULES["sacro"])]


def _attended(rows: pl.DataFrame, by: tuple[str, ...]) -> Attended:
    part = rows.select(*by, pl.lit("attended").alias("part"), n_persons="n")
    return Attended({"parts": part, "population": rows.select(*by, n_persons="of")}, dict(SETTINGS), by)


# -- what is taken away -----------------------------------------------------------------------------------------


def _without(name: str, unwanted: Callable[[relations.Row], bool] = lambda row: True) -> Callable[..., Any]:
    """Return a kind of relations without some of its rows, by default without any."""
    every = getattr(relations, name)

    def left(*args: Any) -> Iterator[relations.Row]:
        return (row for row in every(*args) if not unwanted(row))

    return left


def _undeclared(kind: type) -> Callable[..., Any]:
    every = relations.declared
    return lambda said, there: every((one for one in said if not isinstance(one, kind)), there)


def _uncounted(wanted: int) -> Callable[..., Any]:
    every = relations._counted
    return lambda parts, pieces, features, size: () if size == wanted else every(parts, pieces, features, size)


def _rests(*, of_strata: bool) -> Callable[..., Any]:
    """Return what parts leave of wholes, without that of strata, or without that of sets."""
    every = relations.rests_of

    def left(*args: Any) -> list[relations.Rest]:
        return [one for one in every(*args) if (not one.of.state) is not of_strata]

    return left


def _of_number_and_feature(row: relations.Row) -> bool:
    """Whether people of one number of conditions are counted against those of that number with each."""
    (whole, times), low, high = row[0][0], row[1], row[2]
    return whole.sized and not whole.having and times > 0 and low == high


Change = tuple[Any, str, Callable[[], Any]]
# a kind of relations, what is put in its place, and people of whom it alone protects a count
MUTANTS: dict[str, tuple[tuple[Change, ...], Made | Hub | Moving | Attendance]] = {
    "what strata leave of a whole": (
        ((system, "rests_of", lambda: _rests(of_strata=True)),),
        Made(
            ((3, "F", (0, 1, 0, 0)), (3, "F", (1, 1, 0, 0)), (3, "F", (1, 1, 1, 1)), (8, "M", (1, 1, 1, 1)), (2, "unknown", (1, 0, 1, 0))),
            ("condition_count",), ("condition_count",),
        ),
    ),
    "what exact sets leave of a set": (
        ((system, "rests_of", lambda: _rests(of_strata=False)),),
        Made(
            ((8, "F", (1, 0, 0)), (6, "F", (0, 0, 1)), (1, "F", (0, 1, 1)), (24, "F", (1, 1, 1)), (11, "M", (1, 1, 0)),
             (16, "M", (0, 1, 1)), (8, "M", (1, 1, 1)), (1, "unknown", (0, 1, 0))),
            ("exact", "further"), ("exact", "further"),
        ),
    ),
    "declared parts": (
        ((relations, "declared", lambda: _undeclared(Partition)), (system, "declared", lambda: _undeclared(Partition))),
        Hub(43, 1, "sacro"),
    ),
    "declared to be among others": (
        ((relations, "declared", lambda: _undeclared(Nested)), (system, "declared", lambda: _undeclared(Nested))),
        Hub(30, 0, "sacro"),
    ),
    "declared to be the same": (
        ((relations, "declared", lambda: _undeclared(Same)), (system, "declared", lambda: _undeclared(Same))),
        # of whoever makes the test without a name for the event, and names it for the curves
        Hub(60, 3, "sacro", ("kaplan_meier", "logrank")),
    ),
    "declared to cover": (
        ((relations, "declared", lambda: _undeclared(Covered)), (system, "declared", lambda: _undeclared(Covered))),
        Moving(60, 3),
    ),
    "strata": (
        ((relations, "_strata", lambda: _without("_strata")),),
        Made(
            ((13, "F", (0, 0, 1, 0)), (13, "F", (0, 1, 1, 0)), (19, "F", (0, 1, 0, 1)), (36, "F", (1, 0, 1, 1)),
             (8, "F", (0, 1, 1, 1)), (17, "M", (1, 0, 0, 0)), (2, "M", (1, 1, 0, 1)), (9, "M", (0, 0, 1, 1)),
             (12, "M", (1, 0, 1, 1)), (1, "unknown", (0, 1, 1, 1))),
            ("further",), ("further",),
        ),
    ),
    "a state within its whole": (((relations, "_within_whole", lambda: _without("_within_whole")),), Attendance((1, 1), (12, 13))),
    "a set within a set": (
        ((relations, "_sets", lambda: _without("_sets", lambda row: len(row[0]) == 2)),),
        Made(((9, "F", (1, 1, 1)), (2, "M", (1, 1, 0)), (6, "M", (1, 1, 1))), ("cooccurrence",), ("cooccurrence",)),
    ),
    "either of two": (
        ((relations, "_sets", lambda: _without("_sets", lambda row: len(row[0]) == 4)),),
        Made(((1, "F", (0, 1, 0)), (2, "F", (1, 0, 1)), (7, "F", (1, 1, 1))), ("cooccurrence",)),
    ),
    "none of three": (
        ((relations, "_three", lambda: _without("_three")),),
        # numbers that rounding makes look as far off as it can: of 37 people one has none, and three have all
        Made(
            ((2, "F", (1, 0, 0)), (2, "F", (0, 1, 0)), (2, "F", (0, 0, 1)), (9, "F", (1, 1, 0)), (9, "F", (1, 0, 1)),
             (9, "F", (0, 1, 1)), (3, "F", (1, 1, 1)), (1, "F", (0, 0, 0))),
            ("at_least",), policy="nhs_england strict",
        ),
    ),
    "three pairs": (
        ((secondary, "triples_of", lambda: lambda system: []),),
        Made(((2, "F", (1, 0, 1)), (8, "F", (0, 1, 1))), ("cooccurrence",)),
    ),
    "numbers that fill a range": (
        ((relations, "_sizes", lambda: _without("_sizes")),),
        Made(
            ((3, "F", (0, 1, 1, 0)), (9, "F", (0, 1, 0, 1)), (1, "F", (1, 1, 1, 1)), (4, "M", (1, 0, 1, 0)), (2, "M", (1, 1, 0, 1))),
            ("further",), ("further",),
        ),
    ),
    "exact sets within a set": (
        ((relations, "_exact_sets", lambda: _without("_exact_sets", lambda row: not row[0][0][0].sized)),),
        Made(((2, "F", (0, 1)), (12, "M", (1, 0)), (11, "M", (1, 1))), ("exact",), ("exact",)),
    ),
    "exact sets of one size": (
        ((relations, "_exact_sets", lambda: _without("_exact_sets", lambda row: row[0][0][0].sized)),),
        Made(((4, "F", (0, 0)), (7, "M", (1, 0)), (11, "M", (1, 1))), (), ("condition_count", "exact")),
    ),
    "features by number": (
        ((relations, "_counted", lambda: _uncounted(1)),),
        Made(((2, "F", (0, 1)), (1, "M", (0, 0)), (15, "M", (0, 1))), (), ("condition_count_top",)),
    ),
    "pairs by number": (
        ((relations, "_counted", lambda: _uncounted(2)),),
        Made(
            ((16, "F", (1, 0, 0)), (2, "F", (1, 0, 1)), (2, "M", (0, 0, 0)), (2, "M", (1, 0, 0)), (10, "M", (0, 1, 0))),
            ("cooccurrence",), ("condition_count", "cooccurrence"), "sacro",
        ),
    ),
    "one number by feature": (
        ((relations, "_features", lambda: _without("_features", _of_number_and_feature)),),
        Made(((8, "F", (0, 0)), (4, "M", (1, 0)), (4, "M", (0, 1)), (4, "M", (1, 1))), ("at_least",), ("condition_count", "further")),
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _by_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MOST_ATOMS", "MOST_BY_STRATA"):
        monkeypatch.setattr(system, limit, 0)


@pytest.mark.parametrize("name", MUTANTS)
def test_nothing_is_found_with_every_relation(name: str) -> None:
    assert MUTANTS[name][1].findings() == []


@pytest.mark.parametrize("name", MUTANTS)
def test_something_is_found_without_a_kind_of_relations(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes, people = MUTANTS[name]
    for module, function, made in changes:
        monkeypatch.setattr(module, function, made())
    assert people.findings()
