"""Outputs in ACRO's format: its fields, and nothing that the tables do not show."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

import symphony_research as sr

SACRO = sr.Policy.sacro()
MADE = datetime(2018, 4, 1, 9, 0, tzinfo=UTC)
# of acro 1.0.2, acro/record.py: what `load_records` reads of every output
FIELDS = {"uid", "status", "type", "properties", "files", "outcome", "command", "summary", "timestamp", "comments", "exception", "fair"}  # fmt: skip
CHECKS = {"negative", "missing", "threshold", "p-ratio", "nk-rule", "all-values-are-same"}


def released() -> dict[str, sr.Result]:
    frame = pl.DataFrame({"asthma": [1] * 4 + [0] * 96, "stroke": [0] * 60 + [1] * 40})
    patterns = sr.Patterns.from_wide(frame, conditions=["asthma", "stroke"])
    m = sr.multimorbidity
    return sr.suppress({"conditions": m.prevalence(patterns), "numbers": m.condition_count(patterns)}, SACRO)


def test_every_field_that_acro_reads_is_there(tmp_path: Path) -> None:
    folder = sr.write_acro(released(), tmp_path / "release", made=MADE)
    assert folder == tmp_path / "release"
    told = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert set(told) == {"version", "results"}
    assert list(told["results"]) == ["conditions", "numbers"]
    for name, output in told["results"].items():
        assert set(output) == FIELDS
        assert output["uid"] == name
        assert output["timestamp"] == "2018-04-01T09:00:00+00:00"
        sdc = output["files"][0]["sdc"]
        assert set(sdc["cells"]) == CHECKS
        assert set(sdc["summary"]) == {"suppressed", *CHECKS}
    # four people with asthma are suppressed: a star in the first row's count, share and interval
    held = told["results"]["conditions"]
    rows = list(csv.reader((folder / "conditions_0.csv").open(encoding="utf-8")))
    at = next(k for k, row in enumerate(rows[1:]) if row[0] == "asthma")
    assert [at, rows[0].index("n_persons")] in held["files"][0]["sdc"]["cells"]["threshold"]
    assert held["outcome"]["n_persons"][str(at)] == "threshold; "
    assert held["status"] == "review"
    assert held["summary"].startswith("review; threshold: ")
    # ACRO's rule: under ten is unsafe, two may not have nine tenths, the others at least a tenth of the largest
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    wanted = {
        "safe_threshold": 10,
        "safe_nk_n": 2,
        "safe_nk_k": 0.9,
        "safe_pratio_p": 0.1,
        "zeros_are_disclosive": True,
    }
    assert wanted.items() <= config.items()
    for path in folder.glob("*.*"):
        told_sum = (folder / "checksums" / f"{path.name}.txt").read_text(encoding="utf-8")
        assert told_sum == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_results_make_the_same_bytes(tmp_path: Path) -> None:
    folders = [sr.write_acro(released(), tmp_path / name, made=MADE) for name in ("one", "two")]
    one, two = ({p.name: p.read_bytes() for p in folder.rglob("*.*")} for folder in folders)
    assert one == two


def test_where_nothing_is_hidden_an_output_passes(tmp_path: Path) -> None:
    frame = pl.DataFrame({"asthma": [1] * 40 + [0] * 60})
    found = sr.multimorbidity.prevalence(sr.Patterns.from_wide(frame, conditions=["asthma"]))
    folder = sr.write_acro({"conditions": sr.suppress(found, SACRO)}, tmp_path / "release")
    output = json.loads((folder / "results.json").read_text(encoding="utf-8"))["results"]["conditions"]
    assert (output["status"], output["summary"]) == ("pass", "pass")


def test_what_may_not_be_released_is_not_written(tmp_path: Path) -> None:
    frame = pl.DataFrame({"asthma": [1] * 6 + [0] * 172})
    m, patterns = sr.multimorbidity, sr.Patterns.from_wide(frame, conditions=["asthma"])
    nhs = sr.Policy.nhs_england()
    both = {"conditions": m.prevalence(patterns), "numbers": m.condition_count(patterns)}
    with pytest.raises(sr.DisclosureError, match="has not passed disclosure"):
        sr.write_acro(both, tmp_path / "release")
    with pytest.raises(sr.DisclosureError, match="different rules"):
        sr.write_acro(
            {"conditions": sr.suppress(both["conditions"], nhs), "numbers": sr.suppress(both["numbers"], SACRO)},
            tmp_path / "release",
        )
    more = pl.DataFrame({"asthma": [1] * 40 + [0] * 172})
    other = m.prevalence(sr.Patterns.from_wide(more, conditions=["asthma"]))
    with pytest.raises(sr.DisclosureError, match="Together they tell too much, so nothing is written"):
        sr.write_acro(
            {name: sr.suppress(r, nhs) for name, r in (("a", both["conditions"]), ("b", other))}, tmp_path / "release"
        )
    for wrong in ({}, list(released().values())):
        with pytest.raises(sr.ArgumentError, match="by name"):
            sr.write_acro(wrong, tmp_path / "release")  # type: ignore[arg-type]
    with pytest.raises(sr.ArgumentError, match="names of files"):
        sr.write_acro({"../conditions": next(iter(released().values()))}, tmp_path / "release")
    first = next(iter(released().values()))
    for names in (["a:b"], ["a?"], ["a\\b"], ["Pairs", "pairs"]):  # of which Windows makes other files, or one of two
        with pytest.raises(sr.ArgumentError, match="names of files"):
            sr.write_acro(dict.fromkeys(names, first), tmp_path / "release")
    assert not (tmp_path / "release").exists()
    sr.write_acro(released(), tmp_path / "release")
    with pytest.raises(sr.ArgumentError, match="holds something already"):
        sr.write_acro(released(), tmp_path / "release")
