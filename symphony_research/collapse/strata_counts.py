"""People with each condition in each stratum that is adjusted for: internal, for what adjusted figures tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from symphony_research.collapse.margins import split
from symphony_research.collapse.within_strata import Row
from symphony_research.result.cells import at_least
from symphony_research.result.forms import AdjustedForms, Ratios
from symphony_research.result.roles import Adjustment, Internal, TableRoles

__all__ = ["factor_role", "forms_of_sets", "roles_of_strata", "strata_table"]

Array = NDArray[np.float64]
NEVER = -1e4  # log of zero, kept finite: its exponential is zero


# with few strata these tell a small count of one, where expected people do not
_OF_FEW = ("spread", "variance_factor")
# variances are rounded up
_UPWARDS = ("spread", "odds_spread", "variance_factor")


def factor_role(name: str, beside: Sequence[str] = ("expected_factor",)) -> Adjustment:
    """Return how a figure by which strata change another may be released: expected people by their form, others beside them."""
    if name in beside:
        return Adjustment(told=name.replace("expected_factor", "figures"))
    return Adjustment(tuple(beside), name in _UPWARDS, name in _OF_FEW)


def roles_of_strata(adjust: Sequence[str]) -> TableRoles:
    """Return the roles of the table of strata: nothing of it is released."""
    return TableRoles(dict.fromkeys([*adjust, "condition", "n_persons", "people"], Internal()))


def strata_table(row: Row, adjust: Sequence[str], conditions: Sequence[str], held: NDArray[np.int64]) -> pl.DataFrame:
    """Return people with each condition, and people, of every stratum of a row.

    Parameters
    ----------
    held : (S, K) array
        People with each condition in each stratum.
    """
    n = len(conditions)
    table = pl.DataFrame(
        {
            "condition": pl.Series(list(conditions) * len(row.starts), dtype=pl.String),
            "n_persons": pl.Series(held.reshape(-1), dtype=pl.Int64),
            "people": pl.Series(np.repeat(row.stratum_people, n), dtype=pl.Int64),
        }
    )
    return table.select(*[row.frame[name][np.repeat(row.starts, n)] for name in adjust], pl.all())


def forms_of_sets(
    strata: pl.DataFrame,
    sets: pl.DataFrame,
    inside: NDArray[np.bool_],
    place: tuple[str, str],
    by: tuple[str, ...],
    settings: Mapping[str, Any],
    *,
    exact: bool = False,
    linear: bool = True,
    side: str = "",
) -> Iterator[AdjustedForms]:
    """Return, of each condition, what the expected people of sets are of its people by stratum.

    Within strata E = sum of N (product of P / N over the set; of exact sets times that of 1 - P / N over all
    others), in the whole row the same of its totals; the figure is their ratio.

    Parameters
    ----------
    strata : frame
        As `strata_table` makes it, with the strata of the result in front.
    sets : frame
        The rows that the figures stand in, with the strata of the result.
    inside : (F, K) array
        Which conditions each set has.
    place : (table, column)
        Where the figures stand.
    exact : bool
        Whether the absence of every other condition belongs to a set.
    linear : bool
        Whether the figures are of this form; else only their conditions are stated.
    side : str
        Which of two populations that are compared.
    """
    conditions, adjust = settings["conditions"], settings["adjust"]
    numbered = sets.with_row_index("__row").select("__row", *by)
    for own, rows in split(by, strata, numbered):
        if not own.height or not rows.height or not conditions:
            continue
        at = rows["__row"].to_numpy()
        people = own["people"].to_numpy().reshape(-1, len(conditions))[:, 0]
        held = own["n_persons"].to_numpy().reshape(-1, len(conditions))
        record = own.row(0, named=True)
        row_names = [(name, record[name]) for name in by]
        levels = own[:: len(conditions)].select("people", *adjust).rows()
        names = [[*row_names, *zip(adjust, level[1:], strict=True)] for level in levels]
        factors = _StratumFactors(inside[at], held, people, exact=exact)
        for k, condition in enumerate(conditions):
            whole = at_least((condition,)).on_side(side)
            involved = np.arange(len(at)) if exact else np.flatnonzero(inside[at, k])
            yield AdjustedForms(
                whole.within(row_names) if row_names else whole,
                tuple(whole.within(one) for one in names),
                held[:, k],
                people,
                tuple((place[0], int(at[f]), place[1]) for f in involved),
                partial(factors.ratios, k, involved) if linear else None,
            )


class _StratumFactors:
    """The probability of sets in each stratum and in the row, as products over conditions."""

    def __init__(
        self, inside: NDArray[np.bool_], held: NDArray[np.int64], people: NDArray[np.int64], *, exact: bool
    ) -> None:
        self.inside, self.people = inside, people.astype(float)
        share = np.vstack([held / people[:, None], held.sum(axis=0) / people.sum()])  # the last is the row's
        self.log_in, self.log_out = _log(share), _log(1 - share)
        self.of_sets = inside.astype(float) @ self.log_in.T
        if exact:
            self.of_sets += (~inside).astype(float) @ self.log_out.T

    def ratios(self, k: int, figures: NDArray[np.int64]) -> Ratios:
        """Return the figures as ratios in the counts of one condition."""
        has = self.inside[figures, k][:, None]
        others = np.exp(self.of_sets[figures] - np.where(has, self.log_in[:, k], self.log_out[:, k]))
        # those with the condition, or those without it
        sign = np.where(has, 1.0, -1.0)
        within, whole = others[:, :-1], others[:, -1:]
        absent = ~has[:, 0]
        return Ratios(
            sign * within,
            np.where(absent, within @ self.people, 0.0),
            np.repeat(sign * whole, len(self.people), axis=1),
            np.where(absent, whole[:, 0] * self.people.sum(), 0.0),
        )


def _log(share: Array) -> Array:
    return np.where(share > 0, np.log(np.where(share > 0, share, 1.0)), NEVER)
