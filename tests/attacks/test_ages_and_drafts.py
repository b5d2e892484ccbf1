"""Reports as they are made by hand: of two age groups, the one released before the other is made; and draft after draft of one.

Of ages 18 and over and of 24 and over the difference is those aged 18 to 23. The attacker has both release records, takes each
count of the one from the same count of the other, and under the strict level every number up to the threshold must be left.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import polars as pl
import pytest
from attacker import RULES

from symphony_research import cli
from symphony_research.errors import ArgumentError, ReportError
from symphony_research.report import list_notebooks, run_reports
from symphony_research.report import run_plan as planning
from symphony_research.report.releasing import release_reports

pytestmark = pytest.mark.slow
PEOPLE, CONDITIONS, DRAFTS = 1_500, ("asthma", "copd", "depression", "hypertension"), 4
NHS = RULES["nhs_england"]


def _write_study(folder: Path) -> None:
    """Write a study of people aged 15 to 90, one in thirteen of them from 18 to 23."""
    r = np.random.default_rng(18)
    folder.mkdir()
    ids = [f"p{k:05d}" for k in range(PEOPLE)]
    born = [f"{year}-06-15" for year in 2012 - r.integers(15, 91, PEOPLE)]
    pl.DataFrame({"person_id": ids, "sex": r.choice(["F", "M"], PEOPLE), "birth_date": born}).write_csv(
        folder / "persons.csv"
    )
    held = [(one, c) for c, p in zip(CONDITIONS, (0.3, 0.05, 0.2, 0.4), strict=True) for one in ids if r.random() < p]
    pl.DataFrame(held, schema=["person_id", "condition"], orient="row").with_columns(onset_date=pl.lit("2011-12-01")).write_csv(folder / "conditions.csv")  # fmt: skip
    (folder / "study.toml").write_text('name = "Ours"\n[period]\nstart = 2012-04-01\nend = 2013-03-31\n')


@dataclass(frozen=True)
class Ages:
    """Folders of the reports: 18 and over, 24 and over beside it, and 24 and over beside nothing."""

    first: Path
    beside: Path
    alone: Path

    @property
    def drafts(self) -> tuple[Path, Path]:
        """Of 18 and over, and of 24 and over, made beside the same register before either was released."""
        return self.alone.parent.parent / "d" / self.alone.name, self.alone


@pytest.fixture(scope="module")
def ages(tmp_path_factory: pytest.TempPathFactory) -> Ages:
    root = tmp_path_factory.mktemp("ages")
    _write_study(root / "ours")

    def report(youngest: int, out: str, register: str) -> Path:
        told = ["report", str(root / "ours"), "02", "-p", f"youngest={youngest}", "--policy", "nhs_england", "--level", "strict"]  # fmt: skip
        assert cli.main([*told, "--out", str(root / out), "--register", str(root / register)]) == 0
        (made,) = (root / out).glob("*/release.json")
        return made.parent

    first = report(18, "a", "register.jsonl")
    assert cli.main(["release", str(first), "--register", str(root / "register.jsonl")]) == 0
    report(18, "d", "drafts.jsonl")
    return Ages(first, report(24, "b", "register.jsonl"), report(24, "c", "drafts.jsonl"))


def _shown(folder: Path) -> dict[str, int]:
    """Return the counts that a release record shows, by the definition of whom each counts."""
    found = {}
    for output in json.loads((folder / "release.json").read_text(encoding="utf-8"))["outputs"]:
        told = output.get("published") or {"cells": [], "of": [], "lists": []}
        for _, at, *_, shown, _, _ in told["cells"]:
            having, least, most, among, *where = told["of"][at]
            if not where[-1]:  # what stands for itself is compared with nothing
                found[json.dumps([having, least, most, told["lists"][among], *where])] = int(shown)
    return found


def _at_risk(inner: Path, outer: Path) -> list[str]:
    """Return whom two records tell too much of: the difference may be small, and not every number up to the threshold is left."""
    own, others = _shown(inner), _shown(outer)
    assert own.keys() & others.keys()
    found = []
    for key in own.keys() & others.keys():
        (low, high), (least, most) = NHS.bounds(own[key]), NHS.bounds(others[key])
        few, many = max(least - high, 0), max(most - low, 0)
        if many >= 1 and few <= NHS.high and many - few + 1 < NHS.high:
            found.append(key)
    return sorted(found)


def test_the_second_report_is_judged_beside_the_first_whatever_its_folder(ages: Ages) -> None:
    beside, alone = (
        json.loads((folder / "provenance.json").read_text(encoding="utf-8"))["beside"]
        for folder in (ages.beside, ages.alone)
    )
    assert [one.split(" (")[0] for one in beside] == [ages.first.name]
    assert alone == []


def test_nobody_aged_18_to_23_is_counted_by_the_difference(ages: Ages) -> None:
    assert _at_risk(ages.beside, ages.first) == []


def test_made_beside_nothing_the_second_would_count_them(ages: Ages) -> None:
    assert _at_risk(ages.alone, ages.first) != []


def test_two_made_beside_nothing_are_not_both_released(ages: Ages) -> None:
    # made before the first was released, the second is compared with it when it is released itself
    early, late = ages.drafts
    release_reports([early])
    with pytest.raises(ReportError, match="would disclose a small count beside what was released since it was made"):
        release_reports([late])


def test_a_report_is_released_into_the_register_alone_that_it_was_made_beside(ages: Ages, tmp_path: Path) -> None:
    # fingerprint and sketch are under that register's key: in another one it would be compared with nothing
    with pytest.raises(ArgumentError, match=r"was made beside the register .*drafts\.jsonl"):
        release_reports([ages.alone], register=tmp_path / "other.jsonl")


def test_drafts_of_one_report_clash_with_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write_study(tmp_path / "ours")
    given = 'study = "x"\npolicy: str | None = None\nsession: str | None = None'
    code = (
        "import symphony_research as sr\nstudy = sr.read_study(study)\npolicy = study.disclosure_policy(policy)\n"
        "patterns = sr.define_cohort(study, age=(18, None)).patterns()\n"
        "made = {'prevalence': sr.multimorbidity.prevalence(patterns), 'number': sr.multimorbidity.condition_count(patterns)}\n"
        "released = sr.suppress(made, policy, session=session)\nsr.table(released['prevalence'])"
    )
    (tmp_path / "shelf").mkdir()
    cells = [
        nbformat.v4.new_markdown_cell("# One\n\nWhat?"),
        nbformat.v4.new_code_cell(given, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(code),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "shelf" / "one.ipynb")
    monkeypatch.setattr(planning, "list_notebooks", lambda: list_notebooks(tmp_path / "shelf"))
    register, shown = tmp_path / "register.jsonl", []
    for draft in range(DRAFTS):
        out = tmp_path / f"out-{draft % 2}"  # again and again in two folders
        made = run_reports(tmp_path / "ours", ["one"], policy="nhs_england", out=out, register=register, progress=False, jobs=1)  # fmt: skip
        assert made.ok, made.failed
        assert made.warnings == ()
        shown.append(_shown(out / "one"))
    assert shown[0]
    assert all(one == shown[0] for one in shown)
    # any two of them may be released, as they say the same
    entered = [release_reports([tmp_path / f"out-{k}"], register=register) for k in range(2)]
    assert [entry.number for (entry,) in entered] == [1, 2]
