"""The gate every number passes before it may be shown: `suppress`.

Counts are hidden or rounded by the policy; more are hidden until no hidden one
can be reckoned from the others; then the family's own `derive` makes every
other figure again from what is left. Nothing else is carried over, so a rate, a
ratio or a total can give back no more than the counts do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import polars as pl

from symphony_research.disclosure import ledger
from symphony_research.disclosure.published import Place, Published, publish
from symphony_research.disclosure.secondary import protect
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.policy import Policy
from symphony_research.result import CountTable, Disclosure, Result

__all__ = ["published_of", "suppress"]

SomeResult = TypeVar("SomeResult", bound=Result)

# of a mean beside a rounded count: too few to find the exact total, fewer where a total may be of a few contacts
FIGURES, FIGURES_OF_SMALL = 3, 2
SMALL_MEAN = 100


def suppress(result: SomeResult, policy: Policy, *, beside: Sequence[Result] = ()) -> SomeResult:
    """Return the result as it may be released under a policy.

    Every count of people is hidden or rounded; where a hidden count could be
    reckoned from the others, more are hidden; and every estimate is derived
    again from the counts that are left. Suppressing twice under one policy
    changes nothing; a disclosed result is never disclosed anew under another.

    Parameters
    ----------
    result : Result
        What an estimator returned.
    policy : Policy
        The rule, such as `Policy.nhs_england()`.
    beside : sequence of Result
        Disclosed results of the same people that are published with it. Inside a
        report all that was made safe before stands beside it by itself.

    Returns
    -------
    Result
        Of the same family, with `disclosure` set.

    Raises
    ------
    DisclosureError
        If the policy is `Policy.synthetic()` and the data are not the
        generator's own, the result was disclosed under another policy, or one
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
    """
    _require_possible(result, policy, beside)
    if result.disclosure is not None:
        return result
    tables = {
        name: _release(table, result.counts[name], policy, result.by) for name, table in result.count_tables.items()
    }
    if policy.changes_nothing:
        done = result.disclosed(tables, Disclosure(policy, 0))
        ledger.remember(done)
        return done  # type: ignore[return-value]
    tables, exact = _above_floor(_without_small_strata(tables, result), result)
    primary, others = _stars(result, tables, exact, policy)
    own = publish(result, policy, tables, exact, others)
    earlier = [published_of(one) for one in (*beside, *ledger.released())]
    earlier = [one for one in earlier if (one.study, one.people) == (own.study, own.people)]
    found = protect(own, primary, earlier)
    tables = _blank(tables, result, found.places)
    tables = dict(result.trim(tables, policy.threshold, result.by))
    hidden = _hidden(exact, tables, result.counts)
    # a curve that is rounded to nothing until the threshold is passed says nothing until then
    flat = {"flat_until": policy.threshold} if policy.curve == "nearest" else {}
    record = Disclosure(policy, hidden, others | found.places, len(found.places), found.method, found.exposed)
    done = result.disclosed(tables, record, **flat)
    ledger.remember(done)
    return done  # type: ignore[return-value]


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


def _stars(
    result: Result, tables: Mapping[str, pl.DataFrame], exact: Mapping[str, pl.DataFrame], policy: Policy
) -> tuple[frozenset[Place], frozenset[Place]]:
    """Return where a small count is hidden, and where another one is: of a stratum that is small itself, or before."""
    small: set[Place] = set()
    others: set[Place] = set()
    for name, rule in result.counts.items():
        if rule.cumulative is not None or name not in tables:
            continue
        for column in rule.columns:
            few = exact[name].select(pl.col(column), policy.hides(column).fill_null(False).alias("few"))["few"]
            for row in np.flatnonzero(tables[name][column].is_null().to_numpy()):
                (small if few[int(row)] else others).add((name, int(row), column))
    return frozenset(small), frozenset(others)


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
