"""Fine and Gray's model of the cumulative incidence: people with a competing event stay at risk, with a falling weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np

from symphony_research.collapse import provenance_of
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import Array, normal_quantile
from symphony_research.survival.cox import TIES, CoxRegression, modelled
from symphony_research.survival.grid import checked_grid
from symphony_research.survival.model_rows import ModelRows, model_rows
from symphony_research.survival.partial_likelihood import fitted
from symphony_research.survival.risk_sets import Index, Tail
from symphony_research.words.lexicon import capital

__all__ = ["FineGrayRegression", "fine_gray"]


class FineGrayRegression(CoxRegression):
    """Subdistribution hazard ratios: what covariates do to the cumulative incidence of one cause."""

    title: ClassVar[str] = "Subdistribution hazard ratios (Fine and Gray)"
    ratio_words: ClassVar[str] = "subdistribution hazard ratio"


def fine_gray(
    frame: Any,
    *,
    time: str,
    event: str,
    covariates: str | Sequence[str],
    entry: str | None = None,
    cause: int = 1,
    cluster: str | None = None,
    weights: str | None = None,
    ties: str = "breslow",
    reference: Mapping[str, Any] | None = None,
    confidence: float = 0.95,
    time_unit: str | None = None,
    event_name: str | None = None,
    grid: Sequence[float] | None = None,
) -> FineGrayRegression:
    """Fit Fine and Gray's proportional subdistribution hazards model.

    Parameters
    ----------
    frame : frame
        One row per person, or per group of equal people with `weights`.
    time, event : str
        Column with the time at which follow-up ends, and how: 0 = censored,
        1, 2, ... = cause.
    covariates : str or sequence of str
        Numbers, yes and no, or text.
    entry : str, optional
        Column with the time from which each person was observed.
    cause : int, default 1
        The cause whose cumulative incidence is modelled.
    cluster : str, optional
        Column of ids over which the variance is robust; by default each person.
    weights : str, optional
        Integer numbers of people a row stands for.
    ties : {"breslow", "efron"}
        How events on one day are approximated.
    reference : mapping of str to level, optional
        Reference levels of text; by default the level most people have.
    confidence : float, default 0.95
        Of the intervals.
    time_unit, event_name : str, optional
        Unit of time, such as "days", and the event in words.
    grid : sequence of float, optional
        As in `cox_regression`.

    Returns
    -------
    FineGrayRegression
        As `CoxRegression`; the ratios are of subdistribution hazards.

    Raises
    ------
    ArgumentError
        As `cox_regression`, if there is no competing event, or if late entry leaves a time before which nobody
        who is at risk later had entered: the share that enters late cannot be estimated there.

    Notes
    -----
    Whoever has had a competing event at t stays at risk with weight G(u) / G(t), G the
    Kaplan-Meier estimate of being uncensored just before a time: R's `coxph` on `finegray()`, to
    the last digits. With late entry G is multiplied by H, the product-limit estimate, in reversed time, of
    having entered before a time (Geskus 2011), since those who died of the competing cause before they could
    enter are missing too. `crr` of R's package cmprsk differs in the third figure: it counts people with an
    event on the day of a censoring as still at risk of being censored, and its standard errors add what
    estimating G adds, where the sandwich takes G as known.

    References
    ----------
    Fine, J. P. and Gray, R. J. (1999). A proportional hazards model for the
    subdistribution of a competing risk. Journal of the American Statistical
    Association 94, 496-509.
    Geskus, R. B. (2011). Cause-specific cumulative incidence estimation and the Fine and
    Gray model under both left truncation and right censoring. Biometrics 67, 39-49.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> people = pl.DataFrame({"time": [1, 2, 3, 4, 5, 6, 7, 8], "event": [1, 2, 1, 0, 1, 2, 1, 0], "older": [1, 0, 0, 1, 1, 0, 0, 1]})
    >>> model = sr.survival.fine_gray(people, time="time", event="event", covariates="older")
    >>> model.estimates["covariate"].to_list()
    ['older']
    """
    require_one_of(ties, TIES, argument="ties")
    normal_quantile(confidence)
    own, names, _, causes = model_rows(
        frame, time=time, event=event, covariates=covariates, entry=entry, cluster=cluster, strata=(), weights=weights,
        sampling_weights=None, cause=cause, reference=reference,
    )  # fmt: skip
    kinds = own.rows["kind"].to_numpy()
    competing = np.flatnonzero((kinds > 0) & (kinds != cause))
    if not len(competing):
        raise ArgumentError(
            f"Event column '{event}' holds no cause but {cause}: without competing events use cox_regression."
        )
    own = replace(own, sets=replace(own.sets, tail=_tail(own, kinds, competing)))
    of = own.likelihood(ties)
    fit, at = fitted(of, own.covariates.names)
    tables = modelled(own, of, at, fit, robust=True, cluster=cluster, cause=cause)
    unit = time_unit or provenance_of(frame).population.get("time_unit")
    settings = {
        "method": f"Fine-Gray subdistribution hazard of cause {cause}, {capital(ties)} ties, robust variance",
        "reference": "Fine and Gray 1999; Geskus 2011", "time": time, "event": event, "entry": entry, "covariates": list(names),
        "cluster": cluster, "strata": [], "weights": weights, "ties": ties, "robust": True, "cause": cause, "causes": causes,
        "confidence": confidence, "time_unit": unit, "event_name": event_name or provenance_of(frame).population.get("event"),
        "grid": checked_grid(grid, unit), **provenance_of(frame).as_settings(),
    }  # fmt: skip
    return FineGrayRegression(tables, settings)


def _tail(own: ModelRows, kinds: Index, competing: Index) -> Tail:
    """Return the rows with a competing event, and the share that could be observed just before their and every event's time.

    Raises
    ------
    ArgumentError
        If that share is 0 just before a competing event.
    """
    times, people = own.rows["time"].to_numpy(), own.people
    entries = own.rows["entry"].to_numpy() if "entry" in own.rows.columns else None
    censored = kinds == 0
    moments = np.unique(times[censored])
    left = np.bincount(np.searchsorted(moments, times[censored]), people[censored], len(moments))
    # events on the day of a censoring come before it
    still = _after(times[censored], people[censored], moments, "left") + _after(
        times[~censored], people[~censored], moments, "right"
    )
    if entries is not None:  # whoever enters at a time is at risk after it
        still = still - _after(entries, people, moments, "left")
    uncensored = _steps(moments, np.concatenate([[1.0], np.cumprod(1 - left / still)]))

    def before(at: Array) -> Array:
        return uncensored(at) if entries is None else uncensored(at) * entered(at)

    if entries is not None:
        came = np.unique(entries)
        new = np.bincount(np.searchsorted(came, entries), people, len(came))
        # in reversed time people are at risk of entering from their own time back to their entry
        there = _after(times, people, came, "right") - _after(entries, people, came, "right")
        entered = _steps(came, np.concatenate([np.cumprod((1 - new / there)[::-1])[::-1], [1.0]]))
    share = before(times[competing])
    if (share <= 0).any():
        raise ArgumentError(
            f"Late entry cannot be allowed for: {int(people[competing][share <= 0].sum()):,} people had a competing event before a "
            "time at which all who are at risk entered. Begin later, with entry and time counted from there."
        )
    return Tail(competing, 1 / share, before(own.sets.times))


def _after(moments: Array, people: Array, at: Array, side: Literal["left", "right"]) -> Array:
    """Count people whose time is at or after each time ("left"), or after it ("right")."""
    order = np.argsort(moments, kind="stable")
    later = np.append(np.cumsum(people[order][::-1])[::-1], 0.0)
    return np.asarray(later[np.searchsorted(moments[order], at, side=side)])


def _steps(moments: Array, values: Array) -> Callable[[Array], Array]:
    """Return the function that is values[k] just before times after k of the moments."""
    return lambda at: np.asarray(values[np.searchsorted(moments, at, side="left")])
