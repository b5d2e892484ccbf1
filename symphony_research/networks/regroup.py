"""Two groups of people divided anew: sums over strata, the statistic of every pair, and how often chance exceeds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import Patterns
from symphony_research.collapse.bits import Integers, n_words, unpack
from symphony_research.collapse.margins import as_float, nan_to_null, possible_table
from symphony_research.errors import ArgumentError
from symphony_research.inference import Array
from symphony_research.networks.cooccurrence import Cooccurrence

__all__ = ["FACTORS", "from_networks", "from_patterns", "with_margins"]

MOST_PEOPLE = 10**9 - 1  # numpy draws from no larger urn
TIE = 1e-9
NOUGHT = 1e-9
# what the figures of the whole row are multiplied by; all 1 where nothing is adjusted for
FACTORS = ("expected_factor_a", "expected_factor_b", "ratio_factor", "variance_factor")
BATCH = 64  # permutations drawn at once, fewer where there are millions of patterns
MOST_DRAWN = 20_000_000
OWN = 1993  # so that these random numbers are none that the data were made of under the same seed

Tables = Mapping[str, pl.DataFrame]


class Cells(NamedTuple):
    """One group's people of one stratum: with both conditions of a pair, with the one, with the other, and in all."""

    both: Array
    first: Array
    second: Array
    n: float | Array


