"""The figure that a family of results names as its own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from symphony_research.errors import ArgumentError
from symphony_research.result import Result
from symphony_research.show.gate import require_showable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot"]


def plot(result: Result, *, ax: Axes | None = None, **options: Any) -> Axes:
    """Draw the figure natural to a result's family.

    Parameters
    ----------
    result : Result
        Of any family that names a figure: curves, combinations, numbers of
        conditions, prevalence, co-occurrence, attrition.
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
    if result.figure is None:
        raise ArgumentError(f"{type(result).__name__} has no figure; sr.table(result) shows its numbers.")
    module, name = result.figure.split(":")
    axes: Axes = getattr(import_module(module), name)(result, ax=ax, **options)
    return axes
