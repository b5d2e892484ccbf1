"""The page of the simulated evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import polars as pl
from evaluation_worlds import EFFECTS, STRENGTHS

__all__ = ["written"]

Required = Callable[[dict], list[tuple[str, bool]]]
WORDS = {
    "0": "Crises select nobody (probability of enrolment after a crisis 0)",
    "as now": "Crises select as in the public study (0.185)",
    "doubled": "Crises select twice as strongly (0.37)",
}
TRUE = {"0": "no effect", "-10%": "10% fewer admissions", "+5%": "5% more admissions"}


def written(
    table: pl.DataFrame, people: pl.DataFrame, failed: int, required: Required, primary: str, wrong: Sequence[str]
) -> str:
    """Return the page of a summary, of which `primary` must be right and `wrong` are known not to be."""
    cells = {(r["strength"], r["effect"], r["estimator"]): r for r in table.iter_rows(named=True)}
    lines = [
        "# The controlled evaluation against what was planted",
        "",
        "Made by `tests/proof/evaluation.py` (`make proof`) of studies of the generator, held in memory: people enrol soon after runs of emergency admissions, and",
        "the effect of it is planted. Seeds 0 and on, fixed beforehand; a seed's people and candidates for contacts are the same at each strength of selection and each true",
        "effect. Everything is on the log scale, of emergency admissions in days 1 to 365 after enrolling; Monte Carlo standard errors stand in brackets.",
        "[Every estimate](proof-evaluation.parquet): a run adds to them, and goes on where it was cut.",
        "",
        "**Truth.** The planted rate ratio r over what controls' own enrolled time implies: log r less log(1 + p (r - 1)), p being their share of their time enrolled.",
        "Of controls censored when they enrol, and of before and after, it is log r. On deaths no effect is planted.",
        "",
        "## People",
        "",
        f"Means of {people_seeds(people)} seeds. Last column: eligible people not enrolled for each enrolled and still there, where it is smallest in a study; the least of all seeds in brackets.",
        "",
        "| probability of enrolment after a crisis | a year without one | ever registered | eligible on a day | enrolled | left for each enrolled |",
        "|---|---|---|---|---|---|",
    ]
    for r in people.iter_rows(named=True):
        one = STRENGTHS[r["strength"]]
        lines.append(
            f"| {one.after_crisis:g} | {one.background:g} | {r['registered']:,.0f} | {r['eligible']:,.0f} | {r['enrolled']:,.0f} | {r['left']:.1f} ({r['least']:.1f}) |"
        )
    lines += [
        "",
        "The number enrolled is held near 280 by the probability without a crisis. Doubled, crises alone would enrol 352 of 65,800 with that probability at 0, so that study is smaller.",
        "",
        "## What is required of the primary estimator",
        "",
        f"`{primary}`: the whole 95% Monte Carlo interval of the bias within 0.03 of 0, coverage of its 95% interval 92.5 to 97.5%, model standard error within 10% of",
        "the empirical.",
        "",
        "| crises | true effect | replicates | bias, 95% Monte Carlo interval | coverage | model error against empirical | met |",
        "|---|---|---|---|---|---|---|",
    ]
    for strength in STRENGTHS:
        for effect in EFFECTS:
            if (strength, effect, primary) in cells:
                r = cells[strength, effect, primary]
                figures = required(r)
                unmet = [what for what, (_, met) in zip(("bias", "coverage", "error"), figures, strict=True) if not met]
                said = " | ".join(figure for figure, _ in figures)
                lines.append(
                    f"| {strength} | {effect} | {r['n']:,} | {said} | {'yes' if not unmet else 'no: ' + ', '.join(unmet)} |"
                )
    lines += ["", *unfinished(cells, primary), "## Every estimator", ""]
    lines += [
        "The last five of each table are standard ways of getting it wrong. Power: how often the 95% interval excludes no effect; where there is none, how often it is wrong.",
        "",
    ]
    for strength in STRENGTHS:
        for effect in EFFECTS:
            rows = [r for (s, e, _), r in cells.items() if (s, e) == (strength, effect)]
            if rows:
                lines += [f"### {WORDS[strength]}, {TRUE[effect]}", "", *of_cell(rows, primary, wrong), ""]
    if failed:
        lines += [f"{failed} estimates could not be made (an arm without events) and are omitted.", ""]
    return "\n".join(lines)


def unfinished(cells: dict, primary: str) -> list[str]:
    """Return what is to be said of a run that has not ended."""
    asked = {cell: 1_000 if cell[1] == "0" else 300 for cell in ((s, e) for s in STRENGTHS for e in EFFECTS)}
    if all((*cell, primary) in cells and cells[*cell, primary]["n"] >= n for cell, n in asked.items()):
        return []
    return [
        "1,000 replicates without an effect and 300 with one are asked for: the run has not ended, and fewer cannot settle what is required.",
        "",
    ]


def people_seeds(people: pl.DataFrame) -> int:
    """Return of how many seeds people were counted."""
    return int(people["seeds"][0])


def of_cell(rows: list[dict], primary: str, wrong: Sequence[str]) -> Iterator[str]:
    """Yield the table of a cell: the primary first, what is wrong last."""
    yield "| estimator | replicates | truth | bias | empirical error | model error | coverage, % | power, % |"
    yield "|---|---|---|---|---|---|---|---|"
    rank = {primary: -1, **{name: 100 + k for k, name in enumerate(wrong)}}
    for r in sorted(rows, key=lambda r: rank.get(r["estimator"], 0)):
        yield (
            f"| {r['estimator']} | {r['n']:,} | {r['truth']:+.3f} | {r['bias']:+.3f} ({r['bias_mc']:.3f}) | {r['empirical']:.3f} ({r['empirical_mc']:.3f}) | "
            f"{r['model']:.3f} ({r['model_mc']:.3f}) | {100 * r['coverage']:.1f} ({100 * r['coverage_mc']:.1f}) | {100 * r['power']:.1f} ({100 * r['power_mc']:.1f}) |"
        )
