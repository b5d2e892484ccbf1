"""Any result of a notebook may be withheld whole, and the rest of the report is made all the same."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

import symphony_research as sr
from symphony_research.disclosure.control import _left_out

mpl.use("Agg")
pytestmark = pytest.mark.slow
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb"))
RULE = sr.Policy.nhs_england()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "study"
    sr.synthesise(folder, people=2_000, progress=False)
    return folder


def shown(source: str, space: dict[str, Any]) -> str:
    """Run a cell, and return what JupyterLab would show of its last expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), space)
    if last is None:
        return ""
    made = eval(compile(ast.Expression(last.value), "cell", "eval"), space)
    if made is None:
        return ""
    told = made._repr_mimebundle_() if hasattr(made, "_repr_mimebundle_") else made._repr_html_()
    return json.dumps(told, default=str)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_other_result_is_shown_where_one_or_all_are_withheld(notebook: Path, study: Path, monkeypatch) -> None:
    monkeypatch.chdir(notebook.parent)
    cells = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    released_at = next(k for k, source in enumerate(sources) if source.startswith("released = sr.suppress("))
    space: dict[str, Any] = {"__name__": "__main__"}
    for cell, source in zip(cells[: released_at + 1], sources, strict=False):
        exec(compile(source, notebook.name, "exec"), space)
        if "parameters" in cell["metadata"].get("tags", []):
            space.update(study=str(study), policy="nhs_england")
    released = space["released"]
    gone = {name: _left_out(result, "The search was not decided", RULE) for name, result in released.items()}
    assert not any(result.holds_nothing for result in released.values() if result.count_tables)
    for names in [*([name] for name in released), list(released)]:
        own = {**space, "released": {**released, **{name: gone[name] for name in names}}}
        said = "".join(shown(source, own) for source in sources[released_at + 1 :])
        plt.close("all")
        assert "not decided" in said, names
