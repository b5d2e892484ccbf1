"""The gate every number passes before it may be shown: `suppress`.

Counts are suppressed or rounded by the policy; more are suppressed until each
suppressed one keeps enough possible numbers; then the family's own `derive`
makes every other figure again from what is left. Nothing else is carried over,
so a rate, a ratio or a total can give back no more than the counts do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, overload

import polars as pl

from symphony_research.disclosure.adjusted import bounds_of_counts, with_adjusted
from symphony_research.disclosure.beside import protect_or_withhold
from symphony_research.disclosure.magnitudes import with_sums
from symphony_research.disclosure.outputs import Position, ReleasedOutput, output_of, released_output, whose
from symphony_research.disclosure.primary import blank, drafted, require_plain_keys, suppressed_strata
from symphony_research.disclosure.release_record import as_output, output_from_record
from symphony_research.disclosure.secondary import Protection
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.policy import Policy
from symphony_research.result import Disclosure, Result, not_available, title_within
from symphony_research.result.roles import Internal, Key, Known, Published
from symphony_research.result.session import ReleaseSession

__all__ = ["suppress"]

SomeResult = TypeVar("SomeResult", bound=Result)
Session = ReleaseSession | str | Path | None
ASKED = "It was asked for without"
NO_ROOM = "Beside what was released before it would disclose a small count"
MOST_CELLS = 400_000  # counts of one population that are searched together; above, tables by strata are withheld


@overload
def suppress(
    results: SomeResult, policy: Policy, *, beside: Sequence[Result] = (), session: Session = None
) -> SomeResult: ...
@overload
def suppress(
    results: Mapping[str, Result], policy: Policy, *, beside: Sequence[Result] = (), session: Session = None
) -> dict[str, Any]: ...
@overload
def suppress(
    results: Sequence[Result], policy: Policy, *, beside: Sequence[Result] = (), session: Session = None
) -> tuple[Any, ...]: ...
def suppress(results: Any, policy: Policy, *, beside: Sequence[Result] = (), session: Session = None) -> Any:
    """Return a result, or several that are read together, as they may be released under a policy.

    Every count of people is suppressed or rounded; where a suppressed count
    could be inferred from the others, more are suppressed; and every estimate
    is derived again from the counts that are left. Suppressing twice under one
    policy changes nothing; a disclosed result is never disclosed again under
    another.

    Parameters
    ----------
    results : Result, or sequence or mapping of Result
        What estimators returned. Give all that one reader will see, at once:
        protected one by one, outputs give each other away or lose more.
    policy : Policy
        The rule and its level of protection, such as `Policy.nhs_england()`.
    beside : sequence of Result
        Disclosed results of the same people that are out already: they are not
        changed, and may leave too little room.
    session : ReleaseSession or path, optional
        The report that this is the one release of, as `symphony report` gives
        it to a notebook: what was released before stands beside it, a second
        call is refused, and what is released is recorded.

    Returns
    -------
    Result, or tuple or dict of Result
        Of the same families, with `disclosure` set; a dict has the mapping's names.

    Raises
    ------
    DisclosureError
        If the policy is `Policy.synthetic()` and the data are not the
        generator's own; a result was disclosed under another policy, or one
        beside it was not disclosed, or under another; a stratum has as many
        levels as it would have if it named people; or the session's one call
        was made before.

    Notes
    -----
    Whoever attacks is given which suppressed counts are small, all that is
    shown, and the algorithm. By default each suppressed count keeps at least as
    many possible numbers as a rounded one (five), by non-negativity, the
    intervals of rounding and every relation between the counts of one
    population. With up to 512 sets of conditions and strata (192 where there are
    more than two strata) that is confirmed in integers; else by linear bounds. What is not decided within a fixed number
    of programmes is published coarser: `disclosure.withheld` says so. A result for which
    earlier outputs leave no room at all is replaced by a `NotAvailable`.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> count = sr.suppress(sr.multimorbidity.condition_count(patterns), sr.Policy.nhs_england())
    >>> count.disclosure.policy.name
    'nhs_england'
    >>> both = sr.suppress([sr.multimorbidity.prevalence(patterns), sr.networks.cooccurrence(patterns)], sr.Policy.sacro())
    >>> [type(one).__name__ for one in both]
    ['Prevalence', 'Cooccurrence']
    """
    opened = ReleaseSession.of(session)
    if isinstance(results, Mapping):
        names, values = list(results), list(results.values())
        return dict(zip(names, _together(values, policy, beside, opened, names), strict=True))
    if isinstance(results, Result) or not isinstance(results, Sequence):
        return _together([results], policy, beside, opened, ["result"])[0]
    return tuple(_together(results, policy, beside, opened, [f"result {k + 1}" for k in range(len(results))]))


@dataclass(frozen=True)
class _Draft:
    """A result, its tables with small counts suppressed and the rest rounded, and what they were."""

    result: Result
    tables: Mapping[str, pl.DataFrame]
    exact: Mapping[str, pl.DataFrame]
    of_small: frozenset[Position] = field(default_factory=frozenset)


def _together(
    results: Sequence[Result],
    policy: Policy,
    beside: Sequence[Result],
    session: ReleaseSession | None,
    names: Sequence[str],
) -> list[Result]:
    """Protect results beside each other; those that are disclosed already stay as they are, beside the rest."""
    for result in results:
        _require_possible(result, policy, beside)
    if session is not None:
        session.claim(names, policy.title)
        results = [
            _left_out(one, ASKED) if name in session.without else one for name, one in zip(names, results, strict=True)
        ]
    done = dict(enumerate(results))
    drafts = {at: _drafted(one, policy) for at, one in done.items() if one.disclosure is None}
    name = session.name if session is not None else ""
    if policy.changes_nothing:
        done |= {
            at: draft.result.disclosed(draft.tables, Disclosure(policy, 0, session=name))
            for at, draft in drafts.items()
        }
    elif drafts:
        earlier = [released_output(one) for one in (*beside, *(one for one in results if one.disclosure is not None))]
        earlier += [
            one for record in (session.outputs_before() if session else ()) if (one := output_from_record(record))
        ]
        outputs, too_many = _within_limit(drafts, policy)
        for whom in dict.fromkeys(map(whose, outputs.values())):
            own = {at: one for at, one in outputs.items() if whose(one) == whom}
            before = [one for one in earlier if whose(one) == whom]
            kept, found = protect_or_withhold(own, policy, earlier)
            done |= {at: _left_out(drafts[at].result, NO_ROOM, policy, name) for at in own.keys() - kept.keys()}
            drawn = {at: _left(drafts[at], one, found) for at, one in kept.items()}
            own_bounds = bounds_of_counts(list(kept.values()), before, found)
            exact = {at: (drafts[at].result, drafts[at].exact) for at in kept}
            drawn = with_adjusted({at: (*exact[at], drawn[at]) for at in kept}, own_bounds, policy)
            shown = with_sums({at: (*exact[at], drawn[at]) for at in kept}, kept, before, own_bounds, policy)
            done |= {at: _finished(drafts[at], shown[at], one, policy, found, name) for at, one in kept.items()}
        done |= {at: _withhold_result(drafts[at], policy, name) for at in too_many}
    if session is not None:
        session.write_record([{"name": names[at], **as_output(done[at])} for at in drafts])
    return list(done.values())


def _left_out(result: Result, why: str, policy: Policy | None = None, session: str = "") -> Result:
    """Return what stands for a result that is not released: one sentence."""
    source = {k: v for k, v in result.settings.items() if k in ("study", "fingerprint", "generated", "population")}
    done = None if policy is None else Disclosure(policy, 0, method="withheld", session=session)
    return not_available(why, title_within(result), source, disclosure=done)


def _within_limit(drafts: Mapping[int, _Draft], policy: Policy) -> tuple[dict[int, ReleasedOutput], list[int]]:
    """Return what is to be searched together, and which results by strata are withheld because they are too many."""
    size = {
        at: sum(table.height * len(draft.result.roles[name].people) for name, table in draft.tables.items())
        for at, draft in drafts.items()
    }
    withheld: list[int] = []
    while policy.level != "rule_text" and sum(size.values()) > MOST_CELLS:
        largest = max(size, key=lambda at: (bool(drafts[at].result.by), size[at]))
        withheld.append(largest)
        del size[largest]
    return {at: _output(drafts[at], policy) for at in size}, withheld


def _drafted(result: Result, policy: Policy) -> _Draft:
    """Suppress what is small by itself, and round the rest."""
    if policy.changes_nothing:
        return _Draft(result, result.count_tables, result.count_tables)
    require_plain_keys(result)
    form = result.release_form(result.count_tables, result.settings, result.by, policy)
    exact = {name: table for name, table in form.items() if not _all_internal(result, name, table)}
    _require_numbers(exact, result)
    tables = {name: drafted(table, result.roles[name], policy) for name, table in exact.items()}
    of_small = suppressed_strata(tables, result)
    tables, exact, of_small = _above_floor(blank(tables, result, of_small), exact, of_small, result)
    return _Draft(result, tables, exact, of_small)


def _require_numbers(exact: Mapping[str, pl.DataFrame], result: Result) -> None:
    """Refuse counts that were not made: released, they could not be distinguished from suppressed ones.

    A result made again from released tables has missing values that are suppressed counts, and its settings say so.
    """
    if result.settings.get("released"):
        return
    for name, table in exact.items():
        for column in result.roles[name].people:
            if missing := table[column].null_count():
                raise DisclosureError(
                    f"{missing} of {table.height} rows of table '{name}' of {type(result).__name__} have no {column}. "
                    "A count that was not made has no row: leave these rows out."
                )


def _all_internal(result: Result, name: str, table: pl.DataFrame) -> bool:
    roles = result.roles[name].columns
    return all(isinstance(roles.get(column), Internal) for column in table.columns if column not in result.by)


def _output(draft: _Draft, policy: Policy) -> ReleasedOutput:
    return output_of(draft.result, policy, draft.tables, of_small=draft.of_small)


def _secondary_positions(output: ReleasedOutput, found: Protection) -> tuple[frozenset[Position], frozenset[Position]]:
    """Return where counts are suppressed to protect others, and where they are withheld."""
    secondary, withheld = (
        frozenset(cell.position for cell in output.cells if not cell.suppressed and cell.of in cells)
        for cells in (found.secondary, found.withheld)
    )
    return secondary, withheld


def _left(draft: _Draft, output: ReleasedOutput, found: Protection) -> dict[str, pl.DataFrame]:
    """Suppress what protects."""
    result = draft.result
    secondary, withheld = _secondary_positions(output, found)
    return dict(result.trim(blank(draft.tables, result, secondary | withheld), result.settings, result.by))


def _finished(
    draft: _Draft,
    tables: Mapping[str, pl.DataFrame],
    output: ReleasedOutput,
    policy: Policy,
    found: Protection,
    session: str,
) -> Result:
    """Derive the family's figures from what is left."""
    result = draft.result
    secondary, withheld = _secondary_positions(output, found)
    n_inferable = sum(
        cell.listed and (cell.suppressed or cell.position in secondary) and cell.of in found.inferable
        for cell in output.cells
    )
    record = Disclosure(
        policy,
        suppressed=_suppressed(draft.exact, tables, result),
        secondary=secondary,
        of_small=draft.of_small,
        withheld=withheld,
        method=found.method,
        n_inferable=n_inferable,
        session=session,
    )
    # in which tables every suppressed count is a small one, as its mark says
    small = [name for name in tables if not any(place[0] == name for place in secondary | withheld)]
    return result.disclosed(tables, record, released={**policy.as_released(), "all_small": small})


