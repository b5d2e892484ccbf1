"""Rates of events per person-year, with exact Poisson limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import Collapsed, as_frame, column_names, names_of, provenance_of
from symphony_research.collapse.frames import refuse_names
from symphony_research.errors import ArgumentError, require_columns
from symphony_research.inference import Array, normal_quantile
from symphony_research.policy import Policy
from symphony_research.population import Population
from symphony_research.result import Result, passed_on
from symphony_research.result.cells import Partition, Relation
from symphony_research.result.roles import Count, Internal, Key, Mean, Role, TableRoles
from symphony_research.survival.rate_relations import COUNTED, DAYS_A_YEAR, beside_curves, counted_in, gone_through
from symphony_research.words.lexicon import outcome
from symphony_research.words.numbers import number, roughly
from symphony_research.words.phrases import strata_words

__all__ = ["EventRate", "event_rate"]

Tables = Mapping[str, pl.DataFrame]
# what a collapse of events and time has; a plain frame has the last two, and each person at most one event
COLUMNS = ("n_persons", "n_with_event", "n_events", "n_events_squared", "person_years")
FIGURES = ("estimate", "standard_error", "lower", "upper")
# how far a released mean may lie from the exact one: two figures, three from a hundred on; a mean of integers is made
# coarser until five pairs of people and events fit, which is one event and a half at most
TWO_FIGURES, THREE_FIGURES, COARSER = 0.05, 0.005, 1.5


class EventRate(Result):
    """Events per person-year of each stratum.

    Released, a row gives people, those with the event, and the means of events and of days a person, to two or three
    figures; the rate is made from these, and its limits hold whatever the rounding conceals.
    """

    title: ClassVar[str] = "Event rates"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"per", "moving", "events", "person_years", "levels"})

    @property
    def shown(self) -> tuple[str, ...]:  # type: ignore[override]
        """Columns of a table: years and ages that people go through, then counts and the rate."""
        return (*self.settings["moving"], "n_persons", "n_with_event", "person_years", "estimate", "lower", "upper")

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, what the rate is per among them."""
        words = {
            "n_with_event": "People with the event",
            "person_years": "Person-years",
            "estimate": f"Events per {number(self.settings['per'])} person-years",
            "year": "Year",
        }
        return MappingProxyType(words)

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the counts of people, and what each has in the mean."""
        columns: dict[str, Role] = {name: Key() for name in settings.get("moving", ())}
        columns |= {
            "n_persons": Count(),
            "n_with_event": Count(),
            "n_events": Internal(),
            "n_events_squared": Internal(),
            "person_years": Internal(),
            "mean_events": Mean("n_persons", "herfindahl_events", f"events of {_event(settings)}"),
            "mean_days": Mean("n_persons"),
            "dispersion": Mean("n_persons"),
            "herfindahl_events": Internal(),
        }
        return {"rates": TableRoles(columns, counted_in)}

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Relation]:
        """Yield that people have the event or not, how those of years and ages are all, and what a curve says of them."""
        rows = list(tables["rates"].iter_rows(named=True))
        for row in rows:
            whole, had, had_not = (counted_in(row, column, settings) for column in COUNTED)
            yield Partition(whole, (had, had_not))
        yield from gone_through(rows, settings)
        yield from beside_curves(counted_in({}, "n_with_event", {**settings, "moving": ()}), settings)

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Rate and limits of each row, from exact sums or from released means."""
        table = tables["rates"]
        keys, released = [*by, *settings["moving"]], "mean_events" in table.columns
        n = table["n_persons"].cast(pl.Float64).to_numpy()
        if not released:
            events, years = (table[c].cast(pl.Float64).to_numpy() for c in ("n_events", "person_years"))
            spread = table["n_events_squared"].cast(pl.Float64).to_numpy()
            with np.errstate(invalid="ignore", divide="ignore"):
                dispersion = np.where(events > 0, spread / events, 1.0)
            low, high, least_years = events, events, years
        else:
            mean, time, dispersion = (
                table[c].cast(pl.Float64).to_numpy() for c in ("mean_events", "mean_days", "dispersion")
            )
            events, years = mean * n, time * n / DAYS_A_YEAR
            # fewer people have fewer events in the same mean, and wider limits
            n = np.maximum(n - (settings.get("released") or {}).get("rounding", 1) / 2, 1)
            slack = np.maximum(TWO_FIGURES * mean, np.where(mean > 0, COARSER / n, 0.0))
            low, high = np.maximum(mean - slack, 0) * n, (mean + slack) * n
            short = np.where(time >= 100, THREE_FIGURES, TWO_FIGURES)
            low, high = low / (1 + short), high * (1 + short)
            least_years = n * time / DAYS_A_YEAR
            dispersion = dispersion * (1 + TWO_FIGURES)
        limits = _garwood(low, high, np.maximum(dispersion, 1.0), settings["confidence"])
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.sqrt(events * dispersion) / years
            figures = [events / years, error, limits[0] / least_years, limits[1] / least_years]
        if released:
            years = np.array([float(f"{value:.2g}") for value in years])
        per = settings["per"]
        made = [pl.Series(name, per * values) for name, values in zip(FIGURES, figures, strict=True)]
        whole = [] if released else ["n_events"]
        frame = table.with_columns(pl.Series("person_years", years), *made)
        wanted = [*keys, "n_persons", "n_with_event", *whole, "person_years", *FIGURES]
        floats = [c for c in wanted if frame.schema[c] == pl.Float64 and c not in keys]
        infinite = [pl.when(pl.col(c).is_finite()).then(pl.col(c)).alias(c) for c in floats]
        return frame.with_columns(infinite).select(wanted)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return what each person has in the mean in place of sums, which one event would change."""
        table = tables["rates"]
        if policy.changes_nothing or "mean_events" in table.columns:
            return tables
        n, events = pl.col("n_persons").cast(pl.Float64), pl.col("n_events").cast(pl.Float64)
        some = events > 0
        made = table.with_columns(
            (events / n).alias("mean_events"),
            (pl.col("person_years") / n * DAYS_A_YEAR).alias("mean_days"),
            pl.when(some).then(pl.col("n_events_squared") / events).otherwise(1.0).alias("dispersion"),
            pl.when(some).then(pl.col("n_events_squared") / events**2).otherwise(0.0).alias("herfindahl_events"),
        )
        return {"rates": made.drop("n_events", "n_events_squared", "person_years")}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out the years and the spread of a row whose events are suppressed."""
        table = tables["rates"]
        if "mean_events" not in table.columns:
            return tables
        there = pl.col("mean_events").is_not_null()
        gone = [pl.when(there).then(pl.col(c)).alias(c) for c in ("mean_days", "dispersion")]
        return {"rates": table.with_columns(gone)}

    def facts(self) -> Mapping[str, str]:
        """Return who was observed, without the number of people, who may be in several rows."""
        told = dict(super().facts())
        told.pop("People", None)
        return told

    def sentence(self) -> str:
        """Return the rate, or the highest and the lowest of several."""
        per = f"per {number(self.settings['per'])} person-years"
        what = _event(self.settings)
        known = self.estimates.filter(pl.col("estimate").is_not_null())
        if not known.height:
            return f"Too few people for a rate of {what} to be shown."
        keys = [*self.by, *self.settings["moving"]]
        if self.estimates.height == 1:
            row = known.row(0, named=True)
            return (
                f"There were {number(row['estimate'])} {what} {per} "
                f"({100 * self.settings['confidence']:g}% CI {number(row['lower'])} to {number(row['upper'])}), "
                f"among about {roughly(row['n_persons'])} people."
            )
        ranked = known.sort("estimate", maintain_order=True)
        low, high = ranked.row(0, named=True), ranked.row(-1, named=True)
        if low["estimate"] == high["estimate"]:
            return f"The rate of {what} was {number(low['estimate'])} {per} in every group."
        names = [strata_words({c: row[c] for c in keys}) for row in (high, low)]
        return (
            f"The rate of {what} was highest in {names[0]} ({number(high['estimate'])} {per}) and lowest in {names[1]} "
            f"({number(low['estimate'])})."
        )


