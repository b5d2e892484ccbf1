"""Cumulative hazards, restricted means, the log-rank family, Gray's test and recurrent events against R.

Every expected value is R's: `r/nonparametric.R` wrote the tables in `expected/` (R 4.2.2; survival 3.5-3, survMisc 0.5.6,
cmprsk 2.2-11, etm 1.1.1, mets 1.3.2) and holds the command of each case.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import symphony_research as sr

RELATIVE = 1e-8
c = pl.col


def rows_of(table: pl.DataFrame, case: str) -> list[dict[str, Any]]:
    found = table.filter(c("case") == case).to_dicts()
    assert found
    return found


HAZARDS: dict[str, dict[str, Any]] = {
    "mgus2 by sex": {"time": "futime", "event": "death", "by": "sex"},
    "heart entry by transplant": {"time": "stop", "event": "event", "entry": "start", "by": "transplant"},
    "colon by rx weighted": {"time": "time", "event": "status", "by": "rx", "weights": "people"},
}


@pytest.mark.parametrize("case", HAZARDS)
def test_nelson_aalen(case, prepared, expected):
    people, by = prepared("real", case), HAZARDS[case]["by"]
    ours = sr.survival.nelson_aalen(people, **HAZARDS[case]).estimates
    plain = sr.survival.nelson_aalen(people, interval="plain", **HAZARDS[case]).estimates
    for theirs in rows_of(expected("nelson_aalen"), case):
        own = ours.filter(c(by).cast(pl.String) == theirs["stratum"])
        other = plain.filter(c(by).cast(pl.String) == theirs["stratum"])
        assert own.height == int(theirs["rows"])
        found = own.row(int(theirs["row"]) - 1, named=True)
        for column in ("time", "n_at_risk", "n_events", "estimate", "standard_error", "lower", "upper"):
            if not theirs[column] or theirs["estimate"] == "0":
                assert column not in ("lower", "upper") or found[column] is None
                continue
            assert found[column] == pytest.approx(float(theirs[column]), rel=RELATIVE), (theirs, column)
        assert other["upper"][int(theirs["row"]) - 1] == pytest.approx(float(theirs["upper_plain"]), rel=RELATIVE)


MEANS: dict[str, dict[str, Any]] = {
    "mgus2 by sex": {"time": "futime", "event": "death", "by": "sex"},
    "bmt by group": {"time": "t2", "event": "d3", "by": "group"},
    "colon by rx weighted": {"time": "time", "event": "status", "by": "rx", "weights": "people"},
}


@pytest.mark.parametrize("case", MEANS)
def test_restricted_mean_survival_time(case, prepared, expected):
    for theirs in rows_of(expected("restricted_mean"), case):
        horizon, by = float(theirs["horizon"]), MEANS[case]["by"]
        mean = sr.survival.restricted_mean_survival_time(prepared("real", case), horizon=horizon, **MEANS[case])
        (own,) = mean.estimates.filter(c(by).cast(pl.String) == theirs["stratum"]).to_dicts()
        for column in ("estimate", "standard_error"):
            assert own[column] == pytest.approx(float(theirs[column]), rel=RELATIVE)


def test_difference_of_restricted_means_is_that_of_r_by_arm(prepared, expected):
    # authority: R's two means and standard errors, independent samples
    rows = [r for r in rows_of(expected("restricted_mean"), "mgus2 by sex") if r["horizon"] == "60"]
    (women, men) = ((float(r["estimate"]), float(r["standard_error"])) for r in rows)
    mean = sr.survival.restricted_mean_survival_time(prepared("real", "mgus2"), horizon=60, **MEANS["mgus2 by sex"])
    (found,) = mean.differences.to_dicts()
    assert (found["reference_sex"], found["sex"]) == ("F", "M")
    error = (women[1] ** 2 + men[1] ** 2) ** 0.5
    assert found["estimate"] == pytest.approx(men[0] - women[0], rel=RELATIVE)
    assert found["standard_error"] == pytest.approx(error, rel=RELATIVE)
    assert found["upper"] == pytest.approx(men[0] - women[0] + 1.959963984540054 * error, rel=RELATIVE)


STRATIFIED: dict[str, dict[str, Any]] = {
    "mgus2 by sex stratified": {"time": "futime", "event": "death", "by": "sex", "strata": "decade"},
    "bmt by group stratified": {"time": "t2", "event": "d3", "by": "group", "strata": "z10"},
    "colon by rx stratified": {"time": "time", "event": "status", "by": "rx", "strata": ["sex", "obstruct"]},
    "colon by rx weighted stratified": {
        **{"time": "time", "event": "status", "by": "rx", "strata": ["sex", "obstruct"]},
        "weights": "people",
    },
}


def with_decade(people: pl.DataFrame) -> pl.DataFrame:
    return (
        people.with_columns((c("age") // 10).alias("decade"))
        if people.schema.get("age", pl.String).is_numeric()
        else people
    )


@pytest.mark.parametrize("case", STRATIFIED)
def test_stratified_logrank(case, prepared, expected):
    people = with_decade(prepared("real", case))
    for theirs in rows_of(expected("logrank_stratified"), case):
        rho = float(theirs["rho"])
        weighting = {"weighting": "fleming_harrington", "powers": (rho, 0.0)} if rho else {}
        test = sr.survival.logrank_test(people, **STRATIFIED[case], **weighting)
        (ours,) = test.estimates.to_dicts()
        assert ours["statistic"] == pytest.approx(float(theirs["statistic"]), rel=RELATIVE)
        assert ours["degrees_of_freedom"] == int(theirs["degrees_of_freedom"])
        assert ours["p_value"] == pytest.approx(float(theirs["p_value"]), rel=RELATIVE)
        if not rho:
            for column in ("observed", "expected"):
                values = [float(v) for v in theirs[column].split("|")]
                assert test.groups[column].to_list() == pytest.approx(values, rel=RELATIVE)


# survMisc's names of weights; its S1 and S2 are the estimates of Peto and Peto and of Andersen with n + 1, not compared
FAMILY: dict[str, dict[str, Any]] = {
    "1": {},
    "n": {"weighting": "gehan_breslow"},
    "sqrtN": {"weighting": "tarone_ware"},
    "FH_p=1_q=1": {"weighting": "fleming_harrington", "powers": (1, 1)},
    "FH_p=0.5_q=2": {"weighting": "fleming_harrington", "powers": (0.5, 2)},
    "FH_p=0_q=1": {"weighting": "fleming_harrington", "powers": (0, 1)},
}
COMPARED: dict[str, dict[str, Any]] = {
    "bmt by group": {"time": "t2", "event": "d3", "by": "group"},
    "colon by rx": {"time": "time", "event": "status", "by": "rx"},
}
# the order of survMisc's groups, which follows the columns of a model matrix
SCORES: dict[str, Any] = {"bmt by group": True, "colon by rx": {"Lev": 1, "Obs": 2, "Lev+5FU": 3}}


@pytest.mark.parametrize("case", COMPARED)
@pytest.mark.parametrize("weights", FAMILY)
def test_logrank_family_and_trend(case, weights, prepared, expected):
    people = prepared("real", case)
    (theirs,) = (row for row in rows_of(expected("logrank_family"), case) if row["weights"] == weights)
    test = sr.survival.logrank_test(people, **COMPARED[case], **FAMILY[weights]).estimates
    assert test["statistic"].item() == pytest.approx(float(theirs["statistic"]), rel=RELATIVE)
    if theirs["trend"]:
        trend = sr.survival.logrank_test(people, trend=SCORES[case], **COMPARED[case], **FAMILY[weights]).estimates
        assert trend["statistic"].item() == pytest.approx(float(theirs["trend"]), rel=RELATIVE)
        assert trend["degrees_of_freedom"].item() == 1


GRAY: dict[str, dict[str, Any]] = {
    "bmt by group": {"time": "t2", "by": "group"},
    "mgus2 by sex": {"time": "progressed", "by": "sex"},
    "ebmt3 by dissub": {"time": "first", "by": "dissub"},
    "bmt by group stratified": {"time": "t2", "by": "group", "strata": "z10"},
    "mgus2 by sex stratified": {"time": "progressed", "by": "sex", "strata": "decade"},
    "pbc by sex weighted": {"time": "time", "by": "sex", "weights": "people"},
}


@pytest.mark.parametrize("case", GRAY)
def test_gray(case, prepared, expected):
    people = with_decade(prepared("real", case))
    for theirs in rows_of(expected("gray"), case):
        options = {"cause": int(theirs["cause"]), "rho": float(theirs["rho"]), **GRAY[case]}
        (ours,) = sr.survival.gray_test(people, event="cause", **options).estimates.to_dicts()
        assert ours["statistic"] == pytest.approx(float(theirs["statistic"]), rel=RELATIVE)
        assert ours["degrees_of_freedom"] == int(theirs["degrees_of_freedom"])
        assert ours["p_value"] == pytest.approx(float(theirs["p_value"]), rel=RELATIVE)


def test_incidence_and_its_variance_are_those_of_etm(prepared, expected):
    ours = sr.survival.cumulative_incidence(
        prepared("real", "mgus2"), time="progressed", event="cause", by="sex"
    ).estimates
    for theirs in rows_of(expected("incidence_etm"), "mgus2 by sex"):
        at = (
            (c("sex") == theirs["stratum"])
            & (c("cause") == int(theirs["cause"]))
            & (c("time") == float(theirs["time"]))
        )
        (own,) = ours.filter(at).to_dicts()
        for column in ("estimate", "standard_error"):
            assert own[column] == pytest.approx(float(theirs[column]), rel=RELATIVE, abs=1e-12)


def admissions(from_folder: Any, *, distinct: bool) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Readmissions and their people; with distinct times as the R script makes them."""
    rows = from_folder("readmission").sort("id", "t.stop")
    moved = (pl.int_range(pl.len()) + 1) / (pl.len() + 1) if distinct else pl.lit(0.0)
    rows = rows.with_columns((c("t.stop") + moved).alias("stop"))
    died, end = c("death").cast(pl.Int64).max().alias("died"), c("stop").max().alias("end")
    people = rows.group_by("id", maintain_order=True).agg(end, died, c("chemo").first())
    return rows.filter(c("event") == 1).select("id", c("stop").alias("time")), people


