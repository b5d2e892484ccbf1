"""Two groups of people divided again at random: how often permutations exceed what was found, pair by pair and for all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse import Patterns
from symphony_research.collapse.bits import Integers, n_words, unpack
from symphony_research.collapse.frames import runs
from symphony_research.collapse.margins import as_float, beside, nan_to_null, possible_table
from symphony_research.errors import ArgumentError
from symphony_research.inference import Array
from symphony_research.networks.cooccurrence import Cooccurrence, with_ends
from symphony_research.networks.ratio import Cells, Sums

__all__ = ["FACTORS", "from_networks", "from_patterns", "with_margins"]

MOST_PEOPLE = 10**9 - 1  # numpy draws from no larger urn
TIE = 1e-9
ZERO_BELOW = 1e-9
# what the figures of the whole row are multiplied by; all 1 where nothing is adjusted for
FACTORS = ("expected_factor_a", "expected_factor_b", "ratio_factor", "variance_factor")
BATCH = 64  # permutations drawn at once, fewer where there are millions of patterns
MOST_DRAWN = 20_000_000
OWN = 1993  # so that these random numbers are none that the data were made of under the same seed

Tables = Mapping[str, pl.DataFrame]


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
        least = 1 / (1 + self.permutations)
        single = np.where(self.testable, (1 + self.single) * least, np.nan)
        family = np.full(len(single), np.nan)
        # no pair has a smaller p than one that differs more
        family[self.rising] = np.maximum.accumulate(((1 + self.family) * least)[::-1])[::-1]
        return single, family, (1 + self.total) * least if len(self.rising) else np.nan


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
    for _, start, stop in runs(frame, adjust):
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
            raise ArgumentError(
                f"A stratum holds {total:,} people; at most {MOST_PEOPLE:,} can be divided again at random."
            )
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
    people = tables["population"].select(*by, "n_persons_a", "n_persons_b")
    return beside(with_ends(tables["pairs"], tables["margins"], by), people, by)


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
    """Count the pairs of two groups, and divide their people again: within the strata `adjust`, one test a stratum `by`."""
    conditions = a.conditions
    first, second = np.triu_indices(len(conditions), k=1)
    frame = _pooled(a, b, [*by, *adjust])
    schema = {name: a.frame.schema[name] for name in by}
    tables = _Tables(conditions, schema)
    for number, (names, start, stop) in enumerate(runs(frame, by)):
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
        if adjust:
            tables.add_strata(names, part, adjust, found)
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
        self.strata: list[pl.DataFrame] = []

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

    def add_strata(
        self,
        names: Mapping[str, Any],
        part: pl.DataFrame,
        adjust: Sequence[str],
        found: Sequence[tuple[Stratum, Integers]],
    ) -> None:
        """Add people of each group with each condition in each stratum that is adjusted for."""
        k = len(self.conditions)
        starts = [start for _, start, stop in runs(part, adjust) if stop > start]
        columns: dict[str, Any] = {"condition": pl.Series(self.conditions * len(starts), dtype=pl.String)}
        for side, drawn in zip("ab", _sides(found), strict=True):
            held = [np.rint(s.conditions @ w) for (s, _), w in zip(found, drawn, strict=True)]
            columns[f"n_persons_{side}"] = np.concatenate(held).astype(np.int64)
            columns[f"people_{side}"] = np.repeat([int(w.sum()) for w in drawn], k)
        own = [pl.lit(value, dtype=self.schema[name]).alias(name) for name, value in names.items()]
        levels = part.select(adjust)[np.repeat(starts, k)]
        self.strata.append(
            levels.with_columns([pl.Series(name, values) for name, values in columns.items()]).select(*own, pl.all())
        )

    def frames(self) -> dict[str, pl.DataFrame]:
        """Return the tables of all strata."""
        if not self.pairs:
            raise ArgumentError("No stratum has people of both groups, so there is nothing to compare.")
        made = {
            name: pl.concat(parts)
            for name in ("pairs", "margins", "population", "strata")
            if (parts := getattr(self, name))
        }
        return {name: nan_to_null(frame) for name, frame in made.items()}


def _factors(exact: Sums, crude: Sums) -> tuple[Array, Array]:
    """Ratio, and variance of its logarithm, over those of the whole row: null where a group has nobody who counts."""
    ratio = (exact.weighted[0] / exact.weighted[1]) / (crude.weighted[0] / crude.weighted[1])
    zero = ZERO_BELOW * (1 / crude.both[0] + 1 / crude.both[1])  # what is less than this is rounding
    variance = np.maximum(exact.log_ratio_variance(), zero) / np.maximum(crude.log_ratio_variance(), zero)
    defined = (exact.weighted[0] > 0) & (exact.weighted[1] > 0)
    return np.where(defined, ratio, np.nan)[0], np.where(defined, variance, np.nan)[0]


def from_networks(
    a: Cooccurrence, b: Cooccurrence, by: tuple[str, ...], permutations: int, seed: int
) -> dict[str, pl.DataFrame]:
    """Compare pair by pair: of each, the people of both groups with both, either and neither, divided again at random."""

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
