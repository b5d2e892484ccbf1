"""A title says what its figure draws and its test supports, every colour has a key, and alt text tells the chart.

Every family's figure is made on several studies: one large and linked, one of few people, one whose names are long,
and one of independent conditions, where nothing is to be found.
"""

import dataclasses
import importlib
import re
from datetime import date, timedelta
from functools import cache

import matplotlib

matplotlib.use("agg")

import numpy as np
import polars as pl
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from symphony_research import multimorbidity, networks, survival
from symphony_research.cohort import Attrition
from symphony_research.collapse import Patterns
from symphony_research.disclosure import suppress
from symphony_research.inference import FOUND
from symphony_research.policy import Policy
from symphony_research.result import Provenance
from symphony_research.show.frame import DESCRIBED, NOTHING, bare_figures
from symphony_research.show.overlaps import overlap_note, overlapping_pairs
from symphony_research.show.style import darker
from symphony_research.show.time_axis import grid_ticks
from symphony_research.words.lexicon import in_words
from symphony_research.words.numbers import percentage
from symphony_research.words.phrases import fitting, overlap, share_with_interval

room = importlib.import_module("symphony_research.show")
NHS = Policy.nhs_england()
KINDS = (
    "Bar chart", "Stacked bar chart", "UpSet plot", "Forest plot", "Network", "Heat map", "Dot plot", "Line chart",
    "Flow chart", "Nothing is drawn",
)  # fmt: skip
LONG_TEAM = "The neighbourhood team of the northern villages and the market town with its surgeries"


@dataclasses.dataclass(frozen=True)
class World:
    """A study of so many people with so many conditions, linked by frailty or not."""

    people: int
    names: tuple[str, ...]
    linked: bool
    groups: tuple[str, ...] = ("Yeovil", "Chard")
    seed: int = 11

    def frame(self, seed=0):
        random = np.random.default_rng(self.seed + seed)
        n = self.people
        frailty = random.gamma(0.6, 1.6, n) if self.linked else np.ones(n)
        rates = np.geomspace(0.3, 0.02, len(self.names))
        held = {c: random.random(n) < 1 - np.exp(-frailty * rate) for c, rate in zip(self.names, rates, strict=True)}
        cost = random.gamma(1, 900 * (1 + 2 * frailty))
        return pl.DataFrame(
            {
                **held,
                "sex": random.choice(["F", "M"], n),
                "team": random.choice(self.groups, n),
                "cost": np.round(cost, 2),
            }
        )

    def patterns(self, by=(), seed=0):
        provenance = Provenance(study="Somewhere", population={"index": "2011-04-01", "months": 12})
        return Patterns.from_wide(
            self.frame(seed), conditions=list(self.names), by=by, values=("cost",), provenance=provenance
        )

    def times(self):
        random = np.random.default_rng(self.seed)
        n = self.people
        frame = pl.DataFrame({
            "time": np.ceil(random.exponential(300, n)).clip(1, 365),
            "event": random.integers(0, 3, n), "team": random.choice(self.groups, n),
        })  # fmt: skip
        return frame.with_columns(pl.when(pl.col("time") == 365).then(0).otherwise("event").alias("event"))


SHORT = ("hypertension", "asthma", "diabetes", "copd", "stroke", "gout", "angina", "coronary_heart_disease")
LONG = tuple(f"{c}_of_unknown_cause_with_or_without_complications_in_either_side" for c in SHORT)
WORLDS = {
    "large": World(6000, SHORT, True),
    "few": World(60, SHORT, True, groups=("The only hub",)),
    "some": World(400, SHORT[:5], True, groups=("North", "South", "East", "West")),
    "long names": World(900, LONG, True, groups=(f"A {LONG_TEAM}", f"B {LONG_TEAM}")),
    "independent": World(900, tuple(f"condition_{k}" for k in "abcdef"), False),
}
CAUSES = {"time_unit": "days", "cause_names": {1: "emergency_admission", 2: "death"}}


def curves(world, by, kind):
    frame = world.times()
    if kind == "incidence":
        return survival.cumulative_incidence(frame, time="time", event="event", by=by, **CAUSES)
    frame = frame.with_columns(pl.col("event").clip(0, 1))
    return survival.kaplan_meier(frame, time="time", event="event", by=by, time_unit="days", event_name="death")


