"""The gate every number passes before it may be shown: `suppress`.

Counts are hidden or rounded by the policy; more are hidden until no hidden one
can be reckoned from the others; then the family's own `derive` makes every
other figure again from what is left. Nothing else is carried over, so a rate, a
ratio or a total can give back no more than the counts do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, overload

import numpy as np
import polars as pl

from symphony_research.disclosure import ledger
from symphony_research.disclosure.curves import alike, end_early, ends_of
from symphony_research.disclosure.published import Place, Published, Stratum, publish
from symphony_research.disclosure.secondary import Protection, protect
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.policy import Policy
from symphony_research.result import CountTable, Disclosure, Result

__all__ = ["published_of", "suppress"]

SomeResult = TypeVar("SomeResult", bound=Result)

# of a mean beside a rounded count: too few to find the exact total, fewer where a total may be of a few contacts
FIGURES, FIGURES_OF_SMALL = 3, 2
SMALL_MEAN = 100


@overload
def suppress(results: SomeResult, policy: Policy, *, beside: Sequence[Result] = ()) -> SomeResult: ...
@overload
def suppress(results: Mapping[str, Result], policy: Policy, *, beside: Sequence[Result] = ()) -> dict[str, Any]: ...
@overload
def suppress(results: Sequence[Result], policy: Policy, *, beside: Sequence[Result] = ()) -> tuple[Any, ...]: ...
def suppress(results: Any, policy: Policy, *, beside: Sequence[Result] = ()) -> Any:
    """Return a result, or several that are read together, as they may be released under a policy.

    Every count of people is hidden or rounded; where a hidden count could be
    reckoned from the others, more are hidden; and every estimate is derived
    again from the counts that are left. Suppressing twice under one policy
    changes nothing; a disclosed result is never disclosed anew under another.

    Parameters
    ----------
    results : Result, or sequence or mapping of Result
        What estimators returned. Give all that one reader will see: together a
        little more of each is hidden, so that none gives another's counts back.
    policy : Policy
        The rule, such as `Policy.nhs_england()`.
    beside : sequence of Result
        Disclosed results of the same people that are out already: they are not
        changed, and may leave too little room. Inside a report all that was made
        safe before stands beside it by itself.

    Returns
    -------
    Result, or tuple or dict of Result
        Of the same families, with `disclosure` set; a dict has the mapping's names.

    Raises
    ------
    DisclosureError
        If the policy is `Policy.synthetic()` and the data are not the
        generator's own, a result was disclosed under another policy, or one
        beside it was not disclosed, or under another.

    Notes
    -----
    A hidden count is safe if it may still be any number from one to the
    threshold (from nought where noughts are hidden) by non-negativity, whole
    numbers, the intervals of rounding and every relation between the counts of
    one population: numbers of conditions, prevalences, pairs and sets are sums
    over the same people. Up to 512 sets of conditions and strata that is an
    integer programme; above, linear bounds; above 20,000 counts, rounding
    alone: `disclosure.method` says which.

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
    if isinstance(results, Mapping):
        return dict(zip(results, _together(list(results.values()), policy, beside), strict=True))
    if isinstance(results, Result) or not isinstance(results, Sequence):
        return _together([results], policy, beside)[0]
    return tuple(_together(results, policy, beside))


@dataclass(frozen=True)
class _Draft:
    """A result, its tables with small counts hidden and the rest rounded, what they were, and which stars are no small count's."""

    result: Result
    tables: Mapping[str, pl.DataFrame]
    exact: Mapping[str, pl.DataFrame]
    others: frozenset[Place] = frozenset()


