"""`Patterns`: how many people have exactly which conditions, by stratum, with sums of values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from symphony_research.collapse.bits import Integers, Words, n_words, unpack
from symphony_research.collapse.frames import as_lazy, names_of, refuse_names
from symphony_research.errors import ArgumentError, DisclosureError, require_columns
from symphony_research.result import Source, inside_report

__all__ = ["STATISTICS", "Patterns"]

# Sums are kept as whole numbers, so that parts of a file, a cluster or a country
# add up to the same bytes in any order: values in hundredths (pence), their
# squares in hundredths squared (128 bits: national sums overflow 64), logarithms
# in 2**-32.
HUNDRED = 100
LOG_UNIT = 2**32
STATISTICS = {
    "n": 1,
    "sum": HUNDRED,
    "sum_squares": HUNDRED**2,
    "sum_log": LOG_UNIT,
    "sum_squared_log": LOG_UNIT,
}
LARGEST = 2**53 // HUNDRED  # above it a double no longer tells hundredths apart
_RESERVED = (
    "combination", "condition", "cosine", "estimate", "expected", "ic_lower", "information_component", "jaccard",
    "lower", "n_both", "n_conditions", "n_persons", "n_source", "n_target", "observed_expected", "odds_ratio",
    "oe_lower", "oe_upper", "overlap", "p_value", "person", "phi", "q_value", "size", "source", "target", "upper",
)  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class Patterns:
    """People collapsed to one row for each distinct set of conditions and stratum.

    Make one with `Patterns.from_long`, `Patterns.from_wide` or
    `Cohort.patterns`; add sites together with `Patterns.merge`. Still
    confidential: most distinct sets belong to one person.

    Attributes
    ----------
    conditions : tuple of str
        The conditions, in alphabetical order.
    by : tuple of str
        Stratum columns.
    values : tuple of str
        Values summed over people, such as a yearly cost.
    n_persons : int
        People counted, those without any condition included.

    Examples
    --------
    >>> import polars as pl
    >>> import symphony_research as sr
    >>> records = pl.DataFrame({"person_id": [1, 1, 2], "condition": ["asthma", "stroke", "asthma"]})
    >>> patterns = sr.Patterns.from_long(records, persons=pl.DataFrame({"person_id": [1, 2, 3]}))
    >>> patterns.n_persons, patterns.conditions
    (3, ('asthma', 'stroke'))
    """

    conditions: tuple[str, ...]
    frame: pl.DataFrame
    by: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    source: Source = field(default_factory=Source)

    @classmethod
    def from_long(
        cls,
        records: Any,
        persons: Any = None,
        *,
        by: str | Sequence[str] = (),
        values: str | Sequence[str] = (),
        person: str = "person_id",
        condition: str = "condition",
        conditions: Sequence[str] | None = None,
        source: Source | None = None,
    ) -> Patterns:
        """Collapse rows of (person, condition).

        Parameters
        ----------
        records : frame
            One row per person and condition; repeated rows count once.
        persons : frame, optional
            One row per person: the denominator, with the columns named in
            `by` and `values`. Without it only people with a condition count.
        by, values : str or sequence of str
            Columns of `persons`: strata, and numbers of at least zero to sum
            (kept to the hundredth, so a penny).
        person, condition : str
            Names of the columns.
        conditions : sequence of str, optional
            The code list. Conditions that nobody has belong to it too; records
            of any other condition are an error. By default, those recorded.
        source : Source, optional
            Where the people came from.

        Raises
        ------
        ArgumentError
            On a missing column, gaps, a person counted twice, records of people
            who are not in `persons`, or a negative value; with counts of rows.
        """
        by, values = names_of(by), names_of(values)
        _refuse_names(by, values)
        long = as_lazy(records, columns=(person, condition))
        require_columns(long.collect_schema().names(), (person, condition), what="records")
        long = long.select(
            pl.col(person).alias("person"),
            pl.col(condition).cast(pl.String).alias("condition"),
        )
        listed = _condition_list(long, conditions)
        masks = _masks(long, listed)
        if persons is None:
            if by or values:
                raise ArgumentError("by and values are columns of persons: pass persons=, one row per person.")
            people = masks.lazy()
        else:
            people = _joined(masks, persons, person, by, values, len(listed)).lazy()
        return cls._collapsed(people, listed, by, values, source)

    @classmethod
    def from_wide(
        cls,
        frame: Any,
        *,
        conditions: Sequence[str],
        by: str | Sequence[str] = (),
        values: str | Sequence[str] = (),
        source: Source | None = None,
    ) -> Patterns:
        """Collapse one row per person with a column for each condition.

        Parameters
        ----------
        frame : frame
            One row per person.
        conditions : sequence of str
            Columns that are Boolean, or 0 and 1 of any numeric type.
        by, values : str or sequence of str
            Columns: strata, and numbers of at least zero to sum (kept to the hundredth).
        source : Source, optional
            Where the people came from.

        Raises
        ------
        ArgumentError
            On a missing column, a gap or anything but 0 and 1 in a condition, or
            a negative value; with counts of rows.
        """
        by, values = names_of(by), names_of(values)
        _refuse_names(by, values)
        conditions = names_of(conditions)
        listed = sorted(set(conditions))
        if len(listed) < len(conditions):
            raise ArgumentError("conditions names a column twice.")
        if not listed:
            raise ArgumentError("conditions names no column; at least one is needed.")
        people = as_lazy(frame, columns=(*listed, *by, *values))
        schema = people.collect_schema()
        require_columns(schema.names(), (*listed, *by, *values), what="frame")
        for name in listed:
            if not (schema[name] == pl.Boolean or schema[name].is_numeric()):
                raise ArgumentError(f"Condition column '{name}' is {schema[name]}; it must be Boolean, or 0 and 1.")
        faults = people.select(
            [pl.col(c).is_null().sum().cast(pl.Int64).alias(f"null {i}") for i, c in enumerate(listed)]
            + [
                (pl.col(c).is_not_null() & ~pl.col(c).cast(pl.Float64).is_in([0.0, 1.0]))
                .sum()
                .cast(pl.Int64)
                .alias(f"other {i}")
                for i, c in enumerate(listed)
            ]
        ).collect()
        for i, name in enumerate(listed):
            for word, what in (
                ("null", "a gap"),
                ("other", "something other than 0 and 1"),
            ):
                rows = faults[f"{word} {i}"][0]
                if rows:
                    raise ArgumentError(
                        f"Condition column '{name}' has {what} in {rows:,} rows. Say yes or no for every person first."
                    )
        words = [
            pl.sum_horizontal(
                [pl.col(c).cast(pl.UInt64) * pl.lit(2 ** (k % 64), dtype=pl.UInt64) for k, c in _of_word(listed, w)]
            )
            .cast(pl.UInt64)
            .alias(f"mask_{w}")
            for w in range(n_words(len(listed)))
        ]
        _check_values(people, values)
        chosen = people.select([*words, *[pl.col(c) for c in dict.fromkeys((*by, *values))]])
        return cls._collapsed(chosen, listed, by, values, source)

    @classmethod
    def _collapsed(
        cls,
        people: pl.LazyFrame,
        conditions: Sequence[str],
        by: tuple[str, ...],
        values: tuple[str, ...],
        source: Source | None,
    ) -> Patterns:
        masks = [f"mask_{w}" for w in range(n_words(len(conditions)))]
        sums: list[pl.Expr] = [pl.len().cast(pl.Int64).alias("n_persons")]
        for value in values:
            positive = pl.col(value).cast(pl.Float64).filter(pl.col(value) > 0)
            hundredths = (positive * HUNDRED).round().cast(pl.Int64)
            logs = positive.log()
            sums += [
                positive.len().cast(pl.Int64).alias(f"{value}__n"),
                hundredths.cast(pl.Int128).sum().alias(f"{value}__sum"),
                (hundredths.cast(pl.Int128) * hundredths.cast(pl.Int128)).sum().alias(f"{value}__sum_squares"),
                (logs * LOG_UNIT).round().cast(pl.Int64).cast(pl.Int128).sum().alias(f"{value}__sum_log"),
                (logs * logs * LOG_UNIT)
                .round()
                .cast(pl.Int64)
                .cast(pl.Int128)
                .sum()
                .alias(f"{value}__sum_squared_log"),
            ]
        frame = people.group_by([*by, *masks]).agg(sums).collect(engine="streaming")
        return cls(
            tuple(conditions),
            frame.sort([*by, *masks], nulls_last=True),
            by,
            values,
            source or Source(),
        )

    @staticmethod
    def merge(*parts: Patterns) -> Patterns:
        """Add up the patterns of sites that share no people.

        The result equals the patterns of the pooled people, to the last digit.
        Conditions are matched by name; one that a site does not list is taken
        as absent there.

        Raises
        ------
        ArgumentError
            If there is nothing to merge, or strata or values differ.
        """
        if not parts:
            raise ArgumentError("Nothing to merge: pass at least one Patterns.")
        first = parts[0]
        for part in parts[1:]:
            if part.by != first.by or part.values != first.values:
                raise ArgumentError(
                    f"Sites differ: strata {list(first.by)} and {list(part.by)}, values {list(first.values)} and "
                    f"{list(part.values)}. Collapse them alike first."
                )
        listed = sorted({c for part in parts for c in part.conditions})
        masks = [f"mask_{w}" for w in range(n_words(len(listed)))]
        frames = [part._renumbered(listed) for part in parts]
        sums = [c for c in frames[0].columns if c not in (*first.by, *masks)]
        pooled = pl.concat(frames, how="vertical_relaxed").group_by([*first.by, *masks]).agg(pl.col(sums).sum())
        pooled = pooled.sort([*first.by, *masks], nulls_last=True)
        return Patterns(
            tuple(listed),
            pooled,
            first.by,
            first.values,
            _common_source(parts),
        )

    def _renumbered(self, listed: Sequence[str]) -> pl.DataFrame:
        if tuple(listed) == self.conditions:
            return self.frame
        bits = np.zeros((self.frame.height, len(listed)), dtype=np.uint8)
        if self.conditions:
            bits[:, [listed.index(c) for c in self.conditions]] = unpack(self.words, len(self.conditions))
        from symphony_research.collapse.bits import pack

        words = pack(bits)
        masks = [pl.Series(f"mask_{w}", words[:, w]) for w in range(words.shape[1])]
        rest = self.frame.drop([c for c in self.frame.columns if c.startswith("mask_")])
        return (
            rest.select(self.by).with_columns(masks).hstack(rest.drop(self.by))
            if self.by
            else pl.DataFrame(masks).hstack(rest)
        )

    @cached_property
    def n_persons(self) -> int:
        """People counted."""
        return int(self.frame["n_persons"].sum())

    @cached_property
    def words(self) -> Words:
        """The sets as an (n, W) array of words."""
        masks = [f"mask_{w}" for w in range(n_words(len(self.conditions)))]
        return self.frame.select(masks).to_numpy().astype(np.uint64, copy=False)

    @cached_property
    def strata(self) -> pl.DataFrame:
        """The strata in order, one row each, with the people in them."""
        if not self.by:
            return pl.DataFrame({"n_persons": [self.n_persons]}, schema={"n_persons": pl.Int64})
        return self.frame.group_by(self.by).agg(pl.col("n_persons").sum()).sort(self.by, nulls_last=True)

    def parts(self) -> Iterable[tuple[Mapping[str, Any], Words, Integers]]:
        """Go through the strata: their names, sets (n, W) and people (n,)."""
        people = self.frame["n_persons"].to_numpy()
        start = 0
        if not self.by:
            yield {}, self.words, people
            return
        runs = self.frame.group_by(self.by, maintain_order=True).len(name="__len")
        for record in runs.iter_rows(named=True):
            stop = start + record.pop("__len")
            yield record, self.words[start:stop], people[start:stop]
            start = stop

    def to_frame(self) -> pl.DataFrame:
        """Return the patterns in words.

        Returns
        -------
        polars.DataFrame
            `combination` (list of str), the strata, `n_persons`, and for each
            value, over the people where it is above zero, `_n`, `_sum`,
            `_sum_squares`, `_sum_log` and `_sum_squared_log`.
        """
        if inside_report():
            raise DisclosureError("Patterns count people as they are. Show the disclosed result made from them.")
        scaled = [
            (pl.col(f"{value}__{name}").cast(pl.Float64) / unit if unit > 1 else pl.col(f"{value}__{name}")).alias(
                f"{value}_{name}"
            )
            for value in self.values
            for name, unit in STATISTICS.items()
        ]
        names = combination_names(unpack(self.words, len(self.conditions)), self.conditions)
        return self.frame.select([*self.by, "n_persons", *scaled]).insert_column(0, names)

    def __repr__(self) -> str:
        by = f" by {', '.join(self.by)}" if self.by else ""
        return f"Patterns of {len(self.conditions)} conditions{by} (confidential until suppressed)"


def _common_source(parts: Sequence[Patterns]) -> Source:
    """Return what is true of every part: one study, and the predicates they share."""
    first = parts[0].source
    if any(part.source.fingerprint != first.fingerprint for part in parts):
        return Source()
    shared = {k: v for k, v in first.population.items() if all(p.source.population.get(k) == v for p in parts)}
    return Source(first.study, first.fingerprint, all(part.source.generated for part in parts), shared)


def combination_names(bits: np.ndarray, conditions: Sequence[str]) -> pl.Series:
    """Return rows of 0 and 1 as lists of condition names."""
    rows, columns = np.nonzero(bits)
    names = pl.Series("combination", list(conditions), dtype=pl.String).gather(columns)
    held = pl.DataFrame(
        {"row": rows, "combination": names},
        schema={"row": pl.Int64, "combination": pl.String},
    )
    lists = held.group_by("row", maintain_order=True).agg("combination")
    every = pl.DataFrame({"row": np.arange(len(bits))}, schema={"row": pl.Int64}).join(
        lists, on="row", how="left", maintain_order="left"
    )
    return every["combination"].fill_null(pl.Series([[]], dtype=pl.List(pl.String)))


def _refuse_names(by: tuple[str, ...], values: tuple[str, ...]) -> None:
    made = [f"{value}_{name}" for value in values for name in (*STATISTICS, *(f"_{name}" for name in STATISTICS))]
    made += [f"{word}_{value}" for value in values for word in ("mean", "total")]
    masks = [name for name in (*by, *values) if name.startswith("mask_")]
    refuse_names(by, (*_RESERVED, *masks, *made), what="by")
    refuse_names(values, (*_RESERVED, *masks), what="values")


def _of_word(conditions: Sequence[str], word: int) -> list[tuple[int, str]]:
    return [(k, c) for k, c in enumerate(conditions) if k // 64 == word]


def _condition_list(long: pl.LazyFrame, conditions: Sequence[str] | None) -> list[str]:
    found = long.select(pl.col("condition").unique()).collect(engine="streaming")["condition"]
    if found.null_count():
        rows = long.select(pl.col("condition").null_count()).collect().item()
        raise ArgumentError(f"records has {rows:,} rows without a condition.")
    names = sorted(found.to_list())
    if conditions is None:
        return names
    listed = sorted(set(conditions))
    unknown = [n for n in names if n not in set(listed)]
    if unknown:
        rows = long.filter(pl.col("condition").is_in(unknown)).select(pl.len()).collect().item()
        raise ArgumentError(
            f"records has {rows:,} rows of {len(unknown)} conditions that are not in the list of {len(listed)}. "
            "Add them to the list, or leave their rows out."
        )
    return listed


def _masks(long: pl.LazyFrame, listed: Sequence[str]) -> pl.DataFrame:
    """Return one row per person with a condition: the set as words."""
    words = [f"mask_{w}" for w in range(n_words(len(listed)))]
    bits = {word: [2 ** (k % 64) if k // 64 == w else 0 for k in range(len(listed))] for w, word in enumerate(words)}
    # a join on the short list of conditions is the quickest way from a name to its bit
    table = pl.LazyFrame(
        {"condition": list(listed), **bits}, schema={"condition": pl.String, **dict.fromkeys(words, pl.UInt64)}
    )
    masks = (
        long.join(table, on="condition", how="left")
        .group_by("person")
        .agg([pl.col(word).bitwise_or() for word in words])
        .collect(engine="streaming")
    )
    if masks["person"].null_count():
        rows = long.select(pl.col("person").null_count()).collect().item()
        raise ArgumentError(f"records has {rows:,} rows without a person.")
    return masks


def _check_values(people: pl.LazyFrame, values: tuple[str, ...]) -> None:
    schema = people.collect_schema()
    for value in values:
        if not schema[value].is_numeric():
            raise ArgumentError(f"Value column '{value}' is {schema[value]}; a number is needed.")
    if not values:
        return
    bad = people.select(
        [
            # not-a-number compares as the largest of all, so it is above the limit
            (~pl.col(v).cast(pl.Float64).is_between(0, LARGEST)).fill_null(True).sum().alias(v)
            for v in values
        ]
    ).collect(engine="streaming")
    for value in values:
        if bad[value][0]:
            raise ArgumentError(
                f"Value column '{value}' is missing, negative, not a number or above {LARGEST:,} in "
                f"{bad[value][0]:,} rows. A sum of logarithms needs every value at zero or above."
            )


def _joined(
    masks: pl.DataFrame, persons: Any, person: str, by: tuple[str, ...], values: tuple[str, ...], n_conditions: int
) -> pl.DataFrame:
    wanted = as_lazy(persons, columns=(person, *by, *values))
    require_columns(wanted.collect_schema().names(), (person, *by, *values), what="persons")
    chosen = [pl.col(person).alias("person"), *[pl.col(c) for c in dict.fromkeys((*by, *values))]]
    people = wanted.select(chosen).collect(engine="streaming")
    words = [f"mask_{w}" for w in range(n_words(n_conditions))]
    kind, other = people.schema["person"], masks.schema["person"]
    if kind != other:
        if masks.height and not (kind.is_integer() and other.is_integer()):
            raise ArgumentError(f"Person ids are {other} in records and {kind} in persons: make them the same type.")
        # the wider type of the two, so that no id is changed by the cast
        wide = pl.Int128 if kind.is_integer() else kind
        masks = masks.with_columns(pl.col("person").cast(wide))
        people = people.with_columns(pl.col("person").cast(wide))
    _check_values(people.lazy(), values)
    if people["person"].null_count():
        raise ArgumentError(f"persons has {people['person'].null_count():,} rows without a person.")
    extra = people.height - people["person"].n_unique()
    if extra:
        raise ArgumentError(f"persons counts {extra:,} rows twice: one row per person is needed.")
    joined = people.join(masks, on="person", how="left")
    strangers = masks.height - (joined.height - joined[words[0]].null_count())
    if strangers:
        raise ArgumentError(f"records holds {strangers:,} people who are not in persons.")
    return joined.with_columns([pl.col(word).fill_null(0) for word in words])