def orders(world):
    random = np.random.default_rng(world.seed)
    n, first = world.people, date(1985, 1, 1)
    persons = pl.DataFrame({
        "person_id": range(n), "sex": random.choice(["F", "M"], n), "birth_date": [date(1940 + k % 10, 6, 1) for k in range(n)],
    })  # fmt: skip
    begun = random.integers(0, 6000, n)
    parts = []
    for k, name in enumerate(world.names[:4]):
        day = begun + (random.integers(-300, 3000, n) if k and world.linked else random.integers(0, 3000, n))
        held = random.random(n) < 0.5
        days = [first + timedelta(days=int(d)) for d in day[held]]
        parts.append(pl.DataFrame({"person_id": np.arange(n)[held], "condition": name, "onset_date": days}))
    return networks.sequences(pl.concat(parts), persons=persons)


def attrition(world):
    table = pl.DataFrame({"step": ["of another sex", "studied"], "n_persons": [world.people // 3, world.people]})
    return Attrition({"steps": table}, {"start": "in the study"})


def compared(world):
    return networks.compare(
        world.patterns(), world.patterns(seed=1), names=(world.groups[0], "everybody else"), permutations=39
    )


FIGURES = {
    "attrition": (attrition, None, {}),
    "count": (lambda w: multimorbidity.condition_count(w.patterns(), top=4), None, {}),
    "count by": (lambda w: multimorbidity.condition_count(w.patterns(by="team"), top=3), None, {}),
    "prevalence": (lambda w: multimorbidity.prevalence(w.patterns()), None, {}),
    "further": (lambda w: multimorbidity.comorbidity_count(w.patterns()), None, {}),
    "comorbidities": (lambda w: multimorbidity.comorbidity_profile(w.patterns(by="sex"), adjust="sex"), None, {}),
    "exact": (lambda w: multimorbidity.combinations(w.patterns(by="sex"), adjust="sex"), None, {"top": 6}),
    "at least": (lambda w: multimorbidity.combinations(w.patterns(), kind="at_least", max_size=3), None, {"top": 5}),
    "costs": (lambda w: multimorbidity.cost_interaction(w.patterns(by="sex"), adjust="sex"), None, {"top": 5}),
    "network": (lambda w: networks.cooccurrence(w.patterns()), None, {"top_edges": 5}),
    "matrix": (lambda w: networks.cooccurrence(w.patterns()), room.plot_cooccurrence_matrix, {"top": 6}),
    "centrality": (lambda w: networks.centrality(networks.cooccurrence(w.patterns())), None, {"top": 3}),
    "sequences": (orders, None, {"top": 3}),
    "comparison": (compared, None, {"top": 4}),
    "survival": (lambda w: curves(w, (), "survival"), None, {}),
    "survival by": (lambda w: curves(w, "team", "survival"), None, {}),
    "incidence": (lambda w: curves(w, (), "incidence"), None, {"highest": 100}),
    "incidence by": (lambda w: curves(w, "team", "incidence"), None, {}),
}


@cache
def made(world, name):
    exact = FIGURES[name][0](WORLDS[world])
    return {"exact": exact, "released": suppress(exact, NHS)}


@cache
def figure_of(world, name, state):
    _, plot, options = FIGURES[name]
    result = made(world, name)[state]
    with bare_figures():
        return result, (plot or room.plot)(result, **options)


class Gallery:
    """Figures of every study, exact and released, each made once when it is asked for."""

    def __getitem__(self, case):
        return figure_of(*case)


@pytest.fixture(scope="module")
def drawn():
    return Gallery()


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


CASES = [(w, f, s) for w in WORLDS for f in FIGURES for s in ("exact", "released")]
every_figure = pytest.mark.parametrize("case", CASES, ids=[" / ".join(case) for case in CASES])


def title_of(ax):
    return " ".join(ax.get_title(loc="left").split())


def artists_of(ax):
    """Yield everything drawn in the axes of a figure."""
    figure = ax.get_figure(root=True)
    for a in [*figure.axes, *(c for x in figure.axes for c in x.child_axes)]:
        yield from (("patch", p) for p in a.patches if p.get_visible())
        yield from (("line", line) for line in a.get_lines())
        yield from (("collection", c) for c in a.collections)


def words_in(ax):
    """Every word that is read in the figure beside its title and its notes."""
    figure = ax.get_figure(root=True)
    shown = []
    for a in [*figure.axes, *(c for x in figure.axes for c in x.child_axes)]:
        shown += [t.get_text() for t in a.texts if t.get_gid() not in ("footnote", "band")]
        shown += [t.get_text() for t in (*a.get_xticklabels(), *a.get_yticklabels())]
        shown += [a.get_xlabel(), a.get_ylabel()]
        if a.get_legend():
            shown += [t.get_text() for t in a.get_legend().findobj(Text)]
    return " ".join(" ".join(shown).split()).lower()


def coloured(colour):
    """Whether a colour is no grey, black or white; the ink and the quiet grey of text are near grey."""
    rgb = to_rgb(colour[:3] if not isinstance(colour, str) else colour)
    return max(rgb) - min(rgb) > 0.16


def colours_of(kind, artist):
    if kind == "line":
        bare = artist.get_linestyle() == "None"
        found = [] if bare else [artist.get_color()]
        return found + (
            [artist.get_markerfacecolor(), artist.get_markeredgecolor()] if artist.get_marker() != "None" else []
        )
    if kind == "patch":
        return [artist.get_facecolor(), *([artist.get_edgecolor()] if artist.get_linewidth() else [])]
    return [*artist.get_facecolor(), *artist.get_edgecolor()] if artist.get_array() is None else []


def keyed(ax):
    """Colours that the keys explain: those in legends, and those of names that stand at their curves."""
    figure, found = ax.get_figure(root=True), set()
    for a in figure.axes:
        if a.get_legend():
            for handle in a.get_legend().legend_handles:
                kind = "patch" if hasattr(handle, "get_facecolor") and not hasattr(handle, "get_segments") else "line"
                if hasattr(handle, "get_segments"):
                    found |= {to_rgb(c[:3]) for c in handle.get_color()}
                    continue
                found |= {to_rgb(c[:3] if not isinstance(c, str) else c) for c in colours_of(kind, handle)}
        found |= {to_rgb(t.get_color()) for t in a.texts if t.get_gid() == "curve name"}
    return found


@every_figure
def test_a_title_has_at_most_fifteen_words(drawn, case):
    _, ax = drawn[case]
    title = title_of(ax)
    assert 2 <= len(title.split()) <= 15
    assert not title.endswith(".")
    assert title[0] == title[0].upper()
    for left in ("chance", "hidden", " star", "reckon", " %"):
        assert left not in title.lower()


@every_figure
def test_every_name_in_a_title_is_drawn(drawn, case):
    world, (_, ax) = WORLDS[case[0]], drawn[case]
    title, shown = title_of(ax).lower(), words_in(ax)
    # the longest names first: "heart disease" is no name of its own within "coronary heart disease"
    for name in sorted(
        [*(in_words(c).lower() for c in world.names), *(g.lower() for g in world.groups)], key=len, reverse=True
    ):
        found = re.compile(rf"\b{re.escape(name)}\b")
        if found.search(title):
            assert name in shown, name
            title = found.sub("", title)


@every_figure
def test_every_colour_has_a_key(drawn, case):
    _, ax = drawn[case]
    known = keyed(ax)
    known |= {to_rgb(darker(c)) for c in known}
    for kind, artist in artists_of(ax):
        for colour in colours_of(kind, artist):
            if len(np.shape(colour)) and len(colour) == 4 and colour[3] == 0:
                continue
            if not isinstance(colour, str) or colour != "none":
                rgb = to_rgb(colour[:3] if not isinstance(colour, str) else colour)
                assert (
                    not coloured(colour)
                    or rgb in known
                    or to_rgb(darker(colour if isinstance(colour, str) else rgb)) in known
                )
    meshes = [c for kind, c in artists_of(ax) if kind == "collection" and c.get_array() is not None]
    if meshes:  # a scale of colours, or numbers in the cells
        figure = ax.get_figure(root=True)
        scale = [c for a in figure.axes for c in a.child_axes if c.get_title(loc="left")]
        assert scale or [t for t in ax.texts if t.get_text().strip()]


@every_figure
def test_alt_text_names_the_kind_of_chart_its_axes_and_the_finding(drawn, case):
    _, ax = drawn[case]
    alt = getattr(ax.get_figure(root=True), DESCRIBED)
    assert alt.startswith(KINDS)
    assert title_of(ax) in alt
    if ax.get_gid() != NOTHING:
        assert "axis:" in alt or "It has no axes" in alt or "From the top:" in alt or "Both axes:" in alt
        for label in (ax.get_xlabel(), ax.get_ylabel()):
            assert " ".join(label.split()) in alt


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("state", ["exact", "released"])
def test_a_title_says_nothing_that_its_test_does_not_support(drawn, world, state):
    names = {c: in_words(c).lower() for c in WORLDS[world].names}
    for figure, lower in (("exact", "oe_lower"), ("at least", "oe_lower"), ("network", "lower"), ("matrix", "lower")):
        result, ax = drawn[world, figure, state]
        title = title_of(ax).lower()
        if "observed/expected ratio" not in title:
            continue
        found = result.estimates.filter((pl.col(lower) > 1) & (pl.col("q_value") <= FOUND))
        assert found.height
        named = {c for c, said in names.items() if said in title}
        named -= {c for c in named if any(names[c] != names[d] and names[c] in names[d] for d in named)}
        sets = [set(r["combination"] if "combination" in r else (r["source"], r["target"])) for r in found.to_dicts()]
        assert not named or named in sets
    result, ax = drawn[world, "costs", state]
    if " than additive" in title_of(ax) and "clearly differs" not in title_of(ax):
        assert (result.estimates["q_value"] <= FOUND).any()
    result, ax = drawn[world, "sequences", state]
    if "precedes" in title_of(ax):
        assert (result.estimates["q_value"] <= FOUND).any()
    result, ax = drawn[world, "comparison", state]
    if "observed/expected ratio" in title_of(ax):
        assert (result.estimates.select(pl.coalesce("family_wise_p", "q_value") <= FOUND).to_series()).any()


def test_where_nothing_is_clear_the_title_says_so(drawn):
    for figure in ("exact", "at least", "network", "matrix", "costs", "sequences", "comparison"):
        said = title_of(drawn["independent", figure, "released"][1])
        assert "clear" in said or said.startswith("No "), (figure, said)
    assert title_of(drawn["independent", "survival by", "released"][1]).startswith(
        "No clear difference in survival at "
    )


def test_a_finding_that_is_not_among_the_rows_drawn_is_not_in_the_title():
    # a and b are the commonest pair, and independent; c and d go together, in fewer people
    random = np.random.default_rng(2)
    block = random.random(4000) < 0.05
    frame = pl.DataFrame({
        "a": random.random(4000) < 0.5, "b": random.random(4000) < 0.5, "c": block, "d": block & (random.random(4000) < 0.9),
    })  # fmt: skip
    found = multimorbidity.combinations(Patterns.from_wide(frame, conditions=list("abcd")), kind="at_least", max_size=2)
    assert title_of(room.plot_upset(found, top=1)) == "No combination drawn is clearly commoner than expected"
    assert title_of(room.plot_upset(found, top=6)).startswith("C and d: ")


# -- curves -----------------------------------------------------------------------------------------------------


def gappy():
    """40 of 400 women and 4 of 40 men have the event on each of days 25, 55, 85, ...; until month 2 the men's few are suppressed."""
    rows = [(30 * m + 25, 1, s) for s, n in (("F", 40), ("M", 4)) for m in range(6) for _ in range(n)]
    rows += [(200, 0, s) for s, n in (("F", 160), ("M", 16)) for _ in range(n)]
    frame = pl.DataFrame(rows, schema=["time", "event", "sex"], orient="row")
    return survival.kaplan_meier(frame, time="time", event="event", by="sex", time_unit="days", event_name="death")


def test_curves_start_at_all_at_nought_dotted_where_the_first_stretch_is_suppressed():
    ax = room.plot_survival(suppress(gappy(), NHS))
    whole = {line.get_label(): line for line in ax.get_lines() if line.get_gid() == "curve"}
    dotted = [line for line in ax.get_lines() if line.get_gid() == "suppressed stretch"]
    for line in whole.values():
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (0, 100)
    # 4 men by day 30: suppressed, so from the start to their first estimate the line is dotted and the solid one breaks
    men = whole["men"]
    first = np.nanmin(np.array(men.get_xdata())[1:])
    assert first > 30
    assert [(line.get_xdata()[0], line.get_ydata()[0], line.get_xdata()[1]) for line in dotted] == [(0, 100, first)]
    assert np.isnan(men.get_ydata()[1])
    assert not np.isnan(whole["women"].get_ydata()).any()
    assert "Dotted: suppressed in between" in [t.get_text() for t in ax.get_legend().get_texts()]


@pytest.mark.parametrize("groups", [2, 4, 9])
def test_curves_differ_in_line_or_mark_as_well_as_in_colour(groups):
    frame = World(90 * groups, SHORT, True, groups=tuple(f"Hub {k}" for k in range(groups))).times()
    for made in (
        survival.kaplan_meier(frame.with_columns(pl.col("event").clip(0, 1)), time="time", event="event", by="team"),
        survival.cumulative_incidence(frame, time="time", event="event", by="team"),
    ):
        lines = [line for line in room.plot_survival(made).get_lines() if line.get_gid() == "curve"]
        looks = {
            (
                line.get_linestyle(),
                str(line._dash_pattern),
                line.get_marker(),
                str(line.get_markerfacecolor()) == "white",
            )
            for line in lines
        }
        assert len(looks) == len(lines)


def test_the_number_at_risk_stands_under_every_tick_and_the_last():
    ax = room.plot_survival(suppress(gappy(), NHS))
    at = sorted({t.xy[0] for t in ax.texts if t.get_gid() == "at risk"})
    assert at == list(ax.get_xticks())
    assert at[-1] == ax.get_xlim()[1]


# times of the grid by months; the last is always among the ticks, and ticks stand about evenly
@pytest.mark.parametrize("last", [180, 240, 330, 365, 540, 730])
def test_the_last_time_of_a_grid_has_a_tick(last):
    grid = [t for t in (0, 30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 330, 365, 450, 540, 630, 730) if t <= last]
    for columns in (3, 5, 9):
        ticks = grid_ticks(grid, last, columns)
        assert ticks[0] == 0
        assert ticks[-1] == last
        assert len(ticks) <= columns
        assert set(ticks) <= set(grid)


# -- words ------------------------------------------------------------------------------------------------------


def test_shares_are_whole_percentages_with_intervals():
    # 0.8152 is 82 to the whole percent, its limits 77 and 87
    assert share_with_interval(0.8152, 0.7712, 0.8674) == "82% (77 to 87)"
    assert share_with_interval(0.8152, 0.7712, 0.8674, label="95% CI") == "82% (95% CI 77 to 87)"
    assert share_with_interval(0.5, None, None) == "50%"
    assert [percentage(v) for v in (0, 0.004, 0.005, 0.125, 0.996, 1)] == [
        "0%",
        "0.40%",
        "0.50%",
        "13%",
        "99.6%",
        "100%",
    ]


def test_intervals_that_touch_or_are_not_known_are_no_clear_difference():
    low, high = {"lower": 0.1, "upper": 0.2}, {"lower": 0.2, "upper": 0.3}
    assert overlap(low, high)
    assert overlap(high, low)
    assert not overlap(low, {"lower": 0.21, "upper": 0.3})
    assert overlap(low, {"lower": None, "upper": 0.3})


def test_the_longest_title_that_fits_is_taken():
    assert fitting("one two three", "one two", "one", most=2) == "one two"
    assert fitting("one two three", None, "one", most=1) == "one"


# -- overlapping definitions ------------------------------------------------------------------------------------


def test_overlapping_definitions_are_pointed_out_by_name_and_by_released_counts():
    # 100 people with x, of whom 95 also have y, which 300 have; z is apart: 40 with z, 10 of them with y
    rows = [("x", "y")] * 95 + [("x",)] * 5 + [("y",)] * 195 + [("y", "z")] * 10 + [("z",)] * 30 + [()] * 400
    names = ["x", "y", "z"]
    frame = pl.DataFrame([{c: c in held for c in names} for held in rows])
    patterns = Patterns.from_wide(frame, conditions=names)
    for result in (
        suppress(networks.cooccurrence(patterns), NHS),
        suppress(multimorbidity.combinations(patterns, kind="at_least", max_size=2), NHS),
    ):
        assert overlapping_pairs(result, names) == [("x", "y")]
    network = networks.cooccurrence(patterns)
    said = overlap_note(
        network, ["angina", "coronary_heart_disease", "heart_attack", "asthma", "copd", "diabetes", "type_2_diabetes"]
    )
    assert said == [
        "Definitions overlap, so these are expected together: angina/coronary heart disease/heart attack; asthma/COPD; "
        "diabetes/type 2 diabetes."
    ]
    # one person with v, who has y: no overlap of definitions
    one = pl.concat([frame, pl.DataFrame([{"x": False, "y": True, "z": False}])]).with_columns(
        v=pl.int_range(pl.len()) == len(rows)
    )
    single = networks.cooccurrence(Patterns.from_wide(one, conditions=[*names, "v"]))
    assert overlapping_pairs(single, [*names, "v"]) == [("x", "y")]
    # names that only share a word do not overlap, nor do numbered ones
    apart = [
        "heart_failure",
        "coronary_heart_disease",
        "chronic_pain",
        "chronic_kidney_disease",
        "condition_1",
        "condition_10",
    ]
    assert overlap_note(network, apart) == []


# -- order of tables --------------------------------------------------------------------------------------------


def test_tables_list_findings_before_noise():
    patterns = WORLDS["large"].patterns()
    for result in (
        suppress(networks.cooccurrence(patterns), NHS),
        suppress(multimorbidity.combinations(patterns, kind="at_least", max_size=3), NHS),
    ):  # fmt: skip
        found = (result.named["q_value"] <= FOUND).fill_null(False).to_list()
        assert any(found)
        assert found == sorted(found, reverse=True)
        assert sorted(result.named["n_persons"].to_list(), key=str) == sorted(
            result.estimates.filter(pl.col("n_persons").is_not_null() if result.rows_from_records else pl.lit(True))[
                "n_persons"
            ].to_list(),
            key=str,
        )
    pairs = suppress(networks.cooccurrence(patterns), NHS).named
    clear = pairs.filter(pl.col("q_value") <= FOUND)["lower"].to_list()
    assert clear == sorted(clear, reverse=True)


def test_what_is_suppressed_makes_no_share_of_several_conditions_smaller():
    # 700 with none, 200 with one, 101 with two, 3 with three: shown as 700, 200, 100, suppressed, of 1,005. The rest of
    # them, 105, is over twenty times what is rounded to (5): 105 / 1,005 = 10.4%. Of 205 people 150 and 40 leave 15,
    # too near to the rounding: at least the 10 shown, 5%. The interval holds for all that rounding allows: 1,003 to 1,007
    # people less 896 to 904, so 99 to 111 of them; Wilson's limits of 99 of 1,007 (8.1%) and of 111 of 1,003 (13%).
    def released(*held):
        rows = [{"a": k > 0, "b": k > 1, "c": k > 2} for k, n in enumerate(held) for _ in range(n)]
        patterns = Patterns.from_wide(pl.DataFrame(rows), conditions=["a", "b", "c"])
        return suppress(multimorbidity.condition_count(patterns), NHS)

    many, few = released(700, 200, 101, 3), released(150, 40, 12, 3)
    assert many.estimates["n_persons"].to_list() == [700, 200, 100, None]
    assert many.several()[0]["estimate"] == pytest.approx(105 / 1005)
    assert title_of(room.plot(many)) == "10% (95% CI 8.1 to 13) of people have two or more long-term conditions"
    assert few.several()[0]["estimate"] == pytest.approx(10 / 205)
    assert title_of(room.plot(few)) == "At least 4.9% of people have two or more long-term conditions"
