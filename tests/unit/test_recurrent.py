"""Every event of a cohort's people, for the mean cumulative count; and strata that only a standardisation may use."""

from datetime import date

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.collapse import as_frame


@pytest.fixture
def cohort(tmp_path):
    """Four people followed through 2015 from 1 January.

    a: emergency admissions on days 10 and 40 (that of day 12 touches the first stay); alive.
    b: one on day 10, dies on day 20.  c: none; dies on day 100.  d: one on day 300, none of which an index of 200 days sees.
    """
    day = lambda n: date.fromordinal(date(2015, 1, 1).toordinal() + n)  # noqa: E731
    persons = {"person_id": [*"abcd"], "sex": [*"FMFM"], "birth_date": [date(1935, 1, 1), date(1945, 6, 1), date(1960, 1, 1), date(1939, 12, 31)],
               "death_date": [None, day(20), day(100), None]}  # fmt: skip
    spells = [("a", 10, 12), ("a", 12, 14), ("a", 40, 41), ("b", 10, 11), ("d", 300, 301)]
    activity = {"person_id": [p for p, _, _ in spells], "date": [day(s) for _, s, _ in spells], "setting": ["inpatient"] * 5,
                "end_date": [day(e) for _, _, e in spells], "kind": ["emergency"] * 5}  # fmt: skip
    held = [("a", f"c{k}") for k in range(7)] + [("b", f"c{k}") for k in range(4)] + [("d", "c0")]
    folder = tmp_path / "study"
    folder.mkdir()
    pl.DataFrame(persons).write_csv(folder / "persons.csv")
    pl.DataFrame(activity).with_columns(cost=pl.lit(0.0)).write_csv(folder / "activity.csv")
    conditions = pl.DataFrame(held, schema=["person_id", "condition"], orient="row")
    conditions.with_columns(onset_date=pl.lit(date(2001, 1, 1))).write_csv(folder / "conditions.csv")
    (folder / "study.toml").write_text('name = "Ours"\n[period]\nstart = 2015-01-01\nend = 2015-12-31\n')
    return sr.define_cohort(sr.read_study(folder))


def test_the_mean_count_by_hand(cohort):
    again = cohort.recurrent_events(event="emergency_admission", horizon=365)
    mean = sr.survival.mean_cumulative_count(again)
    # day 10: two events of four people; day 40: a's second, of three people, three quarters of whom are alive before it;
    # day 300: d's, of two people, survival 3/4 * 2/3 = 1/2
    found = sr.survival.at(mean, [10, 40, 300]).estimates["estimate"].to_list()
    assert found == pytest.approx([2 / 4, 2 / 4 + 3 / 4 * 1 / 3, 2 / 4 + 3 / 4 * 1 / 3 + 1 / 2 * 1 / 2])
    assert mean.settings["recurrent_name"] == "emergency_admission"
    assert mean.heading().startswith("Mean number of emergency admissions a person")


def test_a_horizon_ends_follow_up_and_events_with_it(cohort):
    again = cohort.recurrent_events(event="emergency_admission", horizon=200)
    assert sr.survival.mean_cumulative_count(again).estimates["n_events"].sum() == 3


def test_the_people_at_risk_are_those_of_the_curve_of_survival(cohort):
    mean = sr.survival.mean_cumulative_count(cohort.recurrent_events(horizon=365))
    alive = sr.survival.kaplan_meier(cohort.follow_up(event="death", horizon=365))
    forms = [
        one.release_form(one.count_tables, one.settings, (), sr.Policy.nhs_england())["grid"] for one in (mean, alive)
    ]
    assert forms[0].equals(forms[1])
    cells = [{one.roles["grid"].counts(row, "n_persons", one.settings) for row in forms[0].iter_rows(named=True)} for one in (mean, alive)]  # fmt: skip
    assert cells[0] == cells[1], "so that disclosure control takes them for the same people"


def test_by_strata_and_in_words(cohort):
    again = cohort.recurrent_events(by="sex")
    assert repr(again) == "RecurrentEvents of 'emergency_admission' (people are not shown)"
    mean = sr.survival.mean_cumulative_count(again)
    assert mean.by == ("sex",)
    women = mean.estimates.filter(pl.col("sex") == "F")
    assert women["estimate"].to_list()[-1] == pytest.approx(2 / 2)
    with pytest.raises(sr.ArgumentError, match="leave persons out"):
        sr.survival.mean_cumulative_count(again, pl.DataFrame())
    with pytest.raises(sr.ArgumentError, match="persons is missing"):
        sr.survival.mean_cumulative_count(pl.DataFrame({"person_id": [1], "time": [1]}))


@pytest.mark.parametrize("event", ["death", "readmission"])
def test_what_happens_once_does_not_happen_again(cohort, event):
    with pytest.raises(sr.ArgumentError, match="no recurrent events"):
        cohort.recurrent_events(event=event)
    assert cohort.recurrent_events(event=event, optional=True).holds_nothing


def test_broad_strata_by_hand_and_only_to_standardise_by(cohort):
    names = ["broad_age_band", "broad_n_conditions"]
    table = as_frame(cohort.follow_up(event="death", by=names))
    # a is 80 with seven conditions, b 69 with four, c 55 with none, d 75 (born on the last day of 1939) with one
    assert set(table.select(names).rows()) == {("75+", "7+"), ("under 75", "4-6"), ("under 75", "0-3"), ("75+", "0-3")}
    curve = sr.survival.kaplan_meier(cohort.follow_up(event="death", by=names[0]), by=names[0])
    with pytest.raises(sr.DisclosureError, match="is for standardising"):
        sr.suppress(curve, sr.Policy.nhs_england())
    with pytest.raises(sr.ArgumentError, match="broad_age_band"):
        cohort.patterns(by=names[0])
