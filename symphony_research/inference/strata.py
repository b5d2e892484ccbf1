"""Two by two tables summed over strata: what is expected of both, and the Mantel-Haenszel odds ratio.

References
----------
Mantel, N. and Haenszel, W. (1959). Statistical aspects of the analysis of data
from retrospective studies of disease. Journal of the National Cancer Institute
22, 719-748.
Robins, J., Breslow, N. and Greenland, S. (1986). Estimators of the
Mantel-Haenszel variance consistent in both sparse data and large-strata limiting
models. Biometrics 42, 311-323.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from symphony_research.inference.intervals import Array

__all__ = ["StratifiedPairs", "stratified_pairs"]


@dataclass(frozen=True)
class StratifiedPairs:
    """Sums over strata of pairs of conditions, one entry a pair.

    Attributes
    ----------
    observed, expected : array
        People with both; and were the two independent within each stratum.
    score_variance : array
        Variance of `observed` were they so, every stratum's margins fixed.
    log_ratio_variance : array
        Delta-method variance of log(observed/expected) of people drawn at
        random, every margin estimated.
    odds_ratio, log_odds_variance : array
        Mantel and Haenszel's, and Robins, Breslow and Greenland's.
    """

    observed: Array
    expected: Array
    score_variance: Array
    log_ratio_variance: Array
    odds_ratio: Array
    log_odds_variance: Array


def stratified_pairs(both: ArrayLike, first: ArrayLike, second: ArrayLike, people: ArrayLike) -> StratifiedPairs:
    """Sum pairs of conditions over strata.

    Parameters
    ----------
    both, first, second : (S, P) array_like
        People of each stratum with both conditions of a pair, with the one, with the other.
    people : (S,) or (S, P) array_like
        People of each stratum; a stratum without people adds nothing.

    Notes
    -----
    With e = p_i p_j of a stratum, a person there moves log(O/E) by
    x = 1[both]/O - (p_j 1[i] + p_i 1[j] - e)/E, which sums to zero over all
    people; the variance is the sum of x squared. In one stratum it is
    1/C - 1/A - 1/B + 2C/(AB) - 1/N.
    """
    c, a, b = (np.asarray(x, dtype=float) for x in (both, first, second))
    n = np.asarray(people, dtype=float)
    n = n[:, None] if n.ndim == 1 else n
    n = np.where(n == 0, 1.0, n)  # nobody has anything there, whatever their number
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = a / n, b / n
        e = p * q
        observed, expected = c.sum(axis=0), (n * e).sum(axis=0)
        # (p + q - e) and p q^2 + p^2 q - 3 e^2 + 2 c e / n are the sums of y and of y^2 over those with both, and over all
        crossed = (c * (p + q - e)).sum(axis=0)
        squared = (n * (e * (p + q) - 3 * e**2) + 2 * c * e).sum(axis=0)
        log_ratio = 1 / observed - 2 * crossed / (observed * expected) + squared / expected**2
        each = np.where(n > 1, a * b * (n - a) * (n - b) / (n**2 * np.maximum(n - 1, 1)), 0.0)
        score = each.sum(axis=0)
        agree, differ = (c + n - a - b + c) / n, (a + b - 2 * c) / n
        r, s = c * (n - a - b + c) / n, (a - c) * (b - c) / n
        sum_r, sum_s = r.sum(axis=0), s.sum(axis=0)
        log_odds = (
            (agree * r).sum(axis=0) / (2 * sum_r**2)
            + (agree * s + differ * r).sum(axis=0) / (2 * sum_r * sum_s)
            + (differ * s).sum(axis=0) / (2 * sum_s**2)
        )
        return StratifiedPairs(observed, expected, score, log_ratio, sum_r / sum_s, log_odds)
