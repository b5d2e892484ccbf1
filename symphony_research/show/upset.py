"""Combinations of conditions: how many people have each, how many were expected, and at what cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.frame import begin, finish, foot_height, head_height, nothing_to_draw
from symphony_research.show.gate import expected_note, one_stratum, require_family, unlisted_note
from symphony_research.show.overlaps import overlap_note
from symphony_research.show.style import (
    LABEL,
    MAIN,
    MARGIN,
    PALETTE,
    SMALL,
    drawing,
    text_width,
)
from symphony_research.show.titles import combination_title, few_title
from symphony_research.show.upset_panels import (
    GAP,
    KEY,
    TICKS,
    WAYS,
    add_panel,
    area_of,
    draw_bars,
    draw_costs,
    draw_key,
    draw_matrix,
    draw_ratios,
    fitted,
    place,
    put,
    way_of,
)
from symphony_research.words.lexicon import in_words
from symphony_research.words.numbers import number, roughly, times
from symphony_research.words.phrases import as_of, confidence_of, cost_period, joined

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EXACT_SET_CAUTION", "plot_upset"]

EXACT_SET_CAUTION = (
    "Whenever any conditions are associated, nearly every exact set of conditions differs from 1, and people with one "
    "condition alone are fewer than expected: that is not protection."
)

_ROW, _BARS, _RATIO, _COST = 19.0, 150.0, 104.0, 76.0
_WIDTH, _COLUMN = 10.5, 62.0


def plot_upset(
    result: Result,
    *,
    ax: Axes | None = None,
    top: int = 15,
    stratum: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> Axes:
    """Draw the commonest combinations of conditions: people, which conditions, observed/expected ratios, and cost.

    A column is a combination. Bars give its people; the dots below say which
    conditions are in it; the scale below shows the observed/expected ratio; and where the
    result holds `mean_cost`, bars at the foot give the cost of a person.

    Parameters
    ----------
    result : Combinations
        What `multimorbidity.combinations` returns.
    ax : matplotlib.axes.Axes, optional
        Whose area the whole picture takes; it becomes the axes of the bars.
    top : int, default 15
        The most combinations drawn.
    stratum : mapping, optional
        Which stratum, such as `{"sex": "F"}`; needed where there are several.
    title : str, optional
        By default the finding, in at most 15 words.

    Returns
    -------
    matplotlib.axes.Axes
        Of the bars.

    Raises
    ------
    ArgumentError
        On another family, or strata of which none is picked.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Notes
    -----
    A suppressed count is not drawn at all, and not counted: of few sets the number would name one.
    Percentages are of everybody in the stratum, with and without conditions.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.multimorbidity.combinations(patterns, kind="at_least", max_size=2)
    >>> ax = sr.plot_upset(sr.suppress(found, sr.Policy.synthetic()), top=5)
    >>> len(ax.patches)
    5
    """
    require_family(result, ("Combinations",), "plot_upset", "multimorbidity.combinations", title)
    if top < 1:
        raise ArgumentError(f"top={top} must be at least 1.")
    every = one_stratum(result, result.estimates, stratum)
    seen = every.filter(pl.col("n_persons") > 0)
    # ties in the alphabet: the order they had before rounding would tell more than the counts do
    drawn = seen.sort(
        ["n_persons", "size", pl.col("combination").list.join(" ")], descending=[True, False, False]
    ).head(top)
    notes = _notes(result, seen.height, drawn.height, stratum)
    with drawing():
        conditions = _conditions(drawn)
        notes += overlap_note(result, conditions)
        if title is None:
            title = combination_title(drawn, result.settings, stratum) if conditions else few_title("combination")
        if not conditions:
            ax, own = begin(ax, _WIDTH, 2.0)
            return nothing_to_draw(ax, result, own=own, title=title, notes=notes)
        names = [in_words(c) for c in conditions]
        label = max(text_width("Observed/expected", LABEL, "bold") + TICKS, *(text_width(n, LABEL) for n in names)) + 12
        full = {"ratio": _RATIO, "matrix": _ROW * len(names), "bars": _BARS}
        if "mean_cost" in drawn.columns and drawn["mean_cost"].is_not_null().any():
            full = {"cost": _COST, **full}
        width = min(max(label + _COLUMN * drawn.height, 500), _WIDTH * 72 - 2 * MARGIN)
        around = head_height(result, title, width) + foot_height(result, notes, width) + 12 + KEY
        tall = sum(full.values()) + GAP * len(full) + around
        ax, own = begin(ax, (width + 2 * MARGIN) / 72, (tall + 2 * MARGIN) / 72)
        x, y, width, height = (MARGIN, MARGIN, width, tall) if own else area_of(ax)
        head, foot = head_height(result, title, width), foot_height(result, notes, width)
        heights = fitted(full, len(names), height - head - foot - 12 - KEY)
        panels = place(x + label, y + foot + 6, min(width - label, _COLUMN * drawn.height), heights)
        size = max(min(LABEL, 0.7 * heights["matrix"] / len(names)), 4.0)
        others = [draw_matrix(add_panel(ax, panels, "matrix"), drawn, conditions, names, size)]
        keys = {"People": (MAIN, "s")}
        if "ratio" in heights:
            panel, clear = add_panel(ax, panels, "ratio"), confidence_of(result.settings)
            others.append(draw_ratios(panel, drawn, label, min(max(size + 1, SMALL), LABEL), clear))
            ways = [way_of(row) for row in drawn.select("oe_lower", "oe_upper", "q_value").iter_rows()]
            keys |= {WAYS[way][0]: WAYS[way][1:] for way in WAYS if way in ways}
        if "cost" in heights:
            people = one_stratum(result, result.count_tables["population"], stratum)
            everybody = people["mean_cost"][0] if "mean_cost" in people.columns else None
            over = cost_period(result.settings)
            keys["Mean cost"] = (PALETTE[2], "s")
            others.append(draw_costs(add_panel(ax, panels, "cost"), drawn, label, SMALL, over, everybody))
        put(ax, panels, "bars")
        draw_bars(ax, drawn, label, str(result.settings["kind"]), min(max(size + 1, SMALL), LABEL))
        draw_key(ax, keys, label, width)
        across = ax.figure.bbox.width * 72 / ax.figure.dpi
        first = drawn.head(3).select("combination", "n_persons", "observed_expected").iter_rows()
        told = [
            f"{joined(held)} {number(n)} people" + ("" if r is None else f", observed/expected {times(r)}")
            for held, n, r in first
        ]
        several = drawn.height > 1
        kind = f"UpSet plot of {drawn.height} combination{'s' * several}, one a column{', the largest first' * several}"
        rows = "From the top: bars of people; a matrix of which conditions each combination has"
        rows += "; observed/expected ratios with intervals, on a logarithmic scale" * ("ratio" in heights)
        rows += "; bars of mean cost per person" * ("cost" in heights)
        return finish(ax, result, own=own, title=title, notes=notes, others=others, area=(x / across, width), kind=kind,
                      axes=rows, told=told)  # fmt: skip


def _notes(result: Result, n_seen: int, n_drawn: int, stratum: Mapping[str, Any] | None) -> list[str]:
    people = one_stratum(result, result.count_tables["population"], stratum)["n_persons"][0]
    notes = [f"The {n_drawn} largest of {number(n_seen)} combinations."] if n_seen > n_drawn else []
    if people is not None:
        notes.append(f"Of about {roughly(people)} people, with and without conditions{as_of(result.settings)}.")
    if n_seen == n_drawn:
        notes += unlisted_note(result, "drawn")
    notes += expected_note(result)
    if result.settings["kind"] == "exact":
        notes.append(EXACT_SET_CAUTION)
    return notes


def _conditions(drawn: pl.DataFrame) -> list[str]:
    """Return the conditions of the sets drawn, those in most people's sets first."""
    held = drawn.select("combination", "n_persons").explode("combination", empty_as_null=False, keep_nulls=False)
    order = held.group_by("combination").agg(pl.col("n_persons").sum())
    return order.sort(["n_persons", "combination"], descending=[True, False])["combination"].to_list()
