"""What somebody with nothing but a study's files works out from them.

Nothing here is taken from the library. The rules are the public ones: NHS
England and OpenSAFELY show 1 to 7 people as "*" and other counts to the nearest
five, halves up; SACRO shows 0 to 9 as "*". The attacker is told which stars
stand for a small count, and which sexes and conditions there are.

Every table of conditions is a sum of the same unknown cells, x[stratum, exact
set of conditions]: whole numbers, none below nought. What is published bounds
sums of them, and a small count is found out where the published numbers leave
fewer values than telling which stars are small leaves by itself.
"""

from __future__ import annotations

import csv
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp

STAR, ABSENT = "*", "not listed"
Row = dict[str, str]


@dataclass(frozen=True)
class Rule:
    """A public rule: stars stand for `low` to `high` people, other counts are to the nearest `base`."""

    name: str
    low: int
    high: int
    base: int = 5

    def bounds(self, shown: int) -> tuple[int, int]:
        """Counts that a visible number may stand for."""
        if shown == 0:
            return 0, 0
        low, high = shown - self.base // 2, shown + (self.base - 1) // 2
        return max(low, self.high + 1), high

    def small(self, count: int) -> bool:
        """Whether a count may not be told."""
        return self.low <= count <= self.high


RULES = {
    "nhs_england": Rule("nhs_england", 1, 7),
    "opensafely": Rule("opensafely", 1, 7),
    "sacro": Rule("sacro", 0, 9),
}


@dataclass(frozen=True)
class Codebook:
    """What everybody knows of a study: its conditions, its strata, and the condition companions were asked of."""

    conditions: tuple[str, ...]
    levels: tuple[str, ...]  # empty: no strata

    @property
    def size(self) -> int:
        """Number of unknown cells."""
        return max(len(self.levels), 1) << len(self.conditions)

    def sum_of(self, stratum: str | None, wanted: Iterable[int]) -> frozenset[int]:
        """Positions of the cells that a published count adds up."""
        strata = range(max(len(self.levels), 1)) if stratum is None else [self.levels.index(stratum)]
        wanted = list(wanted)
        return frozenset((s << len(self.conditions)) + mask for s in strata for mask in wanted)

    def masks(self) -> range:
        """Every set of conditions."""
        return range(1 << len(self.conditions))

    def mask(self, names: Iterable[str]) -> int:
        """A set of conditions by name."""
        return sum(1 << self.conditions.index(name) for name in names)

    def at_least(self, names: Iterable[str]) -> list[int]:
        """Sets that hold these conditions."""
        own = self.mask(names)
        return [m for m in self.masks() if m & own == own]


@dataclass(frozen=True)
class Cell:
    """One published count: which cells it adds up, and what is shown."""

    kind: str
    what: str
    cells: frozenset[int]
    shown: int | str


