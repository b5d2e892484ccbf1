"""The search for numbers that are narrowed down, against one linear programme a count over everything that is published."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_matrix, vstack
from scipy.sparse.csgraph import connected_components

from symphony_research.disclosure import search, system
from symphony_research.disclosure.decomposition import Block, _components, blocks_of, ranges_of_one_row, tightened
from symphony_research.disclosure.outputs import UNBOUNDED, CellBounds, ReleasedOutput
from symphony_research.disclosure.search import Search, Target
from symphony_research.result.cells import at_least, everybody, feature_list, of_size

FEATURES = ("asthma", "copd", "stroke")
AMONG = feature_list(FEATURES)
TOLERANCE = 1e-6


def random_outputs(seed: int, by: tuple[str, ...]) -> list[ReleasedOutput]:
    """Numbers of conditions, single conditions and pairs of random people, some suppressed, others to the nearest five."""
    rng = np.random.default_rng(seed)
    strata = [(("sex", sex),) for sex in "FM"] if by else [()]
    definitions = [everybody(), *map(at_least, itertools.combinations(FEATURES, 1))]
    definitions += [*map(at_least, itertools.combinations(FEATURES, 2)), *(of_size(k, AMONG) for k in range(4))]
    sets = [frozenset(held) for k in range(4) for held in itertools.combinations(FEATURES, k)]
    cells = []
    totals = np.zeros(len(definitions), int)
    for at, stratum in enumerate([*strata, *([()] if by else [])]):
        people = rng.poisson(rng.choice([2, 5, 30], len(sets)))
        for k, of in enumerate(definitions):
            n = sum(
                int(m)
                for held, m in zip(sets, people, strict=True)
                if held >= set(of.having) and of.least <= len(held) <= of.most
            )
            if by and not stratum:
                n = int(totals[k])
            else:
                totals[k] += n
            if 1 <= n <= 7:
                low, high, shown = 1, 7, None
            elif n > 7 and rng.random() < 0.15:
                low, high, shown = 8, UNBOUNDED, None
            else:
                shown = (n + 2) // 5 * 5
                low, high = (0, 0) if n == 0 else (max(shown - 2, 8), shown + 2)
            cells.append(CellBounds(f"t{at}", k, "n", of.within(stratum), low, high, shown, high == 7))
    return [ReleasedOutput("F", "T", by, {}, {}, (), None, None, tuple(cells))]


def made(seed: int, by: tuple[str, ...], *, integers: bool, monkeypatch: pytest.MonkeyPatch) -> tuple:
    monkeypatch.setattr(system, "MOST_ATOMS", 10_000 if integers else 0)
    told = random_outputs(seed, by)
    cells = [cell for one in told for cell in one.cells]
    whole = system.system_of(told)
    assert whole.integers is integers
    lower, upper = system.bounds_of(whole, cells)
    need = {"small": 5, "over": 5}
    targets = {
        whole.index[cell.of]: Target(cell.low, cell.high, need["small" if cell.primary else "over"])
        for cell in cells
        if cell.suppressed
    }
    return whole, lower, upper, targets


def ends_by_programmes(whole: system.System, lower: np.ndarray, upper: np.ndarray, at: int) -> tuple[float, float]:
    """The least and most that one count can be, by one linear programme each over the whole system."""
    matrix = whole.matrix
    finite_low, finite_high = np.isfinite(whole.low), np.isfinite(whole.high)
    above = vstack([matrix[finite_high], -matrix[finite_low]])
    most = np.concatenate([whole.high[finite_high], -whole.low[finite_low]])
    ends = []
    for sign in (1.0, -1.0):
        cost = np.zeros(whole.n_unknowns)
        cost[at] = sign
        found = linprog(cost, A_ub=above, b_ub=most, bounds=list(zip(lower, upper, strict=True)), method="highs")
        ends.append(np.inf if found.status == 3 else sign * found.fun)
        assert found.status in (0, 3)
    return ends[0], ends[1]


def found_by_search(whole: system.System, lower: np.ndarray, upper: np.ndarray, targets: dict) -> dict:
    wanted = np.zeros(whole.n_unknowns, bool)
    wanted[list(targets)] = True
    narrowed = {}
    for block in blocks_of(whole, lower, upper, wanted):
        own = {at: targets[int(k)] for at, k in enumerate(block.unknowns) if int(k) in targets}
        one = Search(block, lower[block.unknowns], upper[block.unknowns], own, whole.integers)
        narrowed |= {int(block.unknowns[n.unknown]): n for n in one.inferable()}
        assert not one.undecided
    return narrowed


@pytest.mark.parametrize("by", [(), ("sex",)], ids=["everybody", "by sex"])
@pytest.mark.parametrize("seed", range(10))
def test_the_search_finds_what_one_programme_a_count_finds(
    seed: int, by: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, lower, upper, targets = made(seed, by, integers=False, monkeypatch=monkeypatch)
    narrowed = found_by_search(whole, lower, upper, targets)
    for at, target in targets.items():
        low, high = ends_by_programmes(whole, lower, upper, at)
        many = np.floor(high + TOLERANCE) - np.ceil(low - TOLERANCE) + 1
        assert (at in narrowed) == (many < target.need), whole.cells[at]
        if at in narrowed:
            assert (narrowed[at].low, narrowed[at].high) == pytest.approx((low, high), abs=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_in_integers_each_number_is_tried_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, lower, upper, targets = made(seed, (), integers=True, monkeypatch=monkeypatch)
    narrowed = found_by_search(whole, lower, upper, targets)
    for at, target in targets.items():
        least, most = ends_by_programmes(whole, lower, upper, at)
        numbers = 0
        for value in range(int(np.ceil(least - TOLERANCE)), int(min(most + TOLERANCE, least + 20)) + 1):
            low, high = lower.copy(), upper.copy()
            low[at] = high[at] = value
            numbers += (
                milp(
                    np.zeros(whole.n_unknowns),
                    integrality=np.ones(whole.n_unknowns),
                    bounds=Bounds(low, high),
                    constraints=LinearConstraint(whole.matrix, whole.low, whole.high),
                ).status
                == 0
            )
        assert (at in narrowed) == (numbers < target.need), whole.cells[at]


@pytest.mark.parametrize("seed", range(10))
def test_a_block_has_the_same_ends_as_the_whole(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is omitted from the blocks, and numbers put in for what is known, change no count's least and most."""
    whole, lower, upper, targets = made(seed, ("sex",), integers=False, monkeypatch=monkeypatch)
    wanted = np.zeros(whole.n_unknowns, bool)
    wanted[list(targets)] = True
    seen = set()
    for block in blocks_of(whole, lower, upper, wanted):
        assert not seen & set(block.unknowns.tolist())
        seen |= set(block.unknowns.tolist())
        part = system.System(
            tuple(whole.cells[k] for k in block.unknowns), *csr_matrix(block.matrix).nonzero(),
            csr_matrix(block.matrix).data, block.low, block.high, len(block.unknowns), integers=False,
        )  # fmt: skip
        for at, k in enumerate(block.unknowns):
            if int(k) in targets:
                own = ends_by_programmes(part, lower[block.unknowns], upper[block.unknowns], at)
                assert own == pytest.approx(ends_by_programmes(whole, lower, upper, int(k)), abs=1e-5)
    # a count in no block is as free as its mark
    for at in set(targets) - seen:
        assert ends_by_programmes(whole, lower, upper, at) == pytest.approx((lower[at], upper[at]), abs=1e-5)


