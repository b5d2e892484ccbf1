"""Small counts are sought in the files of small studies by somebody who knows the rules and the arithmetic."""

from __future__ import annotations

import csv
import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attacker
import curves
import dominance
import nested
import numpy as np
import polars as pl
import produce
import pytest
import rows
import study
import texts
import worlds
from study import ATTACKS, POLICIES, attack, world_of
from study import study as study_of

import symphony_research as sr
from symphony_research.disclosure.secondary import Protection
from symphony_research.policy import Policy
from symphony_research.result import CountTable

SEEDS = range(20)
EVERY_TIME = 1  # random studies of every `make test`; the others belong to `make check`
EVERY_TIME_BY_HAND = ("three_of_180", "one_hidden_cell", "whole_beside_strata", "squeezed")


def _cases() -> list[Any]:
    """Studies under rules: made by hand and drawn from seeds; a few for every run."""
    made = [
        (name, policy, policy == "nhs_england" and name in EVERY_TIME_BY_HAND)
        for name in worlds.HAND_MADE
        for policy in ("nhs_england", "sacro")
    ]
    made += [(str(seed), policy, seed < EVERY_TIME) for seed in SEEDS for policy in POLICIES]
    return [
        pytest.param((name, policy), id=f"{name}-{policy}", marks=() if quick else pytest.mark.slow)
        for name, policy, quick in made
    ]


CASES = _cases()
# the tests of one study run after one another, so that it is made once
every_study = pytest.mark.parametrize("made", CASES, indirect=True, scope="module")


@pytest.fixture(scope="module")
def made(request: pytest.FixtureRequest) -> study.Attacked:
    return study_of(*request.param)


def drawn(quick: int, seeds: range, policies: tuple[str, ...] = tuple(POLICIES)) -> list[Any]:
    """Random studies under rules: the first few for every run."""
    return [
        pytest.param(str(seed), policy, id=f"{seed}-{policy}", marks=() if seed < quick else pytest.mark.slow)
        for seed in seeds
        for policy in policies
    ]


# -- each study -------------------------------------------------------------------------------------------------


@every_study
def test_no_small_count_is_shown_and_every_other_is_rounded(made: study.Attacked) -> None:
    assert made.wrong_counts() == []


@every_study
def test_no_small_count_follows_from_one_file(made: study.Attacked) -> None:
    assert [str(f) for f in made.from_one_file()] == []


@every_study
def test_no_small_count_follows_from_all_files_together(made: study.Attacked) -> None:
    assert [str(f) for f in made.from_all_files()] == []


@every_study
def test_no_small_count_follows_from_one_row(made: study.Attacked) -> None:
    assert [str(f) for f in made.from_one_row()] == []


@every_study
def test_no_set_is_named_by_the_number_of_those_not_listed(made: study.Attacked) -> None:
    assert made.named() == []


@every_study
def test_every_figure_follows_from_the_counts_shown(made: study.Attacked) -> None:
    assert made.wrong_figures() == []


@every_study
def test_no_mean_is_nearly_one_person_s(made: study.Attacked) -> None:
    assert made.dominated() == []


@every_study
def test_a_released_result_holds_nothing_else(made: study.Attacked) -> None:
    assert made.wrong_objects() == []


@every_study
def test_no_exact_number_stands_in_words_or_networks(made: study.Attacked) -> None:
    with produce.temporary() as folder:
        paths = produce.write_networks(made.released, Path(folder))
        words = {p.name: texts.text_of(p) for p in paths}
    assert dataclasses.replace(made, words={**made.words, **words}).wrong_words() == []


@every_study
def test_two_studies_with_the_same_released_counts_write_the_same_files(made: study.Attacked) -> None:
    assert made.twins()[0] == []


@every_study
def test_no_small_number_followed_is_a_difference_of_curves(made: study.Attacked) -> None:
    found, _ = curves.beside_each_other(made.tables, made.world.people, made.world.levels, made.rule)
    assert found == []


@pytest.mark.parametrize("family", sorted(ATTACKS))
@pytest.mark.parametrize(("name", "policy"), drawn(0, range(20, 24)))
def test_every_figure_of_a_family_follows_from_the_counts_shown(name: str, policy: str, family: str) -> None:
    assert study_of(name, policy).wrong_figures(family) == []


