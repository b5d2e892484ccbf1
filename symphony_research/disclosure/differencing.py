"""What several outputs tell when they are set against each other: found before they are released, and named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import Any

import numpy as np

from symphony_research.disclosure.curves import alike, ends_of
from symphony_research.disclosure.gate import published_of
from symphony_research.disclosure.published import ANY, NAMED, Cell, Group, Published, Stratum
from symphony_research.disclosure.secondary import bounds_of, cells_of, most_programmes, narrowed
from symphony_research.disclosure.system import system_of
from symphony_research.errors import ArgumentError
from symphony_research.policy import POLICIES, Policy
from symphony_research.result import Result
from symphony_research.wording import in_words, joined, number

__all__ = ["Finding", "check_differencing", "find", "nested"]

_PREDICATES = (*NAMED, "age", "min_conditions")


@dataclass(frozen=True)
class Finding:
    """Outputs that may not be released together.

    Attributes
    ----------
    kind : str
        "rules", "difference", "numbers" or "reckoned".
    outputs : tuple of str
        Their names.
    counts : int
        Of how many counts.
    message : str
        What was found, and what to do; no number of people in it.
    """

    kind: str
    outputs: tuple[str, ...]
    counts: int
    message: str

    def __str__(self) -> str:
        return self.message


def check_differencing(results: Iterable[Result]) -> tuple[Finding, ...]:
    """Find what several disclosed results tell together that none tells alone.

    Every result knows its population as predicates and dates. Two populations
    are nested if each predicate of the one is one of the other too, or a date
    or an age differs: the people of the one could all be among those of the
    other, and a difference of their counts counts the rest.

    Parameters
    ----------
    results : iterable of Result
        Everything that is to be released, and was before; all disclosed.

    Returns
    -------
    tuple of Finding
        None if they may be released together. `kind` is "rules" (one study
        under two rules), "difference" (a group within another, and a count of
        those outside is surely small), "numbers" (one group, two numbers) or
        "reckoned" (a hidden count that all outputs together narrow down).

    Raises
    ------
    ArgumentError
        If something else than a result is among them.
    DisclosureError
        If one has not passed `suppress`.

    Notes
    -----
    A difference is reckoned from the intervals that the counts were rounded
    from. It is a finding if it is surely at most the threshold, not surely
    nought, and not every number up to the threshold is possible. Studies of
    different names are taken to be of different people. "reckoned" is searched as
    `suppress` does, and no further than it: of an output with over 500 hidden
    counts they are not looked for, nor after some hundred programmes of a large table.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study, policy = sr.example_study(), sr.Policy.nhs_england()
    >>> everyone, most = (sr.define_cohort(study, age=age).patterns() for age in (None, (3, None)))
    >>> released = [sr.suppress(sr.multimorbidity.prevalence(p), policy) for p in (everyone, most)]
    >>> {finding.kind for finding in sr.check_differencing(released)} <= {"difference"}
    True
    """
    told = []
    for at, result in enumerate(results, start=1):
        if not isinstance(result, Result):
            raise ArgumentError(f"check_differencing takes disclosed results, not {type(result).__name__}.")
        told.append((f"{at}. {result.title}{_whom(result.settings.get('population'))}", published_of(result)))
    return find(told)


def find(told: Sequence[tuple[str, Published]]) -> tuple[Finding, ...]:
    """Return what outputs, each with its name, tell together."""
    real = [(name, one) for name, one in told if one.policy["name"] != POLICIES[-1]]
    found: list[Finding] = []
    populations: dict[str, list[tuple[str, Published]]] = {}
    for name, one in real:
        populations.setdefault(repr((one.study, one.people)), []).append((name, one))
    for (name, one), (other_name, other) in combinations(real, 2):
        if _other_study(one, other):
            continue
        if one.policy != other.policy:
            found.append(_two_rules(name, one, other_name, other))
            continue
        if one.people == other.people:
            found += _two_numbers(name, one, other_name, other)
        of_others = (one.people, one.predicates) != (other.people, other.predicates)
        if of_others and (nested(one.population, other.population) or nested(other.population, one.population)):
            found += _difference(name, one, other_name, other)
    for group in populations.values():
        found += _reckoned(group)
    return (*found, *_small_remainders(real, found), *_few_followed(real))


def nested(inner: Mapping[str, Any], outer: Mapping[str, Any]) -> bool:
    """Whether it cannot be excluded that the people of one population are all among those of another.

    Examples
    --------
    >>> nested({"programme": "hubs", "hub": "Yeovil"}, {"programme": "hubs"})
    True
    >>> nested({"hub": "Yeovil"}, {"hub": "Wincanton"})
    False
    """
    for key, value in outer.items():
        own = inner.get(key)
        if key not in _PREDICATES or own is None:
            # somebody of a hub is on its programme, and of a practice in its area, whether or not it is said
            continue
        if key == "min_conditions":
            if own < value:
                return False
        elif key == "age":
            if not _within(own, value):
                return False
        elif own != value:
            return False
    return True


def _within(inner: Sequence[Any], outer: Sequence[Any]) -> bool:
    low, high = ((ages[0] or 0, ANY if ages[1] is None else ages[1]) for ages in (inner, outer))
    return low[0] >= high[0] and low[1] <= high[1]


def _other_study(one: Published, other: Published) -> bool:
    return one.study is not None and other.study is not None and one.study != other.study


def _whom(population: Mapping[str, Any] | None) -> str:
    words = [f"{in_words(key)} {in_words(str(value))}" for key, value in (population or {}).items() if key in NAMED]
    return f" ({', '.join(words)})" if words else ""


def _two_rules(name: str, one: Published, other_name: str, other: Published) -> Finding:
    return Finding(
        "rules",
        (name, other_name),
        0,
        f"'{name}' was made safe under {one.policy['title']} and '{other_name}' under {other.policy['title']}: two rules on "
        "one study can be set against each other. Release both under one rule.",
    )


def _two_numbers(name: str, one: Published, other_name: str, other: Published) -> list[Finding]:
    """One group of people with two numbers: whoever sees both knows what rounding or hiding did."""
    own, others = _shown(one), _shown(other)
    apart = [group for group in own.keys() & others.keys() if own[group].shown != others[group].shown]
    # a star for a number that is shown elsewhere protects nothing
    starred = _starred(one) & others.keys() | _starred(other) & own.keys()
    if not apart and not starred:
        return []
    return [
        Finding(
            "numbers",
            (name, other_name),
            len(apart) + len(starred),
            f"'{name}' and '{other_name}' are of the same people and give {number(len(apart) + len(starred))} of their counts "
            "differently. Make them from one extract, and suppress the second beside the first: "
            "sr.suppress(result, policy, beside=[...]).",
        )
    ]


def _difference(name: str, one: Published, other_name: str, other: Published) -> list[Finding]:
    small = _small_differences(one, other)
    if not small:
        return []
    return [
        Finding(
            "difference",
            (name, other_name),
            small,
            f"'{name}' and '{other_name}' may be of people the one of whom are among the other's: "
            f"{number(small)} of their counts differ by a few people, who could be counted by taking one from the "
            "other. Release only one of them, or coarser groups.",
        )
    ]


def _small_differences(one: Published, other: Published) -> int:
    """Count the groups of which those who are in one population alone are surely few, and not surely any number of few."""
    ways = []
    if nested(one.population, other.population):
        ways.append((one, other))
    if nested(other.population, one.population):
        ways.append((other, one))
    few: set[Any] = set()
    for inner, outer in ways:
        own, others = _of_own_population(inner), _of_own_population(outer)
        for group in own.keys() & others.keys():
            low, high = others[group].low - own[group].high, others[group].high - own[group].low
            if _tells(low, high, _threshold(outer)):
                few.add(group)
        few |= _steps_that_tell(inner, outer)
    return len(few)


def _tells(low: float, high: float, threshold: float) -> bool:
    """Whether a difference is surely small, and surely not just any small number."""
    return 0 < high <= threshold and not (low <= 1 and high >= threshold)


def _threshold(one: Published) -> float:
    return float(one.policy["threshold"])


def _steps_that_tell(inner: Published, outer: Published) -> set[Any]:
    """Return the times at which the running counts of two curves differ by a few."""
    few = _threshold(outer)
    slack = inner.policy["curve_width"] - 1  # both were rounded within one width
    curves: list[dict[Any, list[tuple[float, float]]]] = []
    for one in (inner, outer):
        of_one: dict[Any, list[tuple[float, float]]] = {}
        for key, time, count in one.steps:
            of_one.setdefault(key, []).append((time, count))
        curves.append(of_one)
    found = set()
    for key in curves[0].keys() & curves[1].keys():
        for time in sorted({t for of_one in curves for t, _ in of_one[key]}):
            at = [max([count for t, count in of_one[key] if t <= time], default=0) for of_one in curves]
            if not all(at):
                continue  # nothing is shown of one of them yet
            apart = at[1] - at[0]
            if _tells(apart - slack, apart + slack, few):
                found.add((key, time))
    return found


def _small_remainders(real: Sequence[tuple[str, Published]], found: Sequence[Finding]) -> list[Finding]:
    """Two populations, the one among the other, of which all outputs together tell how few the others are."""
    populations: dict[str, list[tuple[str, Published]]] = {}
    for name, one in real:
        populations.setdefault(repr((one.study, one.people, one.predicates, one.policy)), []).append((name, one))
    known = {frozenset(finding.outputs) for finding in found}
    more = []
    for inner, outer in permutations(populations.values(), 2):
        names = tuple(name for name, _ in (*inner, *outer))
        one, other = inner[0][1], outer[0][1]
        if (
            (one.people, one.predicates) == (other.people, other.predicates)
            or one.policy != other.policy
            or _other_study(one, other)
            or not nested(one.population, other.population)
            or any(pair <= set(names) for pair in known)
        ):
            continue
        few = _few_others([told for _, told in inner], [told for _, told in outer])
        if few:
            more.append(
                Finding(
                    "difference",
                    names,
                    few,
                    f"{joined([repr(name) for name in names])} may be of people the one of whom are among the other's: all "
                    f"their counts together tell that {number(few)} groups differ by a few people. Release only one of the "
                    "two, or coarser groups.",
                )
            )
    return more


def _few_others(inner: Sequence[Published], outer: Sequence[Published]) -> int:
    """Count the groups of which everything together tells that few are in the outer population alone."""
    within = [_as_stratum(one, (("among", "them"),)) for one in inner]
    whole = [_as_stratum(one, ()) for one in outer]
    system = system_of([*within, *whole])
    if system is None:
        return 0
    low, high = bounds_of(system, cells_of([*within, *whole]))
    own = {replace(c.group, stratum=c.group.stratum[1:]): c for c in cells_of(within) if c.high < ANY}
    others = {cell.group: cell for cell in cells_of(whole) if cell.high < ANY}
    threshold, few = _threshold(outer[0]), 0
    # where the two numbers alone are far apart nothing can bring them together
    near = [group for group in own.keys() & others.keys() if others[group].low - own[group].high <= threshold]
    for group in sorted(near)[: most_programmes(system)]:
        cost = np.zeros(len(low))
        cost[system.place[group]], cost[system.place[own[group].group]] = 1.0, -1.0
        ends = [system.solve(low, high, sign * cost) for sign in (1, -1)]
        if ends[0] is None or ends[1] is None:
            return 0  # they contradict each other, so the one are not among the other
        least, most = (float(end[: len(cost)] @ cost) for end in ends if end is not None)
        # of a small group everybody knows that the others are few, and not that there are any
        few += _tells(least, most, threshold) and (least >= 1 or not (own[group].hidden or others[group].hidden))
    return few


def _as_stratum(one: Published, of: Stratum) -> Published:
    """Return an output as of a stratum of other people, or of everybody, whatever the predicates."""
    own = set(one.predicates)
    cells = [
        replace(
            cell, group=replace(cell.group, stratum=(*of, *(pair for pair in cell.group.stratum if pair not in own)))
        )
        for cell in one.cells
    ]
    return replace(one, predicates=of, cells=tuple(cells))


def _few_followed(real: Sequence[tuple[str, Published]]) -> list[Finding]:
    """Curves of strata and of their whole that tell how few are followed where one has ended."""
    found = []
    for curves in alike({at: one for at, (_, one) in enumerate(real)}):
        policy = _rule_of(real[curves[0].number][1])
        for pair in combinations(curves, 2):
            ends = ends_of(pair, policy)
            if ends:
                names = tuple(real[curve.number][0] for curve in pair)
                found.append(
                    Finding(
                        "difference",
                        names,
                        len(ends),
                        f"{joined([repr(name) for name in names])} are curves of the same people: where a stratum's has ended, "
                        "the others' taken from the whole's tell how few are followed. Suppress them together: "
                        "sr.suppress([...], policy).",
                    )
                )
    return found


def _rule_of(one: Published) -> Policy:
    """Return as much of an output's rule as its numbers are read by."""
    return Policy(**{name: one.policy[name] for name in ("name", "title", "threshold", "rounding", "hide_zeros")})


