"""Who is observed, group by group, for page one of a report that compares groups: no total that the groups' own reports lack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from symphony_research.population import Population
from symphony_research.result.facts import facts_of
from symphony_research.survival.grid import AT_RISK
from symphony_research.words.lexicon import SUPPRESSED
from symphony_research.words.numbers import number
from symphony_research.words.phrases import strata_words

__all__ = ["facts_of_groups", "follow_up_words"]

_START = (pl.col("time") == 0) & (pl.col("state") == AT_RISK)


def facts_of_groups(
    settings: Mapping[str, Any], tables: Mapping[str, pl.DataFrame], by: tuple[str, ...], *, rounded: bool
) -> dict[str, str]:
    """Return who is observed, with the people of each group: "Chard about 100, Yeovil about 340".

    Parameters
    ----------
    settings : mapping
    tables : mapping of str to polars.DataFrame
        `grid` where it is released, else `events`.
    by : tuple of str
        What forms groups.
    rounded : bool
        Whether counts were rounded.
    """
    if "grid" in tables:
        people = tables["grid"].filter(_START).select(*by, "n_persons")
    else:
        own = tables["events"].filter(pl.col("kind") >= 0)
        people = own.group_by(by).agg(pl.col("n_persons").sum()).sort(by, nulls_last=True)
    said = []
    for row in people.iter_rows(named=True):
        n = row["n_persons"]
        how_many = SUPPRESSED if n is None else f"{'about ' if rounded and n else ''}{number(n)}"
        said.append(f"{strata_words({c: row[c] for c in by})} {how_many}")
    told = facts_of(settings)
    return {"People": ", ".join(said) or SUPPRESSED, **told, **follow_up_words(settings)}


def follow_up_words(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return with what follow-up ends, where it has a horizon."""
    horizon = Population.of(settings).horizon
    if not horizon:
        return {}
    ends = "death" if settings.get("event_name") == "death" else "the event, death"
    return {"Follow-up": f"to {ends}, the end of registration or of the data, at most {number(horizon)} days"}
