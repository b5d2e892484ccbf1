"""Families whose tables hold no count of a study's people: shown as they are, once it is said where they are from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import polars as pl

from symphony_research.errors import DisclosureError
from symphony_research.policy import Policy
from symphony_research.result.core import Result
from symphony_research.result.roles import Key, Published, Role, TableRoles

__all__ = ["Tables", "_OfPublished"]

Tables = Mapping[str, pl.DataFrame]


class _OfPublished(Result):
    """A family whose tables hold no count of the study's people.

    Each names its tables with their columns in `layout`; those in `keys` say what a row is about.
    """

    layout: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    keys: ClassVar[frozenset[str]] = frozenset()
    figure: ClassVar[str | None] = None

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles: keys, and figures that are published or follow from published ones."""
        return {
            name: TableRoles({column: cls._role(column) for column in columns}) for name, columns in cls.layout.items()
        }

    @classmethod
    def _role(cls, column: str) -> Role:
        return Key() if column in cls.keys else Published()

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Refuse what is not known to rest on published figures alone.

        Raises
        ------
        DisclosureError
            If no source was named, or rates of a study have not passed disclosure control.
        """
        if not settings.get("published"):
            raise DisclosureError(
                "This result says of no published source that its figures come from, so it may hold counts of few people. "
                "Name the source (published='ONS mid-2011 population estimates'), or compute from rates that have passed "
                "sr.suppress."
            )
        return tables

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return years and ages as they are said: 2021, without a separator."""
        if column in ("year", "age") and record[column] is not None:
            return str(record[column])
        return super().format_cell(record, column)

    def notes(self, columns: Any) -> list[str]:
        """Return what stands under a table: the source, and what its numbers are."""
        source = self.settings.get("published")
        return [*super().notes(columns), *([f"Source: {source}."] if source else [])]
