"""Directly standardised risk: sums done by hand, what it says of its strata, and the form in which it is released."""

from __future__ import annotations

from math import exp, sqrt

import matplotlib
import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.policy import Policy
from symphony_research.survival.grid import event_state
from symphony_research.survival.grid_cells import followed, people_in

matplotlib.use("Agg")

NAMED = {"time": "time", "event": "event"}
NHS, SACRO = Policy.nhs_england(), Policy.sacro()
Z = 1.959963984540054  # R: qnorm(0.975)

# hub a: three old people, two with the event, and one young without; hub b: one old with it, one of three young
EIGHT = pl.DataFrame(
    {
        "hub": [*"aaaabbbb"],
        "age": ["old", "old", "old", "young", "old", "young", "young", "young"],
        "time": [1, 1, 9, 9, 1, 1, 9, 9],
        "event": [1, 1, 0, 0, 1, 1, 0, 0],
    }
)


def hubs(n: int = 4000, seed: int = 1) -> pl.DataFrame:
    """Follow-up of a year in three hubs, of which one has more old people: admission, death or censoring."""
    rng = np.random.default_rng(seed)
    hub = rng.choice(["Frome", "Wells", "Yeovil"], n, p=[0.5, 0.2, 0.3])
    old = rng.random(n) < np.where(hub == "Yeovil", 0.6, 0.25)
    ends = [np.ceil(rng.exponential(mean, n)) for mean in (np.where(old, 500, 1500), np.where(old, 1500, 6000), 1500)]
    time = np.minimum(np.min(ends, axis=0), 365)
    kind = np.where(np.min(ends, axis=0) > 365, 0, np.array([1, 2, 0])[np.argmin(ends, axis=0)])
    band = np.where(old, rng.choice(["75-84", "85+"], n), "65-74")
    return pl.DataFrame({"time": time, "event": kind, "hub": hub, "age_band": band, "sex": rng.choice(["F", "M"], n)})


OF_HUBS = {
    **NAMED, "by": "hub", "standardise": ["age_band", "sex"], "time_unit": "days",
    "cause_names": {1: "emergency_admission", 2: "death"},
}  # fmt: skip


@pytest.fixture(scope="module")
def exact():
    return sr.survival.standardised_risk(hubs(), **OF_HUBS)


def test_two_strata_by_hand():
    # half of all eight are old. a: 1/2 x 2/3 + 1/2 x 0 = 1/3; b: 1/2 x 1 + 1/2 x 1/3 = 2/3
    # variance of each: 1/4 x (2/3 x 1/3) / 3 = 1/54; crude 2/4 with variance 1/4 / 4
    found = sr.survival.standardised_risk(EIGHT, by="hub", standardise="age", times=5, **NAMED).estimates
    assert found.select("hub", "time", "n_persons", "n_events", "crude").rows() == [("a", 5, 4, 2, 0.5), ("b", 5, 4, 2, 0.5)]  # fmt: skip
    assert found["estimate"].to_list() == pytest.approx([1 / 3, 2 / 3], rel=1e-14)
    assert found["standard_error"].to_list() == pytest.approx([sqrt(1 / 54)] * 2, rel=1e-14)
    for risk, lower, upper in found.select("estimate", "lower", "upper").iter_rows():
        width = Z * sqrt(1 / 54) / risk
        assert (lower, upper) == pytest.approx((risk * exp(-width), min(risk * exp(width), 1)), rel=1e-12)
    width = Z * 0.25 / 0.5
    assert found["crude_lower"].to_list() == pytest.approx([0.5 * exp(-width)] * 2, rel=1e-12)
    assert found["share_of_standard"].to_list() == [1, 1]


def test_wald_test_by_hand():
    # (1/3)^2 / (2/54) = 3; R: pchisq(3, 1, lower.tail = FALSE)
    test = sr.survival.standardised_risk(EIGHT, by="hub", standardise="age", times=5, **NAMED).test
    time, statistic, freedom, p, adjusted = test.row(0)
    assert (time, freedom) == (5, 1)
    assert (statistic, p) == pytest.approx((3, 0.0832645166635504), rel=1e-12)
    assert adjusted == p
    # the same at another time before anybody leaves is two chances; R: p.adjust(rep(0.0832645166635504, 2), "bonferroni")
    both = sr.survival.standardised_risk(EIGHT, by="hub", standardise="age", times=[5, 6], **NAMED)
    assert both.test["p_adjusted"].to_list() == pytest.approx([0.166529033327101] * 2, rel=1e-12)
    assert "p = 0.17, adjusted for 2 times" in both.sentence()
    assert any("multiplied by the number of times, 2 (Bonferroni)" in note for note in both.notes([]))
    assert both.display().columns[-1] == "All groups equal, adjusted p"


