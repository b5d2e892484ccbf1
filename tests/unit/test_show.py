"""Figures show what a result holds and no more: read off the drawn artists, not the pixels."""

import dataclasses
import importlib
import itertools
import os
from datetime import date

import matplotlib

matplotlib.use("agg")

import numpy as np
import polars as pl
import pytest
from matplotlib import pyplot as plt
from matplotlib.text import Text

from symphony_research import multimorbidity, networks, survival
from symphony_research.cohort import Attrition
from symphony_research.collapse import Patterns
from symphony_research.disclosure import suppress
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.policy import Policy
from symphony_research.result import Provenance
from symphony_research.result.mode import report_mode
from symphony_research.show.frame import NOTHING
from symphony_research.words.lexicon import SUPPRESSED
from symphony_research.words.phrases import joined

room = importlib.import_module("symphony_research.show")
NHS = Policy.nhs_england()

LONG = [
    "chronic_obstructive_pulmonary_disease",
    "inflammatory_bowel_disease_of_unknown_cause",
    "gastro_oesophageal_reflux",
    "peripheral_vascular_disease",
    "coronary_heart_disease",
    "schizophrenia_or_bipolar_disorder",
]


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def people(n=4000, conditions=8, seed=5, by=()):
    """People with linked conditions, a few long names among them, a cost and a sex."""
    random = np.random.default_rng(seed)
    names = [*LONG, *(f"condition_{k:02d}" for k in range(conditions))][:conditions]
    frailty = random.gamma(0.7, 1.4, n)
    held = {
        name: random.random(n) < 1 - np.exp(-frailty * rate)
        for name, rate in zip(names, np.geomspace(0.25, 0.004, conditions), strict=True)
    }
    frame = pl.DataFrame(
        {**held, "sex": random.choice(["F", "M"], n), "cost": np.round(random.gamma(1, 900 * (1 + frailty)), 2)}
    )
    return Patterns.from_wide(frame, conditions=names, by=by, values=("cost",))


def times(n=900, seed=3, causes=2, days=730):
    random = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "time": np.ceil(random.exponential(600, n)).clip(1, days),
            "event": random.integers(0, causes + 1, n),
            "hub": random.choice(["Yeovil and the villages round about it", "Chard"], n),
        }
    ).with_columns(pl.when(pl.col("time") == days).then(0).otherwise("event").alias("event"))


def curve(n=900, by=(), **options):
    return survival.cumulative_incidence(
        times(n), time="time", event="event", by=by, time_unit="days",
        cause_names={1: "emergency_admission", 2: "death"}, **options,
    )  # fmt: skip


def kept(n=900, by=()):
    frame = times(n, causes=1)
    return survival.kaplan_meier(frame, time="time", event="event", by=by, time_unit="days", event_name="readmission")


def orders(n=3000, seed=7):
    """Onsets of five conditions by sex and year of birth, the first before the second more often than expected."""
    random = np.random.default_rng(seed)
    persons = pl.DataFrame(
        {
            "person_id": range(n),
            "sex": random.choice(["F", "M"], n),
            "birth_date": [date(1940 + k % 20, 6, 1) for k in range(n)],
        }
    )
    first = random.integers(0, 9000, n)
    parts = []
    for k, name in enumerate(LONG[:5]):
        day = first + random.integers(-400, 4000, n) if k == 1 else random.integers(0, 9000, n) if k else first
        held = random.random(n) < 0.4
        parts.append(pl.DataFrame({"person_id": np.arange(n)[held], "condition": name, "day": day[held]}))
    records = pl.concat(parts).select(
        "person_id", "condition", (pl.lit(date(1985, 1, 1)) + pl.duration(days=pl.col("day"))).alias("onset_date")
    )
    return networks.sequences(records, persons=persons)


def attrition():
    table = pl.DataFrame(
        {
            "step": ["not registered with a practice on 1 April 2013", "of another sex", "studied"],
            "n_persons": [1206, 4, 8131],
        }
    )
    return Attrition({"steps": table}, {"start": "in the study"})


def texts(ax):
    """Every text a reader sees in the figure of these axes."""
    figure = ax.get_figure(root=True)
    figure.draw_without_rendering()
    found = list(figure.texts)
    for a in [*figure.axes, *(c for x in figure.axes for c in x.child_axes)]:
        found += [*a.texts, a.title, a._left_title, a._right_title]
        if a.get_legend():
            found += a.get_legend().findobj(Text)
        if not a.axison:
            continue
        for axis in (a.xaxis, a.yaxis):
            low, high = sorted(axis.get_view_interval())
            found.append(axis.label)
            for tick in axis.get_major_ticks():
                if low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    found.append(tick.label1)
    return [t for t in found if t.get_visible() and t.get_text().strip()]


def words(ax, gid=None):
    return [t.get_text() for t in texts(ax) if gid is None or t.get_gid() == gid]


def overlapping(ax):
    figure = ax.get_figure(root=True)
    shown = list(dict.fromkeys(texts(ax)))
    boxes = [(t.get_text(), t.get_window_extent(figure.canvas.get_renderer()).padded(-0.6)) for t in shown]
    return [(a, b) for (a, x), (b, y) in itertools.combinations(boxes, 2) if x.overlaps(y)]


