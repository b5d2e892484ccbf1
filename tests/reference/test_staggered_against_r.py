"""Sun and Abraham's estimator of a programme that begins at different times against R's regression with every indicator; needs R.

`r/staggered.R` holds the commands: an indicator for each practice, period, and period of each start but the reference.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from symphony_research.evaluation.staggered import staggered_effects

pytestmark = pytest.mark.r
RELATIVE = np.array([-3, -2, 0, 1, 2])


@pytest.fixture(scope="module")
def folder(run_r_scripts, tmp_path_factory):
    out = tmp_path_factory.mktemp("staggered")
    run_r_scripts("staggered", out)
    return out


@pytest.mark.parametrize("method", ["poisson", "linear"])
def test_effects_and_their_errors_are_those_of_the_saturated_regression(folder, method):
    panel = pl.read_csv(folder / "panel.csv", null_values="NA").sort("practice", "period")
    events, time = (panel[c].cast(pl.Float64).to_numpy().reshape(12, 8) for c in ("events", "time"))
    start = panel["start"].fill_null(99).to_numpy().reshape(12, 8)[:, 0]
    # the mean of the periods from the start on stands beside them
    combined = np.array([[0, 0, 1, 1, 1]]) / 3
    found = staggered_effects(events, time, start, RELATIVE, combined, method=method)
    theirs = pl.read_csv(folder / "staggered.csv").filter(pl.col("method") == method)
    assert found.estimate[:-1] == pytest.approx(theirs["estimate"].to_list(), rel=1e-7, abs=1e-9)
    assert found.error[:-1] == pytest.approx(theirs["error"].to_list(), rel=1e-7)
    assert found.estimate[-1] == pytest.approx(theirs["estimate"].tail(3).mean(), rel=1e-7)
