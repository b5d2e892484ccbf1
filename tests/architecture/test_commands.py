"""Commands of the tests: each tells how it is used, and none leaves a file that nobody asked for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = [
    path
    for folder in ("bench", "proof")
    for path in sorted((ROOT / "tests" / folder).glob("*.py"))
    if "\ndef main() -> None:" in path.read_text(encoding="utf-8")
]
TOP = {
    *("symphony_research", "notebooks", "reports", "synthetic", "tests", "docs", "requirements"),
    *(".ci", ".github", ".gitignore", ".pre-commit-config.yaml", "Makefile", "pyproject.toml", "environment.yml"),
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "GLOSSARY.md", "SECURITY.md", "CITATION.cff", "LICENSE"),
}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_command_tells_how_it_is_used_and_writes_nothing(command: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, command, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert "usage:" in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_top_level_holds_what_it_should() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout")
    assert {name.split("/")[0] for name in listed.stdout.splitlines()} <= TOP
