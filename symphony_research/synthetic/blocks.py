"""People in blocks of fixed size, each with its own seed, so that blocks can be made in any order.

A block's size is the number of people registered at some time in 2012-13, whom
`people` counts. Its tables depend on the plan, its number and its size alone: more people
or more threads leave the earlier full blocks as they were, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.synthetic.effects import Effects
from symphony_research.synthetic.history import BLOCK_SIZE, draw_history
from symphony_research.synthetic.plan import Plan, Selection, check_seed, profile_named
from symphony_research.synthetic.study_tables import list_sizes, people_tables, study_tables

__all__ = ["block_sizes", "generate_tables"]

LARGEST_STUDY = 400_000_000


def block_sizes(people: int) -> list[int]:
    """Return the number of people registered in 2012-13 in each block."""
    if isinstance(people, bool) or not isinstance(people, int) or not 1 <= people <= LARGEST_STUDY:
        raise ArgumentError(f"people={people!r} must be an integer from 1 to {LARGEST_STUDY:,}.")
    full, rest = divmod(people, BLOCK_SIZE)
    return [BLOCK_SIZE] * full + [rest] * bool(rest)


def generate_tables(
    people: int,
    *,
    seed: int = 2013,
    profile: str = "calibrated",
    effects: Mapping[str, Mapping[str, Any]] | None = None,
    selection: Mapping[str, Any] | None = None,
) -> dict[str, pl.DataFrame]:
    """Generate a study in memory: every table of the schema, by name.

    Parameters
    ----------
    people : int
        Number of people registered at some time in 2012-13; the study holds everyone ever registered, a third more.
    seed : int, default 2013
        The same seed gives the same tables.
    profile : {"calibrated", "planted", "null"}
        What makes conditions go together: everything; planted links alone; nothing but age, sex and deprivation.
    effects : mapping of programme to mapping of outcome to values, optional
        What the programmes do, by year since their start; see `synthesise`.
    selection : mapping, optional
        How people come to be enrolled; see `synthesise`.

    Returns
    -------
    dict of str to polars.DataFrame
        Costs in pounds of 2012-13; dates from before the period (past onsets and registrations) to its end.

    Raises
    ------
    ArgumentError
        If an argument is out of range.

    Examples
    --------
    >>> from datetime import date
    >>> import polars as pl
    >>> from symphony_research.synthetic import generate_tables
    >>> tables = generate_tables(200, seed=2013)
    >>> last = pl.col("end_date").fill_null(date(2018, 3, 31))
    >>> in_2012_13 = (pl.col("start_date") < date(2013, 4, 1)) & (last >= date(2012, 4, 1))
    >>> tables["registrations"].filter(in_2012_13)["person_id"].n_unique()
    200
    """
    check_seed(seed)
    plan = Plan(seed, profile_named(profile), Effects.of(effects), selection=Selection.of(selection))
    blocks = [draw_history(plan, number, size) for number, size in enumerate(block_sizes(people))]
    parts = [people_tables(block) for block in blocks]
    tables = {name: pl.concat([part[name] for part in parts]) for name in parts[0]}
    return {**tables, **study_tables(np.sum([list_sizes(block) for block in blocks], axis=0))}
