"""The result of standardising risks: what is released of it, and what it says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.inference import normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, Result
from symphony_research.result.cells import CellDefinition, Relation
from symphony_research.result.roles import Count, Internal, Key, Known, Level, ModelEstimate, TableRoles
from symphony_research.survival.grid import AT_RISK, event_state, grid_table, known_while_at_risk, require_grid_time
from symphony_research.survival.grid_cells import curve_roles, followed, people_in, relations_of
from symphony_research.survival.group_facts import facts_of_groups
from symphony_research.survival.released_curves import estimates_on_grid
from symphony_research.survival.released_effects import Tables
from symphony_research.survival.released_risks import as_released, moved, with_level
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

__all__ = ["TAKEN", "StandardisedRisk"]

_CRUDE = ("crude", "crude_lower", "crude_upper")
_OWN = ("estimate", "lower", "upper", "standard_error", "share_of_standard")
_MOVES = ("move", "margin")
TAKEN = (
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
    "p_adjusted",
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
        test = {
            "time": Key(), "statistic": Internal(), "degrees_of_freedom": Known(), "p_value": Internal(), "p_adjusted": Level(),
        }  # fmt: skip
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
        test = with_level(wald_tests(exact), exact, cells, by, policy).join(
            risks.select("time").unique(), on="time", how="semi", maintain_order="left"
        )
        return {"grid": grid, "risks": risks, "test": test}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out the test at a time at which any risk is suppressed, and the share covered where a group's people are."""
        if "test" not in tables:
            return tables
        risks = known_while_at_risk(tables["risks"], tables["grid"], by, _MOVES)
        whole = risks.group_by("time").agg(pl.col("move").is_not_null().all().alias("__whole"))
        test = tables["test"].join(whole, on="time", how="left", maintain_order="left")
        test = test.with_columns(pl.when("__whole").then("p_adjusted").alias("p_adjusted")).drop("__whole")
        if risks["n_persons"].null_count():
            risks = risks.with_columns(pl.lit(None, dtype=pl.Float64).alias("share_of_standard"))
        return {**tables, "risks": risks, "test": test}

    @property
    def test(self) -> pl.DataFrame:
        """Wald tests, one a time, that all groups have one standardised risk; released, the level of the adjusted p value alone."""
        self._refuse_undisclosed("The test of")
        return self.count_tables["test"] if self.on_grid else wald_tests(self._derived)

    @property
    def on_grid(self) -> bool:
        """Whether it stands on the grid of times, in the form in which it is released."""
        return "grid" in self.count_tables

    @property
    def headline_time(self) -> float | None:
        """The last of the times at which most groups have a standardised risk, of these one with a p value; None where none has."""
        known = self._derived.filter(pl.col("estimate").is_not_null()).group_by("time").agg(pl.len().alias("n"))
        if not known.height:
            return None
        tested = self.test.filter(pl.col("p_adjusted").is_not_null())["time"].to_list()
        best = known.filter(pl.col("n") == pl.col("n").max())["time"].to_list()
        return float(max([time for time in best if time in tested] or best))

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
        if column in _CRUDE and self.on_grid:
            names = {**{c: record[c] for c in self.by}, "time": record["time"], "state": AT_RISK}
            nobody_left = same_stratum(self.count_tables["grid"], names)["n_persons"].to_list() == [0]
            return NOT_AVAILABLE if nobody_left else SUPPRESSED
        if column not in ("n_persons", "n_events", *_CRUDE) and share is not None and share < LEAST_SHARE:
            return NOT_ESTIMABLE if share else NOT_AVAILABLE  # of no stratum at all: beyond follow-up
        return SUPPRESSED if self.on_grid else NOT_AVAILABLE

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
        p = dict(self.test.select("time", "p_adjusted").iter_rows())
        test = f"All groups equal, {'adjusted p' if len(p) > 1 else 'p'}"
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
            line[test] = self.p_words(p.get(row["time"]))
            rows.append(line)
        return pl.DataFrame(rows)

    def p_words(self, p: float | None) -> str:
        """Return a p value in words; released, a level."""
        if p is None:
            return SUPPRESSED if self.on_grid else NOT_ESTIMABLE
        return ("> 0.05" if p > 0.05 else f"≤ {p:g}") if self.on_grid else p_value(p)

    def notes(self, columns: Iterable[str]) -> list[str]:
        """Return what stands under its table."""
        said = [f"Standardised directly for {self.standardised_for}, to all groups together; crude: not adjusted."]
        if (n := len(self.settings["times"])) > 1:
            said.append(
                f"p: Wald test of the standardised risks at one time, multiplied by the number of times, {n} (Bonferroni)."
            )
        if self.on_grid and self.test["p_adjusted"].null_count():
            said.append("It is suppressed where a suppressed number of people would change whether it is over 0.05.")
        margins = self.count_tables["risks"]["margin"].drop_nulls().to_list() if self.on_grid else []
        if any(margins):
            ends = dict.fromkeys(f"{100 * m:g}" for m in (min(margins), max(margins)))
            said.append(
                "So that small numbers stay protected, what standardising adds to a crude risk is known to within "
                f"{' to '.join(ends)} percentage points, which the intervals contain."
            )
        return said

    def facts(self) -> Mapping[str, str]:
        """Return who was observed, group by group, from when and how long."""
        rounded = self.disclosure is not None and not self.disclosure.policy.changes_nothing
        return facts_of_groups(self.settings, self.count_tables, self.by, rounded=rounded)

    def of_groups(self, time: float) -> list[tuple[str, dict[str, Any]]]:
        """Return each group in words with its row at a time."""
        frame = self.estimates.filter(pl.col("time") == time)
        return [(strata_words({c: row[c] for c in self.by}), row) for row in frame.iter_rows(named=True)]

    def sentence(self) -> str:
        """Return the standardised risks at the headline time, and whether they differ."""
        time = self.headline_time
        if time is None:
            return (
                f"Too few people or events stand behind every risk standardised for {self.standardised_for} to show it."
            )
        groups = self.of_groups(time)
        known = [(name, row) for name, row in groups if row["estimate"] is not None]
        gone = [f"{name} {self.missing_marker(row, 'estimate')}" for name, row in groups if row["estimate"] is None]
        level = confidence_of(self.settings)
        if len(known) > MOST_NAMED:
            known = sorted(known, key=lambda pair: pair[1]["estimate"])
            known = [known[0], known[-1]]
        said = [f"{self.with_interval(row, label='' if k else level)} of {name}" for k, (name, row) in enumerate(known)]
        few = len(groups) - len(gone) <= MOST_NAMED
        whom = (
            (f"{', '.join(said[:-1])} and {said[-1]}" if len(said) > 1 else said[0])
            if few
            else f"from {said[0]} to {said[1]}"
        )
        without = (
            f" ({', '.join(gone) if len(gone) <= MOST_NAMED else f'{len(gone)} groups not shown'})" if gone else ""
        )
        what = f"{capital(self.time_words(time))}, standardised for {self.standardised_for}, {whom} {happened(self.event)}{without}."
        if self.disclosure is not None and known and all(row["estimate"] == row["crude"] for _, row in known):
            equal = "they equal the crude risks" if len(known) > 1 else "it equals the crude risk"
            what += f" To within what may be released {equal}."
        row = self.test.filter(pl.col("time") == time)
        p = row["p_adjusted"][0] if row.height else None
        if p is None:
            return what
        differ = "differ" if p <= 0.05 else "do not clearly differ"
        p_said = self.p_words(p)
        equals = "" if p_said[0] in "<>≤" else "= "
        adjusted = f", adjusted for {n} times" if (n := len(self.settings["times"])) > 1 else ""
        return f"{what} The groups {differ} (Wald test, p {equals}{p_said}{adjusted})."

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the standardised risk of each group at the headline time."""
        time = self.headline_time
        if time is None:
            return ()
        what = capital(happened(self.event).removeprefix("were "))
        measured, when = f"{what}, standardised for {self.standardised_for}", self.time_words(time)
        return tuple(
            KeyFigure(f"{measured}, {when}: {name}", self.with_interval(row), measured, when)
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
