"""How central conditions, and sets of them, are in the hypergraph of combinations that people have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from symphony_research.collapse import Patterns
from symphony_research.collapse.bits import Integers, frequent_sets, unpack
from symphony_research.collapse.margins import as_float, pattern_settings, split, strata_margins
from symphony_research.collapse.patterns import combination_names
from symphony_research.collapse.set_roles import MARGINS, POPULATION, SET_KEYS, of_set
from symphony_research.collapse.within_strata import Row, tables_of_rows
from symphony_research.errors import ArgumentError, require_one_of
from symphony_research.inference import Array
from symphony_research.networks.centrality import leading_eigenvector
from symphony_research.networks.edges import require_own_names
from symphony_research.policy import mining_threshold
from symphony_research.result import Result
from symphony_research.result.roles import Count, TableRoles
from symphony_research.words.numbers import about, number
from symphony_research.words.phrases import joined, stratum_words

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["FORMS", "SetCentrality", "set_centrality"]

Tables = Mapping[str, pl.DataFrame]

FORMS = ("conditions", "sets", "both")
TOLERANCE = 1e-12  # of the length of a step: the iteration has then settled
MOST_ITERATIONS = 10_000
_OWN = ("kind", "weight", "centrality")


class SetCentrality(Result):
    """Conditions and sets of conditions by their centrality in the hypergraph of combinations."""

    figure: ClassVar[str | None] = None
    minimum_size_tables: ClassVar[tuple[str, ...]] = ("sets",)
    own_settings: ClassVar[frozenset[str]] = frozenset({"most_iterations", "own_weights", "tolerance"})
    title: ClassVar[str] = "Centrality of conditions and sets of conditions"
    shown: ClassVar[tuple[str, ...]] = ("kind", "combination", "size", "n_persons", "weight", "centrality")

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people with each set and each condition, and all."""
        sets = TableRoles({**SET_KEYS, "n_persons": Count()}, of_set)
        return {"sets": sets, "margins": MARGINS, "population": POPULATION}

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Weigh conditions and sets by the counts there are, and find the leading eigenvector.

        A set whose people, or those of one of its conditions, are suppressed drops
        out: that it is there would say that somebody has it.
        """
        parts = [
            _of_stratum(margins, sets, population, settings)
            for population, margins, sets in split(by, tables["population"], tables["margins"], tables["sets"])
        ]
        ordered = [*by, "kind", "combination", "size", "n_persons", "weight", "centrality"]
        return pl.concat(parts).select(ordered)

    def sentence(self) -> str:
        """Name the most central set and condition, and say which sets were looked at."""
        frame = self.estimates.filter(pl.col("centrality") > 0)
        least, most = self.settings["min_size"], self.settings["max_size"]
        size = f"{least} conditions or more" if most is None else f"{least} to {most} conditions"
        size = f"{least} conditions" if most == least else size
        held = f"sets of {size} that at least {number(self.settings['min_persons'])} people have"
        if self.estimates["centrality"].is_null().any() and not frame.height and self._any_set():
            return f"Among {held}, the centrality did not settle."
        if not frame.height:
            return f"There are no {held}, so nothing is central."
        told = []
        for kind in ("set", "condition"):
            own = frame.filter(pl.col("kind") == kind)
            if own.height:
                first = own.sort("centrality", descending=True, maintain_order=True).row(0, named=True)
                what = "set" if kind == "set" else "condition"
                told.append(
                    f"the most central {what}{stratum_words(first, self.by)} is {joined(first['combination'])} "
                    f"(about {about(first['n_persons'])} people)"
                )
        return f"Among {held}, {' and '.join(told)}."

    def _any_set(self) -> bool:
        return self.estimates.filter(pl.col("kind") == "set").height > 0


def set_centrality(
    patterns: Patterns,
    *,
    form: str = "both",
    own_weights: bool = True,
    min_size: int = 2,
    max_size: int | None = None,
    min_persons: int = 10,
) -> SetCentrality:
    """Rank conditions, and sets of them, by their centrality in the hypergraph of combinations.

    In a hypergraph a line may join any number of conditions: here every set of
    conditions that enough people have is a line through its members.

    Parameters
    ----------
    patterns : Patterns
        Collapsed people; strata are hypergraphs of their own.
    form : {"both", "conditions", "sets"}
        "conditions": conditions, joined by the sets that hold both (the
        authors' "standard" form). "sets": sets, joined by the conditions they
        share ("dual"). "both": conditions and sets at once, a condition joined
        with the sets it is in ("bipartite").
    own_weights : bool, default True
        Whether a condition (or set) counts by its own weight too, and not only
        by the weights of what joins it to others; of no effect on "both".
        Without, the largest sets are the most central, since they share the
        most conditions with others, however few people have them.
    min_size, max_size : int
        Conditions in a set, from (at least two) and to; by default to all.
    min_persons : int, default 10
        Leave out sets that fewer people have, by the counts that are shown.

    Returns
    -------
    SetCentrality
        One row per stratum and condition or set: `kind` ("condition" or
        "set"), `combination` (list of str), `size`, `n_persons` with at least
        these conditions, `weight` and `centrality` (the squares of a stratum
        add up to 1), the most central first.

    Raises
    ------
    ArgumentError
        On an unknown form, sizes the wrong way round, or more than five million sets.

    Notes
    -----
    The weight of a set is its overlap coefficient: people with all of it over
    people with its rarest member. The weight of a condition is its prevalence.
    With M the conditions x sets matrix of membership, W the weights of sets and
    V those of conditions, all diagonal, centrality is the leading eigenvector
    of M W M' without its diagonal ("conditions"), of M' V M without its
    diagonal ("sets"), or of the matrix that joins each condition with its sets
    by W ("both"). With `own_weights` the first is multiplied by the square root
    of V on either side, the second by that of W.

    The sets x sets matrix is never made: power iteration multiplies by M and M'
    in turn, with a shift of half the largest diagonal element so that it
    settles, until a step is shorter than 1e-12 or after 10,000 steps
    (`settings`); had it not settled, centrality would be missing.

    Where the hypergraph falls apart, centrality is of the part with most
    conditions (then most sets, then the first in the alphabet) and 0 elsewhere.

    The package of the authors, multimorbidity_hypergraphs, leaves out the set
    of all conditions: `max_size=len(patterns.conditions) - 1` gives theirs.

    References
    ----------
    Rafferty, J. et al. (2021). Ranking sets of morbidities using hypergraph
    centrality. Journal of Biomedical Informatics 122, 103916.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> ranked = sr.networks.set_centrality(patterns, form="sets", max_size=2, min_persons=5)
    >>> ranked.estimates.columns
    ['kind', 'combination', 'size', 'n_persons', 'weight', 'centrality']
    """
    require_one_of(form, FORMS, argument="form")
    require_own_names(patterns.by, _OWN, "set_centrality")
    if min_size < 2 or min_persons < 1 or (max_size is not None and max_size < min_size):
        raise ArgumentError(
            "min_size and max_size must be a range of sizes from two on, and min_persons at least 1: a set joins "
            "conditions."
        )
    limits = (min_size, max_size, mining_threshold(min_persons))
    tables = tables_of_rows(patterns, patterns.by, (), lambda row: {"sets": _sets(patterns.conditions, row, limits)})
    margins, population = strata_margins(patterns)
    return SetCentrality(
        {**tables, "margins": margins, "population": population},
        pattern_settings(
            patterns,
            "leading eigenvector of the hypergraph of at-least sets weighed by overlap; power iteration",
            "Rafferty 2021",
            form=form,
            own_weights=bool(own_weights),
            min_size=min_size,
            max_size=max_size,
            min_persons=min_persons,
            tolerance=TOLERANCE,
            most_iterations=MOST_ITERATIONS,
        ),
        patterns.by,
    )


def _sets(conditions: tuple[str, ...], row: Row, limits: tuple[int, int | None, int]) -> pl.DataFrame:
    min_size, max_size, floor = limits
    found = frequent_sets(
        row.words, row.people[:, None], len(conditions), min_persons=floor, min_size=min_size, max_size=max_size
    )
    bits = unpack(found.words, len(conditions))
    frame = pl.DataFrame({"size": bits.sum(axis=1, dtype=np.int64), "n_persons": found.sums[:, 0]})
    frame = frame.insert_column(0, combination_names(bits, conditions))
    # an order that says nothing of the counts
    return frame.sort(["size", pl.col("combination").list.join(" ")])


def _of_stratum(
    margins: pl.DataFrame, sets: pl.DataFrame, population: pl.DataFrame, settings: Mapping[str, Any]
) -> pl.DataFrame:
    people = as_float(margins["n_persons"])
    total = as_float(population["n_persons"])
    prevalence = people / total[0] if len(total) and total[0] > 0 else np.full(len(people), np.nan)
    sets = sets.filter((pl.col("n_persons") >= max(settings["min_persons"], 1)).fill_null(False))
    member, rarest = _membership(sets, margins["condition"], people)
    shown = ~np.isnan(rarest)
    sets, member, rarest = sets.filter(pl.Series(shown, dtype=pl.Boolean)), member[shown], rarest[shown]
    overlap = np.minimum(as_float(sets["n_persons"]) / rarest, 1)
    on_conditions, on_sets = _centralities(member, overlap, np.nan_to_num(prevalence), settings)
    names = [c for c in margins.columns if c not in ("condition", "n_persons")]
    conditions = margins.select(
        *names,
        pl.lit("condition").alias("kind"),
        pl.concat_list(pl.col("condition")).alias("combination"),
        pl.lit(1, dtype=pl.Int64).alias("size"),
        pl.col("n_persons"),
        pl.Series("weight", prevalence, dtype=pl.Float64).fill_nan(None),
        pl.Series("centrality", on_conditions, dtype=pl.Float64)
        .fill_nan(None)
        .set(margins["n_persons"].is_null(), None),
    )
    listed = sets.select(
        *names,
        pl.lit("set").alias("kind"),
        "combination",
        "size",
        "n_persons",
        pl.Series("weight", overlap, dtype=pl.Float64),
        pl.Series("centrality", on_sets, dtype=pl.Float64).fill_nan(None),
    )
    kinds = {"conditions": [conditions], "sets": [listed], "both": [conditions, listed]}[settings["form"]]
    # of equals the smaller and then the first by name; what rounding leaves of a tie does not order them
    near = pl.col("centrality").round_sig_figs(9)
    order = [near, pl.col("size"), pl.col("combination").list.join(" ")]
    return pl.concat([k.sort(order, descending=[True, False, False], nulls_last=True) for k in kinds])


def _membership(sets: pl.DataFrame, conditions: pl.Series, people: Array) -> tuple[csr_array, Array]:
    """Return the sets x conditions matrix of 0 and 1, and the people with the rarest member of each set."""
    from scipy.sparse import csr_array

    place = {name: k for k, name in enumerate(conditions)}
    flat = sets.select(pl.col("combination").list.explode(keep_nulls=False, empty_as_null=False))["combination"]
    columns = flat.replace_strict(place, return_dtype=pl.Int64).to_numpy() if len(flat) else np.zeros(0, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sets["combination"].list.len().to_numpy())]).astype(np.int64)
    member = csr_array((np.ones(len(columns)), columns, starts), shape=(sets.height, len(place)))
    rarest = np.minimum.reduceat(people[columns], starts[:-1]) if sets.height else np.zeros(0)
    return member, rarest


def _centralities(
    member: csr_array, overlap: Array, prevalence: Array, settings: Mapping[str, Any]
) -> tuple[Array, Array]:
    """Return the centrality of conditions and of sets: of the largest part, 0 elsewhere."""
    on_conditions, on_sets = np.zeros(len(prevalence)), np.zeros(len(overlap))
    sets, conditions = _largest_part(member)
    if not len(sets):
        return on_conditions, on_sets
    part = member[sets][:, conditions]
    w, v = overlap[sets], prevalence[conditions]
    if settings["form"] == "both":
        joined_up = part.multiply(w[:, None]).tocsr()
        # the leading vector of the joined matrix is made of the leading singular vectors, each of them by half
        on_conditions[conditions] = leading_eigenvector((joined_up.T @ joined_up).toarray()) / np.sqrt(2)
        found = joined_up @ on_conditions[conditions]
        on_sets[sets] = found / np.linalg.norm(found) / np.sqrt(2)
    elif settings["form"] == "conditions":
        matrix = (part.T @ part.multiply(w[:, None])).toarray()
        np.fill_diagonal(matrix, 0)
        own = np.sqrt(v) if settings["own_weights"] else np.ones(len(v))
        on_conditions[conditions] = leading_eigenvector(matrix * own[:, None] * own)
    else:
        own = np.sqrt(w) if settings["own_weights"] else np.ones(len(w))
        on_sets[sets] = _power_iteration(part, own, v, settings["tolerance"], settings["most_iterations"])
    return on_conditions, on_sets


def _largest_part(member: csr_array) -> tuple[Integers, Integers]:
    """Return the sets and the conditions of the connected part with most conditions, then sets, then the first name."""
    from scipy.sparse import block_array
    from scipy.sparse.csgraph import connected_components

    n_sets, n_conditions = member.shape
    if not n_sets:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    n, part = connected_components(block_array([[None, member], [member.T, None]]), directed=False)
    of_sets, of_conditions = part[:n_sets], part[n_sets:]
    firsts = np.full(n, n_conditions)
    np.minimum.at(firsts, of_conditions, np.arange(n_conditions))
    sizes = np.bincount(of_conditions, minlength=n)
    largest = np.lexsort((firsts, -np.bincount(of_sets, minlength=n), -sizes))[0]
    return np.flatnonzero(of_sets == largest), np.flatnonzero(of_conditions == largest)


def _power_iteration(member: csr_array, own: Array, linking: Array, tolerance: float, most: int) -> Array:
    """Return the leading eigenvector of own (M V M' - its diagonal) own, for sets in the rows of M.

    The matrix with its diagonal has no eigenvalue below 0, so without it none
    is below minus the largest diagonal element: shifted up by half of that, the
    leading eigenvalue is the largest in size too, and the iteration settles.
    """
    columns = member.T.tocsr()
    diagonal = own**2 * (member @ linking)
    shift = diagonal.max() / 2
    vector = np.full(len(own), 1 / np.sqrt(len(own)))
    for _ in range(most):
        new = own * (member @ (linking * (columns @ (own * vector)))) - diagonal * vector + shift * vector
        new /= np.linalg.norm(new)
        if np.linalg.norm(new - vector) < tolerance:
            return np.asarray(np.abs(new))
        vector = new
    return np.full(len(own), np.nan)
