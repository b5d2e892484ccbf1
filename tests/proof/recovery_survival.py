"""Coverage of the stored truth of survival, admission and Cox regression, one small study a replicate."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from recovery_people import INDEX, block_tables, in_parallel, last_days, markdown, mean_against, truth_of, words

import symphony_research as sr
from symphony_research.synthetic.history import BLOCK_SIZE
from symphony_research.synthetic.parameters import PRIORITY_CONDITIONS

OLDER = 65
HORIZONS = (365, 730)
COVARIATES = ("three_or_more", "age", "male")


def follow_up(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """People of 65 and over registered on the index day: until death or first emergency admission, and covariates."""
    age = ((pl.lit(INDEX) - pl.col("birth_date")).dt.total_days() / 365.25).cast(pl.Int64)
    since = (pl.col("last") - pl.lit(INDEX)).dt.total_days()
    people = last_days(tables).filter((pl.col("start_date") <= INDEX) & (pl.col("last") >= INDEX))
    people = people.select(
        "person_id", age.alias("age"), (pl.col("sex") == "M").cast(pl.Int64).alias("male"), since.alias("time"), "died"
    ).filter(pl.col("age") >= OLDER)
    emergencies = tables["activity"].filter(
        (pl.col("setting") == "inpatient") & (pl.col("kind") == "emergency") & (pl.col("date") > INDEX)
    )
    wait = emergencies.group_by("person_id").agg((pl.col("date").min() - pl.lit(INDEX)).dt.total_days().alias("wait"))
    priority = tables["conditions"].filter(
        pl.col("condition").cast(pl.String).is_in(PRIORITY_CONDITIONS) & (pl.col("onset_date") <= INDEX)
    )
    counts = priority.group_by("person_id").agg(pl.len().alias("priority"))
    people = people.join(wait, on="person_id", how="left").join(counts, on="person_id", how="left")
    admitted = pl.col("wait").is_not_null()
    return people.with_columns(
        (pl.col("priority").fill_null(0) >= 3).cast(pl.Int64).alias("three_or_more"),
        # an admission on the day of death counts as admission
        pl.when(admitted).then("wait").otherwise("time").alias("first_time"),
        pl.when(admitted).then(1).when("died").then(2).otherwise(0).alias("first_event"),
    )


Estimate = tuple[float, float, float]  # with lower and upper limit


def estimates(people: pl.DataFrame, *, cox: bool = True) -> dict[str, Estimate]:
    """By the names of the stored truth."""

    def collapsed(time: str, event: str) -> pl.DataFrame:
        return people.group_by(pl.col(time).alias("time"), pl.col(event).cast(pl.Int64).alias("event")).agg(
            pl.len().cast(pl.Int64).alias("n_persons")
        )

    found: dict[str, Estimate] = {}
    survival = sr.survival.kaplan_meier(collapsed("time", "died"), time="time", event="event", weights="n_persons")
    incidence = sr.survival.cumulative_incidence(
        collapsed("first_time", "first_event"), time="time", event="event", weights="n_persons"
    )
    shares = {
        "survival": sr.survival.at(survival, HORIZONS).estimates,
        "cumulative_incidence/emergency_admission": sr.survival.at(incidence, HORIZONS).estimates.filter(
            pl.col("cause") == 1
        ),
    }
    for name, frame in shares.items():
        for day, *limits in frame.select("time", "estimate", "lower", "upper").iter_rows():
            found[f"{name}/65_and_over/{day:.0f}_days"] = tuple(limits)
    return found | (_cox(people) if cox else {})


def _cox(people: pl.DataFrame) -> dict[str, Estimate]:
    import lifelines

    longest = HORIZONS[-1]
    columns = {name: people[name].to_numpy().astype(float) for name in COVARIATES}
    columns["time"] = np.minimum(people["time"].to_numpy(), longest).astype(float)
    columns["event"] = (people["died"] & (people["time"] <= longest)).to_numpy().astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas, within lifelines
        import pandas

        fitted = lifelines.CoxPHFitter().fit(pandas.DataFrame(columns), "time", "event", robust=True)
    table = fitted.summary
    return {
        f"log_hazard_ratio/death/{name}": (row["coef"], row["coef lower 95%"], row["coef upper 95%"])
        for name, row in table.astype(float).loc[list(COVARIATES)].iterrows()
    }


@dataclass(frozen=True)
class Replicate:
    found: dict[str, Estimate]
    leaving: np.ndarray  # moves away within two years, and person-years, by pattern of the covariates


def replicate(seed: int, profile: str = "calibrated", people: int = BLOCK_SIZE, *, cox: bool = True) -> Replicate:
    (tables,) = block_tables(profile, seed, people)
    followed = follow_up(tables)
    return Replicate(estimates(followed, cox=cox), _leaving(followed))


def _leaving(people: pl.DataFrame) -> np.ndarray:
    """Moves and person-years by three or more conditions x sex x 80 and over."""
    longest = HORIZONS[-1]
    time = people["time"].to_numpy()
    pattern = people["three_or_more"].to_numpy() * 4 + people["male"].to_numpy() * 2 + (people["age"].to_numpy() >= 80)
    # the period ends later than the horizon, so whoever is gone by then and is not dead has moved
    moved = (time <= longest) & ~people["died"].to_numpy()
    years = np.minimum(time, longest) / 365.25
    return np.stack([np.bincount(pattern, weights, minlength=8) for weights in (moved.astype(float), years)])


def coverage(replicates: list[Replicate], truth: dict[str, tuple[float, float]]) -> dict[str, tuple[int, float, float]]:
    """By name: intervals that hold the truth, mean estimate, and its distance from the truth in Monte Carlo errors."""
    made = {}
    for name in replicates[0].found:
        limits = np.array([each.found[name] for each in replicates])
        hits = int(((limits[:, 1] <= truth[name][0]) & (truth[name][0] <= limits[:, 2])).sum())
        made[name] = (hits, *mean_against(limits[:, 0], truth[name]))
    return made


def survival_page(replicates: int, jobs: int) -> list[str]:
    truth = truth_of("calibrated")
    made = list(in_parallel(partial(replicate, profile="calibrated"), range(replicates), jobs))
    error = (0.95 * 0.05 / replicates) ** 0.5
    rows = [
        (
            words(name).replace("/", ", "), f"{truth[name][0]:.4f} ± {truth[name][1]:.4f}", f"{mean:.4f}", f"{errors:+.1f}",
            f"{100 * hits / replicates:.1f} ± {100 * error:.1f}", f"{(hits / replicates - 0.95) / error:+.1f}",
        )
        for name, (hits, mean, errors) in coverage(made, truth).items()
    ]  # fmt: skip
    moved, years = np.sum([each.leaving for each in made], axis=0).reshape(2, 2, 2, 2)
    compared = []
    for axis, name in enumerate(
        ("three or more priority conditions against fewer", "men against women", "80 and over against 65-79")
    ):
        others = tuple(k for k in range(3) if k != axis)
        m, y = moved.sum(axis=others), years.sum(axis=others)
        ratio, log_error = (m[1] / y[1]) / (m[0] / y[0]), (1 / m).sum() ** 0.5
        compared.append(
            (name, f"{m[1]:,.0f}", f"{ratio:.3f} ± {ratio * log_error:.3f}", f"{np.log(ratio) / log_error:+.1f}")
        )
    return [
        "## Intervals hold the truth (`calibrated`)",
        "",
        f"{replicates} replicates of {BLOCK_SIZE:,} people; those of 65 and over registered on 1 April 2014. Kaplan-Meier and "
        "Aalen-Johansen by `sr.survival`, Cox regression by lifelines with robust variance. The truth is of a world in which "
        "nobody moves away; here moves censor.",
        "",
        *markdown(
            ["estimand", "truth", "mean estimate", "errors between", "coverage of 95% intervals, %", "errors from 95%"], rows
        ),
        f"Errors between: of the replicates and of the truth together. Monte Carlo error of coverage {100 * error:.1f}.",
        "",
        "Moves away in the two years after the index day, a person-year, as censoring must be unrelated to health:",
        "",
        *markdown(["rate ratio of moving away", "moves", "ratio", "errors from 1"], compared),
    ]  # fmt: skip
