"""One study attacked: its files read back once, and every attack on them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path

import attacker
import moving
import numpy as np
import polars as pl
import produce
import readers
import texts
import worlds
from attacker import Cell, Codebook, Ends, Finding, Row, Sum

import symphony_research as sr
from symphony_research.disclosure.release_record import as_output, for_release
from symphony_research.policy import Policy

TIMES = (*range(0, 331, 30), 365)  # of the grid, in days, that is published for every study
POLICIES: dict[str, Policy] = {
    "nhs_england": Policy.nhs_england(),
    "nhs_england strict": Policy.nhs_england(level="strict"),
    "opensafely": Policy.opensafely(),
    "sacro": Policy.sacro(),
    "sacro strict": Policy.sacro(level="strict"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Attacked:
    """A study's released results and the files made of them."""

    world: worlds.World
    policy: Policy
    results: Mapping[str, sr.Result]
    released: Mapping[str, sr.Result]
    tables: Mapping[str, list[Row]]
    crossed: Sequence[Cell]
    words: Mapping[str, str]

    @property
    def rule(self) -> attacker.Rule:
        """The public rule."""
        return attacker.RULES[self.policy.name]

    @property
    def strict(self) -> bool:
        """Whether every number up to the threshold must stay possible."""
        return self.policy.level == "strict"

    @cached_property
    def book(self) -> Codebook:
        """What everybody knows."""
        return book_of(self.world, self.results)

    @cached_property
    def truth(self) -> np.ndarray:
        """What only the data's owner knows."""
        return truth_of(self.world, self.results, self.book)

    @cached_property
    def cells(self) -> list[Cell]:
        """Every count of conditions, strata, orders and curves, in results and in files."""
        found = [c for kind, r in self.released.items() if kind not in readers.ELSEWHERE for c in readers.of_result(kind, r, self.book)]  # fmt: skip
        for kind, rows in self.tables.items():
            found += readers.of_files(kind, rows, self.book)
        return [*found, *self.crossed]

    def wrong_counts(self) -> list[str]:
        """Released numbers that do not stand for the exact one: a small one shown, or one not rounded."""
        wrong = []
        for cell in self.cells:
            exact = attacker.value_of(cell.of, self.truth)
            if isinstance(cell.shown, int) and not cell.kind.endswith(".rows"):
                if cell.shown % self.rule.base or self.rule.small(cell.shown):
                    wrong.append(f"{cell.kind}: {cell.what} is shown as {cell.shown}")
                elif not self.rule.bounds(cell.shown)[0] <= exact <= self.rule.bounds(cell.shown)[1]:
                    wrong.append(f"{cell.kind}: {cell.what} is shown as {cell.shown} and is {exact}")
        return wrong

    def at_risk(self, wanted: Sequence[Cell] | None = None) -> list[Finding]:
        """Suppressed counts that all files together narrow down."""
        structure = structure_of(self.book)
        return attacker.at_risk(wanted or self.cells, self.truth, self.rule, structure, strict=self.strict)

    def wrong_words(self) -> list[str]:
        """Exact numbers in sentences, captions, alternative texts and metadata."""
        found = []
        for name, text in self.words.items():
            kind = name.split(".")[0]
            released, exact = self.released[kind], self.results[kind]
            shown = texts.numbers_of([released.estimates, *released.count_tables.values()])
            shown |= _explained(released)
            extra = [getattr(released, x) for x in ("overall", "groups", "quality") if hasattr(released, x)]
            if type(released).__module__.startswith("symphony_research.evaluation") and hasattr(
                released, "differences"
            ):
                extra.append(released.differences)
            if type(released).__name__ == "EffectBy":
                extra += [pl.DataFrame([released.whole]), pl.DataFrame([released.whole_difference])]
            if produce.has_test(released):
                extra.append(released.test)
            if (base := readers.base_of(kind)) in ("points", "quantile"):  # it says what the released curve says
                extra.append(self.released[kind.replace(base, "kaplan_meier")].estimates)
            shown |= texts.numbers_of(extra)
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
    if "characteristic" in result.estimates.columns:  # a sentence adds up categories that follow one another
        for own in result.estimates.partition_by([*result.by, "characteristic"]):
            shares = own["estimate"].fill_null(0).to_list()
            found |= {sum(shares[a:b]) for a in range(len(shares)) for b in range(a + 1, len(shares) + 1)}
    if type(result).__name__ == "ConditionCount":
        found |= _two_or_more(result)
    if hasattr(result, "verdict"):
        found |= _of_a_ratio(result)
    if result.disclosure is not None:
        found.add(float(result.disclosure.suppressed))
    return found


