"""What is planted in the synthetic population is found, and nothing else: simulated, counted, printed.

python tests/proof/recovery.py docs/recovery.md [--quick]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from recovery_null import null_page
from recovery_planted import planted_page
from recovery_programmes import programmes_page
from recovery_survival import survival_page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to see whether it runs")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    scale = 0.1 if asked.quick else 1.0

    def times(count: int) -> int:
        return max(4, round(count * scale))

    text = [
        "# What is planted is found",
        "",
        "`make proof`: studies drawn by the generator, read back from their tables and analysed; seeds 0, 1, 2, ... of each "
        "profile, fixed beforehand. ± is one Monte Carlo standard error; a distance in errors beyond 3 would be a fault.",
        "",
    ]
    pages = {
        "null": lambda: null_page(times(60), times(20), asked.jobs),
        "planted": lambda: planted_page(times(40), asked.jobs),
        "survival": lambda: survival_page(times(600), asked.jobs),
        "programmes": lambda: programmes_page(times(80), asked.jobs),
    }
    for name, page in pages.items():
        started = time.perf_counter()
        text += page()
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    asked.out.write_text("\n".join(text), encoding="utf-8")


if __name__ == "__main__":
    main()
