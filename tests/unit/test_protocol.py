"""A protocol: what stands where nothing is stated, what is refused and in which words, and the arguments taken from it."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path

import pytest
from small_evaluation import SETTINGS, evaluated_study

import symphony_research as sr
from symphony_research.errors import ArgumentError, SchemaError
from symphony_research.evaluation.protocol_keys import KEYS, SENSITIVITY
from symphony_research.evaluation.protocol_template import protocol_text

e = sr.evaluation


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return evaluated_study(tmp_path / "study")


def faults(folder: Path, text: str) -> list[str]:
    (folder / "protocol.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SchemaError) as raised:
        e.read_protocol(folder)
    head, *found = str(raised.value).split("\n  ")
    assert head.startswith(f"protocol.toml: {len(found)} finding")
    return found


# -- what stands where nothing is stated ----------------------------------------------------------------------------


def test_without_a_file_the_default_protocol_is_used_and_says_so(folder: Path) -> None:
    protocol = e.read_protocol(folder)
    assert protocol.is_default
    assert protocol == e.default_protocol(sr.read_study(folder))
    assert "default one" in e.target_trial(protocol).sentence()
    # the study's two priority conditions are all that can be asked for, of the usual three
    assert (protocol.min_conditions, protocol.conditions) == (2, ("diabetes", "stroke"))
    assert (protocol.programme, protocol.authors) == ("complex_care", ("A. Analyst",))
    # what the other programmes of practices did is not to be counted as the hub's
    assert protocol.exact == ("health_coaching", "sex")
    # nobody died and there are no outpatients, which would look as if they never happened; deaths are always known
    assert protocol.outcomes == ("emergency_admission", "accident_and_emergency", "admission", "death")
    assert protocol.sensitivity == ("five_nearest", "not_enrolled", "other_practices", "unadjusted")


def test_an_empty_file_states_the_default_protocol(folder: Path) -> None:
    (folder / "protocol.toml").write_text("", encoding="utf-8")
    protocol = e.read_protocol(folder)
    assert not protocol.is_default
    assert protocol.fingerprint == e.default_protocol(sr.read_study(folder)).fingerprint


def test_a_study_without_admissions_is_about_deaths_and_one_hub_has_no_others(tmp_path: Path) -> None:
    import polars as pl
    from small_evaluation import DAY

    one = pl.DataFrame({"person_id": [1], "programme": ["virtual_ward"], "hub": ["East"], "start_date": [DAY]})
    plain = SETTINGS.replace('priority_conditions = ["stroke", "diabetes"]\n', "").replace('author = "A. Analyst"', "")
    protocol = e.read_protocol(evaluated_study(tmp_path / "s", settings=plain, activity=None, enrolments=one))
    assert (protocol.programme, protocol.primary, protocol.secondary) == ("virtual_ward", "death", ())
    assert (protocol.min_conditions, protocol.conditions, protocol.authors) == (None, None, ())
    assert protocol.sensitivity == ("five_nearest", "not_enrolled", "unadjusted")
    assert protocol.as_cohort_arguments() == {"programme": "virtual_ward"}


def test_a_default_gives_way_to_what_is_stated(folder: Path) -> None:
    (folder / "protocol.toml").write_text(
        '[eligibility]\nsex = "F"\nmin_conditions = 0\n[assignment]\npractices = "of other hubs"\n[outcomes]\nprimary = "death"\n'
        '[negative_control]\noutcome = "admission"\nreason = "planned years before"\n[analysis]\nadjust = false',
        encoding="utf-8",
    )
    protocol = e.read_protocol(folder)
    assert protocol.subgroups == ("broad_age_band",)  # of women alone there are none by sex
    assert protocol.sensitivity == ("five_nearest", "not_enrolled")  # the others are the protocol's own choices now
    assert protocol.secondary == ("emergency_admission", "accident_and_emergency")
    assert (protocol.min_conditions, protocol.conditions) == (None, None)


# -- what is refused ------------------------------------------------------------------------------------------------

REFUSED = [
    ("titel = 'x'", ["titel is no key or section. There is: title, authors, eligibility,", "Did you mean 'title'?"]),
    ("caliper = 0.1", ["caliper is no key or section.", "It belongs under [assignment]."]),
    ("title = 3", ["title must be a text."]),
    ("authors = 'me'", ["authors must be a list of names"]),
    ("[elegibility]", ["elegibility is no key or section.", "Did you mean 'eligibility'?"]),
    ("eligibility = 3", ["eligibility must be a section: [eligibility] with programme, sex,"]),
    ("[eligibility]\nprograme = 'x'", ["eligibility.programe is no key. [eligibility] takes: programme, sex,", "Did you mean 'programme'?"]),
    ("[eligibility]\nhub = 'East'", ["eligibility.hub is chosen when the report is made", "--hub NAME"]),
    ("[eligibility]\nprogramme = 'complx_care'", ["There is: complex_care. Did you mean 'complex_care'?"]),
    ("[eligibility]\nsex = 'woman'", ["eligibility.sex must be one of: F, M, other, unknown."]),
    ("[eligibility]\nmin_age = 65.5", ["eligibility.min_age must be an age in completed years."]),
    ("[eligibility]\nmin_age = true", ["eligibility.min_age must be"]),
    ("[eligibility]\nmin_age = 80\nmax_age = 70", ["eligibility.min_age=80 is above max_age=70."]),
    ("[eligibility]\narea = 'South'", ["eligibility.area: the study has no such area. There are 1."]),
    ("[eligibility]\npractice = 'P9'", ["eligibility.practice: the study has no such practice_id. There are 2."]),
    ("[eligibility]\nmin_conditions = 1\nconditions = ['strok']", ["'strok' is no condition of the study. There is: asthma, diabetes, stroke. Did you mean 'stroke'?"]),
    ("[eligibility]\nmin_conditions = 0\nconditions = ['stroke']", ["eligibility.conditions says which conditions min_conditions counts"]),
    ("[eligibility]\nmin_conditions = 3\nconditions = ['stroke']", ["eligibility.min_conditions=3 is more than there are conditions that count, 1."]),
    ("[eligibility]\nmin_conditions = 1\nconditions = ['stroke', 'stroke']", ["eligibility.conditions names something twice."]),
    ("[strategies]\nenrolling = ''", ["strategies.enrolling must be a text."]),
    ("[assignment]\nscore = 'propensty'", ["assignment.score must be one of: propensity, mahalanobis, odds_weights. Did you mean 'propensity'?"]),
    ("[assignment]\nexact = ['sx']", ["assignment.exact: 'sx' is no name of what controls can agree on. There is: sex, deprivation_decile,"]),
    ("[assignment]\nexact = ['complex_care']", ["'complex_care' is no name of what controls can agree on."]),
    ("[assignment]\ncaliper = 0", ['assignment.caliper must be a number of standard deviations above 0, or "none".']),
    ("[assignment]\ncaliper = nan", ["assignment.caliper must be"]),
    ("[assignment]\nratio = 0", ["assignment.ratio must be an integer number of controls, at least 1."]),
    ("[assignment]\nreplacement = 'yes'", ["assignment.replacement must be true or false."]),
    ("[assignment]\npractices = 'other hubs'", ["one of: any, of the hub, of other hubs. Did you mean 'of other hubs'?"]),
    ("[assignment]\ncandidates = 1e3", ["assignment.candidates must be an integer number of people"]),
    ("[time_zero]\nwords = 1", ["time_zero.words must be a text."]),
    # from 1 April 2011 to 31 March 2015 are 4 x 365 + 1 - 1 days
    ("[follow_up]\ndays = 1461", ["follow_up.days=1,461 is longer than the study, of 1,460 days."]),
    ("[follow_up]\ndays = 0", ["follow_up.days must be an integer number of days, at least 1."]),
    ("[outcomes]\nprimary = 'readmission'", ["outcomes.primary must be one of: emergency_admission, admission,"]),
    ("[outcomes]\nprimary = 'outpatient'", ["outcomes.primary: 'outpatient' cannot be analysed. The study has no outpatient appointments. Recorded: emergency_admission, admission, accident_and_emergency, death."]),
    ("[outcomes]\nsecondary = ['bed_day']", ["outcomes.secondary: 'bed_day' cannot be analysed. The study does not say when stays in hospital ended."]),
    ("[outcomes]\nsecondary = ['deth']", ["outcomes.secondary: 'deth' is no outcome.", "Did you mean 'death'?"]),
    ("[outcomes]\nsecondary = ['emergency_admission']", ["outcomes.secondary names the primary outcome 'emergency_admission' again."]),
    ("[negative_control]\noutcome = 'death'\nreason = 'x'\n[outcomes]\nsecondary = ['death']", ["negative_control.outcome: 'death' is an outcome of the protocol too"]),
    ("[negative_control]\noutcome = 'admission'", ["negative_control.reason: say why enrolling cannot change hospital admissions."]),
    ("[estimand]\nassumptions = ['']", ["estimand.assumptions must be a list of sentences"]),
    ("[analysis]\nestimator = 'cox'", ["analysis.estimator must be one of: poisson."]),
    ("[analysis]\nconfidence = 95", ["analysis.confidence must be a number from 0.5 to below 1, such as 0.95."]),
    ("[analysis]\nmultiple_testing = 'bonferroni'", ["analysis.multiple_testing must be one of: holm, exploratory."]),
    ("[analysis]\nsensitivity = ['nearst']", ["analysis.sensitivity: 'nearst' is no sensitivity analysis.", "Did you mean 'nearest'?"]),
    ("[analysis]\nsensitivity = ['odds_weights']", ["analysis.sensitivity: 'odds_weights' changes nothing"]),
    ("[analysis]\nsensitivity = ['first_180_days']\n[follow_up]\ndays = 90", ["analysis.sensitivity: 'first_180_days' is longer than follow_up.days=90."]),
    ("[analysis]\nsubgroups = ['programme']", ["analysis.subgroups: 'programme' is no stratum. There is: sex, age_band, n_conditions_band, deprivation_quintile, broad_age_band, broad_n_conditions."]),
    ("[analysis]\nsubgroups = ['hub']", ["analysis.subgroups: 'hub' is no stratum."]),
    ("[eligibility]\nsex = 'F'\n[analysis]\nsubgroups = ['sex']", ["analysis.subgroups: people of one sex alone are eligible"]),
    ("[statements]\nethics = true", ["statements.ethics must be a text."]),
    ("departures = 'none'", ["departures must be sections of their own, one each: [[departures]] with date, what and why."]),
    ("[[departures]]\ndate = 'March'\nwhat = 'x'\nwhy = 'y'", ["departures 1: date must be a date, such as 2026-03-05."]),
    ("[[departures]]\ndate = 2026-03-05\nwhat = 'x'", ["departures 1: why must be a text."]),
    ("[[departures]]\ndate = 2026-03-05\nwhat = 'x'\nwhy = 'y'\nwho = 'z'", ["departures 1: who is no key. There is: date, what, why."]),
    # a count written when outcomes are known would stand on a page that nothing protected
    ("[[departures]]\ndate = 2026-03-05\nwhat = '3 people died early'\nwhy = 'y'", ["departures 1: what holds a number."]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[text.replace("\n", " ") for text, _ in REFUSED])
def test_what_is_wrong_is_said_with_what_there_is(folder: Path, text: str, said: list[str]) -> None:
    found = faults(folder, text)
    assert len(found) == 1
    for words in said:
        assert words in found[0]


def test_all_that_is_wrong_is_said_at_once(folder: Path) -> None:
    text = "titel = 'x'\n[eligibility]\nprogramme = 'y'\nmin_age = 'z'\n[outcomes]\nsecondary = ['deth']\n[analysis]\nsubgroups = ['a']"
    assert [one.split()[0] for one in faults(folder, text)] == [
        "titel",
        "eligibility.min_age",
        "eligibility.programme:",
        "outcomes.secondary:",
        "analysis.subgroups:",
    ]


@pytest.mark.parametrize("text", ["title = Evaluation", "title = 'x\n", "[eligibility", "a = 1\na = 2"])
def test_what_is_no_toml_is_refused_with_the_place_and_the_way_on(folder: Path, text: str) -> None:
    (folder / "protocol.toml").write_text(text, encoding="utf-8")
    with pytest.raises(
        SchemaError, match=r"protocol.toml cannot be read as TOML \(at (line \d|end of doc).*quotation marks"
    ):
        e.read_protocol(folder)


def test_notepads_encodings_are_read(folder: Path) -> None:
    for encoding in ("utf-8-sig", "utf-16", "cp1252"):
        (folder / "protocol.toml").write_bytes('title = "Café"'.encode(encoding))
        assert e.read_protocol(folder).title == "Café"


@pytest.mark.parametrize("name", ["protocol.toml.txt", "Protocol.toml", "protocol.tml"])
def test_a_misnamed_protocol_is_a_fault_and_not_the_default(folder: Path, name: str) -> None:
    (folder / name).write_text("", encoding="utf-8")
    with pytest.raises(SchemaError, match=rf"{name} is not read: its name must be protocol.toml"):
        e.read_protocol(folder)


def test_a_protocol_may_stand_elsewhere_and_be_named_from_the_study(folder: Path, tmp_path: Path) -> None:
    (folder / "second.toml").write_text("[follow_up]\ndays = 90", encoding="utf-8")
    (tmp_path / "third.toml").write_text("[follow_up]\ndays = 30", encoding="utf-8")
    study = sr.read_study(folder)
    assert e.read_protocol(study, file="second.toml").days == 90
    assert e.read_protocol(study, file=tmp_path / "third.toml").days == 30
    assert e.read_protocol(folder / "second.toml").days == 90
    with pytest.raises(ArgumentError, match=r"There is no protocol .*fourth.toml'. Write one with: symphony protocol"):
        e.read_protocol(study, file="fourth.toml")
    with pytest.raises(ArgumentError, match="named twice"):
        e.read_protocol(folder / "second.toml", file="second.toml")


def test_a_protocol_of_another_programme_is_refused(folder: Path) -> None:
    (folder / "protocol.toml").write_text("", encoding="utf-8")
    assert e.read_protocol(folder, programme="complex_care").programme == "complex_care"
    with pytest.raises(ArgumentError, match="is the protocol of 'complex_care', and the report is asked for 'other'"):
        e.read_protocol(folder, programme="other")


def test_a_study_without_anybody_enrolled_has_nothing_to_evaluate(tmp_path: Path) -> None:
    folder = evaluated_study(tmp_path / "s", enrolments=None)
    with pytest.raises(ArgumentError, match="nobody enrolled on a programme"):
        e.read_protocol(folder)
    assert "nobody enrolled" in faults(folder, "")[0]


# -- what is taken from it ------------------------------------------------------------------------------------------


def test_the_fingerprint_is_of_every_key_as_the_file_holds_it(folder: Path) -> None:
    """The same from the file alone: its sections, None for keys that are comments, as sorted JSON."""
    path = e.write_protocol(folder)
    told = tomllib.loads(path.read_text(encoding="utf-8"))
    whole: dict[str, dict[str, object]] = {}
    for key in KEYS:
        of = told if not key.section else told[key.section]
        whole.setdefault(key.section, {})[key.key] = of.get(key.key)
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert e.read_protocol(folder).fingerprint == hashlib.sha256(text.encode()).hexdigest()


def test_departures_are_not_of_the_fingerprint(folder: Path) -> None:
    path = e.write_protocol(folder)
    before = e.read_protocol(folder)
    with path.open("a", encoding="utf-8") as file:
        file.write('\n[[departures]]\ndate = 2026-03-05\nwhat = "shorter"\nwhy = "late data"\n')
    after = e.read_protocol(folder)
    assert [one.what for one in after.departures] == ["shorter"]
    assert after.fingerprint == before.fingerprint


def test_arguments_are_what_the_functions_take() -> None:
    study = sr.example_study(12_000)
    protocol = e.default_protocol(study)
    cohort = sr.define_cohort(study, **protocol.as_cohort_arguments())
    assert cohort.attrition.settings["population"]["min_conditions"] == 3
    matched = e.match_controls(study, cohort, **protocol.as_matching_arguments())
    asked = protocol.as_matching_arguments()
    assert {name: matched.settings[name] for name in asked} == asked
    # exact as match_controls has it where nothing is named: by hand, sex and every other programme of practices
    assert set(asked["exact"]) == {"sex", "enhanced_primary_care", "health_coaching"}
    balance = e.balance(matched, **protocol.as_balance_arguments())
    assert (balance.settings["outcome"], balance.settings["horizon"]) == ("emergency_admission", 365)
    effect = e.enrolment_effect(matched, **protocol.as_effect_arguments("admission"), resamples=2)
    assert (effect.settings["outcome"], effect.settings["horizon"], effect.settings["seed"]) == ("admission", 365, 2013)
    with pytest.raises(ArgumentError, match="outpatient"):
        protocol.as_effect_arguments("outpatient")


def test_eligibility_is_handed_on_with_the_hub(folder: Path) -> None:
    (folder / "protocol.toml").write_text(
        "[eligibility]\nmin_age = 65\nsex = 'M'\nresidence = 'own_home'\narea = 'North'\npractice = 'P1'\nmin_conditions = 1",
        encoding="utf-8",
    )
    assert e.read_protocol(folder).as_cohort_arguments(hub="East") == {
        "programme": "complex_care", "hub": "East", "practice": "P1", "area": "North", "sex": "M", "age": (65, None),
        "residence": "own_home", "min_conditions": 1, "conditions": ["diabetes", "stroke"],
    }  # fmt: skip


def test_a_sensitivity_analysis_is_the_protocol_with_other_choices(folder: Path) -> None:
    protocol = e.read_protocol(folder)
    assert protocol.varied("five_nearest").as_matching_arguments() == {
        **protocol.as_matching_arguments(), "score": "propensity", "ratio": 5,
    }  # fmt: skip
    assert protocol.varied("unadjusted").as_effect_arguments()["adjust"] is False
    with pytest.raises(ArgumentError, match="nearest"):
        protocol.varied("nearest")  # known, and not of this protocol
    fields = {key.field for key in KEYS}
    assert all(set(changed) <= fields for _, changed in SENSITIVITY.values())


# -- the template ---------------------------------------------------------------------------------------------------


def test_the_template_explains_every_key_and_reads_as_the_default(folder: Path) -> None:
    default = e.read_protocol(folder)
    text = protocol_text(default)
    for key in KEYS:
        assert f"{key.key} = " in text, key.place
    path = e.write_protocol(folder)
    assert path == folder / "protocol.toml"
    assert path.read_text(encoding="utf-8") == text
    assert e.read_protocol(folder) == default
    assert sorted(one.name for one in folder.iterdir() if one.name.startswith((".", "protocol"))) == ["protocol.toml"]


def test_a_protocol_that_is_there_is_not_overwritten(folder: Path) -> None:
    (folder / "protocol.toml").write_text("title = 'mine'", encoding="utf-8")
    with pytest.raises(ArgumentError, match="is there already, and is not overwritten"):
        e.write_protocol(folder)
    assert (folder / "protocol.toml").read_text(encoding="utf-8") == "title = 'mine'"
    assert e.write_protocol(folder, file=folder / "other.toml").is_file()
    with pytest.raises(ArgumentError, match="There is no folder"):
        e.write_protocol(folder, file=folder / "none" / "other.toml")


def test_a_study_in_memory_has_no_place_for_one() -> None:
    with pytest.raises(ArgumentError, match="name a file"):
        e.write_protocol(sr.example_study(3_000))


def test_a_protocol_beside_the_data_changes_no_fingerprint_of_the_study_and_is_no_unread_file(folder: Path) -> None:
    before = sr.read_study(folder).fingerprint
    e.write_protocol(folder)
    e.fix_protocol(folder)
    assert sr.read_study(folder).fingerprint == before
    assert "protocol" not in sr.check_study(folder).text()


def test_the_manual_names_every_key_and_every_choice() -> None:
    text = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
    for key in KEYS:
        assert f"`{key.place}`" in text, key.place
    for name in (*SENSITIVITY, "odds_weights", "propensity", "mahalanobis", "poisson", "holm", "exploratory"):
        assert f"`{name}`" in text, name
