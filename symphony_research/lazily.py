"""Packages whose names are loaded when they are first used, so that nothing is loaded for the sake of what is not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

__all__ = ["lazily"]


def lazily(package: str, homes: Mapping[str, Sequence[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package.

    Parameters
    ----------
    package : str
        Its name.
    homes : mapping of str to sequence of str
        Modules of the package, and the names that each gives it; a module without any is a name itself.
    """
    home_of = {name: home for home, names in homes.items() for name in names or (home,)}
    listed = sorted(home_of)

    def get(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"{package} has no name '{name}'. It has: {', '.join(listed)}.")
        module = import_module(f"{package}.{home_of[name]}")
        value = getattr(module, name) if homes[home_of[name]] else module
        setattr(sys.modules[package], name, value)
        return value

    return get, lambda: listed
