"""Every figure of a hub's report, counted again from the study's files by a naive script: before and after disclosure control."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag

import symphony_research as sr
from symphony_research.report import notebook_folder, run_reports

sys.path.insert(0, str(Path(__file__).parent))
import naive_report as naive
from naive_report import TIMES

pytestmark = pytest.mark.slow
SMALL = Path(__file__).parents[2] / "synthetic" / "small"
NOTEBOOK = notebook_folder() / "04_utilisation_survival.ipynb"
COMPARISON = notebook_folder() / "09_hub_comparison.ipynb"
HUBS = ("Yeovil", "Chard")
ROUNDED = 2  # how far a count rounded to the nearest five may lie from the exact one
AT_HOME = re.compile(
    r"<li>Over 365 days, people spent on average ([\d.]+) \(95% CI ([^)]+)\) days at home, alive and out of hospital\."
)
INTERVAL = re.compile(r"([<>]?[\d.,]+)%? \(([\d.]+) to ([\d.]+)\)")


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A public study whose hubs are large enough for most of their figures to be shown."""
    folder = tmp_path_factory.mktemp("larger") / "study"
    sr.synthesise(folder, people=114_874, seed=2013)
    return folder


def exact_results(folder: Path, hub: str | None, notebook: Path = NOTEBOOK) -> dict[str, Any]:
    """What a notebook computes before its one call of suppress: its own cells are run."""
    names: dict[str, Any] = {}
    for cell in nbformat.read(notebook, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        if "sr.suppress(" in cell.source:
            (statement,) = ast.parse(cell.source).body
            results = ast.Expression(statement.value.args[0])  # type: ignore[attr-defined]
            found: dict[str, Any] = eval(compile(results, "results", "eval"), names)
            return found
        exec(cell.source, names)
        if "parameters" in cell.metadata.get("tags", []):
            names |= {"study": str(folder), "hub": hub}
    raise AssertionError("the notebook never calls suppress")


def close(value: float | None) -> Any:
    """The value but for rounding errors; past the end of a curve there is none."""
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)


def read_at(curve: sr.Result, cause: int | None = None, **stratum: str) -> list[float]:
    """The estimates of a curve at the fixed times."""
    rows = sr.survival.at(curve, list(TIMES)).estimates.sort("time").iter_rows(named=True)
    wanted = {**stratum, **({"cause": cause} if cause else {})}
    return [row["estimate"] for row in rows if all(row[name] == value for name, value in wanted.items())]


@pytest.mark.parametrize("hub", HUBS)
@pytest.mark.parametrize("size", ["small", "larger"])
def test_the_exact_results_are_those_of_the_naive_script(hub: str, size: str, request: pytest.FixtureRequest) -> None:
    folder = SMALL if size == "small" else request.getfixturevalue("larger")
    found = exact_results(folder, hub)
    people, left_out = naive.people_of(folder, hub)

    steps = dict(found["attrition"].count_tables["steps"].iter_rows())
    assert steps.pop("studied") == len(people)
    assert steps.pop("at the start", len(people)) == len(people) + sum(left_out.values())
    assert sum(steps.values()) == sum(left_out.values())

    expected = naive.baseline(people)
    rows = {(r["characteristic"], r["category"]): r for r in found["baseline"].estimates.iter_rows(named=True)}
    cost = rows.pop(("cost", "mean"))
    assert cost["mean_cost"] == pytest.approx(expected["cost", "mean"], rel=1e-6)
    assert cost["standard_deviation"] == pytest.approx(expected["cost", "sd"], rel=1e-6)
    assert {pair: row["n_persons"] for pair, row in rows.items()} == {pair: expected.get(pair, 0) for pair in rows}
    named = {pair for pair in expected if pair[0] not in ("cost", "condition")}
    assert named <= set(rows), "nobody is in a category that the table lacks"
    shares = {pair: row["estimate"] for pair, row in rows.items() if pair[0] != "people"}
    assert shares == {pair: close(expected.get(pair, 0) / len(people)) for pair in shares}

    for name, event in (("incidence", "emergency"), ("attendance", "attendance")):
        outcomes = [person.outcome(event) for person in people]
        for cause in (1, 2):
            last = max(t for t, _ in outcomes)
            wanted = [naive.incidence(outcomes, cause, t) if t <= last else None for t in TIMES]
            assert read_at(found[name], cause) == [close(v) for v in wanted], (name, cause)
    for sex in ("F", "M"):
        outcomes = [person.outcome("emergency") for person in people if person.sex == sex]
        last = max(t for t, _ in outcomes)
        wanted = [naive.incidence(outcomes, 1, t) if t <= last else None for t in TIMES]
        assert read_at(found["by_sex"], 1, sex=sex) == [close(v) for v in wanted], sex

    deaths = [person.outcome(None) for person in people]
    assert read_at(found["survival"]) == [close(naive.survival(deaths, t)) for t in TIMES]
    assert read_at(found["how_often"]) == [close(naive.mean_count(people, t)) for t in TIMES]
    whole = (("readmission", naive.readmission), ("rate", naive.rate), ("days_at_home", naive.days_at_home))
    for name, wanted_row in ((name, counted(people)) for name, counted in whole):
        (row,) = found[name].estimates.iter_rows(named=True)
        assert {k: row[k] for k in wanted_row} == {k: close(v) for k, v in wanted_row.items()}, name


