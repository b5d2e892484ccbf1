"""What enrolling at that time changed, against not enrolling then: the rate ratio among enrolled people with controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.cohort.matched import Matched
from symphony_research.errors import require_one_of
from symphony_research.evaluation.balance import FIGURES, balance_tables, verdict
from symphony_research.evaluation.effect_tables import effect_tables
from symphony_research.evaluation.effect_words import RATIO, effect_sentence
from symphony_research.evaluation.estimated import (
    ESTIMATE_ROLES,
    as_estimated,
    as_released,
    require_integers,
    require_matched,
    shown_where,
    with_intervals,
)
from symphony_research.evaluation.release import ARMS, arm_cells, with_event_among
from symphony_research.evaluation.verdicts import FEWEST_EVENTS, FEWEST_PEOPLE, few_rule, verdict_of, with_ratio
from symphony_research.inference import normal_quantile
from symphony_research.policy import Policy
from symphony_research.result import KeyFigure, Result
from symphony_research.result.cells import Nested, Same, unrelated
from symphony_research.result.facts import of_whom
from symphony_research.result.roles import Count, Internal, Key, Mean, ModelEstimate, Quantile, TableRoles
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED, capital
from symphony_research.words.phrases import confidence_of

__all__ = ["EnrolmentEffect", "enrolment_effect"]

Tables = Mapping[str, pl.DataFrame]
KEPT, CENSORED = "kept", "censored"


class EnrolmentEffect(Result):
    """The rate of enrolled people over that of controls, with the difference, deaths, and the balance behind it."""

    title: ClassVar[str] = "Effect of enrolling at that time"
    figure: ClassVar[str | None] = "symphony_research.show.enrolment:plot_enrolment_effect"
    own_settings: ClassVar[frozenset[str]] = frozenset(
        {
            "matching",
            "outcome",
            "horizon",
            "adjusted",
            "resamples",
            "fewest_events",
            "fewest_people",
            "later_enrolment",
        }
    )
    shown: ClassVar[tuple[str, ...]] = ("measure", "estimate", "lower", "upper")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """People, events and deaths of each arm; estimates of a model; the balance without which they say nothing."""
        count = Count()
        return {
            "effects": TableRoles({"measure": Key(), **ESTIMATE_ROLES}),
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
        of_deaths = {**settings, "outcome": "death"}
        for row in tables["arms"].iter_rows(named=True):
            # as an effect on deaths counts them
            yield Same(arm_cells(row, "n_deaths", settings), arm_cells(row, "n_with_event", of_deaths))
        yield from with_event_among(tables["arms"], settings, ("n_with_event", "n_deaths"))
        yield Nested(unrelated("controls who enrolled later"), unrelated("controls"))

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return estimates with normal intervals, of ratios on the log scale; none of few events or people."""
        return with_intervals(tables["effects"], ["measure"], settings)

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
            "effects": as_released(tables["effects"], settings, policy),
        }

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out every estimate where a count of people of an arm is suppressed; that of deaths, where deaths are.

        Of controls censored when they enrol days and rate are omitted too where the number who enrol is suppressed: beside those of
        controls kept, they would disclose for how long people were enrolled, and so how many at least.
        """
        arms = tables["arms"]
        shown = not any(arms[c].null_count() for c in ("n_persons", "n_with_event"))
        died = shown and not arms["n_deaths"].null_count()
        kept = pl.when(pl.col("measure") == "death rate ratio").then(died).otherwise(shown)
        effects = shown_where(tables["effects"], kept)
        covariates = tables["covariates"].with_columns(pl.when(shown).then(c).alias(c) for c in FIGURES)
        if settings["later_enrolment"] == CENSORED and tables["later"]["n_persons"].null_count():
            own = pl.col("arm") == ARMS[0]
            arms = arms.with_columns(pl.when(own).then(c).alias(c) for c in ("mean_days", "rate"))
        return {**tables, "arms": arms, "effects": effects, "covariates": covariates}

    @property
    def balance(self) -> pl.DataFrame:
        """Standardised differences of each covariate before time zero: no effect is read without them."""
        self._refuse_undisclosed("The balance of")
        return self.count_tables["covariates"].select("covariate", *FIGURES)

    @property
    def arms(self) -> pl.DataFrame:
        """Of enrolled people and of controls: people, those with the event, deaths, mean days at risk, events per 100 person-years.

        People are those of the whole window, censored later or not.
        """
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

    @property
    def verdict(self) -> str:
        """What the interval of the rate ratio says, by rules stated beforehand, if the two groups were comparable."""
        row = self.row(RATIO)
        return verdict_of(row["lower"], row["upper"], EVENTS[self.settings["outcome"]].plural)

    @property
    def few(self) -> bool:
        """Whether an arm has too few events or people for a ratio to be given."""
        self._refuse_undisclosed("The verdict of")
        return bool(self.count_tables["effects"].filter(pl.col("measure") == RATIO)["few"][0])

    def heading(self) -> str:
        """Return the outcome, over which days, and who enrolled."""
        whom = of_whom(self.settings)
        days = "year" if self.settings["horizon"] == 365 else f"{self.settings['horizon']} days"
        what = f"{capital(EVENTS[self.settings['outcome']].plural)} in the {days} after enrolling, against comparable people"
        return f"{what}: {whom}" if whom else what

    def sentence(self) -> str:
        """Return who was compared, the effect, the verdict, what dilutes it, and deaths."""
        return effect_sentence(self)

    def key_figures(self) -> tuple[KeyFigure, ...]:
        """Return the rate ratio, by which hubs are compared."""
        row = self.row(RATIO)
        value = self.missing_marker({"measure": RATIO}, "estimate")
        if row["estimate"] is not None:
            value = with_ratio(row)
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
        """Return the verdict on balance, without which no effect is read, and the rule by which no ratio is given."""
        few = self.count_tables["effects"]["few"].any()
        return [verdict(self.balance), *([few_rule(self.settings)] if few else []), *super().notes(columns)]

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return the name of a measure."""
        if column == "measure":
            return capital(record["measure"])
        return super().format_cell(record, column)

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is not released, or cannot be estimated."""
        done = self.disclosure
        if done is None or done.policy.changes_nothing:
            return NOT_ESTIMABLE
        own = self.count_tables["effects"].filter((pl.col("measure") == record["measure"]) & pl.col("few"))
        return NOT_ESTIMABLE if own.height else SUPPRESSED


def enrolment_effect(
    matched: Matched,
    *,
    outcome: str = "emergency_admission",
    horizon: int = 365,
    later_enrolment: str = KEPT,
    adjust: bool = True,
    confidence: float = 0.95,
    resamples: int = 200,
    fewest_events: int = FEWEST_EVENTS,
    fewest_people: int = FEWEST_PEOPLE,
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
    later_enrolment : {"kept", "censored"}, default "kept"
        Whether controls who enrol later stay, so that the effect is against usual care, or are censored on the day they enrol,
        so that it is against not enrolling for `horizon` days. Who enrols differs from who does not: those who have not are
        weighted by the inverse probability of it, by what they had used until then.
    adjust : bool, default True
        Whether Poisson regression takes in the covariates, so that either the weights or the regression may be wrong. Where
        twice the events of the arm with fewer, of controls by their effective number, are under five for each coefficient it
        does not.
    confidence : float, default 0.95
    resamples : int, default 200
        Bootstrap resamples of people, for the interval of the mean number of events a person.
    fewest_events, fewest_people : int, default 20 and 15
        No ratio is given where an arm has fewer, of controls by their effective number; of an event of theirs that falls in
        several windows once.
    seed : int, default 2013

    Returns
    -------
    EnrolmentEffect
        `measure`, `estimate`, `lower`, `upper`, `p_value`: "rate ratio"; "rate difference per 100 person-years" of enrolled
        people; "death rate ratio" (by weights alone); "ratio of mean events a person", with death as terminal event, the
        check of the first, and only of controls kept. `.verdict`, `.balance`, `.arms` and `.later` stand beside it.

    Raises
    ------
    ArgumentError
        If the outcome is unknown or not recorded, nobody has it, or `later_enrolment` is neither.

    Notes
    -----
    The log rate ratio is the coefficient of being enrolled in Poisson regression with the logarithm of days at risk, weighted.
    Its variance is the sum over people of squares of what all their rows add to it, as enrolled and as controls, halfway
    between the sandwich and the one-step jackknife (to the second order of leverage CR2); with odds weights so does the score.

    With `later_enrolment="censored"` the hazard of enrolling is constant within steps of 30 days of a control and log-linear in
    the covariates of `match_controls` before each, sex and the half-year; it is 0 until somebody enrolled with the hub of the
    practice. Weights are one over the probability of not having enrolled by a day, not stabilised (rates are of the whole
    window), truncated at their 99th percentile, and taken as known by the variance. Released, estimates are as exact as
    the counts of people behind them (decision 11).

    References
    ----------
    Hernan, M. A. and Robins, J. M. (2016). Using big data to emulate a target trial when a randomized trial is not
    available. American Journal of Epidemiology 183, 758-764.
    Robins, J. M. and Finkelstein, D. M. (2000). Correcting for noncompliance and dependent censoring in an AIDS clinical trial
    with inverse probability of censoring weighted (IPCW) log-rank tests. Biometrics 56, 779-788.
    Mancl, L. A. and DeRouen, T. A. (2001). A covariance estimator for GEE with improved small-sample properties. Biometrics 57,
    126-134.
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
    require_matched(matched, "enrolment_effect")
    require_integers(
        horizon=(horizon, 1), resamples=(resamples, 2), fewest_events=(fewest_events, 0), fewest_people=(fewest_people, 0)
    )  # fmt: skip
    require_one_of(later_enrolment, (KEPT, CENSORED), argument="later_enrolment")
    normal_quantile(confidence)
    tables, adjusted = effect_tables(
        matched, outcome, horizon, adjust=adjust, resamples=resamples, seed=seed, censor=later_enrolment == CENSORED
    )
    settings = {
        "method": "Poisson regression of enrolled people and weighted controls, log days at risk; variance by person",
        "reference": "Hernan and Robins 2016", "matching": dict(matched.settings), "outcome": outcome, "horizon": horizon,
        "later_enrolment": later_enrolment, "adjusted": adjusted, "confidence": confidence, "resamples": resamples, "seed": seed,
        "fewest_events": fewest_events, "fewest_people": fewest_people,
        **matched.provenance.as_settings(),
    }  # fmt: skip
    covariates = balance_tables(matched, outcome, horizon)["covariates"]
    effects = as_estimated(tables["effects"], settings)
    return EnrolmentEffect({**tables, "effects": effects, "covariates": covariates}, settings)
