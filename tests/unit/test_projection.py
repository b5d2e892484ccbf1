"""Cohort components: three ages by hand, the Leslie matrix, central rates, strata, and each error with its remedy."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import symphony_research as sr
from symphony_research.errors import ArgumentError, DisclosureError

project = sr.demography.cohort_component_projection

#        at mid-2011      probability of dying to the next mid-year    net migrants to mid-2012, by age then
# age    F      M         birth to 0: 0.1                              F     M
# 0      100    110       0.05                                         2     0
# 1      80     90        0.10                                         10    0
# 2+     60     40        0.50                                         -6    0
BASE = pl.DataFrame({"sex": [*"FFFMMM"], "age": [0, 1, 2] * 2, "persons": [100.0, 80, 60, 110, 90, 40]})
DYING = pl.DataFrame({"sex": [*"FFFFMMMM"], "age": [-1, 0, 1, 2] * 2, "rate": [0.1, 0.05, 0.1, 0.5] * 2})
BEARING = pl.DataFrame({"age": [1], "rate": [0.4]})
MOVING = pl.DataFrame({"sex": [*"FFFMMM"], "age": [0, 1, 2] * 2, "net": [2.0, 10, -6, 0, 0, 0]})


def given(**changed):
    wanted = {
        "fertility": BEARING, "mortality": DYING, "migration": MOVING, "start": 2011, "end": 2012,
        "mortality_kind": "probability",
    }  # fmt: skip
    base = changed.pop("base", BASE)
    return project(base, **(wanted | changed))


def test_three_ages_by_hand():
    # F 1: (100 + 10/2) 0.95 + 10/2 = 104.75
    # F 2+: of 80 + 60 survive 80 x 0.9 + 60 x 0.5 = 102, so 102/140 each: (140 - 3) 102/140 - 3 = 96.814286
    # births: 0.4 x (80 + 104.75)/2 = 36.95, of them 36.95/2.05 = 18.024390 girls and 18.925610 boys
    # F 0: (18.024390 + 1) 0.9 + 1 = 18.121951; M 0: 18.925610 x 0.9 = 17.033049
    # M 1: 110 x 0.95 = 104.5; M 2+: 90 x 0.9 + 40 x 0.5 = 101
    made = given()
    after = made.estimates.filter(pl.col("year") == 2012)
    assert after["sex"].to_list() == [*"FFFMMM"]
    assert after["age"].to_list() == [0, 1, 2] * 2
    by_hand = [18.1219512, 104.75, 96.8142857, 17.0330488, 104.5, 101.0]
    assert after["persons"].to_list() == pytest.approx(by_hand, abs=1e-6)
    # deaths: F 0: 19.024390 x 0.1; F 1: 105 x 0.05; F 2+: 137 x 38/140; M 0: 1.892561; M 1: 5.5; M 2+: 9 + 20
    parts = made.components
    assert parts["deaths"].to_list() == pytest.approx([1.902439, 5.25, 37.1857143, 1.8925610, 5.5, 29.0], abs=1e-6)
    assert parts["births"].to_list() == pytest.approx([18.0243902, 0, 0, 18.9256098, 0, 0], abs=1e-6)
    assert parts["net_migration"].to_list() == [2.0, 10, -6, 0, 0, 0]


def test_rates_of_migration_are_of_the_cohort_at_the_start():
    # in 0.1 and out 0.15: F 1: M = -0.05 x 100 = -5; (100 - 2.5) 0.95 - 2.5 = 90.125
    moving = MOVING.drop("net").with_columns(in_rate=pl.lit(0.1), out_rate=pl.lit(0.15))
    after = given(migration=moving).estimates.filter((pl.col("year") == 2012) & (pl.col("sex") == "F"))
    assert after["persons"][1] == pytest.approx(90.125)
    # F 2+: M = -7; (140 - 3.5) 102/140 - 3.5
    assert after["persons"][2] == pytest.approx(136.5 * 102 / 140 - 3.5)
    # births 0.4 x (80 + 90.125)/2 / 2.05 girls; M = -0.05 of them
    girls = 0.4 * (80 + 90.125) / 2 / 2.05
    assert after["persons"][0] == pytest.approx(girls * (1 - 0.025) * 0.9 - 0.025 * girls)


def test_persons_in_and_out_are_their_difference():
    flows = MOVING.with_columns(in_persons=pl.col("net") + 50, out_persons=pl.lit(50.0)).drop("net")
    assert given(migration=flows).estimates.equals(given().estimates)


def test_central_rates_survive_by_the_life_table():
    # m = 0.2 at every age from 1 on: q = m / (1 + m/2) = 0.181818; L(x+1) / L(x) = 1 - q; open age exp(-m)
    # age 0 with m = 0.1, a = 0.1: q = 0.1 / 1.09; L(0) = 1 - 0.9 q = 0.917431; L(1) = (1 - q)(1 - 0.181818/2)
    ages = list(range(4))
    base = pl.DataFrame({"sex": [*"FFFFMMMM"], "age": ages * 2, "persons": [1000.0] * 8})
    rates = pl.DataFrame({"sex": [*"FFFFMMMM"], "age": ages * 2, "rate": [0.1, 0.2, 0.2, 0.2] * 2})
    made = given(base=base, mortality=rates, migration=None, mortality_kind="central_rate")
    after = made.estimates.filter((pl.col("year") == 2012) & (pl.col("sex") == "F"))["persons"]
    q0, q = 0.1 / 1.09, 0.2 / 1.1
    level = [1 - 0.9 * q0, (1 - q0) * (1 - q / 2), (1 - q0) * (1 - q) * (1 - q / 2)]
    open_level = (1 - q0) * (1 - q) ** 2 * (1 - np.exp(-0.2)) / 0.2
    assert after[1] == pytest.approx(1000 * level[1] / level[0])
    assert after[2] == pytest.approx(1000 * level[2] / level[1])
    assert after[2] == pytest.approx(1000 * (1 - q))
    assert after[3] == pytest.approx(1000 * open_level / level[2] + 1000 * np.exp(-0.2))


def test_the_kind_of_mortality_is_never_guessed():
    with pytest.raises(TypeError):
        project(BASE, fertility=BEARING, mortality=DYING, start=2011, end=2012)
    with pytest.raises(ArgumentError, match="probability, central_rate"):
        given(mortality_kind="rate")


def test_the_oldest_are_survived_by_single_year_where_rates_are_given():
    # open age 2 with rates to 4, all of whom die there: shares of 2, 3, 4 are 1, 0.5, 0.25 over 1.75
    dying = pl.DataFrame(
        {
            "sex": [s for s in "FM" for _ in range(6)],
            "age": [-1, 0, 1, 2, 3, 4] * 2,
            "rate": [0.1, 0, 0, 0.5, 0.5, 1.0] * 2,
        }
    )
    made = given(mortality=dying, migration=None, end=2013)
    women = made.estimates.filter((pl.col("sex") == "F") & (pl.col("age") == 2))["persons"]
    shares = np.array([1, 0.5, 0.25]) / 1.75
    first = np.array([80, 60 * shares[0] * 0.5, 60 * shares[1] * 0.5])
    assert women[1] == pytest.approx(first.sum())
    second = np.array([100, first[0] * 0.5, first[1] * 0.5])
    assert women[2] == pytest.approx(second.sum())


def leslie(fertility, survival, ratio=1.05):
    """Women's matrix, entry by entry: births on the mean of women at both ends, survived to age 0."""
    n = len(fertility)
    matrix = np.zeros((n, n))
    for x in range(n):
        to = min(x + 1, n - 1)
        matrix[to, x] += survival[x + 1]
        matrix[0, x] += survival[0] / (1 + ratio) * 0.5 * (fertility[x] + survival[x + 1] * fertility[to])
    return matrix


