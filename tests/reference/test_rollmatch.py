"""Matching at each entry quarter against rollmatch 2.0.4, on the data set that it ships.

Every expected value is rollmatch's (R 4.2): `reduce_data(lookback = 1)`, logistic score on the logit, `alpha = 0.2`,
`standard_deviation = "average"`, `num_matches = 1`, with and without replacement. The files lie beside the checkout.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from symphony_research.evaluation.matching import caliper_width, nearest, pair_weights
from symphony_research.evaluation.moments import moments
from symphony_research.evaluation.scores import fitted_logistic

FOLDER = (
    Path(os.environ.get("SYMPHONY_SHARED_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
    / "rollmatch"
)
COVARIATES = ["qtr_pmt", "yr_pmt", "age"]
c = pl.col


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    if not FOLDER.is_dir():
        pytest.skip(
            "the data of rollmatch are not beside the checkout (../shared/data/rollmatch) nor where SYMPHONY_SHARED_DATA says"
        )
    frame = pl.read_csv(FOLDER / "rem_synthdata_small.csv.gz", null_values="NA", infer_schema_length=None)
    entering = frame.filter((c("treat") == 1) & (c("quarter") == c("entry_q") - 1))
    others = frame.filter((c("treat") == 0) & c("quarter").is_in(entering["quarter"].unique().implode()))
    reduced = pl.concat([entering, others]).with_columns(
        pl.col("indiv_id").rank("dense").cast(pl.Int64).alias("person")
    )
    assert reduced.height == 4_030  # as rollmatch prints it
    return reduced


def matched(rows: pl.DataFrame, *, replacement: bool):
    treated = (rows["treat"] == 1).to_numpy()
    score = fitted_logistic(rows.select(COVARIATES).to_numpy().astype(float), treated).linear
    width = caliper_width(score, treated, 0.2)
    assert width == pytest.approx(0.3317, abs=5e-5)
    cases = np.flatnonzero(treated)
    quarter, person = rows["quarter"].to_numpy(), rows["person"].to_numpy()
    at = [(k, row) for k, case in enumerate(cases) for row in np.flatnonzero(~treated & (quarter == quarter[case]))]
    sets, control = np.array(at).T
    distance = np.abs(score[control] - score[cases][sets])
    near = distance <= width
    order = np.arange(person.max() + 1)
    pairs = nearest(
        sets[near], control[near], distance[near], person[control[near]], ratio=1, replacement=replacement, order=order
    )
    return pairs, cases, score


def theirs(name: str) -> pl.DataFrame:
    return pl.read_csv(FOLDER / f"matched_{name}_replacement.csv")


def as_pairs(rows: pl.DataFrame, pairs, cases) -> set[tuple[int, int, int]]:
    ids = rows["indiv_id"].to_numpy()
    quarter = rows["quarter"].to_numpy()
    return {(int(ids[cases[s]]), int(ids[r]), int(quarter[r])) for s, r in zip(pairs.set, pairs.control, strict=True)}


def test_with_replacement_the_pairs_are_its_pairs(rows):
    pairs, cases, score = matched(rows, replacement=True)
    other = theirs("with")
    assert as_pairs(rows, pairs, cases) == set(other.select("treat_id", "control_id", "quarter").iter_rows())
    assert len(pairs.set) == 27
    assert pairs.distance.sum() == pytest.approx(1.0371, abs=5e-5)
    assert sorted(pairs.distance) == pytest.approx(
        sorted(other["difference"].to_list()), abs=1e-8
    )  # glm of R stops sooner
    known = dict(other.select("treat_id", "treat_score").iter_rows())
    ids = rows["indiv_id"].to_numpy()
    for s in pairs.set:
        assert score[cases[s]] == pytest.approx(known[int(ids[cases[s]])], rel=1e-7)


def test_without_replacement_there_are_as_many_pairs_and_none_further_in_all(rows):
    pairs, _, _ = matched(rows, replacement=False)
    assert len(pairs.set) == 27
    people = rows["person"].to_numpy()[pairs.control]
    assert len(set(people.tolist())) == 27
    # rollmatch's pairs add up to 1.0821, and the best there are, by linear assignment, to 1.0554
    assert pairs.distance.sum() <= theirs("without")["difference"].sum() + 1e-7
    assert pairs.distance.sum() >= 1.0554 - 5e-5


def test_without_replacement_balance_is_its_balance(rows):
    # of its own pairs, so that the table alone is compared
    table, other = pl.read_csv(FOLDER / "balance_without.csv"), theirs("without")
    assert_balance(rows, table, other, once=False)


def test_with_replacement_its_balance_counts_a_control_once_and_ours_as_often_as_used(rows):
    table, other = pl.read_csv(FOLDER / "balance_with.csv"), theirs("with")
    assert_balance(rows, table, other, once=True)
    pairs, cases, _ = matched(rows, replacement=True)
    x = rows.select(COVARIATES).to_numpy().astype(float)
    weight = pair_weights(pairs, len(cases), rows.height, cases)
    controls = (weight > 0) & (rows["treat"] == 0).to_numpy()
    ours = moments(x[controls], weight[controls], np.zeros(3, bool))
    # 27 enrolled have 26 controls; the one who is used twice counts twice: by hand, the mean over pairs
    assert controls.sum() == 26
    assert ours.mean == pytest.approx(x[pairs.control].mean(axis=0), rel=1e-12)
    assert ours.mean != pytest.approx(table["Matched Comparison Mean"].to_list(), rel=1e-6)


def assert_balance(rows: pl.DataFrame, table: pl.DataFrame, pairs: pl.DataFrame, *, once: bool) -> None:
    """Compare means and standard deviations of everybody, and of pairs, with a table of rollmatch's to ten digits."""
    chosen = pairs.select(indiv_id="control_id", quarter="quarter")
    controls = rows.join(chosen.unique() if once else chosen, on=["indiv_id", "quarter"], how="semi")
    enrolled = rows.filter(c("indiv_id").is_in(pairs["treat_id"].implode()))
    parts = {
        "Full Treatment": rows.filter(c("treat") == 1),
        "Full Comparison": rows.filter(c("treat") == 0),
        "Matched Treatment": enrolled,
        "Matched Comparison": controls,
    }
    for name, frame in parts.items():
        found = moments(frame.select(COVARIATES).to_numpy().astype(float), np.ones(frame.height), np.zeros(3, bool))
        assert found.mean == pytest.approx(table[f"{name} Mean"].to_list(), rel=1e-10), name
        assert np.sqrt(found.variance) == pytest.approx(table[f"{name} Std Dev"].to_list(), rel=1e-10), name
