"""Figures of before and after, event studies and series: what is drawn, how, and what is said where little may be."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import polars as pl
import pytest
from matplotlib.colors import to_rgba
from test_before_and_after import matched  # noqa: F401  (the twelve people)

import symphony_research as sr
from symphony_research.errors import ArgumentError

NHS = sr.Policy.nhs_england()
c = pl.col


@pytest.fixture(scope="module")
def many():
    study = sr.example_study(12_000)
    return sr.evaluation.match_controls(
        study, sr.define_cohort(study, programme="complex_care"), score="odds_weights", seed=1
    )


def test_leads_that_were_matched_on_are_hollow(many):
    found = sr.evaluation.event_study(many, period=91)
    ax = sr.plot_event_study(found)
    marks = {text.get_text(): mark for text, mark in zip(ax.get_legend().get_texts(), ax.collections[1:], strict=True)}
    assert list(marks) == ["After enrolling", "Before, not matched on", "Before, matched on", "Reference"]
    faces = {name: tuple(mark.get_facecolor()[0]) for name, mark in marks.items()}
    assert faces["Before, matched on"] == to_rgba("white")
    assert to_rgba("white") not in (faces["After enrolling"], faces["Before, not matched on"])
    drawn = found.estimates.filter(c("lower").is_not_null())
    assert len(marks["Before, matched on"].get_offsets()) == drawn.filter("matched_on").height
    ((x, y),) = marks["Reference"].get_offsets()
    reference = found.estimates.filter("is_reference").row(0, named=True)
    assert (x, y) == pytest.approx(((reference["first_day"] + reference["last_day"]) / 2 / (365.25 / 12), 1.0))
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == (
        "Months from enrolling",
        "Ratio of rate ratios (log scale)",
        "log",
    )
    note = next(text.get_text() for text in ax.texts if text.get_gid() == "footnote").replace("\n", " ")
    assert f"Reference: {found.days(reference)} enrolling." in note
    assert "with a power of 80%" in note
    linear = sr.plot(sr.evaluation.event_study(many, period=91, method="linear"))
    assert (linear.get_ylabel(), linear.get_yscale()) == ("Difference per 100 person-years", "linear")


def test_before_and_after_draws_each_arm_with_both_of_its_rates(many):
    found = sr.evaluation.before_after(many)
    ax = sr.plot_before_after(found)
    rates = found.periods["rate"].to_list()
    assert [y for line in ax.get_lines() for y in line.get_ydata()] == pytest.approx(rates)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Enrolled people", "Controls"]
    note = next(text.get_text() for text in ax.texts if text.get_gid() == "footnote").replace("\n", " ")
    assert "regression to the mean" in note
    ratio = sr.evaluation.difference_in_differences(many)
    assert "ratio of rate ratios" in sr.plot(ratio).get_title(loc="left").replace("\n", " ")


def test_a_series_has_a_line_before_and_after_and_one_without_a_change():
    study = sr.example_study(12_000)
    found = sr.evaluation.interrupted_time_series(
        study, start="2015-04-01", hub="Yeovil", control="other hubs", outcome="outpatient"
    )
    ax = sr.plot_interrupted_time_series(found)
    lines = [line for line in ax.get_lines() if len(line.get_xdata()) > 2]
    assert len(lines) == 6  # before, after, and without a change, of two series
    assert lines[2].get_ydata()[0] == pytest.approx(found.lines.drop_nulls("expected")["expected"][0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Year", "Events per 100 person-years")
    assert "against the control" in ax.get_title(loc="left").replace("\n", " ")
    assert "does not start at zero" in next(
        text.get_text() for text in ax.texts if text.get_gid() == "footnote"
    ).replace("\n", " ")


def test_where_little_may_be_shown_nothing_is_drawn(matched):  # noqa: F811
    e = sr.evaluation
    for result, plot in (
        (e.before_after(matched), sr.plot_before_after),
        (e.difference_in_differences(matched), sr.plot_before_after),
        (e.event_study(matched, period=182, reference=-1), sr.plot_event_study),
    ):
        ax = plot(sr.suppress(result, NHS))
        assert ax.get_gid() == "nothing to draw"
        assert "has enough people to show" in ax.get_title(loc="left").replace("\n", " ")
    with pytest.raises(ArgumentError, match="plot_event_study draws the result"):
        sr.plot_event_study(e.before_after(matched))


def test_every_table_is_written_with_its_words(many, tmp_path):
    e = sr.evaluation
    results = {
        "a": e.before_after(many), "b": e.difference_in_differences(many), "c": e.event_study(many, period=182),
        "d": e.interrupted_time_series(sr.example_study(12_000), start="2015-04-01"),
    }  # fmt: skip
    words = {
        "a": "Rate before, per 100 person-years",
        "b": "ratio of rate ratios",
        "c": "Matched on",
        "d": "level change",
    }
    for name, result in sr.suppress(results, NHS).items():
        sr.write_table(result, tmp_path / f"{name}.html")
        text = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert words[name] in text
        assert result.heading()
        assert all(figure.measure for figure in result.key_figures())
