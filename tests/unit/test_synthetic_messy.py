"""The messy study: `symphony check` finds every fault planted and nothing else, and imperfections are as large as stated."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research import checks
from symphony_research.synthetic import messy, parameters
from symphony_research.synthetic.history import BLOCK_SIZE, draw_history
from symphony_research.synthetic.messy import FAULTS, IMPERFECTIONS, Fault, faults_of_block, mess_up
from symphony_research.synthetic.plan import Plan, profile_named
from symphony_research.synthetic.study_tables import list_sizes, people_tables, study_tables

LAST_DAY = date(2018, 3, 31)
Tables = dict[str, pl.DataFrame]


def tidy_block(plan: Plan, people: int, number: int = 0) -> Tables:
    return people_tables(draw_history(plan, number, people))


def messy_block(plan: Plan, people: int, faults: int, number: int = 0) -> Tables:
    return mess_up(tidy_block(plan, people, number), plan.generators(number)["faults"], faults=faults)


def write_study(folder: Path, plan: Plan, sizes: Sequence[int], faults: int) -> Path:
    registered = 0
    for number, size in enumerate(sizes):
        history = draw_history(plan, number, size)
        registered = registered + list_sizes(history)
        own = faults_of_block(faults, number, len(sizes))
        for name, table in mess_up(people_tables(history), plan.generators(number)["faults"], faults=own).items():
            (folder / name).mkdir(parents=True, exist_ok=True)
            table.write_parquet(folder / name / f"part-{number}.parquet")
    for name, table in study_tables(registered).items():
        table.write_parquet(folder / f"{name}.parquet")
    (folder / "study.toml").write_text(
        f'name = "Messy"\nconditions = {json.dumps(parameters.CONDITION_NAMES)}\n'
        "[period]\nstart = 2011-04-01\nend = 2018-03-31\n"
    )
    return folder


def found(folder: Path) -> list[tuple[Fault, int]]:
    return sorted(((Fault(f.table, f.column, f.message), f.rows) for f in sr.check_study(folder).faults), key=repr)


def planted(rows: int) -> list[tuple[Fault, int]]:
    return sorted(((fault, rows) for fault in FAULTS), key=repr)


@pytest.fixture(scope="module")
def tidy() -> Tables:
    return tidy_block(Plan(2013), BLOCK_SIZE)


@pytest.fixture(scope="module")
def imperfect(tidy: Tables) -> Tables:
    return mess_up(tidy, Plan(2013).generators(0)["faults"], faults=0)


def assert_share(part: int, whole: int, share: float) -> None:
    """Within four binomial standard deviations: missed by chance once in 16,000 draws, and the seed is fixed."""
    assert whole > 100
    assert abs(part - share * whole) < 4 * math.sqrt(share * (1 - share) * whole), (part, whole, share)


# ------------------------------------------------------------------ faults


@pytest.mark.parametrize("profile", ["calibrated", "planted", "null"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_check_finds_exactly_the_faults_planted(tmp_path: Path, profile: str, seed: int) -> None:
    folder = write_study(tmp_path, Plan(seed, profile_named(profile)), [2_000], faults=20)
    assert found(folder) == planted(20)
    with pytest.raises(sr.SchemaError, match=f"{len(FAULTS)} findings"):
        sr.read_study(folder)


def test_blocks_add_up_to_the_faults_of_the_study(tmp_path: Path) -> None:
    # Blocks of 16,384 bear 4 and 3 of each kind, the small last one none; all parts have the same types.
    assert found(write_study(tmp_path, Plan(4), [BLOCK_SIZE, BLOCK_SIZE, 40], faults=7)) == planted(7)


def test_every_kind_is_its_own_and_every_table_about_people_has_some() -> None:
    assert len(set(FAULTS)) == len(FAULTS) == 57
    assert {fault.table for fault in FAULTS} == {
        "persons", "registrations", "conditions", "activity", "enrolments", "outcomes"
    }  # fmt: skip
    assert messy._EARLIEST == checks.EARLIEST


def test_without_faults_the_study_can_be_read(tmp_path: Path) -> None:
    findings = sr.check_study(write_study(tmp_path, Plan(1), [2_000, 300], faults=0))
    assert findings.ok
    study = sr.read_study(tmp_path)
    assert study.persons.collect()["person_id"].is_unique().all()
    # Of the last two months 30% and 60% are missing, more than the fifth at which a month is called thin.
    assert "February 2018" in findings.text()
    assert "March 2018" in findings.text()


def test_faults_are_shared_by_the_blocks_before_the_last() -> None:
    # 20 over 7 full blocks: 7 x 2 = 14 and 6 more; the eighth is the partial one.
    assert [faults_of_block(20, number, 8) for number in range(8)] == [3, 3, 3, 3, 3, 3, 2, 0]
    assert faults_of_block(20, 0, 1) == 20
    for blocks in (1, 2, 3, 50):
        for faults in (0, 1, 20, 101):
            assert sum(faults_of_block(faults, number, blocks) for number in range(blocks)) == faults


def test_faults_change_few_rows_and_add_few(imperfect: Tables, tidy: Tables) -> None:
    faulty = mess_up(tidy, Plan(2013).generators(0)["faults"], faults=5)
    # Added: a second copy a fault where a table has a key, and in enrolments the eight other kinds as well.
    added = {"persons": 5, "registrations": 5, "conditions": 5, "activity": 0, "enrolments": 5 + 8 * 5, "outcomes": 0}
    for name, extra in added.items():
        assert faulty[name].height == imperfect[name].height + extra
        assert faulty[name].schema == imperfect[name].schema
        # Drop what is at fault, and what is left was there: each of the table's kinds took at most 5 rows.
        kinds = sum(fault.table == name for fault in FAULTS)
        gone = imperfect[name].join(faulty[name], on=imperfect[name].columns, how="anti", nulls_equal=True)
        assert gone.height <= 5 * kinds


def test_nothing_planted_looks_like_an_nhs_number() -> None:
    tables = messy_block(Plan(5), 2_000, 20)
    for table in tables.values():
        ids = table["person_id"].drop_nulls()
        # Nine digits at most here; an NHS number has ten.
        assert ids.min() >= 1
        assert ids.max() < 10**9


def test_a_block_without_enrolments_gets_one_that_can_come_again(tmp_path: Path) -> None:
    plan = Plan(6)
    tables = tidy_block(plan, 1_000)
    none = {**tables, "enrolments": tables["enrolments"].clear()}
    enrolments = mess_up(none, plan.generators(0)["faults"], faults=3)["enrolments"]
    # The sound one, its three copies, and three of each of the eight other kinds.
    assert enrolments.height == 1 + 3 + 8 * 3
    assert enrolments.group_by("person_id", "programme", "start_date").len()["len"].max() == 4


def test_too_few_people_for_the_faults_says_how_many_are_needed() -> None:
    drawn = tidy_block(Plan(1), 200)["persons"].height
    words = rf"block of {drawn} people ever registered has too few rows for 50 .* at least 5,000 people"
    with pytest.raises(sr.ArgumentError, match=words):
        messy_block(Plan(1), 200, 50)


# ------------------------------------------------------------------ imperfections


def test_the_last_months_lack_the_stated_shares(tidy: Tables, imperfect: Tables) -> None:
    def by_month(table: pl.DataFrame) -> dict[date, int]:
        return dict(table.group_by(pl.col("date").dt.truncate("1mo")).len().iter_rows())

    before, after = by_month(tidy["activity"]), by_month(imperfect["activity"])
    shares = {date(2018, 1, 1): 0.1, date(2018, 2, 1): 0.3, date(2018, 3, 1): 0.6}
    assert len(before) == 84
    for month, rows in before.items():
        if month in shares:
            assert_share(rows - after[month], rows, shares[month])
        else:
            assert after[month] == rows
    for setting in parameters.STREAMS[0].setting, "inpatient":
        march = [
            t["activity"]
            .filter(pl.col("date") >= date(2018, 3, 1), pl.col("setting").cast(pl.String) == setting)
            .height
            for t in (tidy, imperfect)
        ]
        assert_share(march[0] - march[1], march[0], 0.6)


def test_a_stated_share_of_deaths_is_late_by_the_stated_mean(tidy: Tables, imperfect: Tables) -> None:
    both = tidy["persons"].select("person_id", true="death_date").with_columns(now=imperfect["persons"]["death_date"])
    assert both.filter(pl.col("true").is_null())["now"].null_count() == both["true"].null_count()
    deaths = both.filter(pl.col("true").is_not_null())
    late = deaths.filter(pl.col("now").is_null() | (pl.col("now") != pl.col("true")))
    assert_share(late.height, deaths.height, 0.2)
    # Deaths over a year before the end are all recorded but for exp(-365 / 60) = 0.2% of the late. An exponential of
    # mean 60 rounded up has mean 1 / (1 - exp(-1 / 60)) = 60.5 and standard deviation 60.
    early = late.filter(pl.col("true") < date(2017, 4, 1), pl.col("now").is_not_null())
    delays = (early["now"] - early["true"]).dt.total_days()
    assert delays.min() >= 1
    assert abs(delays.mean() - 60.5) < 4 * 60 / math.sqrt(early.height)
    assert both["now"].max() <= LAST_DAY
    assert late["now"].null_count() > 0


def test_registrations_and_enrolments_end_with_the_death_as_recorded(tidy: Tables, imperfect: Tables) -> None:
    recorded = imperfect["persons"].select("person_id", "death_date")
    dead = tidy["persons"].filter(pl.col("death_date").is_not_null()).select("person_id", true="death_date")
    for name, fewest in (("registrations", 500), ("enrolments", 3)):
        ends = tidy[name].join(dead, left_on=["person_id", "end_date"], right_on=["person_id", "true"], how="semi")
        key = ["person_id", "start_date"]
        now = imperfect[name].join(ends.select(key), on=key).join(recorded, on="person_id")
        assert now.height == ends.height >= fewest
        assert now.filter(pl.col("end_date").ne_missing(pl.col("death_date"))).is_empty()
        # Nothing else has moved.
        rest = [table.join(ends.select(key), on=key, how="anti").select(*key, "end_date") for table in (tidy[name], imperfect[name])]  # fmt: skip
        assert_frame_equal(*rest)


def test_four_practices_leave_out_a_stated_share_of_unpaid_codes(tidy: Tables, imperfect: Tables) -> None:
    first = tidy["registrations"].sort("start_date").unique("person_id", keep="first", maintain_order=True)
    homes = first.select("person_id", pl.col("practice_id").cast(pl.String))
    # The third, eighth, thirteenth and eighteenth of the nineteen.
    uneven = pl.col("practice_id").is_in(["GP03", "GP08", "GP13", "GP18"])
    paid = pl.col("condition").cast(pl.String).is_in(parameters.PRIORITY_CONDITIONS)
    rows = []
    for tables in (tidy, imperfect):
        held = tables["conditions"].join(homes, on="person_id")
        rows.append(
            (held.filter(uneven & ~paid).height, held.filter(uneven & paid).height, held.filter(~uneven).height)
        )
    before, after = rows
    assert_share(before[0] - after[0], before[0], 0.3)
    assert after[1:] == before[1:]


def test_imperfections_are_written_down_with_their_numbers() -> None:
    told = json.loads(json.dumps(dict(IMPERFECTIONS)))
    assert told["incomplete_last_months"]["missing_share"] == {"2018-01": 0.1, "2018-02": 0.3, "2018-03": 0.6}
    assert (told["late_deaths"]["late_share"], told["late_deaths"]["mean_delay_days"]) == (0.2, 60)
    assert told["uneven_coding"]["practices"] == ["GP03", "GP08", "GP13", "GP18"]
    assert told["uneven_coding"]["missing_share"] == 0.3


# ------------------------------------------------------------------ seeds


def test_the_same_seed_gives_the_same_tables_and_another_does_not() -> None:
    one, two = (messy_block(Plan(8), 2_000, 10) for _ in range(2))
    tables = tidy_block(Plan(8), 2_000)
    other = mess_up(tables, Plan(9).generators(0)["faults"], faults=10)
    for name in tables:
        assert_frame_equal(one[name], two[name])
        assert not one[name].equals(other[name]), name


@pytest.mark.parametrize("faults", [0, 10])
def test_the_tables_given_are_left_as_they_are(faults: int) -> None:
    tables = tidy_block(Plan(10), 2_000)
    messed = mess_up(tables, Plan(10).generators(0)["faults"], faults=faults)
    assert list(messed) == list(tables)
    for name, table in tidy_block(Plan(10), 2_000).items():
        assert_frame_equal(tables[name], table)
        assert messed[name].columns == table.columns
