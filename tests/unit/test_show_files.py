"""Pictures, tables and files: the same bytes for the same input, and none of what is not disclosed."""

import base64
import importlib
import re
from contextlib import nullcontext

import matplotlib

matplotlib.use("agg")

import polars as pl
import pytest

from symphony_research import multimorbidity, networks
from symphony_research.collapse import Patterns
from symphony_research.disclosure import suppress
from symphony_research.errors import ArgumentError, DisclosureError
from symphony_research.policy import Policy
from symphony_research.result.mode import report_mode

room = importlib.import_module("symphony_research.show")
NHS = Policy.nhs_england()


def patterns(names=("asthma", "heart_failure", "gout")):
    # people: 200 with none, 60 the first, 40 the first two, 6 the first and third
    a, b, c = names
    sets = [((), 200), ((a,), 60), ((a, b), 40), ((a, c), 6)]
    rows = [{n: n in held for n in names} for held, n_people in sets for _ in range(n_people)]
    return Patterns.from_wide(pl.DataFrame(rows), conditions=list(names))


def undisclosed():
    return multimorbidity.combinations(patterns())


def disclosed():
    return suppress(undisclosed(), NHS)


def test_picture_is_a_png_with_the_finding_as_its_words():
    from matplotlib import pyplot as plt

    plt.close("all")
    result = disclosed()
    picture = room.picture(result)
    bundle, metadata = picture._repr_mimebundle_()
    alt = metadata["image/png"]["alt"]
    assert alt == picture.alt
    assert alt.startswith("UpSet plot of 1 combination, one a column. ")
    assert "Main figures: asthma and heart failure 40 people" in alt
    assert base64.b64decode(bundle["image/png"]) == picture.png
    assert picture.png.startswith(b"\x89PNG")
    assert bundle["text/plain"] == picture.sentence == result.sentence()
    assert b"Software" not in picture.png
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    "result",
    [disclosed, lambda: suppress(networks.cooccurrence(patterns()), NHS)],
    ids=["combinations", "network"],
)
def test_same_input_same_bytes(result, tmp_path):
    assert room.picture(result()).png == room.picture(result()).png
    for kind in ("png", "svg", "pdf"):
        first = room.write_figure(result(), tmp_path / f"first.{kind}")
        second = room.write_figure(result(), tmp_path / f"second.{kind}")
        assert first.read_bytes() == second.read_bytes()


def test_another_plot_and_its_options_are_passed_on():
    network = suppress(networks.cooccurrence(patterns()), NHS)
    assert room.picture(network, plot=room.plot_cooccurrence_matrix).png != room.picture(network).png
    with pytest.raises(ArgumentError, match="plot="):
        room.picture(network, plot="matrix")


def test_svg_carries_its_words_for_a_screen_reader(tmp_path):
    text = room.write_figure(disclosed(), tmp_path / "a.svg").read_text()
    said = disclosed().sentence()
    assert f'role="img" aria-label="{said}"' in text
    assert "<desc>UpSet plot of 1 combination, " in text
    assert str(tmp_path) not in text


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf", "a.csv", "a.html"])
def test_no_file_of_an_undisclosed_result_inside_a_report_or_not(name, tmp_path):
    write = room.write_table if name.endswith(("csv", "html")) else room.write_figure
    path = tmp_path / name
    path.write_text("old")
    result = undisclosed()
    for inside in (nullcontext(), report_mode()):
        with inside, pytest.raises(DisclosureError, match="suppress"):
            write(result, path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_failure_keeps_the_old_file_and_leaves_no_draft(tmp_path):
    path = tmp_path / "a.png"
    path.write_text("old")

    def broken(result, **options):
        raise RuntimeError("no ink")

    with pytest.raises(RuntimeError, match="no ink"):
        room.write_figure(disclosed(), path, plot=broken)
    with pytest.raises(ArgumentError, match="no column"):
        room.write_table(disclosed(), tmp_path / "a.csv", columns=["colour"])
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]
    assert path.read_text() == "old"


def test_a_file_is_replaced_and_odd_names_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    assert room.write_table(disclosed(), path) == path
    assert "old" not in path.read_text()
    with pytest.raises(ArgumentError, match=r"\.png or \.svg or \.pdf"):
        room.write_figure(disclosed(), tmp_path / "a.gif")
    with pytest.raises(ArgumentError, match=r"\.csv or \.html"):
        room.write_table(disclosed(), tmp_path / "a.xlsx")
    with pytest.raises(ArgumentError, match="no folder"):
        room.write_table(disclosed(), tmp_path / "none" / "a.csv")


