"""The page that sets published against generated: means over seeds, their errors, and the default seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from symphony_research.synthetic import parameters
from symphony_research.synthetic.calibration.bound import largest_possible_person_year
from symphony_research.synthetic.calibration.targets import TARGETS, Target

__all__ = ["calibration_page", "held"]

LARGEST_DISTANCE = 2.5  # seed standard deviations that the default seed may lie from the mean


def held(target: Target, mean: float) -> bool:
    """Return whether the mean over seeds lies in a target's range."""
    return target.low is None or target.high is None or target.low <= mean <= target.high


def _number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"


def calibration_page(
    by_seed: Sequence[Mapping[str, float]], default: Mapping[str, float], *, people: int, seed: int
) -> tuple[str, bool]:
    """Return the page as Markdown, and whether every target is held.

    Parameters
    ----------
    by_seed : sequence of mappings
        Figures of each of the seeds 0, 1, ..., by name.
    default : mapping
        Figures of the default seed.
    people, seed : int
        Size of each study, and the default seed.
    """
    count = len(by_seed)
    rows, good = [], True
    for target in TARGETS:
        values = np.array([figures[target.name] for figures in by_seed])
        mean, spread = float(values.mean()), float(values.std(ddof=1))
        if target.name == "largest_person_year":
            mean = float(values.max())
        distance = (default[target.name] - mean) / spread if spread else 0.0
        in_range, near = held(target, mean), abs(distance) <= LARGEST_DISTANCE
        checked = target.low is not None
        good &= not checked or (in_range and near)
        verdict = ("yes" if in_range else "NO") if checked else ""
        cells = [
            target.words,
            target.wanted,
            _number(mean, target.digits),
            _number(spread / math.sqrt(count), target.digits + 1 if target.digits else 1),
            verdict,
            _number(default[target.name], target.digits),
            _number(spread, target.digits + 1 if target.digits else 1),
            f"{distance:+.1f}" if checked else "",
            target.status if target.status != "shown" else "",
            target.source,
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return _PAGE.format(
        count=count,
        last=count - 1,
        people=f"{people:,}",
        seed=seed,
        rows="\n".join(rows),
        identity=_identity(by_seed),
        largest=f"{largest_possible_person_year():,.0f}",
        occupancy=f"{100 * parameters.OCCUPANCY:.0f}",
        verdict="Every target is held." if good else "NOT every target is held.",
    ), good


def _identity(by_seed: Sequence[Mapping[str, float]]) -> str:
    mean = {name: float(np.mean([figures[name] for figures in by_seed])) for name in by_seed[0]}
    lines = ["| | admissions a person-year | mean stay, nights | bed-days a person-year |", "|---|---:|---:|---:|"]
    for kind in ("emergency", "elective"):
        rate, stay = mean[f"{kind}_here"], mean[f"{kind}_stay"]
        lines.append(f"| {kind} | {rate:.4f} | {stay:.2f} | {rate * stay:.4f} |")
    rate = mean["admissions"] - mean["emergency_here"] - mean["elective_here"]
    lines.append(f"| maternity | {rate:.4f} | {mean['maternity_stay']:.2f} | {rate * mean['maternity_stay']:.4f} |")
    lines.append(f"| all | {mean['admissions']:.4f} | {mean['mean_stay']:.2f} | {mean['bed_days']:.4f} |")
    lines += [
        "",
        f"Inpatient cost is GBP {mean['inpatient_cost']:.2f} a person-year; fixed costs times admissions and costs a day times "
        f"bed-days, by kind, make GBP {mean['inpatient_cost_by_identity']:.2f}. Beds: {mean['bed_days']:.4f} bed-days x 114,874 / "
        f"(365 x {parameters.OCCUPANCY}) = {mean['beds']:.1f}.",
    ]
    return "\n".join(lines)


_PAGE = """# The public study, published against generated

Written by `make calibration`: {count} studies of {people} people registered in 2012-13, seeds 0 to {last}, and the default seed {seed}. {verdict}

Definitions: financial year 2012-13, people registered for any of it, no annualisation, zeros included, least squares on
pounds; number of the 49 conditions by the end of the year in bands 0 to 7 or more; age at mid-year in five-year bands. Those
registered in 2012-13 are the people a study is asked for, exactly; each also holds everyone else registered at any time from
April 2011 to March 2018. "Error" is the Monte Carlo standard error of the mean over seeds, "SD" the standard deviation from seed to seed, and
"off" the distance of the default seed from the mean in such SDs (at most 2.5). Figures that no source gives are assumed, and say so.

| figure | wanted | mean | error | held | default seed | SD | off | status | source |
|---|---|---:|---:|---|---:|---:|---:|---|---|
{rows}

## Admissions, stays, bed-days and cost

{identity}

## The largest person-year

Every rate is bounded (normal traits are cut at three standard deviations), events of a stream in a person-year are counted up
to a stated number, nobody lies in two beds, and the noise of a stay's cost is cut at two and a half: no person-year
can cost more than GBP {largest}. Nothing is rescaled after drawing.

## Whose records these are

Nobody's. What went in are printed totals, means and percentages: population by sex and age, national death rates, the figures
above. No record of a person was seen by whoever chose a parameter or by the generator, every person is drawn from those
parameters and a seed alone, and the same seed gives the same bytes without any data at hand: so no row can be about a person,
and no comparison with real records could show that somebody was among them.
"""
