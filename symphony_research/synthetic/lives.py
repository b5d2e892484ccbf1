"""Who is in a block, with which conditions, and until when: people are drawn until enough of them are registered in 2012-13."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symphony_research.synthetic.calendar import SYMPHONY_YEAR, YEAR_ENDS, YEAR_STARTS
from symphony_research.synthetic.conditions import Onsets, draw_onsets
from symphony_research.synthetic.departures import Departures, draw_departures
from symphony_research.synthetic.plan import Plan
from symphony_research.synthetic.residents import People, draw_people

__all__ = ["IDS_A_BLOCK", "draw_lives"]

# Identifiers kept for each block, so that they depend on its number alone. It counts at most half as many people, and
# draws a third more than it counts.
IDS_A_BLOCK = 1 << 15


def draw_lives(
    random: Mapping[str, np.random.Generator], plan: Plan, number: int, registered: int
) -> tuple[People, Onsets, Departures]:
    """Draw people until `registered` of them are registered at some time in 2012-13; everybody drawn is kept.

    Each round draws as many people as are still lacking, so the last person drawn is the one who makes up the number:
    inverse sampling. It favours no kind of person, since the expected sum of anything over the people drawn is its mean
    times the expected number of people (Wald's identity).

    Parameters
    ----------
    random : mapping of str to numpy.random.Generator
        The generator of each step.
    plan : Plan
        Plans that differ in what acts alone draw the same people, since no programme changes who is registered when.
    number : int
        The block, from 0.
    registered : int
        People registered at some time in 2012-13.

    Returns
    -------
    People, Onsets, Departures
        Onsets up to the end of the period, as if nobody died or left.
    """
    rounds: list[tuple[People, Onsets, Departures]] = []
    lacking, drawn = registered, 0
    while lacking:
        drawn += lacking
        if drawn > IDS_A_BLOCK:
            raise RuntimeError(f"Over {IDS_A_BLOCK:,} people make fewer than {registered:,} registered in 2012-13.")
        people = draw_people(random["people"], lacking, number * IDS_A_BLOCK + 1, frail=plan.profile.frailty)
        onsets = draw_onsets(random["conditions"], people, plan.profile)
        departures = draw_departures(random["departures"], people, onsets, plan)
        rounds.append((people, onsets, departures))
        lacking -= int(_in_symphony_year(people, departures).sum())
    every_people, every_onsets, every_departures = zip(*rounds, strict=True)
    sizes = [len(people) for people in every_people]
    return People.joined(every_people), Onsets.joined(every_onsets, sizes), Departures.joined(every_departures)


def _in_symphony_year(people: People, departures: Departures) -> NDArray[np.bool_]:
    return (people.entered <= YEAR_ENDS[SYMPHONY_YEAR]) & (departures.last >= YEAR_STARTS[SYMPHONY_YEAR])
