"""What is suppressed stays so beside everything that is shown: secondary suppression, by hand and by enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

import symphony_research as sr
from symphony_research import show
from symphony_research.disclosure import beside, control, search, secondary, system
from symphony_research.disclosure.outputs import released_output, whose
from symphony_research.disclosure.release_record import what_was_done
from symphony_research.policy import Policy, policy_named
from symphony_research.result import Provenance
from symphony_research.show.gate import provenance

NHS, OPEN, SACRO = Policy.nhs_england(), Policy.opensafely(), Policy.sacro()
STRICT = [Policy.nhs_england(level="strict"), Policy.opensafely(level="strict"), Policy.sacro(level="strict")]


def of_asthma(with_it: int, without: int) -> sr.Patterns:
    return sr.Patterns.from_wide(pl.DataFrame({"asthma": [1] * with_it + [0] * without}), conditions=["asthma"])


def ends_of(policy: Policy, value: int | None, *, protects: bool) -> tuple[float, float]:
    """Between which numbers a count lies by what stands for it, stated here again: rounding to the nearest, half up."""
    if value is None:
        least = 0 if policy.hide_zeros else 1
        return (policy.threshold + 1, np.inf) if protects else (least, policy.threshold)
    if value == 0:
        return 0, 0
    half = policy.rounding // 2
    return max(value - half, policy.threshold + 1), value + policy.rounding - 1 - half


def counts_of(result: sr.Result) -> list[tuple[dict[str, object], str, int | None, bool]]:
    """Every count of a released result: its row, its table, what is shown, and whether it is suppressed to protect others."""
    return [
        (record, name, record[column], (name, at, column) in result.disclosure.secondary | result.disclosure.withheld)
        for name, table in result.count_tables.items()
        for at, record in enumerate(table.iter_rows(named=True))
        for column in result.roles[name].people
    ]


def possible(policy: Policy, *released: sr.Result) -> set[int]:
    """Enumerate: what may the people with asthma be, by every count of these results, for one condition."""
    shown = []
    for record, name, value, protects in itertools.chain.from_iterable(counts_of(one) for one in released):
        what = "all" if name == "population" else "without" if record.get("n_conditions") == 0 else "with"
        shown.append((what, *ends_of(policy, value, protects=protects)))
    found = set()
    for k, rest in itertools.product(range(policy.threshold + 1), range(400)):
        number = {"all": k + rest, "with": k, "without": rest}
        if all(low <= number[what] <= high for what, low, high in shown):
            found.add(k)
    return found


@pytest.mark.parametrize("policy", [NHS, OPEN, SACRO, *STRICT], ids=lambda p: f"{p.name}-{p.level}")
@pytest.mark.parametrize(("few", "rest"), [(3, 177), (1, 178), (6, 172), (7, 173), (2, 8), (5, 9), (4, 63), (1, 12)])
def test_a_total_beside_its_parts_gives_no_part_away(policy: Policy, few: int, rest: int) -> None:
    # 1 of 179: 180 - 180, each within two, leaves one to four; 6 of 178: 180 - 170 leaves six and seven
    patterns = of_asthma(few, rest)
    count = sr.suppress(sr.multimorbidity.condition_count(patterns), policy)
    share = sr.suppress(sr.multimorbidity.prevalence(patterns), policy, beside=[count])
    every = set(range(0 if policy.hide_zeros else 1, policy.threshold + 1))
    left = possible(policy, count, share)
    assert few in left <= every
    if policy.level == "default":
        assert len(left) >= 5
    elif policy.hide_zeros and rest <= policy.threshold < few + rest:
        # both parts are marked as nine at most, and the total as more than nine, whether it is shown or suppressed to
        # protect them: so neither is zero. The marks say so by themselves, no suppression cures it, and no earlier
        # output is to blame
        assert left == every - {0}
        assert not count.disclosure.n_inferable
    else:
        assert left == every
        assert not count.disclosure.n_inferable


@pytest.mark.parametrize("few", range(1, 8))
def test_the_text_of_the_rule_asks_for_no_more_than_it_says(few: int) -> None:
    # by the rule's text small counts are suppressed and the rest rounded, whatever they tell together
    literal = Policy.nhs_england(level="rule_text")
    for rest in range(170, 175):
        count = sr.suppress(sr.multimorbidity.condition_count(of_asthma(few, rest)), literal)
        without = int(np.floor((rest + 2.5) / 5) * 5)
        assert count.count_tables["cells"]["n_persons"].to_list() == [without, None]
        assert count.count_tables["population"]["n_persons"].to_list() == [int(np.floor((few + rest + 2.5) / 5) * 5)]
        assert not count.disclosure.secondary
    with pytest.raises(sr.ArgumentError, match="of nhs_england alone"):
        Policy.opensafely(level="rule_text")


def test_acros_own_fault_does_not_happen_here() -> None:
    # 180 people, 3 suppressed: ACRO's total without them was 177, beside a table of the same people that said 180
    patterns = of_asthma(3, 177)
    count = sr.suppress(sr.multimorbidity.condition_count(patterns), SACRO)
    share = sr.suppress(sr.multimorbidity.prevalence(patterns), SACRO, beside=[count])
    told = f"{count} {share} {count.sentence()} {share.sentence()} {count._repr_html_()} {share._repr_html_()}"
    assert "177" not in told
    assert not sr.check_differencing([count, share])


def test_without_it_the_suppressed_count_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "protect_or_withhold", lambda own, *given: (own, secondary.Protection()))
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


THREE = (sr.multimorbidity.condition_count, sr.multimorbidity.prevalence, sr.networks.cooccurrence)


@pytest.mark.parametrize("level", ["default", "strict"])
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_every_suppressed_count_keeps_its_possible_numbers(seed: int, together: bool, level: str) -> None:
    """An independent check on small tables: the eight sets of three conditions, written out, and people for each number.

    Whoever attacks is given which suppressed counts are small. Where that alone, with nothing shown, leaves fewer
    numbers than are asked for, as many as it leaves must stay.
    """
    patterns, policy = small(seed), Policy.nhs_england(level=level)
    released: list[sr.Result] = []
    if together:
        released = list(sr.suppress([make(patterns) for make in THREE], policy))
        assert not any(result.disclosure.n_inferable for result in released)
    for make in () if together else THREE:
        released.append(sr.suppress(make(patterns), policy, beside=released))
    if any(result.disclosure.n_inferable for result in released):
        # earlier outputs left no room: then it is said, and the set is refused
        assert [finding.kind for finding in sr.check_differencing(released)] == ["inferable"]
        return
    sets = list(itertools.product((0, 1), repeat=3))
    held = {s: 0 for s in sets}
    for row in patterns.to_frame().iter_rows(named=True):
        held[tuple(int(c in row["combination"]) for c in patterns.conditions)] += row["n_persons"]
    # what earlier outputs leave no room for is withheld whole, and says nothing of any count
    counted = [one for result in released if not result.holds_nothing for one in counts_of(result)]
    matrix = np.array([[_in(record, s, patterns.conditions) for s in sets] for record, *_ in counted])
    ends = [ends_of(policy, value, protects=protects) for _, _, value, protects in counted]
    low, high = (np.array(end, float) for end in zip(*ends, strict=True))
    # the numbers of conditions end at the last that anybody has: nobody has more, which is a zero like any that is shown
    last = max(record["n_conditions"] for record, *_ in counted if "n_conditions" in record)
    matrix = np.vstack([matrix, [sum(s) > last for s in sets]])
    low, high = np.append(low, 0.0), np.append(high, 0.0)
    everybody = np.array([held[s] for s in sets])
    assert ((matrix @ everybody >= low) & (matrix @ everybody <= high)).all()
    small_ones = np.array([*(value is None and not protects for _, _, value, protects in counted), False])
    # a zero is zero, and every other count that is not small is above the threshold, shown or not
    zeros = np.array([*(value == 0 for _, _, value, _ in counted), True])
    by_flags = (
        np.where(small_ones, low, np.where(zeros, 0, policy.threshold + 1)),
        np.where(small_ones, high, np.where(zeros, 0, np.inf)),
    )

    def numbers(k: int, ends: tuple[np.ndarray, np.ndarray], among: range) -> int:
        return sum(_feasible(matrix, _at(ends[0], k, n), _at(ends[1], k, n)) for n in among)

    for k, (_, _, value, protects) in enumerate(counted):
        if value is not None:
            continue
        if protects:
            assert numbers(k, (low, high), range(8, 121)) >= 5
        else:
            asked = 7 if level == "strict" else 5
            left = numbers(k, (low, high), range(1, 8))
            assert left >= min(asked, numbers(k, by_flags, range(1, 8)))


def _at(ends: np.ndarray, k: int, number: int) -> np.ndarray:
    fixed = ends.copy()
    fixed[k] = number
    return fixed


def _feasible(matrix: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    n = matrix.shape[1]
    return milp(np.zeros(n), integrality=np.ones(n), constraints=LinearConstraint(matrix, low, high)).status == 0


def _in(record: dict[str, object], held: tuple[int, ...], conditions: tuple[str, ...]) -> int:
    if "n_conditions" in record:
        return int(sum(held) == record["n_conditions"])
    wanted = [record[c] for c in ("condition", "source", "target") if c in record]
    return int(all(held[conditions.index(c)] for c in wanted))  # type: ignore[arg-type]


def test_a_table_of_49_conditions_is_searched_by_bounds_and_few_conditions_in_integers() -> None:
    patterns = sr.define_cohort(sr.example_study()).patterns()
    for make in (sr.multimorbidity.condition_count, sr.networks.cooccurrence):
        assert sr.suppress(make(patterns), NHS).disclosure.method == "bounds"
    assert sr.suppress(sr.networks.cooccurrence(small(1)), NHS).disclosure.method == "integers"
    # where nothing is suppressed nothing need be searched
    assert sr.suppress(sr.multimorbidity.prevalence(of_asthma(50, 60)), NHS).disclosure.method == ""


def by_sex(seed: int = 3) -> list[sr.Patterns]:
    """The same people without strata and by sex."""
    rng = np.random.default_rng(seed)
    held = {c: rng.random(400) < p for c, p in zip("abcdef", (0.02, 0.04, 0.1, 0.2, 0.3, 0.4), strict=True)}
    frame = pl.DataFrame({**held, "sex": rng.choice(["F", "M"], 400)})
    return [sr.Patterns.from_wide(frame, conditions=list("abcdef"), by=by) for by in ((), ("sex",))]


def test_what_is_not_decided_within_the_limit_is_withheld_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    results = [sr.networks.cooccurrence(patterns) for patterns in by_sex()]
    decided = sr.suppress(results, NHS)
    assert not any(one.disclosure.withheld for one in decided)
    monkeypatch.setattr(search, "MOST_PROGRAMMES", 0)
    whole, parts = sr.suppress(results, NHS)
    # coarser: the strata go before everybody
    assert parts.disclosure.withheld
    assert parts.count_tables["pairs"]["n_both"].null_count() > decided[1].count_tables["pairs"]["n_both"].null_count()
    for one in (whole, parts):
        for name, row, column in one.disclosure.withheld:
            assert one.count_tables[name][column][row] is None
    assert any("withheld" in line for line in what_was_done(parts))
    assert any("withheld" in line for line in provenance(parts))


def test_once_all_work_is_spent_what_is_left_is_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    results = [sr.networks.cooccurrence(patterns) for patterns in by_sex()]
    decided = sr.suppress(results, NHS)
    monkeypatch.setattr(beside, "MOST_WORK", 1)
    spent = sr.suppress(results, NHS)
    assert any(one.disclosure.withheld for one in spent)
    # nobody is told that few people are in counts that were not looked at
    assert not any("enough people" in str(show.sentence(one)) for one in spent)
    assert str(show.sentence(spent[1])) == (
        "What these counts tell together with others could not be decided within the limit of the search, so co-occurrence of long-term "
        "conditions is not shown. Fewer strata, or fewer results at once, may be."
    )
    shown = [one.count_tables["pairs"]["n_both"].is_not_null() for one in (*decided, *spent)]
    for before, after in zip(shown[:2], shown[2:], strict=True):
        assert not (after & ~before).any()


def test_results_by_strata_of_too_many_counts_are_withheld_first(monkeypatch: pytest.MonkeyPatch) -> None:
    results = [sr.networks.cooccurrence(patterns) for patterns in by_sex()]
    # six conditions have 15 pairs: 22 counts with margins and everybody, and 44 of both sexes
    monkeypatch.setattr(control, "MOST_CELLS", 30)
    whole, parts = sr.suppress(results, NHS)
    assert whole.disclosure.method != "withheld"
    assert whole.count_tables["population"]["n_persons"].to_list() == [400]
    assert parts.disclosure.method == "withheld"
    assert all(table.height == 0 for table in parts.count_tables.values())
    assert any("withheld" in line for line in what_was_done(parts))
    assert "could not be decided within the limit of the search" in str(show.sentence(parts))
    # the rule's text asks for no search, so there is nothing that is too many
    literal = sr.suppress(results, Policy.nhs_england(level="rule_text"))
    assert not any(one.disclosure.withheld for one in literal)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("policy", [NHS, OPEN, SACRO], ids=lambda p: p.name)
def test_the_strict_level_shows_no_more_than_the_default(policy: Policy, seed: int) -> None:
    results = [make(patterns) for patterns in by_sex(seed) for make in THREE]
    default, strict = (sr.suppress(results, policy_named(policy.name, level=level)) for level in ("default", "strict"))
    literal = [sum(one.disclosure.suppressed for one in made) for made in (default, strict)]
    assert literal[1] >= literal[0]


def test_means_that_one_or_two_people_dominate_are_hidden() -> None:
    # ten people with asthma: nine cost 10 pounds and one 10,000, so one has 99% of the sum; with stroke ten cost 100 each
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
        for make in THREE:
            released.append(sr.suppress(make(patterns), NHS, beside=released))
        refused += any(result.disclosure.n_inferable for result in released)
    assert refused <= 5


def test_results_come_back_in_the_shape_in_which_they_were_given() -> None:
    patterns = small(1)
    named = sr.suppress({make.__name__: make(patterns) for make in THREE}, NHS)
    assert list(named) == ["condition_count", "prevalence", "cooccurrence"]
    listed = sr.suppress(tuple(make(patterns) for make in THREE), NHS)
    assert [a.estimates.equals(b.estimates) for a, b in zip(listed, named.values(), strict=True)] == [True] * 3
    # what is disclosed already stays as it is, and the others are made safe beside it
    first = sr.suppress(THREE[0](patterns), NHS)
    again = sr.suppress([first, THREE[1](patterns)], NHS)
    assert again[0] is first
    assert again[1].estimates.equals(sr.suppress(THREE[1](patterns), NHS, beside=[first]).estimates)
    assert sr.suppress([], NHS) == ()
    with pytest.raises(sr.ArgumentError, match="takes a Result, not str"):
        sr.suppress(["a table"], NHS)  # type: ignore[list-item]


def of_sexes(**held: tuple[int, int]) -> tuple[sr.Patterns, sr.Patterns, dict[str, sr.Patterns]]:
    """People with asthma and without: all together, by sex, and each sex as a population of its own."""
    frames = {
        sex: pl.DataFrame({"sex": [sex] * sum(both), "asthma": [1] * both[0] + [0] * both[1]})
        for sex, both in held.items()
    }
    made = {
        sex: sr.Patterns.from_wide(frame, conditions=["asthma"], provenance=Provenance(population={"sex": sex}))
        for sex, frame in frames.items()
    }
    every = pl.concat(frames.values())
    whole, by_sex = (sr.Patterns.from_wide(every, conditions=["asthma"], by=by) for by in ((), ("sex",)))
    return whole, by_sex, made


def test_women_beside_everybody_leave_the_men() -> None:
    # 31 have asthma, shown as 30 (28-32), and 28 of the women, shown as 30 too: of the men four at most
    whole, by_sex, apart = of_sexes(F=(28, 100), M=(3, 110))
    everybody, sexes, women = (sr.multimorbidity.prevalence(p) for p in (whole, by_sex, apart["F"]))
    for results in ([sexes, women, everybody], [women, everybody, sexes]):
        released = dict(zip((id(r) for r in results), sr.suppress(results, NHS), strict=True))
        shown = {key: r.count_tables["cells"]["n_persons"].to_list() for key, r in released.items()}
        assert shown[id(everybody)] == [None] or (shown[id(women)], shown[id(sexes)][0]) == ([None], None)
        assert sr.check_differencing(released.values()) == ()
    # where the men are not told of at all nothing stands for them: nobody to four, as many numbers as a rounded count has, and
    # fewer than the strict level asks for
    assert sr.check_differencing(sr.suppress([everybody, women], NHS)) == ()
    strict = Policy.nhs_england(level="strict")
    assert [f.kind for f in sr.check_differencing(sr.suppress([everybody, women], strict))] == ["difference"]


def test_a_comparison_of_women_and_men_is_judged_as_strata_of_everybody() -> None:
    rng = np.random.default_rng(7)
    frame = pl.DataFrame({c: (rng.random(300) < p).astype(int) for c, p in (("asthma", 0.3), ("copd", 0.1))})
    frame = frame.with_columns(pl.Series("sex", np.where(np.arange(300) < 150, "F", "M")))
    sexes = [
        sr.Patterns.from_wide(
            frame.filter(sex=sex), conditions=["asthma", "copd"], provenance=Provenance(population={"sex": sex})
        )
        for sex in ("F", "M")
    ]
    compared = sr.suppress(sr.networks.compare(*sexes, names=("women", "men"), permutations=19), NHS)
    strata = {cell.of.stratum for cell in released_output(compared).cells}
    assert strata == {(("sex", "F"),), (("sex", "M"),)}
    assert {cell.of.side for cell in released_output(compared).cells} == {""}
    # without predicates nothing says which of two groups somebody is in
    bare = [sr.Patterns.from_wide(frame.filter(sex=sex), conditions=["asthma", "copd"]) for sex in ("F", "M")]
    compared = sr.suppress(sr.networks.compare(*bare, names=("women", "men"), permutations=19), NHS)
    assert {cell.of.side for cell in released_output(compared).cells} == {"a", "b"}


@pytest.mark.parametrize("level", ["default", "strict"])
def test_where_zeros_are_suppressed_a_set_that_nobody_has_is_kept_from_being_known(level: str) -> None:
    # 40 with asthma alone and 45 with stroke alone; nobody has both. 40 of 40 with asthma, each within two, leaves zero
    # to four with both: as many numbers as a rounded count has. The strict level asks for every number up to nine
    frame = pl.DataFrame({"asthma": [1] * 40 + [0] * 85, "stroke": [0] * 40 + [1] * 45 + [0] * 40})
    patterns = sr.Patterns.from_wide(frame, conditions=["asthma", "stroke"])
    m, policy = sr.multimorbidity, Policy.sacro(level=level)
    held, exact = sr.suppress([m.prevalence(patterns), m.combinations(patterns, kind="exact", min_size=0)], policy)
    shown = {tuple(r["combination"]): r["n_persons"] for r in exact.estimates.iter_rows(named=True) if r["n_persons"]}
    for condition in ("asthma", "stroke"):
        with_it = held.count_tables["cells"].filter(condition=condition)["n_persons"][0]
        alone = shown.get((condition,))
        if with_it is None or alone is None:
            continue
        low, high = max(with_it - 2 - (alone + 2), 0), min(with_it + 2 - (alone - 2), 9)
        assert high - low + 1 >= (10 if level == "strict" else 5)


def test_a_result_that_is_too_large_to_search_shows_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MOST_CELLS", 0)
    m, patterns = sr.multimorbidity, small(3)
    exact = [m.prevalence(patterns), m.condition_count(patterns), m.combinations(patterns, kind="at_least")]
    for result in sr.suppress([*exact, sr.networks.cooccurrence(patterns)], NHS):
        assert result.disclosure.withheld
        for name, table in result.count_tables.items():
            assert all(table[column].null_count() == table.height for column in result.roles[name].people), name


def curves_of(days: dict[str, list[int]], by: tuple[str, ...]) -> sr.Result:
    rows = [(sex, day) for sex, own in days.items() for day in own]
    frame = pl.DataFrame(rows, schema=["sex", "time"], orient="row").with_columns(event=pl.lit(1))
    return sr.survival.kaplan_meier(frame, time="time", event="event", by=by, time_unit="days")


# 40 women, 18 of whom leave on days 101 to 118 and 22 on day 140; 30 men, 24 of whom leave on days 91 to 114 and six
# on day 140. On day 120 everybody at risk is 28, shown as 30 (28-32), the women 22, shown as 20 (18-22): of the men
# at least six, and their mark says seven at most.
LEAVING = {"F": [*range(101, 119), *[140] * 22], "M": [*range(91, 115), *[140] * 6]}


def test_a_curve_of_everybody_beside_those_of_strata_tells_no_stratum_of_few() -> None:
    whole, parts = curves_of(LEAVING, ()), curves_of(LEAVING, ("sex",))
    alone = sr.suppress(parts, NHS), sr.suppress(whole, NHS)
    assert _men_at_risk(*alone, day=120) == {6, 7}
    assert "inferable" in [f.kind for f in sr.check_differencing(alone)]
    together = sr.suppress([parts, whole], NHS)
    beside = sr.suppress(whole, NHS, beside=[alone[0]])
    before = sr.suppress(parts, NHS, beside=[alone[1]])
    for made in (together, (alone[0], beside), (before, alone[1])):
        assert len(_men_at_risk(*made, day=120)) >= 5
        assert sr.check_differencing(made) == ()
    assert sr.suppress(together[0], NHS) is together[0]


def _men_at_risk(parts: sr.Result, whole: sr.Result, day: int) -> set[int]:
    """How many men may be at risk on a day: everybody less the women, and one to seven."""
    women, everybody = (
        ends_of(
            NHS, one.count_tables["grid"].filter(time=day, state="at risk", **own)["n_persons"].item(), protects=True
        )
        for one, own in ((parts, {"sex": "F"}), (whole, {}))
    )
    return {n for n in range(1, 8) if everybody[0] - women[1] <= n <= everybody[1] - women[0]}


@pytest.mark.parametrize("integers", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_no_relation_excludes_the_people_there_are(seed: int, integers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is published of people is possible: of everybody, by two columns, by one, and of one sex or hub alone."""
    monkeypatch.setattr(system, "MOST_ATOMS", 10_000 if integers else 0)
    monkeypatch.setattr(system, "MOST_BY_STRATA", 10_000 if integers else 0)
    rng = np.random.default_rng((11, seed))
    n = int(rng.integers(60, 400))
    frame = pl.DataFrame(
        {
            **{c: (rng.random(n) < p).astype(int) for c, p in (("asthma", 0.4), ("copd", 0.1), ("stroke", 0.03))},
            "sex": rng.choice(["F", "M"], n),
            "hub": rng.choice(["A", "B", "C"], n, p=[0.6, 0.3, 0.1]),
        }
    )

    def of(by: tuple[str, ...] = (), **predicates: str) -> sr.Patterns:
        kept = frame.filter(**predicates) if predicates else frame
        provenance = Provenance(population=predicates)
        return sr.Patterns.from_wide(kept, conditions=["asthma", "copd", "stroke"], by=by, provenance=provenance)

    m = sr.multimorbidity
    women, men = of(sex="F"), of(sex="M")
    results = [
        m.condition_count(of(("sex", "hub"))), m.condition_count(of(), top=2), m.prevalence(of(("hub",), sex="F")),
        m.combinations(women, kind="exact", min_size=0), m.combinations(of(("sex",)), kind="at_least", min_size=1),
        m.comorbidity_count(of(hub="B")), sr.networks.cooccurrence(of(hub="A", sex="M")), m.prevalence(of()),
        sr.networks.compare(women, men, names=("women", "men"), permutations=9),
    ]  # fmt: skip
    for policy in (NHS, SACRO):
        told = [control._output(control._drafted(result, policy), policy) for result in results]
        assert len({whose(one) for one in told}) == 1
        for some in (told, told[::2], told[1::2], told[:3], told[3:]):
            made = system.system_of(some)
            assert made.integers is integers
            low, high = system.bounds_of(made, [cell for one in some for cell in one.cells])
            found = milp(
                np.zeros(made.n_unknowns),
                integrality=np.ones(made.n_unknowns),
                bounds=Bounds(low, high),
                constraints=LinearConstraint(made.matrix, made.low, made.high),
            )
            assert found.status == 0
