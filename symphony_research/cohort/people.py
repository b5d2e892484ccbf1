"""`Cohort`: people with an index date and an end of follow-up. It gives out collapsed tables only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symphony_research.cohort.attrition import Attrition
from symphony_research.cohort.described import Described
from symphony_research.cohort.observed import Observed
from symphony_research.cohort.periods import PeriodRows, period_rows_of
from symphony_research.cohort.risk_sets import RiskSets, risk_sets_of
from symphony_research.cohort.rows import PersonRows
from symphony_research.result import Provenance
from symphony_research.study import Study

__all__ = ["Cohort"]


@dataclass(frozen=True, eq=False, repr=False)
class Cohort(Described, Observed):
    """People with an index date and an end of follow-up. Make one with `define_cohort`.

    Attributes
    ----------
    study : Study
        Where they come from.
    rules : mapping
        The population as predicates and dates.
    attrition : Attrition
        How many people each rule excluded.
    """

    attrition: Attrition
    _rows: PersonRows = field(repr=False)

    @property
    def study(self) -> Study:
        """Where the people come from."""
        return self._rows.study

    @property
    def rules(self) -> Mapping[str, Any]:
        """The population as predicates and dates."""
        return self._rows.rules

    def risk_sets(self, *, exact: Sequence[str] | None, practices: str, candidates: int, seed: int) -> RiskSets:
        """Hand over the candidates of each enrolled person on the day they enrolled, for `evaluation.match_controls`.

        Its arguments are these.

        Returns
        -------
        RiskSets
            Person rows, which it does not show.
        """
        return risk_sets_of(self._rows, exact=exact, practices=practices, candidates=candidates, seed=seed)

    def period_rows(self, *, event: str, periods: Sequence[tuple[int, int]]) -> tuple[PeriodRows, Provenance]:
        """Hand over events and days at risk by period before and after enrolling, for `evaluation.before_after`.

        Returns
        -------
        PeriodRows and Provenance
            Person rows, which are not shown, and where they come from.
        """
        return period_rows_of(self._rows, event, periods)

    def __repr__(self) -> str:
        return f"Cohort of '{self.study.name}' (person rows are not shown; see .attrition)"
