"""Compare two networks: each pair's observed/expected in one group against the other's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.collapse import Patterns, names_of
from symphony_research.collapse.margins import as_float
from symphony_research.collapse.strata_counts import factor_role, forms_of_sets
from symphony_research.collapse.within_strata import split_strata
from symphony_research.errors import ArgumentError
from symphony_research.inference import FOUND, adjusted_p, normal_quantile
from symphony_research.networks.cooccurrence import Cooccurrence
from symphony_research.networks.permutation import FACTORS, from_networks, from_patterns, with_margins
from symphony_research.networks.ratio import ratios_of_groups
from symphony_research.result import Provenance, Result, passed_on
from symphony_research.result.cells import CellDefinition, at_least, everybody
from symphony_research.result.forms import AdjustedForms
from symphony_research.result.roles import Count, Internal, Key, Known, Level, Role, TableRoles
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import about, times
from symphony_research.words.phrases import adjusted_for, stratum_words

__all__ = ["NetworkComparison", "compare"]

Tables = Mapping[str, pl.DataFrame]

# a released p value is the first of these that it does not exceed
LEVELS = (0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
_P_VALUES = ("p_value", "family_wise_p")


def _of_group(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return those of one of the two groups whom a count of pairs, conditions or people is of."""
    named = [record[name] for name in ("source", "target", "condition") if name in record]
    return (at_least(named) if named else everybody()).on_side(column[-1])


def _roles(keys: tuple[str, ...], count: str, others: Mapping[str, Role]) -> TableRoles:
    counts = dict.fromkeys((f"{count}_a", f"{count}_b"), Count())
    return TableRoles({**dict.fromkeys(keys, Key()), **counts, **others}, _of_group)


def _roles_of(adjusted: bool) -> Mapping[str, TableRoles]:
    # with nothing adjusted for, each factor is 1
    factors: dict[str, Role] = dict.fromkeys(FACTORS, Known())
    if adjusted:
        factors = {name: factor_role(name, FACTORS[:2]) for name in FACTORS}
        factors |= dict.fromkeys(("figures_a", "figures_b"), Known())
    return MappingProxyType(
        {
            "pairs": _roles(("source", "target"), "n_both", {**factors, **dict.fromkeys(_P_VALUES, Level(LEVELS))}),
            "margins": _roles(("condition",), "n_persons", {}),
            "population": _roles((), "n_persons", {"overall_p": Level(LEVELS)}),
        }
    )


def _strata_roles(adjust: Sequence[str]) -> TableRoles:
    both = [f"{name}_{side}" for name in ("n_persons", "people") for side in "ab"]
    return TableRoles(dict.fromkeys([*adjust, "condition", *both], Internal()))


