"""The effect on several outcomes: one that was named before, others beside it, and one that should not change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.cohort.matched import Matched, outcome_rows, why_absent
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.evaluation.effect_tables import ESTIMATED, arms_of
from symphony_research.evaluation.effect_words import DIFFERENCE, RATIO
from symphony_research.evaluation.estimated import (
    ESTIMATE_ROLES,
    as_estimated,
    as_released,
    require_integers,
    require_matched,
    shown_where,
    with_intervals,
)
from symphony_research.evaluation.outcome_words import CONTROL, PRIMARY, SECONDARY, outcomes_sentence, plural_of
from symphony_research.evaluation.rate_rows import rates_of
from symphony_research.evaluation.release import ARMS, arm_cells, arms_table
from symphony_research.evaluation.verdicts import FEWEST_EVENTS, FEWEST_PEOPLE, few_rule, verdict_of, with_ratio
from symphony_research.inference import adjusted_p, normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, Result
from symphony_research.result.cells import CellDefinition, Nested, Same
from symphony_research.result.roles import Count, Key, Known, TableRoles
from symphony_research.words.lexicon import NOT_AVAILABLE, NOT_ESTIMABLE, SUPPRESSED, capital
from symphony_research.words.numbers import number, p_value
from symphony_research.words.phrases import confidence_of

__all__ = ["CONTROL", "OUTCOMES", "PRIMARY", "SECONDARY", "OutcomeEffects", "outcome_effects"]

Tables = Mapping[str, pl.DataFrame]
ROLES = (PRIMARY, SECONDARY, CONTROL)
OUTCOMES: Mapping[str, str] = MappingProxyType(
    {"emergency_admission": PRIMARY, "accident_and_emergency": SECONDARY, "death": SECONDARY, "outpatient": CONTROL}
)
NAMES = ("outcome", "role")


class OutcomeEffects(Result):
    """The rate ratio of each outcome, the primary first; secondary ones with p values by Holm's method."""

    title: ClassVar[str] = "Effect of enrolling on several outcomes"
    figure: ClassVar[str | None] = "symphony_research.show.effect_forests:plot_outcome_effects"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {"matching", "outcomes", "not_recorded", "horizon", "adjusted", "fewest_events", "fewest_people"}
    )
    shown: ClassVar[tuple[str, ...]] = (*NAMES, "estimate", "lower", "upper", "p_value", "p_holm")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """People of each arm, and those with each event; estimates of a model."""
        return {
            "outcomes": TableRoles({"outcome": Key(), "role": Known()}),
            "effects": TableRoles({"outcome": Key(), "measure": Key(), **ESTIMATE_ROLES}),
            "arms": TableRoles({"arm": Key(), "n_persons": Count()}, arm_cells),
            "events": TableRoles({"outcome": Key(), "arm": Key(), "n_with_event": Count()}, _with_event),
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that those with an event are among the people of their arm, and that who dies is counted beside any outcome."""
        for row in tables["events"].iter_rows(named=True):
            own = _with_event(row, "n_with_event", settings)
            yield Nested(own, arm_cells(row, "n_persons", settings))
            if row["outcome"] == "death":
                for other in settings["outcomes"]:
                    # as the deaths of an effect on another outcome are
                    yield Same(own, arm_cells(row, "n_deaths", {**settings, "outcome": other}))

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return each outcome's people with the event, and rate ratio; p values of the secondary ones adjusted for their number."""
        found = tables["outcomes"]
        for arm in ARMS:
            own = (
                tables["events"]
                .filter(pl.col("arm") == arm)
                .select("outcome", pl.col("n_with_event").alias(f"n_{arm}"))
            )
            found = found.join(own, on="outcome", how="left", maintain_order="left")
        ratio = with_intervals(tables["effects"].filter(pl.col("measure") == RATIO), ["outcome"], settings)
        found = found.join(ratio, on="outcome", how="left", maintain_order="left")
        secondary = (found["role"] == SECONDARY).to_numpy()
        p = found["p_value"].fill_null(float("nan")).to_numpy()
        own_p = [one if own else float("nan") for one, own in zip(p, secondary, strict=True)]
        # of all that the study records: what is suppressed, or of few, is no reason to be less strict with others
        asked = [role for name, role in settings["outcomes"].items() if name not in settings["not_recorded"]]
        holm = adjusted_p(own_p, "holm", tests=asked.count(SECONDARY))
        holm_p = pl.Series("p_holm", holm).fill_nan(None)
        return found.with_columns(holm_p.round_sig_figs(2) if "released" in settings else holm_p)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return estimates as exact as the counts behind them, and none of few people."""
        if policy.changes_nothing or "released" in settings:
            return tables
        return {**tables, "effects": as_released(tables["effects"], settings, policy)}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out the estimates of an outcome where a count of people of an arm, or of those with it, is suppressed."""
        people = not tables["arms"]["n_persons"].null_count()
        gone = tables["events"].filter(pl.col("n_with_event").is_null())["outcome"].unique().to_list()
        shown = pl.lit(people) & ~pl.col("outcome").is_in(gone)
        return {**tables, "effects": shown_where(tables["effects"], shown)}

    @property
    def arms(self) -> pl.DataFrame:
        """People of each arm, and those with each event."""
        self._refuse_undisclosed("The arms of")
        tables = self.count_tables
        return tables["events"].join(tables["arms"], on="arm", how="left", maintain_order="left")

    @property
    def differences(self) -> pl.DataFrame:
        """Of each outcome the difference of rates per 100 person-years of enrolled people, with its interval."""
        self._refuse_undisclosed("The differences of")
        frame = self.count_tables["effects"].filter(pl.col("measure") == DIFFERENCE)
        return with_intervals(frame, ["outcome"], self.settings)

    def row(self, outcome: str) -> dict[str, Any]:
        """Return one row of the estimates by its outcome."""
        return self.estimates.filter(pl.col("outcome") == outcome).row(0, named=True)

    @property
    def primary(self) -> dict[str, Any]:
        """The row of the primary outcome."""
        return self.estimates.row(0, named=True)

    @property
    def verdict(self) -> str:
        """What the interval of the primary outcome says, if the two groups were comparable."""
        return verdict_of(self.primary["lower"], self.primary["upper"], plural_of(self.primary))

    def sentence(self) -> str:
        """Return what changed and what did not beside the primary outcome, what the negative control says, what is not recorded."""
        return outcomes_sentence(self)

    @staticmethod
    def outcome_words(row: Mapping[str, Any]) -> str:
        """Return the events of a row as the start of a line."""
        return capital(plural_of(row))

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the rate ratio of each outcome, by which hubs are compared."""
        days = f"{self.settings['horizon']} days"
        figures = []
        for row in self.estimates.iter_rows(named=True):
            value = self.missing_marker(row, "estimate") if row["estimate"] is None else with_ratio(row)
            what = f"Rate ratio of {plural_of(row)}, {days}"
            figures.append(KeyFigure(what, value, what, days))
        return tuple(figures)

    def display(self) -> pl.DataFrame:
        """Return one row an outcome: its role, people with it in each arm, ratio and difference with intervals, and p values."""
        how, differences = (
            confidence_of(self.settings),
            {row["outcome"]: row for row in self.differences.iter_rows(named=True)},
        )
        lines = []
        for row in self.estimates.iter_rows(named=True):
            mark = self.missing_marker(row, "estimate")
            other = differences.get(row["outcome"]) or row
            lines.append(
                {
                    "Outcome": self.outcome_words(row), "Role": capital(row["role"]),
                    **{f"{capital(arm)} with it": self.missing_marker(row, f"n_{arm}") if row[f"n_{arm}"] is None else number(row[f"n_{arm}"]) for arm in ARMS},
                    f"Rate ratio ({how})": mark if row["estimate"] is None else with_ratio(row),
                    f"Difference per 100 person-years ({how})": mark if other["estimate"] is None else with_ratio(other),
                    "p": self._p_cell(row),
                }
            )  # fmt: skip
        return pl.DataFrame(lines)

    def _p_cell(self, row: Mapping[str, Any]) -> str:
        """Return a p value, of secondary outcomes adjusted."""
        p = row["p_holm"] if row["role"] == SECONDARY else row["p_value"]
        return self.missing_marker(row, "estimate") if p is None else p_value(p)

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not recorded, suppressed, or of too few events or people for a ratio."""
        if record["outcome"] in self.settings["not_recorded"]:
            return NOT_AVAILABLE
        done = self.disclosure
        if column == "p_holm" and record["role"] != SECONDARY:
            return NOT_ESTIMABLE
        if done is None or done.policy.changes_nothing:
            return NOT_ESTIMABLE
        few = self.count_tables["effects"].filter((pl.col("outcome") == record["outcome"]) & pl.col("few"))
        return NOT_ESTIMABLE if few.height and not column.startswith("n_") else SUPPRESSED

    def notes(self, columns: Any) -> list[str]:
        """Return what p values are adjusted for, what a negative control is, and what is not recorded."""
        absent = self.settings["not_recorded"]
        roles = [role for name, role in self.settings["outcomes"].items() if name not in absent]
        told = []
        if roles.count(SECONDARY) > 1:
            told.append(
                f"p of the {roles.count(SECONDARY)} secondary outcomes: by Holm's method; the primary is one, and is not adjusted."
            )
        if CONTROL in roles:
            told.append(
                "Negative control: not expected to change; where it does, the groups may differ in more than enrolling."
            )
        told += [f"{why}." for why in dict.fromkeys(absent.values())]
        few = self.count_tables["effects"]["few"].any()
        return [*told, *([few_rule(self.settings)] if few else []), *super().notes(columns)]

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        return MappingProxyType(
            {
                "outcome": "Outcome", "role": "Role", "n_enrolled": "Enrolled with it", "n_controls": "Controls with it", "estimate": "Rate ratio",
                "lower": f"{how}, lower", "upper": f"{how}, upper", "p_value": "p value", "p_holm": "p value, Holm",
            }
        )  # fmt: skip


def _with_event(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    return arm_cells(record, column, {**settings, "outcome": record["outcome"]})


def outcome_effects(
    matched: Matched,
    *,
    outcomes: Mapping[str, str] = OUTCOMES,
    horizon: int = 365,
    adjust: bool = True,
    confidence: float = 0.95,
    fewest_events: int = FEWEST_EVENTS,
    fewest_people: int = FEWEST_PEOPLE,
) -> OutcomeEffects:
    """Estimate the effect on several outcomes, each with the role that it was given before anything was seen.

    Parameters
    ----------
    matched : Matched
        What `match_controls` returns.
    outcomes : mapping of str to {"primary", "secondary", "negative control"}
        Events of `cohort.EVENTS`, but for "readmission", with their roles; one is primary. By default emergency admissions
        are, with A&E attendances and death secondary and outpatient appointments a negative control.
    horizon : int, default 365
    adjust : bool, default True
        Whether the covariates are adjusted for; deaths are compared by weights alone.
    confidence : float, default 0.95
    fewest_events, fewest_people : int, default 20 and 15
        No ratio is given where an arm has fewer.

    Returns
    -------
    OutcomeEffects
        `outcome`, `role`, `n_enrolled` and `n_controls` (people with the event), `estimate` (rate ratio), `lower`, `upper`,
        `p_value`, `p_holm` (of secondary outcomes); the primary first. `.differences` are per 100 person-years of enrolled
        people. An outcome that the study does not record has a row that says so.

    Raises
    ------
    ArgumentError
        If an outcome or role is unknown, or not exactly one outcome is primary.

    Notes
    -----
    The primary outcome is one test, and its p value stands as it is. Those of the secondary outcomes are adjusted by Holm's
    method for how many of them the study records. A negative control is an outcome that enrolling should not change, so that a
    difference in it says that the groups differ in something else.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6, 65-70.
    Lipsitch, M., Tchetgen Tchetgen, E. and Cohen, T. (2010). Negative controls: a tool for detecting confounding and bias in
    observational studies. Epidemiology 21, 383-388.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> sr.evaluation.outcome_effects(matched).estimates["role"].to_list()
    ['primary', 'secondary', 'secondary', 'negative control']
    """
    require_matched(matched, "outcome_effects")
    require_integers(horizon=(horizon, 1), fewest_events=(fewest_events, 0), fewest_people=(fewest_people, 0))
    normal_quantile(confidence)
    asked = _in_order(outcomes)
    absent = {name: why for name in asked if (why := why_absent(matched, name))}
    settings = {
        "method": "Poisson regression of enrolled people and weighted controls for each outcome; variance by person",
        "reference": "Hernan and Robins 2016", "matching": dict(matched.settings), "outcomes": asked, "not_recorded": absent,
        "horizon": horizon, "adjusted": adjust, "confidence": confidence, "fewest_events": fewest_events,
        "fewest_people": fewest_people, "correction": "holm", **matched.provenance.as_settings(),
    }  # fmt: skip
    effects: list[tuple[Any, ...]] = []
    counts: list[tuple[str, str, int]] = []
    for name in (one for one in asked if one not in absent):
        arms, _ = arms_of(matched, outcome_rows(matched, name, last=horizon))
        found = rates_of(matched, arms, name.replace("_", " "), adjust=adjust and name != "death")
        effects += [(name, *row) for row in found.rows]
        counts += [(name, arm, n) for arm, n in zip(ARMS, found.with_event, strict=True)]
    schema = {"outcome": pl.String, "measure": pl.String, "scale": pl.String, **ESTIMATED}
    estimated = pl.DataFrame(effects, schema=schema, orient="row").with_columns(
        pl.col("estimate", "standard_error").fill_nan(None)
    )
    tables = {
        "outcomes": pl.DataFrame({"outcome": list(asked), "role": list(asked.values())}),
        "effects": as_estimated(estimated, settings),
        "arms": arms_table(matched),
        "events": pl.DataFrame(
            counts, schema={"outcome": pl.String, "arm": pl.String, "n_with_event": pl.Int64}, orient="row"
        ),
    }
    return OutcomeEffects(tables, settings)


def _in_order(outcomes: Mapping[str, str]) -> dict[str, str]:
    """Return outcomes with their roles, in order of the roles.

    Raises
    ------
    ArgumentError
        If an outcome or role is unknown, or not exactly one outcome is primary.
    """
    if not isinstance(outcomes, Mapping):
        raise ArgumentError(f"outcomes gives each outcome its role, such as {dict(OUTCOMES)}.")
    for name, role in outcomes.items():
        require_one_of(name, [one for one in EVENTS if one != "readmission"], argument="outcomes")
        require_one_of(role, ROLES, argument=f"the role of '{name}'")
    primary = [name for name, role in outcomes.items() if role == PRIMARY]
    if len(primary) != 1:
        raise ArgumentError(
            f"{len(primary)} of {len(outcomes)} outcomes are primary: name one, before anything is seen."
        )
    return {name: role for wanted in ROLES for name, role in outcomes.items() if role == wanted}
