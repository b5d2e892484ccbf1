"""What curves share: exact ones go by day, released ones stand on the grid of times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.policy import Policy
from symphony_research.population import Population
from symphony_research.result import Disclosure, Result
from symphony_research.result.cells import Relation
from symphony_research.result.facts import facts_of, of_whom
from symphony_research.result.roles import TableRoles
from symphony_research.survival.grid import AT_RISK, after_landmark, grid_table, landmark_of
from symphony_research.survival.grid_cells import curve_roles, relations_of
from symphony_research.survival.group_facts import facts_of_groups, follow_up_words
from symphony_research.words.lexicon import NOT_AVAILABLE, NOT_ESTIMABLE, SUPPRESSED, capital
from symphony_research.words.numbers import number

__all__ = ["Tables"]

Tables = Mapping[str, pl.DataFrame]
_LEFT = ", as they left or the data ended; later deaths are not recorded, and shares allow for them"
_ACTUARIAL = {
    "method": "life table (actuarial) on a grid of times; the limits hold the exact estimate and its interval, "
    "whatever the grid and the rounding conceal",
    "reference": "Cutler and Ederer 1958",
}


class _Curve(Result):
    """What curves share: exact ones go by day; released ones stand on the grid of times, and nothing by day is in them."""

    own_settings: ClassVar[frozenset[str]] = frozenset({"grid", "cluster"})
    own_words: ClassVar[Mapping[str, str]] = MappingProxyType({})
    # whether its estimate is a share of people, shown as a percentage; and what it is before anything has happened
    is_share: ClassVar[bool] = True
    begins_at: ClassVar[float] = 0.0
    # whether a released estimate is the life table's
    actuarial: ClassVar[bool] = True
    grid_words: ClassVar[str] = (
        "Life-table (actuarial) estimates at the times marked; the intervals allow for grid and rounding."
    )

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the roles of the daily table, which is never released, and of the grid's counts."""
        return curve_roles()

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterable[Relation]:
        """Yield that the states at a grid time are everybody, and that who has left has left for good."""
        return relations_of(tables, settings)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return the counts on the grid in place of the daily ones; generated data may be shown by day."""
        if policy.changes_nothing or "grid" in tables:
            return tables
        return {"grid": grid_table(tables["events"], settings, by)}

    def disclosed(self, tables: Tables, record: Disclosure, **settings: Any) -> Result:
        """Return the released curve, which says how it is computed."""
        if "grid" in tables and self.actuarial:
            settings = {**settings, **_ACTUARIAL}
        return super().disclosed(tables, record, **settings)

    @property
    def on_grid(self) -> bool:
        """Whether the curve stands on the grid of times, in the form in which it is released."""
        return "grid" in self.count_tables

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings, the unit of time among them."""
        unit = capital(self.time_unit)
        words = {
            **type(self).own_words,
            "time": f"{unit} since {self.time_origin}" if unit else "Time",
            "n_at_risk": "Number at risk",
        }
        if self.on_grid:
            words |= {"n_events": "Events so far", "n_censored": "Censored so far"}
        return words

    @staticmethod
    def clauses_of(settings: Mapping[str, Any]) -> list[tuple[int | None, str]]:
        """Return each cause (None where there is one event) with what happened, in words."""
        raise NotImplementedError

    @property
    def is_rounded(self) -> bool:
        """Whether the counts were rounded or suppressed."""
        return self.disclosure is not None and not self.disclosure.policy.changes_nothing

    @property
    def time_origin(self) -> str:
        """From when time runs, in words: "joining", "discharge", "the landmark", "the start of follow-up"."""
        if landmark_of(self.settings):
            return "the landmark"
        population = Population.of(self.settings)
        if population.event == "readmission":
            return "discharge"
        return "joining" if population.by_enrolment else "the start of follow-up"

    @property
    def after_landmark(self) -> str:
        """What stands after a time counted from a landmark; nothing where there is none."""
        return after_landmark(self.settings)

    def after_joining(self) -> str:
        """Return from when and of whom, as the end of a title: " after joining complex care, Yeovil"."""
        whom = of_whom(self.settings)
        return f" after joining {whom}" if whom and self.time_origin == "joining" else f": {whom}" if whom else ""

    def facts(self) -> Mapping[str, str]:
        """Return who was observed, from when, how long, and how many died."""
        people = None
        if self.on_grid and not self.by:
            grid = self.count_tables["grid"]
            start = grid.filter((pl.col("time") == 0) & (pl.col("state") == AT_RISK))
            people = start["n_persons"][0] if start.height else None
        elif self.disclosure is None or self.disclosure.policy.changes_nothing:
            events = self.count_tables.get("events")
            people = None if events is None else int(events.filter(pl.col("kind") >= 0)["n_persons"].sum())
        told = facts_of(self.settings, people, rounded=self.is_rounded)
        if self.on_grid and self.by:
            told = facts_of_groups(self.settings, self.count_tables, self.by, rounded=self.is_rounded)
        elif people is None:
            told = {"People": SUPPRESSED, **told}
        since = landmark_of(self.settings)
        if since:
            told["Landmark"] = f"those still at risk at {since:g} {self.time_unit}, from then".replace(" ,", ",")
        return told | follow_up_words(self.settings) | self._follow_up_facts()

    def _follow_up_facts(self) -> dict[str, str]:
        """Return deaths and the median follow-up of a curve of survival, from counts on the grid."""
        if not self.on_grid or self.by or self.settings.get("event_name") != "death":
            return {}
        frame = self.estimates
        deaths = "n_deaths" if "n_deaths" in frame.columns else "n_events"  # beside recurrent events
        if not {"time", deaths, "n_censored"} <= set(frame.columns):  # no curve, or one read at some times
            return {}
        told = {}
        last = f"{frame['time'][-1]:g} {self.time_unit}"
        less = f"Followed for under {last}"
        for name, column, after in (("Deaths", deaths, f" recorded within {last}"), (less, "n_censored", _LEFT)):
            n = frame[column][-1]
            about = "about " if self.is_rounded and n else ""
            told[name] = SUPPRESSED if n is None else f"{about}{number(n)}{after}"
        at_risk = dict(frame.select("time", "n_at_risk").iter_rows())
        start = at_risk.get(0.0)
        told["Median follow-up"] = SUPPRESSED
        if start and None not in at_risk.values():
            half = [time for time, n in at_risk.items() if n >= start / 2]
            later = [time for time in at_risk if time > half[-1]]
            unit = self.time_unit
            told["Median follow-up"] = (
                f"{half[-1]:g} to {later[0]:g} {unit}" if later else f"the full {half[-1]:g} {unit}"
            )
        return told

    @property
    def time_unit(self) -> str:
        """Unit of time, in words."""
        return str(self.settings.get("time_unit") or "")

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return what stands for a figure that is not there: suppressed, beyond follow-up, or not applicable."""
        if not self.on_grid:
            return NOT_ESTIMABLE
        beyond = record["time"] > (self.count_tables["grid"]["time"].max() or 0)
        if beyond or (record["n_at_risk"] == 0 and column in ("estimate", "lower", "upper")):
            return NOT_AVAILABLE
        limits = column in ("lower", "upper") and record["estimate"] is not None
        return NOT_ESTIMABLE if limits or column == "standard_error" else SUPPRESSED

    def small_counts(self, threshold: int = 7) -> int:
        """Return the number of counts of 1 to `threshold` people in the result, those by day among them."""
        tables = [table for name, table in self.count_tables.items() if name in ("events", "grid")]
        return sum(int(table["n_persons"].is_between(1, threshold).sum()) for table in tables)
