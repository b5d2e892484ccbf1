"""The release record of each report, and what it tells together with others."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symphony_research.disclosure.outputs import ReleasedOutput
from symphony_research.disclosure.release_record import FORMAT, for_release, output_from_record
from symphony_research.report.page import about_whom, template, when

if TYPE_CHECKING:
    from symphony_research.disclosure.differencing import Finding

__all__ = [
    "CHECKER_FILE",
    "CHECKER_FOLDER",
    "PAGE",
    "RELEASE",
    "checker_file",
    "draft_findings",
    "findings_between",
    "keyed",
    "release_files",
    "release_key",
    "with_fingerprint",
]

RELEASE = "release.json"
PAGE = "release.html"
CHECKER_FOLDER = "output_checker"  # beside the reports; no page leads there
CHECKER_FILE = "for_output_checker.json"
_KEY = "key"
_LEVELS = {
    "default": "default: every suppressed count may still be one of several numbers",
    "strict": "strict: every suppressed count may still be any number up to the threshold",
    "rule_text": "rule text: thresholds and rounding alone; what the counts tell together is not searched",
}
_README = "README.txt"
_ABOUT = """\
For the output checker alone: leave this folder out when the reports are passed on.

for_output_checker.json says of each output of a report how many of its suppressed cells are small themselves (primary
suppression) and how many protect others (secondary suppression). Whoever knows that can infer more than the report shows.

key is the secret under which the reports name the fingerprint of their study. Only with it does symphony report know
which reports are of the same data, so keep it as long as the reports.

for_register.json is what symphony release enters into the register of releases: every count with the ends between which it may lie.
"""
# of an output's record, what tells primary from secondary suppression: never beside a report
_CHECKER_KEY = "for_output_checker"
_ONLY_FOR_CHECKER = ("secondary", "withheld", "n_inferable")


def release_key(out: Path) -> bytes:
    """Return the secret of a folder of reports, made when it is first asked for."""
    folder = out / CHECKER_FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / _KEY
    try:
        place = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(path.read_text(encoding="ascii"))
    with os.fdopen(place, "w", encoding="ascii") as stream:
        stream.write(secrets.token_hex(32))
    (folder / _README).write_text(_ABOUT, encoding="utf-8")
    return bytes.fromhex(path.read_text(encoding="ascii"))


def keyed(fingerprint: str, key: bytes) -> str:
    """Return a study's fingerprint as reports name it: nobody without the key can try data against it."""
    return hmac.new(key, fingerprint.encode(), hashlib.sha256).hexdigest()


def release_files(outputs: Iterable[Mapping[str, Any]], record: Mapping[str, Any], key: bytes) -> dict[str, str]:
    """Return the release record of one report, as JSON and as a page.

    Neither says of a suppressed cell whether it is small itself or protects another.
    """
    released = [_with_keyed(_beside_report(for_release(output)), key) for output in outputs]
    head = {"subject": about_whom(record), **{name: record[name] for name in ("policy", "study", "finished")}}
    data = {"format": FORMAT, "notebook": record["notebook"]["name"], **head, "outputs": released}
    title = f"Release record: {record.get('title') or record['notebook']['title']}"
    page = template("release.html.j2").render(
        page_title=title, title=title, record=record, whom=about_whom(record), made=when(record["finished"]),
        study=record["study"]["name"], rule=record["policy"]["title"], outputs=released,
        level=_LEVELS[record["policy"].get("level", "default")], review=sum(bool(output.get("for_review")) for output in released),
    )  # fmt: skip
    text = json.dumps(data, ensure_ascii=False, default=str, separators=(",", ":"))
    return {RELEASE: text + "\n", PAGE: str(page)}


