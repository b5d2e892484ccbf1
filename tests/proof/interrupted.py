"""Interrupted time series against what was planted: how large standard errors are, and how often intervals hold, by simulation.

python tests/proof/interrupted.py docs/proof-interrupted.md

Events are Poisson's, 500 a month, around a rate that an AR(1) process with innovations of standard deviation 0.05 moves; no change is
planted in the middle. A control series shares the process and has one of its own with half the variance, and the population another.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from symphony_research.evaluation.segmented import (
    default_lags,
    errors_of,
    errors_of_difference,
    fitted_series,
    newey_west,
    segments,
)

Z = 1.959964
MEAN, SPREAD, LEVEL = 500.0, 0.05, 2
MONTHS, CORRELATIONS = (24, 48, 96), (0.0, 0.2, 0.4, 0.6)
REPLICATES = 1_000
WAYS = {"autoregressive": "AR(1)", "newey_west": "Newey-West", "quasi_poisson": "quasi-Poisson"}


def process(random: np.random.Generator, months: int, correlation: float) -> np.ndarray:
    """Return a stationary AR(1) process."""
    found = np.empty(months)
    found[0] = random.normal(0, SPREAD / np.sqrt(1 - correlation**2))
    for t in range(1, months):
        found[t] = correlation * found[t - 1] + random.normal(0, SPREAD)
    return found


def replicate(random: np.random.Generator, months: int, correlation: float, harmonics: int) -> list[tuple[float, ...]]:
    """Return the change of level and its errors by each way, of one series and of its difference from a control."""
    time, month = (np.arange(months) - months // 2) / 12, np.arange(months) % 12 + 1
    design = segments(time, month, harmonics)
    shared = process(random, months, correlation)
    rates = [shared, *(shared + np.sqrt(0.5) * process(random, months, correlation) for _ in range(2))]
    alone, one, other = (
        fitted_series(design, random.poisson(MEAN * np.exp(rate)).astype(float), np.ones(months)) for rate in rates
    )
    lags = default_lags(months)
    of_one = (
        errors_of(alone, design).covariance, newey_west(alone.influence, lags), alone.inverse * alone.dispersion,
    )  # fmt: skip
    of_both = (
        errors_of_difference(one, other, design).covariance, newey_west(one.influence - other.influence, lags),
        one.inverse * one.dispersion + other.inverse * other.dispersion,
    )  # fmt: skip
    values = (alone.coefficients[LEVEL], one.coefficients[LEVEL] - other.coefficients[LEVEL])
    return [
        (float(value), *(float(np.sqrt(c[LEVEL, LEVEL])) for c in covariances))
        for value, covariances in zip(values, (of_one, of_both), strict=True)
    ]


def cell(
    months: int, correlation: float, *, harmonics: int = 2, replicates: int = REPLICATES, seed: int = 0
) -> list[dict[str, tuple[float, float]]]:
    """Return model over empirical error, and coverage, by each way: of one series, and of the difference of two."""
    random = np.random.default_rng((seed, months, round(100 * correlation)))
    made = np.array([replicate(random, months, correlation, harmonics) for _ in range(replicates)])
    found = []
    for rows in (made[:, 0], made[:, 1]):
        value, empirical = rows[:, 0], rows[:, 0].std(ddof=1)
        found.append(
            {
                way: (float(rows[:, k].mean() / empirical), float((np.abs(value) <= Z * rows[:, k]).mean()))
                for k, way in enumerate(WAYS, 1)
            }
        )
    return found


def page() -> str:
    """Return the tables."""
    said = [__doc__.split("\n\n")[2].replace("\n", " ").strip()]
    rows: dict[int, list[str]] = {0: [], 1: []}
    for months in MONTHS:
        for correlation in CORRELATIONS:
            for k, found in enumerate(cell(months, correlation)):
                shown = (f"{found[way][0]:.2f} ({100 * found[way][1]:.1f}%)" for way in WAYS)
                rows[k].append(f"| {months} | {correlation:g} | {' | '.join(shown)} |")
            print(months, correlation, rows[0][-1], rows[1][-1], file=sys.stderr, flush=True)
    head = f"| months | autocorrelation | {' | '.join(WAYS.values())} |\n|---|---|{'---|' * len(WAYS)}"
    tables = "\n\n".join(
        f"## {title}\n\n{head}\n" + "\n".join(rows[k])
        for k, title in enumerate(("One series", "Difference from a control series"))
    )
    return (
        "# Interrupted time series against what was planted\n\n"
        f"Made by `tests/proof/interrupted.py` (`make proof`). {said[0]} Two pairs of harmonics are fitted.\n\n"
        "The change of level: mean standard error over the empirical one, and in brackets coverage of the 95% interval, of "
        f"{REPLICATES:,} replicates (Monte Carlo standard errors are about 0.02 and 0.7 percentage points). The autocorrelation is that of the "
        f"process; Poisson's variation is added to it.\n\n{tables}\n"
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
