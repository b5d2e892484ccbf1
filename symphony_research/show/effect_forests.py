"""Effects of several outcomes, or of groups beside that of all, as forest plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from symphony_research.evaluation.verdicts import with_ratio
from symphony_research.result import Result
from symphony_research.show.bars import row_step
from symphony_research.show.forest import ratio_rows
from symphony_research.show.frame import begin, finish, nothing_to_draw
from symphony_research.show.gate import require_family
from symphony_research.show.ranked import _tall
from symphony_research.show.style import drawing
from symphony_research.show.titles import few_title
from symphony_research.words.lexicon import capital
from symphony_research.words.numbers import number
from symphony_research.words.phrases import confidence_of, fitting, strata_phrase

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Row", "drawable", "forest_of", "plot_effect_by", "plot_other_analyses", "plot_outcome_effects"]

Row = Mapping[str, Any]
_DRAWN = (1e-3, 1e3)


def plot_outcome_effects(
    result: Result, *, ax: Axes | None = None, title: str | None = None, beside: Sequence[Row] = ()
) -> Axes:
    """Draw the rate ratio of each outcome with its interval, the primary first.

    Parameters
    ----------
    result : OutcomeEffects
        What `evaluation.outcome_effects` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    title : str, optional
        By default the finding, in at most 15 words.
    beside : sequence of mappings, optional
        Further ratios, drawn in grey below: `name`, `estimate`, `lower`, `upper` of what is no effect, such as a ratio of
        before and after without controls.

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
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> ax = sr.plot_outcome_effects(sr.evaluation.outcome_effects(matched))
    >>> ax.get_xscale()
    'log'
    """
    require_family(result, ("OutcomeEffects",), "plot_outcome_effects", "evaluation.outcome_effects", title)
    every = list(result.estimates.iter_rows(named=True))
    drawn = [{**row, "name": _outcome(result, row)} for row in every]
    if title is None:
        title = _of_primary(result)
    grey = [{**row, "quiet": True} for row in beside]
    return forest_of(result, [*drawn, *grey], title, "outcomes", ax)


def plot_effect_by(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the rate ratio of each group with its interval, that of all together first; in order of the groups' names.

    Parameters
    ----------
    result : EffectBy
        What `evaluation.effect_by` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    title : str, optional
        By default whether the groups differ, in at most 15 words.

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
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> ax = sr.plot_effect_by(sr.evaluation.effect_by(matched, by="sex"))
    >>> ax.get_xscale()
    'log'
    """
    require_family(result, ("EffectBy",), "plot_effect_by", "evaluation.effect_by", title)
    rows: list[Row] = [{**result.whole, "name": "All"}]  # type: ignore[attr-defined]
    rows += [
        {**row, "name": result.group_words(row)}  # type: ignore[attr-defined]
        for row in result.estimates.iter_rows(named=True)
    ]
    if title is None:
        title = _of_groups(result)
    return forest_of(result, rows, title, "groups", ax)


def plot_other_analyses(result: Result, *, ax: Axes | None = None, title: str | None = None) -> Axes:
    """Draw the rate ratio of the primary analysis, of other choices, and in grey what is no effect.

    Parameters
    ----------
    result : OtherAnalyses
        What `evaluation.other_analyses` returns.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    title : str, optional
        By default the primary ratio beside the one without controls, in at most 15 words.

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
    >>> matched = sr.evaluation.match_controls(study, sr.define_cohort(study, programme="complex_care"), seed=1)
    >>> found = sr.evaluation.other_analyses(sr.evaluation.enrolment_effect(matched))
    >>> sr.plot_other_analyses(found).get_xscale()
    'log'
    """
    require_family(result, ("OtherAnalyses",), "plot_other_analyses", "evaluation.other_analyses", title)
    rows: list[Row] = [
        {**row, "name": capital(result.analysis_words(row)), "quiet": result.is_quiet(row)}  # type: ignore[attr-defined]
        for row in result.estimates.iter_rows(named=True)
    ]
    return forest_of(result, rows, _of_analyses(rows) if title is None else title, "analyses", ax)


def drawable(rows: Sequence[Row]) -> list[Row]:
    """Return the rows whose ratio is there, with limits that a scale has room for."""
    return [row for row in rows if row["estimate"] is not None and _DRAWN[0] < row["lower"] < row["upper"] < _DRAWN[1]]


def forest_of(result: Result, every: Sequence[Row], title: str, what: str, ax: Axes | None) -> Axes:
    """Draw ratios with their `name`, one a row; those that are `quiet` in grey. `what` the rows are, as a plural."""
    rows = drawable(every)
    notes = [f"Bars: {confidence_of(result.settings)}. Dashed: no difference.", *result.notes(())]
    if any(row.get("quiet") for row in rows):
        notes.insert(1, "Grey: no estimate of an effect, as people enrol when their rate is high.")
    gone = len(every) - len(rows)
    if gone:
        notes.append(
            f"{number(gone)} of {number(len(every))} {what} without a ratio, or with one suppressed, are not drawn."
        )
    with drawing():
        names = [row["name"] for row in rows]
        ax, own = begin(ax, 8.8, 2.6 + _tall(names) * max(len(rows), 1))
        if not rows:
            return nothing_to_draw(ax, result, own=own, title=few_title("ratio"), notes=notes)
        size = _tall(names) * 72 if own else row_step(ax, own, len(rows))
        said = [with_ratio(row) if own else "" for row in rows]
        ends = min(0.9, *(row["lower"] for row in rows)) / 1.05, max(1.1, *(row["upper"] for row in rows)) * 1.05
        ratio_rows(ax, rows, "estimate", names, said, size, ends, "Enrolled people over controls (log scale)")
        told = [f"{row['name']}: {number(row['estimate'])}" for row in rows[:6]]
        kind = f"Forest plot of the ratios of {len(rows)} {what} with intervals"
        return finish(ax, result, own=own, title=title, notes=notes, kind=kind, told=told)


def _of_analyses(rows: Sequence[Row]) -> str:
    """Say the primary ratio, and beside it what before and after alone would have said."""
    if rows[0]["estimate"] is None:
        return few_title("primary ratio")
    against = f"Rate ratio {with_ratio(rows[0])} against controls"
    alone = next((row["estimate"] for row in drawable(rows) if row["quiet"]), None)
    return against if alone is None else f"{against}, {number(alone)} before and after alone"


def _outcome(result: Result, row: Row) -> str:
    role = "" if row["role"] == "secondary" else f" ({row['role']})"
    return f"{result.outcome_words(row)}{role}"  # type: ignore[attr-defined]


def _of_primary(result: Result) -> str:
    row = result.primary  # type: ignore[attr-defined]
    if row["estimate"] is None:
        return few_title("ratio of the primary outcome")
    what = result.outcome_words(row)  # type: ignore[attr-defined]
    return fitting(f"{what} of enrolled people over comparable others: {with_ratio(row)}", f"{what}: {with_ratio(row)}")


def _of_groups(result: Result) -> str:
    p, by = result.test["p_value"][0], strata_phrase(result.by)  # type: ignore[attr-defined]
    if p is None:
        return f"Too few groups by {by} to compare effects"
    return f"Effects {'differ' if p <= 0.05 else 'do not clearly differ'} by {by}"
