"""A country on a laptop: 57 million people's sets of 40 conditions to counts, all pairs and frequent sets.

    python tests/bench/country.py docs/bench-country.md [people]

Time is also told in reads: how often the column of masks could be read from the
same file meanwhile. Each task is a process of its own, so that its peak memory
is its own too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

PEOPLE = 57_000_000
CONDITIONS = [f"condition {k:02d}" for k in range(40)]
SUPPORT, LARGEST = 0.001, 6
MOST_READS, MOST_GIGABYTES = 25, 6
CHUNK = 3_000_000
LEVELS = 128  # of frailty


def masks_of(people: int, rng: np.random.Generator) -> np.ndarray:
    """Return people's sets: conditions that share one frailty, so that they cluster, some two each."""
    prevalence = np.geomspace(0.16, 0.0025, len(CONDITIONS))
    frailty = np.sort(rng.gamma(0.8, 1.25, LEVELS * 100)).reshape(LEVELS, 100).mean(axis=1)
    level = rng.integers(0, LEVELS, people)
    masks = np.zeros(people, dtype=np.uint64)
    for k, p in enumerate(prevalence):
        # chances in 65,536ths: a draw of 16 bits decides
        chance = np.round((1 - np.exp(-p * 1.15 * frailty)) * 65_536).astype(np.uint32)
        has = rng.integers(0, 65_536, people, dtype=np.uint16) < chance[level]
        masks |= has.astype(np.uint64) << np.uint64(k)
    return masks


def write_people(folder: Path, people: int) -> None:
    rng = np.random.default_rng(57)
    for start in range(0, people, CHUNK):
        masks = masks_of(min(CHUNK, people - start), rng)
        pl.DataFrame({"mask": masks}).write_parquet(folder / f"{start // CHUNK:02d}.parquet")


def read(folder: Path) -> dict[str, float]:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        pl.scan_parquet(folder).select(pl.col("mask").sum()).collect(engine="streaming")
        times.append(time.perf_counter() - start)
    return {"seconds": min(times)}


def analyse(folder: Path) -> dict[str, float]:
    import symphony_research as sr
    from symphony_research.collapse.bits import frequent_sets, pair_sums

    start = time.perf_counter()
    patterns = sr.Patterns.from_masks(pl.scan_parquet(folder), conditions=CONDITIONS)
    counted = time.perf_counter()
    people = patterns.frame["n_persons"].to_numpy()
    pairs = pair_sums(patterns.words, people, len(CONDITIONS))
    paired = time.perf_counter()
    sets = frequent_sets(
        patterns.words, people[:, None], len(CONDITIONS),
        min_persons=int(np.ceil(SUPPORT * patterns.n_persons)), min_size=1, max_size=LARGEST,
    )  # fmt: skip
    done = time.perf_counter()
    return {
        "counts": counted - start, "pairs": paired - counted, "sets": done - paired, "seconds": done - start,
        "people": patterns.n_persons, "distinct": patterns.frame.height, "n_pairs": int((np.triu(pairs, 1) > 0).sum()),
        "n_sets": len(sets.words),
    }  # fmt: skip


TASKS = {"read": read, "analyse": analyse}


def apart(task: str, folder: Path) -> dict[str, float]:
    """Run a task in a process of its own."""
    command = [sys.executable, __file__, "--task", task, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, nargs="?", help="file to write")
    reader.add_argument("people", type=int, nargs="?", default=PEOPLE, help="people to count")
    reader.add_argument("--task", nargs=2, help="one step, in a process of its own")
    given = reader.parse_args()
    if given.task:
        found = TASKS[given.task[0]](Path(given.task[1]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # kilobytes on Linux
        print(json.dumps({**found, "gigabytes": peak}))
        return
    target, people = given.target, given.people
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_people(folder, people)
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        one_read = apart("read", folder)
        found = apart("analyse", folder)
    reads = found["seconds"] / one_read["seconds"]
    rows = [("masks to counts", "counts"), ("all pairs", "pairs"), ("frequent sets", "sets"), ("together", "seconds")]
    lines = [
        "# A country on a laptop",
        "",
        f"`make bench-country`, one run: {found['people']:,.0f} people in Parquet ({size:,.0f} MB), {len(CONDITIONS)} "
        f"conditions that cluster through one shared frailty, {found['distinct']:,.0f} distinct sets. "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, Polars {pl.__version__}.",
        "",
        "| step | seconds | reads |",
        "|---|---:|---:|",
        *[f"| {name} | {found[key]:.2f} | {found[key] / one_read['seconds']:.1f} |" for name, key in rows],
        "",
        f"One read, the sum of the masks by streaming from the same files (best of five), takes {one_read['seconds']:.2f} s. "
        f"There are {found['n_pairs']:,.0f} pairs and {found['n_sets']:,.0f} sets of up to {LARGEST} conditions that "
        f"{SUPPORT:.1%} of people have. Peak memory of the whole process: {found['gigabytes']:.1f} GB.",
        "",
        f"Held to: {MOST_READS} reads and {MOST_GIGABYTES} GB.",
    ]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))
    if reads > MOST_READS or found["gigabytes"] > MOST_GIGABYTES:
        sys.exit("A country takes more than it may.")


if __name__ == "__main__":
    main()
