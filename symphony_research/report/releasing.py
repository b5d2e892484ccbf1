"""`symphony release`: enter finished reports into the register, after which every run is judged against them."""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from symphony_research.disclosure.nested_populations import telling_beside
from symphony_research.disclosure.outputs import ReleasedOutput, whose
from symphony_research.disclosure.release_record import output_from_record
from symphony_research.errors import ArgumentError, ReportError
from symphony_research.report.before import FOR_REGISTER, as_of_study, of_same_people
from symphony_research.report.provenance import read_record, utc_text
from symphony_research.report.register import Entry, Register, default_register
from symphony_research.report.release import CHECKER_FOLDER, findings_between

__all__ = ["digest_of", "release_in_words", "release_reports", "withdraw_release"]

PAGE = "report.html"
_CLASHES = "would disclose a small count beside what was released since it was made."
_MAKE_AGAIN = "Make it again: what was released is taken into account then. Nothing was entered."


def digest_of(folder: Path) -> str:
    """Return the digest of a report's page: what is entered is what was judged; nothing where there is none."""
    page = folder / PAGE
    return hashlib.sha256(page.read_bytes()).hexdigest() if page.is_file() else ""


def release_reports(
    reports: Sequence[str | Path], *, register: str | Path | None = None, by: str | None = None
) -> tuple[Entry, ...]:
    """Enter finished reports into the register of releases: all of them or none.

    Parameters
    ----------
    reports : sequence of path
        Folders of reports, or a folder of such folders.
    register : path, optional
        By default the one that the reports were made beside.
    by : str, optional
        Who releases them; by default the author that the report names, else the user.

    Returns
    -------
    tuple of Entry
        With their numbers.

    Raises
    ------
    ArgumentError
        If a folder holds no report of confidential data that can be released, they belong to several registers, or to
        another than the one that is named.
    ReportError
        If one would disclose a small count beside what was released since it was made, naming both; or the
        register cannot be used.
    """
    folders = _folders(reports)
    told = {folder: _entering(folder) for folder in folders}
    places = {str(one["register"]) for one in told.values()}
    if register is None and len(places) > 1:
        raise ArgumentError(
            "These reports were made beside several registers. Release those of one register at a time."
        )
    book = Register(register or places.pop())
    _require_own(told, book)
    there = book.entries()
    accepted: list[Entry] = []
    for folder, one in told.items():
        entry = _entry(folder, one, by)
        if not any((known.report, known.digest) == (entry.report, entry.digest) for known in there):
            _require_no_clash(entry, one, (*there, *accepted))
        accepted.append(entry)
    return book.add(accepted)


def withdraw_release(number: int, *, reason: str, register: str | Path, by: str | None = None) -> Entry:
    """Declare a released report out of use; its entry stays, and no run is judged against it from now on.

    Raises
    ------
    ArgumentError
        If no reason is given.
    ReportError
        If there is no such entry, or the register cannot be used.
    """
    if not reason.strip():
        raise ArgumentError("Say why the report is withdrawn: --reason '...'.")
    return Register(register).withdraw(number, by=by or getpass.getuser(), reason=reason.strip(), date=_now())


def release_in_words(
    reports: Sequence[str | Path],
    register: str | Path | None,
    by: str | None,
    listed: bool,
    withdraw: int | None,
    reason: str,
) -> str:
    """Release reports, or list what was released, or withdraw an entry, and say what was done.

    Raises
    ------
    ArgumentError
        If not one of the three is asked for.
    """
    if sum((bool(reports), listed, withdraw is not None)) != 1:
        raise ArgumentError("Give the reports to release, or --list, or --withdraw N --reason '...'.")
    place = register or default_register()
    if withdraw is not None:
        withdrawn = withdraw_release(withdraw, reason=reason, register=place, by=by)
        return (
            f"Withdrawn: {withdrawn.label}. It is compared with nothing from now on: whoever has kept it can still compare it with "
            "what is released later."
        )
    if not listed:
        entered = release_reports(reports, register=register, by=by)
        return "\n".join(f"Released as entry {entry.number}: {entry.report}" for entry in entered)
    lines = []
    for entry in Register(place).entries():
        lines.append(f"{entry.number:>4}  {entry.date[:10]}  {entry.report}, {entry.study}; released by {entry.by}")
        if (told := entry.withdrawn) is not None:
            lines.append(f"      withdrawn on {told.date[:10]} by {told.by}: {told.reason}")
    return "\n".join(lines) or f"The register '{place}' has no entry."


