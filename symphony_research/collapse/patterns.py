"""`Patterns`: how many people have exactly which conditions, by stratum, with sums of values."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.collapse import readers
from symphony_research.collapse.bits import Integers, Words, unpack
from symphony_research.collapse.engines import n_engine_words
from symphony_research.collapse.frames import column_names, names_of, runs
from symphony_research.collapse.leaving import SUPPRESSED, may_leave, require_possible
from symphony_research.collapse.masks import mask_columns, pooled, renumbered, words_of
from symphony_research.collapse.names import combination_names, refuse_our_names
from symphony_research.collapse.site import common_provenance, read_site_file, write_site_file
from symphony_research.collapse.sums import HUNDRED, STATISTICS, grouped_sums, in_units
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.policy import Policy
from symphony_research.result import Provenance, inside_report

if TYPE_CHECKING:
    import narwhals as nw

__all__ = ["HUNDRED", "STATISTICS", "Patterns", "combination_names"]


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
    handling : tuple of str
        What a site file said of the patterns: "internal", or which rule
        suppressed them. Whatever is merged with them carries it too.

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
    provenance: Provenance = field(default_factory=Provenance)
    handling: tuple[str, ...] = ()

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
        provenance: Provenance | None = None,
    ) -> Patterns:
        """Collapse rows of (person, condition), in the engine that holds them.

        Frames may be Polars (eager or lazy), pandas, Arrow, DuckDB or Spark; the
        patterns are the same to the last digit. Nobody is brought out of DuckDB
        or Spark, only patterns and counts of faults.

        Parameters
        ----------
        records : frame
            One row per person and condition; repeated rows count once.
        persons : frame, optional
            One row per person, in the same engine: the denominator, with the columns named in
            `by` and `values`. Without it only people with a condition count.
        by, values : str or sequence of str
            Columns of `persons`: strata, and numbers of at least zero to sum
            (kept to the hundredth, so a penny).
        person, condition : str
            Names of the columns.
        conditions : sequence of str, optional
            The code list. Conditions that nobody has belong to it too; records
            of any other condition are an error. By default, those recorded.
        provenance : Provenance, optional
            Where the people came from.

        Raises
        ------
        ArgumentError
            On a missing column, missing values, a person counted twice, records of people
            who are not in `persons`, or a negative value; with counts of rows.
        """
        known = column_names(persons)
        by, values = names_of(by, known), names_of(values, known)
        refuse_our_names(by, values)
        people, listed = readers.of_records(
            records, persons, person=person, condition=condition, conditions=conditions, by=by, values=values
        )
        return cls._collapsed(people, listed, by, values, provenance)

    @classmethod
    def from_wide(
        cls,
        frame: Any,
        *,
        conditions: Sequence[str],
        by: str | Sequence[str] = (),
        values: str | Sequence[str] = (),
        provenance: Provenance | None = None,
    ) -> Patterns:
        """Collapse one row per person with a column for each condition, in the engine that holds it.

        Parameters
        ----------
        frame : frame
            One row per person.
        conditions : sequence of str
            Columns that are Boolean, or 0 and 1 of any numeric type.
        by, values : str or sequence of str
            Columns: strata, and numbers of at least zero to sum (kept to the hundredth).
        provenance : Provenance, optional
            Where the people came from.

        Raises
        ------
        ArgumentError
            On a missing column, a missing value or anything but 0 and 1 in a condition, or
            a negative value; with counts of rows.
        """
        known = column_names(frame)
        by, values = names_of(by, known), names_of(values, known)
        refuse_our_names(by, values)
        people, listed = readers.of_wide(frame, conditions=names_of(conditions, known), by=by, values=values)
        return cls._collapsed([people], listed, by, values, provenance)

    @classmethod
    def from_masks(
        cls,
        frame: Any,
        *,
        conditions: Sequence[str],
        by: str | Sequence[str] = (),
        values: str | Sequence[str] = (),
        mask: str | Sequence[str] = "mask",
        provenance: Provenance | None = None,
    ) -> Patterns:
        """Collapse one row per person whose conditions are the bits of an integer.

        Parameters
        ----------
        frame : frame
            One row per person.
        conditions : sequence of str
            The name of each bit: bit k (worth 2**k) is the condition at place k,
            from 0.
        by, values : str or sequence of str
            Columns: strata, and numbers of at least zero to sum (kept to the hundredth).
        mask : str or sequence of str
            Column of integers; beyond 64 conditions one column for each
            64, the first conditions first. A column of 64 signed bits holds its
            last condition in the sign.
        provenance : Provenance, optional
            Where the people came from.

        Raises
        ------
        ArgumentError
            On a missing column, a missing value or a bit without a condition in a mask, or
            a value that is missing or negative; with counts of rows.

        Examples
        --------
        >>> import polars as pl
        >>> import symphony_research as sr
        >>> people = pl.DataFrame({"mask": [0b11, 0b10, 0b11]})
        >>> patterns = sr.Patterns.from_masks(people, conditions=["stroke", "asthma"])
        >>> patterns.to_frame().rows()
        [(['asthma'], 1), (['asthma', 'stroke'], 2)]
        """
        known = column_names(frame)
        by, values, masks = (names_of(names, known) for names in (by, values, mask))
        refuse_our_names(by, values)
        conditions = names_of(conditions)
        people = readers.of_masks(frame, conditions=conditions, masks=masks, by=by, values=values)
        words = [f"mask_{w}" for w in range(len(masks))]
        table = readers.checked_masks(
            grouped_sums([people], by=by, masks=words, values=values), words, conditions, masks
        )
        given = cls._made(table, conditions, by, values, provenance)
        listed = tuple(sorted(conditions))
        return cls._made(renumbered(given.frame, by, given.conditions, listed), listed, by, values, provenance)

    @classmethod
    def _collapsed(
        cls,
        people: Sequence[nw.LazyFrame],
        conditions: Sequence[str],
        by: tuple[str, ...],
        values: tuple[str, ...],
        provenance: Provenance | None,
    ) -> Patterns:
        words = [f"mask_{w}" for w in range(n_engine_words(len(conditions)))]
        table = grouped_sums(people, by=by, masks=words, values=values)
        unmatched = int(table["__unmatched"].sum())
        if unmatched:
            raise ArgumentError(f"records holds {unmatched:,} people who are not in persons.")
        return cls._made(readers.of_64_bits(table, words, len(conditions)), conditions, by, values, provenance)

    @classmethod
    def _made(
        cls,
        table: pl.DataFrame,
        conditions: Sequence[str],
        by: tuple[str, ...],
        values: tuple[str, ...],
        provenance: Provenance | None,
    ) -> Patterns:
        masks = mask_columns(len(conditions))
        sums = [f"{value}__{name}" for value in values for name in STATISTICS]
        frame = table.select([*by, *masks, "n_persons", *sums]).sort([*by, *masks], nulls_last=True)
        return cls(tuple(conditions), frame, by, values, provenance or Provenance())

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
                    f"{list(part.values)}. Collapse them the same way first."
                )
        listed = sorted({c for part in parts for c in part.conditions})
        frames = [renumbered(part.frame, part.by, part.conditions, listed) for part in parts]
        return Patterns(
            tuple(listed),
            pooled(frames, first.by, len(listed)),
            first.by,
            first.values,
            common_provenance([part.provenance for part in parts]),
            tuple(sorted({mark for part in parts for mark in part.handling})),
        )

    def write(self, path: str | os.PathLike[str], *, internal: bool = False, policy: Policy | None = None) -> None:
        """Write the patterns to one Parquet file that another site can merge.

        Say which of two files it is. An *internal* one holds every set exactly:
        it is as confidential as the people, and says so itself. A *suppressed*
        one holds what may leave under a policy, and loses much:

        * sets that too few people of a stratum share are not in it, nor
          is any total from which they could be computed. Most sets are such;
          the people who have many conditions go missing first, so prevalence,
          pairs and numbers of conditions made from the file are too low;
        * the other counts are rounded;
        * values (costs) are omitted, since an exact sum beside a rounded
          count tells of single people;
        * conditions that no set of it holds are not named.

        Parameters
        ----------
        path : path
            Where the file is to be; an older one is replaced whole.
        internal : bool
            Write every set exactly.
        policy : Policy, optional
            Write what may leave under this rule.

        Raises
        ------
        ArgumentError
            If not exactly one of `internal` and `policy` is given, or there is no such folder.
        DisclosureError
            Inside a report; if the policy suppresses nothing and the people are not
            generated; if the patterns are suppressed already.

        Examples
        --------
        >>> import tempfile
        >>> import symphony_research as sr
        >>> patterns = sr.define_cohort(sr.example_study()).patterns()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     patterns.write(f"{folder}/south.parquet", internal=True)
        ...     there = sr.Patterns.read(f"{folder}/south.parquet")
        >>> there.n_persons == patterns.n_persons, there.handling
        (True, ('internal',))
        """
        if inside_report():
            raise DisclosureError("Patterns count people as they are. Show the disclosed result made from them.")
        if internal == (policy is not None):
            raise ArgumentError(
                "Say which file it is: internal=True (every set, exactly; as confidential as the people) or "
                "policy=sr.Policy.nhs_england() (what may leave)."
            )
        given = self if policy is None else self._suppressed(policy)
        handling = sorted({*given.handling, *(["internal"] if internal else [])})
        about = {"conditions": given.conditions, "by": given.by, "values": given.values, "handling": handling}
        write_site_file(Path(path), given.frame, about, given.provenance)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Patterns:
        """Read the patterns of a file that `Patterns.write` has written.

        They carry its handling. No file can vouch that its people are invented,
        so `Policy.synthetic()` is refused for results made from it.

        Raises
        ------
        ArgumentError
            If there is no such file.
        SchemaError
            If the file is not one of patterns, is of a later format, or is not as it was written.
        """
        frame, about, provenance = read_site_file(Path(path))
        by, values = tuple(about["by"]), tuple(about["values"])
        made = cls._made(frame, about["conditions"], by, values, provenance)
        return replace(made, handling=tuple(about["handling"]))

    def _suppressed(self, policy: Policy) -> Patterns:
        """Return the sets that may leave under a policy."""
        require_possible(policy, self.handling, generated=self.provenance.generated)
        names, frame = may_leave(self.frame, self.by, self.conditions, policy)
        return Patterns(names, frame, self.by, (), self.provenance, (*self.handling, f"{SUPPRESSED} {policy.title}"))

    @cached_property
    def n_persons(self) -> int:
        """People counted."""
        return int(self.frame["n_persons"].sum())

    @cached_property
    def words(self) -> Words:
        """The sets as an (n, W) array of words."""
        return words_of(self.frame, len(self.conditions))

    @cached_property
    def strata(self) -> pl.DataFrame:
        """The strata in order, one row each, with the people in them."""
        if not self.by:
            return pl.DataFrame({"n_persons": [self.n_persons]}, schema={"n_persons": pl.Int64})
        return self.frame.group_by(self.by).agg(pl.col("n_persons").sum()).sort(self.by, nulls_last=True)

    def parts(self) -> Iterable[tuple[Mapping[str, Any], Words, Integers]]:
        """Go through the strata: their names, sets (n, W) and people (n,)."""
        people = self.frame["n_persons"].to_numpy()
        for names, start, stop in runs(self.frame, self.by):
            yield names, self.words[start:stop], people[start:stop]

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
        names = combination_names(unpack(self.words, len(self.conditions)), self.conditions)
        return self.frame.select([*self.by, "n_persons", *in_units(self.values)]).insert_column(0, names)

    def __repr__(self) -> str:
        by = f" by {', '.join(self.by)}" if self.by else ""
        handling = "; ".join((*self.handling, "confidential until suppressed"))
        return f"Patterns of {len(self.conditions)} conditions{by} ({handling})"
