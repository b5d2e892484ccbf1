"""Progress: a bar on a terminal, one line a step elsewhere. No line holds a number of people."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["Progress"]


class Progress:
    """Show on standard error what each run is doing, and which have ended.

    Parameters
    ----------
    labels : sequence of str
        Of the runs, in order.
    steps : sequence of pathlib.Path
        Where each run writes the steps of its work, a line each.
    shown : bool
        Whether to show anything.
    """

    def __init__(self, labels: Sequence[str], steps: Sequence[Path] = (), *, shown: bool = True) -> None:
        self.labels = labels
        self.shown = shown and sys.stderr is not None
        self.count = 0
        self._steps = dict.fromkeys(steps, 0) if self.shown else {}
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if self.shown and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=len(self.labels), unit="report", desc="Reports", file=sys.stderr)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def look(self) -> None:
        """Show the steps that runs have begun since the last look."""
        for label, (path, seen) in zip(self.labels, list(self._steps.items()), strict=False):
            words = path.read_text(encoding="utf-8") if path.exists() else ""
            whole = words[: words.rfind("\n") + 1].splitlines()
            self._steps[path] = len(whole)
            for step in whole[seen:]:
                self._say(f"{label}: {step}", label_only=True)

    def done(self, run: Any) -> None:
        """Show that one run has ended."""
        self.look()
        self.count += 1
        how = f"in {run.seconds:.0f} s"
        failed = run.status != "done"
        outcome = f"failed {how}: {run.error}" if failed else f"done {how}"
        if self._bar is not None:
            self._bar.update()
        self._say(f"{self.count}/{len(self.labels)} {run.label}: {outcome}", label_only=not failed)

    def _say(self, line: str, *, label_only: bool) -> None:
        if self._bar is None:
            if self.shown:
                print(line, file=sys.stderr, flush=True)
        elif label_only:
            self._bar.set_postfix_str(line)
        else:
            self._bar.write(line, file=sys.stderr)
