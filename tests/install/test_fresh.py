"""A fresh machine: the README's Windows lines in their Linux spelling, and the wheel in an empty environment."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow
PEOPLE = ["--people", "20000"]


def run(command: list[str], folder: Path, home: Path) -> str:
    kept = {k: v for k, v in os.environ.items() if re.match(r"(pip_|ssl_|requests_ca|https?_proxy|no_proxy)", k, re.I)}
    environment = {**kept, "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def checkout(folder: Path) -> Path:
    """Copy what a clone would hold: the files version control knows, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def reports_of(output: str) -> Path:
    """The address that a demo ends with."""
    address = output.strip().splitlines()[-1]
    assert address.startswith("file://")
    assert address.endswith("index.html")
    index = Path(address.removeprefix("file://"))
    pages = list(index.parent.glob("*/report.html"))
    # combinations, the network, and four hubs
    assert len(pages) == 13, [p.parent.name for p in pages]
    return index


def test_the_windows_lines_of_the_readme(tmp_path: Path) -> None:
    project = checkout(tmp_path / "project")
    block = re.search(r"```bat\n(.*?)```", (project / "README.md").read_text(encoding="utf-8"), re.S)
    assert block is not None
    output = ""
    for line in block.group(1).strip().splitlines():
        words = line.replace(".venv\\Scripts\\", ".venv/bin/").replace("\\", "/").split()
        words[0] = sys.executable if words[0] == "py" else words[0]
        output = run([*words, *(PEOPLE if "demo" in words else [])], project, tmp_path)
    reports_of(output)


def test_the_wheel_in_an_empty_environment(tmp_path: Path) -> None:
    project = checkout(tmp_path / "project")
    run([sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path)], project, tmp_path)
    wheel = next(tmp_path.glob("*.whl"))
    names = zipfile.ZipFile(wheel).namelist()
    for part in (
        "_notebooks/02_",
        "_notebooks/03_",
        "_notebooks/04_",
        "_notebooks/05_",
        "_notebooks/09_",
        "report/template/",
        "surveys/brfss2020.toml",
        "LICENSE",
        "symphony_research/py.typed",
    ):
        assert any(part in name for name in names), part
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run([sys.executable, "-m", "venv", "empty"], elsewhere, tmp_path)
    run(
        ["empty/bin/pip", "install", "-q", "--require-hashes", "-r", str(project / "requirements" / "run.txt")],
        elsewhere,
        tmp_path,
    )
    run(["empty/bin/pip", "install", "-q", "--no-deps", str(wheel)], elsewhere, tmp_path)
    shutil.rmtree(project)
    index = reports_of(run(["empty/bin/symphony", "demo", *PEOPLE], elsewhere, tmp_path))
    assert index.is_relative_to(elsewhere)
