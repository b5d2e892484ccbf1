"""Which figure is natural to which family of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.bars import plot_condition_count, plot_prevalence
from symphony_research.show.companions import plot_combination_costs, plot_companions, plot_further_conditions
from symphony_research.show.curves import plot_survival
from symphony_research.show.flow import plot_attrition
from symphony_research.show.gate import is_family, require_showable
from symphony_research.show.network import plot_network
from symphony_research.show.ranked import plot_centrality, plot_comparison, plot_sequences
from symphony_research.show.upset import plot_upset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NATURAL", "plot"]

NATURAL: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "SurvivalCurve": plot_survival,
        "CumulativeIncidence": plot_survival,
        "Combinations": plot_upset,
        "CombinationCosts": plot_combination_costs,
        "Companions": plot_companions,
        "FurtherConditions": plot_further_conditions,
        "ConditionCount": plot_condition_count,
        "Prevalence": plot_prevalence,
        "Cooccurrence": plot_network,
        "Centrality": plot_centrality,
        "NetworkComparison": plot_comparison,
        "Sequences": plot_sequences,
        "Attrition": plot_attrition,
    }
)


def plot(result: Result, *, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw the figure natural to a result's family.

    Parameters
    ----------
    result : Result
        Of any family of `NATURAL`: curves, combinations, numbers of conditions,
        prevalence, co-occurrence, attrition.
    ax : matplotlib.axes.Axes, optional
        Where to draw; by default a new figure.
    **options
        Those of the family's own function, such as `top=` or `horizon=`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        If the family has no figure.
    DisclosureError
        Inside a report, if the result has not passed `suppress`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> ax = sr.plot(sr.suppress(sr.multimorbidity.condition_count(patterns), sr.Policy.synthetic()))
    >>> ax.get_xlabel()
    'Number of long-term conditions'
    """
    require_showable(result, "plot")
    for family, function in NATURAL.items():
        if is_family(result, (family,)):
            return function(result, ax=ax, **options)
    raise ArgumentError(
        f"{type(result).__name__} has no figure; sr.table(result) shows its numbers. "
        f"Families with one: {', '.join(NATURAL)}."
    )
