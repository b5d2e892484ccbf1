"""What a locked-down Windows laptop does otherwise than a Linux server, as far as it can be made to happen here.

A console that knows few characters, a file that another program holds, a home that cannot be written, paths without
regard to capitals. `.github/workflows/check.yml` runs all tests on Windows itself.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from small_study import PERIOD, study

import symphony_research as sr
from symphony_research import files
from symphony_research.door.stamp import content_of
from symphony_research.report.provenance import path_remover

PACKAGE = Path(sr.__file__).parent


def symphony(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command as another process, under settings of a poorer machine."""
    return subprocess.run(
        [sys.executable, "-m", "symphony_research", *words],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment},
        capture_output=True,
        encoding="cp1252",
    )


# -- consoles ------------------------------------------------------------------------------------------------------

CONSOLES = [
    {"PYTHONIOENCODING": "cp1252"},  # Windows in Western Europe
    {"PYTHONIOENCODING": "cp437"},  # its older consoles
    {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},  # a scheduled job
]


@pytest.mark.parametrize("console", CONSOLES, ids=lambda console: "-".join(console.values()))
def test_a_console_that_lacks_a_character_shows_another(tmp_path: Path, console: dict[str, str]) -> None:
    folder = study(tmp_path / "Łódź", settings=f'name = "Łódź ✓"\n{PERIOD}')
    done = symphony("check", str(folder), **console)
    assert (done.returncode, done.stderr) == (0, "")
    # what is wrong is said as well, with the name that cannot be shown
    (folder / "persons.parquet").rename(folder / "pérsons ✓.parquet")
    done = symphony("check", str(folder), **console)
    assert done.returncode == 1
    assert "is not read, as it is not named as a table. Did you mean 'persons.parquet'?" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_every_text_file_is_read_and_written_in_a_named_encoding() -> None:
    """Without a name Python takes the system's: cp1252 on Windows."""
    lacking = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            given = {keyword.arg for keyword in node.keywords}
            modes = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            binary = any("b" in mode for mode in modes) or owner in ("os", "Image")
            text = name in ("read_text", "write_text") or (
                name in ("open", "fdopen") and not binary and "fdopen" not in owner
            )
            if text and "encoding" not in given:
                lacking.append(f"{path.relative_to(PACKAGE)}, line {node.lineno}")
    assert not lacking


def elsewhere(tree: ast.AST) -> set[ast.AST]:
    """Return what a module does only where the system is not Windows: the other branch of `os.name == "nt"`."""
    branches = [
        node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "os.name == 'nt'"
    ]
    return {inner for branch in branches for statement in branch.orelse for inner in ast.walk(statement)}


def test_nothing_is_asked_of_the_system_that_windows_does_not_have() -> None:
    asked = []
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in set(ast.walk(tree)) - elsewhere(tree):
            if isinstance(node, ast.Import):
                names = {alias.name for alias in node.names} & {
                    "fcntl",
                    "resource",
                    "pwd",
                    "grp",
                    "termios",
                    "pty",
                    "readline",
                }
                asked += [f"{path.name}: import {name}" for name in names]
            if isinstance(node, ast.Attribute):
                said = ast.unparse(node)
                if said in (
                    "os.fork",
                    "os.getuid",
                    "os.geteuid",
                    "os.chown",
                    "os.mkfifo",
                    "os.uname",
                    "os.killpg",
                    "os.setsid",
                ):
                    asked.append(f"{path.name}: {said}")
                if said.startswith("signal.SIG") and said not in ("signal.SIGINT", "signal.SIGTERM", "signal.SIG_IGN"):
                    asked.append(f"{path.name}: {said}")
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("get_context"):
                assert ast.unparse(node.args[0]) == "'spawn'", f"{path.name}: Windows starts processes by spawn alone"
    assert not asked


