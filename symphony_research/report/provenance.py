"""The record beside each report: what was run, on what, with which settings and versions.

A record never carries a path, a user's or a machine's name, and of a study's
fingerprint only what a secret key makes of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

__all__ = [
    "RECORD",
    "SIGNED",
    "methods_of",
    "path_remover",
    "policy_in_words",
    "read_record",
    "start_record",
    "utc_text",
]

RECORD = "provenance.json"
FORMAT = 1
SIGNED = MappingProxyType({"author": "", "contact": "", "approval": "draft"})
_PACKAGES = ("polars", "numpy", "scipy", "matplotlib", "seaborn", "networkx", "narwhals", "papermill")


def start_record(run: Any, study: Any, fingerprint: str) -> dict[str, Any]:
    """Return what is known of a run before it starts; the study's fingerprint as reports name it is given."""
    parameters = {name: value for name, value in run.all_parameters.items() if name != "session"}
    parameters["study"] = Path(study.folder).name
    if "policy" in parameters:
        parameters["policy"] = run.policy.name
    return {
        "format": FORMAT,
        "notebook": {
            "name": run.notebook.name,
            "title": run.notebook.title,
            "question": run.notebook.question,
            "sha256": hashlib.sha256(run.notebook.path.read_bytes()).hexdigest(),
        },
        **signed_by(run.all_parameters, study),
        **({"subject": run.subject.as_record()} if run.notebook.takes else {}),
        "study": {
            "name": study.name,
            "fingerprint": fingerprint,
            "generated": bool(study.generated),
            **({"note": study.note} if getattr(study, "note", "") else {}),
        },
        "parameters": parameters,
        "parameter_help": {p.name: p.help for p in run.notebook.parameters if p.help and p.name in parameters},
        "policy": asdict(run.policy),
        "versions": versions(),
        "system": platform.system(),
    }


def signed_by(parameters: Mapping[str, Any], study: Any) -> dict[str, Any]:
    """Return who signs a report, and whether it is a draft: as a parameter says, else as study.toml does."""
    own = getattr(study, "signed", {})
    return {
        key: parameters.get(key) or own.get("status" if key == "approval" else key) or default
        for key, default in SIGNED.items()
    }


def methods_of(outputs: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """Return the method of each kind of result that a report released, each once."""
    found = {}
    for output in outputs:
        if output.get("method"):
            reference = f" ({output['reference']})" if output.get("reference") else ""
            found[f"{output['title']}: {output['method']}{reference}"] = [
                str(output["title"]),
                f"{output['method']}{reference}",
            ]
    return list(found.values())


def versions() -> dict[str, str]:
    """Versions of the library, of Python and of what it stands on."""
    found = {"symphony_research": "not installed", "python": platform.python_version()}
    for package in ("symphony_research", *_PACKAGES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


_LEVEL_WORDS = {
    "strict": "; every suppressed count may still be any number up to the threshold",
    "rule_text": "; what the counts tell together is not searched",
}


def policy_in_words(policy: Mapping[str, Any]) -> str:
    """Say what a policy does, for someone who has never heard its name."""
    if policy["name"] == "synthetic":
        return "None needed: these data are generated, and describe no real person."
    title = str(policy["title"]).split(" (")[0]
    first = 0 if policy["hide_zeros"] else 1
    suppressed = f"counts of {first} to {policy['threshold']} people are suppressed"
    rounding = f", other counts are rounded to the nearest {policy['rounding']}" if policy["rounding"] > 1 else ""
    level = _LEVEL_WORDS.get(policy["level"], "")
    return f"{title}: {suppressed}{rounding}{level}."


def utc_text(moment: datetime) -> str:
    """Return a moment in UTC, to the second, as a record writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def path_remover(shown_as: Mapping[str, str]) -> Callable[[str], str]:
    """Return a function that takes this machine's paths out of a text.

    Parameters
    ----------
    shown_as : mapping of str to str
        Each path that may occur, and what to show in its place.

    Returns
    -------
    callable
    """
    places = {
        **{str(Path(p)): word for p, word in shown_as.items()},
        **{os.path.realpath(p): word for p, word in shown_as.items()},
    }
    for path, word in ((sys.prefix, "python"), (sys.base_prefix, "python"), (os.path.expanduser("~"), "~")):
        places.setdefault(path, word)
    spelt: dict[str, str] = {}
    for path, word in places.items():
        if len(Path(path).parts) > 1:  # the root of a disk is in every path
            escaped = path.encode("unicode_escape").decode("ascii")
            for spelling in (path, path.replace("\\", "\\\\"), path.replace("\\", "/"), escaped, repr(path)[1:-1]):
                spelt[spelling] = word
    longest_first = sorted(spelt, key=len, reverse=True)
    any_case = re.IGNORECASE if os.path.normcase("A") == "a" else re.NOFLAG  # on Windows c:\users is C:\Users
    pattern = re.compile(rf"(?<![\w.])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])", any_case)
    if any_case:
        spelt = {spelling.lower(): word for spelling, word in spelt.items()}
    return lambda text: pattern.sub(lambda match: spelt[match[0].lower() if any_case else match[0]], text)


def as_text(record: Mapping[str, Any]) -> str:
    """Return a record as it is written."""
    return json.dumps(record, indent=2, ensure_ascii=False, default=str) + "\n"


def read_record(path: Path) -> dict[str, Any] | None:
    """Read a record, or return None where it is not one."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        complete = {"notebook", "study", "status", "policy", "finished"} <= set(record)
        return record if complete and record["format"] == FORMAT else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
