"""Notebooks are read without running them, and what is asked is checked before anything runs."""

import json

import pytest

from symphony_research.errors import ArgumentError, ReportError
from symphony_research.policy import Policy
from symphony_research.report import run_plan as planning
from symphony_research.report.notebooks import (
    Notebook,
    Parameter,
    find_notebook,
    list_notebooks,
    read_notebook,
    read_parameters,
)
from symphony_research.report.parameters import convert, read_pairs
from symphony_research.report.run_plan import plan_runs
from symphony_research.report.subject import slug

CELL = """
study = "synthetic/south_somerset"  # the study folder
policy: str | None = None
session: str | None = None
hub: str | None = None  # one hub; none means all of them
event = "emergency_admission"  # what is followed; one of: emergency_admission, death
horizon: int = 365  # days
share = 0.2
strict: bool = False
ages: list[int] = [65, 75]  # lowest ages
computed = horizon * 2
"""


def write(folder, name, *cells, parameters=CELL):
    tagged = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": parameters.splitlines(True)}
    prose = [{"cell_type": "markdown", "metadata": {}, "source": text} for text in cells]
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps({"cells": [*prose, tagged], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))
    return path


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    folder = tmp_path / "notebooks"
    folder.mkdir()
    write(folder, "02_multimorbidity", "# Multimorbidity\n\nWhich *combinations*\nare common?\n\nMore words.")
    write(folder, "04_survival", "# Survival", "How long until the `next` one?")
    short = 'study = "x"\npolicy = None\nsession = None\nlevel = "default"\nmeasure = "phi"  # one of: phi, jaccard'
    write(folder, "12_network", "# Network", parameters=short)
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(folder))
    return list_notebooks(folder)


class Study:
    name, fingerprint, generated = "South Somerset", "f" * 64, False
    policy = Policy.nhs_england()

    def __init__(self, folder):
        self.folder = folder

    def hubs(self):
        return ["Chard", "Yeovil"]


def test_a_notebook_says_what_it_asks_and_takes(shelf):
    first, second, _ = shelf
    assert (first.name, first.title, first.question) == (
        "02_multimorbidity",
        "Multimorbidity",
        "Which combinations are common?",
    )
    assert second.question == "How long until the next one?"
    assert first.takes_hub
    assert [p.name for p in first.own_parameters] == ["event", "horizon", "share", "strict", "ages"]


def test_parameters_are_read_from_the_text_of_the_cell():
    found = {p.name: p for p in read_parameters(CELL)}
    assert "computed" not in found  # not a literal
    assert found["event"] == Parameter(
        "event", ("str",), "emergency_admission", "what is followed", ("emergency_admission", "death")
    )
    assert found["hub"].kinds == ("str", "None")
    assert found["horizon"].help == "days"
    assert found["ages"].kinds == ("list[int]",)
    assert found["share"].kinds == ("float",)
    assert found["policy"].kind_in_words == "text or nothing"


def test_a_long_comment_may_stand_above_its_parameter():
    found = read_parameters(
        "study = 1  # folder\n# what is followed;\n# one of: death, visit\nevent = 'death'\nx = 2\n"
    )
    assert [(p.name, p.help, p.choices) for p in found] == [
        ("study", "folder", ()),
        ("event", "what is followed", ("death", "visit")),
        ("x", "", ()),
    ]


def test_a_file_that_is_no_notebook_is_an_error_in_words(tmp_path):
    (tmp_path / "x.ipynb").write_text("not json")
    with pytest.raises(ReportError, match=r"x\.ipynb is not a notebook"):
        read_notebook(tmp_path / "x.ipynb")
    with pytest.raises(ReportError, match="not valid Python"):
        read_notebook(write(tmp_path, "y", parameters="a = ="))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("02", "02_multimorbidity"),
        ("2", "02_multimorbidity"),
        ("12", "12_network"),
        ("multi", "02_multimorbidity"),
        ("04_survival", "04_survival"),
        ("04_survival.ipynb", "04_survival"),
    ],
)
def test_a_notebook_is_found_by_number_name_or_beginning(shelf, name, meant):
    assert find_notebook(name, shelf).name == meant


def test_a_notebook_that_does_not_exist_is_answered_with_those_that_do(shelf):
    with pytest.raises(ArgumentError, match=r"02_multimorbidity, 04_survival, 12_network.*Did you mean 'survival'"):
        find_notebook("survivel", shelf)
    alike = [Notebook(name, "", "", (), shelf[0].path) for name in ("01_sa", "02_sb")]
    with pytest.raises(ArgumentError, match="could be any of these notebooks: 01_sa, 02_sb"):
        find_notebook("s", alike)


