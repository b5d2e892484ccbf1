"""What a report shows of its protocol: words alone, and each item of the TARGET statement with a place."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from small_evaluation import evaluated_study

import symphony_research as sr
from symphony_research.door.protocol_record import Fixing, Record
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.protocol import Protocol
from symphony_research.evaluation.protocol_keys import ESTIMATORS, MULTIPLE_TESTING, SENSITIVITY
from symphony_research.reference import reference_table

e = sr.evaluation


@pytest.fixture
def protocol(tmp_path: Path) -> Protocol:
    return e.read_protocol(evaluated_study(tmp_path / "study"))


def words_of(protocol: Protocol, component: str) -> tuple[str, str]:
    rows = {name: (trial, here) for name, trial, here in e.target_trial(protocol).estimates.iter_rows()}
    return rows[component]


def test_the_components_are_those_of_hernan_and_robins(protocol: Protocol) -> None:
    """Their table 1: eligibility criteria, treatment strategies, assignment procedures, follow-up period, outcome, causal
    contrasts of interest, analysis plan."""
    assert e.target_trial(protocol).estimates["component"].to_list() == [
        "Eligibility criteria",
        "Treatment strategies",
        "Assignment procedures",
        "Time zero and follow-up",
        "Outcomes",
        "Causal contrast",
        "Analysis plan",
    ]


def test_every_key_is_in_the_words_of_its_component(protocol: Protocol) -> None:
    changed = replace(
        protocol, min_age=65, max_age=90, sex="F", residence="care_home", area="North", practice="P1", min_conditions=2,
        score="propensity", ratio=4, caliper=0.15, replacement=False, practices="of other hubs", exact=("sex", "age_band"), days=180,
        negative_control="admission", negative_control_reason="Planned years before.", secondary=("death",), confidence=0.9,
        multiple_testing="exploratory", adjust=False, sensitivity=("no_caliper",), subgroups=("broad_age_band",),
        time_zero="The day itself.", contrast="Of these on that.", assumptions=("One.", "Two."),
    )  # fmt: skip
    trial, _ = words_of(changed, "Eligibility criteria")
    assert trial == (
        "Alive and registered with a practice of the study; aged 65 to 90; female; living in a care home; of area North; of practice "
        "P1; with at least 2 of: diabetes or stroke. Not on complex care before."
    )
    _, here = words_of(changed, "Assignment procedures")
    assert here.startswith(
        "Not by lot. Enrolled people are matched to the nearest candidates by the log hazard of enrolling, matched exactly on sex and "
        "age band (caliper 0.15 standard deviations, at most 4 each, each control serves one person). Candidates are of practices of "
        "other hubs."
    )
    trial, here = words_of(changed, "Time zero and follow-up")
    assert "for 180 days" in trial
    assert here.startswith("The day itself. Events of days 1 to 180 count")
    assert words_of(changed, "Outcomes")[0] == (
        "Primary: emergency admissions. Secondary: deaths. Negative control: hospital admissions. Planned years before."
    )
    assert words_of(changed, "Causal contrast")[0] == "Of these on that."
    assert words_of(changed, "Causal contrast")[1].endswith("under these assumptions: One. Two.")
    trial, here = words_of(changed, "Analysis plan")
    assert "90% CI" in trial
    assert MULTIPLE_TESTING["exploratory"][1:] in trial
    assert trial.endswith("Subgroups by age.")
    assert here.startswith(ESTIMATORS["poisson"])
    assert "not adjusted for the covariates" in here
    assert SENSITIVITY["no_caliper"][0] in here


def test_nothing_is_said_where_there_is_nothing(protocol: Protocol) -> None:
    bare = replace(
        protocol, min_conditions=None, conditions=None, exact=(), caliper=None, secondary=(), sensitivity=(), subgroups=(), assumptions=(),
    )  # fmt: skip
    assert words_of(bare, "Eligibility criteria")[0].startswith(
        "Alive and registered with a practice of the study. Not on"
    )
    assert "(without a caliper)" in words_of(bare, "Assignment procedures")[1]
    assert words_of(bare, "Outcomes")[0] == "Primary: emergency admissions. No negative control outcome."
    assert words_of(bare, "Causal contrast")[1].endswith("none is stated.")
    assert words_of(bare, "Analysis plan")[0].endswith("No subgroups.")
    assert words_of(bare, "Analysis plan")[1].endswith("No sensitivity analyses.")


def test_departures_stand_beside_what_was_fixed(protocol: Protocol) -> None:
    fixing = Fixing("f" * 64, "2026-03-02T09:00:00Z", "A. Analyst", "0.1.0", {"follow_up": {"days": 365}})
    own = (e.Departure(date(2026, 3, 5), "A hub was closed", "It moved"),)
    shown = e.departures(replace(protocol, record=Record((fixing,)), days=90, departures=own))
    assert (shown.n_changed, shown.n_stated) == (1, 1)
    assert shown.sentence() == "1 key of the protocol differs from the fixed one; the authors state 1 departure."
    released = sr.suppress(shown, sr.Policy.nhs_england())
    text = repr(sr.table(released))
    assert "follow_up.days  |  365  |  90" in text
    assert "A hub was closed  |    |  5 March 2026  |  It moved" in text
    none = sr.suppress(e.departures(protocol), sr.Policy.nhs_england())
    assert "No protocol was fixed" in repr(sr.table(none))


def test_what_authors_do_not_state_is_named(protocol: Protocol) -> None:
    some = replace(protocol, ethics="HRA, 26/XX/0001.", funding="None.", interests="None declared.")
    assert e.statements(some).missing == (
        "Background",
        "Why a trial is emulated",
        "Registration",
        "Access to data and code",
    )
    every = replace(some, background="x", rationale="x", registration="x", sharing="x")
    assert e.statements(every).missing == ()
    assert e.target_items(every).sentence() == "All 21 items of the TARGET statement are answered in this report."


def test_the_21_items_stand_in_order_under_the_six_parts_of_the_statement(protocol: Protocol) -> None:
    """The statement's own sections: abstract 1, introduction 2-4, methods 5-7, results 8-14, discussion 15-16, other 17-21."""
    items = e.target_items(protocol).estimates
    assert items["number"].to_list() == list(range(1, 22))
    parts = {"Abstract": 1, "Introduction": 3, "Methods": 3, "Results": 7, "Discussion": 2, "Other information": 5}
    assert items["section"].to_list() == [part for part, n in parts.items() for _ in range(n)]
    assert all(text.strip() for column in ("item", "place") for text in items[column])


