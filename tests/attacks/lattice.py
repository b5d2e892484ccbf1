"""Many conditions: the attacker looks at a few of them at a time, in integers, and at all pairs by inequalities.

Of a few conditions every set is an unknown, so nothing that the counts of those
conditions say is missed. Numbers of conditions and sets of others are left out:
whatever they say more is found, if at all, by the inequalities.
"""

from __future__ import annotations

from collections.abc import Mapping

import attacker
import numpy as np
import polars as pl
import readers
from attacker import Cell, Codebook

import symphony_research as sr


def people(n: int, conditions: int, seed: int, *, levels: tuple[str, ...] = ("F", "M")) -> pl.DataFrame:
    """Draw people whose conditions go together, a third of them rare, one of women alone."""
    rng = np.random.default_rng((n, conditions, seed))
    frail = rng.gamma(1.0, 1.0, n)
    sex = rng.choice(levels, n)
    common = np.where(
        np.arange(conditions) % 3 == 0, rng.uniform(0.005, 0.03, conditions), rng.uniform(0.03, 0.3, conditions)
    )
    held = {f"c{k:02}": (rng.random(n) < 1 - np.exp(-p * frail)).astype(int) for k, p in enumerate(common)}
    held["c01"] = held["c01"] * (sex == levels[0])
    return pl.DataFrame({**held, "sex": sex})


def results(frame: pl.DataFrame, by: tuple[str, ...]) -> dict[str, sr.Result]:
    """What reports of many conditions hold."""
    conditions = [c for c in frame.columns if c != "sex"]
    whole, split = (sr.Patterns.from_wide(frame, conditions=conditions, by=own) for own in ((), by))
    made: dict[str, sr.Result] = {
        "prevalence": sr.multimorbidity.prevalence(whole),
        "condition_count": sr.multimorbidity.condition_count(whole),
        "cooccurrence": sr.networks.cooccurrence(whole),
    }
    if by:
        made["prevalence__by_sex"] = sr.multimorbidity.prevalence(split)
        made["cooccurrence__by_sex"] = sr.networks.cooccurrence(split)
    return made


def cells_among(released: Mapping[str, sr.Result], chosen: tuple[str, ...], levels: tuple[str, ...]) -> tuple[list[Cell], Codebook]:  # fmt: skip
    """Return the counts of everybody, of some conditions and of their pairs."""
    book, found = Codebook(chosen, levels), []
    for kind, result in released.items():
        if kind.startswith("condition_count") and len(chosen) < len(result.settings["conditions"]):
            continue
        for name, table in result.count_tables.items():
            for column in ("condition", "source", "target"):
                if column in table.columns:
                    table = table.filter(pl.col(column).is_in(chosen))
            counts = [c for c in table.columns if c in ("n_persons", "n_both")]
            for record in table.iter_rows(named=True):
                for column in counts:
                    of = readers.of_row(kind, column, record, book, record.get("sex"))
                    if of is not None:
                        found.append(Cell(f"{kind}.{name}", str(list(record.values())[:3]), of, readers.count(record[column])))  # fmt: skip
        if kind.startswith("condition_count"):
            last = result.count_tables["cells"]["n_conditions"].max()
            found.append(Cell(kind, "more", book.sets(None, [m for m in book.masks() if m.bit_count() > last]), 0))
    return found, book


def at_risk(frame: pl.DataFrame, released: Mapping[str, sr.Result], rule: attacker.Rule, chosen: tuple[str, ...], *, strict: bool = False) -> list[attacker.Finding]:  # fmt: skip
    """Return the suppressed counts of some conditions that everything published of them narrows down."""
    levels = tuple(frame["sex"].unique().sort()) if any("by_sex" in kind for kind in released) else ()
    cells, _book = cells_among(released, chosen, levels)
    mask = sum(frame[c].to_numpy() << k for k, c in enumerate(chosen))
    strata = [frame["sex"].to_numpy() == level for level in levels] or [np.ones(frame.height, bool)]
    truth = np.concatenate([np.bincount(mask[own], minlength=1 << len(chosen)) for own in strata])
    return attacker.at_risk(cells, truth, rule, strict=strict)


def awkward(released: Mapping[str, sr.Result], size: int, most: int) -> list[tuple[str, ...]]:
    """Return some conditions of which most is suppressed and most is tight: a suppressed pair, and the commonest others of both."""
    pairs = released["cooccurrence"].count_tables["pairs"]
    shown = {frozenset((r["source"], r["target"])): r["n_both"] for r in pairs.iter_rows(named=True)}
    conditions = sorted({c for pair in shown for c in pair})
    found = []
    for pair in (tuple(sorted(p)) for p, n in shown.items() if n is None):

        def shared(c: str, pair: tuple[str, ...] = pair) -> float:
            return sum(shown[frozenset((c, own))] or 4 for own in pair)

        others = sorted((c for c in conditions if c not in pair), key=shared, reverse=True)[: size - 2]
        found.append((shared(others[0]), (*pair, *others)))
    return [chosen for _, chosen in sorted(found, reverse=True)[:most]]


def _drawn(*groups: tuple[int, tuple[str, ...]], conditions: int = 12) -> pl.DataFrame:
    names = [f"c{k:02}" for k in range(conditions)]
    rows = [["F", *(int(name in held) for name in names)] for n, held in groups for _ in range(n)]
    return pl.DataFrame(rows, schema=["sex", *names], orient="row")


OTHERS = tuple((30, (f"c{k:02}",)) for k in range(4, 12))


def three_pairs() -> pl.DataFrame:
    """Of 22 people with a condition 18 have another and 8 a third: so 4 have both others, of whom 5 are suppressed."""
    return _drawn((14, ("c00", "c01")), (4, ("c00", "c02")), (4, ("c00", "c01", "c02")), (1, ("c01", "c02")), (40, ("c01",)),
                  (40, ("c02",)), (30, ("c03",)), *OTHERS)  # fmt: skip


def two_pairs() -> pl.DataFrame:
    """Of 17 people with two conditions 14 have the one pair, and 3 the only other."""
    return _drawn((14, ("c00", "c01")), (3, ("c02", "c03")), (50, ("c00",)), (50, ("c01",)), (50, ("c02",)), (50, ("c03",)), *OTHERS)  # fmt: skip


AWKWARD = {"three pairs": three_pairs, "two pairs": two_pairs}
