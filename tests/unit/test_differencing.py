"""Outputs that tell together what none tells alone are found and named, and reports of them refused."""

from __future__ import annotations

import json

import polars as pl
import pytest

import symphony_research as sr
from symphony_research.collapse import Collapsed
from symphony_research.disclosure.outputs import ReleasedOutput, released_output
from symphony_research.disclosure.release_record import as_output, for_release, output_from_record
from symphony_research.policy import Policy
from symphony_research.result import Provenance, Result
from symphony_research.result.cells import Covered, Nested, Partition

NHS = Policy.nhs_england()
STRICT = Policy.nhs_england(level="strict")


def prevalence(with_it: int, people: int, policy: Policy | None = NHS, **population: object) -> Result:
    frame = pl.DataFrame({"asthma": [1] * with_it + [0] * (people - with_it)})
    found = sr.multimorbidity.prevalence(sr.Patterns.from_wide(frame, conditions=["asthma"]))
    settings = {**found.settings, "study": "Somerset", "population": population}
    made = type(found)(found.count_tables, settings, found.by)
    return made if policy is None else sr.suppress(made, policy)


def kinds(*results: Result) -> list[str]:
    return [finding.kind for finding in sr.check_differencing(results)]


def test_a_hub_beside_its_programme() -> None:
    # 100 with asthma of 400 on the programme, all but two of them at the hub: both are shown as 100 of 400, so nobody to four
    # are left: as many numbers as a rounded count has, and fewer than the seven of the strict level
    yeovil = {"programme": "hubs", "hub": "Yeovil"}
    assert kinds(prevalence(100, 400, programme="hubs"), prevalence(98, 398, **yeovil)) == []
    whole = prevalence(100, 400, STRICT, programme="hubs")
    assert kinds(whole, prevalence(98, 398, STRICT, **yeovil)) == ["difference"]
    # half of everything: nothing is told
    assert kinds(whole, prevalence(50, 200, STRICT, **yeovil)) == []
    assert kinds(prevalence(97, 397, STRICT, hub="Wincanton"), prevalence(100, 400, STRICT, hub="Yeovil")) == []


def test_a_difference_that_only_all_counts_together_tell() -> None:
    # of 60 people of 18 and over, 24 women and 36 men; of 24 and over 22 and 34: everybody 60 (58-62) and 55 (53-57), women 25 (23-27)
    # and 20 (18-22), men 35 (33-37) both times. Alone, 0 to 4 men are younger; with 1 to 9 people and 1 to 9 women that stays so
    def both(women: int, men: int, age: int) -> list[Result]:
        frame = pl.DataFrame({"asthma": [1] * (women + men), "sex": ["F"] * women + ["M"] * men})
        made = []
        for by in ((), ("sex",)):
            found = sr.multimorbidity.prevalence(sr.Patterns.from_wide(frame, conditions=["asthma"], by=by))
            settings = {**found.settings, "study": "Somerset", "population": {"age": [age, None]}}
            made.append(type(found)(found.count_tables, settings, found.by))
        return list(sr.suppress(made, NHS))

    assert kinds(*both(24, 36, 18), *both(22, 34, 24)) == []


def sexes(women: tuple[int, int], men: tuple[int, int], **population: object) -> list[Result]:
    """Prevalence of asthma of everybody and by sex, from how many have it and how many have not."""
    held = [1] * women[0] + [0] * women[1] + [1] * men[0] + [0] * men[1]
    frame = pl.DataFrame({"asthma": held, "sex": ["F"] * sum(women) + ["M"] * sum(men)})
    made = []
    for by in ((), ("sex",)):
        source = Provenance("Somerset", "one", population=population)
        made.append(
            sr.multimorbidity.prevalence(sr.Patterns.from_wide(frame, conditions=["asthma"], by=by, provenance=source))
        )
    return made


def test_two_small_counts_differ_by_less_than_both_are_and_nothing_is_found() -> None:
    # Asthma in 5 people on the programme, 2 of them women, and in 3 at the hub, none of them a woman. By the marks alone (1 to 7
    # each, and none) 1 to 7 women and so 1 to 6 people have it elsewhere: six numbers, one fewer than a small count has, which to
    # the nearest 10 must keep all seven. No number says so, and nothing that is suppressed could change it.
    policy = Policy.opensafely(rounding=10)
    programme = sr.suppress(sexes((2, 198), (3, 197), programme="hubs"), policy)
    hub = sr.suppress(sexes((0, 100), (3, 97), programme="hubs", hub="Yeovil"), policy, beside=programme)
    assert [one.estimates["n_persons"].to_list() for one in hub] == [[None], [0, None]]
    assert sr.check_differencing([*programme, *hub]) == ()


