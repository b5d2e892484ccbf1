"""The most that a person-year can cost: by the bounds of the parameters, not by what was seen."""

from __future__ import annotations

import math

from symphony_research.synthetic import parameters
from symphony_research.synthetic.activity import mean_noise
from symphony_research.synthetic.contacts import CONTACTS
from symphony_research.synthetic.parameters import STREAMS

__all__ = ["largest_possible_person_year"]


def largest_possible_person_year() -> float:
    """Return the bound in pounds.

    Contacts: the most of each stream in a year times the dearest kind. Stays: the most admissions, with the readmissions
    that may follow them and those of the year before, times the largest fixed cost; and the nights of a year, with one
    longest stay begun on its last day, times the largest cost of a night: nobody lies in two beds.
    """
    total = night = 0.0
    for stream in STREAMS:
        dearest = max(kind.cost for kind in CONTACTS[stream.name])
        most = parameters.MOST_CONTACTS[stream.name]
        if stream.kind is None:
            total += dearest * most
            continue
        spread, largest = parameters.STAY_COST_SPREAD[stream.kind], parameters.LARGEST_STAY_NOISE
        noise = math.exp(largest * spread) / mean_noise(stream.kind)
        if stream.kind == "emergency":
            most *= 1 + 2 * parameters.READMISSIONS_IN_A_ROW
            # Each may come by way of A&E.
            total += most * max(kind.cost for kind in CONTACTS["attendance"])
        total += most * parameters.STAY_FIXED_COST[stream.kind] * dearest * noise
        night = max(night, parameters.STAY_COST_PER_DAY[stream.kind] * dearest * noise)
    return total + (366 + parameters.LONGEST_STAY) * night