@pytest.mark.parametrize("seed", range(30))
def test_one_relation_in_closed_form_as_by_programmes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 6))
    row = rng.choice([-2.0, -1.0, 1.0, 3.0], n)
    x = rng.integers(0, 20, n).astype(float)
    lower, upper = np.maximum(x - rng.integers(0, 5, n), 0), x + rng.integers(0, 5, n)
    upper[rng.random(n) < 0.2] = np.inf
    at = float(row @ x)
    low, high = [(at, at), (at - 3, at + 2), (at, np.inf), (-np.inf, at)][seed % 4]
    block = Block(np.arange(n), csr_matrix(row[None, :]), np.array([low]), np.array([high]))
    own = system.System((), np.zeros(n, int), np.arange(n), row, block.low, block.high, n, integers=False)
    least, most = ranges_of_one_row(block, lower, upper)
    for k in range(n):
        assert (least[k], most[k]) == pytest.approx(ends_by_programmes(own, lower, upper, k), abs=1e-6)


def test_a_search_that_reaches_its_limit_says_that_it_has_not_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_PROGRAMMES", 0)
    # two numbers of one to seven that are 10 together, and the second less than the first
    matrix = csr_matrix(np.array([[1.0, 1.0], [1.0, -1.0]]))
    block = Block(np.arange(2), matrix, np.array([10.0, 0.0]), np.array([10.0, np.inf]))
    own = Search(block, np.ones(2), np.full(2, 7.0), {0: Target(1, 7, 5), 1: Target(1, 7, 5)})
    own.inferable()
    assert own.undecided
    monkeypatch.setattr(search, "MOST_PROGRAMMES", 400)
    own = Search(block, np.ones(2), np.full(2, 7.0), {0: Target(1, 7, 5), 1: Target(1, 7, 5)})
    # by hand: the first is 5, 6 or 7, the second 3, 4 or 5
    assert [(one.unknown, one.low, one.high) for one in own.inferable()] == [(0, 5.0, 7.0), (1, 3.0, 5.0)]
    assert not own.undecided


