"""Controls on the day of enrolment: twelve people drawn as a table, and a naive reading of a small public study."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.cohort import risk_sets
from symphony_research.cohort.matched import outcome_rows
from symphony_research.door.table import conform
from symphony_research.errors import ArgumentError
from symphony_research.schema import STUDY_TABLES
from symphony_research.study import Study, empty
from symphony_research.synthetic import generate_tables
from symphony_research.synthetic.parameters import (
    CONDITION_NAMES,
    PERIOD_END,
    PERIOD_START,
    PRIORITY_CONDITIONS,
)

ZERO = date(2015, 6, 1)
EPOCH = date(1970, 1, 1)
c = pl.col


def on(day: int) -> date:
    return ZERO + timedelta(days=day)


def study_of(period: tuple[date, date] = (date(2011, 4, 1), date(2018, 3, 31)), **tables: pl.DataFrame) -> Study:
    made = {name: conform(STUDY_TABLES[name], frame.lazy()).collect() for name, frame in tables.items()}
    return Study(
        "drawn", period, {t: made[t].lazy() if t in made else empty(STUDY_TABLES[t]) for t in STUDY_TABLES},
        conditions_listed=("asthma", "copd", "stroke"), fingerprint="drawn", generated=True, given=frozenset(made),
    )  # fmt: skip


# Twelve women and men, all born in 1940 and registered throughout but for those named. 1 and 2 enrol on day 0, 3 on day 50.
#
# person sex  practice  what makes them no candidate of 1 (a woman of practice A, enrolled on day 0)
#  1     F    A         is the one
#  2     F    A         enrols on that day too
#  3     F    A         none: enrols on day 50, and is a candidate until then
#  4     F    A         none
#  5     M    A         a man
#  6     F    B         B has enhanced primary care by then, A has not
#  7     F    A         one condition of the three that two are asked of
#  8     F    A         died on day -1
#  9     F    A         left on day 0, and so is not observed after it
# 10     F    A         gets the second condition on day 1
# 11     F    A         69 on day 0, where 70 are asked for; 70 on day 1
# 12     F    B         none for 13, were there one; B is reached on day -10
PEOPLE = pl.DataFrame(
    {
        "person_id": list(range(1, 13)),
        "sex": ["F", "F", "F", "F", "M", "F", "F", "F", "F", "F", "F", "F"],
        "birth_date": [date(1940, 1, 1)] * 10 + [date(1945, 6, 2)] + [date(1940, 1, 1)],
        "death_date": [None] * 7 + [on(-1)] + [None] * 4,
        "deprivation_decile": [5] * 12,
    }
)
PRACTICE = {6: "B", 12: "B"}
ONSETS = [
    (p, name, date(2000, 1, 1) if not (p == 10 and name == "copd") else on(1))
    for p in range(1, 13)
    for name in ("asthma", "copd")
    if not (p == 7 and name == "copd")
]


def twelve(**others: pl.DataFrame) -> Study:
    tables = {
        "persons": PEOPLE,
        "registrations": pl.DataFrame(
            {
                "person_id": list(range(1, 13)),
                "practice_id": [PRACTICE.get(p, "A") for p in range(1, 13)],
                "start_date": [date(2000, 1, 1)] * 12,
                "end_date": [None] * 8 + [on(0)] + [None] * 3,
            }
        ),
        "conditions": pl.DataFrame(ONSETS, schema=["person_id", "condition", "onset_date"], orient="row"),
        "enrolments": pl.DataFrame(
            {"person_id": [1, 2, 3], "programme": ["complex_care"] * 3, "hub": ["X"] * 3, "start_date": [on(0), on(0), on(50)], "end_date": [None] * 3},
            schema_overrides={"end_date": pl.Date},
        ),
        "practice_programmes": pl.DataFrame(
            {"practice_id": ["B"], "programme": ["enhanced_primary_care"], "start_date": [on(-10)], "end_date": [None]},
            schema_overrides={"end_date": pl.Date},
        ),
        "practices": pl.DataFrame({"practice_id": ["A", "B"], "name": ["A", "B"], "hub": ["X", "Y"]}),
        "activity": pl.DataFrame(
            {
                "person_id": [1, 4, 4, 3, 3, 4],
                "date": [on(-3), on(-3), on(0), on(10), on(20), on(400)],
                "end_date": [on(-2), on(-2), on(1), on(11), on(21), on(401)],
                "setting": ["inpatient"] * 6,
                "kind": ["emergency"] * 6,
                "cost": [100.0] * 6,
            }
        ),
        **others,
    }  # fmt: skip
    return study_of(**tables)


RULES = {
    "programme": "complex_care",
    "min_conditions": 2,
    "conditions": ["asthma", "copd", "stroke"],
    "age": (70, None),
}


def match(study: Study, **asked: object):
    rules = asked.pop("rules", RULES)
    return sr.evaluation.match_controls(
        study, sr.define_cohort(study, **rules), **{"seed": 1, "caliper": None, **asked}
    )  # type: ignore[arg-type]


def candidates(matched) -> dict[int, set[int]]:
    sets = matched._sets
    ids = sets.eligible.people["person_id"].to_numpy()
    found: dict[int, set[int]] = {int(ids[sets.person[k]]): set() for k in range(sets.n_sets)}
    for row in range(sets.n_sets, len(sets.set)):
        found[int(ids[sets.person[sets.set[row]]])].add(int(ids[sets.person[row]]))
    return found


def test_who_is_a_candidate_on_the_day():
    found = candidates(match(twelve(), ratio=5))
    # 3 is a candidate of 1 and 2, and enrols later; on day 50 she has 4, and 10 and 11 who are eligible by then
    assert found == {1: {3, 4}, 2: {3, 4}, 3: {4, 10, 11}}


def test_what_is_exact_is_a_choice():
    assert candidates(match(twelve(), exact=["sex"], ratio=5))[1] == {3, 4, 6, 12}
    assert candidates(match(twelve(), exact=[], ratio=5))[1] == {3, 4, 5, 6, 12}
    assert candidates(match(twelve(), exact=["practice_id", "age_band"], ratio=5))[1] == {3, 4, 5}
    with pytest.raises(ArgumentError, match="exact='height'"):
        match(twelve(), exact=["height"])
    with pytest.raises(ArgumentError, match="twice"):
        match(twelve(), exact=["sex", "sex"])


def test_controls_of_the_hub_or_of_others():
    assert candidates(match(twelve(), exact=[], practices="of the hub"))[1] == {3, 4, 5}
    assert candidates(match(twelve(), exact=[], practices="of other hubs"))[1] == {6, 12}


def test_nothing_of_time_zero_or_after_enters():
    sets = match(twelve(), ratio=5)._sets
    ids = sets.eligible.people["person_id"].to_numpy()[sets.person]
    name = "emergency admissions, 1 to 5 days before"
    number = 2 ** sets.measured.values[:, sets.measured.names.index(name)] - 1
    on_day_0 = sets.day == (ZERO - EPOCH).days
    # 1 and 4 were admitted on day -3; 4 again on day 0, which is not before it
    assert dict(zip(ids[on_day_0].tolist(), number[on_day_0].tolist(), strict=True)) == {1: 1, 2: 0, 3: 0, 4: 1}
    # on day 50, 3 was admitted 40 and 30 days before, and the second so soon after the first
    runs = "an emergency admission within 60 days of another, in the 60 days before"
    later = {
        int(p): v
        for p, v, d in zip(ids, sets.measured.values[:, sets.measured.names.index(runs)], sets.day, strict=True)
        if d == (on(50) - EPOCH).days
    }
    assert later == {3: 1, 4: 1, 10: 0, 11: 0}  # of 4 the admission on day 0 came 3 days after another


def test_events_and_days_at_risk_by_hand():
    matched = match(twelve(), ratio=5)
    found = outcome_rows(matched, "emergency_admission")
    ids = matched._sets.eligible.people["person_id"].to_numpy()[found.person]
    of_one = (found.set == 0) & ~found.treated
    rows = {int(p): (e, d, later) for p, e, d, later in zip(ids[of_one], found.events[of_one], found.days[of_one], found.enrolled_days[of_one], strict=True)}  # fmt: skip
    # days 1 to 365: 3 is admitted on days 10 and 20 and is enrolled from day 50 on, for 316 days; of 4 day 0 and day 400 do not count
    assert rows == {3: (2, 365, 316), 4: (0, 365, 0)}
    assert found.weight[of_one].tolist() == [0.5, 0.5]
    # of the year before, as far as it is recorded: days -365 to -1
    before = outcome_rows(matched, "emergency_admission", first=-365, last=-1)
    assert before.events[(before.set == 0) & before.treated].tolist() == [1]


def test_attrition_says_of_how_many_there_are_no_controls():
    lonely = twelve(persons=PEOPLE.with_columns(sex=pl.when(c("person_id") == 1).then(pl.lit("M")).otherwise("sex")))
    matched = match(lonely)  # 1 is a man, with 5; were there no 5, nobody
    assert matched.attrition.estimates.rows() == [("enrolled", 0, 3)]
    none = lonely.persons.collect().filter(c("person_id") != 5)
    matched = match(
        twelve(persons=none.with_columns(sex=pl.when(c("person_id") == 1).then(pl.lit("M")).otherwise("sex")))
    )
    assert matched.attrition.estimates.rows()[1][1:] == (1, 2)
    assert "no candidate" in matched.attrition.estimates["step"][1]
    assert matched.without_controls().attrition.estimates["n_persons"].to_list() == [1]
    assert matched.with_controls().attrition.estimates["n_persons"].to_list() == [2]


def test_who_was_on_the_programme_before_with_another_hub_is_left_out():
    more = pl.DataFrame(
        {"person_id": [1, 2, 3, 1], "programme": ["complex_care"] * 4, "hub": ["X", "X", "X", "Y"], "start_date": [on(0), on(0), on(50), on(-400)], "end_date": [None, None, None, on(-300)]},
    )  # fmt: skip
    matched = match(twelve(enrolments=more), rules={**RULES, "hub": "X"})
    assert matched.attrition.estimates.rows()[1][0] == "on the programme before, with another hub"
    assert candidates(matched).keys() == {2, 3}


def test_nobody_to_match_is_refused_in_words():
    study = twelve()
    with pytest.raises(ArgumentError, match="define the cohort by a programme"):
        sr.evaluation.match_controls(study, sr.define_cohort(study), seed=1)
    with pytest.raises(ArgumentError, match="another study"):
        sr.evaluation.match_controls(twelve(), sr.define_cohort(study, **RULES), seed=1)  # type: ignore[arg-type]
    women = study.persons.collect().filter(c("person_id").is_in([1, 2, 5]))
    with pytest.raises(ArgumentError, match="candidate who agrees on sex"):
        match(twelve(persons=women, enrolments=study.enrolments.collect().head(2)))
    for wrong, said in (({"ratio": 0}, "ratio"), ({"caliper": -1}, "caliper"), ({"score": "luck"}, "score"),
                        ({"candidates": 0}, "candidates"), ({"practices": "mine"}, "practices")):  # fmt: skip
        with pytest.raises(ArgumentError, match=said):
            match(study, **wrong)


def test_enrolments_after_the_end_of_the_data_are_said():
    study = twelve()
    late = Study(**{**study.__dict__, "period": (date(2011, 4, 1), on(50))})
    late.__dict__.pop("recorded", None)
    matched = match(late)
    assert matched.attrition.estimates.rows()[1] == ("not observed after the day they enrolled", 1, 2)


def test_all_enrolled_in_one_month():
    known = twelve(enrolments=twelve().enrolments.collect().with_columns(start_date=pl.lit(date(2015, 6, 1))))
    matched = match(known, ratio=3)
    assert candidates(matched) == {1: {4}, 2: {4}, 3: {4}}
    assert "known by month" in matched.provenance.note


def test_a_person_may_be_a_control_of_several_or_of_one():
    again = match(twelve(), ratio=1)
    assert (again._weight > 0).sum() == 6
    once = match(twelve(), ratio=1, replacement=False)
    sets, w = once._sets, once._weight
    used = sets.person[(w > 0) & ~sets.treated]
    assert len(set(used.tolist())) == len(used)


def test_risk_sets_together_have_a_limit_of_rows(monkeypatch):
    # a programme of 30,000 with a thousand candidates each would be thirty million rows
    whole = match(twelve())._sets
    n = int(whole.treated.sum())
    assert np.bincount(whole.set[~whole.treated]).max() > 2
    monkeypatch.setattr(risk_sets, "MOST_ROWS", 2 * n)
    drawn = match(twelve())._sets
    assert np.bincount(drawn.set[~drawn.treated]).max() == 2
    # three eligible on each day, one of them not observed afterwards: each drawn stands for 3/2
    assert drawn.share[~drawn.treated] == pytest.approx(2 / 3)


def test_the_seed_decides_and_nothing_is_shown():
    one, two = match(twelve(), candidates=1), match(twelve(), candidates=1)
    assert np.array_equal(one._weight, two._weight)
    assert repr(one) == "Matched by propensity (confidential: person rows)"
    assert "not shown" in repr(one._sets)


# -- a small public study, read naively -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def public() -> Study:
    made = generate_tables(8_000, seed=11)
    tables = {n: conform(STUDY_TABLES[n], f.lazy()).collect() for n, f in made.items()}
    return Study(
        "small", (PERIOD_START, PERIOD_END), {t: tables[t].lazy() if t in tables else empty(s) for t, s in STUDY_TABLES.items()},
        conditions_listed=CONDITION_NAMES, fingerprint="small", generated=True, given=frozenset(tables),
    )  # fmt: skip


@pytest.mark.parametrize("least", [None, 3])
def test_candidates_are_those_of_a_naive_reading(public, least):
    rules = {"min_conditions": least, "conditions": PRIORITY_CONDITIONS} if least else {}
    cohort = sr.define_cohort(public, programme="complex_care", **rules)  # type: ignore[arg-type]
    sets = sr.evaluation.match_controls(public, cohort, seed=1, candidates=10**6)._sets
    ids = sets.eligible.people["person_id"].to_numpy()
    persons, spells = public.persons.collect(), public.registrations.collect()
    enrolled = dict(public.enrolments.select("person_id", "start_date").collect().iter_rows())
    reached = public.practice_programmes.collect()
    held = public.conditions.filter(c("condition").is_in(list(PRIORITY_CONDITIONS))).collect()

    def where(day: date) -> dict[int, tuple]:
        """Everybody registered and alive after a day, with their sex and what has reached their practice."""
        here = spells.filter((c("start_date") <= day) & (c("end_date").is_null() | (c("end_date") >= day)))
        if least:
            enough = held.filter(c("onset_date") <= day).group_by("person_id").agg(c("condition").n_unique())
            here = here.join(enough.filter(c("condition") >= least), on="person_id", how="semi")
        at = here.sort("start_date", "practice_id").group_by("person_id", maintain_order=True).last()
        on_it = {name: set(reached.filter((c("programme") == name) & (c("start_date") <= day))["practice_id"]) for name in ("enhanced_primary_care", "health_coaching")}  # fmt: skip
        rows = at.join(persons.select("person_id", "sex", "death_date"), on="person_id")
        return {
            p: (sex, *(practice in known for known in on_it.values()))
            for p, practice, sex, died, end in rows.select("person_id", "practice_id", "sex", "death_date", "end_date").iter_rows()
            if (died is None or died > day) and (end is None or end > day or _moves(p, end))
        }  # fmt: skip

    def _moves(person: int, end: date) -> bool:
        own = spells.filter((c("person_id") == person) & (c("start_date") == end + timedelta(days=1)))
        return own.height > 0

    checked = 0
    for k in range(0, sets.n_sets, 5):
        day = EPOCH + timedelta(days=int(sets.day[k]))
        everybody, case = where(day), int(ids[sets.person[k]])
        expected = {p for p, level in everybody.items() if level == everybody[case] and enrolled.get(p, date.max) > day}
        rows = np.flatnonzero((sets.set == k) & ~sets.treated)
        assert {int(ids[p]) for p in sets.person[rows]} == expected
        checked += len(expected)
    assert checked > 50


def test_covariates_are_those_of_a_naive_reading(public):
    cohort = sr.define_cohort(public, programme="complex_care", min_conditions=3, conditions=PRIORITY_CONDITIONS)
    sets = sr.evaluation.match_controls(public, cohort, seed=1)._sets
    ids = sets.eligible.people["person_id"].to_numpy()[sets.person]
    activity, held = public.activity.collect(), public.conditions.collect()
    emergencies = activity.filter((c("setting") == "inpatient") & (c("kind") == "emergency"))
    names = sets.measured.names
    random = np.random.default_rng(5)
    for row in random.choice(len(ids), 40, replace=False):
        day = EPOCH + timedelta(days=int(sets.day[row]))
        own = activity.filter((c("person_id") == int(ids[row])) & (c("date") < day))
        since = (pl.lit(day) - c("date")).dt.total_days()
        value = dict(zip(names, sets.measured.values[row], strict=True))
        for near, far in ((1, 5), (6, 15), (16, 30), (31, 60), (61, 365), (366, 10**5)):
            back = f"{near} to {far} days before" if far < 10**5 else f"{near} days before or earlier"
            spent = own.filter(since.is_between(near, far))["cost"].sum()
            assert value[f"cost, {back}"] == pytest.approx(np.log2(1 + spent), abs=1e-6)
            seen = own.filter((c("setting") == "accident_and_emergency") & since.is_between(near, far))[
                "date"
            ].n_unique()
            assert value.get(f"A&E attendances, {back}", 0) == pytest.approx(np.log2(1 + seen))
        known = held.filter((c("person_id") == int(ids[row])) & (c("onset_date") < day))["condition"].n_unique()
        assert value["conditions"] == known
        assert emergencies.height


def test_balance_is_that_of_weighted_rows_by_hand(public):
    cohort = sr.define_cohort(public, programme="complex_care", min_conditions=3, conditions=PRIORITY_CONDITIONS)
    matched = sr.evaluation.match_controls(public, cohort, seed=1, ratio=3, caliper=None)
    frame = sr.evaluation.balance(matched).estimates
    sets, w = matched._sets, matched._weight
    age = sets.measured.values[:, sets.measured.names.index("age")]
    own, controls = sets.treated & (w > 0), ~sets.treated & (w > 0)
    sd = age[own].std(ddof=1)
    row = frame.filter(c("covariate") == "age").row(0, named=True)
    assert row["smd_after"] == pytest.approx((age[own].mean() - np.average(age[controls], weights=w[controls])) / sd)
    assert row["smd_before"] == pytest.approx((age[own].mean() - age[~sets.treated].mean()) / sd)
    assert frame["covariate"][-1] in ("prognostic score", "log hazard of enrolling")
    assert sr.evaluation.balance(matched).sentence().startswith("Enrolled people and controls")


def test_the_generator_enrols_as_it_is_told():
    usual, all_of_them = (
        generate_tables(4_000, seed=3, selection=s) for s in (None, {"after_crisis": 1.0, "background": 0.0})
    )
    assert usual["persons"].equals(all_of_them["persons"])
    assert all_of_them["enrolments"].height > usual["enrolments"].height
    none = generate_tables(4_000, seed=3, selection={"after_crisis": 0.0, "background": 0.0})
    assert none["enrolments"].height == 0
    for wrong in ({"luck": 1}, {"after_crisis": 2.0}, {"delay_days": (9, 3)}):
        with pytest.raises(ArgumentError, match="selection"):
            generate_tables(10, selection=wrong)


def test_a_study_without_known_answers_is_written_without_them(tmp_path):
    with pytest.raises(ArgumentError, match="truth=False"):
        sr.synthesise(tmp_path / "a", people=50, selection={"after_crisis": 1.0}, progress=False)
    out = sr.synthesise(tmp_path / "b", people=50, selection={"after_crisis": 1.0}, truth=False, progress=False)
    assert not (out / "truth.json").exists()
    assert sr.read_study(out).persons.select(pl.len()).collect().item() > 50
