"""How long the gate takes beside what it guards: for sets of results, for the shipped notebooks, and for large tables of pairs."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from made_studies import StudyPlan, write_study
from measured import BUILD, ROOT, Store, digest_of, folder_of, in_child, peak_memory

import symphony_research as sr

# conditions, columns of strata, lowest ages of the bands: 13 bands by sex, and 10 by sex and fifth of deprivation
LARGE = {
    "49 conditions x 26 strata": (49, ("age_band", "sex"), (0, *range(20, 80, 5))),
    "200 conditions x 100 strata": (200, ("age_band", "sex", "deprivation_quintile"), (0, *range(20, 80, 7))),
}
LONGEST, SHARE = 2.0, 0.2  # seconds of the gate, and of the computing
SETS_HEAD = [
    "| study | people | conditions | set of results | computing, s | suppressing, s | gate / computing |",
    "|---|---:|---:|---|---:|---:|---:|",
]
NOTEBOOKS_HEAD = [
    "| notebook | policy | whole notebook, s | in the gate, s | calls | share of the time, % | peak memory, GB |",
    "|---|---|---:|---:|---:|---:|---:|",
]
PAIRS_HEAD = [
    "| pairs of | people | strata | counts | computing, s | suppressing, s | gate / computing | peak memory, GB |",
    "|---|---:|---:|---:|---:|---:|---:|---:|",
]


def set_rows(plan: StudyPlan, facts: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Return one row a set of results of everybody in a study."""
    for which, one in found.get("sets", {}).items():
        start = f"| {plan.name} | {facts['people']:,} | {facts['conditions']} | {which} |"
        yield f"{start} {_times(one)} |"


def row_left_out(plan: StudyPlan) -> str:
    """Return the row of a study that was not measured."""
    people, conditions = (f"{n:,}" if n else "" for n in (plan.people, plan.conditions))
    return f"| {plan.name} | {people} | {conditions} | | | not measured | |"


def over_limit(one: Mapping[str, Any]) -> bool:
    """Whether the gate took longer than two seconds and a fifth of what computing took."""
    return bool(one["suppressing"] > LONGEST + SHARE * one["computing"])


def _times(one: Mapping[str, Any]) -> str:
    """Return seconds of computing, of suppressing, and how many times as long the gate takes."""
    computing = f"{one['computing']:.2f}" if "computing" in one else ""
    if "suppressing" not in one:
        return f"{computing} | {str(one.get('error', 'not ended')).replace('|', '/')[:120]} |"
    return f"{computing} | {one['suppressing']:.2f} | {one['suppressing'] / max(one['computing'], 1e-3):.1f}"


def notebook_of(store: Store, plan: StudyPlan, notebook: str, policy: str, *, seconds: float) -> dict[str, Any]:
    """Return how long a shipped notebook takes on a study, and how much of it in the gate."""

    def measure() -> dict[str, Any]:
        task = {"kind": "notebook", "notebook": notebook, "study": str(folder_of(plan)), "policy": policy}
        return in_child(task, seconds)[-1]

    return store.get(f"notebook: {notebook}, {plan.name}, {policy}", measure)


def measure_notebook(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Run the code of a notebook, with the time of each call of the gate added up."""
    import matplotlib

    matplotlib.use("Agg")
    taken: list[float] = []
    gate = sr.suppress

    def timed(*given: Any, **named: Any) -> Any:
        began = time.process_time()
        try:
            return gate(*given, **named)
        finally:
            taken.append(time.process_time() - began)

    sr.suppress = timed
    cells = json.loads((ROOT / "notebooks" / task["notebook"]).read_text(encoding="utf-8"))["cells"]
    space: dict[str, Any] = {"__name__": "__main__"}
    started = time.process_time()
    error = ""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for cell in cells:
                if cell["cell_type"] == "code":
                    exec(compile("".join(cell["source"]), task["notebook"], "exec"), space)
                if "parameters" in cell.get("metadata", {}).get("tags", []):
                    space.update(study=task["study"], policy=task["policy"])
        except Exception as fault:
            error = f"{type(fault).__name__}: {fault}"
        os.chdir(ROOT)
    whole = time.process_time() - started
    found = {"whole": whole, "gate": sum(taken), "calls": len(taken), "memory": peak_memory()}
    yield {**found, "error": error} if error else found


def notebook_row(notebook: str, policy: str, found: Mapping[str, Any]) -> str:
    """Return the row of a notebook."""
    if "whole" not in found:
        return f"| {notebook} | {policy} | | | | | {found['error']} |"
    memory = f"{found['memory']:.2f}" if found.get("memory") else ""
    ended = f" (stopped: {found['error'][:120]})" if found.get("error") else ""
    share = 100 * found["gate"] / found["whole"]
    return f"| {notebook}{ended} | {policy} | {found['whole']:.1f} | {found['gate']:.1f} | {found['calls']} | {share:.0f} | {memory} |"


def pairs_of(store: Store, name: str, people: int, policy: str, *, seconds: float) -> dict[str, Any]:
    """Return how long the gate takes over pairs in many strata, with the peak memory of its process."""

    def measure() -> dict[str, Any]:
        conditions, by, bands = LARGE[name]
        code = digest_of([Path(__file__), Path(write_study.__code__.co_filename)])[:8]
        folder = BUILD / "studies" / code / f"pairs_{conditions}_{people}"
        if not (folder / "study.toml").exists():
            write_study(folder, name=name, people=people, conditions=conditions, age_bands=bands)
        lines = in_child({"kind": "pairs", "study": str(folder), "by": by, "policy": policy}, seconds)
        return {key: value for line in lines for key, value in line.items()}

    return store.get(f"pairs: {name}, {people:,} people, {policy}", measure)


def measure_pairs(task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Count each pair in every stratum, without adjustment, and suppress it."""
    study, policy = sr.read_study(task["study"]), getattr(sr.Policy, task["policy"])()
    started = time.process_time()
    patterns = sr.define_cohort(study).patterns(by=tuple(task["by"]))
    pairs = sr.networks.cooccurrence(patterns)
    first = next(iter(pairs.count_tables))
    strata = pairs.estimates.select(task["by"]).n_unique() if set(task["by"]) <= set(pairs.estimates.columns) else 1
    counts = pairs.count_tables[first].height
    computing = time.process_time() - started
    yield {"strata": strata, "counts": counts, "computing": computing, "memory": peak_memory()}
    started = time.process_time()
    sr.suppress({"pairs": pairs}, policy)
    yield {"suppressing": time.process_time() - started, "memory": peak_memory()}


def pairs_row(name: str, people: int, found: Mapping[str, Any]) -> str:
    """Return the row of a large table of pairs."""
    strata, counts = (f"{found[key]:,}" if key in found else "" for key in ("strata", "counts"))
    memory = f"{found['memory']:.1f}" if found.get("memory") else ""
    return f"| {name} | {people:,} | {strata} | {counts} | {_times(found)} | {memory} |"
