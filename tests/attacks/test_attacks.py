"""Suppressed counts are sought in everything that small studies release, by somebody who knows the rules and the arithmetic.

Each study is released in one call. The attacker is given all its files, the rule and
which suppressed counts are small; each suppressed count must keep as many possible
numbers as the level of protection says.
"""

from __future__ import annotations

import csv
import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attacker
import dominance
import moving
import numpy as np
import polars as pl
import produce
import pytest
import readers
import study
import texts
import worlds
from study import POLICIES, attack, world_of
from study import study as study_of

import symphony_research as sr
from symphony_research.cohort import Baseline
from symphony_research.disclosure.release_record import as_output, for_release
from symphony_research.disclosure.secondary import _Selection as Selection
from symphony_research.errors import DisclosureError
from symphony_research.survival.grid import grid_of

QUICK = (("squeezed", "nhs_england"), ("hidden_stratum", "nhs_england strict"), ("three_and_none", "sacro"))
SLOW_SEEDS, SEEDS = range(3), range(16)


def _cases() -> list[Any]:
    """Studies under rules: a few for every run, more for `make check`, all of them for `make attacks`."""
    made = []
    for name in (*worlds.HAND_MADE, *map(str, SEEDS)):
        for policy in POLICIES:
            by_hand = name in worlds.HAND_MADE
            slow = (by_hand and policy in ("nhs_england", "sacro")) or (not by_hand and int(name) in SLOW_SEEDS and policy == "nhs_england")  # fmt: skip
            marks = () if (name, policy) in QUICK else (pytest.mark.slow,) if slow else (pytest.mark.slow, pytest.mark.exhaustive)  # fmt: skip
            made.append(pytest.param((name, policy), id=f"{name}-{policy.replace(' ', '-')}", marks=marks))
    return made


every_study = pytest.mark.parametrize("made", _cases(), indirect=True, scope="module")


@pytest.fixture(scope="module")
def made(request: pytest.FixtureRequest) -> study.Attacked:
    return study_of(*request.param)


# -- each study -------------------------------------------------------------------------------------------------


@every_study
def test_small_counts_are_suppressed_and_others_are_rounded(made: study.Attacked) -> None:
    assert made.wrong_counts() == []


@every_study
def test_suppressed_counts_keep_enough_possible_numbers_beside_all_files(made: study.Attacked) -> None:
    assert [str(f) for f in made.at_risk()] == []


@every_study
def test_words_hold_no_exact_number(made: study.Attacked) -> None:
    assert made.wrong_words() == []


@every_study
def test_means_are_not_nearly_one_person_s(made: study.Attacked) -> None:
    assert dominance.shown(made.tables, made.world) == []


@every_study
def test_the_release_record_holds_the_released_counts_alone(made: study.Attacked) -> None:
    for kind, result in made.released.items():
        told = for_release(as_output(result))["published"]
        shown = sorted(cell[-3] for cell in told["cells"])
        counts = [t[c].drop_nulls() for name, t in result.count_tables.items() for c in result.roles[name].people]
        assert shown == sorted(n for column in counts for n in column), kind
        # how far a count may be from what is shown follows from what is shown, and nothing says why another is not there
        assert {(cell[-3], *cell[-5:-3]) for cell in told["cells"]} == {(n, *_interval(n, made.rule)) for n in set(shown)}  # fmt: skip
        assert not any(cell[-2] for cell in told["cells"])


def _interval(n: int, rule: attacker.Rule) -> tuple[int, int]:
    low, high = rule.bounds(n)
    return low - n, high - n


@every_study
def test_a_curve_stands_on_the_grid_alone(made: study.Attacked) -> None:
    for kind, result in made.released.items():
        if readers.base_of(kind) in ("kaplan_meier", "incidence", "points"):
            assert set(result.count_tables) == {"grid"}
            assert set(result.count_tables["grid"]["time"]) <= set(grid_of("days", 365))
            assert set(result.estimates["time"]) <= set(grid_of("days", 365))


@every_study
def test_an_attacker_who_is_counted_settles_no_count(made: study.Attacked) -> None:
    # Whoever knows one record knows that its set is not of nobody. Enough numbers are promised against outsiders alone:
    # his record moves the low end of the counts that it is in by one, and relations carry that to others, by more than
    # one where a few counts hang together. Promised is that no count is settled so, but by the marks alone.
    cells, structure = made.cells, study.structure_of(made.book)
    least_common = min(np.flatnonzero(made.truth[: made.book.of_sets]), key=lambda at: made.truth[at])
    system = attacker.System.of(cells, made.truth, made.rule, structure, strict=made.strict)
    system.bound(((int(least_common), 1),), 1, np.inf)
    possible = system.possible(made.truth, needs=dict.fromkeys(system.targets, 2))
    few = [of for of, seen in possible.items() if len(seen) < 2]
    by_marks = system.of_marks().possible(made.truth, few)
    assert [str(system.targets[of].cell) for of in few if len(possible[of]) < len(by_marks[of])] == []


