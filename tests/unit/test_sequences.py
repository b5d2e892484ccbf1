"""Temporal precedence of conditions: orders counted by hand, chance by every permutation, and what is released."""

from __future__ import annotations

import itertools
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.stats import norm, pearson3

import symphony_research as sr
from symphony_research.networks.precedence import pearson_p, temporal_precedence
from symphony_research.synthetic.truth.precedence_truth import null_share

sys.path.insert(0, str(Path(__file__).parents[1] / "proof"))

import recovery_tests

START = date(2000, 1, 1)


def study_of(onsets: list[tuple[int | None, int | None]], born: list[int] | None = None, **arguments) -> sr.Result:
    """People with a and b on these days after the start (None: without it), of one sex, born in these years."""
    persons = pl.DataFrame(
        {
            "person_id": range(len(onsets)),
            "sex": ["F"] * len(onsets),
            "birth_date": [date(year, 5, 1) for year in (born or [1950] * len(onsets))],
        }
    )
    rows = [
        (i, name, START + timedelta(days=day))
        for i, pair in enumerate(onsets)
        for name, day in zip("ab", pair, strict=True)
        if day is not None
    ]
    records = pl.DataFrame(rows, schema=["person_id", "condition", "onset_date"], orient="row")
    return sr.networks.sequences(records, persons=persons, **{"min_persons": 1, **arguments})


def test_chance_is_the_order_of_other_peoples_onsets():
    # a on days 1, 5, 9; b on days 2, 6, 3 of the same people: 1 < 2 and 5 < 6, but 9 > 3, so 2 of 3 in the order a, b.
    # Nobody against themselves: 1 < 6, 1 < 3 yes; 5 < 2, 5 < 3 no; 9 < 2, 9 < 6 no: 2 of 6, so 1 of 3 by chance.
    row = study_of([(1, 2), (5, 6), (9, 3)]).estimates.row(0, named=True)
    assert (row["source"], row["target"], row["n_both"], row["n_first"], row["n_second"]) == ("a", "b", 3, 2, 1)
    assert row["estimate"] == pytest.approx(2 / 3)
    assert row["expected"] == pytest.approx(1 / 3)
    assert row["observed_expected"] == pytest.approx(2)


def test_a_pair_is_turned_to_the_order_found_more_often_than_expected_share():
    # The same people with a and b exchanged: b first in 2 of 3, by chance in 1 of 3, so b is the source.
    row = study_of([(2, 1), (6, 5), (3, 9)]).estimates.row(0, named=True)
    assert (row["source"], row["target"], row["n_first"], row["n_second"]) == ("b", "a", 2, 1)
    assert (row["estimate"], row["expected"]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    # a before b in 3 of 5 people, fewer than by chance: a is on days 1 to 5, b on 100 in three of them and 0 in two,
    # each b set against the other four: 3 x 4 of the 20 are in the order a, b; as many as found, so a stays first
    same = study_of([(1, 100), (2, 100), (3, 100), (4, 0), (5, 0)]).estimates.row(0, named=True)
    assert (same["source"], same["estimate"], same["expected"]) == ("a", pytest.approx(0.6), pytest.approx(0.6))
    assert same["p_value"] is None  # every permutation has the same three


def test_the_same_day_counts_half_and_is_counted():
    # a before b once, the same day twice, b before a once: (1 + 2/2) / 4
    row = study_of([(1, 5), (3, 3), (4, 4), (9, 2)]).estimates.row(0, named=True)
    assert (row["n_both"], row["n_first"], row["n_second"], row["n_same_day"]) == (4, 1, 1, 2)
    assert row["estimate"] == pytest.approx(0.5)


def test_people_alone_in_their_stratum_are_counted_and_not_compared():
    found = study_of([(1, 2), (5, 6), (9, 3), (1, 50)], born=[1950, 1950, 1950, 1980]).estimates.row(0, named=True)
    assert (found["n_both"], found["n_alone"], found["n_first"]) == (3, 1, 2)
    # put into one birth cohort of fifty years, from 1950 to 1999, all four are compared
    wide = study_of([(1, 2), (5, 6), (9, 3), (1, 50)], born=[1950, 1950, 1950, 1980], birth_years=50)
    assert wide.estimates.select("n_both", "n_alone", "n_first").row(0) == (4, 0, 3)


def persons_joined(days: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "person_id": range(len(days)),
            "sex": ["F"] * len(days),
            "birth_date": [date(1950, 1, 1)] * len(days),
            "joined_on": [START + timedelta(days=day) for day in days],
        }
    )