# -- files that another program holds ------------------------------------------------------------------------------


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Make every move fail as Windows does while a file is open; the times waited are collected, and not waited."""
    waited: list[float] = []

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr("os.replace", refuse)
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


def test_a_table_that_excel_holds_open_is_kept_and_named(tmp_path: Path, held: list[float]) -> None:
    path = tmp_path / "table.csv"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(PermissionError, match=r"'table\.csv' may not be replaced; close it where it is open \(Excel"):
        files.write_in_place(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]
    assert 1 < sum(held) < 5


def test_a_virus_scanner_that_looks_for_a_moment_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace, times = os.replace, iter((True, True, False))

    def sometimes(old: str, new: str) -> None:
        if next(times):
            raise PermissionError(13, "Access is denied")
        replace(old, new)

    monkeypatch.setattr("os.replace", sometimes)
    monkeypatch.setattr("time.sleep", lambda _: None)
    files.write_in_place(tmp_path / "report.html", "new")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == "new"


def test_a_folder_of_which_a_file_is_open_stays_as_it_was(tmp_path: Path, held: list[float]) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "persons.csv").write_text("old", encoding="utf-8")
    with (
        pytest.raises(PermissionError, match="'study' may not be replaced"),
        files.folder_in_place(tmp_path / "study") as new,
    ):
        (new / "persons.csv").write_text("new", encoding="utf-8")
    assert [p.relative_to(tmp_path).as_posix() for p in sorted(tmp_path.rglob("*"))] == ["study", "study/persons.csv"]
    assert (tmp_path / "study" / "persons.csv").read_text(encoding="utf-8") == "old"


def test_the_command_line_says_which_file_and_what_to_do(
    tmp_path: Path, held: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    from symphony_research import cli

    assert cli.main(["synthesise", str(tmp_path / "study"), "--people", "50"]) == 2
    assert "may not be replaced; close it where it is open" in capsys.readouterr().err


def test_a_draft_takes_no_more_room_in_a_path_than_windows_leaves(tmp_path: Path) -> None:
    path = tmp_path / f"{'a' * 30}.html"
    with files.file_in_place(path) as draft:
        draft.write_text("", encoding="utf-8")
        assert len(draft.name) <= len(path.name)
        assert draft.suffix == path.suffix  # writers tell the kind by it


@pytest.mark.skipif(os.name == "nt", reason="of permissions as Linux has them")
def test_a_folder_moved_into_place_is_open_to_whom_any_folder_there_is(tmp_path: Path) -> None:
    (tmp_path / "any").mkdir()
    with files.folder_in_place(tmp_path / "study") as new:
        assert new.parent == tmp_path  # nothing between that is its owner's alone
    assert (tmp_path / "study").stat().st_mode == (tmp_path / "any").stat().st_mode


# -- names and paths -----------------------------------------------------------------------------------------------


def test_paths_are_taken_out_of_reports_however_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.normcase", lambda path: path.lower())
    clean = path_remover({"/Users/JSmith/Study": "study"})
    for spelt in ("/Users/JSmith/Study", "/users/jsmith/STUDY"):
        assert clean(f"in {spelt} here") == "in study here"
    assert clean("/Users/JSmith/Studying") == "/Users/JSmith/Studying"


def test_a_home_that_is_not_known_stops_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert path_remover({"/data/ours": "study"})("~ /data/ours") == "~ study"


def test_a_fingerprint_is_of_no_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows sorts paths without regard to capitals; files of one study are the same files there."""
    names = ["activity/B.csv", "activity/a.csv", "Persons.csv", "conditions.csv"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    paths = [tmp_path / name for name in names]
    here = content_of(tmp_path, paths).fingerprint
    by_windows = sorted(paths, key=lambda path: PureWindowsPath(path))
    assert by_windows != sorted(paths)
    monkeypatch.setattr(type(tmp_path), "__lt__", lambda a, b: PureWindowsPath(a) < PureWindowsPath(b))
    assert sorted(paths) == by_windows
    assert content_of(tmp_path, paths).fingerprint == here


@pytest.mark.slow
def test_a_report_is_made_without_a_home_and_on_a_poor_console(tmp_path: Path) -> None:
    made = sr.synthesise(tmp_path / "study", people=400, progress=False)
    poor = {"HOME": os.devnull, "USERPROFILE": os.devnull, "PYTHONIOENCODING": "cp1252", "LC_ALL": "C"}
    unset = {name: "" for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR")}
    done = symphony("report", str(made), "03", "--policy", "synthetic", "--out", str(tmp_path / "r"), **poor, **unset)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 report made.")
    page = (tmp_path / "r" / "03_cooccurrence_network" / "report.html").read_text(encoding="utf-8")
    assert str(tmp_path) not in page
    shutil.rmtree(tmp_path / "r")
