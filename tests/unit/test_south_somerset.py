"""The built-in projection: each assumption of decision 14 by hand, its variants, its random runs, its command and its mark."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research import cli
from symphony_research.demography import south_somerset as ours
from symphony_research.demography.migration_model import rogers_castro, student_leavers
from symphony_research.demography.mortality_model import improved, relational
from symphony_research.errors import ArgumentError
from symphony_research.reference import reference_table, reference_tables

FUNDAMENTAL = {"a1": 0.02, "alpha1": 0.1, "a2": 0.06, "alpha2": 0.1, "mu2": 20.0, "lambda2": 0.4, "c": 0.003}


def test_every_table_that_ships_says_its_source_and_licence():
    for name in reference_tables():
        table = reference_table(name)
        assert table.title
        assert table.source
        assert table.licence
        assert table.frame.height > 1


def test_the_fundamental_schedule_by_hand():
    # at 0: 0.02 + 0.06 exp(2 - exp(8)) + 0.003 = 0.023; at 20: 0.02 exp(-2) + 0.06 exp(-1) + 0.003 = 0.0277795
    shares = rogers_castro(91, FUNDAMENTAL)
    assert shares.sum() == pytest.approx(1)
    assert shares[20] / shares[0] == pytest.approx(0.0277795 / 0.023, rel=1e-5)
    # the published schedule has its labour peak in the early twenties
    assert 20 <= int(shares[10:].argmax()) + 10 <= 25
    with pytest.raises(ArgumentError, match="whole parts"):
        rogers_castro(91, {"a1": 0.02})


def test_students_leave_by_the_steps_of_the_base():
    # the base at 17, 18, 19, 20: women 1022, 946, 818, 707; men 1012, 991, 921, 800
    base = ours.base_array()
    first = student_leavers(base, 2011, 2012)
    assert first[0, 18:21].tolist() == pytest.approx([76, 128, 111])
    assert first[1, 18:21].tolist() == pytest.approx([21, 70, 121])
    assert first.sum() == pytest.approx(527)
    # a year on, women of 18 were 16 in 2011 (1,015), those of 19 were 17 and lost 76, those of 20 were 18 and lost 128 of 946
    second = student_leavers(base, 2011, 2013)
    assert second[0, 18:21].tolist() == pytest.approx([1015 * 76 / 1022, 128, 111])
    # in the year to mid-2021 women who reach 18 were 8 in 2011 (862); those who reach 20 were 10 (856), less those gone at 18 and 19
    later = student_leavers(base, 2011, 2021)
    assert later[0, 18] == pytest.approx(862 * 76 / 1022)
    assert later[0, 20] == pytest.approx(856 * (946 / 1022) * (818 / 946) * (111 / 818))


def test_brass_s_logit_moves_young_mortality_most():
    # probabilities 0.1 and 0.5: survivors 0.9 and 0.45; with exp(2 s) = 1/2: 0.9 / (0.9 + 0.05) and 0.45 / (0.45 + 0.275)
    moved = relational(np.array([0.1, 0.5, 1.0]), math.log(0.5) / 2)
    alive = [0.9 / 0.95, 0.45 / 0.725]
    assert moved.tolist() == pytest.approx([1 - alive[0], 1 - alive[1] / alive[0], 1.0])
    # a constant hazard: the ratio of hazards goes from exp(2 s) to 1 as survivorship goes to 0
    q = np.full(120, 1 - math.exp(-0.1))
    ratio = np.log(1 - relational(q, math.log(0.5) / 2)) / -0.1
    assert ratio[0] == pytest.approx(0.5, abs=0.03)
    assert ratio[-1] == pytest.approx(1, abs=1e-4)
    assert (np.diff(ratio) > 0).all()


def test_improvement_fades_from_90_to_110():
    q = np.full(127, 0.1)
    after = improved(q, 0.012, 9.0)
    at = {age: after[age + 1] / 0.1 for age in (-1, 70, 90, 100, 110, 125)}
    assert at[70] == at[-1] == at[90] == pytest.approx(0.988**9)
    assert at[100] == pytest.approx(0.994**9)
    assert at[110] == at[125] == 1


def test_births_and_deaths_of_the_launch_year_are_the_mean_of_two_years():
    # births 1,755 and 1,738, deaths 1,603 and 1,627 in the years to mid-2011 and mid-2012
    parts = sr.demography.project_south_somerset(end=2012).components
    assert parts["births"].sum() == pytest.approx(1746.5)
    assert parts["deaths"].sum() == pytest.approx(1615.0)
    # own flows: 7,515 - 6,818 + 537 - 465
    assert parts["net_migration"].sum() == pytest.approx(769)


@pytest.mark.parametrize(
    ("variant", "net"),
    [
        # means of 2008-2012: 6,919.8 - 6,381.4 + 682.6 - 521.0; of six: 840.33; of eleven: 1,100.64
        ("principal", 700.0), ("migration_six_years", 840.3333), ("migration_eleven_years", 1100.6364),
        # 1.2816 standard errors of the mean of 1,051, 444, 163, 1,073 and 769, which are 176.2
        ("high_migration", 700 + 225.83), ("low_migration", 700 - 225.83),
    ],
)  # fmt: skip
def test_the_level_of_migration(variant, net):
    parts = sr.demography.project_south_somerset(end=2014, variant=variant).components
    yearly = parts.group_by("year", maintain_order=True).agg(pl.col("net_migration").sum())["net_migration"]
    assert yearly.to_list() == pytest.approx([769, net, net], abs=0.01)


def test_three_in_a_hundred_internal_migrants_retire_here():
    flat = ours.fundamental_schedule(91)
    inward, outward = ours.gross_migration(2013, ours.Variant())
    # people who retire: 0.03 x 6,919.8 = 207.6 around 60, on top of the schedule
    extra = inward.sum(axis=0) - (0.97 * 6919.8 + 682.6) * flat
    assert extra.sum() == pytest.approx(207.594)
    assert int(extra.argmax()) == 60
    assert extra[50:71].sum() / extra.sum() > 0.9
    assert outward.sum() == pytest.approx(6381.4 + 521.0)
    assert (inward[0] == inward[1]).all()


def test_variants_lie_in_order():
    totals = {v: sr.demography.project_south_somerset(variant=v).people(2021) for v in ours.VARIANTS}
    assert totals["low"] < totals["low_fertility"] < totals["principal"] < totals["high_fertility"] < totals["high"]
    assert totals["no_improvement"] < totals["principal"] < totals["double_improvement"]
    assert totals["principal"] < totals["migration_six_years"] < totals["migration_eleven_years"]
    with pytest.raises(ArgumentError, match="variant='medium'"):
        sr.demography.project_south_somerset(variant="medium")
    with pytest.raises(ArgumentError, match="end=2050"):
        sr.demography.project_south_somerset(end=2050)


def test_it_reaches_2043():
    made = sr.demography.project_south_somerset(end=2043)
    assert made.estimates["year"].max() == 2043
    assert 150_000 < made.people(2043) < 220_000


def gross(end: int = 2016) -> pl.DataFrame:
    return ours.gross_frame(range(2012, end + 1), ours.VARIANTS["principal"])


def drawn(runs: int = 400, seed: int = 1, **variances: float):
    none = dict.fromkeys(
        ("fertility", "improvement", "mortality_of_year", "migration_level", "migration_of_year", "migration_ages"), 0.0
    )
    chosen = sr.demography.Variances(**(none | {"poisson": False} | variances))
    return sr.demography.stochastic_projection(
        sr.demography.project_south_somerset(end=2016), gross_migration=gross(), runs=runs, seed=seed, variances=chosen
    )


def spread(result, year: int = 2016, group: str = "all ages") -> float:
    """Standard deviation as a normal 80% interval has it."""
    row = result.groups.filter((pl.col("year") == year) & (pl.col("group") == group)).row(0, named=True)
    return (row["upper_80"] - row["lower_80"]) / 2 / 1.2815515655


def test_without_variance_every_run_is_the_projection():
    exact = sr.demography.project_south_somerset(end=2016).estimates["persons"].to_numpy()
    made = drawn(runs=20).estimates
    for column in ("persons", "lower_95", "upper_95"):
        assert made[column].to_numpy() == pytest.approx(exact, rel=1e-12)


def test_a_seed_gives_its_runs_again():
    first, again, other = (
        sr.demography.project_south_somerset_at_random(end=2013, runs=30, seed=s).estimates for s in (5, 5, 6)
    )
    assert first.equals(again)
    assert not first.equals(other)


def test_each_variance_does_what_it_says():
    # level of migration, 100 a year for five years: 500, but for the few who die
    assert spread(drawn(migration_level=100)) == pytest.approx(500, rel=0.1)
    # of each year, 100: sqrt(5) x 100
    assert spread(drawn(migration_of_year=100)) == pytest.approx(100 * 5**0.5, rel=0.1)
    # fertility: some 1,750 births a year, steps of 0.1: sum over five years of a random walk has the variance 55
    assert spread(drawn(fertility=0.02)) == pytest.approx(1750 * 0.02 * 55**0.5, rel=0.15)
    # mortality of a year: 0.05 of 1,615 deaths, of which those over 90 vary less; later years lose some who would have died
    assert spread(drawn(mortality_of_year=0.05), year=2012) == pytest.approx(1615 * 0.05, rel=0.12)
    # improvement: none in the first year, 0.01 of the deaths in the second
    improving = drawn(improvement=0.01)
    assert spread(improving, year=2012) == pytest.approx(0, abs=1e-6)
    assert spread(improving, year=2013) == pytest.approx(1650 * 0.01, rel=0.12)
    # ages wrong: the number of migrants stays, and with it the first total but for births and deaths; ages do not
    wrong = drawn(migration_ages=0.1)
    assert spread(wrong, year=2012) < 10
    assert spread(wrong, group="65 and over") > 5
    # Poisson: births, deaths and moves of five years, some 1,750 + 1,650 + 14,300 a year
    assert spread(drawn(poisson=True)) == pytest.approx((5 * (1750 + 1650 + 14_300)) ** 0.5, rel=0.15)


def test_intervals_cover_what_they_say_of_runs_like_them():
    projected = sr.demography.project_south_somerset(end=2016)
    table = gross()
    flows = np.stack([table[c].to_numpy().reshape(5, 2, 91) for c in ("in_persons", "out_persons")])
    from symphony_research.demography.uncertainty import Variances, simulate

    intervals = sr.demography.stochastic_projection(projected, gross_migration=table, runs=500, seed=1)
    _, others = simulate(projected, runs=60, seed=99, variances=Variances(), gross=flows)
    cells = intervals.estimates.filter(pl.col("year") == 2016)
    low, high = (cells[c].to_numpy().reshape(1, 2, 91) for c in ("lower_80", "upper_80"))
    inside = (others[5] >= low) & (others[5] <= high)
    assert inside.mean() == pytest.approx(0.8, abs=0.02)


def test_faults_of_random_runs_are_named():
    projected = sr.demography.project_south_somerset(end=2016)
    with pytest.raises(ArgumentError, match="runs=5"):
        sr.demography.stochastic_projection(projected, gross_migration=gross(), runs=5, seed=1)
    with pytest.raises(ArgumentError, match="gross_migration has no row for 182 of 910 cells"):
        sr.demography.stochastic_projection(projected, gross_migration=gross(2015), runs=50, seed=1)
    with pytest.raises(ArgumentError, match="not below zero: fertility"):
        sr.demography.Variances(fertility=-1)


def test_one_command_writes_it_ready_to_be_marked(tmp_path, capsys):
    assert cli.main(["project", str(tmp_path / "out"), "--runs", "50"]) == 0
    assert "South Somerset is projected from 162,113" in capsys.readouterr().out
    table = pl.read_csv(tmp_path / "out" / "projection.csv")
    assert table.columns[:4] == ["year", "sex", "age", "persons"]
    assert table["year"].unique().sort().to_list() == [2017, 2019, 2020, 2021]
    assert table.height == 4 * 182
    made = sr.demography.project_south_somerset(end=2021)
    for year in (2017, 2021):
        assert table.filter(pl.col("year") == year)["persons"].sum() == pytest.approx(made.people(year), abs=0.1)
    others = pl.read_csv(tmp_path / "out" / "alternatives.csv")
    assert others["forecast"].n_unique() == 5
    assert "0014-projection-of-south-somerset" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert cli.main(["project", str(tmp_path / "again"), "--years", "2010"]) == 2


def test_the_mark_sets_it_beside_the_naive_alternatives_and_the_forecast_of_2013():
    # marked against its own high variant, of which everything is known
    high = sr.demography.project_south_somerset(end=2019, variant="high")
    later = high.estimates.filter(pl.col("year").is_in([2013, 2019]))
    marked = sr.demography.mark_south_somerset(later)
    rows = marked.summary.filter(pl.col("year") == 2019)
    ours_, even = (
        rows.filter(pl.col("forecast") == f).row(0, named=True) for f in ("projection", "migrants spread evenly")
    )
    made = sr.demography.project_south_somerset(end=2019)
    assert ours_["total_percent_error"] == pytest.approx(100 * (made.people(2019) / high.people(2019) - 1))
    assert ours_["over_85_percent_error"] == pytest.approx(
        100 * (made.people(2019, (85, None)) / high.people(2019, (85, None)) - 1)
    )
    assert even["mean_percent_error"] > ours_["mean_percent_error"]
    # 30% growth in eight years from mid-2013: 1.3^(6/8) of the people over 85 then
    forecast = marked.estimates.filter(
        (pl.col("forecast") == "forecast of 2013") & (pl.col("year") == 2019) & (pl.col("ages") == "85 and over")
    )
    assert forecast["persons"][0] == pytest.approx(high.people(2013, (85, None)) * 1.3**0.75)
    cover = marked.coverage.filter((pl.col("year") == 2019) & (pl.col("ages") == "all ages"))
    assert cover["n_cells"][0] == 182
    assert 0.8 < cover["inside_80"][0] <= 1


def test_two_bases_are_refused_by_the_back_test():
    made = sr.demography.project_south_somerset(end=2013)
    actual = made.estimates
    # the census of 2011 counted 161,243, which is 870 fewer than the mid-year estimate
    census = actual.with_columns(pl.col("persons") * 161_243 / 162_113)
    with pytest.raises(ArgumentError, match="two bases are mixed"):
        sr.demography.back_test(made, census)
    assert sr.demography.back_test(made, census.filter(pl.col("year") > 2011)).estimates.height > 0
    base = made.count_tables["base"].with_columns(basis=pl.lit("mid-year estimate"))
    named = sr.demography.cohort_component_projection(
        base, fertility=made.count_tables["fertility"], mortality=made.count_tables["mortality"],
        migration=made.count_tables["migration"], start=2011, end=2013, mortality_kind="probability",
    )  # fmt: skip
    with pytest.raises(ArgumentError, match="of the basis 'census'"):
        sr.demography.back_test(named, actual.with_columns(basis=pl.lit("census")))
    with pytest.raises(ArgumentError, match="none of the years 2012 to 2013"):
        sr.demography.back_test(made, actual.filter(pl.col("year") == 2011))
    with pytest.raises(ArgumentError, match="actual has no row for 4 of"):
        sr.demography.back_test(made, actual.filter((pl.col("age") != 40) | (pl.col("year") == 2012)))
