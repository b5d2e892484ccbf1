"""A family of results that leaves anything unsaid is refused; one that says all is protected like the package's own."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

import polars as pl
import pytest
from foreign import SETTINGS, Parts, parts

import symphony_research as sr
from symphony_research.errors import DisclosureError
from symphony_research.result.roles import Count, Internal, Key, Mean, Quantile, TableRoles

NHS = sr.Policy.nhs_england()


def with_roles(**tables: TableRoles) -> type[Parts]:
    """Return a family like `Parts` with other roles."""
    return type("Other", (Parts,), {"roles_by_table": tables, "__annotations__": {"roles_by_table": ClassVar[Mapping]}})


FULL = Parts.roles_by_table


def test_a_family_that_says_all_is_released() -> None:
    released = sr.suppress(Parts(**parts(40, 50, 60)), NHS)
    assert released.count_tables["parts"]["n_persons"].to_list() == [40, 50, 60]


@pytest.mark.parametrize("table", ["parts", "population"])
def test_a_table_without_roles_is_refused(table: str) -> None:
    others = {name: roles for name, roles in FULL.items() if name != table}
    with pytest.raises(DisclosureError, match=f"table '{table}'"):
        with_roles(**others)(**parts(40, 50, 60))


@pytest.mark.parametrize(("table", "column"), [(t, c) for t, roles in FULL.items() for c in roles.columns])
def test_a_column_without_a_role_is_refused(table: str, column: str) -> None:
    columns = {name: role for name, role in FULL[table].columns.items() if name != column}
    family = with_roles(**{**FULL, table: TableRoles(columns, FULL[table].counts)})
    with pytest.raises(DisclosureError, match=f"column '{column}' of table '{table}'"):
        family(**parts(40, 50, 60))


@pytest.mark.parametrize("table", ["parts", "population"])
def test_counts_that_do_not_say_whom_they_count_are_refused(table: str) -> None:
    family = with_roles(**{**FULL, table: TableRoles(FULL[table].columns)})
    with pytest.raises(DisclosureError, match=f"whom the counts of table '{table}' are of"):
        family(**parts(40, 50, 60))


@pytest.mark.parametrize(
    "role", [Mean("n_people"), Mean("n_persons", "spread"), Quantile("n_people")], ids=["people", "spread", "quantile"]
)
def test_a_mean_without_what_it_is_judged_by_is_refused(role: Any) -> None:
    family = with_roles(
        **{**FULL, "parts": TableRoles({**FULL["parts"].columns, "mean_cost": role}, FULL["parts"].counts)}
    )
    given = parts(40, 50, 60)
    given["count_tables"]["parts"] = given["count_tables"]["parts"].with_columns(mean_cost=1.0)
    with pytest.raises(DisclosureError, match="behind column 'mean_cost'"):
        family(**given)


@pytest.mark.parametrize("value", [3, "three people", [1, 2, 3], {"F": 3}])
def test_a_setting_that_is_on_no_list_is_refused(value: Any) -> None:
    with pytest.raises(DisclosureError, match="'n_small'"):
        Parts(**parts(40, 50, 60, n_small=value))


@pytest.mark.parametrize("value", [pl.DataFrame({"n": [3]}), lambda: 3, {"inside": pl.Series([3])}])
def test_a_setting_that_is_no_plain_value_is_refused(value: Any) -> None:
    with pytest.raises(DisclosureError, match="no plain values"):
        Parts(**parts(40, 50, 60, note=value))


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ([f"person {k}" for k in range(30)], "more than a tenth of the people"),
        ([f"90012345{k:02}" for k in range(4)], "look like ids"),
        ([f"{k:032x}" for k in range(4)], "look like ids"),
        ([f"2019-03-{k + 10}" for k in range(4)], "look like dates"),
        ([f"{k + 10}/03/2019" for k in range(4)], "look like dates"),
        ([date(2019, 3, k + 1) for k in range(4)], "look like dates"),
    ],
    ids=["many", "numbers", "hex", "iso", "british", "dates"],
)
def test_levels_that_could_name_people_are_refused(names: list[Any], why: str) -> None:
    family = with_roles(**FULL)
    with pytest.raises(DisclosureError, match=why) as refused:
        sr.suppress(family(**parts(*[8] * len(names), names=names)), NHS)
    assert not any(str(name) in str(refused.value) for name in names)


def test_a_table_of_internal_columns_alone_is_not_released() -> None:
    daily = TableRoles({"day": Internal(), "n_events": Internal()})
    given = parts(40, 50, 60)
    given["count_tables"]["daily"] = pl.DataFrame({"day": [1, 2], "n_events": [3, 4]})
    released = sr.suppress(with_roles(**FULL, daily=daily)(**given), NHS)
    assert "daily" not in released.count_tables


def test_a_role_is_what_a_column_is_and_not_what_it_is_called() -> None:
    columns = {"part": Key(), "n_persons": Count(), "share": Count()}
    given = parts(40, 50, 60)
    given["count_tables"]["parts"] = given["count_tables"]["parts"].with_columns(share=pl.Series([3, 40, 50]))
    released = sr.suppress(with_roles(**{**FULL, "parts": TableRoles(columns, FULL["parts"].counts)})(**given), NHS)
    assert released.count_tables["parts"]["share"].to_list()[0] is None


# -- parts and their total --------------------------------------------------------------------------------------


def possible(released: sr.Result, policy: sr.Policy, exact: list[int]) -> list[set[int]]:
    """Enumerate which numbers each suppressed part may be, given which of them are small."""
    shown = released.count_tables["parts"]["n_persons"].to_list()
    (total,) = released.count_tables["population"]["n_persons"]
    low, least = policy.threshold + 1, 0 if policy.hide_zeros else 1
    top = sum(exact) + 30

    def ends(n: int | None, known: int) -> range:
        if n is None:
            return range(least, low) if least <= known < low else range(low, top)
        return range(0, 1) if n == 0 else range(max(n - 2, low), n + 3)

    ranges = [ends(n, known) for n, known in zip(shown, exact, strict=True)]
    whole = ends(total, sum(exact))
    sums = [{0}]
    for one in ranges:
        sums.append({a + b for a in sums[-1] for b in one if a + b <= top})
    after = [{0}]
    for one in reversed(ranges):
        after.append({a + b for a in after[-1] for b in one if a + b <= top})
    return [
        {v for v in one if any(a + v + b in whole for a, b in itertools.product(sums[k], after[len(ranges) - 1 - k]))}
        for k, (one, n) in enumerate(zip(ranges, shown, strict=True))
        if n is None
    ]


@pytest.mark.parametrize("policy", [NHS, sr.Policy.nhs_england(level="strict"), sr.Policy.opensafely(), sr.Policy.sacro()], ids=lambda p: f"{p.name}-{p.level}")  # fmt: skip
@pytest.mark.parametrize("people", [(8, 8, 8, 3), (12, 12, 12, 1), (10, 10, 10, 10, 7), (40, 3), (9, 2), (88, 8, 8, 8, 8, 1), (150, 27, 4, 5)])  # fmt: skip
def test_parts_and_their_total_from_outside_the_package(people: tuple[int, ...], policy: sr.Policy) -> None:
    # 8, 8, 8 and 3 of 27, shown as 10, 10, 10, * and 25: each 10 is 8 at least, so the mark would be 1 to 3
    released = sr.suppress(Parts(**parts(*people)), policy)
    need = policy.threshold if policy.level == "strict" else policy.rounding
    small = [seen for seen in possible(released, policy, list(people)) if max(seen) <= policy.threshold]
    others = [seen for seen in possible(released, policy, list(people)) if max(seen) > policy.threshold]
    assert all(len(seen) >= need for seen in small)
    assert all(len(seen) >= policy.rounding for seen in others)


def test_settings_of_the_family_above_are_the_listed_ones() -> None:
    assert set(SETTINGS) == {"study", "fingerprint", "population", "method"}
