"""A curve read at chosen times: for tables, and for the numbers under a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.errors import ArgumentError
from symphony_research.result import Disclosure, Result
from symphony_research.survival.curves import CumulativeIncidence, SurvivalCurve, Tables, _Curve
from symphony_research.survival.risk import followed_at
from symphony_research.wording import HIDDEN, UNDEFINED, capital, happened

__all__ = ["CurvePoints", "at"]

MOST_TIMES = 40
_FAMILIES: dict[str, type[_Curve]] = {"SurvivalCurve": SurvivalCurve, "CumulativeIncidence": CumulativeIncidence}


class CurvePoints(_Curve):
    """A curve at chosen times."""

    title: ClassVar[str] = "Share of people, by time since the start"
    shown: ClassVar[tuple[str, ...]] = ("what", "time", "n_at_risk", "estimate", "lower", "upper")
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    own_words: ClassVar[Mapping[str, str]] = {"what": "", "estimate": "Share of people"}

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """The curve, derived again and read at the times."""
        curve = _FAMILIES[settings["curve"]].derive(tables, settings, by)
        points = _read(curve, tables["followed"], by, settings["times"])
        if settings.get("flat_until") is not None:
            # where no counted event is shown there may have been a few: that is no nought, and no hundred per cent
            start = 0.0 if "cause" in points.columns else 1.0
            few = pl.col("estimate") == start
            points = points.with_columns(
                [pl.when(~few).then(pl.col(c)).alias(c) for c in ("estimate", "lower", "upper")]
            )
        if "cause" in points.columns:
            names = settings["cause_names"]
            told = [happened(names.get(c, f"cause {c}")) for c in settings["causes"]]
            # whatever competes with the first cause came before it
            told = [capital(words if k == 0 else f"{words} without it") for k, words in enumerate(told)]
            what = pl.col("cause").replace_strict(list(settings["causes"]), told, return_dtype=pl.String)
        else:
            what = pl.lit(capital(happened(settings["event_name"], yet=False)))
        return points.with_columns(what.alias("what"))

    def disclosed(self, tables: Tables, record: Disclosure, **settings: Any) -> Result:
        """Return the points that may be released: as few of a curve read before its release as after it."""
        _refuse_many(self.settings["times"], record)
        return super().disclosed(tables, record, **settings)

    def gap(self, record: Mapping[str, Any], column: str) -> str:
        """Return a star where people are followed and too few events may be shown, a dash where a curve has ended."""
        few = self.settings.get("flat_until") is not None and record["n_at_risk"] is not None
        return HIDDEN if few and record["estimate"] is None else UNDEFINED

    def sentence(self) -> str:
        """Return what the curve says at its end."""
        return _FAMILIES[self.settings["curve"]](self.count_tables, self.settings, self.by, self.disclosure).sentence()


def _refuse_many(times: Sequence[float], record: Disclosure) -> None:
    if not record.policy.changes_nothing and len(times) > MOST_TIMES:
        raise ArgumentError(
            f"A disclosed curve is read at {MOST_TIMES} times at most, not {len(times)}: numbers of people followed from "
            "day to day, set beside its steps, would tell when single people left."
        )


def at(result: Result, times: float | Sequence[float]) -> CurvePoints:
    """Read a curve at given times.

    Parameters
    ----------
    result : SurvivalCurve or CumulativeIncidence
        The curve; what was disclosed stays so.
    times : float or sequence of float
        In the curve's own unit.

    Returns
    -------
    CurvePoints
        The strata, `time`, `n_at_risk` (people still followed at that time, of a
        disclosed curve rounded as any count is), `estimate`, `lower`, `upper`,
        and in words `what` they are the share of. Past the end of a curve they
        are null.

    Raises
    ------
    ArgumentError
        If the result is not a curve, or one made safe is read at over 40 times:
        numbers followed from day to day, beside the steps, tell single people.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 2, 3], "event": [1, 1, 0, 0]})
    >>> curve = sr.survival.kaplan_meier(people, time="time", event="event")
    >>> sr.survival.at(curve, [0, 2, 2.5]).estimates["n_at_risk"].to_list()
    [4, 3, 1]
    """
    if not isinstance(result, (SurvivalCurve, CumulativeIncidence)):
        raise ArgumentError("A curve is needed: the result of kaplan_meier or cumulative_incidence.")
    wanted = [float(t) for t in ([times] if isinstance(times, (int, float)) else times)]
    if result.disclosure is not None:
        _refuse_many(wanted, result.disclosure)
    settings = {**result.settings, "curve": type(result).__name__, "times": wanted}
    return CurvePoints(result.count_tables, settings, result.by, result.disclosure)


def _read(frame: pl.DataFrame, followed: pl.DataFrame, by: tuple[str, ...], times: Sequence[float]) -> pl.DataFrame:
    """Return the estimates of a curve at the times, for each stratum and cause."""
    strata = [*by, *(["cause"] if "cause" in frame.columns else [])]
    start = 0.0 if "cause" in frame.columns else 1.0
    wanted = np.asarray(times, dtype=float)
    parts = []
    for names in frame.select(strata).unique(maintain_order=True).to_dicts() if strata else [{}]:
        part = same_stratum(frame, names)
        if not part.height:
            continue
        moments = part["time"].to_numpy()
        done = np.searchsorted(moments, wanted, side="right") - 1
        past = wanted > moments[-1]
        at_risk = followed_at(same_stratum(followed, {c: names[c] for c in by}), wanted)
        columns = {
            "time": wanted,
            "n_at_risk": at_risk,
            **{
                column: [None if past[k] else start if done[k] < 0 else values[done[k]] for k in range(len(wanted))]
                for column, values in ((c, part[c].to_list()) for c in ("estimate", "lower", "upper"))
            },
        }
        schema = {"n_at_risk": pl.Int64, **dict.fromkeys(("estimate", "lower", "upper"), pl.Float64)}
        own = [pl.lit(value, dtype=frame.schema[c]).alias(c) for c, value in names.items()]
        parts.append(pl.DataFrame(columns, schema_overrides=schema).select([*own, pl.all()]))
    return pl.concat(parts) if parts else frame.select([*strata, "time", "n_at_risk", "estimate", "lower", "upper"])
