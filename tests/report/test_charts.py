"""What the charts show: every session, every lane, and only what belongs to it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.report import charts

STRIPS = [
    charts.Strip("normal", "normal", [12e3, 13e3, 11e3], 12e3, 11.5e3, 12.6e3),
    charts.Strip("incognito", "incognito", [0.0, 0.0], 0.0, None, None),
]


def parsed(drawn: str) -> ET.Element:
    return ET.fromstring(drawn)  # noqa: S314  (drawn by us)


def texts(drawn: str) -> list[str]:
    return [element.text or "" for element in parsed(drawn).iter("text")]


def test_a_dot_for_each_session_and_a_name_for_each_mode():
    drawn = charts.volume(STRIPS, "session", "95 % interval", "c")
    assert len(list(parsed(drawn).iter("use"))) == 5
    assert {"Normal", "Incognito", "0", "5 kB", "uploaded per session"} <= set(texts(drawn))


def test_the_chart_in_words():
    assert charts.described(STRIPS, "session", "95 % interval") == (
        "normal: mean 12.0 kB per session, 95 % interval 11.5 kB to 12.6 kB, 3 sessions; "
        "incognito: mean 0 B per session, 2 sessions"
    )


@pytest.mark.parametrize("amount", [0.0, 1e-3, 1.0, 4e12])
def test_any_magnitude(amount):
    parsed(
        charts.volume(
            [charts.Strip("normal", "normal", [amount], amount, amount, amount)],
            "visit",
            "95 % interval",
            "c",
            charts.NARROW,
        )
    )


SPANS = [
    charts.Span("phone", mode, mode, 1e9 + at * 130, 1e9 + at * 130 + 120)
    for at, mode in enumerate(["normal", "incognito", "idle"])
]


def test_the_clock_shortens_a_night_and_keeps_order():
    clock = charts.Clock([*SPANS, charts.Span("phone", "normal", "normal", 1e9 + 50_000, 1e9 + 50_120)])
    assert clock.place(1e9) == 0
    assert clock.place(1e9 + 50_120) == 1
    night = clock.place(1e9 + 50_000) - clock.place(1e9 + 380)
    assert 0 < night < 0.05


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(1, 1e4)), min_size=1, max_size=20),
    st.lists(st.floats(-10, 1.2e6), min_size=2),
)
def test_places_never_go_back(sessions, times):
    clock = charts.Clock([charts.Span("d", "normal", "normal", start, start + length) for start, length in sessions])
    places = [clock.place(time) for time in sorted(times)]
    assert places == sorted(places)
    assert all(0 <= place <= 1 for place in places)


def test_uploads_go_to_the_lane_and_mode_they_belong_to():
    uploads = [charts.Upload("a", "phone", 1e9 + 10, 1, 100), charts.Upload("a", "phone", 1e9 + 140, 1, 50),
               charts.Upload("a", "phone", 1e9 + 5000, 1, 9e9)]  # fmt: skip
    strokes = charts._strokes(uploads, SPANS, charts.Clock(SPANS), 200)
    assert {mode: [amount for _, amount in each] for mode, each in strokes.items()} == {
        "normal": [100],
        "incognito": [50],
    }


def test_two_devices_in_two_modes_at_once():
    spans = [charts.Span("a", "normal", "normal", 0, 100), charts.Span("b", "incognito", "incognito", 0, 100)]
    strokes = charts._strokes([charts.Upload("x", "b", 50, 1, 7)], spans, charts.Clock(spans), 100)
    assert list(strokes) == ["incognito"]
    drawn = charts.timeline(spans, [charts.Upload("x", "b", 50, 1, 7)], [("x", "X"), ("y", "Y")], "t")
    assert {"X", "Y", "I", "N", "up to 7 B", "up to 0 B"} <= set(texts(drawn))


def test_a_bin_belongs_to_the_session_that_most_of_it_lies_in():
    clock = charts.Clock(SPANS)
    for began, role in ((1e9 - 5, "normal"), (1e9 + 118, "incognito"), (1e9 + 375, "idle")):
        strokes = charts._strokes([charts.Upload("a", "phone", began, 20, 9)], SPANS, clock, 200)
        assert list(strokes) == [role]
    assert charts._strokes([charts.Upload("a", "phone", 1e9 + 121, 5, 9)], SPANS, clock, 200) == {}