def test_wald_test_of_three_groups_is_the_contrasts_quadratic_form(exact):
    # authority: the general Wald statistic (C f)' (C V C')^-1 (C f) with C the differences from the first group
    for (time,), own in exact.estimates.group_by("time"):
        contrast = np.array([[-1.0, 1, 0], [-1, 0, 1]])
        f, v = own["estimate"].to_numpy(), np.diag(own["standard_error"].to_numpy() ** 2)
        wald = (contrast @ f) @ np.linalg.solve(contrast @ v @ contrast.T, contrast @ f)
        row = exact.test.filter(pl.col("time") == time)
        assert row["statistic"].item() == pytest.approx(wald, rel=1e-9)
        assert row["degrees_of_freedom"].item() == 2


def test_without_censoring_it_is_a_standardised_proportion():
    # authority: sum of w p with variance sum of w^2 p (1 - p) / n, from counts alone
    people = hubs().with_columns(pl.lit(1000).alias("end"))
    people = people.with_columns(had=(pl.col("event") == 1) & (pl.col("time") <= 180)).with_columns(
        pl.when("had").then("time").otherwise(1000).alias("time"), pl.col("had").cast(pl.Int64).alias("event")
    )
    found = sr.survival.standardised_risk(people, by="hub", standardise=["age_band", "sex"], times=200, **NAMED)
    everybody = people.group_by("age_band", "sex").len("all")
    cells = people.group_by("hub", "age_band", "sex").agg(n=pl.len(), share=pl.col("event").mean())
    cells = cells.join(everybody, on=["age_band", "sex"]).with_columns(w=pl.col("all") / people.height)
    w, share = pl.col("w"), pl.col("share")
    by_hand = cells.group_by("hub").agg(
        risk=(w * share).sum(), error=(w**2 * share * (1 - share) / pl.col("n")).sum().sqrt()
    ).sort("hub")  # fmt: skip
    assert found.estimates["estimate"].to_list() == pytest.approx(by_hand["risk"].to_list(), rel=1e-12)
    assert found.estimates["standard_error"].to_list() == pytest.approx(by_hand["error"].to_list(), rel=1e-9)


def test_crude_risks_are_those_of_the_curves(exact):
    curve = sr.survival.cumulative_incidence(hubs(), by="hub", **NAMED)
    points = sr.survival.at(curve, (30, 90, 180, 365)).estimates.filter(pl.col("cause") == 1)
    for ours, theirs in (("crude", "estimate"), ("crude_lower", "lower"), ("crude_upper", "upper")):
        assert exact.estimates[ours].to_list() == pytest.approx(points[theirs].to_list(), rel=1e-14)


def test_the_cause_asked_for_is_standardised_and_the_others_compete():
    people = hubs()
    second = sr.survival.standardised_risk(people, cause=2, **OF_HUBS)
    turned = people.with_columns(pl.col("event").replace({1: 2, 2: 1}))
    first = sr.survival.standardised_risk(turned, **{**OF_HUBS, "cause_names": {1: "death", 2: "emergency_admission"}})
    assert second.estimates.equals(first.estimates)
    assert "died" in second.sentence()


def test_a_stratum_that_a_group_lacks_is_left_out_for_all():
    # of eight and two more in b of an age that a has not: 8 of 10 count, and figures are those of the eight
    more = pl.DataFrame({"hub": ["b", "b"], "age": ["oldest"] * 2, "time": [1, 9], "event": [1, 0]})
    found = sr.survival.standardised_risk(pl.concat([EIGHT, more]), by="hub", standardise="age", times=5, **NAMED)
    frame = found.estimates
    assert frame["share_of_standard"].to_list() == pytest.approx([0.8, 0.8], rel=1e-14)
    assert frame["estimate"].to_list() == pytest.approx([1 / 3, 2 / 3], rel=1e-14)
    assert frame["n_persons"].to_list() == [4, 6]
    assert frame["crude"].to_list() == [0.5, 0.5]


