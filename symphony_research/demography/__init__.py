"""How many people, at which ages, with what need: life tables, projections, standardised rates, and how well they did."""

from symphony_research.demography.area import project_area, project_area_at_random
from symphony_research.demography.back_testing import BackTest, back_test
from symphony_research.demography.balance import PopulationBalance, population_balance
from symphony_research.demography.beds import BedsRequired, beds_required
from symphony_research.demography.decomposition import Decomposition, decompose
from symphony_research.demography.grounds import Assumptions, PastErrors, assumptions, past_errors
from symphony_research.demography.growth import Growth, growth
from symphony_research.demography.life_tables import LifeTable, life_table
from symphony_research.demography.marking import mark_south_somerset
from symphony_research.demography.need import decompose_need, project_need
from symphony_research.demography.need_rates import NeedRates, need_rates
from symphony_research.demography.projected_need import ProjectedNeed
from symphony_research.demography.projection import Projection, cohort_component_projection
from symphony_research.demography.reach import PeopleReached, people_reached
from symphony_research.demography.scenarios import BedScenarios, bed_scenarios
from symphony_research.demography.south_somerset import project_south_somerset, project_south_somerset_at_random
from symphony_research.demography.standardised import StandardisedRate, standardised_rate
from symphony_research.demography.uncertainty import StochasticProjection, Variances, stochastic_projection

__all__ = [
    "Assumptions",
    "BackTest",
    "BedScenarios",
    "BedsRequired",
    "Decomposition",
    "Growth",
    "LifeTable",
    "NeedRates",
    "PastErrors",
    "PeopleReached",
    "PopulationBalance",
    "ProjectedNeed",
    "Projection",
    "StandardisedRate",
    "StochasticProjection",
    "Variances",
    "assumptions",
    "back_test",
    "bed_scenarios",
    "beds_required",
    "cohort_component_projection",
    "decompose",
    "decompose_need",
    "growth",
    "life_table",
    "mark_south_somerset",
    "need_rates",
    "past_errors",
    "people_reached",
    "population_balance",
    "project_area",
    "project_area_at_random",
    "project_need",
    "project_south_somerset",
    "project_south_somerset_at_random",
    "standardised_rate",
    "stochastic_projection",
]
