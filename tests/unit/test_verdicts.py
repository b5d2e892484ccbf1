"""What is said of an effect: verdicts by stated rules, E-values by hand, what could have been seen, and effects of few."""

from __future__ import annotations

from statistics import NormalDist

import polars as pl
import pytest
from test_match_controls import match, on, twelve

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.guards import e_value, minimum_detectable_ratio
from symphony_research.evaluation.verdicts import detectable_words, difference_words, is_few, rate_words, verdict_of

c = pl.col
OTHERS = ", assuming the two groups were comparable"


@pytest.mark.parametrize(
    ("lower", "upper", "said"),
    [
        (1.01, 1.09, "more falls"),  # clear, however small
        (0.91, 0.99, "fewer falls"),
        (1.0, 1.1, "no difference in falls that matters (less than 10% either way)"),
        (0.9, 1.1, "no difference in falls that matters (less than 10% either way)"),
        (0.89, 1.1, "cannot tell: anything from 11% fewer to 10% more falls would fit"),
        (0.9, 1.12, "cannot tell: anything from 10% fewer to 12% more falls would fit"),
        (0.4, 3.2, "cannot tell: anything from 60% fewer to 3.2 times as many falls would fit"),
        (0.5, 1.0, "cannot tell: anything from 50% fewer to as many falls would fit"),
        (0.996, 1.5, "cannot tell: anything from 0.40% fewer to 50% more falls would fit"),
    ],
)
def test_a_verdict_follows_from_the_interval_alone(lower, upper, said):
    assert verdict_of(lower, upper, "falls") == said + OTHERS


def test_no_verdict_without_a_ratio():
    assert verdict_of(None, None, "falls") == "no estimate of an effect on falls can be given"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ((-12.0, -20.0, -4.0), "12 fewer (4 to 20 fewer)"),
        ((12.0, 4.0, 20.0), "12 more (4 to 20 more)"),
        ((-3.0, -12.0, 7.0), "3 fewer (12 fewer to 7 more)"),
        ((0.25, 0.0, 0.5), "0.25 more (0 to 0.50 more)"),
        ((-250.0, -1250.0, -50.0), "250 fewer (50 to 1,250 fewer)"),
    ],
)
def test_differences_in_words(row, said):
    assert difference_words(*row) == said


def test_a_ratio_and_a_difference_that_are_rounded_apart_do_not_contradict_each_other():
    names = ("estimate", "lower", "upper")
    down, even = dict(zip(names, (0.8, 0.5, 1.28), strict=True)), dict(zip(names, (1.0, 0.6, 1.7), strict=True))
    apart = dict(zip(names, (50.0, -87.0, 187.0), strict=True))
    assert rate_words(even, apart, "falls", "95% CI", 300.0) == (
        "Enrolled people had about 300 falls per 100 a year: between 87 fewer and 187 more than comparable people, 1.00 (95% CI 0.600 "
        "to 1.70) times their rate."
    )
    assert ": between" in rate_words(down, apart, "falls", "95% CI", 300.0)
    fewer = dict(zip(names, (-50.0, -87.0, -20.0), strict=True))
    assert ": 50 fewer (20 to 87 fewer) than" in rate_words(down, fewer, "falls", "95% CI", 300.0)
    assert "had, of falls per 100 a year, 50 fewer (20 to 87 fewer) than" in rate_words(down, fewer, "falls", "95% CI")
    assert ": as many (87 fewer to 187 more) as comparable people, 1.00" in rate_words(
        even, apart | {"estimate": 0.0}, "falls", "95% CI", 300.0
    )
    assert rate_words(down, dict.fromkeys(names), "falls", "95% CI").startswith("The rate of falls was 0.800")


# RR + sqrt(RR (RR - 1)), of the ratio and of the limit nearer 1
BY_HAND = [
    # R's EValue prints the same for smoking and lung cancer: evalues.RR(est = 10.73, lo = 8.02, hi = 14.36)
    ((10.73, 8.02, 14.36), 20.94777, 15.52336),  # 10.73 + sqrt(104.4029), 8.02 + sqrt(56.3004)
    ((3.9, 1.8, 8.7), 7.26303, 3.0),  # 3.9 + sqrt(11.31), 1.8 + sqrt(1.44)
    # below 1, of the inverses: 5/4 + sqrt(5/16), and 100/91 + sqrt(100 x 9) / 91, which is 130/91
    ((0.80, 0.71, 0.91), 1.80902, 1.42857),
]


