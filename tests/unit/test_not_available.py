"""What a study does not record has one sentence in a report, and nothing fails: it passes estimators, suppress and the page."""

from datetime import date, timedelta

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.result import NotAvailable, not_available
from symphony_research.show.sentences import Limit

S = sr.survival


def study_with(tmp_path, *rows):
    """Three people of the example's kind, with the activity given as (person, day of 2015, setting, kind)."""
    folder = tmp_path / "study"
    folder.mkdir()
    persons = {"person_id": ["a", "b", "c"], "sex": ["F", "M", "F"], "birth_date": [date(1940, 1, 1)] * 3}
    pl.DataFrame(persons).write_csv(folder / "persons.csv")
    pl.DataFrame({"person_id": ["a"], "condition": ["asthma"], "onset_date": [date(2001, 1, 1)]}).write_csv(folder / "conditions.csv")  # fmt: skip
    if rows:
        first = date(2015, 1, 1)
        told = [(p, first + timedelta(d), s, first + timedelta(d + 1), k) for p, d, s, k in rows]
        schema = {"person_id": pl.String, "date": pl.Date, "setting": pl.String, "end_date": pl.Date, "kind": pl.String}
        pl.DataFrame(told, schema=schema, orient="row").with_columns(cost=pl.lit(0.0)).write_csv(
            folder / "activity.csv"
        )
    (folder / "study.toml").write_text('name = "Ours"\n[period]\nstart = 2015-01-01\nend = 2015-12-31\n')
    return sr.define_cohort(sr.read_study(folder))


@pytest.mark.parametrize(
    ("rows", "event", "said"),
    [
        ((), "accident_and_emergency", "The study has no table of activity, so time to the first A&E attendance is not shown."),
        ((("a", 9, "outpatient", ""),), "accident_and_emergency", "The study has no A&E attendances, so time to the first A&E attendance is not shown."),
        ((("a", 9, "outpatient", ""),), "emergency_admission", "The study has no hospital admissions, so time to the first emergency admission is not shown."),
        ((("a", 9, "inpatient", ""),), "emergency_admission", "The study does not say which hospital admissions were emergencies, so time to the first emergency admission is not shown."),
        ((("a", 9, "inpatient", "elective"),), "readmission", "The study has no emergency admissions, so time to the readmission after the first discharge is not shown."),
    ],
)  # fmt: skip
def test_what_is_not_recorded_is_said_in_one_sentence(tmp_path, rows, event, said):
    found = study_with(tmp_path, *rows).follow_up(event=event, optional=True)
    assert isinstance(found, NotAvailable)
    assert found.sentence() == said


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ((), "The study has no table of activity"),
        ((("a", 9, "outpatient", ""),), "The study has no hospital admissions"),
    ],
)
def test_days_at_home_need_stays_that_are_recorded(tmp_path, rows, why):
    cohort = study_with(tmp_path, *rows)
    gone = cohort.days_at_home(horizon=90, optional=True)
    assert gone.sentence() == f"{why}, so the mean days at home is not shown."
    assert S.days_at_home(gone) is gone
    asked, plain = (sr.define_cohort(sr.example_study()).days_at_home(**more) for more in ({"optional": True}, {}))
    assert asked.equals(plain)


def test_days_at_home_need_the_end_of_stays(tmp_path):
    study_with(tmp_path, ("a", 9, "inpatient", "elective"))
    path = tmp_path / "study" / "activity.csv"
    pl.read_csv(path).with_columns(end_date=pl.lit(None, dtype=pl.String)).write_csv(path)
    cohort = sr.define_cohort(sr.read_study(tmp_path / "study"))
    said = "The study does not say when stays in hospital ended, so the mean days at home is not shown."
    assert cohort.days_at_home(horizon=90, optional=True).sentence() == said


