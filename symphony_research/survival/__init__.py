"""Time until something happens: curves and tests from counts of who was at risk and what happened when."""

from symphony_research.survival.absolute_risk import AbsoluteRisk, absolute_risk
from symphony_research.survival.cox import CoxRegression, cox_regression
from symphony_research.survival.curves import (
    CumulativeIncidence,
    SurvivalCurve,
    cumulative_incidence,
    kaplan_meier,
)
from symphony_research.survival.fine_gray import FineGrayRegression, fine_gray
from symphony_research.survival.logrank import LogRankTest, logrank_test
from symphony_research.survival.parametric import ParametricSurvival, parametric_survival
from symphony_research.survival.points import CurvePoints, at
from symphony_research.survival.proportional import ProportionalHazardsTest, proportional_hazards_test
from symphony_research.survival.quantiles import CurveQuantile, quantile
from symphony_research.survival.rates import RateRegression, rate_regression

__all__ = [
    "AbsoluteRisk",
    "CoxRegression",
    "CumulativeIncidence",
    "CurvePoints",
    "CurveQuantile",
    "FineGrayRegression",
    "LogRankTest",
    "ParametricSurvival",
    "ProportionalHazardsTest",
    "RateRegression",
    "SurvivalCurve",
    "absolute_risk",
    "at",
    "cox_regression",
    "cumulative_incidence",
    "fine_gray",
    "kaplan_meier",
    "logrank_test",
    "parametric_survival",
    "proportional_hazards_test",
    "quantile",
    "rate_regression",
]
