"""Sessions as spans of time."""

import polars as pl
from crafting.sessions import NS, PHONE, START, frame, moment
from wiretally.measure import spans
from wiretally.measure.inputs import Session

OPEN = [Session("a", PHONE, "normal", START, START + 9 * NS), Session("b", PHONE, "idle", START + 9 * NS, None)]


def test_an_open_session_ends_with_the_capture():
    capture = frame("capture", [{"source": "x", "last_seen": moment(START + 60 * NS)}])
    assert [s.end for s in spans.ended(OPEN, capture, frame("exchanges", []))] == [START + 9 * NS, START + 60 * NS]
    assert spans.ended(OPEN, None, frame("exchanges", []))[1].end == START + 9 * NS + 1


def test_sessions_on_the_line_are_too_far_apart_for_a_lag():
    closed = spans.ended(OPEN, None, frame("exchanges", []))
    line = spans.line(closed)
    assert line[1] - line[0] == 9 * NS + spans.APART_NS
    assert spans.places(closed, pl.String()).rows() == [("a", 0, START), ("b", 1, START + 9 * NS)]


def test_times_have_nine_digits():
    assert spans.rfc3339(START + 5) == "2023-11-14T22:13:20.000000005Z"