def outside(ax):
    figure = ax.get_figure(root=True)
    page = figure.bbox.padded(1)
    drawn = [(t.get_text(), t.get_window_extent(figure.canvas.get_renderer())) for t in texts(ax)]
    return [text for text, b in drawn if b.x0 < page.x0 or b.x1 > page.x1 or b.y0 < page.y0 or b.y1 > page.y1]


RESULTS = {
    "curve": lambda: kept(),
    "curves": lambda: kept(by="hub"),
    "incidence": lambda: curve(),
    "incidences": lambda: curve(by="hub"),
    "few": lambda: curve(30),
    "exact": lambda: multimorbidity.combinations(people()),
    "at least": lambda: multimorbidity.combinations(people(conditions=49), kind="at_least", max_size=3, min_persons=9),
    "at least, adjusted": lambda: multimorbidity.combinations(
        people(by="sex"), kind="at_least", adjust="sex", max_size=2
    ),
    "further": lambda: multimorbidity.comorbidity_count(people(conditions=20)),
    "comorbidity_profile": lambda: multimorbidity.comorbidity_profile(
        people(by="sex"), condition=LONG[0], adjust="sex"
    ),
    "costs": lambda: multimorbidity.cost_interaction(people(by="sex"), adjust="sex"),
    "network, adjusted": lambda: networks.cooccurrence(people(by="sex"), adjust="sex"),
    "centrality": lambda: networks.centrality(networks.cooccurrence(people(conditions=30))),
    "sequences": lambda: orders(),
    "comparison": lambda: networks.compare(
        people(seed=1), people(seed=2), names=("Yeovil and the villages round", "everybody else"), permutations=19
    ),
    "count": lambda: multimorbidity.condition_count(people()),
    "count to a top": lambda: multimorbidity.condition_count(people(conditions=49), top=5),
    "count by": lambda: multimorbidity.condition_count(people(by="sex"), top=5),
    "prevalence": lambda: multimorbidity.prevalence(people()),
    "prevalence of 49": lambda: multimorbidity.prevalence(people(conditions=49)),
    "network": lambda: networks.cooccurrence(people()),
    "network of 49": lambda: networks.cooccurrence(people(conditions=49)),
    "attrition": attrition,
}


@pytest.mark.parametrize("name", RESULTS)
def test_no_two_texts_meet_and_none_leaves_the_page(name):
    result = RESULTS[name]()
    for r in (result, suppress(result, NHS)):
        ax = room.plot(r)
        assert overlapping(ax) == []
        assert outside(ax) == []


@pytest.mark.parametrize("conditions", [3, 8, 15, 49])
def test_no_two_texts_of_the_matrix_meet(conditions):
    ax = room.plot_cooccurrence_matrix(suppress(networks.cooccurrence(people(conditions=conditions)), NHS))
    assert overlapping(ax) == []
    assert outside(ax) == []


@pytest.mark.parametrize("edges", [5, 40, 200])
def test_no_circle_of_the_network_meets_another_or_a_name(edges):
    ax = room.plot_network(suppress(networks.cooccurrence(people(20_000, conditions=49)), NHS), top_edges=edges)
    assert overlapping(ax) == []
    renderer = ax.figure.canvas.get_renderer()
    circles = [(c, c.get_window_extent()) for c in ax.patches]
    for (_, a), (_, b) in itertools.combinations(circles, 2):
        assert not a.padded(-0.6).overlaps(b.padded(-0.6))
    names = [t for t in ax.texts if t.get_gid() == "node"]
    assert len(names) == len(circles)
    for name in names:
        box = name.get_window_extent(renderer).padded(-0.6)
        assert not any(box.overlaps(c.padded(-0.6)) for _, c in circles)


# person  time  how it ended            still followed at 0, 2, 4: whose time is not yet past
# ann       1   1 = admitted                6: all
# bob       2   2 = died                    5: all but ann; bob and cat leave at 2 itself
# cat       2   0 = censored         2: eve and fay
# dan       3   1                           at 6 nobody is followed any more: the curve has ended
# eve       4   0
# fay       5   2
SIX = pl.DataFrame({"time": [1, 2, 2, 3, 4, 5], "event": [1, 2, 0, 1, 0, 2]})


def at_risk(ax):
    """Numbers under the axes, by row from the top, each with the time it stands under."""
    rows = {}
    for t in ax.texts:
        if t.get_gid() == "at risk":
            rows.setdefault(-t.xyann[1], []).append((t.xy[0], t.get_text()))
    return [sorted(rows[k]) for k in sorted(rows)]


def test_people_still_followed_are_those_counted_by_hand_whatever_the_cause():
    ax = room.plot_survival(survival.cumulative_incidence(SIX, time="time", event="event"), times=[0, 2, 4, 6])
    assert at_risk(ax) == [[(0, "6"), (2, "5"), (4, "2"), (6, "[x]")]]
    assert "Number at risk" in words(ax)
    assert "[x] beyond the end of follow-up." in words(ax, "footnote")[0]


def test_a_stratum_has_a_row_of_its_own_under_the_ticks():
    frame = pl.concat([SIX.with_columns(sex=pl.lit("F")), SIX.head(2).with_columns(sex=pl.lit("M"))])
    ax = room.plot_survival(survival.cumulative_incidence(frame, time="time", event="event", by="sex"), times=[0, 2, 4])
    assert at_risk(ax) == [[(0, "6"), (2, "5"), (4, "2")], [(0, "2"), (2, "1"), (4, "[x]")]]
    assert words(ax, "at risk row") == ["women", "men"]
    assert list(ax.get_xticks()) == [0, 2, 4]


