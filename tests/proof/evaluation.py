"""The controlled evaluation against what was planted: bias, errors, coverage and power of each estimator, by simulation.

python tests/proof/evaluation.py docs/proof-evaluation.md --out docs/proof-evaluation.parquet

A cell is a strength of selection and a true effect; a replicate is a generated study with its own seed, from 0. Rows are added to
the file as they are made and what stands there is not made again, so a run that was cut goes on where it ended: delete it after a
change of an estimator or of the generator. With
`--primary 0 --effects 0 --others 0` the page alone is written, of what stands in the file.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parent))

from evaluation_estimators import ESTIMATORS, PRIMARY, WRONG, estimates
from evaluation_worlds import EFFECTS, STRENGTHS, World

from symphony_research.files import file_in_place

COLUMNS = {"strength": pl.String, "effect": pl.String, "seed": pl.Int64, "estimator": pl.String, "truth": pl.Float64,
           "estimate": pl.Float64, "standard_error": pl.Float64, "n_enrolled": pl.Int64, "share_enrolled": pl.Float64}  # fmt: skip
Z = 1.959964
BIAS, COVERAGE, ERROR = 0.03, (0.925, 0.975), 0.10  # required of the primary
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
COUNTED = 20  # seeds whose people are counted for the page
Wanted = dict[str, dict[str, set[str]]]  # strength, true effect: estimators


def wanted_of(seed: int, primary: int, effects: int, others: int) -> Wanted:
    """Return what is estimated of a seed: the primary of so many at no effect, of so many at the others, the others of so many."""
    own: dict[str, set[str]] = {effect: set() for effect in EFFECTS}
    for effect in EFFECTS:
        if seed < (primary if effect == "0" else effects):
            own[effect] = {PRIMARY}
        if seed < others:
            own[effect] = set(ESTIMATORS)
    return {strength: {e: names for e, names in own.items() if names} for strength in STRENGTHS}


def of_seed(seed: int, wanted: Wanted) -> list[tuple]:
    """Return every row of a seed that is wanted."""
    world, rows = World(seed), []
    for strength, of_effects in wanted.items():
        if of_effects:
            for effect, one in estimates(world, strength, of_effects):
                rows.append(
                    (strength, effect, seed, one.estimator, one.truth, one.value, one.error, one.n_enrolled, one.share)
                )
    return rows


def still_wanted(wanted: Wanted, made: set[tuple[str, str, str]]) -> Wanted:
    """Return what of it is not made."""
    left = {
        strength: {
            effect: {n for n in names if (strength, effect, n) not in made} for effect, names in of_effects.items()
        }
        for strength, of_effects in wanted.items()
    }
    return {s: kept for s, of in left.items() if (kept := {e: names for e, names in of.items() if names})}


def replicates(seeds: list[tuple[int, Wanted]], jobs: int) -> Iterator[list[tuple]]:
    """Yield the rows of each seed, in order; processes are side by side, so each has one thread."""
    for name in THREADS:
        os.environ[name] = "1"
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(of_seed, *zip(*seeds, strict=True)) if seeds else ()


def read(path: Path) -> pl.DataFrame:
    """Return the rows of a file, if it is there."""
    return pl.read_parquet(path) if path.exists() else pl.DataFrame(schema=COLUMNS)


def run(path: Path, primary: int, effects: int, others: int, jobs: int) -> pl.DataFrame:
    """Add what is wanted and not there, and return all rows."""
    done = read(path)
    made: dict[int, set[tuple[str, str, str]]] = {}
    for seed, *one in done.select("seed", "strength", "effect", "estimator").iter_rows():
        made.setdefault(seed, set()).add(tuple(one))
    seeds = []
    for seed in range(max(primary, effects, others)):
        left = still_wanted(wanted_of(seed, primary, effects, others), made.get(seed, set()))
        if left:
            seeds.append((seed, left))
    for rows in replicates(seeds, jobs):
        done = pl.concat([done, pl.DataFrame(rows, schema=COLUMNS, orient="row")])
        with file_in_place(path) as draft:  # a run that is cut leaves whole seeds
            done.write_parquet(draft, compression_level=19)
    return done


def summary(rows: pl.DataFrame) -> pl.DataFrame:
    """Return bias, empirical and model standard error, coverage and power, with Monte Carlo errors (Morris, White and Crowther 2019)."""
    off, se, n = pl.col("estimate") - pl.col("truth"), pl.col("standard_error"), pl.len().cast(pl.Float64)
    covered, found = (off.abs() <= Z * se).cast(pl.Float64), (pl.col("estimate").abs() > Z * se).cast(pl.Float64)
    table = rows.drop_nulls().group_by("strength", "effect", "estimator", maintain_order=True).agg(
        pl.len().alias("n"), pl.col("truth").mean(), off.mean().alias("bias"), (off.std() / n.sqrt()).alias("bias_mc"),
        off.std().alias("empirical"), (off.std() / (2 * (n - 1)).sqrt()).alias("empirical_mc"),
        (se**2).mean().sqrt().alias("model"), ((se**2).std() / n.sqrt() / (2 * (se**2).mean().sqrt())).alias("model_mc"),
        covered.mean().alias("coverage"), found.mean().alias("power"), pl.col("n_enrolled", "share_enrolled").mean(),
    )  # fmt: skip
    return table.with_columns(
        ((pl.col(c) * (1 - pl.col(c)) / pl.col("n")).sqrt()).alias(f"{c}_mc") for c in ("coverage", "power")
    )


def required(row: dict) -> list[tuple[str, bool]]:
    """Return what is required of the primary, in figures, and whether it is met."""
    low, high = row["bias"] - Z * row["bias_mc"], row["bias"] + Z * row["bias_mc"]
    ratio = row["model"] / row["empirical"] - 1
    return [
        (f"{low:+.3f} to {high:+.3f}", low >= -BIAS and high <= BIAS),
        (f"{100 * row['coverage']:.1f}%", COVERAGE[0] <= row["coverage"] <= COVERAGE[1]),
        (f"{100 * ratio:+.1f}%", abs(ratio) <= ERROR),
    ]


def of_people(seeds: int = COUNTED) -> pl.DataFrame:
    """Return how many people studies of each strength have, over some seeds."""
    rows = [{"strength": s, **World(seed).counts(s)} for seed in range(seeds) for s in STRENGTHS]
    every = pl.DataFrame(rows).group_by("strength", maintain_order=True)
    return every.agg(
        pl.col("registered", "enrolled", "eligible").mean(),
        pl.col("left").mean(),
        pl.col("left").min().alias("least"),
        pl.len().alias("seeds"),
    )


def page(rows: pl.DataFrame) -> str:
    """Return the page."""
    from evaluation_page import written

    table = summary(rows)
    failed = rows.height - rows.drop_nulls().height
    return written(table, of_people(), failed, required, PRIMARY, WRONG)


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, help="page to write")
    reader.add_argument(
        "--out", type=Path, default=Path("docs/proof-evaluation.parquet"), help="file of estimates, added to"
    )
    reader.add_argument("--primary", type=int, default=1_000, help="replicates of the primary at no effect")
    reader.add_argument("--effects", type=int, default=300, help="at the other true effects")
    reader.add_argument("--others", type=int, default=100, help="of every other estimator")
    reader.add_argument("--jobs", type=int, default=2)
    asked = reader.parse_args()
    rows = run(asked.out, asked.primary, asked.effects, asked.others, asked.jobs)
    asked.target.write_text(page(rows), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
