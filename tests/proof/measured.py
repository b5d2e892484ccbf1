"""Measurements that are kept: each is made in a process of its own, written down at once, and made again only if asked or if the code changed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from made_studies import StudyPlan

import symphony_research as sr

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BUILD = ROOT / "build" / "first_try"
LONGEST_REASON = 220
NOT_MEASURED = {"error": "not measured"}
# many names in quotation marks, which say less than how many there are
LISTED = r"(?:'[^']*'(?:, | and | )){2,}"


@dataclass
class Store:
    """Results by the name of their measurement, each with the digest of the code that it was measured on."""

    path: Path
    again: bool = False
    accept_earlier: bool = False
    timeout: float = 0.0
    written: bool = False
    _kept: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)
    _seen: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        """Read what earlier runs left."""
        self.code = digest_of([ROOT / "symphony_research", ROOT / "notebooks"])
        self.commit = commit_of("symphony_research", "notebooks")
        if self.path.exists():
            self._kept = json.loads(self.path.read_text(encoding="utf-8"))

    def get(self, name: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return a measurement, made now unless it stands already; a fault in making it is its result."""
        kept = self._kept.get(name)
        if kept and self._stands(name, kept):
            return dict(kept["result"])
        if self.written:
            return dict(NOT_MEASURED)
        say(f"{time.strftime('%H:%M:%S')} {name}")
        try:
            result = measure()
        except Exception as fault:  # one failure never stops the rest
            result = {"error": f"{type(fault).__name__}: {first_line(str(fault))}"}
        if result.get("error"):
            say(f"    {result['error']}")
        self._seen.add(name)
        if self.path.exists():  # another run may have written meanwhile
            self._kept |= json.loads(self.path.read_text(encoding="utf-8"))
        self._kept[name] = {"code": self.code, "commit": self.commit, "timeout": self.timeout, "result": result}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".part")
        beside.write_text(json.dumps(self._kept, indent=0, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(beside, self.path)
        return dict(result)

    def commits(self, start: str) -> dict[str, int]:
        """Return on which commits measurements whose names start so were made, and how many on each."""
        made = [str(kept.get("commit", "")) for name, kept in self._kept.items() if name.startswith(start)]
        return {commit: made.count(commit) for commit in dict.fromkeys(filter(None, made))}

    def _stands(self, name: str, kept: dict[str, Any]) -> bool:
        """Whether a measurement is of this code, not asked for again, and was not stopped earlier than it would be now."""
        if self.written:
            return True
        stopped = "no answer within" in json.dumps(kept["result"])
        if stopped and kept.get("timeout", 0.0) < self.timeout:
            return False
        return (kept["code"] == self.code or self.accept_earlier) and (not self.again or name in self._seen)


def say(text: str) -> None:
    """Show progress."""
    print(text, file=sys.stderr, flush=True)


def first_line(text: str) -> str:
    """Return the beginning of a reason, on one line."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    line = " ".join(lines[0].split()) if lines else ""
    if line.endswith(("finding.", "findings.")):  # a heading alone says nothing
        line = " ".join(lines[:2])
    line = re.sub(LISTED, lambda found: f"{found[0].count(chr(39)) // 2} outputs ", line)
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 1].rstrip()}…"


def commit_of(*parts: str) -> str:
    """Return the commit by which parts of the project were changed last; nothing where that cannot be told."""
    told = subprocess.run(["git", "log", "-1", "--format=%h", "--", *parts], cwd=ROOT, capture_output=True, text=True)
    return told.stdout.strip()


def digest_of(places: Iterable[Path]) -> str:
    """Return a digest of the code in files and folders."""
    digest = hashlib.sha256()
    for place in places:
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if file.suffix in (".py", ".ipynb", ".toml"):
                digest.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]


def folder_of(plan: StudyPlan) -> Path:
    """Return the folder of a study, made whole the first time."""
    makers = {
        "made": [HERE / "made_studies.py"],
        "public": [ROOT / "symphony_research" / "synthetic"],
        "real": [HERE / "real_studies.py", ROOT / "symphony_research" / "survey.py"],
    }
    folder = BUILD / "studies" / digest_of(makers[plan.kind])[:8] / plan.slug
    if not folder.exists():
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.parent.mkdir(parents=True, exist_ok=True)
        plan.make(part)
        part.rename(folder)
    return folder


def facts_of(store: Store, plan: StudyPlan) -> dict[str, Any]:
    """Return what a study is found to have (people, conditions, hubs, populations), or why it cannot be read."""

    def measure() -> dict[str, Any]:
        study = sr.read_study(folder_of(plan))
        people = study.persons.select("person_id").collect().height
        spells = study.has("registrations")
        return {
            "people": people,
            "conditions": len(study.condition_names()),
            "hubs": study.hubs(),
            "populations": ["everybody", *["practice"] * spells, *["largest hub"] * bool(study.hubs())],
        }

    return store.get(f"facts: {plan.name}", measure)


def run(command: list[str], seconds: float, cwd: Path | None = None) -> tuple[int | None, str, str, float]:
    """Run a command; return its exit code (None where it was stopped after so many seconds), what it said, and the time."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "MPLBACKEND": "Agg"}, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            out, err = process.communicate(timeout=seconds)
            code: int | None = process.returncode
        except BaseException as stop:
            stop_group(process)
            out, err = process.communicate()
            code = None
            if not isinstance(stop, subprocess.TimeoutExpired):
                raise
    return code, out, err, time.perf_counter() - started


def stop_group(process: subprocess.Popen[str]) -> None:
    """End a command and all that it started."""
    if not hasattr(os, "killpg"):
        process.kill()
        return
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
            process.wait(timeout=10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def in_child(task: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    """Measure in a process of its own; return the lines that it gave, those before it was stopped or failed included.

    Where it did not end well the last line says so, as {"error": ...}.
    """
    code, out, err, _ = run([sys.executable, str(HERE / "first_try.py"), "--task", json.dumps(task)], seconds)
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    if code is None:
        lines.append({"error": f"no answer within {seconds:,.0f} s"})
    elif code:
        lines.append(
            {"error": first_line(err.strip().splitlines()[-1] if err.strip() else f"ended with exit code {code}")}
        )
    return lines


def peak_memory() -> float | None:
    """Return the most memory this process has held, in GB, where the system tells."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux a process is charged with its parent's peak by getrusage
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024**2
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024**3 if sys.platform == "darwin" else 1024**2)
