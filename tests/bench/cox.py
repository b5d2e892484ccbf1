"""Cox regression with Efron's ties beside the peers, in turn.

    python tests/bench/cox.py docs/bench-cox.md [people]

Every contender starts from the same Parquet file of one row a person and is charged for bringing it into its own form.
statsmodels is asked for a tenth of the people where they are many, and its time is multiplied by ten: its own cost grows
at least in proportion. statsmodels is installed for this alone; without it its row is left out.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

REPEATS = 5
COVARIATES = ["age_band", "woman", "deprivation", "n_conditions", "enrolled"]
EFFECTS = np.array([0.25, -0.15, -0.05, 0.3, -0.2])


def people_of(n: int, path: Path) -> None:
    """Write people followed by day for up to two years, one in six with the event."""
    rng = np.random.default_rng(1972)
    x = np.column_stack(
        [rng.integers(0, 6, n), rng.integers(0, 2, n), rng.integers(1, 6, n), rng.poisson(1.2, n).clip(max=6), rng.integers(0, 2, n)]
    )  # fmt: skip
    happened = rng.exponential(1.0, n) / (0.00012 * np.exp(x @ EFFECTS))
    censored = rng.uniform(60, 730, n)
    day = np.ceil(np.minimum(happened, censored)).astype(np.int64)
    frame = pl.DataFrame({"time": day, "event": (happened <= censored).astype(np.int64)})
    frame.hstack([pl.Series(name, x[:, k]) for k, name in enumerate(COVARIATES)]).write_parquet(path)


def ours(path: Path, share: float) -> np.ndarray:
    import symphony_research as sr

    frame = pl.read_parquet(path)
    model = sr.survival.cox_regression(frame, time="time", event="event", covariates=COVARIATES, time_unit="days")
    return model.estimates["estimate"].to_numpy()


def lifelines_batch(path: Path, share: float) -> np.ndarray:
    from lifelines import CoxPHFitter

    frame = pl.read_parquet(path).to_pandas()
    return CoxPHFitter().fit(frame, "time", "event", batch_mode=True).params_.to_numpy()


def statsmodels_phreg(path: Path, share: float) -> np.ndarray:
    from statsmodels.duration.hazard_regression import PHReg

    frame = pl.read_parquet(path)
    frame = frame.head(int(share * frame.height))
    model = PHReg(
        frame["time"].to_numpy(),
        frame.select(COVARIATES).to_numpy().astype(float),
        status=frame["event"].to_numpy(),
        ties="efron",
    )
    return np.asarray(model.fit().params)


def timed(
    work: Callable[[Path, float], np.ndarray], path: Path, repeats: int, share: float
) -> tuple[float, np.ndarray]:
    best, answer = float("inf"), np.zeros(0)
    for _ in range(repeats):
        start = time.perf_counter()
        answer = work(path, share)
        best = min(best, time.perf_counter() - start)
    return best, answer


def main() -> None:
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("target", type=Path, help="file to write")
    reader.add_argument("people", type=int, nargs="?", default=1_000_000, help="people to time with")
    given = reader.parse_args()
    target, people = given.target, given.people
    share = 0.1 if people > 200_000 else 1.0
    contenders = [
        ("symphony_research, intervals, tests, counts and baseline hazard with it", ours, REPEATS, 1.0),
        ("lifelines CoxPHFitter, batch mode", lifelines_batch, 2, 1.0),
        (f"statsmodels PHReg{f', {people * share:,.0f} people x {1 / share:g}' if share < 1 else ''}", statsmodels_phreg, 1, share),
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "people.parquet"
        people_of(people, path)
        events = pl.scan_parquet(path).select(pl.col("event").sum()).collect().item()
        results = []
        for name, work, repeats, part in contenders:
            try:
                seconds, answer = timed(work, path, repeats, part)
            except ImportError as missing:
                print(f"left out: {missing}")
                continue
            results.append((name, seconds / part, answer))
    first, exact = results[0][1], results[0][2]
    apart = [np.abs(answer - exact).max() for _, _, answer in results]
    lines = [
        "# Cox regression, beside the peers",
        "",
        f"`make bench`, one run: {people:,} people followed by day for up to two years, {events:,} events, {len(COVARIATES)} covariates, "
        f"Efron's ties. Reading the file is charged to each. Best of {REPEATS} runs (lifelines two, statsmodels one). "
        f"{os.cpu_count()} cores, Python {platform.python_version()}. *Apart*: the largest difference of a coefficient from ours.",
        "",
        "| contender | seconds | times ours | apart |",
        "|---|---:|---:|---:|",
        *[
            f"| {name} | {seconds:.2f} | {seconds / first:.1f} | {gap:.1g} |"
            for (name, seconds, _), gap in zip(results, apart, strict=True)
        ],
        "",
    ]
    text = "\n".join(lines)
    print(text)
    target.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