def test_curve_steps_at_the_hand_worked_shares():
    # six people: 1/6 admitted at 1; at 2 one of five dies: 5/6 x 1/5 = 1/6; at 3 one of three: 4/6 x 1/3 = 2/9
    ax = room.plot_survival(survival.cumulative_incidence(SIX, time="time", event="event"))
    admitted, died = ax.get_lines()[:2]
    assert admitted.get_drawstyle() == "steps-post"
    reached = dict(zip(admitted.get_xdata(), admitted.get_ydata(), strict=True))
    assert reached[0] == 0
    assert reached[1] == pytest.approx(100 / 6)
    assert reached[3] == pytest.approx(100 * (1 / 6 + 2 / 9))
    assert dict(zip(died.get_xdata(), died.get_ydata(), strict=True))[2] == pytest.approx(100 / 6)
    assert admitted.get_linestyle() != died.get_linestyle()


def test_long_times_in_days_are_read_in_months_or_years():
    ax = room.plot_survival(kept(), horizon=365)
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "3", "6", "9", "12"]
    assert ax.get_xlabel() == "Months since the start of follow-up"
    assert room.plot_survival(kept(), horizon=90).get_xlabel() == "Days since the start of follow-up"
    assert ax.get_ylim() == (0, 100)


def test_a_low_cumulative_incidence_is_drawn_on_a_scale_from_nought_that_shows_it():
    frame = pl.DataFrame({"time": [5, 9, 10], "event": [1, 2, 0], "n": [40, 20, 940]})
    result = survival.cumulative_incidence(frame, time="time", event="event", weights="n")
    assert room.plot_survival(result).get_ylim() == (0, 10)
    assert room.plot_survival(result, highest=100).get_ylim() == (0, 100)


def patterns_with_hidden():
    # people: 200 with none, 60 asthma, 40 asthma + stroke, 6 asthma + gout, 7 stroke + gout
    sets = [((), 200), (("asthma",), 60), (("asthma", "stroke"), 40), (("asthma", "gout"), 6), (("stroke", "gout"), 7)]
    rows = [
        {c: c in held for c in ("asthma", "stroke", "gout")} | {"cost": 100.0} for held, n in sets for _ in range(n)
    ]
    return Patterns.from_wide(pl.DataFrame(rows), conditions=["asthma", "stroke", "gout"], values=("cost",))


def numbers_drawn(ax):
    """Every number a bar, a circle or a text shows, apart from the rule in the footnote."""
    figure = ax.get_figure(root=True)
    drawn = set()
    for a in figure.axes:
        drawn |= {round(p.get_height(), 6) for p in a.patches if hasattr(p, "get_height")}
        drawn |= {round(p.get_width(), 6) for p in a.patches if hasattr(p, "get_width")}
    said = [t.get_text() for t in texts(ax) if t.get_gid() != "footnote"]
    return drawn, {word for text in said for word in text.split()}


def test_a_hidden_combination_is_nowhere_in_the_figure():
    result = suppress(multimorbidity.combinations(patterns_with_hidden()), NHS)
    ax = room.plot_upset(result)
    drawn, said = numbers_drawn(ax)
    assert [p.get_height() for p in ax.patches] == [40]
    assert drawn & {6, 7} == set()
    assert said & {"6", "7", "13"} == set()
    assert "gout" not in words(ax)
    assert "Combinations that are not drawn: nobody, 1–7 people, or suppressed" in " ".join(
        words(ax, "footnote")[0].split()
    )


def test_where_only_people_without_conditions_are_shown_nothing_is_drawn():
    frame = pl.DataFrame({"gout": [0] * 90 + [1] * 3})
    found = multimorbidity.combinations(Patterns.from_wide(frame, conditions=["gout"]), kind="exact", min_size=0)
    ax = room.plot_upset(suppress(found, NHS))
    assert not ax.patches
    assert ax.get_gid() == NOTHING


def test_percentages_are_of_everybody():
    ax = room.plot_upset(suppress(multimorbidity.combinations(patterns_with_hidden()), NHS))
    # 40 of 313 people, which is shown as 40 of 315
    assert "40\n13%" in words(ax)
    assert "Of about 315 people, with and without conditions." in " ".join(words(ax, "footnote")[0].split())


def test_a_suppressed_number_of_conditions_has_a_mark_and_no_bar():
    rows = [{"asthma": k > 0, "stroke": k > 1, "gout": k > 2} for k, n in enumerate([300, 80, 6, 20]) for _ in range(n)]
    patterns = Patterns.from_wide(pl.DataFrame(rows), conditions=["asthma", "stroke", "gout"])
    ax = room.plot_condition_count(suppress(multimorbidity.condition_count(patterns), NHS))
    assert sorted(round(p.get_x() + p.get_width() / 2) for p in ax.patches) == [0, 1, 3]
    stars = [t.xy[0] for t in ax.texts if t.get_text() == SUPPRESSED and t.get_gid() == "value"]
    assert stars == [2]
    assert f"{SUPPRESSED} suppressed by disclosure control." in words(ax, "footnote")[0]


