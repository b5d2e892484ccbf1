"""What enrolling at that time changed, against not enrolling then: the rate ratio among enrolled people with controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.cohort.matched import Matched
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.balance import FIGURES, balance_tables, verdict
from symphony_research.evaluation.effect_tables import effect_tables
from symphony_research.evaluation.release import ARMS, arm_cells, released_estimates
from symphony_research.inference import normal_quantile, two_sided_normal_p
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, Result
from symphony_research.result.cells import Nested, unrelated
from symphony_research.result.roles import Count, Internal, Key, Known, Mean, ModelEstimate, Quantile, TableRoles
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED
from symphony_research.words.numbers import number, percentage, roughly
from symphony_research.words.phrases import confidence_of

__all__ = ["EnrolmentEffect", "enrolment_effect"]

Tables = Mapping[str, pl.DataFrame]
RATIO = "rate ratio"


class EnrolmentEffect(Result):
    """The rate of enrolled people over that of controls, with the difference, deaths, and the balance behind it."""

    title: ClassVar[str] = "Effect of enrolling at that time"
    figure: ClassVar[str | None] = "symphony_research.show.enrolment:plot_enrolment_effect"
    own_settings: ClassVar[frozenset[str]] = frozenset({"matching", "outcome", "horizon", "adjusted", "resamples"})
    shown: ClassVar[tuple[str, ...]] = ("measure", "estimate", "lower", "upper")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """People, events and deaths of each arm; estimates of a model; the balance without which they say nothing."""
        count = Count()
        return {
            "effects": TableRoles(
                {
                    "measure": Key(), "scale": Known(), "estimate": ModelEstimate(), "standard_error": ModelEstimate(),
                    "cell": Internal(), "unit": Internal(), "free": Internal(),
                }
            ),
            "arms": TableRoles(
                {
                    "arm": Key(), "n_persons": count, "n_with_event": count, "n_deaths": count,
                    "mean_days": Mean("n_persons"), "rate": ModelEstimate(),
                },
                arm_cells,
            ),
            "later": TableRoles(
                {"n_persons": count, "share_enrolled": ModelEstimate(), "median_days": Quantile("n_persons")},
                lambda record, column, settings: unrelated("controls who enrolled later"),
            ),
            "covariates": TableRoles(
                {"covariate": Key(), **dict.fromkeys(FIGURES, ModelEstimate()), "n_few": Internal(), "n_persons": Count()},
                lambda record, column, settings: arm_cells({"arm": ARMS[0]}, column, settings),
            ),
        }  # fmt: skip

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield that those with the event, and those who died, are among the people of their arm; arms may share people."""
        for row in tables["arms"].iter_rows(named=True):
            for column in ("n_with_event", "n_deaths"):
                yield Nested(arm_cells(row, column, settings), arm_cells(row, "n_persons", settings))
        yield Nested(unrelated("controls who enrolled later"), unrelated("controls"))

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return estimates with normal intervals, of ratios on the log scale."""
        frame, z = tables["effects"], normal_quantile(settings["confidence"])
        value, error = (
            frame[c].cast(pl.Float64).fill_null(float("nan")).to_numpy() for c in ("estimate", "standard_error")
        )
        log = (frame["scale"] == "log").to_numpy()
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            ends = [np.where(log, np.exp(value + k * error), value + k * error) for k in (0.0, -z, z)]
            p = two_sided_normal_p(value / error)
        made = frame.select("measure").with_columns(
            pl.Series(name, values).fill_nan(None)
            for name, values in zip(("estimate", "lower", "upper", "p_value"), (*ends, p), strict=True)
        )
        if "released" in settings:
            made = made.with_columns(
                pl.col("estimate", "lower", "upper").round_sig_figs(3), pl.col("p_value").round_sig_figs(2)
            )
        return made

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return estimates as exact as the counts behind them, and none of few people."""
        if policy.changes_nothing or "released" in settings:
            return tables
        from symphony_research.evaluation.balance import Balance

        balanced = Balance.release_form(
            {"covariates": tables["covariates"], "arms": tables["arms"]}, settings, by, policy
        )
        return {
            **tables,
            "covariates": balanced["covariates"],
            "effects": released_estimates(tables["effects"], settings["confidence"], policy),
        }

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out every estimate where a count of people of an arm is suppressed; that of deaths, where deaths are."""
        arms = tables["arms"]
        shown = not any(arms[c].null_count() for c in ("n_persons", "n_with_event"))
        died = shown and not arms["n_deaths"].null_count()
        kept = pl.when(pl.col("measure") == "death rate ratio").then(died).otherwise(shown)
        effects = tables["effects"].with_columns(pl.when(kept).then(c).alias(c) for c in ("estimate", "standard_error"))
        covariates = tables["covariates"].with_columns(pl.when(shown).then(c).alias(c) for c in FIGURES)
        return {**tables, "effects": effects, "covariates": covariates}

    @property
    def balance(self) -> pl.DataFrame:
        """Standardised differences of each covariate before time zero: no effect is read without them."""
        self._refuse_undisclosed("The balance of")
        return self.count_tables["covariates"].select("covariate", *FIGURES)

    @property
    def arms(self) -> pl.DataFrame:
        """Of enrolled people and of controls: people, those with the event, deaths, mean days at risk, events per 100 person-years."""
        self._refuse_undisclosed("The arms of")
        return self.count_tables["arms"].select("arm", "n_persons", "n_with_event", "n_deaths", "mean_days", "rate")

    @property
    def later(self) -> pl.DataFrame:
        """Controls who enrolled later: how many, after how many days, and their share of the time at risk of all controls."""
        self._refuse_undisclosed("Later enrolment of")
        return self.count_tables["later"]

    def row(self, measure: str) -> dict[str, Any]:
        """Return one row of the estimates by its measure."""
        return self.estimates.filter(pl.col("measure") == measure).row(0, named=True)

    def sentence(self) -> str:
        """Return the rate ratio with its interval, what dilutes it, and whether enrolled people and controls were balanced."""
        row, what = self.row(RATIO), EVENTS[self.settings["outcome"]].plural
        balanced = verdict(self.balance)
        if row["estimate"] is None:
            return f"Too few people are matched for an effect on {what} to be shown."
        people = self.count_tables["arms"]["n_persons"][0]
        figure = f"{number(row['estimate'])} ({confidence_of(self.settings)} {number(row['lower'])} to {number(row['upper'])})"
        clear = row["lower"] > 1 or row["upper"] < 1
        told = (
            f"In the {self.settings['horizon']} days after enrolling, the rate of {what} of about {roughly(people)} people was "
            f"{figure} times that of comparable people who did not enrol that day{'' if clear else ': no clear difference'}."
        )
        share = self.count_tables["later"]["share_enrolled"][0]
        diluted = (
            f" Controls spent {percentage(share)} of this time enrolled themselves, which dilutes an effect."
            if share
            else ""
        )
        return f"{told}{diluted} {balanced}"

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the rate ratio, by which hubs are compared."""
        row = self.row(RATIO)
        value = SUPPRESSED
        if row["estimate"] is not None:
            value = f"{number(row['estimate'])} ({number(row['lower'])} to {number(row['upper'])})"
        what = f"Rate ratio of {EVENTS[self.settings['outcome']].plural}, {self.settings['horizon']} days"
        return (KeyFigure(what, value, what, f"{self.settings['horizon']} days"),)

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings."""
        how = confidence_of(self.settings)
        return MappingProxyType(
            {"measure": "Measure", "estimate": "Estimate", "lower": f"{how}, lower", "upper": f"{how}, upper"}
        )

    def notes(self, columns: Any) -> list[str]:
        """Return the verdict on balance: no effect is read without it."""
        return [verdict(self.balance), *super().notes(columns)]

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released, or cannot be estimated."""
        done = self.disclosure
        return NOT_ESTIMABLE if done is None or done.policy.changes_nothing else SUPPRESSED


