"""Rates by calendar year and attained age: years and ages that small studies' people go through, and who goes through which."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from itertools import chain, combinations, product

import numpy as np
import polars as pl
from produce import BY, OUTCOME
from worlds import World

import symphony_research as sr
from symphony_research.collapse import Collapsed
from symphony_research.result import Provenance

YEARS, BANDS = (2015, 2016), ("70-79", "80-89")
MOVING = (("year",), ("age_band",), ("year", "age_band"))
Way = tuple[tuple[int, str], ...]  # years and ages that somebody goes through


def ways_through() -> list[Way]:
    """Every way through years and ages: from anywhere, a year or an age or both further each time."""
    found: list[Way] = []
    open_: list[Way] = [((year, band),) for year in YEARS for band in BANDS]
    while open_:
        way = open_.pop()
        found.append(way)
        year, band = way[-1]
        steps = [(year + 1, band), (year, BANDS[-1]), (year + 1, BANDS[-1])]
        open_ += [
            (*way, step) for step in dict.fromkeys(steps) if step[0] in YEARS and step != way[-1] and step[1] >= band
        ]
    return sorted(set(found))


def observed(world: World) -> list[list[tuple[int, str, int]]]:
    """Years and ages in which each person is followed, and the days: from a day of 2015, the event on the last of all."""
    rng = np.random.default_rng((world.seed, 33))
    found = []
    for time in world.people["time"]:
        start = date(2015, 1, 1) + timedelta(days=int(rng.integers(0, 300)))
        older = date(2014, 7, 1) + timedelta(days=int(rng.integers(0, 1200)))
        end = min(start + timedelta(days=int(time)), date(2016, 12, 31))
        cuts = sorted({start, end, *(day for day in (date(2016, 1, 1), older) if start < day < end)})
        pieces = zip(cuts, [*cuts[1:], end], strict=True)
        found.append([(a.year, BANDS[a >= older], (b - a).days) for a, b in pieces if b > a or len(cuts) == 1])
    return found


def ways_taken(world: World) -> Counter[tuple[str, Way, Way]]:
    """People by stratum, by the years and ages that they go through, and by those of them in which they have the event."""
    made: Counter[tuple[str, Way, Way]] = Counter()
    for sex, event, pieces in zip(world.people["sex"], world.people["event"], observed(world), strict=True):
        way = tuple(piece[:2] for piece in pieces)
        made[sex if world.levels else "", way, way[-1:] if event == 1 else ()] += 1
    return made


def of_moving_rates(world: World, by: tuple[str, ...] = ()) -> dict[str, sr.Result]:
    """Rates of the same people by calendar year, by attained age, and by both: people are in several of their rows."""
    rows = [
        (sex, year, band, 1, int(event == 1 and k == len(pieces) - 1), days / 365.25)
        for sex, event, pieces in zip(world.people["sex"], world.people["event"], observed(world), strict=True)
        for k, (year, band, days) in enumerate(pieces)
    ]
    schema = ["sex", "year", "age_band", "n_persons", "n_with_event", "person_years"]
    pieces, found = pl.DataFrame(rows, schema=schema, orient="row"), {}
    person = pl.Series("person", [k for k, own in enumerate(observed(world)) for _ in own])
    sums = ("n_persons", "n_with_event", "n_events", "n_events_squared", "person_years")
    for moving in MOVING:
        each = (
            pieces.with_columns(person)
            .group_by("person", *by, *moving)
            .agg(pl.col("n_with_event", "person_years").sum())
        )
        table = each.group_by(*by, *moving).agg(
            pl.len().cast(pl.Int64).alias("n_persons"), pl.col("n_with_event").sum(), pl.col("n_with_event").sum().alias("n_events"),
            pl.col("n_with_event").sum().alias("n_events_squared"), pl.col("person_years").sum(),
        )  # fmt: skip
        table = table.filter(pl.col("person_years") > 0).sort(*by, *moving)
        collapsed = Collapsed(
            table, world.provenance or Provenance(), (*by, *moving), sums=sums, weights="n_persons", distinct_by=moving
        )
        found[f"rates__{'_'.join(moving)}{BY if by else ''}"] = sr.survival.event_rate(collapsed, event_name=OUTCOME)
    return found


def parts_of(world: World) -> list[tuple[tuple[str, ...], int]]:
    """People by stratum, way and where they have events, each way and each choice on it by name, with how many they are."""
    taken, found = ways_taken(world), []
    for level, way in product(world.levels or ("",), ways_through()):
        for events in chain(*(combinations(way, k) for k in range(len(way) + 1))):
            way_name, events_name = (";".join(f"{year}/{band}" for year, band in cells) for cells in (way, events))
            found.append((("way", level, way_name, events_name), taken[level, way, events]))
    return found