def test_a_hidden_pair_has_no_line_and_a_hidden_condition_no_number():
    network = suppress(networks.cooccurrence(patterns_with_hidden()), NHS)
    ax = room.plot_network(network)
    assert {t.split("\n")[0] for t in words(ax, "node")} == {"asthma", "stroke"}
    matrix = room.plot_cooccurrence_matrix(network)
    assert words(matrix, "suppressed") == ["[c]", "[c]"]


def test_a_hidden_step_of_the_attrition_is_a_star():
    ax = room.plot_attrition(suppress(attrition(), NHS))
    said = words(ax, "box")
    assert "[c] people of another sex" in said
    assert any(text.startswith("8,130") for text in said)
    assert not any("4 people" in text for text in said)


def test_undisclosed_figure_says_so_and_a_disclosed_one_names_its_rule():
    result = multimorbidity.prevalence(patterns_with_hidden())
    few = result.small_counts()
    assert words(room.plot(result), "band") == [f"not for release: {few} small count{'' if few == 1 else 's'}"]
    disclosed = room.plot(suppress(result, NHS))
    assert words(disclosed, "band") == []
    assert NHS.title in " ".join(words(disclosed, "footnote")[0].split())


@pytest.mark.parametrize("name", ["curves", "exact", "count", "prevalence", "network", "attrition"])
def test_inside_a_report_nothing_undisclosed_is_shown(name):
    result = RESULTS[name]()
    with report_mode():
        for verb in (room.plot, room.picture, room.table, room.sentence):
            with pytest.raises(DisclosureError, match="suppress"):
                verb(result)
        assert room.plot(suppress(result, NHS)) is not None


@pytest.mark.parametrize("name", RESULTS)
def test_given_axes_are_drawn_in_and_keep_their_neighbours(name):
    figure, (left, right) = plt.subplots(1, 2, figsize=(18, 9))
    before = right.get_position().bounds
    ax = room.plot(suppress(RESULTS[name](), NHS), ax=left)
    assert ax is left
    assert ax.figure is figure
    assert right.get_position().bounds == before
    assert overlapping(ax) == []
    panels = [a.get_window_extent() for a in figure.axes if a is not right]
    assert all(box.x1 <= right.get_window_extent().x0 for box in panels)


def test_drawing_leaves_the_result_and_the_readers_settings_alone():
    result = suppress(multimorbidity.combinations(people()), NHS)
    before, size = result.estimates.clone(), matplotlib.rcParams["font.size"]
    matplotlib.rcParams["font.size"] = 21
    try:
        first = room.picture(result)
        assert matplotlib.rcParams["font.size"] == 21
    finally:
        matplotlib.rcParams["font.size"] = size
    assert result.estimates.equals(before)
    # nor does the reader's setting change the picture
    assert room.picture(result).png == first.png


def test_strata_must_be_picked_and_are_named_in_words():
    by_sex = suppress(multimorbidity.combinations(people(by="sex")), NHS)
    with pytest.raises(ArgumentError, match="stratum="):
        room.plot_upset(by_sex)
    ax = room.plot_upset(by_sex, stratum={"sex": "F"})
    assert ax.get_title(loc="left").startswith("Women")
    with pytest.raises(ArgumentError, match="no such stratum"):
        room.plot_upset(by_sex, stratum={"sex": "Z"})
    with pytest.raises(ArgumentError, match="no strata"):
        room.plot_upset(multimorbidity.combinations(people()), stratum={"sex": "F"})
    pairs = suppress(networks.cooccurrence(people(by="sex")), NHS)
    for function in (room.plot_network, room.plot_cooccurrence_matrix):
        with pytest.raises(ArgumentError, match="stratum="):
            function(pairs)
        assert function(pairs, stratum={"sex": "M"}).get_title(loc="left").startswith("Men")


def test_a_family_without_a_figure_points_to_its_table():
    frame = times(causes=1)
    test = survival.logrank_test(frame, time="time", event="event", by="hub")
    with pytest.raises(ArgumentError, match=r"has no figure; sr\.table\(result\)"):
        room.plot(test)
    with pytest.raises(ArgumentError, match="takes a Result"):
        room.plot(frame)
    with pytest.raises(ArgumentError, match=r"multimorbidity\.combinations"):
        room.plot_upset(attrition())
    with pytest.raises(ArgumentError, match="measure"):
        room.plot_network(networks.cooccurrence(people()), measure="strength")


def test_where_nothing_is_large_enough_the_figure_says_so():
    few = people(12, conditions=5)
    for result in (
        multimorbidity.combinations(few), multimorbidity.prevalence(few), networks.cooccurrence(few),
        survival.kaplan_meier(
            SIX.with_columns(event=pl.col("event").clip(0, 1)), time="time", event="event", time_unit="months"
        ),
    ):  # fmt: skip
        ax = room.plot(suppress(result, NHS))
        assert not ax.patches
        assert not ax.get_lines()
        assert ax.get_title(loc="left")


def test_the_room_is_light_to_enter():
    import subprocess
    import sys

    heavy = ("matplotlib", "seaborn", "networkx")
    code = f"import sys, symphony_research.show; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"


def test_the_caution_about_exact_sets_is_told():
    assert "not protection" in room.EXACT_SET_CAUTION
    ax = room.plot_upset(suppress(multimorbidity.combinations(people()), NHS))
    assert "not protection" in " ".join(words(ax, "footnote")[0].split())
    assert "with exactly these conditions" in [" ".join(t.split()) for t in words(ax, "panel")]
    many = suppress(multimorbidity.combinations(people(), kind="at_least"), NHS)
    assert any("perhaps with" in t for t in words(room.plot_upset(many), "panel"))


