"""A mapping file: which columns of a survey are conditions, what counts as yes and as no, and where age and sex are."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

from symphony_research.door.duplicates import squashed
from symphony_research.door.study_settings import toml_text
from symphony_research.door.text import UnreadableError
from symphony_research.errors import ArgumentError, suggestion
from symphony_research.policy import policy_named
from symphony_research.schema import SEXES

__all__ = ["PLAIN_NO", "ConditionRule", "SurveyMap", "answer_text", "read_survey_map"]

# a no that needs no stating, in any capitals
PLAIN_NO = ("no",)
NEITHER = ("stop", "exclude person", "no")
_KEYS = ("name", "source", "date", "policy", "note", "conditions", "sex", "age")
_OLDEST = 125


@dataclass(frozen=True)
class ConditionRule:
    """How the answers of one column are read.

    Attributes
    ----------
    column : str
        The column.
    yes, no : tuple of str
        The answers that state one; where no "no" is given, the word no in any capitals.
    neither : {"stop", "exclude person", "no"}
        What is done with a missing or any other answer.
    """

    column: str
    yes: tuple[str, ...]
    no: tuple[str, ...] = ()
    neither: str = "stop"


@dataclass(frozen=True)
class SurveyMap:
    """How the columns of a survey become a study.

    Attributes
    ----------
    name, source : str
        Name of the study, and where the file came from.
    day : date
        Day on which everybody is taken to have answered.
    policy : str
        Disclosure policy of the study.
    conditions : mapping
        Condition to its rule.
    sex_column, sexes : str, mapping
        Column, and answer to F, M, other or unknown.
    age_column : str
        Column of the age in years, or of an age band.
    age_bands : mapping or None
        Answer to (youngest, oldest) where ages come in bands.
    note : str
        What a reader of any number must know, such as that answers are unweighted.
    neither : mapping
        What is done with answers for "sex" and "age" that the mapping does not know: "stop" or "exclude person".
    """

    name: str
    source: str
    day: date
    policy: str
    conditions: Mapping[str, ConditionRule]
    sex_column: str
    sexes: Mapping[str, str]
    age_column: str
    age_bands: Mapping[str, tuple[int, int]] | None
    note: str = ""
    neither: Mapping[str, str] = field(default_factory=lambda: {"sex": "stop", "age": "stop"})


def answer_text(answer: object) -> str:
    """Return an answer as it is compared: trimmed, and an integer without ".0"."""
    if isinstance(answer, bool):
        return str(answer).lower()
    return re.sub(r"^([+-]?[0-9]+)\.0+$", r"\1", str(answer).strip())


def read_survey_map(config: str | Path) -> SurveyMap:
    """Read a mapping file, or one that ships with the library by its name ("brfss2020").

    Parameters
    ----------
    config : str or Path
        Path of a TOML file, or the name of a mapping that ships.

    Raises
    ------
    ArgumentError
        If it is not there, is not TOML, or parts of it are missing or wrong; it names all of them.

    Examples
    --------
    >>> from symphony_research.survey import read_survey_map
    >>> len(read_survey_map("brfss2020").conditions)
    6
    """
    text, place = _config_text(config)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ArgumentError(f"{place} is not TOML: {error}.") from None
    told: list[str] = []
    told += [
        f"'{key}' is not a setting. Settings: {', '.join(sorted(_KEYS))}.{suggestion(key, _KEYS)}"
        for key in raw
        if key not in _KEYS
    ]
    missing = [key for key in ("name", "date", "conditions", "sex", "age") if key not in raw]
    if missing:
        told.append(f"it lacks {', '.join(missing)}. A mapping needs name, date, conditions, sex and age.")
    for key in ("name", "source", "policy", "note"):
        if not isinstance(raw.get(key, ""), str):
            told.append(f"{key} must be a text in quotes.")
    day = raw.get("date", date(2000, 1, 1))
    if not isinstance(day, date):
        told.append("date must be a day, such as date = 2020-07-01.")
    policy = str(raw.get("policy", "nhs_england"))
    try:
        policy_named(policy)
    except ArgumentError as fault:
        told.append(str(fault))
    parts = {key: raw.get(key, {}) for key in ("conditions", "sex", "age")}
    for key, part in parts.items():
        if not isinstance(part, dict):
            told.append(f"{key} must be a table, [{key}]; see the mapping that ships, brfss2020.")
            parts[key] = {}
    conditions = _conditions(parts["conditions"], told)
    sexes = _sex(parts["sex"], told) if "sex" in raw else {}
    bands = _age(parts["age"], told) if "age" in raw else None
    if told:
        raise ArgumentError("\n".join(f"{place}: {line}" for line in told))
    return SurveyMap(
        raw["name"].strip(), raw.get("source", ""), day.date() if isinstance(day, datetime) else day, policy, conditions,
        parts["sex"]["column"], sexes, parts["age"]["column"], bands, raw.get("note", ""),
        {key: parts[key].get("neither", "stop") for key in ("sex", "age")},
    )  # fmt: skip


def _is_answer(answer: object) -> bool:
    return isinstance(answer, str | int | float)


def _strange_keys(where: str, part: Mapping[str, Any], known: tuple[str, ...]) -> list[str]:
    return [
        f"{where}: '{key}' is not a setting. Settings: {', '.join(known)}.{suggestion(key, known)}"
        for key in part
        if key not in known
    ]


def _conditions(raw: Mapping[str, Any], told: list[str]) -> dict[str, ConditionRule]:
    rules: dict[str, ConditionRule] = {}
    for name, rule in raw.items():
        where = f"condition '{name}'"
        if not isinstance(rule, dict) or not isinstance(rule.get("column"), str) or not rule.get("yes"):
            told.append(f'{where} needs column = "..." and yes = ["..."].')
            continue
        told += _strange_keys(where, rule, ("column", "yes", "no", "neither"))
        lists = {key: rule.get(key, []) for key in ("yes", "no")}
        wrong = [key for key, value in lists.items() if not isinstance(value, list) or not all(map(_is_answer, value))]
        if wrong:
            told += [f'{where}: {key} must be a list of answers, such as {key} = ["{key.title()}"].' for key in wrong]
            continue
        yes, no = (tuple(answer_text(answer) for answer in lists[key]) for key in ("yes", "no"))
        if set(yes) & set(no):
            told.append(f"{where}: an answer is both a yes and a no.")
        neither = rule.get("neither", "stop")
        if neither not in NEITHER:
            told.append(f'{where}: neither must be one of {", ".join(NEITHER)}, such as neither = "exclude person".')
            continue
        rules[name.strip()] = ConditionRule(rule["column"], yes, no, neither)
    if len({squashed(name) for name in raw}) < len(raw):
        told.append("two conditions have names that differ only in capitals, spaces or punctuation.")
    if not raw and not any("lacks" in line or "conditions" in line for line in told):
        told.append("conditions is empty: name at least one.")
    return rules


def _sex(raw: Mapping[str, Any], told: list[str]) -> dict[str, str]:
    values = raw.get("values")
    if not isinstance(raw.get("column"), str) or not isinstance(values, dict) or not values:
        told.append('sex needs column = "..." and values, such as values = { Female = "F", Male = "M" }.')
        return {}
    told += _strange_keys("sex", raw, ("column", "values", "neither"))
    wrong = [answer for answer in values.values() if answer not in SEXES]
    if wrong:
        hint = suggestion(wrong[0], SEXES) if isinstance(wrong[0], str) else ""
        told.append(f"sex.values has {len(wrong)} that are not known. Choose one of: {', '.join(SEXES)}.{hint}")
    _neither_of("sex", raw, told)
    return {answer_text(answer): sex for answer, sex in values.items()}


def _neither_of(key: str, raw: Mapping[str, Any], told: list[str]) -> None:
    if raw.get("neither", "stop") not in NEITHER[:2]:
        told.append(f'{key}: neither must be one of {", ".join(NEITHER[:2])}, such as neither = "exclude person".')


def _age(raw: Mapping[str, Any], told: list[str]) -> dict[str, tuple[int, int]] | None:
    if not isinstance(raw.get("column"), str):
        told.append('age needs column = "..." (and bands where ages come in bands).')
        return None
    told += _strange_keys("age", raw, ("column", "bands", "neither"))
    _neither_of("age", raw, told)
    bands = raw.get("bands")
    if bands is None:
        return None
    if not isinstance(bands, dict) or not bands:
        told.append('age.bands must be a table: [age.bands] with "18-24" = [18, 24].')
        return None
    sound = {
        answer_text(answer): (band[0], band[1])
        for answer, band in bands.items()
        if isinstance(band, list)
        and len(band) == 2
        and all(type(age) is int for age in band)
        and 0 <= band[0] <= band[1] <= _OLDEST
    }
    if len(sound) < len(bands):
        told.append(f"{len(bands) - len(sound)} age bands are not [youngest, oldest], from 0 to {_OLDEST} years.")
        return None
    rising = sorted(set(sound.values()))
    if any(after[0] <= before[1] for before, after in pairwise(rising)):
        told.append("age bands overlap: an age must be in one band alone.")
    return sound


def _config_text(config: str | Path) -> tuple[str, str]:
    path = Path(config)
    if path.is_file():
        try:
            return toml_text(path), path.name
        except UnreadableError as why:
            raise ArgumentError(f"{path.name} cannot be read: {why}") from None
    shipped = {
        f.name.removesuffix(".toml"): f
        for f in files("symphony_research").joinpath("surveys").iterdir()
        if f.name.endswith(".toml")
    }
    name = path.name.removesuffix(".toml")
    if name in shipped:
        return shipped[name].read_text(encoding="utf-8"), f"{name}.toml"
    raise ArgumentError(
        f"There is no mapping file '{config}'. Those that ship: {', '.join(sorted(shipped))}.{suggestion(name, shipped)}"
    )
