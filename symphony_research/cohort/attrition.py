"""How many people each rule of a cohort excluded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.population import Population
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition, Partition, Relation, everybody, unrelated
from symphony_research.result.roles import Count, Key, TableRoles
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import roughly

__all__ = ["STUDIED", "Attrition", "attrition_of"]

STARTED = "at the start"  # the first row: those who could be included
STUDIED = "studied"  # the last step: those who are left


class Attrition(Result):
    """How many people each criterion excluded, and how many were studied."""

    figure: ClassVar[str | None] = "symphony_research.show.flow:plot_attrition"
    title: ClassVar[str] = "Inclusion of people in the study"
    own_settings: ClassVar[frozenset[str]] = frozenset({"start", "criteria"})
    shown: ClassVar[tuple[str, ...]] = ("step", "n_excluded", "n_persons")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType({"n_persons": "People remaining"})

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Each step counts the people excluded at it; the first row those at the start, the last those who are left."""
        return {"steps": TableRoles({"step": Key(), "n_persons": Count()}, _of_step)}

    @staticmethod
    def relations(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Iterator[Relation]:
        """Yield that whoever was there at the start was excluded at one step, or is left."""
        cells = [_of_step(row, "n_persons", settings) for row in tables["steps"].iter_rows(named=True)]
        if tables["steps"]["step"][0] == STARTED:
            yield Partition(cells[0], tuple(cells[1:]))

    @staticmethod
    def derive(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """People left after each rule: the sum of what is shown below it, and no more than were there at the start."""
        started = tables["steps"].filter(pl.col("step") == STARTED)["n_persons"]
        steps = tables["steps"].filter(pl.col("step") != STARTED)
        left_out = pl.Series("n_excluded", steps["n_persons"])
        # each row of the table but the last counts the people a rule omitted; the last, those studied
        below = steps["n_persons"].fill_null(0).cum_sum(reverse=True)
        # rounded by itself; where it is suppressed, what the others add up to
        known: int | None = below[0] if started.is_empty() or started[0] is None else started[0]
        remaining = below.shift(-1).clip(upper_bound=known)
        if steps["n_persons"][-1] is None:  # of whom a part alone is known, who were excluded
            known, remaining = None, remaining.clear(len(remaining))
        first = pl.DataFrame(
            {"step": [settings["start"]], "n_excluded": [0], "n_persons": [known]},
            schema={"step": pl.String, "n_excluded": pl.Int64, "n_persons": pl.Int64},
        )
        rest = steps.select("step").with_columns(left_out, remaining.alias("n_persons")).head(steps.height - 1)
        return pl.concat([first, rest.cast(dict(first.schema))])  # type: ignore[arg-type]

    def sentence(self) -> str:
        """Return how many people were studied, of how many."""
        frame, did = self.estimates, "met the inclusion criteria"
        if Population.of(self.settings).event:
            did = "were followed up"
        if Population.of(self.settings).matching:
            did = "have comparable controls"
        start, end = frame["n_persons"][0], frame["n_persons"][-1]
        if not end or not start:
            return f"Too few people {did} for anything to be shown."
        if frame.height == 1:
            return f"About {roughly(end)} people {self.settings['start']} {did}."
        return f"Of about {roughly(start)} people {self.settings['start']}, about {roughly(end)} {did}."

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return a step with a capital."""
        return capital(record[column]) if column == "step" else super().format_cell(record, column)

    def notes(self, columns: Iterable[str]) -> list[str]:
        """Return that people of a suppressed step are not among those remaining before it."""
        steps = self.count_tables["steps"]
        own = steps.filter(pl.col("step") != STARTED)["n_persons"].head(-1)
        # before the only step stands the count of those at the start, which has them all
        hidden = own.null_count() > 0 and (len(own) > 1 or steps["step"][0] != STARTED or steps["n_persons"][0] is None)
        told = "People excluded at a suppressed step are not among those remaining before it."
        return [*([told] if hidden and self.estimates["n_persons"][0] is not None else []), *super().notes(columns)]

    def instead_of_table(self) -> str | None:
        """Return that nobody is excluded, and whom the criteria would have excluded; a table would have one row."""
        if self.estimates.height > 1:
            return None
        criteria = "; ".join(self.settings.get("criteria") or ())
        return f"Nobody was excluded by any of these criteria: {criteria}." if criteria else "Nobody was excluded."


def _of_step(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    if record["step"] == STUDIED:
        if Population.of(settings).event == "readmission":
            return everybody().in_state("first discharge", "followed")  # as curves from a discharge count them
        return everybody()  # the people of the cohort: one number with that of every other table of them
    if record["step"] == STARTED:
        return unrelated(f"at the start: {settings['start']}")
    return unrelated(f"excluded at the step: {record['step']}")


def attrition_of(
    steps: Sequence[tuple[str, int]], people: int, *, start: str, criteria: Sequence[str] | None = None, **settings: Any
) -> Attrition:
    """Return how many people each step excluded, and how many are left, as a result.

    Parameters
    ----------
    steps : sequence of (str, int)
        Words of each step, and how many people it excluded. A step that excluded nobody is omitted.
    people : int
        Those who are left.
    start : str
        Who they are before the first step.
    criteria : sequence of str, optional
        Words of all steps, those included that excluded nobody.
    **settings
        Of the result: its provenance and so on.
    """
    rows = [(step, n) for step, n in steps if n > 0]
    if rows:  # else those at the start are those studied, who have one count
        rows.insert(0, (STARTED, people + sum(n for _, n in rows)))
    rows.append((STUDIED, people))
    table = pl.DataFrame(rows, schema={"step": pl.String, "n_persons": pl.Int64}, orient="row")
    given = {} if criteria is None else {"criteria": list(criteria)}
    return Attrition({"steps": table}, {"method": "people excluded, step by step", "start": start, **given, **settings})
