"""The tables of an effect: what is counted of matched people, and what is estimated from their rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from symphony_research.cohort.matched import Matched, OutcomeRows, event_times, outcome_rows
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.release import ARMS
from symphony_research.evaluation.weighted import Arms, RateRatio, mean_counts, rate_ratio

__all__ = ["arms_of", "effect_tables"]

DAYS_A_YEAR = 365.25
HUNDRED = 100.0


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
    matched: Matched, outcome: str, horizon: int, *, adjust: bool, resamples: int, seed: int
) -> tuple[dict[str, pl.DataFrame], bool]:
    """Return the tables, and whether covariates are adjusted for.

    Raises
    ------
    ArgumentError
        If nobody has the outcome, in one of the arms or in both.
    """
    arms, found = arms_of(matched, outcome_rows(matched, outcome, last=horizon))
    words = outcome.replace("_", " ")
    for arm, own in zip(ARMS, (arms.treated, ~arms.treated), strict=True):
        if not arms.events[own].sum():
            who = "enrolled people" if arm == ARMS[0] else "controls"
            raise ArgumentError(
                f"None of the {len(np.unique(arms.person[own])):,} {who} has '{words}' in days 1 to {horizon}: there is no rate to compare."
            )
    main = rate_ratio(arms, adjust=adjust, what=words)
    dead = outcome_rows(matched, "death", last=horizon).kept_rows(found.row)
    rows = [("rate ratio", "log", main.estimate, main.error)]
    year = HUNDRED * DAYS_A_YEAR
    rows.append(
        ("rate difference per 100 person-years", "linear", main.difference * year, main.difference_error * year)
    )
    rows.append(("death rate ratio", "log", *_of_deaths(arms, dead)))
    rows.append(
        (
            "ratio of mean events a person",
            "log",
            *_of_means(matched, outcome, horizon, arms, found, dead, resamples, seed),
        )
    )
    table = _arms_table(arms, dead)
    # of controls whose weights are unequal as many people count as would tell so much with equal ones
    effective = _effective_people(arms)
    with_event = min(int(table["n_with_event"].min()), effective)  # type: ignore[arg-type]
    deaths = min(int(table["n_deaths"].min()), effective)  # type: ignore[arg-type]
    rate = arms.events[arms.treated].sum() / arms.days[arms.treated].sum() * year
    cells = [with_event, with_event, deaths, with_event]
    free = [int(arms.events.sum()) - main.n_adjusted - 2] * 2 + [int(dead.events.sum()) - 2, int(arms.events.sum()) - 2]
    effects = pl.DataFrame(
        [(*row, cell, unit, left) for row, cell, unit, left in zip(rows, cells, (1.0, rate, 1.0, 1.0), free, strict=True)],
        schema={"measure": pl.String, "scale": pl.String, "estimate": pl.Float64, "standard_error": pl.Float64,
                "cell": pl.Int64, "unit": pl.Float64, "free": pl.Int64},
        orient="row",
    ).with_columns(pl.col("estimate", "standard_error").fill_nan(None))  # fmt: skip
    return {"effects": effects, "arms": table, "later": _later(matched, found)}, main.n_adjusted > 0


def _effective_people(arms: Arms) -> int:
    controls = ~arms.treated
    by_person = np.bincount(arms.person[controls], arms.weight[controls])
    return int(by_person.sum() ** 2 / (by_person**2).sum())


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


def _arms_table(arms: Arms, dead: OutcomeRows) -> pl.DataFrame:
    rows: list[tuple[Any, ...]] = []
    for arm, own in zip(ARMS, (arms.treated, ~arms.treated), strict=True):
        had, died = (own & (events > 0) for events in (arms.events, dead.events))
        people = [len(np.unique(arms.person[which])) for which in (own, had, died)]
        mean = np.average(arms.days[own], weights=arms.weight[own])
        w = arms.weight[own]
        rate = float((w * arms.events[own]).sum() / (w * arms.days[own]).sum()) * HUNDRED * DAYS_A_YEAR
        rows.append((arm, *people, float(mean), rate))
    schema = dict.fromkeys(("n_persons", "n_with_event", "n_deaths"), pl.Int64)
    figures = dict.fromkeys(("mean_days", "rate"), pl.Float64)
    return pl.DataFrame(rows, schema={"arm": pl.String, **schema, **figures}, orient="row")


def _later(matched: Matched, found: OutcomeRows) -> pl.DataFrame:
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
