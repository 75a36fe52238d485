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
from .link import Record
from .state import (
    FREE_NODES,
    GAPS,
    GAPS_FORGOTTEN,
    HELD_CELL,
    HELD_FULL,
    LOST_BYTES,
    LOST_HOLES,
    MAX_HELD,
    MODE_OPAQUE,
    State,
)
from .stream import deliver, lost


@inline
def segment(state: State, b: Bytes, place: int, way: int, seq: int, at: int, kept: int, length: int, now: int) -> int:
    """Takes one segment: `length` bytes from sequence number `seq`, of which `kept` are in `b` from `at`.

    Returns how many of its bytes had not been seen before.
    """
    f, c = state["flows"][place], state["cold"][place]
    if f["started"][way] == 0:
        f["started"][way] = 1
        f["edge_seq"][way] = seq
    start = f["edge"][way] + seq_after(seq, f["edge_seq"][way])
    end = start + length
    edge = f["edge"][way]
    if start > edge:
        return _hold(state, b, place, way, start, at, kept, end)
    new = 0
    if start < edge:
        new = _late(state, c, way, start, min(end, edge))
        if end <= edge:
            return new
        skip = edge - start
        at += skip
        kept = max(kept - skip, 0)
    head = f["held"][way]
    limit = end if head < 0 else min(end, state["nodes"][head]["start"])
    fresh = limit - edge
    _advance(f, way, limit)
    deliver(state, b, place, way, at, min(kept, fresh), fresh, now)
    new += fresh
    if head >= 0:
        if end > limit:
            new += _hold(state, b, place, way, limit, at + fresh, max(kept - fresh, 0), end)
        _drain(state, place, way, now)
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
            if low > gap[0] and high < gap[1]:  # the middle: keep the longer rest
                if low - gap[0] >= gap[1] - high:
                    gap[1] = low
                else:
                    gap[0] = high
                state["counters"][GAPS_FORGOTTEN] += 1
            elif low > gap[0]:
                gap[1] = low
            else:
                gap[0] = high
    return new


@inline
def _hold(state: State, b: Bytes, place: int, way: int, start: int, at: int, kept: int, end: int) -> int:
    """Keeps what is new of [start, end), whose bytes lie in `b` from `at`; returns how many bytes were new."""
    f = state["flows"][place]
    nodes, cursor = state["nodes"], state["cursor"]
    with_bytes = f["mode"][way] != MODE_OPAQUE
    present = at + kept
    at -= start  # from here on: position of an offset in `b`
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
            state["counters"][HELD_FULL] += 1
            new += _give_up(state, place, way, start, end)
            break
        cursor[FREE_NODES] -= 1
        made = state["free_nodes"][cursor[FREE_NODES]]
        f["held_count"][way] += 1
        stop = min(limit, start + HELD_CELL) if with_bytes else limit
        n = nodes[made]
        n["start"], n["end"], n["next"] = start, stop, node
        n["kept"] = max(min(at + stop, present) - (at + start), 0) if with_bytes else 0
        for i in range(n["kept"]):
            state["cells"][made, i] = b[at + start + i]
        if before < 0:
            f["held"][way] = made
        else:
            nodes[before]["next"] = made
        before = made
        new += stop - start
        start = stop
    return new


@inline
def _give_up(state: State, place: int, way: int, start: int, end: int) -> int:
    """No place to hold more: the range is counted as new, and behind the edge it will be taken for a repetition."""
    state["counters"][LOST_BYTES] += end - start
    state["cold"][place]["inexact"] = 1
    return end - start


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
def skip_hole(state: State, place: int, way: int, now: int) -> None:
    """Gives up the hole before the first held piece: the stream goes on behind it."""
    f, c = state["flows"][place], state["cold"][place]
    node = f["held"][way]
    if node < 0:
        return
    edge, start = f["edge"][way], state["nodes"][node]["start"]
    if start > edge:
        slot = c["gap_next"][way] % GAPS
        gap = c["gaps"][way, slot]
        if gap[0] < gap[1]:
            state["counters"][GAPS_FORGOTTEN] += 1
        gap[0], gap[1] = edge, start
        c["gap_next"][way] += 1
        state["counters"][LOST_HOLES] += 1
        state["counters"][LOST_BYTES] += start - edge
        c["inexact"] = 1
        _advance(f, way, start)
        lost(state, place, way, start - edge)
    _drain(state, place, way, now)


@inline
def acknowledged(state: State, place: int, way: int, ack: int, now: int) -> None:
    """The other side has received up to `ack`: holes of `way` before it were lost by the capture."""
    f = state["flows"][place]
    for _ in range(MAX_HELD + 1):
        node = f["held"][way]
        if node < 0 or f["edge"][way] + seq_after(ack, f["edge_seq"][way]) < state["nodes"][node]["start"]:
            break
        skip_hole(state, place, way, now)


@inline
def drop_held(state: State, place: int, way: int, now: int) -> None:
    """The end of a flow: what is still held is delivered over its holes, and its cells are free again."""
    f = state["flows"][place]
    for _ in range(MAX_HELD + 1):
        if f["held"][way] < 0:
            break
        skip_hole(state, place, way, now)
