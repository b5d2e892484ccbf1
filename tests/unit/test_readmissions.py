"""Readmissions: people drawn as a table, the share and its variance by hand; then against a naive count."""

from __future__ import annotations

from datetime import date, timedelta
from math import sqrt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.schema import STUDY_TABLES
from symphony_research.study import empty

# Day 0 is 1 January 2012; the study ends on day 365.
#
# person  stays (day of admission to discharge)                          discharges that count, and readmissions
# 1       emergency 10-12, emergency 40-41, emergency 300-301            12 (28 days: yes), 41 (no), 301 (no): 3, 1
# 2       planned 50-52, planned 60-61, emergency 70-72                  52 (yes, 18 days), 61 (yes, 9), 72 (no): 3, 2
# 3       emergency 100-105, moved 105-110; emergency 141-142            one stay; 110 (31 days: no), 142 (no): 2, 0
# 4       emergency 200-203, died in hospital on 203                     none
# 5       emergency 340-341, emergency 350-351                           none: the 30 days after are not all known
# 6       planned 20-21, dies at home on 30                              21 (no): 1, 0
# 7       planned 20-21, leaves the practice on 30                       none: not known to the 30th day
DAY, LAST = date(2012, 1, 1), date(2012, 12, 31)
STAYS = [
    (1, 10, 12, "emergency"), (1, 40, 41, "emergency"), (1, 300, 301, "emergency"),
    (2, 50, 52, "elective"), (2, 60, 61, "elective"), (2, 70, 72, "emergency"),
    (3, 100, 105, "emergency"), (3, 105, 110, "elective"), (3, 141, 142, "emergency"),
    (4, 200, 203, "emergency"),
    (5, 340, 341, "emergency"), (5, 350, 351, "emergency"),
    (6, 20, 21, "elective"), (7, 20, 21, "elective"),
]  # fmt: skip


def on(day: int | None) -> date | None:
    return None if day is None else DAY + timedelta(day)


def cohort(stays: list, deaths: dict[int, int], left: dict[int, int]) -> sr.Cohort:
    ids = sorted({row[0] for row in stays})
    tables = {
        "persons": pl.DataFrame(
            {
                "person_id": ids, "sex": ["F" if p % 2 else "M" for p in ids], "birth_date": [date(1950, 1, 1)] * len(ids),
                "death_date": pl.Series([on(deaths.get(p)) for p in ids], dtype=pl.Date),
                "deprivation_decile": [1] * len(ids), "area": ["a"] * len(ids), "residence": ["own_home"] * len(ids),
            }
        ),
        "registrations": pl.DataFrame(
            {
                "person_id": ids, "practice_id": ["x"] * len(ids), "start_date": [date(2000, 1, 1)] * len(ids),
                "end_date": pl.Series([on(left.get(p)) for p in ids], dtype=pl.Date),
            }
        ),
        "activity": pl.DataFrame(
            [(p, on(a), "inpatient", on(b), kind, 1.0) for p, a, b, kind in stays],
            schema={"person_id": pl.Int64, "date": pl.Date, "setting": pl.String, "end_date": pl.Date,
                    "kind": pl.String, "cost": pl.Float64},
            orient="row",
        ),
    }  # fmt: skip
    whole = {n: tables[n].lazy() if n in tables else empty(t) for n, t in STUDY_TABLES.items()}
    return sr.define_cohort(sr.Study("Seven", (DAY, LAST), whole, given=frozenset(tables)))


SEVEN = {"deaths": {4: 203, 6: 30}, "left": {7: 30}}


def test_the_share_and_its_variance_by_hand() -> None:
    # people 1, 2, 3, 6: discharges 3, 3, 2, 1, readmissions 1, 2, 0, 0; p = 3 / 9
    # residuals r - p d: 0, 1, -2/3, -1/3; squares 0 + 1 + 4/9 + 1/9 = 14/9; variance 4/3 x 14/9 / 81
    rate = cohort(STAYS, **SEVEN).readmissions()
    row = rate.estimates.row(0, named=True)
    assert [row[c] for c in ("n_persons", "n_readmitted", "n_discharges", "n_readmissions")] == [4, 2, 9, 3]
    assert row["estimate"] == pytest.approx(3 / 9)
    assert row["standard_error"] == pytest.approx(sqrt(4 / 3 * 14 / 9 / 81))
    # Wilson's interval of m = p (1 - p) / variance = 8.68 discharges, by the formula with z = 1.959964
    m, z = (2 / 9) / (56 / 27 / 81), 1.959964
    centre, half = (1 / 3 + z * z / 2 / m), z * sqrt(2 / 9 / m + z * z / 4 / m / m)
    assert row["lower"] == pytest.approx((centre - half) / (1 + z * z / m), abs=1e-6)
    assert row["upper"] == pytest.approx((centre + half) / (1 + z * z / m), abs=1e-6)
    assert rate.sentence() == "About 4 people had discharges until the data end, 2.2 each, planned stays too: 33% (95% CI 12 to 65) of these discharges were followed by an emergency admission within 30 days."  # fmt: skip
    assert "no diagnoses" in rate.settings["note"]


