"""Disclosed results in the format of ACRO, for output checkers who read that with the SACRO viewer."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from symphony_research.disclosure import check_differencing
from symphony_research.disclosure.release_record import said_of
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.files import folder_in_place
from symphony_research.result import Result
from symphony_research.show.gate import require_disclosed
from symphony_research.show.tables import write_table
from symphony_research.words.lexicon import SUPPRESSED
from symphony_research.words.numbers import number
from symphony_research.words.phrases import joined

__all__ = ["write_acro"]

VERSION = "1.0.2"
# what ACRO counts of a table; a star here may stand for any of the last four, and does not say for which
_CHECKS = ("negative", "missing", "threshold", "p-ratio", "nk-rule", "all-values-are-same")


def write_acro(
    results: Mapping[str, Result],
    folder: str | os.PathLike[str],
    *,
    made: datetime | None = None,
    version: str = VERSION,
) -> Path:
    """Write disclosed results as a folder of outputs in ACRO's format.

    Parameters
    ----------
    results : mapping of str to Result
        Disclosed results by the name under which each is released.
    folder : path
        A new or an empty folder; its parent is made.
    made : datetime.datetime, optional
        When the outputs were made; by default now. Given the same, the same bytes are written.
    version : str, default "1.0.2"
        Of the program that will read it: ACRO loads files of its own version alone.

    Returns
    -------
    pathlib.Path
        The folder: `results.json`, `config.json` (the rule), a CSV of each result, and `checksums`.

    Raises
    ------
    ArgumentError
        If there are no results, a name is no plain file name, or the folder holds something.
    DisclosureError
        If a result has not passed `suppress`, not all have passed under one rule, or together they tell a
        small count: the message says which.

    Notes
    -----
    As ACRO has it, the status is "review" where something was suppressed; here
    also where a table was too large to search, or a share is of nobody or
    everybody. Else it is "pass"; what would fail is not written. Cells marked as suppressed are listed under "threshold", whether a small
    count, one that protects it, or a dominated mean stands there.

    References
    ----------
    Preen, R. J. and others (2025). ACRO: tools for the semi-automatic checking of research outputs. MIT licence.

    Examples
    --------
    >>> import tempfile
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> found = sr.suppress({"conditions": sr.multimorbidity.prevalence(patterns)}, sr.Policy.sacro())
    >>> with tempfile.TemporaryDirectory() as temporary:
    ...     sorted(path.name for path in sr.write_acro(found, temporary + "/release").iterdir())
    ['checksums', 'conditions_0.csv', 'config.json', 'results.json']
    """
    out = Path(folder)
    _require_releasable(results, out)
    when = (made or datetime.now(UTC)).isoformat()
    with folder_in_place(out) as draft:
        outputs = {}
        for name, result in results.items():
            write_table(result, draft / f"{name}_0.csv")
            outputs[name] = {**_output(name, result, draft / f"{name}_0.csv"), "timestamp": when}
        _write(draft / "results.json", {"version": version, "results": outputs})
        _write(draft / "config.json", _rule(next(iter(results.values()))))
        sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(draft.iterdir())}
        (draft / "checksums").mkdir()
        for name, found in sums.items():
            (draft / "checksums" / f"{name}.txt").write_text(found, encoding="utf-8", newline="\n")
    return out


def _require_releasable(results: Mapping[str, Result], out: Path) -> None:
    if not isinstance(results, Mapping) or not results:
        raise ArgumentError(
            "write_acro takes disclosed results by name, such as sr.suppress({'conditions': ...}, policy)."
        )
    wrong = [name for name in results if not name or name.startswith(".") or re.search(r'[<>:"/\\|?*\x00-\x1f]', name)]
    # one file on Windows and macOS
    wrong += [name for name in results if sum(name.lower() == other.lower() for other in results) > 1]
    if wrong:
        raise ArgumentError(f"{joined([repr(name) for name in wrong])} cannot be names of files.")
    for result in results.values():
        require_disclosed(result, "write_acro")
    if len({result.disclosure.policy for result in results.values() if result.disclosure}) > 1:
        raise DisclosureError("The results were released under different rules, which can be compared by differencing.")
    found = check_differencing(results.values())
    if found:
        raise DisclosureError(f"Together they tell too much, so nothing is written. {' '.join(map(str, found))}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ArgumentError(f"{out.name} holds something already: choose a new folder.")


def _output(name: str, result: Result, path: Path) -> dict[str, Any]:
    """Return what ACRO says of one output; the summary's number of cells is that of the suppressed ones in the file."""
    told, done = said_of(result), result.disclosure
    with path.open(encoding="utf-8", newline="") as lines:
        heads, *rows = csv.reader(lines)
    stars = [[at, column] for at, row in enumerate(rows) for column, text in enumerate(row) if text == SUPPRESSED]
    at_risk = done is not None and (done.n_inferable or done.withheld)
    searched = told["made_sure_by"] in ("", "integers", "bounds")
    status = "pass" if searched and not stars and not told["for_review"] and not at_risk else "review"
    counts = dict.fromkeys(_CHECKS, 0) | {"threshold": len(stars)}
    none: list[list[int]] = []
    cells = dict.fromkeys(_CHECKS, none) | {"threshold": stars}
    words = f"threshold: {number(len(stars))} cells suppressed; " if stars else ""
    return {
        "uid": name,
        "status": status,
        "type": "table",
        "properties": {"method": told["family"], "title": told["title"], "rule": told["rule"]},
        "files": [{"name": path.name, "sdc": {"summary": {"suppressed": bool(stars), **counts}, "cells": cells}}],
        "outcome": {
            head: {str(at): "threshold; " if row[column] == SUPPRESSED else "ok" for at, row in enumerate(rows)}
            for column, head in enumerate(heads)
        },
        "command": told["method"] or told["family"],
        "summary": f"{status}; {words}" if words else status,
        "comments": [*told["of_whom"], *told["done"], *told["for_review"]],
        "exception": "",
        "fair": {},
    }


def _rule(result: Result) -> dict[str, Any]:
    """Return the rule under ACRO's names."""
    assert result.disclosure is not None
    policy = result.disclosure.policy
    largest, share = policy.dominance
    return {
        "safe_threshold": policy.threshold + 1,
        "safe_nk_n": largest,
        "safe_nk_k": share,
        "safe_pratio_p": policy.p_percent,
        "zeros_are_disclosive": policy.hide_zeros,
        "rounding": policy.rounding,
        "rule": policy.title,
    }


def _write(path: Path, data: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=4, ensure_ascii=False, default=str) + "\n", encoding="utf-8", newline="\n")
