"""Bounds of a cumulative incidence whatever happened to those who were lost to follow-up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import event_table, follow_up_columns, provenance_of
from symphony_research.collapse.margins import same_stratum
from symphony_research.collapse.ties import at_known_times, tie_width
from symphony_research.errors import ArgumentError
from symphony_research.inference import normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure
from symphony_research.result.cells import CellDefinition, Nested, Partition, Relation
from symphony_research.result.roles import Count, Internal, Key, ModelEstimate, TableRoles
from symphony_research.survival.base import Tables, _Curve
from symphony_research.survival.curves import CumulativeIncidence
from symphony_research.survival.grid import CENSORED, checked_grid, known_while_at_risk, require_grid_time, strata_of
from symphony_research.survival.grid_cells import followed, people_in
from symphony_research.survival.mean_release import stepped
from symphony_research.survival.named import names_of_causes, strata_names
from symphony_research.survival.released_curves import estimates_on_grid
from symphony_research.survival.risk import causes_of
from symphony_research.words.lexicon import NOT_AVAILABLE, SUPPRESSED, capital, happened, outcome
from symphony_research.words.numbers import percentage
from symphony_research.words.phrases import confidence_of, share_with_interval, strata_words

__all__ = ["LossBounds", "loss_bounds"]

_BOUNDS = ("lower_bound", "upper_bound")
_CURVE = ("estimate", "lower", "upper")
LOST = "lost to follow-up"


def _cell(row: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return whom a count is of: all who are at risk at the start, or those of them lost before a time."""
    if column == "n_persons":
        return followed(settings)
    return _lost(settings, row["time"])


def _lost(settings: Mapping[str, Any], time: float, said: str = "yes") -> CellDefinition:
    censored = people_in(settings, time, CENSORED)
    return censored if settings.get("lost") is None else censored.in_state(LOST, said)


