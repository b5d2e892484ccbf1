"""The public study as a researcher would first look at it: one picture of four panels.

python tests/proof/public_study.py docs/public_study.png [seed]
"""

from __future__ import annotations

import argparse
from datetime import date

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
from matplotlib.dates import date2num
from matplotlib.ticker import FuncFormatter

from symphony_research.synthetic import generate_tables, parameters

FIRST, LAST, MIDDLE = date(2012, 4, 1), date(2013, 3, 31), date(2012, 9, 30)
BLUE, ORANGE, GREY, PALE = "#0072B2", "#D55E00", "#6b7280", "#c9ced6"
AGES = 19
SHOWN = 20
CASELESS = {"copd": "COPD"}


def in_words(name: str) -> str:
    return CASELESS.get(name, name.replace("_", " "))


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", help="file to write")
    reader.add_argument("seed", type=int, nargs="?", default=2013, help="seed of the generator")
    given = reader.parse_args()
    target, seed = given.target, given.seed
    tables = generate_tables(114_874, seed=seed)
    spells = tables["registrations"].with_columns(pl.col("end_date").fill_null(parameters.PERIOD_END))
    there = spells.filter((pl.col("start_date") <= LAST) & (pl.col("end_date") >= FIRST))["person_id"].unique()
    held = tables["conditions"].filter(pl.col("onset_date") <= LAST)
    cost = tables["activity"].filter(pl.col("date").is_between(FIRST, LAST))
    cost = cost.group_by("person_id").agg(
        pl.col("cost").filter(pl.col("setting") == "inpatient").sum().alias("inpatient"),
        pl.col("cost").filter(pl.col("setting") != "inpatient").sum().alias("other"),
    )
    people = (
        tables["persons"]
        .filter(pl.col("person_id").is_in(there.implode()))
        .join(held.group_by("person_id").len("held"), on="person_id", how="left")
        .join(cost, on="person_id", how="left")
        .with_columns(
            pl.col("held", "inpatient", "other").fill_null(0),
            age=((MIDDLE - pl.col("birth_date")).dt.total_days() / 365.25 // 5).clip(0, AGES - 1).cast(pl.Int64),
        )
        .with_columns(band=pl.col("held").clip(upper_bound=7))
    )
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 11})
    figure, axes = plt.subplots(2, 2, figsize=(14, 11), layout="constrained")
    pyramid(axes[0, 0], people, tables["population"])
    cost_by_conditions(axes[0, 1], people)
    heat_map(axes[1, 0], people, held)
    admissions(axes[1, 1], tables["activity"])
    figure.suptitle(
        "The public study: invented people, drawn to be like South Somerset's", fontsize=14, x=0.01, ha="left"
    )
    figure.savefig(target, dpi=110, metadata={"Software": None})


def pyramid(ax: plt.Axes, people: pl.DataFrame, population: pl.DataFrame) -> None:
    for sex, sign, colour in (("F", -1, ORANGE), ("M", 1, BLUE)):
        own = people.filter(pl.col("sex").cast(pl.String) == sex)["age"].to_numpy()
        share = 100 * np.bincount(own, minlength=AGES) / people.height
        ax.barh(np.arange(AGES), sign * share, color=colour, height=0.85)
        census = population.filter(pl.col("sex").cast(pl.String) == sex)
        bands = np.minimum(census["age"].to_numpy() // 5, AGES - 1)
        counted = np.bincount(bands, census["persons"].to_numpy(), AGES)
        wanted = 100 * counted / population["persons"].to_numpy().sum()
        ax.plot(
            sign * wanted,
            np.arange(AGES),
            "o",
            color="black",
            markersize=3.5,
            label="ONS mid-2011" if sign < 0 else None,
        )
    ax.set_yticks(range(AGES), [f"{5 * k}-{5 * k + 4}" for k in range(AGES - 1)] + ["90+"])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):g}%"))
    ax.text(0.02, 0.97, "Women", color=ORANGE, transform=ax.transAxes, va="top", weight="bold")
    ax.text(0.98, 0.97, "Men", color=BLUE, transform=ax.transAxes, va="top", ha="right", weight="bold")
    ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.0), fontsize=9)
    ax.set_ylim(-0.6, AGES + 1)
    older = 100 * (people["age"].to_numpy() >= 13).mean()
    ax.set_title(f"{older:.0f}% are 65 or over: an old district", loc="left")
    ax.set_xlabel("Share of everyone registered in 2012-13")


def cost_by_conditions(ax: plt.Axes, people: pl.DataFrame) -> None:
    means = people.group_by("band").agg(pl.col("inpatient", "other").mean()).sort("band")
    ax.bar(means["band"], means["other"], color=PALE, label="all other care")
    ax.bar(means["band"], means["inpatient"], bottom=means["other"], color=BLUE, label="inpatient care")
    for band, inpatient, other in means.iter_rows():
        ax.text(band, inpatient + other + 120, f"£{inpatient + other:,.0f}", ha="center")
    ax.set_xticks(range(8), [*map(str, range(7)), "7 or more"])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"£{value:,.0f}"))
    ax.set_xlabel("Long-term conditions, of 49")
    ax.set_ylabel("Mean cost of a person in 2012-13")
    ax.legend(frameon=False, loc="upper left")
    ax.set_title("Cost rises with the number of conditions, mostly by hospital stays", loc="left")


def heat_map(ax: plt.Axes, people: pl.DataFrame, held: pl.DataFrame) -> None:
    by_age = np.bincount(people["age"].to_numpy(), minlength=AGES)
    joined = held.join(people.select("person_id", "age"), on="person_id").with_columns(
        pl.col("condition").cast(pl.String)
    )
    counts = joined.group_by("condition", "age").len()
    common = joined["condition"].value_counts(sort=True)["condition"].to_list()[:SHOWN]
    grid = np.zeros((SHOWN, AGES))
    for condition, age, n in counts.iter_rows():
        if condition in common:
            grid[common.index(condition), age] = 100 * n / by_age[age]
    drawn = ax.imshow(grid, aspect="auto", cmap="viridis", vmin=0, vmax=25)
    ax.set_yticks(range(SHOWN), [in_words(name) for name in common])
    ax.set_xticks(range(0, AGES, 2), [f"{5 * k}" if k < AGES - 1 else "90+" for k in range(0, AGES, 2)])
    ax.set_xlabel("Age, in five-year bands")
    plt.colorbar(drawn, ax=ax, label="% of people of that age", extend="max")
    ax.set_title(f"The {SHOWN} commonest conditions build up with age", loc="left")


def admissions(ax: plt.Axes, activity: pl.DataFrame) -> None:
    stays = activity.filter(pl.col("setting") == "inpatient").with_columns(month=pl.col("date").dt.truncate("1mo"))
    for kind, colour in (("emergency", ORANGE), ("elective", BLUE)):
        monthly = stays.filter(pl.col("kind").cast(pl.String) == kind).group_by("month").len().sort("month")
        days = monthly["month"].dt.month_end().dt.day()
        ax.plot(monthly["month"], monthly["len"] / days, color=colour)
        ax.text(date2num(date(2018, 4, 20)), (monthly["len"] / days)[-1], kind, color=colour, va="center")
    ax.axvline(date2num(date(2015, 4, 13)), color=GREY, linestyle=":")
    ax.text(date2num(date(2015, 4, 25)), ax.get_ylim()[1], "First hub opens", color=GREY, va="top")
    ax.set_ylim(bottom=0)
    ax.set_ylabel("Admissions a day")
    ax.set_title("Emergency admissions peak each winter", loc="left")


if __name__ == "__main__":
    main()
