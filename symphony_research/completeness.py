"""How complete activity is by month, and on which day it seems to end."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

__all__ = ["completeness_by_month"]

FEWEST_MONTHS = 3  # of which a usual one can be told
THIN = 0.8  # of the rows of the median month


def completeness_by_month(
    activity: pl.LazyFrame, period: tuple[date, date], *, stated: date | None = None
) -> list[str]:
    """Return what to say of the rows of activity by month.

    Parameters
    ----------
    activity : polars.LazyFrame
        With `date`.
    period : (date, date)
        First and last day of the study.
    stated : date, optional
        The last day of activity by study.toml.

    Returns
    -------
    list of str
        Months with under 80% of the rows of the median month; where the study ends with such months, the line of
        study.toml by which follow-up would end before them, for its owner to decide on; and the rows that are there
        after the last day stated.
    """
    first, last = period
    every = pl.LazyFrame({"month": pl.date_range(first.replace(day=1), last, "1mo", eager=True)})
    months = (
        activity.select(pl.col("date").dt.truncate("1mo").alias("month"))
        .group_by("month")
        .len()
        .join(every, on="month", how="right")
        .select("month", pl.col("len").fill_null(0))
        .sort("month")
        .collect(engine="streaming")
    )
    lines: list[str] = []
    if stated is not None:
        later = activity.filter(pl.col("date") > stated).select(pl.len()).collect(engine="streaming").item()
        if later:
            lines.append(f"Activity after its last day by study.toml, {stated.isoformat()}: {later:,} rows.")
    if months.height < FEWEST_MONTHS:
        return lines
    usual = float(months["len"].median() or 0)  # type: ignore[arg-type]
    lines.append(f"Activity by month: {months.height} months, {usual:,.0f} rows in the median one.")
    thin = months.with_columns((pl.col("len") < THIN * usual).alias("thin"))
    for month, rows in thin.filter("thin").select("month", "len").iter_rows():
        lines.append(f"  {month:%B %Y} holds {100 * rows / usual:.0f}% of the median month: perhaps incomplete.")
    whole = thin.filter(~pl.col("thin"))
    if stated is None and thin["thin"][-1] and whole.height:
        after = thin.filter(pl.col("month") > whole["month"][-1])["month"][0]
        day = after - timedelta(days=1)
        lines.append(
            f"  Activity may end on {day.isoformat()}. If it does, say so in study.toml, and follow-up ends there: "
            f'[period] data_end = {{ activity = "{day.isoformat()}" }}'
        )
    return lines
