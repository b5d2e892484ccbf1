"""The share of discharges followed by an emergency readmission, with its variance by person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from math import sqrt
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.cohort.at_risk import Window
from symphony_research.cohort.discharges import discharges_of
from symphony_research.cohort.events import why_not_recorded
from symphony_research.cohort.follow_up import Steps, followed, governing_day, provenance_of_period
from symphony_research.cohort.rows import PersonRows
from symphony_research.cohort.strata import with_strata
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import normal_quantile, wilson_interval
from symphony_research.inference.figures import outwards
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, NotAvailable, Result, not_available
from symphony_research.result.cells import CellDefinition, Partition, Relation, everybody
from symphony_research.result.roles import Count, Internal, Key, Mean, ModelEstimate, Role, TableRoles
from symphony_research.schema import KINDS
from symphony_research.words.numbers import roughly
from symphony_research.words.phrases import share_with_interval, strata_words

__all__ = ["ReadmissionRate", "readmissions_of"]

Tables = Mapping[str, pl.DataFrame]
DISCHARGED, STATES = "discharged alive", ("readmitted", "not readmitted")
SUMS = ("n_discharges", "n_readmissions", "readmissions_squared", "products", "discharges_squared")
MEASURE = "Discharges followed by an emergency admission"
SHARES = ("share", "share_lower", "share_upper")


class ReadmissionRate(Result):
    """Share of live discharges followed by an emergency admission within some days.

    Its counts are of people: those discharged, and those of them readmitted. Released, the share and its limits stand
    to two figures beside them, the limits outwards, where neither discharges nor readmissions are mostly of one or two people.
    """

    title: ClassVar[str] = "Emergency readmissions"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"days"})
    shown: ClassVar[tuple[str, ...]] = (
        "n_persons", "n_readmitted", "discharges_per_person", "estimate", "lower", "upper",
    )  # fmt: skip
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "n_persons": "People discharged",
            "n_readmitted": "People readmitted",
            "discharges_per_person": "Discharges per person",
            "estimate": "Share of discharges readmitted",
        }
    )

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people by whether they were readmitted, and what discharges say of all who were discharged."""
        of_all: dict[str, Role] = {
            "n_persons": Count(),
            "mean_discharges": Mean("n_persons", "herfindahl_discharges", "discharges"),
            "mean_readmissions": Mean(
                "n_persons", "herfindahl_readmissions", f"readmissions in {settings.get('days')} days"
            ),
            "herfindahl_discharges": Internal(),
            "herfindahl_readmissions": Internal(),
            **dict.fromkeys(SHARES, ModelEstimate()),
            **dict.fromkeys(SUMS, Internal()),
        }
        return {
            "people": TableRoles({"readmitted": Key(), "n_persons": Count()}, _of_people),
            "population": TableRoles(of_all, lambda row, column, settings: _discharged(settings)),
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Relation]:
        """Yield that people discharged were readmitted or not."""
        parts = tuple(_discharged(settings).in_state(f"readmitted in {settings['days']} days", s) for s in STATES)
        yield Partition(_discharged(settings), parts)

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Share, its standard error by person and its interval: from exact sums, or as they are released."""
        again = (
            tables["people"]
            .filter(pl.col("readmitted") == STATES[0])
            .select(*by, pl.col("n_persons").alias("n_readmitted"))
        )
        population = tables["population"]
        released = SHARES[0] in population.columns
        if not released:
            population = population.with_columns(_estimates(population, settings["confidence"]))
            population = population.with_columns(
                (pl.col("n_discharges") / pl.col("n_persons").replace(0, None)).alias("mean_discharges")
            )
        names = {
            "mean_discharges": "discharges_per_person",
            **dict(zip(SHARES, ("estimate", "lower", "upper"), strict=True)),
        }
        beside = (
            population.join(again, on=by, how="left", nulls_equal=True, maintain_order="left")
            if by
            else population.hstack(again)
        )
        counts = [] if released else ["n_discharges", "n_readmissions", "standard_error"]
        return beside.rename(names).select(
            *by, "n_persons", "n_readmitted", "discharges_per_person", *counts, "estimate", "lower", "upper"
        )

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return people, means and shares in place of sums of discharges."""
        population = tables["population"]
        if policy.changes_nothing or SHARES[0] in population.columns:
            return tables
        n = pl.col("n_persons").replace(0, None).cast(pl.Float64)
        d, r = (pl.col(c).cast(pl.Float64) for c in ("n_discharges", "n_readmissions"))
        made = population.with_columns(_estimates(population, settings["confidence"])).with_columns(
            (d / n).alias("mean_discharges"),
            (r / n).alias("mean_readmissions"),
            pl.when(d > 0).then(pl.col("discharges_squared") / d**2).otherwise(0.0).alias("herfindahl_discharges"),
            pl.when(r > 0).then(pl.col("readmissions_squared") / r**2).otherwise(0.0).alias("herfindahl_readmissions"),
        )
        low, high = (made[c].cast(pl.Float64).fill_null(float("nan")).to_numpy() for c in SHARES[1:])
        ends = outwards(low, high, 2)
        limits = [pl.Series(name, end).fill_nan(None) for name, end in zip(SHARES[1:], ends, strict=True)]
        return {**tables, "population": made.drop(*SUMS, "standard_error").with_columns(limits)}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out shares that rest on suppressed people, or on discharges or readmissions mostly of one or two of them."""
        population = tables["population"]
        if SHARES[0] not in population.columns:
            return tables
        held = (
            tables["people"].group_by(by).agg(pl.col("n_persons").null_count().alias("__gone"))
            if by
            else tables["people"].select(pl.col("n_persons").null_count().alias("__gone"))
        )
        beside = (
            population.join(held, on=by, how="left", nulls_equal=True, maintain_order="left")
            if by
            else population.hstack(held)
        )
        shown = (pl.col("__gone") == 0) & pl.all_horizontal(
            pl.col("mean_discharges", "mean_readmissions").is_not_null()
        )
        gone = ("mean_discharges", "mean_readmissions", *SHARES)
        return {
            **tables,
            "population": beside.with_columns(pl.when(shown).then(pl.col(c)).alias(c) for c in gone).drop("__gone"),
        }

    def facts(self) -> Mapping[str, str]:
        """Return who was observed; people are those discharged."""
        told = dict(super().facts())
        if "People" in told:
            told["People discharged"] = told.pop("People")
        return told

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the share of discharges followed by a readmission, of each group."""
        when = f"within {self.settings['days']} days"
        found = []
        for row in self.estimates.iter_rows(named=True):
            group = f": {strata_words({c: row[c] for c in self.by})}" if self.by else ""
            missing = row["estimate"] is None
            value = (
                self.missing_marker(row, "estimate")
                if missing
                else share_with_interval(row["estimate"], row["lower"], row["upper"])
            )
            found.append(KeyFigure(f"{MEASURE} {when}{group}", value, MEASURE, when))
        return tuple(found)

    def sentence(self) -> str:
        """Return the share of discharges followed by a readmission, or the highest and the lowest."""
        days = f"an emergency admission within {self.settings['days']} days"
        known = self.estimates.filter(pl.col("estimate").is_not_null())
        if not known.height:
            return f"Too few people for the share of discharges followed by {days} to be shown."
        label = f"{100 * self.settings['confidence']:g}% CI"

        def said(row: Mapping[str, Any]) -> str:
            return share_with_interval(row["estimate"], row["lower"], row["upper"], label=label)

        if not self.by:
            row = known.row(0, named=True)
            each = row["discharges_per_person"]
            often = "" if each is None else f", {each:.1f} each"
            had = (
                f"About {roughly(row['n_persons'])} people had discharges until the data end{often}, planned stays too"
            )
            return f"{had}: {said(row)} of these discharges were followed by {days}."
        ranked = known.sort("estimate", maintain_order=True)
        low, high = ranked.row(0, named=True), ranked.row(-1, named=True)
        if low["estimate"] == high["estimate"]:
            return f"{said(low)} of discharges were followed by {days} in every group shown."
        names = [strata_words({c: row[c] for c in self.by}) for row in (high, low)]
        return f"Discharges followed by {days} were most of {names[0]} ({said(high)}) and fewest of {names[1]} ({said(low)})."


