"""The headline figures of the report on people, need and beds, counted again by a naive script: loops over files, no estimator."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from bs4 import BeautifulSoup

import symphony_research as sr
from symphony_research.demography.south_somerset import south_somerset_inputs
from symphony_research.report import run_reports

pytestmark = pytest.mark.slow
SMALL = Path(__file__).parents[2] / "synthetic" / "small"
INDEX = date(2011, 4, 1)
LAST = INDEX + timedelta(days=365)
OLDEST, OLDEST_ALIVE = 90, 125
OCCUPANCY = 0.85
People = dict[tuple[str, int], float]


def keyed(frame: pl.DataFrame, value: str, *keys: str) -> dict[tuple, float]:
    return {tuple(row[k] for k in keys): row[value] for row in frame.iter_rows(named=True)}


def projected(until: int) -> dict[int, People]:
    """People by sex and single age, 90 and over as one: the accounting of each cohort, a year and an age at a time."""
    inputs = south_somerset_inputs(end=until)
    dying = keyed(inputs.mortality, "rate", "year", "sex", "age")
    bearing = keyed(inputs.fertility, "rate", "year", "age")
    moving = keyed(inputs.migration, "net", "year", "sex", "age")
    now: People = {}
    shares: dict[tuple[str, int], float] = {}
    for sex in "FM":
        alive = {OLDEST: 1.0}
        for age in range(OLDEST, OLDEST_ALIVE):
            alive[age + 1] = alive[age] * (1 - dying[2012, sex, age])
        shares |= {(sex, age): n / sum(alive.values()) for age, n in alive.items()}
    for (sex, age), persons in keyed(inputs.base, "persons", "sex", "age").items():
        if age < OLDEST:
            now[sex, age] = persons
        else:
            now |= {(sex, a): persons * shares[sex, a] for a in range(OLDEST, OLDEST_ALIVE + 1)}
    found = {2011: now}
    for year in range(2012, until + 1):
        then, now = found[year - 1], {}
        for sex in "FM":
            for age in range(1, OLDEST_ALIVE + 1):
                net = moving[year, sex, min(age, OLDEST)] * (shares[sex, age] if age >= OLDEST else 1)
                survives = 1 - dying[year, sex, age - 1]
                now[sex, age] = (then[sex, age - 1] + net / 2) * survives + net / 2
        births = sum((then["F", age] + now["F", age]) / 2 * rate for (of, age), rate in bearing.items() if of == year)
        for sex, part in (("F", 1 / 2.05), ("M", 1.05 / 2.05)):
            net, survives = moving[year, sex, 0], 1 - dying[year, sex, -1]
            now[sex, 0] = (births * part + net / 2) * survives + net / 2
        found[year] = now
    return found


def registered() -> dict[int, date]:
    """Who was registered on the index date, and the last day of unbroken registration."""
    until: dict[int, date] = {}
    spells = pl.read_parquet(SMALL / "registrations" / "*.parquet").sort("person_id", "start_date")
    runs = defaultdict(list)
    for row in spells.iter_rows(named=True):
        own = runs[row["person_id"]]
        end = row["end_date"] or date(9999, 1, 1)
        if own and row["start_date"] <= own[-1][1] + timedelta(days=1):
            own[-1][1] = max(own[-1][1], end)
        else:
            own.append([row["start_date"], end])
    for person, own in runs.items():
        for start, end in own:
            if start <= INDEX <= end:
                until[person] = end
    return until


def bed_day_rates() -> dict[tuple[str, int], float]:
    """Bed-days a person-year by sex and five-year age, of everybody registered on the index date, over a year."""
    until, born, sexes = registered(), {}, {}
    for row in pl.read_parquet(SMALL / "persons" / "*.parquet").iter_rows(named=True):
        died = row["death_date"]
        if row["person_id"] in until and row["birth_date"] <= INDEX and (died is None or died >= INDEX):
            born[row["person_id"]], sexes[row["person_id"]] = row["birth_date"], row["sex"]
            until[row["person_id"]] = min(until[row["person_id"]], died or LAST, LAST)
    days, beds = defaultdict(float), defaultdict(int)

    def band(person: int, on: date) -> tuple[str, int]:
        birth = born[person]
        age = on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))
        return sexes[person], min(age // 5 * 5, 85)

    for person in born:
        day = INDEX
        while day <= until[person]:  # a month at a time, by the age in its middle
            end = min(day + timedelta(days=29), until[person])
            days[band(person, day + (end - day) / 2)] += (end - day).days + 1
            day = end + timedelta(days=1)
    nights = set()
    activity = pl.read_parquet(SMALL / "activity" / "*.parquet").filter(pl.col("setting") == "inpatient")
    for row in activity.iter_rows(named=True):
        day = row["date"]
        while day < (row["end_date"] or row["date"]):
            if row["person_id"] in born and INDEX <= day <= until[row["person_id"]]:
                nights.add((row["person_id"], day))
            day += timedelta(days=1)
    for person, day in nights:
        beds[band(person, day)] += 1
    return {cell: beds[cell] / (days[cell] / 365.25) for cell in days}


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Key findings of the page, under a policy that changes nothing and under the policy of most users."""
    found = {}
    for policy in ("synthetic", "nhs_england"):
        out = tmp_path_factory.mktemp(policy)
        made = run_reports(SMALL, ["05"], policy=policy, out=out, progress=False)
        assert made.ok, [run.error for run in made.failed]
        (path,) = out.glob("05_*/report.html")
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        found[policy] = [" ".join(item.get_text(" ").split()) for item in page.select(".findings li")]
    return found


