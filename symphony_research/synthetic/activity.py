"""Contacts and stays: how often, on which day, for how long and at what cost.

Events of a stream are one Poisson process along all observed person-years laid
end to end, so drawing their places on that line gives person and day at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from symphony_research.synthetic import parameters
from symphony_research.synthetic.calendar import DAYS_IN_YEAR, END, START, YEAR_ENDS, YEARS
from symphony_research.synthetic.conditions import Onsets
from symphony_research.synthetic.contacts import CONTACTS
from symphony_research.synthetic.departures import Departures, Years, sums_by_year
from symphony_research.synthetic.parameters import CONDITIONS, STREAMS, Stream
from symphony_research.synthetic.population import OLDEST_AGE
from symphony_research.synthetic.residents import People

__all__ = ["Contacts", "Utilisation", "draw_activity", "drop_overlaps", "mean_noise"]

BANDS = 8


@dataclass(frozen=True)
class Contacts:
    """Events of one stream; `code` is the row of `CONTACTS`, `end` and `cost` belong to hospital stays alone.

    Where a programme may change the rate, events are candidates: one happens where `mark` is under the rate ratio of its day.
    """

    person: NDArray[np.int64]
    day: NDArray[np.int32]
    code: NDArray[np.uint8]
    end: NDArray[np.int32] | None = None
    cost: NDArray[np.float64] | None = None
    mark: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.person)

    def kept(self, keep: NDArray[np.bool_]) -> Contacts:
        """Return the events where `keep`."""
        end = None if self.end is None else self.end[keep]
        cost = None if self.cost is None else self.cost[keep]
        mark = None if self.mark is None else self.mark[keep]
        return Contacts(self.person[keep], self.day[keep], self.code[keep], end, cost, mark)


@dataclass(frozen=True)
class Utilisation:
    """All contacts of a block by stream, and who ends in a care home."""

    streams: dict[str, Contacts]
    care_home: NDArray[np.bool_]


@lru_cache(maxsize=len(STREAMS))
def _relative_rates(stream: Stream) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]:
    """Rates by sex and age, factors by number of conditions, and weights by condition."""
    by_age = np.interp(np.arange(OLDEST_AGE + 1), parameters.CARE_AGES, stream.by_age) * stream.rate
    ratio = stream.men_to_women
    by_sex = np.stack([by_age * 2 / (1 + ratio), by_age * 2 * ratio / (1 + ratio)])
    weights: NDArray[np.float32] | None = None
    if stream.weights is not None:
        weights = np.array([getattr(condition, stream.weights) for condition in CONDITIONS], np.float32)
        weights *= np.float32(stream.weight_scale)
    return by_sex.astype(np.float32), np.array(stream.by_count, np.float32), weights


@lru_cache(maxsize=1)
def _winter() -> NDArray[np.float64]:
    """Return the height of winter, between -1 and 1, on each day of the period; highest in mid-January."""
    days = np.arange(START, END + 1)
    height: NDArray[np.float64] = np.cos(2 * np.pi * (days - 14) / DAYS_IN_YEAR)
    return height


@cache
def _codes(stream: str) -> NDArray[np.uint8]:
    """Return the kinds of contact, repeated by their share of 256."""
    shares = [contact.share for contact in CONTACTS[stream]]
    return np.repeat(np.arange(len(shares), dtype=np.uint8), shares)


def _rates(stream: Stream, people: People, onsets: Onsets, years: Years) -> NDArray[np.float32]:
    """Events a person-year, person by year."""
    by_sex, by_count, weights = _relative_rates(stream)
    rates = by_sex[people.male[:, None], years.age] * by_count[np.minimum(years.conditions, BANDS - 1)]
    if weights is not None:
        log_weight = np.minimum(sums_by_year(onsets, len(people), weights), parameters.LARGEST_LOG_WEIGHT)
        rates *= np.exp(log_weight.astype(np.float32))
    if stream.name in parameters.PACKAGES:
        return rates
    spread = np.float32((stream.frailty**2 + stream.spread**2) / 2)
    traits = people.frailty * np.float32(stream.frailty) + people.habit * np.float32(stream.spread)
    rates *= np.exp(traits - spread)[:, None]
    if stream.setting in ("inpatient", "accident_and_emergency", "community") and stream.kind != "maternity":
        rates[years.final] *= np.float32(parameters.FINAL_YEAR_RATE_RATIO)
    return rates


def _draw_events(
    random: np.random.Generator, rates: NDArray[np.float32], years: Years, most: int, winter: float = 0.0
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Draw person-year cells and days of a Poisson process with these rates a year, and at most `most` in a cell."""
    expected = rates.ravel() * (years.days.ravel() * np.float32((1 + winter) / DAYS_IN_YEAR))
    reached = np.cumsum(expected, dtype=np.float64)
    events = int(random.poisson(reached[-1]))
    # Sorted uniform numbers are the partial sums of exponential ones.
    steps = np.cumsum(random.standard_exponential(events + 1))
    places = steps[:-1] * (reached[-1] / steps[-1])
    starts = np.searchsorted(places, reached)
    cell = np.repeat(np.arange(len(reached)), np.diff(starts, prepend=0))
    before = np.concatenate(([0.0], reached[:-1]))
    days = years.days.ravel()[cell]
    into = (places[: len(cell)] - before[cell]) / expected[cell]
    day = years.starts.ravel()[cell] + np.minimum((into * days).astype(np.int32), days - 1)
    beyond = np.arange(len(cell)) - np.concatenate(([0], starts))[cell] >= most
    if beyond.any():
        cell, day = cell[~beyond], day[~beyond]
    if winter:
        accepted = random.random(len(cell)) * (1 + winter) < 1 + winter * _winter()[day - START]
        cell, day = cell[accepted], day[accepted]
    return cell, day


