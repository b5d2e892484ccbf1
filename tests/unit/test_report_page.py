"""Pages say what they are about, and hold nothing that a browser would fetch or run."""

import json
import re
from html.parser import HTMLParser

import pytest

from symphony_research.files import write_in_place
from symphony_research.policy import Policy
from symphony_research.report.failure import plain_reason
from symphony_research.report.index import write_index
from symphony_research.report.page import report_page, when
from symphony_research.report.page_cells import markdown_html, read_page
from symphony_research.report.provenance import path_remover, policy_in_words
from symphony_research.report.sanitise import safe_html

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def md(source, **more):
    return {"cell_type": "markdown", "source": source, **more}


def code(source, *outputs):
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def shown(**data):
    data = {name.replace("_", "/", 1): value for name, value in data.items()}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def record(**changes):
    base = {
        "format": 1,
        "notebook": {"name": "04_survival", "title": "How long?", "question": "Until what?", "sha256": "a" * 64},
        "author": "", "contact": "", "approval": "draft",
        "hub": "Yeovil",
        "takes_hub": True,
        "study": {"name": "South Somerset", "fingerprint": "b" * 64, "generated": True},
        "parameters": {"study": "s", "policy": "sacro", "hub": "Yeovil", "horizon": 365,
                       "measure": "observed_expected", "by": None, "strict": True},
        "parameter_help": {"horizon": "days followed"},
        "policy": {
            "name": "sacro", "title": "SACRO (under 10 suppressed)", "threshold": 9, "rounding": 5, "hide_zeros": True,
            "level": "default",
        },
        "versions": {"symphony_research": "0.1.0", "python": "3.11.7"},
        "started": "2026-05-05T14:02:00Z",
        "finished": "2026-05-05T14:02:09Z",
        "seconds": 9.0,
        "status": "done",
        "error": None,
        "warnings": {"FutureWarning": 2},
    }  # fmt: skip
    return {**base, **changes}


class Notebook:
    def __init__(self, *cells):
        self.cells = list(cells)


FULL = Notebook(
    md("# How long?\n\nUntil what?\n\nMore about [this](https://example.org/guide)."),
    code("study = 'x'"),
    code("figure", shown(image_png=PIXEL, text_plain="Half are admitted within 90 days.")),
    md(
        "## Table\n\n![far](https://example.org/x.png) ![near](attachment:p.png)",
        attachments={"p.png": {"image/png": PIXEL}},
    ),
    code(
        "table",
        shown(
            text_html='<table><thead><tr><th>People</th></tr></thead><tr><td class="number">12</td></tr></table>'
            '<script src="https://cdn/x.js">alert(1)</script><link href="http://x/y.css"><img src="//z/q.png">'
        ),
    ),
)


def test_a_page_names_no_address_that_would_be_fetched():
    page = report_page(read_page(FULL.cells), record())
    assert not re.search(r"""(src|href|action|srcset)\s*=\s*["']?\s*(https?:|//)""", page, re.IGNORECASE)
    assert not re.search(r"url\s*\(|@import|<script|<link|<iframe|alert\(1\)", page, re.IGNORECASE)
    assert "default-src 'none'" in page
    assert "https://example.org/guide" in page  # a citation is still there to read


def test_the_head_of_a_page_says_what_it_is_about_in_words():
    page = report_page(read_page(FULL.cells), record())
    assert page.count("<h1>") == 1
    assert '<html lang="en-GB">' in page
    assert "<title>How long? – Yeovil – South Somerset</title>" in page
    for words in ("Until what?", "5 May 2026, 14:02 UTC", "counts of 0 to 9 people are suppressed", "Days followed"):
        assert words in page
    assert "describe no real person" in page
    # a column's name is said as its heading says it
    assert "observed/expected ratio" in page
    assert "observed expected" not in page
    assert "2 warnings" in page
    assert "describe no real person" not in report_page(
        read_page(FULL.cells), record(study={"name": "S", "fingerprint": "", "generated": False})
    )


