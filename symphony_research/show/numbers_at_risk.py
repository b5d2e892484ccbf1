"""The table of numbers at risk under a figure of curves, one row a stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from symphony_research.collapse.margins import same_stratum
from symphony_research.result import Result
from symphony_research.show.style import SMALL, darker, text_height, text_width, wrapped
from symphony_research.words.numbers import number
from symphony_research.words.phrases import strata_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["NumbersAtRisk", "mark_of"]

_ROW = 13.0  # height of a row of the table under the axes
_NAMES = 140.0  # width of the names of rows, in points
_TABLE = 40.0  # from the axes to the table, over ticks and label of the axis


def mark_of(result: Result, record: dict[str, Any]) -> str:
    """Return what stands for a number at risk that is not there; of an exact curve only its end is not."""
    return result.missing_marker(record, "n_at_risk") if result.on_grid else "[x]"  # type: ignore[attr-defined]


@dataclass(frozen=True)
class NumbersAtRisk:
    """The numbers at risk, one row a stratum: those that a curve holds, or those of `known` by stratum and time."""

    result: Result
    strata: Sequence[dict[str, Any]]
    colours: Sequence[str]
    known: pl.DataFrame | None = None

    @property
    def words(self) -> list[str]:
        """The names of the rows, broken into lines; none without strata."""
        return [wrapped(strata_words(names), _NAMES, SMALL, "bold") if names else "" for names in self.strata]

    @property
    def heights(self) -> list[float]:
        """Heights of the rows, in points."""
        return [max(_ROW, text_height(words, SMALL) + 5) for words in self.words]

    @property
    def height(self) -> float:
        """Height of the table from the axes on, over ticks and label of the axis, in points."""
        return _TABLE + _ROW + sum(self.heights)

    def columns_in(self, width: float) -> int:
        """Return how many columns of numbers stand side by side in so many points."""
        return max(2, int(width / (text_width(self._widest, SMALL) + 8)))

    @property
    def _widest(self) -> str:
        numbers = self.result.estimates if self.known is None else self.known
        return number(numbers["n_at_risk"].max() or 0)  # type: ignore[arg-type]

    def read(self, times: Sequence[float]) -> pl.DataFrame:
        """Return the number at risk at each time; null where it is suppressed, or a curve has ended."""
        from symphony_research.survival.points import read_curve

        if self.known is not None:
            return self.known.filter(pl.col("time").is_in(list(times)))
        read = read_curve(self.result, times)
        if "cause" in read.columns:  # at risk of any: every cause's rows say the same
            read = read.filter(pl.col("cause") == self.result.settings["causes"][0])
        return read

    def draw(self, ax: Axes, read: pl.DataFrame) -> None:
        """Write the rows under the axes."""
        top = _TABLE
        beside = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
        edge = text_width(self._widest, SMALL) / 2
        ax.annotate("Number at risk", (0, 0), (-edge, -top), ha="left", fontsize=SMALL, fontweight="bold",
                    annotation_clip=False, gid="at risk title", **beside)  # type: ignore[arg-type]  # fmt: skip
        down = -top - _ROW
        for names, words, height, colour in zip(self.strata, self.words, self.heights, self.colours, strict=True):
            part = same_stratum(read, names) if names else read
            if names:
                ax.annotate(words, (0, 0), (-edge - 8, down), ha="right", fontsize=SMALL,
                            color=darker(colour), fontweight="bold", annotation_clip=False, gid="at risk row",
                            **beside)  # type: ignore[arg-type]  # fmt: skip
            for record in part.iter_rows(named=True):
                people, time = record["n_at_risk"], record["time"]
                ax.annotate(mark_of(self.result, record) if people is None else number(people), (time, 0), (0, down), ha="center", fontsize=SMALL, annotation_clip=False,
                            gid="at risk", **beside)  # type: ignore[arg-type]  # fmt: skip
            down -= height
