"""Orders of onset and comparison of two networks: seconds beside the naive permutation.

python tests/bench/orders.py docs/bench-orders.md
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "proof"))

from recovery_people import INDEX, STUDY, block_tables, registered_on, study_snapshot
from recovery_tests import order_test

import symphony_research as sr
from symphony_research.synthetic.parameters import CONDITION_NAMES

REPEATS = 5
NAIVE_PAIRS, PERMUTATIONS = 40, 999


def people(studies: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Conditions, persons and registrations of several studies together."""
    parts = []
    for seed in range(studies):
        blocks = list(block_tables("planted", seed, STUDY))
        tables = [pl.concat([block[name] for block in blocks]) for name in ("conditions", "persons", "registrations")]
        here = registered_on(tables[2], INDEX)
        tables = [frame.join(here, on="person_id", how="semi") for frame in tables]
        parts.append([frame.with_columns(pl.col("person_id").cast(pl.Int64) + 10**7 * seed) for frame in tables])
    conditions, persons, registrations = (pl.concat(frames) for frames in zip(*parts, strict=True))
    return conditions.filter(pl.col("onset_date") <= INDEX), persons, registrations


def naive(seed: int) -> float:
    """Seconds that the proofs' permutation test takes for a pair, on average of the pairs of common conditions."""
    study = study_snapshot("planted", seed)
    common = np.argsort(-study.held.sum(axis=0))[:10]
    pairs = [(i, j) for k, i in enumerate(common) for j in common[k + 1 :]][:NAIVE_PAIRS]
    random = np.random.default_rng(seed)
    start = time.perf_counter()
    for i, j in pairs:
        both = study.held[:, [i, j]].all(axis=1)
        cohort = study.male[both] * 10_000 + study.birth_year[both] // 5
        order_test(study.onset[both, i], study.onset[both, j], cohort, random, PERMUTATIONS)
    return (time.perf_counter() - start) / len(pairs)


def best(work: Callable[[], Any], repeats: int = REPEATS) -> tuple[float, Any]:
    seconds, answer = float("inf"), None
    for _ in range(repeats):
        start = time.perf_counter()
        answer = work()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds, answer


def clustered(number: int, seed: int) -> pl.DataFrame:
    """People whose 49 conditions cluster through one shared frailty."""
    rng = np.random.default_rng(seed)
    frail = rng.gamma(0.8, 1.25, number)
    prevalence = np.geomspace(0.18, 0.004, len(CONDITION_NAMES))
    held = rng.random((number, len(prevalence))) < 1 - np.exp(-1.15 * prevalence * frail[:, None])
    return pl.DataFrame(held, schema=list(CONDITION_NAMES)).with_columns(pl.Series("age", rng.integers(0, 19, number)))


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, help="file to write")
    target = reader.parse_args().target
    lines = [
        "# Speed of orders of onset and of comparing networks",
        "",
        f"`make bench`, one run; best of {REPEATS} (comparisons: of one). {os.cpu_count()} cores, Python {platform.python_version()}.",
        "",
        "| work | people | seconds |",
        "|---|---:|---:|",
    ]
    pairs = len(CONDITION_NAMES) * (len(CONDITION_NAMES) - 1) // 2
    for studies in (1, 10):
        conditions, persons, registrations = people(studies)
        seconds, _ = best(partial(sr.networks.sequences, conditions, persons=persons, joined=registrations))
        lines.append(f"| `sequences`, all {pairs:,} pairs, frames read | {persons.height:,} | {seconds:.2f} |")
    lines.append(
        f"| naive test of the proofs, {PERMUTATIONS} permutations, {pairs:,} pairs at the pace of {NAIVE_PAIRS} of common conditions | "
        f"{people(1)[1].height:,} | {pairs * naive(0):.1f} |"
    )
    for by in ((), ("age",)):
        one, other = (sr.Patterns.from_wide(clustered(STUDY, k), conditions=CONDITION_NAMES, by=by) for k in (1, 2))
        distinct = sr.Patterns.merge(one, other).frame.height
        seconds, _ = best(partial(sr.networks.compare, one, other, adjust=by), 1)
        within = " within 19 strata" if by else ""
        lines.append(
            f"| `compare`, {pairs:,} pairs, 999 permutations of {distinct:,} distinct patterns{within} | 2 x {STUDY:,} | {seconds:.1f} |"
        )
    text = "\n".join([*lines, ""])
    print(text)
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
