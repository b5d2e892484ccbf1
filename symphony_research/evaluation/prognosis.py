"""The prognostic score: what the outcome would be expected to be without enrolling, of candidates who had not."""

from __future__ import annotations

import numpy as np

from symphony_research.cohort.matched import Matched, outcome_rows
from symphony_research.errors import SymphonyError
from symphony_research.evaluation.counts import fitted_counts, independent_columns
from symphony_research.inference import Array

__all__ = ["prognostic_score"]

FEWEST_EVENTS = 5  # for each coefficient


def prognostic_score(matched: Matched, event: str, horizon: int) -> Array | None:
    """Return the log rate that each row's covariates let expect; None where too few candidates have events to say.

    It is fitted to candidates, each once: as of the first risk set that they are in.

    References
    ----------
    Hansen, B. B. (2008). The prognostic analogue of the propensity score. Biometrika 95, 481-488.
    """
    sets = matched._sets
    try:
        found = outcome_rows(matched, event, last=horizon, candidates=True)
    except SymphonyError:
        return None
    order = np.lexsort((found.set, found.person))
    order = order[~found.treated[order] & (found.days[order] > 0)]
    one = order[np.append(True, np.diff(found.person[order]) != 0)] if len(order) else order
    x, events = sets.measured.values[one], found.events[one]
    if not len(one) or events.sum() < FEWEST_EVENTS * (x.shape[1] + 1):
        return None
    middle, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    design = np.column_stack([np.ones(len(one)), (x - middle) / spread])
    kept = independent_columns(design, np.ones(len(one)), keep=1)
    try:
        fit = fitted_counts(design[:, kept], events, found.days[one], np.ones(len(one)))
    except SymphonyError:
        return None
    whole = np.zeros(design.shape[1])
    whole[kept] = fit.coefficients
    score: Array = ((sets.measured.values - middle) / spread) @ whole[1:]
    return score
