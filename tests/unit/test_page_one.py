"""What page one is made of: findings at fixed times, the median, who was studied, and which files stand beside a page."""

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.result import not_available
from symphony_research.result.facts import facts_of, of_whom
from symphony_research.show import finding, heading, table


def people(*rows):
    """Rows of (time in days, 1 = event or 0, people)."""
    return pl.DataFrame(rows, schema={"time": pl.Float64, "event": pl.Int64, "n": pl.Int64}, orient="row")


def curve(*rows, **more):
    given = {"time": "time", "event": "event", "weights": "n", "time_unit": "days", "event_name": "admission"} | more
    return sr.survival.kaplan_meier(people(*rows), **given)


def test_the_median_by_hand():
    # four people, one event a day: 3/4, 2/4, 1/4, 0 are left. The curve is level with one half from day 2 to day 3, of
    # which R's quantile(survfit(Surv(1:4, rep(1, 4)) ~ 1), 0.5)$quantile takes the middle, 2.5
    even = sr.survival.quantile(curve((1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1)))
    assert even.estimates.select("earliest", "latest").row(0) == (2.5, 2.5)
    # five people: 4/5, 3/5, 2/5: one half is passed on day 3
    odd = sr.survival.quantile(curve((1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1), (5, 0, 1)))
    assert odd.estimates["latest"].item() == 3
    # a quarter have had it on day 2 (4/5 is above, 3/5 below three quarters)
    assert sr.survival.quantile(curve((1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 1, 1), (5, 0, 1)), q=0.25).estimates["latest"].item() == 2  # fmt: skip
    # half is never reached where one in five had it
    never = sr.survival.quantile(curve((1, 1, 1), (5, 0, 4)))
    assert never.estimates["latest"].item() is None
    assert never.sentence() == "Fewer than half of the people had at least one hospital admission within follow-up."


def test_a_released_median_is_an_interval_of_the_grid():
    # of 400, 100 have it on day 20, 120 on day 80: 25% by day 30, 55% by day 90; at day 60 it is 25% still
    exact = curve((20, 1, 100), (80, 1, 120), (400, 0, 180))
    safe = sr.suppress(exact, sr.Policy.nhs_england())
    assert sr.survival.quantile(exact).estimates["latest"].item() == 80
    found = sr.survival.quantile(safe).estimates
    assert found.select("earliest", "latest").row(0) == (60, 90)
    assert found["lower"].item() <= 60
    assert found["upper"].item() is None or found["upper"].item() >= 90
    assert "within 60 to 90 days" in sr.survival.quantile(safe).sentence()


def test_a_median_past_which_the_curve_is_suppressed_is_not_said_to_be_later():
    # of 100, 40 have it on day 20 and 55 on day 80, which passes half; five are left, so the curve ends at day 60 with 40%
    rows = [("a", 20, 1, 40), ("a", 80, 1, 55), ("a", 400, 0, 5), ("b", 20, 1, 40), ("b", 400, 0, 60)]
    groups = pl.DataFrame(rows, schema=["hub", "time", "event", "n"], orient="row")
    given = {"time": "time", "event": "event", "weights": "n", "time_unit": "days", "event_name": "admission"}
    alone = sr.survival.kaplan_meier(groups.filter(hub="a"), **given)
    median = sr.survival.quantile(sr.suppress(alone, sr.Policy.nhs_england()))
    assert median.estimates["latest"].item() is None
    assert median.sentence() == "The time by which half of the people had at least one hospital admission is suppressed by disclosure control."  # fmt: skip
    assert median.missing_marker(median.estimates.row(0, named=True), "latest") == "[c]"
    both = sr.suppress(sr.survival.kaplan_meier(groups, by="hub", **given), sr.Policy.nhs_england())
    said = sr.survival.quantile(both).sentence()
    assert said == "Half of the people had at least one hospital admission: a [c]; b later than the end of follow-up."


@pytest.mark.parametrize("q", [0, 1, -0.1, True, "half"])
def test_a_share_that_is_none_is_refused(q):
    with pytest.raises(sr.ArgumentError, match="between 0 and 1"):
        sr.survival.quantile(curve((1, 1, 2)), q=q)
    with pytest.raises(sr.ArgumentError, match="curve is needed"):
        sr.survival.quantile(sr.define_cohort(sr.example_study()).attrition)