def test_the_hubs_side_by_side_are_those_of_the_naive_script(larger: Path) -> None:
    exact = exact_results(larger, None, COMPARISON)
    found, people = exact["standardised"].estimates, naive.people_of(larger, None)[0]
    for hub in {person.hub for person in people}:
        outcomes = [person.outcome("emergency") for person in people if person.hub == hub]
        assert read_at(exact["crude"], 1, hub=hub) == [close(naive.incidence(outcomes, 1, t)) for t in TIMES], hub
    assert found.height == len(TIMES) * len({person.hub for person in people})
    for at in TIMES:
        expected = naive.standardised(people, at)
        for row in found.filter(found["time"] == at).iter_rows(named=True):
            own = expected[row["hub"]]
            assert {k: row[k] for k in own} == {k: close(v) for k, v in own.items()}, (at, row["hub"])


# -- as the page shows them ---------------------------------------------------------------------------------------


def tables_of(page: BeautifulSoup) -> dict[str, list[list[str]]]:
    """The rows of every table by its caption, headings first."""
    found = {}
    for table in page.select("main table"):
        if isinstance(table.caption, Tag):
            rows = [[" ".join(cell.get_text(" ").split()) for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]  # fmt: skip
            found[table.caption.get_text(" ").strip()] = rows
    return found


def require_within(cell: str, exact: float | None, *, share: bool = True) -> bool:
    """Fail unless a shown interval holds the exact figure, but for its own last digit; return whether there is one."""
    match = INTERVAL.fullmatch(cell)
    if match is None:
        assert re.fullmatch(r"\[[cxz]\]|0%|[\d.]+%?", cell), cell
        return False
    low, high = (float(end.replace(",", "")) for end in match.groups()[1:])
    figure = (100 if share else 1) * float(exact or 0)
    digits = max(len(end.partition(".")[2]) for end in match.groups()[1:])
    assert low - 0.51 * 10**-digits <= figure <= high + 0.51 * 10**-digits, (cell, figure)
    return True


def test_the_released_pages_show_what_the_naive_script_counts(larger: Path, tmp_path: Path) -> None:
    made = run_reports(larger, ["04"], hubs=list(HUBS), policy="nhs_england", out=tmp_path, progress=False)
    assert made.ok, [run.error for run in made.failed]
    shown = 0
    for hub in HUBS:
        (path,) = tmp_path.glob(f"04_*--{hub.lower()}/report.html")
        tables = tables_of(BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser"))
        people, _ = naive.people_of(larger, hub)
        emergency, attendance, died = ([p.outcome(e) for p in people] for e in ("emergency", "attendance", None))
        sexes = {s: [p.outcome("emergency") for p in people if p.sex == s] for s in ("F", "M")}
        columns = {
            "Cumulative incidence (competing risks) at fixed times": [
                lambda t, o=emergency: naive.incidence(o, 1, t), lambda t, o=emergency: naive.incidence(o, 2, t),
            ],
            "Cumulative incidence at fixed times, by sex": [
                lambda t, o=sexes["F"]: naive.incidence(o, 1, t), lambda t, o=sexes["M"]: naive.incidence(o, 1, t),
            ],
            "Other outcomes at fixed times": [
                lambda t, o=attendance: naive.incidence(o, 1, t), lambda t, o=died: naive.survival(o, t),
                lambda t, o=people: naive.mean_count(o, t),
            ],
        }  # fmt: skip
        for caption, figures in columns.items():
            heads, *rows = tables[caption]
            assert [row[0] for row in rows] == [str(t) for t in TIMES]
            for row in rows:
                for heading, cell, figure in zip(heads[-len(figures) :], row[-len(figures) :], figures, strict=True):
                    shown += require_within(cell, figure(float(row[0])), share="number" not in heading)
        # people of the first table: those after the events of a day
        for row in tables["Cumulative incidence (competing risks) at fixed times"][1:]:
            at_risk = sum(t > float(row[0]) or (t == float(row[0]) and not why) for t, why in emergency)
            assert row[1] == "[c]" or abs(int(row[1].replace(",", "")) - at_risk) <= ROUNDED, (hub, row)
        ((mean, ends),) = AT_HOME.findall(path.read_text(encoding="utf-8"))
        shown += require_within(f"{mean} ({ends})", naive.days_at_home(people)["estimate"], share=False)
        again = naive.readmission(people)
        discharged, readmitted, each, share = tables["Emergency readmissions"][1]
        assert abs(int(discharged) - again["n_persons"]) <= ROUNDED
        assert abs(int(readmitted) - again["n_readmitted"]) <= ROUNDED
        assert float(each) == pytest.approx(again["n_discharges"] / again["n_persons"], rel=0.06)
        shown += require_within(share, again["estimate"])
        shown += _compare_baseline(tables["Baseline characteristics"], naive.baseline(people), len(people))
    assert shown > 60, "most figures are shown, so that this test looks at something"


def test_the_comparison_shows_what_the_naive_script_counts_and_the_hubs_pages_show(
    larger: Path, tmp_path: Path
) -> None:
    made = run_reports(larger, ["04", "09"], all_hubs=True, policy="nhs_england", out=tmp_path, progress=False)
    assert made.ok, [run.error for run in made.failed]
    page = (tmp_path / "09_hub_comparison" / "report.html").read_text(encoding="utf-8")
    tables = tables_of(BeautifulSoup(page, "html.parser"))
    people, _ = naive.people_of(larger, None)
    heads, *rows = tables["Directly standardised risk"]
    at = {name: k for k, name in enumerate(heads)}
    expected, standardised = {t: naive.standardised(people, t) for t in TIMES}, 0
    assert len(rows) == len(TIMES) * len({person.hub for person in people})
    for row in rows:
        hub, time = row[0], float(row[at["Within (days)"]])
        own = expected[time][hub]
        with_event = sum(p.hub == hub and p.outcome("emergency")[1] == 1 and p.outcome("emergency")[0] <= time for p in people)  # fmt: skip
        for heading, exact in (("People", own["n_persons"]), ("With the event", with_event)):
            shown = row[at[heading]]
            assert shown == "[c]" or abs(int(shown) - exact) <= ROUNDED, (row, exact)
        require_within(row[at["Crude risk (95% CI)"]], own["crude"])
        standardised += require_within(row[at["Standardised risk (95% CI)"]], own["estimate"])
        covered = row[at["Standard covered"]]
        assert covered == "[c]" or abs(float(covered.rstrip("%")) - 100 * own["share_of_standard"]) <= 1
    assert standardised >= len(rows) // 2, "most figures are shown, so that this test looks at something"
    # the crude risks are those of the hubs' own pages, figure by figure and mark by mark
    crude = tables["Crude cumulative incidence at fixed times, by hub"]
    for column, heading in enumerate(crude[0][1:], 1):
        hub = heading.removesuffix(" (95% CI)")
        (path,) = tmp_path.glob(f"04_*--{hub.lower().replace(' ', '-')}/report.html")
        own_tables = tables_of(BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser"))
        own_rows = own_tables["Cumulative incidence (competing risks) at fixed times"]
        assert [row[column] for row in crude[1:]] == [row[2] for row in own_rows[1:]], hub


def test_a_hub_s_page_is_the_same_with_and_without_the_comparison(larger: Path, tmp_path: Path) -> None:
    pages = {}
    for name, notebooks in (("without", ["04"]), ("with", ["04", "09"])):
        made = run_reports(larger, notebooks, hubs=list(HUBS), policy="nhs_england", out=tmp_path / name, progress=False)  # fmt: skip
        assert made.ok, [run.error for run in made.failed]
        for path in sorted((tmp_path / name).glob("04_*/report.html")):
            # all but the time it took, and the key under which the folder names the study
            text = re.sub(r"\([0-9a-f]{12}\), with Python [\d.]+, in [^<]+", "", path.read_text(encoding="utf-8"))
            pages.setdefault(path.parent.name, []).append(re.sub(r"\d{2}:\d{2}", "", text))
    assert len(pages) == len(HUBS)
    assert all(one == other for one, other in pages.values())


def _compare_baseline(rows: list[list[str]], expected: dict[tuple[str, str], float], total: int) -> int:
    """Compare counts and shares of the baseline table; return how many were shown."""
    headings = {
        "Sex, n (%)": "sex", "Age, years, n (%)": "ten_year_age_band", "Deprivation, national fifths, n (%)": "deprivation_quintile",
        "Number of long-term conditions, n (%)": "n_conditions",
        "Commonest long-term conditions (a person may have several), n (%)": "condition",
        "Emergency admissions, 12 months before, n (%)": "emergency_admissions",
        "A&E attendances, 12 months before, n (%)": "accident_and_emergency_attendances",
    }  # fmt: skip
    names = {"women": "F", "men": "M", "85 or older": "85+", "1 (most deprived)": "1", "5 (least deprived)": "5"}
    under, seen = "", 0
    for label, cell in rows:
        if label in headings:
            under = headings[label]
            continue
        match = re.fullmatch(r"([\d,]+) \(([<\d.]+)%\)", cell)
        if match is None or label.startswith(("People", "Observed", "Cost")):
            continue
        name = label.split(": ", 1)[-1].strip().lower()
        name = names.get(name, name.replace(" or more", "+").replace("–", "-").replace(" ", "_" if under == "condition" else " "))  # fmt: skip
        n = int(match[1].replace(",", ""))
        exact = expected.get((under, name), 0)
        assert abs(n - exact) <= ROUNDED, (under, name, n, exact)
        # a share of two rounded counts
        limits = [100 * max(exact + move, 0) / (total - move) for move in (-2 * ROUNDED, 2 * ROUNDED)]
        assert limits[0] - 0.5 <= float(match[2].lstrip("<")) <= limits[1] + 0.5, (under, name, cell, exact)
        seen += 1
    return seen
