"""The count tables of the order of two onsets."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import Onsets
from symphony_research.collapse.margins import nan_to_null
from symphony_research.collapse.onsets import NEVER, UNKNOWN
from symphony_research.networks.precedence import sizes, temporal_precedence
from symphony_research.words.numbers import DAYS_A_MONTH

__all__ = ["order_tables"]

_SCHEMA = {
    "first": pl.String, "second": pl.String, "n_both": pl.Int64, "n_first": pl.Int64, "n_second": pl.Int64,
    "n_same_day": pl.Int64, "n_alone": pl.Int64, "n_left_out": pl.Int64, "expected": pl.Float64,
    "variance": pl.Float64, "skewness": pl.Float64, "median_gap_months": pl.Float64, "months_first": pl.Float64,
    "months_second": pl.Float64,
}  # fmt: skip


def order_tables(onsets: Onsets, fewest: int) -> dict[str, pl.DataFrame]:
    """Return people with both conditions by their order, of each pair that enough people have."""
    rows = []
    day_of = np.full(onsets.n_persons, NEVER, dtype=np.int32)
    for i, name in enumerate(onsets.conditions):
        day_of[onsets._people[i]] = onsets._days[i]
        for j in range(i + 1, len(onsets.conditions)):
            people, second = onsets._people[j], onsets._days[j]
            first = day_of[people]
            both = first != NEVER
            known = both & (first != UNKNOWN) & (second != UNKNOWN)
            stratum = onsets._stratum[people[known]]
            if len(stratum) < fewest:
                continue
            first, second = first[known], second[known]
            order = temporal_precedence(first, second, stratum)
            if order.n_both < fewest:
                continue
            size = sizes(stratum)
            gap = (second.astype(np.int64) - first)[np.repeat(size > 1, size)]
            rows.append(
                (
                    name, onsets.conditions[j], order.n_both, order.n_first, order.n_second,
                    order.n_both - order.n_first - order.n_second, order.n_alone, int(both.sum() - known.sum()),
                    order.expected, order.variance, order.skewness, *_medians(gap),
                )
            )  # fmt: skip
        day_of[onsets._people[i]] = NEVER
    table = nan_to_null(pl.DataFrame(rows, schema=_SCHEMA, orient="row"))
    others = ("n_same_day", "n_alone", "n_left_out")
    return {
        "pairs": table.drop(others),
        **{name.removeprefix("n_"): table.select("first", "second", name) for name in others},
    }


def _medians(gap: NDArray[np.int64]) -> tuple[float, float, float]:
    """Return the median interval either way, where the first came first, and where the second did, in whole months."""
    groups = (np.abs(gap), gap[gap > 0], -gap[gap < 0])
    return tuple(float(np.floor(np.median(g) / DAYS_A_MONTH + 0.5)) if len(g) else np.nan for g in groups)  # type: ignore[return-value]