def test_curves_are_read_at_fixed_times_whatever_the_data():
    # followed to day 300: the last fixed time is 180, at which 1 of 4 has had it
    assert curve((100, 1, 100), (300, 0, 300)).sentence().startswith("At 180 days, 75%")
    # to day 400: 365
    assert curve((100, 1, 100), (400, 0, 300)).sentence().startswith("At 365 days, 75%")
    # a horizon that was asked for is the time of every hub; where follow-up is shorter the reason is said
    cohort = sr.define_cohort(sr.example_study())
    asked = cohort.follow_up(event="death", horizon=365)
    short = sr.survival.kaplan_meier(asked.to_frame().filter(pl.col("time") < 200), time="time", event="event", weights="n_persons",
                                     time_unit="days")  # fmt: skip
    assert sr.survival.kaplan_meier(asked, time="time", event="event", weights="n_persons").key_figures()[0].measure == "Alive at 365 days"  # fmt: skip
    assert short.sentence().endswith(".")


def test_key_figures_have_a_mark_where_there_is_none():
    # 400 people followed to day 50, then none: nothing is known of day 365
    made = curve((10, 1, 100), (50, 0, 300))
    assert made.key_figures()[0].value.startswith("75%")
    few = sr.suppress(curve((10, 1, 3), (400, 0, 4)), sr.Policy.nhs_england())
    assert [f.value for f in few.key_figures()] == []
    assert few.sentence() == "No group is large enough to show a curve."


def test_whom_a_report_is_about():
    hub = {"population": {"programme": "complex_care", "hub": "Yeovil", "index": "enrolment", "until": "2018-03-31"},
           "period": ["2011-04-01", "2018-03-31"], "study": "S"}  # fmt: skip
    assert of_whom(hub) == "complex care, Yeovil"
    assert facts_of(hub, 340) == {
        "People": "340",
        "Population": "Complex care, Yeovil",
        "Joined": "from 1 April 2011; time runs from each person's day of joining",
        "Data to": "31 March 2018",
        "Study": "S",
    }
    assert of_whom({"population": {"age": [0, None], "index": "2011-04-01"}}) == ""
    assert of_whom({"population": {"age": [65, None], "sex": "F"}}) == "women, aged 65 and over"


def test_findings_titles_and_facts_are_of_disclosed_results_inside_a_report(monkeypatch):
    result = sr.multimorbidity.prevalence(sr.define_cohort(sr.example_study()).patterns())
    monkeypatch.setattr("symphony_research.show.gate.inside_report", lambda: True)
    for make in (finding, heading, sr.facts):
        with pytest.raises(sr.DisclosureError):
            make(result)
    with pytest.raises(sr.ArgumentError, match="one result or more"):
        sr.facts()


def test_a_spreadsheet_finds_no_formula_in_a_file(tmp_path):
    frame = pl.DataFrame({"=1+1": [1] * 30 + [0] * 10, "-b": [1] * 20 + [0] * 20})
    patterns = sr.Patterns.from_wide(frame, conditions=["=1+1", "-b"])
    found = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.nhs_england())
    sr.write_table(found, tmp_path / "a.csv")
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert sorted(line.split(",")[0] for line in lines[1:]) == ["'-b", "'=1+1"]


def test_a_long_table_keeps_all_its_rows_for_the_file_beside_it():
    rows = [[int(i == j) for j in range(30)] for i in range(30)] * 10
    frame = pl.DataFrame(rows, schema=[f"c{k:02d}" for k in range(30)], orient="row")
    patterns = sr.Patterns.from_wide(frame, conditions=frame.columns)
    made = table(sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.nhs_england()))
    assert made.html.count("<tr>") == 21  # the heading and 20 rows
    assert len(made.csv.splitlines()) == 31
    assert "Disclosure rule" in made.rule


def test_a_finding_names_the_one_that_it_stands_behind():
    median = sr.survival.quantile(
        safe := sr.suppress(curve((20, 1, 100), (80, 1, 120), (400, 0, 180)), sr.Policy.nhs_england())
    )
    _, told = finding(median, after=safe)._repr_mimebundle_()
    assert told["symphony"]["after"] == str(finding(safe))
    _, alone = finding(median)._repr_mimebundle_()
    assert "after" not in alone["symphony"]
    # what the study does not allow has no finding to stand behind
    absent = sr.suppress(not_available("No costs are recorded", "cost"), sr.Policy.nhs_england())
    _, alone = finding(median, after=absent)._repr_mimebundle_()
    assert "after" not in alone["symphony"]
