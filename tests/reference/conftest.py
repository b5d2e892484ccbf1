"""The data sets behind the expected values, prepared here as the scripts in `r/` prepare them in R."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import polars as pl
import pytest

HERE = Path(__file__).parent
# the real data stand beside the checkout, or where this variable says
REAL = (
    Path(os.environ.get("SYMPHONY_SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data") / "survival"
)
# R scripts that read the folder of real data, with the packages that each needs beside survival
ON_REAL_DATA = {
    "regression": ("cmprsk", "MASS"),
    "nonparametric": ("survMisc", "cmprsk", "etm", "mets"),
    "standardised": (),
    "start_stop": (),
    "by_person": (),
}
# R packages that other scripts need beside survival
NEEDS = {"matching": ("MatchIt", "sandwich"), "panel": ("MASS", "sandwich")}
# data sets of lifelines the R script reads
FROM_LIFELINES = (
    "rossi",
    "waltons",
    "larynx",
    "lung",
    "multicenter_aids_cohort_study",
    "stanford_heart_transplants",
    "dd",
)

c = pl.col


@cache
def from_lifelines(name: str) -> pl.DataFrame:
    import lifelines.datasets

    frame = getattr(lifelines.datasets, f"load_{name}")()
    return pl.DataFrame({column: frame[column].to_list() for column in frame.columns}, strict=False)


@cache
def from_folder(name: str) -> pl.DataFrame:
    if not REAL.is_dir():
        pytest.skip(
            "the survival data sets are not beside the checkout (../shared/data/survival) nor where SYMPHONY_SHARED_DATA says"
        )
    return pl.read_csv(REAL / f"{name}.csv", null_values="NA", infer_schema_length=None)


def mgus2() -> pl.DataFrame:
    progressed = c("pstat") == 1
    return from_folder("survival_mgus2").with_columns(
        pl.when(progressed).then("ptime").otherwise("futime").alias("progressed"),
        pl.when(progressed).then(1).otherwise(2 * c("death")).alias("cause"),
        (12 * c("age")).alias("born"),
        (12 * c("age") + c("futime")).alias("left"),
    )


def flchain() -> pl.DataFrame:
    circulatory = c("chapter").fill_null("") == "Circulatory"
    return (
        from_folder("survival_flchain")
        .filter(c("futime") > 0)
        .with_columns(
            pl.when(c("death") == 0).then(0).when(circulatory).then(1).otherwise(2).alias("cause"),
            (365 * c("age")).alias("born"),
            (365 * c("age") + c("futime")).alias("left"),
            (c("age") + c("futime") / 365.25).alias("left_years"),
        )
    )


def ebmt3() -> pl.DataFrame:
    recovered = (c("prstat") == 1) & (c("prtime") <= c("rfstime"))
    return from_folder("mstate_ebmt3").with_columns(
        pl.min_horizontal("prtime", "rfstime").alias("first"),
        pl.when(recovered).then(1).otherwise(2 * c("rfsstat")).alias("cause"),
    )


def bmt() -> pl.DataFrame:
    cause = pl.when(c("d2") == 1).then(1).otherwise(2 * c("d1"))
    return from_folder("KMsurv_bmt").with_columns(cause.alias("cause"))


def colon() -> pl.DataFrame:
    kept = (c("etype") == 2) & c("nodes").is_not_null()
    return from_folder("survival_colon").filter(kept).with_columns((1 + c("nodes") % 3).alias("people"))


def pbc() -> pl.DataFrame:
    kept = from_folder("survival_pbc").filter(c("stage").is_not_null())
    return kept.with_columns((1 + c("stage") % 4).alias("people"), c("status").alias("cause"))


def rossi() -> pl.DataFrame:
    return from_lifelines("rossi").with_columns(
        (c("prio") + 1).alias("people"), (c("arrest") * (1 + c("wexp"))).alias("cause")
    )


def larynx() -> pl.DataFrame:
    stage = 1 + c("Stage_II") + 2 * c("Stage_III") + 3 * c("Stage_IV")
    return from_lifelines("larynx").with_columns(stage.alias("stage"))


def lung() -> pl.DataFrame:
    cause = c("status") * pl.when(c("age") < 65).then(1).otherwise(2)
    return from_lifelines("lung").with_columns(cause.alias("cause"))


def dd() -> pl.DataFrame:
    cause = c("observed") * pl.when(c("democracy") == "Democracy").then(1).otherwise(2)
    return from_lifelines("dd").with_columns(cause.alias("cause"))


PREPARED: dict[tuple[str, str], Callable[[], pl.DataFrame]] = {
    ("real", "heart"): lambda: from_folder("survival_heart"),
    ("real", "mgus2"): mgus2,
    ("real", "flchain"): flchain,
    ("real", "ebmt3"): ebmt3,
    ("real", "bmt"): bmt,
    ("real", "colon"): colon,
    ("real", "pbc"): pbc,
    ("lifelines", "rossi"): rossi,
    ("lifelines", "waltons"): lambda: from_lifelines("waltons"),
    ("lifelines", "larynx"): larynx,
    ("lifelines", "lung"): lung,
    ("lifelines", "aids"): lambda: from_lifelines("multicenter_aids_cohort_study"),
    ("lifelines", "heart"): lambda: from_lifelines("stanford_heart_transplants"),
    ("lifelines", "dd"): dd,
}


@pytest.fixture(scope="session")
def prepared() -> Callable[[str, str], pl.DataFrame]:
    """Return a prepared data set by where it comes from and the first word of its case."""
    return lambda origin, case: PREPARED[origin, case.split()[0]]()


@pytest.fixture(scope="session")
def real_table() -> Callable[[str], pl.DataFrame]:
    """Return a table of the folder of real data by its name; skip where that is not here."""
    return from_folder


@pytest.fixture(scope="session")
def expected() -> Callable[[str], pl.DataFrame]:
    """Return a table of R's values, every column as text but for the numbers named in it."""
    return lambda name: pl.read_csv(HERE / "expected" / f"{name}.csv", infer_schema=False)


