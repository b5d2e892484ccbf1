"""When the event comes: cumulative incidence of enrolled people and of their weighted controls, death competing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.cohort import EVENTS
from symphony_research.cohort.matched import Matched, event_times, outcome_rows
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.arms_at_risk import (
    at_risk_relations,
    at_risk_roles,
    at_risk_tables,
    numbers_at_risk,
    released_at_risk,
    trimmed_at_risk,
)
from symphony_research.evaluation.effect_tables import arms_of, effective_people
from symphony_research.evaluation.effect_words import compared_words
from symphony_research.evaluation.estimated import require_integers, require_matched
from symphony_research.evaluation.incidence import CENSORED, COMPETING, EVENT, grid_days, weighted_incidence
from symphony_research.evaluation.release import ARMS, arm_cells, arms_table
from symphony_research.evaluation.released_shares import as_counts_allow, upwards
from symphony_research.evaluation.verdicts import COMPARABLE
from symphony_research.evaluation.weighted import Arms, moved_by_score
from symphony_research.inference import Array, normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, Result
from symphony_research.result.cells import CellDefinition, Nested
from symphony_research.result.roles import Count, Internal, Key, ModelEstimate, TableRoles
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED, capital, happened
from symphony_research.words.numbers import number
from symphony_research.words.phrases import confidence_of, share_with_interval

__all__ = ["MatchedIncidence", "matched_incidence"]

Tables = Mapping[str, pl.DataFrame]
ENDS = ("estimate", "lower", "upper")


class MatchedIncidence(Result):
    """Share of enrolled people and of weighted controls with the event by each time of the grid, death competing."""

    title: ClassVar[str] = "Cumulative incidence of enrolled people and controls"
    figure: ClassVar[str | None] = "symphony_research.show.matched_curves:plot_matched_incidence"
    own_settings: ClassVar[frozenset[str]] = frozenset({"matching", "outcome", "horizon"})
    shown: ClassVar[tuple[str, ...]] = ("arm", "time", "n_with_event", *ENDS)
    percentages: ClassVar[tuple[str, ...]] = ENDS
    on_grid: ClassVar[bool] = True  # known at the times of released curves alone

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """People of each arm, those with the event by each time, and estimates that are no finer than these."""
        return {
            "arms": TableRoles({"arm": Key(), "n_persons": Count()}, arm_cells),
            "curves": TableRoles(
                {
                    "arm": Key(), "time": Key(), "n_with_event": Count(), "estimate": ModelEstimate(),
                    "standard_error": ModelEstimate(), "effective": Internal(),
                },
                _with_event,
            ),
            "differences": TableRoles({"time": Key(), "standard_error": ModelEstimate()}),
            **at_risk_roles(),
        }  # fmt: skip

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that whoever has had the event by a time has had it by the next, is one of the arm, and is not at risk."""
        yield from at_risk_relations(tables, settings)
        for arm in ARMS:
            whole = arm_cells({"arm": arm}, "n_persons", settings)
            later = whole
            for time in tables["curves"].filter(pl.col("arm") == arm)["time"].sort(descending=True):
                own = _with_event({"arm": arm, "time": time}, "n_with_event", settings)
                yield Nested(own, whole)
                if later != whole:
                    yield Nested(own, later)
                later = own

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return shares with intervals that are symmetric on the log scale, of which the errors are."""
        z, frame = normal_quantile(settings["confidence"]), tables["curves"]
        nobody = pl.col("n_with_event") == 0
        frame = frame.with_columns(pl.when(nobody).then(0.0).otherwise("estimate").alias("estimate"))
        estimate, error = pl.col("estimate"), pl.col("standard_error")
        ends = [(estimate * (k * error).exp()).clip(0, 1).alias(name) for k, name in ((-z, "lower"), (z, "upper"))]
        found = frame.with_columns(*[pl.when(estimate > 0).then(end).alias(end.meta.output_name()) for end in ends])
        return found.select("arm", "time", "n_with_event", *ENDS)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return shares that follow from the counts as they are shown, and say no more of whom a time adds than these do."""
        if policy.changes_nothing or "released" in settings:
            return tables
        z = normal_quantile(settings["confidence"])
        curves, moved = as_counts_allow(tables["curves"], z, policy)
        both = moved.reshape(len(ARMS), -1).sum(axis=0)
        fewest = curves["n_with_event"].to_numpy().reshape(len(ARMS), -1).min(axis=0)
        wide = upwards(tables["differences"]["standard_error"].to_numpy() + both / z, fewest)
        differences = tables["differences"].with_columns(pl.Series("standard_error", wide).fill_nan(None))
        return {**tables, "curves": curves, "differences": differences, "weights": released_at_risk(tables, policy)}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out every share where the people of an arm are suppressed, and differences where a share is."""
        shown = not tables["arms"]["n_persons"].null_count()
        curves = tables["curves"].with_columns(pl.when(shown).then(c).alias(c) for c in ("estimate", "standard_error"))
        gone = curves.filter(pl.any_horizontal(pl.col("estimate", "standard_error").is_null()))["time"].to_list()
        error = pl.when(~pl.col("time").is_in(gone)).then("standard_error").alias("standard_error")
        differences = tables["differences"].with_columns(error)
        return {**tables, "curves": curves, "differences": differences, "weights": trimmed_at_risk(tables)}

    @property
    def differences(self) -> pl.DataFrame:
        """By time, the share of enrolled people with the event less that of controls, with its interval."""
        self._refuse_undisclosed("The differences of")
        wide = [
            self.estimates.filter(pl.col("arm") == arm).select("time", pl.col("estimate").alias(arm)) for arm in ARMS
        ]
        frame = wide[0].join(wide[1], on="time", maintain_order="left")
        frame = frame.join(self.count_tables["differences"], on="time", maintain_order="left")
        apart, z = pl.col(ARMS[0]) - pl.col(ARMS[1]), normal_quantile(self.settings["confidence"])
        known = pl.col("standard_error").is_not_null()
        return frame.select(
            "time",
            *[
                pl.when(known).then((apart + k * pl.col("standard_error")).clip(-1, 1)).alias(name)
                for k, name in zip((0.0, -z, z), ENDS, strict=True)
            ],
        )

    @property
    def at_risk(self) -> pl.DataFrame:
        """By arm and time, from the start on, the number at risk: of controls the sum of their weights."""
        self._refuse_undisclosed("The numbers at risk of")
        return numbers_at_risk(self.count_tables)

    def row(self, arm: str, time: float | None = None) -> dict[str, Any]:
        """Return one row of an arm; by default at the horizon."""
        at = self.settings["horizon"] if time is None else time
        return self.estimates.filter((pl.col("arm") == arm) & (pl.col("time") == at)).row(0, named=True)

    def sentence(self) -> str:
        """Return the share of each arm with the event by the horizon, and their difference."""
        what, people = happened(self.settings["outcome"]), self.count_tables["arms"]["n_persons"].to_list()
        own, other = (self.row(arm) for arm in ARMS)
        if None in people or own["estimate"] is None or other["estimate"] is None:
            return f"Too few people are matched for the share who {what} to be shown."
        label, days = confidence_of(self.settings), number(int(self.settings["horizon"]))
        said = [share_with_interval(*(row[c] for c in ENDS), label=label) for row in (own, other)]
        told = f"{compared_words(self.settings, people)} By day {days} {said[0]} of the enrolled and {said[1]} of the others {what}"
        row = self.differences.filter(pl.col("time") == self.settings["horizon"]).row(0, named=True)
        if row["estimate"] is None:
            return f"{told}, {COMPARABLE}."
        points = [100 * row[c] for c in ENDS]
        clear = row["lower"] > 0 or row["upper"] < 0
        size = f"{_points(points[0])} percentage points ({label} {_points(points[1])} to {_points(points[2])})"
        return f"{told}: {'a difference of' if clear else 'no clear difference,'} {size}, {COMPARABLE}."

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the difference at the horizon, by which hubs are compared."""
        row = self.differences.filter(pl.col("time") == self.settings["horizon"]).row(0, named=True)
        value = self.missing_marker(row | {"arm": ARMS[0]}, "estimate")
        if row["estimate"] is not None:
            low, high = (_points(100 * row[c]) for c in ("lower", "upper"))
            value = f"{_points(100 * row['estimate'])} points ({low} to {high})"
        days = f"{self.settings['horizon']} days"
        what = f"Difference in the share with {EVENTS[self.settings['outcome']].plural}, {days}"
        return (KeyFigure(what, value, what, days),)

    def display(self) -> pl.DataFrame:
        """Return one row a time: people with the event and share of each arm, and the difference in percentage points."""
        how, rows = confidence_of(self.settings), []
        apart = {row["time"]: row for row in self.differences.iter_rows(named=True)}
        for time, difference in apart.items():
            line = {"By day": number(int(time))}
            for arm in ARMS:
                row = self.row(arm, time)
                line[f"{capital(arm)} with it"] = self._cell(row, "n_with_event")
                line[f"{capital(arm)} ({how})"] = (
                    self.missing_marker(row, "estimate") if row["estimate"] is None else share_with_interval(*(row[c] for c in ENDS))
                )  # fmt: skip
            known = difference["estimate"] is not None
            points = [_points(100 * difference[c]) for c in ENDS] if known else []
            line[f"Difference, percentage points ({how})"] = (
                f"{points[0]} ({points[1]} to {points[2]})"
                if known
                else self.missing_marker({"time": time}, "estimate")
            )
            rows.append(line)
        return pl.DataFrame(rows)

    def _cell(self, row: Mapping[str, Any], column: str) -> str:
        return self.missing_marker(row, column) if row[column] is None else number(row[column])

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is suppressed; where nobody has had the event there is no interval."""
        done = self.disclosure
        if done is None or done.policy.changes_nothing:
            return NOT_ESTIMABLE
        return NOT_ESTIMABLE if column in ("lower", "upper") and record.get("estimate") == 0 else SUPPRESSED

    def notes(self, columns: Any) -> list[str]:
        """Return how the shares are estimated."""
        told = (
            ["Death competes with the event. Controls are weighted, and so are those at risk."]
            if self.settings["outcome"] != "death"
            else ["Controls are weighted, and so are those at risk."]
        )
        if self.disclosure is not None and not self.disclosure.policy.changes_nothing:
            told.append("Shares follow from rounded counts; their intervals allow for that.")
        return [*told, *super().notes(columns)]

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        return MappingProxyType(
            {
                "arm": "Arm", "time": "By day", "n_with_event": "With the event", "estimate": "Share with the event",
                "lower": f"{how}, lower", "upper": f"{how}, upper",
            }
        )  # fmt: skip


def _points(value: float) -> str:
    """Return percentage points with their sign, to a tenth under ten."""
    said = f"{abs(value):.0f}" if abs(value) >= 9.95 else f"{abs(value):.1f}"
    return f"−{said}" if value < 0 and float(said) else said


def _with_event(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return whom a count of an arm by a time is of: as those with the event in a window that ends then are."""
    return arm_cells({"arm": record["arm"]}, column, {**settings, "horizon": int(record["time"])})


