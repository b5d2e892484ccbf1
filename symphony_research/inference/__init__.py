"""Small pure pieces of statistics that several estimators share. Arrays in, arrays out."""

from symphony_research.inference.exact import hypergeometric_mid_p, poisson_binomial
from symphony_research.inference.intervals import (
    Array,
    log_interval,
    normal_quantile,
    two_sided_normal_p,
    wilson_interval,
)
from symphony_research.inference.multiplicity import CORRECTIONS, FOUND, adjusted_p
from symphony_research.inference.released import (
    largest_mid_p,
    smallest_ic_lower,
    union_interval_odds,
    union_interval_ratio,
)
from symphony_research.inference.stratified import p_of_log, stratified_log_mid_p

__all__ = [
    "CORRECTIONS",
    "FOUND",
    "Array",
    "adjusted_p",
    "hypergeometric_mid_p",
    "largest_mid_p",
    "log_interval",
    "normal_quantile",
    "p_of_log",
    "poisson_binomial",
    "smallest_ic_lower",
    "stratified_log_mid_p",
    "two_sided_normal_p",
    "union_interval_odds",
    "union_interval_ratio",
    "wilson_interval",
]