@every_study
def test_no_exact_number_stands_in_what_an_output_checker_gets(made: study.Attacked) -> None:
    kinds = ("prevalence", "condition_count", "exact", "at_least__by_sex", "kaplan_meier")
    own = produce.release_all({k: made.results[k] for k in kinds if k in made.results}, made.policy)
    with produce.temporary() as folder:
        written = sr.write_acro(own, Path(folder) / "release", made=datetime(2018, 4, 1, tzinfo=UTC))
        results = json.loads((written / "results.json").read_text(encoding="utf-8"))["results"]
        for kind, output in results.items():
            stars = output["files"][0]["sdc"]
            # how many stars, and where: what the table itself shows
            shown = [row for row in csv.reader((written / f"{kind}_0.csv").open(encoding="utf-8"))][1:]
            assert [[r, c] for r, row in enumerate(shown) for c, text in enumerate(row) if text == "*"] == stars["cells"]["threshold"]  # fmt: skip
            text = " ".join([output["command"], *output["comments"]])
            released = {**made.released, **own}
            assert dataclasses.replace(made, released=released, words={kind: text}).wrong_words() == []


# -- figures ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plot", [n for n in produce.writers() if n.startswith("plot_")])
@pytest.mark.parametrize(
    ("name", "policy"),
    [
        pytest.param("1", "nhs_england", id="1-nhs_england"),
        pytest.param("1", "sacro", marks=pytest.mark.slow, id="1-sacro"),
        pytest.param("2", "opensafely", marks=pytest.mark.slow, id="2-opensafely"),
    ],
)
def test_no_exact_number_stands_in_a_figure(name: str, policy: str, plot: str) -> None:
    made = study_of(name, policy)
    kinds = [k for k, r in made.released.items() if plot in produce.PLOTS.get(type(r).__name__, ())]
    # the strata, the adjusted, and the whole of one analysis
    chosen = dict.fromkeys([kinds[0], kinds[-1]])
    with produce.temporary() as folder:
        own = {k: made.released[k] for k in chosen}
        paths = [p for p in produce.write_pictures(own, Path(folder), ("svg", "png", "pdf")) if f".{plot}." in p.name]
        assert {p.suffix for p in paths} == {".svg", ".png", ".pdf"}
        words = {p.name: texts.text_of(p) for p in paths}
    # each of the three tells its finding: an attacker who reads nothing finds nothing
    assert all(len(w) > 20 for w in words.values())
    assert dataclasses.replace(made, words=words).wrong_words() == []


@pytest.mark.parametrize(("name", "policy"), drawn(1, range(3), ("nhs_england", "sacro")))
def test_two_studies_with_the_same_released_counts_draw_the_same_pictures(name: str, policy: str) -> None:
    differ, _ = study.twins_differ(world_of(name), POLICIES[policy], pictures=True)
    assert differ == []


def test_most_studies_have_a_twin() -> None:
    there = [
        study.another_study(world_of(str(seed)), study.TWIN_KINDS, POLICIES["nhs_england"], seed) for seed in range(6)
    ]
    assert sum(cells is not None for cells in there) >= 5


# -- one thing beside another -----------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [3, 60])
@pytest.mark.parametrize(("name", "policy"), drawn(EVERY_TIME, range(16)))
def test_no_difference_of_two_reports_is_certainly_a_small_count(name: str, policy: str, more: int) -> None:
    assert nested.two_reports(world_of(name), POLICIES[policy], more=more)[0] == []


def test_reports_that_differ_by_a_few_are_refused_and_others_are_not() -> None:
    let_through = [
        nested.two_reports(world_of(str(seed)), POLICIES["nhs_england"], more=more)[1]
        for seed in range(4)
        for more in (3, 100)
    ]
    assert any(let_through)
    assert not all(let_through)


@pytest.mark.slow
@pytest.mark.parametrize("name", [str(seed) for seed in range(6)])
def test_a_second_rule_tells_no_small_count_that_the_first_hides(name: str) -> None:
    assert nested.two_rules(world_of(name), POLICIES["nhs_england"], POLICIES["opensafely"]) == []


# -- nothing is left unattacked ---------------------------------------------------------------------------------

