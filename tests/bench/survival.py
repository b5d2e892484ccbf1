"""Curves and tests beside lifelines, in turn in one process.

    python tests/bench/survival.py docs/bench-survival.md [people]

Every contender starts from columns in memory in the form that it wants, and from nothing collapsed before. Ours compute all three
curves with their intervals; lifelines is asked for the Kaplan-Meier curve alone, for the log-rank test, and for one cumulative
incidence on a million people with `calculate_variance=False`.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

PEOPLE = 10_000_000
RUNS = 2
COMPETING = 1_000_000  # as many as lifelines' Aalen-Johansen takes in minutes


def people_of(n: int) -> pl.DataFrame:
    """Return people followed by day for up to three years: 0 censored, 1 admitted, 2 died first."""
    rng = np.random.default_rng(1958)
    arm = rng.integers(0, 2, n)
    admitted, died = rng.exponential(900 - 50 * arm), rng.exponential(4000.0, n)
    left = rng.uniform(30, 1095, n)
    day = np.ceil(np.minimum(np.minimum(admitted, died), left))
    event = np.where((admitted <= died) & (admitted <= left), 1, np.where(died <= left, 2, 0))
    return pl.DataFrame({"time": day, "event": event.astype(np.int64), "arm": arm})


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Return the best of several runs in seconds, and the answer."""
    best, answer = float("inf"), None
    for _ in range(repeats):
        start = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - start)
    return best, answer


def main() -> None:
    import symphony_research as sr

    warnings.simplefilter("ignore")
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, help="file to write")
    reader.add_argument("people", type=int, nargs="?", default=PEOPLE, help="people to time with")
    given = reader.parse_args()
    target, people = given.target, given.people
    frame = people_of(people)
    cause_one = frame.with_columns((pl.col("event") == 1).cast(pl.Int64).alias("event"))
    fewer = frame.head(min(people, COMPETING))
    both: dict[str, Any] = {"time": "time", "event": "event"}

    def three_curves() -> Any:
        return (
            sr.survival.kaplan_meier(cause_one, **both, interval="log_log").estimates,
            sr.survival.nelson_aalen(cause_one, **both).estimates,
            sr.survival.cumulative_incidence(frame, **both).estimates,
        )

    def lifelines_curve() -> Any:
        from lifelines import KaplanMeierFitter

        times, events = cause_one["time"].to_numpy(), cause_one["event"].to_numpy()
        return KaplanMeierFitter().fit(times, events).survival_function_

    def test() -> float:
        return float(sr.survival.logrank_test(cause_one, **both, by="arm").estimates["statistic"].item())

    def lifelines_test() -> float:
        from lifelines.statistics import logrank_test

        times, events, arm = (cause_one[c].to_numpy() for c in ("time", "event", "arm"))
        first = arm == 0
        return float(logrank_test(times[first], times[~first], events[first], events[~first]).test_statistic)

    def incidence() -> Any:
        return sr.survival.cumulative_incidence(fewer, **both).estimates

    def lifelines_incidence() -> Any:
        from lifelines import AalenJohansenFitter

        # tied times are moved apart at random there, which is part of what it does
        fitter = AalenJohansenFitter(calculate_variance=False, seed=1)
        return fitter.fit(fewer["time"].to_numpy(), fewer["event"].to_numpy(), event_of_interest=1).cumulative_density_

    compared = [
        ("three curves with intervals; lifelines: Kaplan-Meier alone", three_curves, lifelines_curve, (3, 2), 2),
        ("log-rank test of two groups", test, lifelines_test, (3, 2), 8),
        (f"cumulative incidence of {fewer.height:,} people", incidence, lifelines_incidence, (3, 1), 20),
    ]
    rows = []
    for number in range(1, RUNS + 1):
        for what, ours, theirs, repeats, least in compared:
            own, _ = timed(ours, repeats[0])
            other, _ = timed(theirs, repeats[1])
            rows.append(f"| {number} | {what} | {own:.2f} | {other:.2f} | {other / own:.1f} | {least} |")
    text = "\n".join(
        [
            "# Curves and tests, beside lifelines",
            "",
            f"`make bench`, {RUNS} runs in one process: {people:,} people followed by day for up to three years, with a competing "
            "event. Columns in memory, in each one's own form; ours and lifelines in turn. Best of three times, of lifelines of two "
            f"(one of its cumulative incidence, without a variance). {os.cpu_count()} cores, Python {platform.python_version()}.",
            "",
            "| run | what | ours, s | lifelines, s | lifelines / ours | at least |",
            "|---:|---|---:|---:|---:|---:|",
            *rows,
            "",
            "Ours has the variance and both limits in each figure. Days are counted by a tally of one packed number a person; "
            "times that are no integers, or strata that are text, take a group-by, about twice as long.",
            "",
        ]
    )
    print(text)
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