def test_mean_cumulative_count_is_that_of_mets(expected, real_table):
    count = sr.survival.mean_cumulative_count(*admissions(real_table, distinct=True), person="id", by="chemo").estimates
    for theirs in rows_of(expected("recurrent_mets"), "readmission by chemo"):
        own = count.filter((c("chemo") == theirs["stratum"]) & ((c("time") - float(theirs["time"])).abs() < 1e-6))
        for column in ("estimate", "standard_error"):
            assert own[column].item() == pytest.approx(float(theirs[column]), rel=RELATIVE)


def test_tied_readmissions_come_before_deaths(real_table):
    # authority: the definition by a naive sum, 0.60131 at 365 days; mets 1.3.2 takes ties in another order: 0.60186
    events, people = admissions(real_table, distinct=False)
    count = sr.survival.mean_cumulative_count(events, people, person="id")
    survival, mean = 1.0, 0.0
    ends, died, times = people["end"].to_list(), people["died"].to_list(), events["time"].to_list()
    for t in sorted({*ends, *times}):
        if t > 365:
            break
        n = sum(end >= t for end in ends)
        mean += survival * times.count(t) / n
        survival *= 1 - sum(end == t and d == 1 for end, d in zip(ends, died, strict=True)) / n
    found = sr.survival.at(count, 365).estimates["estimate"].item()
    assert found == pytest.approx(mean, rel=1e-12)
    assert round(found, 5) == 0.60131