ATTACKED_WRITERS = {
    "write_table": "read_tables",
    "write_acro": "test_no_exact_number_stands_in_what_an_output_checker_gets",
    "write_figure": "test_no_exact_number_stands_in_a_figure",
    "write_network": "test_no_exact_number_stands_in_words_or_networks",
    "table": "test_no_exact_number_stands_in_words_or_networks",
    "cross_table": "crossed_cells",
    "sentence": "test_no_exact_number_stands_in_words_or_networks",
    "picture": "test_a_picture_in_a_notebook_is_the_file",
    "plot": "test_a_picture_in_a_notebook_is_the_file",
}


def test_every_family_is_attacked_and_made() -> None:
    families = produce.families()
    assert set(ATTACKS) == set(families)
    made = {type(r).__name__ for seed in range(3) for r in study_of(str(seed), "nhs_england").results.values()}
    assert made == set(families)


def test_every_writer_is_attacked() -> None:
    drawn_by = {plot for plots in produce.PLOTS.values() for plot in plots}
    for name in produce.writers():
        assert name in drawn_by if name.startswith("plot_") else name in ATTACKED_WRITERS, f"nobody attacks {name}"


def test_every_analysis_of_conditions_is_read() -> None:
    cells = [c for name in ("0", "1", "2", "11", "squeezed") for c in study_of(name, "nhs_england").cells]
    read = {attacker.base_of(c.kind) for c in cells if "cross" not in c.kind}
    assert read == {attacker.base_of(k) for k in (*produce.OF_PATTERNS, *produce.ADJUSTED, "comparison")}


def test_a_picture_in_a_notebook_is_the_file() -> None:
    made = study_of("0", "nhs_england").released["prevalence"]
    shown = sr.picture(made)
    assert made.sentence() == shown.sentence
    with produce.temporary() as folder:
        path = sr.write_figure(made, Path(folder) / "prevalence.png")
        assert made.sentence() in texts.text_of(path)
    data, meta = shown._repr_mimebundle_()
    assert texts.unexplained(f"{data['text/plain']} {meta}", texts.numbers_of([made.estimates]), {201.0, 137.0}, study_of("0", "nhs_england").rule) == []  # fmt: skip


# -- the attacker is no fool ------------------------------------------------------------------------------------

BOOK = attacker.Codebook(("a", "b"), ())
NHS = attacker.RULES["nhs_england"]


def _cells(*shown: tuple[int | str, list[int]]) -> list[attacker.Cell]:
    return [attacker.Cell("by hand", str(own), BOOK.sum_of(None, own), n) for n, own in shown]


def test_a_star_beside_its_total_is_found_by_hand() -> None:
    # 20 (18-22) people, 15 (13-17) of them with none: the star is 1 to 9, so 1 to 7 as told: nothing is found
    truth = np.array([[15, 4, 0, 0]])
    assert attacker.found_out(_cells((20, [0, 1]), (15, [0]), ("*", [1])), truth, NHS) == []
    # 20 of 20 with none: 0 to 4, so 1 to 4
    truth = np.array([[18, 3, 0, 0]])
    found = attacker.found_out(_cells((20, [0, 1]), (20, [0]), ("*", [1])), truth, NHS)
    assert [f.possible for f in found] == [(1, 2, 3, 4)]
    # a nought is exact: 20 (18-22) with a or b, 15 (13-17) with a alone, nobody with both, so the star is 1 to 9
    truth = np.array([[20, 16, 3, 0]])
    assert attacker.found_out(_cells((15, [1]), (0, [3]), (20, [1, 2, 3]), ("*", [2])), truth, NHS) == []
    # and 10 (8-12) with a alone leaves 6 to 14 for it: 6 or 7
    truth = np.array([[20, 12, 7, 0]])
    found = attacker.found_out(_cells((10, [1]), (0, [3]), (20, [1, 2, 3]), ("*", [2])), truth, NHS)
    assert [f.possible for f in found] == [(6, 7)]


def test_stars_that_bound_one_another_are_no_finding() -> None:
    # a star of 1-7 in two sexes and a star of 1-7 for both: told alone, each is 1 to 6, and no number was published
    book = attacker.Codebook(("a",), ("F", "M"))
    cells = [attacker.Cell("by hand", s or "all", book.sum_of(s, [1]), "*") for s in ("F", "M", None)]
    assert attacker.found_out(cells, np.array([[50, 2], [40, 3]]), NHS) == []