def test_strata_that_make_up_under_half_are_refused_with_what_to_do():
    more = pl.DataFrame({"hub": ["b"] * 9, "age": ["oldest"] * 9, "time": [9] * 9, "event": [0] * 9})
    with pytest.raises(ArgumentError, match=r"47% of everybody.*coarser strata"):
        sr.survival.standardised_risk(pl.concat([EIGHT, more]), by="hub", standardise="age", times=5, **NAMED)


def test_a_stratum_nobody_of_which_is_followed_so_long_does_not_count():
    # young people of b are followed to 3 at most, one of three without the event: at 5 the old alone are left
    frame = EIGHT.with_columns(pl.when(hub="b", age="young", time=9).then(3).otherwise("time").alias("time"))
    found = sr.survival.standardised_risk(frame, by="hub", standardise="age", times=[2, 5], **NAMED).estimates
    assert found.filter(time=2)["estimate"].to_list() == pytest.approx([1 / 3, 2 / 3], rel=1e-14)
    assert found.filter(time=5)["estimate"].to_list() == pytest.approx([2 / 3, 1], rel=1e-14)
    assert found.filter(time=5)["share_of_standard"].to_list() == [0.5, 0.5]
    # and at 12 nobody is: old people of b have all had the event, those of a have not
    late = sr.survival.standardised_risk(frame, by="hub", standardise="age", times=12, **NAMED)
    assert late.estimates["estimate"].to_list() == [None, None]
    assert late.test.row(0) == (12, None, 1, None, None)
    assert late.sentence().startswith("Too few people")
    assert set(late.display()["Standardised risk (95% CI)"]) == {"[x]"}


def test_nobody_with_the_event_has_a_risk_of_nought_and_no_test():
    nobody = EIGHT.with_columns(event=pl.lit(0))
    found = sr.survival.standardised_risk(nobody, by="hub", standardise="age", times=5, **NAMED)
    assert found.estimates.select("estimate", "lower", "upper").rows() == [(0, None, None)] * 2
    assert found.test["p_value"].to_list() == [None]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"by": []}, "by names no column"),
        ({"standardise": []}, "standardise names no column"),
        ({"standardise": ["age", "hub"]}, "hub cannot both"),
        ({"times": 0}, "1 of 1 times"),
        ({"times": [1, float("nan")]}, "1 of 2 times"),
        ({"times": []}, "at least one"),
        ({"cause": 2}, "cause=2 is none"),
        ({"by": "one"}, "There is 1 group"),
        ({"by": "crude"}, "may be called crude"),
        ({"confidence": 1.5}, "confidence"),
    ],
)
def test_wrong_arguments_are_named(given, why):
    frame = EIGHT.with_columns(one=pl.lit("all"), crude=pl.col("hub"))
    with pytest.raises(ArgumentError, match=why):
        sr.survival.standardised_risk(frame, **{"by": "hub", "standardise": "age", "times": 5, **NAMED, **given})


# as it is released ------------------------------------------------------------------------------------------------


def test_released_counts_and_crude_risks_are_those_of_the_released_curves(exact):
    curve = sr.survival.cumulative_incidence(
        hubs(), by="hub", time_unit="days", cause_names=OF_HUBS["cause_names"], **NAMED
    )
    released = sr.suppress({"risk": exact, "curve": curve}, NHS)
    points = sr.survival.at(released["curve"], (30, 90, 180, 365)).estimates.filter(pl.col("cause") == 1)
    ours = released["risk"].estimates
    for mine, theirs in (("crude", "estimate"), ("crude_lower", "lower"), ("crude_upper", "upper")):
        assert ours[mine].to_list() == points[theirs].to_list()
    events = released["curve"].estimates.filter(cause=1).filter(pl.col("time").is_in([30.0, 90.0, 180.0, 365.0]))
    assert ours["n_events"].to_list() == events["n_events"].to_list()
    assert all(n % 5 == 0 for n in (*ours["n_persons"], *ours["n_events"]))


def test_its_counts_are_of_the_people_that_curves_count(exact):
    counts, row = exact.roles["risks"].counts, {"time": 90.0}
    settings = sr.survival.cumulative_incidence(
        hubs(), by="hub", time_unit="days", cause_names=OF_HUBS["cause_names"], **NAMED
    ).settings
    assert counts(row, "n_events", exact.settings) == people_in(settings, 90.0, event_state(1))
    assert counts(row, "n_persons", exact.settings) == followed(settings)


