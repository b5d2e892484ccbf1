"""Expected count of people: its moments, and how sure the ratio of the observed to it is."""

from __future__ import annotations

from dataclasses import dataclass

from symphony_research.inference.intervals import Array

__all__ = ["ExpectedCount"]


@dataclass(frozen=True)
class ExpectedCount:
    """Sums over strata, one entry a set of conditions.

    Attributes
    ----------
    expected : array
        People; against smaller sets, by maximum likelihood.
    null_mean, score_variance : array
        Exact mean and variance of the count were there nothing to find, given
        all margins, or all smaller sets, of every stratum.
    log_ratio_variance : array
        Delta-method variance of log(observed/expected), people drawn at random.
    log_p : array or None
        Log of the exact two-sided mid-p value, where it was found with them.
    log_p_nearer : array or None
        The same of the count one person nearer to `null_mean`.
    """

    expected: Array
    null_mean: Array
    score_variance: Array
    log_ratio_variance: Array
    log_p: Array | None = None
    log_p_nearer: Array | None = None