def test_constant_rates_lead_to_the_leslie_matrix_s_growth_and_structure():
    ages = 60
    fertility = np.where((np.arange(ages) >= 15) & (np.arange(ages) < 50), 0.07, 0.0)
    survival = np.concatenate([[0.97], np.linspace(0.999, 0.95, ages - 1), [0.5]])
    values, vectors = np.linalg.eig(leslie(fertility, survival))
    first = np.argmax(values.real)
    structure = np.abs(vectors[:, first].real)
    sexes = [s for s in "FM" for _ in range(ages)]
    base = pl.DataFrame({"sex": sexes, "age": list(range(ages)) * 2, "persons": [100.0] * 2 * ages})
    dying = pl.DataFrame(
        {
            "sex": [s for s in "FM" for _ in range(ages + 1)],
            "age": list(range(-1, ages)) * 2,
            "rate": [*(1 - survival)] * 2,
        }
    )
    made = project(
        base, fertility=pl.DataFrame({"age": list(range(ages)), "rate": fertility}), mortality=dying, start=2000, end=2600,
        mortality_kind="probability",
    ).estimates  # fmt: skip
    last, before = (made.filter(pl.col("year") == y) for y in (2600, 2599))
    assert last["persons"].sum() / before["persons"].sum() == pytest.approx(values[first].real, rel=1e-9)
    women = last.filter(pl.col("sex") == "F")["persons"].to_numpy()
    assert women / women.sum() == pytest.approx(structure / structure.sum(), rel=1e-7)


