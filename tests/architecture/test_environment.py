"""`environment.yml` and `pyproject.toml` name the same dependencies, and lock files name no index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
# conda's name where it differs from the registry's
ALIASES = {
    "python-build": "build",
    "python-duckdb": "duckdb",
    "matplotlib-base": "matplotlib",
    "seaborn-base": "seaborn",
}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def split(requirement: str) -> tuple[str, str]:
    name, version = re.fullmatch(r"([A-Za-z0-9_.-]+)\s*(.*)", requirement).groups()
    return ALIASES.get(name, name), version.replace(" ", "")


def test_conda_and_pip_install_the_same() -> None:
    ours = project()
    extras = ours["optional-dependencies"]
    wanted = dict(split(r) for r in [*ours["dependencies"], *extras["lab"], *extras["test"]])
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = dict(split(r) for r in listed if isinstance(r, str))
    python = conda.pop("python")
    conda.pop("pip")
    # what conda-forge does not have comes from pip, before the project itself
    (from_pip,) = (entry["pip"] for entry in listed if isinstance(entry, dict))
    assert from_pip[-1] == "-e . --no-deps"
    assert conda | dict(split(r) for r in from_pip[:-1]) == wanted
    assert python == ours["requires-python"].replace(" ", "")


def test_lock_files_pin_every_dependency_with_hashes_and_name_no_index() -> None:
    for name, extras in (("run", ["lab"]), ("test", ["lab", "test"])):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        assert "://" not in text
        assert "--index-url" not in text
        assert "--find-links" not in text
        blocks = re.split(r"\n(?=[a-zA-Z0-9])", text.strip())
        assert all("--hash=sha256:" in block for block in blocks)
        pinned = {re.match(r"[A-Za-z0-9_.-]+", block).group().lower() for block in blocks}
        wanted = [*project()["dependencies"], *[r for e in extras for r in project()["optional-dependencies"][e]]]
        missing = {split(r)[0].lower() for r in wanted} - pinned
        assert not missing, f"{name}.txt lacks {missing}"


def test_the_run_lock_agrees_with_the_test_lock() -> None:
    pins = []
    for name in ("run", "test"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        pins.append(set(re.findall(r"^([A-Za-z0-9_.-]+==[^ \\]+)", text, re.M)))
    assert pins[0] <= pins[1]
