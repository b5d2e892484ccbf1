"""One convention for every public function: keyword-only after the first argument, one word for one thing."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

import symphony_research as sr

FIELDS = ("demography", "evaluation", "multimorbidity", "networks", "survival")
PUBLIC = [
    (f"{field}.{name}", getattr(module, name))
    for field in FIELDS
    for module in [getattr(sr, field)]
    for name in module.__all__
]
PUBLIC += [(name, getattr(sr, name)) for name in sr.__all__ if name not in FIELDS]
FUNCTIONS = [(name, thing) for name, thing in PUBLIC if inspect.isfunction(thing)]
ESTIMATORS = [(n, f) for n, f in FUNCTIONS if n.split(".")[0] in FIELDS]
PACKAGE = Path(sr.__file__).parent
SHARED = [
    *sorted(PACKAGE.glob("disclosure/*.py")),
    *(
        PACKAGE / "show" / f"{n}.py"
        for n in ("tables", "gate", "writing", "cross", "frame", "families", "acro", "pictures")
    ),
]
WORDS = {"strata", "group_by", "groupby", "alpha", "conf_level", "random_state", "df", "weight", "duration", "status"}


@pytest.mark.parametrize(("name", "function"), FUNCTIONS, ids=[n for n, _ in FUNCTIONS])
def test_arguments_after_the_first_are_keyword_only(name: str, function: object) -> None:
    positional = [
        p.name for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD
    ]  # fmt: skip
    allowed = {"suppress": 2, "compare": 2, "import_survey": 2, "at": 2, "picture": 2, "absolute_risk": 3}
    allowed |= {"match_controls": 2, "mean_cumulative_count": 2, "back_test": 2, "project_need": 2, "decompose": 2}
    allowed |= {"write_table": 2, "write_figure": 2, "write_network": 2, "write_acro": 2}
    short = name.split(".")[-1]
    limit = allowed.get(short, 1)
    assert len(positional) <= limit, f"{name}: make {positional[limit:]} keyword-only"


@pytest.mark.parametrize(("name", "function"), FUNCTIONS, ids=[n for n, _ in FUNCTIONS])
def test_the_same_word_for_the_same_thing(name: str, function: object) -> None:
    # strata are what `by` names everywhere but in a stratified test, where `by` names the groups, and in a model, where
    # rows with a baseline hazard of their own are no rows of the result
    stratified = ("logrank_test", "gray_test", "cox_regression", "proportional_hazards_test")
    own = {"strata"} if name in {f"survival.{test}" for test in stratified} else set()
    assert not (WORDS - own) & set(inspect.signature(function).parameters), name


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
    # a step before an estimator: people in, people out; a protocol says what is estimated, and holds no figure
    protocols = ("read_protocol", "default_protocol", "write_protocol", "fix_protocol", "open_outcomes")
    if name in (
        "survival.landmark",
        "evaluation.match_controls",
        "evaluation.evaluate",
        *(f"evaluation.{one}" for one in protocols),
    ):
        return
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


@pytest.mark.parametrize("family", families(), ids=lambda f: f.__name__)
def test_every_family_names_its_figure_or_says_that_it_has_none(family: type[sr.Result]) -> None:
    assert any("figure" in vars(kind) for kind in family.__mro__ if kind is not sr.Result), (
        "figure = None, or its function"
    )
    if family.figure is not None:
        module, name = family.figure.split(":")
        assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize("path", SHARED, ids=lambda p: p.name)
def test_what_all_families_share_names_none_of_them(path: Path) -> None:
    """Disclosure control, tables and files know families by what they declare alone: not by their names, nor their columns."""
    settings = {
        "kind": "exact", "value": None, "values": [], "adjust": [], "measure": "lift", "against": "independence",
        "causes": [1], "condition": "a", "conditions": ["a", "b"], "names": ["a", "b"], "curve": "SurvivalCurve",
    }  # fmt: skip
    names = {family.__name__ for family in families()}
    columns = {c for family in families() for roles in family.roles_of(settings).values() for c in roles.columns}
    assert {"combination", "state", "n_both"} <= columns
    tree = ast.parse(path.read_text(encoding="utf-8"))
    words = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and id(n) not in words]
    # every family has people; a study has settings of care of its own kinds; a population may be of some ages; ACRO's record of
    # a table has a field 'outcome'
    assert not {n.value for n in texts} & (names | columns - {"n_persons", "kind", "age", "outcome"})
    assert not {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} & names


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
