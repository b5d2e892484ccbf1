"""What somebody finds in a released result itself, handed on in Python rather than as a file."""

from __future__ import annotations

import itertools

import polars as pl
from attacker import Rule
from figures import has_figures


def look(tables: dict[str, pl.DataFrame], rule: Rule) -> list[str]:
    """Return what the count tables of a released result tell that it should not."""
    return [*_counts(tables, rule), *_factors(tables), *_times(tables)]


def _counts(tables: dict[str, pl.DataFrame], rule: Rule) -> list[str]:
    wrong = []
    for name, table in tables.items():
        if name == "events":
            continue
        for column in table.columns:
            if column.startswith("n_") and column not in ("n_conditions", "n_others"):
                for n in table[column].drop_nulls():
                    if n % rule.base or rule.small(int(n)):
                        wrong.append(f"{name}.{column} is {n}")
    return wrong


def _factors(tables: dict[str, pl.DataFrame]) -> list[str]:
    """A factor is of three figures, and gone where the pair or one of its conditions is hidden."""
    wrong = []
    hidden: set[str] = set()
    if "margins" in tables:
        counts = [c for c in tables["margins"].columns if c.startswith("n_")]
        gone = tables["margins"].filter(pl.any_horizontal([pl.col(c).is_null() for c in counts]))
        strata = [c for c in gone.columns if c not in ("condition", *counts)]
        hidden = set(gone["condition"]) if not strata else set()
    for name, table in tables.items():
        counts = [c for c in table.columns if c.startswith("n_") and c not in ("n_conditions", "n_others")]
        for column in table.columns:
            if not (column.endswith("_factor") or column.startswith(("mean", "months", "median"))):
                continue
            for row in table.iter_rows(named=True):
                if row[column] is None or row[column] != row[column]:
                    continue
                if counts and any(row[c] is None for c in counts):
                    wrong.append(f"{name}.{column} stands beside a hidden count")
                if not has_figures(row[column]):
                    wrong.append(f"{name}.{column} {row[column]} is exact")
                if column.endswith("_factor") and hidden & {row.get("source"), row.get("target")}:
                    wrong.append(f"{name}.{column} stands where the people with one condition are hidden")
    return wrong


def _times(tables: dict[str, pl.DataFrame]) -> list[str]:
    """A curve's tables hold steps and changes, and no day on which only somebody left."""
    wrong = []
    if "events" in tables and (tables["events"]["kind"] == 0).any():
        wrong.append("the censored are counted apart")
    if "followed" in tables:
        strata = [c for c in tables["followed"].columns if c not in ("time", "n_at_risk", "n_kept", "left")]
        groups = tables["followed"].partition_by(strata) if strata else [tables["followed"]]
        for own in groups:
            rows = own.select("n_at_risk", "n_kept").rows()
            if any(a == b for a, b in itertools.pairwise(rows[:-1])):
                wrong.append("a row tells when somebody left though no number changed")
    return wrong
