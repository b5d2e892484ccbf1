"""The linear relations between the people of cells, from what their definitions say.

Every relation here is true of any people: sets within sets, parts that make up
a whole, features counted one by one and by number. Only those between numbers
that are published are written out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

from symphony_research.disclosure.divisions import Divisions
from symphony_research.disclosure.outputs import UNBOUNDED, ReleasedOutput
from symphony_research.result.cells import (
    BETWEEN,
    UNLIMITED,
    CellDefinition,
    Covered,
    Nested,
    Partition,
    Relation,
    Same,
    Stratum,
    at_least,
    features_of,
)

__all__ = ["REST", "Rest", "Row", "declared", "divided_in", "related", "relations_between", "rests_of", "wholes_of"]

# coefficients of cells, and between which numbers their sum lies
Row = tuple[list[tuple[CellDefinition, float]], float, float]
Domain = tuple[Stratum, str]
# a whole, by what it is divided, its strata that are published, and how many are missing
Divided = tuple[CellDefinition, tuple[str, ...], list[CellDefinition], int | None]
REST = "\0the rest"
MOST_PAIRS = 24  # of which anybody has both, that are added up against numbers of features
MOST_INSIDE = 3  # features of the sets that exact sets are added up for


def wholes_of(published: Sequence[ReleasedOutput]) -> set[CellDefinition]:
    """Return the cells that relations of families are about: unknowns, whether they are published or not."""
    found: set[CellDefinition] = set()
    for one in published:
        for relation in one.relations:
            if isinstance(relation, Partition):
                found |= {relation.whole, *relation.parts}
            elif isinstance(relation, Nested):
                found |= {relation.inner, relation.outer}
    return found


def related(published: Sequence[ReleasedOutput]) -> Callable[[CellDefinition], bool]:
    """Return whether anything is known to relate a cell to others: of one that stands alone, if a family declares it."""
    linked = {cell for cell in wholes_of(published) if cell.isolated}
    return lambda cell: not cell.isolated or cell in linked


@dataclass(frozen=True)
class Rest:
    """What parts that are published leave of their whole: people of cells that are not published.

    Attributes
    ----------
    of : CellDefinition
        A name for them, in no other relation.
    whole : CellDefinition
    parts : tuple of CellDefinition
    cells : int
        Of how many cells, if that is known; each of at most the threshold. 0 if it is not.
    """

    of: CellDefinition
    whole: CellDefinition
    parts: tuple[CellDefinition, ...]
    cells: int = 0


def rests_of(
    cells: Sequence[CellDefinition],
    published: Sequence[ReleasedOutput],
    shown: set[CellDefinition],
    unnamed: Mapping[Domain, Sequence[CellDefinition]],
    divided: Iterable[Divided] | None = None,
) -> list[Rest]:
    """Return what is left of wholes where parts are missing: strata that are suppressed or have no row, sets that are not named.

    With the wholes of these cells and their strata, where they are known already.
    """
    found = []
    for whole, names, own, missing in divided_in(cells, published) if divided is None else divided:
        if missing and whole in shown:
            pairs = (*whole.stratum, *((name, REST) for name in names))
            found.append(Rest(whole.in_stratum(tuple(sorted(pairs))), whole, tuple(own), missing))
    exact: dict[Domain, list[CellDefinition]] = defaultdict(list)
    sets: dict[Domain, list[CellDefinition]] = defaultdict(list)
    for cell in cells:
        if cell.is_exact and not cell.state:
            exact[(cell.stratum, cell.side)].append(cell)
        elif not (cell.isolated or cell.state or cell.sized):
            sets[(cell.stratum, cell.side)].append(cell)
    numbers: dict[Domain, list[CellDefinition]] = defaultdict(list)
    for cell in cells:
        if cell.sized and not (cell.isolated or cell.state or cell.having):
            numbers[(cell.stratum, cell.side)].append(cell)
    for place, own in exact.items():
        for whole, parts in _inside(own, sets[place]):
            of_list = [cell for cell in numbers[place] if cell.among == parts[0].among]
            if not any(part.having for part in parts) and _filling(1, UNLIMITED, of_list):
                continue  # who has anything is counted by number, and the set of nothing is one of the numbers
            among = parts[0].among
            every = 2 ** (among.count(BETWEEN) + 1 - len(whole.having))
            missing = sum(
                set(cell.having) >= set(whole.having) for cell in unnamed.get(place, ()) if cell.among == among
            )
            if whole in shown and len(parts) < every:
                # the sets without a row are known one by one, or may be of any number
                known = missing if len(parts) + missing == every else 0
                found.append(Rest(whole.in_state(REST, among), whole, tuple(parts), known))
    return found


def relations_between(
    cells: Sequence[CellDefinition],
    published: Sequence[ReleasedOutput],
    divided: Iterable[Divided] | None = None,
) -> Iterator[Row]:
    """Return every relation between cells that follows from their definitions, and those their families declare.

    With the wholes of these cells and their strata, where they are known already.
    """
    there = set(cells)
    zeros = {cell.of for one in published for cell in one.cells if cell.shown == 0}
    yield from declared((relation for one in published for relation in one.relations), there)
    yield from _strata(divided_in(cells, published) if divided is None else divided)
    places: dict[Domain, list[CellDefinition]] = defaultdict(list)
    for cell in cells:
        if not cell.isolated:
            places[(cell.stratum, cell.side)].append(cell)
    for own in places.values():
        yield from _within_whole(own, there)
        plain = [cell for cell in own if not cell.state]
        sets = [cell for cell in plain if cell.having and not cell.sized]
        sized = [cell for cell in plain if cell.sized]
        yield from _sets(sets, there)
        if sized:
            yield from _sizes(sized, there)
            yield from _exact_sets([cell for cell in sized if cell.is_exact], sets, sized, there)
            yield from _features(sized, there, zeros)


def declared(relations: Iterable[Relation], there: set[CellDefinition]) -> Iterator[Row]:
    """Return the relations that families declare."""
    for relation in dict.fromkeys(relations):
        if isinstance(relation, Nested):
            if {relation.inner, relation.outer} <= there:
                yield [(relation.outer, 1.0), (relation.inner, -1.0)], 0.0, UNBOUNDED
        elif isinstance(relation, Covered):
            if {relation.whole, *relation.parts, *relation.twice} <= there:
                less = (*relation.twice, relation.whole)
                yield [*((part, 1.0) for part in relation.parts), *((cell, -1.0) for cell in less)], 0.0, UNBOUNDED
        elif isinstance(relation, Same):
            if {relation.one, relation.other} <= there:
                yield [(relation.one, 1.0), (relation.other, -1.0)], 0.0, 0.0
        else:
            parts = [part for part in relation.parts if part in there]
            # without any part, nobody is in it
            if relation.whole in there and (parts or not relation.parts):
                complete = relation.complete and len(parts) == len(relation.parts)
                yield [(relation.whole, 1.0), *[(part, -1.0) for part in parts]], 0.0, 0.0 if complete else UNBOUNDED


# -- strata ------------------------------------------------------------------------------------------------------


def _strata(divided: Iterable[Divided]) -> Iterator[Row]:
    """The strata of a cell add up to it, or to less where not all of them need be there."""
    for whole, _, own, missing in divided:
        yield [(whole, 1.0), *[(part, -1.0) for part in own]], 0.0, 0.0 if missing == 0 else UNBOUNDED


def divided_in(cells: Sequence[CellDefinition], published: Sequence[ReleasedOutput]) -> Iterator[Divided]:
    """Return the wholes with their strata that are published, and how many are missing; None if that is not known."""
    divisions = Divisions.of(published)
    strata: dict[tuple[CellDefinition, tuple[str, ...]], list[CellDefinition]] = defaultdict(list)
    for cell in cells:
        if cell.isolated or not cell.stratum:
            continue
        for size in range(1, len(cell.stratum) + 1):
            for inside in combinations(cell.stratum, size):
                rest = tuple(pair for pair in cell.stratum if pair not in inside)
                strata[(cell.in_stratum(rest), tuple(name for name, _ in inside))].append(cell)
    there = set(cells)
    for (whole, names), own in strata.items():
        if whole not in there:
            continue
        every = strata.get((CellDefinition(stratum=whole.stratum, side=whole.side), names), ())
        missing = len(every) - len(own) if divisions.by_tables(names, whole.stratum) else None
        # of a part that is reported by itself nothing is known where a count does not stand in its report
        yield whole, names, own, 0 if divisions.by_parts(names, whole.stratum, len(own)) else missing


# -- within one stratum ------------------------------------------------------------------------------------------


def _within_whole(own: Sequence[CellDefinition], there: set[CellDefinition]) -> Iterator[Row]:
    """Whoever is in a state of a cell is in the cell; categories of one division share nobody."""
    divided: dict[tuple[CellDefinition, str], list[CellDefinition]] = defaultdict(list)
    for cell in own:
        for division, _ in cell.state:
            rest = tuple(pair for pair in cell.state if pair[0] != division)
            divided[(replace(cell, state=rest), division)].append(cell)
    for (whole, _), parts in divided.items():
        if whole in there:
            for part in parts:
                yield [(whole, 1.0), (part, -1.0)], 0.0, UNBOUNDED


def _sets(sets: Sequence[CellDefinition], there: set[CellDefinition]) -> Iterator[Row]:
    """A set has no more people than those it holds; whoever has one of two features is somebody."""
    for cell in sets:
        fewer = [_less(cell, feature) for feature in cell.having]
        larger = [one for one in fewer if one in there and (one.having or len(cell.having) == 1)]
        if not larger:
            singles = (replace(cell, having=(feature,)) for feature in cell.having)
            larger = [one for one in singles if one in there] or [
                one for one in (replace(cell, having=()),) if one in there
            ]
        for one in larger:
            yield [(one, 1.0), (cell, -1.0)], 0.0, UNBOUNDED
        for first, second in combinations(fewer, 2):
            both = replace(cell, having=tuple(f for f in first.having if f in second.having))
            if first in there and second in there and both in there:
                yield [(both, 1.0), (first, -1.0), (second, -1.0), (cell, 1.0)], 0.0, UNBOUNDED
        if len(cell.having) == 3:
            yield from _three(cell, fewer, there)


def _less(cell: CellDefinition, feature: str) -> CellDefinition:
    return replace(cell, having=tuple(f for f in cell.having if f != feature))


def _three(cell: CellDefinition, pairs: Sequence[CellDefinition], there: set[CellDefinition]) -> Iterator[Row]:
    """Whoever has none of three features is somebody."""
    singles = [replace(cell, having=(feature,)) for feature in cell.having]
    everybody = replace(cell, having=())
    if {everybody, *singles, *pairs} <= there:
        terms = [(everybody, 1.0), *[(one, -1.0) for one in singles], *[(pair, 1.0) for pair in pairs], (cell, -1.0)]
        yield terms, 0.0, UNBOUNDED


def _sizes(sized: Sequence[CellDefinition], there: set[CellDefinition]) -> Iterator[Row]:
    """Ranges of the number of features that follow one another make up the range that they fill."""
    of_set: dict[tuple[CellDefinition, str], list[CellDefinition]] = defaultdict(list)
    for cell in sized:
        of_set[(replace(cell, least=0, most=UNLIMITED, among=""), cell.among)].append(cell)
    for (whole, _), own in of_set.items():
        fewest = len(whole.having)
        if len(own) == 1:
            if whole in there:
                yield [(whole, 1.0), (own[0], -1.0)], 0.0, UNBOUNDED
            continue
        for target in [whole, *own] if whole in there else own:
            low, high = (fewest, UNLIMITED) if target is whole else (target.least, target.most)
            parts = _filling(low, high, [cell for cell in own if cell is not target])
            if parts and (len(parts) > 1 or target is not whole):
                yield [(target, 1.0), *[(part, -1.0) for part in parts]], 0.0, 0.0
            elif target is whole:
                disjoint = _disjoint(own)
                yield [(whole, 1.0), *[(part, -1.0) for part in disjoint]], 0.0, UNBOUNDED


def _filling(low: int, high: int, pieces: Sequence[CellDefinition]) -> list[CellDefinition]:
    """Return pieces that fill a range without a hole, the shortest first; none where they do not."""
    found: list[CellDefinition] = []
    at = low
    while True:
        fitting = [one for one in pieces if one.least == at and one.most <= high]
        if not fitting:
            return []
        first = min(fitting, key=lambda one: one.most)
        found.append(first)
        if first.most == high:
            return found
        at = first.most + 1


def _disjoint(own: Sequence[CellDefinition]) -> list[CellDefinition]:
    found: list[CellDefinition] = []
    for cell in sorted(own, key=lambda one: (one.most, one.least)):
        if not found or cell.least > found[-1].most:
            found.append(cell)
    return found


def _exact_sets(
    exact: Sequence[CellDefinition],
    sets: Sequence[CellDefinition],
    sized: Sequence[CellDefinition],
    there: set[CellDefinition],
) -> Iterator[Row]:
    """Exact sets share nobody: they add up to at most everybody, and likewise those with some features or one size."""
    if not exact:
        return
    everybody = replace(exact[0], having=(), least=0, most=UNLIMITED, among="")
    inside: dict[tuple[str, ...], list[CellDefinition]] = {}
    for whole, parts in _inside(exact, [*sets, *((everybody,) if everybody in there else ())]):
        inside.setdefault(whole.having, []).extend(parts)
        every = 2 ** (parts[0].among.count(BETWEEN) + 1 - len(whole.having))
        yield [(whole, 1.0), *[(cell, -1.0) for cell in parts]], 0.0, 0.0 if len(parts) == every else UNBOUNDED
    for cell in exact:
        own = replace(cell, least=0, most=UNLIMITED, among="")
        if len(cell.having) > MOST_INSIDE and own in there:
            yield [(own, 1.0), (cell, -1.0)], 0.0, UNBOUNDED
    for cell in sized:
        if cell.least == cell.most and not cell.is_exact:
            of_size = [
                one
                for one in inside.get(cell.having, exact if not cell.having else ())
                if one.among == cell.among and len(one.having) == cell.least
            ]
            if of_size:
                yield [(cell, 1.0), *[(one, -1.0) for one in of_size]], 0.0, UNBOUNDED


def _inside(
    exact: Sequence[CellDefinition], sets: Sequence[CellDefinition]
) -> Iterator[tuple[CellDefinition, list[CellDefinition]]]:
    """Return sets of few features with the exact sets, of one list, whose people are all among theirs."""
    known = {cell.having: cell for cell in sets if len(cell.having) <= MOST_INSIDE}
    found: dict[tuple[tuple[str, ...], str], list[CellDefinition]] = defaultdict(list)
    for cell in exact:
        for size in range(min(MOST_INSIDE, len(cell.having)) + 1):
            for held in combinations(cell.having, size):
                if held in known:
                    found[(held, cell.among)].append(cell)
    for (held, _), parts in found.items():
        yield known[held], parts


def _counted(
    parts: Sequence[CellDefinition], pieces: Sequence[CellDefinition], features: int, size: int
) -> Iterator[Row]:
    """Somebody with k features is in k of the counts by feature, and in k (k - 1) / 2 of those by pair."""
    terms = [(part, 1.0) for part in parts]
    least = [(cell, -float(comb(cell.least, size))) for cell in pieces if cell.least >= size]
    if pieces[-1].least == pieces[-1].most:
        yield [*terms, *least], 0.0, 0.0
    else:
        # those of the top range have at least its least, and at most all features
        yield [*terms, *least], 0.0, UNBOUNDED
        most = [(cell, value) for cell, value in least if cell is not pieces[-1]]
        most.append((pieces[-1], -float(comb(features, size))))
        yield [(cell, -value) for cell, value in (*terms, *most)], 0.0, UNBOUNDED


def _features(sized: Sequence[CellDefinition], there: set[CellDefinition], zeros: set[CellDefinition]) -> Iterator[Row]:
    """Each feature of somebody is one of their number of features: counted by feature and by number they agree."""
    numbers: dict[str, list[CellDefinition]] = defaultdict(list)
    for cell in sized:
        if not cell.having:
            numbers[cell.among].append(cell)
    for among, own in numbers.items():
        of_one = [
            replace(at_least((feature,)), stratum=own[0].stratum, side=own[0].side) for feature in features_of(among)
        ]
        pieces = _filling(0, UNLIMITED, own)
        if pieces and set(of_one) <= there:
            yield from _counted(of_one, pieces, len(of_one), 1)
        held = combinations(features_of(among), 2)
        pairs = [at_least(two).in_stratum(own[0].stratum).on_side(own[0].side) for two in held] if pieces else []
        # with many pairs of rounded counts the sum of all says nothing of one
        if pieces and set(pairs) <= there and sum(pair not in zeros for pair in pairs) <= MOST_PAIRS:
            yield from _counted(pairs, pieces, len(of_one), 2)
        for cell in own:
            if cell.least == cell.most and cell.least > 0:
                having = [replace(one, least=cell.least, most=cell.most, among=among) for one in of_one]
                if set(having) <= there:
                    yield [(cell, float(cell.least)), *[(one, -1.0) for one in having]], 0.0, 0.0


def levels_of(cells: Sequence[CellDefinition]) -> Mapping[str, set[str]]:
    """Return the values of every stratum column."""
    found: dict[str, set[str]] = defaultdict(set)
    for cell in cells:
        for name, value in cell.stratum:
            found[name].add(value)
    return found
