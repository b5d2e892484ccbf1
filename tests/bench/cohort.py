"""A cohort of ten million people from Parquet, and its peak memory.

    python tests/bench/cohort.py docs/bench-cohort.md [people]

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
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

FIRST, LAST = date(2011, 4, 1), date(2018, 3, 31)
SETTINGS = f"""name = "Ten million invented people"
conditions = ["asthma", "stroke"]
[period]
start = {FIRST.isoformat()}
end = {LAST.isoformat()}
"""
RUN = """
import json, resource, sys, time
from datetime import date
import symphony_research as sr
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
study = sr.read_study(sys.argv[1])  # stamped by then, so it is not checked again
found = {"read": {"seconds": 0, "peak": peak()}}
def step(name, work):
    start = time.perf_counter()
    made = work()
    found[name] = {"seconds": time.perf_counter() - start, "peak": peak()}
    return made
cohort = step("define_cohort, registered on a day", lambda: sr.define_cohort(study, index="2012-04-01", age=(18, None)))
step("follow_up until death", lambda: cohort.follow_up(event="death"))
step("follow_up by sex and age band, horizon a year", lambda: cohort.follow_up(event="death", by=("sex", "age_band"), horizon=365))
step("rates of death by year and sex", lambda: cohort.rates(event="death", by=("year", "sex")))
found["people"] = cohort.attrition.estimates["n_persons"][-1]
print(json.dumps(found))
"""


def write_study(folder: Path, people: int, part: int = 1_000_000) -> None:
    """Write persons, a registration each and two conditions of some of them, a file a million people."""
    for name in ("persons", "registrations", "conditions"):
        (folder / name).mkdir(parents=True)
    for number, start in enumerate(range(0, people, part)):
        rng = np.random.default_rng((2013, number))
        n = min(part, people - start)
        ids = np.arange(start, start + n)
        births = (np.datetime64("1915-01-01") + rng.integers(0, 96 * 365, n)).astype("datetime64[D]")
        deaths = (np.datetime64("2011-04-01") + rng.integers(0, 7 * 365, n)).astype("datetime64[D]")
        dies = (rng.random(n) < 0.07) & (deaths > births)
        persons = pl.DataFrame(
            {
                "person_id": ids,
                "sex": pl.Series(rng.choice(["F", "M"], n)),
                "birth_date": births,
                "death_date": pl.Series(deaths).set(pl.Series(~dies), None),
                "deprivation_decile": rng.integers(1, 11, n),
                "area": pl.Series(np.char.add("E0100", rng.integers(1000, 5000, n).astype(str))),
                "residence": pl.Series(rng.choice(["own_home", "care_home"], n, p=[0.99, 0.01])),
            }
        )
        registrations = pl.DataFrame(
            {
                "person_id": ids,
                "practice_id": pl.Series(np.char.add("P", rng.integers(1000, 2500, n).astype(str))),
                "start_date": np.maximum(births, np.datetime64("2005-01-01")),
                "end_date": pl.Series([None], dtype=pl.Date).new_from_index(0, n),
            }
        )
        held = rng.random(n) < 0.1
        conditions = pl.DataFrame(
            {
                "person_id": ids[held],
                "condition": pl.Series(rng.choice(["asthma", "stroke"], int(held.sum()))),
                "onset_date": births[held],
            }
        )
        for name, table in (("persons", persons), ("registrations", registrations), ("conditions", conditions)):
            table.write_parquet(folder / name / f"{number:03d}.parquet", compression="zstd", compression_level=1)
    (folder / "study.toml").write_text(SETTINGS, encoding="utf-8")


def run(code: str, *arguments: str) -> dict:
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, help="file to write")
    reader.add_argument("people", type=int, nargs="?", default=10_000_000, help="people to time with")
    given = reader.parse_args()
    target, people = given.target, given.people
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home) / "study"
        write_study(folder, people)
        os.environ["SYMPHONY_CACHE"] = str(Path(home) / "cache")
        checked = run(
            "import json, resource, sys, time\nimport symphony_research as sr\nstart = time.perf_counter()\n"
            "sr.read_study(sys.argv[1])\nprint(json.dumps({'seconds': time.perf_counter() - start, "
            "'peak': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}))",
            str(folder),
        )
        found = run(RUN, str(folder))
    left = found.pop("people")
    found.pop("read")
    lines = [
        "# A cohort of ten million people",
        "",
        f"`python tests/bench/cohort.py docs/bench-cohort.md`, one run. {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, Polars {pl.__version__}. {people:,} invented people in Parquet with a registration "
        f"each; {left:,} of them meet the criteria. Peak memory is that of the process up to the end of the step.",
        "",
        "| step | seconds | peak memory, GB |",
        "|---|---:|---:|",
        f"| read_study, the first time (a process of its own, every check) | {checked['seconds']:.0f} | {checked['peak']:.1f} |",
        *[f"| {name} | {one['seconds']:.0f} | {one['peak']:.1f} |" for name, one in found.items()],
        "",
        "Studies of more than a million people are read in parts by a hash of their id, so that what is joined to a part and then "
        "excluded is never held for all; the people who are left take some hundred bytes each.",
        "",
    ]
    target.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