class Sums:
    """Adds up strata of two groups into one ratio of their observed/expected: arrays of (permutation, pair).

    With C people with both and E expected in a stratum, and f_a = E_b / (E_a + E_b), f_b = 1 - f_a, the ratio is X / Y,
    X the sum of f_a C_a and Y that of f_b C_b: Mantel and Haenszel's with expected people as the exposure. A stratum
    in which both groups have the same O/E adds as much to X as to Y, whoever it is common in. With one stratum X / Y
    is (C_a / E_a) / (C_b / E_b).
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.both, self.expected, self.weighted, self.shared = ([np.zeros(shape) for _ in "ab"] for _ in range(4))
        self.leaning = np.zeros(shape)
        self.squares = [np.zeros(shape) for _ in range(3)]  # what is over X squared, over X Y and over Y squared
        self.people: list[float | Array] = [0.0, 0.0]

    def add(self, groups: tuple[Cells, Cells]) -> None:
        """Add a stratum."""
        expected, crossed, squared = zip(*[_moments(cells) for cells in groups], strict=True)
        total = expected[0] + expected[1]
        total = np.where(total > 0, total, 1.0)  # where none is expected in either group, nobody has both
        factors = expected[1] / total, expected[0] / total
        product = factors[0] * factors[1]
        rates = groups[0].both / total, groups[1].both / total
        for own in (0, 1):
            c, f, rate, other = groups[own].both, factors[own], rates[own], rates[1 - own]
            self.both[own] += c
            self.expected[own] += expected[own]
            self.people[own] = self.people[own] + groups[own].n
            self.weighted[own] += f * c
            self.shared[own] += product * c
            # a person moves the own sum by f ([both] - rate e), the other by f other e, e what E gains by that person
            f_squared, turned = f * f, rate * squared[own]
            self.squares[2 * own] += f_squared * (c - rate * (2 * crossed[own] - turned))
            self.squares[1] -= 2 * f_squared * other * (crossed[own] - turned)
            self.squares[2 - 2 * own] += f_squared * other * other * squared[own]
        self.leaning += (groups[0].both + groups[1].both) * product * factors[0]

    @property
    def comparable(self) -> NDArray[np.bool_]:
        """Pairs that somebody has in a stratum where both groups could."""
        found: NDArray[np.bool_] = self.shared[0] + self.shared[1] > 0
        return found

    def log_ratio_variance(self, half: tuple[float | Array, float | Array] = (0.0, 0.0)) -> Array:
        """Variance of log(X / Y) by the delta method: people drawn at random, every margin estimated.

        With one stratum it is 1/C - 1/A - 1/B + 2C/(AB) - 1/N, of either group. `half` is added to X and to Y.
        """
        x, y = (sums + h for sums, h in zip(self.weighted, half, strict=True))
        variance: Array = (self.squares[0] / x + self.squares[1] / y) / x + self.squares[2] / y**2
        # what all people of a group together move it by: nought if every stratum has the same ratio
        others = self.shared[0] / x + self.shared[1] / y
        for own, n in ((self.weighted[0] / x, self.people[0]), (self.weighted[1] / y, self.people[1])):
            variance = variance - (own - others) ** 2 / np.maximum(n, 1.0)
        return variance

    def statistic(self) -> Array:
        """Log ratio over its standard error, half a person added to both what was observed and what equal O/E would give."""
        able = self.comparable
        shared = np.where(able, self.shared[0] + self.shared[1], 1.0)
        # half a person weighs what those with both would, were O/E equal: with one stratum f_a / 2 and f_b / 2
        lean = np.where(able, self.leaning / shared, 0.5)
        half = 0.5 * lean, 0.5 * (1 - lean)
        x, y = self.weighted
        # what both X and Y would be, were they equal: then half a person is added on either side and vanishes
        pooled = (1 - lean) * x + lean * y
        size = np.log((x + half[0]) / (pooled + half[0])) - np.log((y + half[1]) / (pooled + half[1]))
        own = 2 * (half[0] / (x + half[0])) ** 2 + 2 * (half[1] / (y + half[1])) ** 2
        variance = self.log_ratio_variance(half) + own
        return np.where(able, size / np.sqrt(variance), 0.0)


def _moments(cells: Cells) -> tuple[Array, Array, Array]:
    """People expected; what a person adds to it, summed over the people with both; its square, summed over all."""
    c, n = cells.both, np.maximum(cells.n, 1.0)  # where nobody is, every count is 0
    a, b = cells.first / n, cells.second / n
    expected, chance = cells.first * b, a * b
    # a person adds [i] b + [j] a - a b to A B / N
    single = a + b - chance
    return expected, c * single, expected * (single - 2 * chance) + 2 * c * chance


class Tally:
    """Counts permutations as extreme as what was observed: pair by pair, for the family, and for all pairs together."""

    def __init__(self, observed: Array, testable: NDArray[np.bool_]) -> None:
        self.observed, self.testable = np.abs(observed), testable
        # Westfall and Young step down from the largest: each is set against the largest of those no larger than itself
        self.rising = np.flatnonzero(testable)[np.argsort(self.observed[testable], kind="stable")]
        self.single = np.zeros(len(observed), dtype=np.int64)
        self.family = np.zeros(len(self.rising), dtype=np.int64)
        self.total, self.permutations = 0, 0

    def add(self, permuted: Array) -> None:
        """Count permutations, one a row."""
        size = np.abs(permuted)
        self.single += (size >= self.observed - TIE).sum(axis=0)
        ordered = size[:, self.rising]
        highest = np.maximum.accumulate(ordered, axis=1)
        self.family += (highest >= self.observed[self.rising] - TIE).sum(axis=0)
        observed = (self.observed[self.rising] ** 2).sum()
        self.total += int(((ordered**2).sum(axis=1) >= observed * (1 - TIE)).sum())
        self.permutations += len(permuted)

    def p_values(self) -> tuple[Array, Array, float]:
        """Return the p value of each pair, its family-wise p value, and the one p value of all."""
        chance = 1 / (1 + self.permutations)
        single = np.where(self.testable, (1 + self.single) * chance, np.nan)
        family = np.full(len(single), np.nan)
        # no pair has a smaller p than one that differs more
        family[self.rising] = np.maximum.accumulate(((1 + self.family) * chance)[::-1])[::-1]
        return single, family, (1 + self.total) * chance if len(self.rising) else np.nan


def slices(frame: pl.DataFrame, columns: Sequence[str]) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Go through the strata of a sorted frame: their names, and the rows from and to."""
    if not columns:
        yield {}, 0, frame.height
        return
    start = 0
    for record in frame.group_by(columns, maintain_order=True).len(name="__len").iter_rows(named=True):
        stop = start + record.pop("__len")
        yield record, start, stop
        start = stop


@dataclass(frozen=True)
class Stratum:
    """One stratum: people of each pattern, the conditions of each (patterns x conditions) and its pairs, sparse."""

    people: Integers
    in_a: int
    conditions: Any
    pairs: Any