def parameter(*kinds, choices=()):
    return Parameter("x", kinds, None, "", choices)


@pytest.mark.parametrize(
    ("kinds", "given", "value"),
    [
        (("int",), "365", 365),
        (("float",), "0.25", 0.25),
        (("float",), 3, 3.0),
        (("bool",), "yes", True),
        (("bool",), "false", False),
        (("str", "None"), "none", None),
        (("str", "None"), "Yeovil", "Yeovil"),
        (("int", "None"), "7", 7),
        (("list[int]",), "65, 75", [65, 75]),
        (("list[str]",), "[asthma,stroke]", ["asthma", "stroke"]),
        (("list[float]",), (1, 2.5), [1, 2.5]),
        ((), "[1, 2]", [1, 2]),
        ((), "word", "word"),
    ],
)
def test_values_become_the_declared_type(kinds, given, value):
    assert convert(parameter(*kinds), given, notebook="nb") == value


@pytest.mark.parametrize(
    ("kinds", "given"),
    [
        (("int",), "a year"),
        (("int",), "1.5"),
        (("int",), True),
        (("float",), "nan"),
        (("bool",), "perhaps"),
        (("int",), "none"),
        (("list[int]",), "65,old"),
        (("str",), 5),
    ],
)
def test_values_of_another_type_are_refused(kinds, given):
    with pytest.raises(ArgumentError, match="does not fit nb: it takes"):
        convert(parameter(*kinds), given, notebook="nb")


def test_a_value_must_be_among_the_choices():
    with pytest.raises(ArgumentError, match=r"Choose one of: phi, jaccard\. Did you mean 'jaccard'\?"):
        convert(parameter("str", choices=("phi", "jaccard")), "jacard", notebook="nb")
    with pytest.raises(ArgumentError, match="'c'"):
        convert(parameter("list[str]", choices=("a", "b")), "a,c", notebook="nb")


