"""Directly standardised absolute risk of groups by fixed times, with death as a competing event: hub against hub."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import column_names, event_table, follow_up_columns, names_of, source_of
from symphony_research.errors import ArgumentError
from symphony_research.inference import normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, Result
from symphony_research.result.cells import CellDefinition, Relation
from symphony_research.result.roles import Count, Internal, Key, Known, Level, ModelEstimate, TableRoles
from symphony_research.survival.curves import _cause_names
from symphony_research.survival.grid import AT_RISK, checked_grid, event_state, grid_table, require_grid_time
from symphony_research.survival.grid_cells import curve_roles, followed, people_in, relations_of
from symphony_research.survival.released_curves import estimates_on_grid
from symphony_research.survival.released_effects import Tables
from symphony_research.survival.released_risks import as_released, moved
from symphony_research.survival.risk import causes_of
from symphony_research.survival.standardising import LEAST_SHARE, risks_at, standardised, wald_tests, weighted
from symphony_research.words.lexicon import (
    COLUMN_WORDS,
    NOT_AVAILABLE,
    NOT_ESTIMABLE,
    SUPPRESSED,
    capital,
    happened,
    in_words,
    outcome,
)
from symphony_research.words.numbers import number, p_value, percentage
from symphony_research.words.phrases import confidence_of, share_with_interval, strata_phrase, strata_words

__all__ = ["StandardisedRisk", "standardised_risk"]

_CRUDE = ("crude", "crude_lower", "crude_upper")
_OWN = ("estimate", "lower", "upper", "standard_error", "share_of_standard")
_MOVES = ("move", "margin")
_TAKEN = (
    *_CRUDE,
    *_MOVES,
    "share_of_standard",
    "weight",
    "influence",
    "state",
    "cause",
    "statistic",
    "degrees_of_freedom",
    "p_value",
)
MOST_NAMED = 3  # groups of which a sentence gives each figure


def _counted(row: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return whom a count of a group is of: all of it, or those with the event by the time, as a curve counts them."""
    return people_in(settings, row["time"], event_state(settings["cause"])) if column == "n_events" else followed(settings)  # fmt: skip