def test_areas_side_by_side_are_what_each_is_alone():
    two = pl.concat([BASE.with_columns(area=pl.lit("A")), BASE.with_columns(pl.col("persons") * 3, area=pl.lit("B"))])
    moving = pl.concat([MOVING.with_columns(area=pl.lit("A")), MOVING.with_columns(net=pl.lit(1.0), area=pl.lit("B"))])
    both = given(base=two, migration=moving, by="area", end=2014)
    alone = {
        "A": given(end=2014),
        "B": given(
            base=BASE.with_columns(pl.col("persons") * 3), migration=MOVING.with_columns(net=pl.lit(1.0)), end=2014
        ),
    }
    for area, single in alone.items():
        for table in ("estimates", "components"):
            own = getattr(both, table).filter(pl.col("area") == area).drop("area")
            for column in own.columns[3:]:
                assert own[column].to_list() == pytest.approx(getattr(single, table)[column].to_list())


def test_years_of_rates_are_those_of_the_mid_year_at_the_end():
    by_year = pl.concat(
        [DYING.with_columns(rate=pl.col("rate") * k, year=pl.lit(y)) for y, k in ((2012, 1.0), (2013, 0.0))]
    )
    made = given(mortality=by_year, end=2013, migration=None).components
    assert made.filter(pl.col("year") == 2012)["deaths"].sum() > 0
    assert made.filter(pl.col("year") == 2013)["deaths"].sum() == 0
    with pytest.raises(ArgumentError, match="no rows of 1 of the 3 years to project \\(first 2014\\)"):
        given(mortality=by_year, end=2014)