def test_the_title_is_not_repeated_and_code_is_one_click_away():
    page = read_page(FULL.cells)
    assert [part["kind"] for part in page.parts] == ["prose", "result", "prose", "result"]
    assert "How long" not in page.parts[0]["html"]
    # all code together, at the end of the page
    assert all(word in page.code for word in ("study", "figure", "table"))
    html = report_page(page, record())
    assert html.count("<summary>") == 1
    assert html.index("Show the code") > html.index("Annex")


def test_page_one_gathers_what_the_notebook_marks():
    told = shown(text_markdown="Within 365 days, 81% did.", text_plain="Within 365 days, 81% did.")
    told["metadata"] = {"symphony": {"role": "finding", "figures": [["Did within 365 days", "81% (68 to 95)"]]}}
    drawn = shown(image_png=PIXEL, text_plain="Within 365 days, 81% did.")
    drawn["metadata"] = {"image/png": {"alt": "Within 365 days, 81% did.", "titled": True, "caption": "What"}}
    other = shown(text_markdown="Half did within 60 to 90 days.", text_plain="Half did within 60 to 90 days.")
    other["metadata"] = {"symphony": {"role": "finding", "figures": []}}
    title = shown(text_markdown="**Time to it, Yeovil**", text_plain="Time to it, Yeovil")
    title["metadata"] = {"symphony": {"role": "title"}}
    facts = shown(text_html="<dl><dt>People</dt><dd>340</dd></dl>", text_plain="People: 340")
    facts["metadata"] = {"symphony": {"role": "facts"}}
    limits = md("It does not show what the hub did: regression to the mean.", metadata={"tags": ["limits"]})
    cells = [
        md("# How long?\n\nUntil what?"),
        limits,
        code("a", title, facts),
        code("b", told),
        code("c", drawn),
        code("d", other),
    ]
    page = read_page(cells)
    assert page.title == "Time to it, Yeovil"
    assert [found.text for found in page.findings] == ["Within 365 days, 81% did.", "Half did within 60 to 90 days."]
    # a finding leads to the figure that follows it; one that none follows leads nowhere
    assert [found.at for found in page.findings] == ["figure-1", ""]
    html = report_page(page, record())
    order = ["<h1>Time to it, Yeovil</h1>", "Until what?", "does not show what the hub did", "Key findings",
             "<dd>340</dd>", "to be filled in", "draft", 'id="figure-1"', "Annex", "Settings", "Disclosure control",
             "provenance", "Glossary"]  # fmt: skip
    places = [html.index(words) for words in order]
    assert places == sorted(places)


def test_a_finding_stands_behind_another_in_one_item_that_leads_to_its_first_figure():
    def told(words, **role):
        found = shown(text_markdown=words, text_plain=words)
        found["metadata"] = {"symphony": {"role": "finding", "figures": [[words, "1"]], **role}}
        return found

    drawn = shown(image_png=PIXEL, text_plain="Drawn.")
    cells = [code("a", told("One did.")), code("b", told("Two did.")), md("## Later"),
             code("c", told("One did again.", after="One did.")), code("d", drawn),
             code("e", told("Three did.", after="What no page says."))]  # fmt: skip
    page = read_page([md("# How long?\n\nUntil what?"), *cells])
    assert [found.text for found in page.findings] == ["One did. One did again.", "Two did.", "Three did."]
    assert [found.at for found in page.findings] == ["figure-1", "", ""]
    assert page.findings[0].figures == [["One did.", "1"], ["One did again.", "1"]]


def test_a_finding_is_not_said_again_in_the_body_unless_its_section_has_no_other_words():
    told = shown(text_markdown="So it is.", text_plain="So it is.")
    told["metadata"] = {"symphony": {"role": "finding", "figures": []}}
    drawn = shown(image_png=PIXEL, text_plain="It")
    it, alone = md("## It"), md("## Alone")
    page = read_page(
        [md("# T"), code("a", told), it, code("b", told), code("c", drawn), alone, code("d", told), code("e", told)]
    )
    assert len(page.findings) == 4
    words = [re.sub(r"<[^>]+>", "", part["html"]).strip() for part in page.parts]
    assert [told[:8] for told in words] == ["It", "Figure 1", "Alone", "So it is", "So it is"]


