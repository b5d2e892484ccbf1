"""Which of two conditions comes first: the share in the order found more often than expected, its interval and its tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse.margins import as_float, nan_to_null
from symphony_research.inference import Array, wilson_interval
from symphony_research.inference.ends import ends_of
from symphony_research.inference.figures import ends_of_figure
from symphony_research.networks.precedence import pearson_p

__all__ = ["in_order"]

NEAR_THE_MEAN = 0.5  # a p value
FIGURES = 2  # significant figures of a released share expected, and of its moments


def in_order(table: pl.DataFrame, confidence: float, released: Mapping[str, Any] | None) -> pl.DataFrame:
    """Turn each pair so that its first condition comes first more often than expected, and test it.

    Of released counts the interval, and p, hold for all that they stand for.
    """
    n, first, second = (as_float(table[name]) for name in ("n_both", "n_first", "n_second"))
    expected, variance, skewness = (as_float(table[name]) for name in ("expected", "variance", "skewness"))
    with np.errstate(divide="ignore", invalid="ignore"):
        # the same day counts half: what is not in the one order nor in the other
        share = np.clip((1 + (first - second) / n) / 2, 0, 1)
    share = np.where(n > 0, share, np.nan)
    known = ~np.isnan(share)
    turned = known & (share < np.where(np.isnan(expected), 0.5, expected))
    least, most = ends_of_figure(expected, FIGURES) if released is not None else (expected, expected)
    least, most = np.where(turned, 1 - most, least), np.where(turned, 1 - least, most)
    share, expected = np.where(turned, 1 - share, share), np.where(turned, 1 - expected, expected)
    skewness = np.where(turned, -skewness, skewness)
    ahead = np.where(turned, second, first)
    counts = tuple((x, x) if released is None else ends_of(x, released) for x in (n, first, second))
    people, shares, lower, upper = _shares(counts, turned, confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = share / expected
        bends = (skewness,) if released is None else ends_of_figure(skewness, FIGURES)
        # of the shares that released counts stand for, and of the expected ones, those nearest each other
        gap = np.where(shares[0] > most, shares[0] - most, np.where(shares[1] < least, shares[1] - least, 0.0))
        tails = [pearson_p(gap * np.sqrt(k / variance), bend / np.sqrt(k)) for k in people for bend in bends]
        p_value = np.max(tails, axis=0)
        if released is not None:  # of a skew distribution p is not largest at the mean: next to it nothing is said
            p_value = np.where(p_value > NEAR_THE_MEAN, 1.0, p_value)
        p_value = np.where(variance > 0, p_value, np.nan)
        p_half = _against_half(counts[1], counts[2])
    swap = pl.Series(turned)

    def either_way(a: str, b: str) -> pl.Expr:
        return pl.when(swap).then(pl.col(b)).otherwise(pl.col(a))

    found = table.select(
        either_way("first", "second").alias("source"),
        either_way("second", "first").alias("target"),
        "n_both",
        either_way("n_first", "n_second").alias("n_first"),
        either_way("n_second", "n_first").alias("n_second"),
        "n_same_day",
        "n_alone",
        "n_left_out",
        pl.Series("estimate", share),
        pl.Series("lower", lower),
        pl.Series("upper", upper),
        pl.Series("expected", np.where(known, expected, np.nan)),
        pl.Series("observed_expected", np.where(np.isinf(ratio), np.nan, ratio)),
        pl.Series("p_value", np.where(known, p_value, np.nan)),
        pl.Series("q_value", np.full(len(n), np.nan)),
        pl.Series("p_value_half", np.where(known, p_half, np.nan)),
        "median_gap_months",
        pl.when(pl.Series(ahead > 0))
        .then(either_way("months_first", "months_second"))
        .alias("median_months_to_second"),
    )
    return nan_to_null(found)


def _shares(
    counts: tuple[tuple[Array, Array], ...], turned: NDArray[np.bool_], confidence: float
) -> tuple[tuple[Array, Array], tuple[Array, Array], Array, Array]:
    """Return the people, the shares in the order that is named, and the union of their intervals, between ends of counts."""
    (n0, n1), (f0, f1), (s0, s1) = counts
    # how many more are in the one order than in the other; the same day counts half
    low, high = np.where(turned, s0 - f1, f0 - s1), np.where(turned, s1 - f0, f1 - s0)
    shares, ends = [], []
    with np.errstate(divide="ignore", invalid="ignore"):
        for k in (n0, n1):
            own = [np.clip((1 + difference / k) / 2, 0, 1) for difference in (low, high)]
            shares.append([np.where(k > 0, share, np.nan) for share in own])
            ends.append(
                (
                    wilson_interval(shares[-1][0] * k, k, confidence)[0],
                    wilson_interval(shares[-1][1] * k, k, confidence)[1],
                )
            )
    (low_few, high_few), (low_many, high_many) = shares
    nearest = np.minimum(low_few, low_many), np.maximum(high_few, high_many)
    return (n0, n1), nearest, np.minimum(ends[0][0], ends[1][0]), np.maximum(ends[0][1], ends[1][1])


def _against_half(first: tuple[Array, Array], second: tuple[Array, Array]) -> Array:
    """Return p against one half, of the counts nearest each other; which of two unlike conditions is commoner in youth
    decides that, and not their order.
    """
    from scipy.special import bdtr

    more = np.where(first[0] > second[1], first[0], np.where(second[0] > first[1], second[0], np.nan))
    fewer = np.where(first[0] > second[1], second[1], first[1])
    apart = ~np.isnan(more)
    either, smaller = np.where(apart, more + fewer, 0.0), np.where(apart, fewer, 0.0)
    tail = bdtr(smaller, either.astype(np.int64), 0.5)
    found = np.where(apart, np.minimum(1, 2 * tail - _binomial_half(smaller, either)), 1.0)
    return np.where((first[1] + second[1] > 0), found, np.nan)


def _binomial_half(k: Array, n: Array) -> Array:
    """Return the probability of k of n at one half, so that the p value counts what was observed half on either side."""
    from scipy.special import gammaln

    return np.exp(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) - n * np.log(2))