def _event(settings: Mapping[str, Any]) -> str:
    event = settings.get("event_name")
    if not event:
        return "events"
    said = outcome(event)
    first = bool(Population.of(settings).first)
    return f"{said if first else said.removeprefix('first ')}s"


def _garwood(low: Array, high: Array, dispersion: Array, confidence: float) -> tuple[Array, Array]:
    """Return the exact limits of a Poisson mean; where people have several events, of that many fewer independent ones."""
    from scipy.special import chdtri

    tail = (1 - confidence) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        fewer, more = low / dispersion, high / dispersion
        lower = np.where(fewer > 0, chdtri(2 * np.maximum(fewer, 1e-12), 1 - tail) / 2, 0.0)
        upper = chdtri(2 * (more + 1), tail) / 2
    return lower * dispersion, upper * dispersion


def event_rate(
    frame: Any,
    *,
    events: str = "n_events",
    person_years: str = "person_years",
    n_persons: str = "n_persons",
    by: str | Sequence[str] | None = None,
    per: float = 1000,
    confidence: float = 0.95,
    event_name: str | None = None,
) -> EventRate:
    """Estimate rates of events per person-year with exact Poisson limits.

    Parameters
    ----------
    frame : Collapsed or frame
        What `Cohort.rates` returns, or any frame with events, person-years and people
        in each row.
    events, person_years, n_persons : str
        Columns of counts of events, of time observed in years, and of people.
    by : str or sequence of str, optional
        Strata; by default those of a collapsed table, and none of a plain frame. Rows
        are added up over the others.
    per : float, default 1000
        Person-years that the rate is given for.
    confidence : float, default 0.95
    event_name : str, optional
        The event in words; a collapsed table knows its own.

    Returns
    -------
    EventRate
        The strata, `n_persons`, `n_with_event`, `n_events`, `person_years`, `estimate`
        (events per `per` person-years), `standard_error`, `lower`, `upper`.

    Raises
    ------
    ArgumentError
        On missing columns, negative or missing numbers, events without time, or strata
        over which people would be counted more than once; with counts of rows.

    Notes
    -----
    Garwood's limits are half the quantiles of chi-squared with 2 d and 2 (d + 1)
    degrees of freedom, of d events. Where people have several events, these are not
    independent: the variance of d is then the sum of squares of people's numbers, and
    the limits are those of as many fewer events as that is larger than d. Of a plain
    frame each person is taken to have one event at most.

    References
    ----------
    Garwood, F. (1936). Fiducial limits for the Poisson distribution. Biometrika 28, 437-442.
    Stukel, T. A. et al. (1994). Standardized rates of recurrent outcomes. Statistics in
    Medicine 13, 1781-1791.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> table = pl.DataFrame({"n_events": [10], "person_years": [2000.0], "n_persons": [900]})
    >>> rate = sr.survival.event_rate(table).estimates
    >>> rate.select("estimate", pl.col("lower", "upper").round(3)).row(0)
    (5.0, 2.398, 9.195)
    """
    if (gone := passed_on(frame)) is not None:
        return gone
    normal_quantile(confidence)
    if not per > 0 or not np.isfinite(per):
        raise ArgumentError(f"per={per} must be a number of person-years above zero.")
    given = frame.by if by is None and isinstance(frame, Collapsed) else by
    names = names_of(given, column_names(frame))
    refuse_names(names, (*COLUMNS, *FIGURES, "mean_events", "mean_days", "dispersion"), what="by")
    if isinstance(frame, Collapsed):
        frame.require_distinct(names)
    provenance = provenance_of(frame)
    known = as_frame(frame)
    require_columns(known.columns, [*names, events, person_years, n_persons], what="frame")
    table = _totals(known, names, events, person_years, n_persons)
    moving = [name for name in names if name in getattr(frame, "distinct_by", ())]
    fixed = tuple(name for name in names if name not in moving)
    settings = {
        "method": "events over person-years, exact Poisson limits",
        "reference": "Garwood 1936",
        "events": events,
        "person_years": person_years,
        "per": per,
        "confidence": confidence,
        "moving": moving,
        "event_name": event_name or provenance.population.get("event"),
        **provenance.as_settings(),
    }
    return EventRate({"rates": table}, settings, fixed)


