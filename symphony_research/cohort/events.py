"""What may happen to a person: which rows of activity, or death."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import polars as pl

__all__ = ["EVENTS"]

EVENTS: Mapping[str, pl.Expr | None] = MappingProxyType(
    {
        "emergency_admission": (pl.col("setting") == "inpatient") & (pl.col("kind") == "emergency"),
        "admission": pl.col("setting") == "inpatient",
        "accident_and_emergency": pl.col("setting") == "accident_and_emergency",
        "outpatient": pl.col("setting") == "outpatient",
        "readmission": (pl.col("setting") == "inpatient") & (pl.col("kind") == "emergency"),
        "death": None,
    }
)
