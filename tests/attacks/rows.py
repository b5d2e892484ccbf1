"""What one row tells of itself: parts beside their sum, and how many rows are not listed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from attacker import ABSENT, Cell, Finding, Row, Rule, base_of, count, found_out
from scipy.optimize import Bounds, LinearConstraint, milp


def of_order(rows: Sequence[Row], pairs: Sequence[Row], exact: Mapping[str, pl.DataFrame], rule: Rule) -> list[Finding]:
    """Who had one condition first, the other, both on a day, nobody to compare with, no date: they add up to both."""
    own = exact["pairs"]
    for name in ("same_day", "alone", "left_out"):
        own = own.join(exact[name], on=["first", "second"], how="left")
    truth = {frozenset((r["first"], r["second"])): r for r in own.iter_rows(named=True)}
    both = {frozenset((r["source"], r["target"])): r["n_both"] for r in pairs}
    found = []
    for r in rows:
        pair = frozenset((r["source"], r["target"]))
        t = truth[pair]
        first, second = ("n_first", "n_second") if t["first"] == r["source"] else ("n_second", "n_first")
        x = np.array([t[first], t[second], t["n_same_day"], t["n_alone"], t["n_left_out"]])
        parts = ("n_first", "n_second", "n_same_day", "n_alone", "n_left_out")
        what = f"{r['source']} before {r['target']}"
        cells = [Cell("sequences", f"{what}: {c}", frozenset([k]), count(r[c])) for k, c in enumerate(parts)]
        cells.append(Cell("sequences", f"{what}: n_both", frozenset([0, 1, 2]), count(r["n_both"])))
        if pair in both:
            cells.append(Cell("cooccurrence", what, frozenset(range(5)), count(both[pair])))
        found += found_out(cells, x, rule)
    return found


def of_compared(kind: str, rows: Sequence[Row], exact: Mapping[str, pl.DataFrame], rule: Rule) -> list[Finding]:
    """People of a combination whose parts could be compared, and those left out: they add up to all."""
    own = pl.concat([exact["cells"], exact["parts"].select("n_compared", "n_left_out")], how="horizontal")
    by = [c for c in own.columns if c == "sex"]
    truth = {(*[t[c] for c in by], " + ".join(t["combination"])): t for t in own.iter_rows(named=True)}
    found = []
    for r in rows:
        t = truth[(*[r[c] for c in by], r["combination"])]
        x = np.array([t["n_compared"], t["n_left_out"]])
        if x.sum() != t["n_persons"]:
            continue
        shown = {c: count(r[c]) for c in ("n_compared", "n_left_out", "n_persons")}
        cells = [
            Cell(kind, f"{r['combination']}: n_compared", frozenset([0]), shown["n_compared"]),
            Cell(kind, f"{r['combination']}: n_left_out", frozenset([1]), shown["n_left_out"]),
            Cell(kind, f"{r['combination']}: n_persons", frozenset([0, 1]), shown["n_persons"]),
        ]
        found += found_out(cells, x, rule)
    return found


def named_by_their_number(kind: str, text: str, cells: Sequence[Cell], size: int, rule: Rule) -> list[str]:
    """Sets that are not listed, and that yet certainly somebody has: because so many are said not to be listed.

    Where no word is said of them, none of them has anybody.
    """
    said = re.search(r"not listed, of [01] to \d+ people each: (\d+)", text)
    absent = [c for c in cells if c.shown == ABSENT]
    if base_of(kind) not in ("exact", "at_least") or not absent:
        return []
    if not said and "not listed" in text:
        return []  # that some are not listed, or none, and not how many
    hidden = int(said.group(1)) if said else 0
    rows, low, high = [], [], []

    def bound(row: np.ndarray, least: float, most: float) -> None:
        rows.append(row)
        low.append(least)
        high.append(most)

    width = size + len(absent)  # an unknown 0 or 1 for each set that is not listed: whether anybody has it
    for cell in cells:
        if isinstance(cell.shown, int):
            row = np.zeros(width)
            row[list(cell.cells)] = 1
            bound(row, *rule.bounds(cell.shown))
    for k, cell in enumerate(absent):
        row = np.zeros(width)
        row[list(cell.cells)] = 1
        row[size + k] = -1
        bound(row, 0, np.inf)
        row = row.copy()
        row[size + k] = -rule.high
        bound(row, -np.inf, 0)
    row = np.zeros(width)
    row[size:] = 1
    bound(row, hidden, hidden)
    limits = LinearConstraint(np.array(rows), low, high)
    most = np.concatenate([np.full(size, 1000.0), np.ones(len(absent))])
    found = []
    for k, cell in enumerate(absent):
        cost = np.zeros(width)
        cost[size + k] = 1
        x = milp(cost, constraints=limits, integrality=np.ones(width), bounds=Bounds(0, most)).x
        if x is not None and round(x[size + k]) == 1:
            found.append(f"{kind}: certainly somebody has {cell.what.strip()}, one of {hidden} that are not listed")
    return found