class LossBounds(_Curve):
    """Cumulative incidence at fixed times, between what it would be if none of the lost had the event, and if all had it.

    Released, people are counted as the curve counts them, with those lost before each time; bounds are rounded outwards
    to a step of more people than the rule's threshold.
    """

    title: ClassVar[str] = "Cumulative incidence and loss to follow-up"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = _Curve.own_settings | {"times", "cause", "lost"}
    shown: ClassVar[tuple[str, ...]] = ("time", "n_persons", "n_events", "n_lost", *_CURVE, *_BOUNDS)
    percentages: ClassVar[tuple[str, ...]] = (*_CURVE, *_BOUNDS)

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles of the daily tables, which are never released, of the grid's counts, and of the bounds."""
        bounds = {"time": Key(), "n_persons": Count(), "n_lost": Count(), **dict.fromkeys(_BOUNDS, ModelEstimate())}
        return {
            **_Curve.roles_of(settings),
            "lost": TableRoles(dict.fromkeys(("time", "n_persons"), Internal())),
            "bounds": TableRoles(bounds, _cell),
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Relation]:
        """Yield what holds of a curve, and that the lost are among the censored, and stay lost."""
        yield from _Curve.relations(tables, settings)
        if settings.get("lost") is None or "bounds" not in tables:
            return
        times = tables["bounds"]["time"].unique().sort().to_list()
        for time in times:
            parts = (_lost(settings, time), _lost(settings, time, "no"))
            yield Partition(people_in(settings, time, CENSORED), parts)
        for first, second in pairwise(times):
            yield Nested(_lost(settings, first), _lost(settings, second))

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """The Aalen-Johansen estimate and its bounds; released, the life table's and the bounds as they are."""
        columns = (*by, "time", "n_persons", "n_events", "n_lost", *_CURVE, *_BOUNDS)
        if "grid" not in tables:
            return _exact(tables["events"], tables["lost"], settings, by).select(columns)
        curve = estimates_on_grid(tables["grid"], settings, by, list(settings["causes"]))
        curve = curve.filter(pl.col("cause") == settings["cause"]).select(*by, "time", "n_events", *_CURVE)
        found = tables["bounds"].join(curve, on=[*by, "time"], how="left", nulls_equal=True, maintain_order="left")
        return found.select(columns)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return people on the grid, of which the times must be, and the bounds rounded outwards."""
        if policy.changes_nothing or "grid" in tables:
            return tables
        for time in settings["times"]:
            require_grid_time(time, settings.get("time_unit"), settings.get("grid"), what="time")
        grid = _Curve.release_form({"events": tables["events"]}, settings, by, policy)["grid"]
        exact = _exact(tables["events"], tables["lost"], settings, by)
        exact = exact.filter(pl.col("time") <= (grid["time"].max() or 0))
        base, rows = max(policy.rounding, 1), []
        for row in exact.iter_rows(named=True):
            least = (policy.threshold + 1) / max(round(row["n_persons"] / base) * base, 1)
            known = row["lower_bound"] is not None
            ends = stepped(0.0, row["lower_bound"], row["upper_bound"], least)[1:] if known else (None, None)
            rows.append((ends[0], None if ends[1] is None else min(ends[1], 1.0)))
        made = [pl.Series(c, [row[k] for row in rows], dtype=pl.Float64) for k, c in enumerate(_BOUNDS)]
        bounds = exact.with_columns(made).select(*by, "time", "n_persons", "n_lost", *_BOUNDS)
        return {"grid": grid, "bounds": bounds}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out bounds at times at which the number at risk is suppressed, or nobody is: the curve has ended there."""
        if "grid" not in tables:
            return tables
        return {**tables, "bounds": known_while_at_risk(tables["bounds"], tables["grid"], by, _BOUNDS)}

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, the unit of time among them."""
        how = confidence_of(self.settings)
        return {
            **super().column_words, "n_persons": "People", "n_events": "With the event", "n_lost": "Lost before",
            "estimate": "Cumulative incidence", "lower": f"{how}, lower", "upper": f"{how}, upper",
            "lower_bound": "If none of the lost had it", "upper_bound": "If all of the lost had it",
        }  # fmt: skip

    @staticmethod
    def clauses_of(settings: Mapping[str, Any]) -> list[tuple[int | None, str]]:
        """Return what happened, in words."""
        return [(settings["cause"], happened(_event(settings)))]

    def _at_last(self) -> list[tuple[str, dict[str, Any]]]:
        """Return each group in words with its row at the last time at which any group has bounds."""
        known = self.estimates.filter(pl.col("lower_bound").is_not_null())
        rows = known.filter(pl.col("time") == known["time"].max()) if known.height else known
        return [(strata_words({c: row[c] for c in self.by}), row) for row in rows.iter_rows(named=True)]

    def sentence(self) -> str:
        """Return the estimate at the last time, and what it would be with none and with all of the lost."""
        rows = self._at_last()
        if not rows:
            return "How much loss to follow-up could change cannot be given: follow-up is too short, or counts are suppressed."
        unit, time = self.time_unit, rows[0][1]["time"]
        when = f"within {time:g} {unit}" if unit else f"by time {time:g}"
        said = []
        for k, (group, row) in enumerate(rows):
            share = share_with_interval(
                row["estimate"], row["lower"], row["upper"], label="" if k else confidence_of(self.settings)
            )
            least, most = percentage(row["lower_bound"]), percentage(row["upper_bound"])
            said.append(
                f"{share} of {group or 'people'} {happened(_event(self.settings))}, between {least} and {most} whatever happened to "
                "those lost to follow-up"
            )
        return f"{capital(when)}{self.after_landmark}, {'; '.join(said)}."

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the bounds of each group at the last time."""
        what = f"{capital(happened(_event(self.settings)).removeprefix('were '))}, bounds of loss to follow-up"
        return tuple(
            KeyFigure(
                f"{what}{f': {group}' if group else ''}",
                f"{percentage(row['lower_bound'])} to {percentage(row['upper_bound'])}",
                what,
                f"{row['time']:g} {self.time_unit}".rstrip(),
            )
            for group, row in self._at_last()
        )

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return what stands for a figure that is not there: beyond follow-up, or suppressed."""
        return SUPPRESSED if self.on_grid else NOT_AVAILABLE

    def notes(self, columns: Iterable[str]) -> list[str]:
        """Return what stands under its table."""
        return [
            "Bounds: none of those lost to follow-up had the event within the time, or all had it as they left. The truth is "
            "between them, sampling apart."
        ]

    def heading(self) -> str:
        """Return the event and the people as a title."""
        return f"{capital(outcome(_event(self.settings)))}, and loss to follow-up{self.after_joining()}"


def _event(settings: Mapping[str, Any]) -> str:
    cause = settings["cause"]
    return str((settings.get("cause_names") or {}).get(cause, f"cause {cause}"))


def _exact(events: pl.DataFrame, lost: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
    """Return the estimate and its bounds at each time, with people, events and those lost before it."""
    cause = settings["cause"]
    wanted = at_known_times(settings["times"], events["time"], tie_width(events["time"]))
    floating = events.with_columns(pl.col("time").cast(pl.Float64))
    end = max(float(floating["time"].max() or 0.0), float(wanted.max()))  # type: ignore[arg-type]
    parts = []
    for names in strata_of(floating, by):
        own = (same_stratum(t, names) if by else t for t in (floating, lost))
        rows, gone = (
            frame.select("time", "n_persons", *(["kind"] if "kind" in frame.columns else [])) for frame in own
        )
        gone = gone.with_columns(pl.col("time").cast(pl.Float64), kind=pl.lit(0, dtype=pl.Int32))
        # the others, and the lost as at risk to the end, or as if they had the event just after they were last seen
        others = pl.concat([rows, gone.with_columns(-pl.col("n_persons")).select(rows.columns)])
        stay = gone.with_columns(pl.lit(end).alias("time"))
        after = pl.Series("time", np.nextafter(gone["time"].to_numpy(), np.inf), dtype=pl.Float64)
        leave = gone.with_columns(after, kind=pl.lit(cause, dtype=pl.Int32))
        found = {"estimate": _at(rows, wanted, settings)}
        for name, moved in zip(_BOUNDS, (stay, leave), strict=True):
            found[name] = _at(_summed(pl.concat([others, moved.select(rows.columns)])), wanted, settings)
        reached = wanted <= float(rows["time"].max() or 0.0)  # type: ignore[arg-type]

        def total(frame: pl.DataFrame, rule: pl.Expr) -> int:
            return int(frame.filter(rule)["n_persons"].sum())

        had = pl.col("kind") == cause
        columns: dict[str, Any] = {
            "time": settings["times"],
            "n_persons": [total(rows, pl.lit(True))] * len(wanted),
            "n_events": [total(rows, had & (pl.col("time") <= t)) for t in wanted],
            "n_lost": [total(gone, pl.col("time") < t) for t in wanted],
            **{c: [row[c] for row in found["estimate"]] for c in _CURVE},
            **{c: [row["estimate"] for row in found[c]] for c in _BOUNDS},
        }
        figures = {
            c: [v if ok else None for v, ok in zip(columns[c], reached, strict=True)] for c in (*_CURVE, *_BOUNDS)
        }
        kinds = {
            "time": pl.Float64,
            **dict.fromkeys(("n_persons", "n_events", "n_lost"), pl.Int64),
            **dict.fromkeys(figures, pl.Float64),
        }
        told = [pl.lit(value, dtype=events.schema[c]).alias(c) for c, value in names.items()]
        parts.append(pl.DataFrame({**columns, **figures}, schema=kinds).select(*told, pl.all()))
    return pl.concat(parts)


def _summed(rows: pl.DataFrame) -> pl.DataFrame:
    counted = rows.group_by("kind", "time").agg(pl.col("n_persons").sum()).filter(pl.col("n_persons") > 0)
    return counted.sort("kind", "time")


def _at(rows: pl.DataFrame, times: np.ndarray, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Read the Aalen-Johansen estimate of the cause, of one stratum, at each time."""
    curve = CumulativeIncidence.derive({"events": rows}, settings, ()).filter(pl.col("cause") == settings["cause"])
    done = np.searchsorted(curve["time"].to_numpy(), times, side="right") - 1
    nothing = {"estimate": 0.0, "lower": 0.0, "upper": 0.0}
    return [curve.row(int(k), named=True) if k >= 0 else nothing for k in done]