@pytest.mark.parametrize(("ratio", "estimate", "limit"), BY_HAND)
def test_e_values_are_those_by_hand(ratio, estimate, limit):
    found = e_value(*ratio)
    assert (found.estimate, found.limit) == pytest.approx((estimate, limit), abs=6e-6)


def test_a_confounder_as_strong_as_the_e_value_just_explains_the_ratio():
    """By the bound of Ding and VanderWeele 2016: two associations E of a confounder bias a ratio by E E / (2 E - 1) at most."""
    for ratio in (1.2, 2.0, 7.5):
        e = e_value(ratio, ratio * 0.9, ratio * 1.1).estimate
        assert e * e / (2 * e - 1) == pytest.approx(ratio)
        assert e_value(1 / ratio, 0.9 / ratio, 1.1 / ratio).estimate == pytest.approx(e)


def test_an_interval_that_holds_one_needs_no_confounder():
    assert e_value(1.3, 0.9, 1.9).limit == 1
    assert e_value(0.8, 0.5, 1.0).limit == 1
    assert e_value(1.0, 0.9, 1.1).estimate == 1
    for wrong in ((0.0, 0.0, 1.0), (2.0, 2.1, 3.0), (2.0, 1.0, 1.9)):
        with pytest.raises(ArgumentError, match="between its limits"):
            e_value(*wrong)


def test_what_could_have_been_seen_is_seen_so_often():
    below, above = minimum_detectable_ratio(0.1)
    # 1.959964 + 0.841621 standard errors of 0.1: exp(0.2801585)
    assert above == pytest.approx(1.32334, abs=1e-5)
    assert below * above == pytest.approx(1)
    # of estimates normal around it, the interval leaves out 1 with a probability of 90%, but for the far tail
    from math import log

    far = minimum_detectable_ratio(0.25, power=0.9, confidence=0.99)[1]
    limit = NormalDist().inv_cdf(0.995) * 0.25
    assert 1 - NormalDist(log(far), 0.25).cdf(limit) == pytest.approx(0.9)
    for wrong in ({"power": 0.5}, {"power": 1.0}, {"confidence": 1.0}):
        with pytest.raises(ArgumentError):
            minimum_detectable_ratio(0.1, **wrong)
    with pytest.raises(ArgumentError, match="above 0"):
        minimum_detectable_ratio(0.0)


def test_what_could_have_been_seen_is_said_no_smaller_than_it_is():
    # exp(2.8015852 x 0.1) is 1.3233 and 0.7557: 33% would not have been found so often, nor 24%
    assert "25% lower or 33% higher" in detectable_words(0.1, 0.95, "deaths")
    assert "94% lower or 17 times as high" in detectable_words(1.0, 0.95, "deaths")  # 0.0607 and 16.47


def test_few_is_laid_on_counts_as_they_are_shown():
    rule = {"fewest_events": 20, "fewest_people": 15}
    frame = pl.DataFrame({"least_events": [17, 18, 20, 30, 30], "least_people": [40, 40, 40, 12, 13]})
    assert is_few(frame, rule).to_list() == [True, True, False, True, True]
    # to the nearest 5: 17 is shown as 15 and 18 as 20, 12 as 10 and 13 as 15
    assert is_few(frame, rule, sr.Policy.nhs_england()).to_list() == [True, False, False, True, False]


def test_of_twelve_people_no_ratio_is_given():
    effect = sr.evaluation.enrolment_effect(match(twelve(activity=admitted()), ratio=5), resamples=20)
    assert effect.estimates["estimate"].null_count() == effect.estimates.height
    assert effect.few
    said = effect.sentence()
    assert "under 20 events or 15 people" in said
    assert said.startswith("Verdict: no estimate of an effect on emergency admissions can be given.")
    assert effect.key_figures()[0].value == "[z]"
    assert "under 20 events" in " ".join(effect.notes(()))
    assert "under 20 events" in sr.evaluation.sensitivity(effect).sentence()
    assert sr.plot_enrolment_effect(effect)


