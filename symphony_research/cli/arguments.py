"""Arguments that several commands take, and what the words of a command line are read as."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["add_register", "add_size", "add_subjects", "effect_of", "positive", "subjects_of"]


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


def add_subjects(command: argparse.ArgumentParser) -> None:
    """Add whom reports are about: hubs, practices, areas and quarters of joining."""
    for kind, several in (("hub", "hubs"), ("practice", "practices"), ("area", "areas")):
        command.add_argument(
            f"--{kind}", metavar="NAME", action="append", default=[], help=f"a report of this {kind}; may be repeated"
        )
        command.add_argument(f"--all-{several}", action="store_true", help=f"a report of every {kind}")
    command.add_argument(
        "--quarter", metavar="YYYY-Qn", action="append", default=[],
        help="a report of the people who joined in this calendar quarter, such as 2016-Q3; may be repeated",
    )  # fmt: skip


def subjects_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the subjects asked for, as `run_reports` takes them."""
    return {
        "hubs": arguments.hub, "all_hubs": arguments.all_hubs, "practices": arguments.practice,
        "all_practices": arguments.all_practices, "areas": arguments.area, "all_areas": arguments.all_areas,
        "quarters": arguments.quarter,
    }  # fmt: skip


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