def number(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    assert match, (pattern, text)
    return float(match[1].replace(",", "").replace("−", "-"))


def over(people: People, low: int) -> float:
    return sum(n for (_, age), n in people.items() if age >= low)


def test_people_over_65_and_over_85(findings: dict[str, list[str]]) -> None:
    people = projected(2021)
    for policy in findings:
        said = findings[policy][0]
        for low in (65, 85):
            then, now = over(people[2013], low), over(people[2021], low)
            # to three figures, and a whole percentage
            assert number(rf"([\d,]+) aged {low} and over", said) == pytest.approx(now, rel=0.005)
            assert number(rf"aged {low} and over, \+([\d.]+)%", said) == pytest.approx(100 * (now / then - 1), abs=0.51)
        assert number(r"about ([\d,]+) people", said) == pytest.approx(over(people[2021], 0), rel=0.005)
    ours = sr.demography.project_south_somerset(end=2021)
    for year in (2013, 2021):
        for low in (0, 65, 85):
            assert ours.people(year, (low, None)) == pytest.approx(over(people[year], low), rel=1e-4)


def test_beds_and_what_their_change_comes_of(findings: dict[str, list[str]]) -> None:
    people, rates = projected(2021), bed_day_rates()

    def of(sex: str, age: int) -> float:
        return rates[sex, min(age // 5 * 5, 85)]

    beds = {
        year: sum(n * of(sex, age) for (sex, age), n in people[year].items()) / 365.25 / OCCUPANCY
        for year in (2013, 2021)
    }
    # with rates held: size by the mean of both rates, structure by the mean of both sizes (Kitagawa)
    size = {year: over(people[year], 0) for year in (2013, 2021)}
    crude = {year: beds[year] / size[year] for year in (2013, 2021)}
    of_size = (size[2021] - size[2013]) * (crude[2013] + crude[2021]) / 2
    of_structure = (size[2013] + size[2021]) / 2 * (crude[2021] - crude[2013])
    assert of_size + of_structure == pytest.approx(beds[2021] - beds[2013])
    # rounded means by age move the rates of a released page by a hundredth
    for policy, near in (("synthetic", 0.003), ("nhs_england", 0.012)):
        _, said, change, least, _ = findings[policy]
        assert number(r"occupancy, ([\d,]+) beds are required in 2021", said) == pytest.approx(beds[2021], rel=near)
        assert number(r"([\d,]+) more than in 2013", said) == pytest.approx(
            beds[2021] - beds[2013], rel=5 * near, abs=1
        )
        percent = 100 / beds[2013]
        assert number(r"changed by \+([\d.]+)%", change) == pytest.approx(percent * (of_size + of_structure), abs=0.3)
        assert number(r"population size \+([\d.]+)%", change) == pytest.approx(percent * of_size, abs=0.05)
        assert number(r"structure \+([\d.]+)%", change) == pytest.approx(percent * of_structure, abs=0.3)
        assert "rates as before" in change
        # a quarter of the days of those of 80 and over, elsewhere
        old = sum(n * of(sex, age) for (sex, age), n in people[2021].items() if age >= 80) / 365.25 / OCCUPANCY
        assert number(r"effect found\), ([\d,]+) beds", least) == pytest.approx(beds[2021] - old / 4, rel=near)


def test_need_carried_forward_against_what_a_later_year_recorded() -> None:
    """Rates of the first year, times the people of later years by age, beside the need that these years recorded.

    Of the generated study alone, whose rates by age are constant but for chance, long stays among it: bed-days are within
    three standard errors of a difference between two years, conditions within a twentieth in the mean.
    """
    study = sr.read_study(SMALL)

    def recorded(day: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        cohort = sr.define_cohort(study, index=day)
        days = sr.survival.event_rate(cohort.rates(event="bed_day", by="age_band", horizon=365), per=1).estimates
        held = sr.multimorbidity.prevalence(cohort.patterns(by="age_band"))
        return days, held.estimates, held.count_tables["population"].rename({"n_persons": "people"})

    first_days, first_held, _ = recorded("2011-04-01")
    rates = dict(first_days.select("age_band", "estimate").iter_rows())
    shares = {(row["age_band"], row["condition"]): row["estimate"] for row in first_held.iter_rows(named=True)}
    for later in ("2013-04-01", "2016-04-01"):
        days, held, people = recorded(later)
        expected = sum(rates[row["age_band"]] * row["person_years"] for row in days.iter_rows(named=True))
        happened = float(days["n_events"].sum())
        errors = [(frame["standard_error"] * days["person_years"]).pow(2).sum() for frame in (first_days, days)]
        assert abs(expected - happened) < 3 * sum(errors) ** 0.5
        there = dict(people.select("age_band", "people").iter_rows())
        carried, counted = defaultdict(float), defaultdict(int)
        for row in held.iter_rows(named=True):
            carried[row["condition"]] += shares[row["age_band"], row["condition"]] * there[row["age_band"]]
            counted[row["condition"]] += row["n_persons"]
        wrong = [abs(carried[name] / counted[name] - 1) for name in counted]
        assert sum(wrong) / len(wrong) < 0.05
        assert sum(carried.values()) == pytest.approx(sum(counted.values()), rel=0.02)
