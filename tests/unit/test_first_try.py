"""The measuring of what disclosure control leaves: studies made by hand, reasons read, and cells compared with a baseline."""

import sys
from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr

PROOF = Path(__file__).resolve().parents[1] / "proof"


@pytest.fixture
def proof(monkeypatch):
    """The modules of the measuring, which are run as scripts."""
    monkeypatch.syspath_prepend(str(PROOF))
    import kept_pages
    import made_studies
    import measured
    import try_kept
    import try_reports

    yield {m.__name__: m for m in (kept_pages, made_studies, measured, try_kept, try_reports)}
    for name in ("kept_pages", "made_studies", "measured", "try_kept", "try_reports"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("lacking", ["", "costs", "onsets", "activity", "strata"])
def test_a_study_made_by_hand_can_be_read_and_lacks_what_it_says(proof, tmp_path, lacking):
    proof["made_studies"].write_study(tmp_path / "s", name="s", people=60, conditions=8, lacking=lacking)
    study = sr.read_study(tmp_path / "s")
    assert len(study.condition_names()) == 8
    assert "diabetes" not in study.condition_names()
    assert study.hubs() == ["East", "North", "West"]
    assert study.has("activity") == (lacking != "activity")
    assert study.conditions.collect()["onset_date"].is_null().all() == (lacking == "onsets")
    assert (study.persons.collect()["sex"].unique().to_list() == ["unknown"]) == (lacking == "strata")
    if lacking != "activity":
        assert (study.activity.collect()["cost"].sum() == 0) == (lacking == "costs")


def test_what_a_study_has_beside_what_it_lacks_is_the_same(proof, tmp_path):
    for name, lacking in (("whole", ""), ("part", "onsets")):
        proof["made_studies"].write_study(tmp_path / name, name=name, people=60, conditions=4, lacking=lacking)
    whole, part = (sr.read_study(tmp_path / name) for name in ("whole", "part"))
    assert whole.activity.collect().equals(part.activity.collect())
    assert whole.conditions.drop("onset_date").collect().equals(part.conditions.drop("onset_date").collect())


def test_reports_and_reasons_are_read_from_what_the_command_says(proof):
    said = "4 reports made, 2 failed:\n  02_x: No such condition.\n  04_y, East: No such condition.\nfile:///r/index.html\n"
    found = proof["try_reports"]._read(said, "", 1, 60, 6)
    assert (found["asked"], found["made"], found["exit"]) == (6, 4, 1)
    assert found["reasons"] == {"No such condition.": ["02_x", "04_y, East"]}
    stopped = proof["try_reports"]._read("", "", None, 60, 6)
    assert (stopped["asked"], stopped["made"]) == (6, 0)
    assert list(stopped["reasons"]) == ["no answer within 60 s"]


def test_a_list_of_many_outputs_is_said_as_their_number(proof):
    assert proof["measured"].first_line("Refused. 'a', 'b' and 'c' are of the same people.") == (
        "Refused. 3 outputs are of the same people."
    )


def test_cells_are_compared_with_those_of_the_baseline(proof, tmp_path):
    patterns = sr.define_cohort(sr.example_study()).patterns()
    exact = sr.multimorbidity.prevalence(patterns)
    policy = sr.Policy.nhs_england()
    found = proof["try_kept"].of_result("prevalence", exact, sr.suppress(exact, policy), policy.threshold)
    large = exact.estimates.filter(pl.col("n_persons") > policy.threshold).height
    assert found["large"] == large
    assert len(found["shown"]) + 4 * len(found["lost"]) == 4 * large

    pages, plan = proof["kept_pages"], proof["made_studies"].StudyPlan("example", "made", lambda folder: None)
    place = tmp_path / "baseline.json"
    measured = {"sets": {"combinations": {"results": {"prevalence": found}}}}
    pages.write_baseline(place, {("example", "everybody", "nhs_england"): measured}, "abc")
    baseline = pages.read_baseline(place)
    rows, lost = pages.rows_of(baseline, plan, "everybody", "nhs_england", measured)
    assert "| 100.0 |" in rows[0]
    assert not lost

    one = {
        **found,
        "shown": found["shown"][4:],
        "lost": {found["shown"][:4]: ["n_persons: x", "secondary suppression"]},
    }
    fewer = {"sets": {"combinations": {"results": {"prevalence": one}}}}
    rows, lost = pages.rows_of(baseline, plan, "everybody", "nhs_england", fewer)
    shown = len(found["shown"]) // 4
    assert f"| {100 * (shown - 1) / shown:.1f} |" in rows[0]
    assert lost == ["| example | everybody | nhs_england | combinations: prevalence | not traced | 1 | n_persons: x |"]

    rows, lost = pages.rows_of(baseline, plan, "everybody", "nhs_england", {"error": "no answer"})
    assert "| 0.0 |" in rows[0]
    assert "not released" in lost[0]
