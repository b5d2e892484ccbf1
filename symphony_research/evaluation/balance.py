"""Whether enrolled people and their controls were similar before time zero."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.cohort.matched import Matched
from symphony_research.evaluation.estimated import require_matched
from symphony_research.evaluation.moments import is_binary, moments, standardised_differences
from symphony_research.evaluation.prognosis import prognostic_score
from symphony_research.evaluation.release import ARMS, arm_cells, arms_table, one_side_shown, stepped_to
from symphony_research.inference import Array
from symphony_research.policy import Policy
from symphony_research.result import Result
from symphony_research.result.roles import Count, Internal, Key, ModelEstimate, TableRoles
from symphony_research.words.lexicon import NOT_ESTIMABLE, SUPPRESSED, capital
from symphony_research.words.numbers import number

__all__ = ["PROGNOSTIC", "Balance", "balance", "balance_tables"]

Tables = Mapping[str, pl.DataFrame]
PROGNOSTIC, PROPENSITY = "prognostic score", "log hazard of enrolling"
BALANCED, NEARLY = 0.1, 0.25  # standard deviations: the usual limits (Stuart 2010)
FIGURES = ("smd_before", "smd_after", "variance_ratio")


class Balance(Result):
    """Standardised differences of each covariate between enrolled people and candidates, and their controls."""

    title: ClassVar[str] = "Balance of enrolled people and controls"
    figure: ClassVar[str | None] = "symphony_research.show.love:plot_balance"
    own_settings: ClassVar[frozenset[str]] = frozenset({"matching", "outcome", "horizon"})
    shown: ClassVar[tuple[str, ...]] = ("covariate", *FIGURES)
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "covariate": "Before time zero", "smd_before": "Standardised difference from all candidates",
            "smd_after": "From controls", "variance_ratio": "Variance ratio",
        }
    )  # fmt: skip

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Differences are model estimates; of a covariate that few people have, none is released."""
        return {
            "covariates": TableRoles(
                {
                    "covariate": Key(), **dict.fromkeys(FIGURES, ModelEstimate()), "n_few": Internal(),
                    "n_persons": Count(),
                },
                lambda record, column, settings: arm_cells({"arm": ARMS[0]}, column, settings),
            ),
            "arms": TableRoles({"arm": Key(), "n_persons": Count()}, arm_cells),
        }  # fmt: skip

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Any]:
        """Yield nothing: enrolled people and controls are two populations, which may share people."""
        yield from ()

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the differences, in the order in which they were measured."""
        return tables["covariates"].select("covariate", *FIGURES)

    @staticmethod
    def release_form(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...], policy: Policy) -> Tables:
        """Return differences to steps that a change of a few people makes, and none of what few people have."""
        if policy.changes_nothing or "released" in settings:
            return tables
        fewest = tables["arms"]["n_persons"].min()
        few = pl.col("n_few") <= policy.threshold
        frame = tables["covariates"].with_columns(
            pl.when(~few).then(stepped_to(pl.col(c), policy.rounding, fewest)).alias(c) for c in FIGURES
        )
        return {**tables, "covariates": frame}

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Leave out every difference where the number of enrolled people or of controls is suppressed."""
        shown = one_side_shown(tables["arms"])
        return {
            **tables,
            "covariates": tables["covariates"].with_columns(pl.when(shown).then(c).alias(c) for c in FIGURES),
        }

    @property
    def largest(self) -> dict[str, Any] | None:
        """The covariate that differs most after matching, of those shown."""
        frame = self.estimates.filter(pl.col("smd_after").is_not_null())
        if not frame.height:
            return None
        return frame.sort(pl.col("smd_after").abs(), descending=True, maintain_order=True).row(0, named=True)

    def sentence(self) -> str:
        """Return the verdict: whether enrolled people and controls were balanced."""
        return verdict(self.estimates)

    def missing_marker(self, record: Mapping[str, Any], column: str) -> str:
        """Return the mark of what is suppressed; a share has no variance ratio."""
        done = self.disclosure
        if done is None or done.policy.changes_nothing:
            return NOT_ESTIMABLE
        return SUPPRESSED if column != "variance_ratio" or record.get("smd_after") is None else NOT_ESTIMABLE


