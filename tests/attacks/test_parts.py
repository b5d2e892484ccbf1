"""Reports of parts of one people, released one after the other: practices beside everybody, quarters beside their programme.

The attacker has every release, and knows that parts share nobody. Where all parts are released, that they are everybody is
known too: whoever reads the reports of all practices of a study sees that there is no other. A part that is not released is
people of whom nothing is known. Unknowns are people of each part with exactly each set of conditions (`attacker.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attacker
import numpy as np
import polars as pl
import pytest
from attacker import Cell, Codebook, Finding

import symphony_research as sr
from symphony_research.disclosure import divisions
from symphony_research.policy import Policy
from symphony_research.result import Provenance
from symphony_research.result.session import ReleaseSession

CONDITIONS = ("asthma", "copd", "stroke")
POLICIES = {
    "nhs_england": Policy.nhs_england(),
    "nhs_england strict": Policy.nhs_england(level="strict"),
    "sacro": Policy.sacro(),
}
ON_ONE_DAY = {"index": "2011-04-01", "until": "2018-03-31"}
JOINED = {"programme": "hubs", "index": "enrolment", "until": "2018-03-31"}
# the whole, and the predicate of each of its parts
DIVIDED: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "practices": (ON_ONE_DAY, [{"practice": name} for name in ("P1", "P2", "P3")]),
    "two practices": (ON_ONE_DAY, [{"practice": name} for name in ("P1", "P2")]),
    "areas": (ON_ONE_DAY, [{"area": name} for name in ("East", "West")]),
    "quarters": (
        JOINED,
        [{"joined": days} for days in (("2016-01-01", "2016-03-31"), ("2016-04-01", "2016-06-30"), ("2016-07-01", "2016-09-30"))],
    ),
}  # fmt: skip
ORDERS = {"whole first": "w0123", "parts first": "0123w", "whole between": "01w23", "one part never": "w012"}
SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))]


def _people(seed: int, parts: int) -> pl.DataFrame:
    """Draw some people; few are of the last parts."""
    r = np.random.default_rng(seed)
    n = int(r.integers(60, 260))
    held = {c: (r.random(n) < p).astype(np.int8) for c, p in zip(CONDITIONS, (0.3, 0.06, 0.12), strict=True)}
    share = np.array([0.7, 0.2, 0.1][:parts])
    return pl.DataFrame({**held, "part": r.choice(parts, n, p=share / share.sum())})


def _attack(folder: Path, seed: int, divided: str, policy: str, order: str) -> list[Finding]:
    """Release everything in an order, each beside what was released before, and return the small counts that can be inferred.

    What is over the threshold and suppressed keeps others from being inferred, and discloses nobody.
    """
    folder.mkdir(exist_ok=True)
    whole, parts = DIVIDED[divided]
    frame, rule = _people(seed, len(parts)), attacker.RULES[policy.split()[0]]
    last = len(parts) - (order == "one part never")
    released = [k for k in ORDERS[order] if k == "w" or int(k) < last]
    levels = tuple(str(k) for k in range(len(parts)))
    book = Codebook(CONDITIONS, levels)
    truth = np.zeros(book.size)
    for row in frame.iter_rows(named=True):
        truth[book.sets(str(row["part"]), [book.mask([c for c in CONDITIONS if row[c]])])[0][0]] += 1
    cells: list[Cell] = []
    made_public: list[sr.Result] = []
    for at, which in enumerate(released):
        own = frame if which == "w" else frame.filter(pl.col("part") == int(which))
        population = {
            **whole,
            "divided": {next(iter(parts[0])): len(parts)},
            **({} if which == "w" else parts[int(which)]),
        }
        source = Provenance("Somerset", "f", population=population)
        patterns = sr.Patterns.from_wide(own.drop("part"), conditions=list(CONDITIONS), provenance=source)
        made = {
            "prevalence": sr.multimorbidity.prevalence(patterns),
            "number": sr.multimorbidity.condition_count(patterns),
        }
        session = ReleaseSession(f"{at}", POLICIES[policy].title, tuple(sorted(folder.glob("*.json"))), folder / f"{at}.json")  # fmt: skip
        found = sr.suppress(made, POLICIES[policy], session=session)
        made_public += found.values()
        cells += _cells(found, book, None if which == "w" else which)
    # a report that tells of few people beside an earlier one is refused: parts are not
    assert not sr.check_differencing(made_public)
    return [one for one in attacker.at_risk(cells, truth, rule, strict="strict" in policy) if one.primary]


def _cells(released: dict[str, Any], book: Codebook, level: str | None) -> list[Cell]:
    """Read every count that stands in a release."""
    cells, whom = [], "everybody" if level is None else f"part {level}"

    def cell(what: str, masks: list[int], shown: int | None) -> None:
        cells.append(Cell("part", f"{what} of {whom}", book.sets(level, masks), "[c]" if shown is None else shown))

    if not released["prevalence"].holds_nothing:
        for row in released["prevalence"].estimates.iter_rows(named=True):
            cell(row["condition"], book.at_least([row["condition"]]), row["n_persons"])
        cell("people", list(book.masks()), released["prevalence"].count_tables["population"]["n_persons"][0])
    if not released["number"].holds_nothing:
        for row in released["number"].estimates.iter_rows(named=True):
            number = [mask for mask in book.masks() if mask.bit_count() == row["n_conditions"]]
            cell(f"{row['n_conditions']} conditions", number, row["n_persons"])
    return cells


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("divided", DIVIDED)
def test_no_count_of_a_part_is_inferable_beside_the_whole(divided: str, order: str, seed: int, tmp_path: Path) -> None:
    assert [str(one) for one in _attack(tmp_path, seed, divided, "nhs_england", order)] == []


@pytest.mark.parametrize("policy", ["nhs_england strict", "sacro"])
@pytest.mark.parametrize("divided", ["two practices", "quarters"])
def test_nor_under_other_rules(divided: str, policy: str, tmp_path: Path) -> None:
    for seed in range(2):
        for order in ("whole first", "parts first"):
            found = _attack(tmp_path / f"{seed}{order}", seed, divided, policy, order)
            assert [str(one) for one in found] == []


def test_where_parts_were_not_known_to_be_all_it_would_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(divisions.Divisions, "by_parts", lambda *a: False)
    assert _attack(tmp_path, 0, "practices", "nhs_england", "whole first")
