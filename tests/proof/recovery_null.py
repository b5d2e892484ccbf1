"""Conditions that are independent by design: the library's p values are as they should be, and nothing is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from recovery_people import INDEX, STUDY, block_tables, in_parallel, markdown, registered_on, share_with_error
from recovery_tests import count_pairs, found_at, pair_test
from scipy.stats import hypergeom, kstest

import symphony_research as sr
from symphony_research.synthetic.parameters import CONDITION_NAMES

SMALLEST_EXPECTED = 5
LEVELS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
STRATA = ("age", "sex", "decile")


@dataclass(frozen=True)
class NullStudy:
    patterns: sr.Patterns
    discoveries: int
    p_values: np.ndarray
    expected: np.ndarray


def null_study(seed: int, profile: str = "null") -> NullStudy:
    people, conditions = [], []
    for tables in block_tables(profile, seed, STUDY):
        there = tables["persons"].join(registered_on(tables["registrations"], INDEX), on="person_id", how="semi")
        age = ((pl.lit(INDEX) - pl.col("birth_date")).dt.total_days() / 365.25).cast(pl.Int64)
        there = there.filter(pl.col("deprivation_decile").is_not_null()).select(
            "person_id", age.alias("age"), pl.col("sex").cast(pl.String), pl.col("deprivation_decile").alias("decile")
        )
        begun = tables["conditions"].filter(pl.col("onset_date") <= INDEX)
        people.append(there)
        conditions.append(begun.join(there, on="person_id", how="semi"))
    persons, records = pl.concat(people), pl.concat(conditions)
    patterns = sr.Patterns.from_long(records, persons, by=STRATA, conditions=CONDITION_NAMES)

    persons = persons.sort("person_id").with_row_index("row")
    records = records.join(persons.select("person_id", "row"), on="person_id")
    held = np.zeros((persons.height, len(CONDITION_NAMES)), bool)
    held[records["row"].to_numpy(), records["condition"].to_physical().to_numpy()] = True
    band = np.minimum(persons["age"].to_numpy() // 5, 18)
    stratum = (band * 2 + (persons["sex"] == "M").to_numpy()) * 10 + persons["decile"].to_numpy() - 1
    tested = pair_test(count_pairs(stratum, held, 19 * 2 * 10))
    return NullStudy(patterns, int(found_at(tested.p_value).sum()), tested.p_value, tested.expected)


@dataclass(frozen=True)
class Tables:
    """2 x 2 tables that are independent of one another, with the library's mid-p, and p found without the library."""

    mid_p: np.ndarray
    exact_p: np.ndarray
    own_mid_p: np.ndarray
    randomised: np.ndarray
    chance_under: np.ndarray  # table x level: probability that the mid-p is no larger, given the margins

    def __len__(self) -> int:
        return len(self.mid_p)


def disjoint_tables(patterns: sr.Patterns, *, seed: int = 0) -> Tables:
    """Pairs of conditions with no condition in common within a stratum, in random order; chosen by the margins alone."""
    random = np.random.default_rng(seed)
    pairs = sr.networks.cooccurrence(patterns).estimates.filter(pl.col("expected") >= SMALLEST_EXPECTED)
    used: set[tuple[object, ...]] = set()
    rows = []
    keys = list(pairs.select(*STRATA, "source", "target").iter_rows())
    for row in random.permutation(len(keys)):
        *stratum, source, target = keys[row]
        ends = {(*stratum, source), (*stratum, target)}
        if not ends & used:
            used |= ends
            rows.append(row)
    chosen = pairs[rows]
    made = [
        _by_hand(both, first, second, people, random.random())
        for both, first, second, people in chosen.select("n_both", "n_source", "n_target", "n_persons").rows()
    ]
    exact, mid, randomised, under = (np.array(column) for column in zip(*made, strict=True))
    return Tables(chosen["p_value"].to_numpy(), exact, mid, randomised, under)


def _by_hand(both: int, first: int, second: int, people: int, draw: float) -> tuple[float, float, float, np.ndarray]:
    lowest = max(0, first + second - people)
    chance = hypergeom.pmf(np.arange(lowest, min(first, second) + 1), people, first, second)
    fewer = np.cumsum(chance) - chance
    more = 1 - fewer - chance
    at = both - lowest
    mid = np.minimum(1, 2 * np.minimum(fewer, more) + chance)
    # rounding must not decide whether an attainable value is under a level
    under = [chance[mid <= level + 1e-12].sum() for level in LEVELS]
    exact = min(1.0, 2 * (min(fewer[at], more[at]) + chance[at]))
    return exact, mid[at], fewer[at] + draw * chance[at], np.array(under)