def admissions(women, men, women_followed=40, men_followed=40):
    """Women and men of whom so many are admitted, one a day from the first day; the others are followed for 60 days."""
    rows = [(d, 1, s) for s, n in (("F", women), ("M", men)) for d in range(1, n + 1)]
    rows += [(60, 0, s) for s, n in (("F", women_followed - women), ("M", men_followed - men)) for _ in range(n)]
    frame = pl.DataFrame(rows, schema=["time", "event", "sex"], orient="row")
    return survival.cumulative_incidence(frame, time="time", event="event", by="sex", time_unit="days",
                                         cause_names={1: "admission"})  # fmt: skip


def test_what_is_suppressed_is_not_drawn_as_nobody():
    # by day 30 25 of 40 women and 7 of 40 men have been admitted: 25 of 40 is drawn, and the men's seven are no zero
    result = suppress(admissions(25, 7), NHS)
    men = result.estimates.filter(pl.col("sex") == "M", pl.col("time") > 0)
    assert men["n_events"].null_count() == men.height
    ax = room.plot_survival(result)
    note = " ".join(words(ax, "footnote")[0].split())
    assert "Suppressed by disclosure control and not drawn: men." in note
    for line in ax.get_lines():
        # of what is drawn no share after the start is zero
        assert all(y > 0 for x, y in zip(*line.get_data(), strict=True) if x > 0)
    # exact counts are drawn from the start, for both
    exact = room.plot_survival(admissions(25, 7))
    assert [min(line.get_xdata()) for line in exact.get_lines()] == [0, 0]
    assert "not drawn" not in words(exact, "footnote")[0]


def test_a_group_of_few_is_named_as_suppressed():
    # two men, six followed in all: a group of six has no curve, and the figure says which it is
    result = suppress(admissions(25, 2, men_followed=6), NHS)
    assert (
        result.estimates.filter(pl.col("sex") == "M")["estimate"].null_count()
        == result.estimates.filter(pl.col("sex") == "M").height
    )
    assert "men" in result.sentence()
    assert "(men [c])" in result.sentence()
    note = " ".join(words(room.plot_survival(result), "footnote")[0].split())
    assert "Suppressed by disclosure control and not drawn: men." in note


def test_a_group_is_not_lost_from_the_finding_because_its_first_step_comes_late():
    frame = pl.DataFrame({"time": [1, 2, 9, 9], "event": [1, 0, 1, 0], "sex": ["F", "F", "M", "M"]})
    said = survival.kaplan_meier(frame, time="time", event="event", by="sex").sentence()
    # by 2, when the last woman's follow-up ends, one of two women and neither of two men; the log of the women's half
    # has the variance 1 / (2 x 1), so its limits are exp(-+1.96 x 0.7071) = 1/4 and 4 times a half, at most all
    assert (
        said
        == "At time 2, 50% (95% CI 13 to 100) of women and 100% of men had not had the event. Their intervals overlap, which shows neither that they differ nor that they are the same."
    )


def test_a_finding_is_read_at_a_whole_month():
    # 40 people followed for 291 days, one admitted each day from the first to the 20th: half, by nine months (274 days)
    frame = pl.DataFrame({"time": [*range(1, 21), *[291] * 20], "event": [1] * 20 + [0] * 20})
    curve = survival.kaplan_meier(frame, time="time", event="event", time_unit="days", event_name="admission")
    # Greenwood's sum from 40 down to 20 at risk is 1/20 - 1/40, so the limits are exp(-+1.96 x 0.1581) = 0.733, 1.363 times a half
    assert curve.sentence() == "At 180 days, 50% (95% CI 37 to 68) of people had no hospital admission."


def test_a_scale_that_ends_below_a_hundred_says_so():
    frame = pl.DataFrame({"time": [5, 9, 10], "event": [1, 2, 0], "n": [40, 20, 940]})
    result = survival.cumulative_incidence(frame, time="time", event="event", weights="n")
    assert "The scale ends at 10%." in words(room.plot_survival(result), "footnote")[0]
    assert not any("scale ends" in note for note in words(room.plot_survival(result, highest=100), "footnote"))


def test_the_cost_of_a_combination_has_its_time_and_everybody_to_compare_with():
    # 40 people with asthma and stroke cost 300 each, 160 others 50 each: everybody 100 on average
    rows = [{"asthma": 1, "stroke": 1, "cost": 300.0}] * 40 + [{"asthma": 0, "stroke": 0, "cost": 50.0}] * 160
    provenance = Provenance(population={"months": 12, "index": "2011-04-01"})
    patterns = Patterns.from_wide(
        pl.DataFrame(rows), conditions=["asthma", "stroke"], values=("cost",), provenance=provenance
    )
    for by_rule in (lambda r: r, lambda r: suppress(r, NHS)):
        result = by_rule(multimorbidity.combinations(patterns))
        ax = room.plot_upset(result)
        told = " ".join(" ".join(t.split()) for t in words(ax, "panel"))
        assert "£ per person in the 12 months from 1 April 2011; dashed: everybody, £100" in told
        panel = next(a for a in ax.figure.axes if a.get_label() == "cost")
        assert [set(line.get_ydata()) for line in panel.get_lines() if line.get_linestyle() != "-"] == [{100.0}]
        made = room.table(result).html
        assert "Mean cost per person in the 12 months from 1 April 2011" in made
        assert "£300" in made


