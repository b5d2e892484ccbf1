"""How many pairs of conditions are still found from released counts, by figures that hold for every table they allow.

python tests/proof/released_pairs.py [people] [seed]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import symphony_research as sr
from symphony_research.disclosure.outputs import interval_of
from symphony_research.inference import FOUND, adjusted_p, largest_mid_p, union_interval_odds, union_interval_ratio
from symphony_research.networks.cooccurrence import with_ends

PEOPLE, SEED = 20_000, 2013
COUNTS = ("n_both", "n_source", "n_target", "n_persons")
AT_LEAST = (50, 8)


def boxes(safe: sr.Result, policy: sr.Policy) -> np.ndarray:
    """Ends of the four counts of each pair, NaN where one is suppressed."""
    pairs = with_ends(safe.count_tables["pairs"], safe.count_tables["margins"], ())
    pairs = pairs.with_columns(n_persons=pl.lit(safe.count_tables["population"]["n_persons"][0]))
    shown = (pairs[name].to_list() for name in COUNTS)
    unknown = (np.nan, np.nan)
    ends = [[unknown if v is None else interval_of(policy, v) for v in column] for column in shown]
    return np.array(ends, dtype=float).transpose(0, 2, 1).reshape(8, -1)


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("people", type=int, nargs="?", default=PEOPLE, help="people of the study")
    reader.add_argument("seed", type=int, nargs="?", default=SEED, help="seed of the generator")
    given = reader.parse_args()
    people, seed = given.people, given.seed
    policy = sr.Policy.nhs_england()
    with tempfile.TemporaryDirectory() as folder:
        sr.synthesise(Path(folder) / "study", people=people, seed=seed)
        exact = sr.networks.cooccurrence(sr.define_cohort(sr.read_study(Path(folder) / "study")).patterns())
    safe = sr.suppress({"pairs": exact}, policy)["pairs"]
    table, ends, confidence = exact.estimates, boxes(safe, policy), exact.settings["confidence"]
    p_value = largest_mid_p(*ends)
    q_value = adjusted_p(p_value, exact.settings["correction"])
    lower, upper = union_interval_ratio(*ends, confidence=confidence)
    odds = union_interval_odds(*ends, confidence=confidence)

    column = {name: table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in table.columns[2:]}
    true = (column["q_value"] <= FOUND) & (column["lower"] > 1)
    found = (q_value <= FOUND) & (lower > 1)
    fewer = (column["q_value"] <= FOUND) & (column["upper"] < 1), (q_value <= FOUND) & (upper < 1)
    # a figure of rounded counts as if they were exact
    naive = safe.estimates
    naive_found = ((naive["q_value"] <= FOUND) & (naive["lower"] > 1)).fill_null(False).to_numpy()
    print(
        f"{people:,} people, seed {seed}, {policy.title}: {table.height:,} pairs, {np.isfinite(lower).sum():,} with an interval"
    )
    for least in AT_LEAST:
        enough = column["n_both"] >= least
        kept = (true & found & enough).sum()
        print(
            f"n_both >= {least}: {(true & enough).sum():,} found from exact counts, {kept:,} of them from released ones"
        )
    print(f"found from released counts and not from exact ones: {(found & ~true).sum()}")
    print(f"the same of rounded counts taken as exact: {(naive_found & ~true).sum()} (found: {naive_found.sum():,})")
    print(
        f"fewer than expected: {fewer[0].sum():,} found from exact counts, {(fewer[0] & fewer[1]).sum():,} from released, {(fewer[1] & ~fewer[0]).sum()} false"
    )
    shown = np.isfinite(lower) & np.isfinite(column["lower"])
    wider = np.log(upper / lower)[shown] / np.log(column["upper"] / column["lower"])[shown]
    print(
        f"width of the interval, of the exact one, log scale: median {np.median(wider):.2f}, 95% below {np.quantile(wider, 0.95):.2f}"
    )
    inside = (p_value >= column["p_value"] * (1 - 1e-9)) | np.isnan(column["p_value"])
    for ours, name, sign in (
        (lower, "lower", 1),
        (upper, "upper", -1),
        (odds[0], "odds_ratio_lower", 1),
        (odds[1], "odds_ratio_upper", -1),
    ):
        inside &= ~(sign * (ours - column[name]) > 1e-9 * column[name])
    print(f"pairs whose exact p or interval is not within the released one: {(~inside).sum()}")
    if (found & ~true).any() or not inside.all():
        raise SystemExit(1)


if __name__ == "__main__":
    main()