def loss_bounds(
    frame: Any,
    *,
    times: float | Sequence[float],
    lost: str | None = None,
    time: str | None = None,
    event: str | None = None,
    cause: int = 1,
    by: str | Sequence[str] = (),
    weights: str | None = None,
    confidence: float = 0.95,
    time_unit: str | None = None,
    cause_names: Mapping[int, str] | None = None,
    grid: Sequence[float] | None = None,
) -> LossBounds:
    """Bound a cumulative incidence by what may have happened to people lost to follow-up.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    times : float or sequence of float
        At which it is read; to be released, times of the grid.
    lost : str, optional
        Column that says of the censored who was lost (1 or True), such as `Cohort.follow_up(lost=True)` adds: those whose
        registration ended, and not those for whom the data or the horizon did. By default all who are censored.
    time, event : str, optional
        Column with the time at which follow-up ends, and how: 0 = censored, 1, 2, ... = cause. What
        `Cohort.follow_up` returns names them itself, as it does `weights`.
    cause : int, default 1
        Whose cumulative incidence is bounded, the other causes competing.
    by : str or sequence of str, optional
        Groups.
    weights : str, optional
        Integer numbers of people a row stands for.
    confidence : float, default 0.95
        Of the interval of the estimate.
    time_unit : str, optional
        Unit of time, such as "days".
    cause_names : mapping, optional
        Words for the causes, as in `cumulative_incidence`.
    grid : sequence of float, optional
        As in `kaplan_meier`.

    Returns
    -------
    LossBounds
        One row a group and time: `n_persons`, `n_events` (by then), `n_lost` (before then), `estimate` with its interval
        `lower` and `upper`, and the bounds `lower_bound` and `upper_bound`. Null past the end of follow-up.

    Raises
    ------
    ArgumentError
        On missing columns or values, late entry, a time that is not above 0, or a lost person with an event; with counts of rows.

    Notes
    -----
    The estimate takes the lost to have the event as often as those who stay. If none of them has the event they
    stay at risk of it to the end; if all have it, they have it just after they are last seen. Nothing is assumed of them
    beyond that, so bounds are wide where many are lost, and hold the estimate always. Whoever is censored by the end of the data
    is handled as usual in all three. The bounds are those of the people studied: their sampling error is not in them.

    References
    ----------
    Kaplan, E. L. and Meier, P. (1958). Nonparametric estimation from incomplete observations. Journal of the American
    Statistical Association 53, 457-481.
    Manski, C. F. (1990). Nonparametric bounds on treatment effects. American Economic Review 80, 319-323.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [2, 3, 4, 5], "event": [1, 0, 1, 0], "lost": [0, 1, 0, 0]})
    >>> bounds = sr.survival.loss_bounds(people, time="time", event="event", lost="lost", times=4)
    >>> bounds.estimates.select("lower_bound", "estimate", "upper_bound").row(0)
    (0.5, 0.625, 0.75)
    """
    normal_quantile(confidence)
    by, provenance = strata_names(by, frame), provenance_of(frame)
    wanted = np.unique(np.asarray([times] if isinstance(times, int | float) else list(times), dtype=float))
    wrong = int((~(np.isfinite(wanted) & (wanted > 0))).sum())
    if wrong or not len(wanted):
        raise ArgumentError(f"{wrong} of {len(wanted)} times are no finite number above 0; at least one is needed.")
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=None, weights=weights)
    if entry is not None:
        raise ArgumentError(
            "People enter late: bounds need everybody from the start, for who left before is not known."
        )
    if lost in by:
        raise ArgumentError(f"'{lost}' says who was lost, and forms no group.")
    events = event_table(frame, time=time, event=event, by=(*by, *([lost] if lost else [])), weights=weights)
    gone = pl.col("kind") == 0
    if lost is not None:
        said = pl.col(lost).cast(pl.Int64)
        strange = events.filter(pl.col(lost).is_null() | ~said.is_in([0, 1]) | ((said == 1) & ~gone))["n_persons"].sum()
        if strange:
            raise ArgumentError(
                f"{strange:,} people have neither 0 nor 1 in column '{lost}', or are lost though they had an event: only the "
                "censored are lost."
            )
        gone = gone & (said == 1)
    away = (
        events.filter(gone).group_by([*by, "time"]).agg(pl.col("n_persons").sum()).sort([*by, "time"], nulls_last=True)
    )
    events = (
        events.group_by([*by, "kind", "time"])
        .agg(pl.col("n_persons").sum())
        .sort([*by, "kind", "time"], nulls_last=True)
    )
    names = names_of_causes(frame, cause_names)
    causes = sorted({*causes_of(events), *(int(c) for c in names)}) or [1]
    if cause not in causes:
        raise ArgumentError(f"cause={cause!r} is none of the causes: {', '.join(map(str, causes))}.")
    unit = time_unit or provenance.population.get("time_unit")
    settings = {
        "method": "Aalen-Johansen, between none and all of the lost having the event, log interval", "reference": "Manski 1990",
        "time": time, "event": event, "entry": None, "weights": weights, "lost": lost, "times": wanted.tolist(),
        "cause": int(cause), "causes": causes, "cause_names": names, "confidence": confidence, "interval": "log",
        "time_unit": unit, "grid": checked_grid(grid, unit), **provenance.as_settings(),
    }  # fmt: skip
    return LossBounds({"events": events, "lost": away}, settings, by)
