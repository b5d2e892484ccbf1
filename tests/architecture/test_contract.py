"""One convention for every public function: keyword-only after the first argument, one word for one thing."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

import symphony_research as sr

FIELDS = ("multimorbidity", "networks", "survival")
PUBLIC = [
    (f"{field}.{name}", getattr(module, name))
    for field in FIELDS
    for module in [getattr(sr, field)]
    for name in module.__all__
]
PUBLIC += [(name, getattr(sr, name)) for name in sr.__all__ if name not in FIELDS]
FUNCTIONS = [(name, thing) for name, thing in PUBLIC if inspect.isfunction(thing)]
ESTIMATORS = [(n, f) for n, f in FUNCTIONS if n.split(".")[0] in FIELDS]
WORDS = {"strata", "group_by", "groupby", "alpha", "conf_level", "random_state", "df", "weight", "duration", "status"}


@pytest.mark.parametrize(("name", "function"), FUNCTIONS, ids=[n for n, _ in FUNCTIONS])
def test_arguments_after_the_first_are_keyword_only(name: str, function: object) -> None:
    positional = [
        p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD
    ]  # fmt: skip
    allowed = {"suppress": 2, "compare": 2, "import_survey": 2, "at": 2, "picture": 2}
    allowed |= {"write_table": 2, "write_figure": 2, "write_network": 2, "write_acro": 2}
    short = name.split(".")[-1]
    limit = allowed.get(short, 1)
    assert len(positional) <= limit, f"{name}: make {positional[limit:]} keyword-only"


@pytest.mark.parametrize(("name", "function"), FUNCTIONS, ids=[n for n, _ in FUNCTIONS])
def test_the_same_word_for_the_same_thing(name: str, function: object) -> None:
    assert not WORDS & set(inspect.signature(function).parameters), name


@pytest.mark.parametrize(("name", "function"), FUNCTIONS, ids=[n for n, _ in FUNCTIONS])
def test_docstrings_say_what_a_manual_page_says(name: str, function: object) -> None:
    doc = inspect.getdoc(function) or ""
    assert doc, name
    if inspect.signature(function).parameters:
        assert re.search(r"^Parameters\n-+$", doc, re.M), f"{name}: Parameters"
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            assert re.search(rf"^(.*, )?{parameter.name}(, .*)? :", doc, re.M), (
                f"{name}: {parameter.name} is not explained"
            )
    assert ">>>" in doc, f"{name}: an example"


@pytest.mark.parametrize(("name", "function"), ESTIMATORS, ids=[n for n, _ in ESTIMATORS])
def test_an_estimator_returns_a_result_and_cites_its_method(name: str, function: object) -> None:
    module = importlib.import_module(function.__module__)
    returned = getattr(module, str(inspect.signature(function).return_annotation), None)
    assert inspect.isclass(returned), name
    assert issubclass(returned, sr.Result), name
    if name != "survival.at":
        assert "References\n" in (inspect.getdoc(function) or ""), f"{name}: References"


def families() -> list[type[sr.Result]]:
    found, todo = [], list(sr.Result.__subclasses__())
    while todo:
        family = todo.pop()
        todo += family.__subclasses__()
        if not family.__name__.startswith("_") and family.__module__.startswith("symphony_research."):
            found.append(family)
    return found


@pytest.mark.parametrize("family", families(), ids=lambda f: f.__name__)
def test_every_family_declares_its_roles_and_how_to_derive(family: type[sr.Result]) -> None:
    assert family.roles_of.__func__ is not sr.Result.roles_of.__func__, f"{family.__name__} declares no roles"
    assert family.derive is not sr.Result.derive
    assert family.sentence is not sr.Result.sentence


def test_results_are_frozen() -> None:
    import dataclasses

    patterns = sr.define_cohort(sr.example_study()).patterns()
    result = sr.multimorbidity.condition_count(patterns)
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.by = ("sex",)  # type: ignore[misc]
    with pytest.raises(TypeError):
        result.settings["method"] = "another"  # type: ignore[index]


def test_unknown_names_are_answered_with_what_there_is() -> None:
    with pytest.raises(AttributeError, match="define_cohort"):
        sr.survival_kaplan_meier  # noqa: B018
