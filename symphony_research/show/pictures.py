"""A finished picture: a figure displayed once with its finding in words, or written to a file."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.result import Result, confidential_report
from symphony_research.show.families import plot as natural_plot
from symphony_research.show.frame import DESCRIBED, DRAWN, NOTHING, bare_figures, pixels_of
from symphony_research.show.gate import release, require_disclosed, require_showable, said_of
from symphony_research.show.sentences import Sentence, limit
from symphony_research.show.style import DPI, drawing
from symphony_research.show.writing import beside, suffix_of
from symphony_research.words.phrases import of_whom, strata_phrase

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Picture", "caption_of", "drawn_picture", "paletted", "picture", "write_figure"]

Plot = Callable[..., "Axes"]


@dataclass(frozen=True)
class Picture:
    """A figure as a PNG, the finding in one sentence, and a description for readers who do not see it.

    Attributes
    ----------
    sentence : str
    png : bytes
    caption : str
        What the figure shows, of whom, and as of when.
    alt : str
        Kind of chart, axes, finding and main figures.
    """

    sentence: str
    png: bytes = field(repr=False)
    caption: str = ""
    alt: str = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], dict[str, Any]]:
        data = {"image/png": base64.b64encode(self.png).decode("ascii"), "text/plain": self.sentence}
        # the finding stands in the picture as its title: a page need not print it once more below
        return data, {"image/png": {"alt": self.alt or self.sentence, "titled": True, "caption": self.caption}}

    def __repr__(self) -> str:
        return self.sentence


def picture(result: Result, plot: Plot | None = None, **options: Any) -> Picture | Sentence:
    """Return the figure of a result, to stand as the last line of a notebook's cell.

    Parameters
    ----------
    result : Result
        What an estimator or `suppress` returned.
    plot : callable, optional
        Another plot than the family's own, such as `sr.plot_cooccurrence_matrix`.
    **options
        Passed to the plot.

    Returns
    -------
    Picture or Sentence
        The same input gives the same bytes on one platform. The finding alone
        where every group is too small to draw; nothing where the study does not allow the result.

    Raises
    ------
    DisclosureError
        Inside a report, at once, if the result has not passed `suppress`.
    ArgumentError
        If the family has no figure, or an option is unknown.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.synthetic())
    >>> sr.picture(found, top=5).png[1:4]
    b'PNG'
    """
    require_showable(result, "picture")
    if result.holds_nothing:
        return limit(result)
    figure = _drawn(result, plot, options)
    nothing = [ax for ax in figure.axes if ax.get_gid() == NOTHING]
    if nothing:
        return release(Sentence(" ".join([said_of(result), str(nothing[0].get_label())]).strip()), result)
    return _picture_of(figure, pixels_of(figure), result)


def drawn_picture(figure: Any) -> Picture | None:
    """Return the picture of a figure that a plot function made in a report on confidential data.

    None where the figure was made by anything else, or has been drawn on since.
    """
    result, pixels = getattr(figure, DRAWN, (None, None))
    return _picture_of(figure, pixels, result) if result is not None and pixels_of(figure) == pixels else None


def _picture_of(figure: Any, pixels: tuple[int, int, bytes], result: Result) -> Picture:
    described = str(getattr(figure, DESCRIBED, ""))
    return release(Picture(said_of(result), paletted(*pixels), caption_of(result), described), result)


def caption_of(result: Result) -> str:
    """Return what a figure shows, of whom, and as of when; what its title and its notes say is not said again."""
    whom = of_whom(result.settings)
    title = f"{result.title}, by {strata_phrase(result.shown_by)}" if result.shown_by else result.title
    return f"{title}. {whom}" if whom else title


def paletted(wide: int, high: int, pixels: bytes) -> bytes:
    """Return pixels as a PNG in 256 colours, which a figure of flat ones has enough of: a third of the size in notebooks and pages."""
    from PIL import Image

    flat = Image.frombuffer("RGBA", (wide, high), pixels).convert("RGB")
    flat = flat.quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    small = io.BytesIO()
    flat.save(small, format="png", compress_level=6, dpi=(DPI, DPI))
    return small.getvalue()


def write_figure(result: Result, path: str | os.PathLike[str], *, plot: Plot | None = None, **options: Any) -> Path:
    """Write the figure of a disclosed result as PNG, SVG or PDF.

    Parameters
    ----------
    result : Result
        A result that has passed `suppress`.
    path : path
        Its ending says the kind: .png, .svg or .pdf. An older file is replaced
        once the new one is whole.
    plot : callable, optional
        Another plot than the family's own.
    **options
        Passed to the plot.

    Returns
    -------
    pathlib.Path
        Where it was written.

    Raises
    ------
    DisclosureError
        If the result has not passed `suppress`, inside a report or not.
    ArgumentError
        On another ending, or a folder that does not exist.

    Examples
    --------
    >>> import tempfile
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.suppress(sr.multimorbidity.prevalence(patterns), sr.Policy.synthetic())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sr.write_figure(found, folder + "/prevalence.svg").name
    'prevalence.svg'
    """
    require_disclosed(result, "write_figure")
    kind = suffix_of(path, ("png", "svg", "pdf"))
    words = said_of(result)
    with beside(path) as draft:
        figure = _drawn(result, plot, options)
        described = str(getattr(figure, DESCRIBED, words))
        metadata: dict[str, Any] = {
            "png": {"Software": None, "Description": described},
            "svg": {"Date": None, "Creator": None, "Title": words},
            "pdf": {"CreationDate": None, "Creator": None, "Producer": None, "Title": words},
        }[kind]
        with drawing():
            figure.savefig(draft, format=kind, dpi=DPI, metadata=metadata)
        if kind == "svg":
            _describe(draft, words, described)
    return Path(path)


def _drawn(result: Result, plot: Plot | None, options: dict[str, Any]) -> Figure:
    if plot is not None and not callable(plot):
        raise ArgumentError("plot= takes one of the plot functions, such as sr.plot_network.")
    if confidential_report() and ("ax" in options or not _is_ours(plot)):
        raise DisclosureError(
            "In a report on confidential data a picture is drawn by this library's plot functions alone, in a figure of "
            "its own: axes or a plot function of yours could show what has not passed disclosure control."
        )
    with bare_figures():
        ax = (plot or natural_plot)(result, **options)
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ArgumentError("plot= should return axes that belong to a figure.")
    return figure


def _is_ours(plot: Plot | None) -> bool:
    from symphony_research import show

    name = getattr(plot, "__name__", "")
    return plot is None or (name.startswith("plot") and name in show.__all__ and plot is getattr(show, name))


def _describe(path: Path, words: str, described: str) -> None:
    """Give an SVG a name and a description that a screen reader finds."""
    text = path.read_text(encoding="utf-8")
    start = text.index("<svg ")
    opened = text[start:].replace("<svg ", f'<svg role="img" aria-label="{escape(words)}" ', 1)
    opened = opened.replace("</title>", f"</title>\n <desc>{escape(described)}</desc>", 1)
    path.write_text(text[:start] + opened, encoding="utf-8")
