"""How right exact p values are in their tails: random strata and sets against naive sums and exact fractions.

    python tests/proof/tails.py [tables]

`coverage.py` writes what `lines` returns into docs/proof.md.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from itertools import pairwise
from math import comb, factorial, log, prod

import numpy as np
from scipy.special import gammaln

from symphony_research.inference import intersections as sets_module
from symphony_research.inference import stratified_log_mid_p
from symphony_research.inference.intersections import sets_log_mid_p
from symphony_research.inference.shifts import Shifts
from symphony_research.inference.stratified import log_mid_p

TABLES, FRACTIONS, SETS = 10_000, 500, 1_000
DECADES = (0, -1, -2, -3, -5, -10, -30, -100, -300)
MOST = 3e7  # multiplications of a naive sum

Table = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def chances(a: int, b: int, n: int, odds: float = 1.0) -> np.ndarray:
    """Of every count that the margins allow, by log factorials."""
    x = np.arange(max(0, a + b - n), min(a, b) + 1)
    logs = -(gammaln(x + 1) + gammaln(a - x + 1) + gammaln(b - x + 1) + gammaln(n - a - b + x + 1)) + x * np.log(odds)
    found = np.exp(logs - logs.max())
    return found / found.sum()


def random_table(random: np.random.Generator, strata: int, people: int) -> Table:
    """With both, with each, and in all, of each stratum; ages share conditions or divide them, and an odds ratio of 0.05 to 20."""
    s = int(np.exp(random.uniform(0, np.log(strata + 0.99))))
    n = np.exp(random.uniform(np.log(5), np.log(people), s)).astype(int)
    age, spread, together = random.normal(size=s), random.choice([0, 0.5, 1.5]), random.choice([-1, 0, 1])
    logits = [random.uniform(-5, 1) + spread * age, random.uniform(-5, 1) + spread * (together * age)]
    a, b = (random.binomial(n, 1 / (1 + np.exp(-x))) for x in logits)
    odds = np.exp(random.uniform(np.log(0.05), np.log(20))) if random.random() < 0.7 else 1.0
    low = np.maximum(0, a + b - n)
    drawn = [random.choice(len(p), p=p) for p in (chances(*m, odds) for m in zip(a, b, n, strict=True))]
    return low + drawn, a, b, n


def naive(table: Table) -> float:
    """Log p by adding up all sums there are: every term is positive, so only what is under 1e-308 is lost."""
    c, a, b, n = table
    parts = sorted((chances(*m) for m in zip(a, b, n, strict=True)), key=len)
    at = int((c - np.maximum(0, a + b - n)).sum())
    while len(parts) > 1:
        parts = sorted(
            (np.convolve(pair[0], pair[1]) if len(pair) > 1 else pair[0] for pair in _two_by_two(parts)), key=len
        )
    total = parts[0]
    upper, lower = total[at + 1 :].sum() + total[at] / 2, total[:at].sum() + total[at] / 2
    tail = min(upper, lower)
    return min(0.0, log(2 * tail)) if tail > 1e-290 else -np.inf


def _two_by_two(parts: list[np.ndarray]) -> list[list[np.ndarray]]:
    return [parts[k : k + 2] for k in range(0, len(parts), 2)]


def log_of_fraction(p: Fraction) -> float:
    return log(p.numerator) - log(p.denominator)


def mid_p(parts: list[list[int]], at: int) -> float:
    """Log two-sided mid-p of a sum of counts with whole-number weights, exactly."""
    total = [1]
    for own in parts:
        made = [0] * (len(total) + len(own) - 1)
        for i, x in enumerate(total):
            for j, y in enumerate(own):
                made[i + j] += x * y
        total = made
    upper = Fraction(2 * sum(total[at + 1 :]) + total[at], sum(total))
    return log_of_fraction(min(Fraction(1), upper, 2 - upper))


def exact(table: Table) -> float:
    c, a, b, n = ([int(x) for x in column] for column in table)
    parts, at = [], 0
    for one in zip(c, a, b, n, strict=True):
        low = max(0, one[1] + one[2] - one[3])
        own = range(low, min(one[1], one[2]) + 1)
        parts.append([comb(one[1], x) * comb(one[3] - one[1], one[2] - x) for x in own])
        at += one[0] - low
    return mid_p(parts, at)


def ours(table: Table) -> float:
    c, a, b, n = table
    return float(stratified_log_mid_p(c[:, None], a[:, None], b[:, None], n)[0])


def pairs(tables: int) -> list[tuple[float, float]]:
    """Log p: naive, and ours."""
    random = np.random.default_rng(2013)
    found: list[tuple[float, float]] = []
    while len(found) < tables:
        table = random_table(random, 200, 5_000)
        width = np.minimum(table[1], table[2]) - np.maximum(0, table[1] + table[2] - table[3])
        if width.sum() == 0 or width.sum() ** 2 / 2 > MOST or min(table[1].sum(), table[2].sum()) == 0:
            continue
        found.append((naive(table), ours(table)))
    return found


def fractions(tables: int) -> tuple[float, float]:
    """Largest relative difference from exact fractions, of pairs and of triads against their parts."""
    random, worst = np.random.default_rng(2014), [0.0, 0.0]
    for _ in range(tables):
        table = random_table(random, 12, 150)
        worst[0] = max(worst[0], abs(ours(table) - exact(table)))
        cells = random.poisson(random.gamma(0.7, random.choice([2, 8, 20]), (random.integers(1, 5), 8)))
        worst[1] = max(worst[1], abs(float(log_mid_p(Shifts(cells.T[:, :, None].astype(float)))[0]) - _shifted(cells)))
    return worst[0], worst[1]


def products_of(table: list[int], sign: list[int]) -> tuple[int, list[int]]:
    """Return how far a table can be shifted downwards with the same smaller margins, and the product of cell! of each shift."""
    low = min(x for x, g in zip(table, sign, strict=True) if g > 0)
    high = min(x for x, g in zip(table, sign, strict=True) if g < 0)
    shifts = range(-low, high + 1)
    return low, [prod(factorial(x + g * d) for x, g in zip(table, sign, strict=True)) for d in shifts]


def _shifted(cells: np.ndarray) -> float:
    sign = [(-1) ** (3 - c.bit_count()) for c in range(8)]
    parts, at = [], 0
    for table in cells.tolist():
        low, products = products_of(table, sign)
        whole = factorial(max(sum(table), 1)) ** 8
        parts.append([whole // product for product in products])
        at += low
    return mid_p(parts, at)


def sets(draws: int) -> tuple[float, float, float, int]:
    """Relative differences of larger sets: from fractions where they are small; where they are large, from drawing every set."""
    random, small, large = np.random.default_rng(2015), 0.0, []
    for at in range(draws):
        big = at % 2 == 1
        s = int(random.integers(1, 5)) if not big else int(np.exp(random.uniform(0, np.log(40))))
        exactly = random.random() < 0.5
        k = int(random.integers(3, 6)) if not (big and exactly) else int(random.integers(3, 12))
        n = np.exp(random.uniform(np.log(50), np.log(5_000), s)).astype(int) if big else random.integers(2, 40, s)
        inside = np.arange(k) < (random.integers(1, 4) if exactly else k)
        share = np.where(inside, random.uniform(0.1, 0.8, k), random.uniform(0.01, 0.4, k))
        held = random.binomial(n[:, None], share)
        sizes = np.where(inside, held, n[:, None] - held)
        mean = n * (sizes / n[:, None]).prod(axis=1)
        low, high = np.maximum(0, sizes.sum(axis=1) - (k - 1) * n), sizes.min(axis=1)
        moved = np.exp(random.choice([-1, 1]) * random.exponential(0.3))
        observed = np.clip(np.rint(mean * moved), low, high)
        arguments = inside[None], observed[:, None], n.astype(float), held.astype(float)
        found = sets_log_mid_p(*arguments, exact=exactly)[0]
        if not big:
            parts = [_common(sorted(own), people) for own, people in zip(sizes.tolist(), n.tolist(), strict=True)]
            small = max(small, abs(found - mid_p(parts, int((observed - low).sum()))))
            continue
        before, sets_module.LARGE = sets_module.LARGE, np.inf
        every = sets_log_mid_p(*arguments, exact=exactly)[0]
        sets_module.LARGE = before
        if every > -690:
            large.append((abs(np.expm1(found - every)), every))
    near = [d for d, p in large if p > -230]
    return small, max(near), max(d for d, _ in large), len(large)


def _common(sizes: list[int], people: int) -> list[int]:
    """Whole-number weights of the people whom random sets have in common, from the fewest there can be."""
    found = {sizes[0]: 1}
    for size in sizes[1:]:
        drawn: dict[int, int] = {}
        for y, p in found.items():
            # C(n, y) divides n!
            rest = factorial(people) // comb(people, y)
            for x in range(max(0, y + size - people), min(size, y) + 1):
                drawn[x] = drawn.get(x, 0) + p * rest * comb(size, x) * comb(people - size, y - x)
        found = drawn
    return [found[x] for x in sorted(found)]


def lines(tables: int = TABLES) -> list[str]:
    """Return the tables of docs/proof.md."""
    found = np.array(pairs(tables))
    usable = np.isfinite(found[:, 0])
    found = found[usable]
    power = found[:, 0] / np.log(10)
    text = [
        "",
        "## Tails of exact p values",
        "",
        f"{tables:,} random sets of 1 to 200 strata of 5 to 5,000 people, in which the conditions have odds ratios of 0.05 to 20 and share age, "
        "divide it, or have nothing to do with it. Exact: the largest difference of the library's p from a naive sum over "
        "everything possible, as a share of it.",
        "",
        "| exact p | sets of strata | exact: difference |",
        "|---|---:|---:|",
    ]
    for high, low in pairwise(DECADES):
        rows = found[(power <= high) & (power > low)]
        if not len(rows):
            continue
        true, exactly = rows.T
        text.append(f"| 1e{high} to 1e{low} | {len(rows):,} | {np.abs(np.expm1(exactly - true)).max():.0e} |")
    of_pairs, of_parts = fractions(FRACTIONS)
    small, near, far, many = sets(SETS)
    return [
        *text,
        "",
        f"Against exact fractions, {FRACTIONS} sets of 1 to 12 strata of 5 to 150 people: the logs of p differ by {of_pairs:.0e} at most; of triads "
        f"against their parts, {of_parts:.0e}. Larger and exact sets of up to 40 people against fractions: {small:.0e}. {many} larger and exact sets of thousands of people, "
        f"with every set drawn one after another: {100 * near:.2g}% at most where p is above 1e-100, {100 * far:.2g}% above 1e-300.",
        "",
    ]


if __name__ == "__main__":
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("tables", type=int, nargs="?", default=TABLES, help="random tables")
    print("\n".join(lines(reader.parse_args().tables)))
