"""Whether every report is made at the first try: the command line, on each study, under each policy."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from made_studies import StudyPlan
from measured import ROOT, Store, facts_of, first_line, folder_of, run

HEAD = [
    "| study | people | conditions | lacking | policy | reports asked for | made at the first try | exit code | seconds | first reason |",
    "|---|---:|---:|---|---|---:|---:|---:|---:|---|",
]


def reports_of(
    store: Store, plan: StudyPlan, policy: str, *, seconds: float, jobs: int | None, given: Sequence[str] = ()
) -> dict[str, Any]:
    """Make every report of a study under a policy; return how many were asked for and made, and why others were not."""
    facts = facts_of(store, plan)
    if facts.get("error"):
        return facts

    def measure() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="first-try-") as out:
            command = [
                sys.executable, "-m", "symphony_research", "report", str(folder_of(plan)),
                *(["--all-hubs"] if facts["hubs"] else []), "--policy", policy, "--out", str(Path(out, "reports")),
                *(["--jobs", str(jobs)] if jobs else []), *[word for pair in given for word in ("-p", pair)],
            ]  # fmt: skip
            code, said, complained, taken = run(command, seconds, cwd=Path(out))
        return {**_read(said, complained, code, seconds, _asked(len(facts["hubs"]))), "seconds": taken}

    return store.get(", ".join([f"reports: {plan.name}", policy, *given]), measure)


def _read(said: str, complained: str, code: int | None, seconds: float, asked: int) -> dict[str, Any]:
    """Read the last lines of the command: how many were made, and each that failed with its reason."""
    count = re.search(r"^([\d,]+) reports? made(?:, ([\d,]+) failed)?", said, re.MULTILINE)
    made, failed = (int((n or "0").replace(",", "")) for n in count.groups()) if count else (0, asked)
    reasons: dict[str, list[str]] = {}
    for label, reason in re.findall(r"^  ([^:]+): (.+)$", said, re.MULTILINE):
        reasons.setdefault(first_line(reason), []).append(label)
    if count is None:
        lines = [line for line in complained.splitlines() if line.strip() and "\r" not in line]
        why = (
            f"no answer within {seconds:,.0f} s" if code is None else first_line("\n".join(lines)) or "nothing was said"
        )
        reasons = {why: []}
    return {"asked": made + failed, "made": made, "exit": code, "reasons": reasons}


def _asked(hubs: int) -> int:
    """Return how many reports one call asks for: one a notebook, or one a hub where it is about a programme's; without hubs none."""
    asked = 0
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        takes_hub = any(re.search(r"^hub\b", "".join(cell["source"]), re.MULTILINE) for cell in cells)
        about_hubs = any(re.search(r"^programme\b", "".join(cell["source"]), re.MULTILINE) for cell in cells)
        asked += hubs if takes_hub and about_hubs else min(hubs, 1) if about_hubs else 1
    return asked


def rows_of(plan: StudyPlan, facts: dict[str, Any], policy: str, found: dict[str, Any]) -> Iterator[str]:
    """Return the row of one study under one policy."""
    people, conditions = (f"{facts[name]:,}" if name in facts else "" for name in ("people", "conditions"))
    if "asked" not in found:
        yield f"| {plan.name} | {people} | {conditions} | {plan.lacking} | {policy} | | 0 | | | {found['error']} |"
        return
    told = "; ".join(f"{_labels(labels)}{reason}" for reason, labels in found["reasons"].items()).replace("|", "/")
    code = "stopped" if found["exit"] is None else found["exit"]
    yield (
        f"| {plan.name} | {people} | {conditions} | {plan.lacking} | {policy} | {found['asked']} | {found['made']} | "
        f"{code} | {found['seconds']:,.0f} | {told} |"
    )


def row_left_out(plan: StudyPlan, policies: Sequence[str]) -> str:
    """Return the row of the policies under which a study was not measured."""
    people, conditions = (f"{n:,}" if n else "" for n in (plan.people, plan.conditions))
    return f"| {plan.name} | {people} | {conditions} | {plan.lacking} | {', '.join(policies)} | | | | | not measured |"


def _labels(labels: list[str]) -> str:
    """Name the reports that share a reason by the numbers of their notebooks."""
    numbers = sorted({label.split("_")[0] for label in labels})
    return f"{', '.join(numbers)}: " if numbers else ""