def matched_incidence(
    matched: Matched, *, event: str = "emergency_admission", horizon: int = 365, confidence: float = 0.95
) -> MatchedIncidence:
    """Estimate the share of enrolled people, and of their controls, with an event by each time, death competing.

    Parameters
    ----------
    matched : Matched
        What `match_controls` returns.
    event : str, default "emergency_admission"
        An event of `cohort.EVENTS`, but for "readmission": the first after time zero.
    horizon : int, default 365
        A time at which curves are released: 30, 60, ..., 330, 365 days, then every half-year.
    confidence : float, default 0.95

    Returns
    -------
    MatchedIncidence
        `arm` ("enrolled", "controls"), `time`, `n_with_event` (people, each once, however often a control), `estimate`,
        `lower`, `upper` at each time. `.differences` are of enrolled people less controls, `.at_risk` numbers at risk (of
        controls the sum of their weights).

    Raises
    ------
    ArgumentError
        If the event is unknown or not recorded, or curves are not released at the horizon.

    Notes
    -----
    Aalen-Johansen's estimate of rows with their weights. Its variance is the sum over people of squares of what all their
    rows add (the infinitesimal jackknife), as enrolled and as controls; with odds weights it allows for the score. Released,
    a share follows from the rounded number of people with the event.

    References
    ----------
    Aalen, O. O. and Johansen, S. (1978). An empirical transition matrix for non-homogeneous Markov chains based on censored
    observations. Scandinavian Journal of Statistics 5, 141-150.
    Austin, P. C. and Fine, J. P. (2019). Propensity-score matching with competing risks in survival analysis. Statistics in
    Medicine 38, 751-777.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> sr.evaluation.matched_incidence(matched, horizon=90).estimates["time"].to_list()
    [30.0, 60.0, 90.0, 30.0, 60.0, 90.0]
    """
    require_matched(matched, "matched_incidence")
    require_integers(horizon=(horizon, 1))
    normal_quantile(confidence)
    times = grid_days(horizon)
    if horizon not in times:
        following = next(day for day in grid_days(horizon + 366) if day > horizon)
        raise ArgumentError(
            f"horizon={horizon} is no time at which curves are released. The next one is {following} days."
        )
    arms, time, cause = _first_events(matched, event, horizon)
    settings = {
        "method": "Aalen-Johansen of enrolled people and weighted controls; variance by person (infinitesimal jackknife)",
        "reference": "Austin and Fine 2019", "matching": dict(matched.settings), "outcome": event, "horizon": horizon,
        "confidence": confidence, "time_unit": "days", **matched.provenance.as_settings(),
    }  # fmt: skip
    tables = {**_tables(matched, arms, time, cause, times), **at_risk_tables(arms, time, cause, times)}
    return MatchedIncidence({"arms": arms_table(matched), **tables}, settings)


