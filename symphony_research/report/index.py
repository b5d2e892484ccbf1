"""The index of a folder of reports: everything that carries a record, failures first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.parse import quote

from symphony_research.files import write_in_place
from symphony_research.report.page import about_whom, template, when
from symphony_research.report.printing import PDF
from symphony_research.report.provenance import RECORD, read_record
from symphony_research.report.subject import EVERYBODY, PLURALS, subject_of
from symphony_research.words.lexicon import MARKS, NOT_AVAILABLE, capital

__all__ = ["write_index"]

_FILES = {
    PDF: "PDF",
    "report.ipynb": "notebook",
    "partial.ipynb": "notebook up to the fault",  # of generated data alone
    RECORD: "record",
    "release.html": "release record",
    "earlier-report.html": "earlier report",
    f"earlier-{PDF}": "earlier PDF",
}


MOST_ACROSS = 6  # subjects that stand beside each other on a page


def write_index(out: str | Path) -> Path:
    """Write `index.html` in a folder of reports, from the records found there.

    Parameters
    ----------
    out : str or path
        The folder given to `run_reports`.

    Returns
    -------
    pathlib.Path
        The page.
    """
    out = Path(out)
    entries = [_entry(path.parent, read_record(path)) for path in sorted(out.glob(f"*/{RECORD}"))]
    entries.sort(key=lambda entry: (entry["notebook"], entry["subject"].order, entry["folder"]))
    failures = [entry for entry in entries if entry["status"] == "failed"]
    groups = []
    for _, members in groupby(entries, key=lambda entry: entry["notebook"]):
        group = list(members)
        latest = max(group, key=lambda entry: entry["finished"])
        head = {k: latest[k] for k in ("title", "question")}
        groups.append({**head, "entries": group, "overview": _overview(group)})
    page = template("index.html.j2").render(
        page_title="Reports – symphony_research",
        summary=_summary(len(entries) - len(failures), len(failures)),
        generated=_generated(entries),
        failures=failures,
        groups=groups,
    )
    write_in_place(out / "index.html", page)
    return out / "index.html"


def _overview(group: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the key figures of one question side by side, subject by subject; a measure that a report lacks is marked so.

    Outcomes are read at one time for all subjects and groups: the latest at which more than half of their figures are there, else that
    with most. An outcome that is not read at that time is at its own, chosen likewise.
    """
    made = [entry for entry in group if entry["status"] == "done" and entry["figures"]]
    # of each outcome its times, the latest first, and the measures of its groups at each
    outcomes: dict[str, dict[str, dict[str, None]]] = {}
    for entry in made:
        for measure, (_, outcome, time) in entry["figures"].items():
            outcomes.setdefault(outcome, {}).setdefault(time, {})[measure] = None

    def value(entry: Mapping[str, Any], measure: str) -> str:
        return str(entry["figures"][measure][0]) if measure in entry["figures"] else NOT_AVAILABLE

    def best(times: Mapping[str, Iterable[str]]) -> str:
        given = {
            time: mean(value(entry, measure) not in MARKS for measure in measures for entry in made)
            for time, measures in times.items()
        }
        return next((time for time, share in given.items() if share > 0.5), max(given, key=lambda time: given[time]))

    # "within 365 days" and "at 365 days" are one time
    together: dict[str, list[str]] = {}
    for times in outcomes.values():
        for time, measures in times.items() if len(times) > 1 else ():
            together.setdefault(_length(time), []).extend(measures)
    common = best(together) if together else ""
    shared: list[str] = []
    for times in outcomes.values():
        chosen = next((time for time in times if _length(time) == common), None) or best(times)
        shared += [m for m in times[chosen] if sum(m in entry["figures"] for entry in made) > 1]
    if len(made) < 2 or not shared:
        return None
    # names of outcomes are long, so they are rows while the subjects go beside each other
    whom = [entry["whom"] for entry in made]
    kinds = {entry["subject"].kind for entry in made if entry["subject"].is_part}
    one, several = next((kind, PLURALS[kind]) for kind in kinds) if len(kinds) == 1 else ("people", "groups of people")
    across = len(whom) <= MOST_ACROSS
    rows = [(m, [value(entry, m) for entry in made]) for m in shared]
    if not across:
        rows = [(name, [values[k] for _, values in rows]) for k, name in enumerate(whom)]
    text = " ".join(value for _, values in rows for value in values)
    return {
        "headings": ["Outcome", *whom] if across else [capital(one), *shared],
        "subjects": several,
        "rows": rows,
        "marks": {m: words for m, words in MARKS.items() if m in text},
    }


