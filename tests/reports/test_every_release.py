"""Every notebook is released under every policy, and any result of it may be withheld whole and the rest be shown."""

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
    sr.synthesise(folder, people=12_000, progress=False)  # of fewer there is no effect
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


def released_results(notebook: Path, study: Path, policy: str, monkeypatch) -> tuple[list[str], dict[str, Any]]:
    """Run a notebook until its results are released; return the cells after that, and what it holds by then."""
    monkeypatch.chdir(notebook.parent)
    cells = [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    sources = ["".join(cell["source"]) for cell in cells]
    after = 1 + next(k for k, source in enumerate(sources) if source.startswith("released = sr.suppress("))
    space: dict[str, Any] = {"__name__": "__main__"}
    for cell, source in zip(cells[:after], sources, strict=False):
        exec(compile(source, notebook.name, "exec"), space)
        if "parameters" in cell["metadata"].get("tags", []):
            space.update(study=str(study), policy=policy)
    return sources[after:], space


@pytest.mark.parametrize("policy", sorted(sr.policy.POLICIES))
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_results_of_generated_people_are_released_under_every_policy(
    notebook: Path, study: Path, policy: str, monkeypatch
) -> None:
    # each result says that it is of the generator's people: without that the policy for them refuses the report
    sources, space = released_results(notebook, study, policy, monkeypatch)
    assert all(result.disclosure is not None for result in space["released"].values())
    assert all(shown(source, space) is not None for source in sources)
    plt.close("all")


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_other_result_is_shown_where_one_or_all_are_withheld(notebook: Path, study: Path, monkeypatch) -> None:
    sources, space = released_results(notebook, study, "nhs_england", monkeypatch)
    released = space["released"]
    gone = {name: _left_out(result, "The search was not decided", RULE) for name, result in released.items()}
    assert not any(result.holds_nothing for result in released.values() if result.count_tables)
    for names in [*([name] for name in released), list(released)]:
        own = {**space, "released": {**released, **{name: gone[name] for name in names}}}
        said = "".join(shown(source, own) for source in sources)
        plt.close("all")
        assert "not decided" in said, names
