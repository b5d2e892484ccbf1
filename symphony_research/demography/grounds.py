"""What a projection assumes and where that is from, and how wrong projections made in the same way were before."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import polars as pl

from symphony_research.demography.projection import Projection
from symphony_research.demography.published import Tables, _OfPublished
from symphony_research.demography.south_somerset import LAUNCH, VARIANTS, migration_levels
from symphony_research.errors import ArgumentError
from symphony_research.reference import reference_table
from symphony_research.result import passed_on
from symphony_research.words.numbers import percentage

__all__ = ["Assumptions", "PastErrors", "assumptions", "past_errors"]

PAST = "past_errors"


class Assumptions(_OfPublished):
    """What is assumed of births, deaths and migration, and where it is from."""

    title: ClassVar[str] = "What the projection assumes"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"end", "published", "area_name", "variant"})
    keys: ClassVar[frozenset[str]] = frozenset({"component"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {
            "assumptions": ("component", "assumed", "whence"),
            "migration": ("inward", "outward", "first_year", "last_year"),
        }
    )
    shown: ClassVar[tuple[str, ...]] = ("component", "assumed", "whence")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"component": "Of", "assumed": "Assumed", "whence": "From"}
    )

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return them as they are."""
        return tables["assumptions"]

    def sentence(self) -> str:
        """Return what is assumed of migration, and where it is from."""
        row = self.count_tables["migration"].row(0, named=True)
        net = round(row["inward"]) - round(row["outward"])
        return (
            f"Net migration is assumed to be {_signed_people(net)} people a year ({row['inward']:,.0f} in, {row['outward']:,.0f} out): the mean of ONS's "
            f"{row['last_year'] - row['first_year'] + 1} years to mid-{row['first_year']} up to mid-{row['last_year']}{_shifted(self.settings['variant'])}. Ages of migrants are those of a model, not counted here."
        )


class PastErrors(_OfPublished):
    """Errors of projections made in the same way, against estimates made since."""

    title: ClassVar[str] = "Projections made in the same way, against what happened"
    figure: ClassVar[str | None] = None
    own_settings: ClassVar[frozenset[str]] = frozenset({"published"})
    keys: ClassVar[frozenset[str]] = frozenset({"place", "ages"})
    layout: ClassVar[Mapping[str, tuple[str, ...]]] = MappingProxyType(
        {"errors": ("place", "start", "end", "ages", "percent_error")}
    )
    shown: ClassVar[tuple[str, ...]] = ("place", "start", "end", "ages", "percent_error")
    column_words: ClassVar[Mapping[str, str]] = MappingProxyType(
        {"place": "Area", "start": "Base, mid-", "end": "Compared, mid-", "ages": "Ages", "percent_error": "Error, %"}
    )

    @staticmethod
    def derive(tables: Tables, settings: Mapping[str, Any], by: tuple[str, ...]) -> pl.DataFrame:
        """Return them as they are."""
        return tables["errors"]

    def format_cell(self, record: Mapping[str, Any], column: str) -> str | None:
        """Return years without a separator, and errors with their sign."""
        if column in ("start", "end"):
            return str(record[column])
        return _signed(record[column]) if column == "percent_error" else super().format_cell(record, column)

    def sentence(self) -> str:
        """Return the errors of each area."""
        parts = []
        for (area, start, end), own in self._derived.group_by(["place", "start", "end"], maintain_order=True):
            errors = ", ".join(f"{_signed(row['percent_error'])} ({row['ages']})" for row in own.iter_rows(named=True))
            parts.append(f"of {area}, mid-{start} to mid-{end}, {errors}")
        return f"Projections made in the same way, against estimates made since, were out by: {'; '.join(parts)}; − is too few people. No later year was compared."


def _signed(percent: float) -> str:
    return f"{'+' if percent >= 0 else '−'}{percentage(abs(percent) / 100)}"


def _signed_people(net: int) -> str:
    return f"{'+' if net >= 0 else '−'}{abs(net):,}"