def _together(results: Sequence[Result], policy: Policy, beside: Sequence[Result]) -> list[Result]:
    """Make results safe beside each other; those that are already stay as they are, and stand beside the rest."""
    for result in results:
        _require_possible(result, policy, beside)
    done = dict(enumerate(results))
    already = [one for one in results if one.disclosure is not None]
    drafts = {at: _drafted(one, policy) for at, one in done.items() if one.disclosure is None}
    if policy.changes_nothing:
        done |= {at: draft.result.disclosed(draft.tables, Disclosure(policy, 0)) for at, draft in drafts.items()}
    elif drafts:
        earlier = [published_of(one) for one in (*beside, *already, *ledger.released())]
        populations: dict[str, list[int]] = {}
        told = {at: _published(draft, policy) for at, draft in drafts.items()}
        for at, one in told.items():
            populations.setdefault(_whose(one), []).append(at)
        for whose, own in populations.items():
            found = protect([told[at] for at in own], [one for one in earlier if _whose(one) == whose])
            finished = {
                at: _finished(drafts[at], told[at], policy, found, how)
                for at, how in zip(own, found.methods, strict=True)
            }
            done |= _without_few_followed(finished, earlier, policy)
    for at in drafts:
        ledger.remember(done[at])
    return list(done.values())


def _whose(one: Published) -> str:
    return repr((one.study, one.people))


def _drafted(result: Result, policy: Policy) -> _Draft:
    """Hide what is small by itself, and round the rest."""
    tables = {
        name: _release(table, result.counts[name], policy, result.by) for name, table in result.count_tables.items()
    }
    if policy.changes_nothing:
        return _Draft(result, tables, tables)
    tables, exact = _above_floor(_without_small_strata(tables, result), result)
    return _Draft(result, tables, exact, _stars_of_others(result, tables, exact, policy))


def _published(draft: _Draft, policy: Policy) -> Published:
    return publish(draft.result, policy, draft.tables, draft.exact, draft.others)


def _finished(draft: _Draft, told: Published, policy: Policy, found: Protection, method: str) -> Result:
    """Hide what protects, and derive the family's figures from what is left."""
    result = draft.result
    places = frozenset(cell.place for cell in told.cells if not cell.hidden and cell.group in found.groups)
    exposed = sum(cell.hidden and cell.listed and cell.group in found.exposed for cell in told.cells)
    tables = dict(result.trim(_blank(draft.tables, result, places), policy.threshold, result.by))
    named = {name: rule for name, rule in result.counts.items() if name not in result.floored}
    hidden = _hidden(draft.exact, tables, named)
    # a curve that is rounded to nothing until the threshold is passed says nothing until then
    flat = {"flat_until": policy.threshold} if policy.curve == "nearest" else {}
    record = Disclosure(policy, hidden, draft.others | places, len(places), method, exposed)
    return result.disclosed(tables, record, **flat)


def _without_few_followed(
    finished: Mapping[int, Result], earlier: Sequence[Published], policy: Policy
) -> dict[int, Result]:
    """End curves where those of other strata, or of the whole, would tell how few are followed in one that has ended."""
    curves = {at: result for at, result in finished.items() if "followed" in result.count_tables}
    told = {-1 - k: one for k, one in enumerate(earlier)} | {at: published_of(one) for at, one in curves.items()}
    ends: dict[int, dict[Stratum, float]] = {}
    for beside_each_other in alike(told):
        for (at, stratum), time in ends_of(beside_each_other, policy).items():
            ends.setdefault(at, {})[stratum] = time
    return {**finished, **{at: _ended(finished[at], policy, own) for at, own in ends.items()}}


def _ended(result: Result, policy: Policy, ends: Mapping[Stratum, float]) -> Result:
    tables = result.trim(end_early(result.count_tables, ends), policy.threshold, result.by)
    assert result.disclosure is not None
    return result.disclosed(tables, replace(result.disclosure, ended=frozenset(ends)))


def published_of(result: Result) -> Published:
    """Return what a disclosed result tells."""
    done = result.disclosure
    if done is None:
        raise DisclosureError(
            f"This {type(result).__name__} has not passed disclosure control. Use sr.suppress(result, policy) first."
        )
    return publish(result, done.policy, protected=done.protected)


