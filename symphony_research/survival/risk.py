"""Who was at risk when: the two tables that every estimator of this room is computed from.

`events` holds people by `kind`: -1 entered late, 0 censored, 1, 2, ... the
cause (see `collapse.event_table`). `followed` holds, for each time at which
anything changed, how many are followed until then. People are at risk after
their entry and up to their own time, so a tie between an event and a censoring
counts the censored person as at risk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from symphony_research.inference import Array
from symphony_research.result import CountTable

__all__ = ["CURVE_COUNTS", "at_risk_of", "causes_of", "curve_tables", "end_curves", "followed_at", "risk_table"]

Tables = Mapping[str, pl.DataFrame]

CURVE_COUNTS: Mapping[str, CountTable] = {
    "events": CountTable(("n_persons",), cumulative="time", within=("kind",)),
    "followed": CountTable(("n_at_risk", "n_kept")),
}


def causes_of(events: pl.DataFrame) -> list[int]:
    """Return the causes, in order."""
    return sorted(events.filter(pl.col("kind") > 0)["kind"].unique().to_list())


def curve_tables(events: pl.DataFrame, by: tuple[str, ...]) -> dict[str, pl.DataFrame]:
    """Return the count tables of a curve from its events.

    `followed` has a row for every time at which somebody entered or left (which
    of the two, `left` says): `n_at_risk`, those who entered before it and had
    not left before it, and `n_kept`, those of whom follow-up had not ended
    without an event, so that earlier events count among them.
    """
    over = _over(by)
    people, kind = pl.col("n_persons"), pl.col("kind")
    changes = (
        events.group_by([*by, "time"])
        .agg(
            people.filter(kind < 0).sum().alias("__came"),
            people.filter(kind >= 0).sum().alias("__left"),
            people.filter(kind > 0).sum().alias("__events"),
        )
        .sort([*by, "time"], nulls_last=True)
    )
    at_risk = (pl.col("__left") - pl.col("__came")).cum_sum(reverse=True).over(over)
    earlier = (pl.col("__events").cum_sum() - pl.col("__events")).over(over)
    followed = changes.select(
        *by,
        "time",
        at_risk.alias("n_at_risk"),
        (at_risk + earlier).alias("n_kept"),
        (pl.col("__left") > 0).alias("left"),
    )
    return {"events": events, "followed": followed}


def risk_table(tables: Tables, by: tuple[str, ...], causes: list[int]) -> pl.DataFrame:
    """Return one row per stratum and time at which somebody left, and one where a curve ends.

    Columns `by`, `time`, `n_at_risk`, `n_censored`, `n_events` (any cause) and
    `n_1`, `n_2`, ... for each of the causes.

    Notes
    -----
    Those at risk are those kept less the events before: with exact counts just
    the people followed. Of released counts it is what stands above the events
    still to be shown, so that a step is never divided by people it has left
    out; and it is never below the people followed.
    """
    over = _over(by)
    people, kind = pl.col("n_persons"), pl.col("kind")
    left = (
        tables["events"]
        .group_by([*by, "time"])
        .agg(
            people.filter(kind == -1).sum().alias("__came"),
            people.filter(kind > 0).sum().alias("n_events"),
            *[people.filter(kind == cause).sum().alias(f"n_{cause}") for cause in causes],
            (kind >= 0).any().alias("__row"),
        )
    )
    last = pl.col("time") == pl.col("time").max().over(over)
    followed = tables["followed"].drop_nulls("n_at_risk").drop("left").with_columns(last.alias("__row"))
    numbers = [c for c in left.columns if c not in (*by, "time", "__row")]
    table = (
        pl.concat([left, followed], how="diagonal")
        .group_by([*by, "time"])
        .agg(pl.col(numbers).sum(), pl.col("n_at_risk", "n_kept").max(), pl.col("__row").any())
        .sort([*by, "time"], nulls_last=True)
        .with_columns(pl.col("n_at_risk", "n_kept").backward_fill().over(over))
    )
    before = (pl.col("n_events").cum_sum() - pl.col("n_events")).over(over)
    came_before = (pl.col("__came").cum_sum() - pl.col("__came")).over(over)
    at_risk = pl.max_horizontal(pl.col("n_kept") - before, "n_at_risk", "n_events")
    table = table.with_columns(
        pl.when(pl.col("n_at_risk").is_not_null()).then(at_risk).alias("n_at_risk"), came_before.alias("__came")
    ).filter("__row")
    # whoever is neither at risk next nor had the event has left otherwise; at its end a curve lets everybody go
    came = (pl.col("__came").shift(-1) - pl.col("__came")).over(over).fill_null(0)
    gone = pl.col("n_at_risk") - pl.col("n_events") - pl.col("n_at_risk").shift(-1, fill_value=0).over(over) + came
    return table.with_columns(pl.max_horizontal(gone, pl.lit(0)).alias("n_censored")).drop("__came", "__row", "n_kept")


def followed_at(followed: pl.DataFrame, times: Array) -> list[int | None]:
    """Return the people of one stratum who are followed at each time; None past the end, and while few had entered."""
    moments, counts = followed["time"].to_numpy(), followed["n_at_risk"].to_list()
    first = 1 if counts and counts[0] == 0 else 0  # whoever enters at the very beginning is followed from it on
    where = np.searchsorted(moments, times, side="left")
    if first:
        where = np.where(np.asarray(times) == moments[0], 1, where)
    return [None if k >= len(counts) or counts[k] is None else int(counts[k]) for k in where]


def at_risk_of(followed: pl.DataFrame, events: pl.DataFrame, times: Array) -> Array:
    """Return the people of one stratum at risk at each time, as `risk_table` counts them; none past the end."""
    happened = events.filter(pl.col("kind") > 0).sort("time")
    earlier = np.concatenate([[0], np.cumsum(happened["n_persons"].to_numpy())])
    before = earlier[np.searchsorted(happened["time"].to_numpy(), times, side="left")]
    followed = followed.drop_nulls("n_at_risk")
    where = np.searchsorted(followed["time"].to_numpy(), times, side="left")
    kept, still = (np.append(followed[c].to_numpy(), 0) for c in ("n_kept", "n_at_risk"))
    return np.where(where < followed.height, np.maximum(kept[where] - before, still[where]), 0).astype(float)


def end_curves(tables: Tables, threshold: int, by: tuple[str, ...]) -> dict[str, pl.DataFrame]:
    """End each curve before the number at risk falls to the threshold, and leave out what tells more than it shows.

    A stratum that starts at or below the threshold is left out altogether. Of
    the people followed only changes of the rounded number stay, and nothing of
    when single people were censored: that is told by the number at risk. The
    end is brought forward to a round time: the day itself would be that of the
    person who left just as many as the threshold behind. Where few had entered
    before a curve begins, a row without numbers says until when.
    """
    over = _over(by)
    few = pl.col("n_at_risk").is_null() | (pl.col("n_at_risk") <= threshold)
    begun = (~few).cum_max().over(over)
    # before a curve begins few have entered yet, which ends nothing unless one of them has left already
    ended = (few & (begun | pl.col("left"))).cum_max().over(over)
    numbers = pl.col("n_at_risk", "n_kept")
    every = tables["followed"].sort([*by, "time"], nulls_last=True)
    followed = every.filter(begun & ~ended)
    unit = _coarse(float(every["time"].max() or 0))  # type: ignore[arg-type]
    end = pl.col("time").max() // unit * unit
    end = end.cast(every.schema["time"]).alias("__end")
    ends = followed.group_by(by).agg(end) if by else followed.select(end)
    on = {"on": list(by), "how": "inner", "nulls_equal": True} if by else {"how": "cross"}
    # the number at a curve's end is that of the first row from it on
    later = pl.col("time") >= pl.col("__end")
    first_later = later & ~later.shift(1, fill_value=False).over(over)
    followed = followed.join(ends, **on).sort([*by, "time"], nulls_last=True)
    followed = followed.filter((~later | first_later) & (pl.col("__end") > 0))
    followed = followed.with_columns(pl.min_horizontal("time", "__end").alias("time")).drop("__end")
    changes = pl.any_horizontal(numbers.ne_missing(numbers.shift(-1)).over(over))
    last = pl.col("time") == pl.col("time").max().over(over)
    followed = followed.filter(changes | last).with_columns(pl.lit(True).alias("left"))
    events = tables["events"].filter(pl.col("kind") != 0).join(ends, **on)
    events = events.filter((pl.col("time") <= pl.col("__end")) & (pl.col("__end") > 0)).drop("__end")
    # one row before the beginning is that of everybody who enters there
    early = every.filter(~begun & ~ended).with_columns(pl.len().over(over).alias("__rows"))
    early = early.filter((pl.col("__rows") > 1) & (pl.col("time") == pl.col("time").max().over(over))).drop("__rows")
    if by:
        early = early.join(followed.select(by).unique(), on=list(by), how="semi", nulls_equal=True)
    early = early.with_columns(
        [pl.lit(None, dtype=every.schema[c]).alias(c) for c in ("n_at_risk", "n_kept")] + [pl.lit(False).alias("left")]
    )
    followed = pl.concat([followed, early.select(followed.columns)] if followed.height else [followed])
    return {
        "events": events.sort([*by, "kind", "time"], nulls_last=True),
        "followed": followed.sort([*by, "time"], nulls_last=True),
    }


# Each divides the next, so that an end brought forward twice is where it was.
_ROUND_TIMES = (0.001, 0.01, 0.1, 1, 5, 10, 30, 90, 180, 360)


def _coarse(span: float) -> float:
    """Return the largest round time that fits ten times into a span: 30 days in a year."""
    fitting = [time for time in _ROUND_TIMES if 10 * time <= span]
    return fitting[-1] if fitting else _ROUND_TIMES[0]


def _over(by: tuple[str, ...]) -> list[Any]:
    return list(by) or [pl.lit(0)]
