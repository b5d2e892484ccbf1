"""How often the intervals hold the truth, and how often the tests cry wolf: drawn, counted, printed.

    python tests/proof/coverage.py docs/proof.md [draws]

People are drawn as counts of the 2**4 sets of four conditions in four groups (of age, say), so the true
observed/expected of every set is known from the probabilities of the sets. Every draw is a row of one Patterns.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import tails

import symphony_research as sr

NAMES = ("a", "b", "c", "d")
SETS = np.array(list(product((0, 1), repeat=4)), dtype=np.int64)
# groups, by the share of people in each; the crude cases know them together only
SHARES = np.array([0.4, 0.3, 0.2, 0.1])
RISKS = np.array([[0.05, 0.08, 0.04, 0.1], [0.1, 0.15, 0.1, 0.2], [0.2, 0.3, 0.2, 0.3], [0.4, 0.45, 0.35, 0.5]])


@dataclass(frozen=True)
class Case:
    name: str
    held: tuple[int, ...]
    kind: str = "at_least"
    adjusted: bool = False
    parts: bool = False


CASES = (
    Case("pair", (0, 1)),
    Case("triad", (0, 1, 2)),
    Case("exact pair", (0, 1), kind="exact"),
    Case("pair within groups", (0, 1), adjusted=True),
    Case("triad within groups", (0, 1, 2), adjusted=True),
    Case("exact pair within groups", (0, 1), kind="exact", adjusted=True),
    Case("triad against its pairs", (0, 1, 2), parts=True),
    Case("triad against its pairs within groups", (0, 1, 2), adjusted=True, parts=True),
)


def independent(p: np.ndarray) -> np.ndarray:
    """Chances of the sets by group, conditions independent within it."""
    return np.prod(np.where(SETS == 1, p[:, None, :], 1 - p[:, None, :]), axis=2)


def clustered() -> np.ndarray:
    """Four conditions that share one frailty in each group: a mixture of robust and frail people."""
    return 0.7 * independent(0.6 * RISKS) + 0.3 * independent(np.minimum(1.9 * RISKS, 0.95))


def pairs_only() -> np.ndarray:
    """Conditions that go together in pairs and in no other way: log-linear with each pair and no triad."""
    logs = np.log(independent(RISKS))
    linked = sum(
        w * SETS[:, i] * SETS[:, j] for (i, j), w in {(0, 1): 1.0, (0, 2): 0.7, (1, 2): 0.8, (2, 3): 0.5}.items()
    )
    chances = np.exp(logs + linked)
    return chances / chances.sum(axis=1, keepdims=True)


def by_pairs(table: np.ndarray) -> float:
    """Share with all three given the pairs, by iterative proportional fitting from a table of ones."""
    fitted = np.ones((2, 2, 2))
    for _ in range(5_000):
        for axis in range(3):
            fitted *= table.sum(axis=axis, keepdims=True) / fitted.sum(axis=axis, keepdims=True)
    return float(fitted[1, 1, 1])


def true_ratio(chances: np.ndarray, case: Case) -> float:
    """Observed/expected of the whole population, the groups apart or together."""
    shares = SHARES if case.adjusted else np.ones(1)
    groups = chances if case.adjusted else (SHARES @ chances)[None]
    inside = np.isin(np.arange(4), case.held)
    met = (inside == SETS).all(axis=1) if case.kind == "exact" else (SETS[:, inside] == 1).all(axis=1)
    expected = 0.0
    for share, group in zip(shares, groups, strict=True):
        single = group @ SETS
        if case.parts:
            expected += share * by_pairs(group.reshape(2, 2, 2, 2).sum(axis=3))
        else:
            expected += share * np.prod(np.where(inside, single, 1 - single)[inside | (case.kind == "exact")])
    return float((shares @ groups)[met].sum() / expected)


def drawn(chances: np.ndarray, people: int, draws: int, *, grouped: bool, seed: int) -> sr.Patterns:
    counts = np.random.default_rng(seed).multinomial(people, (SHARES[:, None] * chances).ravel(), size=draws)
    counts = counts.reshape(draws, len(SHARES), len(SETS))
    counts = counts if grouped else counts.sum(axis=1, keepdims=True)
    draw, group, which = np.nonzero(counts)
    masks = SETS @ (1 << np.arange(4))
    frame = pl.DataFrame(
        {
            "draw": draw,
            "group": group,
            "mask_0": masks[which].astype(np.uint64),
            "n_persons": counts[draw, group, which],
        }
    )
    by = ("draw", "group") if grouped else ("draw",)
    return sr.Patterns(NAMES, frame.select(*by, "mask_0", "n_persons").sort(*by, "mask_0"), by)


def estimates(chances: np.ndarray, case: Case, people: int, draws: int, seed: int) -> pl.DataFrame:
    found = sr.multimorbidity.combinations(
        drawn(chances, people, draws, grouped=case.adjusted, seed=seed),
        kind=case.kind,
        adjust="group" if case.adjusted else (),
        against="no_higher_order_interaction" if case.parts else "independence",
        min_size=len(case.held),
        max_size=len(case.held),
    ).estimates
    return found.filter(pl.col("combination").list.join("") == "".join(NAMES[k] for k in case.held))


def run(people: int, draws: int) -> list[tuple[str, int, float, float]]:
    rows = []
    for case in CASES:
        truth = true_ratio(clustered(), case)
        found = estimates(clustered(), case, people, draws, 2013)
        inside = found.filter(pl.col("oe_lower").le(truth) & pl.col("oe_upper").ge(truth)).height
        # crude independence is that of one group: several of them together are not independent
        null = pairs_only() if case.parts and case.adjusted else independent(RISKS)
        if not case.adjusted:
            risks = np.repeat((SHARES @ RISKS)[None], len(SHARES), axis=0)
            null = independent(risks)
        wolf = estimates(null, case, people, draws, 2014).filter(pl.col("p_value") < 0.05).height
        rows.append((case.name, people, 100 * inside / draws, 100 * wolf / draws))
    return rows


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, help="file to write")
    reader.add_argument("draws", type=int, nargs="?", default=5_000, help="draws a row")
    given = reader.parse_args()
    draws = given.draws
    rows = [row for people in (1_000, 10_000) for row in run(people, draws)]
    error = 100 * (0.95 * 0.05 / draws) ** 0.5
    text = "\n".join(
        [
            "# Intervals and tests, by simulation",
            "",
            f"`make proof`: {draws:,} draws a row, Monte Carlo standard error {error:.2f} points. Coverage: how often the 95% "
            "interval of observed/expected holds the true value, conditions clustering "
            "through a frailty shared within four groups. Size: how often p is below 0.05 when there is nothing to find: "
            "conditions independent, within groups where so said; of triads against their pairs within groups, conditions "
            "that go together in pairs alone. A set nobody has in a draw counts as missed and not found.",
            "",
            "| set | people | coverage, % | size, % |",
            "|---|---:|---:|---:|",
            *[f"| {name} | {people:,} | {cover:.1f} | {size:.1f} |" for name, people, cover, size in rows],
            *tails.lines(),
        ]
    )
    print(text)
    given.target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
