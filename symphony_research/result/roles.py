"""What every column of a family's tables is, so that disclosure control knows how it may be released.

A column without a role cannot be released: the family is refused as soon as a
result of it is made. Roles say what a number is of; how it is rounded or
suppressed is the policy's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from symphony_research.errors import DisclosureError
from symphony_research.result.cells import CellDefinition

__all__ = [
    "Adjustment",
    "Count",
    "Internal",
    "Key",
    "Known",
    "Level",
    "Mean",
    "ModelEstimate",
    "Published",
    "Quantile",
    "Role",
    "TableRoles",
    "require_roles",
]


@dataclass(frozen=True)
class Role:
    """How a column may be released."""


@dataclass(frozen=True)
class Key(Role):
    """Says what a row is about: a condition, a stratum, a time of the grid.

    Attributes
    ----------
    vocabulary : str
        Where its values come from: "list" (a list known beforehand, such as
        code lists, age bands and sexes), or "records" (whatever stands in the
        records: then no more values than a tenth of the people, and none that
        looks like an id or a date).
    """

    vocabulary: str = "list"


@dataclass(frozen=True)
class Known(Role):
    """Follows from the keys alone, such as the number of conditions of a set."""


@dataclass(frozen=True)
class Published(Role):
    """From published statistics, or expected from released figures alone: no count of the study's people, shown as it is.

    A family with such columns refuses to be released where it is not said what was published.
    """


@dataclass(frozen=True)
class Count(Role):
    """People: suppressed up to the threshold, else rounded."""


@dataclass(frozen=True)
class Mean(Role):
    """Mean (or its standard error, or a difference of means) of a value over the people of a count.

    Attributes
    ----------
    people : str
        The column that counts them; empty where no one column does: then all of the row must be shown.
    spread : str
        The column with the Herfindahl index of the values (sum of squares over squared sum), by which the
        dominance rules are judged; never released.
    value : str
        Which value it is the mean of, so that times the people it is that value's sum; empty for an error or a
        difference.
    """

    people: str = ""
    spread: str = ""
    value: str = ""


@dataclass(frozen=True)
class Adjustment(Role):
    """Ratio without a unit by which strata change a figure of the whole row: to few figures, with its counts only.

    Attributes
    ----------
    beside : tuple of str
        Figures of the row that it is never finer than, and not there without; none where the family
        declares what it is of the counts by stratum (`Result.adjusted_forms`).
    upwards : bool
        Whether it is rounded up, as variances are.
    of_few : bool
        Whether it tells so much of small counts by stratum that it is not shown where there are any.
    told : str
        The column that a released table tells its significant figures in.
    """

    beside: tuple[str, ...] = ()
    upwards: bool = False
    of_few: bool = False
    told: str = ""


@dataclass(frozen=True)
class ModelEstimate(Role):
    """Estimate from a model of many people (a share, an index of agreement): to few figures, with its counts only."""


@dataclass(frozen=True)
class Level(Role):
    """Probability, or a variance, released as the first of these levels that it does not exceed.

    Attributes
    ----------
    levels : tuple of float
        In order, of probabilities the last one 1; what exceeds the last is not released.
    """

    levels: tuple[float, ...] = (0.001, 0.01, 0.05, 1.0)


@dataclass(frozen=True)
class Quantile(Role):
    """Quantile of a value over the people of a count: rounded, shown with the threshold of people on each side.

    Attributes
    ----------
    people : str
        The column that counts them.
    share : float
        Which quantile, between 0 and 1.
    """

    people: str
    share: float = 0.5


@dataclass(frozen=True)
class Internal(Role):
    """For disclosure control alone; never released."""


def _nobody_said(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    raise DisclosureError(f"The count '{column}' does not say which people it counts.")


@dataclass(frozen=True)
class TableRoles:
    """How one table of a family may be released.

    Attributes
    ----------
    columns : mapping of str to Role
        Every column of the table but the strata of the result.
    counts : callable
        (row, column, settings) -> CellDefinition: which people a count of a row is of, the strata of
        the result omitted (they are added).
    """

    columns: Mapping[str, Role]
    counts: Callable[[Mapping[str, Any], str, Mapping[str, Any]], CellDefinition] = field(default=_nobody_said)

    def of_role(self, *kinds: type[Role]) -> tuple[str, ...]:
        """Return the columns of some roles, in order."""
        return tuple(name for name, role in self.columns.items() if isinstance(role, kinds))

    @property
    def people(self) -> tuple[str, ...]:
        """Columns that count people."""
        return self.of_role(Count)


def require_roles(family: str, tables: Mapping[str, Any], roles: Mapping[str, TableRoles], by: tuple[str, ...]) -> None:
    """Raise DisclosureError unless every column of every table has a role.

    Raises
    ------
    DisclosureError
        With the tables and columns that have none.
    """
    missing = [f"table '{name}'" for name in tables if name not in roles]
    for name, table in tables.items():
        if name in roles:
            missing += [
                f"column '{column}' of table '{name}'"
                for column in table.columns
                if column not in roles[name].columns and column not in by
            ]
    # a mean's people and spread must be there to judge it by
    for name, own in roles.items():
        for column, role in own.columns.items():
            behind = [role.people, role.spread] if isinstance(role, Mean) else []
            behind = [role.people] if isinstance(role, Quantile) else behind
            missing += [
                f"'{other}', behind column '{column}' of table '{name}'"
                for other in behind
                if other and other not in own.columns
            ]
        if own.people and own.counts is _nobody_said:
            missing.append(f"whom the counts of table '{name}' are of")
    if missing:
        raise DisclosureError(
            f"{family} cannot be released: no role is declared for {', '.join(missing)}. Give each column one of "
            "symphony_research.result.roles, and each count the people that it counts."
        )