def _stay_codes(random: np.random.Generator, stream: str, events: int) -> NDArray[np.uint8]:
    return _codes(stream)[random.integers(0, 256, events, dtype=np.uint8)]


@cache
def mean_noise(kind: str) -> float:
    """Return the mean of the noise of a stay's cost before it is brought to 1: log-normal, its normal number cut."""
    spread, largest = parameters.STAY_COST_SPREAD[kind], parameters.LARGEST_STAY_NOISE
    inside = math.exp(spread**2 / 2) * (ndtr(largest - spread) - ndtr(-largest - spread))
    return float(inside + ndtr(-largest) * (math.exp(largest * spread) + math.exp(-largest * spread)))


def _stays(
    random: np.random.Generator,
    kind: str,
    person: NDArray[np.int64],
    day: NDArray[np.int32],
    people: People,
    last: NDArray[np.int32],
) -> Contacts:
    """Give admissions a length, a cost and a specialty; a stay ends on the last day observed at the latest."""
    over_50 = np.maximum((day - people.born[person]) / (DAYS_IN_YEAR * 10) - 5, 0)
    longer = np.exp(parameters.STAY_PER_DECADE_OVER_50[kind] * over_50)
    drawn = np.exp(random.standard_normal(len(person)) * parameters.STAY_SPREAD[kind]) * parameters.STAY_MEDIAN[kind]
    nights = np.minimum(drawn * longer, parameters.LONGEST_STAY).astype(np.int32)
    end = np.minimum(day + nights, last[person])
    code = _stay_codes(random, kind, len(person))
    factor = np.array([contact.cost for contact in CONTACTS[kind]])[code]
    largest = parameters.LARGEST_STAY_NOISE
    drawn = np.clip(random.standard_normal(len(person)), -largest, largest)
    noise = np.exp(drawn * parameters.STAY_COST_SPREAD[kind]) / mean_noise(kind)
    per_stay = parameters.STAY_FIXED_COST[kind] + parameters.STAY_COST_PER_DAY[kind] * (end - day)
    return Contacts(person, day, code, end.astype(np.int32), np.round(per_stay * factor * noise, 2))


def drop_overlaps(contacts: Sequence[Contacts]) -> list[Contacts]:
    """Drop stays that begin before an earlier stay of the same person, of whatever kind, has ended."""
    person = np.concatenate([stay.person for stay in contacts])
    day = np.concatenate([stay.day for stay in contacts])
    end = np.concatenate([stay.end for stay in contacts if stay.end is not None])
    order = np.lexsort((day, person))
    # People follow each other far apart on one line, so one running maximum serves them all.
    line = person[order] * (4 * (END - START))
    furthest = np.maximum.accumulate(line + end[order] - START)
    keep = np.ones(len(person), bool)
    keep[order[1:]] = (line + day[order] - START)[1:] > furthest[:-1]
    parts = np.split(keep, np.cumsum([len(stay) for stay in contacts])[:-1])
    return [stay.kept(part) for stay, part in zip(contacts, parts, strict=True)]


