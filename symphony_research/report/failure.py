"""Say in one line why a run failed, without a value that should not travel."""

from __future__ import annotations

import re
from collections.abc import Callable

from symphony_research import errors

__all__ = ["plain_reason"]

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
_LONGEST = 400


def plain_reason(name: str, message: str, *, step: int | None, clean: Callable[[str], str]) -> str:
    """Return why a run failed, in one line.

    Parameters
    ----------
    name, message : str
        Of the exception.
    step : int or None
        Which code cell failed, counted from 1.
    clean : callable
        Takes this machine's paths out of a text.

    Returns
    -------
    str
        The workbench's own messages as they are; of other errors only those that cannot hold a row's value.
    """
    where = f"in code cell {step}" if step else "while the notebook ran"
    text = re.sub(r"\s+", " ", clean(message)).strip()
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1].rstrip() + "…"
    if name in _OURS:
        return text or f"{name} {where}."
    if name == "DeadKernelError":
        return "The process that ran the notebook ended without a word; often it had used up the memory."
    if name == "MemoryError":
        return f"There was not enough memory {where}."
    if name in _SPEAK_OF_NAMES and text:
        return f"{name} {where}: {text.splitlines()[0]}"
    return (
        f"{name} {where}. Its message is left out, because it could hold a value from the data: "
        "open the notebook in Jupyter to see it."
    )
