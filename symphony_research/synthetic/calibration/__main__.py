"""Measure the public study over many seeds and write the page of published against generated.

python -m symphony_research.synthetic.calibration OUT.md [SEEDS] [PEOPLE]
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from symphony_research.synthetic.blocks import block_sizes
from symphony_research.synthetic.calibration.measure import added, figures, tally
from symphony_research.synthetic.calibration.table_page import calibration_page
from symphony_research.synthetic.history import draw_history
from symphony_research.synthetic.plan import Plan

PEOPLE, SEED, SEEDS = 114_874, 2013, 50


def measured(seed: int, people: int, pool: ThreadPoolExecutor) -> dict[str, float]:
    """Return the figures of one study."""
    plan = Plan(seed)
    sizes = block_sizes(people)
    parts = pool.map(lambda number: tally(draw_history(plan, number, sizes[number])), range(len(sizes)))
    return figures(added(list(parts)))


def main() -> int:
    """Write the page; 1 where a target is not held."""
    from tqdm import tqdm

    target = Path(sys.argv[1])
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else SEEDS
    people = int(sys.argv[3].replace(",", "")) if len(sys.argv) > 3 else PEOPLE
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        by_seed = [measured(seed, people, pool) for seed in tqdm(range(seeds), unit=" studies")]
        default = measured(SEED, people, pool)
    page, good = calibration_page(by_seed, default, people=people, seed=SEED)
    beside = target.with_suffix(".new")
    beside.write_text(page, encoding="utf-8")
    beside.replace(target)
    print(page)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