def _of_a_ratio(result: sr.Result) -> set[float]:
    """Percentages that a verdict, and what could have been seen, make of a released ratio's interval."""
    row = result.primary if hasattr(result, "primary") else getattr(result, "effect", result).row("rate ratio")
    if row["lower"] is None:
        return set()
    size = math.log(row["upper"] / row["lower"]) / (2 * 1.959964) * (1.959964 + 0.841621)
    seen = {
        math.ceil(100 * (1 - math.exp(-size))),
        math.ceil(100 * (math.exp(size) - 1)),
        math.ceil(10 * math.exp(size)) / 10,
    }
    return {100 * abs(1 - row["lower"]), 100 * abs(1 - row["upper"]), 80.0, *map(float, seen)}


def _two_or_more(result: sr.Result) -> set[float]:
    """Shares of people with two or more conditions that released counts give, and their Wilson limits."""
    cells, wholes = result.count_tables["cells"], result.count_tables["population"]
    found: set[float] = set()
    for level in wholes["sex"] if result.by else [None]:
        own, whole = (t.filter(pl.col("sex") == level) if result.by else t for t in (cells, wholes))
        n, few = whole["n_persons"][0], own.filter(pl.col("n_conditions") < 2)["n_persons"]
        some = own.filter(pl.col("n_conditions") > 1)["n_persons"]
        several = [some.sum(), None if few.null_count() else (n or 0) - few.sum()]
        found |= {k / n for k in several if n and k is not None and k <= n}
        # limits hold for every number that the shown ones may stand for: of each, the ends of its rounding
        for at, k in enumerate(several):
            slack = 2 * (len(some) if at == 0 else 1 + len(few))
            if not n or k is None:
                continue
            for people in (n - 2, n, n + 2):
                for held in range(max(k - slack, 0), min(k + slack, people) + 1):
                    share, z2 = held / people, 1.959963984540054**2 / people
                    half = (z2 * share * (1 - share) + z2**2 / 4) ** 0.5
                    found |= {(share + z2 / 2 + sign * half) / (1 + z2) for sign in (-1, 1)}
    return found


# -- the unknowns -----------------------------------------------------------------------------------------------


def _parts(world: worlds.World, results: Mapping[str, sr.Result]) -> list[tuple[tuple[str, ...], int]]:
    """People of sets who are told apart further, by name, and how many they are."""
    found: list[tuple[tuple[str, ...], int]] = []
    for kind, result in results.items():
        if kind == "sequences":
            tables = result.count_tables
            joined = tables["pairs"]
            for name in ("same_day", "alone"):
                joined = joined.join(tables[name], on=["first", "second"], how="left")
            for r in joined.iter_rows(named=True):
                pair = sorted((r["first"], r["second"]))
                found += [((name, *pair), int(r[name] or 0)) for name in readers.ORDERS]
    if "rate_model" in results:
        tables = results["rate_model"].count_tables
        for name in ("coefficients", "references"):
            found += [(("events", r["category"] or ""), r["n_events"]) for r in tables[name].iter_rows(named=True)]
    if "readmission" in results:
        people = results["readmission"].count_tables["people"]
        found += [(("readmission", r["readmitted"]), r["n_persons"]) for r in people.iter_rows(named=True)]
    if any(kind.startswith("rates__") and kind != "rates" + produce.BY for kind in results):
        found += moving.parts_of(world)
    baseline = results.get("baseline__by_sex", results.get("baseline"))
    if baseline is not None:
        for r in baseline.count_tables["categories"].iter_rows(named=True):
            if r["characteristic"] not in ("sex", "n_conditions"):
                found.append((("baseline", r.get("sex") or "", r["characteristic"], r["category"]), r["n_persons"]))
    return found


def book_of(world: worlds.World, results: Mapping[str, sr.Result]) -> Codebook:
    """What everybody knows: also, which sets are told apart further."""
    curves = any(readers.base_of(kind) in readers.CURVES for kind in results)
    last = int(world.people["time"].max()) if curves else -1
    further = tuple(name for name, _ in _parts(world, results))
    return Codebook(world.conditions, world.levels, tuple(t for t in TIMES if t <= last), further=further)


