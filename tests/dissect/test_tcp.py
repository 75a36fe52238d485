"""Round trips of the handshake and of what follows, case by case as captures show them; scripts of who sent what when."""

import pytest
from crafting.packets import ACK, MS, RST, START, SYN, dissect, tcp

UP, DOWN = True, False
ISN, THEIRS = 1_000, 5_000
COLUMNS = ("rtt_remote_ms", "rtt_local_ms", "rtt_remote_min_ms", "rtt_local_min_ms", "initial_rtt_ms")


def script(*steps):
    """(ms, up?, flags, seq, ack[, data]) as frames."""
    return [
        (START + int(at * MS), tcp(step[3] if len(step) > 3 else b"", up=up, flags=step[0], seq=step[1], ack=step[2]))
        for at, up, *step in steps
    ]


def flow(items):
    return {name: value for name, value in dissect(items).one("flows").items() if name in COLUMNS}


SYN_UP = (SYN, ISN, 0)
ANSWER = (SYN | ACK, THEIRS, ISN + 1)
DONE = (ACK, ISN + 1, THEIRS + 1)
CASES = {
    "a handshake": (
        [(0, UP, *SYN_UP), (20, DOWN, *ANSWER), (23, UP, *DONE)],
        (20, 3, 20, 3, 23),
    ),
    "an ACK that carries data": (
        [(0, UP, *SYN_UP), (20, DOWN, *ANSWER), (23, UP, *DONE, b"GET")],
        (20, 3, 20, 3, 23),
    ),
    "the remote end asks": (
        [(0, DOWN, SYN, THEIRS, 0), (2, UP, SYN | ACK, ISN, THEIRS + 1), (32, DOWN, ACK, THEIRS + 1, ISN + 1)],
        (30, 2, 30, 2, 32),
    ),
    "a SYN repeated before its answer: which of them was answered cannot be known": (
        [(0, UP, *SYN_UP), (1000, UP, *SYN_UP), (1020, DOWN, *ANSWER), (1023, UP, *DONE)],
        (20, 3, None, None, 23),
    ),
    "an answer repeated by itself": (
        [(0, UP, *SYN_UP), (20, DOWN, *ANSWER), (220, DOWN, *ANSWER), (223, UP, *DONE)],
        (20, 203, 20, None, 223),
    ),
    "both repeated: the second round counts": (
        [(0, UP, *SYN_UP), (20, DOWN, *ANSWER), (1000, UP, *SYN_UP), (1030, DOWN, *ANSWER), (1034, UP, *DONE)],
        (30, 4, 20, None, 34),
    ),
    "a SYN that crosses the answer": (
        [(0, UP, *SYN_UP), (20, DOWN, *ANSWER), (1000, UP, *SYN_UP), (1002, UP, *DONE)],
        (20, 982, 20, None, 2),
    ),
    "refused": (
        [(0, UP, *SYN_UP), (20, DOWN, RST | ACK, 0, ISN + 1)],
        (20, None, None, None, 20),
    ),
    "a reset that acknowledges something else is no answer": (
        [(0, UP, *SYN_UP), (5, DOWN, RST | ACK, 0, ISN + 77), (20, DOWN, *ANSWER), (23, UP, *DONE)],
        (20, 3, 20, 3, 5),
    ),
    "no answer in the capture": (
        [(0, UP, *SYN_UP), (23, UP, *DONE)],
        (None, None, None, None, 23),
    ),
    "no SYN in the capture": (
        [(20, DOWN, *ANSWER), (23, UP, *DONE)],
        (None, 3, None, 3, None),
    ),
    "the answer before the SYN": (
        [(20, DOWN, *ANSWER), (21, UP, *SYN_UP), (23, UP, *DONE)],
        (None, 3, None, 3, 2),
    ),
    "the handshake's ACK is not in the capture": (
        [(0, UP, *SYN_UP), (20, DOWN, *ANSWER), (900, UP, ACK, ISN + 1, THEIRS + 500)],
        (20, None, 20, None, 900),
    ),
    "data, then its acknowledgement: quicker than the handshake, and slower": (
        [(0, UP, *SYN_UP), (20, DOWN, *ANSWER), (23, UP, *DONE), (30, UP, *DONE, b"x" * 10),
         (42, DOWN, ACK, THEIRS + 1, ISN + 11), (50, UP, ACK, ISN + 11, THEIRS + 1, b"y" * 10),
         (90, DOWN, ACK, THEIRS + 1, ISN + 21)],
        (20, 3, 12, 3, 23),
    ),
    "repeated data say nothing": (
        [(0, UP, *SYN_UP), (20, DOWN, *ANSWER), (23, UP, *DONE), (30, UP, *DONE, b"x" * 10),
         (80, UP, *DONE, b"x" * 10), (82, DOWN, ACK, THEIRS + 1, ISN + 11)],
        (20, 3, 20, 3, 23),
    ),
    "what fills a hole may have been seen late": (
        [(0, UP, *SYN_UP), (20, DOWN, *ANSWER), (23, UP, *DONE), (30, UP, ACK, ISN + 11, THEIRS + 1, b"y" * 10),
         (31, UP, *DONE, b"x" * 10), (32, DOWN, ACK, THEIRS + 1, ISN + 21)],
        (20, 3, 20, 3, 23),
    ),
    "an acknowledgement of a part does not stop the clock": (
        [(0, UP, *SYN_UP), (20, DOWN, *ANSWER), (23, UP, *DONE), (30, UP, *DONE, b"x" * 10),
         (31, DOWN, ACK, THEIRS + 1, ISN + 6), (48, DOWN, ACK, THEIRS + 1, ISN + 11)],
        (20, 3, 18, 3, 23),
    ),
    "a clock that ran backwards": (
        [(50, UP, *SYN_UP), (20, DOWN, *ANSWER), (23, UP, *DONE)],
        (0, 3, None, 3, 0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_round_trips(case):
    steps, wanted = CASES[case]
    assert flow(script(*steps)) == dict(zip(COLUMNS, wanted, strict=True))


@pytest.mark.parametrize(("last", "mean", "spread"), [(30, 15, 5), (0, 0, 10), (-1, None, None)])
def test_gaps_are_null_where_the_clock_went_back_further_than_it_had_come(last, mean, spread):
    """Two gaps: ten milliseconds, and what is left to the last packet."""
    row = dissect(script((0, UP, *SYN_UP), (10, UP, *SYN_UP), (last, UP, *SYN_UP))).one("flows")
    assert (row["up_gap_mean_ms"], row["up_gap_std_ms"]) == (mean, spread)