class StandardisedRisk(Result):
    """Risk of each group by fixed times, crude and as it would be if every group had the strata of all together."""

    figure: ClassVar[str | None] = "symphony_research.show.risk_forest:plot_standardised_risk"
    title: ClassVar[str] = "Directly standardised risk"
    own_settings: ClassVar[frozenset[str]] = frozenset({"standardise", "times", "cause", "grid"})
    shown: ClassVar[tuple[str, ...]] = ("time", "n_persons", "n_events", *_CRUDE, *_OWN[:3], "share_of_standard")
    percentages: ClassVar[tuple[str, ...]] = (*_CRUDE, *_OWN[:3], "share_of_standard")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles: a curve's tables; risks as model estimates beside the people and events by their time."""
        curve = curve_roles()
        daily = dict.fromkeys(settings.get("standardise", ()), Internal())
        risks = dict.fromkeys((*_MOVES, "share_of_standard"), ModelEstimate())
        columns = {"time": Key(), "n_persons": Count(), "n_events": Count(), **risks}
        test = {"time": Key(), "statistic": Internal(), "degrees_of_freedom": Known(), "p_value": Level()}
        return {
            "events": TableRoles({**daily, **curve["events"].columns}),
            "grid": curve["grid"],
            "risks": TableRoles(columns, _counted),
            "test": TableRoles(test),
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterable[Relation]:
        """Yield how the counts of a group relate: they are those of its curve."""
        return relations_of(tables, settings)

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Weighted sums of the strata's Aalen-Johansen estimates; released, the risks beside the curve's own estimate."""
        own = [*by, "time"]
        if "grid" in tables:
            curve = estimates_on_grid(tables["grid"], settings, by, list(settings["causes"]))
            curve = curve.filter(pl.col("cause") == settings["cause"])
            crude = curve.select(
                *own, *[pl.col(c).alias(name) for c, name in zip(_OWN[:3], _CRUDE, strict=True)]
            )  # fmt: skip
            found = moved(tables["risks"].join(crude, on=own, how="left", nulls_equal=True, maintain_order="left"))
            found = found.with_columns(pl.lit(None, dtype=pl.Float64).alias("standard_error"))
            return found.select(*own, "n_persons", "n_events", *_CRUDE, *_OWN)
        return _exact(tables["events"], settings, by)[0].select(*own, "n_persons", "n_events", *_CRUDE, *_OWN)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return the groups' counts on the grid, and the risks as exactly as the counts behind them are disclosed."""
        if policy.changes_nothing or "grid" in tables:
            return tables
        for time in settings["times"]:
            require_grid_time(time, settings.get("time_unit"), settings.get("grid"), what="time")
        exact, cells = _exact(tables["events"], settings, by)
        # counted by the strata that count alone: a grid is of groups
        events = tables["events"].group_by([*by, "kind", "time"]).agg(pl.col("n_persons").sum())
        grid = grid_table(events.sort([*by, "kind", "time"], nulls_last=True), settings, by)
        risks = as_released(exact, cells, by, policy, normal_quantile(settings["confidence"])).select(
            *by, "time", "n_persons", "n_events", *_MOVES, "share_of_standard"
        )
        risks = risks.filter(pl.col("time") <= (grid["time"].max() or 0))
        test = wald_tests(exact).join(risks.select("time").unique(), on="time", how="semi", maintain_order="left")
        return {"grid": grid, "risks": risks, "test": test}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out the test at a time at which any risk is suppressed, and the share covered where a group's people are."""
        if "test" not in tables:
            return tables
        # as of a curve: where the number at risk is suppressed, or nobody is, there is no risk to move
        there = tables["grid"].filter((pl.col("state") == AT_RISK) & (pl.col("n_persons") > 0)).select(*by, "time")
        there = there.with_columns(pl.lit(True).alias("__there"))
        risks = tables["risks"].join(there, on=[*by, "time"], how="left", nulls_equal=True, maintain_order="left")
        risks = risks.with_columns(pl.when("__there").then(pl.col(*_MOVES))).drop("__there")
        whole = risks.group_by("time").agg(pl.col("move").is_not_null().all().alias("__whole"))
        test = tables["test"].join(whole, on="time", how="left", maintain_order="left")
        test = test.with_columns(pl.when("__whole").then("p_value").alias("p_value")).drop("__whole")
        if risks["n_persons"].null_count():
            risks = risks.with_columns(pl.lit(None, dtype=pl.Float64).alias("share_of_standard"))
        return {**tables, "risks": risks, "test": test}

    @property
    def test(self) -> pl.DataFrame:
        """Wald tests, one a time, that all groups have one standardised risk; released, the level of the p value alone."""
        self._refuse_undisclosed("The test of")
        return self.count_tables["test"] if self.on_grid else wald_tests(self._derived)

    @property
    def on_grid(self) -> bool:
        """Whether it stands on the grid of times, in the form in which it is released."""
        return "grid" in self.count_tables

    @property
    def headline_time(self) -> float | None:
        """The last of the times at which any group has a standardised risk; None where there is none."""
        return self._derived.filter(pl.col("estimate").is_not_null())["time"].max()  # type: ignore[return-value]

    @property
    def standardised_for(self) -> str:
        """What it is standardised for, in words."""
        return strata_phrase(self.settings["standardise"])

    @property
    def event(self) -> str:
        """The event's name, or the cause's."""
        cause = self.settings["cause"]
        return str(self.settings["cause_names"].get(cause, f"cause {cause}"))

    def time_words(self, time: float) -> str:
        """Return "within 365 days"; without a unit "by time 365"."""
        unit = self.settings.get("time_unit")
        said = number(int(time) if float(time).is_integer() else time)
        return f"within {said} {unit}" if unit else f"by time {said}"

    def small_counts(self, threshold: int = 7) -> int:
        """Return the number of counts of 1 to `threshold` people in the result, those by day among them."""
        tables = [table for name, table in self.count_tables.items() if name in ("events", "grid")]
        return sum(int(table["n_persons"].is_between(1, threshold).sum()) for table in tables)

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return what stands for a figure that is not there: beyond follow-up, not estimable, or suppressed."""
        limit_of = {"lower": "estimate", "upper": "estimate", "crude_lower": "crude", "crude_upper": "crude"}
        if column == "standard_error" and self.on_grid:
            return NOT_ESTIMABLE
        if column in limit_of and record[limit_of[column]] is not None:
            return NOT_ESTIMABLE
        share = record.get("share_of_standard")
        beyond = column not in ("n_persons", "n_events") and share is not None and share < LEAST_SHARE
        return SUPPRESSED if self.on_grid and not beyond else NOT_AVAILABLE

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        unit, how = capital(self.settings.get("time_unit") or ""), confidence_of(self.settings)
        return {
            "time": f"Within ({unit.lower()})" if unit else "By time", "n_events": "With the event", "crude": "Crude risk",
            "crude_lower": f"Crude, {how}, lower", "crude_upper": f"Crude, {how}, upper", "estimate": "Standardised risk",
            "lower": f"{how}, lower", "upper": f"{how}, upper", "standard_error": "Standard error",
            "share_of_standard": "Share of the standard population covered",
        }  # fmt: skip

    def with_interval(self, row: Mapping[str, Any], *, crude: bool = False, label: str = "") -> str:
        """Return a risk with its interval: "32% (28 to 36)", or what stands for it."""
        value, lower, upper = _CRUDE if crude else _OWN[:3]
        if row[value] is None:
            return self.missing_marker(row, value)
        return share_with_interval(row[value], row[lower], row[upper], label=label)

    def display(self) -> pl.DataFrame:
        """Return one row a group and time: people, events, crude and standardised risk, share covered, p value."""
        words, how = self.column_words, confidence_of(self.settings)
        p = dict(self.test.select("time", "p_value").iter_rows())
        rows = []
        for row in self.estimates.iter_rows(named=True):
            line = {COLUMN_WORDS.get(c, capital(in_words(c))): capital(strata_words({c: row[c]})) for c in self.by}
            line[words["time"]] = f"{row['time']:g}"
            for column, heading in (("n_persons", "People"), ("n_events", words["n_events"])):
                line[heading] = self.missing_marker(row, column) if row[column] is None else number(row[column])
            line[f"Crude risk ({how})"] = self.with_interval(row, crude=True)
            line[f"Standardised risk ({how})"] = self.with_interval(row)
            share = row["share_of_standard"]
            line["Standard covered"] = self.missing_marker(row, "share_of_standard") if share is None else percentage(share)  # fmt: skip
            line["All groups equal, p"] = self.p_words(p.get(row["time"]))
            rows.append(line)
        return pl.DataFrame(rows)

    def p_words(self, p: float | None) -> str:
        """Return a p value in words; released, a level."""
        if p is None:
            return SUPPRESSED if self.on_grid else NOT_ESTIMABLE
        return ("> 0.05" if p > 0.05 else f"≤ {p:g}") if self.on_grid else p_value(p)

    def notes(self, columns: Iterable[str]) -> list[str]:
        """Return what stands under its table."""
        return [f"Standardised directly for {self.standardised_for}, to all groups together; crude: not adjusted."]

    def of_groups(self, time: float) -> list[tuple[str, dict[str, Any]]]:
        """Return each group in words with its row at a time."""
        frame = self.estimates.filter(pl.col("time") == time)
        return [(strata_words({c: row[c] for c in self.by}), row) for row in frame.iter_rows(named=True)]

    def sentence(self) -> str:
        """Return the standardised risks at the last time, and whether they differ."""
        time = self.headline_time
        if time is None:
            return (
                f"Too few people or events stand behind every risk standardised for {self.standardised_for} to show it."
            )
        groups = self.of_groups(time)
        known = [(name, row) for name, row in groups if row["estimate"] is not None]
        gone = len(groups) - len(known)
        level = confidence_of(self.settings)
        if len(known) > MOST_NAMED:
            known = sorted(known, key=lambda pair: pair[1]["estimate"])
            known = [known[0], known[-1]]
        said = [f"{self.with_interval(row, label='' if k else level)} of {name}" for k, (name, row) in enumerate(known)]
        few = len(groups) - gone <= MOST_NAMED
        whom = (
            (f"{', '.join(said[:-1])} and {said[-1]}" if len(said) > 1 else said[0])
            if few
            else f"from {said[0]} to {said[1]}"
        )
        what = f"{capital(self.time_words(time))}, standardised for {self.standardised_for}, {whom} {happened(self.event)}."
        row = self.test.filter(pl.col("time") == time)
        p = row["p_value"][0] if row.height else None
        if p is None:
            return what
        differ = "differ" if p <= 0.05 else "do not clearly differ"
        p_said = self.p_words(p)
        equals = "" if p_said[0] in "<>≤" else "= "
        return f"{what} The groups {differ} (Wald test, p {equals}{p_said})."

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the standardised risk of each group at the last time."""
        time = self.headline_time
        if time is None:
            return ()
        what = capital(happened(self.event).removeprefix("were "))
        measured = f"{what}, standardised for {self.standardised_for}"
        return tuple(
            KeyFigure(f"{measured}, {self.time_words(time)}: {name}", self.with_interval(row), f"{measured}: {name}")
            for name, row in self.of_groups(time)
        )

    def heading(self) -> str:
        """Return the event, and by what it is compared, as a title."""
        return f"{capital(outcome(self.event))} by {strata_phrase(self.by)}, standardised for {self.standardised_for}"


def _exact(events: pl.DataFrame, settings: Mapping[str, Any], by: tuple[str, ...]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return crude and standardised risks of the groups at each time, and those of their strata, from counts by day."""
    strata, cause, times = tuple(settings["standardise"]), settings["cause"], settings["times"]
    crude = risks_at(events, by, cause, times, settings)
    crude = crude.rename({**dict(zip(_OWN[:3], _CRUDE, strict=True)), "error": "crude_error"})
    cells = weighted(risks_at(events, (*by, *strata), cause, times, settings), by, strata)
    found = standardised(cells, by, settings)
    return crude.join(found, on=[*by, "time"], nulls_equal=True, maintain_order="left"), cells


def standardised_risk(
    frame: Any,
    *,
    time: str | None = None,
    event: str | None = None,
    by: str | Sequence[str],
    standardise: str | Sequence[str],
    times: float | Sequence[float] = (30, 90, 180, 365),
    cause: int = 1,
    entry: str | None = None,
    weights: str | None = None,
    confidence: float = 0.95,
    time_unit: str | None = None,
    event_name: str | None = None,
    cause_names: Mapping[int, str] | None = None,
    grid: Sequence[float] | None = None,
) -> StandardisedRisk:
    """Compute the risk of groups by fixed times as it would be if all had the same ages, sexes or other strata.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str
        Column with the time at which follow-up ends, and how: 0 = censored, 1, 2, ... = cause.
    by : str or sequence of str
        Columns that form the groups, such as hubs; two groups or more.
    standardise : str or sequence of str
        Columns that form the strata within which groups are compared, such as age band, sex and number of conditions.
    times : float or sequence of float, default (30, 90, 180, 365)
        In the unit of `time`; to be released, times of the grid.
    cause : int, default 1
        The event of interest; the other causes compete with it.
    entry : str, optional
        Column with the time from which each person was observed.
    weights : str, optional
        Integer numbers of people a row stands for.
    confidence : float, default 0.95
        Of the intervals.
    time_unit : str, optional
        Unit of time, such as "days".
    event_name : str, optional
        The event of interest in words.
    cause_names : mapping, optional
        Words for the causes, such as `{1: "emergency admission", 2: "death"}`.
    grid : sequence of float, optional
        As in `kaplan_meier`.

    Returns
    -------
    StandardisedRisk
        One row per group and time: `n_persons`, `n_events` (people of the group, and those with the event by then),
        `crude`, `crude_lower`, `crude_upper`, `estimate` (standardised), `lower`, `upper`, `standard_error`,
        `share_of_standard`. `.test` has the Wald test of each time that all groups have one standardised risk:
        `statistic`, `degrees_of_freedom`, `p_value`.

    Raises
    ------
    ArgumentError
        On missing columns or values, fewer than two groups, a cause that nobody has, or strata that all groups have
        making up under half of the people; with counts.

    Notes
    -----
    The risk of a group is the sum over strata of w F(t), with F the Aalen-Johansen estimate of the group's people in the
    stratum, and w the share of the stratum among the people of all groups together. Its variance is the sum of w² times
    the variance of F, the weights being taken as given; its interval is symmetric on the log scale, as a curve's is by
    default, and ends at 0 and 1. A stratum in which some group has nobody, or nobody observed to the time, says nothing of
    the difference between groups: it is omitted for all groups, the other weights are scaled up, and
    `share_of_standard` says what share of all people is left. Where that is under half there is no estimate. Strata of a
    handful of people make the standard error too small: choose them so that each group has some ten in most.

    Released, counts and crude risks are those of the groups' cumulative incidence curves on the grid of times. What
    standardising adds to a crude risk is rounded to a step of at least the rounding base over the group's people, coarser
    where few people stand for a large share of the standard; limits hold the exact ones; there is no standard error, and
    p is a level.

    References
    ----------
    Aalen, O. O. and Johansen, S. (1978). An empirical transition matrix for non-homogeneous Markov chains. Scandinavian
    Journal of Statistics 5, 141-150.
    Breslow, N. E. and Day, N. E. (1987). Statistical Methods in Cancer Research II: The Design and Analysis of Cohort
    Studies. IARC, Lyon: direct standardisation.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"hub": [*"aaaabbbb"], "age": ["old", "old", "old", "young"] + ["old", "young", "young", "young"],
    ...                        "time": [1, 1, 9, 9, 1, 1, 9, 9], "event": [1, 1, 0, 0, 1, 1, 0, 0]})
    >>> risk = sr.survival.standardised_risk(people, time="time", event="event", by="hub", standardise="age", times=5)
    >>> risk.estimates.select("hub", "crude", pl.col("estimate").round(3)).rows()
    [('a', 0.5, 0.333), ('b', 0.5, 0.667)]
    """
    normal_quantile(confidence)
    columns = column_names(frame)
    by, strata = names_of(by, columns), names_of(standardise, columns)
    for argument, given in (("by", by), ("standardise", strata)):
        if not given:
            raise ArgumentError(f"{argument} names no column; at least one is needed.")
    both, taken = [n for n in strata if n in by], [n for n in (*by, *strata) if n in _TAKEN]
    if both:
        raise ArgumentError(f"{', '.join(both)} cannot both form groups and be standardised for: leave it out of one.")
    if taken:
        raise ArgumentError(f"No column of groups or strata may be called {', '.join(taken)}: rename it.")
    wanted = np.unique(np.asarray([times] if isinstance(times, int | float) else list(times), dtype=float))
    wrong = int((~(np.isfinite(wanted) & (wanted > 0))).sum())
    if wrong or not len(wanted):
        raise ArgumentError(f"{wrong} of {len(wanted)} times are no finite number above 0; at least one is needed.")
    unit = time_unit or source_of(frame).population.get("time_unit")
    time, event, entry, weights = follow_up_columns(frame, time=time, event=event, entry=entry, weights=weights)
    events = event_table(frame, time=time, event=event, entry=entry, by=(*by, *strata), weights=weights)
    followed_event = source_of(frame).population.get("event")
    usual = {1: followed_event} if followed_event == "death" else {1: followed_event, 2: "death"} if followed_event else {}  # fmt: skip
    names = (_cause_names(cause_names) or usual) | ({cause: event_name} if event_name else {})
    causes = sorted({*causes_of(events), *names}) or [1]
    if cause not in causes:
        raise ArgumentError(f"cause={cause} is none of the causes of column '{event}': {', '.join(map(str, causes))}.")
    settings = {
        "method": "direct standardisation of Aalen-Johansen estimates to all groups together, log interval",
        "reference": "Aalen and Johansen 1978; Breslow and Day 1987",
        "time": time,
        "event": event,
        "entry": entry,
        "weights": weights,
        "standardise": list(strata),
        "times": wanted.tolist(),
        "cause": int(cause),
        "causes": causes,
        "cause_names": names,
        "confidence": confidence,
        "interval": "log",
        "time_unit": unit,
        "grid": checked_grid(grid, unit),
        **source_of(frame).as_settings(),
    }
    _require_groups(events, by, strata)
    return StandardisedRisk({"events": events}, settings, by)


def _require_groups(events: pl.DataFrame, by: tuple[str, ...], strata: tuple[str, ...]) -> None:
    """Raise ArgumentError unless there are two groups, and the strata that all have make up half of the people."""
    people = events.filter(pl.col("kind") >= 0).group_by([*by, *strata]).agg(pl.col("n_persons").sum())
    people = people.filter(pl.col("n_persons") > 0)
    n_groups = people.select(by).unique().height
    if n_groups < 2:
        raise ArgumentError(f"There is {n_groups} group by {', '.join(by)}; a comparison needs two or more.")
    own = people.group_by(strata).agg(pl.col("n_persons").sum(), pl.len().alias("__groups"))
    inside = own.filter(pl.col("__groups") == n_groups)
    share = int(inside["n_persons"].sum()) / int(own["n_persons"].sum())
    if share < LEAST_SHARE:
        raise ArgumentError(
            f"All {n_groups} groups have people in {inside.height} of {own.height} strata by {', '.join(strata)}, which make up "
            f"{100 * share:.0f}% of everybody: under half of the standard population would stand for all of it. Use coarser strata "
            "(wider age bands, fewer columns), or leave out the smallest groups."
        )
