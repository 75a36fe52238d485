"""The flow table: from a packet's ends to a place in the pools.

Theory: open addressing with linear probing over `index`; an entry is the hash's upper half and the place, so that a
probe touches a flow only when 32 bits agree. Removal shifts later entries back, so there are no tombstones. The hash
is symmetric in the two ends and keyed with random numbers: packets cannot be crafted to collide.

Rules: a place is taken from `free` and comes back when Python has read the flow (`done`). Which end is local is decided
at the first packet (contract: the user's networks, else the private end, else the sender) and never changes.
"""

from __future__ import annotations

import numpy as np

from ..core.jit import inline
from .ip import PROTOCOL_TCP, V4_MAPPED
from .nat64 import behind
from .records import Record
from .state import (
    ACTIVE,
    ALIVE,
    DONE,
    FREE,
    HIGH_WATER,
    IDLE_DNS,
    IDLE_OTHER,
    IDLE_TCP,
    INDEX,
    INDEX_MASK,
    LINGER,
    LOCAL_NETWORKS,
    SERVICE_DNS,
    SWEEP,
    Array,
    State,
)

MIX_1 = np.uint64(0xFF51AFD7ED558CCD)  # MurmurHash3's 64-bit finaliser (public domain, A. Appleby)
MIX_2 = np.uint64(0xC4CEB9FE1A85EC53)
SHIFT = np.uint64(33)
LOW_32 = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
IDENTITY_SEED = np.uint64(0x9E3779B97F4A7C15)  # fixed: flow_id is the same in every run
EVICT_SAMPLE = 64  # flows looked at to find an old one when the table is full
SWEEP_EVERY, SWEEP_STEP = 64, 16  # packets between sweeps, flows looked at in one

V4_PRIVATE = ((0x0A000000, 0xFF000000), (0xAC100000, 0xFFF00000), (0xC0A80000, 0xFFFF0000),  # RFC 1918 §3
              (0xA9FE0000, 0xFFFF0000), (0x64400000, 0xFFC00000))  # fmt: skip  # RFC 3927 §2.1, RFC 6598 §7


@inline
def mixed(value: np.uint64) -> np.uint64:
    """A 64-bit finaliser: every input bit changes half of the output bits."""
    value ^= value >> SHIFT
    value *= MIX_1
    value ^= value >> SHIFT
    value *= MIX_2
    return value ^ (value >> SHIFT)


@inline
def end_hash(hi: np.uint64, lo: np.uint64, port: int, seed: np.uint64) -> np.uint64:
    """The hash of one end."""
    return mixed(mixed((hi ^ seed) + lo) ^ hi ^ np.uint64(port))


@inline
def is_private(hi: np.uint64, lo: np.uint64) -> bool:
    """RFC 1918, link-local, CGNAT and unique local addresses."""
    if hi == 0 and lo >> HALF == V4_MAPPED >> HALF:
        address = np.int64(lo & LOW_32)
        for network, mask in V4_PRIVATE:
            if address & mask == network:
                return True
        return False
    first = np.int64(hi >> np.uint64(48))
    return first & 0xFE00 == 0xFC00 or first & 0xFFC0 == 0xFE80  # RFC 4193 §3.1, RFC 4291 §2.5.6


@inline
def in_networks(hi: np.uint64, lo: np.uint64, networks: Array, given: int) -> bool:
    """Whether the user said that this address is local; `networks`: address hi, lo, mask hi, lo."""
    for n in range(given):
        if hi & networks[n, 2] == networks[n, 0] and lo & networks[n, 3] == networks[n, 1]:
            return True
    return False


@inline
def source_is_local(state: State, h: Record, answers: bool) -> bool:
    """The contract's rule for the first packet of a flow; `answers`: the packet answers an unseen one (SYN/ACK)."""
    given = state["settings"][LOCAL_NETWORKS]
    if given:
        source = in_networks(h["src_hi"], h["src_lo"], state["networks"], given)
        destination = in_networks(h["dst_hi"], h["dst_lo"], state["networks"], given)
        if source != destination:
            return source
    source = is_private(h["src_hi"], h["src_lo"])
    destination = is_private(h["dst_hi"], h["dst_lo"])
    if source != destination:
        return source
    return not answers


