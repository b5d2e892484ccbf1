"""One study attacked: its files read back once, and every attack on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import attacker
import curves
import dominance
import figures
import numpy as np
import objects
import produce
import rows
import texts
import worlds
from attacker import Cell, Codebook, Finding, Row, base_of
from figures import Files

import symphony_research as sr

POLICIES = {p.name: p for p in (sr.Policy.nhs_england(), sr.Policy.opensafely(), sr.Policy.sacro())}

# how each family's figures are attacked; a family without an entry fails a test
ATTACKS: dict[str, Callable[[str, list[Row], Files], list[str]]] = {
    "Attrition": figures.attrition,
    "Backbone": figures.backbone,
    "Centrality": figures.network_figures,
    "CombinationCosts": figures.costs,
    "Combinations": figures.combinations,
    "Communities": figures.network_figures,
    "Companions": figures.companions,
    "ConditionCount": figures.condition_count,
    "Cooccurrence": figures.pairs,
    "CumulativeIncidence": curves.incidence,
    "CurvePoints": curves.points,
    "FurtherConditions": figures.further,
    "LogRankTest": curves.logrank,
    "NetworkComparison": figures.comparison,
    "Prevalence": figures.prevalence,
    "Sequences": figures.sequences,
    "SetCentrality": figures.set_centrality,
    "SurvivalCurve": curves.kaplan_meier,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Attacked:
    """A study's released results and the files made of them."""

    world: worlds.World
    policy: sr.Policy
    results: Mapping[str, sr.Result]
    released: Mapping[str, sr.Result]
    tables: Mapping[str, list[Row]]
    cells: Sequence[Cell]
    words: Mapping[str, str]

    @property
    def rule(self) -> attacker.Rule:
        """The public rule."""
        return attacker.RULES[self.policy.name]

    @cached_property
    def book(self) -> Codebook:
        """What everybody knows."""
        return Codebook(self.world.conditions, self.world.levels)

    def kinds(self) -> list[str]:
        """Files that hold counts of conditions."""
        return sorted({cell.kind for cell in self.cells})

    def wrong_counts(self) -> list[str]:
        """Counts that the rule does not show."""
        return attacker.contradictions(self.cells, self.world.cells, self.rule)

    def from_one_file(self) -> list[Finding]:
        """Small counts of which one file alone tells more than the stars of all."""
        found = []
        for kind in self.kinds():
            own = [c for c in self.cells if c.kind == kind]
            found += attacker.found_out(own, self.world.cells, self.rule, stars=self.cells)
        return found

    def from_all_files(self) -> list[Finding]:
        """Small counts that follow from all files together."""
        return attacker.found_out(self.cells, self.world.cells, self.rule)

    def from_one_row(self) -> list[Finding]:
        """Small parts that follow from a sum and the other parts in the same row."""
        found = []
        for kind, result in self.released.items():
            exact = self.results[kind].count_tables
            if type(result).__name__ == "CombinationCosts" and self.tables[kind]:
                found += rows.of_compared(kind, self.tables[kind], exact, self.rule)
            if kind == "sequences":
                found += rows.of_order(self.tables[kind], self.tables["cooccurrence"], exact, self.rule)
        return found

    def named(self) -> list[str]:
        """Sets that somebody certainly has though they are not listed."""
        found = []
        for kind, text in self.words.items():
            if kind.endswith(".html") and "cross" not in kind:
                name = kind.removesuffix(".html")
                own = [c for c in self.cells if c.kind == name]
                found += rows.named_by_their_number(name, text, own, self.book.size, self.rule)
        return found

    def wrong_figures(self, family: str | None = None) -> list[str]:
        """Figures that do not follow from the counts beside them."""
        files = Files(self.tables, self.book, self.rule)
        found = []
        for kind, result in self.released.items():
            name = type(result).__name__
            if family in (None, name) and kind in self.tables and self.tables[kind]:
                found += [f"{kind}: {x}" for x in ATTACKS[name](kind, self.tables[kind], files)]
        return found

    def dominated(self) -> list[str]:
        """Means that are nearly one or two people's."""
        return dominance.shown(self.tables, self.world)

    def wrong_objects(self) -> list[str]:
        """What the results themselves hold."""
        return [
            f"{kind}: {x}" for kind, r in self.released.items() for x in objects.look(dict(r.count_tables), self.rule)
        ]

    def twins(self) -> tuple[list[str], bool]:
        """Files that another study with the same released counts writes otherwise, and whether there is one."""
        return twins_differ(self.world, self.policy)

    def wrong_words(self) -> list[str]:
        """Exact numbers in sentences, captions, alternative texts and metadata."""
        found = []
        for name, text in self.words.items():
            kind = name.split(".")[0]
            released, exact = self.released[kind], self.results[kind]
            shown = texts.numbers_of([released.estimates, *released.count_tables.values()])
            shown |= _explained(released)
            shown |= texts.numbers_of(
                [getattr(released, x) for x in ("overall", "groups", "quality") if hasattr(released, x)]
            )
            if kind.startswith("points"):  # its sentence is read from the curve
                shown |= texts.numbers_of([self.released[kind.replace("points", "kaplan_meier")].estimates])
            truth = texts.numbers_of([exact.estimates, *exact.count_tables.values()])
            found += [f"{name}: {x}" for x in texts.unexplained(text, shown, truth - shown, self.rule)]
        return found