def _packages(
    random: np.random.Generator, stream: Stream, chance: NDArray[np.float32], people: People, years: Years
) -> tuple[Contacts, NDArray[np.float32]]:
    """Draw monthly contacts of people whose need is within the probability of a package; return the share of need too."""
    chance = np.minimum(chance, np.float32(parameters.PACKAGE_LARGEST_CHANCE))
    share: NDArray[np.float32] = (people.need[:, None] / np.maximum(chance, np.float32(1e-9))).astype(np.float32)
    rates = np.where(share < 1, np.float32(parameters.PACKAGE_CONTACTS_PER_YEAR), np.float32(0))
    cell, day = _draw_events(random, rates, years, parameters.MOST_CONTACTS[stream.name])
    code = _codes(stream.name)[(share.ravel()[cell] * 256).astype(np.uint8)]
    return Contacts(cell // YEARS, day, code), share


def _with_readmissions(
    random: np.random.Generator, first: Contacts, last: NDArray[np.int32]
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.intp]]:
    """Return person and day of emergency readmissions some days after discharge, and the admission each follows."""
    again = np.flatnonzero(random.random(len(first)) < parameters.READMISSION_CHANCE)
    assert first.end is not None
    wait = 1 + (random.standard_exponential(len(again)) * parameters.READMISSION_MEAN_DAYS).astype(np.int32)
    later = first.end[again] + wait
    again, later = again[later <= last[first.person[again]]], later[later <= last[first.person[again]]]
    return first.person[again], later, again


def draw_activity(
    random: np.random.Generator,
    people: People,
    onsets: Onsets,
    departures: Departures,
    years: Years,
    ceilings: Mapping[str, NDArray[np.float32]],
) -> Utilisation:
    """Draw every contact that may happen, before any programme acts.

    `ceilings` gives, for each stream that a programme may change, the largest ratio of its rate in each person-year:
    events are drawn that much more often, each with a mark from 0 to that ratio, so that keeping those marked under any
    lower ratio gives a Poisson process with just that ratio.
    """
    streams: dict[str, Contacts] = {}
    care_home = np.zeros(len(people), bool)

    def stays(stream: Stream, person: NDArray[np.int64], day: NDArray[np.int32]) -> Contacts:
        return _stays(random, str(stream.kind), person, day, people, departures.last)

    for stream in STREAMS:
        rates = _rates(stream, people, onsets, years)
        if stream.name in parameters.PACKAGES:
            streams[stream.name], share = _packages(random, stream, rates, people, years)
            if stream.name == "social_care":
                last_year = np.clip(np.searchsorted(YEAR_ENDS, departures.last), 0, YEARS - 1)
                rows = np.arange(len(people))
                residential = CONTACTS["social_care"][0].share / 256
                care_home = (share[rows, last_year] < residential) & (years.age[rows, last_year] >= 65)
            continue
        if stream.name in ceilings:
            rates = rates * ceilings[stream.name]
        cell, day = _draw_events(random, rates, years, parameters.MOST_CONTACTS[stream.name], stream.winter)
        person = cell // YEARS
        mark = None
        if stream.name in ceilings:
            mark = random.random(len(cell), dtype=np.float32) * ceilings[stream.name].ravel()[cell]
        if stream.kind is None:
            streams[stream.name] = Contacts(person, day, _stay_codes(random, stream.name, len(cell)), mark=mark)
            continue
        drawn = stays(stream, person, day)
        if stream.kind == "emergency":
            generation, of_cell = drawn, cell
            for _ in range(parameters.READMISSIONS_IN_A_ROW):
                person, day, after = _with_readmissions(random, generation, departures.last)
                generation, of_cell = stays(stream, person, day), of_cell[after]
                drawn = _both(drawn, generation)
                if mark is not None:
                    # A mark of its own: a readmission must not owe to the enrolment that its admission brought about.
                    own = random.random(len(after), dtype=np.float32) * ceilings[stream.name].ravel()[of_cell]
                    mark = np.concatenate([mark, own])
        streams[stream.name] = replace(drawn, mark=mark)
    kinds = ("emergency", "elective", "maternity")
    streams.update(zip(kinds, drop_overlaps([streams[kind] for kind in kinds]), strict=True))
    return Utilisation(streams, care_home)


def _both(first: Contacts, second: Contacts) -> Contacts:
    """Return stays of two parts as one."""
    assert first.end is not None
    assert second.end is not None
    assert first.cost is not None
    assert second.cost is not None
    return Contacts(
        np.concatenate([first.person, second.person]),
        np.concatenate([first.day, second.day]),
        np.concatenate([first.code, second.code]),
        np.concatenate([first.end, second.end]),
        np.concatenate([first.cost, second.cost]),
    )