def test_pairs_are_name_and_value():
    assert read_pairs(["a=1", "b = x=y"]) == {"a": "1", "b": "x=y"}
    for wrong in (["a"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(ArgumentError):
            read_pairs(wrong)


def test_a_comparison_of_hubs_is_made_once_and_not_for_whoever_asks_for_some_hubs(shelf, tmp_path):
    parameters = "study = 'x'\npolicy = None  # type: str\nsession = None  # type: str\nprogramme = 'complex_care'"
    shelf.append(read_notebook(write(shelf[0].path.parent, "13_comparison", parameters=parameters)))
    assert shelf[-1].compares_hubs
    assert not any(notebook.compares_hubs for notebook in shelf[:-1])

    def asked(*names, hubs=("Chard", "Yeovil"), **more):
        study = Study(tmp_path)
        study.hubs = lambda: list(hubs)
        runs = plan_runs(study, names or None, **more)
        return [(run.hub, run.folder) for run in runs if run.notebook.name == "13_comparison"]

    once = [(None, "13_comparison")]
    assert asked() == asked(all_hubs=True) == asked("13") == asked("13", "04", hubs=["Yeovil"]) == once
    assert asked(hubs=()) == []
    with pytest.raises(ArgumentError, match="names no hub, so 13_comparison has none to compare"):
        asked("13", hubs=())
    study = Study(tmp_path)
    assert all(run.notebook.name != "13_comparison" for run in plan_runs(study, None, hubs=["Yeovil"]))
    assert [run.folder for run in plan_runs(study, ["04", "13"], hubs=["Yeovil"])][-1] == "13_comparison"


def test_notebooks_with_a_hub_run_once_for_each_hub_and_the_others_once(shelf, tmp_path):
    runs = plan_runs(Study(tmp_path), None, all_hubs=True)
    assert [(run.notebook.name, run.hub) for run in runs] == [
        ("02_multimorbidity", "Chard"),
        ("02_multimorbidity", "Yeovil"),
        ("04_survival", "Chard"),
        ("04_survival", "Yeovil"),
        ("12_network", None),
    ]
    assert runs[1].folder == "02_multimorbidity--yeovil"
    assert runs[1].given == {"study": str(tmp_path), "policy": "nhs_england", "hub": "Yeovil"}


def test_runs_are_released_notebook_by_notebook_and_hubs_by_name(shelf, tmp_path):
    runs = plan_runs(Study(tmp_path), ["04", "02"], hubs=["Yeovil", "Chard"])
    assert [(run.notebook.name, run.hub) for run in runs] == [
        ("04_survival", "Chard"),
        ("04_survival", "Yeovil"),
        ("02_multimorbidity", "Chard"),
        ("02_multimorbidity", "Yeovil"),
    ]


def test_a_level_is_passed_to_the_policy_and_to_the_notebook(shelf, tmp_path):
    (run,) = plan_runs(Study(tmp_path), ["12"], policy="sacro", level="strict")
    assert run.policy == Policy.sacro(level="strict")
    assert (run.given["policy"], run.given["level"]) == ("sacro", "strict")


@pytest.mark.parametrize(
    ("policy", "level", "said"),
    [
        ("sacro", "rule_text", "of nhs_england alone"),
        ("synthetic", "strict", "changes nothing"),
        (None, "strickt", "Did you mean 'strict'"),
    ],
)
def test_a_level_that_does_not_fit_is_refused(shelf, tmp_path, policy, level, said):
    with pytest.raises(ArgumentError, match=said):
        plan_runs(Study(tmp_path), ["12"], policy=policy, level=level)


def test_a_notebook_without_a_level_is_run_at_the_default_alone(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(planning, "policy_named", lambda name, **more: Policy.sacro())
    assert "level" not in plan_runs(Study(tmp_path), ["02"])[0].given
    with pytest.raises(ArgumentError, match=r"as a report at the level 'strict'.*has no 'level'"):
        plan_runs(Study(tmp_path), ["02"], level="strict")


def test_without_a_hub_the_whole_programme_is_one_report(shelf, tmp_path):
    runs = plan_runs(Study(tmp_path), ["02", "network"], parameters={"measure": "jaccard", "horizon": "90"})
    assert [(run.folder, run.hub) for run in runs] == [("02_multimorbidity", None), ("12_network", None)]
    # a value goes only to the notebook that takes it
    assert runs[0].given["horizon"] == 90
    assert "measure" not in runs[0].given
    assert runs[1].given["measure"] == "jaccard"


def test_everything_wrong_is_said_at_once(shelf, tmp_path):
    with pytest.raises(ArgumentError) as raised:
        plan_runs(
            Study(tmp_path),
            ["02", "nosuch"],
            hubs=["Yeovill"],
            parameters={"horizn": "1", "event": "birth", "policy": "x", "session": "x", "hub": "Chard"},
            policy="nhs_englnd",
        )
    text = str(raised.value)
    for words in (
        "There is no notebook 'nosuch'",
        "no hub 'Yeovill'. Hubs: Chard, Yeovil. Did you mean 'Yeovil'?",
        "There is no parameter 'horizn'",
        "Did you mean 'horizon'?",
        "Choose one of: emergency_admission, death",
        "'policy' is not set with -p: give the policy itself (--policy)",
        "'session' is not set with -p: symphony report fills it in",
        "'hub' is not set with -p",
        "Did you mean 'nhs_england'?",
    ):
        assert words in text


def test_the_policy_that_hides_nothing_is_for_generated_data(shelf, tmp_path):
    with pytest.raises(ArgumentError, match="generated data alone"):
        plan_runs(Study(tmp_path), ["02"], policy="synthetic")
    generated = Study(tmp_path)
    generated.generated = True
    assert plan_runs(generated, ["02"], policy="synthetic")[0].policy.changes_nothing


def test_hubs_are_asked_for_only_where_they_mean_something(shelf, tmp_path):
    with pytest.raises(ArgumentError, match="No notebook chosen takes a hub"):
        plan_runs(Study(tmp_path), ["12"], hubs=["Chard"])
    with pytest.raises(ArgumentError, match="but not both"):
        plan_runs(Study(tmp_path), ["02"], hubs=["Chard"], all_hubs=True)
    study = Study(tmp_path)
    study.hubs = list
    with pytest.raises(ArgumentError, match="names no hub"):
        plan_runs(study, ["02"], all_hubs=True)


def test_a_notebook_without_study_and_policy_is_not_a_report(shelf, tmp_path):
    own = write(tmp_path, "own", "# Own\n\nWhat?", parameters="a = 1")
    with pytest.raises(ArgumentError, match="own cannot be run as a report"):
        plan_runs(Study(tmp_path), [str(own)])


def test_different_hubs_never_share_a_folder():
    hubs = ["A & B", "A-B", "Ynys Môn", "北"]
    assert slug("Ynys Môn") == "ynys-mon"
    assert len({slug(hub, hubs) for hub in hubs}) == 4
    assert all(slug(hub, hubs).isascii() for hub in hubs)