def test_a_search_that_has_spent_its_work_says_that_it_has_not_decided() -> None:
    # two numbers of one to seven that are 10 together, and the second less than the first
    matrix = csr_matrix(np.array([[1.0, 1.0], [1.0, -1.0]]))
    block = Block(np.arange(2), matrix, np.array([10.0, 0.0]), np.array([10.0, np.inf]))
    targets = {0: Target(1, 7, 5), 1: Target(1, 7, 5)}
    spent = Search(block, np.ones(2), np.full(2, 7.0), targets, most_work=1)
    spent.inferable()
    assert spent.undecided
    assert spent.work > 1
    decided = Search(block, np.ones(2), np.full(2, 7.0), targets)
    assert [(one.unknown, one.low, one.high) for one in decided.inferable()] == [(0, 5.0, 7.0), (1, 3.0, 5.0)]


@pytest.mark.parametrize("by", [(), ("sex",)], ids=["everybody", "by sex"])
@pytest.mark.parametrize("seed", range(10))
def test_a_block_made_smaller_leaves_the_same_counts_too_few_numbers(
    seed: int, by: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, lower, upper, targets = made(seed, by, integers=False, monkeypatch=monkeypatch)
    monkeypatch.setattr(search, "TIGHTENED_FROM", 0)
    narrowed = found_by_search(whole, lower, upper, targets)
    for at, target in targets.items():
        low, high = ends_by_programmes(whole, lower, upper, at)
        many = np.floor(high + TOLERANCE) - np.ceil(low - TOLERANCE) + 1
        assert (at in narrowed) == (many < target.need), whole.cells[at]
        if at in narrowed:
            # bounds alone may leave more, never fewer
            assert narrowed[at].low <= low + TOLERANCE
            assert narrowed[at].high >= high - TOLERANCE
            assert narrowed[at].many >= many
            assert narrowed[at].many < target.need


@pytest.mark.parametrize("seed", range(20))
def test_narrowed_bounds_and_fewer_relations_allow_the_same_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, m = 12, 9
    matrix = np.where(rng.random((m, n)) < 0.3, rng.choice([-1.0, 1.0, 2.0], (m, n)), 0.0)
    x = rng.integers(0, 20, n).astype(float)
    lower, upper = np.maximum(x - rng.integers(0, 9, n), 0), x + rng.integers(0, 9, n)
    upper[rng.random(n) < 0.3] = np.inf
    at = matrix @ x
    low, high = at - rng.integers(0, 3, m), np.where(rng.random(m) < 0.3, np.inf, at + rng.integers(0, 3, m))
    block = Block(np.arange(n), csr_matrix(matrix), low, high)
    smaller, least, most = tightened(block, lower, upper)
    rows, columns = np.nonzero(matrix)
    own = system.System((), rows, columns, matrix[rows, columns], low, high, n, integers=False)
    other = smaller.matrix.tocoo()
    less = system.System((), other.row, other.col, other.data, smaller.low, smaller.high, n, integers=False)
    for k in range(n):
        by_all, by_less = ends_by_programmes(own, lower, upper, k), ends_by_programmes(less, least, most, k)
        assert by_less == pytest.approx(by_all, abs=1e-5)
        assert least[k] <= by_all[0] + 1e-6
        assert most[k] >= by_all[1] - 1e-6


@pytest.mark.parametrize("seed", range(20))
def test_what_is_joined_has_the_name_of_its_first(seed):
    """Authority: scipy's connected components, whose names are replaced by the first that has each."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    one, other = rng.integers(0, n, (2, int(rng.integers(0, 60))))
    if seed == 0:  # a chain, which joins its first to its last through all
        n, one, other = 60, np.arange(59)[::-1], np.arange(1, 60)[::-1]
    graph = csr_matrix((np.ones(len(one)), (one, other)), shape=(n, n))
    _, name = connected_components(graph, directed=False)
    assert _components(one, other, n).tolist() == [int(np.flatnonzero(name == own)[0]) for own in name]
