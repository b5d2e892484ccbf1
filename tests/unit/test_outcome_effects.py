"""Effects on several outcomes: each the effect on that outcome, Holm's p values by hand, what is not recorded, of few, released."""

from __future__ import annotations

import polars as pl
import pytest
from test_match_controls import match, on, twelve

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.outcome_words import CONTROL, PRIMARY, SECONDARY

c = pl.col
EVERYBODY = {"fewest_events": 0, "fewest_people": 0}


@pytest.fixture(scope="module")
def matched():
    study = sr.example_study(20_000)
    return sr.evaluation.match_controls(
        study, sr.define_cohort(study, programme="complex_care"), ratio=3, caliper=None, seed=1
    )


@pytest.fixture(scope="module")
def effects(matched):
    return sr.evaluation.outcome_effects(matched, **EVERYBODY)


def test_each_outcome_has_the_effect_of_that_outcome(matched, effects):
    assert effects.estimates.select("outcome", "role").rows() == [
        ("emergency_admission", PRIMARY),
        ("accident_and_emergency", SECONDARY),
        ("death", SECONDARY),
        ("outpatient", CONTROL),
    ]
    for name in ("emergency_admission", "accident_and_emergency", "outpatient"):
        one = sr.evaluation.enrolment_effect(matched, outcome=name, resamples=2, **EVERYBODY)
        row, own = effects.row(name), one.row("rate ratio")
        for column in ("estimate", "lower", "upper", "p_value"):
            assert row[column] == pytest.approx(own[column])
        assert [row["n_enrolled"], row["n_controls"]] == one.arms["n_with_event"].to_list()
        difference = effects.differences.filter(c("outcome") == name).row(0, named=True)
        assert difference["estimate"] == pytest.approx(one.row("rate difference per 100 person-years")["estimate"])
    # deaths, by weights alone, are those beside any effect
    row, own = effects.row("death"), one.row("death rate ratio")
    assert row["estimate"] == pytest.approx(own["estimate"])
    assert [row["n_enrolled"], row["n_controls"]] == one.arms["n_deaths"].to_list()


def test_only_secondary_outcomes_are_adjusted_and_by_holm(effects):
    frame = {row["outcome"]: row for row in effects.estimates.iter_rows(named=True)}
    assert frame["emergency_admission"]["p_holm"] is None
    assert frame["outpatient"]["p_holm"] is None
    # Holm of two: the smaller p twice, the larger once and no less than that
    small, large = sorted((frame["accident_and_emergency"], frame["death"]), key=lambda row: row["p_value"])
    assert small["p_holm"] == pytest.approx(min(1, 2 * small["p_value"]))
    assert large["p_holm"] == pytest.approx(max(small["p_holm"], large["p_value"]))


def test_of_one_secondary_outcome_that_cannot_be_estimated_the_others_are_no_less_strictly_tested():
    effects = sr.evaluation.outcome_effects(match(admitted(), ratio=5), outcomes={
        "emergency_admission": PRIMARY, "admission": SECONDARY, "death": SECONDARY}, **EVERYBODY)  # fmt: skip
    assert effects.row("death")["estimate"] is None  # nobody dies
    assert effects.row("admission")["p_holm"] == pytest.approx(min(1, 2 * effects.row("admission")["p_value"]))


def admitted() -> object:
    more = twelve().activity.collect()
    return twelve(
        activity=pl.concat([more, more.filter(c("date") == on(10)).with_columns(person_id=pl.lit(2, dtype=pl.Int64))])
    )


def test_what_a_study_does_not_record_is_a_row_that_says_so():
    effects = sr.evaluation.outcome_effects(match(admitted(), ratio=5), **EVERYBODY)
    row = effects.row("accident_and_emergency")
    assert (row["n_enrolled"], row["estimate"]) == (None, None)
    assert effects.missing_marker(row, "estimate") == effects.missing_marker(row, "n_enrolled") == "[x]"
    assert effects.display().filter(c("Outcome") == "A&E attendances").row(0)[2:] == ("[x]",) * 5
    said = " ".join(effects.notes(()))
    assert "The study has no A&E attendances." in said
    assert "The study has no outpatient appointments." in said
    assert "by Holm's method" not in said  # deaths alone are left of the secondary ones
    assert "Negative control" not in said
    assert effects.sentence() == "The study has no A&E attendances. The study has no outpatient appointments."
    # 1 admission of the enrolled, 2 1/3 of controls, in three years each (test_enrolment_effect)
    assert effects.primary["estimate"] == pytest.approx(3 / 7)
    effects = sr.evaluation.outcome_effects(match(admitted(), ratio=5), outcomes={"outpatient": PRIMARY})
    assert effects.sentence() == "The study has no outpatient appointments."
    assert effects.key_figures()[0].value == "[x]"
    assert sr.suppress(effects, sr.Policy.nhs_england()).display()["p"].to_list() == ["[x]"]