def test_where_a_rule_hides_means_there_is_no_comparison_either():
    strict = dataclasses.replace(Policy.sacro(), dominance=(2, 0.001))  # no sum is spread so widely
    result = suppress(multimorbidity.combinations(people()), strict)
    assert result.count_tables["population"]["mean_cost"].null_count() == 1
    assert "dashed: everybody" not in " ".join(" ".join(words(room.plot_upset(result), "panel")).split())


def test_values_of_the_ratio_panel_have_no_line_or_tick_beside_them():
    ax = room.plot_upset(multimorbidity.combinations(people(conditions=49), kind="at_least", max_size=3, min_persons=9))
    panel = next(a for a in ax.figure.axes if a.get_label() == "ratio")
    ax.figure.draw_without_rendering()
    values = [t.get_window_extent() for t in panel.texts if t.get_gid() == "value"]
    assert values
    lowest = min(box.y0 for box in values)
    ticks = [panel.transData.transform((0, t))[1] for t in panel.get_yticks()]
    assert max(ticks) < lowest


def test_the_last_number_of_conditions_reads_or_more():
    count = suppress(multimorbidity.condition_count(people(conditions=49), top=5), NHS)
    made = room.table(count).html
    assert ">5 or more<" in made
    assert ">4<" in made


def test_no_line_of_the_grid_runs_through_the_legend():
    ax = room.plot_condition_count(multimorbidity.condition_count(people()))
    frame = ax.get_legend().get_frame()
    assert frame.get_visible()
    assert frame.get_alpha() == 1
    assert frame.get_facecolor() == (1, 1, 1, 1)


def test_names_cover_the_lines_of_the_network_and_a_key_says_what_a_line_means():
    ax = room.plot_network(suppress(networks.cooccurrence(people(20_000, conditions=49)), NHS))
    for name in (t for t in ax.texts if t.get_gid() == "node"):
        assert name.get_bbox_patch().get_facecolor() == (1, 1, 1, 1)
        assert name.get_zorder() > max(c.get_zorder() for c in ax.collections)
    legend = ax.get_legend()
    assert legend.get_title().get_text() == "Observed/expected ratio"
    widths = [line.get_linewidth() for line in legend.get_lines() if line.get_linestyle() == "-"]
    assert widths == sorted(widths)
    assert len(widths) == 3
    assert "people with the condition" in " ".join(words(ax, "footnote")[0].split())


def test_the_matrix_keeps_the_commonest_and_tells_nobody_from_chance():
    network = suppress(networks.cooccurrence(people(conditions=49)), NHS)
    ax = room.plot_cooccurrence_matrix(network)
    named = {t.get_text() for t in [*ax.get_xticklabels(), *ax.get_yticklabels()]}
    held = pl.concat(
        [network.estimates.select(pl.col(e).alias("c"), pl.col(f"n_{e}").alias("n")) for e in ("source", "target")]
    )
    commonest = held.unique("c").sort(["n", "c"], descending=[True, False])["c"].to_list()[:25]
    assert named == {c.replace("_", " ").replace("gastro o", "gastro-o") for c in commonest}
    assert "The 25 commonest of 49 conditions." in " ".join(words(ax, "footnote")[0].split())
    # 30 people with each condition, nobody with two of them: the cell is grey, which no colour of the scale is
    rows = [{"a": 1, "b": 0, "c": 0}] * 30 + [{"a": 0, "b": 1, "c": 1}] * 30 + [{"a": 0, "b": 0, "c": 0}] * 30
    apart = networks.cooccurrence(Patterns.from_wide(pl.DataFrame(rows), conditions=["a", "b", "c"]))
    grey = [p for p in room.plot_cooccurrence_matrix(apart).patches if p.get_gid() == "nobody"]
    assert len(grey) == 2
    red, green, blue = grey[0].get_facecolor()[:3]
    assert max(red, green, blue) < 0.95
    assert abs(red - blue) < 0.1


def test_rows_without_a_figure_do_not_fill_a_table_unless_there_is_room():
    # 10 women with asthma; 3 with stroke, 2 with gout: with room for two rows the suppressed ones are counted, not listed
    rows = [((c,), n) for c, n in (("asthma", 10), ("stroke", 3), ("gout", 2))]
    frame = pl.DataFrame(
        [{c: c in held for c in ("asthma", "stroke", "gout")} | {"sex": "F"} for held, n in rows for _ in range(n)]
    )
    held = suppress(
        multimorbidity.prevalence(Patterns.from_wide(frame, conditions=["asthma", "stroke", "gout"], by="sex")), NHS
    )
    short = room.cross_table(held, rows="condition", columns="sex", most=2).html
    assert "Stroke" not in short
    assert "and 2 rows without a cell that may be shown" in short
    assert room.cross_table(held, rows="condition", columns="sex").html.count(">[c]<") == 2


def test_a_table_counts_what_it_leaves_out_by_kind():
    # pairs of four: a-b 20 people, a-c 20, b-c 0, a-d 3, b-d 0, c-d 0; d is held by 23
    rows = [("a", "b")] * 20 + [("a", "c")] * 20 + [("a", "d")] * 3 + [("d",)] * 20 + [()] * 60
    frame = pl.DataFrame([{c: c in held for c in "abcd"} for held in rows])
    network = suppress(networks.cooccurrence(Patterns.from_wide(frame, conditions=list("abcd"))), NHS)
    made = room.table(network, sort="lower", rows=1).html
    assert "and 1 more row, 1 suppressed, 3 of nobody" in made
    assert "Sorted by 95% CI, lower, largest first." in made