@pytest.mark.parametrize(("day", "left_out"), [(-1, 0), (0, 1), (90, 1), (91, 0)])
def test_an_onset_within_ninety_days_of_joining_has_no_order(day, left_out):
    # three people joined on day 1000; the first one's a is on `day` after joining, every other onset long before
    onsets = [(1000 + day, 10), (5, 6), (9, 3), (7, 8)]
    rows = [(i, c, START + timedelta(days=d)) for i, pair in enumerate(onsets) for c, d in zip("ab", pair, strict=True)]
    records = pl.DataFrame(rows, schema=["person_id", "condition", "onset_date"], orient="row")
    persons = persons_joined([1000] * 4)
    spells = persons.select("person_id", pl.col("joined_on").alias("start_date"))
    for joined in ("joined_on", spells):
        row = sr.networks.sequences(records, persons=persons, joined=joined, min_persons=1).estimates.row(0, named=True)
        assert (row["n_both"], row["n_left_out"]) == (4 - left_out, left_out)
    plain = sr.networks.sequences(records, persons=persons, min_persons=1)
    assert plain.estimates.select("n_both", "n_left_out").row(0) == (4, 0)


def test_months_and_repeated_and_unknown_onsets():
    # 1: a in January, b in February; a again in March: the first counts. 2: a and b in one month: the same day.
    # 3: a without a date: order unknown. 4: b before a.
    records = pl.DataFrame(
        {
            "person_id": [1, 1, 1, 2, 2, 3, 3, 4, 4],
            "condition": ["a", "b", "a", "a", "b", "a", "b", "a", "b"],
            "onset_date": ["2010-01", "2010-02", "2010-03", "2011-05", "2011-05", None, "2011-01", "2012-06", "2012-02"],
        }
    )  # fmt: skip
    persons = pl.DataFrame({"person_id": [1, 2, 3, 4], "sex": ["F"] * 4, "birth_year": [1950] * 4})
    row = sr.networks.sequences(records, persons=persons, min_persons=1).estimates.row(0, named=True)
    assert row["n_first"] == row["n_second"] == row["n_same_day"] == row["n_left_out"] == 1
    # joined in the middle of January 2010, the month of the first a overlaps the washout, and so does that of the b
    joined = persons.with_columns(pl.lit(date(2010, 1, 15)).alias("joined"))
    row = sr.networks.sequences(records, persons=joined, joined="joined", min_persons=1).estimates.row(0, named=True)
    assert (row["n_both"], row["n_left_out"]) == (2, 2)


def test_gaps_are_medians_in_whole_months():
    # gaps of 10, 20 and 61 days with a first, 400 with b first: medians of all (20 + 61) / 2 = 40.5 days, 1 month;
    # of those with a first 20 days, 1 month; of the other 400 days, 13 months (400 / 30.4375 = 13.1)
    result = study_of([(0, 10), (100, 120), (200, 261), (700, 300)])
    table = result.count_tables["pairs"].row(0, named=True)
    assert (table["median_gap_months"], table["months_first"], table["months_second"]) == (1.0, 1.0, 13.0)


