"""Before reports are put in place: what they tell together, and the release record of each."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from symphony_research.disclosure.differencing import Finding, find
from symphony_research.disclosure.published import Published
from symphony_research.disclosure.release import FORMAT, for_release, published_from
from symphony_research.report.page import about_whom, template, when

__all__ = ["PAGE", "RELEASE", "findings_of", "release_files"]

RELEASE = "release.json"
PAGE = "release.html"


def release_files(outputs: list[dict[str, Any]], record: Mapping[str, Any]) -> dict[str, str]:
    """Return the release record of one report, as JSON and as a page."""
    told = [for_release(output) for output in outputs]
    head = {key: record[key] for key in ("hub", "policy", "study", "finished")}
    data = {"format": FORMAT, "notebook": record["notebook"]["name"], **head, "outputs": told}
    title = f"Release record: {record['notebook']['title']}"
    page = template("release.html.j2").render(
        page_title=title, title=title, whom=about_whom(record), made=when(record["finished"]),
        study=record["study"]["name"], rule=record["policy"]["title"], outputs=told,
    )  # fmt: skip
    text = json.dumps(data, ensure_ascii=False, default=str, separators=(",", ":"))
    return {RELEASE: text + "\n", PAGE: str(page)}


def findings_of(new: Mapping[str, list[dict[str, Any]]], out: Path) -> dict[str, list[Finding]]:
    """Return what the outputs of new reports tell together, and beside the reports that stand in a folder already.

    Parameters
    ----------
    new : mapping
        The outputs of each new report, by the name of its folder.
    out : pathlib.Path
        Where they are to stand. A report that is to be replaced counts no more.

    Returns
    -------
    dict
        The findings by the name of each new report that has a part in them.
    """
    told: list[tuple[str, str, Published]] = []
    for folder, outputs in new.items():
        told += [(folder, folder, one) for one in _published(outputs)]
    for path in sorted(out.glob(f"*/{RELEASE}")):
        if path.parent.name not in new:
            told += [("", f"{path.parent.name} (made earlier)", one) for one in _published(_outputs(path))]
    if all(not folder for folder, _, _ in told):
        return {}
    named = [(f"{where}: {one.title} [{at}]", one) for at, (_, where, one) in enumerate(told)]
    folder_of = {name: folder for (name, _), (folder, _, _) in zip(named, told, strict=True)}
    found: dict[str, list[Finding]] = {}
    for finding in find(named):
        for folder in dict.fromkeys(folder_of[name] for name in finding.outputs):
            if folder:
                found.setdefault(folder, []).append(finding)
    return found


def _published(outputs: Iterable[Mapping[str, Any]]) -> list[Published]:
    return [one for output in outputs if (one := published_from(output)) is not None]


def _outputs(path: Path) -> list[dict[str, Any]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return list(data["outputs"]) if data["format"] == FORMAT else []
    except (OSError, ValueError, KeyError, TypeError):
        return []  # what cannot be read cannot be set against anything
