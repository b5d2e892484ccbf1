"""What disclosure control leaves: how many cells of the public study are kept, and how far figures are moved.

python tests/proof/utility.py docs/utility.md [people]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl

import symphony_research as sr
from symphony_research.files import write_in_place

POLICIES = (sr.Policy.nhs_england(), sr.Policy.opensafely(), sr.Policy.sacro())
PEOPLE = 114_874
# whose cells they are, the count of a row, and the figure that people read
OUTPUTS = {
    "numbers of conditions": ("cells", "n_persons", "estimate"),
    "conditions": ("cells", "n_persons", "estimate"),
    "conditions, by age and sex": ("cells", "n_persons", "estimate"),
    "further conditions": ("cells", "n_persons", "estimate"),
    "pairs": ("pairs", "n_both", "observed_expected"),
    "sets of up to three": ("cells", "n_persons", "observed_expected"),
    "exact sets": ("cells", "n_persons", "observed_expected"),
}
CURVE = "deaths, over time"


def results_of(cohort: sr.Cohort) -> dict[str, sr.Result]:
    """What a report of one population shows."""
    patterns, by = cohort.patterns(), cohort.patterns(by=("age_band", "sex"))
    m = sr.multimorbidity
    deaths = cohort.follow_up(event="death", horizon=365)
    return {
        "numbers of conditions": m.condition_count(patterns),
        "conditions": m.prevalence(patterns),
        "conditions, by age and sex": m.prevalence(by),
        "further conditions": m.further_conditions(patterns),
        "pairs": sr.networks.cooccurrence(patterns),
        "sets of up to three": m.combinations(patterns, kind="at_least", max_size=3),
        "exact sets": m.combinations(patterns, kind="exact", min_size=0),
        CURVE: sr.survival.kaplan_meier(deaths, time="time", event="event", weights="n_persons"),
    }


def of_output(name: str, exact: sr.Result, safe: sr.Result) -> dict[str, float]:
    """Cells with somebody, those above the threshold, those kept; how far counts and figures moved."""
    table, count, figure = OUTPUTS[name]
    threshold = safe.disclosure.policy.threshold  # type: ignore[union-attr]
    true, shown = (r.count_tables[table][count].to_numpy().astype(float) for r in (exact, safe))
    keys = [
        c
        for c in exact.estimates.columns
        if c in (*exact.by, "condition", "n_conditions", "n_others", "source", "target", "combination")
    ]
    figures = exact.estimates.select(*keys, pl.col(figure).alias("true")).join(
        safe.estimates.select(*keys, pl.col(figure).alias("shown")), on=keys, how="inner", nulls_equal=True
    )
    moved = figures.filter((pl.col("true") > 0) & pl.col("shown").is_not_null())
    somebody, kept = true > 0, np.isfinite(shown)
    return {
        "cells": int(somebody.sum()),
        "large": int((true > threshold).sum()),
        "kept": int((somebody & kept).sum()),
        "people": float(true[somebody & kept].sum() / true.sum()),
        "count moved": float(np.abs(shown / true - 1)[somebody & kept].mean()) if (somebody & kept).any() else np.nan,
        "figure moved": moved.select(((pl.col("shown") / pl.col("true")) - 1).abs().mean()).item()
        if moved.height
        else np.nan,
    }


def of_curve(exact: sr.Result, safe: sr.Result) -> tuple[float, float]:
    """How much of the time a curve is shown for, and how far it is from the exact one, in points, at ten times."""
    if not safe.estimates.height:
        return 0.0, float("nan")
    last = float(exact.estimates["time"].max())  # type: ignore[arg-type]
    times = [last * k / 10 for k in range(1, 11)]
    one, other = (sr.survival.at(r, times).estimates["estimate"] for r in (exact, safe))
    apart = (one - other).abs().drop_nulls()
    return float(safe.estimates["time"].max()) / last, float(apart.mean()) if len(apart) else float("nan")  # type: ignore[arg-type]


def rows_of(whom: str, results: Mapping[str, sr.Result], policy: sr.Policy) -> Iterator[str]:
    """One line an output, all of one population being suppressed together."""
    started = time.perf_counter()
    released = sr.suppress(results, policy)
    print(f"{whom}, {policy.title}: {time.perf_counter() - started:.1f} s")
    for name in OUTPUTS:
        u, how = of_output(name, results[name], released[name]), released[name].disclosure
        kept = 100 * u["kept"] / u["large"] if u["large"] else float("nan")
        told = [kept, 100 * u["people"], 100 * u["count moved"], 100 * u["figure moved"]]
        shares = " | ".join("" if np.isnan(share) else f"{share:.1f}" for share in told)
        assert how is not None
        yield f"| {whom} | {name} | {u['cells']:,} | {u['large']:,} | {shares} | {how.method or 'nothing is hidden'} |"
    kept, apart = of_curve(results[CURVE], released[CURVE])
    moved = "" if np.isnan(apart) else f"{100 * apart:.2f} points"
    yield f"| {whom} | {CURVE} | | | {100 * kept:.1f} of the time | | | {moved} | |"


def main() -> None:
    out, people = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else PEOPLE
    with tempfile.TemporaryDirectory() as folder:
        sr.synthesise(Path(folder) / "study", people=people, seed=2013)
        study = sr.read_study(Path(folder) / "study")
        practice = study.practices.collect()["practice_id"].sort()[0]
        hubs = [(sr.define_cohort(study, hub=hub), hub) for hub in study.hubs()]
        hub, of_hub = max(((cohort.patterns().n_persons, name, cohort) for cohort, name in hubs), key=lambda h: h[:2])[
            1:
        ]
        cohorts = {
            "everybody": sr.define_cohort(study),
            f"practice {practice}": sr.define_cohort(study, practice=practice),
            f"hub {hub}": of_hub,
        }
        every = {
            f"{whom}, {cohort.patterns().n_persons:,} people": results_of(cohort) for whom, cohort in cohorts.items()
        }
        parts = []
        for policy in POLICIES:
            parts += ["", f"## {policy.title}", "", *HEAD]
            for whom, results in every.items():
                parts += rows_of(whom, results, policy)
    write_in_place(out, "\n".join([*TEXT, *parts]).replace("PEOPLE", f"{people:,}") + "\n")


TEXT = [
    "# What disclosure control leaves",
    "",
    "`make proof`: the public study of PEOPLE people, in which a hub has few. All outputs of one population are suppressed together, "
    "as a report is read. Kept: cells shown, of every hundred that hold more people than the rule's threshold; the rest are hidden so "
    "that smaller ones cannot be reckoned. People: the share of all people counted in the output who stand in a cell that is shown. "
    "Moved: the mean distance of what is shown from the exact number, in per cent of it; the figure is a share of people, or "
    "observed/expected.",
]
HEAD = [
    "| of whom | output | cells with somebody | above the threshold | kept, % | people, % | count moved, % | figure moved, % | searched by |",
    "|---|---|---:|---:|---:|---:|---:|---:|---|",
]

if __name__ == "__main__":
    main()
