"""Notebooks are thin: they call the library, protect all results in one call, show what it released, and do nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import papermill
import pytest

from symphony_research.report.notebooks import read_parameters

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
FORBIDDEN = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If, ast.IfExp, ast.With,
    ast.Try, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp, ast.BinOp, ast.JoinedStr, ast.Subscript,
)  # fmt: skip
# what a cell may end with: only these put a number on the page, and all of them refuse what is not disclosed
SHOWS = {
    "picture",
    "table",
    "sentence",
    "cross_table",
    "outcome_picture",
    "outcome_table",
    "finding",
    "heading",
    "facts",
}
# attributes that would reach past a result into its numbers
PRIVATE = {"estimates", "count_tables", "frame", "to_frame", "collect", "persons", "activity", "conditions"}


def code_cells(path: Path) -> list[tuple[int, str, list[str]]]:
    book = nbformat.read(path, as_version=4)
    return [
        (i, cell.source, cell.metadata.get("tags", [])) for i, cell in enumerate(book.cells) if cell.cell_type == "code"
    ]


def is_released(node: ast.AST) -> bool:
    """Whether it is a released result by its name, such as released["number"]."""
    return (
        isinstance(node, ast.Subscript)
        and ast.unparse(node.value) == "released"
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    )


def is_suppress(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "sr.suppress"


def test_there_are_notebooks() -> None:
    assert [p.stem[:2] for p in NOTEBOOKS] == ["02", "03", "04", "05", "06", "09"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_title_and_question_come_first(path: Path) -> None:
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    assert "?" in first.source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_one_cell_of_parameters_each_explained(path: Path) -> None:
    tagged = [source for _, source, tags in code_cells(path) if "parameters" in tags]
    assert len(tagged) == 1
    # beside it, or above where that would run off the right of the cell
    for parameter in read_parameters(tagged[0]):
        assert parameter.help, f"say what the parameter is: {parameter.name}"
    for line in tagged[0].splitlines():
        assert len(line) <= 110, f"the comment runs off the right: {line}"
    names = {n.id for n in ast.walk(ast.parse(tagged[0])) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    assert {"study", "policy", "level", "session"} <= names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_logic_in_a_notebook(path: Path) -> None:
    for number, source, tags in code_cells(path):
        if "parameters" in tags:
            continue
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if is_released(node):
                continue
            assert not isinstance(node, FORBIDDEN), f"cell {number}: {type(node).__name__} belongs in the library"
            if isinstance(node, ast.Attribute):
                assert node.attr not in PRIVATE, f"cell {number}: .{node.attr} reaches past the result"
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                assert ast.unparse(node) == "import symphony_research as sr", f"cell {number}"
            if isinstance(node, ast.Call):
                assert not (isinstance(node.func, ast.Name)), (
                    f"cell {number}: {ast.unparse(node.func)} is not the library's"
                )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_only_the_library_shows_anything(path: Path) -> None:
    for number, source, tags in code_cells(path):
        for statement in ast.parse(source).body:
            if isinstance(statement, ast.Expr) and "parameters" not in tags:
                call = statement.value
                assert isinstance(call, ast.Call), f"cell {number}"
                assert isinstance(call.func, ast.Attribute), f"cell {number}"
                assert call.func.attr in SHOWS, f"cell {number} shows something through {ast.unparse(call.func)}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_committed_outputs_name_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for word in ("/home/", "/work/", "/tmp/", "/root/", "C:\\\\Users", "Traceback"):
        assert word not in text, word


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_all_results_are_protected_in_one_call_before_any_is_shown(path: Path) -> None:
    cells = [source for _, source, tags in code_cells(path) if "parameters" not in tags]
    at = [i for i, source in enumerate(cells) if any(is_suppress(node) for node in ast.walk(ast.parse(source)))]
    assert len(at) == 1
    (statement,) = ast.parse(cells[at[0]]).body
    assert isinstance(statement, ast.Assign)
    assert ast.unparse(statement.targets[0]) == "released"
    call = statement.value
    assert isinstance(call, ast.Call)
    results, policy = call.args
    assert isinstance(results, ast.Dict)
    assert ast.unparse(policy) == "policy"
    assert [ast.unparse(word) for word in call.keywords] == ["session=session"]
    before = [statement for source in cells[: at[0]] for statement in ast.parse(source).body]
    assert not [one for one in before if isinstance(one, ast.Expr)], "nothing is shown before it is released"
    # after the call every result comes from what was released, and each of them is shown
    protected = {ast.literal_eval(name) for name in results.keys if name is not None}
    computed = {
        n.id for one in before for n in ast.walk(one) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    after = [node for source in cells[at[0] + 1 :] for node in ast.walk(ast.parse(source))]
    assert {node.slice.value for node in after if is_released(node)} == protected  # type: ignore[attr-defined]
    names = {node.id for node in after if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert not names & (computed - {"study", "policy"}), "an exact result is used after the call"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_study_is_called_study_and_a_policy_policy(path: Path) -> None:
    read = [source for _, source, _ in code_cells(path) if "sr.read_study(" in source]
    assert read == [
        "import symphony_research as sr\n\nstudy = sr.read_study(study)\n"
        "policy = study.disclosure_policy(policy, level=level)"
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_papermill_knows_every_parameter(path: Path) -> None:
    """Else it warns of an unknown parameter where one is given, and the value may go unnoticed."""
    (source,) = (source for _, source, tags in code_cells(path) if "parameters" in tags)
    assert list(papermill.inspect_notebook(str(path))) == [p.name for p in read_parameters(source)]
