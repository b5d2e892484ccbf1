"""Say in one line why a run failed, without a value that should not travel."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable

from polars import exceptions

from symphony_research import errors

__all__ = ["known_name", "plain_reason"]

_OURS = {
    name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.SymphonyError)
}
# These speak of names in the code, not of the contents of a row; a TypeError may quote a value.
_SPEAK_OF_NAMES = {
    "ImportError",
    "ModuleNotFoundError",
    "NameError",
    "SyntaxError",
    "UnboundLocalError",
}
_DEAD_KERNEL = "DeadKernelError"
_LONGEST = 400
_NUMBER = r"\d+(?:[.,]\d+)*"


def known_name(name: str) -> str:
    """Return the name of an exception if it is one that a notebook cannot have made up, else "Error"."""
    known = name in _OURS or name in vars(builtins) or name in vars(exceptions) or name == _DEAD_KERNEL
    return name if known else "Error"


def plain_reason(
    name: str, message: str, *, step: int | None, clean: Callable[[str], str], confidential: bool = False
) -> str:
    """Return why a run failed, in one line.

    Parameters
    ----------
    name, message : str
        Of the exception.
    step : int or None
        Which code cell failed, counted from 1.
    clean : callable
        Takes this machine's paths out of a text.
    confidential : bool
        Whether the report is of confidential data: then only the workbench's
        own messages are kept, and of these no number, which may count people.

    Returns
    -------
    str
        The workbench's own messages as they are; of other errors only those that cannot hold a row's value.
    """
    name = known_name(name) if confidential else name
    where = f"in code cell {step}" if step else "while the notebook ran"
    text = re.sub(r"\s+", " ", clean(message)).strip()
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1].rstrip() + "…"
    if name in _OURS:
        if confidential and re.search(r"\d", text):
            text = f"{re.sub(_NUMBER, '…', text)} (… stands for a number that is omitted.)"
        return text or f"{name} {where}."
    if name == _DEAD_KERNEL:
        return "The process that ran the notebook ended without a word; often it had used up the memory."
    if name == "MemoryError":
        return f"There was not enough memory {where}."
    if name in _SPEAK_OF_NAMES and text and not confidential:
        return f"{name} {where}: {text.splitlines()[0]}"
    return (
        f"{name} {where}. Its message is omitted, because it could hold a value from the data: "
        "open the notebook in Jupyter to see it."
    )
