"""Studies of the generator in memory, as many as strengths of selection and true effects, of the same people.

A seed draws people and every contact that may happen to them once. Whom the programme enrols follows from the strength of
selection, which contacts happen from its true effect: so the worlds of a seed differ in nothing else. Tables hold the people
who ever had conditions enough to be enrolled, for nobody else is read; a test compares them with `generate_tables`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

import symphony_research as sr
from symphony_research.cohort.matched import Matched
from symphony_research.door.table import conform
from symphony_research.schema import STUDY_TABLES
from symphony_research.study import Study, empty
from symphony_research.synthetic.blocks import block_sizes
from symphony_research.synthetic.calendar import END, START
from symphony_research.synthetic.effects import Effects
from symphony_research.synthetic.history import Potential, draw_potential, enrolments_of, history_of
from symphony_research.synthetic.parameters import CONDITION_NAMES, PERIOD_END, PERIOD_START, PRIORITY_CONDITIONS
from symphony_research.synthetic.plan import Plan, Selection
from symphony_research.synthetic.programmes import Enrolments, practice_programmes_table, practices_table
from symphony_research.synthetic.study_tables import people_tables

__all__ = ["EFFECTS", "STRENGTHS", "Strength", "World", "effects_of"]


@dataclass(frozen=True)
class Strength:
    """How strongly crises select people: the probability that one leads to enrolment, and of enrolling in a year without one.

    `people` is what `generate_tables` takes: those registered at some time in 2012-13.
    """

    after_crisis: float
    background: float
    people: int = 49_152

    @property
    def selection(self) -> dict[str, float]:
        """As `generate_tables` takes it."""
        return {"after_crisis": self.after_crisis, "background": self.background}


# Found by drawing 40 studies (seeds 1,000,000 and on) at several probabilities without a crisis: 49,152 people are 65,800 ever
# registered, of whom 840 to 880 are eligible on a day, and 280 enrolled at these probabilities (standard deviation 14 of a study). When
# the probability after a crisis is doubled, 352 of them would be enrolled by crises alone, with the probability without one at 0: so there
# the study is of fewer people.
STRENGTHS = {
    "0": Strength(0.0, 0.145),
    "as now": Strength(0.185, 0.026),
    "doubled": Strength(0.37, 0.0, 39_100),
}
EFFECTS = {"0": 1.0, "-10%": 0.9, "+5%": 1.05}


def effects_of(ratio: float) -> dict[str, dict[str, list[float]]]:
    """Return a rate ratio that holds from the day after enrolling.

    Hubs open three years before the study ends, so the fourth year is never reached; it gives the candidates of all true
    effects the same ceiling, and so the same people the same candidates.
    """
    return {"complex_care": {"emergency_admissions": [ratio, ratio, ratio, max(EFFECTS.values())]}}


class World:
    """The studies of one seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._drawn: dict[tuple[int, int], Potential] = {}

    def plan(self, strength: str, effect: str) -> Plan:
        """Return what `generate_tables` would be asked for."""
        selection = Selection.of(STRENGTHS[strength].selection)
        return Plan(self.seed, effects=Effects.of(effects_of(EFFECTS[effect])), selection=selection)

    def blocks(self, strength: str) -> list[Potential]:
        """Return the people and what may happen to them; whole blocks are the same in studies of any size."""
        sizes = list(enumerate(block_sizes(STRENGTHS[strength].people)))
        for number, size in sizes:
            if (number, size) not in self._drawn:
                self._drawn[number, size] = draw_potential(self.plan(strength, "0"), number, size)
        return [self._drawn[one] for one in sizes]

    def enrolled(self, strength: str) -> list[Enrolments]:
        """Return whom the programme enrols, block by block; it does not depend on what the programme does."""
        return [enrolments_of(self.plan(strength, "0"), block) for block in self.blocks(strength)]

    def study(self, strength: str, effect: str) -> Study:
        """Return a study in memory, of everybody who was ever eligible."""
        plan, parts = self.plan(strength, effect), []
        for block, enrolments in zip(self.blocks(strength), self.enrolled(strength), strict=True):
            ever = block.eligible <= END
            tables = people_tables(history_of(plan, block.of(ever), enrolments))
            wanted = pl.Series("person_id", np.flatnonzero(ever) + block.people.first_id)
            for name in ("persons", "registrations"):
                tables[name] = tables[name].filter(pl.col("person_id").is_in(wanted.implode()))
            del tables["outcomes"]
            parts.append(tables)
        made = {name: pl.concat([part[name] for part in parts]) for name in parts[0]}
        made |= {
            "practices": practices_table(np.zeros(19, np.int64)),
            "practice_programmes": practice_programmes_table(),
        }
        return study_of(made, f"simulated {self.seed}, {strength}, {effect}")

    def counts(self, strength: str) -> dict[str, float]:
        """Return how many people there are: ever registered, enrolled, eligible on a day; and eligible people left for each enrolled."""
        registered = enrolled = 0
        days = np.arange(START + 1_500, END + 1, 30)  # from some time after the first hub opened
        there, on_it = np.zeros(len(days)), np.zeros(len(days))
        for block, enrolments in zip(self.blocks(strength), self.enrolled(strength), strict=True):
            registered += len(block.people)
            enrolled += len(enrolments.person)
            since = np.full(len(block.people), END + 1)
            since[enrolments.person] = enrolments.day
            who = np.flatnonzero(block.eligible <= END)
            first = np.maximum(block.eligible[who], block.people.entered[who])
            here = (first[:, None] <= days) & (block.departures.last[who][:, None] >= days)
            there += here.sum(axis=0)
            on_it += (here & (since[who][:, None] <= days)).sum(axis=0)
        return {
            "registered": registered, "enrolled": enrolled, "eligible": float(there.mean()),
            "left": float(((there - on_it) / np.maximum(on_it, 1)).min()),
        }  # fmt: skip


def study_of(tables: dict[str, pl.DataFrame], name: str) -> Study:
    """Return tables as a study in memory."""
    held = {table: conform(STUDY_TABLES[table], frame.lazy()).collect() for table, frame in tables.items()}
    return Study(
        "simulated", (PERIOD_START, PERIOD_END), {t: held[t].lazy() if t in held else empty(s) for t, s in STUDY_TABLES.items()},
        conditions_listed=CONDITION_NAMES, fingerprint=name, generated=True, given=frozenset(held),
    )  # fmt: skip


def enrolled_of(study: Study) -> sr.Cohort:
    """Return the cohort that is studied."""
    return sr.define_cohort(study, programme="complex_care", min_conditions=3, conditions=PRIORITY_CONDITIONS)


def in_world(matched: Matched, study: Study) -> Matched:
    """Return the same people and controls in a study where the programme does something else: nothing before time zero differs."""
    sets = matched._sets
    return replace(matched, _sets=replace(sets, rows=replace(sets.rows, study=study)))
