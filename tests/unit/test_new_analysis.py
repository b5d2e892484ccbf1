"""The page "how to add an analysis": its example, added from outside the package, word for word."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import DisclosureError
from symphony_research.result import Result

NAMES: dict[str, Any] = {}
PAGE = Path(__file__).parents[2] / "CONTRIBUTING.md"


@pytest.fixture(scope="module")
def family() -> type[Result]:
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    NAMES.clear()
    NAMES["__name__"] = "outside"
    exec(code.group(1), NAMES)
    return NAMES["Arms"]


def arms_of(family: type[Result], counts: list[int]) -> Result:
    arms = pl.DataFrame({"arm": [f"arm {k}" for k in range(len(counts))], "n_persons": counts})
    return family({"arms": arms, "population": pl.DataFrame({"n_persons": [sum(counts)]})}, {})


@pytest.mark.parametrize("policy", [sr.Policy.nhs_england(), sr.Policy.opensafely(), sr.Policy.sacro()])
@pytest.mark.parametrize("counts", [[8, 8, 8, 3], [12, 12, 12, 1], [8, 8, 8, 7], [23, 3], [3, 177]])
def test_parts_beside_their_total_leave_a_small_part_five_values(
    family: type[Result], counts: list[int], policy: sr.Policy
) -> None:
    """By hand: the small part is the total less the others, each between the ends that rounding to five leaves."""
    released = sr.suppress(arms_of(family, counts), policy)
    shown = released.count_tables["arms"]["n_persons"].to_list()
    total = released.count_tables["population"]["n_persons"][0]
    small = [k for k, n in enumerate(counts) if n <= policy.threshold]
    assert all(shown[k] is None for k in small)
    low, high = (1, 7) if not policy.hide_zeros else (0, 9)
    ends = [(max(n - 2, policy.threshold + 1), n + 2) if n is not None else None for n in [total, *shown]]
    others = [end for k, end in enumerate(ends[1:]) if k not in small]
    known_ends = all(end is not None for end in [ends[0], *others])
    if known_ends and len(small) == 1:  # else another number that is not shown leaves it free
        high = min(high, ends[0][1] - sum(a for a, _ in others))
        low = max(low, ends[0][0] - sum(b for _, b in others))
    assert high - low + 1 >= 5


def test_parts_of_each_stratum_add_up_to_it(family: type[Result]) -> None:
    """Of 27 women three are in an arm of their own: by sex as without, two arms' counts would tell it."""
    groups = [("F", arm, n) for arm, n in zip("abcd", [8, 8, 8, 3], strict=True)]
    groups += [("M", arm, 40) for arm in "abcd"]
    people = pl.DataFrame([(sex, arm) for sex, arm, n in groups for _ in range(n)], schema=["sex", "arm"], orient="row")
    made = NAMES["arms"](people, by=("sex",))
    released = sr.suppress([made, NAMES["arms"](people)], sr.Policy.nhs_england())[0].count_tables
    women = dict(released["arms"].filter(pl.col("sex") == "F").select("arm", "n_persons").rows())
    (total,) = released["population"].filter(pl.col("sex") == "F")["n_persons"]
    assert women["d"] is None
    # by hand: three of 8 to 12 beside a total of 25 to 27 would leave d one to three
    assert None in (total, women["a"], women["b"], women["c"])
    assert released["arms"].filter(pl.col("sex") == "M")["n_persons"].null_count() == 0


def test_what_is_missing_is_refused_by_name(family: type[Result]) -> None:
    class Forgotten(family):  # type: ignore[misc, valid-type]
        """One more column, and no role for it."""

    whole = arms_of(family, [8, 8])
    arms = whole.count_tables["arms"].with_columns(n_events=pl.lit(3))
    with pytest.raises(DisclosureError, match="column 'n_events' of table 'arms'"):
        Forgotten({**whole.count_tables, "arms": arms}, {})
    with pytest.raises(DisclosureError, match="table 'more'"):
        Forgotten({**whole.count_tables, "more": arms}, {})
    # a count that was not made could not be told from one that is suppressed
    counted = pl.DataFrame({"arm": ["arm 0", "arm 1"], "n_persons": [8, None]})
    with pytest.raises(DisclosureError, match=r"1 of 2 rows of table 'arms' of Arms have no n_persons"):
        sr.suppress(family({**whole.count_tables, "arms": counted}, {}), sr.Policy.nhs_england())
    with pytest.raises(DisclosureError, match="'n_found'"):
        Forgotten(dict(whole.count_tables), {"n_found": 3})
