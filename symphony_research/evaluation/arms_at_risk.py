"""Numbers at risk under the curves of both arms: enrolled people counted, controls by the sum of their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.evaluation.incidence import CENSORED
from symphony_research.evaluation.release import ARMS, arm_cells
from symphony_research.evaluation.weighted import Arms
from symphony_research.policy import Policy
from symphony_research.result.cells import CellDefinition, Nested, Partition, everybody
from symphony_research.result.roles import Count, Internal, Key, ModelEstimate, TableRoles

__all__ = [
    "at_risk_relations",
    "at_risk_roles",
    "at_risk_tables",
    "numbers_at_risk",
    "released_at_risk",
    "trimmed_at_risk",
]

Tables = Mapping[str, pl.DataFrame]


def at_risk_roles() -> dict[str, TableRoles]:
    """Return the roles of enrolled people at risk by time, and of the weights of controls at risk."""
    return {
        "at_risk": TableRoles({"time": Key(), "n_persons": Count()}, at_risk_cell),
        # sums of the weights of so many people that those at risk cannot be counted by them
        "weights": TableRoles({"time": Key(), "n_at_risk": ModelEstimate(), "people": Internal()}),
    }


def at_risk_cell(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return that enrolled people at risk at a time are observed until then, without the event."""
    return everybody().in_state(f"at risk of {settings['outcome']} on day {int(record['time'])}", "yes")


def at_risk_relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
    """Yield that whoever is at risk was so at the time before, has not had the event by then, and has not died."""
    enrolled = {"arm": ARMS[0]}
    whole = arm_cells(enrolled, "n_persons", settings)
    sooner = whole
    for record in tables["at_risk"].sort("time").iter_rows(named=True):
        own, until = at_risk_cell(record, "n_persons", settings), {"horizon": int(record["time"])}
        yield Nested(own, sooner)
        for outcome in dict.fromkeys((settings["outcome"], "death")):
            gone = arm_cells(enrolled, "n_with_event", {**settings, **until, "outcome": outcome})
            yield Partition(whole, (gone, own), complete=False)
        sooner = own


def at_risk_tables(arms: Arms, time: NDArray[Any], cause: NDArray[Any], times: list[int]) -> dict[str, pl.DataFrame]:
    """Return enrolled people at risk at each time, and the weights of controls at risk, from the start on.

    Whoever is observed on a day and has neither had the event nor died by its end is at risk.
    """
    counted, weights = [], []
    for t in (0, *times):
        left = (time > t) | ((time == t) & (cause == CENSORED))
        own, other = left & arms.treated, left & ~arms.treated
        if t:
            counted.append((float(t), len(np.unique(arms.person[own]))))
        weights.append((float(t), float(arms.weight[other].sum()), len(np.unique(arms.person[other]))))
    return {
        "at_risk": pl.DataFrame(counted, schema={"time": pl.Float64, "n_persons": pl.Int64}, orient="row"),
        "weights": pl.DataFrame(
            weights, schema={"time": pl.Float64, "n_at_risk": pl.Float64, "people": pl.Int64}, orient="row"
        ),
    }


def released_at_risk(tables: Tables, policy: Policy) -> pl.DataFrame:
    """Return weights of controls at risk to the base that counts are rounded to, and none of few people or weights."""
    base = policy.rounding
    rounded = (pl.col("n_at_risk") / base).round() * base
    shown = (pl.col("people") > policy.threshold) & (rounded > policy.threshold)
    return tables["weights"].with_columns(pl.when(shown).then(rounded).alias("n_at_risk"))


def trimmed_at_risk(tables: Tables) -> pl.DataFrame:
    """Return weights of controls at risk where the number with the event is shown, which they would else bound."""
    others = tables["curves"].filter(pl.col("arm") == ARMS[1])
    gone = others.filter(pl.col("n_with_event").is_null())["time"].to_list()
    people = tables["arms"].filter(pl.col("arm") == ARMS[1])["n_persons"]
    shown = pl.lit(not people.null_count()) & ~pl.col("time").is_in(gone)
    return tables["weights"].with_columns(pl.when(shown).then("n_at_risk").alias("n_at_risk"))


def numbers_at_risk(tables: Tables) -> pl.DataFrame:
    """Return the number at risk of each arm at each time, from the start on.

    Returns
    -------
    polars.DataFrame
        `arm`, `time`, `n_at_risk` (of controls the sum of weights, to the nearest whole).
    """
    people = tables["arms"].filter(pl.col("arm") == ARMS[0])
    start = people.select(pl.lit(0.0).alias("time"), "n_persons")
    enrolled = pl.concat([start, tables["at_risk"]]).select("time", n_at_risk="n_persons")
    controls = tables["weights"].select("time", pl.col("n_at_risk").round().cast(pl.Int64))
    both = [
        frame.select(pl.lit(arm).alias("arm"), "time", "n_at_risk")
        for arm, frame in zip(ARMS, (enrolled, controls), strict=True)
    ]
    return pl.concat(both)