def test_other_windows_and_kinds() -> None:
    # 27 days: 1 is readmitted on the 28th day and counts no more; with 28 it does
    seven = cohort(STAYS, **SEVEN)
    assert [seven.readmissions(days=d).estimates["n_readmissions"].item() for d in (27, 28)] == [2, 3]
    assert seven.readmissions(days=31).estimates["n_readmissions"].item() == 4  # 3 after 31 days
    # without planned stays those of 2 and 6 go: 1 has 3, 2 has 1, 3 has 2
    assert seven.readmissions(exclude_kinds="elective").estimates["n_discharges"].item() == 6
    # women: 1 and 3; men: 2 and 6
    by_sex = seven.readmissions(by="sex").estimates
    assert by_sex.select("sex", "n_persons", "n_discharges", "n_readmissions").rows() == [
        ("F", 2, 5, 1),
        ("M", 2, 4, 2),
    ]
    for options, told in (
        ({"days": 0}, "days=0"),
        ({"exclude_kinds": "urgent"}, "exclude_kinds"),
        ({"by": "age"}, "by"),
    ):
        with pytest.raises(sr.ArgumentError, match=told):
            seven.readmissions(**options)  # type: ignore[arg-type]


def test_nobody_discharged_is_no_share() -> None:
    rate = cohort([(4, 200, 203, "emergency")], {4: 203}, {}).readmissions()
    assert rate.estimates.select("n_persons", "estimate").row(0) == (0, None)
    assert rate.sentence().startswith("Too few people")


STAY = st.tuples(st.integers(1, 6), st.integers(0, 350), st.integers(0, 8), st.sampled_from(["emergency", "elective"]))


@settings(max_examples=40, deadline=None)
@given(st.lists(STAY, min_size=1, max_size=30), st.integers(1, 60), st.randoms())
def test_it_equals_a_naive_count(drawn: list, days: int, rng) -> None:
    # stays of one person that touch are left out: merging has tests of its own
    stays: list[tuple] = []
    for p, a, n, kind in drawn:
        if all(q != p or a > d or a + n < b for q, b, d, _ in stays):
            stays.append((p, a, a + n, kind))
    stays += [(7, 1, 2, "emergency")]
    rng.shuffle(stays)
    row = cohort(stays, {}, {}).readmissions(days=days).estimates.row(0, named=True)
    each = {}
    for p, _, d, _ in stays:
        if d + days <= 365:
            r = any(q == p and kind == "emergency" and d < a <= d + days for q, a, _, kind in stays)
            each.setdefault(p, []).append(r)
    d, r = ([f(own) for own in each.values()] for f in (len, sum))
    assert [row[c] for c in ("n_persons", "n_readmitted", "n_discharges", "n_readmissions")] == [
        len(each), sum(x > 0 for x in r), sum(d), sum(r),
    ]  # fmt: skip
    if len(each) > 1:
        p, n = sum(r) / sum(d), len(each)
        variance = n / (n - 1) * sum((a - p * b) ** 2 for a, b in zip(r, d, strict=True)) / sum(d) ** 2
        assert row["standard_error"] == pytest.approx(sqrt(variance), abs=1e-12)


def many(readmitted: int, others: int, *, most: int = 0) -> sr.Result:
    """People with one discharge each, some of them readmitted; and perhaps one person with most of all discharges."""
    stays = [(p, 10, 11, "elective") for p in range(readmitted + others)]
    stays += [(p, 20, 21, "emergency") for p in range(readmitted)]
    stays += [(9999, 2 * k, 2 * k, "emergency") for k in range(most)]
    return cohort(stays, {}, {}).readmissions()


def test_what_is_released_counts_people() -> None:
    exact = many(40, 160)
    shown = sr.suppress(exact, sr.Policy.nhs_england())
    # 40 people with two discharges, 160 with one: 40 of 240
    assert shown.estimates.columns == [
        "n_persons",
        "n_readmitted",
        "discharges_per_person",
        "estimate",
        "lower",
        "upper",
    ]
    assert shown.estimates.select("n_persons", "n_readmitted", "discharges_per_person", "estimate").row(0) == (
        200,
        40,
        1.2,
        0.17,
    )
    assert sr.suppress(shown, sr.Policy.nhs_england()) is shown
    # few are readmitted, or few are not: 195 of 200 (193-197 of 198-202) leave the five enough possible numbers
    for few, again in ((many(5, 195), None), (many(195, 5), 195)):
        made = sr.suppress(few, sr.Policy.nhs_england()).estimates
        assert made.select("n_readmitted", "estimate").row(0) == (again, None)
    # 40 of 165 readmissions would be those of 40 people, the rest of one
    dominated = sr.suppress(many(40, 160, most=120), sr.Policy.nhs_england()).estimates
    assert dominated.select("discharges_per_person", "estimate").row(0) == (None, None)