def test_events_are_compared_with_the_same_event_alone() -> None:
    def deaths(event: str, with_it: int, people: int, **population: object) -> Result:
        frame = pl.DataFrame(
            {"time": [20.0] * with_it + [80.0] * (people - with_it), "event": [1] * with_it + [0] * (people - with_it)}
        )
        found = sr.survival.kaplan_meier(frame, time="time", event="event", time_unit="days")
        settings = {**found.settings, "study": "Somerset", "population": {**population, "event": event}}
        return sr.suppress(type(found)(found.count_tables, settings, found.by), STRICT)

    programme = deaths("death", 100, 400, programme="hubs")
    assert kinds(programme, deaths("admission", 98, 250, programme="hubs", hub="Yeovil")) == []
    assert kinds(programme, deaths("death", 98, 250, programme="hubs", hub="Yeovil")) == ["difference"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"practice": "P1"}, {"hub": "Yeovil"}),  # a practice of the hub, for all that is said
        ({"until": "2018-03-31"}, {"until": "2018-06-30"}),  # this quarter and last
        ({"age": [18, 64]}, {"age": [18, 65]}),
        ({"min_conditions": 3}, {"min_conditions": 2}),
        ({"index": "2013-04-01"}, {"index": "2014-04-01"}),
        # what is asked of people does not make them others
        ({"hub": "Yeovil", "values": ["cost"]}, {"values": ["cost", "bed_days"], "months": 12}),
        ({"hub": "Yeovil", "conditions": 49}, {"conditions": 12, "on": "index"}),
    ],
)
def test_populations_that_may_be_nested_are_set_against_each_other(
    one: dict[str, object], other: dict[str, object]
) -> None:
    assert kinds(prevalence(98, 398, STRICT, **one), prevalence(100, 400, STRICT, **other)) == ["difference"]


def test_two_rules_on_one_study() -> None:
    found = sr.check_differencing([prevalence(100, 400), prevalence(100, 400, Policy.sacro())])
    assert [one.kind for one in found] == ["rules"]
    assert "one rule" in str(found[0])
    assert kinds(prevalence(100, 400), prevalence(100, 400, Policy.nhs_england(threshold=10))) == ["rules"]


def test_one_group_with_two_numbers() -> None:
    assert kinds(prevalence(100, 180), prevalence(100, 177)) == ["numbers"]
    assert "numbers" in kinds(prevalence(5, 180), prevalence(8, 180))
    assert kinds(prevalence(100, 180), prevalence(101, 181)) == []  # both are shown as 100 of 180


def of_one(with_it: int, without: int) -> list[Result]:
    patterns = sr.Patterns.from_wide(pl.DataFrame({"asthma": [1] * with_it + [0] * without}), conditions=["asthma"])
    return [sr.multimorbidity.condition_count(patterns), sr.multimorbidity.prevalence(patterns)]


def test_suppressed_counts_that_outputs_narrow_down_together() -> None:
    # 6 of 178: prevalence alone says 1 to 7 of 180 (178-182), and those without, shown as 170 (168-172), leave six or
    # seven. Suppressed beside the first, the second does not say so
    count, held = of_one(6, 172)
    beside = [sr.suppress(held, NHS)]
    beside.append(sr.suppress(count, NHS, beside=beside))
    assert sr.check_differencing(beside) == ()


def test_strata_beside_everybody_leave_a_few_of_the_third() -> None:
    # asthma in 28 of 128 women, 3 of 113 men, 31 of everybody: 30 (28-32) less 30 (28-32) leaves four men at most,
    # and alone nothing says so
    women, men = ([1] * 28 + [0] * 100, ["F"] * 128), ([1] * 3 + [0] * 110, ["M"] * 113)
    frame = pl.DataFrame({"asthma": women[0] + men[0], "sex": women[1] + men[1]})
    whole, sexes = (sr.Patterns.from_wide(frame, conditions=["asthma"], by=by) for by in ((), ("sex",)))
    made = [sr.multimorbidity.prevalence(patterns) for patterns in (whole, sexes)]
    found = sr.check_differencing([sr.suppress(one, NHS) for one in made])
    assert [one.kind for one in found] == ["inferable"]
    assert found[0].counts == 1
    assert "Suppress them together" in str(found[0])
    assert sr.check_differencing(sr.suppress(made, NHS)) == ()


def test_curves_of_nested_populations() -> None:
    def curve(days: list[int], **population: object) -> Result:
        frame = pl.DataFrame({"time": days, "event": [1] * len(days)})
        found = sr.survival.kaplan_meier(frame, time="time", event="event", time_unit="days")
        settings = {**found.settings, "study": "Somerset", "population": population}
        return sr.suppress(type(found)(found.count_tables, settings, found.by), STRICT)

    days = list(range(1, 101))
    # 100 and 98 people, both shown as 100: four at most are of the programme and not of the hub
    assert kinds(curve(days, programme="hubs"), curve(days[:-2], programme="hubs", hub="Yeovil")) == ["difference"]
    assert kinds(curve(days, programme="hubs"), curve(days[::3], programme="hubs", hub="Yeovil")) == []


def test_messages_name_outputs_and_hold_no_number_of_people() -> None:
    found = sr.check_differencing(
        [prevalence(100, 400, STRICT, programme="hubs"), prevalence(98, 398, STRICT, programme="hubs", hub="Yeovil")]
    )
    assert found[0].outputs == (
        "1. Prevalence of long-term conditions (hubs)",
        "2. Prevalence of long-term conditions (hubs, Yeovil)",
    )
    for number in ("98", "398", "100", "400"):
        assert number not in str(found[0])


