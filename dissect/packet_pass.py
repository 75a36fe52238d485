"""The pass: every packet of a batch, once, in order, through decoding, the flow table and accounting.

Theory: everything that a packet means is settled while its bytes are in the cache; nothing is looked at twice. The
order of packets is all that matters, never where a batch ends, so any split of a capture gives the same tables.

Rules: each packet ends in exactly one of counted, malformed, unsupported. Before a packet is taken, every sheet has
room for the most that one packet can yield; otherwise the pass stops and says what must grow (`ROOM`).
"""

from __future__ import annotations

import numpy as np

from ..core.jit import inline, kernel
from ..core.status import MALFORMED, OK, TRUNCATED
from ..core.wire import Bytes, u8
from .dns.message import MAX_ANSWERS
from .flow_table import (
    SWEEP_EVERY,
    SWEEP_STEP,
    stale,
)
from .flows import account, content, finish, flow_of
from .fragments import (
    MAX_AGE,
    close_slot,
    is_full,
    know_ports,
    make_whole,
    note_first,
    open_slot,
    put,
    slot_for,
    slot_of,
    wait,
)
from .ip import decode, walk
from .layers import LAYER_TRANSPORT
from .records import Record
from .state import (
    ANSWER_SHEET,
    ANSWERS,
    APP,
    COUNTED_PACKETS,
    CUT,
    DATAGRAM_BYTES,
    DATAGRAM_SHEET,
    DATAGRAMS,
    DNS_ROWS,
    DNS_SHEET,
    EARLIEST,
    END_EOF,
    END_IDLE,
    EXCHANGE_SHEET,
    EXCHANGES,
    FIRST_SHEET,
    FIRSTS,
    FRAGMENTS,
    FRAGMENTS_LOST,
    FREE,
    HIGH_WATER,
    HTTP_ROWS,
    HTTP_SHEET,
    LATEST,
    MALFORMED_PACKETS,
    MAX_WAITING_FRAGMENTS,
    PARCELLED,
    PARCELS,
    PAYLOAD,
    SEEN,
    SEEN_BYTES,
    SWEEP,
    TLS_ROWS,
    TLS_SHEET,
    UNSUPPORTED_PACKETS,
    Array,
    State,
)
from .transport import read_transport

ROOM = 1
ALL_TAKEN = 0
AHEAD = 32  # packets whose heads are fetched together
CACHE_LINE = 64
NEW_INTERFACE = 2  # the next packet's interface has no counters yet
FIRSTS_OF_A_PACKET = FRAGMENTS * MAX_WAITING_FRAGMENTS + 1  # all pieces that wait for others come at the end at once
ROWS_OF_A_PACKET = 64  # exchanges, hellos: more than a packet and a sweep can yield
MESSAGES_OF_A_PACKET = 1024  # DNS messages or request heads in one super-packet
ANSWERS_OF_A_PACKET = 16 * MAX_ANSWERS  # a super-packet of DNS over TCP may hold several messages


@inline
def has_all_room(state: State) -> bool:
    """Whether the next packet's yield fits everywhere."""
    cursor = state["cursor"]
    return (
        cursor[TLS_ROWS] + cursor[DATAGRAMS] + ROWS_OF_A_PACKET <= TLS_SHEET  # a datagram may bring a hello
        and cursor[DNS_ROWS] + MESSAGES_OF_A_PACKET <= DNS_SHEET
        and cursor[ANSWERS] + ANSWERS_OF_A_PACKET <= ANSWER_SHEET
        and cursor[HTTP_ROWS] + MESSAGES_OF_A_PACKET <= HTTP_SHEET
        and cursor[EXCHANGES] + ROWS_OF_A_PACKET <= EXCHANGE_SHEET
        and cursor[DATAGRAMS] + 1 <= DATAGRAM_SHEET
        and cursor[FIRSTS] + FIRSTS_OF_A_PACKET <= FIRST_SHEET
        and cursor[FREE] > MAX_WAITING_FRAGMENTS
        and cursor[PARCELLED] + DATAGRAM_BYTES <= PARCELS
    )


@kernel
def run(states: Array, b: Bytes, interfaces: Array, packets: Array, first: int) -> tuple[int, int]:
    """Takes packets from `first` on; returns how far it came and ALL_TAKEN, ROOM or NEW_INTERFACE.

    states: STATE[1]; interfaces: int64[m, INTERFACE_COUNTERS]; packets: PACKET[n], every frame inside `b`.
    """
    state = states[0]
    h = state["headers"]
    for n in range(first, packets.size):
        if (n - first) % AHEAD == 0:
            fetch(state, b, packets, n)
        if not has_all_room(state):
            return n, ROOM
        p = packets[n]
        if p["interface"] >= interfaces.shape[0]:
            return n, NEW_INTERFACE
        counters = interfaces[p["interface"]]
        wire = p["wire"]
        status = packet(state, b, p["at"], p["captured"], wire, p["ts_ns"], p["linktype"], h)
        if counters[SEEN] == 0:
            counters[EARLIEST] = p["ts_ns"]
            counters[LATEST] = p["ts_ns"]
        counters[SEEN] += 1
        counters[SEEN_BYTES] += wire
        counters[EARLIEST] = min(counters[EARLIEST], p["ts_ns"])
        counters[LATEST] = max(counters[LATEST], p["ts_ns"])
        if p["captured"] < wire:
            counters[CUT] += 1
        if status == OK:
            counters[COUNTED_PACKETS] += 1
        elif status in (MALFORMED, TRUNCATED):
            counters[MALFORMED_PACKETS] += 1
        else:
            counters[UNSUPPORTED_PACKETS] += 1
        if counters[SEEN] % SWEEP_EVERY == 0:
            sweep(state, p["ts_ns"])
    return packets.size, ALL_TAKEN


