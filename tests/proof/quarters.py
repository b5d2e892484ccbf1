"""Three quarters of four hubs and their programme, each released: what is withheld more than if each stood alone.

    python tests/proof/quarters.py docs/quarters.md

Each quarter is an extract of its own: people are added, some records are revised, and the last quarter ends later. The first
run of a quarter is judged against all that was released before, the other against nothing; the counts that both show are compared.
Later quarters are made in the same way, and from another folder, under another study name, and under another rule.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent))
from made_studies import write_settings, write_study

from symphony_research.policy import Policy
from symphony_research.report import run_reports
from symphony_research.report.releasing import release_reports

ENDS = (date(2017, 9, 30), date(2017, 12, 31), date(2018, 3, 31))
SHARES = (0.9, 0.95, 1.0)  # of the people, quarter by quarter
REVISED = 0.01  # of conditions and of activity, in each quarter anew
HUBS = ("East", "North", "South", "West")
PEOPLE = (600, 5_000)
NHS = Policy.nhs_england()
# how the second and third quarter differ from the first: folder, study name, and rules
WAYS: dict[str, tuple[bool, bool, tuple[Policy, Policy]]] = {
    "the same": (False, False, (NHS, NHS)),
    "another folder": (True, False, (NHS, NHS)),
    "another study name": (False, True, (NHS, NHS)),
    "another folder, name and rule": (True, True, (Policy.sacro(), Policy.opensafely(rounding=10))),
}


@dataclass(frozen=True)
class Quarter:
    """What one quarter's reports show beside all that was released before, and what they would show alone."""

    way: str
    policy: Policy
    end: date
    reports: int
    shown: int
    alone: int
    seconds: float
    seconds_alone: float

    @property
    def withheld(self) -> float:
        """Share of the cells shown alone that are withheld beside earlier releases."""
        return 1 - self.shown / self.alone

    def row(self, people: int) -> str:
        """The quarter as a row of the table."""
        rule = f"{self.policy.name}, to {self.policy.rounding}"
        return (
            f"| {people:,} | {self.way} | {rule} | {self.end:%d %B %Y} | {self.reports} | {self.alone:,} | {self.shown:,} | "
            f"{100 * self.withheld:.1f}% | {self.seconds_alone:.0f} | {self.seconds:.0f} |"
        )


@dataclass(frozen=True)
class Made:
    """The counts that each report of a quarter shows, and how long all took."""

    shown: dict[str, set[str]]
    seconds: float

    @property
    def cells(self) -> int:
        """How many counts are shown."""
        return sum(map(len, self.shown.values()))


def write_quarter(folder: Path, whole: Path, quarter: int, *, name: str, policy: Policy) -> None:
    """Write the extract of a quarter: the first so many people, nothing dated after its end, and some records revised."""
    r = np.random.default_rng([7, quarter])
    tables = {path.stem: pl.read_csv(path, try_parse_dates=True) for path in whole.glob("*.csv")}
    tables |= {path.stem: pl.read_parquet(path) for path in whole.glob("*.parquet")}
    people = tables["persons"].head(round(SHARES[quarter] * tables["persons"].height))
    dated = {"conditions": "onset_date", "activity": "date", "enrolments": "start_date"}
    folder.mkdir(parents=True)
    for table, frame in tables.items():
        kept = frame.join(people.select("person_id"), on="person_id", how="semi")
        if table in dated:
            kept = kept.filter(pl.col(dated[table]) <= ENDS[quarter])
        if table in ("conditions", "activity"):
            kept = kept.filter(pl.Series(r.random(kept.height) >= REVISED))
        if table == "persons" and "death_date" in kept.columns:
            late = pl.col("death_date").cast(pl.Date) > ENDS[quarter]
            kept = kept.with_columns(pl.when(late).then(None).otherwise(pl.col("death_date")).alias("death_date"))
        if table == "enrolments":
            four = pl.when(pl.col("person_id").hash(1) % 4 == 0).then(pl.lit("South")).otherwise(pl.col("hub"))
            kept = kept.with_columns(four.alias("hub"))
            if "end_date" in kept.columns:
                late = pl.col("end_date").cast(pl.Date) > ENDS[quarter]
                kept = kept.with_columns(pl.when(late).then(None).otherwise(pl.col("end_date")).alias("end_date"))
        kept.write_parquet(folder / f"{table}.parquet")
    write_settings(folder, name, date(2011, 4, 1), ENDS[quarter])
    rule = f'[disclosure]\npolicy = "{policy.name}"\nthreshold = {policy.threshold}\nrounding = {policy.rounding}\n'
    with (folder / "study.toml").open("a", encoding="utf-8") as settings:
        settings.write(rule)


