"""Rows of estimates of one outcome: the rate ratio and difference of some of the matched people, and what they are released by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symphony_research.cohort.matched import Matched
from symphony_research.evaluation.effect_tables import DAYS_A_YEAR, HUNDRED, effective_people, least_events, people_with
from symphony_research.evaluation.effect_words import DIFFERENCE, RATIO
from symphony_research.evaluation.grouped_rates import part_of, rate_ratios
from symphony_research.evaluation.weighted import Arms, RateRatio
from symphony_research.inference import Array

__all__ = ["Rates", "rates_by_group", "rates_of"]


@dataclass(frozen=True)
class Rates:
    """Rows of `ESTIMATED` with their `measure` and `scale`; people and those with the event of each arm; influence by person.

    Attributes
    ----------
    rows : list of tuple
        The rate ratio, and the difference per 100 person-years.
    people, with_event : (int, int)
        Of enrolled people and of controls, each once.
    influence : (everybody,) array
        What each person, by their place, adds to the error of the log ratio; zeros where there is none.
    """

    rows: list[tuple[Any, ...]]
    people: tuple[int, int]
    with_event: tuple[int, int]
    influence: Array

    @property
    def estimate(self) -> float:
        """The log rate ratio."""
        return float(self.rows[0][2])


def rates_of(matched: Matched, arms: Arms, what: str, *, adjust: bool) -> Rates:
    """Return the rates of two arms compared; where one has no events, no estimate."""
    size = matched._sets.eligible.people.height
    return _rates(arms, rate_ratios(arms, np.zeros(len(arms.events), int), 1, size, adjust=adjust, what=what)[0], size)


def rates_by_group(
    matched: Matched, arms: Arms, group: NDArray[Any], number: int, what: str, *, adjust: bool
) -> list[Rates]:
    """Return the rates of two arms in each group, adjusted the same way."""
    size = matched._sets.eligible.people.height
    found = rate_ratios(arms, group, number, size, adjust=adjust, what=what)
    return [_rates(part_of(arms, group == k), one, size) for k, one in enumerate(found)]


def _rates(arms: Arms, found: RateRatio | None, size: int) -> Rates:
    people = tuple(people_with(arms.person, arms.treated, arms.weight))
    had = tuple(people_with(arms.person, arms.treated, arms.events))
    least = least_events(arms, arms.events) if all(people) else 0
    effective = effective_people(arms) if people[1] else 0
    influence, estimates, adjusted = np.zeros(size), [(float("nan"), float("nan"))] * 2, 0
    year = HUNDRED * DAYS_A_YEAR
    if found is not None:
        estimates = [(found.estimate, found.error), (found.difference * year, found.difference_error * year)]
        influence, adjusted = found.influence, found.n_adjusted
    own = arms.treated
    rate = float(arms.events[own].sum() / max(arms.days[own].sum(), 1.0)) * year
    behind = (min(*had, effective), int(arms.events.sum()) - adjusted - 2, least, min(*people, effective))
    rows = [
        (name, scale, *estimate, behind[0], unit, *behind[1:])
        for name, scale, estimate, unit in zip(
            (RATIO, DIFFERENCE), ("log", "linear"), estimates, (1.0, max(rate, 1e-9)), strict=True
        )
    ]
    return Rates(rows, people, had, influence)  # type: ignore[arg-type]
