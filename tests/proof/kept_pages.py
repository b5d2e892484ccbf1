"""The baseline of cells shown, and the tables that compare what is shown now with it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from made_studies import StudyPlan

BASELINE = Path(__file__).resolve().parent / "baseline.json"
LARGEST_BASELINE = 1_000_000
EXAMPLES = 3


def read_baseline(path: Path) -> dict[str, Any]:
    """Return the baseline: by study, population and policy the cells of each result that were shown."""
    packed = path.with_suffix(".json.gz")
    if packed.exists():
        return dict(json.loads(gzip.decompress(packed.read_bytes())))
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def shown_in(baseline: Mapping[str, Any], study: str, population: str, policy: str, result: str) -> set[str] | None:
    """Return the digests of the cells of one result that the baseline showed, or None where it was not measured."""
    held = baseline.get(study, {}).get(population, {}).get(result)
    if held is None or policy not in held["but"]:
        return None
    return _parts(held["cells"]) - _parts(held["but"][policy])


def _parts(digests: str) -> set[str]:
    return {digests[k : k + 4] for k in range(0, len(digests), 4)}


def write_baseline(path: Path, measured: Mapping[tuple[str, str, str], dict[str, Any]], commit: str) -> None:
    """Write which cells are shown; what the file holds of other studies is kept.

    Policies show much the same: a result's cells are written once, and for each policy those of them that it does not show.
    """
    baseline = read_baseline(path)
    shown: dict[tuple[str, str, str], dict[str, set[str]]] = {}
    for (study, population, policy), found in measured.items():
        for which, one in found.get("sets", {}).items():
            for name, result in one.get("results", {}).items():
                shown.setdefault((study, population, f"{which}: {name}"), {})[policy] = _parts(result["shown"])
    for (study, population, name), policies in shown.items():
        held = baseline.setdefault(study, {}).setdefault(population, {}).setdefault(name, {"cells": "", "but": {}})
        policies = {p: _parts(held["cells"]) - _parts(gone) for p, gone in held["but"].items()} | policies
        cells = set().union(*policies.values())
        held["cells"] = "".join(sorted(cells))
        held["but"] = {policy: "".join(sorted(cells - own)) for policy, own in sorted(policies.items())}
    text = json.dumps({**baseline, "commit": commit}, separators=(",", ":"), sort_keys=True)
    packed = path.with_suffix(".json.gz")
    small = len(text) <= LARGEST_BASELINE
    if small:
        path.write_text(text + "\n", encoding="utf-8")
    else:
        packed.write_bytes(gzip.compress(text.encode(), mtime=0))
    (packed if small else path).unlink(missing_ok=True)


HEAD = [
    "| study | of whom | policy | cells above the threshold | shown | shown by the baseline | kept, % | count moved, % | figure moved, % | curves moved, points | not measured |",
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
]
REASONS_HEAD = ["| of whom | policy | reason | cells |", "|---|---|---|---:|"]
LOST_HEAD = ["| study | of whom | policy | result | reason | cells | such as |", "|---|---|---|---|---|---:|---|"]


def rows_of(
    baseline: Mapping[str, Any], plan: StudyPlan, population: str, policy: str, found: Mapping[str, Any]
) -> tuple[list[str], list[str]]:
    """Return the row of one population, and one a result and reason for the cells that it has lost."""
    large = shown = before = both = compared = 0
    moved: dict[str, list[tuple[float, int]]] = {"count moved": [], "figure moved": [], "points": []}
    lost_rows, faults = [], [found["error"]] if found.get("error") else []
    for which, one in found.get("sets", {}).items():
        if one.get("error"):
            faults.append(f"{which}: {one['error']}")
        faults += [f"{name}: {why}" for name, why in one.get("missing", {}).items()]
        for name, result in one.get("results", {}).items():
            now, earlier = (
                _parts(result["shown"]),
                shown_in(baseline, plan.name, population, policy, f"{which}: {name}"),
            )
            large, shown = large + result["large"], shown + len(now)
            for how, values in moved.items():
                if result[how] is not None and now:
                    values.append((result[how], len(now)))
            if earlier is None:
                continue
            compared, before, both = compared + 1, before + len(earlier), both + len(now & earlier)
            why = one.get("reasons", {}).get(name, {})
            lost_rows += _lost_rows(
                result, earlier - now, why, f"{plan.name} | {population} | {policy} | {which}: {name}"
            )
    for name, cells in _not_released(baseline, plan, population, policy, found).items():
        compared, before = compared + 1, before + cells
        lost_rows.append(
            f"| {plan.name} | {population} | {policy} | {name} | the result was not released | {cells} | |"
        )
    kept = f"{100 * both / before:.1f}" if before else ""
    means = [
        f"{scale * _mean(moved[how]):.1f}" if moved[how] else ""
        for how, scale in (("count moved", 100), ("figure moved", 100), ("points", 1))
    ]
    said = "; ".join(dict.fromkeys(" ".join(fault.split())[:160].replace("|", "/") for fault in faults))
    row = (
        f"| {plan.name} | {population} | {policy} | {large:,} | {shown:,} | {f'{before:,}' if compared else ''} | {kept} | "
        f"{' | '.join(means)} | {said} |"
    )
    return [row], lost_rows


def _not_released(
    baseline: Mapping[str, Any], plan: StudyPlan, population: str, policy: str, found: Mapping[str, Any]
) -> dict[str, int]:
    """Return how many cells the baseline showed of each result that there is no more."""
    now = {f"{which}: {name}" for which, one in found.get("sets", {}).items() for name in one.get("results", {})}
    gone = [name for name in baseline.get(plan.name, {}).get(population, {}) if name not in now]
    cells = {name: len(shown_in(baseline, plan.name, population, policy, name) or ()) for name in gone}
    return {name: number for name, number in cells.items() if number}


def _lost_rows(result: Mapping[str, Any], lost: set[str], why: Mapping[str, str], whose: str) -> list[str]:
    reasons = _reasons(result, lost, why)
    rows = []
    for reason, cells in sorted(Counter(reasons.values()).items()):
        named = [result["lost"][key][0] for key, own in reasons.items() if own == reason and key in result["lost"]]
        rows.append(f"| {whose} | {reason} | {cells} | {'; '.join(named[:EXAMPLES])} |")
    return rows


def _reasons(result: Mapping[str, Any], lost: set[str], why: Mapping[str, str]) -> dict[str, str]:
    """Return why each lost cell is not shown, by its digest."""
    return {
        key: why.get(key, "not traced") if key in result["lost"] else "not a cell now, or not above the threshold"
        for key in sorted(lost)
    }


def _mean(values: list[tuple[float, int]]) -> float:
    return sum(value * cells for value, cells in values) / sum(cells for _, cells in values)


# the results of the earlier page, by their names now
EARLIER = {
    "combinations: condition count": "numbers of conditions",
    "combinations: prevalence": "conditions",
    "combinations: prevalence, by age and sex": "conditions, by age and sex",
    "combinations: other conditions": "further conditions",
    "combinations: sets": "sets of up to three",
    "combinations: every exact set": "exact sets",
    "network: pairs": "pairs",
}


def detail_rows(baseline: Mapping[str, Any], population: str, policy: str, found: Mapping[str, Any]) -> Iterator[str]:
    """Return one row a result."""
    page = baseline.get("page", {}).get(policy, {}).get(population, {})
    for which, one in found.get("sets", {}).items():
        for name, result in one.get("results", {}).items():
            told = [(result["count moved"], 100), (result["figure moved"], 100), (result["points"], 1)]
            moved = " | ".join("" if value is None else f"{scale * value:.1f}" for value, scale in told)
            shown, large = len(result["shown"]) // 4, result["large"]
            share = f"{100 * shown / large:.1f}" if large else ""
            before = " | ".join(page.get(EARLIER.get(f"{which}: {name}", ""), ["", ""]))
            yield f"| {population} | {policy} | {which}: {name} | {large:,} | {shown:,} | {share} | {moved} | {before} |"


class Totals:
    """Cells that the baseline showed and those of them shown still, over all studies."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str], list[int]] = {}
        self._why: Counter[tuple[str, str, str]] = Counter()

    def add(
        self, baseline: Mapping[str, Any], plan: StudyPlan, population: str, policy: str, found: Mapping[str, Any]
    ) -> None:
        """Add what was measured of one population under one policy."""
        for which, one in found.get("sets", {}).items():
            for name, result in one.get("results", {}).items():
                earlier = shown_in(baseline, plan.name, population, policy, f"{which}: {name}")
                now = _parts(result["shown"])
                both = len((earlier or set()) & now)
                why = _reasons(result, (earlier or set()) - now, one.get("reasons", {}).get(name, {}))
                self._why.update((population, policy, reason) for reason in why.values())
                for whose in ("", f"{which}: {name}"):
                    cells = self._cells.setdefault((population, policy, whose), [0, 0])
                    cells[0] += len(earlier or ())
                    cells[1] += both

    def rows(self) -> Iterator[str]:
        """Return the row of all results, and one of each that has lost more than one in a hundred."""
        for (population, policy, result), (before, both) in sorted(self._cells.items()):
            if before and (not result or both < 0.99 * before):
                yield f"| {population} | {policy} | {result or 'all'} | {before:,} | {both:,} | {100 * both / before:.1f} |"

    def reasons(self) -> Iterator[str]:
        """Return the row of each reason for which cells are lost."""
        for (population, policy, reason), cells in sorted(self._why.items()):
            yield f"| {population} | {policy} | {reason} | {cells:,} |"
