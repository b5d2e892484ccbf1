"""The gate every number passes before it may be shown: `suppress`.

Counts are hidden or rounded by the policy, then the family's own `derive`
makes every other figure again from what is left. Nothing else is carried
over, so a rate, a ratio or a total can give back no more than the counts do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import polars as pl

from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.policy import Policy
from symphony_research.result import CountTable, Disclosure, Result

__all__ = ["suppress"]

SomeResult = TypeVar("SomeResult", bound=Result)

# of a mean beside a rounded count: too few to find the exact total, fewer where a total may be of a few contacts
FIGURES, FIGURES_OF_SMALL = 3, 2
SMALL_MEAN = 100


def suppress(result: SomeResult, policy: Policy) -> SomeResult:
    """Return the result as it may be released under a policy.

    Every count of people is hidden or rounded, and every estimate is derived
    again from the counts that are left. Suppressing twice under one policy
    changes nothing; a disclosed result is never disclosed anew under another.

    Parameters
    ----------
    result : Result
        What an estimator returned.
    policy : Policy
        The rule, such as `Policy.nhs_england()`.

    Returns
    -------
    Result
        Of the same family, with `disclosure` set.

    Raises
    ------
    DisclosureError
        If the policy is `Policy.synthetic()` and the data are not the
        generator's own, or the result was disclosed under another policy.

    Examples
    --------
    >>> import symphony_research as sr
    >>> patterns = sr.define_cohort(sr.example_study()).patterns()
    >>> count = sr.suppress(sr.multimorbidity.condition_count(patterns), sr.Policy.nhs_england())
    >>> count.disclosure.policy.name
    'nhs_england'
    """
    if not isinstance(result, Result):
        raise ArgumentError(f"suppress takes a Result, not {type(result).__name__}.")
    if not isinstance(policy, Policy):
        raise ArgumentError("suppress takes a Policy, such as sr.Policy.nhs_england().")
    if result.disclosure is not None:
        if result.disclosure.policy == policy:
            return result
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
    tables = {
        name: _release(table, result.counts[name], policy, result.by) for name, table in result.count_tables.items()
    }
    if not policy.changes_nothing:
        tables = _without_small_strata(tables, result)
        tables = dict(result.trim(tables, policy.threshold, result.by))
    hidden = _hidden(result.count_tables, tables, result.counts)
    # a curve that is rounded to nothing until the threshold is passed says nothing until then
    flat = {"flat_until": policy.threshold} if policy.curve == "nearest" and not policy.changes_nothing else {}
    return result.disclosed(tables, Disclosure(policy, hidden), **flat)  # type: ignore[return-value]


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
        return released.with_columns(
            [pl.when(visible & policy.means & ~few[m]).then(_rounded_mean(pl.col(m))).alias(m) for m in rule.measures]
            + [pl.when(somebody).then(pl.col(f).round_sig_figs(FIGURES)).alias(f) for f in rule.factors]
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