@inline
def kind_of(h: Record) -> int:
    """Protocol, IP version and what tells apart flows of a transport without ports, as one number."""
    return h["protocol"] | (h["version"] << 8) | (h["extra"] << 16)


@inline
def find(state: State, h: Record, hashed: np.uint64) -> tuple[int, int]:
    """The flow of a packet and its direction, `(place, way)`, or (-1, 0)."""
    index = state["index"]
    mask = state["settings"][INDEX_MASK]
    tag = hashed >> HALF
    at = np.int64(tag) & mask
    kind = kind_of(h)
    forth = (h["src_port"] << 16) | h["dst_port"]
    back = (h["dst_port"] << 16) | h["src_port"]
    while index[at] != 0:
        if index[at] >> HALF == tag:
            place = np.int64(index[at] & LOW_32) - 1
            f = state["flows"][place]
            if f["kind"] == kind:
                if (f["ports"] == forth and f["local_lo"] == h["src_lo"] and f["remote_lo"] == h["dst_lo"]
                        and f["local_hi"] == h["src_hi"] and f["remote_hi"] == h["dst_hi"]):  # fmt: skip
                    return place, 0
                if (f["ports"] == back and f["local_lo"] == h["dst_lo"] and f["remote_lo"] == h["src_lo"]
                        and f["local_hi"] == h["dst_hi"] and f["remote_hi"] == h["src_hi"]):  # fmt: skip
                    return place, 1
        at = (at + 1) & mask
    return -1, 0


@inline
def insert(state: State, hashed: np.uint64, place: int) -> None:
    """Enters a place; there is room, since the index is kept at most half full."""
    index, mask = state["index"], state["settings"][INDEX_MASK]
    tag = hashed >> HALF
    at = np.int64(tag) & mask
    while index[at] != 0:
        at = (at + 1) & mask
    index[at] = (tag << HALF) | np.uint64(place + 1)


@inline
def remove(state: State, hashed: np.uint64, place: int) -> None:
    """Takes a place out and shifts back what had been displaced by it (Knuth 6.4, algorithm R)."""
    index, mask = state["index"], state["settings"][INDEX_MASK]
    tag = hashed >> HALF
    hole = np.int64(tag) & mask
    entry = (tag << HALF) | np.uint64(place + 1)
    while index[hole] != entry:
        if index[hole] == 0:
            return
        hole = (hole + 1) & mask
    at = hole
    while True:
        at = (at + 1) & mask
        if index[at] == 0:
            break
        home = np.int64(index[at] >> HALF) & mask
        if (at - home) & mask >= (at - hole) & mask:
            index[hole] = index[at]
            hole = at
    index[hole] = 0


@inline
def widen_index(state: State) -> None:
    """Twice as much of the index, every flow in use entered anew (the one being made is not alive yet)."""
    mask = min(state["settings"][INDEX_MASK] * 2 + 1, INDEX - 1)
    state["index"][: mask + 1] = 0
    state["settings"][INDEX_MASK] = mask
    for place in range(state["cursor"][HIGH_WATER]):
        if state["flows"][place]["alive"]:
            insert(state, state["flows"][place]["hash"], place)