def checker_file(outputs: Iterable[Mapping[str, Any]], record: Mapping[str, Any]) -> str:
    """Return what only the output checker may see of a report: primary and secondary suppression, output by output."""
    told = [
        {
            **{name: output[name] for name in ("title", "family", "of_whom", "by") if name in output},
            **{name: output[name] for name in _ONLY_FOR_CHECKER if name in output},
            **output.get(_CHECKER_KEY, {}),
        }
        for output in outputs
    ]
    head = {"subject": about_whom(record), **{name: record[name] for name in ("policy", "study", "finished")}}
    data = {"notebook": record["notebook"]["name"], **head, "outputs": told}
    return json.dumps(data, ensure_ascii=False, default=str, indent=2) + "\n"


def _beside_report(output: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in output.items() if name not in (_CHECKER_KEY, *_ONLY_FOR_CHECKER)}


def _with_keyed(told: Any, key: bytes) -> Any:
    """Return a record with every fingerprint in it keyed."""
    return _renamed(told, lambda fingerprint: keyed(fingerprint, key))


def with_fingerprint(told: Any, known: Mapping[str, str]) -> Any:
    """Return a record with each keyed fingerprint that is known replaced by the study's own."""
    return _renamed(told, lambda fingerprint: known.get(fingerprint, fingerprint))


def _renamed(told: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(told, Mapping):
        return {
            name: rename(value) if name == "fingerprint" and isinstance(value, str) else _renamed(value, rename)
            for name, value in told.items()
        }
    return [_renamed(one, rename) for one in told] if isinstance(told, (list, tuple)) else told


def draft_findings(
    new: Mapping[str, list[dict[str, Any]]],
    out: Path,
    *,
    fingerprint: str,
    key: bytes,
    but: Container[str] = (),
) -> dict[str, list[Finding]]:
    """Find what new reports tell together with other drafts in the folder, beside which they were not protected.

    Parameters
    ----------
    new : mapping
        The outputs of each new report, by the name of its folder.
    out : pathlib.Path
        Where they are to stand. A report that is replaced counts no more.
    fingerprint : str
        The study's own.
    key : bytes
        The folder's.
    but : container of str
        Folders of reports that were released: what is made is protected beside them.
    """
    ours = keyed(fingerprint, key)
    drafts = [
        (path.parent.name, _read(path))
        for path in sorted(out.glob(f"*/{RELEASE}"))
        if path.parent.name not in new and path.parent.name not in but
    ]
    there = [
        (where, with_fingerprint(data["outputs"], {ours: fingerprint}))
        for where, data in drafts
        if _study_of(data) == ours
    ]
    return findings_between(new, there)


def findings_between(
    new: Mapping[str, list[dict[str, Any]]], before: Iterable[tuple[str, list[dict[str, Any]]]]
) -> dict[str, list[Finding]]:
    """Find what new reports tell together with others, by the name of each new report that has a part in it.

    New ones among themselves were protected together, and so were the others.
    """
    from symphony_research.disclosure.differencing import find  # not by workers, which load this module too

    told = [("", where, one) for where, outputs in before for one in _published(outputs)]
    if not told or not any(new.values()):
        return {}
    for folder, outputs in new.items():
        told += [(folder, folder, one) for one in _published(outputs)]
    named = [(f"{one.title} in {where} [{at}]", one) for at, (_, where, one) in enumerate(told)]
    folder_of = {name: folder for (name, _), (folder, _, _) in zip(named, told, strict=True)}
    found: dict[str, list[Finding]] = {}
    for finding in find(named, {name for name, folder in folder_of.items() if not folder}):
        folders = dict.fromkeys(folder_of[name] for name in finding.outputs)
        if "" in folders:
            for folder in folders:
                if folder:
                    found.setdefault(folder, []).append(finding)
    return found


def _published(outputs: Iterable[Mapping[str, Any]]) -> list[ReleasedOutput]:
    return [one for output in outputs if (one := output_from_record(output)) is not None]


def _study_of(data: Mapping[str, Any]) -> str | None:
    study = data.get("study")
    return study.get("fingerprint") if isinstance(study, Mapping) else None


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return data if data["format"] == FORMAT and isinstance(data["outputs"], list) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}  # what cannot be read cannot be compared
