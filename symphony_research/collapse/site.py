"""Patterns of several sites: the Parquet file that one gives to another, and what is true of all of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from symphony_research.errors import ArgumentError, SchemaError
from symphony_research.files import file_in_place
from symphony_research.result import Provenance

__all__ = ["common_provenance", "read_site_file", "write_site_file"]

FORMAT = 1
ABOUT, SEAL = "symphony_research.patterns", "symphony_research.seal"
OPEN_SEAL = "0" * 64
WORD = 2**64


def common_provenance(provenances: Sequence[Provenance]) -> Provenance:
    """Return what is true of people from several provenances: one study, and the predicates they share."""
    first = provenances[0]
    if any(provenance.fingerprint != first.fingerprint for provenance in provenances):
        return Provenance()
    shared = {k: v for k, v in first.population.items() if all(one.population.get(k) == v for one in provenances)}
    return Provenance(first.study, first.fingerprint, all(one.generated for one in provenances), shared)


def write_site_file(path: Path, frame: pl.DataFrame, about: Mapping[str, Any], provenance: Provenance) -> None:
    """Write a collapsed frame, what there is to know about it and where it came from, sealed by the digest of the whole file."""
    if not path.parent.is_dir():
        raise ArgumentError(f"There is no folder {path.parent} to write to.")
    wide = [name for name, kind in frame.schema.items() if kind == pl.Int128]
    word = pl.lit(WORD, dtype=pl.Int128)
    halves = [
        part
        for name in wide
        for part in (
            (pl.col(name) // word).cast(pl.Int64).alias(f"{name}__upper"),
            (pl.col(name) % word).cast(pl.UInt64).alias(f"{name}__lower"),
        )
    ]
    origin = {
        "study": provenance.study,
        "fingerprint": provenance.fingerprint,
        "population": dict(provenance.population),
        "note": provenance.note,
    }
    said = {"format": FORMAT, "wide": wide, **about, **origin}
    with file_in_place(path) as draft:
        # integers of 128 bits are no part of Parquet; the seal is written over its own place at the end
        frame.with_columns(halves).drop(wide).write_parquet(
            draft, metadata={ABOUT: json.dumps(said, default=str), SEAL: _placed(OPEN_SEAL)}
        )
        content = draft.read_bytes()
        seal = hashlib.sha256(content).hexdigest()
        with draft.open("r+b") as stream:
            stream.seek(content.rindex(_placed(OPEN_SEAL).encode()))
            stream.write(_placed(seal).encode())
            stream.flush()
            os.fsync(stream.fileno())


def _placed(seal: str) -> str:
    return f"sha256:{seal}"


def read_site_file(path: Path) -> tuple[pl.DataFrame, dict[str, Any], Provenance]:
    """Return a collapsed frame, what its file says about it and where it came from.

    Raises
    ------
    SchemaError
        If the file is not one of ours, is of a later format, or is not as it was written.
    """
    if not path.is_file():
        raise ArgumentError(f"There is no file {path}.")
    content = path.read_bytes()
    try:
        said = pl.read_parquet_metadata(content)
    except pl.exceptions.PolarsError:
        said = {}
    if ABOUT not in said or SEAL not in said:
        raise SchemaError(f"{path.name} is not a file of patterns: those are written by Patterns.write.")
    try:
        about: dict[str, Any] = json.loads(said[ABOUT])
        version = int(about["format"])
    except (ValueError, KeyError, TypeError):
        raise SchemaError(f"{path.name} does not say what it holds: have it written again.") from None
    if version > FORMAT:
        raise SchemaError(
            f"{path.name} is of format {version} and this version of the library reads up to {FORMAT}: update the library."
        )
    at = content.rfind(said[SEAL].encode())
    opened = content[:at] + _placed(OPEN_SEAL).encode() + content[at + len(said[SEAL]) :]
    if _placed(hashlib.sha256(opened).hexdigest()) != said[SEAL]:
        raise SchemaError(f"{path.name} is not as it was written: have it sent again.")
    frame = pl.read_parquet(content)
    joined = [
        (
            pl.col(f"{name}__upper").cast(pl.Int128) * pl.lit(WORD, dtype=pl.Int128)
            + pl.col(f"{name}__lower").cast(pl.Int128)
        ).alias(name)
        for name in about["wide"]
    ]
    provenance = Provenance(about["study"], about["fingerprint"], False, about["population"], about["note"])
    return frame.with_columns(joined), about, provenance