def test_long_tables_stand_beside_the_page():
    output = shown(text_html="<table><tr><td>1</td></tr></table>", text_csv="a,b\n1,2\n3,[c]\n")
    output["metadata"] = {"text/csv": {"caption": "Each pair, largest first", "rule": "[c] suppressed."}}
    page = read_page([code("t", output)])
    assert page.files == {
        "table-01-each-pair-largest-first.csv": "a,b\n1,2\n3,[c]\n",
        "table-01-each-pair-largest-first.txt": "Each pair, largest first\n\n[c] suppressed.\n",
    }
    assert 'href="table-01-each-pair-largest-first.csv">All 2 rows' in page.parts[0]["html"]
    assert "text/csv" not in output["data"]  # the notebook does not hold it twice


def test_a_figure_is_described_by_its_sentence_once():
    html = read_page(FULL.cells).parts[1]["html"]
    assert 'alt="Figure 1. Half are admitted within 90 days."' in html
    assert '<figcaption aria-hidden="true"><strong>Figure 1.</strong> Half are admitted within 90 days.' in html


def test_a_figure_that_bears_its_finding_is_captioned_by_what_it_shows():
    for caption, below in (("Prevalence of long-term conditions", "<strong>Figure 1.</strong> Prevalence of long-term conditions."),
                           ("", "<strong>Figure 1</strong>")):  # fmt: skip
        output = shown(image_png=PIXEL, text_plain="Half have it.")
        output["metadata"] = {"image/png": {"alt": "Half have it.", "titled": True, "caption": caption}}
        html = read_page([code("", output)]).parts[0]["html"]
        assert f'<figcaption aria-hidden="true">{below}</figcaption>' in html
        assert 'alt="Figure 1. Half have it."' in html


@pytest.mark.parametrize("plain", ["<Figure size 640x480 with 1 Axes>", "<Axes: >", "[<a.B object at 0x7f>]"])
def test_what_python_calls_an_object_is_no_description(plain):
    assert plain not in "".join(
        p["html"] for p in read_page([code("", shown(image_png=PIXEL, text_plain=plain))]).parts
    )
    assert read_page([code("", shown(text_plain=plain))]).parts == []


def test_the_richest_form_is_shown_and_plain_text_only_where_there_is_no_other():
    both = read_page([code("", shown(text_html="<p>rich</p>", text_plain="poor"))]).parts[0]["html"]
    assert "rich" in both
    assert "poor" not in both
    assert "<strong>b</strong>" in read_page([code("", shown(text_markdown="**b**", text_plain="x"))]).parts[0]["html"]
    assert "a &lt; b" in read_page([code("", shown(text_plain="a < b"))]).parts[0]["html"]
    assert read_page([code("", {"output_type": "stream", "name": "stderr", "text": "/home/x: Warning"})]).parts == []


def test_markdown_keeps_to_itself():
    html = markdown_html("# Big\n\n<script>x</script> [a](javascript:x) ![r](http://x/y.png) <https://doi.org/1>")
    assert "<h1" not in html
    assert "<script" not in html
    assert "<a" not in html
    assert "<img" not in html
    assert html.count("https://doi.org/1") == 1


def test_html_of_outputs_loses_what_can_fetch_or_run_and_keeps_its_shape():
    cleaned = safe_html(
        '<div onclick="x()" style="background:url(http://x)" class="c"><b>bold</b></div>'
        '<a href="https://x">link</a><a href="#here">near</a><iframe src="x">in</iframe><style>*{}</style>'
        '<svg viewBox="0 0 1 1"><g fill="url(#g)"><path d="M0 0"/></g></svg>&lt;ok&gt;<form>f</form>'
    )
    assert cleaned == (
        '<div class="c"><b>bold</b></div><a>link</a><a href="#here">near</a>'
        '<svg viewBox="0 0 1 1"><g fill="url(#g)"><path d="M0 0"></path></g></svg>&lt;ok&gt;f'
    )


