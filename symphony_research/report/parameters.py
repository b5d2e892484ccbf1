"""Check the parameters given against those that a notebook declares, before anything runs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symphony_research.errors import ArgumentError, suggestion
from symphony_research.report.notebooks import FILLED_BY_RUNNER, LEVEL, Notebook, Parameter
from symphony_research.report.subject import PARTS, PLURALS

__all__ = ["check_names", "convert", "read_pairs"]

_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "None": type(None)}
_NOTHING = ("none", "null", "")
_YES = ("true", "yes", "1", "on")
_NO = ("false", "no", "0", "off")


def read_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """Read NAME=VALUE words of a command line.

    Raises
    ------
    ArgumentError
        If a word has no "=", or a name is given twice.
    """
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        name = name.strip()
        if not equals or not name:
            raise ArgumentError(f"'{pair}' is not NAME=VALUE. Write for example: -p horizon=365")
        if name in given:
            raise ArgumentError(f"The parameter '{name}' was given twice.")
        given[name] = value.strip()
    return given


def check_names(given: Iterable[str], notebooks: Sequence[Notebook]) -> list[str]:
    """Return what is wrong with the names of the parameters given, one sentence each."""
    known = {p.name for notebook in notebooks for p in notebook.own_parameters}
    faults = []
    for name in given:
        if name == "session":
            faults.append("'session' is not set with -p: symphony report fills it in.")
        elif name in (*FILLED_BY_RUNNER, LEVEL):
            faults.append(f"'{name}' is not set with -p: give the {name} itself ({_how(name)}).")
        elif name in PARTS:
            every = "" if name == "quarter" else f", or ask for --all-{PLURALS[name]}"
            faults.append(f"'{name}' is not set with -p: name {PLURALS[name]} with --{name}{every}.")
        elif name not in known:
            lists = "; ".join(
                f"{nb.name} takes {', '.join(p.name for p in nb.own_parameters) or 'none'}" for nb in notebooks
            )
            faults.append(f"There is no parameter '{name}'. Parameters: {lists}.{suggestion(name, known)}")
    return faults


def _how(name: str) -> str:
    return "the first argument" if name == "study" else f"--{name}"


def convert(parameter: Parameter, value: Any, *, notebook: str) -> Any:
    """Return a value as the type a parameter declares.

    Parameters
    ----------
    parameter : Parameter
        What the notebook declares.
    value : object
        Text from a command line is converted; any other value must have the type already.
    notebook : str
        Named in the message.

    Returns
    -------
    object

    Raises
    ------
    ArgumentError
        If the value is of another type, or not among the choices.
    """
    converted, fits = _from_text(parameter, value) if isinstance(value, str) else _as_given(parameter, value)
    if not fits:
        raise ArgumentError(
            f"{parameter.name}={_shown(value)} does not fit {notebook}: it takes {parameter.kind_in_words}"
            f"{_choices(parameter)}. Its default is {_shown(parameter.default)}."
        )
    if parameter.choices and converted is not None:
        items = converted if isinstance(converted, list) else [converted]
        wrong = [item for item in items if str(item) not in parameter.choices]
        if wrong:
            raise ArgumentError(
                f"{parameter.name}={_shown(wrong[0])} is not known to {notebook}. "
                f"Choose one of: {', '.join(parameter.choices)}.{suggestion(str(wrong[0]), parameter.choices)}"
            )
    return converted


def _choices(parameter: Parameter) -> str:
    return f", one of: {', '.join(parameter.choices)}" if parameter.choices else ""


def _shown(value: Any) -> str:
    return "none" if value is None else repr(value)


def _as_given(parameter: Parameter, value: Any) -> tuple[Any, bool]:
    if not parameter.kinds:
        return value, True
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for kind in parameter.kinds:
            inner = _inner(kind)
            if inner and all(_is(item, inner) for item in value):
                return list(value), True
        return value, False
    for kind in parameter.kinds:
        if not _inner(kind) and _is(value, kind):
            return (float(value) if kind == "float" else value), True
    return value, False


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):  # a bool is an int to Python, but not to a reader
        return kind == "bool"
    return isinstance(value, (int, float) if kind == "float" else _TYPES[kind])


def _inner(kind: str) -> str | None:
    match = re.fullmatch(r"list\[(\w+)\]", kind)
    return match[1] if match else None


def _from_text(parameter: Parameter, text: str) -> tuple[Any, bool]:
    if not parameter.kinds:
        return _literal(text), True
    # Text last: every word is text, so a number is tried as a number first.
    for kind in sorted(parameter.kinds, key=lambda k: (k == "str", k.startswith("list"), k != "None", k != "int")):
        inner = _inner(kind)
        try:
            if inner:
                return [_one(item.strip(), inner) for item in text.strip("[]() ").split(",") if item.strip()], True
            return _one(text, kind), True
        except ValueError:
            continue
    return text, False


def _literal(text: str) -> Any:
    if text.lower() in _NOTHING:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _one(text: str, kind: str) -> Any:
    if kind == "None":
        if text.lower() in _NOTHING:
            return None
        raise ValueError
    if kind == "bool":
        if text.lower() in _YES + _NO:
            return text.lower() in _YES
        raise ValueError
    if kind == "str":
        return text.strip("'\"")
    value = _TYPES[kind](text)
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError
    return value


def with_defaults(notebook: Notebook, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return every parameter of a notebook with the value it will have."""
    return {p.name: given.get(p.name, p.default) for p in notebook.parameters}
