"""The effect of enrolling at that time: ratios with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from symphony_research.evaluation.verdicts import with_ratio
from symphony_research.result import Result
from symphony_research.show.effect_forests import Row, drawable, forest_of
from symphony_research.show.gate import require_family
from symphony_research.show.titles import few_title
from symphony_research.words.lexicon import capital
from symphony_research.words.phrases import fitting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_enrolment_effect"]


def plot_enrolment_effect(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the ratios of enrolled people and controls with their intervals, on a log scale.

    Parameters
    ----------
    result : EnrolmentEffect
        What `evaluation.enrolment_effect` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    title : str, optional
        By default the finding, in at most 15 words.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        On another family.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study = sr.example_study(12_000)
    >>> cohort = sr.define_cohort(study, programme="complex_care")
    >>> matched = sr.evaluation.match_controls(study, cohort, score="odds_weights", seed=1)
    >>> ax = sr.plot_enrolment_effect(sr.evaluation.enrolment_effect(matched))
    >>> ax.get_xscale()
    'log'
    """
    require_family(result, ("EnrolmentEffect",), "plot_enrolment_effect", "evaluation.enrolment_effect", title)
    every = result.estimates.filter(pl.col("measure").str.contains("ratio")).iter_rows(named=True)
    rows = [{**row, "name": capital(row["measure"])} for row in every]
    return forest_of(result, rows, _title(rows) if title is None else title, "measures", ax)


def _title(rows: Sequence[Row]) -> str:
    drawn = drawable(rows)
    if not drawn:
        return few_title("ratio")
    figure = f"{drawn[0]['measure']} {with_ratio(drawn[0])}"
    return fitting(f"Enrolled people against comparable others: {figure}", capital(figure))
