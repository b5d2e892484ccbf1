"""Rates of need are made of released figures alone: by hand, against a naive script, and where there are too few people."""

from __future__ import annotations

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.result import NotAvailable, not_available

NHS = sr.Policy.nhs_england()
BANDS = ["00-44", "45-64", "65-79", "80+"]


def rates_of(events, persons, *, policy=None):
    """Rates of an event that people have once, by age and of all, released together; a person is a person-year."""
    frame = pl.DataFrame(
        {"age_band": BANDS, "n_events": events, "n_persons": persons, "person_years": [float(n) for n in persons]}
    )
    given = {
        "by_age": sr.survival.event_rate(frame, by="age_band", per=100),
        "overall": sr.survival.event_rate(frame, by=(), per=100),
    }
    return sr.suppress(given, policy) if policy else given


def test_by_hand_before_release():
    #          00-44  45-64  65-79   80+
    # events      20     40     60    80
    # people    2000   1000    500   200     so 0.01, 0.04, 0.12 and 0.4 a person
    made = rates_of([20, 40, 60, 80], [2000, 1000, 500, 200])
    rates = sr.demography.need_rates(made["by_age"], overall=made["overall"])
    assert rates.estimates["age"].to_list() == [0, 45, 65, 80]
    assert rates.estimates["estimate"].to_list() == pytest.approx([0.01, 0.04, 0.12, 0.4])
    # the error of a Poisson number over its years: sqrt(80) / 200
    assert rates.estimates["standard_error"][3] == pytest.approx(80**0.5 / 200)
    assert rates.sentence() == "Every age group has a rate of its own."
    assert rates.disclosure is None


def test_groups_that_are_suppressed_share_what_the_others_leave():
    # 3 and 5 events are suppressed
    made = rates_of([3, 5, 100, 80], [2000, 1000, 500, 200], policy=NHS)
    assert made["by_age"].estimates["estimate"].null_count() == 2
    rates = sr.demography.need_rates(made["by_age"], overall=made["overall"]).estimates
    assert rates["own_rate"].to_list() == [False, False, True, True]
    # by the released figures: means a person to two figures are 0.2 and 0.4, of all 188 / 3700 = 0.051
    left = 0.051 * 3700 - 0.2 * 500 - 0.4 * 200
    assert rates["estimate"].to_list() == pytest.approx([left / 3000, left / 3000, 0.2, 0.4], rel=0.01)
    assert rates["standard_error"][0] == 0


def test_a_need_of_which_most_is_suppressed_is_not_carried_forward():
    made = rates_of([5, 6, 7, 8], [200, 100, 50, 20], policy=NHS)
    gone = sr.demography.need_rates(made["by_age"], overall=made["overall"])
    assert isinstance(gone, NotAvailable)
    assert (
        gone.sentence()
        == "The study has too few people for rates of events by age, so the need for events is not shown."
    )
    assert gone.disclosure == made["by_age"].disclosure, (
        "it was found in released results, and may stand in their report"
    )


@pytest.mark.parametrize("policy", [NHS, sr.Policy.opensafely(), sr.Policy.sacro()], ids=lambda p: p.name)
def test_against_a_naive_script_that_reads_released_figures_alone(policy):
    cohort = sr.define_cohort(sr.example_study())
    both = [sr.multimorbidity.prevalence(cohort.patterns(by=by)) for by in ("age_band", ())]
    by_age, overall = sr.suppress(both, policy)
    totals = {row["condition"]: row["n_persons"] for row in overall.estimates.to_dicts()}
    people = {row["age_band"]: row["n_persons"] for row in by_age.count_tables["population"].to_dicts()}
    everybody = overall.count_tables["population"]["n_persons"].item()
    expected = {}
    for condition, total in totals.items():
        rows = [row for row in by_age.estimates.to_dicts() if row["condition"] == condition]
        own = {row["age_band"]: row["n_persons"] for row in rows if row["estimate"] is not None}
        if not total or sum(own.values()) < total / 2:
            continue
        gone = [row["age_band"] for row in rows if row["age_band"] not in own]
        whom = [people[band] for band in gone]
        exposed = sum(whom) if None not in whom else everybody - sum(people[band] for band in own)
        shared = min(max(total - sum(own.values()), 0) / exposed, 1) if exposed > 0 else 0
        for band in people:
            expected[condition, int(band[:2])] = own[band] / people[band] if band in own else shared
    made = sr.demography.need_rates(by_age, overall=overall)
    found = (
        {}
        if isinstance(made, NotAvailable)
        else {(r["quantity"], r["age"]): r["estimate"] for r in made.estimates.filter("recorded").to_dicts()}
    )
    assert found == pytest.approx(expected)


