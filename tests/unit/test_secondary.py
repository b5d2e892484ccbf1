"""What is hidden stays hidden beside everything that is shown: secondary suppression, by hand and by enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from scipy.optimize import LinearConstraint, milp

import symphony_research as sr
from symphony_research.disclosure import gate, secondary, system
from symphony_research.disclosure.published import interval_of
from symphony_research.policy import Policy
from symphony_research.result import Source

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
    monkeypatch.setattr(gate, "protect", lambda own, beside=(): secondary.Protection(methods=("",) * len(own)))
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


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_every_number_of_every_hidden_count_is_that_of_some_people(seed: int, together: bool) -> None:
    """An independent check on small tables: the eight sets of three conditions, written out, and people for each number."""
    patterns = small(seed)
    released: list[sr.Result] = []
    if together:
        released = list(sr.suppress([make(patterns) for make in THREE], NHS))
        assert not any(result.disclosure.exposed for result in released)
    for make in () if together else THREE:
        released.append(sr.suppress(make(patterns), NHS, beside=released))
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
        for make in THREE:
            released.append(sr.suppress(make(patterns), NHS, beside=released))
        refused += any(result.disclosure.exposed for result in released)
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
        sex: sr.Patterns.from_wide(frame, conditions=["asthma"], source=Source(population={"sex": sex}))
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
    # where the men are not told of at all nothing stands for them: then the two are refused
    assert [f.kind for f in sr.check_differencing(sr.suppress([everybody, women], NHS))] == ["difference"]


def test_a_comparison_of_women_and_men_is_judged_as_strata_of_everybody() -> None:
    rng = np.random.default_rng(7)
    frame = pl.DataFrame({c: (rng.random(300) < p).astype(int) for c, p in (("asthma", 0.3), ("copd", 0.1))})
    frame = frame.with_columns(pl.Series("sex", np.where(np.arange(300) < 150, "F", "M")))
    sexes = [
        sr.Patterns.from_wide(
            frame.filter(sex=sex), conditions=["asthma", "copd"], source=Source(population={"sex": sex})
        )
        for sex in ("F", "M")
    ]
    compared = sr.suppress(sr.networks.compare(*sexes, names=("women", "men"), permutations=19), NHS)
    strata = {cell.group.stratum for cell in gate.published_of(compared).cells if cell.group.kind != "own"}
    assert strata == {(("sex", "F"),), (("sex", "M"),)}
    assert {cell.group.side for cell in gate.published_of(compared).cells} == {""}
    # without predicates nothing says which of two groups somebody is in
    bare = [sr.Patterns.from_wide(frame.filter(sex=sex), conditions=["asthma", "copd"]) for sex in ("F", "M")]
    compared = sr.suppress(sr.networks.compare(*bare, names=("women", "men"), permutations=19), NHS)
    assert {cell.group.side for cell in gate.published_of(compared).cells if cell.group.kind != "own"} == {"a", "b"}


def test_where_noughts_are_hidden_a_set_that_nobody_has_is_kept_from_being_known() -> None:
    # 40 with asthma alone and 45 with stroke alone; nobody has both. 40 of 40 with asthma would say so
    frame = pl.DataFrame({"asthma": [1] * 40 + [0] * 85, "stroke": [0] * 40 + [1] * 45 + [0] * 40})
    patterns = sr.Patterns.from_wide(frame, conditions=["asthma", "stroke"])
    m = sr.multimorbidity
    held, exact = sr.suppress([m.prevalence(patterns), m.combinations(patterns, kind="exact", min_size=0)], SACRO)
    shown = {tuple(r["combination"]): r["n_persons"] for r in exact.estimates.iter_rows(named=True) if r["n_persons"]}
    with_asthma = held.count_tables["cells"].filter(condition="asthma")["n_persons"][0]
    # each is within two of what is shown: 40 less 40 is at most 4, and both may be up to nine
    assert with_asthma is None or ("asthma",) not in shown


def curve_tables_of(days: dict[str, list[int]], by: tuple[str, ...]) -> sr.Result:
    rows = [(sex, day) for sex, own in days.items() for day in own]
    frame = pl.DataFrame(rows, schema=["sex", "time"], orient="row").with_columns(event=pl.lit(1))
    return sr.survival.kaplan_meier(frame, time="time", event="event", by=by, time_unit="days")


def test_a_curve_ends_where_the_whole_would_tell_how_few_are_followed_of_another() -> None:
    # 40 women leave on days 101 to 140 and 30 men, of whom five stay until day 200. From day 126 five men are
    # followed, so their curve has ended; on day 130 everybody is 11 women and five men, 16: shown 15 (13-17) less
    # 10 (8-12) is 1 to 9: every number. On day 132 they are nine (10: 8-12) and 14 (15: 13-17), likewise; on day 133
    # eight women (10) and 13 in all (15). With 8 shown as 10 (8-12) and 12 as 10 (8-12) it is at most four: not five.
    days = {"F": list(range(101, 141)), "M": [*range(101, 126), *[200] * 5]}
    whole, parts = curve_tables_of(days, ()), curve_tables_of(days, ("sex",))
    alone = sr.suppress(parts, NHS), sr.suppress(whole, NHS)
    together = sr.suppress([parts, whole], NHS)
    beside = sr.suppress(whole, NHS, beside=[alone[0]])
    assert not any(r.disclosure.ended for r in alone)
    assert _few_told(*alone)
    assert [f.kind for f in sr.check_differencing(alone)] == ["difference"]
    for made in (together, (alone[0], beside)):
        assert sum(len(r.disclosure.ended) for r in made) == 1
        assert not _few_told(*made)
        assert sr.check_differencing(made) == ()
    # as much is shown as can be: the whole's curve, or the women's, until then
    assert together[0].estimates.filter(sex="F")["time"].max() >= 100
    assert sr.suppress(together[0], NHS) is together[0]


def _few_told(parts: sr.Result, whole: sr.Result) -> bool:
    """Whether on some day everybody less the women is not every number from one to seven."""
    for day in range(1, 201):
        own = sr.survival.at(parts, day).estimates.filter(sex="F")["n_at_risk"]
        every = sr.survival.at(whole, day).estimates["n_at_risk"]
        men = sr.survival.at(parts, day).estimates.filter(sex="M")["n_at_risk"]
        if len(own) and own[0] is not None and len(every) and every[0] is not None and (not len(men) or men[0] is None):
            low, high = every[0] - 2 - (own[0] + 2), every[0] + 2 - max(own[0] - 2, 8)
            if low > 1 or high < 7:
                return True
    return False


@pytest.mark.parametrize("whole_numbers", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_no_relation_excludes_the_people_there_are(
    seed: int, whole_numbers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that is published of people is possible: of everybody, by two columns, by one, and of one sex or hub alone."""
    monkeypatch.setattr(system, "MOST_ATOMS", 10_000 if whole_numbers else 0)
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
        source = Source(population=predicates)
        return sr.Patterns.from_wide(kept, conditions=["asthma", "copd", "stroke"], by=by, source=source)

    m = sr.multimorbidity
    women, men = of(sex="F"), of(sex="M")
    results = [
        m.condition_count(of(("sex", "hub"))), m.condition_count(of(), top=2), m.prevalence(of(("hub",), sex="F")),
        m.combinations(women, kind="exact", min_size=0), m.combinations(of(("sex",)), kind="at_least", min_size=1),
        m.further_conditions(of(hub="B")), sr.networks.cooccurrence(of(hub="A", sex="M")), m.prevalence(of()),
        sr.networks.compare(women, men, names=("women", "men"), permutations=9),
    ]  # fmt: skip
    for policy in (NHS, SACRO):
        told = [gate._published(gate._drafted(result, policy), policy) for result in results]
        assert len({gate._whose(one) for one in told}) == 1
        for some in (told, told[::2], told[1::2], told[:3], told[3:]):
            made = system.system_of(some)
            assert made is not None
            assert made.whole_numbers is whole_numbers
            assert made.solve(*secondary.bounds_of(made, secondary.cells_of(some))) is not None


def test_strata_that_all_have_ended_beside_a_whole_that_goes_on() -> None:
    # from day 121 seven women and seven men are followed, so both curves have ended; everybody is 14, shown as 15
    # (13-17): six or seven of each. The whole's is out already, so the women's or the men's ends before that
    days = {sex: [*range(101, 121), *[200] * 7] for sex in ("F", "M")}
    whole = sr.suppress(curve_tables_of(days, ()), NHS)
    parts = sr.suppress(curve_tables_of(days, ("sex",)), NHS, beside=[whole])
    assert [f.kind for f in sr.check_differencing([whole, sr.suppress(curve_tables_of(days, ("sex",)), NHS)])] == [
        "difference"
    ]
    assert parts.disclosure.ended
    assert sr.check_differencing([whole, parts]) == ()
