"""Rates by period with effects of rows, and segmented series, against R's regressions with indicators; needs R.

`r/panel.R` holds the commands; the data sets are those of R's packages and are read from it, not kept here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from symphony_research.evaluation.panel import between_groups
from symphony_research.evaluation.pretrend import trend_tests
from symphony_research.evaluation.segmented import fitted_series, newey_west, segments

pytestmark = pytest.mark.r
c = pl.col
EXACT = {"rel": 1e-8, "abs": 1e-12}


@pytest.fixture(scope="module")
def folder(run_r_scripts, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("panel")
    run_r_scripts("panel", out)
    return out


@cache
def read(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(folder / f"{name}.csv", infer_schema_length=None)


def of_r(folder: Path, case: str, quantity: str) -> list[float]:
    rows = read(folder, "panel").filter((c("case") == case) & (c("quantity") == quantity))
    assert rows.height, (case, quantity)
    return rows["value"].to_list()


def rows_of(folder: Path, case: str) -> tuple:
    """Events and days of 59 people, one column a period; a period that is not observed has no days."""
    people = read(folder, "epil").group_by("subject", maintain_order=True).agg(
        c("person", "treated", "w").first()
    ).sort("subject")  # fmt: skip
    wide = [
        read(folder, "epil").pivot(on="period", index="subject", values=value, sort_columns=True).sort("subject")
        .drop("subject").fill_null(0).to_numpy().astype(float)
        for value in ("y", "days")
    ]  # fmt: skip
    if case != "event study":
        wide = [np.column_stack([one[:, 0], one[:, 1:].sum(axis=1)]) for one in wide]
    treated = (people["treated"] == 1).to_numpy()
    return (*wide, people["w"].to_numpy(), treated, people["person"].to_numpy())


@pytest.mark.parametrize("method", ["poisson", "linear"])
@pytest.mark.parametrize("case", ["event study", "before and after"])
def test_differences_are_those_of_indicators_of_rows(folder, case, method):
    fit = between_groups(*rows_of(folder, case), reference=0, method=method)
    assert fit.estimate[0] == 0
    assert fit.estimate[1:] == pytest.approx(of_r(folder, case, method), **EXACT)
    assert fit.error[1:] == pytest.approx(of_r(folder, case, f"{method} error"), **EXACT)
    if method == "poisson":
        k = len(fit.estimate) - 1
        theirs = np.array(of_r(folder, case, "poisson covariance")).reshape(k, k)
        assert fit.covariance[1:, 1:] == pytest.approx(theirs, **EXACT)


@pytest.mark.parametrize("method", ["poisson", "linear"])
def test_the_reference_moves_all_differences_and_no_test_of_them(folder, method):
    rows, time = rows_of(folder, "event study"), np.arange(5.0)
    one, other = (between_groups(*rows, reference=at, method=method) for at in (0, 3))
    assert other.estimate == pytest.approx(one.estimate - one.estimate[3])
    tests = [trend_tests(fit.estimate[:4], fit.covariance[:4, :4], time[:4]) for fit in (one, other)]
    for mine, theirs in zip(*tests, strict=True):
        assert mine.statistic == pytest.approx(theirs.statistic)
        assert mine.detectable == pytest.approx(theirs.detectable)


@pytest.mark.parametrize("series", ["front", "rear"])
def test_a_segmented_series_is_that_of_glm(folder, series):
    frame = read(folder, "seatbelts")
    design = segments(frame["time"].to_numpy(), frame["month"].to_numpy(), 2)
    fit = fitted_series(design, frame[series].to_numpy().astype(float), frame["kms"].to_numpy().astype(float))
    assert fit.coefficients == pytest.approx(of_r(folder, series, "estimate"), **EXACT)
    error = np.sqrt(np.diag(newey_west(fit.influence, 4)))
    assert error == pytest.approx(of_r(folder, series, "newey west"), **EXACT)
    quasi = np.sqrt(np.diag(fit.inverse) * fit.dispersion)
    assert quasi == pytest.approx(of_r(folder, series, "quasi poisson"), **EXACT)
    assert fit.dispersion == pytest.approx(of_r(folder, series, "dispersion")[0], **EXACT)


def test_a_controlled_series_is_the_difference_of_two(folder):
    frame = read(folder, "seatbelts")
    design = segments(frame["time"].to_numpy(), frame["month"].to_numpy(), 2)
    exposure = frame["kms"].to_numpy().astype(float)
    one, other = (fitted_series(design, frame[name].to_numpy().astype(float), exposure) for name in ("front", "rear"))
    assert (one.coefficients - other.coefficients) == pytest.approx(of_r(folder, "difference", "estimate"), **EXACT)
    error = np.sqrt(np.diag(newey_west(one.influence - other.influence, 4)))
    assert error == pytest.approx(of_r(folder, "difference", "newey west"), **EXACT)


def test_the_drift_that_is_found_with_a_power_of_80_per_cent(folder):
    # a slope of independent differences 0, b, 2 b, 3 b, of variance 1 each: its own is 1 / 5
    joint, slope = trend_tests(np.zeros(4), np.eye(4), np.arange(4.0))
    of_one, of_three = of_r(folder, "power", "noncentrality")
    assert slope.detectable == pytest.approx(np.sqrt(of_one / 5), **EXACT)
    # the joint test of a drift b has the same noncentrality 5 b^2, with three degrees of freedom
    assert joint.detectable == pytest.approx(np.sqrt(of_three / 5), **EXACT)
