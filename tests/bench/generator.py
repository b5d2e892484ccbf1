"""The generator beside a bare Polars write of the same tables, and its peak memory by size.

    python tests/bench/generator.py docs/bench-generator.md [people]

Each run is a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

GENERATE = """
import json, resource, sys, time
import symphony_research as sr
from symphony_research.synthetic import blocks
start = time.perf_counter()
sr.synthesise(sys.argv[1], people=int(sys.argv[2]), progress=False)
seconds = time.perf_counter() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "peak": peak}))
"""
WRITE = """
import json, sys, time
from pathlib import Path
import polars as pl
tables = {f.name: pl.read_parquet(f / "*.parquet") for f in Path(sys.argv[1]).iterdir() if f.is_dir()}
out = Path(sys.argv[2])
out.mkdir()
start = time.perf_counter()
for name, table in tables.items():
    table.write_parquet(out / f"{name}.parquet", compression="zstd", compression_level=1)
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "rows": {n: t.height for n, t in tables.items()}}))
"""


def run(code: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, help="file to write")
    reader.add_argument("people", type=int, nargs="?", default=1_000_000, help="people to time with")
    given = reader.parse_args()
    target, people = given.target, given.people
    lines = [
        "# Speed and memory of the generator",
        "",
        f"`make bench`, one run. {os.cpu_count()} cores, Python {platform.python_version()}. Everything is on: calibrated profile, "
        "programmes, truth.json, fingerprint. Each row is a process of its own; the best of three for the first.",
        "",
        "| people | seconds | activity rows | rows a second | peak memory, MB |",
        "|---:|---:|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as home:
        study = f"{home}/study"
        bare: dict[str, Any] = {}
        for size in (people, 5 * people):
            runs = [run(GENERATE, study, str(size)) for _ in range(3 if size == people else 1)]
            best = min(runs, key=lambda found: float(found["seconds"]))
            if not bare:
                writes = [run(WRITE, study, f"{home}/bare{k}") for k in range(3)]
                bare = min(writes, key=lambda found: float(found["seconds"]))
                rows, ratio = bare["rows"]["activity"], best["seconds"] / bare["seconds"]
                total = sum(bare["rows"].values())
            count = rows * size // people
            lines.append(
                f"| {size:,} | {best['seconds']:.1f} | {'' if size == people else 'about '}{count:,} | "
                f"{count / best['seconds']:,.0f} | {best['peak']:,.0f} |"
            )
    lines += [
        "",
        f"A bare Polars write of the same tables, {total:,} rows already in memory, takes {bare['seconds']:.2f} s: the generator "
        f"takes {ratio:.1f} times as long.",
        "",
    ]
    text = "\n".join(lines)
    print(text)
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
