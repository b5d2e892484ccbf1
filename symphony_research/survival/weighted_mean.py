"""The mean of a value over a horizon where some people are censored before it: complete cases weighted by the share uncensored.

References
----------
Bang, H. and Tsiatis, A. A. (2000). Estimating medical costs with censored data. Biometrika 87, 329-343.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

__all__ = ["WeightedMean", "weighted_mean"]

_WHOLE = 1e-9  # by which weights that add up to everybody may miss it


@dataclass(frozen=True)
class WeightedMean:
    """A mean with its variance by person.

    Attributes
    ----------
    estimate, variance : float or None
        None where the last of all to be observed is censored: nobody stands for them.
    n_persons : float
    total : float
        Weighted sum of the values.
    squared : tuple of float
        Sums of the squared weights, of these times the values, and times their squares.
    """

    estimate: float | None
    variance: float | None
    n_persons: float
    total: float
    squared: tuple[float, float, float]

    def herfindahl(self, below: float | None = None) -> float:
        """Return the Herfindahl index of what people add to the total, or to what the total lacks of so much each."""
        ones, values, squares = self.squared
        if below is None:
            return squares / self.total**2 if self.total else 0.0
        missing = below * self.n_persons - self.total
        lacking = max(below**2 * ones - 2 * below * values + squares, 0.0)
        return lacking / missing**2 if missing > _WHOLE * below * self.n_persons else 0.0


def weighted_mean(cells: pl.DataFrame) -> WeightedMean:
    """Estimate a mean from people counted by when and how their observation ended.

    Parameters
    ----------
    cells : polars.DataFrame
        `time`, `complete` (whether the value is known as a whole), `n_persons`, `sum` and `squares` of the values
        of the people of a row.

    Returns
    -------
    WeightedMean

    Notes
    -----
    Whoever is complete at T has weight 1 / K(T-), K the Kaplan-Meier estimate of being uncensored; values complete at the
    time of a censoring come before it. Its variance sums over people the square of the derivative of the estimate with
    respect to their weight (the infinitesimal jackknife), times n / (n - 1): with nobody censored that is the usual one.

    Examples
    --------
    >>> two = pl.DataFrame({"time": [9, 9], "complete": [True, True], "n_persons": [1, 1], "sum": [3.0, 5.0], "squares": [9.0, 25.0]})
    >>> weighted_mean(two).estimate, weighted_mean(two).variance
    (4.0, 1.0)
    """
    own = cells.sort("time", pl.col("complete").not_())
    complete = own["complete"].to_numpy()
    n, total, squares = (own[c].cast(pl.Float64).to_numpy() for c in ("n_persons", "sum", "squares"))
    times = own["time"].to_numpy()
    everybody = float(n.sum())
    censored = np.unique(times[~complete])
    gone = np.array([n[(times == u) & ~complete].sum() for u in censored])
    at_risk = np.array([n[(times > u) | ((times == u) & ~complete)].sum() for u in censored])
    share = np.concatenate([[1.0], np.cumprod(1 - gone / at_risk)])
    before = np.searchsorted(censored, times, side="left")  # censorings before each time
    weight = np.where(complete, 1 / np.where(complete, share[before], 1.0), 0.0)
    values = weight * total
    result = float(values.sum())
    ones, firsts, seconds = (float((weight**2 * moment).sum()) for moment in (n, total, squares))
    squared = (ones, firsts, seconds)
    if everybody == 0 or abs(float((weight * n).sum()) / everybody - 1) > _WHOLE:
        return WeightedMean(None, None, everybody, result, squared)
    mean = result / everybody
    # what each censoring moves on to those who stay: A / (Y (Y - c)) times c for whoever stays, A / Y for whoever is censored
    later = np.array([values[times > u].sum() for u in censored])
    stays = np.append(0.0, np.cumsum(later * gone / (at_risk * np.maximum(at_risk - gone, 1.0))))
    leaves = np.append(later / at_risk, 0.0)
    shift = -mean - stays[before] + np.where(complete, 0.0, leaves[before])
    sums = weight**2 * squares + 2 * weight * shift * total + n * shift**2
    variance = float(sums.sum()) / (everybody * (everybody - 1)) if everybody > 1 else None
    return WeightedMean(mean, variance, everybody, result, squared)
