"""How many other conditions people with each have: the count table."""

from __future__ import annotations

import numpy as np
import polars as pl

from symphony_research.collapse import Patterns
from symphony_research.collapse.bits import unpack
from symphony_research.collapse.patterns import HUNDRED
from symphony_research.collapse.sums import herfindahl
from symphony_research.collapse.within_strata import Row

__all__ = ["others_of"]


def others_of(patterns: Patterns, row: Row, chosen: tuple[str, ...], top: int) -> pl.DataFrame:
    """Return people with each condition by the number of others that they have, with what they cost."""
    bits = unpack(row.words, len(patterns.conditions))
    others = np.minimum(np.maximum(bits.sum(axis=1, dtype=np.int64) - 1, 0), top)
    sums = [row.frame[f"{value}__sum"].cast(pl.Float64).to_numpy() / HUNDRED for value in patterns.values]
    squares = [row.frame[f"{v}__sum_squares"].cast(pl.Float64).to_numpy() / HUNDRED**2 for v in patterns.values]
    m = len(sums)
    parts = []
    for name in chosen:
        held = bits[:, patterns.conditions.index(name)] == 1
        n, *totals = (
            np.bincount(others[held], weights=weights[held], minlength=top + 1).astype(float)
            for weights in (row.people, *sums, *squares)
        )
        means = {f"mean_{v}": t / np.maximum(n, 1) for v, t in zip(patterns.values, totals[:m], strict=True)}
        spread = zip(patterns.values, totals[m:], totals[:m], strict=True)
        means |= {f"herfindahl_{v}": herfindahl(squared, total) for v, squared, total in spread}
        parts.append(
            pl.DataFrame({"n_others": np.arange(top + 1), "n_persons": n.astype(np.int64), **means}).select(
                pl.lit(name).alias("condition"), pl.all()
            )
        )
    return pl.concat(parts)