def test_items_that_the_authors_answer_say_whether_they_did(protocol: Protocol) -> None:
    items = e.target_items(protocol)
    assert items.sentence() == (
        "14 of 21 items of the TARGET statement are answered in this report; items 2, 4, 17, 18, 19, 20 and 21 the authors have not stated."
    )
    one = e.target_items(replace(protocol, ethics="Approved."))
    assert one.estimates.filter(~one.estimates["stated"])["number"].to_list() == [2, 4, 18, 19, 20, 21]
    # each key under [statements] answers one item
    from symphony_research.evaluation.protocol_keys import keys_of

    answered = reference_table("target_items").frame["statement"].drop_nulls().to_list()
    assert sorted(answered) == sorted(key.key for key in keys_of("statements"))


def test_all_items_are_on_the_page_and_a_report_may_place_them_elsewhere(protocol: Protocol) -> None:
    items = e.target_items(protocol, answers={8: "People", 13: "Answer"})
    assert {"People", "Answer"} < set(items.places)
    text = repr(sr.table(sr.suppress(items, sr.Policy.nhs_england())))
    rows = [line for line in text.splitlines() if line.split("  |  ")[0].isdigit()]
    assert [int(line.split("  |  ")[0]) for line in rows] == list(range(1, 22))
    assert "Statements (not stated)" in rows[16]
    for wrong in ({22: "People"}, {1: " "}):
        with pytest.raises(ArgumentError, match="1 to 21, with a heading"):
            e.target_items(protocol, answers=wrong)


def test_source_and_licence_of_the_items_are_named(protocol: Protocol) -> None:
    table = reference_table("target_items")
    assert "10.1001/jama.2025.13350" in table.source
    assert "CC BY-ND 4.0" in table.licence
    assert "is not copied" in table.licence
    released = sr.suppress(e.target_items(protocol), sr.Policy.sacro())
    assert table.source in repr(sr.table(released))


def test_words_pass_every_rule_unchanged(protocol: Protocol) -> None:
    made = {"trial": e.target_trial(protocol), "departures": e.departures(protocol), "statements": e.statements(protocol), "items": e.target_items(protocol)}  # fmt: skip
    for policy in (sr.Policy.nhs_england(), sr.Policy.opensafely(), sr.Policy.sacro(), sr.Policy.synthetic()):
        released = sr.suppress(made, policy)
        for name, result in made.items():
            assert released[name].estimates.equals(result.estimates)
            assert released[name].sentence() == result.sentence()
