"""Pyramids and fans draw what their results hold, say so in words, and refuse what they cannot draw."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import polars as pl
import pytest
from matplotlib.patches import Rectangle

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.show.frame import DESCRIBED

mpl.use("Agg")
PROJECTED = sr.demography.project_south_somerset(end=2021)
DRAWN = sr.demography.project_south_somerset_at_random(end=2021, runs=60, seed=4)


def bars(ax) -> np.ndarray:
    """Widths of the bars: women, then men, by age."""
    return np.array([p.get_width() for p in ax.patches if isinstance(p, Rectangle)]).reshape(2, 91)


def test_a_pyramid_has_a_bar_for_every_sex_and_age():
    ax = sr.plot_population_pyramid(PROJECTED)
    people = PROJECTED.estimates.filter(pl.col("year") == 2021)["persons"].to_numpy().reshape(2, 91)
    assert bars(ax)[0] == pytest.approx(people[0])
    assert bars(ax)[1] == pytest.approx(-people[1])
    assert ax.get_yticklabels()[-1].get_text() == "90+"
    # the base as an outline
    base = PROJECTED.estimates.filter(pl.col("year") == 2011)["persons"].to_numpy().reshape(2, 91)
    outline = [line for line in ax.lines if len(line.get_xdata()) == 182]
    for sex, side in ((0, 1), (1, -1)):
        across, up = outline[sex].get_xdata(), outline[sex].get_ydata()
        assert across[::2] == pytest.approx(side * base[sex])
        # as high as the bar of its age
        assert up[::2] == pytest.approx(np.arange(91) - 0.5)
        assert up[1::2] == pytest.approx(np.arange(91) + 0.5)
    before, after = (PROJECTED.people(y, (65, None)) for y in (2011, 2021))
    assert ax.get_title(loc="left").replace("\n", " ") == (
        f"South Somerset: {100 * (after / before - 1):.0f}% more people aged 65 and over at mid-2021 than at mid-2011"
    )


def test_a_pyramid_of_another_year_and_of_random_runs():
    earlier = sr.plot_population_pyramid(PROJECTED, year=2015)
    assert bars(earlier)[0] == pytest.approx(
        PROJECTED.estimates.filter(pl.col("year") == 2015)["persons"].to_numpy()[:91]
    )
    mean = sr.plot_population_pyramid(DRAWN)
    assert bars(mean)[0] == pytest.approx(DRAWN.estimates.filter(pl.col("year") == 2021)["persons"].to_numpy()[:91])


def test_each_side_of_a_pyramid_is_named_where_it_stands():
    # in greyscale the two colours are one, so a key would tell nobody which is which
    ax = sr.plot_population_pyramid(PROJECTED)
    named = {t.get_text(): t.get_position()[0] for t in ax.texts if t.get_text().endswith("mid-2021")}
    assert named["Men, mid-2021"] < 0.5 < named["Women, mid-2021"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["Mid-2011"]


def test_the_words_of_a_pyramid_hold_its_figures():
    figure = sr.plot(PROJECTED).figure
    words = getattr(figure, DESCRIBED)
    assert "Population pyramid of mid-2021" in words
    assert "all people: 162,113 to" in words


@pytest.mark.parametrize("group", ["all ages", "65 and over", "85 and over"])
def test_a_fan_has_the_quantiles_of_its_group(group):
    ax = sr.plot_fan_chart(DRAWN, group=group)
    rows = DRAWN.groups.filter(pl.col("group") == group).sort("year")
    median, *forecast = ax.lines
    assert list(median.get_ydata()) == pytest.approx(rows["median"].to_list())
    outer, inner = (c.get_paths()[0].vertices for c in ax.collections)
    assert outer[:, 1].min() == pytest.approx(rows["lower_95"].min())
    assert inner[:, 1].max() == pytest.approx(rows["upper_80"].max())
    assert "80% interval" in ax.get_title(loc="left")
    # the growth quoted in 2013, from the median of mid-2013: a fifth more over 65, three tenths more over 85
    grown = {"65 and over": 1.2, "85 and over": 1.3}
    assert len(forecast) == (group in grown)
    for line in forecast:
        first = rows.filter(pl.col("year") == 2013)["median"].item()
        assert list(line.get_xdata()) == [2013, 2021]
        assert list(line.get_ydata()) == pytest.approx([first, first * grown[group]])


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ArgumentError, match="year=2030 was not projected"):
        sr.plot_population_pyramid(PROJECTED, year=2030)
    with pytest.raises(ArgumentError, match="plot_fan_chart draws the result of"):
        sr.plot_fan_chart(PROJECTED)
    with pytest.raises(ArgumentError, match="group='90'"):
        sr.plot_fan_chart(DRAWN, group="90")


def test_released_figures_are_written(tmp_path):
    for name, result in (("pyramid", PROJECTED), ("fan", DRAWN)):
        released = sr.suppress(result, sr.Policy.nhs_england())
        sr.write_figure(released, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000
