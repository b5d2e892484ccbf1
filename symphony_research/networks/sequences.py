"""Which of two conditions comes first, compared with the order expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import comb
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from symphony_research.collapse import Onsets
from symphony_research.collapse.margins import as_float, attributes_of
from symphony_research.errors import ArgumentError
from symphony_research.inference import adjusted_p, normal_quantile
from symphony_research.networks.order_tests import in_order
from symphony_research.networks.precedence_tables import order_tables
from symphony_research.policy import mining_threshold
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition, Partition, Relation, at_least
from symphony_research.result.roles import Adjustment, Count, Key, Quantile, Role, TableRoles
from symphony_research.words.lexicon import capital, in_words
from symphony_research.words.numbers import about, number, percentage
from symphony_research.words.phrases import confidence_of, share_with_interval

if TYPE_CHECKING:
    import networkx


__all__ = ["Sequences", "sequences"]

Tables = Mapping[str, pl.DataFrame]


# by what settings people are divided by the order of two onsets
_DIVIDED_BY = ("adjust", "birth_years", "joined", "washout_days")
_OTHERS = ("same_day", "alone", "left_out")


class Sequences(Result):
    """Pairs of conditions: in how many people the one began before the other, observed and expected."""

    figure: ClassVar[str | None] = "symphony_research.show.ranked:plot_sequences"
    minimum_size_tables: ClassVar[tuple[str, ...]] = ("pairs", "same_day", "alone", "left_out")
    title: ClassVar[str] = "Temporal precedence of conditions"
    led_by: ClassVar[tuple[str, ...]] = ("observed_expected",)
    own_settings: ClassVar[frozenset[str]] = frozenset({"birth_years", "joined", "washout_days", "dated"})
    shown: ClassVar[tuple[str, ...]] = (
        "source",
        "target",
        "n_both",
        "n_first",
        "estimate",
        "expected",
        "observed_expected",
        "median_months_to_second",
        "q_value",
    )
    percentages: ClassVar[tuple[str, ...]] = ("estimate", "lower", "upper", "expected")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "source": "Comes first",
            "target": "Comes second",
            "estimate": "In this order",
            "expected": "Expected in this order",
        }
    )

    @classmethod
    def roles_of(cls, settings: Mapping[str, Any]) -> Mapping[str, TableRoles]:
        """Return the people with both conditions by their order, and those of no order."""
        months = {
            "median_gap_months": Quantile("n_both"),
            "months_first": Quantile("n_first"),
            "months_second": Quantile("n_second"),
        }
        pairs: dict[str, Role] = {
            **dict.fromkeys(("n_both", "n_first", "n_second"), Count()),
            **dict.fromkeys(("expected", "skewness"), Adjustment()),
            "variance": Adjustment(upwards=True),
            **months,
        }
        others: dict[str, dict[str, Role]] = {name: {f"n_{name}": Count()} for name in _OTHERS}
        ordered: dict[str, Role] = {"first": Key(), "second": Key()}
        return {
            name: TableRoles({**ordered, **columns}, _of_order) for name, columns in {"pairs": pairs, **others}.items()
        }

    @staticmethod
    def relations(tables: Tables, settings: Mapping[str, Any]) -> Iterator[Relation]:
        """Of people with both conditions: compared, alone in their stratum or of no known order; compared: by their order."""
        for record in tables["pairs"].iter_rows(named=True):
            both, compared, *parts = (
                _of_order(record, column, settings)
                for column in ("", "n_both", "n_first", "n_second", "n_same_day", "n_alone", "n_left_out")
            )
            yield Partition(compared, tuple(parts[:3]))
            yield Partition(both, (compared, *parts[3:]))

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return the share in the order found more often than expected, its interval, and its tests."""
        table = tables["pairs"]
        for name in ("same_day", "alone", "left_out"):
            table = table.join(tables[name], on=["first", "second"], how="left", maintain_order="left")
        floor = settings["min_persons"]
        # laid on the counts that are shown: laid on exact ones, a row that is there would tell what rounding conceals
        table = table.filter((pl.col("n_both") >= floor).fill_null(floor == 1))
        frame = in_order(table, settings["confidence"], settings.get("released"))
        q_value = adjusted_p(as_float(frame["p_value"]), tests=_tests(settings))
        return frame.with_columns(pl.Series("q_value", q_value).fill_nan(None))

    @property
    def n_tested(self) -> int:
        """Pairs over which `q_value` is adjusted: all that there could be."""
        return _tests(self.settings)

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return months as integers, as they are."""
        if column in ("median_gap_months", "median_months_to_second") and record[column] is not None:
            return f"{record[column]:,.0f}"
        return super().format_cell(record, column)

    def to_networkx(self, *, q_value: float = 0.05) -> networkx.DiGraph:
        """Return the directed network: an edge where the order is found more often than expected.

        Parameters
        ----------
        q_value : float, default 0.05
            Edges are the pairs whose adjusted p value is at most this.

        Returns
        -------
        networkx.DiGraph
            Edges from the condition that comes first; their attributes are the columns of `estimates`.
        """
        import networkx

        graph = networkx.DiGraph()
        for record in self.estimates.filter(pl.col("q_value") <= q_value).iter_rows(named=True):
            graph.add_edge(record["source"], record["target"], **attributes_of(record, but=("source", "target")))
        return graph

    def sentence(self) -> str:
        """Name the order with the highest observed/expected ratio."""
        if not self.settings["dated"]:
            return "These data hold no date on which a condition began, so which comes first is not known."
        tested = self.n_tested
        if not self.estimates["p_value"].count():
            return "No two conditions are held by enough people to say which comes first."
        found = self.estimates.filter(pl.col("q_value") < 0.05)
        every = self.estimates["p_value"].count() == tested
        of = f"of {number(tested)} pairs {'tested' if every else 'allowed for'}"
        if not found.height:
            return f"No order of two conditions is clearly more frequent than expected ({of})."
        first = found.sort(pl.col("estimate") - pl.col("expected"), descending=True, maintain_order=True).row(
            0, named=True
        )
        gap = first["median_months_to_second"]
        after = f", half of the time within {gap:.0f} month{'' if gap == 1 else 's'}" if gap is not None else ""
        return (
            f"{capital(in_words(first['source']))} comes before {in_words(first['target'])} more often than "
            f"expected: in {share_with_interval(first['estimate'], first['lower'], first['upper'], label=confidence_of(self.settings))} of about {about(first['n_both'])} people with both{after}, where "
            f"{percentage(first['expected'])} would be expected from when each condition begins ({number(found.height)} "
            f"{of} {'is' if found.height == 1 else 'are'} clearly in one order more often than expected)."
        )


def _tests(settings: Mapping[str, Any]) -> int:
    """Return over how many pairs a result is adjusted: were it over those shown, suppressing pairs would make findings."""
    return comb(len(settings["conditions"]), 2)


def _of_order(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]) -> CellDefinition:
    """Return the people with both conditions whom a column counts; all of them where it is none."""
    both = at_least((record["first"], record["second"]))
    if not column:
        return both
    how = ", ".join(f"{name} {settings[name]}" for name in _DIVIDED_BY if settings.get(name))
    return both.in_state(f"order of onsets; {how}", f"{column} of {record['first']}, {record['second']}")


def sequences(
    records: Any,
    *,
    persons: Any = None,
    person: str = "person_id",
    condition: str = "condition",
    onset: str = "onset_date",
    adjust: str | Sequence[str] = ("sex", "birth_year"),
    birth_years: int = 5,
    joined: Any = None,
    washout_days: int = 90,
    min_persons: int = 20,
    confidence: float = 0.95,
) -> Sequences:
    """Find which of two conditions comes first more often than expected.

    Of two unrelated conditions the one of younger people comes first in nearly
    everybody, so one half is the wrong comparison. Here each onset is compared
    with the onsets of other people of the same sex and birth cohort who have
    both conditions, nobody against themselves.

    Reads person rows: the order of two dates within a person, and every
    permutation of one of them, are in no smaller table. The result holds counts.

    Parameters
    ----------
    records : Onsets or frame
        `cohort.onsets()`, or one row per person and condition with the date (or
        the month) it began; with a frame, the arguments up to `washout_days` say
        how to read it, as in `Onsets.from_long`.
    persons : frame
        One row per person: sex, birth date, or whatever `adjust` names.
    person, condition, onset : str
        Names of the columns.
    adjust : str or sequence of str, default ("sex", "birth_year")
        Columns of `persons` within which orders are compared.
    birth_years : int, default 5
        Years of birth put together to one cohort: 10 for a few thousand people, 1
        where there are many millions.
    joined : str or frame, optional
        When people joined their practice: a date column of `persons`, or spells
        with the person and `start_date` (a study's `registrations`).
    washout_days : int, default 90
        Onsets from joining to this many days later were entered on joining: the
        person is excluded from the condition's pairs and counted in `n_left_out`.
    min_persons : int, default 20
        Leave out pairs with fewer people compared, by the counts that are shown.
    confidence : float, default 0.95
        Of the intervals.

    Returns
    -------
    Sequences
        One row per pair, turned so that `source` comes first more often than
        expected: `n_both` (people compared), `n_first` (the source first),
        `n_second` (the target first), `n_same_day`, `n_alone` (with both, and
        nobody else in their stratum, so not compared), `n_left_out` (with both, an
        onset unknown or left-truncated), `estimate` (share of `n_both` with the
        source first, the same day counted half) with Wilson's `lower` and `upper`,
        `expected` (that share if independent), `observed_expected`, `p_value` and
        `q_value` (Benjamini-Hochberg over the pairs tested, `.n_tested`),
        `p_value_half` (against one half: the wrong comparison, for contrast),
        `median_gap_months` (between the two onsets, either way) and
        `median_months_to_second` (among people with the source first), in whole
        months. `.to_networkx()` gives the directed network.

    Raises
    ------
    ArgumentError
        As `Onsets.from_long`; or if `Onsets` come with arguments that say how to
        read a frame.

    Notes
    -----
    Exact moments over all permutations of one onset within each stratum (mean,
    Hoeffding's variance, and the third), and Pearson's type III distribution
    through them: no permutation is drawn, so there is no seed. Leaving out
    self-pairs multiplies a stratum's difference by n / (n - 1) and changes
    nothing else (see `networks.order`). In studies of 115,000 people with
    nothing planted 4% of pairs have a p value below 0.05, and two in three a
    `p_value_half` (decision 8).

    A pair that is found in order says that the one is recorded before the other,
    not that it causes it: a test ordered for the one may find the other. People
    are those with both: where the one soon ends in death, those who had the other
    first are left. Everybody must have been observed until one day, and onsets
    taken up to it, as `cohort.onsets()` does: of a person who left earlier the
    later of two onsets may be unknown.

    Disclosure: both orders' counts are counts, so an order that few people are
    in suppresses the row's figures; `expected`, and the variance and skewness behind
    the p value, are factors of three figures; the p value is made again from the
    rounded counts; the medians are whole months.

    References
    ----------
    Jensen, A. B. et al. (2014). Temporal disease trajectories condensed from
    population-wide registry data. Nature Communications 5, 4022.
    Hoeffding, W. (1951). A combinatorial central limit theorem. Annals of
    Mathematical Statistics 22, 558-566.
    Mielke, P. W. and Berry, K. J. (2007). Permutation Methods (Pearson's type III). Springer.

    Examples
    --------
    >>> import symphony_research as sr
    >>> cohort = sr.define_cohort(sr.example_study())
    >>> found = sr.networks.sequences(cohort.onsets(birth_years=10), min_persons=2)
    >>> bool((found.estimates["estimate"] >= found.estimates["expected"]).all())
    True
    """
    normal_quantile(confidence)
    if type(min_persons) is not int or min_persons < 1:
        raise ArgumentError(f"min_persons={min_persons!r} must be an integer number of people, at least 1.")
    reading = {
        "person": person, "condition": condition, "onset": onset, "adjust": adjust, "birth_years": birth_years,
        "joined": joined, "washout_days": washout_days,
    }  # fmt: skip
    if isinstance(records, Onsets):
        defaults = sequences.__kwdefaults__ or {}
        plain = (str, int, tuple, list)
        given = [
            name
            for name, value in {"persons": persons, **reading}.items()
            if value is not defaults[name] and not (isinstance(value, plain) and value == defaults[name])
        ]
        if given:
            raise ArgumentError(
                f"Onsets are read already, so {', '.join(given)} would do nothing: pass them to cohort.onsets()."
            )
        onsets = records
    else:
        if persons is None:
            raise ArgumentError("persons is needed beside a frame of records: one row per person with sex and birth.")
        onsets = Onsets.from_long(records, persons, **reading)
    settings = {
        "method": "share with the one first against the onsets of others of the stratum; exact permutation moments, "
        "Pearson type III; Benjamini-Hochberg",
        "reference": "Jensen 2014; Hoeffding 1951; Mielke and Berry 2007",
        "conditions": list(onsets.conditions),
        **onsets.settings,
        "min_persons": min_persons,
        "confidence": confidence,
        **onsets.provenance.as_settings(),
    }
    return Sequences(order_tables(onsets, mining_threshold(min_persons)), settings)
