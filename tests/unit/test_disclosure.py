"""The gate: what `suppress` hides, rounds and derives again; and that each defence is needed."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.disclosure import gate as disclosure
from symphony_research.disclosure.secondary import Protection
from symphony_research.networks.compare import LEVELS, NetworkComparison
from symphony_research.policy import Policy
from symphony_research.result import INSIDE_REPORT, CountTable
from symphony_research.survival import curves

POLICIES = [Policy.nhs_england(), Policy.opensafely(), Policy.sacro()]
CONDITIONS = ["asthma", "cancer", "copd", "diabetes", "stroke"]


def patterns(seed: int = 1, people: int = 700, by: tuple[str, ...] = ("sex",)) -> sr.Patterns:
    rng = np.random.default_rng(seed)
    frail = rng.gamma(1.0, 1.0, people)
    held = {c: rng.random(people) < 1 - np.exp(-(0.05 + 0.07 * k) * frail) for k, c in enumerate(CONDITIONS)}
    frame = pl.DataFrame(
        {**held, "sex": rng.choice(["F", "M"], people), "cost": np.round(rng.gamma(0.5, 2000, people), 2)}
    )
    return sr.Patterns.from_wide(frame, conditions=CONDITIONS, by=by, values=("cost",))


def follow_up(seed: int = 1, people: int = 400) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "time": rng.integers(1, 120, people),
            "event": rng.integers(0, 3, people),
            "sex": rng.choice(["F", "M"], people),
        }
    )


def onsets(seed: int = 1, people: int = 500) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    persons = pl.DataFrame(
        {
            "person_id": np.arange(people),
            "sex": rng.choice(["F", "M"], people),
            "birth_year": rng.integers(1930, 1940, people),
        }
    )
    who, which = np.nonzero(rng.random((people, len(CONDITIONS))) < 0.25)
    days = pl.Series(rng.integers(5_000, 15_000, len(who)), dtype=pl.Int32).cast(pl.Date)
    records = pl.DataFrame({"person_id": who, "condition": pl.Series(CONDITIONS).gather(which), "onset_date": days})
    return records, persons


def every_family(seed: int = 1) -> dict[str, sr.Result]:
    table, followed = patterns(seed), follow_up(seed)
    died = followed.with_columns((pl.col("event") == 1).alias("event"))
    return {
        "condition_count": sr.multimorbidity.condition_count(table),
        "prevalence": sr.multimorbidity.prevalence(table),
        "exact": sr.multimorbidity.combinations(table, kind="exact", min_size=0),
        "at_least": sr.multimorbidity.combinations(table, kind="at_least", min_size=1),
        "exact, adjusted": sr.multimorbidity.combinations(table, kind="exact", adjust="sex"),
        "at_least, adjusted": sr.multimorbidity.combinations(table, kind="at_least", adjust="sex", min_persons=3),
        "closed": sr.multimorbidity.combinations(table, kind="at_least", which="closed"),
        "triads": sr.multimorbidity.combinations(
            table, kind="at_least", adjust="sex", against="no_higher_order_interaction", max_size=3
        ),
        "costs": sr.multimorbidity.combination_costs(table, adjust="sex", min_persons=1),
        "further": sr.multimorbidity.further_conditions(table),
        "companions": sr.multimorbidity.companions(table, condition="stroke", adjust="sex"),
        "cooccurrence": sr.networks.cooccurrence(table),
        "cooccurrence, adjusted": sr.networks.cooccurrence(table, adjust="sex"),
        "sequences": sr.networks.sequences(onsets(seed)[0], persons=onsets(seed)[1], birth_years=5, min_persons=1),
        "comparison": sr.networks.compare(table, patterns(seed + 10, 900), permutations=99),
        "kaplan_meier": sr.survival.kaplan_meier(died, time="time", event="event", by="sex"),
        "incidence": sr.survival.cumulative_incidence(followed, time="time", event="event", by="sex"),
        "logrank": sr.survival.logrank_test(died, time="time", event="event", by="sex"),
        "attrition": sr.define_cohort(sr.example_study(), age=(3, 90), sex="F").attrition,
    }


# OpenSAFELY's worked values, and the rules of the other two read from their guides
@pytest.mark.parametrize(
    ("policy", "exact", "shown"),
    [
        (Policy.opensafely(), [0, 3, 7, 8, 16, 23, 18, 31, 44], [0, None, None, 10, 15, 25, 20, 30, 45]),
        (Policy.nhs_england(), [0, 1, 7, 8, 12, 13, 32], [0, None, None, 10, 10, 15, 30]),
        (Policy.sacro(), [0, 1, 9, 10, 12, 13, 180], [None, None, None, 10, 10, 15, 180]),
        (Policy.synthetic(), [0, 1, 7, 8], [0, 1, 7, 8]),
    ],
)
def test_counts_as_each_authority_shows_them(policy: Policy, exact: list[int], shown: list[int | None]) -> None:
    frame = pl.DataFrame({"n": exact}, schema={"n": pl.Int64})
    assert frame.select(policy.rounded("n"))["n"].to_list() == shown


@pytest.mark.parametrize(
    ("policy", "exact", "shown"),
    [
        # midpoint-6: 1-6 becomes 3, 7-12 becomes 9
        (Policy.opensafely(), [0, 1, 6, 7, 12, 13], [0, 3, 3, 9, 9, 15]),
        # no step before more than seven people have been counted
        (Policy.nhs_england(), [0, 1, 7, 8, 13], [0, 0, 0, 10, 15]),
        (Policy.sacro(), [0, 9, 10, 13], [0, 0, 10, 15]),
    ],
)
def test_cumulative_counts_of_a_curve(policy: Policy, exact: list[int], shown: list[int]) -> None:
    frame = pl.DataFrame({"n": exact}, schema={"n": pl.Int64})
    assert frame.select(policy.rounded_cumulative("n"))["n"].to_list() == shown


def leak_of_times(released: sr.Result) -> str | None:
    """Search a released curve for what tells when single people left."""
    if "followed" not in released.count_tables:
        return None
    rows = released.count_tables["followed"].select(*released.by, "n_at_risk", "n_kept").rows()
    # the last row of a stratum is its end, and may stand beside the first of the next
    if any(a == b for a, b in itertools.pairwise(rows[:-1])):
        return "a row tells when somebody left though no rounded number changed"
    if (released.count_tables["events"]["kind"] == 0).any():
        return "the rounded count of the censored, beside the people followed, tells their exact number"
    return None


def leak_beside(table: pl.DataFrame, counts: pl.Series, columns: tuple[str, ...]) -> str | None:
    """Search what stands beside a count: gone where it is hidden, of three figures where it is not."""
    for column in columns:
        shown = table[column].drop_nulls()
        if (table[column].is_not_null() & counts.is_null()).any():
            return f"{column} stands beside a hidden count"
        if (shown != shown.round_sig_figs(3)).any():
            return f"{column} is exact"
        if column.endswith(("_p", "p_value")) and not set(shown) <= set(LEVELS):
            return f"{column} from exact counts is told to the last permutation"
    return None


def leak(result: sr.Result, released: sr.Result, policy: Policy) -> str | None:
    """Search a released result for anything the policy hides; say what was found."""
    for name, rule in result.counts.items():
        table = released.count_tables[name]
        for column in rule.columns:
            values = table[column]
            if rule.cumulative is None:
                if values.is_between(0 if policy.hide_zeros else 1, policy.threshold).any():
                    return f"{name}.{column} shows a small count"
                if (values.drop_nulls() % policy.rounding != 0).any():
                    return f"{name}.{column} shows an exact count"
                beside = leak_beside(table, values, (*rule.measures, *rule.factors))
                if beside:
                    return beside
            else:
                groups = [*released.by, *rule.within]
                running = table.sort([*groups, rule.cumulative]).select(pl.col(column).cum_sum().over(groups))[column]
                width = policy.curve_width
                offset = width // 2 if policy.curve == "midpoint" else 0
                if ((running % width != offset % width) & (running != 0)).any():
                    return f"{name}.{column} shows an exact running count"
    frame = released.estimates
    again = released.derive(released.count_tables, released.settings, released.by)
    if not frame.equals(again):
        return "an estimate does not follow from the released counts"
    if "n_at_risk" in frame.columns and (frame["n_at_risk"].fill_null(0) <= policy.threshold).any():
        return "a curve goes on where few are at risk"
    return leak_of_times(released)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p.name)
@pytest.mark.parametrize("family", sorted(every_family()))
def test_nothing_the_policy_hides_is_released(policy: Policy, family: str) -> None:
    for seed in (1, 2, 3):
        result = every_family(seed)[family]
        assert leak(result, sr.suppress(result, policy), policy) is None


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p.name)
@pytest.mark.parametrize("family", sorted(every_family()))
def test_suppressing_twice_changes_nothing(policy: Policy, family: str) -> None:
    once = sr.suppress(every_family()[family], policy)
    assert sr.suppress(once, policy) is once
    # nor would doing the arithmetic a second time
    fresh = dataclasses.replace(once, disclosure=None)
    again = sr.suppress(fresh, policy)
    assert again.estimates.equals(once.estimates)


def test_a_disclosed_result_is_never_loosened() -> None:
    once = sr.suppress(every_family()["prevalence"], Policy.nhs_england())
    for other in (Policy.opensafely(), Policy.sacro(), Policy.nhs_england(threshold=10), Policy.synthetic()):
        with pytest.raises(sr.DisclosureError):
            sr.suppress(once, other)


def test_synthetic_is_refused_unless_the_data_are_the_generators_own() -> None:
    with pytest.raises(sr.DisclosureError, match="generated data alone"):
        sr.suppress(every_family()["prevalence"], Policy.synthetic())
    own = sr.multimorbidity.prevalence(sr.define_cohort(sr.example_study()).patterns())
    assert sr.suppress(own, Policy.synthetic()).estimates.equals(own.estimates)


def test_a_policy_that_hides_nothing_cannot_be_made_by_settings() -> None:
    with pytest.raises(sr.ArgumentError):
        Policy.nhs_england(threshold=0)
    with pytest.raises(sr.ArgumentError):
        Policy.opensafely(rounding=0)
    # nor one that is weaker than the rule it is named for
    with pytest.raises(sr.ArgumentError, match="never weaker"):
        Policy.nhs_england(threshold=6)
    with pytest.raises(sr.ArgumentError, match="never weaker"):
        Policy.sacro(threshold=7)


def test_ratios_follow_from_rounded_counts() -> None:
    # 8 of 40 people have asthma, 20 stroke, 8 both: shown as 10, 20, 10 of 40, so expected 10 x 20 / 40 = 5 and
    # observed/expected 2; the exact figures, 8 x 20 / 40 = 4 and 2, are not what is shown
    frame = pl.DataFrame({"asthma": [1] * 8 + [0] * 32, "stroke": [1] * 20 + [0] * 20})
    network = sr.networks.cooccurrence(sr.Patterns.from_wide(frame, conditions=["asthma", "stroke"]))
    row = sr.suppress(network, Policy.nhs_england()).estimates.row(0, named=True)
    assert (row["n_both"], row["n_source"], row["n_target"], row["n_persons"]) == (10, 10, 20, 40)
    assert (row["expected"], row["observed_expected"]) == (5.0, 2.0)


def test_a_total_is_the_sum_of_what_is_shown() -> None:
    # 180 people beside a hidden 3: 177 exactly would give it away; the table adds up to what it shows
    frame = pl.DataFrame({"asthma": [0] * 177 + [1] * 3})
    count = sr.suppress(
        sr.multimorbidity.condition_count(sr.Patterns.from_wide(frame, conditions=["asthma"])), Policy.opensafely()
    )
    assert count.estimates["n_persons"].to_list() == [175, None]
    assert count.estimates["estimate"].to_list() == [1.0, None]


def test_hidden_rows_cannot_be_ranked() -> None:
    # 6, 5, ... 1 people have the pairs of c0 with c1 ... c6: in the table they stand by name, as they would the other way round
    def order(people: list[int]) -> list[list[str]]:
        rows = [[1 if c in (0, k) else 0 for c in range(7)] for k, n in enumerate(people, start=1) for _ in range(n)]
        frame = pl.DataFrame(rows + [[0] * 7] * 50, schema=[f"c{c}" for c in range(7)], orient="row")
        patterns = sr.Patterns.from_wide(frame, conditions=frame.columns)
        for kind in ("exact", "at_least"):
            found = sr.suppress(sr.multimorbidity.combinations(patterns, kind=kind), Policy.nhs_england())
            assert found.count_tables["cells"]["n_persons"].null_count() == 6
        return found.estimates["combination"].to_list()

    assert order([6, 5, 4, 3, 2, 1]) == order([1, 2, 3, 4, 5, 6])


def test_a_group_of_few_has_no_curve() -> None:
    frame = pl.DataFrame({"time": list(range(1, 41)), "event": [1, 0] * 20, "arm": ["a"] * 34 + ["b"] * 6})
    curve = sr.suppress(sr.survival.kaplan_meier(frame, time="time", event="event", by="arm"), Policy.nhs_england())
    assert curve.estimates["arm"].unique().to_list() == ["a"]


def test_the_end_of_a_curve_does_not_tell_how_many_were_left() -> None:
    # One person leaves a day at most: ended on the day itself, exactly seven would be left in every one of them.
    left = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        time = rng.choice(np.arange(1, 366), 60, replace=False)
        frame = pl.DataFrame({"time": time, "event": rng.integers(0, 2, 60)})
        curve = sr.suppress(sr.survival.kaplan_meier(frame, time="time", event="event"), Policy.nhs_england())
        end = int(curve.estimates["time"].max())
        assert end % 30 == 0  # a year is read in steps of 30 days
        left.append(int((time > end).sum()))
    assert min(left) >= 7
    assert len(set(left)) >= 5
    assert left.count(7) <= 10


def test_a_curve_is_read_at_few_times_before_its_release_as_after() -> None:
    frame = pl.DataFrame({"time": list(range(1, 101)), "event": [1, 0] * 50})
    curve = sr.survival.kaplan_meier(frame, time="time", event="event")
    every = sr.survival.at(curve, range(100))
    with pytest.raises(sr.ArgumentError, match="40 times at most"):
        sr.suppress(every, Policy.nhs_england())
    assert sr.suppress(sr.survival.at(curve, range(0, 100, 10)), Policy.nhs_england()).estimates.height == 10


def test_nobody_is_followed_before_a_curve_begins() -> None:
    # Two enter at the start, thirty at 50, thirty at 60: until 50 two are followed, which may not be shown.
    frame = pl.DataFrame({"entry": [0] * 2 + [50] * 30 + [60] * 30, "time": [300] * 62, "event": [1, 0] * 31})
    curve = sr.survival.kaplan_meier(frame, time="time", event="event", entry="entry")
    shown = sr.suppress(sr.survival.at(curve, [0, 20, 50, 55, 70]), Policy.nhs_england())
    assert shown.estimates["n_at_risk"].to_list() == [None, None, None, 30, 60]


def test_a_second_release_still_says_which_groups_are_too_small() -> None:
    frame = pl.DataFrame({"time": list(range(1, 41)), "event": [1, 0] * 20, "arm": ["a"] * 34 + ["b"] * 6})
    once = sr.suppress(sr.survival.kaplan_meier(frame, time="time", event="event", by="arm"), Policy.nhs_england())
    twice = sr.suppress(dataclasses.replace(once, disclosure=None), Policy.nhs_england())
    assert once.settings["left_out"] == twice.settings["left_out"] == [{"arm": "b"}]
    assert twice.estimates.equals(once.estimates)


def test_a_few_events_of_a_group_are_no_count_of_a_comparison() -> None:
    # Two of thirty in one arm, which OpenSAFELY's midpoint of one to six reads as 3: hidden. In the other every second day
    # until 23, when eight are left: twelve, in the class of seven to twelve, whose midpoint is 9.
    frame = pl.DataFrame(
        {"time": list(range(1, 31)) * 2, "event": [1, 1] + [0] * 28 + [1, 0] * 15, "arm": ["a"] * 30 + ["b"] * 30}
    )
    test = sr.suppress(sr.survival.logrank_test(frame, time="time", event="event", by="arm"), Policy.opensafely())
    assert test.groups.select("arm", "observed").rows() == [("a", None), ("b", 9.0)]


@pytest.mark.parametrize(
    ("policy", "weaker"),
    [
        (Policy.nhs_england(), {"curve_width": 1}),
        (Policy.nhs_england(), {"curve": "midpoint", "curve_width": 1}),
        (Policy.opensafely(), {"curve_width": 2}),
        (Policy.sacro(), {"hide_zeros": False}),
        (Policy.sacro(), {"dominance": (1, 0.9)}),
        (Policy.nhs_england(), {"dominance": (2, 0.95)}),
        (Policy.sacro(), {"p_percent": 0.05}),
    ],
)
def test_no_part_of_a_rule_is_loosened_under_its_name(policy: Policy, weaker: dict[str, object]) -> None:
    with pytest.raises(sr.ArgumentError, match="never weaker"):
        dataclasses.replace(policy, **weaker)


def exact_rounding(self: Policy, column: str) -> pl.Expr:
    return pl.when(~self.hides(column)).then(pl.col(column)).alias(column)


def no_hiding(self: Policy, column: str) -> pl.Expr:
    return pl.lit(False)


def exact_running(self: Policy, column: str) -> pl.Expr:
    return pl.col(column)


def hide_running_without_rounding(self: Policy, column: str) -> pl.Expr:
    return pl.when(pl.col(column) > self.threshold).then(pl.col(column)).otherwise(0).alias(column)


ORIGINAL_END = curves.end_curves


def tell_every_time(tables: dict, threshold: int, by: tuple[str, ...]) -> dict:
    ended = ORIGINAL_END(tables, threshold, by)
    return {**ended, "followed": tables["followed"].filter(pl.col("n_at_risk") > threshold)}


def count_the_censored(tables: dict, threshold: int, by: tuple[str, ...]) -> dict:
    return {**ORIGINAL_END(tables, threshold, by), "events": tables["events"]}


def keep_estimates(self: sr.Result, tables: dict, record: object, **settings: object) -> sr.Result:
    """A mutant that releases the exact estimates beside rounded counts."""
    made = dataclasses.replace(self, count_tables=tables, disclosure=record)
    object.__setattr__(made, "_derived", self._derived)
    return made


def release_measures(table: pl.DataFrame, rule: CountTable, policy: Policy, by: tuple[str, ...]) -> pl.DataFrame:
    return ORIGINAL_RELEASE(table, dataclasses.replace(rule, measures=()), policy, by)


def release_factors(table: pl.DataFrame, rule: CountTable, policy: Policy, by: tuple[str, ...]) -> pl.DataFrame:
    return ORIGINAL_RELEASE(table, dataclasses.replace(rule, factors=()), policy, by)


ORIGINAL_RELEASE = disclosure._release
MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "counts are not rounded": lambda m: m.setattr(Policy, "rounded", exact_rounding),
    "small counts are not hidden": lambda m: m.setattr(Policy, "hides", no_hiding),
    "running counts are exact": lambda m: m.setattr(Policy, "rounded_cumulative", exact_running),
    "running counts are hidden but not rounded": lambda m: m.setattr(Policy, "rounded_cumulative", hide_running_without_rounding),
    "curves are not cut short": lambda m: m.setattr("symphony_research.survival.curves.end_curves", lambda t, n, b: t),
    "every time somebody left is told": lambda m: m.setattr(curves, "end_curves", tell_every_time),
    "the censored are counted apart": lambda m: m.setattr(curves, "end_curves", count_the_censored),
    "estimates are not derived again": lambda m: m.setattr(sr.Result, "disclosed", keep_estimates),
    "measures pass as they are": lambda m: m.setattr(disclosure, "_release", release_measures),
    "factors pass as they are": lambda m: m.setattr(disclosure, "_release", release_factors),
    "p values of permutations pass as they are": lambda m: m.setattr(NetworkComparison, "trim", staticmethod(lambda t, n, b: t)),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_every_defence_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any one defence removed, the search above finds a leak in some family."""
    MUTANTS[name](monkeypatch)
    # which has tests of its own, and would hide more here
    monkeypatch.setattr(disclosure, "protect", lambda own, beside=(): Protection(methods=("",) * len(own)))
    found = [
        leak(result, sr.suppress(result, policy), policy)
        for policy in POLICIES
        for seed in (1, 2)
        for result in every_family(seed).values()
    ]
    assert any(found), f"removing the defence went unnoticed: {name}"


