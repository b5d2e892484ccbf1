"""Detect disclosure by differencing across outputs: found before they are released, and named."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

from symphony_research.disclosure.nested_populations import (
    may_be_nested,
    of_one_study,
    shown_counts,
    telling_by_all,
    telling_differences,
)
from symphony_research.disclosure.outputs import ReleasedOutput, released_output, whose
from symphony_research.disclosure.secondary import inferable_cells
from symphony_research.errors import ArgumentError
from symphony_research.policy import POLICIES, Policy
from symphony_research.population import Population
from symphony_research.result import Result
from symphony_research.result.cells import CellDefinition
from symphony_research.words.numbers import number
from symphony_research.words.phrases import joined

__all__ = ["Finding", "check_differencing", "find"]

_MOST_NAMED = 3  # tables that a message names


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

    Every result knows its `Population`. The people of one may all be among
    those of another where no predicate excludes it; the difference of their
    counts is then the number of the others.

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
    from. It is a finding if it may be small and keeps fewer possible numbers than a
    suppressed count must; equal rounded counts are none. Of the same event alone are
    counts of events compared. Counts of different extracts are compared one by one,
    those of one extract by all their counts too. Studies of different names are taken
    to be of different people. What is inferable is searched as `suppress` does, and no
    further than it.

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
        whom = Population.of(result.settings).words()
        outputs.append((f"{at}. {result.title}{f' ({whom})' if whom else ''}", released_output(result)))
    return find(outputs)


def find(outputs: Sequence[tuple[str, ReleasedOutput]], before: Container[str] = ()) -> tuple[Finding, ...]:
    """Return what outputs, each with its name, tell together.

    Parameters
    ----------
    outputs : sequence of (name, ReleasedOutput)
    before : container of str
        Names of outputs that were protected together, as all the others were: where it is not empty, what either tell among
        themselves is not looked for.
    """

    def mixed(names: Iterable[str]) -> bool:
        return not before or len({name in before for name in names}) > 1

    real = [(name, one) for name, one in outputs if one.policy["name"] != POLICIES[-1]]
    found: list[Finding] = []
    populations: dict[str, list[tuple[str, ReleasedOutput]]] = {}
    for name, one in real:
        populations.setdefault(whose(one), []).append((name, one))
    for (name, one), (other_name, other) in combinations(real, 2):
        if not of_one_study(one, other) or not mixed((name, other_name)):
            continue
        if one.policy != other.policy and one.fingerprint == other.fingerprint:
            found.append(_two_rules(name, one, other_name, other))
            continue
        if one.people == other.people:
            found += _two_numbers(name, one, other_name, other)
        of_others = (one.people, one.predicates) != (other.people, other.predicates)
        if of_others:
            found += _difference(name, one, other_name, other)
    for group in populations.values():
        if mixed(name for name, _ in group):
            found += _inferable(group)
    return (*found, *_small_remainders(real, found, mixed))


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
    own, others = shown_counts(one), shown_counts(other)
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
    small = len(telling_differences(one, other) | telling_differences(other, one))
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


def _small_remainders(
    real: Sequence[tuple[str, ReleasedOutput]], found: Sequence[Finding], mixed: Callable[[Iterable[str]], bool]
) -> list[Finding]:
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
            or not of_one_study(one, other)
            or one.fingerprint != other.fingerprint
            or not may_be_nested(one, other)
            or not mixed(names)
            or any(pair <= set(names) for pair in known)
        ):
            continue
        few = len(telling_by_all([one for _, one in inner], [one for _, one in outer]))
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


def _rule_of(one: ReleasedOutput) -> Policy:
    """Return as much of an output's rule as its numbers are read by."""
    return Policy(**{k: one.policy[k] for k in ("name", "title", "threshold", "rounding", "hide_zeros", "level")})


def _inferable(group: Sequence[tuple[str, ReleasedOutput]]) -> list[Finding]:
    """Suppressed counts that all outputs of one population narrow down together."""
    if len(group) < 2:
        return []
    # a count over the threshold is suppressed for others' sake: if they keep enough possible numbers, it discloses nobody
    over = {cell.of for _, one in group for cell in one.cells if cell.suppressed and not cell.primary}
    found = inferable_cells([one for _, one in group], _rule_of(group[0][1])) - over
    if not found:
        return []
    names = tuple(name for name, _ in group)
    holding = [name for name, one in group if any(cell.suppressed and cell.of in found for cell in one.cells)]
    others = len(group) - min(len(holding), _MOST_NAMED)
    return [
        Finding(
            "inferable",
            names,
            len(found),
            f"{number(len(found))} suppressed counts of {joined([repr(name) for name in holding[:_MOST_NAMED]])} could be inferred: "
            f"{number(others)} other tables are of the same people. Suppress them together: sr.suppress([...], policy).",
        )
    ]


def _small(one: ReleasedOutput) -> set[CellDefinition]:
    small = {cell.of for cell in one.cells if cell.primary and cell.listed and not cell.of.isolated}
    return small - shown_counts(one).keys()