def test_a_visible_count_told_to_one_number_is_seen() -> None:
    # four groups shown as 10 are 8 at least, and together shown as 30 at most 32: each is 8, and they are 32
    truth = np.array([[8, 8, 8, 8]])
    parts = _cells((10, [0]), (10, [1]), (10, [2]), (10, [3]))
    assert attacker.visible_found_out([*parts, *_cells((30, [0, 1, 2, 3]))], truth, NHS) == (5, 5)
    # without their total each is 8 to 12
    assert attacker.visible_found_out(parts, truth, NHS) == (4, 0)


def test_a_part_of_a_row_is_found_beside_its_sum() -> None:
    # 25 with both (23-27), 25 of them in one order, nobody on one day: the other order is 0 to 4, so 1 to 4 as told
    exact = {
        "pairs": pl.DataFrame({"first": ["a"], "second": ["b"], "n_both": [27], "n_first": [24], "n_second": [3]}),
        **{
            name: pl.DataFrame({"first": ["a"], "second": ["b"], f"n_{name}": [0]})
            for name in ("same_day", "alone", "left_out")
        },
    }
    row = {"source": "a", "target": "b", "n_both": "25", "n_first": "25", "n_second": "*"}
    row |= {"n_same_day": "0", "n_alone": "0", "n_left_out": "0"}
    found = rows.of_order([row], [], exact, NHS)
    assert [(f.what, f.possible) for f in found] == [("a before b: n_second", (1, 2, 3, 4))]


def test_the_only_set_that_is_not_listed_is_named_by_their_number() -> None:
    # of the four sets of a and b three are listed: "not listed: 1" says that somebody has the fourth; "none" that nobody
    listed = _cells((20, [0]), (10, [1]), (15, [2]))
    absent = [attacker.Cell("exact", "a + b", BOOK.sum_of(None, [3]), attacker.ABSENT)]
    words = "Combinations that are not listed, of 1 to 7 people each: 1."
    assert len(rows.named_by_their_number("exact", words, [*listed, *absent], BOOK.size, NHS)) == 1
    assert rows.named_by_their_number("exact", "", [*listed, *absent], BOOK.size, NHS) == []


def test_a_sum_that_is_nearly_one_person_s_is_seen() -> None:
    # 95 of 100; two have 90 of 100; the second, with 40 of 100, knows the first's 57 but for 3
    assert all(dominance.dominated(np.array(v)) for v in ([95, 3, 2], [50, 40, 5, 5], [57, 40, 3]))
    assert not dominance.dominated(np.array([30, 30, 20, 20]))
    world = world_of("dominated_cost")
    everybody = {"exact": [{"combination": "asthma", "mean_cost": "1700"}, {"combination": "cancer + copd", "mean_cost": "100"}]}  # fmt: skip
    assert dominance.shown(everybody, world) == ["exact: mean_cost of ['asthma'] "]


# -- every defence is needed ------------------------------------------------------------------------------------


def exact_rounding(self: Policy, column: str) -> pl.Expr:
    return pl.when(~self.hides(column)).then(pl.col(column)).alias(column)


def no_hiding(self: Policy, column: str) -> pl.Expr:
    return pl.lit(False)


def exact_running(self: Policy, column: str) -> pl.Expr:
    return pl.col(column)


def keep_estimates(
    self: sr.Result, tables: Mapping[str, pl.DataFrame], record: object, **settings: object
) -> sr.Result:
    made = dataclasses.replace(self, count_tables=tables, disclosure=record)  # type: ignore[arg-type]
    object.__setattr__(made, "_derived", self._derived)
    return made


def _homes(name: str) -> list[Any]:
    """Modules of disclosure control that know a function by this name."""
    found = [
        m
        for k, m in sys.modules.items()
        if k.split(".")[:2] == ["symphony_research", "disclosure"] and hasattr(m, name)
    ]
    assert found, f"disclosure control has no {name} any more: say here what takes its place"
    return found


