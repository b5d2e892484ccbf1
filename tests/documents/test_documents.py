"""Every command and block of code in the documents, run as it stands: what a stranger types first must work."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from symphony_research import cli

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", "build", "node_modules", ".git"} & set(path.relative_to(ROOT).parts)
)
ELSEWHERE = {"bat": "tests/install/test_fresh.py runs the lines for Windows"}
# the file of a survey that is not ours to ship, and the mapping that tells its columns and answers
SURVEYS = {"heart_2020_cleaned.csv.zip": "brfss2020"}


@dataclass(frozen=True)
class Block:
    """One fenced block of a document."""

    document: Path
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a block without a language; two of one line are two."""
        lines = (re.sub(r"\s+#.*", "", line).strip() for line in self.text.splitlines())
        return [command.strip() for line in lines if line for command in line.split("&&")]


def blocks() -> list[Block]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        found += [Block(document, name, body) for name, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.M | re.S)]
    return found


def named(block: Block) -> str:
    return f"{block.document.relative_to(ROOT)}-{block.text.split()[0]}-{block.text.split()[1]}"


BLOCKS = blocks()
PYTHON = [block for block in BLOCKS if block.language == "python"]
SHELL = [block for block in BLOCKS if block.language in ("", "sh", "bash")]
OURS = [block for block in SHELL if any(command.startswith("symphony ") for command in block.commands)]


def test_every_block_is_run_somewhere() -> None:
    assert {block.language for block in BLOCKS} <= {"python", "toml", "", "sh", "bash", *ELSEWHERE}
    assert any(block.document.name == "README.md" for block in PYTHON)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    for block in SHELL:
        for command in block.commands:
            word, *rest = command.split()
            # a fresh machine runs these; here it is seen that they are there
            assert word in ("git", "cd", "symphony") or (word == "make" and rest[0] in targets), command


def test_settings_can_be_read() -> None:
    for block in BLOCKS:
        if block.language == "toml":
            assert tomllib.loads(block.text)


def test_every_command_in_running_text_is_one() -> None:
    """A command in a sentence or a table is read as the command line reads it, with values for its capitals."""
    values = {"STUDY": "s", "OUT": "o", "FILE": "f.csv", "N": "10", "S": "1", "[NOTEBOOK": "02", "...]": "03"}
    found = 0
    for document in (one for one in DOCUMENTS if one.name != "CHANGELOG.md"):  # which tells of options alone
        text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
        for command in re.findall(r"`symphony ([a-z][^`]*)`", text):
            words = [values.get(word, word) for word in command.split()]
            if len(words) == 1:
                words += {"check": ["s"], "report": ["s"], "synthesise": ["o"], "import": ["survey", "f", "o", "--config", "c"]}.get(words[0], [])  # fmt: skip
            cli._read(cli._parser(), words)
            found += 1
    assert found > 5


@pytest.mark.slow
@pytest.mark.parametrize("block", PYTHON, ids=named)
def test_python_runs(block: Block, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", block.text], cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("block", OURS, ids=named)
def test_commands_run(block: Block, tmp_path: Path) -> None:
    for name, mapping in SURVEYS.items():
        if name in block.text:
            write_sample(tmp_path / name, mapping)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for at, command in enumerate(block.commands):
        if not command.startswith("symphony "):
            continue
        words = [f"{word}{at}" if word == "OUT" else word for word in shlex.split(command)]
        done = subprocess.run(
            words, cwd=tmp_path, capture_output=True, text=True, timeout=900, env={**os.environ, "PATH": path}
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        if words[1] == "report":
            assert re.search(rf"^{len(words) - 3} reports? made\.$", done.stdout, re.M), done.stdout


def write_sample(path: Path, mapping: str) -> None:
    """A sample of a survey's shape: 3,000 rows of the answers that the mapping knows."""
    told = tomllib.loads((ROOT / "symphony_research" / "surveys" / f"{mapping}.toml").read_text(encoding="utf-8"))
    r, rows = np.random.default_rng(2020), 3_000
    columns = {}
    for k, condition in enumerate(told["conditions"].values()):
        no = condition.get("no", ["No"])
        yes = r.random(rows) < (k + 1) / 20
        columns[condition["column"]] = np.where(yes, r.choice(condition["yes"], rows), r.choice(no, rows))
    columns[told["sex"]["column"]] = r.choice(list(told["sex"]["values"]), rows)
    columns[told["age"]["column"]] = r.choice(list(told["age"]["bands"]), rows)
    text = pl.DataFrame(columns).write_csv()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(path.stem, text)


def test_the_glossary_has_each_term_once_in_the_order_of_the_alphabet() -> None:
    rows = [line for line in (ROOT / "GLOSSARY.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    terms = [re.sub(r"[^a-z0-9 ]", "", row.split("|")[1].strip().lower()) for row in rows[1:]]
    assert len(terms) > 50
    assert terms == sorted(set(terms))