@pytest.mark.parametrize(
    "policy", [pytest.param(name, marks=() if name == "nhs_england" else pytest.mark.slow) for name in POLICIES]
)
@pytest.mark.parametrize("name", ["squeezed", "three_of_180", "hidden_stratum", "1", "2", "4"])
def test_a_baseline_table_tells_no_small_count(name: str, policy: str) -> None:
    # whole and by stratum, beside prevalences, numbers of conditions and a curve of the same people
    world = world_of(name)
    results = produce.of_baseline(world) | produce.of_patterns(world, (), ("prevalence", "condition_count"))
    results |= produce.of_baseline(world, world.by) if world.by else {}
    results |= {"kaplan_meier": produce.of_time(world)["kaplan_meier"]}
    made = attack(world, POLICIES[policy], results)
    assert made.wrong_counts() == []
    assert [str(f) for f in made.at_risk()] == []
    assert made.wrong_words() == []
    assert dominance.shown(made.tables, world) == []


@pytest.mark.parametrize("name", ["0", "squeezed", *(pytest.param(n, marks=pytest.mark.slow) for n in ("1", "2", "4"))])
def test_rates_beside_curves_tell_no_small_count(name: str) -> None:
    world = world_of(name)
    results = produce.of_rates(world) | produce.of_time(world)
    results |= produce.of_rates(world, world.by) | produce.of_time(world, world.by) if world.by else {}
    made = attack(world, POLICIES["nhs_england"], results)
    assert made.wrong_counts() == []
    assert [str(f) for f in made.at_risk()] == []
    assert made.wrong_words() == []


@pytest.mark.parametrize("name", ["0", "squeezed", *(pytest.param(n, marks=pytest.mark.slow) for n in ("1", "8", "hub_of_60"))])  # fmt: skip
def test_rates_by_year_and_attained_age_beside_curves_tell_no_small_count(name: str) -> None:
    # people are in several years and ages, so these do not add up to all; but everybody is in one of them
    made = _by_year_and_age(name)
    assert made.wrong_counts() == []
    assert [str(f) for f in made.at_risk()] == []
    assert made.wrong_words() == []


def _by_year_and_age(name: str, policy: str = "nhs_england", *, files: bool = True) -> study.Attacked:
    world = world_of(name)
    results: dict[str, sr.Result] = {}
    for by in ((), world.by) if world.by else ((),):
        curves = {kind: one for kind, one in produce.of_time(world, by).items() if kind.split("__")[0] in ("kaplan_meier", "incidence")}  # fmt: skip
        results |= produce.of_rates(world, by) | moving.of_moving_rates(world, by) | curves
    return attack(world, POLICIES[policy], results, files=files)


def test_a_baseline_without_its_relations_is_seen_through(monkeypatch: pytest.MonkeyPatch) -> None:
    # the attacker finds it, so the test above can fail
    monkeypatch.setattr(Baseline, "relations", staticmethod(lambda tables, settings: ()))
    world = world_of("1")
    made = attack(
        world, POLICIES["nhs_england"], produce.of_baseline(world) | produce.of_baseline(world, world.by), files=False
    )
    assert made.at_risk()


# -- the algorithm is known -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        pytest.param(name, policy, marks=() if quick else pytest.mark.slow, id=f"{name}-{policy}")
        for name, policy, quick in (
            ("0", "nhs_england", True),
            ("whole_beside_strata", "sacro", False),
            ("1", "nhs_england", False),
            ("2", "nhs_england strict", False),
            ("3", "opensafely", False),
        )
    ],
)
def test_two_studies_with_the_same_released_counts_release_the_same_bytes(name: str, policy: str) -> None:
    # what is suppressed, and every figure, is a function of released values and of which counts are small
    differ, there = study.twins_differ(world_of(name), POLICIES[policy], pictures=name == "0")
    assert there
    assert differ == []


