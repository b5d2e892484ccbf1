"""The difference in cost against comparable people: counted again by a loop over people, and what is released."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

EPOCH = date(1970, 1, 1)


@pytest.fixture(scope="module")
def matched():
    study = sr.example_study(12_000)
    return sr.evaluation.match_controls(
        study, sr.define_cohort(study, programme="complex_care"), caliper=None, ratio=3, seed=1
    )


def by_loop(matched, treated, horizon):
    """The mean cost of an arm with death as terminal event: day by day, survival times cost over those still there."""
    sets, weight = matched._sets, matched._weight
    study = sets.rows.study
    ids = sets.eligible.people["person_id"].to_list()
    died = dict(study.persons.select("person_id", "death_date").collect().iter_rows())
    cost = defaultdict(float)
    for person, day, pounds in study.activity.select("person_id", "date", "cost").collect().iter_rows():
        cost[person, day] += pounds or 0.0
    people = []
    for k in range(len(weight)):
        if weight[k] > 0 and bool(sets.treated[k]) == treated:
            zero = EPOCH + timedelta(days=int(sets.day[k]))
            last = min(int(sets.until[k] - sets.day[k]), horizon)
            if last > 0:
                dies = died[ids[sets.person[k]]]
                people.append(
                    (float(weight[k]), ids[sets.person[k]], zero, last, bool(dies and (dies - zero).days == last))
                )
    alive, mean = 1.0, 0.0
    for day in range(1, horizon + 1):
        there = [one for one in people if one[3] >= day]
        at_risk = sum(w for w, *_ in there)
        if not at_risk:
            break
        mean += alive * sum(w * cost[person, zero + timedelta(days=day)] for w, person, zero, *_ in there) / at_risk
        alive *= 1 - sum(w for w, _, _, last, dies in there if last == day and dies) / at_risk
    return mean


def test_means_by_a_loop_over_days(matched):
    found = sr.evaluation.cost_effect(matched, horizon=90, resamples=20)
    own, others = (by_loop(matched, treated, 90) for treated in (True, False))
    row = found.estimates.row(0, named=True)
    assert row["enrolled"] == pytest.approx(own, rel=1e-9)
    assert row["controls"] == pytest.approx(others, rel=1e-9)
    assert row["estimate"] == pytest.approx(own - others, rel=1e-9)


def test_the_programme_s_cost_is_added(matched):
    found = sr.evaluation.cost_effect(matched, horizon=90, programme_cost=250, resamples=20).estimates
    care, net = found.iter_rows(named=True)
    for name in ("enrolled", "estimate", "lower", "upper"):
        assert net[name] - care[name] == pytest.approx(250)
    assert net["controls"] == care["controls"]


def test_few_people_are_not_shown(matched):
    released = sr.suppress(sr.evaluation.cost_effect(matched, resamples=20), sr.Policy.nhs_england())
    n = released.count_tables["arms"]
    for row in n.iter_rows(named=True):
        if row["n_persons"] is None or row["n_with_cost"] is None:
            assert row["mean_cost"] is None
            assert released.estimates["estimate"][0] is None
    assert "spread" not in n.columns or n["spread"].null_count() == n.height


def test_a_difference_that_one_person_makes_is_not_shown(matched):
    found = sr.evaluation.cost_effect(matched, resamples=20)
    # the n largest have at most sqrt(n H) of the sum: an index near 1 is one person's cost
    arms = found.count_tables["arms"].with_columns(n_persons=pl.lit(200), n_with_cost=pl.lit(150), spread=pl.lit(0.9))
    effects = found.count_tables["effects"].with_columns(cell=pl.lit(150))
    for spread, shown in ((0.9, False), (0.01, True)):
        one = sr.evaluation.CostEffect(
            {"arms": arms.with_columns(spread=pl.lit(spread)), "effects": effects}, dict(found.settings), ()
        )
        released = sr.suppress(one, sr.Policy.nhs_england())
        assert (released.estimates["estimate"][0] is not None) is shown
        assert (released.estimates["enrolled"][0] is not None) is shown


def test_cost_per_admission_avoided_only_where_some_were(matched):
    effect = sr.evaluation.enrolment_effect(matched, resamples=20, fewest_events=0, fewest_people=0)
    cost = sr.evaluation.cost_effect(matched, programme_cost=500, effect=effect, resamples=20)
    upper = effect.row("rate difference per 100 person-years")["upper"]
    assert ("not estimable" in cost.per_event_avoided()) is (upper >= 0)
    assert cost.sentence().endswith(cost.per_event_avoided())
    # 20 fewer a year of 100 people, with a standard error of 5: a fifth of an admission each, so five times the net cost per person
    effects = cost.count_tables["effects"].with_columns(
        estimate=pl.when(pl.col("measure") == "events avoided").then(-20.0).otherwise(300.0),
        standard_error=pl.lit(5.0),
    )
    made = sr.evaluation.CostEffect({**cost.count_tables, "effects": effects}, dict(cost.settings), ())
    assert made.per_event_avoided() == (
        "Cost per emergency admission avoided (the difference in cost over events avoided): about £4,000."
    )  # 300 + 500 more per person
    saving = effects.with_columns(estimate=pl.when(pl.col("measure") == "events avoided").then(-20.0).otherwise(-900.0))
    made = sr.evaluation.CostEffect({**cost.count_tables, "effects": saving}, dict(cost.settings), ())
    assert made.per_event_avoided().startswith("Fewer events and no higher cost")


def test_a_study_without_costs(tmp_path):
    study = sr.example_study(12_000)
    tables = dict(study.tables) | {"activity": study.activity.with_columns(cost=pl.lit(None, dtype=pl.Float64))}
    from dataclasses import replace

    bare = replace(study, tables=tables, fingerprint="without cost")
    matched = sr.evaluation.match_controls(bare, sr.define_cohort(bare, programme="complex_care"), caliper=None, seed=1)
    with pytest.raises(ArgumentError, match="records no cost"):
        sr.evaluation.cost_effect(matched)


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"horizon": 0}, "horizon=0"), ({"resamples": 1}, "resamples=1"), ({"programme_cost": -1}, "programme_cost=-1")],
)
def test_what_is_asked_of_it(matched, asked, said):
    with pytest.raises(ArgumentError, match=said):
        sr.evaluation.cost_effect(matched, **asked)


def test_same_seed_same_figures(matched):
    one, other = (sr.evaluation.cost_effect(matched, resamples=20, seed=3).estimates for _ in range(2))
    assert one.equals(other)
    assert np.isfinite(one["estimate"][0])
