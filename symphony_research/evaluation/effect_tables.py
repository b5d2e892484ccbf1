"""The tables of an effect: what is counted of matched people, and what is estimated from their rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from symphony_research.cohort.matched import Matched, OutcomeRows, event_times, outcome_rows
from symphony_research.errors import NotEstimableError
from symphony_research.evaluation.censoring import censored_at_enrolment, censoring_weights
from symphony_research.evaluation.effect_words import DEATHS, DIFFERENCE, RATIO
from symphony_research.evaluation.release import ARMS
from symphony_research.evaluation.weighted import Arms, RateRatio, mean_counts, rate_ratio
from symphony_research.inference import Array

__all__ = ["ESTIMATED", "arms_of", "effect_tables", "effective_people", "least_events", "people_with"]

DAYS_A_YEAR = 365.25
HUNDRED = 100.0
# an estimate, and what it is released by: the smallest number of people behind it, what one would be in proportion to,
# events less coefficients, and the smallest numbers of events and people of an arm
ESTIMATED: dict[str, Any] = {
    "estimate": pl.Float64, "standard_error": pl.Float64, "cell": pl.Int64, "unit": pl.Float64, "free": pl.Int64,
    "least_events": pl.Int64, "least_people": pl.Int64,
}  # fmt: skip


def arms_of(matched: Matched, found: OutcomeRows) -> tuple[Arms, OutcomeRows]:
    """Return the rows with time at risk as arrays for the estimators."""
    found = found.kept(found.days > 0)
    sets = matched._sets
    measured = sets.measured.values[found.row]
    return Arms(
        found.treated, found.weight, found.person, found.events, found.days, measured, found.set,
        None if matched._scored is None else matched._scored[0], measured,
    ), found  # fmt: skip


def effect_tables(
    matched: Matched, outcome: str, horizon: int, *, adjust: bool, resamples: int, seed: int, censor: bool = False
) -> tuple[dict[str, pl.DataFrame], bool]:
    """Return the tables, and whether covariates are adjusted for; `censor` censors controls when they enrol, with weights.

    Raises
    ------
    ArgumentError
        If nobody has the outcome, in one of the arms or in both.
    """
    whole = outcome_rows(matched, outcome, last=horizon)
    whole = whole.kept(whole.days > 0)
    died = outcome_rows(matched, "death", last=horizon).kept_rows(whole.row)
    found, dead, seen = whole, died, whole.days
    if censor:
        weights = censoring_weights(matched, horizon)
        found, seen = censored_at_enrolment(matched, whole, outcome, horizon, weights)
        dead, _ = censored_at_enrolment(matched, died, "death", horizon, weights)
    arms, found = arms_of(matched, found)
    words = outcome.replace("_", " ")
    for arm, own in zip(ARMS, (arms.treated, ~arms.treated), strict=True):
        if not arms.events[own].sum():
            who = "enrolled people" if arm == ARMS[0] else "controls"
            raise NotEstimableError(
                f"None of the {len(np.unique(arms.person[own])):,} {who} has '{words}' in days 1 to {horizon}: there is no rate to compare."
            )
    main = rate_ratio(arms, adjust=adjust, what=words)
    rows = [(RATIO, "log", main.estimate, main.error)]
    year = HUNDRED * DAYS_A_YEAR
    rows.append((DIFFERENCE, "linear", main.difference * year, main.difference_error * year))
    rows.append((DEATHS, "log", *_of_deaths(arms, dead)))
    if not censor:  # a mean number would need weights that change with time
        mean = _of_means(matched, outcome, horizon, arms, found, dead, resamples, seed)
        rows.append(("ratio of mean events a person", "log", *mean))
    table = _arms_table(arms, seen, whole, died)
    effective = effective_people(arms)
    with_event, deaths = (
        min(effective, *people_with(arms.person, arms.treated, e)) for e in (arms.events, dead.events)
    )
    rate = arms.events[arms.treated].sum() / arms.days[arms.treated].sum() * year
    cells = [with_event, with_event, deaths, with_event]
    events, deadly = least_events(arms, arms.events), least_events(arms, dead.events)
    fewest = [events, events, deadly, events]
    people = min(int(table["n_persons"].min()), effective)  # type: ignore[arg-type]
    free = [int(arms.events.sum()) - main.n_adjusted - 2] * 2 + [int(dead.events.sum()) - 2, int(arms.events.sum()) - 2]
    effects = pl.DataFrame(
        [(*row, cell, unit, left, had, people)
         for row, cell, unit, left, had in zip(rows, cells, (1.0, rate, 1.0, 1.0), free, fewest, strict=False)],
        schema={"measure": pl.String, "scale": pl.String, **ESTIMATED},
        orient="row",
    ).with_columns(pl.col("estimate", "standard_error").fill_nan(None))  # fmt: skip
    return {"effects": effects, "arms": table, "later": _later(whole)}, main.n_adjusted > 0


def effective_people(arms: Arms) -> int:
    """Return how many controls with equal weights would tell as much (Kish's effective number)."""
    controls = ~arms.treated
    by_person = np.bincount(arms.person[controls], arms.weight[controls])
    return int(by_person.sum() ** 2 / (by_person**2).sum())


def least_events(arms: Arms, events: Array) -> int:
    """Return the events of the arm that has fewer; of a control of several people, those of the window with most."""
    most = []
    for own in (arms.treated, ~arms.treated):
        by_person = np.zeros(int(arms.person.max(initial=-1)) + 1)
        np.maximum.at(by_person, arms.person[own], events[own])
        most.append(int(by_person.sum()))
    return min(most)


def _of_deaths(arms: Arms, dead: OutcomeRows) -> tuple[float, float]:
    """Return the log ratio of death rates and its standard error, by weights alone; neither where an arm has no death."""
    if not all(dead.events[own].sum() for own in (arms.treated, ~arms.treated)):
        return float("nan"), float("nan")
    own = Arms(
        arms.treated,
        arms.weight,
        arms.person,
        dead.events,
        arms.days,
        arms.covariates,
        arms.set,
        arms.scored,
        arms.measured,
    )
    found: RateRatio = rate_ratio(own, adjust=False, what="deaths")
    return found.estimate, found.error


def _of_means(
    matched: Matched, outcome: str, horizon: int, arms: Arms, found: OutcomeRows, dead: OutcomeRows, resamples: int, seed: int
) -> tuple[float, float]:  # fmt: skip
    """Return the log ratio of mean numbers of events a person, and its standard error over bootstrap resamples of people."""
    row, time = event_times(matched, outcome, found, last=horizon)
    if outcome == "death":
        return float("nan"), float("nan")
    mean, drawn = mean_counts(
        arms.treated, arms.weight, arms.person, arms.days, dead.events > 0, row, time, resamples=resamples, seed=seed
    )  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, again = np.log(mean[0] / mean[1]), np.log(drawn[:, 0] / drawn[:, 1])
    again = again[np.isfinite(again)]
    error = float(again.std(ddof=1)) if len(again) > resamples / 2 else float("nan")
    return (float(ratio), error) if np.isfinite(ratio) else (float("nan"), float("nan"))


def people_with(person: Any, treated: Any, events: Any) -> list[int]:
    """Return how many people of each arm have any event."""
    return [len(np.unique(person[own & (events > 0)])) for own in (treated, ~treated)]


def _arms_table(arms: Arms, seen: Any, whole: OutcomeRows, died: OutcomeRows) -> pl.DataFrame:
    """Return people, with counts of the whole window whether controls are censored or not, so that these differ in nobody."""
    counts = [people_with(whole.person, whole.treated, e) for e in (whole.days, whole.events, died.events)]
    rows: list[tuple[Any, ...]] = []
    for k, (arm, own) in enumerate(zip(ARMS, (arms.treated, ~arms.treated), strict=True)):
        w = arms.weight[own]
        mean = np.average(seen[own], weights=w)
        rate = float((w * arms.events[own]).sum() / (w * arms.days[own]).sum()) * HUNDRED * DAYS_A_YEAR
        rows.append((arm, *(count[k] for count in counts), float(mean), rate))
    schema = dict.fromkeys(("n_persons", "n_with_event", "n_deaths"), pl.Int64)
    figures = dict.fromkeys(("mean_days", "rate"), pl.Float64)
    return pl.DataFrame(rows, schema={"arm": pl.String, **schema, **figures}, orient="row")


def _later(found: OutcomeRows) -> pl.DataFrame:
    """Return how many controls enrolled later within the window, after how many days, and for what share of all their time."""
    controls = ~found.treated
    enrols = controls & (found.enrolled_days > 0)
    share = (found.weight * found.enrolled_days)[controls].sum() / (found.weight * found.days)[controls].sum()
    after = (found.days - found.enrolled_days + 1)[enrols]
    return pl.DataFrame(
        {
            "n_persons": [len(np.unique(found.person[enrols]))], "share_enrolled": [float(share)],
            "median_days": [float(np.median(after)) if len(after) else None],
        },
        schema={"n_persons": pl.Int64, "share_enrolled": pl.Float64, "median_days": pl.Float64},
    )  # fmt: skip
