"""The ratio of two groups' observed/expected, summed over strata, and how far a pair's is from 1.

References
----------
Rothman, K. J., Greenland, S. and Lash, T. L. (2008). Modern Epidemiology, third
edition, chapter 15 (rate ratios of Mantel and Haenszel). Lippincott.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse.margins import as_float, nan_to_null, possible_table
from symphony_research.inference import Array, log_interval
from symphony_research.inference.ends import ends_of
from symphony_research.inference.figures import ends_of_figure

__all__ = ["Cells", "Sums", "ratios_of_groups"]


class Cells(NamedTuple):
    """One group's people of one stratum: with both conditions of a pair, with the one, with the other, and in all."""

    both: Array
    first: Array
    second: Array
    n: float | Array


class Sums:
    """Adds up strata of two groups into one ratio of their observed/expected: arrays of (permutation, pair).

    With C people with both and E expected in a stratum, and f_a = E_b / (E_a + E_b), f_b = 1 - f_a, the ratio is X / Y,
    X the sum of f_a C_a and Y that of f_b C_b: Mantel and Haenszel's with expected people as the exposure. A stratum
    in which both groups have the same O/E adds as much to X as to Y, whoever it is common in. With one stratum X / Y
    is (C_a / E_a) / (C_b / E_b).
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.both, self.expected, self.weighted, self.shared = ([np.zeros(shape) for _ in "ab"] for _ in range(4))
        self.leaning = np.zeros(shape)
        self.squares = [np.zeros(shape) for _ in range(3)]  # what is over X squared, over X Y and over Y squared
        self.people: list[float | Array] = [0.0, 0.0]

    def add(self, groups: tuple[Cells, Cells]) -> None:
        """Add a stratum."""
        expected, crossed, squared = zip(*[_moments(cells) for cells in groups], strict=True)
        total = expected[0] + expected[1]
        total = np.where(total > 0, total, 1.0)  # where none is expected in either group, nobody has both
        factors = expected[1] / total, expected[0] / total
        product = factors[0] * factors[1]
        rates = groups[0].both / total, groups[1].both / total
        for own in (0, 1):
            c, f, rate, other = groups[own].both, factors[own], rates[own], rates[1 - own]
            self.both[own] += c
            self.expected[own] += expected[own]
            self.people[own] = self.people[own] + groups[own].n
            self.weighted[own] += f * c
            self.shared[own] += product * c
            # a person moves the own sum by f ([both] - rate e), the other by f other e, e what E gains by that person
            f_squared, turned = f * f, rate * squared[own]
            self.squares[2 * own] += f_squared * (c - rate * (2 * crossed[own] - turned))
            self.squares[1] -= 2 * f_squared * other * (crossed[own] - turned)
            self.squares[2 - 2 * own] += f_squared * other * other * squared[own]
        self.leaning += (groups[0].both + groups[1].both) * product * factors[0]

    @property
    def comparable(self) -> NDArray[np.bool_]:
        """Pairs that somebody has in a stratum where both groups could."""
        found: NDArray[np.bool_] = self.shared[0] + self.shared[1] > 0
        return found

    def log_ratio_variance(self, half: tuple[float | Array, float | Array] = (0.0, 0.0)) -> Array:
        """Return the variance of log(X / Y) by the delta method: people drawn at random, every margin estimated.

        With one stratum it is 1/C - 1/A - 1/B + 2C/(AB) - 1/N, of either group. `half` is added to X and to Y.
        """
        x, y = (sums + h for sums, h in zip(self.weighted, half, strict=True))
        variance: Array = (self.squares[0] / x + self.squares[1] / y) / x + self.squares[2] / y**2
        # what all people of a group together move it by: zero if every stratum has the same ratio
        others = self.shared[0] / x + self.shared[1] / y
        for own, n in ((self.weighted[0] / x, self.people[0]), (self.weighted[1] / y, self.people[1])):
            variance = variance - (own - others) ** 2 / np.maximum(n, 1.0)
        return variance

    def statistic(self) -> Array:
        """Return the log ratio over its standard error, half a person added to both what was observed and what equal O/E would give."""
        able = self.comparable
        shared = np.where(able, self.shared[0] + self.shared[1], 1.0)
        # half a person weighs what those with both would, were O/E equal: with one stratum f_a / 2 and f_b / 2
        lean = np.where(able, self.leaning / shared, 0.5)
        half = 0.5 * lean, 0.5 * (1 - lean)
        x, y = self.weighted
        # what both X and Y would be, were they equal: then half a person is added on either side and vanishes
        pooled = (1 - lean) * x + lean * y
        size = np.log((x + half[0]) / (pooled + half[0])) - np.log((y + half[1]) / (pooled + half[1]))
        own = 2 * (half[0] / (x + half[0])) ** 2 + 2 * (half[1] / (y + half[1])) ** 2
        variance = self.log_ratio_variance(half) + own
        return np.where(able, size / np.sqrt(variance), 0.0)


def _moments(cells: Cells) -> tuple[Array, Array, Array]:
    """Return the people expected; what a person adds to it, summed over the people with both; its square, summed over all."""
    c, n = cells.both, np.maximum(cells.n, 1.0)  # where nobody is, every count is 0
    a, b = cells.first / n, cells.second / n
    expected, independent = cells.first * b, a * b
    # a person adds [i] b + [j] a - a b to A B / N
    single = a + b - independent
    return expected, c * single, expected * (single - 2 * independent) + 2 * c * independent


def ratios_of_groups(
    table: pl.DataFrame, by: tuple[str, ...], confidence: float, released: Mapping[str, Any] | None = None
) -> pl.DataFrame:
    """Return each pair's observed/expected in two groups, and their ratio with its interval.

    Of released counts the interval holds for all that they stand for.
    """
    made, spread, poisson, crude, ends = {}, np.zeros(table.height), np.zeros(table.height), [], []
    for side in "ab":
        counts = tuple(as_float(table[f"n_{what}_{side}"]) for what in ("both", "source", "target", "persons"))
        c, a, b, n = possible_table(*counts)
        box = [(x, x) for x in (c, a, b, n)] if released is None else [ends_of(x, released) for x in counts]
        with np.errstate(divide="ignore", invalid="ignore"):
            independent = a * b / n
            expected = independent * as_float(table[f"expected_factor_{side}"])
            ratio = c / expected
            crude.append(c / independent)
            ends.append(_crude_ends(box))
            poisson = poisson + 1 / box[0][0]
            spread = spread + _most_spread(box)
        made[f"expected_{side}"] = expected
        made[f"observed_expected_{side}"] = np.where(expected > 0, ratio, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = crude[0] / crude[1] * as_float(table["ratio_factor"])
    variance = spread * as_float(table["variance_factor"])
    with np.errstate(divide="ignore", invalid="ignore"):
        least, most = ends[0][0] / ends[1][1], ends[0][1] / ends[1][0]
    factor = as_float(table["ratio_factor"])
    low, high = least * factor, most * factor
    if "figures_a" in table.columns:
        # a Poisson count's variance, which is larger, where that of the strata is not released
        variance = np.where(np.isnan(variance), poisson, variance)
        figures = np.minimum(*(table[f"figures_{side}"].fill_null(0).to_numpy() for side in "ab")) - 1
        low, high = (x * end for x, end in zip((least, most), ends_of_figure(factor, figures), strict=True))
    (lower, _), (_, upper) = (log_interval(one, variance, confidence) for one in (low, high))
    made |= {"ratio": ratio, "lower": lower, "upper": upper}
    nobody = ~((as_float(table["n_both_a"]) > 0) & (as_float(table["n_both_b"]) > 0))
    for name in ("ratio", "lower", "upper"):
        made[name] = np.where(nobody | ~np.isfinite(made[name]), np.nan, made[name])
    # a figure of one group is not shown where the other's count is suppressed: the factors stand for both
    return nan_to_null(
        table.select(
            *by,
            "source",
            "target",
            "n_both_a",
            "n_both_b",
            *[pl.Series(k, v) for k, v in made.items()],
            "p_value",
            pl.lit(None, dtype=pl.Float64).alias("q_value"),
            "family_wise_p",
        )
    )


Box = list[tuple[Array, Array]]


def _crude_ends(box: Box) -> tuple[Array, Array]:
    """Return the least and the most observed/expected of one group: people with both, with each, and in all, between two ends."""
    (c0, c1), (a0, a1), (b0, b1), (n0, n1) = box
    with np.errstate(divide="ignore", invalid="ignore"):
        return c0 * n0 / (a1 * b1), c1 * n1 / (a0 * b0)


def _most_spread(box: Box) -> Array:
    """Return the variance of log(observed/expected) of one group, each of its terms at its largest."""
    (c0, c1), (a0, a1), (b0, b1), (_, n1) = box
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = np.minimum(2 * c1 / (a0 * b0), 2 / np.maximum(a0, b0))
        return np.maximum(1 / c0 - 1 / a1 - 1 / b1 + shared - 1 / n1, 0)
