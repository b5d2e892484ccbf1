"""Sums over people on the index day: pairs, triads, order of onset, classes; and what happens to them afterwards.

Sums of blocks add up; `conditions_found` and `survival_found` turn them into
values. People are those registered on 1 April 2014.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic.calendar import DAYS_IN_YEAR, YEAR_STARTS
from symphony_research.synthetic.history import History
from symphony_research.synthetic.parameters import CLASSES, CONDITION_NAMES, LINKS, PRIORITY_CONDITIONS, SEQUENCES
from symphony_research.synthetic.truth.precedence_truth import first_share, median_of, null_share

__all__ = [
    "DIRECTED",
    "HORIZONS",
    "INDEX_DAY",
    "TRIADS",
    "conditions_found",
    "implied_pairs",
    "planted_pairs",
    "survival_found",
    "tally_conditions",
    "tally_survival",
]

Sums = dict[str, NDArray[np.float64]]

INDEX_DAY = int(YEAR_STARTS[3])  # 1 April 2014, before any hub
AGE_BANDS, DECILES = 19, 10
OLDER = 65
HORIZONS = (365, 730)
OLDEST_COX = 104
DIRECTED = tuple(
    [(link.after[0], link.condition) for link in LINKS if len(link.after) == 1]
    + [(sequence.first, sequence.then) for sequence in SEQUENCES]
)
TRIADS = tuple((*link.after, link.condition) for link in LINKS if len(link.after) == 2)
BIRTH_YEARS, ONSET_YEARS, FIRST_YEAR = 125, 125, 1900
GAP_BIN, GAP_BINS = 5, 8000


def planted_pairs() -> tuple[tuple[str, str], ...]:
    """Return the pairs that a link of two or a sequence makes go together, each in alphabetical order."""
    return tuple(sorted({(min(pair), max(pair)) for pair in DIRECTED}))


def implied_pairs() -> tuple[tuple[str, str], ...]:
    """Return the other pairs that go together: down a chain, side by side from one condition, or within a triad."""
    parents: dict[str, set[str]] = {name: set() for name in CONDITION_NAMES}
    for link in LINKS:
        parents[link.condition].update(link.after)
    for sequence in SEQUENCES:
        parents[sequence.then].add(sequence.first)

    def ancestry(name: str) -> set[str]:
        return {name}.union(*[ancestry(parent) for parent in parents[name]])

    lines = {name: ancestry(name) for name in CONDITION_NAMES}
    related = {(a, b) for a in CONDITION_NAMES for b in CONDITION_NAMES if a < b and lines[a] & lines[b]}
    return tuple(sorted(related - set(planted_pairs())))


def _registered(history: History) -> NDArray[np.bool_]:
    return (history.people.entered <= INDEX_DAY) & (history.departures.last >= INDEX_DAY)


def _ages(history: History) -> NDArray[np.int64]:
    return ((INDEX_DAY - history.people.born) / DAYS_IN_YEAR).astype(np.int64)


def _held(history: History) -> NDArray[np.bool_]:
    """Person by condition: whether begun by the index day."""
    held = np.zeros((len(history.people), len(CONDITION_NAMES)), bool)
    begun = history.onsets.day <= INDEX_DAY
    held[history.onsets.person[begun], history.onsets.condition[begun]] = True
    return held


def _year(day: NDArray[np.int32]) -> NDArray[np.int64]:
    """Calendar year of each day, counted from the first of the histograms."""
    year = day.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970 - FIRST_YEAR
    return np.clip(year, 0, ONSET_YEARS - 1)


def _row(name: str) -> int:
    return CONDITION_NAMES.index(name)


def tally_conditions(history: History) -> Sums:
    """Return the sums of one block that pairs, triads, order of onset and classes follow from."""
    there = _registered(history)
    people, held = history.people, _held(history)
    band = np.clip(_ages(history) // 5, 0, AGE_BANDS - 1)
    sums: Sums = {}

    known = there & people.decile_known
    stratum = (band * 2 + people.male) * DECILES + people.decile - 1
    strata = AGE_BANDS * 2 * DECILES

    def counted(who: NDArray[np.bool_], by: NDArray[np.int64], size: int) -> NDArray[np.float64]:
        return np.bincount(by[who], minlength=size).astype(float)

    pairs = planted_pairs() + implied_pairs()
    sums["n"] = counted(known, stratum, strata)
    sums["singles"] = np.stack([counted(known & held[:, k], stratum, strata) for k in range(len(CONDITION_NAMES))])
    sums["pairs"] = np.stack([counted(known & held[:, _row(a)] & held[:, _row(b)], stratum, strata) for a, b in pairs])
    coarse = band * 2 + people.male
    for number, triad in enumerate(TRIADS):
        cell = coarse * 8 + sum(held[:, _row(name)] * (4 >> k) for k, name in enumerate(triad))
        sums[f"triad {number}"] = counted(there, cell, AGE_BANDS * 2 * 8)

    onset = np.full(held.shape, np.iinfo(np.int32).max, np.int32)
    onset[history.onsets.person, history.onsets.condition] = history.onsets.day
    cohort = people.male * BIRTH_YEARS + _year(people.born)
    for number, (first, then) in enumerate(DIRECTED):
        both = np.flatnonzero(there & held[:, _row(first)] & held[:, _row(then)])
        a, b = onset[both, _row(first)], onset[both, _row(then)]
        sums[f"order {number}"] = np.array([(a < b).sum(), (a == b).sum(), len(both)], float)
        years = [_year(day) for day in (a, b)]
        for which, year in zip(("first", "then"), years, strict=True):
            sums[f"{which} {number}"] = np.bincount(
                cohort[both] * ONSET_YEARS + year, minlength=2 * BIRTH_YEARS * ONSET_YEARS
            ).astype(float)
        score = (years[0] < years[1]) + (years[0] == years[1]) / 2
        sums[f"own {number}"] = np.bincount(cohort[both], score, minlength=2 * BIRTH_YEARS).astype(float)
        gaps = np.minimum((b - a)[a < b] // GAP_BIN, GAP_BINS - 1)
        sums[f"interval {number}"] = np.bincount(gaps, minlength=GAP_BINS).astype(float)

    sums["classes"] = np.bincount(people.latent_class[there], minlength=len(CLASSES)).astype(float)
    priority = [_row(name) for name in PRIORITY_CONDITIONS]
    sums["by class"] = np.stack(
        [held[there & (people.latent_class == c)][:, priority].sum(axis=0) for c in range(len(CLASSES))]
    ).astype(float)
    return sums


def conditions_found(sums: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return the values that follow from the sums, by name."""
    found: dict[str, float] = {}
    n = np.maximum(sums["n"], 1)
    for number, (a, b) in enumerate(planted_pairs() + implied_pairs()):
        expected = (sums["singles"][_row(a)] * sums["singles"][_row(b)] / n).sum()
        found[f"observed_expected/{a}/{b}"] = sums["pairs"][number].sum() / expected
    for number, triad in enumerate(TRIADS):
        cells = sums[f"triad {number}"].reshape(-1, 2, 2, 2)
        found[f"observed_expected/{'/'.join(triad)}"] = cells[:, 1, 1, 1].sum() / no_three_way(cells)[:, 1, 1, 1].sum()
    for number, (first, then) in enumerate(DIRECTED):
        found[f"first_share/{first}/{then}"] = first_share(sums[f"order {number}"])
        found[f"null_first_share/{first}/{then}"] = null_share(
            sums[f"first {number}"].reshape(-1, ONSET_YEARS),
            sums[f"then {number}"].reshape(-1, ONSET_YEARS),
            sums[f"own {number}"],
        )
        found[f"median_gap/{first}/{then}"] = GAP_BIN * median_of(sums[f"interval {number}"])
    for number, latent in enumerate(CLASSES):
        found[f"class_share/{latent.name}"] = sums["classes"][number] / sums["classes"].sum()
        for k, condition in enumerate(PRIORITY_CONDITIONS):
            found[f"class_prevalence/{latent.name}/{condition}"] = sums["by class"][number, k] / max(
                sums["classes"][number], 1
            )
    return found