def _totals(known: pl.DataFrame, names: tuple[str, ...], events: str, years: str, people: str) -> pl.DataFrame:
    """Return sums by stratum; what a plain frame does not say is taken from its number of events."""
    with_event = "n_with_event" if "n_with_event" in known.columns else events
    squared = "n_events_squared" if "n_events_squared" in known.columns else events
    taken = dict(zip(COLUMNS, (people, with_event, events, squared, years), strict=True))
    for name in dict.fromkeys(taken.values()):
        if not known.schema[name].is_numeric():
            raise ArgumentError(f"Column '{name}' is {known.schema[name]}; a number is needed.")
        own = known[name].cast(pl.Float64)
        wrong = int((own.is_null() | own.is_nan() | own.is_infinite() | (own < 0)).sum())
        if wrong:
            raise ArgumentError(f"{wrong:,} rows have no number of zero or above in column '{name}'.")
        if name != years and (own != own.floor()).any():
            raise ArgumentError(f"{int((own != own.floor()).sum()):,} rows have no integer in column '{name}'.")
    idle = known.filter((pl.col(events) > 0) & (pl.col(years) <= 0)).height
    if idle:
        raise ArgumentError(f"{idle:,} rows have events but no person-years.")
    kinds = {name: pl.Float64 if name == "person_years" else pl.Int64 for name in COLUMNS}
    rows = known.select(*names, *[pl.col(old).cast(kinds[new]).alias(new) for new, old in taken.items()])
    sums = [pl.col(name).sum() for name in COLUMNS]
    return rows.group_by(names).agg(sums).sort(names, nulls_last=True) if names else rows.select(sums)