def _discharged(settings: Mapping[str, Any]) -> CellDefinition:
    # whose discharge could be followed for so many days
    return everybody().in_state(f"{DISCHARGED}, {settings['days']} days before the end", "yes")


def _of_people(row: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    return _discharged(settings).in_state(f"readmitted in {settings['days']} days", row["readmitted"])


def _estimates(population: pl.DataFrame, confidence: float) -> list[pl.Series]:
    """Return the ratio of two sums over people, its standard error by Taylor's series, and Wilson's interval.

    The interval is that of as many independent discharges as have this variance; where nobody or everybody is
    readmitted, of as many as there are people.
    """
    found: dict[str, list[float | None]] = {name: [] for name in ("standard_error", *SHARES)}
    for row in population.iter_rows(named=True):
        n, d, r = (int(row[c]) for c in ("n_persons", "n_discharges", "n_readmissions"))
        if not d:
            for values in found.values():
                values.append(None)
            continue
        share = r / d
        squares = row["readmissions_squared"] - 2 * share * row["products"] + share**2 * row["discharges_squared"]
        variance = n / (n - 1) * max(squares, 0.0) / d**2 if n > 1 else 0.0
        independent = share * (1 - share) / variance if variance > 1e-15 and 0 < share < 1 else float(n)
        lower, upper = wilson_interval([share * independent], [independent], confidence)
        found["standard_error"].append(sqrt(variance) if n > 1 else None)
        for name, value in zip(SHARES, (share, float(lower[0]), float(upper[0])), strict=True):
            found[name].append(value)
    return [pl.Series(name, values, dtype=pl.Float64) for name, values in found.items()]


def readmissions_of(
    rows: PersonRows,
    *,
    days: int,
    by: tuple[str, ...],
    until: date | str | None,
    exclude_kinds: tuple[str, ...],
    confidence: float,
    optional: bool,
) -> ReadmissionRate | NotAvailable:
    """Collapse discharges to sums by person; the arguments are those of `Cohort.readmissions`."""
    rows.require_one_index("readmissions")
    if type(days) is not int or days < 1:
        raise ArgumentError(f"days={days} must be an integer number of days, at least one.")
    for kind in exclude_kinds:
        require_one_of(kind, KINDS, argument="exclude_kinds")
    normal_quantile(confidence)
    if optional and (why := why_not_recorded(rows.study, "readmission")):
        what = "the share of discharges followed by an emergency readmission"
        return not_available(why, what, rows.study.provenance(**rows.rules).as_settings())
    last = governing_day(rows.study, "activity", until=until)
    steps = Steps()
    people = followed(with_strata(rows, by), Window(last), steps)
    found = discharges_of(rows, people)
    if exclude_kinds:
        found = found.filter(~pl.col("kind").is_in(list(exclude_kinds)).fill_null(False))
    # the days after a discharge must have been observed: to the end of the data, and of a registration that death did
    # not end
    until_day = pl.col("discharge_date") + timedelta(days=days)
    died = (pl.col("death_date") <= until_day).fill_null(False)
    found = found.filter((until_day <= pl.lit(last)) & (died | (until_day <= pl.col("registered_until"))))
    since = (pl.col("event_date") - pl.col("discharge_date")).dt.total_days()
    each = found.group_by("person_id", *by).agg(
        pl.len().cast(pl.Int64).alias("d"), (since <= days).fill_null(False).sum().cast(pl.Int64).alias("r")
    )
    r, d = pl.col("r"), pl.col("d")
    sums = [
        pl.len().cast(pl.Int64).alias("n_persons"), d.sum().alias("n_discharges"), r.sum().alias("n_readmissions"),
        (r * r).sum().alias("readmissions_squared"), (r * d).sum().alias("products"),
        (d * d).sum().alias("discharges_squared"), (r > 0).sum().cast(pl.Int64).alias("__again"),
    ]  # fmt: skip
    table = each.group_by(by).agg(sums).sort(by, nulls_last=True) if by else each.select(sums)
    counted = {STATES[0]: pl.col("__again"), STATES[1]: pl.col("n_persons") - pl.col("__again")}
    again = pl.concat(
        table.with_row_index("__row").select("__row", *by, pl.lit(state).alias("readmitted"), count.alias("n_persons"))
        for state, count in counted.items()
    )
    tables = {
        "people": again.sort("__row", maintain_order=True).drop("__row"),
        "population": table.drop("__again"),
    }
    provenance = provenance_of_period(
        rows,
        "activity",
        last=last,
        event="readmission",
        until=last.isoformat(),
        exclude_kinds=list(exclude_kinds) or None,
    )
    notes = [provenance.note] if provenance.note else []
    settings = {
        "method": "discharges followed by an emergency admission, variance by person (ratio of sums), Wilson interval",
        "reference": "Cochran 1977",
        "days": days,
        "confidence": confidence,
        "event_name": "readmission",
        **provenance.as_settings(),
        "note": " ".join([*notes, *_how_counted(days, exclude_kinds)]),
    }
    return ReadmissionRate(tables, settings, by)


def _how_counted(days: int, excluded: tuple[str, ...]) -> list[str]:
    lacking = "cancer and mental health" if "maternity" in excluded else "cancer, mental health and obstetrics"
    return [
        f"Counted: emergency admissions within {days} days of every live discharge from joining to the data end, planned stays too. "
        f"Excluded: discharges of the last {days} days observed, and deaths in hospital. NHS England's exclusions of "
        f"{lacking} are not applied: the study records no diagnoses.",
    ]
