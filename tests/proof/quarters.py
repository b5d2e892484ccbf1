"""Three quarters of four hubs and their programme, each released: what is withheld more than if each stood alone.

    python tests/proof/quarters.py docs/quarters.md

Each quarter is an extract of its own: people are added, some records are revised, and the last quarter ends later. The first
run of a quarter is judged against all that was released before, the other against nothing; the counts that both show are compared.
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

from symphony_research.report import run_reports
from symphony_research.report.releasing import release_reports

ENDS = (date(2017, 9, 30), date(2017, 12, 31), date(2018, 3, 31))
SHARES = (0.9, 0.95, 1.0)  # of the people, quarter by quarter
REVISED = 0.01  # of conditions and of activity, in each quarter anew
HUBS = ("East", "North", "South", "West")
PEOPLE = (1_000, 5_000)


@dataclass(frozen=True)
class Quarter:
    """What one quarter's reports show beside all that was released before, and what they would show alone."""

    end: date
    seconds: float
    reports: int
    shown: int
    alone: int

    @property
    def withheld(self) -> float:
        """Share of the cells shown alone that are withheld beside earlier releases."""
        return 1 - self.shown / self.alone


def write_quarter(folder: Path, whole: Path, quarter: int, *, name: str) -> None:
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


def made(study: Path, out: Path, register: Path, policy: str) -> tuple[dict[str, set[str]], float]:
    """Make and release the reports of the programme, then of its hubs; return the counts that each shows."""
    start = time.perf_counter()
    for all_hubs, notebooks in ((False, ("04",)), (True, ("04", "09"))):
        found = run_reports(
            study, notebooks, all_hubs=all_hubs, out=out, policy=policy, register=register, progress=False
        )
        assert found.ok, [run.error for run in found.failed]
        release_reports([run.paths["report.html"].parent for run in found.runs], register=register, by="A. Analyst")
    return {path.parent.name: _cells(path) for path in out.glob("*/release.json")}, time.perf_counter() - start


def _cells(path: Path) -> set[str]:
    """Return whom the shown counts of a report count, each once."""
    shown = set()
    for output in json.loads(path.read_text(encoding="utf-8"))["outputs"]:
        told = output.get("published")
        if told:
            shown |= {json.dumps([output["name"], cell[0], told["of"][cell[1]]]) for cell in told["cells"]}
    return shown


def quarters(people: int, folder: Path, *, renamed: bool) -> Iterator[Quarter]:
    """Make and release each quarter in turn; `renamed` under another study name, folder and rounding rule each time."""
    write_study(folder / "whole", name="whole", people=people, conditions=8)
    for quarter, end in enumerate(ENDS):
        name = f"Somerset {quarter}" if renamed else "Somerset"
        policy = ("nhs_england", "sacro", "opensafely")[quarter] if renamed else "nhs_england"
        study = folder / (f"study-{quarter}" if renamed else "study")
        shutil.rmtree(study, ignore_errors=True)
        write_quarter(study, folder / "whole", quarter, name=name)
        out = folder / (f"out-{quarter}" if renamed else "out")
        shown, seconds = made(study, out, folder / "register.jsonl", policy)
        alone, _ = made(study, folder / "alone" / str(quarter), folder / f"none-{quarter}.jsonl", policy)
        yield Quarter(end, seconds, len(shown), sum(map(len, shown.values())), sum(map(len, alone.values())))


def table(sizes: tuple[int, ...] = PEOPLE) -> str:
    """Return the table of quarters, as Markdown."""
    lines = [
        "# Quarter after quarter", "",
        "Reports 04 (programme and four hubs) and 09, made and released quarter by quarter from refreshed extracts. "
        "Cells: counts shown, of all reports of the quarter.", "",
        "| people | study | quarter ends | reports | cells alone | cells beside earlier releases | withheld more | s |",
        "|---:|---|---|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for people in sizes:
        for renamed in (False, True):
            words = "other name, folder and rule each time" if renamed else "the same name and folder"
            with tempfile.TemporaryDirectory() as folder:
                for one in quarters(people, Path(folder), renamed=renamed):
                    lines.append(
                        f"| {people:,} | {words} | {one.end:%d %B %Y} | {one.reports} | {one.alone:,} | {one.shown:,} | "
                        f"{100 * one.withheld:.1f}% | {one.seconds:.0f} |"
                    )
                    print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the table, such as docs/quarters.md")
    parser.add_argument("--people", type=int, nargs="*", default=PEOPLE, help="sizes of the studies")
    asked = parser.parse_args()
    asked.out.write_text(table(tuple(asked.people)), encoding="utf-8")
