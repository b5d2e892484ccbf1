"""`Cohort`: people with an index date and an end of follow-up. It gives out collapsed tables only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from symphony_research.cohort.attrition import Attrition
from symphony_research.cohort.described import Described
from symphony_research.cohort.observed import Observed
from symphony_research.cohort.rows import PersonRows
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

    def __repr__(self) -> str:
        return f"Cohort of '{self.study.name}' (person rows are not shown; see .attrition)"