def test_an_excess_is_a_mark_with_its_interval_beside_a_line_at_nought_in_pounds():
    found = suppress(multimorbidity.cost_interaction(people(by="sex"), adjust="sex"), NHS)
    ax = room.plot_cost_interaction(found, top=6)
    drawn = [t.get_text().replace("\n", " ").lower() for t in ax.get_yticklabels()]
    rows = {joined(r["combination"]).lower(): r for r in found.estimates.to_dicts()}
    marks = [line for line in ax.get_lines() if len(line.get_xdata()) == 1 and line.get_marker() != "None"]
    assert len(marks) == len(drawn) == found.estimates.drop_nulls(["n_persons", "excess", "total"]).head(6).height > 2
    for mark, name in zip(marks, drawn, strict=True):
        assert mark.get_xdata()[0] == pytest.approx(rows[name]["excess"])
    intervals = [tuple(line.get_xdata()) for line in ax.get_lines() if len(line.get_xdata()) == 2]
    for name in drawn:
        record = rows[name]
        assert (record["excess_lower"], record["excess_upper"]) in intervals
    assert (0, 0) in intervals
    assert ax.get_xlabel() == "Excess over additivity, £ per person"
    assert any("additive, adjusted for sex" in " ".join(text.split()) for text in words(ax, "footnote"))


def test_figures_say_what_is_adjusted_for():
    crude = room.plot_upset(multimorbidity.combinations(people(), kind="at_least"))
    assert any("Expected if conditions were independent. Crude: not" in text for text in words(crude, "footnote"))
    network = networks.cooccurrence(people(by="sex"), adjust="sex")
    assert any("Adjusted for sex." in text for text in words(room.plot_network(network), "footnote"))
    phi = room.plot_cooccurrence_matrix(network, measure="phi")
    assert any("crude: not adjusted" in text for text in words(phi, "footnote"))


def test_suppressed_comorbidities_and_costs_are_not_named():
    for found in (
        multimorbidity.comorbidity_profile(people(400), condition=LONG[0]),
        multimorbidity.cost_interaction(people(400), kind="at_least", min_persons=1),
        multimorbidity.combinations(people(400)),
    ):
        safe = suppress(found, NHS)
        hidden = safe.estimates["n_persons"].null_count()
        assert hidden
        assert safe.named.height == safe.estimates.height - hidden
        shown = room.table(safe, rows=500)._repr_html_()
        assert shown.count("<tr>") - 1 == safe.named.height
        # nor where the result shows itself
        assert safe._repr_html_().count("<tr>") - 1 == min(safe.named.height, 20)
        # nor is it said how many they are
        assert "that are not listed: nobody, 1–7 people, or suppressed so that another cannot be inferred." in shown
        assert str(hidden) not in shown.rpartition("that are not listed")[2].partition("Disclosure rule")[0]


