"""Each defence taken away makes an attack succeed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attacker
import dominance
import lattice
import numpy as np
import polars as pl
import produce
import pytest
from study import POLICIES, attack, world_of

import symphony_research as sr
from symphony_research.disclosure import control, primary, relations, secondary, triples
from symphony_research.disclosure.secondary import Protection
from symphony_research.policy import Policy

NHS = POLICIES["nhs_england"]
Patch = Callable[[pytest.MonkeyPatch], None]


def _counts(name: str, *kinds: str) -> list[str]:
    world = world_of(name)
    made = produce.of_patterns(world, (), kinds or produce.LATTICE)
    if world.by:
        made |= produce.of_patterns(world, world.by, kinds or produce.LATTICE)
    found = attack(world, NHS, made, files=False)
    return found.wrong_counts() or [str(f) for f in found.at_risk()]


def _pairs(name: str) -> list[str]:
    frame = lattice.AWKWARD[name]()
    released = sr.suppress(lattice.results(frame, ()), NHS)
    every = tuple(c for c in frame.columns if c != "sex")
    return [str(f) for f in lattice.at_risk(frame, released, attacker.RULES["nhs_england"], every)]


def _costs() -> list[str]:
    world = world_of("dominated_cost")
    made = attack(world, NHS, produce.of_patterns(world, (), ("exact", "at_least")))
    return dominance.shown(made.tables, world)


def _few_figures() -> list[str]:
    world = world_of("0")
    released = sr.suppress(produce.of_patterns(world, (), ("exact",)), NHS)["exact"]
    means = released.count_tables["cells"]["mean_cost"].drop_nulls().to_list()
    return [str(m) for m in means if m != float(f"{m:.2e}")]


def _levels() -> list[str]:
    world = world_of("1")
    released = sr.suppress(produce.of_two_groups(world), NHS)["comparison"]
    p = released.count_tables["pairs"]["p_value"].drop_nulls().to_list()
    return [str(x) for x in p if x not in (0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)]


def _behind_suppressed() -> list[str]:
    """P values that rest on a suppressed count."""
    found = []
    for name in ("1", "4", "10"):
        released = sr.suppress(produce.of_two_groups(world_of(name)), NHS)["comparison"].count_tables
        gone = released["margins"].filter(pl.any_horizontal(pl.col("n_persons_a", "n_persons_b").is_null()))[
            "condition"
        ]
        pairs = released["pairs"].filter(
            pl.col("source").is_in(gone.to_list()) | pl.col("target").is_in(gone.to_list())
        )
        found += [str(p) for p in pairs["p_value"].drop_nulls()]
        found += [str(f) for c in pairs.columns if c.endswith("factor") for f in pairs[c].drop_nulls()]
    return found


def _of_small_strata() -> list[str]:
    """Counts shown of a stratum whose people are few: which of them are zero says what those few have."""
    world = world_of("hidden_stratum")
    released = sr.suppress(produce.of_patterns(world, world.by, ("prevalence",)), NHS)["prevalence__by_sex"]
    cells = released.count_tables["cells"]
    return cells.filter((pl.col("sex") == "unknown") & pl.col("n_persons").is_not_null())["condition"].to_list()


def _off(module: Any, name: str, value: Any) -> Patch:
    return lambda patch: patch.setattr(module, name, value)


def _nothing(*args: Any, **more: Any) -> Any:
    return iter(())


def _exact(self: Policy, column: str) -> pl.Expr:
    return pl.when(~self.hides(column)).then(pl.col(column)).alias(column)


def _unsearched(system: Any, cells: Any, policy: Policy) -> Any:
    return {}


DEFENCES: dict[str, tuple[Patch, Callable[[], list[str]]]] = {
    "counts are rounded": (_off(Policy, "rounded", _exact), lambda: _counts("three_of_180")),
    "small counts are suppressed": (
        _off(Policy, "hides", lambda self, column: pl.lit(False)),
        lambda: _counts("squeezed"),
    ),
    "secondary suppression": (
        _off(control, "protect_or_withhold", lambda own, *a: (own, Protection())),
        lambda: _counts("squeezed"),
    ),
    "suppressed counts are searched": (_off(secondary, "targets_of", _unsearched), lambda: _counts("squeezed")),
    "strata of few are suppressed": (_off(control, "suppressed_strata", lambda *a: frozenset()), _of_small_strata),
    "means are rounded": (_off(primary, "_rounded_mean", lambda mean: mean), _few_figures),
    "dominance": (_off(Policy, "spread_wide_enough", lambda self, column: pl.lit(True)), _costs),
    "levels of p": (_off(primary, "_level", lambda p, levels: p), _levels),
    "relations of three pairs": (_off(triples, "triples_of", _nothing), lambda: _pairs("three pairs")),
    "relations of pairs and numbers": (_off(relations, "_features", _nothing), lambda: _pairs("two pairs")),
    "what families declare": (_off(relations, "declared", _nothing), lambda: _pairs("two pairs")),
}
DEFENCES["relations of three pairs"] = (_off(secondary, "triples_of", lambda system: []), lambda: _pairs("three pairs"))
# p values and factors beside a suppressed count go with the counts of their own pair, too
COVERED_TWICE: dict[str, tuple[Patch, Callable[[], list[str]]]] = {
    "factors are trimmed": (
        lambda patch: patch.setattr(produce.families()["NetworkComparison"], "trim", staticmethod(lambda t, s, b: t)),
        _behind_suppressed,
    ),
}


@pytest.mark.parametrize("name", sorted(DEFENCES | COVERED_TWICE))
def test_nothing_is_found_with_every_defence(name: str) -> None:
    assert (DEFENCES | COVERED_TWICE)[name][1]() == []


@pytest.mark.parametrize("name", sorted(DEFENCES))
def test_something_is_found_without_a_defence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    patch, look = DEFENCES[name]
    patch(monkeypatch)
    assert look()


def test_a_median_is_shown_with_the_threshold_of_people_on_each_side() -> None:
    from symphony_research.result.roles import Count, Quantile, TableRoles

    table = pl.DataFrame({"n_persons": [14, 16, 40], "median": [10.4, 11.6, 12.2]})
    roles = TableRoles({"n_persons": Count(), "median": Quantile("n_persons")}, lambda *a: None)
    assert primary.drafted(table, roles, NHS)["median"].to_list() == [None, 12, 12]


# -- a solver that gives up -------------------------------------------------------------------------------------


def _shown(results: dict[str, sr.Result]) -> set[tuple[str, str, int, str]]:
    released = sr.suppress(results, NHS)
    return {
        (kind, name, row, column)
        for kind, result in released.items()
        for name, table in result.count_tables.items()
        for column in result.roles[name].people
        for row in np.flatnonzero(table[column].is_not_null() & (table[column] > 0)).tolist()
    }


@pytest.mark.parametrize("how", ["no programme is solved", "none is allowed"])
def test_a_search_that_gives_up_shows_nothing_that_it_would_have_suppressed(how: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    world = world_of("squeezed")
    made = produce.of_patterns(world, (), ("prevalence", "condition_count", "at_least", "cooccurrence", "further"))
    before = _shown(made)
    if how == "none is allowed":
        monkeypatch.setattr("symphony_research.disclosure.search.MOST_PROGRAMMES", 0)
    else:
        monkeypatch.setattr("symphony_research.disclosure.decomposition.Block.solve", lambda self, *a: None)
    after = _shown(made)
    assert after <= before
    assert after < before or not made