def read_tables(folder: Path) -> dict[str, list[Row]]:
    """Read every CSV of a folder."""
    found = {}
    for path in sorted(folder.glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            found[path.stem] = list(csv.DictReader(lines))
    return found


def number(text: str | None) -> float | None:
    """A figure of a table; None where it is hidden or does not exist."""
    return None if text in (None, "", STAR) else float(text)  # type: ignore[arg-type]


def count(text: str) -> int | str:
    """A count of a table."""
    return STAR if text in (STAR, "") else int(float(text))


def base_of(kind: str) -> str:
    """The analysis behind a file's name."""
    return kind.split("__")[0]


def stratum_of(row: Row) -> str | None:
    """The stratum of a row."""
    return row.get("sex")


def names_of(row: Row) -> list[str]:
    """The conditions of a combination."""
    return [name for name in row["combination"].split(" + ") if name]


# -- from tables to cells ---------------------------------------------------------------------------------------


def published(tables: Mapping[str, list[Row]], book: Codebook) -> list[Cell]:
    """Every count of every table as a sum of cells."""
    found: list[Cell] = []
    for kind, rows in tables.items():
        reader = READERS.get(base_of(kind))
        if reader:
            found += reader(kind, rows, book)
    return found


def _total(kind: str, rows: Sequence[Row], book: Codebook, of: str = "n_persons") -> list[Cell]:
    """The people behind a share: count / share tells the released total."""
    found = {}
    for row in rows:
        n, share = number(row[of]), number(row.get("estimate"))
        if n and share:
            found[stratum_of(row)] = round(n / share)
    return [Cell(kind, f"everybody {s or ''}", book.sum_of(s, book.masks()), n) for s, n in found.items()]


def _prevalence(kind: str, rows: list[Row], book: Codebook) -> list[Cell]:
    own = [
        Cell(kind, f"{r['condition']} {stratum_of(r) or ''}", book.sum_of(stratum_of(r), book.at_least([r["condition"]])), count(r["n_persons"]))
        for r in rows
    ]  # fmt: skip
    return own + _total(kind, rows, book)


def _condition_count(kind: str, rows: list[Row], book: Codebook) -> list[Cell]:
    last = 2 if base_of(kind) == "condition_count_top" else None
    found = []
    for r in rows:
        k, s = int(r["n_conditions"]), stratum_of(r)
        wanted = [m for m in book.masks() if m.bit_count() == k or (k == last and m.bit_count() > k)]
        found.append(Cell(kind, f"{k} conditions {s or ''}", book.sum_of(s, wanted), count(r["n_persons"])))
    return found


def _sets(kind: str, rows: list[Row], book: Codebook) -> list[Cell]:
    exact = base_of(kind) in ("exact", "costs")
    found, there = [], set()
    for r in rows:
        if r.get("kind") == "condition":
            wanted = book.at_least(names_of(r))
        else:
            wanted = [book.mask(names_of(r))] if exact else book.at_least(names_of(r))
        there.add((stratum_of(r), book.mask(names_of(r))))
        found.append(Cell(kind, f"{r['combination']} {stratum_of(r) or ''}", book.sum_of(stratum_of(r), wanted), count(r["n_persons"])))  # fmt: skip
    if kind.split("__adjusted")[0] in ("exact", "at_least", "exact__by_sex", "at_least__by_sex"):
        # every set was asked for: what is not listed is hidden, or nobody's
        least = 2 if "adjusted" in kind else 0 if exact else 1
        for s in book.levels if kind.endswith("by_sex") else [None]:
            for mask in book.masks():
                if mask.bit_count() >= least and (s, mask) not in there:
                    names = [c for k, c in enumerate(book.conditions) if mask >> k & 1]
                    wanted = [mask] if exact else book.at_least(names)
                    found.append(Cell(kind, f"{' + '.join(names)} {s or ''}", book.sum_of(s, wanted), ABSENT))
    if base_of(kind) in ("exact", "at_least", "closed", "maximal"):
        found += _total(kind, rows, book)
    return found


def _further(kind: str, rows: list[Row], book: Codebook) -> list[Cell]:
    found = []
    for r in rows:
        k, s, own = int(r["n_others"]), stratum_of(r), book.at_least([r["condition"]])
        wanted = [m for m in own if m.bit_count() - 1 == k or (k == 3 and m.bit_count() > 4)]
        found.append(
            Cell(kind, f"{r['condition']} and {k} others {s or ''}", book.sum_of(s, wanted), count(r["n_persons"]))
        )
    return found


def _companions(kind: str, rows: list[Row], book: Codebook) -> list[Cell]:
    own = book.conditions[0]
    found, of = [], {}
    for r in rows:
        s = stratum_of(r)
        found.append(Cell(kind, f"{own} + {r['condition']} {s or ''}", book.sum_of(s, book.at_least([own, r["condition"]])), count(r["n_persons"])))  # fmt: skip
        n, share = number(r["n_persons"]), number(r["estimate"])
        if n and share and share < 1:
            of[s] = round(n / share)
    return found + [Cell(kind, f"{own} {s or ''}", book.sum_of(s, book.at_least([own])), n) for s, n in of.items()]


def _pairs(kind: str, rows: list[Row], book: Codebook) -> list[Cell]:
    found = []
    for r in rows:
        s = stratum_of(r)
        for column, names in (("n_both", [r["source"], r["target"]]), ("n_source", [r["source"]]), ("n_target", [r["target"]]), ("n_persons", [])):  # fmt: skip
            found.append(Cell(kind, f"{' + '.join(names) or 'everybody'} {s or ''}", book.sum_of(s, book.at_least(names)), count(r[column])))  # fmt: skip
    return found


def _comparison(kind: str, rows: list[Row], book: Codebook) -> list[Cell]:
    found = []
    for r in rows:
        for side, s in zip("ab", book.levels[:2], strict=True):
            found.append(Cell(kind, f"{r['source']} + {r['target']} {s}", book.sum_of(s, book.at_least([r["source"], r["target"]])), count(r[f"n_both_{side}"])))  # fmt: skip
    return found


READERS = {
    "prevalence": _prevalence,
    "centrality": _prevalence,
    "communities": _prevalence,
    "condition_count": _condition_count,
    "condition_count_top": _condition_count,
    "exact": _sets,
    "at_least": _sets,
    "closed": _sets,
    "maximal": _sets,
    "triads": _sets,
    "costs": _sets,
    "costs_at_least": _sets,
    "set_centrality": _sets,
    "further": _further,
    "companions": _companions,
    "cooccurrence": _pairs,
    "backbone": _pairs,
    "comparison": _comparison,
}


def crossed_cells(folder: Path, book: Codebook) -> list[Cell]:
    """Counts of the cross tables, where a set that is listed at all says which sexes have nobody with it."""
    found = []
    for path in sorted(folder.glob("*.cross.html")):
        kind = path.name.removesuffix(".cross.html")
        text = path.read_text(encoding="utf-8")
        head = re.search(r"<thead>(.*?)</thead>", text, re.S)
        heads = [html.unescape(h) for h in re.findall(r"<th[^>]*>(.*?)</th>", head.group(1))] if head else []
        levels = [{"women": "F", "men": "M", "f": "F", "m": "M"}.get(h.lower(), h.lower()) for h in heads]
        for row in re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', text, re.S):
            said = html.unescape(row[0]).lower()
            values = [html.unescape(v) for v in re.findall(r"<td[^>]*>(.*?)</td>", row[1])]
            names = [c for c in book.conditions if re.search(rf"\b{c}\b", said)]
            if base_of(kind) == "condition_count":
                wanted = [m for m in book.masks() if m.bit_count() == int(said)]
            elif base_of(kind) == "exact":
                wanted = [book.mask(names)]
            elif base_of(kind) in ("at_least", "prevalence"):
                wanted = book.at_least(names)
            else:
                continue
            for level, value in zip(levels[-len(values) :], values, strict=True):
                if level in book.levels and re.fullmatch(r"[\d,]+|\*", value):
                    shown = STAR if value == STAR else int(value.replace(",", ""))
                    found.append(Cell(f"{kind}, cross table", f"{said} {level}", book.sum_of(level, wanted), shown))
    return found


# -- the linear system ------------------------------------------------------------------------------------------


@dataclass
class Finding:
    """A count that was found out."""

    kind: str
    what: str
    possible: tuple[int, ...]
    without: tuple[int, ...]  # what was possible before anything was published
    visible: bool = False

    @property
    def exact(self) -> bool:
        """Whether one value is left."""
        return len(self.possible) == 1

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} is one of {list(self.possible)} of {list(self.without)}"


