"""`Patterns`: people collapsed to sets of conditions, and what the door refuses."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import symphony_research as sr
from symphony_research.collapse import bits
from symphony_research.errors import ArgumentError

PEOPLE = pl.DataFrame(
    {
        "person_id": [1, 2, 3, 4],
        "diabetes": [1, 0, 1, 0],
        "stroke": [1, 0, 1, 1],
        "sex": ["F", "F", "F", None],
        "cost": [10.25, 0.0, 0.75, 3.0],
    }
)
RECORDS = pl.DataFrame(
    {"person_id": [1, 1, 3, 3, 4, 4], "condition": ["stroke", "diabetes", "diabetes", "stroke", "stroke", "stroke"]}
)
WIDE = {"conditions": ["diabetes", "stroke"], "by": "sex", "values": "cost"}


def test_four_people_become_three_rows():
    # person   1: diabetes and stroke, F, 10.25   2: neither, F, 0   3: both, F, 0.75   4: stroke, sex missing, 3.00
    patterns = sr.Patterns.from_wide(PEOPLE, **WIDE)
    assert patterns.n_persons == 4
    assert patterns.conditions == ("diabetes", "stroke")
    rows = (
        patterns.to_frame().select("combination", "sex", "n_persons", "cost_n", "cost_sum", "cost_sum_squares").rows()
    )
    assert rows == [
        ([], "F", 1, 0, 0.0, 0.0),
        (["diabetes", "stroke"], "F", 2, 2, 11.0, 10.25**2 + 0.75**2),
        (["stroke"], None, 1, 1, 3.0, 9.0),
    ]


def test_records_of_people_give_the_same_and_a_repeated_record_counts_once():
    long = sr.Patterns.from_long(RECORDS, PEOPLE, by="sex", values="cost")
    assert_frame_equal(long.frame, sr.Patterns.from_wide(PEOPLE, **WIDE).frame)


def test_without_persons_only_people_with_a_condition_count():
    assert sr.Patterns.from_long(RECORDS).n_persons == 3


def test_a_code_list_holds_conditions_that_nobody_has():
    patterns = sr.Patterns.from_long(RECORDS, PEOPLE, conditions=["stroke", "gout", "diabetes"])
    assert patterns.conditions == ("diabetes", "gout", "stroke")
    held = sr.multimorbidity.prevalence(patterns).estimates
    assert held.filter(pl.col("condition") == "gout").select("n_persons", "estimate").row(0) == (0, 0.0)


def test_sites_that_know_different_conditions_are_added_by_name():
    south = sr.Patterns.from_wide(PEOPLE.head(2), conditions=["stroke"])
    north = sr.Patterns.from_wide(PEOPLE.tail(2), conditions=["diabetes", "stroke"])
    both = sr.Patterns.merge(south, north)
    assert both.to_frame().rows() == [([], 1), (["stroke"], 2), (["diabetes", "stroke"], 1)]


def test_sites_collapsed_differently_are_not_added():
    with pytest.raises(ArgumentError, match="Sites differ"):
        sr.Patterns.merge(sr.Patterns.from_wide(PEOPLE, **WIDE), sr.Patterns.from_wide(PEOPLE, conditions=["stroke"]))
    with pytest.raises(ArgumentError, match="Nothing to merge"):
        sr.Patterns.merge()


@pytest.mark.parametrize("kind", [pl.Boolean, pl.Int8, pl.UInt64, pl.Float32])
def test_any_type_of_0_and_1_will_do(kind):
    drawn = PEOPLE.with_columns(pl.col("diabetes", "stroke").cast(kind))
    assert_frame_equal(sr.Patterns.from_wide(drawn, **WIDE).frame, sr.Patterns.from_wide(PEOPLE, **WIDE).frame)


def as_pandas(frame: pl.DataFrame):
    import pandas

    return pandas.DataFrame({name: frame[name].to_list() for name in frame.columns})


def as_arrow(frame: pl.DataFrame):
    return pytest.importorskip("pyarrow").table(frame.to_dict(as_series=False))


@pytest.mark.parametrize("door", [pl.DataFrame.lazy, as_pandas, as_arrow])
def test_any_frame_will_do(door):
    wanted = sr.Patterns.from_wide(PEOPLE, **WIDE).frame
    assert_frame_equal(sr.Patterns.from_wide(door(PEOPLE), **WIDE).frame, wanted)
    long = sr.Patterns.from_long(door(RECORDS), door(PEOPLE), by="sex", values="cost")
    assert_frame_equal(long.frame, wanted)


def test_something_that_is_not_a_frame_is_refused():
    with pytest.raises(ArgumentError, match="A frame is needed"):
        sr.Patterns.from_wide({"stroke": [1]}, conditions=["stroke"])


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("stroke", None, "Condition column 'stroke' has a missing value in 1 rows"),
        ("stroke", 987654, "Condition column 'stroke' has something other than 0 and 1 in 1 rows"),
        ("stroke", float("nan"), "Condition column 'stroke' has something other than 0 and 1 in 1 rows"),
        ("cost", None, "'cost' is missing, negative, not a number or above .* in 1 rows"),
        ("cost", -987654.0, "'cost' is missing, negative"),
        ("cost", float("nan"), "'cost' is missing, negative, not a number"),
        ("cost", float("inf"), "'cost' is missing, negative"),
        ("cost", 987654e12, "'cost' is missing, negative, not a number or above 90,071,992,547,409 in 1 rows"),
    ],
)
def test_faults_are_told_with_counts_and_never_a_value(column, value, message):
    drawn = PEOPLE.with_columns(pl.Series(column, [value, *PEOPLE[column].to_list()[1:]], strict=False))
    with pytest.raises(ArgumentError, match=message) as told:
        sr.Patterns.from_wide(drawn, **WIDE)
    assert "987654" not in str(told.value)


def test_faults_of_records_are_told_with_counts_and_never_a_value():
    def refused(records, message, persons=PEOPLE, **arguments):
        with pytest.raises(ArgumentError, match=message) as told:
            sr.Patterns.from_long(records, persons, **arguments)
        assert "987654" not in str(told.value)
        assert "secret" not in str(told.value)

    refused(RECORDS.with_columns(pl.lit(None, dtype=pl.Int64).alias("person_id")), "6 rows without a person")
    refused(RECORDS.with_columns(pl.lit(None, dtype=pl.String).alias("condition")), "6 rows without a condition")
    refused(RECORDS.with_columns(pl.lit(987654).alias("person_id")), "records holds 1 people who are not in persons")
    refused(RECORDS, "persons counts 1 rows twice", persons=pl.concat([PEOPLE, PEOPLE.head(1)]))
    refused(
        RECORDS,
        "persons has 1 rows without a person",
        persons=PEOPLE.with_columns(pl.col("person_id").replace(2, None)),
    )
    refused(RECORDS, r"no column 'sx'.*Did you mean 'sex'\?", by="sx")
    refused(RECORDS.rename({"condition": "conditions"}), r"no column 'condition'.*Did you mean 'conditions'\?")
    secret = RECORDS.with_columns(pl.lit("secret").alias("condition"))
    refused(secret, "6 rows of 1 conditions that are not in the list of 1", conditions=["stroke"])
    refused(RECORDS.with_columns(pl.lit("987654").alias("person_id")), "String in records and Int64 in persons")
    refused(RECORDS, "Value column 'sex' is String", values="sex")
    refused(RECORDS, "pass persons=", persons=None, by="sex")


def test_conditions_of_a_wide_frame_are_checked():
    with pytest.raises(ArgumentError, match=r"no column 'strok'.*Did you mean 'stroke'\?"):
        sr.Patterns.from_wide(PEOPLE, conditions=["strok"])
    with pytest.raises(ArgumentError, match="conditions names a column twice"):
        sr.Patterns.from_wide(PEOPLE, conditions=["stroke", "stroke"])
    with pytest.raises(ArgumentError, match="conditions names no column"):
        sr.Patterns.from_wide(PEOPLE, conditions=[])
    with pytest.raises(ArgumentError, match="'sex' is String; it must be Boolean, or 0 and 1"):
        sr.Patterns.from_wide(PEOPLE, conditions=["sex"])
    # one name is as good as a list of one
    assert sr.Patterns.from_wide(PEOPLE, conditions="stroke").conditions == ("stroke",)


@pytest.mark.parametrize(
    "name",
    ["n_persons", "combination", "condition", "size", "source", "n_conditions", "mask_0", "mean_cost", "cost_n", "__x"],
)
def test_strata_named_like_our_own_columns_are_refused(name):
    drawn = PEOPLE.rename({"sex": name})
    with pytest.raises(ArgumentError, match=f"may not hold a column called {name}"):
        sr.Patterns.from_wide(drawn, conditions=["stroke"], by=name, values="cost")


@pytest.mark.parametrize("name", ["len", "row", "literal", "count", "sum", "c", "index"])
def test_other_names_of_strata_are_free(name):
    patterns = sr.Patterns.from_wide(PEOPLE.rename({"sex": name}), **{**WIDE, "by": name})
    assert patterns.n_persons == 4
    for result in (
        sr.multimorbidity.condition_count(patterns),
        sr.multimorbidity.prevalence(patterns),
        sr.multimorbidity.combinations(patterns),
        sr.networks.cooccurrence(patterns),
    ):
        assert name in result.estimates.columns
        sr.suppress(result, sr.Policy.nhs_england())


@pytest.mark.parametrize(
    "stratum",
    [
        pl.Series([1, 2, 2, None], dtype=pl.UInt8),
        pl.Series([True, False, False, None]),
        pl.Series(["x", "y", "y", None], dtype=pl.Enum(["y", "x"])),
        pl.Series(["x", "y", "y", None], dtype=pl.Categorical),
        pl.Series([0, 9, 9, None]).cast(pl.Date),
        pl.Series([0.5, 1.5, 1.5, None]),
    ],
    ids=["integer", "boolean", "enum", "categorical", "date", "float"],
)
def test_any_type_of_stratum_will_do(stratum):
    drawn = PEOPLE.with_columns(stratum.alias("sex"))
    patterns = sr.Patterns.from_wide(drawn, **WIDE)
    assert patterns.strata["n_persons"].sort().to_list() == [1, 1, 2]
    assert sr.multimorbidity.prevalence(patterns).estimates.height == 6
    assert sr.multimorbidity.condition_count(patterns).estimates["n_persons"].sum() == 4
    assert sr.multimorbidity.combinations(patterns, min_size=0).estimates["n_persons"].sum() == 4
    assert sr.networks.cooccurrence(patterns).estimates["n_persons"].sum() == 4
    halves = [sr.Patterns.from_wide(drawn.slice(k, 2), **WIDE) for k in (0, 2)]
    assert_frame_equal(sr.Patterns.merge(*halves).frame, patterns.frame)


def test_pennies_of_a_whole_country_add_up_exactly():
    # 200 people of 90,071,992,547,409.00: the sum of squares is 200 x (9007199254740900 pence) squared, above 2**64
    drawn = pl.DataFrame({"stroke": [1] * 200, "cost": [90_071_992_547_409.0] * 200})
    patterns = sr.Patterns.from_wide(drawn, conditions=["stroke"], values="cost")
    assert patterns.frame["cost__sum"].to_list() == [200 * 9_007_199_254_740_900]
    assert patterns.frame["cost__sum_squares"].to_list() == [200 * 9_007_199_254_740_900**2]
    twice = sr.Patterns.merge(patterns, patterns)
    assert twice.frame["cost__sum_squares"].to_list() == [400 * 9_007_199_254_740_900**2]


@pytest.mark.parametrize("kind", ["exact", "at_least"])
def test_a_sum_that_would_not_fit_is_refused_and_not_wrapped_round(kind):
    # 2,000 x 9.007e15 pence = 1.8e19, above 2**53 (and above 2**63)
    n = 2_000
    drawn = pl.DataFrame({"a": [1] * n, "b": [1] * n, "c": [0, 1] * (n // 2), "cost": [90_071_992_547_409.0] * n})
    patterns = sr.Patterns.from_wide(drawn, conditions=["a", "b", "c"], values="cost")
    with pytest.raises(ArgumentError, match="use a larger unit"):
        sr.multimorbidity.combinations(patterns, kind=kind)


def test_values_below_half_a_penny_count_as_people_with_a_value():
    drawn = pl.DataFrame({"stroke": [1, 1], "cost": [1e-320, 0.0]})
    frame = sr.Patterns.from_wide(drawn, conditions=["stroke"], values="cost").to_frame()
    assert frame.select("cost_n", "cost_sum").row(0) == (1, 0.0)


def test_nobody():
    nobody = PEOPLE.clear()
    for by in ((), "sex"):
        patterns = sr.Patterns.from_wide(nobody, **{**WIDE, "by": by})
        assert patterns.n_persons == 0
        assert patterns.to_frame().height == 0
        for result in (
            sr.multimorbidity.condition_count(patterns),
            sr.multimorbidity.prevalence(patterns),
            sr.multimorbidity.combinations(patterns),
            sr.multimorbidity.combinations(patterns, kind="at_least"),
            sr.networks.cooccurrence(patterns),
        ):
            assert result.estimates.filter(pl.col("n_persons") > 0).height == 0
            assert isinstance(result.sentence(), str)
            sr.suppress(result, sr.Policy.nhs_england())
    merged = sr.Patterns.merge(sr.Patterns.from_wide(nobody, **WIDE), sr.Patterns.from_wide(PEOPLE, **WIDE))
    assert merged.n_persons == 4
    empty = pl.DataFrame({"person_id": [], "condition": []})
    assert sr.Patterns.from_long(empty).n_persons == 0
    healthy = sr.Patterns.from_long(empty, PEOPLE, by="sex", values="cost")
    assert (healthy.n_persons, healthy.conditions) == (4, ())
    assert sr.multimorbidity.condition_count(healthy).estimates["n_persons"].to_list() == [3, 1]
    assert sr.networks.cooccurrence(healthy).estimates.height == 0


def test_too_many_sets_stop_with_a_word_of_advice(monkeypatch):
    monkeypatch.setattr(bits, "MOST_SETS", 1_000)
    drawn = pl.DataFrame({f"c{k}": [1] for k in range(40)})
    patterns = sr.Patterns.from_wide(drawn, conditions=drawn.columns)
    with pytest.raises(ArgumentError, match="More than 1,000 sets are held by 1 people or more"):
        sr.multimorbidity.combinations(patterns, kind="at_least")
    # 40 choose 2 = 780 pairs are few enough
    assert sr.multimorbidity.combinations(patterns, kind="at_least", max_size=2).estimates.height == 780


def test_masks_name_their_bits_in_the_order_given_and_patterns_in_that_of_the_alphabet():
    # by hand: bit 0 is stroke, bit 1 diabetes; 3 is both, and person 4 has a stroke alone
    people = PEOPLE.with_columns(mask=pl.Series([3, 0, 3, 1], dtype=pl.Int16))
    masks = sr.Patterns.from_masks(people, conditions=["stroke", "diabetes"], by="sex", values="cost")
    assert masks.conditions == ("diabetes", "stroke")
    assert_frame_equal(masks.frame, sr.Patterns.from_wide(PEOPLE, **WIDE).frame)


@pytest.mark.parametrize(("n", "kind"), [(64, pl.UInt64), (64, pl.Int64), (63, pl.Int64), (1, pl.UInt8)])
def test_the_last_bit_of_a_mask_is_a_condition_as_any_other(n, kind):
    conditions = [f"c{k:02d}" for k in range(n)]
    mask = pl.Series("mask", [1 << (n - 1), 0], dtype=pl.UInt64)
    held = mask.reinterpret(signed=True) if kind == pl.Int64 else mask.cast(kind)
    patterns = sr.Patterns.from_masks(pl.DataFrame(held), conditions=conditions)
    assert patterns.to_frame().rows() == [([], 1), ([conditions[-1]], 1)]


def test_masks_that_cannot_be_are_refused():
    def refused(message, frame=None, conditions=("a", "b"), **arguments):
        given = pl.DataFrame({"mask": [0, 1]}) if frame is None else frame
        with pytest.raises(ArgumentError, match=message):
            sr.Patterns.from_masks(given, conditions=conditions, **arguments)

    refused(r"no column 'maks'.*Did you mean 'mask'\?", mask="maks")
    refused("Mask column 'mask' is Float64; an integer of up to 64 bits", pl.DataFrame({"mask": [1.0]}))
    refused(
        "65 conditions are the bits of 2 mask columns, 64 to a column; mask names 1",
        conditions=[f"c{k}" for k in range(65)],
    )
    refused("conditions names a column twice", conditions=["a", "a"])
    refused("conditions names no column", conditions=[])


def test_more_sets_than_anybody_can_read_are_refused_at_once():
    # one person with 60 conditions has 2**60 subsets; of 308 conditions even the sets of three are 4.8 million
    listed = [f"c{k:03d}" for k in range(308)]
    for n, limit in ((60, {}), (308, {}), (308, {"max_size": 3})):
        one = sr.Patterns.from_long(pl.DataFrame({"person_id": [1] * n, "condition": listed[:n]}), conditions=listed)
        with pytest.raises(ArgumentError, match="More than 1,038,961 sets are held by 1 people or more"):
            sr.multimorbidity.combinations(one, kind="at_least", **limit)
        pairs = sr.multimorbidity.combinations(one, kind="at_least", max_size=2).estimates
        assert pairs.height == n * (n - 1) // 2