@inline
def fetch(state: State, b: Bytes, packets: Array, first: int) -> None:
    """Touches the heads of the next packets, so that the processor fetches them all at once.

    They were written by another core; waiting for each as it is decoded was a quarter of the pass. The sum is kept
    where it can be seen, lest the compiler leave the reads out.
    """
    touched = 0
    for n in range(first, min(first + AHEAD, packets.size)):
        p = packets[n]
        if p["captured"] > 0:
            touched += u8(b, p["at"]) + u8(b, p["at"] + min(p["captured"] - 1, CACHE_LINE))
    state["touched"] = touched


@inline
def packet(state: State, b: Bytes, at: int, captured: int, wire: int, now: int, linktype: int, h: Record) -> int:
    """One packet; returns its status."""
    status = decode(b, at, at + captured, at + wire, linktype, h)
    if status != OK:
        return status
    status = read_transport(b, h)
    if status != OK:
        return status
    if h["fragment"] != 0 or h["more"] != 0:
        fragment(state, b, wire, now, h)
    else:
        place, way = flow_of(state, b, h, now)
        account(state, place, way, wire, now, h)
        content(state, b, place, way, now, h)
    return OK


@inline
def sweep(state: State, now: int) -> None:
    """Looks at a few flows in turn and ends those that have been silent for too long by packet time."""
    cursor = state["cursor"]
    for _ in range(min(SWEEP_STEP, cursor[HIGH_WATER])):
        cursor[SWEEP] = (cursor[SWEEP] + 1) % cursor[HIGH_WATER]
        if stale(state, cursor[SWEEP], now):
            finish(state, cursor[SWEEP], END_IDLE, now)


@kernel
def finish_all(states: Array, now: int, first: int, most: int) -> int:
    """Ends `most` of the flows that are left, from place `first`; returns the place to go on from.

    A flow that has been silent for too long by then ends as idle, whether the sweep has come by or not.
    """
    state = states[0]
    for n in range(FRAGMENTS if first == 0 else 0):
        if state["fragments"][n]["used"]:
            give_up_fragments(state, n)
    for place in range(first, state["cursor"][HIGH_WATER]):
        if not has_all_room(state) or most == 0:
            return place
        if state["flows"][place]["alive"]:
            finish(state, place, END_IDLE if stale(state, place, now) else END_EOF, now)
            most -= 1
    return np.int64(state["cursor"][HIGH_WATER])


@inline
def fragment(state: State, b: Bytes, wire: int, now: int, h: Record) -> None:
    """A piece of a datagram: counted in the datagram's flow; the last one that comes brings the content."""
    n = slot_of(state, h)
    if n < 0 or now - state["fragments"][n]["began"] > MAX_AGE:
        n = slot_for(state, h) if n < 0 else n
        give_up_fragments(state, n)
        open_slot(state["fragments"][n], h, now)
    slot = state["fragments"][n]
    whole = put(state, n, b, h)
    if h["fragment"] == 0 and slot["has_first"] == 0:
        note_first(slot, h)
        if h["short"] or h["present"] < h["l4_end"]:
            slot["read"] = 1
            h["more"] = 0
    if slot["has_first"] == 0:
        if is_full(slot):
            flush_fragments(state, slot)
        wait(slot, h, wire, now)
        return
    if slot["waiting"]:
        flush_fragments(state, slot)
    know_ports(slot, h)
    if slot["read"] or not whole:
        unjoined(state, slot, b, wire, now, h)
        return
    close_slot(state, n)
    kept, ip_bytes = state["fragment_bytes"][n], h["ip_bytes"]
    make_whole(slot, h)
    status = walk(kept, h["l4_at"], h["present"], h["l4_end"], OK, LAYER_TRANSPORT, 1, h)
    h["ip_bytes"] = ip_bytes
    if status == OK:
        status = read_transport(kept, h)
    place, way = flow_of(state, kept, h, now)
    account(state, place, way, wire, now, h)
    if status == OK and h["fragment"] == 0 and h["more"] == 0:
        content(state, kept, place, way, now, h)
    else:
        state["counters"][FRAGMENTS_LOST] += 1


@inline
def unjoined(state: State, slot: Record, b: Bytes, wire: int, now: int, h: Record) -> None:
    """A piece that does not make its datagram whole; where it never will be (`read`), what it carries counts at once."""
    read = slot["read"]
    if read and h["fragment"] == 0 and read_transport(b, h) != OK:
        state["counters"][FRAGMENTS_LOST] += 1
        know_ports(slot, h)
        read = 0
    place, way = flow_of(state, b, h, now)
    account(state, place, way, wire, now, h)
    if read and h["fragment"] == 0:
        content(state, b, place, way, now, h)
    elif read:
        state["flows"][place]["counts"][way, PAYLOAD] += h["data_bytes"]
        state["flows"][place]["counts"][way, APP] += h["data_bytes"]


@inline
def flush_fragments(state: State, slot: Record) -> None:
    """Counts the pieces that have waited for the first one; in a flow without ports if it never came."""
    key = slot["headers"]
    for n in range(slot["waiting"]):
        now = slot["wait_ns"][n]
        key["ip_bytes"] = slot["wait_ip"][n]
        place, way = flow_of(state, state["work"], key, now)
        account(state, place, way, slot["wait_wire"][n], now, key)
    slot["waiting"] = 0


@inline
def give_up_fragments(state: State, n: int) -> None:
    """Frees a slot whose datagram will not be whole any more."""
    slot = state["fragments"][n]
    if slot["used"] == 0:
        return
    flush_fragments(state, slot)
    state["counters"][FRAGMENTS_LOST] += 1
    close_slot(state, n)
