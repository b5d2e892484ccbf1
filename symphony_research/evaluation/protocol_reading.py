"""Reading a protocol: each key is what it must be, and names what the study has; all that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from symphony_research.cohort import EVENTS
from symphony_research.cohort.candidates import DATED, OF_PERSONS, other_programmes
from symphony_research.cohort.events import why_not_recorded
from symphony_research.door.headings import listed
from symphony_research.door.protocol_file import protocol_path, read_protocol_file
from symphony_research.door.protocol_record import read_record_of
from symphony_research.errors import ArgumentError, SchemaError, suggestion
from symphony_research.evaluation.protocol import Departure, Protocol, field_value
from symphony_research.evaluation.protocol_defaults import (
    changes_nothing,
    default_protocol,
    defaults_of,
    programme_of,
)
from symphony_research.evaluation.protocol_keys import KEYS, NONE, OUTCOMES, SECTIONS, SENSITIVITY, SUBGROUPS, keys_of
from symphony_research.study import Study, read_study

__all__ = ["read_protocol"]

_DEPARTURE = ("date", "what", "why")
_HUB = "is chosen when the report is made, so that one protocol is for all hubs: symphony report STUDY 06 --hub NAME."


def read_protocol(
    study: Study | str | Path, *, file: str | Path | None = None, programme: str | None = None
) -> Protocol:
    """Read the protocol of a study's evaluation; of a study that states none, the default one.

    Parameters
    ----------
    study : Study or path
        The study, its folder, or the protocol.toml in that folder.
    file : path, optional
        Another protocol; by default protocol.toml in the study folder, if it is there.
    programme : str, optional
        That of the report; the protocol must be of the same.

    Returns
    -------
    Protocol
        With the record of when it was fixed and when its outcomes were first read.

    Raises
    ------
    SchemaError
        If it cannot be read, or a key is unknown, of another type, or names what the study does not have; all at once.
    ArgumentError
        If there is no such file, the study has nobody on a programme, or the protocol is of another.

    References
    ----------
    Hernan, M. A. and Robins, J. M. (2016). Using big data to emulate a target trial when a randomized trial is not
    available. American Journal of Epidemiology 183, 758-764.

    Examples
    --------
    >>> import symphony_research as sr
    >>> protocol = sr.evaluation.read_protocol(sr.example_study(3_000))
    >>> protocol.is_default
    True
    """
    study, file = _opened(study, file)
    path = protocol_path(study.folder, file)
    if path is None or (file is None and not path.is_file()):
        return default_protocol(study, programme=programme)
    values, given, departures = _checked(read_protocol_file(path), study, path.name)
    named = str(values["eligibility.programme"])
    if programme is not None and programme != named:
        raise ArgumentError(
            f"{path.name} is the protocol of '{named}', and the report is asked for '{programme}'. Leave out -p programme, or "
            "name a protocol of that programme: -p protocol=FILE."
        )
    return Protocol(
        **{key.field: field_value(key, values[key.place]) for key in KEYS},
        departures=departures,
        given=given,
        file=path,
        beside=path,
        record=read_record_of(path),
        generated=study.generated,
    )


def _opened(study: Study | str | Path, file: str | Path | None) -> tuple[Study, str | Path | None]:
    if isinstance(study, Study):
        return study, file
    path = Path(study)
    if path.suffix == ".toml" and not path.is_dir():
        if file is not None:
            raise ArgumentError("The protocol is named twice: give the study's folder, and the protocol as file.")
        return read_study(path.absolute().parent), path
    return read_study(path), file


def _checked(
    told: Mapping[str, Any], study: Study, name: str
) -> tuple[dict[str, Any], frozenset[str], tuple[Departure, ...]]:
    """Return each key's value by its place, defaults filled in, which are given, and the departures; or raise all that is wrong."""
    faults: list[str] = []
    given = _given(told, faults)
    departures = _departures(told.get("departures", []), faults)
    values: dict[str, Any] = {}
    try:
        programme = programme_of(study, given.get("eligibility.programme"))
    except ArgumentError as fault:
        faults.append(f"eligibility.programme: {fault}")
        programme = next(iter(study.programmes()), "")  # so that all else is looked at too
    if programme:
        values = defaults_of(study, programme, given) | given
        faults += _against_study(values, study, programme)
        faults += _together(values, given, study)
    if faults:
        many = f"{len(faults)} finding{'s' if len(faults) != 1 else ''}"
        raise SchemaError("\n  ".join([f"{name}: {many}. docs/protocol.md says what each key is.", *faults]))
    return values, frozenset(given), departures