@dataclass
class System:
    """Published counts as bounds on sums of cells, the tightest for each sum."""

    size: int
    rule: Rule
    bounds: dict[frozenset[int], tuple[float, float]] = field(default_factory=dict)
    targets: dict[frozenset[int], Cell] = field(default_factory=dict)

    @classmethod
    def of(cls, cells: Sequence[Cell], truth: np.ndarray, rule: Rule) -> System:
        """Build it. Of the truth only what the attacker is told is used: which stars are small."""
        made = cls(truth.size, rule)
        flat = truth.ravel()
        for cell in cells:
            if isinstance(cell.shown, int):
                low, high = rule.bounds(cell.shown)
            elif rule.small(int(flat[list(cell.cells)].sum())):
                low, high = rule.low, rule.high
                made.targets.setdefault(cell.cells, cell)
            else:
                continue
            before = made.bounds.get(cell.cells, (0, np.inf))
            made.bounds[cell.cells] = max(low, before[0]), min(high, before[1])
        return made

    def only_told(self) -> System:
        """The system of somebody who is told which stars are small, and has seen no number."""
        told = {cells: (float(self.rule.low), float(self.rule.high)) for cells in self.targets}
        return System(self.size, self.rule, told, self.targets)

    def solve(self, cost: np.ndarray, fixed: frozenset[int] | None = None, value: int = 0) -> np.ndarray | None:
        """Whole cells that fit everything, the cheapest."""
        sums = list(self.bounds)
        matrix = np.zeros((len(sums) + (fixed is not None), self.size))
        low, high = np.zeros(len(matrix)), np.zeros(len(matrix))
        for at, cells in enumerate(sums):
            matrix[at, list(cells)] = 1
            low[at], high[at] = self.bounds[cells]
        if fixed is not None:
            matrix[-1, list(fixed)] = 1
            low[-1] = high[-1] = value
        found = milp(
            cost, constraints=LinearConstraint(matrix, low, high), integrality=np.ones(self.size),
            bounds=Bounds(0, 1000), options={"time_limit": 20.0},
        )  # fmt: skip
        if found.x is None:
            if found.status != 2:
                raise RuntimeError(f"the solver gave up: {found.message}")
            return None
        return np.rint(found.x)

    def possible(self, known: np.ndarray, seed: int = 0) -> dict[frozenset[int], set[int]]:
        """Return which values every target may still have; `known` is one solution to begin from."""
        values = range(self.rule.low, self.rule.high + 1)
        found: dict[frozenset[int], set[int]] = {cells: set() for cells in self.targets}

        def mark(x: np.ndarray) -> None:
            for cells, seen in found.items():
                seen.add(int(x[list(cells)].sum()))

        mark(known.ravel())
        rng = np.random.default_rng(seed)
        for _ in range(4):
            x = self.solve(rng.normal(size=self.size))
            assert x is not None, "the published numbers contradict each other"
            mark(x)
        for cells, seen in found.items():
            for value in values:
                if value not in seen:
                    x = self.solve(rng.normal(size=self.size), cells, value)
                    if x is not None:
                        mark(x)
        return {cells: seen & set(values) for cells, seen in found.items()}


