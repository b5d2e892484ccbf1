"""The mean cumulative count by hand, beside a naive computation, at its edges, and released."""

from __future__ import annotations

from math import sqrt

import matplotlib
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symphony_research as sr
from symphony_research.errors import ArgumentError
from symphony_research.show.titles import curve_title
from symphony_research.survival.recurrent_events import FollowUp, group_scores

matplotlib.use("Agg")
NHS = sr.Policy.nhs_england()


def frames(people: list[tuple[float, int]], events: list[tuple[int, float]]) -> tuple[pl.DataFrame, pl.DataFrame]:
    persons = [(k, end, died) for k, (end, died) in enumerate(people)]
    return (
        pl.DataFrame(events, schema={"person_id": pl.Int64, "time": pl.Float64}, orient="row"),
        pl.DataFrame(persons, schema={"person_id": pl.Int64, "end": pl.Float64, "died": pl.Int64}, orient="row"),
    )


def test_by_hand():
    # three people: 0 dies on day 2, 1 is censored on day 3, 2 on day 4. Events: 0 on day 1, 2 on days 3 and 4.
    # day 1: 1/3. Day 2: survival falls to 2/3. Day 3: 2/3 x 1/2 = 1/3. Day 4: 2/3 x 1 = 2/3.
    count = sr.survival.mean_cumulative_count(*frames([(2, 1), (3, 0), (4, 0)], [(0, 1), (2, 3), (2, 4)])).estimates
    assert count.select("time", "n_at_risk", "n_events", "n_deaths", "n_censored").rows() == [
        (1, 3, 1, 0, 0), (2, 3, 0, 1, 0), (3, 2, 1, 0, 1), (4, 1, 1, 0, 1),
    ]  # fmt: skip
    assert count["estimate"].to_list() == pytest.approx([1 / 3, 1 / 3, 2 / 3, 4 / 3])
    # day 1: influences 1/3 - 1/9, -1/9, -1/9. Day 3: of events 1/3 for person 2; expected 2/3 x 1 / 2^2 = 1/6 of 1 and 2;
    # the death on day 2 takes (1/3) x (1/3 - 1) = -2/9 of person 0, and gives 1/9 x 1/3... of each at risk (1/3 / 3 = 1/9) / 3
    first = [2 / 9, -1 / 9, -1 / 9]
    assert count["standard_error"][0] == pytest.approx(sqrt(sum(x * x for x in first)))
    later = [
        2 / 9 - (1 / 3) * (1 / 3) + (1 / 3) * (1 / 9),
        -1 / 9 + (1 / 3) * (1 / 9) - 1 / 6,
        -1 / 9 + (1 / 3) * (1 / 9) - 1 / 6 + 1 / 3,
    ]
    assert count["standard_error"][2] == pytest.approx(sqrt(sum(x * x for x in later)))


def naive(people: list[tuple[int, int, int]], events: list[tuple[int, int]]) -> list[tuple[float, float]]:
    """Mean and variance at each time by loops: of each person the sums of what happened less what was expected."""
    moments = sorted({*(end for _, end, _ in people), *(t for _, t in events)})

    def at_risk(t: int) -> list[int]:
        return [i for i, (start, end, _) in enumerate(people) if start < t <= end]

    before, survival = {}, 1.0
    for t in moments:
        before[t], n = survival, len(at_risk(t))
        deaths = sum(end == t and died == 1 for _, end, died in people)
        survival *= 1 - deaths / n if n else 1

    def rate(t: int) -> float:
        return sum(when == t for _, when in events) / max(len(at_risk(t)), 1)

    found = []
    for until in moments:
        past = [t for t in moments if t <= until]
        mean = sum(before[t] * rate(t) for t in past)
        variance = 0.0
        for i, (_, end, died) in enumerate(people):
            moved = 0.0
            for t in past:
                if i not in at_risk(t):
                    continue
                n = len(at_risk(t))
                mine = sum(who == i and when == t for who, when in events)
                moved += before[t] / n * (mine - rate(t))
                hazard = sum(e == t and d == 1 for _, e, d in people) / n
                rest = sum(before[later] * rate(later) for later in past if later > t)
                moved -= rest / n * ((end == t and died == 1) - hazard)
            variance += moved**2
        found.append((mean, variance))
    return found