def _given(told: Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    """Return the keys that are what they must be, by their place; name the others."""
    given: dict[str, Any] = {}
    first = [key.key for key in keys_of("")]
    known = [*first, *(name for name in SECTIONS if name), "departures"]
    for name, value in told.items():
        if name == "departures":
            continue
        if name in first:
            given |= _fitting("", {name: value}, faults)
        elif name not in SECTIONS:
            home = next((key.section for key in KEYS if key.key == name and key.section), "")
            belongs = f" It belongs under [{home}]." if home else suggestion(name, known)
            faults.append(f"{name} is no key or section. There is: {', '.join(known)}.{belongs}")
        elif not isinstance(value, dict):
            faults.append(f"{name} must be a section: [{name}] with {', '.join(key.key for key in keys_of(name))}.")
        else:
            given |= _fitting(name, value, faults)
    return given


def _fitting(section: str, told: Mapping[str, Any], faults: list[str]) -> dict[str, Any]:
    keys = {key.key: key for key in keys_of(section)}
    given = {}
    for name, value in told.items():
        place = f"{section}.{name}" if section else name
        if place == "eligibility.hub":
            faults.append(f"{place} {_HUB}")
        elif name not in keys:
            faults.append(f"{place} is no key. [{section}] takes: {', '.join(keys)}.{suggestion(name, keys)}")
        elif not keys[name].fits(value):
            near = suggestion(value, keys[name].must.partition(": ")[2].split(", ")) if isinstance(value, str) else ""
            faults.append(f"{place} must be {keys[name].must}.{near}")
        else:
            given[place] = value
    return given


def _departures(told: Any, faults: list[str]) -> tuple[Departure, ...]:
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        faults.append("departures must be sections of their own, one each: [[departures]] with date, what and why.")
        return ()
    found = []
    for at, one in enumerate(told, start=1):
        place, before = f"departures {at}", len(faults)
        for name in one:
            if name not in _DEPARTURE:
                faults.append(
                    f"{place}: {name} is no key. There is: {', '.join(_DEPARTURE)}.{suggestion(name, _DEPARTURE)}"
                )
        day = _day(one.get("date"))
        if day is None:
            faults.append(f"{place}: date must be a date, such as 2026-03-05.")
        for name in ("what", "why"):
            words = one.get(name)
            if not isinstance(words, str) or not words.strip():
                faults.append(f"{place}: {name} must be a text.")
            elif any(letter.isnumeric() for letter in words):
                # written when outcomes are known: a count in it would stand on a page that nothing protected
                faults.append(
                    f"{place}: {name} holds a number. Reports print these words as they are, so write them without numbers: the "
                    "report shows by itself what each key was and is."
                )
        if len(faults) == before and day is not None:
            found.append(Departure(day, one["what"].strip(), one["why"].strip()))
    return tuple(found)


def _day(value: Any) -> date | None:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return None
    return value.date() if isinstance(value, datetime) else value if isinstance(value, date) else None


def _against_study(values: Mapping[str, Any], study: Study, programme: str) -> Iterable[str]:
    """Yield what the protocol names and the study does not have."""
    conditions = study.condition_names()
    exact = (*OF_PERSONS, *DATED, *other_programmes(study, programme))
    lists = {
        "eligibility.conditions": (conditions, "condition of the study"),
        "assignment.exact": (exact, "name of what controls can agree on"),
        "outcomes.secondary": (OUTCOMES, "outcome"),
        "analysis.sensitivity": (tuple(SENSITIVITY), "sensitivity analysis"),
        "analysis.subgroups": (SUBGROUPS, "stratum"),
    }
    for place, (known, what) in lists.items():
        names = values[place] or []
        for name in names:
            if name not in known:
                yield f"{place}: '{name}' is no {what}. There is: {listed(known)}.{suggestion(name, known)}"
        if len(set(names)) < len(names):
            yield f"{place} names something twice."
    asked = [
        ("outcomes.primary", values["outcomes.primary"]),
        ("negative_control.outcome", values["negative_control.outcome"]),
    ]
    for place, name in [*asked, *(("outcomes.secondary", name) for name in values["outcomes.secondary"])]:
        if name in OUTCOMES and (why := why_not_recorded(study, name)):
            there = [one for one in OUTCOMES if not why_not_recorded(study, one)]
            yield f"{place}: '{name}' cannot be analysed. {why}. Recorded: {', '.join(there)}."
    for place, table, column in (
        ("eligibility.area", "persons", "area"),
        ("eligibility.practice", "registrations", "practice_id"),
    ):
        if (name := values[place]) is not None:
            there = (
                study.tables[table]
                .select(pl.col(column).cast(pl.String).drop_nulls().unique())
                .collect()[column]
                .to_list()
            )
            if name not in there:  # areas and practices come from rows: they are counted, not listed
                yield f"{place}: the study has no such {column}. There are {len(there):,}."
    days = (study.period[1] - study.period[0]).days
    if values["follow_up.days"] > days:
        yield f"follow_up.days={values['follow_up.days']:,} is longer than the study, of {days:,} days."


def _together(values: Mapping[str, Any], given: Mapping[str, Any], study: Study) -> Iterable[str]:
    """Yield what does not go together."""
    low, high = values["eligibility.min_age"], values["eligibility.max_age"]
    if low is not None and high is not None and low > high:
        yield f"eligibility.min_age={low} is above max_age={high}."
    if "eligibility.conditions" in given and not values["eligibility.min_conditions"]:
        yield "eligibility.conditions says which conditions min_conditions counts: give min_conditions too, or leave both out."
    counted = values["eligibility.conditions"] or study.condition_names()
    if (values["eligibility.min_conditions"] or 0) > len(counted):
        yield f"eligibility.min_conditions={values['eligibility.min_conditions']} is more than there are conditions that count, {len(counted)}."
    if values["eligibility.sex"] and "sex" in values["analysis.subgroups"]:
        yield "analysis.subgroups: people of one sex alone are eligible, so there are no subgroups by sex."
    primary, control = values["outcomes.primary"], values["negative_control.outcome"]
    if primary in values["outcomes.secondary"]:
        yield f"outcomes.secondary names the primary outcome '{primary}' again."
    if control != NONE:
        if control in (primary, *values["outcomes.secondary"]):
            yield f"negative_control.outcome: '{control}' is an outcome of the protocol too: it is to be one that enrolling cannot change."
        if not values["negative_control.reason"].strip():
            yield f"negative_control.reason: say why enrolling cannot change {EVENTS[control].plural}."
    for name in values["analysis.sensitivity"]:
        if name not in SENSITIVITY:
            continue
        days = SENSITIVITY[name][1].get("days", 0)
        if changes_nothing(name, values):
            yield f"analysis.sensitivity: '{name}' changes nothing, as the protocol is that already."
        elif days > values["follow_up.days"]:
            yield f"analysis.sensitivity: '{name}' is longer than follow_up.days={values['follow_up.days']}."