def run_scripts(origin: str, out: Path, dumps: Path) -> None:
    """Run one R script: origin is "real", "lifelines", "measures", "strata", "matching", "panel" or one of those on real data."""
    if origin in ("measures", "strata", "matching", "panel", "interrupted", "staggered"):
        command = ["Rscript", str(HERE / "r" / f"{origin}.R"), str(out)]
    elif origin in ON_REAL_DATA:
        command = ["Rscript", str(HERE / "r" / f"{origin}.R"), str(REAL), str(out)]
    else:
        if origin == "lifelines":
            for name in FROM_LIFELINES:
                from_lifelines(name).write_csv(dumps / f"{name}.csv", float_precision=None)
        folder = REAL if origin == "real" else dumps
        command = ["Rscript", str(HERE / "r" / "curves.R"), origin, str(folder), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr


def require_r_package(name: str) -> None:
    """Skip unless R has a package."""
    asked = subprocess.run(["Rscript", "-e", f"library({name})"], capture_output=True, check=False, timeout=60)
    if asked.returncode:
        pytest.skip(f"R has no package {name}")


@pytest.fixture(scope="session")
def run_r_scripts() -> Callable[[str, Path], None]:
    """Return what runs the R scripts into a folder; skip unless R with its survival package is here."""
    if not shutil.which("Rscript"):
        pytest.skip("Rscript is not installed")
    require_r_package("survival")

    def run(origin: str, out: Path) -> None:
        for name in (*ON_REAL_DATA.get(origin, ()), *NEEDS.get(origin, ())):
            require_r_package(name)
        dumps = out / "lifelines"
        dumps.mkdir()
        run_scripts(origin, out, dumps)

    return run