class NetworkComparison(Result):
    """Each pair of conditions in two groups of people: how much more often than expected in each, and whether they differ."""

    figure: ClassVar[str | None] = "symphony_research.show.ranked:plot_comparison"
    title: ClassVar[str] = "Pairs of conditions in two groups"
    own_settings: ClassVar[frozenset[str]] = frozenset({"permutations"})
    shown: ClassVar[tuple[str, ...]] = (
        "source",
        "target",
        "n_both_a",
        "n_both_b",
        "observed_expected_a",
        "observed_expected_b",
        "ratio",
        "lower",
        "upper",
        "q_value",
        "family_wise_p",
    )

    @property
    def column_words(self) -> Mapping[str, str]:  # type: ignore[override]
        """Headings with the names of the groups."""
        named = {}
        for side, name in zip("ab", self.settings["names"], strict=True):
            named[f"n_both_{side}"] = f"With both: {in_words(name)}"
            named[f"expected_{side}"] = f"Expected if conditions were independent: {in_words(name)}"
            named[f"observed_expected_{side}"] = f"Observed/expected ratio: {in_words(name)}"
        return named

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Observed/expected in each group, their ratio with its interval, and the adjusted p values."""
        frame = ratios_of_groups(with_margins(tables, by), by, settings["confidence"], settings.get("released"))
        # over all pairs: were it over those shown, suppressing pairs would make findings
        tests = frame.height
        return frame.with_columns(
            pl.Series("q_value", adjusted_p(as_float(frame["p_value"]), tests=tests)).fill_nan(None)
        )

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people of each group with both conditions of each pair, with each condition, and all."""
        adjust = settings["adjust"]
        return {**_roles_of(bool(adjust)), **({"strata": _strata_roles(adjust)} if adjust else {})}

    @staticmethod
    def adjusted_forms(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Iterator[AdjustedForms]:
        """Return what the expected people of either group are of its people with each condition by stratum."""
        if "strata" not in tables:
            return
        pairs = tables["pairs"]
        conditions = tables["strata"]["condition"].unique(maintain_order=True)
        ends = [pairs[end].to_numpy()[:, None] == conditions.to_numpy() for end in ("source", "target")]
        for side in "ab":
            own = tables["strata"].filter(pl.col(f"people_{side}") > 0)
            own = own.rename({f"{name}_{side}": name for name in ("n_persons", "people")})
            place = ("pairs", f"expected_factor_{side}")
            named = {"conditions": conditions.to_list(), "adjust": settings["adjust"]}
            yield from forms_of_sets(own, pairs, ends[0] | ends[1], place, by, named, side=side)

    @staticmethod
    def trim(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> Tables:
        """Release p values and factors only where every count behind them is shown."""
        joined = with_margins(tables, by)
        counts = [f"n_{what}_{side}" for what in ("both", "source", "target", "persons") for side in "ab"]
        shown = joined.select(pl.all_horizontal([pl.col(c).is_not_null() for c in counts])).to_series()
        pairs = tables["pairs"]
        behind = [pl.when(shown).then(pl.col(c)).alias(c) for c in (*FACTORS, *_P_VALUES) if c in pairs.columns]
        return {**tables, "pairs": pairs.with_columns(behind)}

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return a released p value as what it is: a level that the exact one does not exceed."""
        coarse = self.disclosure is not None and not self.disclosure.policy.changes_nothing
        if coarse and column in (*_P_VALUES, "q_value") and record[column] is not None:
            return f"at most {record[column]:.3g}"
        return super().format_cell(record, column)

    @property
    def overall(self) -> pl.DataFrame:
        """One row a stratum: the people of each group, and the p value of the two networks as a whole."""
        self._refuse_undisclosed("The overall test of")
        return self.count_tables["population"].select(
            *self.by, "n_persons_a", "n_persons_b", pl.col("overall_p").alias("p_value")
        )

    def sentence(self) -> str:
        """Name the pair that differs most clearly, or say that none does."""
        one, other = (in_words(name) for name in self.settings["names"])
        frame = self.estimates.filter(pl.col("ratio").is_not_null())
        if not frame.height:
            return f"No pair of conditions is held by enough people in both {one} and {other} to compare them."
        # from networks alone there is no family-wise p value
        found = frame.filter(pl.coalesce("family_wise_p", "q_value") <= FOUND)
        if not found.height:
            return f"No pair of conditions goes together clearly more in {one} than in {other}, or the other way round."
        size = (pl.col("ratio").log().abs()).alias("__size")
        first = found.sort(size, descending=True, maintain_order=True).row(0, named=True)
        where = stratum_words(first, self.by)
        pair = f"{capital(in_words(first['source']))} and {in_words(first['target'])} go together differently{where}"
        many = f"{found.height:,} of {frame.height:,} pairs clearly differ."
        if self.settings["adjust"]:
            return (
                f"{pair}: the observed/expected ratio{adjusted_for(self.settings)}, is {times(first['ratio'])} times as "
                f"high in {one} (about {about(first['n_both_a'])} people with both) as in {other} (about "
                f"{about(first['n_both_b'])}); {many}"
            )
        return (
            f"{pair}: {times(first['observed_expected_a'])} times as often as expected in {one} (about "
            f"{about(first['n_both_a'])} people with both) and {times(first['observed_expected_b'])} times in {other} "
            f"(about {about(first['n_both_b'])}); {many}"
        )


def compare(
    a: Patterns | Cooccurrence,
    b: Patterns | Cooccurrence,
    *,
    names: Sequence[str] = ("a", "b"),
    adjust: str | Sequence[str] = (),
    permutations: int = 999,
    seed: int = 1,
    confidence: float = 0.95,
) -> NetworkComparison:
    """Test whether conditions go together differently in two groups of people.

    Parameters
    ----------
    a, b : Patterns
        The two groups, collapsed the same way: the same conditions and strata, no person
        in both. Or two `Cooccurrence` results, whose pairs are then compared one
        by one, without `adjust` and without `family_wise_p`.
    names : (str, str), default ("a", "b")
        What to call the groups, such as ("women", "men").
    adjust : str or sequence of str
        Strata that the groups may differ in, such as age: `ratio` compares the
        groups within each, and people change groups within them alone. The
        other strata become rows.
    permutations : int, default 999
        Random divisions of the people into two groups of the same sizes.
    seed : int, default 1
        The same seed gives the same result.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    NetworkComparison
        One row per stratum and pair: `n_both_a`, `n_both_b`, `expected_a`,
        `expected_b`, `observed_expected_a`, `observed_expected_b` (each group's
        own, expected people summed over the strata adjusted for), `ratio` of the
        two with `lower` and `upper` (delta method on the log scale; adjusted, it
        is not their quotient: see the notes), `p_value`,
        `q_value` (Benjamini-Hochberg over each pair and stratum) and
        `family_wise_p` (over the pairs of the stratum). `.overall` is one p value
        a stratum: the sum over all pairs of the squared statistic.

    Raises
    ------
    ArgumentError
        If the conditions, strata or kinds of the two differ, a group is empty, or
        adjusted results come without the patterns.

    Notes
    -----
    `ratio` is (C_a / E_a) / (C_b / E_b), C the people with both and E those
    expected. Adjusted it is Mantel and Haenszel's, with the expected people as
    exposure: the sum over strata of C_a E_b / (E_a + E_b) over that of
    C_b E_a / (E_a + E_b), each E from the group's own margins in the stratum. The
    quotient of `observed_expected_a` and `observed_expected_b` weighs each group
    by its own ages: with O/E 5 in the young and 1.2 in the old of both, but one
    group 90% young and the other 90% old, it is 1.63, where `ratio` is 1. Strata
    in which one group has nobody with one of the conditions say nothing. Where the
    ratio differs between strata, `ratio` is a mean of theirs. Its interval is that
    of people drawn at random, every margin estimated. In simulations it held the
    true ratio in 93 to 98% where each group had four people or more with both;
    in 87 to 97% where one had fewer.

    The statistic of a pair is log `ratio` over its standard error, with half a
    person added to the people with both and 1 / (2 R) to those expected, R the O/E
    of both groups together: so a pair nobody has counts, and equal O/E stay equal.
    Where O/E is 20 in both, 0.2 people expected in one and 20 in the other, 2% of
    p values are 0.05 or less. Adjusted, the half is weighed as the people with
    both are, on average over the strata. Divided by its error, the test of equal
    observed/expected stays at its level where the groups differ in how common the
    conditions are (Chung and Romano 2013), and no rare pair drowns the others in
    the largest: in 23 settings of 19 ages, with 1 to 15,000 people with both in a
    group and O/E of 1 to 6, 0.3 to 6.5% of 400 p values were 0.05 or less.
    p = (1 + permutations at least as extreme) / (1 + permutations), two-sided. A
    pair is not tested if nobody has it in any stratum where both groups have people
    with each condition. `family_wise_p` steps down from the largest statistic
    (Westfall and Young 1993). No p value is under 1 / (1 + permutations), so with
    999 permutations of 1,176 pairs fewer than 24 that differ can never reach a
    `q_value` of 0.05: read `family_wise_p`, or draw more.

    Collapsed people are enough: the people of one pattern and stratum who fall
    into the first group are a multivariate hypergeometric draw. From two
    `Cooccurrence` results the four cells of each pair are drawn, pair by pair.

    Disclosure: every figure is made again from rounded counts but the p values,
    which rest on the exact ones. Whoever knows the rounded counts, the method and
    the seed could try every count that rounds to them and keep those that give
    the p value shown; an exact p value would leave few. So a released one is the
    first of 0.0001, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1 that it does not exceed, and there
    is none where a count of the pair, or of one of its conditions, is suppressed in
    either group. Where no count may be inferred more closely than its rounding,
    compare two disclosed `Cooccurrence` results: then nothing but released counts is used.
    Two comparisons of one group with others that differ by a few people can be
    compared with each other as two tables can.

    References
    ----------
    Rothman, K. J., Greenland, S. and Lash, T. L. (2008). Modern Epidemiology, third
    edition, chapter 15 (rate ratios of Mantel and Haenszel). Lippincott.
    Westfall, P. H. and Young, S. S. (1993). Resampling-Based Multiple Testing. Wiley.
    Chung, E. and Romano, J. P. (2013). Exact and asymptotically robust permutation
    tests. Annals of Statistics 41, 484-507.
    Phipson, B. and Smyth, G. K. (2010). Permutation p-values should never be zero.
    Statistical Applications in Genetics and Molecular Biology 9, article 39.

    Examples
    --------
    >>> import symphony_research as sr
    >>> women, men = (sr.define_cohort(sr.example_study(), sex=sex).patterns() for sex in ("F", "M"))
    >>> found = sr.networks.compare(women, men, names=("women", "men"), permutations=99)
    >>> bool((found.estimates["family_wise_p"] >= found.estimates["p_value"]).all())
    True
    """
    normal_quantile(confidence)
    names, adjust = names_of(names), names_of(adjust, getattr(a, "by", ()))
    if len(names) != 2 or names[0] == names[1]:
        raise ArgumentError(f"names={list(names)} must be two different names, such as ('women', 'men').")
    for word, value, least in (("permutations", permutations, 1), ("seed", seed, 0)):
        if type(value) is not int or value < least:
            raise ArgumentError(f"{word}={value!r} must be an integer, at least {least}.")
    for given in (a, b):
        if (gone := passed_on(given)) is not None:
            return gone
    if isinstance(a, Patterns) and isinstance(b, Patterns):
        conditions, by = _alike(a, b, names, adjust)
        made = from_patterns(a, b, by, adjust, permutations, seed)
        sources: tuple[Any, Any] = (a.provenance.as_settings(), b.provenance.as_settings())
    elif isinstance(a, Cooccurrence) and isinstance(b, Cooccurrence):
        conditions, by = _alike_networks(a, b, names, adjust)
        made = from_networks(a, b, by, permutations, seed)
        sources = (a.settings, b.settings)
    else:
        raise ArgumentError(
            f"compare takes two Patterns, or two Cooccurrence results, not {type(a).__name__} and {type(b).__name__}."
        )
    settings = {
        "method": "studentised log ratio of observed/expected, Mantel-Haenszel over strata; permutation of groups; "
        "step-down largest statistic; Benjamini-Hochberg",
        "reference": "Westfall and Young 1993; Chung and Romano 2013",
        "conditions": list(conditions),
        "names": list(names),
        "adjust": list(adjust),
        "permutations": permutations,
        "seed": seed,
        "confidence": confidence,
        **_common(sources, names),
    }
    return NetworkComparison(made, settings, by)


def _common(sources: tuple[Mapping[str, Any], Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Return what is true of both groups, and the population of each by its name."""
    one, other = sources
    same = one.get("fingerprint") == other.get("fingerprint")
    population = {name: dict(source.get("population") or {}) for name, source in zip(names, sources, strict=True)}
    notes = dict.fromkeys(source["note"] for source in sources if source.get("note"))
    return Provenance(
        one.get("study") if same else None,
        one.get("fingerprint") if same else None,
        bool(one.get("generated") and other.get("generated")),
        population,
        " ".join(notes),
    ).as_settings()


def _refuse_other_conditions(one: Sequence[str], other: Sequence[str], names: Sequence[str]) -> None:
    apart = [set(one) - set(other), set(other) - set(one)]
    if any(apart):
        raise ArgumentError(
            f"The two list different conditions: {len(apart[0])} are in '{names[0]}' alone and {len(apart[1])} in "
            f"'{names[1]}' alone. Collapse both with the same conditions=."
        )


def _alike(
    a: Patterns, b: Patterns, names: Sequence[str], adjust: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    _refuse_other_conditions(a.conditions, b.conditions, names)
    if a.by != b.by or any(a.frame.schema[c] != b.frame.schema[c] for c in a.by):
        raise ArgumentError(
            f"The two have different strata, {list(a.by)} and {list(b.by)}. Collapse them the same way first."
        )
    by, _ = split_strata(a, adjust)
    for name, patterns in zip(names, (a, b), strict=True):
        if not patterns.n_persons:
            raise ArgumentError(f"Group '{name}' has no people.")
    return a.conditions, by


def _alike_networks(
    a: Cooccurrence, b: Cooccurrence, names: Sequence[str], adjust: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if adjust or a.settings.get("adjust") or b.settings.get("adjust"):
        raise ArgumentError(
            "An adjusted comparison moves people within strata, which a network no longer knows: pass the patterns."
        )
    _refuse_other_conditions(a.settings["conditions"], b.settings["conditions"], names)
    if a.by != b.by:
        raise ArgumentError(
            f"The two have different strata, {list(a.by)} and {list(b.by)}. Collapse them the same way first."
        )
    policies = [network.disclosure.policy if network.disclosure else None for network in (a, b)]
    if policies[0] != policies[1]:
        raise ArgumentError(
            "One network is disclosed and the other not, or under another policy: pass two of one kind."
        )
    for name, network in zip(names, (a, b), strict=True):
        if not network.count_tables["population"]["n_persons"].fill_null(1).sum():
            raise ArgumentError(f"Group '{name}' has no people.")
    return tuple(a.settings["conditions"]), a.by