@pytest.mark.parametrize("family", ["kaplan_meier", "incidence", "points"])
def test_a_curve_does_not_tell_on_which_day_anything_happened(family: str) -> None:
    world = world_of("0")
    grid = [0, *range(30, 331, 30), 365]
    slot = np.searchsorted(grid, world.people["time"].to_numpy(), side="left")
    inside = np.isin(world.people["time"].to_numpy(), grid)
    moved = np.where(inside, world.people["time"].to_numpy(), np.array(grid)[slot - 1] + 7)
    other = dataclasses.replace(world, people=world.people.with_columns(pl.Series("time", moved)))
    # the last day is the same, or the grid would be
    one, two = (produce.of_time(w)[family] for w in (world, other))
    released = [sr.suppress(result, POLICIES["nhs_england"]) for result in (one, two)]
    assert one.count_tables["events"].equals(two.count_tables["events"]) is False
    assert repr(released[0]) == repr(released[1])
    assert released[0].sentence() == released[1].sentence()


def test_rows_that_are_not_there_do_not_tell_sets_of_nobody_from_sets_of_few() -> None:
    # three conditions: in one study two people have all of them, in the other nobody has
    def patterns(few: int) -> sr.Patterns:
        groups = [(40 + few, (1, 0, 0)), (20 + few, (0, 1, 0)), (20 + few, (0, 0, 1)), (30 - few, (1, 1, 0)),
                  (35 - few, (0, 1, 1)), (25 - few, (1, 0, 1)), (few, (1, 1, 1)), (60 - few, (0, 0, 0))]  # fmt: skip
        rows = [held for n, held in groups for _ in range(n)]
        return sr.Patterns.from_wide(pl.DataFrame(rows, schema=list("abc"), orient="row"), conditions=list("abc"))

    one, two = (
        sr.suppress(sr.multimorbidity.combinations(patterns(few), kind="exact", min_size=2), POLICIES["nhs_england"])
        for few in (0, 2)
    )
    assert one.count_tables["margins"].equals(two.count_tables["margins"])
    assert (repr(one), one._repr_html_(), one.sentence()) == (repr(two), two._repr_html_(), two.sentence())


# -- one thing at a time ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["0", "1"])
def test_everything_a_study_can_be_asked_for_may_be_released_together(name: str) -> None:
    made = study_of(name, "nhs_england", whole=True)
    assert made.wrong_counts() == []
    assert [str(f) for f in made.at_risk()] == []
    assert made.wrong_words() == []


def test_curves_of_one_outcome_with_and_without_competing_events_do_not_narrow_each_other() -> None:
    # a reader who knows that the Kaplan-Meier curve takes the competing event for censoring sets one against the other
    made = attack(world_of("0"), POLICIES["nhs_england"], produce.of_time(world_of("0")), files=False)
    wanted = [cell for cell in made.cells if readers.base_of(cell.kind.split(".")[0]) in readers.CURVES]
    assert [str(f) for f in made.at_risk(wanted)] == []


