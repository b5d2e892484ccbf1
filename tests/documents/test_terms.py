"""No text of the project holds wording of its own where the field has a term."""

from __future__ import annotations

import ast
import json
import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from terms import ALLOWED, PHRASES, WORDS, findings

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "symphony_research").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TEMPLATES = sorted((ROOT / "symphony_research").rglob("*.j2"))
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "synthetic").glob("*.md"), *(ROOT / "reports").glob("*.md")]
)  # fmt: skip


def phrases_of(module: Path) -> list[str]:
    """Every string of a module that a reader may see: docstrings and messages, not keys of one lower-case word."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    # in a formatted string a number may stand where there is an expression
    found += [
        "".join(str(part.value) if isinstance(part, ast.Constant) else "0" for part in node.values)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
    ]
    return [text for text in found if re.search(r"\s|^[A-Z][a-z]", text)]


def texts_of(notebook: Path) -> list[str]:
    """Sources of all cells, and every text that their outputs hold."""
    found = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        found.append("".join(cell["source"]))
        for output in cell.get("outputs", []):
            for kind, value in output.get("data", {}).items():
                if kind.startswith("text/"):
                    found.append(re.sub(r"<[^>]+>", " ", "".join(value)))
            found.append("".join(output.get("text", "")))
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_messages_and_docstrings_use_the_terms(module: Path) -> None:
    found = [one for text in phrases_of(module) for one in findings(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda p: p.name)
def test_notebooks_use_the_terms(notebook: Path) -> None:
    found = [one for text in texts_of(notebook) for one in findings(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_documents_use_the_terms(document: Path) -> None:
    found = list(findings(document.read_text(encoding="utf-8")))
    assert not found, "\n".join(found)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda p: p.name)
def test_templates_of_pages_use_the_terms(template: Path) -> None:
    text = re.sub(
        r"<style.*?</style>|<script.*?</script>|<[^>]+>", " ", template.read_text(encoding="utf-8"), flags=re.S
    )
    found = list(findings(text))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("Times expected (95% CI)", 1),
        ("12 people still followed", 2),  # the phrase and the word
        ("interval of 95 % and 95%", 1),
        ("1-7 hidden", 2),  # the dash and the word
        ("1–7 suppressed", 0),
        ("p under 0.001", 1),
        ("what was\n  asked for", 1),  # over the end of a line
        ('<figcaption aria-hidden="true">', 0),
        ("followed by death; people were followed", 1),
        ("mechanics", 0),  # "chance" is not in it as a word
    ],
)
def test_the_search_finds_what_it_looks_for(text: str, hits: int) -> None:
    assert len(list(findings(text))) == hits


def test_every_exception_says_why() -> None:
    assert all(reason for reason in ALLOWED.values())
    assert all(PHRASES.values())
    assert all(WORDS.values())


def test_documents_and_modules_are_found() -> None:
    assert {"README.md", "GLOSSARY.md", "CHANGELOG.md", "0011-joint-disclosure.md"} <= {path.name for path in DOCUMENTS}
    assert len(MODULES) > 150
    assert len(NOTEBOOKS) >= 3
    assert TEMPLATES
