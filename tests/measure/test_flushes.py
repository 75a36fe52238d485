"""Flushes: which visits an upload may tell of, against a walk through the moments."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from wiretally.measure.flushes import EDGE_NS, Sent, flushes, latest, silent

APART = 10_000


def walked(events, usable):
    """[(visits, bytes)] of one session, event by event; events: ("visit", index) and ("upload", bytes) in order."""
    found, visits, amount = [], [], 0
    for kind, value in events:
        if kind == "visit":
            if amount:
                found.append((visits, amount))
                visits, amount = [], 0
            visits.append(value)
        elif visits:
            amount += value
    if amount:
        found.append((visits, amount))
    return [(visits, amount) for visits, amount in found if all(usable[visit] for visit in visits)]


@given(st.lists(st.lists(st.one_of(st.just("visit"), st.integers(1, 99)), max_size=12), max_size=4), st.randoms())
def test_flushes_are_those_of_a_walk(sessions, random):
    visits, session, sent, expected, events = [], [], [], [], []
    for number, each in enumerate(sessions):
        mine = []
        for at, what in enumerate(each):
            if what == "visit":
                mine.append(("visit", len(visits)))
                visits.append(number * APART + at)
                session.append(number)
            else:
                mine.append(("upload", what))
                sent.append((number * APART + at, number, what))
        events.append(mine)
    usable = np.array([random.random() < 0.8 for _ in visits], bool)
    for mine in events:
        expected += walked(mine, usable)
    at, of, amount = np.array(sent, np.int64).reshape(-1, 3).T
    after = latest(at, of, np.array(visits, np.int64), np.array(session, np.int64))
    found = flushes(Sent(after, of, amount.astype(float), np.full(len(at), EDGE_NS)), np.array(session, np.int64), usable,
                    np.array(visits, np.int64))
    pieces = np.split(found.visits, found.first[1:]) if len(found.first) else []
    assert [(piece.tolist(), total) for piece, total in zip(pieces, found.amount, strict=True)] == expected
    ones = np.ones((2, len(visits)))
    assert (found.sums(ones) == found.size).all()


def test_silence_is_a_flush_of_nothing_for_each_visit():
    found = silent(np.array([0, 0, 1]), np.array([True, False, True]))
    assert found.visits.tolist() == [0, 2]
    assert found.amount.tolist() == [0, 0]


def kept(lags, session, gap=20 * EDGE_NS):
    """Latest visits of the flushes that are kept, of one upload after each visit."""
    session = np.array(session, np.int64)
    sent = Sent(np.arange(len(lags)), session, np.ones(len(lags)), np.array(lags, np.int64))
    return flushes(sent, session, np.full(len(lags), fill_value=True), np.arange(len(lags)) * gap).visits.tolist()


def test_a_visit_just_before_a_timers_flush_leaves_open_which_flush_tells_of_it():
    late, soon = 9 * EDGE_NS, EDGE_NS - 1
    assert kept([late, soon, late, late, late], [0] * 5) == [0, 3, 4]
    assert kept([late, EDGE_NS, late, late, late], [0] * 5) == [0, 1, 2, 3, 4]
    assert kept([late, soon, late, late, late], [0, 0, 1, 1, 1]) == [0, 2, 3, 4]  # the next session's flush cannot tell of it


def test_who_uploads_at_each_visit_or_at_any_time_leaves_nothing_open():
    late, soon = 9 * EDGE_NS, EDGE_NS - 1
    assert kept([soon] * 4, [0] * 4) == [0, 1, 2, 3]
    assert kept([soon, late, soon, late], [0] * 4) == [0, 1, 2, 3]  # half of them: no accident of timing
    assert kept([3 * late, soon, late, 2 * late, late // 2, late], [0] * 6) == [0, 1, 2, 3, 4, 5]  # no timer
    assert kept([], []) == []