def _first_events(matched: Matched, event: str, horizon: int) -> tuple[Arms, NDArray[Any], NDArray[Any]]:
    """Return the rows with the day of the first event, of death before it, or of censoring, and which it was."""
    arms, found = arms_of(matched, outcome_rows(matched, event, last=horizon))
    time: NDArray[Any] = found.days.astype(np.int64)
    cause: NDArray[Any] = np.full(len(time), CENSORED)
    # whoever has the event on the day of their death had it first
    for name, kind in (("death", COMPETING), (event, EVENT)):
        first = np.full(len(time), np.iinfo(np.int64).max)
        row, day = event_times(matched, name, found, last=horizon)
        np.minimum.at(first, row, day.astype(np.int64))
        sooner = first <= time
        time, cause = np.where(sooner, first, time), np.where(sooner, kind, cause)
    return arms, time, cause


def _tables(
    matched: Matched, arms: Arms, time: NDArray[Any], cause: NDArray[Any], times: list[int]
) -> dict[str, pl.DataFrame]:
    size = matched._sets.eligible.people.height
    influence, rows = {}, []
    for arm, own in zip(ARMS, (arms.treated, ~arms.treated), strict=True):
        found = weighted_incidence(time[own], cause[own], arms.weight[own], times)
        by_row = np.zeros((len(time), len(times)))
        by_row[own] = found.influence
        add: Array = np.column_stack([np.bincount(arms.person, column, size) for column in by_row.T])
        if arms.scored is not None and arm != ARMS[0]:
            add = add + arms.scored @ moved_by_score(arms, by_row).T
        influence[arm] = add
        had = [own & (cause == EVENT) & (time <= t) for t in times]
        people = [len(np.unique(arms.person[which])) for which in had]
        effective = len(np.unique(arms.person[own])) if arm == ARMS[0] else effective_people(arms)
        errors = np.sqrt((add**2).sum(axis=0))
        rows += [
            (arm, float(t), n, f, e / f if f > 0 else None, float(effective))
            for t, n, f, e in zip(times, people, found.estimate.tolist(), errors.tolist(), strict=True)
        ]
    apart = np.sqrt(((influence[ARMS[0]] - influence[ARMS[1]]) ** 2).sum(axis=0))
    schema = {"arm": pl.String, "time": pl.Float64, "n_with_event": pl.Int64, "estimate": pl.Float64,
              "standard_error": pl.Float64, "effective": pl.Float64}  # fmt: skip
    return {
        "curves": pl.DataFrame(rows, schema=schema, orient="row"),
        "differences": pl.DataFrame({"time": [float(t) for t in times], "standard_error": apart}),
    }
