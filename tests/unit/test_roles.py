"""Closed by default: a table, column, setting or count that nobody has judged cannot be released."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.result import Result
from symphony_research.result.cells import everybody
from symphony_research.result.roles import Count, Internal, Key, Mean, Quantile, TableRoles

NHS = sr.Policy.nhs_england()


def of_everybody(record: Mapping[str, Any], column: str, settings: Mapping[str, Any]):
    return everybody()


class Sizes(Result):
    """A family of one table, as an author might add one."""

    declared: Mapping[str, TableRoles] = {"cells": TableRoles({"n_persons": Count()}, of_everybody)}

    @classmethod
    def roles_of(cls, settings):
        return cls.declared

    @staticmethod
    def derive(tables, settings, by):
        return tables["cells"]


def family(**declared: TableRoles) -> type[Result]:
    return type("Sizes", (Sizes,), {"declared": declared})


PEOPLE = pl.DataFrame({"n_persons": [12]})


def test_a_family_with_all_its_roles_is_released():
    assert sr.suppress(Sizes({"cells": PEOPLE}, {}), NHS).estimates["n_persons"].to_list() == [10]


@pytest.mark.parametrize(
    ("tables", "declared", "named"),
    [
        ({"cells": PEOPLE, "more": PEOPLE}, {}, ["table 'more'"]),
        ({"cells": PEOPLE.with_columns(cost=pl.lit(1.0))}, {}, ["column 'cost' of table 'cells'"]),
        # a count that does not say whom it counts
        ({"cells": PEOPLE}, {"cells": TableRoles({"n_persons": Count()})}, ["whom the counts of table 'cells' are of"]),
        # a mean without the people and the spread by which it is judged
        (
            {"cells": PEOPLE},
            {"cells": TableRoles({"n_persons": Count(), "mean_cost": Mean("n_rich", "herfindahl_cost")}, of_everybody)},
            ["'n_rich', behind column 'mean_cost' of table 'cells'", "'herfindahl_cost', behind column 'mean_cost'"],
        ),
        (
            {"cells": PEOPLE},
            {"cells": TableRoles({"n_persons": Count(), "median": Quantile("n_entered")}, of_everybody)},
            ["'n_entered', behind column 'median' of table 'cells'"],
        ),
        # everything that is missing is named at once
        (
            {"cells": PEOPLE.with_columns(a=1, b=2), "more": PEOPLE},
            {},
            ["table 'more'", "column 'a' of table 'cells'", "column 'b' of table 'cells'"],
        ),
    ],
)
def test_what_has_no_role_is_refused_with_its_name(tables, declared, named):
    made = family(**declared) if declared else Sizes
    with pytest.raises(sr.DisclosureError, match="no role is declared") as refused:
        made(tables, {})
    for name in named:
        assert name in str(refused.value)


def test_a_family_that_declares_nothing_cannot_be_made():
    class Silent(Result):
        @staticmethod
        def derive(tables, settings, by):
            return tables["cells"]

    with pytest.raises(sr.DisclosureError, match="table 'cells'"):
        Silent({"cells": PEOPLE}, {})


def test_strata_need_no_role_of_their_own():
    by_sex = pl.DataFrame({"sex": ["F", "M"], "n_persons": [12, 13]})
    assert sr.suppress(Sizes({"cells": by_sex}, {}, ("sex",)), NHS).estimates["n_persons"].to_list() == [10, 15]
    with pytest.raises(sr.DisclosureError, match="column 'sex' of table 'cells'"):
        Sizes({"cells": by_sex}, {})


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"largest_cost": 10_312.5}, "'largest_cost'"),
        ({"confidence": 0.95, "ids": [1, 2]}, "'ids'"),
        ({"method": PEOPLE}, "method"),
        ({"population": {"people": object()}}, "population"),
    ],
)
def test_a_setting_that_is_on_no_list_is_refused_with_its_name(settings, named):
    with pytest.raises(sr.DisclosureError, match="cannot be released") as refused:
        Sizes({"cells": PEOPLE}, settings)
    assert named in str(refused.value)
    # nor is its value told
    assert "10312" not in str(refused.value).replace(",", "")


def test_a_family_names_its_own_settings():
    own = type("Named", (Sizes,), {"own_settings": frozenset({"permutations"})})
    assert own({"cells": PEOPLE}, {"permutations": 99}).settings["permutations"] == 99
    with pytest.raises(sr.DisclosureError, match="'permutations'"):
        Sizes({"cells": PEOPLE}, {"permutations": 99})


def test_what_is_internal_is_never_released():
    declared = TableRoles({"n_persons": Count(), "largest": Internal()}, of_everybody)
    day = TableRoles({"day": Internal(), "who": Internal()})
    made = family(cells=declared, days=day)
    tables = {
        "cells": PEOPLE.with_columns(largest=pl.lit(912.25)),
        "days": pl.DataFrame({"day": [1, 2], "who": [3, 4]}),
    }
    released = sr.suppress(made(tables, {}), NHS)
    assert released.count_tables["cells"]["largest"].to_list() == [None]
    assert "days" not in released.count_tables


def by_level(levels: list[object], people: int, column: str = "group") -> Result:
    table = pl.DataFrame({column: levels, "n_persons": [people] * len(levels)})
    return Sizes({"cells": table}, {}, (column,))


@pytest.mark.parametrize(
    ("levels", "why"),
    [
        ([f"90{k:05d}" for k in range(3)], "look like ids"),
        (["3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3f2504e0-4f89-11d3-9a0c-0305e82c3302"], "look like ids"),
        (["2013-04-01", "2013-05-01"], "look like dates"),
        (["1/4/2013", "1/5/2013"], "look like dates"),
        # ten levels of nine people each: 10 is more than a tenth of 90
        ([f"ward {k}" for k in "abcdefghij"], "more than a tenth of the people"),
    ],
)
def test_a_stratum_whose_levels_name_people_is_refused_without_naming_them(levels, why):
    with pytest.raises(sr.DisclosureError, match=why) as refused:
        sr.suppress(by_level(levels, 9), NHS)
    assert "'group'" in str(refused.value)
    for level in levels:
        assert level not in str(refused.value)


def test_few_levels_and_levels_known_beforehand_are_strata():
    # five levels name nobody; ten of ten people are a tenth, and not more
    assert sr.suppress(by_level(list("abcde"), 8), NHS).estimates.height == 5
    assert sr.suppress(by_level([f"ward {k}" for k in "abcdefghij"], 10), NHS).estimates.height == 10
    # age bands are of a list, however few the people
    assert sr.suppress(by_level([f"{k}-{k + 4}" for k in range(0, 90, 5)], 8, "age_band"), NHS).estimates.height == 18


def test_a_key_from_the_records_is_judged_as_a_stratum_is():
    keys = {"drug": Key("records"), "n_persons": Count()}
    made = family(cells=TableRoles(keys, of_everybody))
    many = pl.DataFrame({"drug": [f"drug {k}" for k in "abcdefghij"], "n_persons": [9] * 10})
    with pytest.raises(sr.DisclosureError, match="'drug' cannot be a stratum"):
        sr.suppress(made({"cells": many}, {}), NHS)
    listed = family(cells=TableRoles({"drug": Key(), "n_persons": Count()}, of_everybody))
    assert listed({"cells": many}, {}).estimates.height == 10
