"""Cox's partial likelihood of collapsed rows: its maximum, its information, and what each row adds to its score.

With S0 the sum of the risks exp(x'b) of everybody at risk at a time with d events, D0 that of those with the event,
Efron's approximation divides each event's risk by S0 - (l / d) D0, l = 0, ..., d - 1 (Breslow's: by S0). All that is
needed of these d quotients are five sums by event time; second moments at each time are never formed, since the
events' share of them goes back to the rows: sum_k A_k sum_r risk_r x_r x_r' = sum_r risk_r (sum_k A_k) x_r x_r'.
One iteration so costs one product of the rows' design with itself.

References
----------
Cox, D. R. (1972). Regression models and life-tables. Journal of the Royal Statistical Society B 34, 187-220.
Efron, B. (1977). The efficiency of Cox's likelihood function for censored data. JASA 72, 557-565.
Lin, D. Y. and Wei, L. J. (1989). The robust inference for the Cox proportional hazards model. JASA 84, 1074-1078.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symphony_research.errors import ArgumentError
from symphony_research.inference import Array
from symphony_research.survival.risk_sets import Index, RiskSets, RowSums, sums_of

__all__ = ["FLAT", "Fit", "PartialLikelihood", "fitted", "refuse_separation", "require_independent"]

MOST_STEPS = 60
NEAR = 1e-8  # a step so small, in standard deviations of a covariate, is the last one: the next would be its square
FLAT = 1e-10  # of the information at 0: under it a coefficient has run away, or columns say the same


@dataclass(frozen=True)
class At:
    """The likelihood at coefficients b: risks, and sums over tied events by event time."""

    value: float
    risk: Array  # exp(x'b) of each unit
    a: Array  # sum of 1 / (S0 - l/d D0), times the mean weight of the events
    b: Array  # the same of l/d
    c0: Array  # sum of 1 / (S0 - l/d D0)^2, times the mean weight
    c1: Array  # the same of l/d
    c2: Array  # the same of (l/d)^2


@dataclass(frozen=True)
class Fit:
    """The maximum, on the scale of the covariates as they were given.

    Attributes
    ----------
    estimate : (p,) array
    covariance : (p, p) array
        Inverse of the information.
    log_likelihood, log_likelihood_null : float
    score_statistic : float
        Of the hypothesis that all coefficients are 0.
    """

    estimate: Array
    covariance: Array
    log_likelihood: float
    log_likelihood_null: float
    score_statistic: float


class PartialLikelihood:
    """The partial likelihood of rows of equal people.

    Parameters
    ----------
    sets : RiskSets
    design : (P, p) array
        Of the distinct patterns of covariates; column-major, so that columns are read one after the other.
    pattern : (R,) array
        Which pattern each row is of.
    people : (R,) array
        How many people a row stands for: as if it were there so many times.
    sampling : (R,) array
        Sampling weight of each of them.
    ties : {"efron", "breslow"}
    """

    def __init__(
        self, sets: RiskSets, design: Array, pattern: Index, people: Array, sampling: Array, ties: str
    ) -> None:
        self.sets, self.pattern, self.people, self.sampling = sets, pattern, people, sampling
        self.sums = sums_of(sets, pattern, len(design), people * sampling)
        self.by_row = isinstance(self.sums, RowSums)
        self.design = np.asfortranarray(design[pattern]) if self.by_row else design
        self._patterns = design
        self.deaths = np.rint(sets.of_events(people)).astype(np.int64)
        self.mean_weight = sets.of_events(people * sampling) / self.deaths
        self.efron = ties == "efron" and bool((self.deaths > 1).any())
        self.events = self.sums.back_from_events(np.ones(sets.n_times))
        if self.efron:
            self._first = np.concatenate([[0], np.cumsum(self.deaths)[:-1]])
            of = np.repeat(np.arange(sets.n_times), self.deaths)
            self._of, self._share = of, (np.arange(len(of)) - self._first[of]) / self.deaths[of]

    def at(self, b: Array) -> At:
        """Return the likelihood and its sums at coefficients b."""
        eta = self.design @ b
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            risk = np.exp(eta)
            s0, d0 = self.sums.at_risk(risk), self.sums.of_events(risk)
            own = float((self.events * eta).sum())
            m = self.mean_weight
            if not self.efron:
                zero, a = np.zeros_like(s0), m * self.deaths / s0
                value = own - float((m * self.deaths * np.log(s0)).sum())
                return At(value, risk, a, zero, a / s0, zero, zero)
            left = s0[self._of] - self._share * d0[self._of]
            one = 1 / left
            a, b1 = self._summed(one), self._summed(one * self._share)
            square = one * one
            c0, c1 = self._summed(square), self._summed(square * self._share)
            c2 = self._summed(square * self._share**2)
            value = own - float((m * self._summed(np.log(left))).sum())
        return At(value, risk, m * a, m * b1, m * c0, m * c1, m * c2)

    def _summed(self, values: Array) -> Array:
        return np.asarray(np.add.reduceat(values, self._first))

    def slopes(self, at: At) -> tuple[Array, Array]:
        """Return the score (p,) and the information (p, p)."""
        hazard = self._hazard(at, None)
        return np.asarray(self.design.T @ (self.events - at.risk * hazard)), self._information(at, None, hazard)

    def score(self, at: At, by_time: Array | None = None) -> Array:
        """Return the score (p,); `by_time` weighs the event times, as covariates times a function of time have it."""
        observed = self.events if by_time is None else self.sums.back_from_events(by_time)
        return np.asarray(self.design.T @ (observed - at.risk * self._hazard(at, by_time)))

    def _hazard(self, at: At, by_time: Array | None) -> Array:
        """Return the cumulative hazard of each unit over its people, events taking their share of ties."""
        a, b = (at.a, at.b) if by_time is None else (by_time * at.a, by_time * at.b)
        found = self.sums.back_from_risk(a)
        return found - self.sums.back_from_events(b) if self.efron else found

    def information(self, at: At, by_time: Array | None = None) -> Array:
        """Return the information (p, p), event times weighed as in `score`."""
        return self._information(at, by_time, self._hazard(at, by_time))

    def _information(self, at: At, by_time: Array | None, hazard: Array) -> Array:
        g = np.ones(self.sets.n_times) if by_time is None else by_time
        spread = at.risk * hazard
        found = self.design.T @ (self.design * spread[:, None])
        s1, d1 = self._first_moments(at)
        found -= s1.T @ (s1 * (g * at.c0)[:, None])
        if self.efron:
            mixed = s1.T @ (d1 * (g * at.c1)[:, None])
            found += mixed + mixed.T - d1.T @ (d1 * (g * at.c2)[:, None])
        return np.asarray((found + found.T) / 2)

    def _first_moments(self, at: At) -> tuple[Array, Array]:
        weighed = self.design * at.risk[:, None]
        return self.sums.at_risk(weighed), self.sums.of_events(weighed) if self.efron else np.zeros((1, 1))

    def hazard_of_means(self, at: At) -> Array:
        """Return, by event time, the mean of the covariates of those at risk times the increment of the hazard (K, p)."""
        s1, d1 = self._first_moments(at)
        return np.asarray(at.c0[:, None] * s1 - (at.c1[:, None] * d1 if self.efron else 0))

    def residuals(self, at: At) -> Array:
        """Return what one person of each row adds to the score (R, p), before the sampling weight."""
        sets = self.sets
        design = self.design if self.by_row else self._patterns[self.pattern]
        risk = at.risk if self.by_row else at.risk[self.pattern]
        s1, d1 = self._first_moments(at)
        d = d1 if self.efron else np.zeros_like(s1)
        m = self.mean_weight[:, None]
        per_event = (at.a[:, None] * s1 - at.b[:, None] * d) / (m * self.deaths[:, None])
        means, tied = at.c0[:, None] * s1 - at.c1[:, None] * d, at.c1[:, None] * s1 - at.c2[:, None] * d
        hazard = sets.while_at_risk(at.a) - sets.at_own_event(at.b)
        of_means = sets.while_at_risk(means) - sets.at_own_event(tied)
        found = risk[:, None] * (of_means - design * hazard[:, None])
        found[sets.happened] += design[sets.happened] - per_event[sets.when]
        return np.asarray(found)


def fitted(of: PartialLikelihood, names: list[str]) -> tuple[Fit, At]:
    """Return the maximum of the partial likelihood, by Newton and Raphson with step halving.

    Parameters
    ----------
    of : PartialLikelihood
    names : list of str
        Of the covariates behind the columns, for messages.

    Returns
    -------
    (Fit, At)

    Raises
    ------
    ArgumentError
        Where columns say the same, or the likelihood has no maximum (separation).
    """
    b = np.zeros(of.design.shape[1])
    at = of.at(b)
    null, (score, information) = at.value, of.slopes(at)
    scale = np.sqrt(np.maximum(np.diag(information), 0.0))
    require_independent(information, scale, names)
    score_statistic = float(score @ np.linalg.solve(information, score))
    for _ in range(MOST_STEPS):
        step = _step(information, score, scale, names)
        size = 1.0
        new = of.at(b + step)
        worse = at.value - 1e-12 * abs(at.value)
        while not (np.isfinite(new.value) and new.value >= worse) and size > 1e-6:
            size /= 2
            new = of.at(b + size * step)
        b, at = b + size * step, new
        score, information = of.slopes(at)
        if np.abs(step).max(initial=0.0) < NEAR and size == 1.0:
            break
    else:
        refuse_separation(step, names)
    _step(information, score, scale, names)
    return Fit(b, np.asarray(np.linalg.inv(information), dtype=np.float64), at.value, null, score_statistic), at


def _step(information: Array, score: Array, scale: Array, names: list[str]) -> Array:
    """Return Newton's step; a direction that has lost its information is one in which the likelihood has no maximum."""
    if not np.isfinite(information).all():
        refuse_separation(np.ones(len(names)), names)
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    if values.min(initial=1.0) < FLAT:
        refuse_separation(vectors[:, 0] / scale, names)
    return np.asarray(vectors @ ((vectors.T @ (score / scale)) / values) / scale)


def require_independent(information: Array, scale: Array, names: list[str]) -> None:
    """Raise ArgumentError where covariates do not vary among those at risk, or say the same as others together."""
    flat = [name for name, s in zip(names, scale, strict=True) if not s > 0]
    if flat:
        raise ArgumentError(
            f"Covariate {_list(flat)} does not vary among the people at risk at any event (within strata): leave it out."
        )
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    if values.min(initial=1.0) < FLAT:
        same = [name for name, part in zip(names, vectors[:, 0], strict=True) if abs(part) > 1e-3]
        raise ArgumentError(f"Covariates {_list(same)} are collinear: one follows from the others. Leave one out.")


def refuse_separation(direction: Any, names: list[str]) -> None:
    """Raise ArgumentError naming the covariates along whose direction the likelihood rises without end."""
    size = np.abs(np.asarray(direction))
    running = [name for name, s in zip(names, size, strict=True) if s > 0.1 * size.max(initial=1e-300)]
    raise ArgumentError(
        f"The likelihood has no maximum: covariate {_list(running)} separates those with the event from those without, "
        "such as a level in which nobody has it. Join levels, or leave it out."
    )


def _list(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in dict.fromkeys(names))