def test_nothing_by_stratum_or_by_day_is_released(exact):
    for policy in (NHS, SACRO):
        released = sr.suppress(exact, policy)
        assert sorted(released.count_tables) == ["grid", "risks", "test"]
        columns = {c for table in released.count_tables.values() for c in table.columns}
        assert columns == {
            "hub", "time", "state", "n_persons", "n_events", "move", "margin", "share_of_standard", "statistic",
            "degrees_of_freedom", "p_value", "p_adjusted",
        }  # fmt: skip
        assert released.count_tables["test"]["statistic"].null_count() == 4
        # none where a number of events that a stratum's mark allows would change whether p is over 0.05
        assert released.test["p_value"].null_count() == 4
        assert set(released.test["p_adjusted"]) <= {0.001, 0.01, 0.05, 1.0, None}
        assert released.test["p_adjusted"].null_count() < 3
        suppressed = any("It is suppressed where a suppressed number" in note for note in released.notes([]))
        assert suppressed == (released.test["p_adjusted"].null_count() > 0)
        assert released.estimates["standard_error"].null_count() == 12
        assert sr.suppress(released, policy) is released


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("n", [250, 1500])
def test_released_limits_hold_the_exact_ones_and_moves_are_steps(n, seed):
    whole = sr.survival.standardised_risk(hubs(n, seed), **{**OF_HUBS, "standardise": "age_band"})
    released = sr.suppress(whole, NHS)
    for ours, theirs, told in zip(
        released.estimates.iter_rows(named=True),
        whole.estimates.iter_rows(named=True),
        released.count_tables["risks"].iter_rows(named=True),
        strict=True,
    ):
        if ours["estimate"] is None:
            continue
        assert ours["lower"] <= theirs["lower"]
        assert theirs["upper"] <= ours["upper"]
        assert ours["lower"] <= ours["estimate"] <= ours["upper"]
        # a step of 1, 2 or 5 times a power of ten, at least the rounding base over the group's people
        steps = [s for s in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if s >= 5 / theirs["n_persons"]]
        whole_steps = [[told[c] / s for c in ("move", "margin")] for s in steps]
        assert any(abs(a - round(a)) + abs(b - round(b)) < 1e-6 and b > 0.99 for a, b in whole_steps)
    assert n < 1000 or released.estimates["estimate"].null_count() < 4


def test_a_small_group_is_suppressed_and_leaves_no_test():
    people = pl.concat([hubs(), hubs(5, 7).with_columns(hub=pl.lit("Bath"), sex=pl.lit("F"), age_band=pl.lit("65-74"))])
    whole = sr.survival.standardised_risk(
        people.with_columns(age_band=pl.lit("all")), **{**OF_HUBS, "standardise": "age_band"}
    )
    released = sr.suppress(whole, NHS)
    bath = released.estimates.filter(hub="Bath")
    assert bath.select("n_persons", "n_events", "crude", "estimate", "lower").null_count().row(0) == (4,) * 5
    assert released.estimates.filter(hub="Frome")["estimate"].null_count() == 0
    assert released.test["p_adjusted"].to_list() == [None] * 4
    assert set(released.display().filter(pl.col("Hub") == "Bath")["Standardised risk (95% CI)"]) == {"[c]"}
    assert "p " not in released.sentence()


def test_with_one_stratum_the_released_risk_is_the_released_crude_one():
    one = sr.suppress(sr.survival.standardised_risk(hubs().with_columns(age_band=pl.lit("all")), **{**OF_HUBS, "standardise": "age_band"}), NHS)  # fmt: skip
    assert one.count_tables["risks"]["move"].to_list() == [0] * 12
    assert one.estimates["estimate"].to_list() == one.estimates["crude"].to_list()


def test_times_off_the_grid_are_not_released():
    whole = sr.survival.standardised_risk(hubs(), **{**OF_HUBS, "times": 100})
    with pytest.raises(ArgumentError, match="time=100 is no time at which curves are released"):
        sr.suppress(whole, NHS)
    # past the end of the curves there is no row
    long = sr.survival.standardised_risk(hubs(), **{**OF_HUBS, "times": [365, 730]})
    assert sr.suppress(long, NHS).estimates["time"].unique().to_list() == [365]


# words and figure -------------------------------------------------------------------------------------------------


