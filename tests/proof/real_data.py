"""Real public data as a study folder and in reports: a report, or one plain line that says what the data lack.

    python tests/proof/real_data.py docs/real-data.md [FOLDER OF DATA] [--only NAME ...]

Three ways in: surveys with a mapping, cohorts as study folders (as `real_studies.py` brings them in), and other files as they
lie, under the name of the persons table. What is unclear or wrong is listed at the end, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from measured import ROOT, say
from real_studies import NOT_BROUGHT_IN, real_plans

NOTEBOOKS = ("02", "03", "04")
LONGEST = 900  # seconds for one call
# no answer of the command may hold one of these
NEVER = re.compile(r"Traceback|a fault of symphony_research|polars\.|\b[A-Z]\w+(?:Error|Warning)\b")
NHEFS = """\
name = "NHEFS"
source = "National Health and Nutrition Examination Survey I Epidemiologic Follow-up Study, as shipped by the R package causaldata"
date = 1971-07-01
[sex]
column = "sex"
values = { "0" = "M", "1" = "F" }
[age]
column = "age"
[conditions]
asthma = { column = "asthma", yes = ["1"], no = ["0"] }
chronic_bronchitis = { column = "bronch", yes = ["1"], no = ["0"] }
tuberculosis = { column = "tb", yes = ["1"], no = ["0"] }
heart_failure = { column = "hf", yes = ["1"], no = ["0"] }
peptic_ulcer = { column = "pepticulcer", yes = ["1"], no = ["0"] }
colitis = { column = "colitis", yes = ["1"], no = ["0"] }
hay_fever = { column = "hayfever", yes = ["1"], no = ["0"] }
nervous_breakdown = { column = "nervousbreak", yes = ["1"], no = ["0"] }
headache = { column = "headache", yes = ["1"], no = ["0"] }
"""
# 2 is "missing" in this file: 791 people
NHEFS_ASKED = 'hypertension = { column = "hbp", yes = ["1"], no = ["0"]NEITHER }\n'
NHANES = """\
name = "NHANES 2009-12"
source = "National Health and Nutrition Examination Survey, as shipped by the R package NHANES"
note = "Rows are resampled by the survey's weights, so that some people stand in them more than once."
date = 2010-07-01
[sex]
column = "Gender"
values = { male = "M", female = "F" }
[age]
column = "Age"
[conditions]
diabetes = { column = "Diabetes", yes = ["Yes"], no = ["No"], neither = "exclude person" }
depression = { column = "Depressed", yes = ["Several", "Most"], no = ["None"], neither = "exclude person" }
sleep_trouble = { column = "SleepTrouble", yes = ["Yes"], no = ["No"], neither = "exclude person" }
"""
PBC = """\
name = "Primary biliary cholangitis"
source = "Mayo Clinic trial, as shipped by the R package survival: signs at entry"
date = 1980-07-01
[sex]
column = "sex"
values = { m = "M", f = "F" }
[age]
column = "age"
[conditions]
ascites = { column = "ascites", yes = ["1"], no = ["0"], neither = "exclude person" }
hepatomegaly = { column = "hepato", yes = ["1"], no = ["0"], neither = "exclude person" }
spiders = { column = "spiders", yes = ["1"], no = ["0"], neither = "exclude person" }
"""
# the file, and its mapping; one without a mapping has that of another survey, and must be refused in one line
SURVEYS = {
    "BRFSS 2020": ("brfss2020/heart_2020_cleaned.csv.zip", "brfss2020"),
    "NHEFS, blood pressure not asked said nothing of": (
        "utilisation/causaldata_nhefs.csv",
        NHEFS + NHEFS_ASKED.replace("NEITHER", ""),
    ),
    "NHEFS, people not asked excluded": (
        "utilisation/causaldata_nhefs.csv",
        NHEFS + NHEFS_ASKED.replace("NEITHER", ', neither = "exclude person"'),
    ),
    "NHEFS, without blood pressure": ("utilisation/causaldata_nhefs.csv", NHEFS),
    "NHANES": ("utilisation/NHANES.csv", NHANES),
    "pbc": ("survival/survival_pbc.csv", PBC),
    "diabetes130 with the mapping of another survey": ("diabetes130/dataset_diabetes.zip", "brfss2020"),
    "Synthea with the mapping of another survey": ("synthea/Synthea27Nj_5.4.zip", "brfss2020"),
}
AS_THEY_LIE = (
    "survival", "utilisation", "rollmatch", "mimic3_demo", "ons_bristol", "ons_south_somerset",
)  # fmt: skip
TEXT = [
    "# Real public data, from import to report",
    "",
    "`python tests/proof/real_data.py`: each input is imported as a survey or checked as a study folder, and then notebooks 02, 03 and 04 "
    "are asked for under the study's own policy. Where a report cannot be made, the one line that the command says instead. The "
    "data are public; what a cohort has not is omitted, and nothing is made up ([which, and why](utility.md)).",
    "",
]


@dataclass
class Row:
    """What became of one input."""

    name: str
    way: str
    door: str
    reports: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def symphony(*words: str) -> tuple[int, str]:
    """Run the command; return its exit code, and what it said and complained of."""
    command = [sys.executable, "-m", "symphony_research", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, stdin=subprocess.DEVNULL)
    return done.returncode, f"{done.stdout}\n{done.stderr}".strip()


def looked_over(row: Row, said: str, code: int, allowed: tuple[int, ...]) -> None:
    """Note what no user should have read."""
    row.wrong += [f"says '{words}'" for words in sorted(set(NEVER.findall(said)))]
    if code not in allowed:
        row.wrong.append(f"exit code {code}")


def reported(row: Row, study: Path, home: Path) -> None:
    """Ask for the reports, and keep of each that it was made, or the line that says why not."""
    code, said = symphony("report", str(study), *NOTEBOOKS, "--out", str(home / "reports"), "--jobs", "2")
    looked_over(row, said, code, (0, 1, 2))
    failed = dict(re.findall(r"^  (\d\d)_[^:]+: (.+)$", said, re.MULTILINE))
    made = re.search(r"^(\d+) reports? made", said, re.MULTILINE)
    refused = "" if made else plain(said)
    for name in NOTEBOOKS:
        row.reports[name] = failed.get(name, refused) or "a report"
    if made and int(made[1]) + len(failed) != len(NOTEBOOKS):
        row.wrong.append("reports made and failed do not add up")


def plain(said: str) -> str:
    """What was said, as one line of a table."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith("file://")]
    return "; ".join(lines).replace("|", "/")


