"""Estimators of the controlled evaluation, and standard ways of getting it wrong, each of one study with its error and its truth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from evaluation_worlds import EFFECTS, World, enrolled_of, in_world

import symphony_research as sr
from symphony_research.cohort.history import Measured
from symphony_research.cohort.matched import Matched, OutcomeRows, outcome_rows
from symphony_research.evaluation.censoring import censored_at_enrolment, censoring_weights
from symphony_research.evaluation.effect_tables import arms_of, effect_tables
from symphony_research.evaluation.match import _by_person
from symphony_research.evaluation.matching import caliper_width, nearest, odds_weights, pair_weights
from symphony_research.evaluation.scores import fitted_within_sets
from symphony_research.evaluation.weighted import RateRatio, rate_ratio

__all__ = ["ESTIMATORS", "PRIMARY", "WRONG", "Estimate", "estimates"]

EVENT, YEAR = "emergency_admission", 365
PRIMARY = "odds weights, adjusted (primary)"
WRONG = (
    "before and after, no controls",
    "look back of 30 days",
    "months: time zero on the first",
    "controls censored at enrolment, no weights",
    "difference in differences over matched months",
)
ESTIMATORS = (
    PRIMARY,
    "odds weights alone",
    "nearest control, adjusted",
    "nearest five, adjusted",
    "odds weights, mean events a person",
    "odds weights, deaths",
    "controls censored at enrolment, weighted",
    *WRONG,
)


@dataclass(frozen=True)
class Estimate:
    """On the log scale; `share` is the part of their time that controls spent enrolled, or 0 where that is no part of the truth."""

    estimator: str
    truth: float
    value: float
    error: float
    n_enrolled: int
    share: float


def estimates(world: World, strength: str, wanted: dict[str, set[str]]) -> Iterator[tuple[str, Estimate]]:
    """Yield each true effect with every estimate that is wanted of it, of one seed and strength of selection.

    Whom is matched to whom depends on nothing after time zero, so it is done once for all true effects.
    """
    every = set().union(*wanted.values())
    study = world.study(strength, "0")
    cohort = enrolled_of(study)
    seed = world.seed
    odds = sr.evaluation.match_controls(study, cohort, score="odds_weights", seed=seed)
    others: dict[str, Matched] = {}
    for name, ratio in (("nearest control, adjusted", 1), ("nearest five, adjusted", 5)):
        if name in every:
            others[name] = sr.evaluation.match_controls(study, cohort, ratio=ratio, seed=seed)
    if WRONG[1] in every:
        others[WRONG[1]] = looking_back(odds, 30)
    if WRONG[2] in every:
        months = by_month(study)
        others[WRONG[2]] = sr.evaluation.match_controls(months, enrolled_of(months), score="odds_weights", seed=seed)
    if WRONG[4] in every:
        others[WRONG[4]] = matched_on_months(odds)
    for effect, names in wanted.items():
        here = world.study(strength, effect)
        for one in _of_effect(here, EFFECTS[effect], odds, others, names, seed):
            yield effect, one


def _of_effect(
    here: sr.Study, ratio: float, odds: Matched, others: dict[str, Matched], names: set[str], seed: int
) -> Iterator[Estimate]:
    own = {name: in_world(m, by_month(here) if name == WRONG[2] else here) for name, m in others.items()}
    odds = in_world(odds, here)
    rows = outcome_rows(odds, EVENT, last=YEAR)
    rows = rows.kept(rows.days > 0)
    share, people = share_of(rows), int(rows.treated.sum())
    planted = float(np.log(ratio))
    truth = planted - float(np.log(1 + share * (ratio - 1)))
    arms = arms_of(odds, rows)[0]
    if PRIMARY in names:
        yield Estimate(PRIMARY, truth, *_ratio(rate_ratio(arms)), people, share)
    if "odds weights alone" in names:
        yield Estimate("odds weights alone", truth, *_ratio(rate_ratio(arms, adjust=False)), people, share)
    if "odds weights, mean events a person" in names:
        tables, _ = effect_tables(odds, EVENT, YEAR, adjust=False, resamples=200, seed=seed)
        found = {r["measure"]: (r["estimate"], r["standard_error"]) for r in tables["effects"].iter_rows(named=True)}
        mean, dead = found["ratio of mean events a person"], found["death rate ratio"]
        yield Estimate("odds weights, mean events a person", truth, *mean, people, share)
        yield Estimate("odds weights, deaths", 0.0, *dead, people, share)
    if "controls censored at enrolment, weighted" in names:
        for name, weights in (
            ("controls censored at enrolment, weighted", censoring_weights(odds, YEAR)),
            (WRONG[3], None),
        ):
            left, _ = censored_at_enrolment(odds, rows, EVENT, YEAR, weights)
            yield Estimate(name, planted, *_ratio(rate_ratio(arms_of(odds, left)[0])), people, 0.0)
    if WRONG[0] in names:
        yield Estimate(WRONG[0], planted, *before_and_after(odds), people, 0.0)
    for name, m in own.items():
        if name not in names:
            continue
        arms, theirs = arms_of(m, outcome_rows(m, EVENT, last=YEAR))
        part = share_of(theirs)
        known = planted - float(np.log(1 + part * (ratio - 1)))
        result = difference_in_differences(m) if name == WRONG[4] else _ratio(rate_ratio(arms))
        yield Estimate(name, known, *result, int(arms.treated.sum()), part)


def _ratio(found: RateRatio) -> tuple[float, float]:
    return found.estimate, found.error


def share_of(rows: OutcomeRows) -> float:
    """Return the share of their time that controls spent enrolled."""
    own = ~rows.treated
    return float((rows.weight * rows.enrolled_days)[own].sum() / (rows.weight * rows.days)[own].sum())


def before_and_after(matched: Matched) -> tuple[float, float]:
    """The rate of enrolled people in the year after over that of the year before, with variance by person."""
    return _log_ratio_of(
        [(1, outcome_rows(matched, EVENT, last=YEAR)), (-1, outcome_rows(matched, EVENT, first=-YEAR, last=-1))],
        both=False,
    )


def difference_in_differences(matched: Matched) -> tuple[float, float]:
    """The change of enrolled people's rate from the year whose months they were matched on, over that of their controls."""
    return _log_ratio_of(
        [(1, outcome_rows(matched, EVENT, last=YEAR)), (-1, outcome_rows(matched, EVENT, first=-YEAR, last=-1))],
        both=True,
    )


