"""What a hub's report on time to events releases at once is attacked together: two outcomes, death, readmission, how often, days at home."""

from __future__ import annotations

import produce
import pytest
from study import POLICIES, Attacked, attack, world_of

import symphony_research as sr

CASES = [
    pytest.param((name, policy), marks=() if quick else pytest.mark.slow, id=f"{name}-{policy.replace(' ', '-')}")
    for name, policy, quick in (
        ("hub_of_60", "nhs_england", True),
        ("hub_of_35", "sacro", False),
        ("whole_beside_strata", "nhs_england", False),
        ("4", "nhs_england", False),
        ("1", "opensafely", False),
        ("hub_of_60", "nhs_england strict", False),
    )
]
every_report = pytest.mark.parametrize("made", CASES, indirect=True, scope="module")


@pytest.fixture(scope="module")
def made(request: pytest.FixtureRequest) -> Attacked:
    name, policy = request.param
    world = world_of(name)
    return attack(world, POLICIES[policy], produce.of_report(world))


@every_report
def test_suppressed_counts_keep_enough_possible_numbers(made: Attacked) -> None:
    kinds = {cell.kind.split(".")[0].split("__")[0] for cell in made.cells}
    assert {"incidence", "attendance", "mean_count", "days_at_home", "readmission", "rates", "baseline"} <= kinds
    assert made.wrong_counts() == []
    assert [str(finding) for finding in made.at_risk()] == []


@every_report
def test_words_hold_no_exact_number(made: Attacked) -> None:
    assert made.wrong_words() == []


def test_a_second_outcome_of_the_same_people_takes_nothing_from_the_first() -> None:
    """Whoever dies without one event is not whoever dies without another: counts of both would seem to contradict each other."""
    for seed in (0, 3, 6):
        world, policy = world_of(str(seed)), POLICIES["nhs_england"]
        alone = sr.suppress(produce.of_time(world)["incidence"], policy)
        both = sr.suppress({"one": produce.of_time(world)["incidence"], "other": produce.attendance(world, ())}, policy)
        assert both["one"].estimates["estimate"].null_count() <= alone.estimates["estimate"].null_count() + 4
        assert not both["one"].disclosure.withheld
