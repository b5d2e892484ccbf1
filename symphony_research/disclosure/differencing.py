"""Detect disclosure by differencing across outputs: found before they are released, and named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import Any

import numpy as np

from symphony_research.disclosure.decomposition import Block
from symphony_research.disclosure.outputs import NAMED, UNBOUNDED, CellBounds, ReleasedOutput, released_output, whose
from symphony_research.disclosure.secondary import inferable_cells
from symphony_research.disclosure.system import bounds_of, system_of
from symphony_research.errors import ArgumentError
from symphony_research.policy import POLICIES, Policy
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition, Stratum
from symphony_research.words.lexicon import in_words
from symphony_research.words.numbers import number
from symphony_research.words.phrases import joined

__all__ = ["Finding", "check_differencing", "find", "nested"]

_PREDICATES = (*NAMED, "age", "min_conditions")
MOST_COMPARED = 20_000  # unknowns of two populations that are compared by all their counts
MOST_PROGRAMMES = 200


@dataclass(frozen=True)
class Finding:
    """Outputs that may not be released together.

    Attributes
    ----------
    kind : str
        "rules", "difference", "numbers" or "inferable".
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
        "inferable" (a suppressed count that all outputs together narrow down).

    Raises
    ------
    ArgumentError
        If something else than a result is among them.
    DisclosureError
        If one has not passed `suppress`.

    Notes
    -----
    A difference is computed from the intervals that the counts were rounded
    from. It is a finding if it is surely at most the threshold, not surely
    zero, and not every number up to the threshold is possible. Studies of
    different names are taken to be of different people. What is inferable is
    searched as `suppress` does, and no further than it.

    Examples
    --------
    >>> import symphony_research as sr
    >>> study, policy = sr.example_study(), sr.Policy.nhs_england()
    >>> everyone, most = (sr.define_cohort(study, age=age).patterns() for age in (None, (3, None)))
    >>> released = [sr.suppress(sr.multimorbidity.prevalence(p), policy) for p in (everyone, most)]
    >>> {finding.kind for finding in sr.check_differencing(released)} <= {"difference"}
    True
    """
    outputs = []
    for at, result in enumerate(results, start=1):
        if not isinstance(result, Result):
            raise ArgumentError(f"check_differencing takes disclosed results, not {type(result).__name__}.")
        outputs.append((f"{at}. {result.title}{_whom(result.settings.get('population'))}", released_output(result)))
    return find(outputs)


def find(outputs: Sequence[tuple[str, ReleasedOutput]]) -> tuple[Finding, ...]:
    """Return what outputs, each with its name, tell together."""
    real = [(name, one) for name, one in outputs if one.policy["name"] != POLICIES[-1]]
    found: list[Finding] = []
    populations: dict[str, list[tuple[str, ReleasedOutput]]] = {}
    for name, one in real:
        populations.setdefault(whose(one), []).append((name, one))
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
        found += _inferable(group)
    return (*found, *_small_remainders(real, found))


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
    low, high = ((ages[0] or 0, UNBOUNDED if ages[1] is None else ages[1]) for ages in (inner, outer))
    return low[0] >= high[0] and low[1] <= high[1]


def _other_study(one: ReleasedOutput, other: ReleasedOutput) -> bool:
    return one.study is not None and other.study is not None and one.study != other.study


def _whom(population: Mapping[str, Any] | None) -> str:
    words = [f"{in_words(key)} {in_words(str(value))}" for key, value in (population or {}).items() if key in NAMED]
    return f" ({', '.join(words)})" if words else ""


def _two_rules(name: str, one: ReleasedOutput, other_name: str, other: ReleasedOutput) -> Finding:
    return Finding(
        "rules",
        (name, other_name),
        0,
        f"'{name}' was released under {one.policy['title']} and '{other_name}' under {other.policy['title']}: two rules on "
        "one study can be compared by differencing. Release both under one rule.",
    )


def _two_numbers(name: str, one: ReleasedOutput, other_name: str, other: ReleasedOutput) -> list[Finding]:
    """One group of people with two numbers: whoever sees both knows what rounding or suppression did."""
    own, others = _shown(one), _shown(other)
    differing = [of for of in own.keys() & others.keys() if own[of].shown != others[of].shown]
    # a suppressed count that is shown elsewhere is no secret
    suppressed = _small(one) & others.keys() | _small(other) & own.keys()
    if not differing and not suppressed:
        return []
    count = len(differing) + len(suppressed)
    return [
        Finding(
            "numbers",
            (name, other_name),
            count,
            f"'{name}' and '{other_name}' are of the same people and give {number(count)} of their counts "
            "differently. Make them from one extract, and suppress the second beside the first: "
            "sr.suppress(result, policy, beside=[...]).",
        )
    ]


def _difference(name: str, one: ReleasedOutput, other_name: str, other: ReleasedOutput) -> list[Finding]:
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


def _small_differences(one: ReleasedOutput, other: ReleasedOutput) -> int:
    """Count the groups of which those who are in one population alone are surely few, and not surely any number of few."""
    ways = []
    if nested(one.population, other.population):
        ways.append((one, other))
    if nested(other.population, one.population):
        ways.append((other, one))
    few: set[CellDefinition] = set()
    for inner, outer in ways:
        own, others = _of_own_population(inner), _of_own_population(outer)
        for of in own.keys() & others.keys():
            low, high = others[of].low - own[of].high, others[of].high - own[of].low
            if _tells(low, high, _threshold(outer)):
                few.add(of)
    return len(few)


def _tells(low: float, high: float, threshold: float) -> bool:
    """Whether a difference is surely small, and surely not just any small number."""
    return 0 < high <= threshold and not (low <= 1 and high >= threshold)


def _threshold(one: ReleasedOutput) -> float:
    return float(one.policy["threshold"])


def _small_remainders(real: Sequence[tuple[str, ReleasedOutput]], found: Sequence[Finding]) -> list[Finding]:
    """Two populations, the one among the other, of which all outputs together tell how few the others are."""
    populations: dict[str, list[tuple[str, ReleasedOutput]]] = {}
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
        few = _few_others([one for _, one in inner], [one for _, one in outer])
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


def _few_others(inner: Sequence[ReleasedOutput], outer: Sequence[ReleasedOutput]) -> int:
    """Count the groups of which everything together tells that few are in the outer population alone."""
    within = [_as_stratum(one, (("among", "them"),)) for one in inner]
    whole = [_as_stratum(one, ()) for one in outer]
    system = system_of([*within, *whole])
    own = {
        replace(cell.of, stratum=tuple(pair for pair in cell.of.stratum if pair[0] != "among")): cell
        for one in within
        for cell in one.cells
        if cell.high < UNBOUNDED
    }
    others = {cell.of: cell for one in whole for cell in one.cells if cell.high < UNBOUNDED}
    threshold, few = _threshold(outer[0]), 0
    # where the two numbers alone are far apart nothing can bring them together
    near = sorted(of for of in own.keys() & others.keys() if others[of].low - own[of].high <= threshold)
    if not near or system.n_unknowns > MOST_COMPARED:
        return 0
    low, high = bounds_of(system, [cell for one in (*within, *whole) for cell in one.cells])
    block = Block(np.arange(system.n_unknowns), system.matrix, system.low, system.high)
    for of in near[: MOST_PROGRAMMES // 2]:
        cost = np.zeros(len(low))
        cost[system.index[of]], cost[system.index[own[of].of]] = 1.0, -1.0
        ends = [block.solve(low, high, sign * cost) for sign in (1, -1)]
        if ends[0] is None or ends[1] is None:
            return 0  # they contradict each other, so the one are not among the other
        least, most = (float(end @ cost) for end in ends if end is not None)
        # of a small group everybody knows that the others are few, and not that there are any
        few += _tells(least, most, threshold) and (least >= 1 or not (own[of].suppressed or others[of].suppressed))
    return few


def _as_stratum(one: ReleasedOutput, stratum: Stratum) -> ReleasedOutput:
    """Return an output as of a stratum of other people, or of everybody, whatever the predicates."""
    gone = set(one.predicates)

    def moved(of: CellDefinition) -> CellDefinition:
        kept = tuple(pair for pair in of.stratum if pair not in gone)
        return replace(of, stratum=tuple(sorted((*stratum, *kept))))

    cells = tuple(replace(cell, of=moved(cell.of)) for cell in one.cells)
    return replace(one, predicates=stratum, cells=cells, relations=())


def _rule_of(one: ReleasedOutput) -> Policy:
    """Return as much of an output's rule as its numbers are read by."""
    return Policy(**{k: one.policy[k] for k in ("name", "title", "threshold", "rounding", "hide_zeros", "level")})


