"""A study with everything that could come out differently in another engine, and the engines to hold it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError

N_CONDITIONS = 70  # more than one word
CONDITIONS = [f"condition {k:02d}" for k in range(N_CONDITIONS)]
BY, VALUES = ("sex", "age"), ("cost", "days")


@dataclass(frozen=True)
class People:
    """The same people in three shapes."""

    records: Any
    persons: Any
    wide: Any
    masks: Any

    def held_by(self, door: Callable[[pl.DataFrame], Any]) -> People:
        return People(door(self.records), door(self.persons), door(self.wide), door(self.masks))

    def patterns(self) -> dict[str, sr.Patterns]:
        common: dict[str, Any] = {"by": BY, "values": VALUES}
        return {
            "records": sr.Patterns.from_long(self.records, self.persons, conditions=CONDITIONS, **common),
            "wide": sr.Patterns.from_wide(self.wide, conditions=CONDITIONS, **common),
            "masks": sr.Patterns.from_masks(self.masks, conditions=CONDITIONS, mask=["first", "second"], **common),
        }


@pytest.fixture(scope="session")
def people() -> People:
    random = np.random.default_rng(57)
    n = 4_000
    has = random.random((n, N_CONDITIONS)) < np.geomspace(0.3, 0.02, N_CONDITIONS)
    # hundredths and half hundredths, then costs of every size there may be, then nothing
    halves = random.integers(0, 10**6, n) / 100 + 0.005
    cost = np.where(random.random(n) < 0.4, halves, np.exp(random.normal(3, 7, n)).clip(0, 9e13))
    cost[random.random(n) < 0.2] = 0
    cost[:4] = [1e-300, 0.00499999999999999, 90_071_992_547_409.0, 45_035_996_273_704.97]
    persons = pl.DataFrame(
        {
            "person_id": [f"person {k}" for k in range(n)],
            "sex": random.choice(["F", "M", None], n).tolist(),
            "age": random.integers(0, 3, n),
            "cost": cost,
            "days": random.integers(0, 9, n),
        }
    )
    who, what = np.nonzero(has)
    records = pl.DataFrame(
        {"person_id": [f"person {k}" for k in who], "condition": [CONDITIONS[k] for k in what]}
    ).sample(fraction=1.2, with_replacement=True, shuffle=True, seed=1)
    # sampled with replacement: some records twice, others not at all
    kept = records.unique().with_columns(has=1).pivot("condition", index="person_id", values="has")
    kept = persons.select("person_id").join(kept, on="person_id", how="left", maintain_order="left")
    bits = kept.select(CONDITIONS).fill_null(0)
    table = bits.to_numpy().astype(bool)
    # the words of sets by hand: bit k is worth 2**k, and a 64th bit is the sign
    words = [sum(1 << k for k in np.flatnonzero(row).tolist()) for row in table]
    first = pl.Series("first", [word % 2**64 for word in words], dtype=pl.UInt64).reinterpret(signed=True)
    second = pl.Series("second", [word >> 64 for word in words], dtype=pl.Int64)
    return People(
        records,
        persons,
        persons.hstack(
            bits.with_columns(pl.col(CONDITIONS[0]).cast(pl.Boolean), pl.col(CONDITIONS[1]).cast(pl.Float64))
        ),
        persons.with_columns(first, second),
    )


@pytest.fixture(scope="session")
def spark_session() -> Iterator[Callable[[str], Any]]:
    """Return what starts Spark at a master; skip where there is no Spark or no Java."""
    session = pytest.importorskip("pyspark.sql", reason="pyspark is not installed").SparkSession
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        pytest.skip("Java is not installed")
    running: list[Any] = []

    def start(master: str) -> Any:
        for one in running:
            one.stop()
        running.clear()
        settings = {
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "3",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.executor.memory": "1g",
        }
        builder = session.builder.master(master)
        for key, value in settings.items():
            builder = builder.config(key, value)
        running.append(builder.getOrCreate())
        running[0].sparkContext.setLogLevel("ERROR")
        return running[0]

    yield start
    for one in running:
        one.stop()


FAULTS = [
    ("records", {"person_id": None}, "records has 1 rows without a person"),
    ("records", {"condition": None}, "records has 1 rows without a condition"),
    ("records", {"condition": "secret"}, "records has 1 rows of 1 conditions that are not in the list of 2"),
    ("records", {"person_id": 987654}, "records holds 1 people who are not in persons"),
    ("persons", {"person_id": None}, "persons has 1 rows without a person"),
    ("persons", {"person_id": 2}, "persons counts 1 rows twice"),
    *[
        (table, {"cost": cost}, "'cost' is missing, negative, not a number or above 90,071,992,547,409 in 1 rows")
        for table in ("persons", "wide", "masks")
        for cost in (None, -0.01, float("nan"), float("inf"), 987654e12)
    ],
    ("wide", {"asthma": None}, "Condition column 'asthma' has a missing value in 1 rows"),
    ("wide", {"asthma": 987654.0}, "Condition column 'asthma' has something other than 0 and 1 in 1 rows"),
    ("wide", {"asthma": float("nan")}, "Condition column 'asthma' has something other than 0 and 1 in 1 rows"),
    ("masks", {"mask": None}, "Mask column 'mask' has a missing value in 1 rows"),
    ("masks", {"mask": 4}, "Mask column 'mask' has a bit that stands for none of the 2 conditions in 1 rows"),
    ("masks", {"mask": -1}, "Mask column 'mask' has a bit that stands for none of the 2 conditions in 1 rows"),
]
FEW = {
    "records": pl.DataFrame({"person_id": [1, 2, 3], "condition": ["asthma", "stroke", "asthma"]}),
    "persons": pl.DataFrame({"person_id": [1, 2, 3], "sex": ["F", "M", None], "cost": [1.5, 0.0, 2.5]}),
    "wide": pl.DataFrame({"asthma": [1.0, 0.0, 1.0], "stroke": [False, True, False], "cost": [1.5, 0.0, 2.5]}),
    "masks": pl.DataFrame({"mask": [1, 2, 1], "cost": [1.5, 0.0, 2.5]}),
}


def collapse_few(table: str, held: dict[str, Any]) -> sr.Patterns:
    """Collapse FEW through the door that takes a table."""
    two: dict[str, Any] = {"conditions": ["asthma", "stroke"], "values": "cost"}
    if table == "wide":
        return sr.Patterns.from_wide(held["wide"], **two)
    if table == "masks":
        return sr.Patterns.from_masks(held["masks"], **two)
    return sr.Patterns.from_long(held["records"], held["persons"], by="sex", **two)


def refuse_faults(door: Callable[[pl.DataFrame], Any], which: slice = slice(None)) -> None:
    """Plant each fault in turn: the message is the same in every engine."""
    for table, change, message in FAULTS[which]:
        name, value = next(iter(change.items()))
        kind = FEW[table].schema[name]
        changed = FEW[table].with_columns(pl.Series(name, [value, *FEW[table][name].to_list()[1:]], dtype=kind))
        held = {key: door(changed if key == table else FEW[key]) for key in FEW if table in (key, "records", "persons")}
        with pytest.raises(ArgumentError, match=message) as told:
            collapse_few(table, held)
        assert "987654" not in str(told.value)
        assert "secret" not in str(told.value)


def answer_edges(door: Callable[[pl.DataFrame], Any]) -> None:
    """Edge cases with a right answer, none of which may take long."""
    listed = [f"c{k:03d}" for k in range(308)]
    sixty = pl.DataFrame({"person_id": [1] * 60, "condition": listed[:60]})
    one = sr.Patterns.from_long(door(sixty))
    assert one.to_frame().rows() == [(listed[:60], 1)]
    long_list = sr.Patterns.from_long(door(sixty), door(pl.DataFrame({"person_id": [1, 2]})), conditions=listed)
    assert long_list.conditions == tuple(listed)
    assert sorted(long_list.to_frame().rows()) == [([], 1), (listed[:60], 1)]
    pairs = sr.networks.cooccurrence(long_list).estimates
    assert pairs.filter(pl.col("n_both") == 1).height == 60 * 59 // 2
    alike = pl.DataFrame({"mask": [5] * 100, "sex": [None] * 100}, schema_overrides={"sex": pl.String})
    same = sr.Patterns.from_masks(door(alike), conditions=["a", "b", "c"], by="sex")
    assert same.to_frame().rows() == [(["a", "c"], None, 100)]
    assert sr.multimorbidity.prevalence(same).estimates["n_persons"].to_list() == [100, 0, 100]
    nobody = sr.Patterns.from_masks(door(alike.clear()), conditions=["a", "b", "c"], by="sex")
    empty = sr.Patterns.from_long(
        door(sixty.clear()), door(pl.DataFrame({"person_id": [1]}).clear()), conditions=["a", "b", "c"]
    )
    for none in (nobody, empty):
        assert none.n_persons == 0
        assert none.frame.height == 0
        assert none.frame.schema["mask_0"] == pl.UInt64
    healthy = sr.Patterns.from_long(door(sixty.clear()), door(pl.DataFrame({"person_id": [1, 2]})))
    assert healthy.to_frame().rows() == [([], 2)]


@pytest.fixture
def refuse() -> Callable[..., None]:
    return refuse_faults


@pytest.fixture
def check_edges() -> Callable[..., None]:
    return answer_edges