def verdict(frame: pl.DataFrame) -> str:
    """Return whether enrolled people and controls were balanced, from the rows of a balance table."""
    known = frame.filter(pl.col("smd_after").is_not_null())
    if not known.height:
        return "Too few people are matched for their balance to be shown."
    worst = known.sort(pl.col("smd_after").abs(), descending=True, maintain_order=True).row(0, named=True)
    size = abs(worst["smd_after"])
    apart = known.filter(pl.col("smd_after").abs() >= BALANCED).height
    most = f"the largest difference is {number(round(size, 2))} standard deviations ({worst['covariate']})"
    if not apart:
        return f"Enrolled people and controls are balanced in all {number(known.height)} covariates: {most}."
    how = "differ somewhat" if size < NEARLY else "are not balanced"
    return capital(
        f"enrolled people and controls {how} in {number(apart)} of {number(known.height)} covariates: {most}"
        f"{'' if size < NEARLY else ', so that an effect may be a difference that was there before'}."
    )


def balance(matched: Matched, *, outcome: str = "emergency_admission", horizon: int = 365) -> Balance:
    """Compare enrolled people with all candidates, and with their controls, as they were before time zero.

    Parameters
    ----------
    matched : Matched
        What `match_controls` returns.
    outcome : str, default "emergency_admission"
        Of which the prognostic score is: the rate that covariates let expect without enrolling.
    horizon : int, default 365
        Days after time zero in which the outcome is counted.

    Returns
    -------
    Balance
        `covariate`, `smd_before` and `smd_after` (enrolled less candidates and less controls, in standard deviations of
        the enrolled who have controls), `variance_ratio` (enrolled over controls; none of a share). The last rows are the
        score by which people were matched and the prognostic score.

    Raises
    ------
    ArgumentError
        If the outcome is unknown.

    Notes
    -----
    Of a control who is used several times the weights add up. A difference under 0.1 is usually taken as none.

    References
    ----------
    Austin, P. C. (2009). Balance diagnostics for comparing the distribution of baseline covariates between treatment groups
    in propensity-score matched samples. Statistics in Medicine 28, 3083-3107.
    Stuart, E. A., Lee, B. K. and Leacy, F. P. (2013). Prognostic score-based balance measures can be a useful diagnostic for
    propensity score methods in comparative effectiveness research. Journal of Clinical Epidemiology 66, S84-S90.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> sr.evaluation.balance(matched).estimates.columns
    ['covariate', 'smd_before', 'smd_after', 'variance_ratio']
    """
    require_matched(matched, "balance")
    settings = {
        "method": "standardised differences of means, in standard deviations of enrolled people with controls",
        "reference": "Austin 2009", "matching": dict(matched.settings), "outcome": outcome, "horizon": horizon,
        **matched.provenance.as_settings(),
    }  # fmt: skip
    return Balance(balance_tables(matched, outcome, horizon), settings)


def balance_tables(matched: Matched, outcome: str, horizon: int) -> dict[str, pl.DataFrame]:
    """Return the tables of a balance."""
    sets, weight = matched._sets, matched._weight
    names, columns = [*sets.measured.names, PROPENSITY], [sets.measured.values, matched._score[:, None]]
    score = prognostic_score(matched, outcome, horizon)
    if score is not None:
        names, columns = [*names, PROGNOSTIC], [*columns, score[:, None]]
    x = np.hstack(columns)
    treated = sets.treated
    own, controls = treated & (weight > 0), ~treated & (weight > 0)
    figures = differences(x, own, ~treated, controls, weight, 1 / sets.share)
    few = np.minimum(_off_mode(x[own]), _off_mode(x[controls]))
    arms = arms_table(matched)
    frame = pl.DataFrame(
        {
            "covariate": names,
            **{c: pl.Series(v).fill_nan(None) for c, v in zip(FIGURES, figures, strict=True)},
            "n_few": few,
        }
    ).with_columns(pl.lit(arms["n_persons"][0], dtype=pl.Int64).alias("n_persons"))
    return {"covariates": frame, "arms": arms}


def differences(
    x: Array,
    own: NDArray[np.bool_],
    candidates: NDArray[np.bool_],
    controls: NDArray[np.bool_],
    weight: Array,
    stands_for: Array,
) -> tuple[Array, Array, Array]:
    """Return standardised differences before and after, and variance ratios."""
    binary = is_binary(x)
    one = moments(x[own], weight[own], binary)
    before = moments(x[candidates], stands_for[candidates], binary)
    after = moments(x[controls], weight[controls], binary)
    with np.errstate(divide="ignore", invalid="ignore"):
        shared = np.logical_or(binary, after.variance <= 1e-16 * after.mean**2)
        ratio = np.where(shared, np.nan, one.variance / after.variance)
    return (
        standardised_differences(one, before, one.variance),
        standardised_differences(one, after, one.variance),
        np.where(np.isfinite(ratio), ratio, np.nan),
    )


def _off_mode(x: Array) -> Array:
    """Return how many rows do not have the commonest value of a column."""
    return np.array([len(x) - np.unique(column, return_counts=True)[1].max() for column in x.T], dtype=np.int64)
