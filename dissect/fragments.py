"""IP datagrams that came in fragments, put together again (RFC 791 §3.2, RFC 8200 §4.5).

Theory: a datagram in pieces has a slot: its bytes, which 8-byte units of it have come, and what its first piece said
about ports. Slots form sets by a hash of the datagram's key; a new datagram takes a free slot of its set or the oldest.
Pieces that come before the first one, which alone knows the ports, wait as numbers and are counted when it comes.

Rules: the bytes that came first stand (overlaps never overwrite). Lengths are those of the wire: a piece that the
snapshot length cut counts as come, and the whole is present up to its first missing byte. A datagram that is not whole
MAX_AGE after its first piece is given up, counted.
"""

from __future__ import annotations

import numpy as np

from ..core.jit import inline
from ..core.wire import Bytes
from .records import Record
from .state import DATAGRAM_BYTES, FRAGMENT_SETS, FRAGMENT_WAYS, MAX_WAITING_FRAGMENTS, State

READS = (
    ("IP fragments", "RFC 791 §3.2, RFC 8200 §4.5", "put together within limits; each piece counts in its datagram's flow"),
)  # fmt: skip

UNIT = 8  # offsets count in eights: RFC 791 §3.1
MAX_AGE = 30_000_000_000  # ns; RFC 791 §3.2 proposes 15 s, RFC 8200 §4.5 sets 60 s, Linux has 30 s
FREE, COMING = 0, 1


@inline
def first_slot(h: Record) -> int:
    """Where the datagram's set of slots begins."""
    mixed = h["src_lo"] * np.uint64(0x9E3779B97F4A7C15) ^ h["dst_lo"] * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed = (mixed ^ np.uint64(h["datagram"])) * np.uint64(0xFF51AFD7ED558CCD)
    return int(mixed >> np.uint64(40)) % FRAGMENT_SETS * FRAGMENT_WAYS


@inline
def is_of(slot: Record, h: Record) -> bool:
    """Whether the piece belongs to the slot's datagram; IPv6 leaves the protocol out of the key (RFC 8200 §4.5)."""
    key = slot["headers"]
    return (
        slot["used"] != FREE
        and key["datagram"] == h["datagram"]
        and key["src_lo"] == h["src_lo"]
        and key["dst_lo"] == h["dst_lo"]
        and key["src_hi"] == h["src_hi"]
        and key["dst_hi"] == h["dst_hi"]
        and key["version"] == h["version"]
        and (h["version"] == 6 or key["protocol"] == h["protocol"])
    )


@inline
def slot_of(state: State, h: Record) -> int:
    """The slot that holds the datagram already, or -1."""
    first = first_slot(h)
    for n in range(first, first + FRAGMENT_WAYS):
        if is_of(state["fragments"][n], h):
            return n
    return -1


@inline
def slot_for(state: State, h: Record) -> int:
    """The slot that a new datagram may have: a free one, or the one whose first piece is oldest."""
    slots = state["fragments"]
    best = first_slot(h)
    for n in range(best, best + FRAGMENT_WAYS):
        if slots[n]["used"] == FREE:
            return n
        if slots[n]["began"] < slots[best]["began"]:
            best = n
    return best


@inline
def open_slot(slot: Record, h: Record, now: int) -> None:
    """Begins a datagram in a free slot."""
    key = slot["headers"]
    key["src_hi"], key["src_lo"], key["dst_hi"], key["dst_lo"] = h["src_hi"], h["src_lo"], h["dst_hi"], h["dst_lo"]
    key["src_mac"], key["dst_mac"], key["has_mac"] = h["src_mac"], h["dst_mac"], h["has_mac"]
    key["datagram"], key["version"], key["protocol"], key["tunnel"] = (
        h["datagram"], h["version"], h["protocol"], h["tunnel"],
    )  # fmt: skip
    key["fragment"], key["more"] = UNIT, 1
    key["src_port"], key["dst_port"], key["extra"], key["answers"] = 0, 0, 0, 0
    slot["used"] = COMING
    slot["began"] = now
    slot["has_first"] = 0
    slot["read"] = 0
    slot["skip"] = 0
    slot["total"] = -1
    slot["come"] = 0
    slot["high"] = 0
    slot["missing_from"] = DATAGRAM_BYTES
    slot["waiting"] = 0


@inline
def close_slot(state: State, n: int) -> None:
    """Frees a slot."""
    slot, units = state["fragments"][n], state["fragment_units"][n]
    for unit in range(slot["high"]):
        units[unit] = 0
    slot["used"] = FREE


@inline
def put(state: State, n: int, b: Bytes, h: Record) -> bool:
    """Takes the piece's bytes; whether the datagram is whole now."""
    slot, units, kept = state["fragments"][n], state["fragment_units"][n], state["fragment_bytes"][n]
    start, length = h["fragment"], h["l4_end"] - h["body_at"]
    end = start + length
    if length <= 0 or end > DATAGRAM_BYTES:
        return False
    if h["more"] == 0:
        slot["total"] = end
        last = (end + UNIT - 1) // UNIT
    else:
        last = end // UNIT
    present = h["body_at"] + max(min(h["present"] - h["body_at"], length), 0)
    for unit in range(start // UNIT, last):
        if units[unit]:
            continue
        units[unit] = 1
        slot["come"] += 1
        at = h["body_at"] + unit * UNIT - start
        for i in range(min(UNIT, h["l4_end"] - at)):
            if at + i >= present:
                slot["missing_from"] = min(slot["missing_from"], unit * UNIT + i)
                break
            kept[unit * UNIT + i] = b[at + i]
    slot["high"] = max(slot["high"], last)
    return slot["total"] >= 0 and slot["come"] * UNIT >= slot["total"]


@inline
def note_first(slot: Record, h: Record) -> None:
    """The first piece: ports, and how far into the datagram its transport header lies."""
    key = slot["headers"]
    key["protocol"] = h["protocol"]
    key["src_port"], key["dst_port"], key["extra"], key["answers"] = h["src_port"], h["dst_port"], h["extra"], h["answers"]
    slot["skip"] = h["l4_at"] - h["body_at"]
    slot["has_first"] = 1


@inline
def wait(slot: Record, h: Record, wire: int, now: int) -> None:
    """Notes a piece whose ports are not known yet; there is room (MAX_WAITING_FRAGMENTS)."""
    at = slot["waiting"]
    slot["wait_wire"][at], slot["wait_ip"][at], slot["wait_ns"][at] = wire, h["ip_bytes"], now
    slot["waiting"] = at + 1


@inline
def is_full(slot: Record) -> bool:
    """Whether no more pieces can wait for the first."""
    return slot["waiting"] >= MAX_WAITING_FRAGMENTS


@inline
def know_ports(slot: Record, h: Record) -> None:
    """A later piece gets what the first one said."""
    key = slot["headers"]
    h["protocol"] = key["protocol"]
    h["src_port"], h["dst_port"], h["extra"], h["answers"] = key["src_port"], key["dst_port"], key["extra"], key["answers"]


@inline
def make_whole(slot: Record, h: Record) -> None:
    """The headers record of the datagram as if it had come in one piece, its bytes being the slot's."""
    know_ports(slot, h)
    h["fragment"], h["more"] = 0, 0
    h["l4_at"], h["l4_end"] = slot["skip"], slot["total"]
    h["present"] = min(slot["missing_from"], slot["total"])
