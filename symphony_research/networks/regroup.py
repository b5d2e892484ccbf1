"""Two groups of people divided anew: sums over strata, the statistic of every pair, and how often chance exceeds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import Patterns
from symphony_research.collapse.bits import Integers, n_words, unpack
from symphony_research.collapse.margins import as_float, nan_to_null, possible_table
from symphony_research.errors import ArgumentError
from symphony_research.inference import Array
from symphony_research.networks.cooccurrence import Cooccurrence

__all__ = ["from_networks", "from_patterns", "with_margins"]

MOST_PEOPLE = 10**9 - 1  # numpy draws from no larger urn
TIE = 1e-9
BATCH = 64  # permutations drawn at once, fewer where there are millions of patterns
MOST_DRAWN = 20_000_000
OWN = 1993  # so that these random numbers are none that the data were made of under the same seed

Tables = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Group:
    """What a group's people with pairs of conditions add up to over the strata: arrays of (permutation, pair)."""

    both: Array
    expected: Array
    variance: Array  # of log observed/expected, by the delta method, half a person added to either

    @property
    def log_ratio(self) -> Array:
        """Log observed/expected, half a person added to either."""
        return np.log((self.both + 0.5) / (self.expected + 0.5))


class Sums:
    """Adds up strata for one group. With one stratum the variance is 1/C - 1/A - 1/B + 2C/(AB) - 1/N."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.both, self.expected = np.zeros(shape), np.zeros(shape)
        self.cross, self.square, self.both_both, self.triple, self.margins = (np.zeros(shape) for _ in range(5))

    def add(self, both: Array, first: Array, second: Array, n: float | Array) -> None:
        """Add a stratum: people with both, with each, and in all."""
        n = np.maximum(n, 1.0)  # where nobody is, every count is 0
        a, b = first / n, second / n
        # a cell's influence on log C - log E is [both] / C - (has the one x b + has the other x a) / E
        self.both += both
        self.expected += first * b
        self.cross += both * (a + b)
        self.square += 2 * both * a * b + first * b**2 + second * a**2
        self.both_both += both**2 / n
        self.triple += both * a * b
        self.margins += first * b * a * b

    def finish(self) -> Group:
        """Return the sums, with their variance."""
        c, e = self.both + 0.5, self.expected + 0.5
        variance = (
            1 / c
            - 2 * self.cross / (c * e)
            + self.square / e**2
            - self.both_both / c**2
            + 4 * self.triple / (c * e)
            - 4 * self.margins / e**2
        )
        return Group(self.both, self.expected, np.maximum(variance, 1e-6))


def statistic(a: Group, b: Group) -> Array:
    """Difference of log observed/expected over its standard error."""
    return (a.log_ratio - b.log_ratio) / np.sqrt(a.variance + b.variance)


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


def testable_pairs(a: Group, b: Group) -> NDArray[np.bool_]:
    """Pairs that somebody has, of conditions found in both groups: of the others there is nothing to compare."""
    testable: NDArray[np.bool_] = (a.expected[0] > 0) & (b.expected[0] > 0) & (a.both[0] + b.both[0] > 0)
    return testable


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


def sums_of(
    strata: Sequence[Stratum], draws: Sequence[Integers], first: Integers, second: Integers
) -> tuple[Group, Group]:
    """Return both groups' sums, given how many people of each pattern fall into the first (permutation x pattern)."""
    sums = [Sums((len(draws[0]), len(first))) for _ in range(2)]
    for stratum, draw in zip(strata, draws, strict=True):
        for group, drawn in enumerate((draw, stratum.people - draw)):
            weights = drawn.T.astype(float)
            held = (stratum.conditions @ weights).T
            n = stratum.in_a if group == 0 else int(stratum.people.sum()) - stratum.in_a
            sums[group].add((stratum.pairs @ weights).T, held[:, first], held[:, second], n)
    return sums[0].finish(), sums[1].finish()


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
        groups = sums_of(strata, [drawn[None, :] for _, drawn in found], first, second)
        observed, testable = statistic(*groups)[0], testable_pairs(*groups)
        tally = Tally(observed, testable)
        random = np.random.default_rng((seed, number, OWN))
        batch = max(1, min(BATCH, MOST_DRAWN // part.height))
        for done in range(0, permutations, batch):
            size = min(batch, permutations - done)
            draws = [
                random.multivariate_hypergeometric(s.people, s.in_a, size=size, method="marginals") for s in strata
            ]
            tally.add(statistic(*sums_of(strata, draws, first, second)))
        margins = [sum((s.conditions @ w) for s, w in zip(strata, side, strict=True)) for side in _sides(found)]
        sizes = [int(part["n_a"].sum()), int(part["n_b"].sum())]
        tables.add(names, groups, margins, sizes, tally.p_values())
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
        groups: tuple[Group, Group],
        margins: Sequence[Array],
        sizes: Sequence[int],
        p_values: tuple[Array, Array, float],
    ) -> None:
        """Add a stratum: factors turn the figures that rounded counts give into the adjusted ones."""
        i, j = np.triu_indices(len(self.conditions), k=1)
        listed = pl.Series("c", self.conditions, dtype=pl.String)
        columns: dict[str, Any] = {"source": listed.gather(i), "target": listed.gather(j)}
        crude, exact = np.zeros(len(i)), np.zeros(len(i))
        for side, group, held, n in zip("ab", groups, margins, sizes, strict=True):
            both = np.rint(group.both[0]).astype(np.int64)
            columns[f"n_both_{side}"] = both
            alone = Sums((1, len(i)))
            alone.add(group.both, held[None, i], held[None, j], n)
            unadjusted = alone.finish()
            with np.errstate(divide="ignore", invalid="ignore"):
                columns[f"expected_factor_{side}"] = group.expected[0] / unadjusted.expected[0]
            crude, exact = crude + unadjusted.variance[0], exact + group.variance[0]
        single, family, overall = p_values
        columns |= {"variance_factor": exact / crude, "p_value": single, "family_wise_p": family}
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
    ones = [pl.lit(1.0).alias(name) for name in ("expected_factor_a", "expected_factor_b", "variance_factor")]
    pairs = pairs.with_columns(
        *ones, pl.Series("p_value", p_value), pl.lit(None, dtype=pl.Float64).alias("family_wise_p")
    )
    return {**tables, "pairs": nan_to_null(pairs)}


def _pair_by_pair(a: Array, b: Array, permutations: int, seed: int) -> Array:
    """Permutation p value of each pair from its own cells: both, the first alone, the second alone, neither."""
    pooled = np.rint(a + b).astype(np.int64)
    in_a = np.rint(a.sum(axis=0)).astype(np.int64)

    def groups(first: Array) -> tuple[Group, Group]:
        made = []
        for cells in (first, pooled - first):
            sums = Sums((1, cells.shape[-1]))
            n = cells.sum(axis=0).astype(float)
            sums.add(cells[0][None], (cells[0] + cells[1])[None], (cells[0] + cells[2])[None], n)
            made.append(sums.finish())
        return made[0], made[1]

    observed = groups(a)
    tally = Tally(statistic(*observed)[0], testable_pairs(*observed))
    random = np.random.default_rng((seed, 0, OWN))
    for _ in range(permutations):
        drawn, left, rest = np.zeros_like(pooled), in_a.copy(), pooled.sum(axis=0)
        for cell in range(3):
            rest = rest - pooled[cell]
            drawn[cell] = random.hypergeometric(pooled[cell], rest, left)
            left = left - drawn[cell]
        drawn[3] = left
        tally.add(statistic(*groups(drawn.astype(float))))
    return tally.p_values()[0]