def matched_on_months(matched: Matched, months: int = 12, days: int = 30) -> Matched:
    """Match the nearest five by age, deprivation, conditions and the number of admissions in each month before."""
    sets = matched._sets
    own = [k for k, name in enumerate(sets.measured.names) if "days before" not in name]
    windows = [(-days * (k + 1), -days * k - 1) for k in range(months)]
    counts = [outcome_rows(matched, EVENT, first=a, last=b, candidates=True).events for a, b in windows]
    names = (*(sets.measured.names[k] for k in own), *(f"month {k + 1} before" for k in range(months)))
    values = np.column_stack([sets.measured.values[:, own], *counts])
    sets = replace(sets, measured=Measured(names, values, ()))
    fit = fitted_within_sets(values, sets.set, sets.treated, 1 / sets.share)
    apart = np.abs(fit.linear - fit.linear[: sets.n_sets][sets.set])
    at = np.flatnonzero(~sets.treated & (apart <= caliper_width(fit.linear, sets.treated, 0.2)))
    order = np.random.default_rng(0).permutation(sets.eligible.people.height)
    pairs = nearest(sets.set[at], at, apart[at], sets.person[at], ratio=5, replacement=True, order=order)
    weight = pair_weights(pairs, sets.n_sets, len(sets.set), np.arange(sets.n_sets))
    return replace(matched, _sets=sets, _weight=weight, _score=fit.linear, _scored=None)


def _log_ratio_of(periods: list[tuple[int, OutcomeRows]], *, both: bool) -> tuple[float, float]:
    """Return the sum of log rates with their signs, enrolled people less controls if `both`, and its error by person."""
    value, moved = 0.0, np.zeros(1 + max(int(rows.person.max()) for _, rows in periods))
    for sign, rows in periods:
        for own, side in ((rows.treated, 1), (~rows.treated, -1)):
            if side < 0 and not both:
                continue
            w, e, d = rows.weight[own], rows.events[own], rows.days[own]
            events, days = (w * e).sum(), (w * d).sum()
            value += sign * side * np.log(events / days)
            moved += np.bincount(rows.person[own], sign * side * w * (e / events - d / days), len(moved))
    return float(value), float(np.sqrt((moved**2).sum()))


def looking_back(matched: Matched, days: int) -> Matched:
    """Match by what happened in the last days alone: windows that reach further back, and runs of admissions, are unknown."""
    sets = matched._sets
    short = [k for k, name in enumerate(sets.measured.names) if _within(name, days)]
    measured = Measured(tuple(sets.measured.names[k] for k in short), sets.measured.values[:, short], ())
    sets = replace(sets, measured=measured)
    fit = fitted_within_sets(measured.values, sets.set, sets.treated, 1 / sets.share, person=sets.person)
    apart = np.abs(fit.linear - fit.linear[: sets.n_sets][sets.set])
    near = ~sets.treated & (apart <= caliper_width(fit.linear, sets.treated, 0.2))
    there = np.bincount(sets.set[near], minlength=sets.n_sets) > 0
    weight = odds_weights(fit.linear, sets.set, sets.treated, 1 / sets.share, ~sets.treated & there[sets.set])
    return replace(matched, _sets=sets, _weight=weight, _score=fit.linear, _scored=_by_person(fit, sets))


def _within(name: str, days: int) -> bool:
    if "days before" not in name:
        return True
    if "run" in name or "earlier" in name:
        return False
    return int(name.split(" to ")[1].split()[0]) <= days


def by_month(study: sr.Study) -> sr.Study:
    """Return a study that knows of enrolment the month alone, which stands as its first day."""
    first = study.enrolments.with_columns(pl.col("start_date").dt.truncate("1mo"))
    return replace(study, tables={**study.tables, "enrolments": first})
