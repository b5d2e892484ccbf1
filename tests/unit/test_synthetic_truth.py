"""The known answers: what they are made from, and that the stored ones are those of this generator."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from symphony_research.synthetic import parameters, synthesise
from symphony_research.synthetic.effects import Effects
from symphony_research.synthetic.plan import PROFILES, Plan
from symphony_research.synthetic.truth import planted
from symphony_research.synthetic.truth import stored as stored_module
from symphony_research.synthetic.truth.index_day import TRIADS, cox, implied_pairs, no_three_way, planted_pairs
from symphony_research.synthetic.truth.precedence_truth import first_share, median_of, null_share
from symphony_research.synthetic.truth.simulate import people_drawn, simulate_all
from symphony_research.synthetic.truth.stored import _stored, parameters_digest


def named(profile="calibrated", effects=None):
    records = planted(Plan(0, PROFILES[profile], Effects.of(effects)))
    assert len({record.name for record in records}) == len(records)
    return {record.name: record for record in records}


# ------------------------------------------------------------------ small pieces, by hand


def test_no_three_way_interaction_has_the_pairs_and_equal_odds_ratios():
    rng = np.random.default_rng(1)
    cells = rng.integers(5, 200, (4, 2, 2, 2)).astype(float)
    fitted = no_three_way(cells)
    for axis in (1, 2, 3):
        assert fitted.sum(axis=axis) == pytest.approx(cells.sum(axis=axis), rel=1e-6)
    odds = fitted[:, 1, 1] * fitted[:, 0, 0] / (fitted[:, 1, 0] * fitted[:, 0, 1])
    # No three-way interaction: the odds ratio of the first two is the same with and without the third.
    assert odds[:, 0] == pytest.approx(odds[:, 1], rel=1e-5)


def test_independent_triples_are_expected_as_the_product():
    # 1,000 people, three independent conditions of 1/2, 1/5 and 1/10: 10 have all three.
    shares = [np.array([1 - p, p]) for p in (0.5, 0.2, 0.1)]
    cells = 1000 * np.einsum("a,b,c->abc", *shares)[None]
    assert no_three_way(cells)[0, 1, 1, 1] == pytest.approx(10.0)


def test_temporal_precedence_sets_everybody_against_everybody_else():
    rng = np.random.default_rng(2)
    first, then = rng.integers(0, 6, 7), rng.integers(0, 6, 7)
    # Naive: everybody's first onset against everybody else's second, ties counted half.
    shares = [(first[i] < then[j]) + (first[i] == then[j]) / 2 for i, j in itertools.permutations(range(len(first)), 2)]
    histograms = [np.bincount(values, minlength=6)[None].astype(float) for values in (first, then)]
    own = np.array([((first < then) + (first == then) / 2).sum()])
    assert null_share(*histograms, own) == pytest.approx(np.mean(shares))
    # A stratum of one person says nothing.
    alone = np.array([[1.0, 0.0]])
    assert np.isnan(null_share(alone, alone, np.array([0.5])))


def test_shares_and_medians_by_hand():
    # Six people with both: three in this order, two on the same day: (3 + 1) / 6.
    assert first_share(np.array([3.0, 2.0, 6.0])) == pytest.approx(4 / 6)
    # Bins of 2, 4 and 2: the fourth of eight is the end of the second of four in bin 1, so 1.5.
    assert median_of(np.array([2.0, 4.0, 2.0])) == pytest.approx(1.5)
    assert np.isnan(median_of(np.zeros(3)))


def test_collapsed_cox_regression_is_that_of_people():
    rng = np.random.default_rng(3)
    people = pd.DataFrame({"x": rng.integers(0, 2, 3000), "z": rng.integers(0, 4, 3000)})
    time = rng.exponential(1 / np.exp(0.7 * people.x - 0.3 * people.z) * 4e6).astype(int) + 1
    people["event"] = time <= 3_000_000
    people["time"] = np.minimum(time, 3_000_000)
    # No two people die on one day, so Efron's handling of ties (lifelines) and Breslow's are the same.
    assert people.time[people.event].is_unique
    fitted = CoxPHFitter().fit(people, "time", "event")
    days = np.sort(people.time[people.event].to_numpy())
    patterns = [(x, z) for x in range(2) for z in range(4)]
    of = [people[(people.x == x) & (people.z == z)] for x, z in patterns]
    at_risk = np.array([[(group.time >= day).sum() for day in days] for group in of], float)
    deaths = np.array([[((group.time == day) & group.event).sum() for day in days] for group in of], float)
    assert cox(np.array(patterns, float), at_risk, deaths) == pytest.approx(fitted.params_.to_numpy(), abs=1e-6)


# ------------------------------------------------------------------ what is planted


def test_implied_pairs_share_an_ancestor_and_no_others():
    # By hand from the links: back pain -> depression -> anxiety; diabetes -> kidney disease -> anaemia.
    implied = set(implied_pairs())
    assert ("anxiety", "chronic_back_pain") in implied
    assert ("anaemia", "diabetes") in implied
    # Siblings: cataract and kidney disease both follow diabetes. The arms of a triad: by the third alone.
    assert ("cataract", "chronic_kidney_disease") in implied
    assert ("atrial_fibrillation", "hypertension") in implied
    assert not implied & set(planted_pairs())
    assert ("anxiety", "diabetes") not in implied


def test_every_answer_says_what_it_is(tmp_path):
    study = synthesise(tmp_path / "study", people=40, progress=False)
    truth = json.loads((study / "truth.json").read_text(encoding="utf-8"))
    assert truth["profile"]["name"] == "calibrated"
    assert truth["messy"] is None
    for record in truth["planted"]:
        assert record["kind"] in ("conditional", "marginal")
        assert record["quantity"]
        assert record["population"]
        assert record["horizon"]
        assert np.isfinite(record["value"]), record["name"]
        assert "_" not in record["horizon"]
        if record["people"]:
            assert record["kind"] == "marginal"
    names = {record["name"] for record in truth["planted"]}
    assert {
        "hazard_ratio/depression/anxiety",
        "hazard_ratio/diabetes/chronic_kidney_disease/coronary_heart_disease",
    } <= names
    assert {"sequence_share/stroke/epilepsy", "class_share/complex", "survival/65_and_over/365_days"} <= names
    assert "effect/complex_care/emergency_admissions/year_1" in names
    assert "observed_expected/diabetes/chronic_kidney_disease/coronary_heart_disease" in names


def test_profiles_have_the_answers_of_their_mechanisms():
    null, links, every = named("null"), named("planted"), named("calibrated")
    assert not [name for name in null if name.startswith(("observed_expected", "hazard_ratio", "class", "sequence"))]
    assert [name for name in links if name.startswith("observed_expected")]
    assert not [name for name in links if name.startswith(("class", "log_hazard_ratio_given_all"))]
    assert [name for name in every if name.startswith("class_share")]
    assert sum(every[f"class_share/{latent.name}"].value for latent in parameters.CLASSES) == pytest.approx(1)


def test_before_and_after_misleads_with_no_effect_at_all():
    records = named()
    without = records["before_after_ratio/complex_care/emergency_admissions/without"]
    assert without.value + 5 * without.standard_error < 0.8
    year = records["rate_ratio/complex_care/emergency_admissions/year_1"]
    assert year.value == pytest.approx(1.05, abs=4 * year.standard_error)


def test_practice_level_cost_is_the_one_set():
    record = named()["cost/enhanced_primary_care/secondary_care"]
    # Set: GBP 45 a registered person a year (Stokes et al. 2021); from potential outcomes, within four errors.
    assert record.value == pytest.approx(45.0, abs=4 * record.standard_error + 0.2)


def test_pounds_are_told_as_the_ratios_they_are_planted_by():
    # GBP 45 on planned care of GBP 369: 1 + 45 / 369 of both kinds of planned care, and of nothing else.
    records = named()
    planned = parameters.PLANNED_COST_PER_PERSON_YEAR["calibrated"]
    for outcome in ("elective_admissions", "outpatient"):
        record = records[f"effect/enhanced_primary_care/{outcome}/year_1"]
        assert record.value == pytest.approx(1 + 45 / planned)
    assert records["effect/enhanced_primary_care/emergency_admissions/year_1"].value == 1.0
    assert records["effect/enhanced_primary_care/secondary_care_cost/year_1"].standard_error > 0


def test_effects_of_ones_own_are_simulated_anew(monkeypatch):
    asked = {"complex_care": {"emergency_admissions": [0.5]}}
    monkeypatch.setattr(stored_module, "PEOPLE_FOR_OWN_EFFECTS", 65_536)
    records = named(effects=asked)
    assert records["effect/complex_care/emergency_admissions/year_1"].value == 0.5
    own = records["rate_ratio/complex_care/emergency_admissions/year_1"]
    assert own.value == pytest.approx(0.5, abs=5 * own.standard_error)
    assert own.people == 65_536
    assert records["survival/65_and_over/365_days"].people == 65_536


def test_stored_answers_are_of_these_parameters():
    assert _stored()["parameters"] == parameters_digest(), "parameters changed: run `make truth`"
    assert _stored()["people"] >= 4_000_000


@pytest.mark.slow
@pytest.mark.parametrize("profile", list(PROFILES))
def test_stored_answers_are_found_again(profile):
    # Another, smaller sample of the same population: every answer within five joint standard errors. That of the smaller
    # sample follows from the stored one by the people in each: of few batches its own is itself uncertain, for rare pairs.
    plan, people = Plan(0, PROFILES[profile]), 400_000
    again = simulate_all(plan, people, seed=7)
    stored = _stored()["profiles"][profile]
    assert set(again) == set(stored)
    joint = np.sqrt(1 + _stored()["people"] / people_drawn(people))
    far = {
        name: (value, *stored[name])
        for name, (value, _) in again.items()
        if np.isfinite(value) and abs(value - stored[name][0]) > 5 * joint * stored[name][1] + 1e-9
    }
    assert not far
    assert len(TRIADS) == 2