def test_hidden_cells_of_a_csv_are_stars_and_sets_are_joined(tmp_path):
    path = room.write_table(disclosed(), tmp_path / "a.csv", columns=["combination", "n_persons", "expected", "size"])
    # 6 people with asthma and gout are suppressed, and so is that anybody has just these two
    assert path.read_text().splitlines() == [
        "combination,n_persons,expected,size",
        "asthma + heart_failure,40," + str(disclosed().estimates["expected"][0]) + ",2",
    ]
    # the conditions themselves come from the code list, so a star beside one names nobody
    held = suppress(multimorbidity.prevalence(patterns()), NHS)
    rows = room.write_table(held, tmp_path / "b.csv", columns=["condition", "n_persons", "estimate"]).read_text()
    assert "gout,[c],[c]" in rows.splitlines()


def test_table_has_caption_headings_and_what_a_star_means():
    table = room.table(disclosed())
    assert "<caption>Combinations of long-term conditions</caption>" in table.html
    assert '<th scope="row">asthma and heart failure</th>' in table.html
    assert '<th scope="col" class="number">People</th>' in table.html
    # a set that few people have is neither named nor counted
    assert "gout" not in table.html
    assert (
        "Combinations that are not listed: nobody, 1–7 people, or suppressed so that another cannot be inferred."
        in table.html
    )
    assert NHS.title in table.html
    assert table._repr_html_() == table.html
    held = room.table(suppress(multimorbidity.prevalence(patterns()), NHS))
    assert '<td class="number">[c]</td>' in held.html
    assert "[c] suppressed by disclosure control: 1–7 people" in held.html
    assert "gout  |  [c]" in repr(held)
    assert "not for release" not in table.html
    assert "not for release: " in room.table(undisclosed()).html


def test_table_takes_columns_rows_words_and_order():
    found = suppress(multimorbidity.prevalence(patterns()), NHS)
    table = room.table(found, columns=["condition", "estimate"], rows=1, sort="condition", words={"condition": "What"})
    assert '<th scope="col">What</th>' in table.html
    assert '<th scope="row">asthma</th><td class="number">34%</td>' in table.html  # 105 of 305
    # heart failure has 40 people, gout a suppressed 6
    assert "and 1 more row, 1 suppressed</p>" in table.html
    assert "Sorted by What." in table.html
    largest = room.table(found, sort="n_persons").html
    assert largest.index("asthma") < largest.index("heart failure") < largest.index("gout")
    with pytest.raises(ArgumentError, match="no column 'n_person'"):
        room.table(found, sort="n_person")
    with pytest.raises(ArgumentError, match="rows"):
        room.table(found, rows=0)


def test_names_are_text_and_never_mark_up():
    names = ("<b>asthma", "*gout*", "a_b")
    result = suppress(multimorbidity.combinations(patterns(names)), NHS)
    assert "<b>" not in room.table(result).html
    markdown = room.sentence(result)._repr_markdown_()
    assert "\\<b\\>asthma" in markdown
    assert "\\*gout\\*" in markdown
    assert str(room.sentence(result)) == result.sentence()


def test_html_file_is_a_page_with_estimates(tmp_path):
    text = room.write_table(disclosed(), tmp_path / "a.html").read_text()
    assert text.startswith("<!doctype html>")
    # the heading and the one set that may be named
    assert text.count("<tr>") == 2


@pytest.mark.parametrize("verb", ["picture", "table", "sentence"])
def test_what_a_notebook_shows_is_refused_at_once_inside_a_report(verb):
    with report_mode(), pytest.raises(DisclosureError, match=verb):
        getattr(room, verb)(undisclosed())


def test_where_the_rule_hides_nothing_a_gap_is_no_star(tmp_path):
    from symphony_research import survival
    from symphony_research.result import Disclosure

    people = pl.DataFrame({"time": [10] * 30 + [20] * 30, "event": [1] * 30 + [0] * 30})
    points = survival.at(survival.kaplan_meier(people, time="time", event="event"), [10, 30])
    free = points.disclosed(points.count_tables, Disclosure(Policy.synthetic(), 0))
    assert "[c]" not in room.table(free).html
    assert "[c]" not in room.write_table(free, tmp_path / "a.csv").read_text()


def test_marks_of_a_released_curve_are_explained_under_its_table():
    from symphony_research import survival

    # 40 people: three events on day 10, 20 on day 40, 17 censored on day 50. By day 30 the three are suppressed, so no
    # share is shown; 37 are at risk, shown as 35
    people = pl.DataFrame({"time": [10] * 3 + [40] * 20 + [50] * 17, "event": [1] * 23 + [0] * 17})
    made = suppress(survival.kaplan_meier(people, time="time", event="event", time_unit="days"), NHS)
    table = room.table(survival.at(made, [30, 365]), columns=["time", "n_at_risk", "estimate"]).html
    body = re.sub(r"<[^>]+>", " ", table.split("<tbody>")[1].split("</tbody>")[0]).split()
    assert [cell.removesuffix(".0") for cell in body] == ["30", "35", "[c]", "365", "[x]", "[x]"]
    assert "[c] suppressed by disclosure control" in table
    assert "[x] not available: beyond the end of follow-up" in table