def enrolment_effect(
    matched: Matched,
    *,
    outcome: str = "emergency_admission",
    horizon: int = 365,
    adjust: bool = True,
    confidence: float = 0.95,
    resamples: int = 200,
    seed: int = 2013,
) -> EnrolmentEffect:
    """Estimate what enrolling at that time changed, against not enrolling then.

    The effect is that among enrolled people with comparable controls. Controls who enrol later stay: later enrolment is part
    of usual care. How many do, when, and for what share of the time stands beside the effect, which they dilute.

    Parameters
    ----------
    matched : Matched
        What `match_controls` returns; with `score="odds_weights"` the variance allows for the score.
    outcome : str, default "emergency_admission"
        An event of `cohort.EVENTS`, but for "readmission".
    horizon : int, default 365
        Events of days 1 to this one after time zero count, while alive and registered; the end of the data censors.
    adjust : bool, default True
        Whether Poisson regression takes in the covariates, so that either the weights or the regression may be wrong. Where
        there are under five events for each coefficient it does not.
    confidence : float, default 0.95
    resamples : int, default 200
        Bootstrap resamples of people, for the interval of the mean number of events a person.
    seed : int, default 2013

    Returns
    -------
    EnrolmentEffect
        `measure`, `estimate`, `lower`, `upper`, `p_value`: "rate ratio"; "rate difference per 100 person-years" of enrolled
        people; "death rate ratio" (by weights alone); "ratio of mean events a person", with death as terminal event, the
        check of the first. `.balance`, `.arms` and `.later` stand beside it.

    Raises
    ------
    ArgumentError
        If the outcome is unknown or not recorded, or nobody has it.

    Notes
    -----
    The log rate ratio is the coefficient of being enrolled in Poisson regression with the logarithm of days at risk, weighted.
    Its variance is the sum over people of squares of what all their rows, as enrolled and as controls, add, without correction
    for small samples (HC0); with odds weights so is what their rows add to the score. Released, estimates are as exact as
    the counts of people behind them (decision 11).

    References
    ----------
    Hernan, M. A. and Robins, J. M. (2016). Using big data to emulate a target trial when a randomized trial is not
    available. American Journal of Epidemiology 183, 758-764.
    Ghosh, D. and Lin, D. Y. (2000). Nonparametric analysis of recurrent events and death. Biometrics 56, 554-562.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> cohort = sr.define_cohort(study, programme="complex_care")
    >>> matched = sr.evaluation.match_controls(study, cohort, score="odds_weights", seed=1)
    >>> sr.evaluation.enrolment_effect(matched).estimates["measure"].to_list()[0]
    'rate ratio'
    """
    if not isinstance(matched, Matched):
        raise ArgumentError(f"enrolment_effect takes what match_controls returns, not {type(matched).__name__}.")
    for name, value, least in (("horizon", horizon, 1), ("resamples", resamples, 2)):
        if type(value) is not int or value < least:
            raise ArgumentError(f"{name}={value!r} must be an integer, at least {least}.")
    normal_quantile(confidence)
    tables, adjusted = effect_tables(matched, outcome, horizon, adjust=adjust, resamples=resamples, seed=seed)
    settings = {
        "method": "Poisson regression of enrolled people and weighted controls, log days at risk; variance by person",
        "reference": "Hernan and Robins 2016", "matching": dict(matched.settings), "outcome": outcome, "horizon": horizon,
        "adjusted": adjusted, "confidence": confidence, "resamples": resamples, "seed": seed,
        **matched.provenance.as_settings(),
    }  # fmt: skip
    covariates = balance_tables(matched, outcome, horizon)["covariates"]
    return EnrolmentEffect({**tables, "covariates": covariates}, settings)
