"""Connections that go on from another address or port, followed by their connection IDs.

Theory (RFC 9000 §5.1, §9): an end chooses the IDs that packets to it carry, shows the first one in its long headers, and
keeps its address; so the address and port that a packet goes to, with the ID in front of it, name the connection even
when its sender's address is new (a NAT rebound its port, the device got another address).

Rules: looked at only when a UDP flow begins with a short header, never per packet. The packets of the new 5-tuple are
counted in the flow that there is (an *alias* in the flow table leads there), under the addresses with which it began;
`migrations` counts such changes. Followed only if the local end's link address, where known, is the same, and the ID
belongs to one live flow. What cannot be followed, by design of QUIC: an end that moves on purpose takes an ID that the
other one issued in an encrypted frame (§9.5); IDs shorter than MIN_FOLLOWED bytes, which could be equal by chance.
Bounded: of WAYS connections with one place in the table the oldest is forgotten, counted if it was alive.
"""

from __future__ import annotations

import numpy as np

from ...core.jit import inline
from ...core.wire import Bytes, u8
from ..flow_table import end_hash, mixed
from ..records import Record
from ..state import CID_LENGTHS, CONNECTION_SETS, CONNECTION_WAYS, CONNECTIONS_FORGOTTEN, Array, State

LONG, FIXED = 0x80, 0x40  # RFC 9000 §17.2, §17.3.1
MIN_FOLLOWED, MAX_FOLLOWED = 4, 20
SHORT_LEAST = 1 + 1 + 3 + 16  # flags, packet number, sample of header protection: RFC 9001 §5.4.2
PORT_HTTPS = 443
UNCLEAR = -1  # two live flows have shown this ID


@inline
def key_of(state: State, hi: np.uint64, lo: np.uint64, port: int, b: Bytes, at: int, size: int) -> np.uint64:
    """A keyed hash of whom packets go to and the ID that they carry; never 0."""
    h = mixed(end_hash(hi, lo, port, state["seed"][0]) ^ state["seed"][1] ^ np.uint64(size))
    for n in range(at, at + size):
        h = mixed(h ^ np.uint64(u8(b, n)))
    return h | np.uint64(1)


@inline
def is_live(state: State, entry: Record) -> bool:
    """Whether the flow that the entry leads to is still in the table."""
    slot = entry["slot"]
    return slot >= 0 and state["flows"][slot]["alive"] != 0 and state["cold"][slot]["flow_id"] == entry["flow_id"]


@inline
def oldest_of(ways: Array) -> int:
    """The place of the connection that was learned first."""
    oldest = 0
    for n in range(1, CONNECTION_WAYS):
        if ways[n]["time"] < ways[oldest]["time"]:
            oldest = n
    return oldest


@inline
def learn_connection(state: State, b: Bytes, place: int, way: int, at: int, size: int) -> None:
    """The sender of `way` shows the ID that it wants to be called by."""
    if size < MIN_FOLLOWED:
        return
    f, flow_id = state["flows"][place], state["cold"][place]["flow_id"]
    if way == 0:
        key = key_of(state, f["local_hi"], f["local_lo"], f["ports"] >> 16, b, at, size)
    else:
        key = key_of(state, f["remote_hi"], f["remote_lo"], f["ports"] & 0xFFFF, b, at, size)
    row = np.int64(key >> np.uint64(32)) % CONNECTION_SETS
    chosen = -1
    for n in range(CONNECTION_WAYS):
        entry = state["connections"][row, n]
        if entry["key"] == key:
            if entry["flow_id"] != flow_id and is_live(state, entry):
                entry["slot"] = UNCLEAR
            if entry["flow_id"] == flow_id or entry["slot"] == UNCLEAR:
                return
            chosen = n
            break
        if chosen < 0 and not is_live(state, entry):
            chosen = n
    if chosen < 0:
        chosen = oldest_of(state["connections"][row])
        state["counters"][CONNECTIONS_FORGOTTEN] += 1
    entry = state["connections"][row, chosen]
    entry["key"], entry["flow_id"], entry["slot"], entry["way"] = key, flow_id, place, 1 - way
    entry["time"] = f["last_ns"]
    state["cursor"][CID_LENGTHS] |= 1 << size


@inline
def has_short_header(b: Bytes, h: Record) -> bool:
    """Whether the datagram may be a 1-RTT packet (RFC 9000 §17.3.1)."""
    at, end = h["data_at"], min(h["data_at"] + h["data_bytes"], h["present"])
    return end - at >= SHORT_LEAST and u8(b, at) & (LONG | FIXED) == FIXED


@inline
def is_quic_port(ports: int) -> bool:
    """Whether either end is the port of HTTP/3 (RFC 9114 §3.1)."""
    return ports >> 16 == PORT_HTTPS or ports & 0xFFFF == PORT_HTTPS


@inline
def main_is_live(state: State, c: Record) -> bool:
    """Whether the flow that an alias leads to is still in the table."""
    return state["flows"][c["main"]]["alive"] != 0 and state["cold"][c["main"]]["flow_id"] == c["main_id"]


@inline
def connection_of(state: State, b: Bytes, h: Record) -> tuple[int, int]:
    """The live flow that a datagram with a short header belongs to by its ID, `(place, way)`, or (-1, 0)."""
    at, end = h["data_at"], min(h["data_at"] + h["data_bytes"], h["present"])
    lengths = state["cursor"][CID_LENGTHS]
    for size in range(MIN_FOLLOWED, min(MAX_FOLLOWED, end - at - 1) + 1):
        if lengths >> size & 1:
            key = key_of(state, h["dst_hi"], h["dst_lo"], h["dst_port"], b, at + 1, size)
            row = np.int64(key >> np.uint64(32)) % CONNECTION_SETS
            for n in range(CONNECTION_WAYS):
                entry = state["connections"][row, n]
                if entry["key"] == key and is_live(state, entry):
                    return entry["slot"], entry["way"]
    return -1, 0


@inline
def join(state: State, place: int, way: int, main: int, main_way: int) -> bool:
    """Makes the flow just created at `place` lead to `main`, unless it is another device's."""
    f, c = state["flows"][place], state["cold"][place]
    m = state["cold"][main]
    if way != main_way or (c["has_mac"] != 0 and m["has_mac"] != 0 and c["mac"] != m["mac"]):
        return False
    f["alias"] = 1
    c["main"], c["main_id"] = main, m["flow_id"]
    m["migrations"] = min(m["migrations"] + 1, 0xFFFF)
    return True
