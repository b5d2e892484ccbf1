"""Drawn follow-up, for properties of curves and tests."""

from __future__ import annotations

import polars as pl
from hypothesis import strategies as st


@st.composite
def followed(draw, causes: int = 1, max_people: int = 25, groups: int = 3, entry: bool = False):
    """People with small integer times (so many ties), an outcome, a group, a stratum, and perhaps a late entry."""
    n = draw(st.integers(2, max_people))
    exact = {"min_size": n, "max_size": n}
    times = draw(st.lists(st.integers(1, 9), **exact))
    events = draw(st.lists(st.integers(0, causes), **exact))
    arms = draw(st.lists(st.sampled_from("abc"[:groups]), **exact))
    sites = draw(st.lists(st.sampled_from("xy"), **exact))
    early = [draw(st.integers(0, t - 1)) for t in times] if entry else [0] * n
    copies = draw(st.lists(st.integers(0, 3), **exact))
    columns = {"time": times, "event": events, "arm": arms, "site": sites, "entry": early, "people": copies}
    return pl.DataFrame(columns, schema_overrides=dict.fromkeys(("time", "event", "entry", "people"), pl.Int64))


def listed(people: pl.DataFrame) -> pl.DataFrame:
    """Return as many rows as `people` says of each."""
    return people.select(pl.all().exclude("people").repeat_by("people").explode(keep_nulls=True, empty_as_null=False))
