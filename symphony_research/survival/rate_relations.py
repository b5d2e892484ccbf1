"""How numbers of people with events by year and age are related: to their whole, to each other, and to curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import combinations, product
from typing import Any

from symphony_research.population import Population
from symphony_research.result.cells import CellDefinition, Covered, Nested, Partition, Relation, Same, everybody
from symphony_research.survival.grid import AT_RISK, event_state, grid_of
from symphony_research.survival.grid_cells import DEATH, people_in

__all__ = ["COUNTED", "DAYS_A_YEAR", "beside_curves", "counted_in", "gone_through"]

COUNTED = ("n_persons", "n_with_event", "")  # the last: without the event
DAYS_A_YEAR = 365.25
FEW_LEVELS = 4  # of years or ages, any of which may be put together


def counted_in(row: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return whom a count of a row is of: who is observed there, and who of them has the event there."""
    where = ", ".join(f"{name} {row[name]}" for name in sorted(settings["moving"]))
    population = Population.of(settings)
    asked = [f"{name} {value}" for name in ("horizon", "first", "episode_days") if (value := getattr(population, name))]
    there = everybody().in_state(f"observed in {where}", "yes") if where else everybody()
    if column == "n_persons":
        return there
    name = f"{settings.get('event_name') or settings['events']} {'; '.join(asked)} {where}".strip()
    return there.in_state(f"with at least one {name}", "yes" if column else "no")


def gone_through(rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]) -> Iterator[Relation]:
    """Yield that whoever is observed is so in some year and age, perhaps in several, and has each event in one of them.

    Likewise of a year by age, and of an age by year, where those are published too.
    """
    moving = settings["moving"]
    population = Population.of(settings)
    once = bool(population.first) or population.event == DEATH
    for fewer in (names for size in range(len(moving)) for names in combinations(moving, size)):
        own: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for row in rows:
            own.setdefault(tuple(row[name] for name in fewer), []).append(row)
        for there, column in product(own.values(), COUNTED):
            whole = counted_in(there[0], column, {**settings, "moving": fewer})
            parts = tuple(counted_in(row, column, settings) for row in there)
            if column == "n_with_event" and once:
                yield Partition(whole, parts)
                continue
            yield Covered(whole, parts)
            if column:  # who has no event in one year may have one in another
                yield from (Covered(part, (whole,)) if fewer else Nested(part, whole) for part in parts)
                if len(moving) - len(fewer) == 2:
                    yield from _either_of_two(whole, there, column, fewer, settings)


def _either_of_two(
    whole: CellDefinition,
    rows: Sequence[Mapping[str, Any]],
    column: str,
    fewer: tuple[str, ...],
    settings: Mapping[str, Any],
) -> Iterator[Relation]:
    """Yield that somebody is counted in a year, at one of some ages, or in another year at another age.

    Those counted at the age in the year are counted in both.
    """
    names = [name for name in settings["moving"] if name not in fewer]
    for first, second in (names, names[::-1]):
        of_first, of_second = (
            {row[name]: counted_in(row, column, {**settings, "moving": (*fewer, name)}) for row in rows}
            for name in (first, second)
        )
        sizes = (
            range(1, len(of_second) + 1) if len(of_second) <= FEW_LEVELS else (1, len(of_second) - 1, len(of_second))
        )
        for value, some in product(of_first, (held for size in sizes for held in combinations(of_second, size))):
            apart = (row for row in rows if row[first] != value and row[second] not in some)
            both = (row for row in rows if row[first] == value and row[second] in some)
            yield Covered(
                whole,
                (
                    of_first[value],
                    *(of_second[one] for one in some),
                    *(counted_in(row, column, settings) for row in apart),
                ),
                tuple(counted_in(row, column, settings) for row in both),
            )


def beside_curves(had: CellDefinition, settings: Mapping[str, Any]) -> Iterator[Relation]:
    """Yield that whoever has the event by a time of a curve has it at all; and whoever has it, by then or is still at risk.

    With a horizon on the grid, whoever has it has it by then. Other curves may go on beyond it.
    """
    event = settings.get("event_name")
    names = {1: event} if event == DEATH else {1: event, 2: DEATH}
    population = Population.of(settings)
    horizon = population.horizon
    curve = {
        "population": population.as_mapping(), "time": "time", "event": "event", "time_unit": "days",
        "event_name": event,
    }  # fmt: skip
    first, last = ((settings.get("period") or (None, None))[k] for k in (0, 1))
    most = (date.fromisoformat(last) - date.fromisoformat(first)).days if first and last else DAYS_A_YEAR
    for causes in ((1,), tuple(names)):
        own = {**curve, "causes": causes, **({"cause_names": names} if len(causes) > 1 else {})}
        for time in grid_of("days", most if horizon is None else horizon)[1:]:
            by_then = people_in(own, time, event_state(1))
            yield Nested(by_then, had)
            yield Same(by_then, had) if time == horizon else Covered(had, (by_then, people_in(own, time, AT_RISK)))