def strata_of(frame: pl.DataFrame, adjust: Sequence[str], n_conditions: int) -> Iterator[tuple[Stratum, Integers]]:
    """Go through the strata adjusted for: each with the people of its patterns in the first group."""
    from scipy.sparse import csr_matrix

    masks = [f"mask_{w}" for w in range(n_words(n_conditions))]
    bits = unpack(frame.select(masks).to_numpy().astype(np.uint64, copy=False), n_conditions)
    in_a, in_b = frame["n_a"].to_numpy(), frame["n_b"].to_numpy()
    pair_number = np.zeros((n_conditions, n_conditions), dtype=np.int64)
    first, second = np.triu_indices(n_conditions, k=1)
    pair_number[first, second] = np.arange(len(first))
    for _, start, stop in slices(frame, adjust):
        held = bits[start:stop]
        rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for i in range(n_conditions):
            have = np.flatnonzero(held[:, i])
            at, other = np.nonzero(held[have, i + 1 :])
            rows.append(have[at])
            columns.append(pair_number[i, i + 1 + other])
        row, column = np.concatenate(rows), np.concatenate(columns)
        shape = (stop - start, len(first))
        pairs = csr_matrix((np.ones(len(row)), (row, column)), shape=shape).T.tocsr()
        people = in_a[start:stop] + in_b[start:stop]
        total = int(people.sum())
        if total > MOST_PEOPLE:
            raise ArgumentError(f"A stratum holds {total:,} people; at most {MOST_PEOPLE:,} can be divided anew.")
        yield (
            Stratum(people, int(in_a[start:stop].sum()), csr_matrix(held, dtype=float).T.tocsr(), pairs),
            in_a[start:stop],
        )


def sums_of(strata: Sequence[Stratum], draws: Sequence[Integers], first: Integers, second: Integers) -> Sums:
    """Return the sums, given how many people of each pattern fall into the first group (permutation x pattern)."""
    sums = Sums((len(draws[0]), len(first)))
    for stratum, draw in zip(strata, draws, strict=True):
        made = []
        for drawn, n in ((draw, stratum.in_a), (stratum.people - draw, int(stratum.people.sum()) - stratum.in_a)):
            weights = drawn.T.astype(float)
            held = (stratum.conditions @ weights).T
            made.append(Cells((stratum.pairs @ weights).T, held[:, first], held[:, second], n))
        sums.add((made[0], made[1]))
    return sums


def with_margins(tables: Tables, by: tuple[str, ...]) -> pl.DataFrame:
    """Return the pairs with the people of each group with each condition, and the people of each group."""
    table = tables["pairs"]
    for end in ("source", "target"):
        held = [pl.col(f"n_persons_{side}").alias(f"n_{end}_{side}") for side in "ab"]
        own = tables["margins"].select(*by, pl.col("condition").alias(end), *held)
        table = table.join(own, on=[*by, end], how="left", nulls_equal=True, maintain_order="left")
    people = tables["population"].select(*by, "n_persons_a", "n_persons_b")
    if not by:
        return table.join(people, how="cross")
    return table.join(people, on=by, how="left", nulls_equal=True, maintain_order="left")


def _pooled(a: Patterns, b: Patterns, order: list[str]) -> pl.DataFrame:
    """Return the distinct patterns of both with the people of each, sorted by stratum."""
    masks = [f"mask_{w}" for w in range(n_words(len(a.conditions)))]
    zero = pl.lit(0, dtype=pl.Int64)
    parts = [
        a.frame.select(*order, *masks, pl.col("n_persons").alias("n_a"), zero.alias("n_b")),
        b.frame.select(*order, *masks, zero.alias("n_a"), pl.col("n_persons").alias("n_b")),
    ]
    pooled = pl.concat(parts).group_by([*order, *masks]).agg(pl.col("n_a", "n_b").sum())
    return pooled.sort([*order, *masks], nulls_last=True)