def test_groups_that_do_not_age_stay_as_they_are():
    held = pl.DataFrame({"sex": ["M"], "age": [1], "persons": [90.0]})
    rest = BASE.with_columns(
        pl.when((pl.col("sex") == "M") & (pl.col("age") == 1)).then(0.0).otherwise("persons").alias("persons")
    )
    with_held, without = (given(base=b, held=h, migration=None).estimates for b, h in ((BASE, held), (rest, None)))
    difference = (with_held["persons"] - without["persons"]).to_list()
    assert difference == pytest.approx([0, 0, 0, 0, 90, 0] * 2)
    assert "armed forces, boarding schools): 90" in " ".join(given(held=held).notes(()))
    with pytest.raises(ArgumentError, match="held has more people than base in 1 cells"):
        given(held=held.with_columns(persons=pl.lit(91.0)))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"base": BASE.filter(pl.col("age") != 1)}, "base has no row for 2 of 6 cells by sex, age \\(.*age 1\\)"),
        ({"mortality": DYING.filter((pl.col("age") != 0) | (pl.col("sex") == "M"))}, "mortality has no row for 1 of 8"),
        ({"mortality": DYING.filter(pl.col("age") >= 0)}, "no rows of age -1"),
        ({"migration": MOVING.head(5)}, "migration has no row for 1 of 6"),
        ({"fertility": BEARING.with_columns(rate=pl.lit(92.0))}, "per 1,000 women. Divide them by 1,000"),
        ({"mortality": DYING.with_columns(pl.col("rate") * 1000)}, "per 1,000 or per 100,000"),
        ({"fertility": pl.DataFrame({"sex": ["F", "M"], "age": [1, 1], "rate": [0.4, 0.1]})}, "fertility has 1 rows of men"),
        ({"migration": MOVING.with_columns(net=pl.lit(-150.0))}, "below zero in .* cells .* first at mid-2012"),
        ({"base": BASE.with_columns(age=pl.Series(["0", "1", "2+"] * 2))}, "base has ages as text \\(3 distinct ones\\)"),
        ({"base": pl.concat([BASE, BASE])}, "more than one row for 6 of 6 cells .* Two bases may be mixed"),
        ({"base": BASE.with_columns(basis=pl.Series(["census"] * 3 + ["estimate"] * 3))}, "base mixes 2 bases \\(census, estimate\\)"),
        ({"base": BASE.with_columns(sex=pl.Series(["1"] * 3 + ["2"] * 3))}, "6 rows whose sex is neither"),
        ({"base": BASE.with_columns(persons=-pl.col("persons"))}, "6 of 6 rows with persons below zero"),
        ({"base": BASE.with_columns(year=pl.lit(2010))}, "base has no rows of 2011"),
        ({"base": BASE.drop("sex")}, "base has no column 'sex'"),
        ({"migration": MOVING.rename({"net": "number"})}, "migration needs one of: a column 'net'"),
        ({"migration": MOVING.with_columns(in_rate=pl.lit(50.0), out_rate=pl.lit(40.0)).drop("net")}, "rates above 1 a person"),
        ({"mortality": DYING.with_columns(rate=pl.lit(None, dtype=pl.Float64))}, "mortality has 8 rows without rate"),
        ({"end": 2011}, "end=2011 must be after start=2011"),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_its_remedy(changed, said):
    with pytest.raises(ArgumentError, match=said):
        given(**changed)


def test_death_rates_per_thousand_are_found_where_none_is_above_the_limit():
    # per 1,000: 0.3 to 4 at ages 0 to 49 are all possible central rates of somebody, and together of nobody
    ages = list(range(50))
    base = pl.DataFrame({"sex": [s for s in "FM" for _ in ages], "age": ages * 2, "persons": [10.0] * 100})
    rates = base.select("sex", "age", rate=0.3 + pl.col("age") * 0.05)
    with pytest.raises(ArgumentError, match="per 1,000"):
        given(base=base, mortality=rates, migration=None, mortality_kind="central_rate")


def test_released_once_its_source_is_named_and_then_exact():
    policy = sr.Policy.nhs_england()
    with pytest.raises(DisclosureError, match="published="):
        sr.suppress(given(), policy)
    named = given(published="hand-made figures")
    released = sr.suppress(named, policy)
    assert released.estimates.equals(named.estimates)
    assert released.components.equals(named.components)
    assert "expected numbers, not counts of persons" in released.sentence()
    assert any("hand-made figures" in note for note in released.notes(()))


def test_pandas_and_integers_as_floats_are_read():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(BASE.with_columns(pl.col("age").cast(pl.Float64)).to_dict(as_series=False))
    assert given(base=frame).estimates.equals(given().estimates)


def test_a_balance_of_two_bases_is_refused():
    people = pl.concat(
        [BASE.with_columns(year=pl.lit(y), basis=pl.lit(b)) for y, b in ((2011, "census"), (2012, "mid-year estimate"))]
    )
    flows = MOVING.with_columns(year=pl.lit(2012), deaths=pl.lit(0.0))
    born = pl.DataFrame({"year": [2012] * 2, "sex": ["F", "M"], "births": [1.0, 1.0]})
    with pytest.raises(ArgumentError, match="population mixes 2 bases \\(census, mid-year estimate\\)"):
        sr.demography.population_balance(people, births=born, deaths=flows, migration=flows)
