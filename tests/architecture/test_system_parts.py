"""What the full check installs of the system holds what its tests ask for: a skipped test there is a failed check."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_r_package_that_a_script_loads_is_installed() -> None:
    scripts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "reference" / "r").glob("*.R"))
    loaded = {
        name.lower() for found in re.findall(r"(?:library|require)\((\w+)\)|(\w+)::", scripts) for name in found if name
    }
    installed = set(re.findall(r"r-cran-([\w.]+)", (ROOT / ".ci" / "run").read_text(encoding="utf-8")))
    base = {"stats", "utils", "splines", "methods"}
    assert "survival" in loaded
    assert loaded - base <= installed
