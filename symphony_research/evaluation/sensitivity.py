"""How far an effect may be trusted: what an unmeasured confounder would need, and how large an effect could have been seen."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.effect import EnrolmentEffect, Tables
from symphony_research.evaluation.effect_words import RATIO, error_of
from symphony_research.evaluation.guards import e_value, minimum_detectable_ratio
from symphony_research.evaluation.verdicts import POWER, detectable_words, few_rule
from symphony_research.result import KeyFigure
from symphony_research.words.numbers import number

__all__ = ["Sensitivity", "sensitivity"]

E_OF_ESTIMATE, E_OF_LIMIT = "E-value of the rate ratio", "E-value of the limit nearer 1"
BELOW, ABOVE = "detectable ratio below 1", "detectable ratio above 1"
GUARDS = (E_OF_ESTIMATE, E_OF_LIMIT, BELOW, ABOVE)


class Sensitivity(EnrolmentEffect):
    """An effect read again: E-values of its rate ratio, and the ratios that could have been seen. It is released as the effect is."""

    title: ClassVar[str] = "Unmeasured confounding, and what could have been seen"
    figure: ClassVar[str | None] = None
    shown: ClassVar[tuple[str, ...]] = ("measure", "estimate")

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return what follows from the rate ratio and its interval, as they are shown."""
        row = EnrolmentEffect.derive(tables, settings, by).filter(pl.col("measure") == RATIO).row(0, named=True)
        found: list[float | None] = [None] * len(GUARDS)
        if row["estimate"] is not None:
            needed = e_value(row["estimate"], row["lower"], row["upper"])
            error = error_of(row, settings)
            found = [needed.estimate, needed.limit, *minimum_detectable_ratio(error, confidence=settings["confidence"])]
        made = pl.DataFrame({"measure": GUARDS, "estimate": pl.Series(found, dtype=pl.Float64)})
        return made.with_columns(pl.col("estimate").round_sig_figs(3)) if "released" in settings else made

    def row(self, measure: str) -> dict[str, Any]:
        """Return one row by its measure."""
        return self.estimates.filter(pl.col("measure") == measure).row(0, named=True)

    @property
    def effect(self) -> EnrolmentEffect:
        """The effect that it is of."""
        return EnrolmentEffect(self.count_tables, self.settings, self.by, self.disclosure)

    @property
    def verdict(self) -> str:
        """That of the effect."""
        return self.effect.verdict

    def sentence(self) -> str:
        """Return how large an effect could have been seen, and what an unmeasured confounder would have to be."""
        what = EVENTS[self.settings["outcome"]].plural
        found = dict(self.estimates.iter_rows())
        if found[E_OF_ESTIMATE] is None:
            few = f"{few_rule(self.settings)} " if self.few else ""
            return f"{few}There is no rate ratio of {what} of which to say how large an effect could have been seen."
        seen = detectable_words(error_of(self.effect.row(RATIO), self.settings), self.settings["confidence"], what)
        return f"{seen} {_needed_words(found, what)}".strip()

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return nothing: hubs are compared by their effects."""
        return ()

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        return MappingProxyType({"measure": "Measure", "estimate": "Ratio"})

    def notes(self, columns: Any) -> list[str]:
        """Return what the figures mean."""
        return [
            "E-value: how many times as common in one group, and by how many times raising the rate, something that was not "
            f"measured would have to be. Detectable: found with {POWER:.0%} power by what the numbers allowed.",
            *super().notes(columns),
        ]

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark that the rate ratio would have."""
        return super().missing_marker({"measure": RATIO}, column)


def _needed_words(found: Mapping[str, float | None], what: str) -> str:
    estimate, limit = found[E_OF_ESTIMATE], found[E_OF_LIMIT]
    assert estimate is not None
    assert limit is not None
    if limit <= 1:
        return ""  # the interval holds no difference: nothing is needed to explain it
    return (
        f"To explain the ratio away, something not measured would have to be {number(estimate)} times as common in one of the two "
        f"groups and raise the rate of {what} {number(estimate)} times; {number(limit)} times each would take its interval to no "
        "difference."
    )


def sensitivity(effect: EnrolmentEffect) -> Sensitivity:
    """Return E-values of an effect, and how large an effect could have been seen.

    Parameters
    ----------
    effect : EnrolmentEffect
        What `enrolment_effect` returns. Of a released one all comes from its released figures.

    Returns
    -------
    Sensitivity
        `measure`, `estimate`: the E-value of the rate ratio and of the limit of its interval nearer 1, and the ratios below
        and above 1 that would have been found with 80% power. None where no ratio is given.

    Raises
    ------
    ArgumentError
        If it is not an effect.

    References
    ----------
    VanderWeele, T. J. and Ding, P. (2017). Sensitivity analysis in observational research: introducing the E-value. Annals of
    Internal Medicine 167, 268-274.
    Bloom, H. S. (1995). Minimum detectable effects: a simple way to report the statistical power of experimental designs.
    Evaluation Review 19, 547-556.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> effect = sr.evaluation.enrolment_effect(matched)
    >>> sr.evaluation.sensitivity(effect).estimates["measure"].to_list()[:2]
    ['E-value of the rate ratio', 'E-value of the limit nearer 1']
    """
    if type(effect) is not EnrolmentEffect:
        raise ArgumentError(f"sensitivity takes what enrolment_effect returns, not {type(effect).__name__}.")
    return Sensitivity(effect.count_tables, effect.settings, effect.by, effect.disclosure)
