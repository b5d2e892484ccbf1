"""What a hub's report should say, counted one person after the other: no code of the package is used.

The definitions are those of the documentation (study folder, cohort, `docs/decisions`), written down a second time in loops.
Tables are read with Polars; everything after that is plain Python.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import sqrt
from pathlib import Path
from typing import Any

import polars as pl

START, END = date(2011, 4, 1), date(2018, 3, 31)  # of the public study
FIRST = {"emergency": 0, "maternity": 1, "elective": 2, "other": 3}  # which kind names a stay, of spells of one day
HORIZON, DAYS = 365, 30
TIMES = (30, 90, 180, 365)


@dataclass
class Person:
    """One person on the programme, with everything that is recorded of them."""

    key: Any
    sex: str
    born: date
    died: date | None
    decile: int | None
    index: date
    hub: str
    since: date | None = None  # unbroken registration around the index date
    until: date | None = None
    conditions: set[str] = field(default_factory=set)
    rows: list[tuple[date, date, str, str | None, float]] = field(default_factory=list)

    @property
    def age(self) -> int:
        """Completed years on the index date."""
        birthday = (self.index.month, self.index.day) >= (self.born.month, self.born.day)
        return self.index.year - self.born.year - (not birthday)

    @property
    def stays(self) -> list[tuple[date, date, str]]:
        """Hospital stays: inpatient spells that touch or overlap are one, of the kind of the first."""
        spells = sorted((start, FIRST[kind or "other"], end, kind) for start, end, setting, kind, _ in self.rows if setting == "inpatient")  # fmt: skip
        found: list[tuple[date, date, str]] = []
        for start, _, end, kind in spells:
            if found and start <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], end), found[-1][2])
            else:
                found.append((start, end, kind))
        return found

    def events(self, name: str) -> list[date]:
        """Days of all events of a name."""
        if name == "emergency":
            return [start for start, _, kind in self.stays if kind == "emergency"]
        return sorted({day for day, _, setting, _, _ in self.rows if setting == "accident_and_emergency"})

    def followed(self, horizon: int | None = HORIZON) -> tuple[date, str]:
        """The last day of follow-up and why it is the last."""
        ends = [(self.died, "death"), (self.until, "left")]
        ends += [(self.index + timedelta(days=horizon), "horizon")] if horizon else []
        ends += [(END, "end")]
        last = min(day for day, _ in ends if day is not None)
        return last, next(why for day, why in ends if day == last)

    def time_of(self, day: date) -> float:
        """Days since the index date; what happens on it is at half a day."""
        return max(float((day - self.index).days), 0.5)

    def outcome(self, name: str | None) -> tuple[float, int]:
        """Time and 0 = censored, 1 = the event, 2 = death before it; with no name death is the event."""
        last, why = self.followed()
        happened = [] if name is None else [day for day in self.events(name) if self.index <= day <= last]
        if happened:
            return self.time_of(happened[0]), 1
        if why == "death":
            return self.time_of(last), 1 if name is None else 2
        return self.time_of(last) + (0.5 if why == "horizon" else 0), 0


def read(folder: Path, table: str, *columns: str) -> list[tuple[Any, ...]]:
    """All rows of a table."""
    return pl.read_parquet(folder / table).select(columns).rows()


def _with_registration(folder: Path, found: dict[Any, Person]) -> None:
    """Add the first and last day of the unbroken registration around the index date, of who is registered on it."""
    spells = defaultdict(list)
    for key, start, end in read(folder, "registrations", "person_id", "start_date", "end_date"):
        if key in found:
            spells[key].append((start, end or date(9999, 1, 1)))
    for key, person in found.items():
        runs: list[list[date]] = []
        for start, end in sorted(spells[key]):
            if runs and start <= runs[-1][1] + timedelta(days=1):
                runs[-1][1] = max(runs[-1][1], end)
            else:
                runs.append([start, end])
        there = any(start <= person.index <= end for start, end in spells[key])
        for start, end in runs:
            if there and start <= person.index <= end:
                person.since, person.until = start, end


def _with_records(folder: Path, own: dict[Any, Person]) -> None:
    """Add conditions recorded by the index date, and all activity."""
    for key, condition, onset in read(folder, "conditions", "person_id", "condition", "onset_date"):
        if key in own and (onset is None or onset <= own[key].index):
            own[key].conditions.add(condition)
    wanted = pl.scan_parquet(folder / "activity").filter(pl.col("person_id").is_in(list(own))).collect()
    for key, day, end, setting, kind, cost in wanted.select("person_id", "date", "end_date", "setting", "kind", "cost").rows():  # fmt: skip
        own[key].rows.append((day, end or day, setting, kind, cost or 0.0))


def people_of(folder: Path, hub: str | None) -> tuple[list[Person], dict[str, int]]:
    """The people studied, and how many are left out by each rule; of a hub, or of the whole programme."""
    joined: dict[Any, tuple[date, str]] = {}
    for key, programme, own, start in read(folder, "enrolments", "person_id", "programme", "hub", "start_date"):
        if programme == "complex_care" and hub in (None, own) and (key not in joined or (start, own) < joined[key]):
            joined[key] = (start, own)
    found = {
        key: Person(key, sex, born, died, decile, *joined[key])
        for key, sex, born, died, decile in read(folder, "persons", "person_id", "sex", "birth_date", "death_date", "deprivation_decile")
        if key in joined
    }  # fmt: skip
    _with_registration(folder, found)
    steps = {"before": 0, "not alive": 0, "not registered": 0}
    kept = []
    for person in found.values():
        if person.index < START:
            steps["before"] += 1
        elif person.born > person.index or (person.died is not None and person.died < person.index):
            steps["not alive"] += 1
        elif person.since is None:
            steps["not registered"] += 1
        else:
            kept.append(person)
    _with_records(folder, {person.key: person for person in kept})
    return kept, steps


# -- estimates ------------------------------------------------------------------------------------------------------


def incidence(outcomes: list[tuple[float, int]], cause: int, at: float) -> float:
    """Aalen-Johansen: survival just before each time, times the share of those at risk who have the event then."""
    alive, total = 1.0, 0.0
    for time in sorted({t for t, why in outcomes if why and t <= at}):
        at_risk = sum(t >= time for t, _ in outcomes)
        total += alive * sum(t == time and why == cause for t, why in outcomes) / at_risk
        alive *= 1 - sum(t == time and why > 0 for t, why in outcomes) / at_risk
    return total


def survival(outcomes: list[tuple[float, int]], at: float) -> float:
    """Kaplan-Meier: the product of the shares that get over each time."""
    alive = 1.0
    for time in sorted({t for t, why in outcomes if why and t <= at}):
        alive *= 1 - sum(t == time and why > 0 for t, why in outcomes) / sum(t >= time for t, _ in outcomes)
    return alive


def events_within(person: Person, name: str) -> list[float]:
    """Times of all events within follow-up."""
    last, _ = person.followed()
    return [person.time_of(day) for day in person.events(name) if person.index <= day <= last]


def mean_count(people: list[Person], at: float) -> float:
    """The mean number of emergency admissions a person: share alive before each, times events over those followed."""
    deaths = [person.outcome(None) for person in people]
    times = sorted(t for person in people for t in events_within(person, "emergency") if t <= at)
    return sum(survival(deaths, t - 0.25) / sum(end >= t for end, _ in deaths) for t in times)


def rate(people: list[Person]) -> dict[str, float]:
    """Emergency admissions per 100 years observed."""
    counts = [len(events_within(person, "emergency")) for person in people]
    years = sum(person.outcome(None)[0] for person in people) / 365.25
    return {
        "n_persons": len(people), "n_with_event": sum(n > 0 for n in counts), "n_events": sum(counts),
        "estimate": 100 * sum(counts) / years,
    }  # fmt: skip


def readmission(people: list[Person]) -> dict[str, float]:
    """Live discharges that were followed for 30 days, and those with an emergency admission in them."""
    found = []
    for person in people:
        last, _ = person.followed(None)
        for k, (_, left, _) in enumerate(person.stays):
            until = left + timedelta(days=DAYS)
            died = person.died is not None and person.died <= until
            if person.died is not None and person.died <= left:
                continue
            if person.index <= left <= last and until <= END and (died or until <= person.until):  # type: ignore[operator]
                later = [start for start, _, kind in person.stays[k + 1 :] if kind == "emergency"]
                found.append((person.key, bool(later) and (later[0] - left).days <= DAYS))
    return {
        "n_persons": len({key for key, _ in found}), "n_readmitted": len({key for key, again in found if again}),
        "n_discharges": len(found), "n_readmissions": sum(again for _, again in found),
        "estimate": sum(again for _, again in found) / len(found),
    }  # fmt: skip


def days_at_home(people: list[Person]) -> dict[str, float]:
    """Mean days alive and out of hospital of 365: those followed to death or the horizon stand for the censored, too.

    Whoever is known whole has the weight of one over the share of people not yet censored when that was known.
    """
    found = []
    for person in people:
        last, why = person.followed()
        nights = 0
        for start, left, _ in person.stays:
            nights += max((min(left, last) - max(start, person.index)).days, 0)
        found.append(((last - person.index).days, why in ("death", "horizon"), (last - person.index).days - nights))
    total = 0.0
    for days, whole, home in found:
        if whole:
            share = 1.0
            # a person censored on the day on which another is known whole is censored after it
            for day in sorted({d for d, w, _ in found if not w and d < days}):
                share *= 1 - sum(d == day and not w for d, w, _ in found) / sum(d > day or (d == day and not w) for d, w, _ in found)  # fmt: skip
            total += home / share
    return {"n_persons": len(people), "estimate": total / len(people)}


def stratum(person: Person) -> tuple[str, str, str]:
    """Age band, sex and number of conditions."""
    number = len(person.conditions)
    age = "under 75" if person.age < 75 else "75+"
    return age, person.sex, "0-3" if number < 4 else "4-6" if number < 7 else "7+"


def standardised(people: list[Person], at: float) -> dict[str, dict[str, float]]:
    """Risk of a first emergency admission in each hub: crude, and weighted to the strata of all hubs together."""
    cells, hubs = defaultdict(list), sorted({person.hub for person in people})
    for person in people:
        cells[person.hub, stratum(person)].append(person.outcome("emergency"))

    def known(outcomes: list[tuple[float, int]]) -> bool:
        """Whether it is known up to the time: somebody is still followed then, or everybody had left by an event."""
        last = max((t for t, _ in outcomes), default=-1)
        return last >= at or (last >= 0 and all(why for t, why in outcomes if t == last))

    whole = defaultdict(int)
    for person in people:
        whole[stratum(person)] += 1
    shared = [own for own in whole if all(known(cells[hub, own]) for hub in hubs)]
    total = sum(whole[own] for own in shared)
    return {
        hub: {
            "n_persons": sum(person.hub == hub for person in people),
            "crude": incidence([person.outcome("emergency") for person in people if person.hub == hub], 1, at),
            "estimate": sum(whole[own] / total * incidence(cells[hub, own], 1, at) for own in shared),
            "share_of_standard": total / len(people),
        }
        for hub in hubs
    }  # fmt: skip


def year_before(day: date) -> date:
    """Twelve months before a day; the last day of February where there is no 29th."""
    try:
        return day.replace(year=day.year - 1)
    except ValueError:
        return day.replace(year=day.year - 1, day=28)


def baseline(people: list[Person]) -> dict[tuple[str, str], float]:
    """The baseline table: people by characteristic and category, mean and standard deviation of cost."""
    found: dict[tuple[str, str], float] = defaultdict(float)
    costs = []
    for person in people:
        first = year_before(person.index)
        low = 0 if person.age < 5 else 5 + (person.age - 5) // 10 * 10
        band = "85+" if person.age >= 85 else "00-04" if person.age < 5 else f"{low:02d}-{low + 9:02d}"
        fifth = "not recorded" if person.decile is None else str((person.decile + 1) // 2)
        number = min(len(person.conditions), 4)
        before = [row for row in person.rows if first <= row[0] < person.index]
        emergencies = sum(setting == "inpatient" and kind == "emergency" for _, _, setting, kind, _ in before)
        attendances = sum(setting == "accident_and_emergency" for _, _, setting, _, _ in before)
        whole = max(person.since or START, person.born, START) <= first
        told = {
            "sex": person.sex, "ten_year_age_band": band, "deprivation_quintile": fifth, "people": "all",
            "n_conditions": "4+" if number == 4 else str(number), "look_back": "whole" if whole else "part",
            "emergency_admissions": "3+" if emergencies > 2 else str(emergencies),
            "accident_and_emergency_attendances": "3+" if attendances > 2 else str(attendances),
        }  # fmt: skip
        for pair in told.items():
            found[pair] += 1
        for condition in person.conditions:
            found["condition", condition] += 1
        costs.append(sum(row[4] for row in before))
    mean = sum(costs) / len(costs)
    found["cost", "mean"] = mean
    found["cost", "sd"] = sqrt(sum((c - mean) ** 2 for c in costs) / (len(costs) - 1))
    return found
