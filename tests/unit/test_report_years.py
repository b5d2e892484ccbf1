"""Years and shares of the report on people, need and beds are looked at before anything runs."""

from __future__ import annotations

import pytest

import symphony_research as sr
from symphony_research.report.run_plan import plan_runs


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"base_year": 2009}, "base_year=2009 must be between 2011 and 2042"),
        ({"horizon_year": 2044}, "horizon_year=2044 must be between 2012 and 2043"),
        ({"horizon_year": 2012}, "horizon_year=2012 must be after base_year=2013"),  # which is the default
        ({"occupancy": 0.0}, "occupancy=0.0 is a share of beds"),
        ({"occupancy": 85.0}, "occupancy=85.0 is a share of beds"),
        ({"hub_reach": 40.0}, "hub_reach=40.0 must be between 0 and 1"),
        ({"variant": "middle"}, "Choose one of: principal, low, high"),
    ],
)
def test_what_cannot_be_projected_is_refused(given, said, tmp_path):
    sr.synthesise(tmp_path / "study", people=200, seed=1)
    study = sr.read_study(tmp_path / "study")
    with pytest.raises(sr.ArgumentError, match=said):
        plan_runs(study, ["05"], parameters=given)
    assert plan_runs(study, ["05"], parameters={"base_year": 2011, "horizon_year": 2012, "occupancy": 1.0})
