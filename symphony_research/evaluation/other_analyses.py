"""The primary effect beside those of other choices, and beside what is seen without controls: one row each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.before_after import BeforeAfter
from symphony_research.evaluation.differences import MEASURES, DifferenceInDifferences
from symphony_research.evaluation.effect import EnrolmentEffect
from symphony_research.evaluation.effect_words import RATIO
from symphony_research.evaluation.estimated import with_intervals
from symphony_research.evaluation.period_tables import effect_roles, effects_frame
from symphony_research.evaluation.protocol_keys import SENSITIVITY
from symphony_research.evaluation.release import ARMS, arm_cells, released_estimates, where_counted, with_event_among
from symphony_research.evaluation.verdicts import with_ratio
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.not_available import NotAvailable
from symphony_research.result.roles import Count, Key, TableRoles
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED, capital
from symphony_research.words.numbers import number
from symphony_research.words.phrases import confidence_of

__all__ = ["OtherAnalyses", "other_analyses"]

Tables = Mapping[str, pl.DataFrame]
PRIMARY, CHANGE, NAIVE = "primary", "difference in differences", "before and after"
COUNTED = ("n_persons", "n_with_event")
KEPT = ("matching", "horizon", "study", "fingerprint", "generated", "population", "note")  # settings of the effect
NAMES = {PRIMARY: "primary analysis", NAIVE: "before and after, without controls"}


class OtherAnalyses(Result):
    """Rate ratios of one outcome by the primary analysis, by other choices, and without controls."""

    title: ClassVar[str] = "The same effect by other analyses"
    figure: ClassVar[str | None] = "symphony_research.show.effect_forests:plot_other_analyses"
    own_settings: ClassVar[frozenset[str]] = frozenset({"matching", "outcome", "horizon", "matched_on"})
    shown: ClassVar[tuple[str, ...]] = ("analysis", "estimate", "lower", "upper")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return that each row is an estimate of a model; people of each arm, and those with the event, as of the primary effect."""
        return {
            "effects": effect_roles(analysis=Key()),
            "arms": TableRoles({"arm": Key(), **dict.fromkeys(COUNTED, Count())}, arm_cells),
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that those with the event are among the people of their arm; arms may share people."""
        yield from with_event_among(tables["arms"], settings, COUNTED[1:])

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the ratios with their intervals."""
        return with_intervals(tables["effects"], ["analysis"], settings)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return ratios as exact as the counts behind them, and none of few people."""
        if policy.changes_nothing or "released" in settings:
            return tables
        return {**tables, "effects": released_estimates(tables["effects"], settings["confidence"], policy)}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out every ratio where a count behind the primary effect is suppressed, as the effect itself is then."""
        return {**tables, "effects": where_counted(tables["effects"], tables["arms"], COUNTED)}

    def row(self, analysis: str) -> dict[str, Any]:
        """Return one row of the estimates by its analysis."""
        return self.estimates.filter(pl.col("analysis") == analysis).row(0, named=True)

    def analysis_words(self, row: Mapping[str, Any]) -> str:
        """Return what an analysis does, in words."""
        name = row["analysis"]
        said = NAMES.get(name, SENSITIVITY[name][0] if name in SENSITIVITY else name)
        if name == CHANGE and self.settings.get("matched_on"):
            said = f"{name}, over days that were matched on"
        return said

    def is_quiet(self, row: Mapping[str, Any]) -> bool:
        """Whether what a row says is no effect: of before and after, or differences over days that were matched on."""
        return row["analysis"] == NAIVE or (row["analysis"] == CHANGE and bool(self.settings.get("matched_on")))

    def sentence(self) -> str:
        """Return how far other choices move the effect, and what is seen without controls."""
        frame = self.estimates.filter(pl.col("estimate").is_not_null())
        others = [r for r in frame.iter_rows(named=True) if r["analysis"] != PRIMARY and not self.is_quiet(r)]
        what = EVENTS[self.settings["outcome"]].plural
        parts = []
        if others:
            low, high = (number(end(row["estimate"] for row in others)) for end in (min, max))
            span = low if low == high else f"{low} to {high}"
            parts.append(
                f"By {number(len(others))} other choice{'s' if len(others) > 1 else ''} of analysis the ratio of {what} is {span}."
            )
        naive = [row for row in frame.iter_rows(named=True) if row["analysis"] == NAIVE]
        if naive:
            parts.append(
                f"Without controls the rate after enrolling is {with_ratio(naive[0])} times that before: people enrol after a crisis, and "
                "most of such a change comes without enrolling (regression to the mean)."
            )
        return " ".join(parts) or "Too few people are matched for other analyses to be shown."

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return what an analysis does."""
        if column == "analysis":
            return capital(self.analysis_words(record))
        return super().format_cell(record, column)

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        return MappingProxyType(
            {"analysis": "Analysis", "estimate": "Rate ratio", "lower": f"{how}, lower", "upper": f"{how}, upper"}
        )

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released, or cannot be estimated."""
        done = self.disclosure
        return NOT_ESTIMABLE if done is None or done.policy.changes_nothing else SUPPRESSED


def other_analyses(
    effect: EnrolmentEffect,
    *,
    before_after: BeforeAfter | NotAvailable | None = None,
    differences: DifferenceInDifferences | NotAvailable | None = None,
    **variants: EnrolmentEffect | NotAvailable,
) -> OtherAnalyses:
    """Set the primary effect beside those of other choices, and beside what is seen without controls.

    Parameters
    ----------
    effect : EnrolmentEffect
        The primary one, not released yet.
    before_after : BeforeAfter, optional
        Of the same people, in grey where it is drawn: it is no effect.
    differences : DifferenceInDifferences, optional
        By Poisson regression; in grey where the period before was matched on.
    **variants : EnrolmentEffect
        By the names of a protocol's sensitivity analyses. What cannot be estimated (`NotAvailable`) is a row without a ratio.

    Returns
    -------
    OtherAnalyses
        `analysis`, `estimate` (rate ratio), `lower`, `upper`, `p_value`.

    Raises
    ------
    ArgumentError
        If an effect is released already, or of another outcome.

    References
    ----------
    Steegen, S., Tuerlinckx, F., Gelman, A. and Vanpaemel, W. (2016). Increasing transparency through a multiverse analysis.
    Perspectives on Psychological Science 11, 702-712.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> effect = sr.evaluation.enrolment_effect(matched)
    >>> naive = sr.evaluation.before_after(matched)
    >>> sr.evaluation.other_analyses(effect, before_after=naive).estimates["analysis"].to_list()
    ['primary', 'before and after']
    """
    outcome = effect.settings["outcome"]
    given = [effect, before_after, differences, *variants.values()]
    for one in given:
        if one is None or isinstance(one, NotAvailable):
            continue
        if one.disclosure is not None:
            raise ArgumentError("other_analyses takes effects before they are released: give it to suppress with them.")
        if one.settings["outcome"] != outcome:
            raise ArgumentError("other_analyses takes effects on one outcome.")
    rows = [_of_effect(PRIMARY, effect), *(_of_effect(name, one) for name, one in variants.items())]
    matched_on = False
    if isinstance(differences, DifferenceInDifferences):
        if differences.settings["model"] != "poisson":
            raise ArgumentError("other_analyses sets ratios side by side: give differences by method='poisson'.")
        rows.append(_of_table(CHANGE, differences.count_tables["effects"], pl.col("measure") == MEASURES["poisson"]))
        matched_on = bool(differences.settings["matched_on"])
    if isinstance(before_after, BeforeAfter):
        rows.append(_of_table(NAIVE, before_after.count_tables["effects"], pl.col("arm") == ARMS[0]))
    settings = {
        "method": "rate ratios side by side", "reference": "Steegen et al. 2016", "outcome": outcome, "matched_on": matched_on,
        "confidence": effect.settings["confidence"],
        **{k: effect.settings[k] for k in KEPT if k in effect.settings},
    }  # fmt: skip
    arms = effect.count_tables["arms"].select("arm", *COUNTED)
    return OtherAnalyses({"effects": effects_frame(rows, analysis=pl.String), "arms": arms}, settings)


def _of_effect(name: str, effect: EnrolmentEffect | NotAvailable) -> tuple[Any, ...]:
    if isinstance(effect, NotAvailable):
        return (name, "log", None, None, 0, 1.0, 0)
    frame = effect.count_tables["effects"]
    if frame.filter(pl.col("measure") == RATIO)["few"][0]:
        return (name, "log", None, None, 0, 1.0, 0)
    return _of_table(name, frame, pl.col("measure") == RATIO)


def _of_table(name: str, frame: pl.DataFrame, chosen: pl.Expr) -> tuple[Any, ...]:
    columns = ("scale", "estimate", "standard_error", "cell", "unit", "free")
    return (name, *frame.filter(chosen).select(columns).row(0))
