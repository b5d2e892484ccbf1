"""What a report on confidential data may show: what has passed disclosure control, and nothing else.

There are two checks, one after the other. In the kernel a display takes only a
result that this report has released, or what `sr.sentence`, `sr.finding`, `sr.table`,
`sr.cross_table`, `sr.picture` or a plot function made of one, and seals it; anything else is an
error of its cell. When the run has ended, `worker.tidy` keeps only outputs that
bear a seal, and neither printed text, nor the state of widgets, nor the message
of an error that this library did not write.

What the guard needs (the key of its seals, the policy, the release session) is
in one file, which the kernel's configuration names; it is deleted once read.

It stands against a slip, not against an author who means to get round it: a
kernel runs whatever its notebook says.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from symphony_research.errors import DisclosureError
from symphony_research.result import Result
from symphony_research.result.mode import begin_report
from symphony_research.show.findings import Facts, Finding, Heading
from symphony_research.show.gate import is_released
from symphony_research.show.pictures import Picture, drawn_picture
from symphony_research.show.sentences import Limit, Sentence
from symphony_research.show.tables import Table
from symphony_research.words.lexicon import ROLE

__all__ = ["PRINTED", "GuardSettings", "is_sealed", "kept_metadata", "load_ipython_extension"]

_MARK = "symphony_seal"  # in an output's metadata
PRINTED = "Printed text is omitted, because it has not passed disclosure control.\n"
_WIDGET = "An interactive control is omitted, because what it holds has not passed disclosure control."
_KINDS = {"text/plain", "text/html", "text/markdown", "text/csv", "image/png"}
# what may describe an output of a kind, and what a page takes it for
_KEPT = {
    "image/png": ("alt", "caption", "titled"),
    "text/csv": ("caption", "rule"),
    ROLE: ("role", "figures", "after", "finding", "why", "what"),
}
_SHOWN = (Picture, Table, Sentence, Finding, Limit, Heading, Facts)


@dataclass(frozen=True)
class GuardSettings:
    """What the guard of one kernel receives.

    Attributes
    ----------
    policy : str
        Title of the report's policy.
    session : str
        Name of its release session.
    key : str
        Key of the seals; empty where the data are generated, and everything may be shown.
    """

    policy: str
    session: str
    key: str

    def write(self, path: Path) -> None:
        """Write the settings for the kernel to read once."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read_once(cls, path: Path) -> GuardSettings:
        """Read the settings, and delete their file."""
        told = json.loads(path.read_text(encoding="utf-8"))
        path.unlink()
        return cls(**told)


def load_ipython_extension(shell: Any) -> None:
    """Begin the report, and let the kernel's displays take only what it has released; all of it of generated data."""
    told = GuardSettings.read_once(Path(shell.config["ReportGuard"]["settings"]))
    begin_report(told.policy, bool(told.key), told.session)
    key = told.key
    if not key:
        return
    publish = shell.display_pub.publish

    def released_format(shown: object, include: Any = None, exclude: Any = None) -> tuple[dict[str, str], Any]:
        data, metadata = _released_form(shown)
        return data, {**metadata, _MARK: _seal(data, metadata, key)} if data else {}

    def sealed_publish(data: Mapping[str, Any], metadata: Any = None, **options: Any) -> None:
        if not is_sealed(data, metadata or {}, key):
            raise _refusal("output that is not of an object")
        publish(data, metadata, **options)

    shell.display_formatter.format = released_format
    shell.display_pub.publish = sealed_publish


def _released_form(shown: object) -> tuple[dict[str, str], dict[str, Any]]:
    """Return what an output may hold, by kind, and what describes it."""
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    if isinstance(shown, Result):  # its own words refuse one that this report has not released
        return {"text/html": Result._repr_html_(shown), "text/plain": Result.__repr__(shown)}, {}
    if isinstance(shown, Axes) and drawn_picture(shown.get_figure(root=True)):
        return {}, {}  # its figure is shown when the cell ends
    if isinstance(shown, Figure):
        shown = drawn_picture(shown) or shown
    if type(shown) in _SHOWN and is_released(shown):
        return shown._repr_mimebundle_()  # type: ignore[attr-defined]
    if getattr(type(shown), "_view_name", None) is not None:  # what makes an object a widget
        return {"text/markdown": _WIDGET, "text/plain": _WIDGET}, {}
    raise _refusal(type(shown).__name__)


def _refusal(what: str) -> DisclosureError:
    return DisclosureError(
        f"This cell would show what has not passed disclosure control: {what}. A report on confidential data shows a "
        "result that has passed sr.suppress, and what sr.sentence, sr.table, sr.picture or a plot function makes of it, "
        "not drawn on since. End a line with a semicolon if it need show nothing, and write your own words in a Markdown cell."
    )


def _seal(data: Mapping[str, Any], metadata: Mapping[str, Any], key: str) -> str:
    """Return the mark of an output, which fits no other contents."""
    contents = json.dumps([data, kept_metadata(metadata)], sort_keys=True, default=str)
    return hmac.new(key.encode(), contents.encode(), hashlib.sha256).hexdigest()


def is_sealed(data: Mapping[str, Any], metadata: Mapping[str, Any], key: str) -> bool:
    """Return whether an output is of a known kind and stands as the guard let it through."""
    return set(data) <= _KINDS and metadata.get(_MARK) == _seal(data, metadata, key)


def kept_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what describes an output's picture or table, and what a page takes it for; nothing else."""
    kept = {}
    for kind, names in _KEPT.items():
        own = metadata.get(kind)
        if isinstance(own, Mapping) and (held := {name: own[name] for name in names if name in own}):
            kept[kind] = held
    return kept