def brute_force(first: np.ndarray, second: np.ndarray, stratum: np.ndarray) -> tuple[float, np.ndarray]:
    """Observed less expected people in the order, and the same of every permutation of the second onsets."""
    before = (first[:, None] < second) + (first[:, None] == second) / 2
    groups = [np.flatnonzero(stratum == s) for s in np.unique(stratum)]
    groups = [g for g in groups if len(g) > 1]

    def score(partner: dict[int, int]) -> float:
        total = 0.0
        for g in groups:
            own = sum(before[i, partner[i]] for i in g)
            total += own - (before[np.ix_(g, g)].sum() - own) / (len(g) - 1)
        return total

    every = [
        score({i: j for g, moved in zip(groups, choice, strict=True) for i, j in zip(g, moved, strict=True)})
        for choice in itertools.product(*[itertools.permutations(g) for g in groups])
    ]
    return score({i: i for g in groups for i in g}), np.array(every)


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=2).flatmap(
        lambda sizes: st.tuples(
            st.just(np.repeat(np.arange(len(sizes)), sizes)),
            *[st.lists(st.integers(0, 6), min_size=sum(sizes), max_size=sum(sizes)) for _ in "ab"],
        )
    )
)
def test_moments_are_those_of_every_permutation(drawn):
    stratum, first, second = drawn[0], *(np.array(x, dtype=np.int32) for x in drawn[1:])
    order = temporal_precedence(first, second, stratum)
    observed, every = brute_force(first, second, stratum)
    if not order.n_both:
        return
    share = (1 + (order.n_first - order.n_second) / order.n_both) / 2
    assert order.n_both * (share - order.expected) == pytest.approx(observed, abs=1e-9)
    assert every.mean() == pytest.approx(0, abs=1e-9)
    if np.isnan(order.variance):
        assert np.ptp(every) < 1e-9
    else:
        assert order.variance * order.n_both == pytest.approx(every.var(), rel=1e-9)
        skewness = (every**3).mean() / every.std() ** 3
        assert order.skewness / np.sqrt(order.n_both) == pytest.approx(skewness, rel=1e-7, abs=1e-7)