def test_only_disclosed_results_are_checked() -> None:
    with pytest.raises(sr.DisclosureError):
        sr.check_differencing([prevalence(100, 400, None)])
    with pytest.raises(sr.ArgumentError):
        sr.check_differencing(["a table"])  # type: ignore[list-item]


def test_generated_data_need_no_check() -> None:
    patterns = sr.define_cohort(sr.example_study()).patterns()
    free = sr.suppress(sr.multimorbidity.prevalence(patterns), Policy.synthetic())
    assert sr.check_differencing([free, free]) == ()


def test_relations_are_read_back_from_a_record() -> None:
    frame = pl.DataFrame({"time": [40] * 30 + [20] * 30 + [50] * 30, "event": [1] * 30 + [2] * 30 + [0] * 30})
    curve = sr.suppress(
        sr.survival.cumulative_incidence(
            frame, time="time", event="event", time_unit="days", cause_names={1: "admission", 2: "death"}
        ),
        Policy.nhs_england(),
    )
    told, back = released_output(curve), output_from_record(as_output(curve))
    assert back is not None
    assert {type(one).__name__ for one in told.relations} == {"Partition", "Nested", "Same"}
    # somebody who is among others is a part of them
    wanted = {
        Partition(one.outer, (one.inner,), complete=False) if isinstance(one, Nested) else one for one in told.relations
    }
    assert set(back.relations) == wanted


@pytest.mark.parametrize("few", [40, 3])
def test_parts_that_may_share_people_are_read_back_and_beside_a_report_only_where_all_are_shown(few: int) -> None:
    # 90 people, of whom 80 are observed in the first year and 40, or 3, in the second
    def rate(table: dict[str, list[float]], by: tuple[str, ...]) -> sr.Result:
        source, sums = Provenance("s", "f", False, {"index": "2012-06-01"}), ("n_persons", "n_events", "person_years")
        return sr.survival.event_rate(Collapsed(pl.DataFrame(table), source, by, sums=sums, distinct_by=by))

    whole = rate({"n_persons": [90], "n_events": [20], "person_years": [80.0]}, ())
    years = {"year": [2012, 2013], "n_persons": [80, few], "n_events": [20, 0], "person_years": [40.0, 40.0]}
    _, by_year = sr.suppress([whole, rate(years, ("year",))], Policy.nhs_england())
    told, back = released_output(by_year), output_from_record(as_output(by_year))
    assert back is not None
    covers = {one for one in told.relations if isinstance(one, Covered)}
    # people, those with events and those without
    assert sum(all("observed in year" in str(part.state) for part in one.parts) for one in covers) == 3
    assert {one for one in back.relations if isinstance(one, Covered)} == covers
    beside = for_release(as_output(by_year))["published"]
    # everybody is counted by another result, so this one's record says it of the years alone: of nothing that is shown
    assert not [one for one in beside["relations"] if isinstance(one[2], list)]


def test_a_record_read_back_tells_the_same_and_its_file_names_no_suppressed_count() -> None:
    result = prevalence(3, 180, programme="hubs")
    output = as_output(result)
    told, back = released_output(result), output_from_record(output)
    assert back is not None

    def what(one: ReleasedOutput) -> list[tuple[object, ...]]:
        # where a count stands is not recorded, and not needed
        return sorted((cell.of, cell.table, cell.low, cell.high, cell.shown or -1, cell.primary) for cell in one.cells)

    assert what(back) == what(told)
    assert (back.people, back.predicates, back.policy, back.study) == (
        told.people,
        told.predicates,
        told.policy,
        told.study,
    )
    filed = for_release(output)
    # 180 people are shown and three with asthma are not: one count is filed, and nothing of how the other was suppressed
    shown = [cell for cell in output["published"]["cells"] if cell[-3] is not None]
    assert [cell[-3] for cell in filed["published"]["cells"]] == [cell[-3] for cell in shown] == [180]
    assert "for_output_checker" not in filed
    assert "asthma" not in json.dumps(filed["published"]["of"])
    assert output["suppressed"] == 1
    assert "Counts of 1 to 7 people were suppressed, and others rounded to the nearest 5." in output["done"]
    assert output["level"] == "default"
    with pytest.raises(sr.DisclosureError):
        as_output(prevalence(3, 180, None))


def test_people_excluded_step_by_step_are_compared_by_themselves() -> None:
    # counts that no relation speaks of stand in both: they are no unknowns of what all counts tell together
    study = sr.example_study()
    cohorts = [sr.define_cohort(study, age=age) for age in ((18, None), (24, None))]
    for one, other in (cohorts, cohorts[::-1]):
        first = sr.suppress([one.attrition, sr.multimorbidity.prevalence(one.patterns())], NHS)
        second = sr.suppress([other.attrition, sr.multimorbidity.prevalence(other.patterns())], NHS)
        assert {finding.kind for finding in sr.check_differencing([*first, *second])} <= {"difference"}