def two_blocks(strong, n=3000, seed=3):
    """Two blocks of three conditions each; where they are not strong, nothing holds a block together."""
    random = np.random.default_rng(seed)
    blocks = [random.random(n) < 0.25 for _ in range(2)]
    held = {}
    for k, name in enumerate("abcdef"):
        more = blocks[k // 3] if strong else random.random(n) < 0.25
        held[f"{name}_condition"] = random.random(n) < np.where(more, 0.6, 0.08)
    return Patterns.from_wide(pl.DataFrame(held), conditions=list(held))


def test_communities_are_coloured_and_lettered_only_where_they_are_stable():
    from matplotlib.patches import Circle

    patterns = two_blocks(strong=True)
    network = networks.cooccurrence(patterns)
    found = networks.communities(network, seed=1, patterns=patterns, resamples=20)
    assert found.estimates["stability"].min() > 0.75
    ax = room.plot_network(network, communities=found)
    circles = [patch.get_facecolor() for patch in ax.patches if isinstance(patch, Circle)]
    labels = sorted(t.get_text() for t in ax.texts if t.get_gid() == "node")
    assert len(circles) == len(labels) == 6
    # the three of a block stand together in the alphabet
    assert len(set(circles[:3])) == len(set(circles[3:])) == 1
    assert circles[0] != circles[3]
    assert len({label[-1] for label in labels[:3]}) == len({label[-1] for label in labels[3:]}) == 1
    key = [t.get_text() for t in ax.get_legend().get_texts()]
    assert {"Community A", "Community B"} <= set(key)
    # not known to be stable, or not stable: no colours, and the figure says so
    for uncertain in (
        networks.communities(network, seed=1),
        dataclasses.replace(found, count_tables={
            **found.count_tables, "pairs": found.count_tables["pairs"].with_columns(pl.col("together") * 0.5)
        }),
    ):  # fmt: skip
        plain = room.plot_network(network, communities=uncertain)
        assert len({patch.get_facecolor() for patch in plain.patches if isinstance(patch, Circle)}) == 1
        assert "Communities not coloured" in " ".join(words(plain, "footnote")[0].split())
    with pytest.raises(ArgumentError, match="under different rules"):
        room.plot_network(suppress(network, NHS), communities=found)
    with pytest.raises(ArgumentError, match=r"networks\.communities"):
        room.plot_network(network, communities=network)


# -- names of any length ----------------------------------------------------------------------------------------

TEAM = "The neighbourhood team of the northern villages and the market town with its surgeries"


def survival_by_group(names):
    r, rows = np.random.default_rng(1), 200 * len(names)
    frame = pl.DataFrame({"time": r.integers(1, 365, rows), "event": r.integers(0, 2, rows), "team": names * 200})
    return survival.kaplan_meier(frame, time="time", event="event", by="team", time_unit="days")


def counts_by_group(names):
    r, rows = np.random.default_rng(1), 200 * len(names)
    frame = pl.DataFrame({**{c: r.random(rows) < 0.4 for c in "abcd"}, "team": names * 200})
    return multimorbidity.condition_count(Patterns.from_wide(frame, conditions=list("abcd"), by="team"))


@pytest.mark.parametrize("length", [3, 20, 80])
@pytest.mark.parametrize("groups", [1, 2, 5, 12])
@pytest.mark.parametrize("made", [survival_by_group, counts_by_group])
def test_names_of_groups_leave_half_the_width_and_meet_nothing(made, groups, length):
    ax = room.plot(made([f"{chr(65 + k)}{k} {TEAM}"[:length].strip() for k in range(groups)]))
    ax.figure.canvas.draw()
    assert ax.get_window_extent().width >= 0.5 * ax.figure.bbox.width
    assert overlapping(ax) == []
    assert outside(ax) == []


@pytest.mark.parametrize("groups", [1, 2, 3, 4])
def test_intervals_are_bands_of_up_to_two_groups_and_bars_where_the_curve_ends_of_more(groups):
    # bands of three and more lie over each other and are one grey
    result = survival_by_group([f"hub {k}" for k in range(groups)])
    ax = room.plot(result)
    bars = [line for line in ax.get_lines() if line.get_gid() == "interval"]
    assert len(ax.collections) == (groups if groups <= 2 else 0)
    assert len(bars) == (groups if groups > 2 else 0)
    for bar, name in zip(reversed(bars), sorted(result.estimates["team"].unique()), strict=False):
        last = result.estimates.filter(team=name).drop_nulls("lower").sort("time").tail(1)
        assert list(bar.get_ydata()) == pytest.approx([100 * last["lower"][0], 100 * last["upper"][0]])
    said = " ".join(t.get_text() for legend in ax.figure.legends or [ax.get_legend()] for t in legend.get_texts())
    assert ("Shading: 95% CI" in said) == (groups <= 2)
    assert ("Bars: 95% CI where a curve ends" in said) == (groups > 2)


def test_a_title_says_how_many_of_the_groups_it_compares():
    # of four, one is followed for less than a month
    frame = pl.DataFrame(
        {"time": [400] * 80 + [20] * 40, "event": [0] * 120, "team": ["a"] * 40 + ["b"] * 40 + ["c"] * 40}
    )
    early = pl.DataFrame({"time": [10] * 60, "event": [1] * 60, "team": ["a", "b", "d"] * 20})
    both = pl.concat([frame, early, pl.DataFrame({"time": [400] * 40, "event": [0] * 40, "team": ["d"] * 40})])
    ax = room.plot(
        survival.kaplan_meier(both, time="time", event="event", by="team", time_unit="days", event_name="admission")
    )
    assert "3 of the 4 groups" in " ".join(ax.get_title(loc="left").split())


def test_a_count_of_conditions_is_drawn_of_everybody_also_where_groups_are_suppressed():
    held = [""] * 20 + ["a"] * 4 + ["ab"] * 20  # four people with one condition are suppressed
    frame = pl.DataFrame({letter: [letter in one for one in held] for letter in "ab"})
    count = suppress(multimorbidity.condition_count(Patterns.from_wide(frame, conditions=["a", "b"])), NHS)
    assert count.estimates["n_persons"].to_list() == [20, None, 20]
    ax = room.plot_condition_count(count)
    diamonds = next(c for c in ax.collections if "independent" in str(c.get_label())).get_offsets()[:, 1]
    # of 44 people, shown as 45; of the 40 in the groups shown it would be an eighth too much
    told = count.estimates["expected"].drop_nulls().to_list()
    assert list(diamonds) == pytest.approx([100 * expected / 45 for expected in told])


def test_where_all_that_may_be_shown_is_nobody_there_is_no_picture_and_no_commonest_condition():
    # twenty people, five with none of thirty conditions, five with one, with two, with three; the conditions go round
    size = [k // 5 for k in range(20)]
    held = [{(size[k] + k % 5 + j) % 30 for j in range(size[k])} for k in range(20)]
    frame = pl.DataFrame({f"c{k}": [k in one for one in held] for k in range(30)})
    patterns = Patterns.from_wide(frame, conditions=frame.columns)
    count = suppress(multimorbidity.condition_count(patterns, top=4), NHS)
    assert count.estimates["n_persons"].to_list() == [None, None, None, None, 0]
    assert room.picture(count).text.startswith("No group with two or more conditions is large enough to show.")
    prevalence = suppress(multimorbidity.prevalence(patterns), NHS)
    assert set(prevalence.estimates["n_persons"]) == {None, 0}
    assert prevalence.sentence() == "No condition is held by enough people to show."
