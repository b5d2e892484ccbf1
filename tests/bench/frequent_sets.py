"""Long rows in Parquet to pattern counts, all pairs and frequent sets: us beside the peers, in turn.

    python tests/bench/frequent_sets.py docs/bench.md [people]

Every contender starts from the same Parquet file of (person, condition) rows,
counts the people in it, and is charged for bringing it into its own form.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

CONDITIONS = 40
SUPPORT = 0.001
LARGEST = 6
REPEATS = 7


def long_rows(people: int, path: Path) -> None:
    """Write people whose conditions cluster through one shared frailty, some 2.3 each."""
    rng = np.random.default_rng(2013)
    prevalence = np.geomspace(0.18, 0.004, CONDITIONS)
    frail = rng.gamma(0.8, 1.25, people).astype(np.float32)
    who, which = [], []
    for k, p in enumerate(prevalence):
        held = np.flatnonzero(rng.random(people, dtype=np.float32) < 1 - np.exp(-p * 1.15 * frail))
        who.append(held)
        which.append(np.full(len(held), k))
    names = pl.Series([f"condition_{k:02d}" for k in range(CONDITIONS)])
    frame = pl.DataFrame({"person_id": np.concatenate(who), "condition": names.gather(np.concatenate(which))})
    frame.sample(fraction=1.0, shuffle=True, seed=1).write_parquet(path)


def ours(path: Path, people: int) -> tuple[int, int]:
    import symphony_research as sr
    from symphony_research.collapse.bits import frequent_sets, pair_sums

    patterns = sr.Patterns.from_long(pl.scan_parquet(path))
    pairs = pair_sums(patterns.words, patterns.frame["n_persons"].to_numpy(), CONDITIONS)
    sets = frequent_sets(
        patterns.words,
        patterns.frame["n_persons"].to_numpy()[:, None],
        CONDITIONS,
        min_persons=int(np.ceil(SUPPORT * people)),
        min_size=1,
        max_size=LARGEST,
    )
    return len(sets.words), int(pairs.sum())


def ours_with_estimates(path: Path, people: int) -> tuple[int, int]:
    """The same through the public functions: expected counts, intervals, tests and all."""
    import symphony_research as sr

    patterns = sr.Patterns.from_long(pl.scan_parquet(path))
    network = sr.networks.cooccurrence(patterns)
    sets = sr.multimorbidity.combinations(
        patterns, kind="at_least", min_size=1, max_size=LARGEST, min_persons=int(np.ceil(SUPPORT * people))
    )
    return sets.estimates.height, network.estimates.height


def mlxtend_fpgrowth(path: Path, people: int) -> tuple[int, int]:
    """Brought in as mlxtend's manual does it: transactions, TransactionEncoder, a frame of Booleans."""
    import pandas as pd
    from mlxtend.frequent_patterns import fpgrowth
    from mlxtend.preprocessing import TransactionEncoder

    held = transactions(path)
    encoder = TransactionEncoder()
    matrix = encoder.fit(held).transform(held)
    frame = pd.DataFrame(matrix, columns=encoder.columns_)
    found = fpgrowth(frame, min_support=SUPPORT * people / len(held), max_len=LARGEST)
    counts = matrix.astype(np.float32)
    return len(found), int((counts.T @ counts).sum())


def transactions(path: Path) -> list[list[str]]:
    return pl.read_parquet(path).group_by("person_id").agg("condition")["condition"].to_list()


def pyfim_fpgrowth(path: Path, people: int) -> tuple[int, int]:
    import fim

    found = fim.fpgrowth(transactions(path), target="s", supp=-int(np.ceil(SUPPORT * people)), zmin=1, zmax=LARGEST)
    return len(found), 0


def efficient_apriori(path: Path, people: int) -> tuple[int, int]:
    from efficient_apriori import itemsets_from_transactions

    held = [tuple(t) for t in transactions(path)]
    found, _ = itemsets_from_transactions(held, min_support=SUPPORT * people / len(held), max_length=LARGEST)
    return sum(len(sets) for sets in found.values()), 0


def timed(
    work: Callable[[Path, int], tuple[int, int]], path: Path, people: int, repeats: int
) -> tuple[float, tuple[int, int]]:
    best, answer = float("inf"), (0, 0)
    for _ in range(repeats):
        start = time.perf_counter()
        answer = work(path, people)
        best = min(best, time.perf_counter() - start)
    return best, answer


def import_times() -> tuple[float, float]:
    """Best of seven whole processes each."""
    import subprocess

    best = {}
    for module in ("polars", "symphony_research"):
        runs = []
        for _ in range(7):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
            runs.append(time.perf_counter() - start)
        best[module] = min(runs)
    return best["symphony_research"], best["polars"]


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, help="file to write")
    reader.add_argument("people", type=int, nargs="?", default=1_000_000, help="people to time with")
    given = reader.parse_args()
    target, people = given.target, given.people
    contenders = [
        ("symphony_research: patterns, pairs, sets", ours, REPEATS),
        ("symphony_research: the same with expected counts, intervals and tests", ours_with_estimates, REPEATS),
        ("PyFIM fpgrowth: sets alone", pyfim_fpgrowth, REPEATS),
        ("mlxtend fpgrowth: sets, pairs by matrix product", mlxtend_fpgrowth, 2),
        ("efficient-apriori: sets alone", efficient_apriori, 1),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.parquet"
        long_rows(people, path)
        rows = pl.scan_parquet(path).select(pl.len()).collect().item()
        results = [(name, *timed(work, path, people, n)) for name, work, n in contenders]
    first = results[0][1]
    lines = [
        "# Speed, beside the peers",
        "",
        f"`make bench`, one run: {people:,} people, {CONDITIONS} conditions, {rows:,} long rows in Parquet; sets of up to "
        f"{LARGEST} conditions held by {100 * SUPPORT:g} % of people. Conversion is charged to each. Best of {REPEATS} "
        f"runs (mlxtend two, efficient-apriori one). {os.cpu_count()} cores, Python {platform.python_version()}.",
        "",
        "| contender | seconds | times ours | frequent sets |",
        "|---|---:|---:|---:|",
        *[f"| {name} | {seconds:.2f} | {seconds / first:.1f} | {answer[0]:,} |" for name, seconds, answer in results],
    ]
    us, them = import_times()
    lines += [
        "",
        f"`import symphony_research` takes {us:.3f} s as a whole process, `import polars` {them:.3f} s: {us / them:.2f} times.",
        "",
    ]
    text = "\n".join(lines)
    print(text)
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
