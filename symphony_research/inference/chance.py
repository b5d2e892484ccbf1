"""What chance gives of a count of people: its moments, and how sure the ratio of the observed to it is."""

from __future__ import annotations

from dataclasses import dataclass

from symphony_research.inference.intervals import Array

__all__ = ["Chance"]


@dataclass(frozen=True)
class Chance:
    """Sums over strata, one entry a set of conditions.

    Attributes
    ----------
    expected : array
        People; against smaller sets, by maximum likelihood.
    null_mean, score_variance, third : array
        Exact mean, variance and third central moment of the count were there
        nothing to find, given all margins, or all smaller sets, of every stratum.
    log_ratio_variance : array
        Delta-method variance of log(observed/expected), people drawn at random.
    """

    expected: Array
    null_mean: Array
    score_variance: Array
    third: Array
    log_ratio_variance: Array
