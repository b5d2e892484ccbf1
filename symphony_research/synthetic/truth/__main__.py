"""Simulate the known answers of every profile and keep them with the package.

python -m symphony_research.synthetic.truth [PEOPLE]
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from symphony_research.synthetic.plan import PROFILES, Plan
from symphony_research.synthetic.truth.simulate import people_drawn, simulate_all
from symphony_research.synthetic.truth.stored import STORED, parameters_digest

PEOPLE = 4_000_000


def main() -> None:
    """Write data/truth.json."""
    from tqdm import tqdm

    people = int(sys.argv[1].replace(",", "")) if len(sys.argv) > 1 else PEOPLE
    profiles = {}
    for name, profile in PROFILES.items():
        with tqdm(total=2 * people, unit=" people", unit_scale=True, desc=name) as bar:
            found = simulate_all(Plan(0, profile), people, jobs=os.cpu_count() or 1, made=bar.update)
        profiles[name] = {key: [float(f"{value:.8g}"), float(f"{error:.3g}")] for key, (value, error) in found.items()}
    held = {"parameters": parameters_digest(), "people": people_drawn(people), "profiles": profiles}
    target = Path(__file__).parents[1] / "data" / STORED
    beside = target.with_suffix(".new")
    beside.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
    beside.replace(target)


if __name__ == "__main__":
    main()