def from_patterns(
    a: Patterns, b: Patterns, by: tuple[str, ...], adjust: tuple[str, ...], permutations: int, seed: int
) -> dict[str, pl.DataFrame]:
    """Count the pairs of two groups, and divide their people anew: within the strata `adjust`, one test a stratum `by`."""
    conditions = a.conditions
    first, second = np.triu_indices(len(conditions), k=1)
    frame = _pooled(a, b, [*by, *adjust])
    schema = {name: a.frame.schema[name] for name in by}
    tables = _Tables(conditions, schema)
    for number, (names, start, stop) in enumerate(slices(frame, by)):
        part = frame.slice(start, stop - start)
        if not part["n_a"].sum() or not part["n_b"].sum():
            continue  # a stratum of one group alone has nobody to be compared with
        found = list(strata_of(part, adjust, len(conditions)))
        strata = [stratum for stratum, _ in found]
        exact = sums_of(strata, [drawn[None, :] for _, drawn in found], first, second)
        tally = Tally(exact.statistic()[0], exact.comparable[0])
        random = np.random.default_rng((seed, number, OWN))
        batch = max(1, min(BATCH, MOST_DRAWN // part.height))
        for done in range(0, permutations, batch):
            size = min(batch, permutations - done)
            draws = [
                random.multivariate_hypergeometric(s.people, s.in_a, size=size, method="marginals") for s in strata
            ]
            tally.add(sums_of(strata, draws, first, second).statistic())
        margins = [sum((s.conditions @ w) for s, w in zip(strata, side, strict=True)) for side in _sides(found)]
        sizes = [int(part["n_a"].sum()), int(part["n_b"].sum())]
        tables.add(names, exact, margins, sizes, tally.p_values())
    return tables.frames()


def _sides(found: Sequence[tuple[Stratum, Integers]]) -> tuple[list[Integers], list[Integers]]:
    return [drawn for _, drawn in found], [stratum.people - drawn for stratum, drawn in found]


class _Tables:
    """Gathers the count tables, stratum by stratum."""

    def __init__(self, conditions: Sequence[str], schema: Mapping[str, Any]) -> None:
        self.conditions, self.schema = list(conditions), dict(schema)
        self.pairs: list[pl.DataFrame] = []
        self.margins: list[pl.DataFrame] = []
        self.population: list[pl.DataFrame] = []

    def add(
        self,
        names: Mapping[str, Any],
        exact: Sums,
        margins: Sequence[Array],
        sizes: Sequence[int],
        p_values: tuple[Array, Array, float],
    ) -> None:
        """Add a stratum: factors turn the figures that rounded counts give into the adjusted ones."""
        i, j = np.triu_indices(len(self.conditions), k=1)
        listed = pl.Series("c", self.conditions, dtype=pl.String)
        columns: dict[str, Any] = {"source": listed.gather(i), "target": listed.gather(j)}
        crude = Sums((1, len(i)))
        whole = [
            Cells(both, held[None, i], held[None, j], n)
            for both, held, n in zip(exact.both, margins, sizes, strict=True)
        ]
        crude.add((whole[0], whole[1]))
        with np.errstate(divide="ignore", invalid="ignore"):
            for k, side in enumerate("ab"):
                columns[f"n_both_{side}"] = np.rint(exact.both[k][0]).astype(np.int64)
                columns[f"expected_factor_{side}"] = (exact.expected[k] / crude.expected[k])[0]
            columns |= dict(zip(("ratio_factor", "variance_factor"), _factors(exact, crude), strict=True))
        single, family, overall = p_values
        columns |= {"p_value": single, "family_wise_p": family}
        own = [pl.lit(value, dtype=self.schema[name]).alias(name) for name, value in names.items()]
        self.pairs.append(pl.DataFrame(columns).select([*own, pl.all()]))
        held_by = {f"n_persons_{s}": np.rint(held).astype(np.int64) for s, held in zip("ab", margins, strict=True)}
        self.margins.append(pl.DataFrame({"condition": listed, **held_by}).select([*own, pl.all()]))
        people = {"n_persons_a": [sizes[0]], "n_persons_b": [sizes[1]], "overall_p": [overall]}
        types = {"n_persons_a": pl.Int64, "n_persons_b": pl.Int64, "overall_p": pl.Float64}
        self.population.append(pl.DataFrame(people, schema=types).select([*own, pl.all()]))

    def frames(self) -> dict[str, pl.DataFrame]:
        """Return the tables of all strata."""
        if not self.pairs:
            raise ArgumentError("No stratum has people of both groups, so there is nothing to compare.")
        made = {name: pl.concat(getattr(self, name)) for name in ("pairs", "margins", "population")}
        return {name: nan_to_null(frame) for name, frame in made.items()}


def _factors(exact: Sums, crude: Sums) -> tuple[Array, Array]:
    """Ratio, and variance of its logarithm, over those of the whole row: null where a group has nobody who counts."""
    ratio = (exact.weighted[0] / exact.weighted[1]) / (crude.weighted[0] / crude.weighted[1])
    nought = NOUGHT * (1 / crude.both[0] + 1 / crude.both[1])  # what is less than this is rounding
    variance = np.maximum(exact.log_ratio_variance(), nought) / np.maximum(crude.log_ratio_variance(), nought)
    defined = (exact.weighted[0] > 0) & (exact.weighted[1] > 0)
    return np.where(defined, ratio, np.nan)[0], np.where(defined, variance, np.nan)[0]


def from_networks(
    a: Cooccurrence, b: Cooccurrence, by: tuple[str, ...], permutations: int, seed: int
) -> dict[str, pl.DataFrame]:
    """Compare pair by pair: of each, the people of both groups with both, either and neither, divided anew."""

    def side_by_side(name: str, count: str, *keys: str) -> pl.DataFrame:
        one, other = (
            network.count_tables[name].select(*by, *keys, pl.col(count).alias(f"{count}_{side}"))
            for side, network in zip("ab", (a, b), strict=True)
        )
        if not (by or keys):
            return one.join(other, how="cross")
        return one.join(other, on=[*by, *keys], how="inner", nulls_equal=True, maintain_order="left")

    population = side_by_side("population", "n_persons")
    if not population.height:
        raise ArgumentError("No stratum has people of both groups, so there is nothing to compare.")
    pairs = side_by_side("pairs", "n_both", "source", "target")
    tables = {
        "pairs": pairs,
        "margins": side_by_side("margins", "n_persons", "condition"),
        "population": population.with_columns(pl.lit(None, dtype=pl.Float64).alias("overall_p")),
    }
    counts = with_margins(tables, by)
    cells = []
    for side in "ab":
        c, first, second, n = possible_table(
            *(as_float(counts[f"n_{what}_{side}"]) for what in ("both", "source", "target", "persons"))
        )
        cells.append(np.stack([c, first - c, second - c, n - first - second + c]))
    known = ~np.isnan(cells[0] + cells[1]).any(axis=0)
    p_value = np.full(pairs.height, np.nan)
    if known.any():
        p_value[known] = _pair_by_pair(cells[0][:, known], cells[1][:, known], permutations, seed)
    ones = [pl.lit(1.0).alias(name) for name in FACTORS]
    pairs = pairs.with_columns(
        *ones, pl.Series("p_value", p_value), pl.lit(None, dtype=pl.Float64).alias("family_wise_p")
    )
    return {**tables, "pairs": nan_to_null(pairs)}


def _pair_by_pair(a: Array, b: Array, permutations: int, seed: int) -> Array:
    """Permutation p value of each pair from its own cells: both, the first alone, the second alone, neither."""
    pooled = np.rint(a + b).astype(np.int64)
    in_a = np.rint(a.sum(axis=0)).astype(np.int64)

    def sums(first: Array) -> Sums:
        made = [
            Cells(cells[0][None], (cells[0] + cells[1])[None], (cells[0] + cells[2])[None], cells.sum(axis=0))
            for cells in (first, pooled - first)
        ]
        found = Sums((1, first.shape[-1]))
        found.add((made[0], made[1]))
        return found

    observed = sums(a)
    tally = Tally(observed.statistic()[0], observed.comparable[0])
    random = np.random.default_rng((seed, 0, OWN))
    for _ in range(permutations):
        drawn, left, rest = np.zeros_like(pooled), in_a.copy(), pooled.sum(axis=0)
        for cell in range(3):
            rest = rest - pooled[cell]
            drawn[cell] = random.hypergeometric(pooled[cell], rest, left)
            left = left - drawn[cell]
        drawn[3] = left
        tally.add(sums(drawn.astype(float)).statistic())
    return tally.p_values()[0]