def _withhold_result(draft: _Draft, policy: Policy, session: str) -> Result:
    """Withhold every count of a result: there are too many to search what they tell together."""
    result = draft.result
    # by strata no row is left, and the first place of each count stands for all of them; a table of the whole keeps its rows
    by, drawn = bool(result.by), draft.tables
    places = frozenset(
        (name, row, column)
        for name, table in drawn.items()
        for column in result.roles[name].people
        for row in range(1 if by else table.height)
    )
    left = {name: table.clear() for name, table in drawn.items()} if by else blank(drawn, result, places)
    tables = result.trim(left, result.settings, result.by)
    record = Disclosure(policy, suppressed=0, withheld=places, method="withheld", session=session)
    return result.disclosed(tables, record, released=policy.as_released())


def _require_possible(result: object, policy: object, beside: Sequence[Result]) -> None:
    if not isinstance(result, Result):
        raise ArgumentError(f"suppress takes a Result, not {type(result).__name__}.")
    if not isinstance(policy, Policy):
        raise ArgumentError("suppress takes a Policy, such as sr.Policy.nhs_england().")
    if result.disclosure is not None:
        if result.disclosure.policy == policy:
            return
        raise DisclosureError(
            f"This result was already released under {result.disclosure.policy.title}. Two policies on one "
            "result can be compared by differencing; suppress the original result once, under the policy you need."
        )
    if policy.changes_nothing and not result.settings.get("generated") and not _counts_nobody(result):
        raise DisclosureError(
            "Policy.synthetic() suppresses nothing and is for generated data alone; this result does not carry the "
            "generator's own fingerprint. Use Policy.nhs_england(), .opensafely() or .sacro()."
        )
    for one in beside:
        if not isinstance(one, Result):
            raise ArgumentError(f"beside takes disclosed results, not {type(one).__name__}.")
        if one.disclosure is None or one.disclosure.policy != policy:
            raise DisclosureError("What stands beside a result must have been released under the same policy.")