def _reckoned(group: Sequence[tuple[str, Published]]) -> list[Finding]:
    """Hidden counts that all outputs of one population narrow down together."""
    if len(group) < 2:
        return []
    cells: list[Cell] = narrowed([one for _, one in group])
    if not cells:
        return []
    names = tuple(name for name, _ in group)
    return [
        Finding(
            "reckoned",
            names,
            len(cells),
            f"{joined([repr(name) for name in names])} are of the same people: set beside each other they narrow down "
            f"{number(len(cells))} hidden counts. Suppress them together: sr.suppress([...], policy).",
        )
    ]


def _shown(one: Published) -> dict[Group, Cell]:
    return {cell.group: cell for cell in one.cells if not cell.hidden and cell.group.kind != "own"}


def _of_own_population(one: Published) -> dict[Group, Cell]:
    """Return what is shown by who is counted of the output's own people."""
    predicates = set(one.predicates)
    return {
        replace(group, stratum=tuple(pair for pair in group.stratum if pair not in predicates)): cell
        for group, cell in _shown(one).items()
    }


def _starred(one: Published) -> set[Group]:
    # a protecting star may be shown elsewhere: what that narrows down is searched apart
    stars = {
        cell.group for cell in one.cells if cell.hidden and cell.listed and cell.high < ANY and cell.group.kind != "own"
    }
    return stars - _shown(one).keys()
