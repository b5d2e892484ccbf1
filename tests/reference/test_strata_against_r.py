"""Sixty strata with empty and zero cells against R, to ten digits.

Every expected value is R's: `r/strata.R` wrote the tables in `expected/` (R 4.2.2) by mantelhaen.test, fisher.test,
p.adjust and loglin, and holds the commands. The cells are R's too, so both read the same people.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.inference import adjusted_p, hypergeometric_mid_p
from symphony_research.inference.interaction import set_against_its_parts

EXPECTED = Path(__file__).parent / "expected"
TEN_DIGITS = {"rel": 1e-10, "abs": 1e-300}


@cache
def from_r(name: str) -> np.ndarray:
    table = pl.read_csv(EXPECTED / "strata.csv", infer_schema=False)
    text = table.filter(pl.col("name") == name)["value"].item()
    return np.array([np.nan if part == "NA" else float(part) for part in text.split("|")])


def patterns_of(file: str, masks: dict[str, int], conditions: tuple[str, ...]) -> sr.Patterns:
    """People counted by stratum and set; strata without people are simply not there."""
    long = (
        pl.read_csv(EXPECTED / f"{file}.csv")
        .unpivot(index="stratum", variable_name="cell", value_name="n_persons")
        .filter(pl.col("n_persons") > 0)
        .with_columns(pl.col("cell").replace_strict(masks, return_dtype=pl.UInt64).alias("mask_0"))
    )
    frame = long.select("stratum", "mask_0", "n_persons").sort("stratum", "mask_0")
    return sr.Patterns(conditions, frame, ("stratum",))


def pairs() -> sr.Patterns:
    return patterns_of("strata_cells", {"both": 3, "first": 1, "second": 2, "neither": 0}, ("a", "b"))


@pytest.mark.parametrize("confidence", [0.95, 0.9])
def test_odds_ratio_is_mantel_and_haenszels(confidence):
    found = sr.networks.cooccurrence(pairs(), adjust="stratum", confidence=confidence).estimates.row(0, named=True)
    assert found["odds_ratio"] == pytest.approx(from_r("mantelhaen odds ratio").item(), **TEN_DIGITS)
    assert [found["odds_ratio_lower"], found["odds_ratio_upper"]] == pytest.approx(
        list(from_r(f"mantelhaen interval {confidence}")), **TEN_DIGITS
    )
    assert found["expected"] == pytest.approx(from_r("expected").item(), **TEN_DIGITS)


def test_score_test_of_a_pair_is_cochran_mantel_and_haenszels():
    for kind in ("exact", "at_least"):  # of two conditions the set of both is one and the same
        found = sr.multimorbidity.combinations(pairs(), kind=kind, adjust="stratum")
        row = found.estimates.filter(pl.col("size") == 2).row(0, named=True)
        assert row["statistic"] ** 2 == pytest.approx(from_r("mantelhaen statistic").item(), **TEN_DIGITS)
        assert row["expected"] == pytest.approx(from_r("expected").item(), **TEN_DIGITS)
    network = sr.networks.cooccurrence(pairs(), adjust="stratum").estimates.row(0, named=True)
    assert network["p_value"] == pytest.approx(row["p_value"], **TEN_DIGITS)
    # the exact test of all strata, where the normal one is off by six powers of ten
    assert np.log10(row["p_value"]) == pytest.approx(np.log10(from_r("mantelhaen exact p").item()), abs=1.6)


def test_one_stratum_alone_is_fishers_exact_test():
    cells = pl.read_csv(EXPECTED / "strata_cells.csv")
    both, first, second, neither = (cells[c].to_numpy() for c in ("both", "first", "second", "neither"))
    some = both + first + second + neither > 0
    both, first, second, neither = both[some], first[some], second[some], neither[some]
    ours = hypergeometric_mid_p(both, both + first, both + second, both + first + second + neither)
    assert ours == pytest.approx(from_r("mid-p")[some], **TEN_DIGITS)


@pytest.mark.parametrize(
    ("correction", "method"), [("benjamini_hochberg", "BH"), ("holm", "holm"), ("bonferroni", "bonferroni")]
)
def test_corrections_are_p_adjusts(correction, method):
    assert adjusted_p(from_r("p"), correction) == pytest.approx(from_r(f"p.adjust {method}"), nan_ok=True, **TEN_DIGITS)


def test_no_three_way_interaction_is_loglins():
    triads = patterns_of("strata_triads", {f"c{k}": k for k in range(8)}, ("a", "b", "c"))
    arguments = {"kind": "at_least", "against": "no_higher_order_interaction", "max_size": 3}
    fitted, converged = from_r("loglin no three-way"), from_r("loglin converged") == 1
    alone = sr.multimorbidity.combinations(triads, **arguments).estimates
    by_stratum = dict(alone.filter(pl.col("expected").is_not_null()).select("stratum", "expected").iter_rows())
    assert len(by_stratum) >= 50
    for stratum, expected in by_stratum.items():
        near = TEN_DIGITS if converged[stratum - 1] else {"rel": 1e-4}
        assert expected == pytest.approx(fitted[stratum - 1], **near), stratum
    assert sum(converged[k - 1] for k in by_stratum) >= 50
    together = sr.multimorbidity.combinations(triads, adjust="stratum", **arguments).estimates.row(0, named=True)
    # a stratum where nobody has all three has no row of its own, but counts here
    near = {"rel": 1e-10} if converged.all() else {"rel": 1e-8}
    assert together["expected"] == pytest.approx(np.nansum(fitted), **near)


def test_no_four_way_interaction_is_loglins():
    # R's arrays run the first condition fastest, as the bits of a subset do
    cells = from_r("four cells")[None, None, :]
    assert set_against_its_parts(cells).expected.item() == pytest.approx(
        from_r("loglin no four-way").item(), **TEN_DIGITS
    )