@pytest.mark.parametrize(("people", "seed", "policy"), [(40, 2, "nhs_england"), (60, 3, "sacro")])
def test_what_is_shown_again_at_the_end_narrows_nothing(people: int, seed: int, policy: str, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    world = worlds.small_hub(people, seed)
    results = produce.of_time(world) | produce.of_time(world, world.by)

    def released() -> tuple[study.Attacked, set[tuple[str, str]]]:
        made = attack(world, POLICIES[policy], results, files=False)
        return made, {(cell.kind, cell.what) for cell in made.cells if isinstance(cell.shown, int)}

    made, shown = released()
    assert [str(f) for f in made.at_risk()] == []
    monkeypatch.setattr(Selection, "_restore", lambda self: None)
    assert released()[1] < shown


def _costs(groups: dict[tuple[str, int, int], int], kind: str, adjust: tuple[str, ...], policy: str) -> sr.Result:
    rows = [held for held, n in groups.items() for _ in range(n)]
    cost = np.random.default_rng(1).gamma(2.0, 500.0, len(rows)).round(2)
    frame = pl.DataFrame(rows, schema=["sex", "a", "b"], orient="row").with_columns(pl.Series("cost", cost))
    patterns = sr.Patterns.from_wide(frame, conditions=["a", "b"], by=adjust, values=("cost",))
    found = sr.multimorbidity.cost_interaction(patterns, kind=kind, adjust=adjust, min_persons=1)
    return sr.suppress(found, POLICIES[policy])


def _told(released: sr.Result) -> tuple[Any, ...]:
    """What is there of a result and what is not, with its counts and marks."""
    frame = released.estimates
    marks = [[released.missing_marker(row, c) for c in row if row[c] is None] for row in frame.iter_rows(named=True)]
    tables = [(name, t.select(pl.all().is_null()).rows()) for name, t in released.count_tables.items()]
    return tables, frame.select(pl.all().is_null()).rows(), frame.select(r"^n_.*$", "combination").rows(), marks


@pytest.mark.parametrize("policy", ["nhs_england", "sacro"])
@pytest.mark.parametrize("adjust", [(), ("sex",)], ids=["", "adjusted"])
@pytest.mark.parametrize("kind", ["exact", "at_least"])
def test_whether_a_combination_was_compared_does_not_tell_a_part_of_one_person(kind: str, adjust: tuple[str, ...], policy: str) -> None:  # fmt: skip
    # a part is suppressed, the others are not
    def released(few: int) -> sr.Result:
        of_men = {("M", 0, 0): 90, ("M", 1, 0): 40 if adjust else 0, ("M", 0, 1): 30, ("M", 1, 1): 30}
        of_women = {("F", 0, 0): 110, ("F", 1, 0): few, ("F", 0, 1): 30, ("F", 1, 1): 30}
        return _costs(of_men | of_women, kind, adjust, policy)

    told = [_told(released(few)) for few in (1, 2, 4)]
    assert told[0] == told[1] == told[2]
    assert released(4).estimates["excess"].to_list() == [None]
    assert released(40).estimates["excess"].null_count() == 0
    # and nothing tells a suppressed part from one of nobody
    assert _told(released(0)) == told[0]


@pytest.mark.parametrize("policy", ["nhs_england", "sacro"])
@pytest.mark.parametrize("kind", ["exact", "at_least"])
def test_whether_a_combination_was_compared_does_not_tell_nobody_in_a_stratum_from_few(kind: str, policy: str) -> None:
    # a woman with a alone: within sex the women with both have nothing to be compared with, and there are few of them
    def released(few: int) -> sr.Result:
        of_men = {("M", 0, 0): 90, ("M", 1, 0): 40, ("M", 0, 1): 30, ("M", 1, 1): 60 - few}
        return _costs(
            of_men | {("F", 0, 0): 110, ("F", 1, 0): 1, ("F", 0, 1): 30, ("F", 1, 1): few}, kind, ("sex",), policy
        )

    told = [_told(released(few)) for few in (0, 1, 3, 7)]
    assert all(one == told[0] for one in told)
    assert released(3).estimates["excess"].null_count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("plot", sorted({plot for plots in produce.PLOTS.values() for plot in plots}))
def test_figures_hold_no_exact_number(plot: str) -> None:
    made = study_of("1", "nhs_england", whole=True)
    kinds = [k for k, r in made.released.items() if plot in produce.PLOTS.get(type(r).__name__, ())]
    with produce.temporary() as folder:
        own = {k: made.released[k] for k in dict.fromkeys([kinds[0], kinds[-1]])}
        paths = [p for p in produce.write_pictures(own, Path(folder), ("svg", "png", "pdf")) if f".{plot}." in p.name]
        words = {p.name: texts.text_of(p) for p in paths}
    assert {p.suffix for p in paths} == {".svg", ".png", ".pdf"}
    assert all(len(w) > 20 for w in words.values())
    assert dataclasses.replace(made, words=words).wrong_words() == []


@pytest.mark.slow
def test_networks_hold_no_exact_number() -> None:
    made = study_of("1", "nhs_england", whole=True)
    with produce.temporary() as folder:
        words = {p.name: texts.text_of(p) for p in produce.write_networks(made.released, Path(folder))}
    assert {Path(name).suffix for name in words} == {".graphml", ".gexf", ".json"}
    assert dataclasses.replace(made, words=words).wrong_words() == []


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["nhs_england", "sacro"])
def test_what_an_output_checker_gets_holds_no_exact_number(policy: str) -> None:
    made = study_of("1", policy, whole=True)
    own = {k: made.released[k] for k in ("prevalence", "condition_count", "exact", "at_least__by_sex", "kaplan_meier")}
    with produce.temporary() as folder:
        written = sr.write_acro(own, Path(folder) / "release", made=datetime(2018, 4, 1, tzinfo=UTC))
        results = json.loads((written / "results.json").read_text(encoding="utf-8"))["results"]
        for kind, output in results.items():
            with (written / f"{kind}_0.csv").open(encoding="utf-8", newline="") as lines:
                shown = list(csv.reader(lines))[1:]
            marked = [[r, c] for r, row in enumerate(shown) for c, text in enumerate(row) if text in attacker.MARKS]
            assert marked == output["files"][0]["sdc"]["cells"]["threshold"]
            text = " ".join([output["command"], *output["comments"]])
            assert dataclasses.replace(made, words={kind: text}).wrong_words() == []


