"""Matching on the day of enrolment: processor seconds and memory, beside a plain match of pymatchit-causal.

python tests/bench/matching.py docs/bench-matching.md
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

import symphony_research as sr
from symphony_research.schema import STUDY_TABLES
from symphony_research.study import Study, empty

FIRST, LAST = date(2011, 4, 1), date(2018, 3, 31)
START = (FIRST - date(1970, 1, 1)).days
CASES = {
    "115,000": (115_000, 1_500, 50),
    "250,000": (250_000, 5_000, 50),
    "500,000": (500_000, 10_000, 50),
    "1,000,000": (1_000_000, 20_000, 50),
}


def study_of(people: int, enrolled: int, seed: int = 1) -> Study:
    """Registered throughout, all as eligible, twelve contacts each in seven years, in forty practices."""
    rng = np.random.default_rng(seed)
    ids = np.arange(people)

    def days(of: int, low: int, high: int) -> pl.Series:
        return pl.Series(rng.integers(low, high, of, dtype=np.int32)).cast(pl.Date)

    kinds = np.array(["inpatient", "accident_and_emergency", "primary_care"])[
        rng.choice(3, 12 * people, p=[0.1, 0.2, 0.7])
    ]
    who = rng.integers(0, people, 12 * people)
    at = days(12 * people, START, START + 2557)
    tables = {
        "persons": pl.DataFrame({"person_id": ids, "sex": np.array(["F", "M"])[rng.integers(0, 2, people)], "birth_date": days(people, -15_000, 0)}),
        "registrations": pl.DataFrame({"person_id": ids, "practice_id": [f"P{k:02d}" for k in rng.integers(0, 40, people)], "start_date": pl.Series([date(2000, 1, 1)] * people)}),
        "activity": pl.DataFrame({"person_id": who, "date": at, "end_date": at, "setting": kinds, "cost": rng.gamma(1, 100, 12 * people).round(2)}).with_columns(
            kind=pl.when(pl.col("setting") == "inpatient").then(pl.lit("emergency"))
        ),
        "enrolments": pl.DataFrame({"person_id": rng.choice(people, enrolled, replace=False), "start_date": days(enrolled, START + 1_400, START + 2_400)}).with_columns(
            programme=pl.lit("complex_care"), hub=pl.lit("A"), end_date=pl.lit(None, dtype=pl.Date)
        ),
        "practice_programmes": pl.DataFrame({"practice_id": [f"P{k:02d}" for k in range(40)], "start_date": days(40, START + 1_400, START + 2_400)}).with_columns(
            programme=pl.lit("enhanced_primary_care"), end_date=pl.lit(None, dtype=pl.Date), whole_time_staff=pl.lit(1.0)
        ),
    }  # fmt: skip
    for name, frame in tables.items():
        gone = [c for c in empty(STUDY_TABLES[name]).collect_schema().items() if c[0] not in frame.columns]
        tables[name] = frame.with_columns(pl.lit(None, dtype=kind).alias(c) for c, kind in gone)
    held = {t: tables[t].lazy() if t in tables else empty(s) for t, s in STUDY_TABLES.items()}
    return Study("bench", (FIRST, LAST), held, fingerprint="bench", generated=True, given=frozenset(tables))


def ours(case: str) -> tuple[float, float, int]:
    """Processor seconds of matching and balance, peak memory in GB of the whole process, and rows of risk sets."""
    people, enrolled, most = CASES[case]
    study = study_of(people, enrolled)
    cohort = sr.define_cohort(study, programme="complex_care")
    begin = time.process_time()
    matched = sr.evaluation.match_controls(study, cohort, candidates=most, seed=1)
    sr.evaluation.balance(matched)
    took = time.process_time() - begin
    return took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, len(matched._sets.set)


def theirs() -> float:
    """Processor seconds of pymatchit-causal's plain nearest match of the same numbers: no days, no strata, no balance."""
    import pandas as pd
    from pymatchit import MatchIt

    people, enrolled, _ = CASES["115,000"]
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(people, 10)), columns=[f"x{k}" for k in range(10)])
    frame["treat"] = 0
    frame.loc[rng.choice(people, enrolled, replace=False), "treat"] = 1
    begin = time.process_time()
    MatchIt(frame, method="nearest").fit("treat ~ " + " + ".join(frame.columns[:10]))
    return time.process_time() - begin


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", help="file to write, or a case to time by itself")
    target = reader.parse_args().target
    if target in CASES:
        print(*ours(target))
        return
    if target == "peer":
        print(theirs())
        return

    def alone(case: str) -> list[float]:
        done = subprocess.run([sys.executable, __file__, case], capture_output=True, text=True, check=True)
        return [float(part) for part in done.stdout.splitlines()[-1].split()]  # the peer prints as it goes

    peer = alone("peer")[0]
    lines = [
        "# Matching on the day of enrolment",
        "",
        f"Made by `tests/bench/matching.py` on {os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}, one run each in a process of its own. Ours",
        "draws the candidates of each day, measures 31 covariates back from it, fits the score, matches nearest controls within exact strata and a",
        "caliper, and compares balance; peak memory is of the whole process, the made study (twelve contacts a person) included.",
        "",
        "| people | enrolled | candidates a risk set, at most | rows of risk sets | processor seconds | peak memory, GB |",
        "|---|---|---|---|---|---|",
    ]
    for case, (_, enrolled, most) in CASES.items():
        took, memory, rows = alone(case)
        lines.append(f"| {case} | {enrolled:,} | {most:,} | {int(rows):,} | {took:.1f} | {memory:.1f} |")
        if case == "115,000":
            ratio = peer / took
    lines += [
        "",
        f"pymatchit-causal 0.6.1, plain nearest match of 1,500 from 115,000 rows on 10 covariates: {peer:.0f} processor seconds, {ratio:.0f} times ours of the same numbers.",
        "",
    ]
    Path(target).write_text("\n".join(lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