@inline
def create(state: State, h: Record, hashed: np.uint64, now: int, answers: bool) -> tuple[int, int]:
    """A new flow for this packet; the caller has made sure that a place is free. `(place, way)`."""
    cursor = state["cursor"]
    cursor[FREE] -= 1
    place = np.int64(state["free"][cursor[FREE]])
    cursor[HIGH_WATER] = max(cursor[HIGH_WATER], place + 1)
    cursor[ACTIVE] += 1
    f, c = state["flows"][place], state["cold"][place]
    if cursor[ACTIVE] * 2 > state["settings"][INDEX_MASK]:
        widen_index(state)
    local_first = source_is_local(state, h, answers)
    way = 0 if local_first else 1
    f["hash"] = hashed
    f["kind"] = kind_of(h)
    if local_first:
        f["local_hi"], f["local_lo"], f["remote_hi"], f["remote_lo"] = h["src_hi"], h["src_lo"], h["dst_hi"], h["dst_lo"]
        f["ports"] = (h["src_port"] << 16) | h["dst_port"]
    else:
        f["local_hi"], f["local_lo"], f["remote_hi"], f["remote_lo"] = h["dst_hi"], h["dst_lo"], h["src_hi"], h["src_lo"]
        f["ports"] = (h["dst_port"] << 16) | h["src_port"]
    f["first_ns"] = now
    f["last_ns"] = now
    f["alive"] = ALIVE
    f["held"][0] = -1
    f["held"][1] = -1
    c["collector"][0] = -1
    c["collector"][1] = -1
    c["from_local"] = 1 if local_first != answers else 0
    c["mac"] = h["src_mac"] if local_first else h["dst_mac"]
    c["has_mac"] = 1 if h["has_mac"] == 1 or (h["has_mac"] == 2 and local_first) else 0
    c["tunnel"] = h["tunnel"]
    if h["version"] == 6:
        c["remote_v4"] = behind(state, f["remote_hi"], f["remote_lo"])
    c["flow_id"] = identity(h, f, now)
    insert(state, hashed, place)
    return place, way


@inline
def identity(h: Record, f: Record, now: int) -> np.uint64:
    """A flow's identifier: a fixed hash of its ends, and of the time and sequence number of its first packet.

    The number tells connections apart that follow one another within the clock's resolution: some captures have no clock.
    """
    ends = (end_hash(h["src_hi"], h["src_lo"], h["src_port"], IDENTITY_SEED)
            + end_hash(h["dst_hi"], h["dst_lo"], h["dst_port"], IDENTITY_SEED))  # fmt: skip
    return mixed(mixed(mixed(ends ^ np.uint64(f["kind"])) + np.uint64(now)) + np.uint64(h["seq"]))


@inline
def hash_of(h: Record, seed: Array) -> np.uint64:
    """The table's hash of a packet's ends, the same in both directions."""
    ends = (end_hash(h["src_hi"], h["src_lo"], h["src_port"], seed[0])
            + end_hash(h["dst_hi"], h["dst_lo"], h["dst_port"], seed[0]))  # fmt: skip
    return mixed(ends ^ seed[1] ^ np.uint64(kind_of(h)))


@inline
def retire(state: State, place: int, end: int) -> None:
    """Ends a flow: out of the index, onto `done`, where Python finds it."""
    f = state["flows"][place]
    remove(state, f["hash"], place)
    f["alive"] = 0
    f["end"] = end if f["end"] == 0 else f["end"]
    state["done"][state["cursor"][DONE]] = place
    state["cursor"][DONE] += 1
    state["cursor"][ACTIVE] -= 1


@inline
def limit_of(state: State, f: Record) -> int:
    """How long a flow may be silent, in ns: less after its end, when only stragglers are awaited."""
    if f["end"] != 0:
        return state["settings"][LINGER]
    if f["kind"] & 0xFF == PROTOCOL_TCP:
        return state["settings"][IDLE_TCP]
    return state["settings"][IDLE_DNS if f["service"] == SERVICE_DNS else IDLE_OTHER]


@inline
def stale(state: State, place: int, now: int) -> bool:
    """Whether the flow at this place is in use and has been silent for longer than it may."""
    f = state["flows"][place]
    return f["alive"] != 0 and now - f["last_ns"] > limit_of(state, f)


@inline
def oldest_of_sample(state: State) -> int:
    """The longest silent among the next flows of the sweep: whom a full table gives up (one is in use)."""
    cursor = state["cursor"]
    best, best_time, looked = -1, np.int64(0), 0
    while best < 0 or looked < EVICT_SAMPLE:
        looked += 1
        cursor[SWEEP] = (cursor[SWEEP] + 1) % max(cursor[HIGH_WATER], 1)
        f = state["flows"][cursor[SWEEP]]
        if f["alive"] and (best < 0 or f["last_ns"] < best_time):
            best, best_time = cursor[SWEEP], f["last_ns"]
    return best
