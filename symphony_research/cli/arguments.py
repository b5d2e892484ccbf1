"""Arguments that several commands take, and what the words of a command line are read as."""

from __future__ import annotations

import argparse

__all__ = ["add_register", "add_size", "effect_of", "positive"]


def add_register(command: argparse.ArgumentParser, default: str) -> None:
    """Add the register of releases."""
    command.add_argument("--register", metavar="FILE", help=f"the register of releases (default: {default})")


def add_size(command: argparse.ArgumentParser) -> None:
    """Add how many people are made, and how."""
    command.add_argument(
        "--people", metavar="N", type=positive, help="how many people registered in 2012-13 (default: 114,874)"
    )
    command.add_argument("--seed", metavar="S", type=int, help="another number gives other people")
    command.add_argument("--jobs", metavar="N", type=positive, help="processes at once (default: one a processor)")


def positive(text: str) -> int:
    """Read an integer above 0: "2,000" is one."""
    try:
        value = int(text.replace(",", "").replace("_", ""))
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not an integer above 0")
    return value


def effect_of(text: str) -> tuple[str, str, list[float]]:
    """Read what a programme does to an outcome, by year."""
    name, _, values = text.partition("=")
    programme, _, outcome = name.partition(".")
    try:
        return programme, outcome, [float(value) for value in values.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not PROGRAMME.OUTCOME=VALUE[,VALUE...], such as complex_care.emergency_admissions=0.9,0.8"
        ) from None
