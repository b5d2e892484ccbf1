"""What a check found: table, column, number of rows and what to do; never a value of a row."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding", "Findings"]


@dataclass(frozen=True)
class Finding:
    """One kind of fault in one column of one table, and the way on."""

    table: str
    column: str
    rows: int
    message: str
    advice: str = ""

    def text(self) -> str:
        """Return the finding on one line."""
        where = f"{self.table}.{self.column}" if self.column else self.table
        rows = f" ({self.rows:,} row{'s' if self.rows != 1 else ''})" if self.rows else ""
        said = f"{where}: {self.message}{rows}"
        return f"{said.rstrip('.')}. {self.advice}" if self.advice else said


@dataclass(frozen=True)
class Findings:
    """All that a check found, what was left unread, and how complete the study is by month."""

    study: str
    faults: tuple[Finding, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    def text(self) -> str:
        """Return the findings for a person to read."""
        if self.ok:
            head = f"{self.study}: no fault found."
        else:
            head = f"{self.study}: {len(self.faults)} finding{'s' if len(self.faults) != 1 else ''}."
        return "\n".join([head, *[f"  {fault.text()}" for fault in self.faults], *self.notes])