def test_without_optional_it_is_an_error_still(tmp_path):
    cohort = study_with(tmp_path)
    with pytest.raises(sr.ArgumentError, match="no activity table"):
        cohort.follow_up(event="accident_and_emergency")
    with pytest.raises(sr.ArgumentError, match="no activity table"):
        cohort.readmissions()
    with pytest.raises(sr.ArgumentError, match="no activity table"):
        cohort.recurrent_events(event="admission")


def test_an_event_that_is_recorded_is_returned_as_ever():
    cohort = sr.define_cohort(sr.example_study())
    asked, plain = (cohort.follow_up(event="admission", **more) for more in ({"optional": True}, {}))
    assert asked.equals(plain)


def test_readmissions_have_no_rate_by_time():
    cohort = sr.define_cohort(sr.example_study())
    said = "Readmissions are counted by discharge, so their rate by time is not shown."
    assert cohort.rates(event="readmission", optional=True).sentence() == said
    with pytest.raises(sr.ArgumentError, match="readmission"):
        cohort.rates(event="readmission")


def test_the_event_by_default_is_one_that_the_study_records(tmp_path):
    # an admission of which nobody knows whether it was an emergency is no emergency admission
    cohort = study_with(tmp_path, ("a", 9, "inpatient", ""))
    assert cohort.follow_up().provenance.population["event"] == "death"
    assert cohort.rates().provenance.population["event"] == "death"
    assert sr.define_cohort(sr.example_study()).follow_up().provenance.population["event"] == "emergency_admission"


def test_every_estimator_that_takes_a_follow_up_passes_it_on(tmp_path):
    gone = study_with(tmp_path).follow_up(event="outpatient", optional=True)
    for estimator, more in (
        (S.kaplan_meier, {}), (S.cumulative_incidence, {}), (S.nelson_aalen, {}), (S.event_rate, {}),
        (S.mean_cumulative_count, {}), (S.quantile, {}), (S.landmark, {"at": 30}), (S.logrank_test, {"by": "sex"}),
        (S.gray_test, {"by": "sex"}), (S.restricted_mean_survival_time, {"horizon": 30}),
        (S.standardised_risk, {"by": "hub", "standardise": "sex"}),
    ):  # fmt: skip
        assert estimator(gone, **more) is gone, estimator.__name__
    assert S.at(gone, [30]) is gone


def test_it_is_suppressed_and_shown_beside_results(tmp_path):
    gone = study_with(tmp_path).readmissions(optional=True)
    alive = S.kaplan_meier(sr.define_cohort(sr.example_study()).follow_up(event="death"))
    released = sr.suppress({"gone": gone, "alive": alive}, sr.Policy.nhs_england())
    shown = released["gone"]
    assert shown.disclosure is not None
    said = "The study has no table of activity, so the share of discharges followed by an emergency readmission is not shown."
    assert str(sr.sentence(shown)) == str(sr.finding(shown)) == said
    assert isinstance(sr.finding(shown), Limit)
    assert isinstance(sr.sentence(shown), Limit), "page one says so wherever it stands"
    assert str(sr.picture(shown)) == str(sr.table(shown)) == said, "where a table alone would stand, too"
    # beside a curve it takes no column and no panel
    table = sr.outcome_table(shown, released["alive"])
    assert table.html.count('<th scope="col"') == 2
    assert sr.outcome_table(shown).html == ""


def test_page_one_says_it_with_what_cannot_be_shown(tmp_path):
    from symphony_research.report.page_cells import read_page

    gone = study_with(tmp_path).readmissions(optional=True)
    data, metadata = sr.finding(sr.suppress(gone, sr.Policy.nhs_england()))._repr_mimebundle_()
    output = {"output_type": "execute_result", "data": data, "metadata": metadata}
    page = read_page([{"cell_type": "code", "source": "x", "outputs": [output], "metadata": {}}])
    assert "no table of activity" in page.limits
    assert ["no table of activity" in found.text for found in page.findings] == [True], (
        "what a report is about is never passed over"
    )
    assert "no table of activity" in page.parts[0]["html"], "and in its place"
    told = {"output_type": "execute_result", "data": {"text/plain": "One did.", "text/markdown": "One did."}}
    told["metadata"] = {"symphony": {"role": "finding", "figures": []}}
    page = read_page([{"cell_type": "code", "source": "x", "outputs": [own], "metadata": {}} for own in (told, output)])
    assert [found.text for found in page.findings] == ["One did."], (
        "beside other findings it is under what cannot be shown"
    )


