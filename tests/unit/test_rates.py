"""Events and person-years: people drawn as a table, one call, the answer by hand; then a count day by day."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta
from itertools import product

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.cohort.bands import ages_of
from symphony_research.collapse import Collapsed
from symphony_research.disclosure.outputs import declared_relations
from symphony_research.disclosure.relations import declared
from symphony_research.result import Provenance
from symphony_research.result.cells import CellDefinition, Relation
from symphony_research.schema import STUDY_TABLES
from symphony_research.study import empty

# The study runs from 1 January 2012 to 31 December 2013; index date 1 October 2012.
#
# person  sex  born         until                     A&E attendances
# 1       F    1947-12-31   the end                   2012-12-31, 2013-01-01 (twice), 2013-06-01
# 2       M    1980-02-29   dies 2013-03-01           2012-09-30 (before), 2012-10-01 (the index day)
# 3       F    2000-06-15   leaves 2012-10-01         -
INDEX, FIRST, LAST = date(2012, 10, 1), date(2012, 1, 1), date(2013, 12, 31)
PEOPLE = [
    (1, "F", date(1947, 12, 31), None, None),
    (2, "M", date(1980, 2, 29), date(2013, 3, 1), None),
    (3, "F", date(2000, 6, 15), None, date(2012, 10, 1)),
]
ATTENDED = [
    (1, date(2012, 12, 31)), (1, date(2013, 1, 1)), (1, date(2013, 1, 1)), (1, date(2013, 6, 1)),
    (2, date(2012, 9, 30)), (2, date(2012, 10, 1)),
]  # fmt: skip


def cohort(people: list = PEOPLE, attended: list = ATTENDED, bands: tuple[int, ...] = (0, 33, 65)) -> sr.Cohort:
    ids = [p[0] for p in people]
    tables = {
        "persons": pl.DataFrame(
            {
                "person_id": ids, "sex": [p[1] for p in people], "birth_date": [p[2] for p in people],
                "death_date": pl.Series([p[3] for p in people], dtype=pl.Date), "deprivation_decile": [1] * len(ids),
                "area": ["a"] * len(ids), "residence": ["own_home"] * len(ids),
            }
        ),
        "registrations": pl.DataFrame(
            {
                "person_id": ids, "practice_id": ["x"] * len(ids), "start_date": [date(2000, 1, 1)] * len(ids),
                "end_date": pl.Series([p[4] for p in people], dtype=pl.Date),
            }
        ),
        "activity": pl.DataFrame(
            {
                "person_id": [p for p, _ in attended], "date": pl.Series([d for _, d in attended], dtype=pl.Date),
                "setting": ["accident_and_emergency"] * len(attended),
                "end_date": pl.Series([None] * len(attended), dtype=pl.Date),
                "kind": pl.Series([None] * len(attended), dtype=pl.String), "cost": [1.0] * len(attended),
            }
        ),
    }  # fmt: skip
    whole = {n: tables[n].lazy() if n in tables else empty(t) for n, t in STUDY_TABLES.items()}
    study = sr.Study("Three", (FIRST, LAST), whole, given=frozenset(tables), age_bands=bands)
    return sr.define_cohort(study, index=INDEX)


def rows(table: object, *columns: str) -> list[tuple]:
    frame = table.to_frame()  # type: ignore[attr-defined]
    return frame.with_columns((pl.col("person_years") * 365.25).round(6).alias("days")).select(columns).rows()


A_AND_E = "accident_and_emergency"
SEEN = ("n_persons", "n_with_event", "n_events", "n_events_squared", "days")


def test_every_event_and_all_time() -> None:
    # days to the last: 1: 456, 2: 151, 3: half a day; events of distinct days: 1: 3, 2: 1; squares 9 + 1
    assert rows(cohort().rates(event=A_AND_E), *SEEN) == [(3, 2, 4, 10, 607.5)]
    # women: 1 and 3; attrition: all are observed
    by_sex = cohort().rates(event=A_AND_E, by="sex")
    assert rows(by_sex, "sex", *SEEN) == [("F", 2, 1, 3, 9, 456.5), ("M", 1, 1, 1, 1, 151.0)]
    assert by_sex.attrition.estimates.rows() == [("in the cohort", 0, 3)]


def test_first_events_end_the_time() -> None:
    # 1 on day 91; 2 on the index day, at half a day; 3 half a day
    assert rows(cohort().rates(event=A_AND_E, first=True), *SEEN) == [(3, 2, 2, 2, 92.0)]
    assert rows(cohort().rates(event="death"), *SEEN) == [(3, 1, 1, 1, 607.5)]


def test_time_and_events_by_calendar_year() -> None:
    # 2012: day 91 is 31 December, and the next day begins at 91.5. 2013: the rest
    assert rows(cohort().rates(event=A_AND_E, by="year"), "year", *SEEN) == [
        (2012, 3, 2, 2, 2, 91.5 + 91.5 + 0.5),
        (2013, 2, 1, 2, 4, 364.5 + 59.5),
    ]


def test_time_and_events_by_attained_age() -> None:
    # 1 turns 65 on 31 December 2012 (day 91, which begins at 90.5); 2 turns 33 on 1 March 2013, the day of death (day 151)
    found = rows(cohort().rates(event=A_AND_E, by="age_band"), "age_band", *SEEN)
    assert found == [
        ("00-32", 2, 1, 1, 1, 150.5 + 0.5),
        ("33-64", 2, 0, 0, 0, 90.5 + 0.5),
        ("65+", 1, 1, 3, 9, 456 - 90.5),
    ]


def test_an_episode_is_one_event() -> None:
    # of 1, 31 December and 1 January are one; the attendance of 2 on the index day goes with the day before
    assert rows(cohort().rates(event=A_AND_E, episode_days=7), "n_events") == [(2,)]


def test_people_of_several_years_are_not_counted_twice() -> None:
    table = cohort().rates(event=A_AND_E, by=("year", "sex"))
    assert table.distinct_by == ("year",)
    with pytest.raises(sr.ArgumentError, match="counted more than once"):
        sr.survival.event_rate(table, by="sex")
    with pytest.raises(sr.ArgumentError, match="counted more than once"):
        table.group("sex")
    assert table.group("year").to_frame()["n_persons"].to_list() == [3, 2]
    with pytest.raises(sr.ArgumentError, match="readmission"):
        cohort().rates(event="readmission")


PERSON = st.tuples(
    st.sampled_from("FM"), st.integers(0, 365 * 70), st.one_of(st.none(), st.integers(0, 500)),
    st.one_of(st.none(), st.integers(0, 500)), st.lists(st.integers(-30, 470), max_size=5),
)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.lists(PERSON, min_size=1, max_size=6), st.booleans())
def test_it_equals_a_count_by_half_days(drawn: list, first: bool) -> None:
    bands = (0, 18, 33, 65)
    people, attended = [], [(1, FIRST)]
    for k, (sex, age, death, leave, days) in enumerate(drawn, 1):
        born = INDEX - timedelta(age)
        died = min(INDEX + timedelta(death), LAST) if death is not None else None
        left = INDEX + timedelta(leave) if leave is not None else None
        people.append((k, sex, born, died, left))
        attended += [(k, min(INDEX + timedelta(d), LAST)) for d in days]
    # every half day belongs to a date: what happens on day k is the last but one half day of it, at 2 k
    expected: dict[tuple, list] = {}
    for k, _, born, died, left in people:
        last = min(d for d in (died, left, LAST) if d is not None)
        own = {d for p, d in attended if p == k and INDEX <= d <= last}
        at = {max(2 * (d - INDEX).days, 1) for d in own}
        end = max(2 * (last - INDEX).days, 1)
        if first and at:
            end = min(at)
            at = {end}
        cells: dict[tuple, list[int]] = {}
        for moment in range(end):  # from moment to moment + 1
            day = INDEX + timedelta((moment + 1) // 2)
            age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
            band = next(name for name, (a, b) in ages_of(bands).items() if a <= age <= b)
            cell = cells.setdefault((day.year, band), [0, 0])
            cell[0] += 1
            cell[1] += moment + 1 in at
        for key, (time, events) in cells.items():
            row = expected.setdefault(key, [0, 0, 0, 0, 0])
            for i, more in enumerate((1, events > 0, events, events**2, time)):
                row[i] += more
    table = cohort(people, attended, bands).rates(event=A_AND_E, by=("year", "age_band"), first=first)
    found = {key[:2]: [*key[2:6], round(key[6] * 2)] for key in rows(table, "year", "age_band", *SEEN)}
    assert found == expected
    # and the years and ages add up to the whole
    whole = cohort(people, attended, bands).rates(event=A_AND_E, first=first).to_frame()
    parts = table.to_frame()
    assert parts["n_events"].sum() == whole["n_events"].item()
    assert parts["person_years"].sum() == pytest.approx(whole["person_years"].item(), rel=1e-12)


# -- the rate -----------------------------------------------------------------------------------------------------


def test_exact_poisson_limits() -> None:
    # R: poisson.test(c(10, 0, 1), T = 2) each: 10: 2.397694 to 9.195178; 0: 0 to 1.844440; 1: 0.01265890 to 2.785822
    table = pl.DataFrame(
        {"g": ["a", "b", "c"], "n_events": [10, 0, 1], "person_years": [2.0] * 3, "n_persons": [90] * 3}
    )
    rate = sr.survival.event_rate(table, by="g", per=1).estimates
    assert rate["estimate"].to_list() == [5.0, 0.0, 0.5]
    assert rate["lower"].to_list() == pytest.approx([2.397694, 0.0, 0.01265890], rel=1e-6)
    assert rate["upper"].to_list() == pytest.approx([9.195178, 1.844440, 2.785822], rel=1e-6)


def test_events_of_the_same_people_widen_the_limits() -> None:
    # 8 events of 4 people, two each: squares 16, so as 4 independent events: exact limits of 4 (1.089865 to 10.24159), twice
    table = cohort().rates(event=A_AND_E)
    frame = pl.DataFrame(
        {"n_persons": [50], "n_with_event": [4], "n_events": [8], "n_events_squared": [16], "person_years": [100.0]}
    )
    rate = sr.survival.event_rate(frame, per=100).estimates
    assert rate.select("estimate", "lower", "upper").row(0) == pytest.approx((8, 2 * 1.089865, 2 * 10.24159), rel=1e-6)
    # the collapsed table knows its columns and its event
    known = sr.survival.event_rate(table)
    assert known.settings["event_name"] == A_AND_E
    assert known.estimates["estimate"].item() == pytest.approx(1000 * 4 / (607.5 / 365.25))


def test_what_is_no_table_of_events_is_refused() -> None:
    table = pl.DataFrame({"n_events": [1, 2], "person_years": [0.0, 1.0], "n_persons": [5, 5]})
    with pytest.raises(sr.ArgumentError, match="1 rows have events but no person-years"):
        sr.survival.event_rate(table)
    with pytest.raises(sr.ArgumentError, match="1 rows have no integer in column 'n_events'"):
        sr.survival.event_rate(table.with_columns(pl.Series("n_events", [0.5, 2])))
    with pytest.raises(sr.ArgumentError, match="per=0"):
        sr.survival.event_rate(table, per=0)


def released(n: int, events: int, days: float) -> tuple[sr.Result, sr.Result]:
    """People of whom so many have one event each."""
    table = pl.DataFrame({"n_events": [events], "person_years": [days * n / 365.25], "n_persons": [n]})
    rate = sr.survival.event_rate(table, event_name="emergency_admission")
    return rate, sr.suppress(rate, sr.Policy.nhs_england())


@settings(max_examples=60, deadline=None)
@given(st.integers(20, 4000), st.floats(0.01, 0.9), st.integers(20, 1500))
def test_released_limits_hold_the_exact_ones(n: int, share: float, days: int) -> None:
    exact, shown = released(n, int(n * share), days)
    row, own = exact.estimates.row(0, named=True), shown.estimates.row(0, named=True)
    if own["estimate"] is None:
        return
    assert own["lower"] <= row["lower"] * (1 + 1e-9)
    assert own["upper"] >= row["upper"] * (1 - 1e-9)


def test_a_rate_of_few_people_is_suppressed() -> None:
    _, shown = released(500, 5, 365)
    assert shown.estimates.select("n_with_event", "estimate", "lower", "upper", "person_years").row(0) == (None,) * 5
    assert shown.sentence() == "Too few people for a rate of emergency admissions to be shown."
    # nor is it shown where all but a few have the event: that they have none would be known
    _, all_but = released(500, 497, 365)
    assert all_but.estimates["estimate"].item() is None or all_but.disclosure.n_inferable == 0


def test_sentences_name_the_event() -> None:
    exact, shown = released(1000, 200, 365.25)
    assert exact.sentence().startswith("There were 200 emergency admissions per 1,000 person-years (95% CI 173 to 230)")
    assert shown.sentence().startswith("There were 20")
    table = pl.DataFrame({"sex": ["F", "M"], "n_events": [10, 30], "person_years": [100.0] * 2, "n_persons": [90] * 2})
    said = sr.survival.event_rate(table, by="sex", event_name="death").sentence()
    assert said == ("The rate of deaths was highest in men (300 per 1,000 person-years) and lowest in women (100).")


def test_its_people_are_one_number_with_those_of_other_tables() -> None:
    provenance = Provenance("s", "f", False, {"index": "2012-10-01"})
    assert sr.survival.event_rate(cohort().rates(event="death")).settings["population"]["event"] == "death"
    roles = sr.survival.EventRate.roles_of({"moving": [], "events": "n_events"})
    cell = roles["rates"].counts(
        {"n_persons": 3}, "n_persons", {"moving": [], "population": provenance.population, "events": "n"}
    )
    assert cell.is_everybody


# -- what its counts say together, for disclosure control ---------------------------------------------------------


def counted(results: list[sr.Result]) -> tuple[dict[CellDefinition, int], list[Relation]]:
    """Return how many people each count is of, and what is declared of them."""
    exact: dict[CellDefinition, int] = {}
    said: list[Relation] = []
    for result in results:
        form = result.release_form(result.count_tables, result.settings, result.by, sr.Policy.nhs_england())
        for table, roles in ((form[name], result.roles[name]) for name in form):
            for row, column in product(table.iter_rows(named=True), roles.people):
                of = roles.counts(row, column, result.settings)
                assert exact.setdefault(of, row[column]) == row[column], of
        said += declared_relations(result, form)
    return exact, said


@pytest.mark.parametrize("horizon", [None, 365, 548])
@pytest.mark.parametrize("event", ["emergency_admission", "death"])
def test_what_it_declares_holds_beside_curves_of_the_same_people(event: str, horizon: int | None) -> None:
    people = sr.define_cohort(sr.example_study(), index=date(2012, 6, 1))
    by = ((), ("year",), ("age_band",), ("year", "age_band"), ("age_band", "year"))
    rates = [sr.survival.event_rate(people.rates(event=event, by=names, horizon=horizon)) for names in by]
    follow_up = people.follow_up(event=event, horizon=365)
    frame = follow_up.to_frame().with_columns((pl.col("event") == 1).cast(pl.Int64))
    curves = [sr.survival.kaplan_meier(dataclasses.replace(follow_up, _frame=frame))]
    if event != "death":
        curves.append(sr.survival.cumulative_incidence(follow_up))
    exact, said = counted([*rates, *curves])
    held = list(declared(said, set(exact)))
    for terms, low, high in held:
        assert low <= sum(value * exact[of] for of, value in terms) <= high, terms
    # whoever has the event in the end has it by a time of the curve, or is at risk at it; with the curve's own horizon, by it
    had = rates[0].roles["rates"].counts({}, "n_with_event", rates[0].settings)
    among = [
        set(dict(terms)) - {had} for terms, _, _ in held if (had, -1.0) in terms and "observed in" not in str(terms)
    ]
    assert any(len(others) == 2 for others in among)
    equal = [terms for terms, low, high in held if low == high == 0 and len(terms) == 2 and had in dict(terms)]
    assert bool(equal) is (horizon == 365)
    # in whichever order years and ages are named, their counts are one number
    assert (
        sum(
            "observed in age_band" in name and "year" in name
            for of in exact
            for name, _ in of.state
            if len(of.state) == 1
        )
        == rates[-1].estimates.height
    )


@pytest.mark.parametrize("horizon", [365, None])
def test_a_horizon_s_events_are_those_of_a_curve_that_ends_with_it(horizon: int | None) -> None:
    # 46 women and 1 man have the event: 45 (43-47) by the curve of all and 45 (43-47) women leave the man 1 to 4
    provenance = Provenance("s", "f", False, {"index": "2012-06-01", "event": "fall", "horizon": horizon})
    days = pl.DataFrame(
        {"sex": ["F", "F", "M", "M"], "time": [100, 365, 100, 365], "event": [1, 0, 1, 0], "n_persons": [46, 60, 1, 90]}
    )
    sums = pl.DataFrame({"sex": ["F", "M"], "n_persons": [106, 91], "n_events": [46, 1], "person_years": [70.0, 90.0]})
    follow_up = Collapsed(days, provenance, ("sex",), time="time", event="event", weights="n_persons")
    curve = sr.survival.kaplan_meier(follow_up, by=(), time_unit="days")
    rate = sr.survival.event_rate(Collapsed(sums, provenance, ("sex",), sums=("n_persons", "n_events", "person_years")))
    shown_curve, shown_rate = sr.suppress([curve, rate], sr.Policy.nhs_england())
    grid = (
        shown_curve.count_tables["grid"].filter(pl.col("state") == "event 1", pl.col("time") == 365)["n_persons"].item()
    )
    women, men = shown_rate.count_tables["rates"]["n_with_event"]
    assert men is None
    # without a horizon the man may have it after the curve, of those still at risk
    assert ((grid, women) == (45, 45)) is (horizon is None)
