"""No interaction of the highest order: how many people would have a whole set, given all its parts.

References
----------
Bartlett, M. S. (1935). Contingency table interactions. Supplement to the
Journal of the Royal Statistical Society 2, 248-252.
Zelen, M. (1971). The analysis of several 2 x 2 contingency tables. Biometrika
58, 129-137 (exact, given the margins of every stratum).
"""

from __future__ import annotations

import numpy as np

from symphony_research.inference.expected_count import ExpectedCount
from symphony_research.inference.intervals import Array
from symphony_research.inference.shifts import Shifts
from symphony_research.inference.stratified import log_mid_p, one_nearer

__all__ = ["cells_of", "set_against_its_parts"]

STEPS = 200  # halvings at most: a double has 53 digits, and a zero may be approached from 1e-300


def cells_of(at_least: Array) -> Array:
    """Return the 2**k exact cells from the people with at least each subset (Moebius); the last axis is the subset."""
    cells = np.array(at_least, dtype=float)
    size = cells.shape[-1].bit_length() - 1
    for bit in range(size):
        halves = cells.reshape(*cells.shape[:-1], -1, 2, 1 << bit)
        halves[..., 0, :] -= halves[..., 1, :]
    return cells


def set_against_its_parts(cells: Array) -> ExpectedCount:
    """Compare people with a whole set with what all its smaller subsets imply, stratum by stratum.

    Parameters
    ----------
    cells : (S, F, 2**k) array
        People of S strata with exactly each subset of F sets of k conditions;
        bit i of the last index is the set's condition i.

    Returns
    -------
    Probability
        `expected`: the maximum-likelihood count under a log-linear model with
        every interaction but the highest, which iterative proportional fitting
        reaches in the limit. Here it is found at once: only one table for each
        shift d keeps all smaller margins, and the fitted one has the log-odds
        contrast zero.

    Notes
    -----
    With fitted cells m, sign g = (-1)**(k - members) and V = 1/sum(1/m), a
    person in cell c moves the expected count by 1[whole set] - V g_c/m_c. The
    test does not rest on the fit: in strata of few people its expected counts
    are too low, by a tenth where a handful have the set, and a table with whole
    shift d has the probability 1/product(cell!), so mean, variance and p are exact.
    """
    size = cells.shape[-1].bit_length() - 1
    sign = np.array([(-1.0) ** (size - bin(c).count("1")) for c in range(cells.shape[-1])])
    plus, minus = sign > 0, sign < 0
    low, high = -cells[..., minus].min(axis=-1), cells[..., plus].min(axis=-1)
    lowest, highest = low.copy(), high.copy()
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(STEPS):
            middle = (low + high) / 2
            # shifted down by the middle: fewer of the whole set
            contrast = (np.log(np.maximum(cells - sign * middle[..., None], 0)) * sign).sum(axis=-1)
            low, high = np.where(contrast > 0, middle, low), np.where(contrast > 0, high, middle)
            if not ((high - low) > 1e-15 * np.maximum(np.abs(high), np.abs(low))).any():
                break
        shift = (low + high) / 2
        fitted = cells - sign * shift[..., None]
        free = highest > lowest
        # where a zero leaves no room the smaller margins tell the count, and it adds no variance
        variance = np.where(free, 1 / (1 / np.where(free[..., None], fitted, 1.0)).sum(axis=-1), 0.0)
        moved = np.where(free[..., None], variance[..., None] * sign / np.where(free[..., None], fitted, 1.0), 0.0)
        whole = np.zeros(cells.shape[-1])
        whole[-1] = 1.0
        observed, expected = cells[..., -1].sum(axis=0), fitted[..., -1].sum(axis=0)
        influence = whole / observed[..., None] - (whole - moved) / expected[..., None]
        log_ratio = (cells * influence**2).sum(axis=(0, -1))
    whole_cells = np.rint(np.moveaxis(cells, -1, 0))
    tables = Shifts(whole_cells)
    mean, exact = (
        np.bincount(tables.item, weights=x, minlength=tables.n_items).astype(float)
        for x in (tables.mean, tables.variance)
    )
    own = cells[..., -1]
    step = one_nearer(own, own + lowest, own + highest, observed + mean) - own
    nearer = Shifts(whole_cells + sign[:, None, None] * step)
    return ExpectedCount(expected, observed + mean, exact, log_ratio, log_mid_p(tables), log_mid_p(nearer))
