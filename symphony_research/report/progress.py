"""Progress: a bar on a terminal, one line a step elsewhere."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["Progress"]


class Progress:
    """Show on standard error which runs have ended.

    Parameters
    ----------
    total : int
        Number of runs.
    shown : bool
        Whether to show anything.
    """

    def __init__(self, total: int, *, shown: bool = True) -> None:
        self.total = total
        self.shown = shown
        self.count = 0
        self._bar: Any = None

    def __enter__(self) -> Progress:
        if self.shown and sys.stderr is not None and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=self.total, unit="report", desc="Reports", file=sys.stderr)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def done(self, run: Any) -> None:
        """Say that one run has ended."""
        self.count += 1
        how = f"in {run.seconds:.0f} s"
        outcome = f"done {how}" if run.status == "done" else f"failed {how}: {run.error}"
        line = f"{self.count}/{self.total} {run.label}: {outcome}"
        if self._bar is not None:
            self._bar.set_postfix_str(run.label, refresh=False)
            self._bar.update()
            if run.status != "done":
                self._bar.write(line, file=sys.stderr)
        elif self.shown and sys.stderr is not None:
            print(line, file=sys.stderr, flush=True)
