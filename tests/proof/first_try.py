"""What disclosure control leaves: reports made at the first try, cells kept, and the time that it takes.

python tests/proof/first_try.py docs/utility.md                       everything: hours, and it goes on where it was stopped
python tests/proof/first_try.py docs/utility.md --written             the page, of what was measured already and no more
python tests/proof/first_try.py --quick                               small studies, one policy; the page on the screen
python tests/proof/first_try.py --section reports --only "300 people x 4 conditions" --policies sacro --again
python tests/proof/first_try.py --baseline tests/proof/baseline.json  write which cells are shown, to compare later code with
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import kept_pages
import try_kept
import try_reports
import try_time
from made_studies import StudyPlan, made_plans
from measured import BUILD, NOT_MEASURED, ROOT, Store, commit_of, facts_of, say
from real_studies import NOT_BROUGHT_IN, real_plans

import symphony_research as sr
from symphony_research.files import write_in_place

SECTIONS = ("reports", "kept", "time")
POLICIES = ("nhs_england", "opensafely", "sacro")
BASELINE_PEOPLE = 20_000  # of the public study that the baseline holds cell by cell
PUBLIC_PEOPLE, QUICK_PUBLIC_PEOPLE, QUICK_PEOPLE, QUICK_CONDITIONS = 114_874, 2_000, 1_000, 12
MANY_CONDITIONS = 13  # from which the gate may take longer
DATA = "SYMPHONY_SHARED_DATA"
TASKS = {"kept": try_kept.measure_set, "notebook": try_time.measure_notebook, "pairs": try_time.measure_pairs}

TITLE = [
    "# What disclosure control leaves",
    "",
    "`make proof`: the same studies as they would be made by hand, real public cohorts and the public study, each measured as it "
    "runs; an empty cell was not measured.",
]
REPORTS = [
    "## Reports at the first try",
    "",
    "Each row is one call of `symphony report` with every notebook and, where the study has hubs, every hub: a report that is not "
    "made is a failure, whatever the reason. Seconds are of a shared machine, with one report at a time.",
    "",
]
ABSENT = ["", "### Cohorts that are not brought in", "", "| data | why |", "|---|---|"]
KEPT = [
    "## What is kept",
    "",
    "All results of a notebook are suppressed in one call; kept are the cells shown now, of a hundred above the threshold that the "
    "baseline (commit BASE) showed, and moved is the mean distance of what is shown from the exact number, in per cent of it.",
    "",
]
DETAIL = [
    "",
    "### The public study, result by result",
    "",
    "The public study of PEOPLE people again, with each result on a row of its own. The page of the baseline's commit has shares of "
    "some results alone, on a study that was generated a little differently and with fewer results beside each other: the last two "
    "columns.",
    "",
    "| of whom | policy | result | cells above the threshold | shown | shown, % | count moved, % | figure moved, % | curve moved, points | "
    "earlier above the threshold | earlier shown, % |",
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
]
TOTALS = [
    "",
    "### Population by population",
    "",
    "All of the above that the baseline has, and the results of which fewer than 99 of a hundred cells are shown still.",
    "",
    "| of whom | policy | result | shown by the baseline | shown still | kept, % |",
    "|---|---|---|---:|---:|---:|",
]
LOST = [
    "",
    "### Cells lost",
    "",
    "Cells that the baseline showed and that are not shown now, by the kind of reason. Each cell that protects others was shown again "
    "by itself, all else as released, and what is suppressed around it was searched again.",
    "",
]
TIME = [
    "## Time of the gate",
    "",
    "Seconds of processor time of `sr.suppress` beside those of computing the same results, under POLICY, for everybody in a study.",
    "",
]
NOTEBOOKS = [
    "",
    "The shipped notebooks on the public study of PEOPLE people: how much of their time passes in the gate.",
    "",
]
PAIRS = [
    "",
    "Pairs of conditions in many strata, without adjustment, with the most memory that the process held. A table by strata of more "
    "than 400,000 counts is withheld and not searched.",
    "",
]


def main() -> int:
    asked = _parser().parse_args()
    if asked.task:
        task = json.loads(asked.task)
        for line in TASKS[task["kind"]](task):
            print(json.dumps(line), flush=True)
        return 0
    _prepare(asked)
    plans = _chosen(asked)
    store = Store(
        BUILD / "measured.json",
        again=asked.again,
        accept_earlier=asked.accept_earlier,
        timeout=asked.timeout,
        written=asked.written,
    )
    say(f"{len(plans)} studies; policies {', '.join(asked.policies)}; kept in {BUILD.relative_to(ROOT)}")
    if asked.baseline:
        return _write_baseline(store, plans, asked)
    # hours of calls: kept beside the page, so that another machine goes on from them
    calls = replace(store, path=asked.out.with_name("utility-calls.json"), accept_earlier=True) if asked.out else store
    earlier = _sections_of(asked.out)
    page = list(TITLE)
    for section, print_section in {"reports": _reports, "kept": _kept, "time": _time}.items():
        own = calls if section == "reports" else store
        if section in asked.section:
            page += ["", *print_section(own, plans, asked)]
        elif section in earlier:
            page += ["", *earlier[section]]
    text = "\n".join(page) + "\n"
    if asked.out:
        write_in_place(asked.out, text)
    else:
        print(text)
    return 0


def _sections_of(page: Path | None) -> dict[str, list[str]]:
    """Return the lines of each section that stands on a page, to be left as they are where they are not asked for."""
    if page is None or not page.exists():
        return {}
    heads = {REPORTS[0]: "reports", KEPT[0]: "kept", TIME[0]: "time"}
    parts = re.split(r"^(?=## )", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = {heads.get(part.split("\n")[0], ""): part.strip().split("\n") for part in parts[1:]}
    return {name: lines for name, lines in found.items() if name}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", help="the page to write; on the screen by default")
    parser.add_argument("--section", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="tables to make")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", default=[], help="studies whose name is, or begins with, one of these"
    )
    parser.add_argument("--kinds", nargs="+", choices=("made", "public", "real"), default=[], help="kinds of study")
    parser.add_argument("--people", nargs="+", type=int, default=[], help="sizes of the studies made by hand")
    parser.add_argument("--conditions", nargs="+", type=int, default=[], help="numbers of conditions of those")
    parser.add_argument("--complete", action="store_true", help="leave out the studies that lack something")
    parser.add_argument("--policies", nargs="+", choices=sr.policy.POLICIES, default=[], help="disclosure policies")
    parser.add_argument("--populations", nargs="+", choices=try_kept.POPULATIONS, default=list(try_kept.POPULATIONS))
    parser.add_argument(
        "--quick", action="store_true", help="small complete studies, one policy, a public study of 2,000"
    )
    parser.add_argument("--public-people", type=int, default=PUBLIC_PEOPLE, help="size of the public study")
    parser.add_argument("--data", type=Path, help=f"folder of real cohorts (default: ${DATA}, else ../shared/data)")
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="write which cells are shown to this file, and stop"
    )
    parser.add_argument(
        "--against", type=Path, metavar="FILE", default=kept_pages.BASELINE, help="the baseline to compare with"
    )
    parser.add_argument("--timeout", type=float, default=3600, metavar="S", help="most seconds for one measurement")
    parser.add_argument("--jobs", type=int, help="reports made at once (default: as the command has it)")
    parser.add_argument(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="set a parameter of the notebooks, to see what lies behind a failure",
    )
    parser.add_argument("--again", action="store_true", help="measure again what stands already")
    parser.add_argument("--accept-earlier", action="store_true", help="accept what was measured on earlier code")
    parser.add_argument("--written", action="store_true", help="measure nothing: the page of what stands already")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    return parser


def _prepare(asked: argparse.Namespace) -> None:
    """Fill in what follows from other switches."""
    if asked.quick:
        asked.complete = True
        asked.policies = asked.policies or ["nhs_england"]
        asked.public_people = min(asked.public_people, QUICK_PUBLIC_PEOPLE)
        asked.kinds = asked.kinds or ["made", "public"]
    asked.policies = asked.policies or [*POLICIES, "synthetic"]
    asked.data = asked.data or Path(os.environ.get(DATA) or ROOT.parent / "shared" / "data")
    if not asked.data.is_dir():
        say(f"The folder of real cohorts is not there ({asked.data}): give --data or set {DATA}. They are omitted.")


def _chosen(asked: argparse.Namespace) -> list[StudyPlan]:
    """Return the studies asked for: made by hand from the smallest, then the public study, then the real ones."""
    made = [
        plan
        for plan in made_plans()
        if (not asked.people or plan.people in asked.people)
        and (not asked.conditions or plan.conditions in asked.conditions)
        and not (asked.complete and plan.lacking)
        and not (asked.quick and ((plan.people or 0) > QUICK_PEOPLE or (plan.conditions or 0) > QUICK_CONDITIONS))
    ]
    narrowed = bool(asked.people or asked.conditions) and not asked.kinds
    others = [] if narrowed else [_public(asked.public_people), *real_plans(asked.data)]
    plans = [plan for plan in [*made, *others] if not asked.kinds or plan.kind in asked.kinds]
    if not asked.data.is_dir():
        plans = [plan for plan in plans if plan.kind != "real"]
    if not asked.only:
        return plans
    chosen: list[StudyPlan] = []
    for name in map(str.lower, asked.only):
        exact = [plan for plan in plans if plan.name.lower() == name]
        chosen += exact or [plan for plan in plans if plan.name.lower().startswith(name)]
    return list(dict.fromkeys(chosen))


def _public(people: int) -> StudyPlan:
    return StudyPlan(
        f"public study of {people:,}", "public", lambda folder: sr.synthesise(folder, people=people, seed=2013), people
    )


def _policies(asked: argparse.Namespace, plan: StudyPlan, *, suppressing: bool = False) -> list[str]:
    """Return the policies for a study: one that changes nothing is for generated data alone, and has nothing to keep."""
    return [p for p in asked.policies if p != "synthetic" or (plan.kind == "public" and not suppressing)]


def _reports(store: Store, plans: Sequence[StudyPlan], asked: argparse.Namespace) -> Iterator[str]:
    given = [f"Parameters were set for this: {', '.join(asked.parameter)}.", ""] if asked.parameter else []
    yield from [*REPORTS, *given, *try_reports.HEAD]
    asked_for = made = calls = 0
    left_out: list[str] = []
    not_measured = 0
    for plan in plans:
        for policy in _policies(asked, plan):
            found = try_reports.reports_of(
                store, plan, policy, seconds=asked.timeout, jobs=asked.jobs, given=asked.parameter
            )
            if found == NOT_MEASURED:
                left_out.append(policy)
                continue
            asked_for, made, calls = asked_for + found.get("asked", 0), made + found.get("made", 0), calls + 1
            yield from try_reports.rows_of(plan, facts_of(store, plan), policy, found)
        if left_out:
            yield try_reports.row_left_out(plan, left_out)
            not_measured += len(left_out)
            left_out = []
    yield from ["", f"{calls:,} calls: of {asked_for:,} reports asked for, {made:,} were made at the first try."]
    told = [f"{commit} ({count:,} calls)" for commit, count in store.commits("reports: ").items()]
    if told:
        yield from ["", f"Measured on: {', '.join(told)}. A call stands until it is asked for again (`--again`)."]
    if not_measured:
        yield from ["", f"Not measured: {not_measured} calls."]
    if not asked.data.is_dir():
        yield from ["", "The real cohorts were omitted: their folder is not there."]
    elif any(plan.kind == "real" for plan in plans):
        yield from [*ABSENT, *(f"| {name} | {why} |" for name, why in NOT_BROUGHT_IN.items())]


def _measured(
    store: Store, plans: Iterable[StudyPlan], asked: argparse.Namespace
) -> Iterator[tuple[StudyPlan, str, str, dict[str, Any]]]:
    """Yield what was measured of each population under each policy."""
    for plan in plans:
        for population in asked.populations:
            for policy in _policies(asked, plan, suppressing=True):
                found = try_kept.kept_of(store, plan, population, policy, seconds=asked.timeout)
                if not found.get("absent"):
                    yield plan, population, policy, found


def _kept(store: Store, plans: Sequence[StudyPlan], asked: argparse.Namespace) -> Iterator[str]:
    baseline = kept_pages.read_baseline(asked.against)
    if not baseline:
        say(f"There is no baseline at {asked.against}: cells shown are counted, and not compared.")
    if any(plan.kind == "public" and plan.people == PUBLIC_PEOPLE for plan in plans):
        plans = [*plans, _public(BASELINE_PEOPLE)]
    plans = [plan for plan in plans if plan.name in baseline or plan.kind == "public" or not baseline]
    rows: list[str] = []
    lost: list[str] = []
    detail: list[str] = []
    total = kept_pages.Totals()
    left_out: dict[str, dict[str, None]] = {}
    for plan, population, policy, found in _measured(store, plans, asked):
        if found == NOT_MEASURED or all(one == NOT_MEASURED for one in found.get("sets", {}).values()):
            left_out.setdefault(policy, {})[plan.name] = None
            continue
        own, gone = kept_pages.rows_of(baseline, plan, population, policy, found)
        rows, lost = rows + own, lost + gone
        total.add(baseline, plan, population, policy, found)
        if plan.kind == "public" and plan.people == asked.public_people:
            detail += kept_pages.detail_rows(baseline, population, policy, found)
    head = [line.replace("BASE", str(baseline.get("commit", "not there"))) for line in KEPT]
    yield from [*head, *kept_pages.HEAD, *rows]
    for policy, names in left_out.items():
        yield from ["", f"Not measured under {policy}: {'; '.join(names)}."]
    yield from [*TOTALS, *total.rows()]
    if detail:
        yield from [*(line.replace("PEOPLE", f"{asked.public_people:,}") for line in DETAIL), *detail]
    yield from LOST
    if lost:
        yield from [*kept_pages.REASONS_HEAD, *total.reasons(), "", *kept_pages.LOST_HEAD, *lost]
    else:
        yield "None."


def _time(store: Store, plans: Sequence[StudyPlan], asked: argparse.Namespace) -> Iterator[str]:
    policy = next((p for p in asked.policies if p != "synthetic"), POLICIES[0])
    yield from [*(line.replace("POLICY", policy) for line in TIME), *try_time.SETS_HEAD]
    small = slow = 0
    for plan in plans:
        if plan.lacking:
            continue
        found = try_kept.kept_of(store, plan, "everybody", policy, seconds=asked.timeout)
        if asked.written and all(one == NOT_MEASURED for one in found.get("sets", {"": NOT_MEASURED}).values()):
            yield try_time.row_left_out(plan)
            continue
        yield from try_time.set_rows(plan, facts_of(store, plan), found)
        if (plan.conditions or MANY_CONDITIONS) < MANY_CONDITIONS:
            measured = [one for one in found.get("sets", {}).values() if "suppressing" in one]
            small, slow = small + len(measured), slow + sum(map(try_time.over_limit, measured))
    yield from [
        "",
        f"Of {small} sets of up to 12 conditions, {slow} took longer than 2 s and a fifth of the computing.",
    ]
    public = next((plan for plan in plans if plan.kind == "public"), None)
    if public is None:
        return
    people = f"{facts_of(store, public).get('people', 0):,}"
    yield from [*(line.replace("PEOPLE", people) for line in NOTEBOOKS), *try_time.NOTEBOOKS_HEAD]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for one in _policies(asked, public, suppressing=True):
            found = try_time.notebook_of(store, public, path.name, one, seconds=asked.timeout)
            yield try_time.notebook_row(path.stem, one, found)
    yield from [*PAIRS, *try_time.PAIRS_HEAD]
    for name in try_time.LARGE:
        size = 5_000 if asked.quick else 115_000
        yield try_time.pairs_row(name, size, try_time.pairs_of(store, name, size, policy, seconds=asked.timeout))


def _write_baseline(store: Store, plans: Sequence[StudyPlan], asked: argparse.Namespace) -> int:
    for plan in plans:  # written after each, so that a run cut short leaves what it has
        measured = {(p.name, who, policy): found for p, who, policy, found in _measured(store, [plan], asked)}
        kept_pages.write_baseline(asked.baseline, measured, commit_of("symphony_research"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
