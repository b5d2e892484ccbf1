"""What is hidden stays hidden beside everything that is shown: secondary suppression, by hand and by enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from scipy.optimize import LinearConstraint, milp

import symphony_research as sr
from symphony_research.disclosure import gate, secondary
from symphony_research.disclosure.published import interval_of
from symphony_research.policy import Policy

NHS, OPEN, SACRO = Policy.nhs_england(), Policy.opensafely(), Policy.sacro()


def of_asthma(with_it: int, without: int) -> sr.Patterns:
    return sr.Patterns.from_wide(pl.DataFrame({"asthma": [1] * with_it + [0] * without}), conditions=["asthma"])


def possible(policy: Policy, hidden: sr.Result, *others: sr.Result) -> set[int]:
    """Enumerate: what may the people with asthma be, by every count of these results, for one condition."""
    shown: list[tuple[str, float | None, bool]] = []
    for result in (hidden, *others):
        protected = result.disclosure.protected
        for name, rule in result.counts.items():
            for column in rule.columns:
                for row, value in enumerate(result.count_tables[name][column]):
                    what = "all" if name == "population" else "with"
                    if rule.people == "number":
                        what = "without" if result.count_tables[name]["n_conditions"][row] == 0 else "with"
                    shown.append((what, value, (name, row, column) in protected))
    found = set()
    for k, rest in itertools.product(range(policy.threshold + 1), range(400)):
        number = {"all": k + rest, "with": k, "without": rest}
        ends = [(number[what], *interval_of(policy, value, protected=guarded)) for what, value, guarded in shown]
        if all(low <= n <= high for n, low, high in ends):
            found.add(k)
    return found


@pytest.mark.parametrize("policy", [NHS, OPEN, SACRO], ids=lambda p: p.name)
@pytest.mark.parametrize(("few", "rest"), [(3, 177), (1, 178), (6, 172), (7, 173), (2, 8), (5, 9), (4, 63), (1, 12)])
def test_a_total_beside_its_parts_gives_no_part_away(policy: Policy, few: int, rest: int) -> None:
    # 1 of 179: 180 - 180, each within two, leaves one to four; 6 of 178: 180 - 170 leaves six and seven
    patterns = of_asthma(few, rest)
    count = sr.suppress(sr.multimorbidity.condition_count(patterns), policy)
    share = sr.suppress(sr.multimorbidity.prevalence(patterns), policy, beside=[count])
    least = 0 if policy.hide_zeros else 1
    assert possible(policy, count, share) == set(range(least, policy.threshold + 1))


def test_acros_own_fault_does_not_happen_here() -> None:
    # 180 people, 3 hidden: ACRO's total without them was 177, beside a table of the same people that said 180
    patterns = of_asthma(3, 177)
    count = sr.suppress(sr.multimorbidity.condition_count(patterns), SACRO)
    share = sr.suppress(sr.multimorbidity.prevalence(patterns), SACRO, beside=[count])
    told = f"{count} {share} {count.sentence()} {share.sentence()} {count._repr_html_()} {share._repr_html_()}"
    assert "177" not in told
    assert not sr.check_differencing([count, share])


def test_without_it_the_hidden_count_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "protect", lambda own, beside=(): secondary.Protection())
    patterns = of_asthma(6, 172)
    count = sr.suppress(sr.multimorbidity.condition_count(patterns), NHS)
    assert possible(NHS, count) == {6, 7}


def test_what_stands_beside_is_never_changed_and_must_be_disclosed_alike() -> None:
    patterns = of_asthma(6, 172)
    exact = sr.multimorbidity.prevalence(patterns)
    for other in (exact, sr.suppress(exact, OPEN)):
        with pytest.raises(sr.DisclosureError, match="same policy"):
            sr.suppress(sr.multimorbidity.condition_count(patterns), NHS, beside=[other])
    with pytest.raises(sr.ArgumentError, match="disclosed results"):
        sr.suppress(exact, NHS, beside=["a table"])  # type: ignore[list-item]


def small(seed: int) -> sr.Patterns:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({c: rng.random(120) < p for c, p in (("asthma", 0.05), ("copd", 0.2), ("stroke", 0.5))})
    return sr.Patterns.from_wide(frame.with_columns(pl.all().cast(pl.Int8)), conditions=frame.columns)


@pytest.mark.parametrize("seed", range(20))
def test_every_number_of_every_hidden_count_is_that_of_some_people(seed: int) -> None:
    """An independent check on small tables: the eight sets of three conditions, written out, and people for each number."""
    patterns = small(seed)
    released = [sr.suppress(sr.multimorbidity.condition_count(patterns), NHS)]
    released.append(sr.suppress(sr.multimorbidity.prevalence(patterns), NHS, beside=released))
    released.append(sr.suppress(sr.networks.cooccurrence(patterns), NHS, beside=released))
    sets = list(itertools.product((0, 1), repeat=3))
    held = {s: 0 for s in sets}
    for row in patterns.to_frame().iter_rows(named=True):
        held[tuple(int(c in row["combination"]) for c in patterns.conditions)] += row["n_persons"]
    counted = []
    for result in released:
        for name, rule in result.counts.items():
            table = result.count_tables[name]
            for at, record in enumerate(table.iter_rows(named=True)):
                for column in rule.columns:
                    ends = interval_of(NHS, record[column], protected=(name, at, column) in result.disclosure.protected)
                    counted.append(
                        (np.array([_in(record, s, patterns.conditions) for s in sets]), *ends, record[column])
                    )
    matrix = np.array([c[0] for c in counted])
    low, high = np.array([c[1] for c in counted]), np.array([c[2] for c in counted])
    if any(result.disclosure.exposed for result in released):
        # earlier outputs left no room: then it is said, and the set is refused
        assert [finding.kind for finding in sr.check_differencing(released)] == ["reckoned"]
        return
    stars = [k for k, c in enumerate(counted) if c[3] is None and c[2] == 7]
    everybody = np.array([held[s] for s in sets])
    assert ((matrix @ everybody >= low) & (matrix @ everybody <= high)).all()
    for k, number in itertools.product(stars, range(1, 8)):
        so_many = low.copy(), high.copy()
        for ends in so_many:
            ends[k] = number
        found = milp(
            np.zeros(len(sets)), integrality=np.ones(len(sets)), constraints=LinearConstraint(matrix, *so_many)
        )
        assert found.status == 0, f"a hidden count cannot be {number}"


def _in(record: dict[str, object], held: tuple[int, ...], conditions: tuple[str, ...]) -> int:
    if "n_conditions" in record:
        return int(sum(held) == record["n_conditions"])
    wanted = [record[c] for c in ("condition", "source", "target") if c in record]
    return int(all(held[conditions.index(c)] for c in wanted))  # type: ignore[arg-type]


def test_a_table_of_49_conditions_is_searched_by_bounds_and_a_larger_one_is_rounded_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    patterns = sr.define_cohort(sr.example_study()).patterns()
    count = sr.suppress(sr.multimorbidity.condition_count(patterns), NHS)
    assert count.disclosure.method == "bounds"
    pairs = sr.networks.cooccurrence(patterns)
    assert sr.suppress(pairs, NHS).disclosure.method == "bounds"
    monkeypatch.setattr(secondary, "MOST_STARS", 100)
    assert sr.suppress(pairs, NHS).disclosure.method == "rounding alone"  # 1,176 pairs, most of a few people


def test_means_that_one_or_two_people_dominate_are_hidden() -> None:
    # ten people with asthma: nine cost 10 pounds and one 10,000, so one has 99 % of the sum; with stroke ten cost 100 each
    frame = pl.DataFrame(
        {
            "asthma": [1] * 10 + [0] * 60,
            "stroke": [0] * 10 + [1] * 10 + [0] * 50,
            "cost": [10] * 9 + [10_000] + [100] * 60,
        }
    )
    patterns = sr.Patterns.from_wide(frame, conditions=["asthma", "stroke"], values=("cost",))
    found = sr.multimorbidity.combinations(patterns, kind="at_least", min_size=1)
    for policy in (NHS, OPEN, SACRO):
        released = sr.suppress(found, policy).estimates
        means = dict(zip(released["combination"].list.join(" "), released["mean_cost"], strict=True))
        assert means["asthma"] is None
        assert means["stroke"] == 100
    # the bound is that of Cauchy and Schwarz: ten equal values have a Herfindahl index of one tenth
    frame = pl.DataFrame({"h": [0.1, 0.4, 0.405, 0.41, None]})
    assert frame.select(NHS.spread_wide_enough("h"))["h"].to_list() == [True, True, False, False, True]


def test_most_small_studies_need_no_refusal() -> None:
    refused = 0
    for seed in range(20):
        patterns, released = small(seed), []
        for made in (sr.multimorbidity.condition_count, sr.multimorbidity.prevalence, sr.networks.cooccurrence):
            released.append(sr.suppress(made(patterns), NHS, beside=released))
        refused += any(result.disclosure.exposed for result in released)
    assert refused <= 5
