"""Bristol of 2011 projected from 2001-2006 alone, and South Somerset of 2013, against what ONS estimated since.

    python tests/proof/projections.py docs/back-test.md

The estimates and components are read beside the checkout (../shared/data), or where SYMPHONY_SHARED_DATA says.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
import test_projection_against_ons as ons

import symphony_research as sr
from symphony_research.reference import reference_table

COLUMNS = ("total", "over_65", "over_85", "mean")


def tested(*, carried: bool) -> sr.demography.BackTest:
    actual = ons.bristol("bristol_hist_popn_mye", "Popn", "persons")
    rates = {
        "fertility": ons.national().select("age", pl.col("principal").alias("rate")),
        "mortality": reference_table("national_mortality_shape").frame,
    }
    return sr.demography.back_test(
        ons.projected_bristol(carried),
        actual.filter(pl.col("year") >= 2006),
        history=actual,
        national=rates,
        components=ons.bristol_balance().estimates,
    )


def rows_of(result: sr.demography.BackTest, name: str, *, naive: bool) -> list[str]:
    lines = []
    for row in result.summary.filter(pl.col("year") == 2011).iter_rows(named=True):
        own = row["forecast"] == "projection"
        if own or naive:
            figures = " | ".join(f"{row[f'{c}_percent_error']:+.1f}" if c != "mean" else f"{row['mean_percent_error']:.1f}" for c in COLUMNS)  # fmt: skip
            lines.append(f"| {name if own else row['forecast']} | {figures} | {row['misplaced_percent']:.1f} |")
    return lines


def need_lines() -> list[str]:
    """Rates of the first year of the generated study, carried to later years by age, against what these years recorded."""
    study = sr.read_study(Path(__file__).resolve().parents[2] / "synthetic" / "small")

    def recorded(year: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        cohort = sr.define_cohort(study, index=f"{year}-04-01")
        days = sr.survival.event_rate(cohort.rates(event="bed_day", by="age_band", horizon=365), per=1).estimates
        held = sr.multimorbidity.prevalence(cohort.patterns(by="age_band"))
        people = held.count_tables["population"].rename({"n_persons": "people"})
        return days, held.estimates.join(people, on="age_band")

    first_days, first_held = recorded(2011)
    rates = first_days.select("age_band", pl.col("estimate").alias("rate"), pl.col("standard_error").alias("error"))
    shares = first_held.select("age_band", "condition", pl.col("estimate").alias("share"))
    rows = []
    for year in range(2012, 2017):
        days, held = recorded(year)
        days, held = days.join(rates, on="age_band"), held.join(shares, on=["age_band", "condition"])
        expected, happened = float((days["rate"] * days["person_years"]).sum()), float(days["n_events"].sum())
        errors = [float(((days[c] * days["person_years"]) ** 2).sum()) for c in ("error", "standard_error")]
        each = held.group_by("condition").agg(
            (pl.col("share") * pl.col("people")).sum().alias("made"), pl.col("n_persons").sum()
        )
        wrong = 100 * (each["made"] / each["n_persons"] - 1).abs().to_numpy().mean()
        total = 100 * (float(each["made"].sum()) / float(each["n_persons"].sum()) - 1)
        spread = 100 * 1.96 * sum(errors) ** 0.5 / happened
        rows.append(
            f"| {year}–{year - 1999} | {total:+.1f} | {wrong:.1f} | {100 * (expected / happened - 1):+.1f} | ±{spread:.0f} |"
        )
    return [
        "## Need carried forward, generated study of 20,000 people",
        "",
        "Rates by age of April 2011 to March 2012, times the people of later years by age, against what these years recorded; errors in %. Mean: of the absolute errors of 49 "
        "conditions. In the last column, how far two years' bed-days may lie apart by sampling (95%): few long stays make up most of them. No actual beds were compared.",
        "",
        "| year from April | people with conditions, all together | mean of conditions | bed-days | sampling of bed-days |",
        "|---|---:|---:|---:|---:|",
        *rows,
        "",
    ]


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, help="file to write")
    target = reader.parse_args().target
    ignored, carried = tested(carried=False), tested(carried=True)
    other = ons.bristol_balance().estimates.group_by("year", maintain_order=True).agg(
        pl.col("other_change").sum().alias("total"), pl.col("other_change").abs().max().alias("largest")
    )  # fmt: skip
    parts = ignored.contributions.filter(pl.col("year") == 2011)
    said = ", ".join(f"{row['component']} {row['error']:+,.0f}" for row in parts.iter_rows(named=True))
    somerset = sr.demography.project_south_somerset(end=2013)
    made = somerset.people(2013)
    lines = [
        "# Projections against what happened",
        "",
        "Made by `python tests/proof/projections.py docs/back-test.md` from estimates of the Office for National Statistics (Open Government Licence v3.0).",
        "",
        "## Bristol, mid-2006 to mid-2011",
        "",
        "From births, deaths and moves of mid-2001 to mid-2006 alone: deaths over those exposed by sex and age, mean net migrants by sex and age, the national shape "
        "of fertility at the level of local births. Errors in %; mean: of the absolute errors of five-year age groups, both sexes together; misplaced: half the sum of absolute "
        "errors over sex and five-year ages. Estimates of 2002 to 2010 were revised after the census of 2011, which is the other change: ignored, or its mean of five years carried forward.",
        "",
        "| forecast | total | 65 and over | 85 and over | mean | misplaced |",
        "|---|---:|---:|---:|---:|---:|",
        *rows_of(ignored, "**projection, other change ignored**", naive=False),
        *rows_of(carried, "**projection, other change carried forward**", naive=True),
        "",
        f"What each component contributed to the error of the total, other change ignored: {said} people. They add up to it exactly. The naive alternatives spread "
        "the net migrants of the projection with other change.",
        "",
        "| year to mid- | other change, people | largest cell by sex and age |",
        "|---|---:|---:|",
        *[f"| {year} | {total:,.0f} | {largest:,.0f} |" for year, total, largest in other.iter_rows()],
        "",
        "The files of domestic migrants hold every row twice; each counts once here.",
        "",
        "## South Somerset, mid-2013",
        "",
        f"Projected from mid-2011, with the components to mid-2012 as inputs and those to mid-2013 unknown: {made:,.0f} people, where ONS estimated 164,006 "
        f"({100 * (made / 164_006 - 1):+.2f}%). Later years are marked once, against estimates that were not looked at before: [decision 14](decisions/0014-projection-of-south-somerset.md).",
        "",
    ]
    lines += need_lines()
    target.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