def test_of_nobody_with_an_event_there_is_no_ratio_and_no_error():
    nobody = twelve().activity.collect().filter(~c("date").is_between(on(1), on(365)))
    effects = sr.evaluation.outcome_effects(match(twelve(activity=nobody), ratio=5), **EVERYBODY)
    assert effects.primary["estimate"] is None
    assert effects.primary["n_enrolled"] == 0
    assert effects.missing_marker(effects.primary, "estimate") == "[z]"
    assert effects.verdict == "no estimate of an effect on emergency admissions can be given"
    assert sr.plot_outcome_effects(effects)


def test_of_few_no_ratio_is_given():
    effects = sr.evaluation.outcome_effects(match(admitted(), ratio=5))
    assert effects.estimates["estimate"].null_count() == 4
    assert "No ratio is given of under 20 events or 15 people in an arm." in effects.notes(())
    recorded = sr.evaluation.outcome_effects(match(admitted(), ratio=5), outcomes={
        "emergency_admission": PRIMARY, "admission": SECONDARY})  # fmt: skip
    assert recorded.sentence() == "Beside emergency admissions, no other outcome has events enough."
    alone = sr.evaluation.outcome_effects(match(admitted(), ratio=5), outcomes={"emergency_admission": PRIMARY})
    assert alone.sentence() == "Beside emergency admissions, no other outcome was named."


def test_outcomes_are_named_with_their_roles():
    matched = match(twelve(), ratio=5)
    for wrong, message in (
        ({"luck": PRIMARY}, "outcomes='luck'"),
        ({"death": "tertiary"}, "the role of 'death'='tertiary'"),
        ({"death": SECONDARY}, "0 of 1 outcomes are primary"),
        ({"death": PRIMARY, "admission": PRIMARY}, "2 of 2 outcomes are primary"),
        (["death"], "gives each outcome its role"),
    ):
        with pytest.raises(ArgumentError, match=message):
            sr.evaluation.outcome_effects(matched, outcomes=wrong)
    found = sr.evaluation.outcome_effects(
        matched, outcomes={"death": CONTROL, "admission": SECONDARY, "bed_day": PRIMARY}, **EVERYBODY
    )
    assert found.estimates["outcome"].to_list() == ["bed_day", "admission", "death"]


def test_a_sentence_says_what_changed_and_what_did_not(effects):
    said = effects.sentence()
    # the primary outcome, who was compared and the verdict are said by the effect
    for words in ("were compared with", "Verdict", "With these numbers", "mergency admissions"):
        assert words not in said
    for row in effects.estimates.filter(c("role") == SECONDARY).iter_rows(named=True):
        clear = row["p_holm"] <= 0.05
        words = effects.outcome_words(row)
        assert (f"{words}: " in said) == clear
        assert (words.lower() in said.partition("No clear change in ")[2].lower()) == (not clear)
    row = effects.row("outpatient")
    clear = row["lower"] > 1 or row["upper"] < 1
    assert ("The negative control, outpatient appointments, differs" in said) == clear
    assert ("The negative control, outpatient appointments, does not clearly differ" in said) == (not clear)


def test_released_with_the_effect_and_its_groups(matched, effects):
    policy = sr.Policy.nhs_england()
    effect = sr.evaluation.enrolment_effect(matched, resamples=2, **EVERYBODY)
    groups = sr.evaluation.effect_by(matched, by="sex", **EVERYBODY)
    released, beside, _ = sr.suppress([effects, effect, groups], policy)
    # one number, however often it is shown
    assert released.row("emergency_admission")["n_enrolled"] == beside.arms["n_with_event"][0]
    assert released.row("emergency_admission")["n_controls"] == beside.arms["n_with_event"][1]
    assert released.row("death")["n_enrolled"] == beside.arms["n_deaths"][0]
    for old, new in zip(effects.estimates.iter_rows(named=True), released.estimates.iter_rows(named=True), strict=True):
        for column in ("n_enrolled", "n_controls"):
            assert new[column] is None or new[column] == 0 or (new[column] % 5 == 0 and new[column] > 5)
        if new["estimate"] is not None:
            assert new["lower"] <= old["lower"] * (1 + 0.006)
            assert new["upper"] >= old["upper"] * (1 - 0.006)
    assert sr.suppress(released, policy).estimates.equals(released.estimates)
    assert released.sentence()
    assert released.display().height == 4


def test_ratios_that_are_no_effect_are_drawn_in_grey_below(effects):
    from matplotlib.colors import to_hex

    from symphony_research.show.style import INK, QUIET

    naive = {"name": "Before and after, no controls", "estimate": 0.8, "lower": 0.7, "upper": 0.9}
    ax = sr.plot_outcome_effects(effects, beside=[naive])
    labels = [tick.get_text() for tick in ax.get_yticklabels()]
    assert labels[0] == "Emergency admissions (primary)"
    assert labels[-1] == "Before and after, no controls"
    bars = [
        line for line in ax.get_lines() if len(line.get_xdata()) == 2 and line.get_xdata()[0] != line.get_xdata()[1]
    ]
    assert to_hex(bars[-1].get_color()) == to_hex(QUIET)
    assert to_hex(bars[0].get_color()) == to_hex(INK)