def null_page(seeds: int, pooled: int, jobs: int) -> list[str]:
    studies = list(in_parallel(null_study, range(seeds), jobs))
    patterns = sr.Patterns.merge(*[study.patterns for study in studies[:pooled]])
    tables = disjoint_tables(patterns)
    n = len(tables)
    deciles = np.bincount(np.minimum((tables.mid_p * 10).astype(int), 9), minlength=10)
    uniform, plain = kstest(tables.randomised, "uniform"), kstest(tables.mid_p, "uniform")
    any_found = sum(study.discoveries > 0 for study in studies)
    p_values = np.stack([study.p_values for study in studies])
    expected = np.stack([study.expected for study in studies])
    bands = [(0.5, 2), (2, 10), (10, 50), (50, np.inf)]
    rows = []
    for k, level in enumerate(LEVELS):
        wanted = tables.chance_under[:, k]
        error = np.sqrt((wanted * (1 - wanted)).sum()) / n
        seen = (tables.mid_p <= level + 1e-12).mean()
        exact = (tables.exact_p <= level).mean()
        limit = level + 3 * np.sqrt(level * (1 - level) / n)
        rows.append(
            (
                level,
                f"{100 * seen:.2f}",
                f"{100 * wanted.mean():.2f}",
                f"{(seen - wanted.mean()) / error:+.1f}",
                f"{100 * exact:.2f}",
                f"{100 * limit:.2f}",
            )
        )
    return [
        "## Nothing planted, nothing found (`null`)",
        "",
        f"{patterns.n_persons:,} people of {pooled} studies, collapsed by single year of age, sex and tenth of deprivation, "
        f"in which the conditions are independent. `sr.networks.cooccurrence` gives each pair of each stratum its "
        f"hypergeometric mid-p. {n:,} pairs were kept, no two of a stratum with a condition in common, so that their p "
        f"values are independent; at least {SMALLEST_EXPECTED} people with both expected.",
        "",
        *markdown(
            ["mid-p between", *[f"{k / 10:.1f}-{(k + 1) / 10:.1f}" for k in range(10)]],
            [["share, %", *[f"{100 * count / n:.1f}" for count in deciles]]],
        ),
        f"Monte Carlo error of each {100 * (0.09 / n) ** 0.5:.1f}. Kolmogorov-Smirnov distance of the mid-p from uniform "
        f"{plain.statistic:.4f} (p = {plain.pvalue:.2g}); a mid-p is a step function and only nearly uniform, so the test of "
        f"the generator is that of the randomised p, which is exactly uniform: distance {uniform.statistic:.4f}, "
        f"p = {uniform.pvalue:.2g}. Largest difference between the library's mid-p and one by SciPy "
        f"{np.abs(tables.mid_p - tables.own_mid_p).max():.0e}; largest (mid-p - exact p) "
        f"{(tables.mid_p - tables.exact_p).max():.0e}.",
        "",
        *markdown(
            [
                "level",
                "mid-p at or under it, %",
                "probability given the margins, %",
                "errors between",
                "exact p, %",
                "limit for exact p, %",
            ],
            rows,
        ),
        "The limit is the level and three Monte Carlo errors.",
        "",
        f"All 1,176 pairs of a study of {STUDY:,} people, each tested within five-year age band, sex and tenth of "
        "deprivation (Mantel and Haenszel's expected count; exact two-sided mid-p, all margins of every stratum given):",
        "",
        *markdown(
            ["people expected with both", "pairs tested", "p below 0.05, %", "p below 0.001, %"],
            [
                (
                    f"{low:g} to {high:g}" if np.isfinite(high) else f"{low:g} and more",
                    f"{inside.sum():,}",
                    share_with_error(int((p_values[inside] < 0.05).sum()), int(inside.sum())),
                    f"{100 * (p_values[inside] < 0.001).mean():.2f}",
                )
                for low, high in bands
                for inside in [(expected >= low) & (expected < high)]
            ],
        ),
        f"After Benjamini and Hochberg at 5%, {any_found} of {seeds} studies have any discovery: "
        f"{share_with_error(any_found, seeds, expected=0.05)}%, where at most 5% may.",
        "",
    ]
