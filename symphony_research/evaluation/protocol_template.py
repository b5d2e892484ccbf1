"""protocol.toml with every key filled in and explained, for its authors to change."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import tomli_w

from symphony_research.door.protocol_file import protocol_path
from symphony_research.errors import ArgumentError
from symphony_research.evaluation.protocol import Protocol, plain_value
from symphony_research.evaluation.protocol_defaults import default_protocol
from symphony_research.evaluation.protocol_keys import SECTIONS, ProtocolKey, keys_of
from symphony_research.files import write_in_place
from symphony_research.study import Study, read_study

__all__ = ["protocol_text", "write_protocol"]

_WIDTH = 110
_HEAD = """\
The protocol of a controlled evaluation, as the emulation of a target trial. Change what is not meant; a key that is missing is
as it stands here. Fix it before outcomes are read: symphony protocol STUDY --fix. docs/protocol.md says more.
Everything here is printed in reports as it stands: write no count of people into it.
"""
_DEPARTURES = """\
What was done otherwise than fixed, and why; without numbers. Changed keys are listed in reports by themselves.
[[departures]]
date = 2026-03-05
what = "..."
why = "..."
"""


def write_protocol(study: Study | str | Path, *, file: str | Path | None = None, programme: str | None = None) -> Path:
    """Write the default protocol of a study as a file to be changed, with a comment on each key.

    Parameters
    ----------
    study : Study or path
    file : path, optional
        By default protocol.toml in the study folder.
    programme : str, optional
        By default the study's only one, else "complex_care".

    Returns
    -------
    pathlib.Path
        Where it was written; written beside and moved into place.

    Raises
    ------
    ArgumentError
        If it is there already, the study is in memory and no file is named, or there is no such programme or folder.

    Examples
    --------
    >>> import tempfile
    >>> import symphony_research as sr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = sr.evaluation.write_protocol(sr.example_study(3_000), file=folder + "/protocol.toml")
    ...     sr.evaluation.read_protocol(sr.example_study(3_000), file=path).is_default
    False
    """
    study = study if isinstance(study, Study) else read_study(study)
    path = protocol_path(study.folder, file)
    if path is None:
        raise ArgumentError("The study is in memory, so it has no folder for a protocol: name a file.")
    if path.exists():
        raise ArgumentError(
            f"'{path}' is there already, and is not overwritten. Look it over with: symphony protocol STUDY --check. To start "
            "again rename it, or name another with --file."
        )
    if not path.absolute().parent.is_dir():
        raise ArgumentError(f"There is no folder '{path.absolute().parent}' to write the protocol to.")
    write_in_place(path.absolute(), protocol_text(default_protocol(study, programme=programme)))
    return path


def protocol_text(protocol: Protocol) -> str:
    """Return a protocol as the text of a protocol.toml; reading it gives the same protocol.

    Examples
    --------
    >>> import symphony_research as sr
    >>> text = protocol_text(sr.evaluation.default_protocol(sr.example_study(3_000)))
    >>> "days = 365" in text
    True
    """
    parts = [_comment(_HEAD.splitlines(), wrap=False)]
    for section, about in SECTIONS.items():
        if section:
            parts.append(f"\n{_comment([about])}[{section}]\n")
        parts += [_lines(key, getattr(protocol, key.field)) for key in keys_of(section)]
    if not protocol.departures:
        parts.append(f"\n{_comment(_DEPARTURES.splitlines(), wrap=False)}")
    for one in protocol.departures:
        parts.append(f"\n[[departures]]\n{tomli_w.dumps({'date': one.date, 'what': one.what, 'why': one.why})}")
    return "".join(parts)


def _lines(key: ProtocolKey, value: Any) -> str:
    plain = plain_value(key, value)
    if plain is None:
        return _comment([f"{key.help}: {key.example}"] if key.example else [key.help])
    return f"{_comment([key.help])}{tomli_w.dumps({key.key: plain})}"


def _comment(lines: list[str], *, wrap: bool = True) -> str:
    if wrap:
        lines = [part for line in lines for part in textwrap.wrap(line, _WIDTH)]
    return "".join(f"# {line}\n" for line in lines)