def _explained(result: sr.Result) -> set[float]:
    """Numbers that stand for no count: settings, numbers of rows and tests, sums and ratios of what is shown."""
    found = {float(result.estimates.height), float(getattr(result, "n_tested", 0) or 0), 0.95, 100.0, 0.001}
    found |= {float(t.height) for t in result.count_tables.values()}
    for column in ("n_persons", "n_both"):
        if column in result.estimates.columns:
            found.add(float(result.estimates[column].sum()))
            found.add(float(result.estimates[column].null_count()))
    if result.disclosure is not None:
        found.add(float(result.disclosure.hidden))
    return found


def attack(world: worlds.World, policy: sr.Policy, results: Mapping[str, sr.Result] | None = None, *, pictures: bool = False, formats: tuple[str, ...] = ("svg",)) -> Attacked:  # fmt: skip
    """Make, release and write a study, and read its files back."""
    results = produce.everything(world) if results is None else results
    released = produce.release_all(results, policy)
    with produce.temporary() as name:
        folder = Path(name)
        produce.write_tables(released, folder)
        if pictures:
            produce.write_pictures(released, folder, formats)
            produce.write_networks(released, folder)
        tables = attacker.read_tables(folder)
        book = Codebook(world.conditions, world.levels)
        cells = [*attacker.published(tables, book), *attacker.crossed_cells(folder, book)]
        words = {p.name: texts.text_of(p) for p in sorted(folder.iterdir()) if p.suffix != ".csv"}
    return Attacked(world, policy, results, released, tables, cells, words)


@lru_cache(maxsize=4)
def world_of(name: str) -> worlds.World:
    """A hand-made world by name, or a random one by seed."""
    return worlds.HAND_MADE[name]() if name in worlds.HAND_MADE else worlds.random_world(int(name))


@lru_cache(maxsize=4)
def results_of(name: str) -> dict[str, sr.Result]:
    """Everything a study finds, before any rule."""
    return produce.everything(world_of(name))


@lru_cache(maxsize=4)
def study(name: str, policy: str) -> Attacked:
    """A study attacked once for several tests."""
    return attack(world_of(name), POLICIES[policy], results_of(name))


# -- two studies that release the same --------------------------------------------------------------------------


def another_study(world: worlds.World, kinds: Sequence[str], policy: sr.Policy, seed: int) -> np.ndarray | None:
    """Cells other than the true ones that give the same released counts and hide the same ones."""
    rule = attacker.RULES[policy.name]
    book = Codebook(world.conditions, world.levels)
    flat = world.cells.ravel()
    system = attacker.System(flat.size, rule)
    sums = set()
    for s in [None, *world.levels]:
        sums |= {book.sum_of(s, book.masks())}
        for mask in book.masks():
            names = [c for k, c in enumerate(book.conditions) if mask >> k & 1]
            sums |= {book.sum_of(s, [mask]), book.sum_of(s, book.at_least(names))}
        for name in (None, *book.conditions):
            own = list(book.masks()) if name is None else book.at_least([name])
            for k in range(len(book.conditions) + 1):
                sums.add(book.sum_of(s, [m for m in own if m.bit_count() == k]))
                sums.add(book.sum_of(s, [m for m in own if m.bit_count() >= k]))
    for cells in sums:
        n = int(flat[list(cells)].sum())
        if rule.small(n):
            # who is listed at all is not known to be the same where nobody is
            system.bounds[cells] = (max(rule.low, 1), rule.high) if n else (0, 0)
        else:
            low, high = rule.bounds((n + 2) // 5 * 5)
            system.bounds[cells] = (low, high)
    rng = np.random.default_rng((seed, 99))
    found = system.solve(rng.normal(size=flat.size))
    if found is None or np.array_equal(found, flat):
        return None
    return found.reshape(world.cells.shape).astype(int)


TWIN_KINDS = ("prevalence", "condition_count", "condition_count_top", "exact", "at_least", "closed", "maximal", "further", "companions",
              "cooccurrence", "backbone", "set_centrality", "centrality", "communities")  # fmt: skip


def of_counts_alone(world: worlds.World) -> dict[str, sr.Result]:
    """Everything whose figures rest on counts alone: no costs, no factors."""
    bare = _Bare(**{f.name: getattr(world, f.name) for f in dataclasses.fields(world)})
    made = produce.of_patterns(bare, (), TWIN_KINDS)
    return made | (produce.of_patterns(bare, world.by, TWIN_KINDS) if world.by else {})


class _Bare(worlds.World):
    def patterns(self, by: Sequence[str] = (), values: Sequence[str] = ()) -> sr.Patterns:
        return super().patterns(by, ())


def bytes_of(results: Mapping[str, sr.Result], policy: sr.Policy, *, pictures: bool) -> dict[str, bytes]:
    """Every file of some results."""
    released = produce.release_all(results, policy)
    with produce.temporary() as name:
        folder = Path(name)
        produce.write_tables(released, folder)
        produce.write_networks(released, folder)
        if pictures:
            produce.write_pictures({k: r for k, r in released.items() if base_of(k) in ("prevalence", "exact", "cooccurrence", "further")}, folder)  # fmt: skip
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def twins_differ(world: worlds.World, policy: sr.Policy, *, pictures: bool = False) -> tuple[list[str], bool]:
    """Names of files that differ between two studies with the same released counts; and whether there was a twin."""
    cells = another_study(world, TWIN_KINDS, policy, world.seed)
    if cells is None:
        return [], False
    one = bytes_of(of_counts_alone(world), policy, pictures=pictures)
    other = bytes_of(of_counts_alone(worlds.twin_of(world, cells)), policy, pictures=pictures)
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)), True