@pytest.mark.parametrize("people", [40, 300, 3_000])
def test_chance_and_p_value_are_those_of_the_naive_permutation(people):
    # Authority: the proofs' permutation test and its share by chance, which share no code with the library.
    rng = np.random.default_rng(people)
    stratum = np.sort(rng.integers(0, people // 8, people))
    first, second = (rng.integers(0, 400, people).astype(np.int32) + 20 * stratum.astype(np.int32) for _ in "ab")
    second += rng.integers(0, 25, people).astype(np.int32)
    order = temporal_precedence(first, second, stratum)
    several = np.bincount(stratum)[stratum] > 1
    assert order.expected == pytest.approx(recovery_tests.share_expected_share(first, second, stratum), rel=1e-12)
    # the second onset of somebody of the same stratum, resampled 9,999 times; a person of n counts n / (n - 1) times
    first, second, stratum = first[several], second[several], stratum[several]
    weight = (np.bincount(stratum) / np.maximum(np.bincount(stratum) - 1, 1))[stratum]
    shuffled = second[np.argsort(stratum + rng.random((9_999, len(stratum))), axis=1)]
    drawn = ((first < shuffled) + (first == shuffled) / 2) @ weight
    observed = ((first < second) + (first == second) / 2) @ weight
    upper = (drawn > observed + 1e-9).mean() + (np.abs(drawn - observed) <= 1e-9).mean() / 2
    share = (1 + (order.n_first - order.n_second) / order.n_both) / 2
    z = (share - order.expected) * np.sqrt(order.n_both / order.variance)
    ours = pearson_p(np.array([z]), np.array([order.skewness / np.sqrt(order.n_both)]))[0]
    # Monte Carlo error of twice a tail, and a continuous distribution in the place of one of some dozens of steps
    assert ours == pytest.approx(2 * min(upper, 1 - upper), abs=0.03)


def test_chance_is_that_of_the_known_answers_by_year():
    # Authority: the generator's own `null_share`, from histograms, for onsets known to the year
    rng = np.random.default_rng(5)
    stratum = np.sort(rng.integers(0, 12, 200))
    first, second = rng.integers(0, 20, 200).astype(np.int32), rng.integers(3, 25, 200).astype(np.int32)
    histograms = [np.zeros((12, 25)) for _ in "ab"]
    for histogram, onset in zip(histograms, (first, second), strict=True):
        np.add.at(histogram, (stratum, onset), 1)
    own = np.bincount(stratum, (first < second) + (first == second) / 2, minlength=12)
    assert temporal_precedence(first, second, stratum).expected == pytest.approx(
        null_share(*histograms, own), rel=1e-12
    )


def test_p_values_are_pearsons_type_three():
    # Authority: SciPy's pearson3, an implementation of its own; the normal where there is no skewness
    z, bend = np.array([-2.5, -0.3, 0.0, 1.1, 3.0]), np.array([0.8, -0.5, 1.2, 0.0, -0.9])
    wanted = [2 * min(pearson3.cdf(a, b), pearson3.sf(a, b)) for a, b in zip(z, bend, strict=True)]
    np.testing.assert_allclose(pearson_p(z, bend), np.minimum(1, wanted), rtol=1e-9)


def test_the_test_keeps_its_level_where_orders_are_unlike():
    # Independent onsets, a at 35 +- 18 and b at 65 +- 15 years (figures of the literature): a comes first in 90%.
    # 600 studies of 150 people in strata of some five: size 5% within three Monte Carlo errors; against one half, all.
    rng = np.random.default_rng(11)
    p, half = [], []
    for _ in range(600):
        stratum = np.sort(rng.integers(0, 30, 150))
        first, second = (rng.normal(m, s, 150).round(2) for m, s in ((35, 18), (65, 15)))
        order = temporal_precedence(*((x * 100).astype(np.int32) for x in (first, second)), stratum)
        share = (1 + (order.n_first - order.n_second) / order.n_both) / 2
        z = (share - order.expected) * np.sqrt(order.n_both / order.variance)
        p.append(pearson_p(np.array([z]), np.array([order.skewness / np.sqrt(order.n_both)]))[0])
        half.append(share > 0.75)
    p = np.array(p)
    assert abs((p < 0.05).mean() - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 600)
    assert (p < 0.001).mean() <= 4 / 600
    assert all(half)


def test_a_few_people_out_of_order_are_not_found_where_nearly_all_must_be_in_it():
    # Onsets some 45 years apart: the expected share is 0.99, and the number out of order near Poisson with a mean of half a
    # person. A normal puts several in a thousand p values below 0.001; at most one in a thousand may be.
    rng = np.random.default_rng(3)
    ours, normal = [], []
    for _ in range(2_000):
        stratum = np.sort(rng.integers(0, 6, 60))
        first, second = ((rng.normal(m, s, 60) * 365).astype(np.int32) for m, s in ((30, 14), (75, 12)))
        order = temporal_precedence(first, second, stratum)
        if order.variance > 0:
            share = (1 + (order.n_first - order.n_second) / order.n_both) / 2
            z = (share - order.expected) * np.sqrt(order.n_both / order.variance)
            ours.append(pearson_p(np.array([z]), np.array([order.skewness / np.sqrt(order.n_both)]))[0])
            normal.append(2 * norm.sf(abs(z)))
    assert np.mean(np.array(normal) <= 0.001) > 0.003
    assert np.mean(np.array(ours) <= 0.001) <= 0.001


def test_against_one_half_is_the_sign_test():
    # 2 of 10 with a first. R: 2 * pbinom(2, 10, 0.5) - dbinom(2, 10, 0.5)
    onsets = [(1, 2)] * 2 + [(2, 1)] * 8
    assert study_of(onsets).estimates["p_value_half"][0] == pytest.approx(0.0654296875, rel=1e-12)


def random_study(seed: int, people: int = 600) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    persons = pl.DataFrame(
        {
            "person_id": np.arange(people),
            "sex": rng.choice(["F", "M"], people),
            "birth_date": [date(int(y), 1, 1) for y in rng.integers(1940, 1946, people)],
        }
    )
    day = rng.integers(0, 9_000, (people, 4))
    day[:, 1] = np.where(rng.random(people) < 0.5, day[:, 0] + rng.integers(1, 700, people), day[:, 1])
    held = rng.random((people, 4)) < 0.6
    rows = [
        (int(i), "abcd"[k], START + timedelta(days=int(day[i, k])))
        for i in range(people)
        for k in range(4)
        if held[i, k]
    ]
    return pl.DataFrame(rows, schema=["person_id", "condition", "onset_date"], orient="row"), persons


@given(st.integers(0, 2**32 - 1))
def test_neither_the_order_of_rows_nor_a_shift_of_time_changes_anything(seed):
    records, persons = random_study(3, 120)
    found = sr.networks.sequences(records, persons=persons)
    shuffled = [frame.sample(fraction=1.0, shuffle=True, seed=seed % 1_000) for frame in (records, persons)]
    moved = shuffled[0].with_columns(pl.col("onset_date").dt.offset_by(f"{seed % 400}d"))
    assert_frame_equal(sr.networks.sequences(moved, persons=shuffled[1]).estimates, found.estimates)


def test_a_planted_order_is_found_and_is_an_edge():
    records, persons = random_study(1)
    found = sr.networks.sequences(records, persons=persons)
    assert found.n_tested == 6
    assert list(found.to_networkx().edges) == [("a", "b")]
    edge = found.to_networkx().edges["a", "b"]
    assert edge["estimate"] > edge["expected"] > 0.3
    assert found.sentence().startswith("A comes before b more often than expected: in ")
    assert "of 6 pairs tested" in found.sentence()
    html = found._repr_html_()
    assert "Comes first" in html
    assert f">{edge['median_months_to_second']:.0f}<" in html


def test_a_study_and_a_cohort_give_the_same():
    study = sr.example_study()
    here = sr.define_cohort(study).patterns().n_persons
    onsets = sr.define_cohort(study).onsets(birth_years=20)
    assert onsets.n_persons == here
    everyone = sr.networks.sequences(
        study.conditions, persons=study.persons, joined=study.registrations, birth_years=200, min_persons=1
    )
    # authority: counted with Polars joins; 200 invented people of two sexes, so hardly anybody is alone
    begun = study.conditions.collect()
    both = begun.join(begun, on="person_id").filter(pl.col("condition") < pl.col("condition_right"))
    counted = everyone.estimates.select(pl.sum_horizontal("n_both", "n_alone", "n_left_out").sum()).item()
    pairs = everyone.estimates.select(
        pl.min_horizontal("source", "target").alias("condition"), pl.max_horizontal("source", "target").alias("condition_right")
    )  # fmt: skip
    listed = both.with_columns(pl.col("condition", "condition_right").cast(pl.String)).join(
        pairs, on=["condition", "condition_right"], how="semi"
    )
    assert counted == listed.height
    assert sr.networks.sequences(onsets, min_persons=1).settings["population"]["on"] == "index"


def test_onsets_show_no_person():
    text = repr(sr.define_cohort(sr.example_study()).onsets())
    assert text == "Onsets of 49 conditions by sex, birth_year (confidential: person rows)"


def test_what_cannot_be_read_is_refused_with_counts():
    records, persons = random_study(1, 30)
    onsets = sr.define_cohort(sr.example_study()).onsets()
    cases = [
        ({"records": records}, "persons is needed"),
        ({"records": onsets, "persons": persons}, "persons would do nothing"),
        ({"records": onsets, "birth_years": 3}, "birth_years would do nothing"),
        ({"records": records, "persons": pl.concat([persons, persons.head(2)])}, "counts 2 rows twice"),
        ({"records": records, "persons": persons.head(20)}, r"records holds \d+ people who are not in persons"),
        ({"records": records, "persons": persons.drop("sex")}, "sex"),
        ({"records": records.with_columns(pl.lit("soon").alias("onset_date")), "persons": persons}, f"no date in {records.height} rows"),
        ({"records": records.with_columns(pl.lit(2010).alias("onset_date")), "persons": persons}, "a date is needed"),
        ({"records": records, "persons": persons, "washout_days": -1}, "washout_days=-1"),
        ({"records": records, "persons": persons, "min_persons": 0}, "min_persons=0"),
        ({"records": records, "persons": persons, "joined": "arrived"}, "arrived"),
        ({"records": records.with_columns(pl.col("person_id").cast(pl.String)), "persons": persons}, "same type"),
    ]  # fmt: skip
    for arguments, message in cases:
        with pytest.raises(sr.ArgumentError, match=message):
            sr.networks.sequences(arguments.pop("records"), **arguments)
    with pytest.raises(sr.ArgumentError, match="birth_year"):
        sr.define_cohort(sr.example_study()).onsets(adjust="birthyear")


def test_nobody_with_two_conditions_gives_no_rows():
    found = study_of([(1, None), (None, 2)])
    assert found.estimates.height == 0
    assert found.sentence() == "No two conditions are held by enough people to say which comes first."


POLICIES = [sr.Policy.nhs_england(), sr.Policy.opensafely(), sr.Policy.sacro()]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p.name)
def test_a_released_order_rests_on_released_counts(policy):
    records, persons = random_study(2, 400)
    exact = sr.networks.sequences(records, persons=persons, min_persons=1)
    safe = sr.suppress(exact, policy)
    counts = [c for c in safe.estimates.columns if c.startswith("n_")]
    for name in counts:
        shown = safe.estimates[name].drop_nulls()
        assert not shown.is_between(1, policy.threshold).any()
        assert (shown % 5 == 0).all()
    for row in safe.estimates.iter_rows(named=True):
        n, first, second = row["n_both"], row["n_first"], row["n_second"]
        if None in (n, first, second):
            assert row["estimate"] is None
            continue
        assert row["estimate"] == pytest.approx((1 + (first - second) / n) / 2)
        assert round(row["expected"], 3) == pytest.approx(row["expected"], abs=1e-12)
        for gap in ("median_gap_months", "median_months_to_second"):
            assert row[gap] is None or row[gap] == int(row[gap])
    again = sr.suppress(type(safe)(safe.count_tables, safe.settings, safe.by), policy)
    assert_frame_equal(again.estimates, safe.estimates)


def test_an_order_few_people_are_in_is_hidden_either_way():
    # 40 people in the order a, b and 5 in the order b, a: 45 less 40 would give the 5 away, so the row tells no share
    rng = np.random.default_rng(1)
    onsets = [(int(x), int(x) + 500) for x in rng.integers(0, 400, 40)] + [(900 + k, k) for k in range(5)]
    safe = sr.suppress(study_of(onsets), sr.Policy.nhs_england())
    row = safe.estimates.row(0, named=True)
    assert (row["source"], row["n_both"], row["n_first"], row["n_second"]) == ("a", 45, 40, None)
    for name in ("estimate", "lower", "upper", "expected", "p_value", "q_value", "p_value_half", "median_gap_months"):
        assert row[name] is None, name
    assert safe.sentence() == "No two conditions are held by enough people to say which comes first."


def test_the_floor_is_laid_on_the_counts_that_are_shown():
    # 18 people read 20 and 22 read 20: a floor of 20 keeps both
    def rows(people: int) -> int:
        onsets = [(k, 2 * k + 1) if k % 2 else (2 * k + 1, k) for k in range(people)]
        return sr.suppress(study_of(onsets, min_persons=20), sr.Policy.nhs_england()).estimates.height

    assert (rows(17), rows(18), rows(22)) == (0, 1, 1)


def test_without_dates_it_says_that_there_are_none():
    found = sr.networks.sequences(
        pl.DataFrame(
            {"person_id": [1, 1], "condition": ["a", "b"], "onset_date": [None, None]},
            schema_overrides={"onset_date": pl.Date},
        ),
        persons=pl.DataFrame({"person_id": [1], "sex": ["F"], "birth_year": [1950]}),
    )
    assert found.sentence() == "These data hold no date on which a condition began, so which comes first is not known."


def test_suppressing_pairs_makes_no_finding():
    """Of the six pairs of four conditions one is common: released it is adjusted for six, as if the others were tested."""
    onsets = [(1, 5)] * 60 + [(k % 7, k % 5 + 3) for k in range(60)]
    exact = study_of(onsets)
    few = pl.DataFrame(
        [(k, name, START) for k in range(3) for name in "cd"],
        schema=["person_id", "condition", "onset_date"],
        orient="row",
    )
    rows = [
        (i, name, START + timedelta(days=day))
        for i, pair in enumerate(onsets)
        for name, day in zip("ab", pair, strict=True)
    ]
    records = pl.concat([pl.DataFrame(rows, schema=few.schema, orient="row"), few])
    persons = pl.DataFrame(
        {"person_id": range(len(onsets)), "sex": ["F"] * len(onsets), "birth_year": [1950] * len(onsets)}
    )
    released = sr.suppress(sr.networks.sequences(records, persons=persons, min_persons=1), sr.Policy.nhs_england())
    row = released.estimates.filter(pl.col("p_value").is_not_null()).row(0, named=True)
    assert released.estimates["p_value"].count() == 1
    assert row["q_value"] == pytest.approx(min(1, 6 * row["p_value"]))
    assert exact.estimates["q_value"][0] == exact.estimates["p_value"][0]
