"""TCP payload in order: which bytes are new, which are repeated, and the new ones delivered once, in sequence.

Theory: a direction has an `edge`, the offset up to which the stream is complete. A segment at the edge is delivered at
once. One beyond it is held: cut into pieces of one cell, only the parts not held yet, in a list sorted by offset. When
the hole before it closes, the pieces follow. A hole that the other side has acknowledged was lost by the capture, not
by the network: it is given up (`lost`), remembered for a late arrival, and the stream goes on behind it.

Rules: "unique" is the union of the sequence ranges seen, whatever their order; the rest is retransmitted. What is
given up is counted. Limits are in `state.py`. RFC 9293 §3.4 for sequence numbers.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import SEQ_MASK, Bytes, seq_after
from .records import Record
from .state import (
    APP,
    FREE_NODES,
    GAPS,
    GAPS_FORGOTTEN,
    HELD_CELL,
    HELD_FULL,
    LOST_BYTES,
    LOST_HOLES,
    MAX_HELD,
    MODE_LOST,
    MODE_OPAQUE,
    MODE_TLS,
    State,
)
from .stream import deliver, lost, undecided

READS = (
    ("TCP streams", "RFC 9293 §3.4", "unique and repeated payload; content in order"),
)  # fmt: skip


@inline
def segment(  # noqa: PLR0913, PLR0917  (a segment is all of that)
    state: State, b: Bytes, place: int, way: int, seq: int, at: int, kept: int, length: int, now: int
) -> int:
    """Takes one segment: `length` bytes from sequence number `seq`, of which `kept` are in `b` from `at`.

    Returns how many of its bytes had not been seen before.
    """
    f, c = state["flows"][place], state["cold"][place]
    if f["started"][way] == 0:
        f["started"][way] = 1
        f["edge_seq"][way] = seq
    start = f["edge"][way] + seq_after(seq, f["edge_seq"][way])
    end = start + length
    base, present = at - start, at + kept  # position of an offset in `b`; where its bytes end there
    edge = f["edge"][way]
    new = 0
    if start < edge:
        new = _late(state, c, way, start, min(end, edge))
        if f["mode"][way] != MODE_TLS and f["mode"][way] != MODE_LOST:
            f["counts"][way, APP] += new  # cleartext is app data in any order
        start = edge
    while start < end:
        edge = f["edge"][way]
        if start > edge:
            held, start = _hold(state, b, place, way, start, end, base, present)
            new += held
            if start < end:  # no room for the rest: the oldest hole is given up
                state["counters"][HELD_FULL] += 1
                node = f["held"][way]
                _give_up(state, place, way, start if node < 0 else state["nodes"][node]["start"], now)
            continue
        head = f["held"][way]
        limit = end if head < 0 else min(end, state["nodes"][head]["start"])
        fresh = limit - edge
        if fresh > 0:
            _advance(f, way, limit)
            deliver(state, b, place, way, base + edge, max(min(present - (base + edge), fresh), 0), fresh, now)
            new += fresh
        _drain(state, place, way, now)
        start = min(end, f["edge"][way])
    return new


@inline
def _advance(f: Record, way: int, offset: int) -> None:
    """Moves the edge to `offset`."""
    f["edge_seq"][way] = (f["edge_seq"][way] + offset - f["edge"][way]) & SEQ_MASK
    f["edge"][way] = offset


@inline
def _late(state: State, c: Record, way: int, start: int, end: int) -> int:
    """How much of a range behind the edge is new: before the pick-up in mid-stream, or in a hole that was given up."""
    new = 0
    if start < c["lowest"][way] and c["syn"][way] == 0:
        new = min(end, c["lowest"][way]) - start
        c["lowest"][way] = start
    for n in range(GAPS):
        gap = c["gaps"][way, n]
        low, high = max(start, gap[0]), min(end, gap[1])
        if low < high:
            new += high - low
            if low > gap[0] and high < gap[1]:  # the middle: two rests, or the longer one where there is no room
                _split(state, c, way, gap, low, high)
            elif low > gap[0]:
                gap[1] = low
            else:
                gap[0] = high
    return new


@inline
def _split(state: State, c: Record, way: int, gap: Record, low: int, high: int) -> None:
    """A gap without its middle [low, high)."""
    for n in range(GAPS):
        spare = c["gaps"][way, n]
        if spare[0] >= spare[1]:
            spare[0], spare[1] = high, gap[1]
            gap[1] = low
            return
    if low - gap[0] >= gap[1] - high:
        gap[1] = low
    else:
        gap[0] = high
    state["counters"][GAPS_FORGOTTEN] += 1


@inline
def _hold(state: State, b: Bytes, place: int, way: int, start: int, end: int, base: int, present: int) -> tuple[int, int]:
    """Keeps what is new of [start, end), whose bytes lie in `b` from `base + start`, up to `present`.

    Returns how many bytes were new, and how far it came: less than `end` where there was no room.
    """
    f = state["flows"][place]
    nodes, cursor = state["nodes"], state["cursor"]
    with_bytes = f["mode"][way] != MODE_OPAQUE
    before, node = -1, f["held"][way]
    new = 0
    while start < end:
        while node >= 0 and nodes[node]["end"] <= start:
            before, node = node, nodes[node]["next"]
        limit = end if node < 0 else min(end, nodes[node]["start"])
        if start >= limit:
            start = min(end, nodes[node]["end"])
            continue
        if not with_bytes and before >= 0 and nodes[before]["end"] == start and nodes[before]["kept"] == 0:
            nodes[before]["end"] = limit
            new += limit - start
            start = limit
            continue
        if cursor[FREE_NODES] == 0 or f["held_count"][way] >= MAX_HELD:
            break
        cursor[FREE_NODES] -= 1
        made = state["free_nodes"][cursor[FREE_NODES]]
        f["held_count"][way] += 1
        stop = min(limit, start + HELD_CELL) if with_bytes else limit
        n = nodes[made]
        n["start"], n["end"], n["next"] = start, stop, node
        n["kept"] = max(min(base + stop, present) - (base + start), 0) if with_bytes else 0
        for i in range(n["kept"]):
            state["cells"][made, i] = b[base + start + i]
        if before < 0:
            f["held"][way] = made
        else:
            nodes[before]["next"] = made
        before = made
        new += stop - start
        start = stop
    return new, start


@inline
def _drain(state: State, place: int, way: int, now: int) -> None:
    """Delivers held pieces that the edge has reached."""
    f = state["flows"][place]
    nodes, cursor = state["nodes"], state["cursor"]
    while f["held"][way] >= 0:
        node = f["held"][way]
        n = nodes[node]
        if n["start"] > f["edge"][way]:
            break
        skip = min(f["edge"][way] - n["start"], n["end"] - n["start"])
        fresh = n["end"] - n["start"] - skip
        f["held"][way] = n["next"]
        f["held_count"][way] -= 1
        if fresh > 0:
            _advance(f, way, n["end"])
            deliver(state, state["cells"][node], place, way, skip, max(n["kept"] - skip, 0), fresh, now)
        state["free_nodes"][cursor[FREE_NODES]] = node
        cursor[FREE_NODES] += 1


@inline
def _give_up(state: State, place: int, way: int, until: int, now: int) -> None:
    """Gives up the hole between the edge and `until`: the stream goes on behind it."""
    f, c = state["flows"][place], state["cold"][place]
    edge = f["edge"][way]
    if until > edge:
        slot = c["gap_next"][way] % GAPS
        gap = c["gaps"][way, slot]
        if gap[0] < gap[1]:
            state["counters"][GAPS_FORGOTTEN] += 1
        gap[0], gap[1] = edge, until
        c["gap_next"][way] += 1
        state["counters"][LOST_HOLES] += 1
        state["counters"][LOST_BYTES] += until - edge
        c["inexact"] = 1
        _advance(f, way, until)
        lost(state, place, way, until - edge)
    _drain(state, place, way, now)


@inline
def acknowledged(state: State, place: int, way: int, ack: int, now: int) -> None:
    """The other side has received up to `ack`: holes of `way` before it were lost by the capture."""
    f = state["flows"][place]
    for _ in range(MAX_HELD + 1):
        node = f["held"][way]
        if node < 0 or f["edge"][way] + seq_after(ack, f["edge_seq"][way]) < state["nodes"][node]["start"]:
            break
        _give_up(state, place, way, state["nodes"][node]["start"], now)


@inline
def drop_held(state: State, place: int, way: int, now: int) -> None:
    """The end of a flow: what is still held is delivered over its holes, and its cells are free again."""
    f = state["flows"][place]
    for _ in range(MAX_HELD + 1):
        node = f["held"][way]
        if node < 0:
            break
        _give_up(state, place, way, state["nodes"][node]["start"], now)
    undecided(f, state["cold"][place], way)
