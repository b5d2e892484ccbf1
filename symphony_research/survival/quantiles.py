"""The time by which a share of people have had the event: of a released curve, the interval of the grid in which it lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.errors import ArgumentError
from symphony_research.result import Result, passed_on
from symphony_research.survival.base import Tables, _Curve
from symphony_research.survival.curves import CumulativeIncidence, SurvivalCurve
from symphony_research.words.lexicon import NOT_AVAILABLE, SUPPRESSED, capital, happened, outcome
from symphony_research.words.numbers import number
from symphony_research.words.phrases import strata_words

__all__ = ["CurveQuantile", "quantile"]

_FAMILIES: dict[str, type[_Curve]] = {"SurvivalCurve": SurvivalCurve, "CumulativeIncidence": CumulativeIncidence}
_FIGURES = ("earliest", "latest", "lower", "upper")
# two proportions that are one but for rounding, as R's survfit compares them
_TOLERANCE = 1.5e-8


class CurveQuantile(_Curve):
    """The time by which a share of people have had an event."""

    figure: ClassVar[str | None] = None
    title: ClassVar[str] = "Time by which a share of people had the event"
    own_settings: ClassVar[frozenset[str]] = _Curve.own_settings | {"curve", "q"}
    shown: ClassVar[tuple[str, ...]] = ("cause", "q", *_FIGURES)
    percentages: ClassVar[tuple[str, ...]] = ("q",)
    own_words: ClassVar[Mapping[str, str]] = {
        "q": "Share of people", "earliest": "From", "latest": "To", "lower": "95% CI, from", "upper": "95% CI, to",
    }  # fmt: skip

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the curve, derived again, and where it and its limits reach the share."""
        curve = _FAMILIES[settings["curve"]].derive(tables, settings, by)
        on_grid = "grid" in tables
        strata = [*by, *(["cause"] if "cause" in curve.columns else [])]
        schema: dict[str, Any] = {
            **{c: curve.schema[c] for c in strata},
            "q": pl.Float64,
            **dict.fromkeys(_FIGURES, pl.Float64),
        }
        rows = []
        for names in curve.select(strata).unique(maintain_order=True).to_dicts() if strata else [{}]:
            part = same_stratum(curve, names) if names else curve
            rows.append({**names, "q": settings["q"], **_crossings(part, settings["q"], "cause" in strata, on_grid)})
        return pl.DataFrame(rows, schema=schema)

    def sentence(self) -> str:
        """Return the time by which the share of people had the event, of each group."""
        share = self.settings["q"]
        frame = self.estimates
        if "cause" in frame.columns:
            first = self.settings["causes"][0]
            frame = frame.filter(pl.col("cause") == first)
            event = self.settings["cause_names"].get(first, f"cause {first}")
        else:
            event = self.settings["event_name"]
        whose = "Half of the people" if share == 0.5 else f"{100 * share:g}% of the people"
        said = []
        for row in frame.iter_rows(named=True):
            group = strata_words({c: row[c] for c in self.by})
            said.append(f"{group} {self._when(row)}".lstrip())
        if not self.by and self._is_suppressed(frame.row(0, named=True)):
            return f"The time by which {whose[0].lower()}{whose[1:]} {happened(event)} is suppressed by disclosure control."
        rows = frame.to_dicts()
        if all(row["latest"] is None and not self._is_suppressed(row) for row in rows):
            last = self.estimates_end
            until = f"within {number(last)} {self.time_unit}{self.after_landmark}" if last else "within follow-up"
            return f"Fewer than {whose.lower()} {happened(event)} {until}."
        if not self.by:
            return f"{whose} {happened(event)} {said[0]}."
        return f"{whose} {happened(event)}: {'; '.join(said)}."

    def _when(self, row: Mapping[str, Any]) -> str:
        unit = self.time_unit
        if row["latest"] is None:
            return SUPPRESSED if self._is_suppressed(row) else "later than the end of follow-up"
        when = (
            f"within {row['latest']:g}"
            if row["earliest"] == row["latest"]
            else f"within {row['earliest']:g} to {row['latest']:g}"
        )
        level = f"{100 * self.settings.get('confidence', 0.95):g}% CI"
        ends = f"{_said(row['lower'])} to {_said(row['upper'])}"
        return f"{when} {unit}".rstrip() + f"{self.after_landmark} ({level} {ends})"

    def _is_suppressed(self, row: Mapping[str, Any]) -> bool:
        """Whether a share is not reached because the rest of the curve is suppressed, which says nothing of when it was."""
        if row["latest"] is not None or not self.on_grid:
            return False
        grid, names = self.count_tables["grid"], {c: row[c] for c in self.by}
        if not (same_stratum(grid, names) if names else grid)["n_persons"].null_count():
            return False
        curve = _FAMILIES[self.settings["curve"]].derive(self.count_tables, self.settings, self.by)
        own = names | ({"cause": row["cause"]} if "cause" in row else {})
        return (same_stratum(curve, own) if own else curve)["estimate"][-1] is None

    @property
    def estimates_end(self) -> int | None:
        """The last time of a released curve, whole."""
        if not self.on_grid:
            return None
        return int(self.count_tables["grid"]["time"].max())  # type: ignore[arg-type]

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return what stands for a time that is not there: it is not reached within follow-up, or suppressed."""
        return SUPPRESSED if self._is_suppressed(record) else NOT_AVAILABLE

    def heading(self) -> str:
        """Return the event and the people as a title."""
        return f"{capital(outcome(self.settings.get('event_name')))}{self.after_joining()}"


def _said(time: float | None) -> str:
    return "not reached" if time is None else f"{time:g}"


def _crossings(part: pl.DataFrame, q: float, rising: bool, on_grid: bool) -> dict[str, float | None]:
    """Return where an estimate reaches the share, and its limits do."""
    gone = {c: [None if v is None else v if rising else 1 - v for v in part[c]] for c in ("estimate", "lower", "upper")}
    # of survival the upper limit is the one that leaves fewest events
    most, least = ("upper", "lower") if rising else ("lower", "upper")
    times = part["time"].to_list()
    earliest, latest = _first(times, gone["estimate"], q, on_grid)
    lower, _ = _first(times, gone[most], q, on_grid)
    _, upper = _first(times, gone[least], q, on_grid)
    return {"earliest": earliest, "latest": latest, "lower": lower, "upper": upper}


def _first(times: list[float], gone: list[float | None], q: float, on_grid: bool) -> tuple[float | None, float | None]:
    """Return the interval in which a share is first reached: by day a point; None where it is not."""
    for k, share in enumerate(gone):
        if share is None or share < q - _TOLERANCE:
            continue
        if on_grid:
            known = [times[j] for j in range(k) if gone[j] is not None]
            return (known[-1] if known else times[0]), times[k]
        if abs(share - q) < _TOLERANCE:  # level with the share up to the next step: the middle, as R takes it
            later = [t for t, s in zip(times[k:], gone[k:], strict=True) if s is not None and s > q + _TOLERANCE]
            middle = (times[k] + later[0]) / 2 if later else times[k]
            return middle, middle
        return times[k], times[k]
    return None, None


def quantile(result: Result, *, q: float = 0.5) -> CurveQuantile:
    """Return the time by which a share of people had the event.

    Parameters
    ----------
    result : SurvivalCurve or CumulativeIncidence
        The curve; what was disclosed stays so.
    q : float, default 0.5
        Share of people with the event, between 0 and 1: 0.5 gives the median time.

    Returns
    -------
    CurveQuantile
        The strata, `q`, and in the curve's unit `earliest` and `latest`, between which the time
        lies: one time for a curve by day, an interval of the grid for a released one. `lower` and
        `upper` are where the limits of the curve reach the share; null where they do not within
        follow-up.

    Raises
    ------
    ArgumentError
        If the result is no curve, or the share is not between 0 and 1.

    Notes
    -----
    Where a curve by day is level with the share, the middle of that stretch is taken, as R's
    `quantile.survfit` does. The interval inverts the pointwise limits of the curve.

    References
    ----------
    Brookmeyer, R. and Crowley, J. (1982). A confidence interval for the median survival time.
    Biometrics 38, 29-41.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4, 5], "event": [1, 1, 1, 1, 0]})
    >>> curve = sr.survival.kaplan_meier(people, time="time", event="event")
    >>> sr.survival.quantile(curve, q=0.5).estimates["latest"].item()
    3.0
    """
    if (gone := passed_on(result)) is not None:
        return gone
    if not isinstance(result, (SurvivalCurve, CumulativeIncidence)):
        raise ArgumentError("A curve is needed: the result of kaplan_meier or cumulative_incidence.")
    if isinstance(q, bool) or not isinstance(q, (int, float)) or not 0 < q < 1:
        raise ArgumentError(f"q={q!r} must be between 0 and 1, such as 0.5 for the median.")
    settings = {**result.settings, "curve": type(result).__name__, "q": float(q)}
    return CurveQuantile(result.count_tables, settings, result.by, result.disclosure)
