"""The files by which a stranger judges the project say what the project is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_citation_is_of_this_version() -> None:
    told = yaml.safe_load(read("CITATION.cff"))
    # what version 1.2.0 of the format requires
    assert {"cff-version", "message", "title", "authors"} <= set(told)
    assert str(told["cff-version"]) == "1.2.0"
    assert str(told["version"]) == PROJECT["version"]
    assert told["license"] == PROJECT["license"]
    assert [author["name"] for author in told["authors"]] == [author["name"] for author in PROJECT["authors"]]
    for reference in told["references"]:
        assert {"type", "title", "authors"} <= set(reference)


def test_the_matrix_is_what_the_readme_says_and_runs_what_make_test_runs() -> None:
    jobs = yaml.safe_load(read(".github/workflows/check.yml"))["jobs"]
    matrix = jobs["test"]["strategy"]["matrix"]
    assert matrix == {
        "os": ["ubuntu-latest", "windows-latest", "macos-latest"],
        "python": ["3.11", "3.12", "3.13"],
    }
    assert f">={matrix['python'][0]}" == PROJECT["requires-python"]
    assert "Python 3.11 to 3.13, on Linux, Windows and macOS" in read("README.md")
    assert any(step.get("run") == ".ci/run" for step in jobs["check"]["steps"])
    # a line of the Makefile, and the same in the matrix, where there is neither make nor a folder of commands
    recipe = re.search(r"^test:.*?(?=^\S)", read("Makefile"), re.M | re.S).group()
    recipe += re.search(r"^notebooks:.*?(?=^\S)", read("Makefile"), re.M | re.S).group()
    ours = [line.replace("$(BIN)/", "").replace("$(WORKERS)", "2").strip() for line in recipe.splitlines()]
    runs = [step.get("run", "") for step in jobs["test"]["steps"]]
    for line in (line for line in ours if line.startswith("python -m pytest")):
        assert line in runs
    assert all(run.startswith("python -m ") for run in runs if run and not run.startswith("echo ")), (
        "a command that Windows may not know"
    )
    for step in [step for job in jobs.values() for step in job["steps"] if "uses" in step]:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins for Python are scripts of a shell")
def test_hooks_fetch_nothing_and_run_what_is_there(tmp_path: Path) -> None:
    repos = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert [repo["repo"] for repo in repos] == ["local"]
    hooks = {hook["id"]: hook for hook in repos[0]["hooks"]}
    assert {"ruff", "ruff-format", "mypy", "notebooks", "studies"} == set(hooks)
    assert {hook["language"] for hook in hooks.values()} == {"system", "fail"}
    # the script finds the Python of either system's environment, and says what to do where there is none
    (tmp_path / ".ci").mkdir()
    script = tmp_path / ".ci" / "python"
    script.write_text(read(".ci/python"))
    done = subprocess.run(["sh", str(script), "-V"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "make test" in done.stderr
    for folder, name in (("Scripts", "python.exe"), ("bin", "python")):
        python = tmp_path / ".venv" / folder / name
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\necho {name} "$@"\n')
        python.chmod(0o755)
        done = subprocess.run(["sh", str(script), "-m", "ruff"], capture_output=True, text=True)
        assert done.stdout == f"{name} -m ruff\n"


@pytest.mark.parametrize(
    ("name", "kept_out"),
    [
        ("reports/02/report.html", True),
        ("reports/README.md", False),
        ("mine/persons.PARQUET", True),
        ("mine/study.toml", True),
        ("docs/network.png", False),
        ("symphony_research/surveys/brfss2020.toml", False),
    ],
)
def test_data_and_reports_are_kept_out_of_version_control(name: str, kept_out: bool) -> None:
    hooks = {h["id"]: h for h in yaml.safe_load(read(".pre-commit-config.yaml"))["repos"][0]["hooks"]}
    assert bool(re.search(hooks["studies"]["files"], name)) == kept_out


def test_a_notebook_of_ones_own_with_outputs_is_not_committed(tmp_path: Path) -> None:

    def refused(*names: str) -> bool:
        command = [sys.executable, str(ROOT / "tests" / "tidy_notebooks.py"), *names]
        return subprocess.run(command, capture_output=True).returncode == 1

    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    path = tmp_path / "mine.ipynb"
    nbformat.write(book, path)
    assert not refused(str(path))
    book.cells[0].outputs = [nbformat.v4.new_output("stream", text="12 people")]
    nbformat.write(book, path)
    assert refused(str(path))
    # those that belong here are as they should be
    ours = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    before = [one.read_bytes() for one in ours]
    assert not refused(*map(str, ours))
    assert [one.read_bytes() for one in ours] == before


def test_the_readme_promises_nothing_absolute_and_names_the_exceptions() -> None:
    text = read("README.md")
    promise = text[text.index("## What disclosure control promises") : text.index("## What is proven")]
    for said in ("Against whom", "Not checked", "No data controller has approved"):
        assert said in promise
    assert not re.search(
        r"\b(guarantee|impossible|never let|nothing small|fully anonym|100 ?%|always safe)", text, re.I
    )
    for said in ("independent work", "CITATION.cff", "SECURITY.md", "CHANGELOG.md"):
        assert said in text


def test_the_package_tells_type_checkers_that_it_is_typed() -> None:
    assert (ROOT / "symphony_research" / "py.typed").read_bytes() == b""
