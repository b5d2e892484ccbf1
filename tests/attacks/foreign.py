"""Families of results from outside the package: people divided into named parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import polars as pl

from symphony_research.result import Result
from symphony_research.result.cells import Partition, Relation, everybody
from symphony_research.result.roles import Count, Key, TableRoles

SETTINGS = {"study": "a study", "fingerprint": "f" * 64, "population": {}, "method": "counted"}


def _of_part(row: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> Any:
    return everybody().in_state("part", str(row["part"]))


class Parts(Result):
    """People by part, and all of them."""

    title: ClassVar[str] = "People by part"
    roles_by_table: ClassVar[Mapping[str, TableRoles]] = {
        "parts": TableRoles({"part": Key(vocabulary="records"), "n_persons": Count()}, _of_part),
        "population": TableRoles({"n_persons": Count()}, lambda row, column, settings: everybody()),
    }

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return what every column is."""
        return cls.roles_by_table

    @staticmethod
    def relations(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any]) -> Iterable[Relation]:
        """Return that the parts are everybody."""
        parts = (everybody().in_state("part", str(part)) for part in tables["parts"]["part"])
        return (Partition(everybody(), tuple(parts)),)

    @staticmethod
    def derive(tables: Mapping[str, pl.DataFrame], settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the parts as they are."""
        return tables["parts"]


def parts(*people: int, names: Iterable[Any] | None = None, **settings: Any) -> dict[str, Any]:
    """Return what a family of parts is made from."""
    named = list(names or (f"part {k + 1}" for k in range(len(people))))
    tables = {
        "parts": pl.DataFrame({"part": named, "n_persons": list(people)}),
        "population": pl.DataFrame({"n_persons": [sum(people)]}),
    }
    return {"count_tables": tables, "settings": {**SETTINGS, **settings}, "by": ()}
