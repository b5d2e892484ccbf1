"""How many people, at which ages, with what need: life tables, projections, standardised rates, and how well they did."""

from symphony_research.demography.projection import Projection, cohort_component_projection
from symphony_research.demography.south_somerset import project_south_somerset

__all__ = ["Projection", "cohort_component_projection", "project_south_somerset"]
