"""Imports run one way: a room imports only from lower levels of the house."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import symphony_research

PACKAGE = Path(symphony_research.__file__).parent
LEVELS = {
    0: {
        "errors",
        "files",
        "lazily",
        "chained",
        "schema",
        "policy",
        "population",
        "words",
        "result",
        "inference",
        "reference",
        "door",
    },
    1: {"checks", "completeness", "synthetic", "surveys"},
    2: {"study", "survey"},
    3: {"collapse"},
    4: {"cohort", "example"},
    5: {"demography", "evaluation", "multimorbidity", "networks", "survival", "disclosure"},
    6: {"show"},
    7: {"report"},
    8: {"cli"},
    9: {"__main__"},
}
LEVEL_OF = {room: level for level, rooms in LEVELS.items() for room in rooms}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms named by any import in the file, those inside functions included."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            raise AssertionError(f"{path.name} line {node.lineno}: write imports in full")
        names = (
            [node.module] if isinstance(node, ast.ImportFrom) and node.module
            else [a.name for a in node.names] if isinstance(node, ast.Import) else []
        )  # fmt: skip
        for name in names:
            parts = name.split(".")
            if parts[0] != "symphony_research":
                continue
            if len(parts) > 1:
                rooms.add(parts[1])
            elif isinstance(node, ast.ImportFrom):
                rooms |= {alias.name for alias in node.names}
    return rooms


FILES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py" and "_notebooks" not in p.parts)


def test_every_room_has_a_level() -> None:
    rooms = {room_of(p) for p in FILES}
    assert rooms <= set(LEVEL_OF), f"rooms without a level: {sorted(rooms - set(LEVEL_OF))}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_from_lower_levels(path: Path) -> None:
    here = room_of(path)
    for there in imported_rooms(path) - {here}:
        level = LEVEL_OF.get(there)
        assert level is not None, f"{path.name} imports symphony_research.{there}, which has no level"
        # the ground floor's few modules may lean on one another, as long as they do not lean in a circle
        ground = level == LEVEL_OF[here] == 0
        assert level < LEVEL_OF[here] or ground, f"{here} (level {LEVEL_OF[here]}) imports {there} (level {level})"


def test_level_nought_has_no_cycle() -> None:
    links = {room_of(p): imported_rooms(p) & LEVELS[0] for p in FILES if room_of(p) in LEVELS[0]}
    done: set[str] = set()
    while links:
        free = [room for room, wants in links.items() if not (wants - done - {room})]
        assert free, f"import cycle among {sorted(links)}"
        done.update(free)
        links = {room: wants for room, wants in links.items() if room not in done}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_module_outgrows_one_idea(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 400, f"{path.name} has {lines} lines: split it by idea"


def test_importing_the_package_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    script = "import sys, symphony_research; print(sorted(m for m in ('numpy', 'polars', 'scipy', 'matplotlib') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_person_rows_have_one_private_seam() -> None:
    """No room but the cohort's reads the rows of people, and there `_rows` is read by what collapses them alone."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        if room_of(path) != "cohort":
            assert "cohort.rows" not in text, f"{path.name} reads person rows"
            assert "._rows" not in text or room_of(path) in ("door", "survey"), f"{path.name} reads a cohort's rows"
        elif path.name not in ("people.py", "described.py", "observed.py"):
            assert "._rows" not in text, f"{path.name}: take PersonRows as an argument"


def test_a_package_that_lists_its_modules_lists_all_of_them() -> None:
    lists = {}
    for init in PACKAGE.rglob("__init__.py"):
        doc = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8"))) or ""
        if named := set(re.findall(r"^\* `(\w+)`", doc, re.MULTILINE)):
            lists[init.parent.name] = named ^ ({path.stem for path in init.parent.glob("*.py")} - {"__init__"})
    assert "disclosure" in lists
    assert not any(lists.values()), lists