def test_every_count_table_needs_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    result = every_family()["prevalence"]
    monkeypatch.setattr(type(result), "counts", {"cells": CountTable(("n_persons",))})
    with pytest.raises(sr.DisclosureError, match="no rule for its table population"):
        sr.suppress(result, Policy.nhs_england())


@pytest.mark.parametrize("family", sorted(every_family()))
def test_inside_a_report_nothing_undisclosed_shows_itself(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = every_family()[family]
    assert "not for release" in repr(result)
    assert "not for release" in result._repr_html_()
    released = sr.suppress(result, Policy.nhs_england())
    monkeypatch.setenv(INSIDE_REPORT, "1")
    for look in (repr, str, lambda r: f"{r}", lambda r: r._repr_html_(), lambda r: r.estimates, lambda r: r.sentence()):
        with pytest.raises(sr.DisclosureError):
            look(result)
        assert look(released) is not None


def test_small_counts_are_counted() -> None:
    frame = pl.DataFrame({"asthma": [0] * 10 + [1] * 3})
    count = sr.multimorbidity.condition_count(sr.Patterns.from_wide(frame, conditions=["asthma"]))
    # the cell of three people, and the margin of three people with asthma
    assert count.small_counts() == 2
    assert "not for release: 2 small counts" in repr(count)


def test_the_floor_is_laid_on_the_counts_that_are_shown() -> None:
    # 18 people read 20 and 22 read 20: a floor of 20 keeps both or neither, so a row's presence tells nothing more
    def shown(people: int) -> list[int]:
        frame = pl.DataFrame({"a": [1] * people + [0] * 100, "b": [1] * people + [0] * 100})
        found = sr.multimorbidity.combinations(sr.Patterns.from_wide(frame, conditions=["a", "b"]), min_persons=20)
        return sr.suppress(found, Policy.nhs_england()).estimates["n_persons"].to_list()

    assert shown(18) == shown(22) == [20]
    assert shown(17) == shown(12) == []


def test_a_curve_that_counts_too_few_says_so() -> None:
    # 6 of 14 men had the event by day 14; the rule shows no step before the eighth, and that is not 0 %
    frame = pl.DataFrame(
        {
            "time": [*range(1, 15), *range(1, 31)],
            "event": [1] * 6 + [0] * 8 + [1] * 20 + [0] * 10,
            "sex": ["M"] * 14 + ["F"] * 30,
        }
    )
    curve = sr.survival.cumulative_incidence(frame, time="time", event="event", by="sex")
    said = sr.suppress(curve, Policy.nhs_england()).sentence()
    assert "of women" in said
    assert "too few to show: men" in said
    assert "0 % of men" not in said
    points = sr.survival.at(sr.suppress(curve, Policy.nhs_england()), 3).estimates
    assert points.filter(pl.col("sex") == "M")["estimate"].to_list() == [None]


def test_inside_a_report_only_the_reports_own_policy_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    result = every_family()["prevalence"]
    monkeypatch.setenv(INSIDE_REPORT, "1")
    monkeypatch.setenv("SYMPHONY_REPORT_POLICY", Policy.sacro().title)
    assert repr(sr.suppress(result, Policy.sacro()))
    with pytest.raises(sr.DisclosureError, match="this report is made under"):
        repr(sr.suppress(result, Policy.nhs_england()))


def test_a_collapsed_table_is_not_shown_in_a_report_and_not_taken_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = sr.define_cohort(sr.example_study())
    table = cohort.follow_up(event="death")
    with pytest.raises(sr.ArgumentError, match="Pass weights='n_persons'"):
        sr.survival.kaplan_meier(table, time="time", event="event")
    patterns_ = cohort.patterns()
    monkeypatch.setenv(INSIDE_REPORT, "1")
    for look in (repr, str, lambda t: t._repr_html_(), lambda t: patterns_.to_frame()):
        with pytest.raises(sr.DisclosureError):
            look(table)


# 21 women, all joining at 0: 8 admitted at 10, 20, ... 80 days, 9 whose follow-up ends at 95, 4 followed to 365.
WOMEN = pl.DataFrame({"time": [*range(10, 90, 10), *[95] * 9, *[365] * 4], "event": [1] * 8 + [0] * 13})


def test_people_still_followed_are_the_exact_number_rounded_whatever_is_hidden() -> None:
    curve = sr.survival.kaplan_meier(WOMEN, time="time", event="event")
    # exact: 21 at 0; 19 at 30, when two have been admitted; 15 at 70; 13 at 90; 4 from 95 on, where the curve has ended
    assert sr.survival.at(curve, [0, 30, 70, 90, 120]).estimates["n_at_risk"].to_list() == [21, 19, 15, 13, 4]
    for policy in (Policy.nhs_england(), Policy.opensafely(), Policy.sacro()):
        read = sr.survival.at(sr.suppress(curve, policy), [0, 30, 70, 90, 120]).estimates
        # to the nearest five: 20, 20, 15, 15 (no admission is counted before the eighth, and yet people are fewer)
        assert read["n_at_risk"].to_list() == [20, 20, 15, 15, None]


def test_a_step_is_divided_by_everybody_whose_event_it_stands_for() -> None:
    # the eighth admission, at 80, is the first step shown, as 10 people. 14 were still followed then, but the seven
    # before stand in the same step: of 21, shown as 20, so 10 of 20; a tenth part less or more than 8 of 21 for rounding
    shown = sr.suppress(sr.survival.kaplan_meier(WOMEN, time="time", event="event"), Policy.nhs_england()).estimates
    assert shown.select("time", "n_at_risk", "n_events", "n_censored", "estimate").rows() == [
        (80, 20, 10, 0, 0.5),
        # at 95 the exact number falls from 13 to 4: the curve ends at the round time before, 90, and lets everybody go
        (90, 15, 0, 15, 0.5),
    ]


def test_a_released_curve_begins_with_its_rounded_size_and_ends_with_the_exact_number() -> None:
    # 40 men, five of whom leave each month otherwise; never an event. 8 or more until the seventh month.
    men = pl.DataFrame({"time": [m for m in range(1, 9) for _ in range(5)], "event": [0] * 40})
    curve = sr.suppress(sr.survival.kaplan_meier(men, time="time", event="event"), Policy.nhs_england())
    assert sr.survival.at(curve, range(9)).estimates["n_at_risk"].to_list() == [40, 40, 35, 30, 25, 20, 15, 10, None]


def test_a_disclosed_curve_is_not_read_from_day_to_day() -> None:
    curve = sr.suppress(sr.survival.kaplan_meier(WOMEN, time="time", event="event"), Policy.nhs_england())
    with pytest.raises(sr.ArgumentError, match="40 times at most"):
        sr.survival.at(curve, range(365))


def test_a_mean_of_a_few_contacts_is_hidden() -> None:
    # one admission among nine people: a mean of 0.11 beside "10 people" would say so
    rows = [(True, False, 1.0)] + [(True, False, 0.0)] * 8 + [(False, True, 2.0)] * 9 + [(False, False, 0.0)] * 20
    frame = pl.DataFrame(rows, schema=["a", "b", "admissions"], orient="row")
    found = sr.multimorbidity.combinations(
        sr.Patterns.from_wide(frame, conditions=["a", "b"], values="admissions"), min_size=1
    )
    safe = {
        row["combination"][0]: row for row in sr.suppress(found, Policy.nhs_england()).estimates.iter_rows(named=True)
    }
    assert (safe["a"]["n_persons"], safe["a"]["mean_admissions"], safe["a"]["total_admissions"]) == (10, None, None)
    # eighteen admissions may be told of
    assert safe["b"]["mean_admissions"] == 2.0


def test_a_stratum_of_few_shows_no_noughts() -> None:
    # one woman with a and c: her stratum hidden, stars for what she has and noughts for b would be her record
    rows = [("F", True, False, True)] + [("M", k % 2 == 0, k % 3 == 0, k % 4 == 0) for k in range(400)]
    table = sr.Patterns.from_wide(
        pl.DataFrame(rows, schema=["sex", "a", "b", "c"], orient="row"), conditions=["a", "b", "c"], by="sex"
    )
    for result in (
        sr.networks.cooccurrence(table),
        sr.multimorbidity.prevalence(table),
        sr.multimorbidity.condition_count(table),
        sr.multimorbidity.further_conditions(table),
        sr.multimorbidity.combinations(table, kind="at_least", min_size=1),
    ):
        safe = sr.suppress(result, Policy.nhs_england())
        for name, rule in safe.counts.items():
            own = safe.count_tables[name].filter(pl.col("sex") == "F").select(rule.columns)
            assert own.null_count().row(0) == (own.height,) * own.width, (result.title, name)


def test_a_factor_beside_nought_or_a_hidden_margin_is_not_told() -> None:
    # 3 people with a, none of them with b: by how far age changes what is expected of both says in which age they are
    rows = [("old", True, False)] * 3 + [("old", False, True)] * 60 + [("young", False, True)] * 20
    rows += [(age, False, False) for age in ("old", "young") for _ in range(200)]
    table = sr.Patterns.from_wide(
        pl.DataFrame(rows, schema=["age_band", "a", "b"], orient="row"), conditions=["a", "b"], by="age_band"
    )
    pair = sr.networks.cooccurrence(table, adjust="age_band")
    assert pair.count_tables["pairs"]["expected_factor"].null_count() == 0
    safe = sr.suppress(pair, Policy.nhs_england())
    factors = [name for name in safe.count_tables["pairs"].columns if name.endswith("_factor")]
    assert safe.count_tables["pairs"].select(factors).null_count().row(0) == (1,) * len(factors) == (1,) * 5