class Tags(HTMLParser):
    """Every tag of a text with its attributes, read by another parser than the one that cleaned it."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("img", "br", "hr", "col"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "text",
    [
        # from the OWASP filter evasion cheat sheet and from published bypasses of other sanitisers
        "<script>alert(1)</script><scr<script>ipt>alert(1)</script>",
        "<img src=x onerror=alert(1)><svg onload=alert(1)><body onload=alert(1)>",
        '<svg></p><style><g title="</style><img src onerror=alert(1)>">',
        '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
        '<form><math><mtext></form><form><mglyph><svg><mtext><style><path id="</style><img onerror=alert(1) src>">',
        '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
        '<a href="jav&#x09;ascript:alert(1)">x</a><a href=" javascript:alert(1)">y</a><a href="//h/x">z</a>',
        '<svg><use href="http://h/x.svg#a"/><use xlink:href="//h/x.svg#a"/><image xlink:href="http://h/y"/></svg>',
        '<svg><animate attributeName="href" values="javascript:alert(1)"/><a xlink:href="javascript:alert(1)">t</a></svg>',
        '<svg><foreignObject><iframe src="http://h"></iframe></foreignObject><set onbegin="alert(1)"/></svg>',
        '<div style="background:\\75rl(http://h)">a</div><p style="background:URL( \'http://h\')">b</p>',
        '<p style="background:ur/**/l(http://h)">a</p><p style="background:image-set(\'http://h\' 1x)">b</p>',
        '<img src="data:text/html,<script>alert(1)</script>"><img srcset="http://h 2x"><video poster="http://h">',
        '<img src="data:image/png;base64,AA" alt="<table><script>" lowsrc="http://h" dynsrc="http://h">',
        '<link rel=stylesheet href=//h><meta http-equiv=refresh content="0;url=//h"><base href="//h">',
        '<table background="//h"><tr><td background="//h">a<th>b</table><object data="//h"></object><embed src="//h">',
        '<button formaction="//h">b</button><input type=image src="//h"><isindex action="//h"><q cite="//h">q</q>',
        '<p title="a" b" onmouseover="alert(1)">x',
        "<img alt=`<script>` src=`javascript:alert(1)`><!--[if gte IE 4]><script>alert(1)</script><![endif]-->",
        "<![CDATA[<img src=x onerror=alert(1)>]]><?xml-stylesheet href='//h'?><xmp><img src=x onerror=alert(1)></xmp>",
        "<div \x00onclick=alert(1)>x</div><d\x00iv onclick=alert(1)>y",
    ],
)
def test_nothing_runs_and_nothing_is_fetched_whatever_is_tried(text):
    cleaned = safe_html(text)
    read = Tags(cleaned)
    assert not read.open
    for tag, attributes in read.found:
        assert tag not in (
            "script", "style", "iframe", "object", "embed", "link", "meta", "base", "form", "input", "button", "image",
            "animate", "set", "foreignobject", "video", "math", "noscript", "xmp", "body",
        )  # fmt: skip
        for name, value in attributes.items():
            assert not name.startswith("on"), name
            assert name not in ("srcset", "poster", "background", "lowsrc", "dynsrc", "cite", "action", "formaction")
            if name in ("href", "src", "xlink:href"):
                assert value.startswith(("#", "data:image/")), value
            if name in ("style", "fill"):
                assert "(" not in value, value
    if "<table" not in cleaned:  # which gets a frame each time
        assert safe_html(cleaned) == cleaned


def test_an_image_without_a_picture_is_left_out_and_one_without_words_is_decoration():
    assert safe_html('<img src="//h/q.png" alt="far">') == ""
    assert safe_html('<img src="data:image/png;base64,AA">') == '<img src="data:image/png;base64,AA" alt="">'
    assert safe_html("<h1 id='top'>Title</h1>") == '<h2 id="top">Title</h2>'


def test_what_words_say_is_kept_and_is_no_tag():
    cleaned = safe_html('<p title="5 < 6" aria-label="see url(x)">&lt;table&gt; &amp; &quot;</p>')
    assert Tags(cleaned).found == [("p", {"title": "5 < 6", "aria-label": "see url(x)"})]
    assert "<table" not in cleaned


def test_tables_scroll_and_their_headings_say_what_they_head():
    cleaned = safe_html("<table><thead><tr><th>A<tbody><tr><th>x<td>1</table>")
    assert cleaned.startswith('<div class="scroll" tabindex="0"')
    assert '<th scope="col">A' in cleaned
    assert cleaned.endswith("</table></div>")
    # one frame, however deep
    inner = safe_html("<table><tr><td><table><tr><th scope='colgroup'>in</table></table>")
    assert inner.count('class="scroll"') == inner.count("</div>") == 1
    assert inner.endswith("</table></div>")
    assert '<th scope="colgroup">' in inner


@pytest.mark.parametrize("policy", [Policy.nhs_england(), Policy.opensafely(), Policy.sacro(), Policy.synthetic()])
def test_policies_are_said_in_words(policy):
    words = policy_in_words(vars(policy))
    assert words.endswith(".")
    assert "_" not in words


def test_paths_of_this_machine_are_taken_out(tmp_path):
    clean = path_remover({str(tmp_path): "study"})
    assert clean(f"in {tmp_path}/persons.parquet") == "in study/persons.parquet"
    assert clean(json.dumps(str(tmp_path))) == '"study"'
    assert "study" not in clean(f"{tmp_path}2/x")  # another folder whose name begins alike
    assert clean("a/b and 1/2") == "a/b and 1/2"


def test_why_a_run_failed_is_one_line_without_values():
    def why(name, message, step=3):
        return plain_reason(name, message, step=step, clean=lambda text: text.replace("/secret", ""))

    assert why("ArgumentError", "persons has no\ncolumn 'sex'") == "persons has no column 'sex'"
    assert why("NameError", "name 'x' is not defined") == "NameError in code cell 3: name 'x' is not defined"
    assert "9434765919" not in why("ValueError", "cannot read 9434765919")
    assert "used up the memory" in why("DeadKernelError", "Kernel died", None)
    assert len(why("SchemaError", "x" * 5000)) <= 400


def test_a_moment_reads_like_a_date():
    assert when("2026-05-05T04:02:09Z") == "5 May 2026, 04:02 UTC"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.html"
    write_in_place(path, "old")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_in_place(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]


def put(out, folder, rec, *names):
    (out / folder).mkdir(parents=True)
    for name in names:
        (out / folder / name).write_text("x")
    (out / folder / "provenance.json").write_text(json.dumps(rec))


def test_the_index_lists_everything_with_a_record_and_failures_first(tmp_path):
    put(tmp_path, "04_survival--yeovil", record(), "report.html", "report.ipynb")
    put(
        tmp_path,
        "04_survival--chard",
        record(hub="Chard", status="failed", error="No <hub> rows."),
        "partial.ipynb",
        "earlier-report.html",
    )
    put(tmp_path, "05_gone", record(hub=None, notebook={**record()["notebook"], "name": "05_gone", "title": "Gone"}))
    (tmp_path / "06_broken").mkdir()
    (tmp_path / "06_broken" / "provenance.json").write_text("{")
    page = write_index(tmp_path).read_text(encoding="utf-8")
    assert page.index("No &lt;hub&gt; rows.") < page.index('href="04_survival--yeovil/report.html"')
    assert "04_survival--chard/report.html" not in page  # a stale report is not shown as current
    assert 'href="04_survival--chard/earlier-report.html"' in page
    assert "The report is not complete" in page
    assert "Its record cannot be read" in page
    assert "1 report, by question; 3 could not be made." in page
    assert not re.search(r"https?://|<script|<link", page)
    assert {p.name for p in tmp_path.iterdir() if p.is_file()} == {"index.html"}


def test_an_index_of_nothing_says_so(tmp_path):
    assert "0 reports" in write_index(tmp_path).read_text(encoding="utf-8")