def truth_of(world: worlds.World, results: Mapping[str, sr.Result], book: Codebook) -> np.ndarray:
    """The number that every unknown is."""
    found = np.zeros(book.size)
    found[: book.of_sets] = world.cells.ravel()
    if book.times:
        for sex, cause, time in world.people.select("sex", "event", "time").iter_rows():
            level = sex if book.levels else None
            for outcome in range(2):
                ((at, _),) = book.ended(level, [cause], [min(book.slot(time), book.slots - 1)], outcome)
                found[at] += 1
        for sex, died, time in produce.after_events(world).select("sex", "died", "until").iter_rows():
            level = sex if book.levels else None
            ((at, _),) = book.ended(level, [died], [min(book.slot(time), book.slots - 1)], 2)
            found[at] += 1
        for sex, cause, time in produce.attendances(world).select("sex", "event", "time").iter_rows():
            level = sex if book.levels else None
            ((at, _),) = book.ended(level, [cause], [min(book.slot(time), book.slots - 1)], 3)
            found[at] += 1
    for name, n in _parts(world, results):
        found[book.apart(name)] = n
    return found


def structure_of(book: Codebook) -> dict[Sum, Ends]:
    """What holds of the unknowns whatever is published: people by conditions are people by time, parts are no more than their whole.

    Every reader knows that a Kaplan-Meier curve of the outcome takes its competing event for censoring.
    """
    found: dict[Sum, Ends] = {}
    if book.times:
        for level in book.levels or [None]:
            whole = book.sets(level, book.masks())
            for outcome in range(attacker.OUTCOMES):
                ended = [u for u, _ in book.ended(level, range(book.causes), range(book.slots), outcome)]
                found[tuple(sorted([*whole, *((u, -1) for u in ended)]))] = (0, 0)
            found |= {((u, 1), (u + book.of_times, -1)): (0, 0) for u in ended_of(book, level)}
            for time in book.times[
                1:
            ]:  # who is at risk of a first event is still followed, and who died without one has died
                for kind, (first, ever) in product(
                    ("incidence", "attendance"), (("at risk", "at risk"), ("event 2", "event 1"))
                ):
                    few = readers._in_state(kind, time, first, book, level)
                    many = readers._in_state("mean_count", time, ever, book, level)
                    found[tuple(sorted([*many, *((u, -n) for u, n in few)]))] = (0, np.inf)
    of_whole: dict[tuple[str, str], list[int]] = {}
    for name in book.further:
        if name[0] == "baseline":
            of_whole.setdefault((name[1], name[2]), []).append(book.apart(name))
        if name[0] == readers.ORDERS[0]:
            pair = name[1:]
            orders = [(book.apart((order, *pair)), -1) for order in readers.ORDERS]
            found[tuple(sorted([*book.sets(None, book.at_least(pair)), *orders]))] = (0, np.inf)
        if name[0] == "way":
            of_whole.setdefault((name[1], "way"), []).append(book.apart(name))
    again = [book.apart(name) for name in book.further if name[0] == "readmission"]
    if again:  # whoever is discharged is one of the people
        found[tuple(sorted([*book.sets(None, book.masks()), *((u, -1) for u in again)]))] = (0, np.inf)
    if book.times and any(
        name[0] == "way" for name in book.further
    ):  # whoever has the event somewhere has it on the curve
        for level in book.levels or [""]:
            had = [(book.apart(name), -1) for name in book.further if name[:2] == ("way", level) and name[3]]
            found[tuple(sorted([*book.ended(level or None, [1], range(book.slots), 1), *had]))] = (0, 0)
    for (level, _), parts in of_whole.items():
        whole = book.sets(level or None, book.masks())
        found[tuple(sorted([*whole, *((u, -1) for u in parts)]))] = (0, 0)
    return found


def ended_of(book: Codebook, level: str | None) -> list[int]:
    """The unknowns of the first outcome, of a stratum."""
    return [u for u, _ in book.ended(level, range(book.causes), range(book.slots))]


# -- studies ----------------------------------------------------------------------------------------------------