@pytest.mark.parametrize("more", [3, 60])
def test_two_reports_of_which_one_s_people_are_among_the_other_s(more: int) -> None:
    # a hub is everybody of a programme but the last few
    world = dataclasses.replace(world_of("0"), by=(), levels=())
    hub = dataclasses.replace(world, people=world.people.head(world.people.height - more))
    released = [
        sr.suppress(sr.multimorbidity.prevalence(sr.Patterns.from_wide(w.people, conditions=list(w.conditions), provenance=provenance)), POLICIES["nhs_england strict"])
        for w, provenance in ((hub, worlds.Provenance(population={"hub": "A"})), (world, worlds.Provenance(population={"area": "South"})))
    ]  # fmt: skip
    assert bool(sr.check_differencing(released)) is (more == 3)


def test_a_second_rule_is_refused() -> None:
    exact = sr.multimorbidity.prevalence(world_of("0").patterns())
    released = [sr.suppress(exact, POLICIES[name]) for name in ("nhs_england", "sacro")]
    assert [finding.kind for finding in sr.check_differencing(released)] == ["rules"]
    with pytest.raises(DisclosureError, match="already released"):
        sr.suppress(released[0], POLICIES["sacro"])


def test_every_family_and_every_writer_is_attacked() -> None:
    made = {type(r).__name__ for name in ("0", "1") for r in study.results_of(name).values()}
    assert made == set(produce.families())
    drawn_by = {plot for plots in produce.PLOTS.values() for plot in plots}
    written = {"write_table", "write_acro", "write_figure", "write_network", "table", "cross_table", "sentence", "picture", "plot",
               "outcome_table", "outcome_picture"}  # fmt: skip
    assert set(produce.writers()) == drawn_by | written


# -- the attacker can count -------------------------------------------------------------------------------------

BOOK = attacker.Codebook(("a", "b"))
NHS = attacker.RULES["nhs_england"]


def _cells(*shown: tuple[int | str, list[int]]) -> list[attacker.Cell]:
    return [attacker.Cell("by hand", str(own), BOOK.sets(None, own), n) for n, own in shown]


def test_a_mark_beside_its_total_is_found_by_hand() -> None:
    # 20 (18-22) people, 15 (13-17) of them with none: the mark is 1 to 9, so 1 to 7 as given: nothing is found
    truth = np.array([15, 4, 0, 0])
    assert attacker.at_risk(_cells((20, [0, 1]), (15, [0]), ("*", [1])), truth, NHS) == []
    # 20 of 20 with none: 0 to 4, so 1 to 4
    truth = np.array([18, 3, 0, 0])
    found = attacker.at_risk(_cells((20, [0, 1]), (20, [0]), ("*", [1])), truth, NHS)
    assert [f.possible for f in found] == [(1, 2, 3, 4)]


def test_a_count_above_the_threshold_is_found_too() -> None:
    # nobody with none, and 10 (8-12) with none or both; 25 (23-27) with b, 10 (8-12) of them without a: 11 or 12 with both
    shown = _cells((0, [0]), (10, [0, 3]), (25, [2, 3]), (10, [2]), ("*", [3]))
    found = attacker.at_risk(shown, np.array([0, 30, 12, 11]), NHS)
    assert [(f.possible, f.primary) for f in found] == [((11, 12), False)]


def test_marks_that_bound_one_another_are_no_finding() -> None:
    # a mark of 1-7 in two sexes and a mark of 1-7 for both: given that alone, each is 1 to 6
    book = attacker.Codebook(("a",), ("F", "M"))
    cells = [attacker.Cell("by hand", s or "all", book.sets(s, [1]), "*") for s in ("F", "M", None)]
    assert attacker.at_risk(cells, np.array([50, 2, 40, 3]), NHS, strict=True) == []


def test_a_sum_that_is_nearly_one_person_s_is_seen() -> None:
    # 95 of 100; two have 90 of 100; the second, with 40 of 100, knows the first's 57 but for 3
    assert all(dominance.dominated(np.array(v)) for v in ([95, 3, 2], [50, 40, 5, 5], [57, 40, 3]))
    assert not dominance.dominated(np.array([30, 30, 20, 20]))
    world = world_of("dominated_cost")
    everybody = {"exact": [{"combination": "asthma", "mean_cost": "1700"}, {"combination": "cancer + copd", "mean_cost": "100"}]}  # fmt: skip
    assert dominance.shown(everybody, world) == ["exact: mean_cost of ['asthma'] "]
