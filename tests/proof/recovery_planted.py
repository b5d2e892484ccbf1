"""Planted pairs, triads and sequences: how often a study of the size of Symphony's finds them, and what it finds besides."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from recovery_people import (
    NEVER,
    STUDY,
    Snapshot,
    in_parallel,
    jackknife,
    markdown,
    mean_against,
    share_with_error,
    study_snapshot,
    truth_of,
    words,
)
from recovery_tests import (
    Exact,
    Order,
    PairTest,
    count_pairs,
    count_triad,
    found_at,
    no_three_way,
    order_test,
    pair_test,
    share_expected_share,
    triad_test,
)

from symphony_research.synthetic.parameters import CONDITION_NAMES, CONDITIONS, SEQUENCES
from symphony_research.synthetic.truth.index_day import DIRECTED, TRIADS, implied_pairs, planted_pairs

# Common enough that a study has people with two or three of them: 4% of people of 75.
COMMON = tuple(condition.name for condition in CONDITIONS if condition.prevalence[4] >= 4)
UNRELATED_TRIADS, UNRELATED_ORDERS = 200, 60
FOUND_OFTEN = 0.1  # implied pairs found less often are counted, not listed
FEWEST_FOR_ORDER, PERMUTATIONS = 30, 999


def column(name: str) -> int:
    return CONDITION_NAMES.index(name)


@lru_cache(maxsize=1)
def related() -> frozenset[frozenset[str]]:
    return frozenset(frozenset(pair) for pair in planted_pairs() + implied_pairs())


@lru_cache(maxsize=1)
def unrelated_triads() -> tuple[tuple[str, ...], ...]:
    """Triads no two of which anything planted brings together."""
    every = [t for t in combinations(COMMON, 3) if not any(frozenset(p) in related() for p in combinations(t, 2))]
    return tuple(every[k] for k in np.random.default_rng(0).permutation(len(every))[:UNRELATED_TRIADS])


@lru_cache(maxsize=1)
def chained_triads() -> tuple[tuple[str, ...], ...]:
    """Triads with at least two related pairs, none of them planted: their pairs should explain them."""
    wanted = {frozenset(triad) for triad in TRIADS}
    return tuple(
        t
        for t in combinations(CONDITION_NAMES, 3)
        if sum(frozenset(p) in {frozenset(q) for q in planted_pairs()} for p in combinations(t, 2)) >= 2
        and frozenset(t) not in wanted
    )


@lru_cache(maxsize=1)
def unrelated_orders() -> tuple[tuple[str, str], ...]:
    every = [pair for pair in combinations(COMMON, 2) if frozenset(pair) not in related()]
    return tuple(every[k] for k in np.random.default_rng(1).permutation(len(every))[:UNRELATED_ORDERS])


@dataclass(frozen=True)
class PlantedStudy:
    pairs: PairTest
    triads: dict[tuple[str, ...], Exact]
    triad_ratio: dict[tuple[str, ...], float]
    orders: dict[tuple[str, str], Order]
    onsets: dict[
        tuple[str, str], np.ndarray
    ]  # of the pairs with a planted direction: first, then, sex and year of birth


def planted_study(seed: int, profile: str = "planted", people: int = STUDY) -> PlantedStudy:
    return tested_study(study_snapshot(profile, seed, people), seed)


def tested_study(study: Snapshot, seed: int) -> PlantedStudy:
    known = study.decile > 0
    coarse = study.band * 2 + study.male
    stratum = (coarse * 10 + study.decile - 1)[known]
    pairs = pair_test(count_pairs(stratum, study.held[known], 19 * 2 * 10))
    triads, ratios = {}, {}
    for triad in (*TRIADS, *chained_triads(), *unrelated_triads()):
        cells = count_triad(coarse, study.held[:, [column(name) for name in triad]], 19 * 2)
        triads[triad] = triad_test(cells)
        ratios[triad] = float(cells[:, 1, 1, 1].sum() / max(no_three_way(cells).sum(), 1e-9))
    random = np.random.default_rng((seed, 2014))
    orders, onsets = {}, {}
    for first, then in (*DIRECTED, *unrelated_orders()):
        onset = study.onset[:, [column(first), column(then)]]
        both = (onset < NEVER).all(axis=1)
        if both.sum() >= 2:
            cohort = (study.male * 10_000 + study.birth_year)[both]
            orders[first, then] = order_test(onset[both, 0], onset[both, 1], cohort, random, PERMUTATIONS)
            if (first, then) in DIRECTED:
                onsets[first, then] = np.vstack([onset[both].T, cohort])
    return PlantedStudy(pairs, triads, ratios, orders, onsets)


@lru_cache(maxsize=1)
def kinds_of_pairs() -> tuple[tuple[tuple[str, str], ...], np.ndarray, np.ndarray]:
    """Each pair, which are planted, and which are implied."""
    i, j = np.triu_indices(len(CONDITION_NAMES), 1)
    names = tuple(
        (min(pair), max(pair)) for pair in [(CONDITION_NAMES[a], CONDITION_NAMES[b]) for a, b in zip(i, j, strict=True)]
    )
    planted, implied = set(planted_pairs()), set(implied_pairs())
    return names, np.array([n in planted for n in names]), np.array([n in implied for n in names])


def found_pairs(study: PlantedStudy) -> np.ndarray:
    """Pairs found together more often than expected."""
    return found_at(study.pairs.p_value) & (study.pairs.observed > study.pairs.expected)


def false_share(study: PlantedStudy) -> float:
    """Of the pairs found, either way, the share that nothing planted brings together."""
    _, planted, implied = kinds_of_pairs()
    found = found_at(study.pairs.p_value)
    return float((found & ~planted & ~implied).sum() / max(found.sum(), 1))


def planted_page(seeds: int, jobs: int) -> list[str]:
    studies = list(in_parallel(planted_study, range(seeds), jobs))
    truth = truth_of("planted")
    return [
        "## What is planted is found (`planted`)",
        "",
        f"{seeds} studies of {STUDY:,} people each, those registered on 1 April 2014.",
        "",
        *_pairs(studies, truth),
        *_triads(studies, truth),
        *_orders(studies, truth),
    ]


def _pairs(studies: list[PlantedStudy], truth: dict[str, tuple[float, float]]) -> list[str]:
    names, planted, implied = kinds_of_pairs()
    found = np.stack([found_pairs(study) for study in studies])
    observed, expected = (np.stack([getattr(s.pairs, which) for s in studies]) for which in ("observed", "expected"))
    seeds = len(studies)
    rows, others = [], []
    for kind, mask in (("planted", planted), ("implied", implied)):
        for k in np.flatnonzero(mask):
            value = truth[f"observed_expected/{'/'.join(names[k])}"]
            mean, errors = mean_against(observed[:, k] / expected[:, k], value)
            if kind == "implied" and found[:, k].mean() < FOUND_OFTEN:
                others.append(errors)
                continue
            rows.append(
                (
                    f"{words(names[k][0])}, {words(names[k][1])}", kind, f"{expected[:, k].mean():.0f}",
                    f"{value[0]:.2f}", f"{mean:.2f}", f"{errors:+.1f}", share_with_error(int(found[:, k].sum()), seeds),
                )
            )  # fmt: skip
    false = np.array([false_share(study) for study in studies])
    return [
        "### Pairs",
        "",
        "Each of the 1,176 pairs is tested within five-year age band, sex and tenth of deprivation as above; found means "
        "under 5% by Benjamini and Hochberg, and more often than expected. Implied pairs go together because of what is "
        "planted (down a chain, side by side from one condition, within a triad) and are no false discoveries.",
        "",
        *markdown(
            ["pair", "kind", "expected with both", "true observed/expected", "mean found", "errors between", "studies that find it, %"],
            rows,
        ),
        f"Planted pairs found {100 * found[:, planted].mean():.0f}%; implied {100 * found[:, implied].mean():.0f}%, of which the "
        f"{len(others)} found in under {100 * FOUND_OFTEN:.0f}% of studies are not listed (mean square of their errors between "
        f"{np.mean(np.square(others)):.2f}, where 1 is expected; largest {np.abs(others).max():.1f}). "
        f"False discovery rate {100 * false.mean():.1f} ± {100 * false.std(ddof=1) / seeds**0.5:.1f}%, where at most 5% may be.",
        "",
    ]  # fmt: skip


def exact_tests(studies: list[PlantedStudy], triads: tuple[tuple[str, ...], ...]) -> np.ndarray:
    """Study x triad x (p value, probability of at most 0.05, of at most 0.001)."""
    return np.array([[astuple(study.triads[triad]) for triad in triads] for study in studies])


def mean_with_error(shares: np.ndarray) -> str:
    """A percentage and its Monte Carlo error, from one share a study: the triads of a study have conditions in common."""
    return f"{100 * shares.mean():.1f} ± {100 * shares.std(ddof=1) / len(shares) ** 0.5:.1f}"


def _triads(studies: list[PlantedStudy], truth: dict[str, tuple[float, float]]) -> list[str]:
    seeds = len(studies)
    rows = []
    for triad in TRIADS:
        value = truth[f"observed_expected/{'/'.join(triad)}"]
        mean, errors = mean_against(np.array([study.triad_ratio[triad] for study in studies]), value)
        hits = sum(study.triads[triad].p_value < 0.05 and study.triad_ratio[triad] > 1 for study in studies)
        rows.append(
            (
                ", ".join(map(words, triad)), f"{value[0]:.2f}", f"{mean:.2f}", f"{errors:+.1f}",
                share_with_error(hits, seeds),
            )
        )  # fmt: skip
    groups = [("unrelated", unrelated_triads()), ("chained or side by side", chained_triads())]
    return [
        "### Triads",
        "",
        "Exact conditional test of no three-way interaction, given the two-way tables of each five-year age band and sex "
        "(Bartlett 1935; Zelen 1971); two-sided mid-p. Expected: without a three-way interaction.",
        "",
        *markdown(
            ["planted triad", "true observed/expected", "mean found", "errors between", "studies with p < 0.05, %"],
            rows,
        ),
        *markdown(
            ["other triads", "triads", "tests with p <= 0.05, %", "probability given the pairs, %", "tests with p <= 0.001, %", "probability, %"],
            [
                (
                    name, len(triads),
                    mean_with_error((tests[..., 0] <= 0.05).mean(axis=1)), f"{100 * tests[..., 1].mean():.1f}",
                    f"{100 * (tests[..., 0] <= 0.001).mean():.2f}", f"{100 * tests[..., 2].mean():.2f}",
                )
                for name, triads in groups
                for tests in [exact_tests(studies, triads)]
            ],
        ),
        f"Unrelated: {len(unrelated_triads())} drawn from those with no pair that anything planted brings together, of conditions "
        "that at least 4% of people of 75 have. Chained: two of the pairs are planted, the triad is not; on the scale of odds a "
        "hazard raised after an onset leaves a little three-way interaction of its own.",
        "",
    ]  # fmt: skip


def _orders(studies: list[PlantedStudy], truth: dict[str, tuple[float, float]]) -> list[str]:
    seeds = len(studies)
    sequences = {(sequence.first, sequence.then) for sequence in SEQUENCES}
    rows = []
    for pair in sorted(DIRECTED, key=lambda pair: pair not in sequences):
        orders = [study.orders[pair] for study in studies if pair in study.orders]
        share, null = (truth[f"{kind}/{'/'.join(pair)}"] for kind in ("first_share", "null_first_share"))
        mean, errors = mean_against(np.array([order.first_share for order in orders]), share)
        chance, chance_error = jackknife(
            lambda parts: share_expected_share(*np.hstack(parts)),
            [study.onsets[pair] for study in studies if pair in study.onsets],
        )
        chance_errors = (chance - null[0]) / np.hypot(chance_error, null[1])
        rows.append(
            (
                f"{words(pair[0])} -> {words(pair[1])}", "sequence" if pair in sequences else "link",
                f"{np.mean([order.people for order in orders]):.0f}",
                f"{share[0]:.3f}", f"{mean:.3f}", f"{errors:+.1f}", f"{null[0]:.3f}", f"{chance:.3f}", f"{chance_errors:+.1f}",
                share_with_error(sum(order.p_first < 0.05 for order in orders), seeds),
            )
        )  # fmt: skip
    p = np.array(
        [
            study.orders[pair].p_either
            for study in studies
            for pair in unrelated_orders()
            if pair in study.orders and study.orders[pair].people >= FEWEST_FOR_ORDER
        ]
    )
    return [
        "### Order of onset",
        "",
        "People with both: share in whom the first began first, against 999 permutations of the onsets of the second within sex "
        "and year of birth. One-sided p for the planted direction. Expected: the onset of the second that of somebody else of the "
        "same sex and year of birth, all studies together.",
        "",
        *markdown(
            [
                "order", "kind", "people with both", "true share first", "mean found", "errors between", "true share by chance",
                "found by chance", "errors between", "studies with p < 0.05, %",
            ],
            rows,
        ),
        f"{len(unrelated_orders())} unrelated pairs with at least {FEWEST_FOR_ORDER} people: a direction is found (two-sided "
        f"p < 0.05) in {share_with_error(int((p < 0.05).sum()), len(p), expected=0.05)}% of {len(p):,} tests; fewer than 5% "
        "where few people share a sex and year of birth, and so few orders are possible.",
        "",
    ]  # fmt: skip