@st.composite
def histories(draw):
    people = [
        (draw(st.integers(-1, 2)), draw(st.integers(3, 8)), draw(st.integers(0, 1)))
        for _ in range(draw(st.integers(1, 8)))
    ]
    events = []
    for i, (start, end, _) in enumerate(people):
        events += [(i, t) for t in draw(st.lists(st.integers(max(start + 1, 0), end), max_size=4))]
    return people, events


@given(histories())
def test_mean_and_variance_are_naive_sums(history):
    people, events = history
    persons = pl.DataFrame(people, schema=["entry", "end", "died"], orient="row").with_row_index("person_id")
    rows = pl.DataFrame(events, schema={"person_id": pl.Int64, "time": pl.Int64}, orient="row")
    count = sr.survival.mean_cumulative_count(
        rows, persons.with_columns(pl.col("person_id").cast(pl.Int64)), entry="entry"
    ).estimates
    for row, (mean, variance) in zip(count.iter_rows(named=True), naive(people, events), strict=True):
        assert row["estimate"] == pytest.approx(mean, rel=1e-12, abs=1e-12)
        assert row["standard_error"] == pytest.approx(sqrt(max(variance, 0)), rel=1e-7, abs=1e-7)


def test_without_death_and_with_one_event_at_most_it_is_the_nelson_aalen_sum_of_rates():
    # nobody dies: the mean is the sum of events over people at risk
    count = sr.survival.mean_cumulative_count(*frames([(5, 0)] * 4, [(0, 1), (1, 1), (0, 2)])).estimates
    assert count["estimate"].to_list() == pytest.approx([2 / 4, 3 / 4, 3 / 4])


def test_edges():
    nobody = sr.survival.mean_cumulative_count(*frames([(5, 0), (6, 1)], [])).estimates
    assert nobody["estimate"].to_list() == [0, 0]
    assert nobody["lower"].to_list() == [None, None]
    at_zero = sr.survival.mean_cumulative_count(*frames([(5, 0), (6, 1)], [(0, 0)])).estimates
    assert at_zero["estimate"].to_list() == [0.5, 0.5, 0.5]
    one = sr.survival.mean_cumulative_count(*frames([(5, 1)], [(0, 2), (0, 5)])).estimates
    assert one["estimate"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([(0, 6)], "1 events are after the end of follow-up"),
        ([(7, 1)], "1 events are of nobody among the people"),
        ([(0, -1)], "1 events are before the start of follow-up"),
        ([(0, float("nan"))], "1 events have no finite time"),
    ],
)
def test_events_outside_follow_up_are_refused(events, said):
    with pytest.raises(ArgumentError, match=said):
        sr.survival.mean_cumulative_count(*frames([(5, 0)], events))


def test_people_who_stand_twice_are_refused():
    events, persons = frames([(5, 0)], [])
    with pytest.raises(ArgumentError, match="1 rows of people are of somebody who stands there before"):
        sr.survival.mean_cumulative_count(events, pl.concat([persons, persons]))
    with pytest.raises(ArgumentError, match="compares groups"):
        _ = sr.survival.mean_cumulative_count(events, persons).test


