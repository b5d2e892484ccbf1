"""Which cells disclosure control shows of a population, and how far it moves what is shown.

Whatever a notebook shows is suppressed in one call. A cell is known by its keys: a short digest of them is all that the baseline holds.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from kept_pages import BASELINE, read_baseline, shown_in
from made_studies import StudyPlan
from measured import Store, facts_of, folder_of, in_child, peak_memory
from try_trace import reasons_of

import symphony_research as sr
from symphony_research.collapse.collapsed import Collapsed
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


@dataclass(frozen=True)
class Seen:
    """What is shown of a cell: its number or None, and where it stands; of a curve, the row it is read from."""

    value: float | None
    place: tuple[str, int, str] | None
    row: Mapping[str, Any] | None = None


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
            "other conditions": lambda: m.comorbidity_count(patterns),
            "comorbidities of one": lambda: m.comorbidity_profile(alike, condition=first, adjust=ALIKE),
            "exact sets": lambda: m.combinations(alike, kind="exact", max_size=4, **sets),
            "sets": lambda: m.combinations(alike, kind="at_least", max_size=3, **sets),
            "triads": lambda: m.combinations(
                alike, kind="at_least", against="no_higher_order_interaction", max_size=3, **sets
            ),
            "costs": lambda: m.cost_interaction(alike, **sets),
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

    def followed(event: str, by: str | tuple[str, ...] = ()) -> Collapsed:
        return cohort.follow_up(event=event, horizon=365, by=by)

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


def count_cells(exact: sr.Result, shown: sr.Result) -> tuple[dict[str, float], dict[str, Seen]]:
    """Return the counts of people in the table that a result is about, exact and as shown, by their keys.

    A cell with None is suppressed; one that is not there has lost its row. A curve
    is read at ten equal times: the number at risk, and whether the curve is shown
    there. A released one stands at the times of its grid alone, and is read at the first of
    them from there on, by which nobody who had an event before is omitted.
    """
    name = table_of(exact)
    true: dict[str, float] = {}
    seen: dict[str, Seen] = {}
    if name is None:
        whole, left = _at_ten_times(exact), _stepped(shown, _ten_times(exact))
        keys = [c for c in whole.columns if c in (*exact.by, "cause", "time")]
        for record in whole.iter_rows(named=True):
            true[f"n_at_risk: {_words(tuple(record[c] for c in keys))}"] = record["n_at_risk"]
        for record in left.iter_rows(named=True):
            own = Seen(record["estimate"], None, record)
            seen[f"n_at_risk: {_words(tuple(record[c] for c in keys))}"] = own
    else:
        described = {c for c, role in exact.roles[name].columns.items() if not isinstance(role, (Key, Known))}
        whole, left = exact.count_tables[name], shown.count_tables.get(name, pl.DataFrame())
        keys = [c for c, kind in whole.schema.items() if c not in described and not kind.is_float()]
        for column in exact.roles[name].people:
            words = [f"{column}: {_words(row)}" for row in whole.select(keys).iter_rows()]
            true |= dict(zip(words, whole[column].to_list(), strict=True))
            if all(c in left.columns for c in (*keys, column)):
                words = [f"{column}: {_words(row)}" for row in left.select(keys).iter_rows()]
                values = left[column].to_list()
                seen |= {w: Seen(v, (name, k, column)) for k, (w, v) in enumerate(zip(words, values, strict=True))}
    floor = int(exact.settings.get("min_persons") or 0) if getattr(exact, "minimum_size_tables", ()) else 0
    return {key: value for key, value in true.items() if value is not None and value >= floor}, seen


def table_of(exact: sr.Result) -> str | None:
    """Return the first table of a result that counts people; None of a curve, whose daily one is never released."""
    return next((name for name in exact.count_tables if exact.roles[name].people), None)


def _ten_times(exact: sr.Result) -> list[float]:
    if not exact.estimates.height:
        return []
    last = float(exact.estimates["time"].to_numpy().max() // 1)  # a horizon ends half a day after its last
    return [round(last * k / TIMES, 6) for k in range(1, TIMES + 1)]


def _at_ten_times(exact: sr.Result) -> pl.DataFrame:
    times = _ten_times(exact)
    return sr.survival.at(exact, times).estimates if times else pl.DataFrame()


def _stepped(shown: sr.Result, times: Sequence[float]) -> pl.DataFrame:
    """Return a released curve at the first time of its grid from each of some times on, that time as `on_grid`."""
    curve = shown.estimates
    if not curve.height or not times:
        return pl.DataFrame()
    grid = curve["time"].unique().sort().to_list()
    read = {t: min((g for g in grid if g >= t), default=grid[-1]) for t in times}
    own = pl.DataFrame({"at": list(read), "time": list(read.values())}, schema={"at": pl.Float64, "time": pl.Float64})
    return own.join(curve, on="time", how="inner").rename({"time": "on_grid", "at": "time"})


def _words(row: tuple[Any, ...]) -> str:
    return ", ".join("+".join(map(str, value)) if isinstance(value, list) else str(value) for value in row) or "all"


def digest(key: str) -> str:
    """Return four characters for a cell: one in 16 million is taken for another."""
    return base64.b64encode(hashlib.sha256(key.encode()).digest()[:3]).decode()


def of_result(name: str, exact: sr.Result, shown: sr.Result, threshold: int) -> dict[str, Any]:
    """Return which large cells are shown, which are not, and how far what is shown was moved."""
    true, seen = count_cells(exact, shown)
    large = {key: value for key, value in true.items() if value > threshold}
    kept = {key: float(seen[key].value or 0) for key in large if key in seen and seen[key].value is not None}
    curve = table_of(exact) is None
    apart = [] if curve else [abs(kept[key] - large[key]) / large[key] for key in sorted(kept)]
    return {
        "large": len(large),
        "shown": "".join(sorted(map(digest, kept))),
        "lost": {digest(key): [key, large[key]] for key in sorted(set(large) - set(kept))},
        "count moved": float(np.mean(apart)) if apart else None,
        "figure moved": None if curve else _figure_moved(name, exact, shown),
        "points": _points(exact, shown) if curve else None,
        "suppressed": getattr(shown.disclosure, "suppressed", None),
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
    """Return how far a released curve is from the exact one at the same times of the grid."""
    left = _stepped(shown, _ten_times(exact))
    if not left.height:
        return None
    one = sr.survival.at(exact, sorted(set(left["on_grid"]))).estimates
    keys = [c for c in one.columns if c in (*exact.by, "cause")]
    both = left.drop("time").join(one, left_on=[*keys, "on_grid"], right_on=[*keys, "time"], how="inner")
    found = both.select((pl.col("estimate") - pl.col("estimate_right")).abs().mean()).item()
    return None if found is None else 100 * float(found)


def measure_set(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Compute and suppress one set of a population's results."""
    study, policy = sr.read_study(task["study"]), getattr(sr.Policy, task["policy"])()
    results: dict[str, sr.Result] = {}
    missing: dict[str, str] = {}
    started = time.process_time()
    for name, compute in estimators_of(cohort_of(study, task["population"]), task["set"]).items():
        try:
            results[name] = compute()
        except Exception as fault:
            missing[name] = f"{type(fault).__name__}: {fault}"
    yield {"computing": time.process_time() - started, "missing": missing}
    started = time.process_time()
    released = sr.suppress(results, policy)
    yield {"suppressing": time.process_time() - started, "memory": peak_memory()}
    found = {name: of_result(name, results[name], released[name], policy.threshold) for name in results}
    yield {"results": found}
    before = {
        name: shown_in(
            read_baseline(BASELINE), task["name"], task["population"], task["policy"], f"{task['set']}: {name}"
        )
        for name in results
    }
    started = time.process_time()
    seen = {name: count_cells(results[name], released[name])[1] for name in results}
    lost = {
        name: {key: (one["lost"][key], seen[name].get(one["lost"][key][0])) for key in one["lost"]}
        for name, one in found.items()
    }
    yield {"reasons": reasons_of(results, released, lost, before, policy), "tracing": time.process_time() - started}


def kept_of(store: Store, plan: StudyPlan, population: str, policy: str, *, seconds: float) -> dict[str, Any]:
    """Return what was measured of each set of one population under one policy."""
    facts = facts_of(store, plan)
    if facts.get("error"):
        return facts
    if population not in facts["populations"]:
        return {"absent": True}
    sets = {}
    for which in SETS:
        task = {
            "kind": "kept",
            "study": "",
            "name": plan.name,
            "population": population,
            "policy": policy,
            "set": which,
        }

        def measure(task: dict[str, Any] = task) -> dict[str, Any]:
            lines = in_child({**task, "study": str(folder_of(plan))}, seconds)
            return {key: value for line in lines for key, value in line.items()}

        sets[which] = store.get(f"kept: {plan.name}, {population}, {policy}, {which}", measure)
    return {"sets": sets}