def _now() -> str:
    return utc_text(datetime.now(UTC))


def _folders(reports: Sequence[str | Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for asked in map(Path, reports):
        inside = sorted(page.parent for page in asked.glob(f"*/{PAGE}"))
        if (asked / PAGE).is_file():
            found[asked.absolute()] = None
        elif inside:
            found |= dict.fromkeys(folder.absolute() for folder in inside)
        else:
            raise ArgumentError(
                f"There is no report in '{asked}'. Give the folder of a report, or the folder of all reports."
            )
    return list(found)


def _entering(folder: Path) -> dict[str, Any]:
    """Read what the register is to hold of a report; refuse one that is not as it was judged."""
    record = read_record(folder / "provenance.json")
    if record is None or record["status"] != "done":
        raise ArgumentError(f"The report '{folder.name}' was not finished. Make it again before it is released.")
    path = folder.parent / CHECKER_FOLDER / folder.name / FOR_REGISTER
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ArgumentError(
            f"What the register is to hold of '{folder.name}' is not beside the reports ({CHECKER_FOLDER}/{folder.name}/"
            f"{FOR_REGISTER}). Make the report again, and release it from the folder in which it was made."
        ) from None
    if told["register"] is None:
        raise ArgumentError(
            f"'{folder.name}' is of generated data, which describe no real person: there is nothing to release."
        )
    if told["digest"] != digest_of(folder):
        raise ArgumentError(
            f"The page of '{folder.name}' is not the one that was made: it was changed since. Make it again, and release that."
        )
    return {**told, "record": record}


def _require_own(told: Mapping[Path, Mapping[str, Any]], book: Register) -> None:
    """Refuse reports that were made beside another register: in this one nobody would know whose people they are of."""
    for folder, one in told.items():
        if one["known_by"] != book.known_by:
            raise ArgumentError(
                f"'{folder.name}' was made beside the register '{one['register']}', and not beside '{book.path}'. Release it into "
                "the one it was made beside, or make it again with --register. Nothing was entered."
            )


def _entry(folder: Path, told: Mapping[str, Any], by: str | None) -> Entry:
    record = told["record"]
    return Entry(
        report=folder.name,
        title=str(record.get("title") or record["notebook"]["title"]),
        study=str(record["study"]["name"]),
        policy=str(record["policy"]["title"]),
        by=by or str(record.get("author") or "") or getpass.getuser(),
        date=_now(),
        digest=told["digest"],
        run=told["run"],
        fingerprint=told["fingerprint"],
        sketch=told["sketch"],
        outputs=told["outputs"],
    )


def _require_no_clash(entry: Entry, told: Mapping[str, Any], there: Iterable[Entry]) -> None:
    """Refuse a report that would disclose a count beside what it was not protected beside."""
    of_same = of_same_people(there, entry.fingerprint, entry.sketch)
    since = [one for one in of_same if one.run != entry.run and one.number not in told["beside"]]
    unknown = [one.label for one in since]
    if not unknown:
        return
    before = [(one.label, as_of_study(one.outputs, entry.study)) for one in of_same]
    found = findings_between({entry.report: entry.outputs}, before).get(entry.report, [])
    clashes = [one for one in found if any(f" in {label} [" in name for name in one.outputs for label in unknown)]
    if clashes:
        more = f" And {len(clashes) - 1} more." if len(clashes) > 1 else ""
        raise ReportError(f"{entry.report} {_CLASHES} {clashes[0]}{more} {_MAKE_AGAIN}")
    for one in since:
        if one.fingerprint != entry.fingerprint and _tell_together(entry, one):
            raise ReportError(
                f"{entry.report} {_CLASHES} All its counts together with those of {one.label}, which is of another extract of the same "
                f"people, tell how few were added. {_MAKE_AGAIN}"
            )


def _tell_together(entry: Entry, before: Entry) -> bool:
    """Whether any count shown would have been suppressed, had the report been made beside one of another extract."""
    own, others = (
        [output for told in as_of_study(one.outputs, entry.study) if (output := output_from_record(told)) is not None]
        for one in (entry, before)
    )
    of_whom: dict[str, list[ReleasedOutput]] = {}
    for output in own:
        of_whom.setdefault(whose(output), []).append(output)
    return any(telling_beside(group, others) for group in of_whom.values())