def _require_possible(result: object, policy: object, beside: Sequence[Result]) -> None:
    if not isinstance(result, Result):
        raise ArgumentError(f"suppress takes a Result, not {type(result).__name__}.")
    if not isinstance(policy, Policy):
        raise ArgumentError("suppress takes a Policy, such as sr.Policy.nhs_england().")
    if result.disclosure is not None:
        if result.disclosure.policy == policy:
            return
        raise DisclosureError(
            f"This result was already made safe under {result.disclosure.policy.title}. Two policies on one "
            "result can be set against each other; suppress the original result once, under the policy you need."
        )
    if policy.changes_nothing and not result.settings.get("generated"):
        raise DisclosureError(
            "Policy.synthetic() hides nothing and is for generated data alone; this result does not carry the "
            "generator's own fingerprint. Use Policy.nhs_england(), .opensafely() or .sacro()."
        )
    undeclared = [name for name in result.count_tables if name not in result.counts]
    if undeclared:
        raise DisclosureError(f"{type(result).__name__} declares no rule for its table {', '.join(undeclared)}.")
    for one in beside:
        if not isinstance(one, Result):
            raise ArgumentError(f"beside takes disclosed results, not {type(one).__name__}.")
        if one.disclosure is None or one.disclosure.policy != policy:
            raise DisclosureError("What stands beside a result must have been made safe under the same policy.")


def _stars_of_others(
    result: Result, tables: Mapping[str, pl.DataFrame], exact: Mapping[str, pl.DataFrame], policy: Policy
) -> frozenset[Place]:
    """Return where a count is hidden that is not small itself: of a stratum that is, or one hidden before."""
    found: set[Place] = set()
    for name, rule in result.counts.items():
        if rule.cumulative is not None or name not in tables:
            continue
        for column in rule.columns:
            few = exact[name].select(pl.col(column), policy.hides(column).fill_null(False).alias("few"))["few"]
            gone = tables[name][column].is_null() & ~few
            found |= {(name, int(row), column) for row in np.flatnonzero(gone.to_numpy())}
    return frozenset(found)


def _blank(tables: Mapping[str, pl.DataFrame], result: Result, places: frozenset[Place]) -> dict[str, pl.DataFrame]:
    """Hide further counts, and what describes their people."""
    found = dict(tables)
    for name in {place[0] for place in places}:
        rule, table = result.counts[name], found[name]
        for column in rule.columns:
            rows = [row for table_name, row, c in places if (table_name, c) == (name, column)]
            if rows:
                gone = pl.Series(np.isin(np.arange(table.height), rows))
                table = table.with_columns(pl.when(~gone).then(column).alias(column))
        shown = pl.all_horizontal([pl.lit(True), *[pl.col(c).is_not_null() for c in rule.columns]])
        found[name] = table.with_columns([pl.when(shown).then(c).alias(c) for c in (*rule.measures, *rule.factors)])
    return found


