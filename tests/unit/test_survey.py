"""A wide survey table becomes a study; the shipped mapping reads the 2020 survey."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr

BRFSS = Path(__file__).parents[3] / "shared" / "data" / "brfss2020" / "heart_2020_cleaned.csv.zip"
MAP = """
name = "Ten adults"
date = 2020-07-01
[conditions]
asthma = { column = "Asthma", yes = ["Yes"] }
diabetes = { column = "Diabetic", yes = ["Yes", "Yes (during pregnancy)"], no = ["No", "No, borderline diabetes"] }
[sex]
column = "Sex"
values = { Female = "F", Male = "M" }
[age]
column = "Age"
bands = { "18-24" = [18, 24], "25-64" = [25, 64], "65 or older" = [65, 99] }
"""


def write(folder: Path, table: pl.DataFrame, mapping: str = MAP) -> tuple[Path, Path]:
    table.write_csv(folder / "people.csv")
    (folder / "map.toml").write_text(mapping)
    return folder / "people.csv", folder / "map.toml"


# equal rows are different people: the first two adults gave the same answers
TABLE = pl.DataFrame(
    {
        "Asthma": ["Yes", "Yes", "No", "No"],
        "Diabetic": ["No", "No", "Yes (during pregnancy)", "No, borderline diabetes"],
        "Sex": ["Female", "Female", "Female", "Male"],
        "Age": ["18-24", "18-24", "25-64", "65 or older"],
    }
)


def test_estimates_is_a_person_in_the_band_they_gave(tmp_path: Path) -> None:
    file, mapping = write(tmp_path, TABLE)
    study = sr.read_study(sr.import_survey(file, tmp_path / "study", config=mapping))
    patterns = sr.define_cohort(study).patterns(by=("age_band", "sex"))
    assert patterns.strata.rows() == [("18-24", "F", 2), ("25-64", "F", 1), ("65+", "M", 1)]
    held = sr.multimorbidity.prevalence(sr.define_cohort(study).patterns()).estimates
    assert dict(held.select("condition", "n_persons").rows()) == {"asthma": 2, "diabetes": 1}


def test_answers_the_mapping_does_not_know_are_counted_not_shown(tmp_path: Path) -> None:
    file, mapping = write(tmp_path, TABLE.with_columns(pl.Series("Sex", ["Female", "Femme", "Femme", "Male"])))
    with pytest.raises(sr.ArgumentError, match="2 rows have no sex") as error:
        sr.import_survey(file, tmp_path / "study", config=mapping)
    assert "Femme" not in str(error.value)
    assert not (tmp_path / "study").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["map.toml", "people.csv"]


def test_a_missing_column_is_named_with_those_there_are(tmp_path: Path) -> None:
    file, mapping = write(tmp_path, TABLE.rename({"Asthma": "asthma_ever"}))
    with pytest.raises(sr.ArgumentError, match=r"no column 'Asthma'\. Columns: asthma_ever, Diabetic, Sex, Age"):
        sr.import_survey(file, tmp_path / "study", config=mapping)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[sex]", "[sexes]"), "'sexes' is not a setting.*Did you mean 'sex'"),
        (('date = 2020-07-01', 'date = "July"'), "date must be a day"),
        (('yes = ["Yes"] }', 'yes = [] }'), "condition 'asthma' needs column"),
        (('Male = "M"', 'Male = "man"'), "Choose one of: F, M, other, unknown"),
        (("[18, 24]", "[24, 18]"), "1 age bands are not"),
        (("name =", "name ="), None),
    ],
)  # fmt: skip
def test_a_faulty_mapping_says_what_to_mend(tmp_path: Path, change: tuple[str, str], message: str | None) -> None:
    file, mapping = write(tmp_path, TABLE, MAP.replace(*change))
    if message is None:
        assert sr.import_survey(file, tmp_path / "study", config=mapping).is_dir()
    else:
        with pytest.raises(sr.ArgumentError, match=message):
            sr.import_survey(file, tmp_path / "study", config=mapping)


def test_a_foreign_folder_is_not_overwritten_and_an_own_one_is(tmp_path: Path) -> None:
    file, mapping = write(tmp_path, TABLE)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("keep")
    with pytest.raises(sr.ArgumentError, match="already there"):
        sr.import_survey(file, tmp_path / "other", config=mapping)
    assert (tmp_path / "other" / "letter.txt").read_text() == "keep"
    for _ in range(2):
        sr.import_survey(file, tmp_path / "study", config=mapping)


@pytest.mark.skipif(not BRFSS.exists(), reason="the survey file is not on this machine")
def test_the_2020_survey(tmp_path: Path) -> None:
    study = sr.read_study(sr.import_survey(BRFSS, tmp_path / "study", config="brfss2020"))
    cohort = sr.define_cohort(study)
    patterns = cohort.patterns()
    # counted from the public file by a spreadsheet: people with 0 to 6 of the six conditions
    counts = sr.multimorbidity.condition_count(patterns).estimates["n_persons"].to_list()
    assert counts == [199_751, 85_027, 25_412, 7_372, 1_891, 310, 32]
    assert sr.multimorbidity.combinations(patterns, min_size=0).estimates.height == 64
    pair = sr.networks.cooccurrence(patterns).estimates.filter(
        (pl.col("source") == "heart_disease") & (pl.col("target") == "stroke")
    )
    assert pair["n_both"].item() == 4_389
    # by hand: 4389 x 319795 / (27373 x 12069); phi from the same four counts
    assert round(pair["observed_expected"].item(), 4) == 4.2486
    assert round(pair["phi"].item(), 4) == 0.1968
    by = cohort.patterns(by=("age_band", "sex"))
    exact = sr.multimorbidity.combinations(by, min_size=0)
    shown = sr.suppress(exact, sr.Policy.nhs_england()).estimates["n_persons"]
    assert (len(shown), shown.null_count()) == (1_283, 497)
    # 64 combinations are few enough to list every one: a cell that is suppressed has its star, and so has one of nobody
    rule = sr.Policy.nhs_england()
    everything = sr.suppress(sr.multimorbidity.combinations(patterns, min_size=0), rule)
    groups = sr.suppress(exact, rule)
    named = everything.estimates.filter(pl.col("n_persons").is_not_null())["combination"]
    may_be_named = groups.estimates.filter(pl.col("combination").is_in(named.implode()))
    stars = 0
    for sex in ("F", "M"):
        panel = may_be_named.filter(pl.col("sex").cast(pl.String) == sex)
        grid = panel["combination"].n_unique() * panel["age_band"].n_unique()
        stars += grid - panel["n_persons"].is_not_null().sum()
    made = sr.cross_table(groups, rows="combination", columns="age_band", panels="sex", most=100, among=everything).html
    assert made.count('<td class="number">[c]</td>') == stars
    # 319,795 is a multiple of five: what is said of it must not be the exact total
    assert (
        sr.suppress(cohort.attrition, rule).sentence()
        == "About 320,000 people in the study met the inclusion criteria."
    )
    # and every page says that these are respondents
    assert "respondents, not of the population" in made
    assert "respondents, not of the population" in sr.table(everything).html


def test_a_note_goes_with_the_numbers(tmp_path: Path) -> None:
    from symphony_research.report.provenance import start_record
    from symphony_research.report.run_plan import plan_runs

    file, mapping = write(tmp_path, TABLE, 'note = "Unweighted answers."\n' + MAP)
    study = sr.read_study(sr.import_survey(file, tmp_path / "study", config=mapping))
    assert study.note == "Unweighted answers."
    held = sr.multimorbidity.prevalence(sr.define_cohort(study).patterns())
    assert "Unweighted answers." in sr.table(held).html
    assert sr.plot(held).texts[-1].get_text().endswith("Unweighted answers.")
    assert start_record(plan_runs(study, None)[0], study, "fingerprint")["study"]["note"] == "Unweighted answers."
    # a study without one has nothing to say
    file, mapping = write(tmp_path, TABLE)
    assert sr.read_study(sr.import_survey(file, tmp_path / "study", config=mapping)).note == ""


def test_a_gap_is_not_a_no_and_a_yes_must_occur(tmp_path: Path) -> None:
    file, mapping = write(tmp_path, TABLE.with_columns(pl.Series("Asthma", ["Yes", None, "No", ""])))
    with pytest.raises(sr.ArgumentError, match="has no answer in 2 rows"):
        sr.import_survey(file, tmp_path / "study", config=mapping)
    file, mapping = write(tmp_path, TABLE, MAP.replace('yes = ["Yes"] }', 'yes = ["yes"] }'))
    with pytest.raises(sr.ArgumentError, match="nobody gave the answer"):
        sr.import_survey(file, tmp_path / "study", config=mapping)


def test_a_file_put_beside_an_imported_survey_is_not_lost(tmp_path: Path) -> None:
    file, mapping = write(tmp_path, TABLE)
    study = sr.import_survey(file, tmp_path / "study", config=mapping)
    (study / "notes.docx").write_text("mine")
    with pytest.raises(sr.ArgumentError, match="1 files that the import did not write"):
        sr.import_survey(file, study, config=mapping)
    assert (study / "notes.docx").read_text() == "mine"


def test_a_file_without_a_heading_is_not_repeated(tmp_path: Path) -> None:
    file, mapping = write(tmp_path, TABLE)
    file.write_text("Yes,Female,55-59,Zebedee\nNo,Male,18-24,Dougal\n")
    with pytest.raises(sr.ArgumentError, match="perhaps its first row is not a heading") as error:
        sr.import_survey(file, tmp_path / "study", config=mapping)
    assert "Zebedee" not in str(error.value)


def test_a_survey_is_not_asked_about_hubs(tmp_path: Path) -> None:
    from symphony_research.report.run_plan import plan_runs

    file, mapping = write(tmp_path, TABLE)
    study = sr.read_study(sr.import_survey(file, tmp_path / "study", config=mapping))
    assert [run.notebook.name[:2] for run in plan_runs(study, None)] == ["02", "03", "05"]
