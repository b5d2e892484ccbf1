"""What adjusted figures say of counts by stratum: the words in which a family tells disclosure control."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from symphony_research.result.cells import CellDefinition

if TYPE_CHECKING:  # a study is read without numpy, which takes as long to load as reading
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["AdjustedForms", "Ratios"]

Array: TypeAlias = "NDArray[np.float64]"


@dataclass(frozen=True)
class Ratios:
    """Figures as ratios of two affine functions of counts: (top @ x + top_constant) / (bottom @ x + bottom_constant).

    Attributes
    ----------
    top, bottom : (F, S) arrays
        Coefficients of S counts in F figures.
    top_constant, bottom_constant : (F,) arrays
    """

    top: Array
    top_constant: Array
    bottom: Array
    bottom_constant: Array


@dataclass(frozen=True)
class AdjustedForms:
    """The counts by stratum behind adjusted figures, and what each figure is of them, all other counts given.

    Attributes
    ----------
    whole : CellDefinition
        Whose strata they are.
    cells : tuple of CellDefinition
        One a stratum, the strata of the result among them.
    counts : (S,) array
        How many people each is.
    people : (S,) array
        Of how many people of its stratum.
    figures : tuple of (table, row, column)
    ratios : callable or None
        () -> Ratios of the figures; None where the figures are not of this form.
    """

    whole: CellDefinition
    cells: tuple[CellDefinition, ...]
    counts: NDArray[np.int64] = field(repr=False)
    people: NDArray[np.int64] = field(repr=False)
    figures: tuple[tuple[str, int, str], ...] = field(repr=False)
    ratios: Callable[[], Ratios] | None = field(repr=False)
