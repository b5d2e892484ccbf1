"""Which cells disclosure control shows of a population, and how far it moves what is shown.

Whatever a notebook shows is suppressed in one call. A cell is known by its keys: a short digest of them is all that the baseline holds.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from made_studies import StudyPlan
from measured import Store, facts_of, folder_of, in_child, peak_memory

import symphony_research as sr
from symphony_research.result.roles import Key, Known

POPULATIONS = ("everybody", "practice", "largest hub")
TIMES = 10
ALIKE = "age_band, sex"
SETS = ("combinations", "network", "time to event")
Estimators = dict[str, Callable[[], sr.Result]]
# the figure that people read, where it is not the share of people
FIGURES = {
    "condition count": "estimate", "prevalence": "estimate", "other conditions": "estimate", "costs": "excess",
}  # fmt: skip


def estimators_of(cohort: sr.Cohort, which: str) -> Estimators:
    """Return what computes each result of one notebook-like set."""
    study, m, adjust = cohort.study, sr.multimorbidity, [name.strip() for name in ALIKE.split(",")]
    if which == "combinations":
        patterns, alike = cohort.patterns(values=study.costs), cohort.patterns(by=ALIKE, values=study.costs)
        first = "diabetes" if "diabetes" in study.condition_names() else study.condition_names()[0]
        sets: dict[str, Any] = {"adjust": ALIKE, "min_persons": 20}
        return {
            "attrition": lambda: cohort.attrition,
            "condition count": lambda: m.condition_count(patterns, top=7),
            "prevalence": lambda: m.prevalence(patterns),
            "prevalence, by age and sex": lambda: m.prevalence(cohort.patterns(by=adjust)),
            "other conditions": lambda: m.further_conditions(patterns),
            "comorbidities of one": lambda: m.companions(alike, condition=first, adjust=ALIKE),
            "exact sets": lambda: m.combinations(alike, kind="exact", max_size=4, **sets),
            "sets": lambda: m.combinations(alike, kind="at_least", max_size=3, **sets),
            "triads": lambda: m.combinations(
                alike, kind="at_least", against="no_higher_order_interaction", max_size=3, **sets
            ),
            "costs": lambda: m.combination_costs(alike, **sets),
            "every exact set": lambda: m.combinations(patterns, kind="exact", min_size=0),
            "exact sets, by age and sex": lambda: m.combinations(cohort.patterns(by=adjust), kind="exact", min_size=0),
        }
    if which == "network":
        patterns = cohort.patterns(by=ALIKE)
        pairs = sr.networks.cooccurrence(patterns, adjust=ALIKE)
        return {
            "pairs": lambda: pairs,
            "communities": lambda: sr.networks.communities(pairs, seed=1, patterns=patterns, resamples=20),
            "sequences": lambda: sr.networks.sequences(cohort.onsets()),
        }

    def followed(event: str, **by: str) -> pl.DataFrame:
        return cohort.follow_up(event=event, horizon=365, **by)

    names: dict[str, Any] = {"time": "time", "event": "event", "weights": "n_persons"}
    incidence, event = sr.survival.cumulative_incidence, "emergency_admission"
    return {
        "attrition": lambda: cohort.attrition,
        "incidence": lambda: incidence(followed(event), **names),
        "survival": lambda: sr.survival.kaplan_meier(followed("death"), **names),
        "incidence, by sex": lambda: incidence(followed(event, by="sex"), by="sex", **names),
    }


def cohort_of(study: sr.Study, population: str) -> sr.Cohort:
    """Return the people of a population that the study has."""
    if population == "practice":
        return sr.define_cohort(study, practice=study.registrations.collect()["practice_id"].sort()[0])
    if population == "largest hub":
        hubs = study.enrolments.collect()["hub"].value_counts().sort("count", "hub")["hub"]
        return sr.define_cohort(study, hub=hubs[-1])
    return sr.define_cohort(study)


def count_cells(exact: sr.Result, shown: sr.Result) -> tuple[dict[str, float], dict[str, float | None]]:
    """Return the counts of people in the table that a result is about, exact and as shown, by their keys.

    A cell with None is suppressed; one that is not there has lost its row. A curve
    is read at ten equal times: the number at risk, and whether the curve gets there.
    """
    name = next(iter(exact.count_tables))
    people = exact.roles[name].people
    if people:
        described = {c for c, role in exact.roles[name].columns.items() if not isinstance(role, (Key, Known))}
        whole, left = exact.count_tables[name], shown.count_tables.get(name, pl.DataFrame())
        keys = [c for c, kind in whole.schema.items() if c not in described and not kind.is_float()]
        columns = [(c, c) for c in people]
    else:
        whole, left = _at_ten_times(exact, exact), _at_ten_times(shown, exact)
        keys, columns = [c for c in whole.columns if c in (*exact.by, "cause", "time")], [("n_at_risk", "estimate")]
    floor = int(exact.settings.get("min_persons") or 0) if getattr(exact, "floored", ()) else 0
    true: dict[str, float] = {}
    seen: dict[str, float | None] = {}
    for found, frame, at in ((true, whole, 0), (seen, left, 1)):
        for column in columns:
            if all(c in frame.columns for c in (*keys, column[at])):
                values = frame[column[at]].to_list()
                found.update(
                    zip((f"{column[0]}: {_words(row)}" for row in frame.select(keys).iter_rows()), values, strict=True)
                )  # type: ignore[arg-type]
    return {key: value for key, value in true.items() if value is not None and value >= floor}, seen


def _at_ten_times(curve: sr.Result, exact: sr.Result) -> pl.DataFrame:
    if not exact.estimates.height or not curve.estimates.height:
        return pl.DataFrame()
    last = float(exact.estimates["time"].max())  # type: ignore[arg-type]
    return sr.survival.at(curve, [round(last * k / TIMES, 6) for k in range(1, TIMES + 1)]).estimates


def _words(row: tuple[Any, ...]) -> str:
    return ", ".join("+".join(map(str, value)) if isinstance(value, list) else str(value) for value in row) or "all"


def digest(key: str) -> str:
    """Return four characters for a cell: one in 16 million is taken for another."""
    return base64.b64encode(hashlib.sha256(key.encode()).digest()[:3]).decode()


def of_result(name: str, exact: sr.Result, shown: sr.Result, threshold: int) -> dict[str, Any]:
    """Return which large cells are shown, why others are not, and how far what is shown was moved."""
    true, seen = count_cells(exact, shown)
    large = {key: value for key, value in true.items() if value > threshold}
    kept = {key for key in large if seen.get(key) is not None}
    curve = not any(roles.people for name, roles in exact.roles.items() if name in exact.count_tables)
    gone = "the curve ends earlier" if curve else "its row is left out"
    lost = {
        digest(key): [key, "secondary suppression" if key in seen and not curve else gone] for key in set(large) - kept
    }
    apart = [] if curve else [abs(float(seen[key] or 0) - large[key]) / large[key] for key in sorted(kept)]
    return {
        "large": len(large),
        "shown": "".join(sorted(map(digest, kept))),
        "lost": lost,
        "count moved": float(np.mean(apart)) if apart else None,
        "figure moved": None if curve else _figure_moved(name, exact, shown),
        "points": _points(exact, shown) if curve else None,
        "suppressed": getattr(shown.disclosure, "hidden", None),
    }


def _figure_moved(name: str, exact: sr.Result, shown: sr.Result) -> float | None:
    columns = set(exact.estimates.columns) & set(shown.estimates.columns)
    figure = FIGURES.get(name, "observed_expected" if "observed_expected" in columns else "estimate")
    counted = {c for roles in exact.roles.values() for c in roles.people}
    keys = [c for c, kind in exact.estimates.schema.items() if c in columns - counted and not kind.is_numeric()]
    keys += [c for c in ("n_conditions", "n_others") if c in columns]
    if figure not in columns or not keys:
        return None
    pair = exact.estimates.select(*keys, pl.col(figure).alias("true")).join(
        shown.estimates.select(*keys, pl.col(figure).alias("shown")), on=keys, how="inner", nulls_equal=True
    )
    apart = pair.filter((pl.col("true") > 0) & pl.col("shown").is_finite())
    moved = apart.select((pl.col("shown") / pl.col("true") - 1).abs().mean()).item() if apart.height else None
    return None if moved is None else float(moved)


def _points(exact: sr.Result, shown: sr.Result) -> float | None:
    one, other = _at_ten_times(exact, exact), _at_ten_times(shown, exact)
    if not one.height or not other.height:
        return None
    keys = [c for c in one.columns if c in (*exact.by, "cause", "time")]
    both = one.join(other, on=keys, how="inner").select((pl.col("estimate") - pl.col("estimate_right")).abs().mean())
    found = both.item()
    return None if found is None else 100 * float(found)


def measure_set(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Compute and suppress one set of a population's results."""
    study, policy = sr.read_study(task["study"]), getattr(sr.Policy, task["policy"])()
    results: dict[str, sr.Result] = {}
    missing: dict[str, str] = {}
    started = time.perf_counter()
    for name, compute in estimators_of(cohort_of(study, task["population"]), task["set"]).items():
        try:
            results[name] = compute()
        except Exception as fault:
            missing[name] = f"{type(fault).__name__}: {fault}"
    yield {"computing": time.perf_counter() - started, "missing": missing}
    started = time.perf_counter()
    released = sr.suppress(results, policy)
    yield {"suppressing": time.perf_counter() - started, "memory": peak_memory()}
    yield {"results": {name: of_result(name, results[name], released[name], policy.threshold) for name in results}}


def kept_of(store: Store, plan: StudyPlan, population: str, policy: str, *, seconds: float) -> dict[str, Any]:
    """Return what was measured of each set of one population under one policy."""
    facts = facts_of(store, plan)
    if facts.get("error"):
        return facts
    if population not in facts["populations"]:
        return {"absent": True}
    sets = {}
    for which in SETS:
        task = {"kind": "kept", "study": "", "population": population, "policy": policy, "set": which}

        def measure(task: dict[str, Any] = task) -> dict[str, Any]:
            lines = in_child({**task, "study": str(folder_of(plan))}, seconds)
            return {key: value for line in lines for key, value in line.items()}

        sets[which] = store.get(f"kept: {plan.name}, {population}, {policy}, {which}", measure)
    return {"sets": sets}