def surveys(data: Path, home: Path) -> list[Callable[[], Row]]:
    def brought(name: str) -> Row:
        file, mapping = SURVEYS[name]
        own = home / re.sub(r"\W+", "-", f"s-{name}")
        own.mkdir()
        config = mapping
        if "\n" in mapping:
            (own / "map.toml").write_text(mapping, encoding="utf-8")
            config = str(own / "map.toml")
        code, said = symphony("import", "survey", str(data / file), str(own / "study"), "--config", config)
        row = Row(name, "imported", "brought in" if code == 0 else shorter(said))
        looked_over(row, said, code, (0, 1, 2))
        if code == 0:
            code, said = symphony("check", str(own / "study"))
            looked_over(row, said, code, (0,))
            reported(row, own / "study", own)
        return row

    return [lambda name=name: brought(name) for name in SURVEYS]  # type: ignore[misc]


def cohorts(data: Path, home: Path) -> list[Callable[[], Row]]:
    def brought(plan: object) -> Row:
        own = home / re.sub(r"\W+", "-", plan.name)  # type: ignore[attr-defined]
        own.mkdir()
        plan.make(own / "study")  # type: ignore[attr-defined]
        code, said = symphony("check", str(own / "study"))
        row = Row(plan.name, "checked", "no fault" if code == 0 else shorter(said))  # type: ignore[attr-defined]
        looked_over(row, said, code, (0, 1))
        if code == 0:
            reported(row, own / "study", own)
        return row

    # that survey has its mapping above
    return [lambda plan=plan: brought(plan) for plan in real_plans(data) if plan.name != "BRFSS 2020"]  # type: ignore[misc]


def as_they_lie(data: Path, home: Path) -> list[Callable[[], Row]]:
    def brought(file: Path) -> Row:
        name = file.relative_to(data).as_posix()
        own = home / re.sub(r"\W+", "-", f"s-{name}")
        own.mkdir()
        shutil.copyfile(file, own / f"persons{''.join(file.suffixes[-2:]) if file.suffix == '.gz' else file.suffix}")
        code, said = symphony("check", str(own))
        row = Row(name, "checked, as persons", shorter(said))
        looked_over(row, said, code, (1,))
        return row

    files = [file for folder in AS_THEY_LIE for file in sorted((data / folder).glob("*.csv*"))]
    return [lambda file=file: brought(file) for file in files]  # type: ignore[misc]


def shorter(said: str) -> str:
    """The findings of a refusal, of which the first few tell what is lacking."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.endswith(" findings.")]
    # which columns a file has is no news of what it lacks
    lines = [re.sub(r"Columns: .+?\. (?=Rename)", "", line) for line in lines]
    return "; ".join(lines[:3]).replace("|", "/") + (f"; and {len(lines) - 3} more lines" if len(lines) > 3 else "")


def page(rows: list[Row]) -> str:
    lines = [*TEXT, "| input | way in | on import | 02 | 03 | 04 |", "|---|---|---|---|---|---|"]
    alike: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        told = (row.way, row.door, *(row.reports.get(name, "") for name in NOTEBOOKS))
        alike.setdefault(told, []).append(row.name)
    lines += [f"| {'; '.join(names)} | {' | '.join(told)} |" for told, names in alike.items()]
    wrong = [f"* {row.name}: {'; '.join(row.wrong)}." for row in rows if row.wrong]
    asked = [said for row in rows for said in row.reports.values()]
    lines += [
        "",
        f"{len(rows)} inputs; {asked.count('a report')} of {len(asked)} reports asked for were made. Tracebacks, errors of other libraries, and exit "
        f"codes that do not fit: {'none.' if not wrong else ''}",
        *wrong,
        "",
        "Not brought in as cohorts, and why:",
        "",
        *(f"* {name}: {why}." for name, why in NOT_BROUGHT_IN.items()),
        "",
    ]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("data", type=Path, nargs="?", default=ROOT.parent / "shared" / "data")
    parser.add_argument(
        "--ways", nargs="+", choices=("surveys", "cohorts", "files"), default=["surveys", "cohorts", "files"]
    )
    asked = parser.parse_args()
    data = Path(os.environ.get("SYMPHONY_SHARED_DATA") or asked.data)
    if not data.is_dir():
        say(f"The folder of real data is not there ({data}): the page stays as it is.")
        return 0
    ways = {"surveys": surveys, "cohorts": cohorts, "files": as_they_lie}
    rows = []
    with tempfile.TemporaryDirectory() as home:
        for name in asked.ways:
            for work in ways[name](data, Path(home)):
                rows.append(work())
                say(
                    f"{rows[-1].name}: {rows[-1].door}; {rows[-1].reports}{' WRONG ' + str(rows[-1].wrong) if rows[-1].wrong else ''}"
                )
    asked.out.write_text(page(rows), encoding="utf-8")
    return int(any(row.wrong for row in rows))


if __name__ == "__main__":
    sys.exit(main())