def no_three_way(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the tables of three conditions with these pairs' margins and no three-way interaction.

    Iterative proportional fitting (Deming and Stephan 1940), of all strata at once.
    """
    fitted = np.ones_like(cells)
    for _ in range(500):
        before = fitted
        for axis in (3, 2, 1):
            wanted, have = cells.sum(axis=axis, keepdims=True), fitted.sum(axis=axis, keepdims=True)
            fitted = fitted * np.divide(wanted, have, out=np.zeros_like(wanted), where=have > 0)
        if np.abs(fitted - before).max() < 1e-9 * max(cells.max(), 1):
            break
    return fitted


def tally_survival(history: History) -> Sums:
    """Return the sums of one block, of people of 65 and over, that survival and Cox regression follow from.

    To be drawn from a plan in which nobody moves away after the index day.
    """
    age = _ages(history)
    who = np.flatnonzero(_registered(history) & (age >= OLDER))
    last, died = history.departures.last[who] - INDEX_DAY, history.departures.died[who]
    admissions = history.use.streams["emergency"]
    after = admissions.day > INDEX_DAY
    first = np.full(len(history.people), np.iinfo(np.int32).max, np.int64)
    np.minimum.at(first, admissions.person[after], admissions.day[after].astype(np.int64))
    wait = first[who] - INDEX_DAY
    sums: Sums = {
        "older": np.array([float(len(who))]),
        "dead": np.array([(died & (last <= day)).sum() for day in HORIZONS], float),
        "admitted": np.array([(wait <= day).sum() for day in HORIZONS], float),
    }
    priority = [_row(name) for name in PRIORITY_CONDITIONS]
    three = _held(history)[who][:, priority].sum(axis=1) >= 3
    pattern = (np.minimum(age[who], OLDEST_COX) - OLDER) * 4 + history.people.male[who] * 2 + three
    size = (OLDEST_COX - OLDER + 1) * 4
    longest = HORIZONS[-1]
    time = np.minimum(last, longest + 1)
    sums["leaving"] = np.bincount(pattern * (longest + 2) + time, minlength=size * (longest + 2)).astype(float)
    ended = died & (last <= longest)
    sums["deaths"] = np.bincount((pattern * (longest + 2) + time)[ended], minlength=size * (longest + 2)).astype(float)
    return sums


def survival_found(sums: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return survival, cumulative incidence of emergency admission, and log hazard ratios of Cox regression."""
    n = sums["older"][0]
    found = {}
    for k, day in enumerate(HORIZONS):
        found[f"survival/65_and_over/{day}_days"] = 1 - sums["dead"][k] / n
        found[f"cumulative_incidence/emergency_admission/65_and_over/{day}_days"] = sums["admitted"][k] / n
    longest = HORIZONS[-1]
    leaving = sums["leaving"].reshape(-1, longest + 2)
    deaths = sums["deaths"].reshape(-1, longest + 2)
    at_risk = leaving[:, ::-1].cumsum(axis=1)[:, ::-1]
    rows = np.arange(len(leaving))
    covariates = np.stack([rows % 2, rows // 4 + OLDER, rows // 2 % 2], axis=1).astype(float)
    for name, value in zip(("three_or_more", "age", "male"), cox(covariates, at_risk, deaths), strict=True):
        found[f"log_hazard_ratio/death/{name}"] = float(value)
    return found


def cox(
    covariates: NDArray[np.float64], at_risk: NDArray[np.float64], deaths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the coefficients of Cox regression on people collapsed by covariate pattern and day.

    Breslow's partial likelihood, by Newton's method: ties are few beside the many at risk.

    Parameters
    ----------
    covariates : (P, C) array
        One row a pattern.
    at_risk, deaths : (P, D) arrays
        People of each pattern at risk and dying on each day.
    """
    centred = covariates - covariates.mean(axis=0)
    beta = np.zeros(centred.shape[1])
    days = deaths.sum(axis=0)
    for _ in range(50):
        weight = np.exp(centred @ beta)[:, None] * at_risk
        total = np.maximum(weight.sum(axis=0), 1e-300)
        mean = centred.T @ weight / total
        score = centred.T @ deaths.sum(axis=1) - mean @ days
        second = np.einsum("pc,pe,pd->ced", centred, centred, weight, optimize=True) / total
        information = ((second - mean[:, None, :] * mean[None, :, :]) * days).sum(axis=2)
        step = np.linalg.solve(information, score)
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            break
    return beta