def _counts_nobody(result: Result) -> bool:
    """Return whether a result holds no figure of a study: nothing at all, or published figures whose source it names.

    A study's own fingerprint, wherever it came from, makes it one of the study.
    """
    if result.holds_nothing:
        return True
    if not result.settings.get("published") or result.settings.get("fingerprint") or result.settings.get("study"):
        return False
    roles = [role for own in result.roles.values() for role in own.columns.values()]
    return all(
        isinstance(role, Published | Known) or (isinstance(role, Key) and role.vocabulary == "list") for role in roles
    )


def _above_floor(
    tables: Mapping[str, pl.DataFrame], exact: Mapping[str, pl.DataFrame], of_small: frozenset[Position], result: Result
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame], frozenset[Position]]:
    """Leave out the rows under the result's own minimum: that they were looked at would narrow their counts.

    Of the released tables and of the exact ones.
    """
    floor, floored = result.settings.get("min_persons") or 1, result.minimum_size_tables
    if floor <= 1 or not floored:
        return dict(tables), dict(exact), of_small
    column = result.roles[floored[0]].people[0]
    kept = (tables[floored[0]][column] >= floor).fill_null(False)
    new_row = kept.cum_sum().to_list()
    moved = frozenset(
        (name, new_row[row] - 1, c) if name in floored else (name, row, c)
        for name, row, c in of_small
        if name not in floored or kept[row]
    )

    def above(all_rows: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        return {name: table.filter(kept) if name in floored else table for name, table in all_rows.items()}

    return above(tables), above(exact), moved


def _suppressed(before: Mapping[str, pl.DataFrame], after: Mapping[str, pl.DataFrame], result: Result) -> int:
    """Count what is suppressed, primary and secondary; not of tables whose rows come from the records."""
    total = 0
    for name, table in before.items():
        if name in result.minimum_size_tables or name not in after or after[name].height != table.height:
            continue
        for column in result.roles[name].people:
            total += int((after[name][column].is_null() & table[column].is_not_null()).sum())
    return total