def test_one_reason_is_given_once(tmp_path):
    from symphony_research.report.page_cells import read_page

    released = sr.suppress(study_with(tmp_path).readmissions(optional=True), sr.Policy.nhs_england())
    cells = [{"cell_type": "markdown", "source": "# How often?\n\nAgain?", "metadata": {}}]
    for shown in (sr.finding(released), sr.table(released), sr.sentence(released)):
        if len(cells) > 1:
            cells.append({"cell_type": "markdown", "source": "## Another section", "metadata": {}})
        data, metadata = shown._repr_mimebundle_()
        output = {"output_type": "execute_result", "data": data, "metadata": metadata}
        cells.append({"cell_type": "code", "source": "x", "outputs": [output], "metadata": {}})
    page = read_page(cells)
    assert page.limits.count("no table of activity") == 1
    results = [part for part in page.parts if part["kind"] == "result"]
    assert ["no table of activity" in part["html"] for part in results] == [True, False, False]
    assert all("Not shown, for the reason given above: " in part["html"] for part in results[1:])
    # several of one section are one sentence
    both = [
        sr.sentence(not_available("Nobody was similar", what))._repr_mimebundle_() for what in ("the effect", "balance")
    ]
    outputs = [{"output_type": "execute_result", "data": data, "metadata": metadata} for data, metadata in both]
    page = read_page(
        [cells[0], *({"cell_type": "code", "source": "x", "outputs": [own], "metadata": {}} for own in outputs)]
    )
    assert (
        "".join(part["html"] for part in page.parts)
        == "<p>Nobody was similar, so these are not shown: the effect and balance.</p>"
    )
    # in one section once
    page = read_page([cell for cell in cells if cell["cell_type"] == "code"])
    assert [part["html"].count("no table of activity") for part in page.parts] == [1]


def test_what_is_not_shown_for_one_reason_is_one_sentence():
    from symphony_research.report.page_cells import read_page

    def cell(why: str, what: str):
        data, metadata = sr.sentence(not_available(why, what))._repr_mimebundle_()
        output = {"output_type": "execute_result", "data": data, "metadata": metadata}
        return {"cell_type": "code", "source": "x", "outputs": [output], "metadata": {}}

    few = "Nobody was similar enough"
    page = read_page(
        [cell(few, "the effect"), cell("It has no beds", "their number"), cell(few, "balance"), cell(few, "balance")]
    )
    assert page.limits == (
        "<p>Nobody was similar enough, so these are not shown: the effect and balance.</p>"
        "<p>It has no beds, so their number is not shown.</p>"
    )


def test_hubs_that_cannot_be_compared_are_not():
    people = pl.DataFrame({"hub": [*"aab"], "sex": [*"FFM"], "time": [1, 2, 3], "event": [1, 0, 1]})
    given = {"time": "time", "event": "event", "by": "hub", "standardise": "sex", "optional": True}
    assert S.standardised_risk(people, **given).sentence() == (
        "Too few people have the same sex in each hub, so the risk by hub is not shown."
    )
    one = S.standardised_risk(people.filter(pl.col("hub") == "a"), **given)
    assert one.sentence() == "There is one hub here, so the risk by hub is not shown."
    with pytest.raises(sr.ArgumentError, match="two or more"):
        S.standardised_risk(people.filter(pl.col("hub") == "a"), **{**given, "optional": False})