def _inferable(group: Sequence[tuple[str, ReleasedOutput]]) -> list[Finding]:
    """Suppressed counts that all outputs of one population narrow down together."""
    if len(group) < 2:
        return []
    found = inferable_cells([one for _, one in group], _rule_of(group[0][1]))
    if not found:
        return []
    names = tuple(name for name, _ in group)
    return [
        Finding(
            "inferable",
            names,
            len(found),
            f"{joined([repr(name) for name in names])} are of the same people: together they narrow down "
            f"{number(len(found))} suppressed counts. Suppress them together: sr.suppress([...], policy).",
        )
    ]


def _shown(one: ReleasedOutput) -> dict[CellDefinition, CellBounds]:
    return {cell.of: cell for cell in one.cells if not cell.suppressed and not cell.of.isolated}


def _of_own_population(one: ReleasedOutput) -> dict[CellDefinition, CellBounds]:
    """Return what is shown by who is counted of the output's own people."""
    predicates = set(one.predicates)
    return {
        replace(of, stratum=tuple(pair for pair in of.stratum if pair not in predicates)): cell
        for of, cell in _shown(one).items()
    }


def _small(one: ReleasedOutput) -> set[CellDefinition]:
    small = {cell.of for cell in one.cells if cell.primary and cell.listed and not cell.of.isolated}
    return small - _shown(one).keys()
