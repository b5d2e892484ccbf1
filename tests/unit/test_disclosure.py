"""The gate: what `suppress` suppresses, rounds and derives again; and that each defence is needed."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.disclosure import control, primary
from symphony_research.disclosure.secondary import Protection
from symphony_research.networks.association import FACTORS, LEVEL, SPREADS
from symphony_research.networks.compare import NetworkComparison
from symphony_research.policy import LEVELS, Policy
from symphony_research.result import not_available
from symphony_research.result.mode import report_mode
from symphony_research.result.roles import (
    Adjustment,
    Internal,
    Known,
    Level,
    Mean,
    ModelEstimate,
    Quantile,
    TableRoles,
)
from symphony_research.result.session import ReleaseSession
from symphony_research.survival import grid as grids

NHS, OPEN, SACRO = Policy.nhs_england(), Policy.opensafely(), Policy.sacro()
POLICIES = [NHS, OPEN, SACRO]
CONDITIONS = ["asthma", "cancer", "copd", "diabetes", "stroke"]
# stated here again, not read from the library: 30-day months of the first year, then half-years of 365 days
GRID_OF_DAYS = {*range(0, 331, 30), 365}


def patterns(
    seed: int = 1, people: int = 700, by: tuple[str, ...] = ("sex",), rare: tuple[str, ...] = (), few: int = 5
) -> sr.Patterns:
    rng = np.random.default_rng(seed)
    frail = rng.gamma(1.0, 1.0, people)
    held = {c: rng.random(people) < 1 - np.exp(-(0.05 + 0.07 * k) * frail) for k, c in enumerate(CONDITIONS)}
    held |= {name: np.isin(np.arange(people), rng.choice(people, few, replace=False)) for name in rare}
    frame = pl.DataFrame(
        {**held, "sex": rng.choice(["F", "M"], people), "cost": np.round(rng.gamma(0.5, 2000, people), 2)}
    )
    return sr.Patterns.from_wide(frame, conditions=[*CONDITIONS, *rare], by=by, values=("cost",))


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


@functools.cache
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
        "costs": sr.multimorbidity.cost_interaction(table, adjust="sex", min_persons=1),
        "further": sr.multimorbidity.comorbidity_count(table),
        "comorbidity_profile": sr.multimorbidity.comorbidity_profile(table, condition="stroke", adjust="sex"),
        "cooccurrence": sr.networks.cooccurrence(table),
        "cooccurrence, adjusted": sr.networks.cooccurrence(table, adjust="sex"),
        "sequences": sr.networks.sequences(onsets(seed)[0], persons=onsets(seed)[1], birth_years=5, min_persons=1),
        "comparison": sr.networks.compare(
            patterns(seed, rare=("scabies",)), patterns(seed + 10, 900, rare=("scabies",), few=400), permutations=99
        ),
        "kaplan_meier": sr.survival.kaplan_meier(died, time="time", event="event", by="sex", time_unit="days"),
        "incidence": sr.survival.cumulative_incidence(followed, time="time", event="event", by="sex", time_unit="days"),
        "logrank": sr.survival.logrank_test(died, time="time", event="event", by="sex", time_unit="days"),
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


@pytest.mark.parametrize("policy", [Policy.nhs_england(), Policy.sacro(threshold=12), Policy.opensafely(rounding=10)])
def test_one_count_is_shown_as_a_column_of_them_is(policy: Policy) -> None:
    frame = pl.DataFrame({"n": range(60)}, schema={"n": pl.Int64})
    assert frame.select(policy.rounded("n"))["n"].to_list() == [policy.shown(n) for n in range(60)]


def test_a_level_is_part_of_what_a_rule_is_called_and_keeps_its_settings() -> None:
    own = Policy.nhs_england(threshold=10)
    assert own.at_level("default") is own
    assert own.at_level("strict") == Policy.nhs_england(threshold=10, level="strict")
    assert len({own.at_level(level).title for level in LEVELS}) == len(LEVELS)
    with pytest.raises(sr.ArgumentError, match="of nhs_england alone"):
        Policy.sacro().at_level("rule_text")
    with pytest.raises(sr.ArgumentError, match="changes nothing"):
        Policy.synthetic().at_level("strict")


def leak_of_times(released: sr.Result) -> str | None:
    """Search a released curve for times that are not fixed beforehand."""
    if "grid" in released.count_tables and not set(released.count_tables["grid"]["time"]) <= GRID_OF_DAYS:
        return "a time tells when somebody left"
    return None


def leak_beside(table: pl.DataFrame, roles: TableRoles) -> str | None:
    """Search what stands beside counts: gone where one of them is suppressed, of few figures where none is."""
    counts = [pl.col(c).is_null() for c in roles.people]
    suppressed = table.select(pl.any_horizontal([pl.lit(False), *counts])).to_series()
    for column, role in roles.columns.items():
        if column not in table.columns:
            continue
        shown = table[column].drop_nulls()
        if isinstance(role, Internal) and len(shown):
            return f"{column} is for disclosure control alone"
        if not isinstance(role, (Mean, Adjustment, ModelEstimate, Level, Quantile)):
            continue
        if (table[column].is_not_null() & suppressed).any():
            return f"{column} stands beside a suppressed count"
        if isinstance(role, Level) and not set(shown) <= set(role.levels):
            return f"{column} from exact counts is told to the last permutation"
        if isinstance(role, (Mean, Adjustment)) and (shown != shown.round_sig_figs(3)).any():
            return f"{column} is exact"
    return None


def leak_beside_margins(released: sr.Result) -> str | None:
    """Search a comparison for a p value of a pair one of whose conditions is suppressed in a group."""
    if not isinstance(released, NetworkComparison):
        return None
    margins = released.count_tables["margins"]
    gone = margins.filter(pl.any_horizontal(pl.col("n_persons_a", "n_persons_b").is_null()))
    pairs = released.count_tables["pairs"].filter(pl.col("p_value").is_not_null())
    for row in pairs.iter_rows(named=True):
        stratum = [pl.col(c) == row[c] for c in released.by]
        if gone.filter([*stratum, pl.col("condition").is_in([row["source"], row["target"]])]).height:
            return "a p value stands behind a suppressed margin"
    return None


def leak(result: sr.Result, released: sr.Result, policy: Policy) -> str | None:
    """Search a released result for anything the policy suppresses; say what was found."""
    for name, table in released.count_tables.items():
        roles = released.roles[name]
        for column in roles.people:
            values = table[column]
            if values.is_between(0 if policy.hide_zeros else 1, policy.threshold).any():
                return f"{name}.{column} shows a small count"
            if (values.drop_nulls() % policy.rounding != 0).any():
                return f"{name}.{column} shows an exact count"
        beside = leak_beside(table, roles)
        if beside:
            return beside
    again = released.derive(released.count_tables, released.settings, released.by)
    if not released.estimates.equals(again):
        return "an estimate does not follow from the released counts"
    return leak_of_times(released) or leak_beside_margins(released)


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
    assert sr.suppress([once], policy, beside=[once])[0] is once


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


def test_figures_that_count_nobody_of_a_study_pass_any_policy() -> None:
    projected = sr.demography.project_south_somerset(end=2012)
    own = sr.multimorbidity.prevalence(sr.define_cohort(sr.example_study()).patterns())
    gone = not_available("The study has no beds", "the number of beds")
    for policy in (Policy.nhs_england(), Policy.opensafely(), Policy.sacro(), Policy.synthetic()):
        people, _, nothing = sr.suppress([projected, own, gone], policy)
        assert people.estimates.equals(projected.estimates)
        assert nothing.sentence() == gone.sentence()
    # nor is a source enough where a study's fingerprint stands beside it, or a role counts people
    of_a_study = dataclasses.replace(
        projected, settings={**projected.settings, "study": "Hospital", "fingerprint": "abc"}
    )
    unsourced = dataclasses.replace(projected, settings={**projected.settings, "published": None})
    for refused in (of_a_study, unsourced, every_family()["prevalence"]):
        with pytest.raises(sr.DisclosureError, match="generated data alone"):
            sr.suppress([projected, refused], Policy.synthetic())


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


def test_a_share_is_of_everybody_as_they_are_shown() -> None:
    # 180 people beside a suppressed 3: 177 exactly would give it away. 177 is shown as 175, of 180 people
    frame = pl.DataFrame({"asthma": [0] * 177 + [1] * 3})
    count = sr.suppress(
        sr.multimorbidity.condition_count(sr.Patterns.from_wide(frame, conditions=["asthma"])), Policy.opensafely()
    )
    assert count.estimates["n_persons"].to_list() == [175, None]
    assert count.count_tables["population"]["n_persons"].to_list() == [180]
    assert count.estimates["estimate"].to_list() == [175 / 180, None]


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


def few_and_many() -> sr.Result:
    """34 in one arm and 6 in the other, one leaving each day, every second with the event."""
    frame = pl.DataFrame({"time": list(range(1, 41)), "event": [1, 0] * 20, "arm": ["a"] * 34 + ["b"] * 6})
    return sr.survival.kaplan_meier(frame, time="time", event="event", by="arm", time_unit="days")


def test_a_group_of_few_has_no_curve() -> None:
    curve = sr.suppress(few_and_many(), NHS)
    # that nobody has had the event at the start follows from what a start is
    few = curve.estimates.filter(pl.col("arm") == "b", pl.col("time") > 0)
    assert (
        few.select("n_at_risk", "n_events", "n_censored", "estimate", "lower", "upper").null_count().row(0)
        == (few.height,) * 6
    )
    # in its table no zero beside the suppressed counts says what nobody of the group had
    own = curve.count_tables["grid"].filter(arm="b")
    assert own["n_persons"].null_count() == own.height
    # of 34 all are at risk at 0; by day 30 every second of the first 30 has had the event: 15, and 15 are censored up
    # to day 29 or on day 30 itself: those of even days before 30, 14
    many = curve.count_tables["grid"].filter(arm="a")
    assert many.filter(time=0, state="at risk")["n_persons"].to_list() == [35]
    assert many.filter(time=30, state="event 1")["n_persons"].to_list() in ([15], [None])


def test_both_groups_of_a_curve_have_the_same_times() -> None:
    # nobody of b, who leave on days 35 to 40, is there to say where the grid ends: all strata have the times of the longest
    curve = sr.suppress(few_and_many(), NHS).count_tables["grid"]
    assert (
        curve.filter(arm="a")["time"].unique().to_list() == curve.filter(arm="b")["time"].unique().to_list() == [0, 30]
    )


def test_a_few_events_of_a_group_are_no_count_of_a_comparison() -> None:
    # Two of thirty in one arm and fifteen in the other, until day 30: 2 is suppressed, 15 is a multiple of five
    frame = pl.DataFrame(
        {"time": list(range(1, 31)) * 2, "event": [1, 1] + [0] * 28 + [1, 0] * 15, "arm": ["a"] * 30 + ["b"] * 30}
    )
    test = sr.survival.logrank_test(frame, time="time", event="event", by="arm", time_unit="days")
    shown = sr.suppress(test, OPEN).groups
    assert shown.select("arm", "n_persons", "observed").rows() == [("a", 30, None), ("b", 30, 15)]


@pytest.mark.parametrize(
    ("policy", "weaker"),
    [
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


def keep_estimates(self: sr.Result, tables: Mapping[str, Any], record: object, **settings: object) -> sr.Result:
    """A mutant that releases the exact estimates beside rounded counts."""
    made = dataclasses.replace(self, count_tables=tables, disclosure=record, settings={**self.settings, **settings})
    object.__setattr__(made, "_derived", self._derived)
    return made


def as_known(kind: type) -> Callable[[pytest.MonkeyPatch], None]:
    """A mutant that passes columns of one role as they are."""

    def release(table: pl.DataFrame, roles: TableRoles, policy: Policy) -> pl.DataFrame:
        columns = {name: Known() if isinstance(role, kind) else role for name, role in roles.columns.items()}
        return ORIGINAL_DRAFTED(table, TableRoles(columns, roles.counts), policy)

    return lambda m: m.setattr(control, "drafted", release)


def every_day(unit: str | None, until: float, grid: object = None) -> list[float]:
    return [float(day) for day in range(int(until) + 1)]


def of_round_counts_alone(tables: Mapping[str, pl.DataFrame], result: sr.Result, places: frozenset) -> dict:
    """A mutant that blanks counts and leaves what describes their people."""
    blanked = ORIGINAL_BLANK(tables, result, places)
    described = (Mean, Adjustment, ModelEstimate, Level, Quantile)
    return {
        name: table.with_columns(
            tables[name][c] for c in result.roles[name].of_role(*described) if c in tables[name].columns
        )
        for name, table in blanked.items()
    }


ORIGINAL_DRAFTED, ORIGINAL_BLANK = primary.drafted, primary.blank
MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "counts are not rounded": lambda m: m.setattr(Policy, "rounded", exact_rounding),
    "small counts are not suppressed": lambda m: m.setattr(Policy, "hides", no_hiding),
    "curves step on every day": lambda m: m.setattr(grids, "grid_of", every_day),
    "estimates are not derived again": lambda m: m.setattr(sr.Result, "disclosed", keep_estimates),
    "means pass as they are": as_known(Mean),
    "adjustments pass as they are": as_known(Adjustment),
    "p values of permutations pass as they are": as_known(Level),
    "what is internal passes": as_known(Internal),
    "p values stay behind suppressed margins": lambda m: m.setattr(NetworkComparison, "trim", staticmethod(lambda t, s, b: t)),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_every_defence_is_needed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any one defence removed, the search above finds a leak in some family."""
    MUTANTS[name](monkeypatch)
    # which has tests of its own, and would hide more here
    monkeypatch.setattr(control, "protect_or_withhold", lambda own, *given: (own, Protection()))
    found = [
        leak(result, sr.suppress(result, policy), policy)
        for policy in POLICIES
        for seed in (1, 2)
        for result in every_family(seed).values()
    ]
    assert any(found), f"removing the defence went unnoticed: {name}"


