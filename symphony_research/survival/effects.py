"""What regression models share: a table of effects with the people and events behind each, and how it is released.

Released, a coefficient is as exact as the rounded counts behind it: it is rounded to a step of at least the rounding
base over its smallest cell, a change of that many events in that cell, and to two figures; its standard error is rounded up
and holds what rounding took away. It is suppressed where the smallest cell (people and events, of the level and of
the one it is compared with) is small, or the model has under ten degrees of freedom. Nothing by day is released.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.errors import DisclosureError
from symphony_research.inference import normal_quantile, two_sided_normal_p
from symphony_research.inference.figures import outwards
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, Result
from symphony_research.result.cells import CellDefinition, Nested, Partition, Relation, everybody, unrelated
from symphony_research.result.roles import Count, Internal, Key, Known, Level, ModelEstimate, TableRoles
from symphony_research.survival.released_effects import FEWEST_FREE, Tables, as_exact_as_counts, smallest_cells
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED, capital, in_words
from symphony_research.words.numbers import number, p_value
from symphony_research.words.phrases import confidence_of, joined

__all__ = ["covariate_words"]

_COUNTED = ("coefficients", "references", "population")


class _Effects(Result):
    """Ratios of a regression model, with the counts behind them."""

    ratio: ClassVar[str] = "hazard_ratio"
    ratio_words: ClassVar[str] = "hazard ratio"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {
            "covariates",
            "strata",
            "cluster",
            "person",
            "sampling_weights",
            "ties",
            "cause",
            "grid",
            "robust",
            "family",
            "person_years",
        }
    )
    own_tables: ClassVar[Mapping[str, TableRoles]] = MappingProxyType({})

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles: counts of levels, coefficients as model estimates, nothing by day."""
        both = {"n_persons": Count(), "n_events": Count()}
        level = {"variable": Key(), "category": Key(vocabulary="records"), "time": Key()}
        own = {
            "covariate": Key(), "compared_with": Known(), "estimate": ModelEstimate(), "standard_error": ModelEstimate(),
            "covariance": Internal(), "centre": Internal(), "scale": Internal(), "n_off_mode": Internal(), "n_clusters": Internal(),
        }  # fmt: skip

        def counted(row: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
            return cls.cell(row, column, settings)

        return {
            "coefficients": TableRoles({**level, **own, **both}, counted),
            "references": TableRoles({**level, **both, "n_clusters": Internal()}, counted),
            "population": TableRoles({"time": Key(), **both}, counted),
            "tests": TableRoles({"test": Key(), "statistic": Internal(), "degrees_of_freedom": Known(), "p_value": Level()}),
            "by_day": TableRoles(dict.fromkeys(("variable", "category", "kind", "time", "n_persons"), Internal())),
            **cls.own_tables,
        }  # fmt: skip

    @classmethod
    def cell(cls, row: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
        """Return whom a count of a row is of: the people, or those with the event, of a level or of all."""
        where = f"{row['variable']} {row.get('category')}" if row.get("category") is not None else "all"
        if settings.get("cluster"):  # rows of a cluster may be of one person: nobody else counts them
            named = (settings.get(name) for name in ("event", "event_name", "cause"))
            what = "; ".join(str(one) for one in (*named, row.get("time"))) if column == "n_events" else ""
            return unrelated(f"{where}: {column} {what} of {settings.get('time')} by {settings['cluster']}")
        whole = cls.people(settings) if column == "n_persons" else cls.with_event(row, settings)
        return whole.within([(row["variable"], row["category"])]) if row.get("category") is not None else whole

    @classmethod
    def people(cls, settings: Mapping[str, Any]) -> CellDefinition:
        """Return the people whom the model is of."""
        return everybody()

    @classmethod
    def with_event(cls, row: Mapping[str, Any], settings: Mapping[str, Any]) -> CellDefinition:
        """Return those of them who had the event."""
        return everybody().in_state(f"events {settings.get('event')}", "event")

    @classmethod
    def relations(cls, tables: Tables, settings: Mapping[str, Any]) -> Iterable[Relation]:
        """Yield that levels make up all people and all events, and that events are among people."""
        if settings.get("person"):  # who is at several levels one after the other, and may have several events
            return
        for name in _COUNTED:
            for row in tables[name].iter_rows(named=True):
                yield Nested(cls.cell(row, "n_events", settings), cls.cell(row, "n_persons", settings))
        yield from cls.partitions(tables, settings)

    @classmethod
    def partitions(cls, tables: Tables, settings: Mapping[str, Any]) -> Iterable[Relation]:
        """Yield that the levels of a covariate make up all people, and all events."""
        whole = tables["population"].row(0, named=True)
        shared = ["variable", "category", *(["time"] if "time" in tables["references"].columns else [])]
        levels = pl.concat([tables[name].select(shared) for name in ("references", "coefficients")])
        for variable in tables["references"]["variable"].unique(maintain_order=True):
            rows = list(levels.filter(pl.col("variable") == variable).iter_rows(named=True))
            for column in ("n_persons", "n_events"):
                parts = tuple(cls.cell(row, column, settings) for row in rows)
                yield Partition(cls.cell(whole, column, settings), parts)

    @classmethod
    def derive(cls, tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Ratios and their normal intervals on the log scale, with the smallest cell and the degrees of freedom."""
        frame, references = tables["coefficients"], tables["references"]
        against = references.select("variable", pl.min_horizontal("n_persons", "n_events").alias("__cell"))
        shown = references.select(
            "variable", pl.any_horizontal(pl.col("n_persons", "n_events").is_null()).alias("__gone")
        )
        joined_ = frame.join(against, on="variable", how="left", maintain_order="left").join(
            shown, on="variable", how="left", maintain_order="left"
        )
        gone = pl.any_horizontal(pl.col("n_persons", "n_events").is_null()) | pl.col("__gone").fill_null(False)
        smallest = pl.when(~gone).then(pl.min_horizontal("n_persons", "n_events", "__cell"))
        events = tables["population"]["n_events"][0]
        free = None if events is None else events - frame.height
        z = normal_quantile(settings["confidence"])
        estimate, error = (
            joined_[c].cast(pl.Float64).fill_null(float("nan")).to_numpy() for c in ("estimate", "standard_error")
        )
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            figures = {
                cls.ratio: np.exp(estimate),
                "lower": np.exp(estimate - z * error),
                "upper": np.exp(estimate + z * error),
                "p_value": two_sided_normal_p(estimate / error),
            }
        made = joined_.with_columns(
            [pl.Series(name, values).fill_nan(None) for name, values in figures.items()]
            + [smallest.alias("smallest_cell"), pl.lit(free, dtype=pl.Int64).alias("degrees_of_freedom")]
        )
        if "released" in settings:
            made = made.with_columns(pl.col(cls.ratio).round_sig_figs(3), *_as_released(made))
        return made.select(
            "covariate", "variable", pl.col("category").alias("level"), pl.col("compared_with").alias("reference"), "estimate", cls.ratio, "lower", "upper", "p_value",
            "standard_error", "n_persons", "n_events", "smallest_cell", "degrees_of_freedom",
        )  # fmt: skip

    @classmethod
    def release_form(cls, tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return the coefficients as exactly as the counts behind them are released, and nothing by day."""
        if policy.changes_nothing or "released" in settings:
            return tables
        for name in ("coefficients", "references"):
            few_clusters = (
                tables[name].filter(pl.col("n_clusters").is_between(0, policy.threshold))["variable"].unique().sort()
            )
            if len(few_clusters):
                raise DisclosureError(
                    f"Covariate {', '.join(few_clusters)} has a level in few clusters of '{settings['cluster']}': its rows may be of "
                    "few people, whatever their number. Join levels, or leave it out."
                )
        counted = cls.counted_for_release(tables, settings)
        frame = counted["coefficients"]
        cell = smallest_cells(tables)
        off, clusters = (frame[c].to_numpy() for c in ("n_off_mode", "n_clusters"))
        smallest = np.minimum(np.minimum(cell, off), np.where(clusters >= 0, clusters, np.inf))
        free = tables["population"]["n_events"][0] - frame.height
        few = (smallest <= policy.threshold) | (free < FEWEST_FREE)
        estimate, error = as_exact_as_counts(
            frame["estimate"].to_numpy(), frame["standard_error"].to_numpy(), cell, frame["scale"].to_numpy(),
            settings["confidence"], policy.rounding,
        )  # fmt: skip
        estimate, error = np.where(few, np.nan, estimate), np.where(few, np.nan, error)
        frame = frame.with_columns(
            pl.Series("estimate", estimate).fill_nan(None), pl.Series("standard_error", error).fill_nan(None),
            pl.lit(None, dtype=pl.List(pl.Float64)).alias("covariance"),
            pl.lit(None, dtype=pl.Float64).alias("centre"), pl.lit(None, dtype=pl.Float64).alias("scale"),
        )  # fmt: skip
        p = pl.lit(None, dtype=pl.Float64) if few.any() else pl.col("p_value")
        return {**counted, "coefficients": frame, "tests": tables["tests"].with_columns(p.alias("p_value"))}

    @classmethod
    def counted_for_release(cls, tables: Tables, settings: Mapping[str, Any]) -> dict[str, pl.DataFrame]:
        """Return the tables that are released, with their counts as other results count them."""
        return {name: tables[name] for name in (*_COUNTED, "tests")}

    @classmethod
    def trim(cls, tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out coefficients whose reference level is suppressed, and tests where anything is."""
        frame, references = tables["coefficients"], tables["references"]
        gone = references.filter(pl.any_horizontal(pl.col("n_persons", "n_events").is_null()))["variable"]
        kept = ~pl.col("variable").is_in(gone.implode())
        frame = frame.with_columns(pl.when(kept).then(pl.col("estimate", "standard_error")))
        whole = not frame["estimate"].null_count()
        p = pl.col("p_value") if whole else pl.lit(None, dtype=pl.Float64)
        return {**tables, "coefficients": frame, "tests": tables["tests"].with_columns(p.alias("p_value"))}

    @property
    def overall(self) -> pl.DataFrame:
        """Tests of the hypothesis that no covariate matters; released, the level of the p value alone."""
        self._refuse_undisclosed("The tests of")
        return self.count_tables["tests"]

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        return {
            "covariate": "Covariate", "estimate": f"Log {self.ratio_words}", self.ratio: capital(self.ratio_words),
            "lower": f"{how}, lower", "upper": f"{how}, upper", "n_events": "Events", "smallest_cell": "Smallest cell",
            "reference": "Compared with", "standard_error": "Standard error",
        }  # fmt: skip

    def display(self) -> pl.DataFrame | None:
        """Return one row a covariate: people, events, and the ratio with its interval."""
        if not self.estimates.height:
            return None
        heading = f"{capital(self.ratio_words)} ({confidence_of(self.settings)})"
        return pl.DataFrame(
            [
                {
                    "Covariate": capital(covariate_words(row)),
                    "People": self.missing_marker(row, "n_persons")
                    if row["n_persons"] is None
                    else number(row["n_persons"]),
                    "Events": self.missing_marker(row, "n_events")
                    if row["n_events"] is None
                    else number(row["n_events"]),
                    heading: self.with_interval(row),
                    "p value": self.missing_marker(row, "p_value")
                    if row["p_value"] is None
                    else self.format_cell(row, "p_value"),
                }
                for row in self.estimates.iter_rows(named=True)
            ]
        )

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return a p value in words; released, where the interval holds 1, that it is no smaller than the interval's level."""
        if column != "p_value" or record[column] is None:
            return super().format_cell(record, column)
        unclear = "released" in self.settings and record[column] >= 1
        return f"≥{1 - self.settings['confidence']:.3g}" if unclear else p_value(record[column])

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released: every coefficient there is, there is for all people."""
        done = self.disclosure
        no_level = column in ("level", "reference")
        return NOT_ESTIMABLE if no_level or done is None or done.policy.changes_nothing else SUPPRESSED

    def with_interval(self, row: Mapping[str, Any], label: str = "") -> str:
        """Return the ratio and its interval: "1.32 (1.10 to 1.58)"."""
        if row[self.ratio] is None:
            return self.missing_marker(row, "estimate")
        ends = f"{number(row['lower'])} to {number(row['upper'])}"
        return f"{number(row[self.ratio])} ({f'{label} ' if label else ''}{ends})"

    def clearest(self) -> dict[str, Any] | None:
        """Return the row with the largest statistic; None where none is released."""
        frame = self.estimates.filter(pl.col("estimate").is_not_null())
        if not frame.height:
            return None
        return frame.sort(
            (pl.col("estimate") / pl.col("standard_error")).abs(), descending=True, maintain_order=True
        ).row(0, named=True)

    def of_what(self) -> str:
        """Return what the ratio is of: "of death"."""
        return ""

    def sentence(self) -> str:
        """Return the ratio of the covariate that matters most clearly."""
        row = self.clearest()
        if row is None:
            return f"Too few people or events stand behind every {self.ratio_words} to show it."
        others = [in_words(name) for name in self.settings["covariates"] if name != row["variable"]]
        adjusted = f", adjusted for {joined(others)}" if others else ""
        said = self.with_interval(row, confidence_of(self.settings))
        clear = "" if row["lower"] > 1 or row["upper"] < 1 else " No covariate clearly changes it."
        return f"{capital(covariate_words(row))}: {self.ratio_words} {said}{self.of_what()}{adjusted}.{clear}"

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return every ratio with its interval."""
        return tuple(
            KeyFigure(f"{capital(self.ratio_words)}: {covariate_words(row)}", self.with_interval(row))
            for row in self.estimates.iter_rows(named=True)
        )


def _as_released(frame: pl.DataFrame) -> list[pl.Series]:
    """Return limits to three figures outwards, and p values that the exact ones do not exceed: 1 where the interval holds 1.

    Coefficient and standard error stand for others, of which the interval holds every one's. Where it excludes 1 that of
    the two shown is the larger p; where it does not, they may stand for a coefficient of 0.
    """
    lower, upper, p = (
        frame[c].cast(pl.Float64).fill_null(float("nan")).to_numpy() for c in ("lower", "upper", "p_value")
    )
    with np.errstate(invalid="ignore"):
        ends = outwards(lower, upper, 3)
        largest = np.where(np.isnan(p), np.nan, np.where((ends[0] > 1) | (ends[1] < 1), outwards(p, p, 3)[1], 1.0))
    named = zip(("lower", "upper", "p_value"), (*ends, largest), strict=True)
    return [pl.Series(name, values).fill_nan(None) for name, values in named]


def covariate_words(row: Mapping[str, Any]) -> str:
    """Return what a ratio compares: "arm: hub against usual care", "diabetes", or "age, each unit more"."""
    variable = in_words(row["variable"])
    if row["level"] is None:
        return f"{variable}, each unit more"
    if row["covariate"] != row["variable"]:
        return f"{variable}: {in_words(row['level'])} against {in_words(row['reference'])}"
    if row["level"] in ("true", "1", "1.0", "True"):
        return variable
    return f"{variable} {row['level']} against {row['reference']}"
