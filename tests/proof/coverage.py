"""How often the intervals hold the truth, and how often the tests cry wolf: drawn, counted, printed.

    python tests/proof/coverage.py docs/proof.md [draws]

People are drawn as counts of the 2**4 sets of four conditions, so the true
observed/expected of every set is known from the probabilities of the sets.
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl

import symphony_research as sr

NAMES = ("a", "b", "c", "d")
SETS = np.array(list(product((0, 1), repeat=4)), dtype=np.int64)


def independent(p: tuple[float, ...]) -> np.ndarray:
    return np.prod(np.where(SETS == 1, p, 1 - np.asarray(p)), axis=1)


def clustered() -> np.ndarray:
    """Four conditions that share one frailty: a mixture of a robust and a frail group."""
    return 0.8 * independent((0.08, 0.1, 0.05, 0.12)) + 0.2 * independent((0.35, 0.4, 0.3, 0.5))


def true_ratio(chances: np.ndarray, held: tuple[int, ...], *, exact: bool) -> float:
    single = chances @ SETS
    inside = np.isin(np.arange(4), held)
    if exact:
        together = chances[(inside == SETS).all(axis=1)].sum()
        return float(together / np.prod(np.where(inside, single, 1 - single)))
    return float(chances[(SETS[:, inside] == 1).all(axis=1)].sum() / np.prod(single[inside]))


def patterns(counts: np.ndarray) -> sr.Patterns:
    masks = SETS @ (1 << np.arange(4))
    frame = pl.DataFrame({"mask_0": masks.astype(np.uint64), "n_persons": counts}).filter(pl.col("n_persons") > 0)
    return sr.Patterns(NAMES, frame.sort("mask_0"))


def run(people: int, draws: int) -> list[tuple[str, int, float, float]]:
    rng = np.random.default_rng(2013)
    rows = []
    cases = [("pair", (0, 1), "at_least"), ("triad", (0, 1, 2), "at_least"), ("exact pair", (0, 1), "exact")]
    for name, held, kind in cases:
        chances = clustered()
        truth = true_ratio(chances, held, exact=kind == "exact")
        null = independent((0.2, 0.25, 0.15, 0.3))
        inside = wolf = 0
        for _ in range(draws):
            for population, is_null in ((chances, False), (null, True)):
                found = sr.multimorbidity.combinations(patterns(rng.multinomial(people, population)), kind=kind)
                row = found.estimates.filter(pl.col("combination").list.join("") == "".join(NAMES[k] for k in held))
                if is_null:
                    wolf += row.height == 1 and row["p_value"].item() < 0.05
                else:
                    inside += row.height == 1 and row["oe_lower"].item() <= truth <= row["oe_upper"].item()
        rows.append((name, people, 100 * inside / draws, 100 * wolf / draws))
    return rows


def main() -> None:
    draws = int(sys.argv[2]) if len(sys.argv) > 2 else 2_000
    rows = [row for people in (500, 5_000) for row in run(people, draws)]
    error = 100 * (0.95 * 0.05 / draws) ** 0.5
    text = "\n".join(
        [
            "# Intervals and tests, by simulation",
            "",
            f"`make proof`: {draws:,} draws a row, Monte Carlo standard error {error:.2f} points. Coverage: how often the 95 % "
            "interval of observed/expected holds the true value, conditions clustering through a shared frailty. Size: how "
            "often p is under 0.05 when conditions are independent.",
            "",
            "| set | people | coverage, % | size, % |",
            "|---|---:|---:|---:|",
            *[f"| {name} | {people:,} | {cover:.1f} | {size:.1f} |" for name, people, cover, size in rows],
            "",
        ]
    )
    print(text)
    Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
