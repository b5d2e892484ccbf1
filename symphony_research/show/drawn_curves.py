"""Lines of curves: which are drawn, how each looks, where it has corners and where it is suppressed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.result import Result
from symphony_research.show.style import colours
from symphony_research.words.phrases import strata_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "GAP_STYLE",
    "STEPS",
    "DrawnCurve",
    "causes_drawn",
    "corners_of",
    "curves_of",
    "draw_curve",
    "end_of",
    "gaps_of",
    "percent_sign",
    "top_of",
    "turned",
]

STEPS: dict[float, float] = {
    5: 1,
    10: 2,
    20: 5,
    40: 10,
    60: 20,
    100: 20,
}  # top of the axis of percentages: between its lines
# lines and marks by which groups are told apart without colour; dotted is left for what is suppressed
_STYLES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (7, 2, 1.5, 2)), (0, (3, 1.2)), (0, (9, 3)))
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
GAP_STYLE: Any = (0, (1, 1.6))


@dataclass(frozen=True)
class DrawnCurve:
    """One line: what it is called, how it looks, and its estimates."""

    words: str
    colour: str
    style: Any
    cause: int | None
    steps: pl.DataFrame
    mark: str
    on_grid: bool  # straight between the grid's times, where it is known; else it steps on the days of events
    begins: float = 0.0  # the time from which anybody is at risk
    competing: bool = False  # a second cause of a group: thin, with open marks
    begins_at: float = 0.0  # its value before anything has happened
    scale: float = 100.0  # a share is drawn as a percentage

    @property
    def suppressed(self) -> bool:
        """Whether a released curve has no estimate after its start."""
        return self.on_grid and not self.steps.filter(pl.col("time") > 0)["estimate"].count()


def turned(curve: DrawnCurve) -> DrawnCurve:
    """Return a curve of survival as one of what it lacks of everybody."""
    ends = {"estimate": "estimate", "lower": "upper", "upper": "lower"}
    steps = curve.steps.with_columns((1 - pl.col(other)).alias(own) for own, other in ends.items())
    return replace(curve, steps=steps, begins_at=0.0)


def causes_drawn(result: Result) -> list[int | None]:
    """Return the causes drawn, one line each: the first and one that competes, of many groups the first alone."""
    if "cause" not in result.estimates.columns:
        return [None]
    crowded = bool(result.by) and result.estimates.select(result.by).n_unique() > 2
    return list(result.settings["causes"])[: 1 if crowded else 2]


def top_of(result: Result, limit: float) -> float:
    """Return where the axis ends: a curve of something rare would lie flat under a whole hundred."""
    if "cause" not in result.estimates.columns:
        return 100.0 if percent_sign(result) else _top_of_number(result, limit)
    seen = result.estimates.filter((pl.col("time") <= limit) & pl.col("cause").is_in(result.settings["causes"][:2]))
    reached = 100 * max(v for c in ("estimate", "upper") for v in [*seen[c].drop_nulls().to_list(), 0.0])
    return float(next((t for t in STEPS if reached <= 0.95 * t), 100))


def percent_sign(result: Result) -> str:
    """Return the mark of a curve of shares, nothing for one of numbers."""
    return "%" if result.is_share else ""  # type: ignore[attr-defined]


def _top_of_number(result: Result, limit: float) -> float:
    """Return a round number above the curves and, up to twice their height, their intervals."""
    seen = result.estimates.filter(pl.col("time") <= limit)
    highest = max([*seen["estimate"].drop_nulls().to_list(), 0.0])
    reached = 1.05 * min(max([*seen["upper"].drop_nulls().to_list(), highest]), 2 * highest) or 1.0
    power = 10.0 ** np.floor(np.log10(reached))
    return float(next(k * power for k in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if reached <= k * power))


def curves_of(result: Result, strata: Sequence[dict[str, Any]], limit: float) -> list[DrawnCurve]:
    """Return the lines of a result, one each stratum and cause drawn."""
    from symphony_research.survival.risk import starts_at

    frame, events = result.estimates, result.count_tables.get("events")
    causes = causes_drawn(result)
    on_grid = bool(result.on_grid)  # type: ignore[attr-defined]
    found = []
    for k, (names, colour) in enumerate(zip(strata, colours(len(strata)), strict=True)):
        begins = 0.0 if events is None else starts_at(same_stratum(events, names) if names else events)
        for place, cause in enumerate(causes):
            # lines and marks by group, and of the competing cause thin and open; by cause where there are no groups
            k_or_cause = k if names else place
            style, mark = _STYLES[k_or_cause % len(_STYLES)], _MARKS[k_or_cause % len(_MARKS)]
            part = same_stratum(frame, names) if names else frame
            if cause is not None:
                part = part.filter(pl.col("cause") == cause)
            named = [strata_words(names)] if names else []
            if len(causes) > 1:
                named.append(result.cause_words(cause))  # type: ignore[attr-defined]
            # causes of one population are told apart by colour as well
            own = colour if names else colours(2)[0 if cause is None else causes.index(cause)]
            found.append(
                DrawnCurve(": ".join(named), own, style, cause, part, mark, on_grid, begins, bool(names) and place > 0,
                       float(result.begins_at), 100.0 if percent_sign(result) else 1.0)  # type: ignore[attr-defined]
            )  # fmt: skip
    return found


def corners_of(curve: DrawnCurve, limit: float) -> dict[str, Any]:
    """Return the points of a curve up to the limit, of a share in percent; it begins where nobody has had the event."""
    known = curve.steps.drop_nulls("estimate") if curve.on_grid else curve.steps
    steps = known.filter(pl.col("time") <= limit)
    begun = curve.on_grid and bool((steps["time"] <= 0).any())
    first = [] if begun else [curve.scale * curve.begins_at]
    time = [*([] if begun else [curve.begins]), *steps["time"].to_list()]
    values = {c: [*first, *(curve.scale * steps[c].cast(pl.Float64)).to_list()] for c in ("estimate", "lower", "upper")}
    if not curve.on_grid and known.height > steps.height:  # it goes on beyond the picture
        time.append(limit)
        for value in values.values():
            value.append(value[-1])
    as_array = {c: np.array([np.nan if v is None else v for v in value], dtype=float) for c, value in values.items()}
    return {"time": np.array(time, dtype=float), **as_array}


def gaps_of(curve: DrawnCurve, limit: float) -> list[tuple[int, int]]:
    """Return the stretches of a released curve, by their corners, between which a time of the grid has no estimate."""
    if not curve.on_grid:
        return []
    at, grid = corners_of(curve, limit)["time"], curve.steps["time"].to_list()
    known = set(curve.steps.drop_nulls("estimate")["time"].to_list())
    missing = [t for t in grid if t not in known]
    return [
        (k, k + 1)
        for k, (a, b) in enumerate(pairwise(at))
        if any(a < t < b for t in missing) or (a not in known and b in known)
    ]


def end_of(curve: DrawnCurve, limit: float) -> tuple[float, float]:
    """Return where a line ends: time and height."""
    at = corners_of(curve, limit)
    return float(at["time"][-1]), float(at["estimate"][-1])


def draw_curve(ax: Axes, curve: DrawnCurve, limit: float, shading: float) -> None:
    """Draw a line with its shading; where it is suppressed it breaks, and a dotted stretch joins the parts."""
    at = corners_of(curve, limit)
    step: Literal["post"] | None = None if curve.on_grid else "post"
    gaps = gaps_of(curve, limit)
    ends = [b for _, b in gaps]
    # the line and its shading break where there is no estimate
    line = {name: np.insert(values, ends, np.nan) if ends else values for name, values in at.items()}
    if shading:
        ax.fill_between(
            line["time"], line["lower"], line["upper"], step=step, color=curve.colour, alpha=shading, linewidth=0,
            zorder=1,
        )  # fmt: skip
    few = max(1, len(at["time"]) // 6)
    (drawn,) = ax.plot(
        line["time"], line["estimate"], drawstyle="default" if curve.on_grid else "steps-post", color=curve.colour,
        linestyle=curve.style, linewidth=1.1 if curve.competing else 1.8, marker=curve.mark if curve.on_grid or curve.words else None,
        markersize=5 if curve.words else 3.5, markerfacecolor="white" if curve.competing else curve.colour, markevery=None if curve.on_grid else (few // 2, few),
        label=curve.words or None, solid_joinstyle="miter", zorder=3,
    )  # fmt: skip
    drawn.set_gid("curve")
    for a, b in gaps:
        ax.plot(at["time"][[a, b]], at["estimate"][[a, b]], color=curve.colour, linewidth=1.4, linestyle=GAP_STYLE,
                zorder=2, gid="suppressed stretch")  # fmt: skip


def draw_interval(ax: Axes, curve: DrawnCurve, limit: float, aside: float) -> None:
    """Draw the last interval of a curve as a bar, so many points to the left of its time."""
    from matplotlib.transforms import ScaledTranslation

    at = corners_of(curve, limit)
    known = np.flatnonzero(~(np.isnan(at["lower"]) | np.isnan(at["upper"])))  # a curve at 0 has none
    if not known.size:
        return
    last = known[-1]
    shift = ScaledTranslation(-aside / 72, 0, ax.figure.dpi_scale_trans)
    ax.plot([at["time"][last]] * 2, [at["lower"][last], at["upper"][last]], color=curve.colour, linewidth=1.2, marker="_",
            markersize=5, transform=ax.transData + shift, zorder=2, gid="interval")  # fmt: skip