def keep(what: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Let measures, or factors, pass as they are."""
    homes = _homes("_release")
    original = homes[0]._release

    def release(table: pl.DataFrame, rule: CountTable, *rest: Any, **more: Any) -> Any:
        return original(table, dataclasses.replace(rule, **{what: ()}), *rest, **more)

    def patch(m: pytest.MonkeyPatch) -> None:
        for home in homes:
            m.setattr(home, "_release", release)

    return patch


def untrimmed(tables: Any, threshold: int, by: tuple[str, ...]) -> Any:
    return tables


MUTANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "counts are not rounded": lambda m: m.setattr(Policy, "rounded", exact_rounding),
    "small counts are not hidden": lambda m: m.setattr(Policy, "hides", no_hiding),
    "running counts are exact": lambda m: m.setattr(Policy, "rounded_cumulative", exact_running),
    "estimates are not derived again": lambda m: m.setattr(sr.Result, "disclosed", keep_estimates),
    "measures pass as they are": lambda m: keep("measures")(m),
    "factors pass as they are": lambda m: keep("factors")(m),
}
DOUBLED: list[str] = []  # a factor beside a nought or a hidden margin is also hidden where counts are released


def untrim(family: str) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda m: m.setattr(produce.families()[family], "trim", staticmethod(untrimmed))


for _name in ("NetworkComparison", "LogRankTest", "Cooccurrence", "Centrality", "Communities"):
    MUTANTS[f"{_name} is not trimmed"] = untrim(_name)
    DOUBLED += [f"{_name} is not trimmed"] if _name.startswith("C") else []
MUTANTS["curves are not trimmed"] = lambda m: m.setattr(
    "symphony_research.survival.curves._Curve.trim", staticmethod(untrimmed)
)


MUTANTS["small counts stand alone"] = lambda m: m.setattr(
    "symphony_research.disclosure.gate.protect", lambda own, beside=(): Protection(methods=("",) * len(own))
)
MUTANTS["nobody asks whose money a mean is"] = lambda m: m.setattr(
    Policy, "spread_wide_enough", lambda self, herfindahl: pl.lit(True)
)
MUTANTS["sets that are not listed are not searched"] = lambda m: m.setattr(
    "symphony_research.disclosure.published._unlisted", lambda *rest: []
)
MUTANTS["who is of one sex is nobody's stratum"] = lambda m: m.setattr(
    "symphony_research.disclosure.published._populations", lambda settings: ({}, {"": ()})
)
MUTANTS["no curve ends for another's sake"] = lambda m: m.setattr(
    "symphony_research.disclosure.gate.ends_of", lambda curves, policy: {}
)
# what only the whole numbers that fit all files together tell
SECONDARY = (
    "small counts stand alone",
    "sets that are not listed are not searched",
    "who is of one sex is nobody's stratum",
)
SOLVED = (("1", "nhs_england"), ("three_and_none", "sacro"))


ATTACKED = (
    ("1", "nhs_england"),
    ("2", "opensafely"),
    ("hidden_stratum", "nhs_england"),
    ("dominated_cost", "nhs_england"),
    ("three_and_none", "nhs_england"),
)


def _surely_found(linear: bool) -> list[str]:
    """Every attack that must find nothing, on a few studies."""
    found: list[str] = []
    for name, policy in SOLVED if linear else ATTACKED:
        made = attack(world_of(name), POLICIES[policy], study.results_of(name))
        if linear:
            found += [str(f) for f in made.from_all_files()]
        else:
            found += [
                *made.wrong_counts(),
                *made.wrong_figures(),
                *made.wrong_objects(),
                *made.wrong_words(),
                *made.dominated(),
                *curves.beside_each_other(made.tables, made.world.people, made.world.levels, made.rule)[0],
            ]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("linear", [False, True])
def test_the_attacks_on_mutants_find_nothing_where_nothing_is_removed(linear: bool) -> None:
    assert _surely_found(linear) == []


def _tables_of(name: str, policy: str) -> str:
    """Everything that a study's adjusted networks release."""
    released = produce.release_all(produce.adjusted(world_of(name)), POLICIES[policy])
    return repr([(k, t.to_dicts()) for r in released.values() for k, t in r.count_tables.items()])


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MUTANTS))
def test_some_attack_succeeds_once_a_defence_is_removed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = [_tables_of(*case) for case in ATTACKED] if name in DOUBLED else []
    MUTANTS[name](monkeypatch)
    if before and before == [_tables_of(*case) for case in ATTACKED]:
        return  # what it keeps back another defence keeps back too: nothing more is released
    found = _surely_found(linear=name in SECONDARY)
    assert found, f"no attack noticed that {name}"