def drawn(seed: int, people: int, rate: float = 1.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """People with a frailty of their own, dying at a rate of 0.5 a year, censored at 2 years at most."""
    rng = np.random.default_rng(seed)
    frailty, death = rng.gamma(2, 0.5, people), rng.exponential(2, people)
    end = np.minimum(np.minimum(death, rng.uniform(1, 2.5, people)), 2.0)
    n = rng.poisson(rate * frailty * end)
    who = np.repeat(np.arange(people), n)
    events = pl.DataFrame({"person_id": who, "time": np.ceil(rng.uniform(0, end[who]) * 365)})
    persons = pl.DataFrame(
        {"person_id": np.arange(people), "end": np.ceil(end * 365), "died": (death <= end).astype(int)}
    )
    return events, persons.with_columns(pl.Series("arm", rng.choice(["hub", "usual"], people)))


def test_order_of_rows_changes_nothing():
    events, persons = drawn(1, 200)
    one = sr.survival.mean_cumulative_count(events, persons, by="arm").estimates
    other = sr.survival.mean_cumulative_count(
        events.sample(fraction=1, shuffle=True, seed=2), persons.reverse(), by="arm"
    )
    for column in ("estimate", "standard_error"):
        assert other.estimates[column].to_list() == pytest.approx(one[column].to_list(), rel=1e-9)


def test_released_it_tells_no_number_of_few_events():
    events, persons = drawn(3, 400)
    exact = sr.survival.mean_cumulative_count(events, persons, by="arm", time_unit="days", event_name="admission")
    safe = sr.suppress(exact, NHS)
    assert set(safe.count_tables) == {"grid", "means", "test"}
    assert safe.estimates["n_events"].null_count() == safe.estimates.height
    assert set(safe.estimates["time"]) <= {*range(0, 331, 30), 365, 548, 730}
    # of some 200 people a step is of 8 events or more
    for arm, own in safe.estimates.group_by("arm"):
        people = persons.filter(pl.col("arm") == arm[0]).height
        steps = {round(b - a, 9) for a, b in zip(own["estimate"], own["estimate"][1:], strict=False)} - {0.0}
        assert min(steps) * people >= 7.5
    read = sr.survival.at(exact, sorted(set(safe.estimates["time"]))).estimates
    both = safe.estimates.join(read, on=["arm", "time"], suffix="_exact").drop_nulls(["lower", "lower_exact"])
    assert both.height > 10
    assert (both["lower"] <= both["lower_exact"] + 1e-9).all()
    assert (both["upper"] >= both["upper_exact"] - 1e-9).all()
    assert safe.test["statistic"].to_list() == [None]
    assert safe.test["p_value"].item() in (0.001, 0.01, 0.05, 1.0)
    assert sr.suppress(safe, NHS).estimates.equals(safe.estimates)
    assert "mean number of hospital admissions a person" in safe.sentence()
    assert safe.settings["reference"] == "Ghosh and Lin 2000"  # and no life table's
    axes = sr.plot(safe)
    assert "admissions a person" in axes.get_ylabel().replace("\n", " ")
    assert axes.get_ylim()[1] >= safe.estimates["estimate"].max()
    assert len(curve_title(safe, 730.0).split()) <= 15
    whole = sr.suppress(sr.survival.mean_cumulative_count(events, persons, time_unit="days"), NHS)
    # the deaths of the last grid time, not the number of events, which is not released
    assert whole.facts()["Deaths"].startswith(f"about {whole.estimates['n_deaths'][-1]:,} recorded within ")


def test_one_person_with_most_events_is_not_shown():
    # 20 people with an event each, and one with sixty: he has three quarters of all
    events = [(k, 10 + k) for k in range(20)] + [(20, 10 + k) for k in range(60)]
    exact = sr.survival.mean_cumulative_count(*frames([(100, 0)] * 60, events), time_unit="days")
    safe = sr.suppress(exact, NHS)
    # on day 30 he has 21 of 41 events and is within the rule
    assert safe.estimates.filter(pl.col("time") > 30)["estimate"].to_list() == [None, None]


def test_a_stratum_of_few_people_has_no_mean():
    events, persons = drawn(5, 300)
    persons = persons.with_columns(
        pl.when(pl.col("person_id") < 5).then(pl.lit("few")).otherwise(pl.lit("many")).alias("arm")
    )
    safe = sr.suppress(sr.survival.mean_cumulative_count(events, persons, by="arm", time_unit="days"), NHS)
    few = safe.estimates.filter(pl.col("arm") == "few")
    assert few["estimate"].null_count() == few.height
    assert safe.test["p_value"].to_list() == [None]


@pytest.mark.slow
def test_intervals_cover_the_mean_and_the_test_keeps_its_size():
    # mean at one year: the integral of the rate x S(u) = (1 - exp(-0.5)) / 0.5 = 0.78694, as deaths come at 0.5 a year
    # independently of the frailty. 400 studies of 150 people; 95% +- 3 standard errors of 1.1 percentage points
    true, hits, found = (1 - np.exp(-0.5)) / 0.5, 0, 0
    for seed in range(400):
        events, persons = drawn(1000 + seed, 150)
        count = sr.survival.mean_cumulative_count(events, persons)
        row = sr.survival.at(count, 365).estimates.row(0, named=True)
        hits += row["lower"] <= true <= row["upper"]
        found += sr.survival.mean_cumulative_count(events, persons, by="arm").test["p_value"].item() < 0.05
    assert 0.917 <= hits / 400 <= 0.983
    assert 0.017 <= found / 400 <= 0.083


@pytest.mark.slow
def test_its_standard_error_is_that_of_people_drawn_again():
    # authority: the bootstrap over people
    events, persons = drawn(7, 300)
    count = sr.survival.mean_cumulative_count(events, persons)
    row = count.estimates.filter(pl.col("time") <= 365).row(-1, named=True)
    rng, means = np.random.default_rng(8), []
    for _ in range(300):
        chosen = pl.DataFrame({"old": rng.integers(0, 300, 300)}).with_row_index("new")
        again = chosen.join(persons, left_on="old", right_on="person_id").drop("old").rename({"new": "person_id"})
        moved = chosen.join(events, left_on="old", right_on="person_id").drop("old").rename({"new": "person_id"})
        means.append(sr.survival.at(sr.survival.mean_cumulative_count(moved, again), 365).estimates["estimate"].item())
    # a standard deviation of 300 draws is known to 4%: three of these
    assert row["standard_error"] == pytest.approx(float(np.std(means)), rel=0.13)


def of_three(seed: int, people: int = 240):
    events, persons = drawn(seed, people)
    rng = np.random.default_rng(seed)
    return events, persons.with_columns(pl.Series("arm", rng.choice(["a", "b", "c"], people)))


def test_of_three_groups_by_naive_sums():
    # scores in plain loops from the groups' own estimates: sum of Y_k (dm_k - sum of Y_l dm_l / Y)
    events, persons = of_three(11, 90)
    steps: dict[str, dict[float, tuple[float, float]]] = {}
    for (arm,), own in persons.group_by("arm"):
        rows = sr.survival.mean_cumulative_count(events.join(own, on="person_id", how="semi"), own).estimates
        gained = [b - a for a, b in zip([0.0, *rows["estimate"]], rows["estimate"], strict=False)]
        at_risk = {t: float((own["end"] >= t).sum()) for t in {*persons["end"], *events["time"]}}
        moved = dict(zip(rows["time"].cast(float), gained, strict=True))
        steps[arm] = {float(t): (n, moved.get(float(t), 0.0)) for t, n in at_risk.items()}
    naive = []
    for arm in "abc":
        total = 0.0
        for t, (n, gain) in steps[arm].items():
            everyone = [steps[other][t] for other in "abc"]
            whole = sum(y for y, _ in everyone)
            total += n * (gain - sum(y * g for y, g in everyone) / whole) if whole else 0.0
        naive.append(total)
    groups = []
    for arm in "abc":
        own = persons.filter(pl.col("arm") == arm).with_row_index("place")
        mine = events.join(own, on="person_id", how="inner")
        groups.append(
            FollowUp(
                entry=np.full(own.height, -np.inf), end=own["end"].cast(float).to_numpy(), died=own["died"].to_numpy(),
                person=mine["place"].cast(int).to_numpy(), time=mine["time"].cast(float).to_numpy(),
            )
        )  # fmt: skip
    score, covariance = group_scores(groups)
    assert score.tolist() == pytest.approx(naive)
    assert score.sum() == pytest.approx(0, abs=1e-9)
    # groups' scores add up to 0, and so does what they vary by
    assert np.abs(covariance.sum(axis=0)).max() < 1e-9 * covariance.max()
    test = sr.survival.mean_cumulative_count(events, persons, by="arm").test
    kept = np.linalg.solve(covariance[1:, 1:], score[1:])  # whichever group is left out
    assert test["statistic"].item() == pytest.approx(float(score[1:] @ kept))
    assert test["degrees_of_freedom"].item() == 2


@pytest.mark.slow
def test_of_three_groups_keeps_its_size():
    # authority: no group differs; 5% of 300 studies, plus and minus three standard errors of 1.26 percentage points
    found = sum(
        sr.survival.mean_cumulative_count(*of_three(3000 + k), by="arm").test["p_value"].item() < 0.05
        for k in range(300)
    )
    assert 0.012 <= found / 300 <= 0.088