def test_released_rates_give_a_released_need_and_no_others_do():
    made = rates_of([20, 40, 60, 80], [2000, 1000, 500, 200], policy=NHS)
    rates = sr.demography.need_rates(made["by_age"], overall=made["overall"])
    people = sr.suppress(sr.demography.project_south_somerset(end=2013), NHS)
    need = sr.demography.project_need(people, rates)
    assert need.disclosure == made["by_age"].disclosure
    assert sr.suppress(need, NHS) is need
    exact = rates_of([20, 40, 60, 80], [2000, 1000, 500, 200])
    with pytest.raises(sr.DisclosureError, match="no published source"):
        sr.suppress(
            sr.demography.project_need(people, sr.demography.need_rates(exact["by_age"], overall=exact["overall"])), NHS
        )
    with pytest.raises(sr.ArgumentError, match="released together"):
        sr.demography.need_rates(made["by_age"], overall=exact["overall"])


def test_the_error_of_a_need_is_of_independent_rates_by_group():
    made = rates_of([20, 40, 60, 80], [2000, 1000, 500, 200])
    rates = sr.demography.need_rates(made["by_age"], overall=made["overall"])
    people = sr.demography.project_south_somerset(end=2012)
    beds = sr.demography.beds_required(sr.demography.project_need(people, rates, quantity="events"), occupancy=0.85)
    # each group's people times the error of its rate; groups are independent
    ends = [(0, 44), (45, 64), (65, 79), (80, None)]
    errors = [
        people.people(2012, end) * n**0.5 / p
        for end, n, p in zip(ends, [20, 40, 60, 80], [2000, 1000, 500, 200], strict=True)
    ]
    half = 1.96 * sum(e**2 for e in errors) ** 0.5 / 365.25 / 0.85
    row = beds.estimates.row(-1, named=True)
    assert row["beds_upper"] - row["beds"] == pytest.approx(half, rel=1e-4)
    assert row["beds"] - row["beds_lower"] == pytest.approx(half, rel=1e-4)
    assert "of the sampling of the study's rates alone" in beds.sentence()


def test_nobody_so_young_is_in_the_study():
    frame = pl.DataFrame(
        {
            "age_band": ["under 18", "18-64", "65+"],
            "n_events": [0, 40, 60],
            "n_persons": [50, 500, 300],
            "person_years": [50.0, 500, 300],
        }
    )
    for kept, first in ((frame, True), (frame.tail(2), False)):
        by_age, overall = (sr.survival.event_rate(kept, by=by) for by in ("age_band", ()))
        rates = sr.demography.need_rates(by_age, overall=overall)
        assert rates.estimates["age"].to_list() == [0, 18, 65]
        assert rates.estimates["estimate"].to_list() == pytest.approx([0, 0.08, 0.2])
        assert rates.estimates["recorded"].to_list() == [first, True, True]
        assert ("Nobody under 18 is in the study" in rates.sentence()) is not first


def test_numbers_of_conditions_keep_their_order():
    cohort = sr.define_cohort(sr.example_study())
    by_age, overall = (sr.multimorbidity.condition_count(cohort.patterns(by=by), top=2) for by in ("age_band", ()))
    rates = sr.demography.need_rates(by_age, overall=overall)
    assert rates.estimates["quantity"].unique(maintain_order=True).to_list() == [
        "no conditions",
        "1 condition",
        "2 or more conditions",
    ]
    # every person has one of them
    total = rates.estimates.group_by("age").agg(pl.col("estimate").sum())["estimate"]
    assert total.to_list() == pytest.approx([1.0] * total.len())


def test_what_is_not_available_is_passed_on_by_all():
    gone = not_available("The study has no beds", "the number of beds")
    people = sr.demography.project_south_somerset(end=2012)
    rates = sr.demography.need_rates(gone, overall=gone)
    for made in (
        rates, sr.demography.project_need(people, rates), sr.demography.beds_required(rates), sr.demography.decompose_need(rates),
        sr.demography.bed_scenarios(people, rates=rates, start=2011), sr.demography.growth(gone, intervals=gone),
        sr.demography.project_need(gone, rates),
    ):  # fmt: skip
        assert made is gone
    assert gone.heading() == "The number of beds"


def test_other_families_and_strata_are_refused():
    patterns = sr.define_cohort(sr.example_study()).patterns(by=("age_band", "sex"))
    made = sr.multimorbidity.prevalence(patterns)
    with pytest.raises(sr.ArgumentError, match="by age_band alone"):
        sr.demography.need_rates(made, overall=made)
    with pytest.raises(sr.ArgumentError, match="results of one family"):
        sr.demography.need_rates(made, overall=patterns)