def _above_floor(
    tables: Mapping[str, pl.DataFrame], result: Result
) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """Leave out the rows under the result's own floor: that they were looked at would narrow their counts.

    Of the released tables and of the exact ones alike.
    """
    floor, floored = result.settings.get("min_persons") or 1, result.floored
    if floor <= 1 or not floored:
        return dict(tables), dict(result.count_tables)
    column = result.counts[floored[0]].columns[0]
    kept = (tables[floored[0]][column] >= floor).fill_null(False)

    def above(all_rows: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        return {name: table.filter(kept) if name in floored else table for name, table in all_rows.items()}

    return above(tables), above(result.count_tables)


def _release(table: pl.DataFrame, rule: CountTable, policy: Policy, by: tuple[str, ...]) -> pl.DataFrame:
    if policy.changes_nothing:
        return table
    if rule.cumulative is None:
        released = table.with_columns([policy.rounded(column) for column in rule.columns])
        shown = [pl.col(column).is_not_null() for column in rule.columns]
        visible = pl.all_horizontal([pl.lit(True), *shown])
        # what describes nobody tells of the margins behind it alone
        somebody = visible & pl.any_horizontal([pl.lit(not rule.columns), *[pl.col(c) > 0 for c in rule.columns]])
        few = _totals_few(table, rule, policy)
        spread = {m: policy.spread_wide_enough(c) for m, c in rule.concentration.items()}
        return released.with_columns(
            [
                pl.when(visible & ~few[m] & spread.get(m, pl.lit(True))).then(_rounded_mean(pl.col(m))).alias(m)
                for m in rule.measures
            ]
            + [pl.when(somebody).then(pl.col(f).round_sig_figs(FIGURES)).alias(f) for f in rule.factors]
            # how few people a sum rests on is for this gate alone
            + [pl.lit(None, dtype=pl.Float64).alias(c) for c in set(rule.concentration.values())]
        )
    groups = [*by, *rule.within]
    over: list[Any] = groups or [pl.lit(0)]
    ordered = table.sort([*groups, rule.cumulative])
    running = ordered.with_columns([pl.col(c).cum_sum().over(over) for c in rule.columns])
    rounded = running.with_columns([policy.rounded_cumulative(c) for c in rule.columns])
    steps = rounded.with_columns([(pl.col(c) - pl.col(c).shift(1, fill_value=0).over(over)) for c in rule.columns])
    return steps.filter(pl.any_horizontal([pl.col(c) != 0 for c in rule.columns]))


def _without_small_strata(tables: Mapping[str, pl.DataFrame], result: Result) -> dict[str, pl.DataFrame]:
    """Hide every count of a stratum that is too small itself: stars against noughts would tell who is in it."""
    by, people = list(result.by), tables.get("population")
    rule = result.counts.get("population")
    if not by or people is None or rule is None or not set(by) <= set(people.columns):
        return dict(tables)
    hidden = people.filter(pl.any_horizontal([pl.col(c).is_null() for c in rule.columns])).select(by).unique()
    if not hidden.height:
        return dict(tables)
    found = {}
    for name, table in tables.items():
        own = result.counts[name]
        if own.cumulative is not None or not set(by) <= set(table.columns):
            found[name] = table
            continue
        marked = hidden.with_columns(pl.lit(True).alias("__hidden"))
        joined = table.join(marked, on=by, how="left", nulls_equal=True, maintain_order="left")
        gone = pl.col("__hidden").fill_null(False)
        blank = [pl.when(~gone).then(c).alias(c) for c in (*own.columns, *own.measures, *own.factors)]
        found[name] = joined.with_columns(blank).drop("__hidden")
    return found


def _totals_few(table: pl.DataFrame, rule: CountTable, policy: Policy) -> dict[str, pl.Series]:
    """Where a mean is of a total so small that it counts a few contacts, such as one admission among nine people."""
    if not rule.measures:
        return {}
    people = table[rule.columns[0]] if rule.columns else pl.Series([1] * table.height)
    return {m: (table[m].abs() * people).is_between(1e-9, policy.threshold).fill_null(False) for m in rule.measures}


def _rounded_mean(mean: pl.Expr) -> pl.Expr:
    return (
        pl.when(mean.abs() < SMALL_MEAN)
        .then(mean.round_sig_figs(FIGURES_OF_SMALL))
        .otherwise(mean.round_sig_figs(FIGURES))
    )


def _hidden(
    before: Mapping[str, pl.DataFrame],
    after: Mapping[str, pl.DataFrame],
    rules: Mapping[str, CountTable],
) -> int:
    """Count what is starred. How many counts were rounded is not told: a count that did not change would be exact."""
    hidden = 0
    for name, rule in rules.items():
        if rule.cumulative is None and before[name].height == after[name].height:
            for column in rule.columns:
                hidden += int((after[name][column].is_null() & before[name][column].is_not_null()).sum())
    return hidden