def _length(time: str) -> str:
    """Return the time without the word before it: "365 days"."""
    return time.partition(" ")[2]


def _with_outcome(measure: str, value: str, outcome: str = "", time: str = "") -> tuple[str, str, str]:
    """Return a key figure's value, outcome and time; records of before name the measure alone."""
    return value, outcome or measure, time


def _how_to_open(record: Mapping[str, Any]) -> str:
    """Say how to see where a run stopped: of confidential data a failed run leaves no notebook."""
    subject = subject_of(record)
    own = f", {subject.kind} = {subject.name!r}" if subject and subject.is_part else ""
    return (
        f"To see where it stopped, open the notebook {record['notebook']['name']} in Jupyter, set study and policy{own} in "
        "the cell of parameters, leave session = None, and run it. What it shows there is not for release."
    )


def _summary(made: int, failed: int) -> str:
    words = f"{made} report{'s' if made != 1 else ''}, by question" if made or not failed else "No report is ready"
    return f"{words}; {failed} could not be made." if failed else f"{words}."


def _generated(entries: list[dict[str, Any]]) -> str:
    of = [entry["generated"] for entry in entries if entry["generated"] is not None]
    if of and all(of):
        return "The data behind these reports were generated by a computer. They describe no real person."
    if any(of):
        studies = sorted({entry["study"] for entry in entries if entry["generated"]})
        return (
            f"Some of these reports are made from generated data, which describe no real person: {', '.join(studies)}."
        )
    return ""


def _entry(folder: Path, record: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return one report as the index shows it; anything that does not hold together is a failure."""
    links = [
        {"href": f"{quote(folder.name)}/{name}", "words": words}
        for name, words in _FILES.items()
        if (folder / name).exists()
    ]
    if record is None:
        unknown = dict.fromkeys(("study", "policy", "made", "question", "finished", "whom"), "")
        why = "Its record cannot be read. Make this report again."
        return {
            **unknown, "notebook": folder.name.split("--")[0], "title": folder.name, "subject": EVERYBODY, "generated": None,
            "folder": folder.name, "status": "failed", "status_words": "not made", "error": why, "report": None,
            "links": links, "made": "date unknown", "open_notebook": "", "finding": "", "figures": {}, "approval": "",
        }  # fmt: skip
    error = record.get("error")
    complete = all((folder / name).exists() for name in ("report.html", "report.ipynb"))
    if record["status"] == "done" and not complete:
        error = "The report is not complete: it was interrupted, or a file was taken away. Make it again."
    failed = record["status"] != "done" or not complete
    notebook, subject, whom = record["notebook"], subject_of(record) or EVERYBODY, about_whom(record)
    return {
        "folder": folder.name,
        "notebook": notebook["name"],
        "title": notebook["title"],
        "question": notebook["question"],
        "subject": subject,
        "whom": whom if subject.kind == "hub" else capital(whom),  # a hub is called as the study calls it
        "status": "failed" if failed else "done",
        "status_words": "not made" if failed else "ready",
        "error": error,
        "open_notebook": _how_to_open(record) if failed and not (folder / "partial.ipynb").exists() else "",
        "made": when(record["finished"]),
        "finished": record["finished"],
        "study": record["study"]["name"],
        "generated": record["study"]["generated"],
        "policy": str(record["policy"]["title"]),
        "finding": next((found["text"] for found in record.get("findings", [])), ""),
        "figures": {one[0]: _with_outcome(*one) for found in record.get("findings", []) for one in found["figures"]},
        "approval": record.get("approval", ""),
        "report": None if failed else f"{quote(folder.name)}/report.html",
        "links": links,
    }