def test_the_sentence_names_each_of_three_groups(exact):
    said = exact.sentence()
    assert said.startswith("Within 365 days, standardised for age and sex, ")
    assert "of Frome, " in said
    assert " and " in said
    assert (
        "of Yeovil had at least one emergency admission. The groups do not clearly differ (Wald test, p >0.99, adjusted for 4 times)"
        in said
    )
    assert exact.heading() == "First emergency admission by hub, standardised for age and sex"
    first = exact.key_figures()[0]
    assert first.outcome.endswith("standardised for age and sex")
    assert first.measure == f"{first.outcome}, {first.time}: Frome"


def test_the_headline_is_the_latest_time_at_which_most_groups_are_shown(exact):
    # Bath has 60 people, of whom under eight are left from day 330 on: its curve is suppressed at a year, but not before
    rows = [("Bath", 20, 1, 30), ("Bath", 320, 1, 25), ("Bath", 365, 0, 5)]
    rows += [("Wells", 20, 1, 200), ("Wells", 300, 1, 100), ("Wells", 365, 0, 200)]
    people = pl.DataFrame(rows, schema=["hub", "time", "event", "n"], orient="row").with_columns(age=pl.lit("all"))
    given = {"time": "time", "event": "event", "weights": "n", "time_unit": "days", "event_name": "admission"}
    whole = sr.survival.standardised_risk(people, by="hub", standardise="age", **given)
    assert whole.headline_time == 365
    released = sr.suppress(whole, NHS)
    assert released.estimates.filter(time=365)["estimate"].null_count() == 1
    assert released.headline_time == 180
    said = released.sentence()
    assert said.startswith("Within 180 days, standardised for age, 50% (")
    # 30 of 60 against 200 of 500: p = 0.13 by hand, (0.1 / sqrt(0.25/60 + 0.24/500))² = 2.15 of one degree of freedom
    assert said.endswith("The groups do not clearly differ (Wald test, p > 0.05, adjusted for 4 times).")
    # a group that is not shown at the headline time is named
    only = sr.suppress(sr.survival.standardised_risk(people, by="hub", standardise="age", times=365, **given), NHS)
    # of one age group there is nothing to standardise for, and the sentence says so
    assert only.sentence().endswith(
        "of Wells had at least one hospital admission (Bath [c]). To within what may be released it equals the crude risk."
    )
    facts = released.facts()
    assert facts["People"] == "Bath about 60, Wells about 500"


def test_the_sentence_gives_the_ends_of_many_groups():
    people = hubs().with_columns(hub=pl.concat_str("hub", "sex", separator=" "))
    found = sr.survival.standardised_risk(people, **{**OF_HUBS, "standardise": "age_band"})
    risks = dict(found.estimates.filter(time=365).select("hub", "estimate").rows())
    low, high = min(risks, key=risks.get), max(risks, key=risks.get)
    said = found.sentence()
    assert said.index("from ") < said.index(f"of {low} to ") < said.index(f"of {high} had")


def test_the_figure_has_a_point_and_a_pale_mark_for_each_group(exact):
    ax = sr.plot(sr.suppress(exact, NHS))
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["Frome", "Wells", "Yeovil"]
    points = np.array([c.get_offsets()[0] for c in ax.collections])
    released = sr.suppress(exact, NHS).estimates.filter(time=365)
    assert sorted(points[:, 0]) == pytest.approx(sorted(100 * x for x in (*released["crude"], *released["estimate"])))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["Standardised", "95% CI", "Crude"]
    assert len(ax.get_title(loc="left").split()) <= 15
    with pytest.raises(ArgumentError, match="time=7 is none"):
        sr.plot_standardised_risk(exact, time=7)


def test_a_p_value_is_released_at_each_time_where_no_suppressed_number_would_change_it():
    # three hubs of some thousands: no stratum is small, and each time has the level of its adjusted p
    large = sr.survival.standardised_risk(hubs(30_000, 2), **{**OF_HUBS, "standardise": "age_band"})
    released = sr.suppress(large, NHS)
    for exact, level in zip(large.test["p_adjusted"], released.test["p_adjusted"], strict=True):
        assert level == next(one for one in (0.001, 0.01, 0.05, 1.0) if exact <= one)
    assert not any("It is suppressed" in note for note in released.notes([]))
    # four chances: the smallest p is four times as large, no more than 1
    assert large.test["p_adjusted"].to_list() == pytest.approx([min(4 * p, 1) for p in large.test["p_value"]])
