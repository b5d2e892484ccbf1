"""Whom the counts of sets of conditions are of, and the roles of the tables that their families share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symphony_research.result.cells import CellDefinition, at_least, everybody, exactly, feature_list, of_size
from symphony_research.result.roles import Count, Internal, Key, Known, Mean, Role, TableRoles

__all__ = [
    "LOG_P",
    "LOG_P_NEARER",
    "MARGINS",
    "PAIRS",
    "POPULATION",
    "mean_roles",
    "of_condition",
    "of_everybody",
    "of_number",
    "of_others",
    "of_pair",
    "of_set",
]

Record = Mapping[str, Any]

# log of an exact p value: it is of exact counts, so it is never released
LOG_P = "log_p"
# and of the count one person nearer to what is expected, for what rounding may conceal
LOG_P_NEARER = "log_p_nearer"


def of_everybody(record: Record, column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return all people of a row's stratum."""
    return everybody()


def of_condition(record: Record, column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return the people with the row's condition."""
    return at_least((record["condition"],))


def of_pair(record: Record, column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return the people with both conditions of the row."""
    return at_least((record["source"], record["target"]))


def of_set(record: Record, column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return the people with the row's conditions: just these in exact sets, else whatever else they have."""
    if settings.get("kind") == "exact":
        return exactly(record["combination"], feature_list(settings["conditions"]))
    return at_least(record["combination"])


def of_number(record: Record, column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return the people with the row's number of conditions; the top number stands for all above."""
    number = record["n_conditions"]
    return of_size(number, feature_list(settings["conditions"]), or_more=number == settings.get("top"))


def of_others(record: Record, column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return the people with the row's condition and its number of other ones."""
    number, among = record["n_others"], feature_list(settings["conditions"])
    return at_least((record["condition"],)).of_size(number + 1, among, or_more=number == settings.get("top"))


def mean_roles(values: list[str]) -> dict[str, Role]:
    """Return the roles of the means of values over the people of a row, and of what judges them."""
    roles: dict[str, Role] = {}
    for value in values:
        roles[f"mean_{value}"] = Mean("n_persons", f"herfindahl_{value}", value)
        roles[f"herfindahl_{value}"] = Internal()
    return roles


MARGINS = TableRoles({"condition": Key(), "n_persons": Count()}, of_condition)
PAIRS = TableRoles({"source": Key(), "target": Key(), "n_both": Count()}, of_pair)
POPULATION = TableRoles({"n_persons": Count()}, of_everybody)
SET_KEYS: Mapping[str, Role] = {"combination": Key(), "size": Known()}
