"""Who is at risk, from when and until when: one interval a person, or one for each state that a person is in.

Time is counted in half days from the index date. An event k days
after the index date is at 2 k half days, and one on the index day itself at the first. A horizon ends with its last day, half a day after what
happens on it. Whoever comes under observation on a later day, or changes their state on
it, does so half a day before what happens that day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

__all__ = ["REASONS", "Window", "at_risk", "split_at", "start_of", "when_of", "with_event"]

# why an interval ends; of several on one day the first
REASONS = ("event", "death", "left_registration", "left_programme", "horizon", "end_of_data", "change_of_state")
_REASON = pl.Enum(REASONS)


@dataclass(frozen=True)
class Window:
    """From when and until when people are observed.

    Attributes
    ----------
    last : date
        Last day of follow-up: that of the data, or an earlier one.
    horizon : int or None
        Days after the index date; an event on the last of them counts.
    entry : date or None
        First day on which anybody is observed: those with an earlier index date
        enter late.
    leave_programme : bool
        Whether follow-up ends with the last day on the programme.
    """

    last: date
    horizon: int | None = None
    entry: date | None = None
    leave_programme: bool = False


def when_of(day: str | pl.Expr) -> pl.Expr:
    """Return when what happens on a day happens."""
    until = pl.col(day) if isinstance(day, str) else day
    return pl.max_horizontal(2 * (until - pl.col("index_date")).dt.total_days(), pl.lit(1, dtype=pl.Int64))


def start_of(day: pl.Expr) -> pl.Expr:
    """Return when a day begins: half a day before what happens on it, but not before time begins."""
    return pl.max_horizontal(2 * (day - pl.col("index_date")).dt.total_days() - 1, pl.lit(0, dtype=pl.Int64))


def at_risk(people: pl.DataFrame, window: Window) -> pl.DataFrame:
    """Return from when and until when each person is at risk, whatever happens, and why it ends.

    Parameters
    ----------
    people : polars.DataFrame
        One row a person (or an index date of a person): `index_date`, `death_date`, `registered_until`,
        `programme_until`.
    window : Window

    Returns
    -------
    polars.DataFrame
        The same rows and columns, with `entry` and `exit` (half days from the index date), `exit_date` and
        `reason`, one of `REASONS`. Who is never observed has an exit that is not after entry.

    Examples
    --------
    >>> person = pl.DataFrame(
    ...     {"index_date": [date(2012, 4, 1)], "death_date": [date(2012, 4, 11)],
    ...      "registered_until": [date(9999, 1, 1)], "programme_until": [None]},
    ...     schema_overrides={"programme_until": pl.Date})
    >>> at_risk(person, Window(date(2014, 3, 31))).select("entry", "exit", "reason").rows()
    [(0, 20, 'death')]
    >>> at_risk(person, Window(date(2014, 3, 31), horizon=5)).select("entry", "exit", "reason").rows()
    [(0, 11, 'horizon')]
    """
    ends: dict[str, pl.Expr] = {
        "death": pl.col("death_date"),
        "left_registration": pl.col("registered_until"),
        "end_of_data": pl.lit(window.last),
    }
    if window.leave_programme:
        ends["left_programme"] = pl.col("programme_until")
    if window.horizon is not None:
        ends["horizon"] = pl.col("index_date").dt.offset_by(f"{window.horizon}d")
    people = people.with_columns(pl.min_horizontal(*ends.values()).alias("exit_date"))
    reason = pl.coalesce(
        [pl.when(ends[name] == pl.col("exit_date")).then(pl.lit(name)) for name in REASONS if name in ends]
    )
    people = people.with_columns(reason.cast(_REASON).alias("reason"))
    never = pl.col("exit_date") < pl.col("index_date")
    late = pl.lit(0, dtype=pl.Int64) if window.entry is None else start_of(pl.lit(window.entry))
    return people.with_columns(
        late.alias("entry"),
        pl.when(never)
        .then(pl.lit(0, dtype=pl.Int64))
        .otherwise(when_of("exit_date") + (pl.col("reason") == "horizon").cast(pl.Int64))
        .alias("exit"),
    ).with_columns(pl.when(never).then(0).otherwise(pl.col("entry")).alias("entry"))


def with_event(intervals: pl.DataFrame) -> pl.DataFrame:
    """End intervals with the event, where `event_date` is within them."""
    happened = (pl.col("event_date") <= pl.col("exit_date")).fill_null(False)
    return intervals.with_columns(
        pl.when(happened).then(when_of("event_date")).otherwise("exit").alias("exit"),
        pl.when(happened)
        .then(pl.lit("event"))
        .otherwise(pl.col("reason").cast(pl.String))
        .cast(_REASON)
        .alias("reason"),
        pl.when(happened).then("event_date").otherwise("exit_date").alias("exit_date"),
    )


def split_at(intervals: pl.DataFrame, day: str, state: str) -> pl.DataFrame:
    """Split each interval where a person's state changes, so that nobody is in a state before they are.

    Parameters
    ----------
    intervals : polars.DataFrame
        As `at_risk` gives them.
    day : str
        Column with the first day in the state; null for who never is.
    state : str
        The column to add: "no" before that day, "yes" from it on.

    Returns
    -------
    polars.DataFrame
        Up to two rows a person; their times add up to the one before. What happens on the day of the
        change belongs to the state after it.

    Examples
    --------
    >>> one = pl.DataFrame({"index_date": [date(2012, 4, 1)], "joined": [date(2012, 4, 11)], "entry": [0], "exit": [60],
    ...                     "exit_date": [date(2012, 5, 1)], "reason": ["death"]})
    >>> split_at(one, "joined", "enrolled").select("enrolled", "entry", "exit", "reason").rows()
    [('no', 0, 19, 'change_of_state'), ('yes', 19, 60, 'death')]
    """
    # the larger of nothing and a number is the number
    start = pl.when(pl.col(day).is_not_null()).then(start_of(pl.col(day)))
    intervals = intervals.with_columns(start.alias("__at"), pl.col("reason").cast(_REASON))
    changes = (pl.col("__at") < pl.col("exit")).fill_null(False)
    before = intervals.filter(~changes | (pl.col("__at") > pl.col("entry"))).with_columns(
        pl.lit("no").alias(state),
        pl.when(changes).then("__at").otherwise("exit").alias("exit"),
        pl.when(changes).then(pl.col(day)).otherwise("exit_date").alias("exit_date"),
        pl.when(changes).then(pl.lit("change_of_state")).otherwise(pl.col("reason").cast(pl.String)).cast(_REASON)
        .alias("reason"),
    )  # fmt: skip
    after = intervals.filter(changes).with_columns(
        pl.lit("yes").alias(state), pl.max_horizontal("entry", "__at").alias("entry")
    )
    return pl.concat([before, after]).drop("__at")
