"""Controls on the day of enrolment: a target trial on every day that somebody enrolled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symphony_research.cohort import Cohort
from symphony_research.cohort.matched import Matched, matched_of
from symphony_research.cohort.risk_sets import RiskSets
from symphony_research.errors import ArgumentError, NotEstimableError, require_one_of
from symphony_research.evaluation.matching import caliper_width, nearest, odds_weights, pair_weights
from symphony_research.evaluation.scores import Score, fitted_within_sets, mahalanobis
from symphony_research.inference import Array
from symphony_research.study import Study

__all__ = ["SCORES", "match_controls"]

SCORES = ("propensity", "mahalanobis", "odds_weights")


def match_controls(
    study: Study,
    cohort: Cohort,
    *,
    exact: Sequence[str] | None = None,
    score: str = "propensity",
    caliper: float | None = 0.2,
    ratio: int = 1,
    replacement: bool = True,
    practices: str = "any",
    candidates: int = 1_000,
    seed: int,
) -> Matched:
    """Match enrolled people to others on the day they enrolled.

    On the day that somebody first enrolled, the candidates are those registered and alive at its end who meet the same
    eligibility and had not enrolled up to and including that day. That day is their time zero too. Somebody may be a
    candidate on many days, and enrol later.

    Parameters
    ----------
    study : Study
    cohort : Cohort
        The enrolled: `define_cohort(study, programme=..., ...)`. Candidates must meet its other rules on the day: age,
        sex, conditions, practice, area, residence.
    exact : sequence of str, optional
        What controls must agree on: "sex", "age_band", "deprivation_quintile", "deprivation_decile", "area",
        "residence", "practice_id", or a programme, which had reached the practice by that day or not. By default sex and
        every other programme of practices: these start with the hubs, and would be counted as the hub's effect.
    score : {"propensity", "mahalanobis", "odds_weights"}
        Nearest controls by the log hazard of enrolling, or by Mahalanobis distance; or every candidate, weighted by the odds
        of enrolling within the risk set.
    caliper : float or None, default 0.2
        Controls differ by at most so many standard deviations of the log hazard of enrolling (the square root of the mean
        of the variances of enrolled people and candidates). With odds weights, some candidate must.
    ratio : int, default 1
        At most so many controls each.
    replacement : bool, default True
        Whether somebody may be a control of several enrolled people.
    practices : {"any", "of the hub", "of other hubs"}
        Where controls are registered, against the hub that the person enrolled with. What a hub does may spill over to other
        people of its practices.
    candidates : int, default 1,000
        At most so many of a risk set, and a million in all, drawn at random; each then stands for as many as there were to one
        drawn.
    seed : int
        Of the draw, and of the order that decides between controls equally near.

    Returns
    -------
    Matched
        With `.attrition`, `.without_controls()` and `.with_controls()`. It shows nobody.

    Raises
    ------
    ArgumentError
        If the cohort is not one of enrolment, an argument is out of range, or nobody has a control.

    Notes
    -----
    The score is Cox's partial likelihood of enrolling, each risk set one stratum, on age, deprivation, conditions, time since
    becoming eligible, and emergency admissions, runs of them, A&E attendances and cost 1-5, 6-15, 16-30, 31-60, 61-365 days
    before and earlier. Nothing dated on time zero or after it enters.

    References
    ----------
    Hernan, M. A. and Robins, J. M. (2016). Using big data to emulate a target trial when a randomized trial is not
    available. American Journal of Epidemiology 183, 758-764.
    Lu, B. (2005). Propensity score matching with time-dependent covariates. Biometrics 61, 721-728.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> matched
    Matched by propensity (confidential: person rows)
    """
    require_one_of(score, SCORES, argument="score")
    if caliper is not None and not (isinstance(caliper, (int, float)) and caliper > 0):
        raise ArgumentError(f"caliper={caliper!r} must be a number of standard deviations above 0, or None for none.")
    if type(ratio) is not int or ratio < 1:
        raise ArgumentError(f"ratio={ratio!r} must be an integer number of controls, at least 1.")
    if cohort.study is not study:
        raise ArgumentError("The cohort is of another study. Define it by the study that controls come from.")
    sets = cohort.risk_sets(exact=exact, practices=practices, candidates=candidates, seed=seed)
    treated = sets.treated
    if treated.all():
        raise NotEstimableError(
            f"None of {sets.n_sets:,} enrolled people has a candidate who agrees on {', '.join(sets.asked['exact']) or 'anything'}: "
            "match exactly on less, or widen the eligibility.",
            "Nobody who is comparable with enrolled people was there on the days on which they enrolled",
        )
    person = sets.person if score == "odds_weights" else None
    fit = fitted_within_sets(sets.measured.values, sets.set, treated, 1 / sets.share, person=person)
    allowed = ~treated
    apart = np.abs(fit.linear - fit.linear[: sets.n_sets][sets.set])
    if caliper is not None:
        allowed &= apart <= caliper_width(fit.linear, treated, caliper)
    if score == "odds_weights":
        # whoever has somebody near is compared with all, so that odds are those of the whole risk set
        near = np.bincount(sets.set[allowed], minlength=sets.n_sets) > 0
        weight = odds_weights(fit.linear, sets.set, treated, 1 / sets.share, ~treated & near[sets.set])
    else:
        distance = apart if score == "propensity" else mahalanobis(sets.measured.values, sets.set, treated)
        at = np.flatnonzero(allowed)
        order = np.random.default_rng((seed, 1)).permutation(sets.eligible.people.height)
        pairs = nearest(
            sets.set[at], at, distance[at], sets.person[at], ratio=ratio, replacement=replacement, order=order
        )
        weight = pair_weights(pairs, sets.n_sets, len(treated), np.arange(sets.n_sets))
    if not weight.any():
        raise NotEstimableError(
            f"None of {sets.n_sets:,} enrolled people has a control within the caliper of {caliper:g} standard deviations: widen it.",
            "Nobody was similar enough to enrolled people on the days on which they enrolled",
        )
    settings = {"score": score, "caliper": caliper, "ratio": ratio, "replacement": replacement}
    return matched_of(sets, weight, fit.linear, settings, _by_person(fit, sets))


def _by_person(fit: Score, sets: RiskSets) -> tuple[Array, Any] | None:
    """Return each person's influence on the score's coefficients, by their place; of odds weights alone."""
    if fit.influence is None:
        return None
    found = np.zeros((sets.eligible.people.height, fit.influence.shape[1]))
    found[: len(fit.influence)] = fit.influence
    return found, fit.coefficients
