"""Which heading of a file is which column of the schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from symphony_research.door.finding import Finding
from symphony_research.door.personal import personal_heading
from symphony_research.errors import suggestion
from symphony_research.schema import Table

__all__ = ["alike", "known_headings", "listed", "match"]

_MOST_NAMED = 20


def alike(name: str) -> str:
    """Return a name without capitals, spaces and punctuation: "Person ID" and "person_id" are one."""
    return re.sub(r"[\W_]+", "", name.lower())


def listed(names: Iterable[str]) -> str:
    """Return the names, or the first twenty of many."""
    names = list(names)
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more or "none"


def known_headings(table: Table, names: Mapping[str, str], headings: Sequence[str]) -> int:
    """Return how many headings are the table's."""
    wanted = {alike(names.get(column.name, column.name)) for column in table.columns}
    return len({alike(heading) for heading in headings} & wanted)


def match(
    table: Table, headings: Sequence[str], names: Mapping[str, str], *, part: str = ""
) -> tuple[dict[str, int], list[Finding]]:
    """Return the place of each column of the schema that is there, and what is wrong with the headings.

    Parameters
    ----------
    table : Table
        What the table should be.
    headings : sequence of str
        As they stand in the file.
    names : mapping
        Schema column to heading, from study.toml.
    part : str
        Name of the file, where the table has several that differ.
    """
    where = f" in {part}" if part else ""
    if not known_headings(table, names, headings):
        needs = ", ".join(column.name for column in table.columns if column.required)
        # the first row may then be a person's, and is not repeated
        told = f"has none of its columns{where}: perhaps the first row is not a heading. It needs {needs}."
        return {}, [Finding(table.name, "", 0, told, f"Map other names in study.toml under [columns.{table.name}].")]
    found: list[Finding] = []
    places: dict[str, int] = {}
    spoken_for = {name for name in names.values() if name in headings}
    for column in table.columns:
        wanted = names.get(column.name, column.name)
        same = [k for k, heading in enumerate(headings) if alike(heading) == alike(wanted)]
        exact = [k for k in same if headings[k] == wanted]
        if column.name in names and len(exact) == 1:
            same = exact
        elif column.name not in names:
            same = [k for k in same if headings[k] not in spoken_for]
        if len(same) == 1:
            places[column.name] = same[0]
        elif same:
            told = ", ".join(f"'{headings[k]}'" for k in same)
            advice = f"Take one out, or say which under [columns.{table.name}]." if len(exact) < 2 else "Take one out."
            found.append(
                Finding(table.name, column.name, 0, f"the column comes {len(same)} times{where}: {told}", advice)
            )
        elif column.name in names:
            told = f"study.toml maps it to a column that is not there{where}. Columns: {listed(headings)}."
            found.append(Finding(table.name, column.name, 0, told))
        elif column.required:
            found.append(_missing(table, column.name, headings, where))
    if "person_id" in {column.name for column in table.columns}:
        found += _personal(table, headings, places, where)
    return places, found


def _missing(table: Table, name: str, headings: Sequence[str], where: str) -> Finding:
    other = {"sex": ("gender",), "birth_date": [h for h in headings if personal_heading(h) == "birth"]}.get(name, ())
    hint = next((f" Did you mean '{h}'?" for h in headings if h.lower() in {o.lower() for o in other}), "")
    close = hint or suggestion(name, headings)
    return Finding(
        table.name,
        name,
        0,
        f"the column is missing{where}. Columns: {listed(headings)}.{close} Rename it, or map it in study.toml under "
        f"[columns.{table.name}].",
    )


def _personal(table: Table, headings: Sequence[str], places: Mapping[str, int], where: str) -> list[Finding]:
    own = {column.name for column in table.columns}
    taken = {place: column for column, place in places.items()}
    found = []
    for k, heading in enumerate(headings):
        kind = personal_heading(heading)
        if not kind or heading in own or (kind == "birth" and taken.get(k) == "birth_date"):
            continue
        told = f"looks like a personal detail{where}. Only pseudonymised data are taken: remove it."
        if kind == "birth" and table.name == "persons" and "birth_date" not in places:
            told = f"looks like a date of birth{where}: rename it birth_date, or map it under [columns.persons]."
        found.append(Finding(table.name, heading, 0, told))
    return found
