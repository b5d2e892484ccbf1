"""Check parameters against the study before anything runs: what it has, and what curves are released at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from symphony_research.errors import ArgumentError, suggestion
from symphony_research.policy import Policy

__all__ = ["check_against_study"]

MOST_LISTED = 60
# the years that a built-in projection reaches, and shares
BETWEEN = MappingProxyType(
    {
        "base_year": (2011, 2042),
        "horizon_year": (2012, 2043),
        **dict.fromkeys(("share_elsewhere", "hub_reach", "hub_avoided", "coaching_reach", "coaching_avoided"), (0, 1)),
    }
)
# the fewest that each number may be
LEAST = MappingProxyType(
    {"youngest": 0, "oldest": 0, "min_persons": 1, "top": 1, "strongest": 1, "resamples": 0, "horizon": 1}
)


def check_against_study(study: Any, values: Mapping[str, Any], given: Iterable[str], policy: Policy) -> list[str]:
    """Return what is wrong with the values given for a notebook, one sentence each.

    Parameters
    ----------
    study : Study
    values : mapping
        Every parameter that is set, converted.
    given : iterable of str
        Those that the user set: only they are checked.
    policy : Policy
        The report's.
    """
    faults = []
    for name in given:
        value = values.get(name)
        if value is None:
            continue
        if name in LEAST and value < LEAST[name]:
            faults.append(f"{name}={value} is too small: it must be {LEAST[name]} or more.")
        elif name in BETWEEN and not BETWEEN[name][0] <= value <= BETWEEN[name][1]:
            low, high = BETWEEN[name]
            faults.append(f"{name}={value} must be between {low} and {high}.")
        elif name == "occupancy" and not 0 < value <= 1:
            faults.append(f"occupancy={value} is a share of beds, above 0 and at most 1, such as 0.85.")
        elif name in _CHECKS:
            faults += _CHECKS[name](study, value, policy)
    base, horizon = values.get("base_year"), values.get("horizon_year")
    if base is not None and horizon is not None and horizon <= base:
        faults.append(f"horizon_year={horizon} must be after base_year={base}.")
    youngest, oldest = values.get("youngest"), values.get("oldest")
    if youngest is not None and oldest is not None and oldest < youngest:
        faults.append(f"oldest={oldest} is below youngest={youngest}.")
    return faults


def _listed(name: str, what: str, known: Callable[[Any], Iterable[str]]) -> Callable[[Any, Any, Policy], list[str]]:
    def check(study: Any, value: Any, policy: Policy) -> list[str]:
        there = list(known(study))
        wrong = [one for one in ([value] if isinstance(value, str) else value) if one not in there]
        return [
            f"{name}={one!r} is no {what} of '{study.name}'. It has: {_few(there)}.{suggestion(str(one), there)}"
            for one in wrong
        ]

    return check


def _few(names: list[str]) -> str:
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"{', '.join(names[:MOST_LISTED]) or 'none'}{more}"


def _adjust(study: Any, value: Any, policy: Policy) -> list[str]:
    from symphony_research.cohort import STRATA
    from symphony_research.collapse import names_of

    return [
        f"adjust={one!r} is not known. Choose any of: {', '.join(STRATA)}.{suggestion(one, STRATA)}"
        for one in names_of(value)
        if one not in STRATA
    ]


def _horizon(study: Any, value: Any, policy: Policy) -> list[str]:
    from symphony_research.survival.grid import require_grid_time

    if policy.changes_nothing:
        return []
    try:
        require_grid_time(value, "days")
    except ArgumentError as fault:
        return [str(fault)]
    return []


_CHECKS: Mapping[str, Callable[[Any, Any, Policy], list[str]]] = MappingProxyType(
    {
        "condition": _listed("condition", "condition", lambda study: study.condition_names()),
        "programme": _listed("programme", "programme", lambda study: study.programmes()),
        "adjust": _adjust,
        "horizon": _horizon,
    }
)
