"""Time until something happens: curves and tests from counts of who was at risk and what happened when."""

from symphony_research.survival.curves import (
    CumulativeIncidence,
    SurvivalCurve,
    cumulative_incidence,
    kaplan_meier,
)
from symphony_research.survival.logrank import LogRankTest, logrank_test
from symphony_research.survival.points import CurvePoints, at
from symphony_research.survival.quantiles import CurveQuantile, quantile

__all__ = [
    "CumulativeIncidence",
    "CurvePoints",
    "CurveQuantile",
    "LogRankTest",
    "SurvivalCurve",
    "at",
    "cumulative_incidence",
    "kaplan_meier",
    "logrank_test",
    "quantile",
]