def attack(world: worlds.World, policy: Policy, results: Mapping[str, sr.Result] | None = None, *, files: bool = True) -> Attacked:  # fmt: skip
    """Compute, release and write a study, and read its files back."""
    results = produce.everything(world) if results is None else results
    released = produce.release_all(results, policy)
    tables: dict[str, list[Row]] = {}
    crossed: list[Cell] = []
    words: dict[str, str] = {}
    if files:
        with produce.temporary() as name:
            folder = Path(name)
            produce.write_tables(released, folder)
            tables = readers.read_tables(folder)
            crossed = list(readers.of_cross_tables(folder, book_of(world, results)))
            words = {p.name: texts.text_of(p) for p in sorted(folder.iterdir()) if p.suffix != ".csv"}
    return Attacked(world, policy, results, released, tables, crossed, words)


@lru_cache(maxsize=8)
def world_of(name: str) -> worlds.World:
    """A hand-made world by name, or a random one by seed."""
    return worlds.HAND_MADE[name]() if name in worlds.HAND_MADE else worlds.random_world(int(name))


@lru_cache(maxsize=8)
def results_of(name: str) -> dict[str, sr.Result]:
    """Everything a study finds, before any rule."""
    return produce.everything(world_of(name))


@lru_cache(maxsize=8)
def counts_of(name: str) -> dict[str, sr.Result]:
    """Every kind of count of a study, before any rule."""
    return produce.of_counts(world_of(name), curves=name.startswith("hub_"))


@lru_cache(maxsize=8)
def study(name: str, policy: str, *, whole: bool = False) -> Attacked:
    """A study attacked once for several tests: its counts, or the whole of what can be asked of it."""
    return attack(world_of(name), POLICIES[policy], results_of(name) if whole else counts_of(name))


# -- two studies that release the same --------------------------------------------------------------------------

COUNTED_ALONE = ("prevalence", "condition_count", "exact", "at_least", "further", "comorbidity_profile", "cooccurrence", "backbone", "set_centrality", "centrality")  # fmt: skip


def another_study(world: worlds.World, policy: Policy, seed: int) -> np.ndarray | None:
    """Other people of each set and stratum, of whom every count is rounded alike and small alike; None where there are none."""
    rule, book = attacker.RULES[policy.name], Codebook(world.conditions, world.levels)
    flat = world.cells.ravel()
    system = attacker.System(flat.size, rule)
    sums = set()
    for level in [None, *world.levels]:
        for mask in book.masks():
            names = [c for k, c in enumerate(book.conditions) if mask >> k & 1]
            sums |= {book.sets(level, [mask]), book.sets(level, book.at_least(names))}
        for own in (list(book.masks()), *(book.at_least([name]) for name in book.conditions)):
            for k in range(len(book.conditions) + 1):
                sums.add(book.sets(level, [m for m in own if m.bit_count() == k]))
                sums.add(book.sets(level, [m for m in own if m.bit_count() >= k]))
    for of in sorted(sums):
        n = attacker.value_of(of, flat)
        small = (max(rule.low, 1), rule.high) if n else (0, 0)  # a set has a row if anybody is in it
        system.bound(of, *(small if rule.small(n) else rule.bounds(rule.rounded(n))))
    found = system.solve(np.random.default_rng((seed, 99)).normal(size=flat.size))
    return None if found is None or np.array_equal(found, flat) else found.reshape(world.cells.shape).astype(int)


def bytes_of(world: worlds.World, policy: Policy, *, pictures: bool = False) -> dict[str, bytes]:
    """Every file of a study's counts, and of the figures that rest on counts alone."""
    bare = dataclasses.replace(world, values=())
    made = produce.of_patterns(bare, (), COUNTED_ALONE)
    made |= produce.of_patterns(bare, world.by, COUNTED_ALONE) if world.by else {}
    released = produce.release_all(made, policy)
    with produce.temporary() as name:
        folder = Path(name)
        produce.write_tables(released, folder)
        produce.write_networks(released, folder)
        if pictures:
            chosen = {
                k: r for k, r in released.items() if readers.base_of(k) in ("prevalence", "exact", "cooccurrence")
            }
            produce.write_pictures(chosen, folder)
        record = [for_release(as_output(r)) for r in released.values()]
        return {p.name: p.read_bytes() for p in sorted(folder.iterdir())} | {"release.json": repr(record).encode()}


def twins_differ(world: worlds.World, policy: Policy, *, pictures: bool = False) -> tuple[list[str], bool]:
    """Names of files that differ between two studies of which every count is rounded alike and small alike; and whether there was a twin."""
    cells = another_study(world, policy, world.seed)
    if cells is None:
        return [], False
    one, other = (bytes_of(w, policy, pictures=pictures) for w in (world, worlds.twin_of(world, cells)))
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name)), True