def test_controls_count_by_their_effective_number():
    effect = sr.evaluation.enrolment_effect(match(twelve(activity=admitted()), ratio=5), resamples=20)
    # 3 weighs 1/2 + 1/2, 4 weighs 1/2 + 1/2 + 1/3, 10 and 11 a third each: 3 in all, whose squares are 3 too; 3 x 3 / 3
    assert effect.count_tables["effects"]["least_people"].to_list() == [3] * 4
    # of the enrolled 2 has the one event; the controls have two of 3 and one of 4
    assert effect.count_tables["effects"]["least_events"].to_list() == [1, 1, 0, 1]


def admitted() -> pl.DataFrame:
    more = twelve().activity.collect()
    return pl.concat([more, more.filter(c("date") == on(10)).with_columns(person_id=pl.lit(2, dtype=pl.Int64))])


@pytest.fixture(scope="module")
def many():
    study = sr.example_study(12_000)
    cohort = sr.define_cohort(study, programme="complex_care")
    return sr.evaluation.match_controls(study, cohort, score="odds_weights", seed=1)


@pytest.fixture(scope="module")
def of_many(many):
    return sr.evaluation.enrolment_effect(many, resamples=50)


def test_a_sentence_goes_from_the_verdict_to_deaths(many, of_many):
    said = sr.evaluation.enrolment_effect(many, resamples=2, fewest_events=0).sentence()
    deaths = "Deaths did not clearly differ: "
    order = ["Verdict: ", "were compared with", "per 100 a year", "which dilutes an effect. ", deaths]
    places = [said.index(words) for words in order]
    assert places == sorted(places)
    # of under 20 deaths nothing is said
    assert of_many.sentence() == said[: said.index(deaths)].rstrip()
    row = of_many.row("rate ratio")
    assert of_many.verdict == verdict_of(row["lower"], row["upper"], "emergency admissions")
    assert f"Verdict: {of_many.verdict}." in said
    # said beside it: how large an effect could have been seen by its sensitivity, and balance by its note
    for words in ("With these numbers", "balanced"):
        assert words not in said
    assert sr.evaluation.sensitivity(of_many).sentence().startswith("With these numbers")
    assert "balanced" in of_many.notes(())[0]


def test_released_all_follows_from_released_figures(of_many):
    policy = sr.Policy.nhs_england()
    released = sr.suppress(of_many, policy)
    row = released.row("rate ratio")
    guarded = sr.evaluation.sensitivity(released)
    assert guarded.disclosure is released.disclosure
    needed = e_value(row["estimate"], row["lower"], row["upper"])
    assert guarded.estimates["estimate"].to_list()[:2] == pytest.approx([needed.estimate, needed.limit], rel=0.006)
    # the interval that is shown is as wide as the error times two quantiles
    from math import log

    error = log(row["upper"] / row["lower"]) / (2 * NormalDist().inv_cdf(0.975))
    assert guarded.estimates["estimate"].to_list()[2:] == pytest.approx(
        list(minimum_detectable_ratio(error)), rel=0.006
    )
    # suppressed by itself it tells the same
    alone = sr.suppress(sr.evaluation.sensitivity(of_many), policy)
    assert alone.estimates.equals(guarded.estimates)
    assert alone.sentence() == guarded.sentence()
    assert str(sr.sentence(guarded)) == guarded.sentence()


def test_released_without_a_ratio_it_says_so():
    effect = sr.evaluation.enrolment_effect(
        match(twelve(activity=admitted()), ratio=5), resamples=20, fewest_events=0, fewest_people=0
    )
    guarded = sr.suppress(sr.evaluation.sensitivity(effect), sr.Policy.nhs_england())
    assert guarded.estimates["estimate"].null_count() == 4
    assert guarded.sentence() == (
        "There is no rate ratio of emergency admissions of which to say how large an effect could have been seen."
    )
    with pytest.raises(ArgumentError, match="enrolment_effect"):
        sr.evaluation.sensitivity(guarded)