def made(study: Path, out: Path, register: Path) -> Made:
    """Make and release the reports of the programme, then of its hubs; return the counts that each shows."""
    start = time.perf_counter()
    for all_hubs, notebooks in ((False, ("04",)), (True, ("04", "09"))):
        found = run_reports(study, notebooks, all_hubs=all_hubs, out=out, register=register, progress=False, jobs=1)
        assert found.ok, [run.error for run in found.failed]
        release_reports([run.paths["report.html"].parent for run in found.runs], register=register, by="A. Analyst")
    return Made({path.parent.name: _cells(path) for path in out.glob("*/release.json")}, time.perf_counter() - start)


def _cells(path: Path) -> set[str]:
    """Return whom the shown counts of a report count, each once."""
    shown = set()
    for output in json.loads(path.read_text(encoding="utf-8"))["outputs"]:
        told = output.get("published")
        if told:
            shown |= {json.dumps([output["name"], cell[0], told["of"][cell[1]]]) for cell in told["cells"]}
    return shown


def quarters(people: int, folder: Path) -> Iterator[Quarter]:
    """Make and release the first quarter, then in each way the two after it; each quarter alone too."""
    write_study(folder / "whole", name="whole", people=people, conditions=8)
    write_quarter(folder / "first", folder / "whole", 0, name="Somerset", policy=NHS)
    first = made(folder / "first", folder / "out", folder / "first.jsonl")
    yield Quarter("the first", NHS, ENDS[0], len(first.shown), first.cells, first.cells, first.seconds, first.seconds)
    alone: dict[tuple[int, Policy], Made] = {}
    for at, (way, (moved, renamed, policies)) in enumerate(WAYS.items()):
        register = folder / f"register-{at}.jsonl"
        for ending in ("", ".head"):
            shutil.copy(folder / f"first.jsonl{ending}", f"{register}{ending}")
        out = folder / f"out-{at}"
        shutil.copytree(folder / "out", out)
        for quarter, policy in enumerate(policies, start=1):
            if (quarter, policy) not in alone:
                place = folder / f"alone-{quarter}-{policy.name}"
                write_quarter(place, folder / "whole", quarter, name="Somerset", policy=policy)
                alone[quarter, policy] = made(place, place / "out", place / "register.jsonl")
            study = folder / (f"way-{at}-{quarter}" if moved else f"way-{at}")
            shutil.rmtree(study, ignore_errors=True)
            name = f"Somerset {quarter}" if renamed else "Somerset"
            write_quarter(study, folder / "whole", quarter, name=name, policy=policy)
            if moved:
                out = folder / f"out-{at}-{quarter}"
            found, own = made(study, out, register), alone[quarter, policy]
            yield Quarter(
                way, policy, ENDS[quarter], len(found.shown), found.cells, own.cells, found.seconds, own.seconds
            )


def table(sizes: tuple[int, ...] = PEOPLE) -> str:
    """Return the table of quarters, as Markdown."""
    lines = [
        "# Quarter after quarter", "",
        "Reports 04 (programme and four hubs) and 09, made and released quarter by quarter from refreshed extracts: people added, 1% "
        "of conditions and activity revised. Cells: counts shown, of all reports of the quarter. The first quarter is released under "
        "NHS England's rule; the way says how the later ones differ from it. Seconds are of all six reports, on one processor.", "",
        "| people | way | rule | quarter ends | reports | cells alone | cells beside earlier releases | withheld more | s alone | s |",
        "|---:|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for people in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for one in quarters(people, Path(folder)):
                lines.append(one.row(people))
                print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the table, such as docs/quarters.md")
    parser.add_argument("--people", type=int, nargs="*", default=PEOPLE, help="sizes of the studies")
    asked = parser.parse_args()
    asked.out.write_text(table(tuple(asked.people)), encoding="utf-8")