def found_out(
    cells: Sequence[Cell], truth: np.ndarray, rule: Rule, stars: Sequence[Cell] | None = None
) -> list[Finding]:
    """Return the small counts of which the published numbers leave fewer values than the stars do: these, or those given."""
    system = System.of(cells, truth, rule)
    if not system.targets:
        return []
    possible = system.possible(truth)
    everything = set(range(rule.low, rule.high + 1))
    if all(seen == everything for seen in possible.values()):
        return []
    told = system if stars is None else System.of(stars, truth, rule)
    before = told.only_told().possible(truth)
    return [
        Finding(system.targets[c].kind, system.targets[c].what, tuple(sorted(seen)), tuple(sorted(before[c])))
        for c, seen in possible.items()
        if before[c] - seen
    ]


def visible_found_out(cells: Sequence[Cell], truth: np.ndarray, rule: Rule) -> tuple[int, int]:
    """Return how many visible counts there are, and of how many only one value is left."""
    system = System.of(cells, truth, rule)
    shown = [c for c, (low, high) in system.bounds.items() if high > low and c not in system.targets]
    exact = 0
    for cells_ in shown:
        cost = np.zeros(system.size)
        cost[list(cells_)] = 1
        least, most = system.solve(cost), system.solve(-cost)
        assert least is not None
        assert most is not None
        exact += int(least[list(cells_)].sum() == most[list(cells_)].sum())
    return len(shown), exact


def contradictions(cells: Sequence[Cell], truth: np.ndarray, rule: Rule) -> list[str]:
    """Return the published counts that do not stand for the true one: a small one shown, or one not rounded."""
    flat, wrong = truth.ravel(), []
    for cell in cells:
        exact = int(flat[list(cell.cells)].sum())
        if isinstance(cell.shown, int):
            if cell.shown % rule.base or rule.small(cell.shown):
                wrong.append(f"{cell.kind}: {cell.what} is shown as {cell.shown}")
            elif not rule.bounds(cell.shown)[0] <= exact <= rule.bounds(cell.shown)[1]:
                wrong.append(f"{cell.kind}: {cell.what} is shown as {cell.shown} and is {exact}")
    return wrong
