"""Reports of combinations and of the network are made at the first try, of few people and under every rule."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from symphony_research.report import run_reports

sys.path.insert(0, str(Path(__file__).parents[1] / "proof"))
from made_studies import write_study

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("people", "conditions", "policy", "asked"),
    [
        (60, 4, "nhs_england", {}),
        (300, 8, "sacro", {}),
        (600, 6, "nhs_england", {"youngest": 18}),  # an upper limit of observed/expected that is not bounded
        (600, 6, "opensafely", {"youngest": 18}),
        (900, 12, "nhs_england", {"oldest": 60}),
    ],
)
def test_of_few_people(people: int, conditions: int, policy: str, asked: dict[str, int], tmp_path: Path) -> None:
    write_study(tmp_path / "study", name="few", people=people, conditions=conditions)
    notebooks = ["02"] if asked else ["02", "03"]
    made = run_reports(
        tmp_path / "study", notebooks, parameters=asked, policy=policy, out=tmp_path / "reports", progress=False
    )
    assert made.ok, [run.error for run in made.failed]
