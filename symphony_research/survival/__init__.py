"""Time until something happens: curves and tests from counts of who was at risk and what happened when."""

from symphony_research.survival.absolute_risk import AbsoluteRisk, absolute_risk
from symphony_research.survival.cox import CoxRegression, cox_regression
from symphony_research.survival.curves import (
    CumulativeIncidence,
    SurvivalCurve,
    cumulative_incidence,
    kaplan_meier,
)
from symphony_research.survival.days_at_home import DaysAtHome, days_at_home
from symphony_research.survival.event_rates import EventRate, event_rate
from symphony_research.survival.fine_gray import FineGrayRegression, fine_gray
from symphony_research.survival.gray import GrayTest, gray_test
from symphony_research.survival.hazard import NelsonAalen, nelson_aalen
from symphony_research.survival.landmark import landmark
from symphony_research.survival.logrank import LogRankTest, logrank_test
from symphony_research.survival.loss_bounds import LossBounds, loss_bounds
from symphony_research.survival.mean_cumulative import MeanCumulativeCount, mean_cumulative_count
from symphony_research.survival.parametric import ParametricSurvival, parametric_survival
from symphony_research.survival.points import CurvePoints, at
from symphony_research.survival.proportional import ProportionalHazardsTest, proportional_hazards_test
from symphony_research.survival.quantiles import CurveQuantile, quantile
from symphony_research.survival.rates import RateRegression, rate_regression
from symphony_research.survival.restricted_mean import RestrictedMeanSurvivalTime, restricted_mean_survival_time
from symphony_research.survival.standardised_result import StandardisedRisk
from symphony_research.survival.standardised_risk import standardised_risk

__all__ = [
    "AbsoluteRisk",
    "CoxRegression",
    "CumulativeIncidence",
    "CurvePoints",
    "CurveQuantile",
    "DaysAtHome",
    "EventRate",
    "FineGrayRegression",
    "GrayTest",
    "LogRankTest",
    "LossBounds",
    "MeanCumulativeCount",
    "NelsonAalen",
    "ParametricSurvival",
    "ProportionalHazardsTest",
    "RateRegression",
    "RestrictedMeanSurvivalTime",
    "StandardisedRisk",
    "SurvivalCurve",
    "absolute_risk",
    "at",
    "cox_regression",
    "cumulative_incidence",
    "days_at_home",
    "event_rate",
    "fine_gray",
    "gray_test",
    "kaplan_meier",
    "landmark",
    "logrank_test",
    "loss_bounds",
    "mean_cumulative_count",
    "nelson_aalen",
    "parametric_survival",
    "proportional_hazards_test",
    "quantile",
    "rate_regression",
    "restricted_mean_survival_time",
    "standardised_risk",
]
