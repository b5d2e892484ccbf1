"""A release session: one call a report, in order, beside what was released before; and the mode of a report's process."""

import json
import threading
import time

import pytest

from symphony_research.errors import DisclosureError
from symphony_research.report.guard import GuardSettings
from symphony_research.report.progress import Progress
from symphony_research.result import mode
from symphony_research.result.mode import (
    begin_report,
    confidential_report,
    inside_report,
    report_mode,
    report_policy,
    report_session,
)
from symphony_research.result.session import ReleaseSession


def session(tmp_path, **more):
    return ReleaseSession("02_x", "SACRO", record=tmp_path / "own.json", steps=tmp_path / "steps.txt", **more)


def test_a_session_is_read_as_it_was_written_and_is_one_however_often_it_is_read(tmp_path):
    written = session(tmp_path, earlier=(tmp_path / "a.json",))
    written.write(tmp_path / "session.json")
    read = ReleaseSession.of(str(tmp_path / "session.json"))
    assert read == written
    assert ReleaseSession.of(tmp_path / "session.json") is read
    assert ReleaseSession.of(read) is read
    assert ReleaseSession.of(None) is None


def test_a_session_that_cannot_be_read_is_an_error_in_words(tmp_path):
    (tmp_path / "broken.json").write_text("{}")
    for name in ("none.json", "broken.json"):
        with pytest.raises(DisclosureError, match="In Jupyter leave session=None"):
            ReleaseSession.read(tmp_path / name)


def test_a_second_call_is_answered_with_the_line_that_merges_both(tmp_path):
    session(tmp_path).write(tmp_path / "session.json")
    ReleaseSession.read(tmp_path / "session.json").claim(["number", "pairs"], "SACRO")
    with pytest.raises(DisclosureError) as raised:
        ReleaseSession.read(tmp_path / "session.json").claim(["costs"], "SACRO")
    merged = 'released = sr.suppress({"number": number, "pairs": pairs, "costs": costs}, policy, session=session)'
    assert merged in str(raised.value)


def test_another_policy_than_the_reports_is_refused(tmp_path):
    with pytest.raises(DisclosureError, match="this report is made under 'SACRO'"):
        session(tmp_path).claim(["number"], "NHS England")


def test_it_waits_for_those_before_it_and_says_so(tmp_path):
    first, second = tmp_path / "1.json", tmp_path / "2.json"
    first.write_text('{"outputs": [{"title": "one"}]}')
    own = session(tmp_path, earlier=(first, second))

    def release():
        time.sleep(0.3)
        ReleaseSession(record=second).write_record([{"title": "two"}])

    threading.Thread(target=release).start()
    assert [one["title"] for one in own.outputs_before()] == ["one", "two"]
    own.write_record([{"title": "three"}])
    assert (tmp_path / "steps.txt").read_text().splitlines() == ["waiting for its turn", "suppressing", "drawing"]
    assert own.released() == [{"title": "three"}]


def test_a_report_that_releases_nothing_leaves_a_record_and_one_that_did_keeps_its_own(tmp_path):
    own = session(tmp_path)
    assert own.released() == []
    own.end()
    assert json.loads((tmp_path / "own.json").read_text()) == {"outputs": []}
    own.write_record([{"title": "one"}])
    own.end()
    assert own.released() == [{"title": "one"}]
    ReleaseSession().end()  # in Jupyter there is nowhere to write


def test_a_process_makes_a_report_once_the_guard_says_so_and_not_by_the_environment(monkeypatch):
    monkeypatch.setattr(mode, "_mode", None)
    monkeypatch.setenv("SYMPHONY_INSIDE_REPORT", "1")
    assert not inside_report()
    assert not confidential_report()
    begin_report("SACRO", True, "02_x")
    monkeypatch.setenv("SYMPHONY_REPORT_POLICY", "synthetic data (nothing suppressed)")
    assert (inside_report(), confidential_report(), report_policy(), report_session()) == (True, True, "SACRO", "02_x")
    with pytest.raises(DisclosureError, match="cannot be changed"):
        begin_report("", False, "")


def test_the_mode_of_a_test_ends_with_its_block():
    with report_mode("SACRO", confidential=False):
        assert inside_report()
        assert not confidential_report()
        with report_mode():
            assert confidential_report()
        assert report_policy() == "SACRO"
    assert not inside_report()
    assert report_session() == ""


def test_the_guards_settings_are_read_once(tmp_path):
    told = GuardSettings("SACRO", "02_x", "key")
    told.write(tmp_path / "guard.json")
    assert GuardSettings.read_once(tmp_path / "guard.json") == told
    assert not (tmp_path / "guard.json").exists()


def test_progress_shows_each_whole_step_once(tmp_path, capsys):
    steps = [tmp_path / "a.txt", tmp_path / "b.txt"]
    with Progress(["one", "two"], steps) as progress:
        steps[1].write_text("computing\nsuppre")
        progress.look()
        progress.look()
        steps[1].write_text("computing\nsuppressing\n")
        progress.look()
    assert capsys.readouterr().err.splitlines() == ["two: computing", "two: suppressing"]
    with Progress(["one"], steps[:1], shown=False) as silent:
        silent.look()
    assert capsys.readouterr().err == ""
