"""Contacts and cost a person-year: counted again by a loop over people, errors by a jackknife, and what is released."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

INDEX = date(2011, 4, 1)
STUDY = sr.example_study()


def by_person():
    """Sex, years and values of everybody registered on the index date, by the files of the study."""
    until, found = {}, {}
    spells = defaultdict(list)
    for row in STUDY.tables["registrations"].collect().sort("person_id", "start_date").iter_rows(named=True):
        own, end = spells[row["person_id"]], row["end_date"] or date(9999, 1, 1)
        if own and row["start_date"] <= own[-1][1] + timedelta(days=1):
            own[-1][1] = max(own[-1][1], end)
        else:
            own.append([row["start_date"], end])
    for person, own in spells.items():
        until.update((person, end) for start, end in own if start <= INDEX <= end)
    for row in STUDY.persons.collect().iter_rows(named=True):
        person, died = row["person_id"], row["death_date"]
        if person not in until or row["birth_date"] > INDEX or (died and died < INDEX):
            continue
        last = min(until[person], died or date(9999, 1, 1), INDEX + timedelta(days=365))
        ends = died == last or until[person] == last
        # until noon of the last day; a horizon ends with its day
        half_days = 2 * (last - INDEX).days + (0 if ends else 1)
        found[person] = {
            "sex": row["sex"],
            "last": last,
            "years": max(half_days, 1) / 730.5,
            "values": defaultdict(float),
        }
    for row in STUDY.activity.collect().iter_rows(named=True):
        person = found.get(row["person_id"])
        if person and INDEX <= row["date"] <= person["last"]:
            person["values"][f"contacts_{row['setting']}"] += 1
            person["values"]["cost"] += row["cost"]
    return list(found.values())


def test_against_a_loop_over_people():
    cohort, people = sr.define_cohort(STUDY), by_person()
    for by in ((), ("sex",)):
        made = cohort.care_use(by=by)
        for row in made.estimates.iter_rows(named=True):
            own = [p for p in people if not by or p["sex"] == row["sex"]]
            years = sum(p["years"] for p in own)
            assert row["n_persons"] == len(own)
            assert row["mean_years"] == pytest.approx(years / len(own), rel=1e-3)
            assert row["estimate"] == pytest.approx(sum(p["values"][row["quantity"]] for p in own) / years, rel=1e-3)
    assert made.settings["price_year"] == "2012-13"


def test_the_error_is_that_of_a_jackknife():
    people = by_person()
    made = {row["quantity"]: row for row in sr.define_cohort(STUDY).care_use().estimates.iter_rows(named=True)}
    for name in ("cost", "contacts_primary_care"):
        value, years = sum(p["values"][name] for p in people), sum(p["years"] for p in people)
        left = [(value - p["values"][name]) / (years - p["years"]) for p in people]
        mean = sum(left) / len(left)
        error = ((len(left) - 1) / len(left) * sum((one - mean) ** 2 for one in left)) ** 0.5
        assert made[name]["standard_error"] == pytest.approx(error, rel=0.02)
        assert made[name]["upper"] - made[name]["estimate"] == pytest.approx(1.96 * error, rel=0.02)


def test_released_rates_are_made_of_rounded_means_and_a_large_payer_is_suppressed():
    cohort = sr.define_cohort(STUDY)
    released = sr.suppress({"all": cohort.care_use(), "sex": cohort.care_use(by="sex")}, sr.Policy.nhs_england())
    exact = cohort.care_use().estimates
    near = released["all"].estimates
    assert (near["n_persons"] % 5 == 0).all()
    shown = near["estimate"].is_not_null()
    ratio = (near.filter(shown)["estimate"] / exact.filter(shown)["estimate"] - 1).abs()
    assert ratio.max() < 0.1
    assert "A person-year: £" in released["all"].sentence()
    # one person has nearly all of the cost
    rich = {"n_persons": [30], "mean_years": [1.0], "herfindahl_years": [1 / 30], "mean_cost": [1000.0], "herfindahl_cost": [0.95], "error_cost": [900.0]}  # fmt: skip
    one = sr.cohort.CareUse({"population": pl.DataFrame(rich)}, {"used": ["cost"], "horizon": 365, "confidence": 0.95})
    assert sr.suppress(one, sr.Policy.nhs_england()).estimates["estimate"][0] is None


def test_without_activity():
    study = sr.Study("no activity", STUDY.period, STUDY.tables, given=STUDY.given - {"activity"})
    cohort = sr.define_cohort(study)
    with pytest.raises(ArgumentError, match="no activity"):
        cohort.care_use()
    assert cohort.care_use(optional=True).holds_nothing
    with pytest.raises(ArgumentError, match="by="):
        sr.define_cohort(STUDY).care_use(by="colour")