@pytest.mark.parametrize("policy", POLICIES, ids=lambda p: p.name)
def test_what_describes_people_goes_with_their_count(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    # means of counts that are suppressed to protect others go with them; without that they would be found
    results = lambda: [every_family()[name] for name in ("at_least", "exact", "costs", "further")]  # noqa: E731
    assert not any(leak(one, done, policy) for one, done in zip(results(), sr.suppress(results(), policy), strict=True))
    monkeypatch.setattr(control, "blank", of_round_counts_alone)
    assert any(leak(one, done, policy) for one, done in zip(results(), sr.suppress(results(), policy), strict=True))


@pytest.mark.parametrize("family", sorted(every_family()))
def test_inside_a_report_nothing_undisclosed_shows_itself(family: str) -> None:
    result = every_family()[family]
    assert "not for release" in repr(result)
    assert "not for release" in result._repr_html_()
    released = sr.suppress(result, Policy.nhs_england())
    looks = (repr, str, lambda r: f"{r}", lambda r: r._repr_html_(), lambda r: r.estimates, lambda r: r.sentence())
    with report_mode():
        for look in looks:
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
    # 6 of 14 men had the event by day 14, and all men have left by day 30: no share of men is shown, and that is not 0%
    frame = pl.DataFrame(
        {
            "time": [*range(1, 15), *range(1, 31)],
            "event": [1] * 6 + [0] * 8 + [1] * 20 + [0] * 10,
            "sex": ["M"] * 14 + ["F"] * 30,
        }
    )
    curve = sr.survival.cumulative_incidence(frame, time="time", event="event", by="sex", time_unit="days")
    released = sr.suppress(curve, NHS)
    men = released.estimates.filter((pl.col("sex") == "M") & (pl.col("time") == 30))
    assert men["n_events"].to_list() == [None]
    assert men["estimate"].to_list() == [None]
    said = released.sentence()
    assert "0% of men" not in said
    assert "0% of men" not in said


def test_inside_a_report_only_the_reports_own_policy_will_do() -> None:
    result = every_family()["prevalence"]
    with report_mode(SACRO.title):
        assert repr(sr.suppress(result, SACRO))
        with pytest.raises(sr.DisclosureError, match="this report is made under"):
            repr(sr.suppress(result, NHS))


def test_inside_a_report_only_what_it_released_itself_is_shown() -> None:
    result = every_family()["prevalence"]
    own = sr.suppress(result, NHS, session=ReleaseSession("this report"))
    others = sr.suppress(result, NHS, session=ReleaseSession("another report"))
    with report_mode(NHS.title, session_name="this report"):
        assert repr(own)
        for other in (others, sr.suppress(result, NHS)):
            with pytest.raises(sr.DisclosureError, match="this report has not released"):
                repr(other)


def test_no_environment_variable_makes_or_unmakes_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    result = every_family()["prevalence"]
    for name in ("SYMPHONY_INSIDE_REPORT", "SYMPHONY_REPORT_POLICY", "SYMPHONY_CONFIDENTIAL"):
        monkeypatch.setenv(name, "1")
    assert repr(result)
    with report_mode():
        for name in ("SYMPHONY_INSIDE_REPORT", "SYMPHONY_REPORT_POLICY", "SYMPHONY_CONFIDENTIAL"):
            monkeypatch.setenv(name, "")
        with pytest.raises(sr.DisclosureError):
            repr(result)


def test_a_collapsed_table_is_not_shown_in_a_report_and_not_taken_for_people() -> None:
    cohort = sr.define_cohort(sr.example_study())
    table = cohort.follow_up(event="death")
    # it knows its own weights, so its rows are never taken for people
    counted = sr.survival.kaplan_meier(table, time="time", event="event").estimates["n_at_risk"][0]
    assert counted == table.to_frame()["n_persons"].sum()
    patterns_ = cohort.patterns()
    with report_mode():
        for look in (repr, str, lambda t: t._repr_html_(), lambda t: patterns_.to_frame()):
            with pytest.raises(sr.DisclosureError):
                look(table)


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
    # one woman with a and c: her stratum suppressed, stars for what she has and zeros for b would be her record
    rows = [("F", True, False, True)] + [("M", k % 2 == 0, k % 3 == 0, k % 4 == 0) for k in range(400)]
    table = sr.Patterns.from_wide(
        pl.DataFrame(rows, schema=["sex", "a", "b", "c"], orient="row"), conditions=["a", "b", "c"], by="sex"
    )
    for result in (
        sr.networks.cooccurrence(table),
        sr.multimorbidity.prevalence(table),
        sr.multimorbidity.condition_count(table),
        sr.multimorbidity.comorbidity_count(table),
        sr.multimorbidity.combinations(table, kind="at_least", min_size=1),
    ):
        safe = sr.suppress(result, Policy.nhs_england())
        for name, table in safe.count_tables.items():
            own = table.filter(pl.col("sex") == "F").select(safe.roles[name].people)
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
    factors = [*FACTORS, *SPREADS, LEVEL, "p_value", "q_value"]
    assert safe.count_tables["pairs"].select(factors).null_count().row(0) == (1,) * len(factors)