def _shifted(variant: str) -> str:
    shift = VARIANTS[variant].shift
    return f", {'more' if shift > 0 else 'less'} {abs(shift):.2f} standard errors" if shift else ""


def assumptions(projection: Projection) -> Assumptions:
    """Return what the built-in projection assumes, with the source of each assumption.

    Parameters
    ----------
    projection : Projection
        Of `project_area` or `project_south_somerset`.

    Returns
    -------
    Assumptions, or NotAvailable where that was given
        `component`, `assumed`, `whence`. Released as the projection was.

    Raises
    ------
    ArgumentError
        On a projection whose variant is none of the built-in ones.

    References
    ----------
    Preston, S. H., Heuveline, P. and Guillot, M. (2001). Demography, chapter 6. Blackwell.

    Examples
    --------
    >>> import symphony_research as sr
    >>> assumed = sr.demography.assumptions(sr.demography.project_south_somerset(end=2021))
    >>> "+700 people a year" in assumed.sentence()
    True
    """
    if (gone := passed_on(projection)) is not None:
        return gone
    name = str(projection.settings.get("variant"))
    if name not in VARIANTS:
        raise ArgumentError(f"The projection has no built-in variant. Variants: {', '.join(VARIANTS)}.")
    chosen = VARIANTS[name]
    end = projection.settings["end"]
    level = migration_levels(max(end, LAUNCH + 1), chosen)
    inward = level["internal_in"] + level["international_in"]
    outward = level["internal_out"] + level["international_out"]
    first = LAUNCH - chosen.window + 1
    flows = pl.DataFrame({"inward": [inward], "outward": [outward], "first_year": [first], "last_year": [LAUNCH]})
    total = float(projection.count_tables["fertility"].filter(pl.col("year") == end)["rate"].sum())
    net = round(inward) - round(outward)
    rows = [
        ("Births", f"{total:.2f} children a woman in the year to mid-{end}", f"ONS 2012-based {chosen.fertility} rates at the level of local births, mid-2010 to mid-2012"),
        ("Deaths", f"local level, rates falling {percentage(chosen.improvement)} a year up to age 90" if chosen.improvement else "local level, no improvement", "ONS, shape by age; level of local deaths, mid-2010 to mid-2012; improvement of ONS's 2010-based projections"),
        ("Migration", f"{_signed_people(net)} people a year net", f"ONS, mean of {chosen.window} years, mid-{first} to mid-{LAUNCH}{_shifted(name)}"),
        ("Ages of migrants", "a model schedule, with students who leave and people who retire", "Rogers and Castro 1981; assumed, as no local flows by age are used"),
    ]  # fmt: skip
    settings = {
        "method": "assumptions of decision 14",
        "reference": "Office for National Statistics; Rogers and Castro 1981",
        "end": end,
        **{key: projection.settings.get(key) for key in ("published", "area_name", "variant")},
    }
    table = pl.DataFrame(rows, schema=["component", "assumed", "whence"], orient="row")
    return Assumptions({"assumptions": table, "migration": flows}, settings, (), projection.disclosure)


def past_errors() -> PastErrors:
    """Return how wrong projections made in the same way were, against estimates made since.

    Returns
    -------
    PastErrors
        `place`, `start` and `end` (mid-years), `ages`, `percent_error`.

    References
    ----------
    Smith, S. K., Tayman, J. and Swanson, D. A. (2013). A Practitioner's Guide to State and Local Population
    Projections, chapter 13. Springer.

    Examples
    --------
    >>> import symphony_research as sr
    >>> sr.demography.past_errors().estimates["place"].unique(maintain_order=True).to_list()
    ['Bristol', 'South Somerset']
    """
    table = reference_table(PAST)
    settings = {
        "method": "projected less estimated, % of the estimate",
        "reference": "Smith, Tayman and Swanson 2013",
        "published": f"{table.source} ({table.licence})",
    }
    return PastErrors({"errors": table.frame}, settings, ())
