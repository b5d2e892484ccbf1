"""Notebooks are thin: they call the library and show results, and do nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest

from symphony_research.report.notebooks import read_parameters

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("[0-9][0-9]_*.ipynb"))
FORBIDDEN = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If, ast.IfExp, ast.With,
    ast.Try, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp, ast.BinOp, ast.JoinedStr, ast.Subscript,
)  # fmt: skip
# what a cell may end with: only these put a number on the page, and all of them refuse what is not disclosed
SHOWS = {"picture", "table", "sentence", "cross_table"}
# attributes that would reach past a result into its numbers
PRIVATE = {"estimates", "count_tables", "frame", "to_frame", "collect", "persons", "activity", "conditions"}


def code_cells(path: Path) -> list[tuple[int, str, list[str]]]:
    book = nbformat.read(path, as_version=4)
    return [
        (i, cell.source, cell.metadata.get("tags", [])) for i, cell in enumerate(book.cells) if cell.cell_type == "code"
    ]


def test_there_are_notebooks() -> None:
    assert [p.stem[:2] for p in NOTEBOOKS] == ["02", "03", "04"]


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
    assert {"study", "policy"} <= names


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_logic_in_a_notebook(path: Path) -> None:
    for number, source, tags in code_cells(path):
        if "parameters" in tags:
            continue
        tree = ast.parse(source)
        for node in ast.walk(tree):
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
