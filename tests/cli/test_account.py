"""Rows of the capture's account: each minute is told by its own packets."""

import numpy as np
import pytest
from crafting.sessions import NS, START, moment
from wiretally.capture.live import Counters
from wiretally.cli import account as module
from wiretally.cli.account import Account
from wiretally.dissect import state

MINUTE = 60 * NS
BEGAN = START // MINUTE * MINUTE


class Link:
    interfaces = ()


@pytest.fixture
def minutes(monkeypatch):
    """Rows of an account: for each step the wall clock, and times of packets or a step of the clock."""
    wall = [BEGAN]
    monkeypatch.setattr(module.time, "time_ns", lambda: wall[0])
    account, counters = Account("test0"), np.zeros((1, state.INTERFACE_COUNTERS), np.int64)

    def row(now, *times, moved=0):
        wall[0] = now
        if moved:
            account.move_clock(moved)
        if times:
            account.saw(np.array(times, np.int64))
            counters[0, state.SEEN] += len(times)
        told, _ = account.row(Link, Counters(), counters, end=False)
        return told.select("packets", "first_seen", "last_seen").row(0)

    return row


def test_a_minute_begins_with_its_first_packet(minutes):
    first, later = BEGAN + 5 * NS, BEGAN + MINUTE + 25 * NS
    assert minutes(BEGAN + 6 * NS, first, first + 7) == (2, moment(first), moment(first + 7))
    assert minutes(BEGAN + MINUTE, BEGAN + MINUTE - 3)[:2] == (3, moment(first))  # this row ends the minute
    assert minutes(BEGAN + MINUTE + 20 * NS) == (0, None, None)
    assert minutes(BEGAN + MINUTE + 30 * NS, later + 9, later) == (2, moment(later), moment(later + 9))
    assert minutes(BEGAN + 2 * MINUTE)[:2] == (2, moment(later))
    assert minutes(BEGAN + 2 * MINUTE + 1) == (0, None, None)


@pytest.mark.parametrize("step", [3600 * NS, -3600 * NS])
def test_a_minute_in_which_the_clock_is_stepped_is_told_by_the_new_one(minutes, step):
    first = BEGAN + 5 * NS
    assert minutes(BEGAN + 6 * NS, first) == (1, moment(first), moment(first))
    last = first + step + NS
    assert minutes(last, last, moved=step) == (2, moment(first + step), moment(last))
    assert minutes(last + NS, last + NS, moved=0) == (1, moment(last + NS), moment(last + NS))
