"""Errors of interrupted time series under an AR(1) process against R; needs R with nlme.

`r/interrupted.R` holds the commands; the series are those of R's `Seatbelts` and are read from it, not kept here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from symphony_research.evaluation.autoregressive import autoregressive_errors
from symphony_research.evaluation.segmented import errors_of, errors_of_difference, fitted_series, segments

pytestmark = pytest.mark.r
c = pl.col
# the autocorrelation is found to 1e-12 by bisection here and by R's uniroot
NEAR = {"rel": 1e-6}


@pytest.fixture(scope="module")
def folder(run_r_scripts, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("interrupted")
    run_r_scripts("interrupted", out)
    return out


@cache
def read(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(folder / f"{name}.csv", infer_schema_length=None)


def of_r(folder: Path, case: str, quantity: str) -> list[float]:
    rows = read(folder, "interrupted").filter((c("case") == case) & (c("quantity") == quantity))
    assert rows.height, (case, quantity)
    return rows["value"].to_list()


def design_of(folder: Path) -> np.ndarray:
    frame = read(folder, "seatbelts")
    return segments(frame["time"].to_numpy(), frame["month"].to_numpy(), 2)


def fit_of(folder: Path, series: str):
    frame = read(folder, "seatbelts")
    return fitted_series(
        design_of(folder), frame[series].to_numpy().astype(float), frame["kms"].to_numpy().astype(float)
    )


def agree(found, folder: Path, case: str) -> None:
    assert found.autocorrelation == pytest.approx(of_r(folder, case, "autocorrelation")[0], rel=1e-6, abs=1e-9)
    assert found.variance == pytest.approx(of_r(folder, case, "variance")[0], **NEAR)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(of_r(folder, case, "error"), **NEAR)


@pytest.mark.parametrize("series", ["front", "rear"])
def test_errors_of_counts_are_those_of_nlme_s_correlation_at_the_moments(folder, series):
    agree(errors_of(fit_of(folder, series), design_of(folder)), folder, series)


def test_errors_of_a_difference_are_those_of_the_log_ratio(folder):
    found = errors_of_difference(fit_of(folder, "front"), fit_of(folder, "rear"), design_of(folder))
    agree(found, folder, "difference")


@pytest.mark.parametrize("series", ["front", "rear"])
def test_without_noise_they_are_near_those_of_generalised_least_squares(folder, series):
    found = autoregressive_errors(design_of(folder), np.array(of_r(folder, series, "logged residuals")), noise=0.0)
    agree(found, folder, f"{series} logged")
    # REML of gls is another estimator of the same model: over 192 months both are near
    assert found.autocorrelation == pytest.approx(of_r(folder, f"{series} gls", "autocorrelation")[0], abs=0.1)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(of_r(folder, f"{series} gls", "error"), rel=0.1)
