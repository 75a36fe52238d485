"""NAT64: the IPv4 address that an IPv6 address stands for, where a network without IPv4 translates (RFC 6146).

Theory: such an address is a prefix with the IPv4 address behind it (RFC 6052 §2.2): the well-known prefix (§2.1), or one
of the network's own. A host learns that by asking for the IPv6 addresses of `ipv4only.arpa`, which has none but those that
the network makes of its two IPv4 addresses: where these stand in the answer, the prefix ends (RFC 7050 §3).

Rules: a prefix counts for flows that begin after it was told, whoever asked. It is believed as the names in DNS answers
are: whoever forges them can claim what he likes. Only unicast DNS is asked, and only an answer in which a well-known
address stands in one place, all else behind the prefix zero, tells a prefix. NAT64_PREFIXES are known; another takes the
place of the oldest, which is counted.
"""

from __future__ import annotations

import numpy as np

from ..core.jit import inline
from .intern import Names
from .state import NAT64_FORGOTTEN, NAT64_PREFIXES, NAT64_ROWS, State

READS = (
    ("NAT64", "RFC 6052 §2.2, RFC 7050 §3", "IPv4 addresses behind the well-known prefix, and behind the one that a network tells"),
)  # fmt: skip

LENGTHS = (32, 40, 48, 56, 64, 96)  # of prefixes: RFC 6052 §2.2
WELL_KNOWN = np.uint64(0x0064_FF9B << 32)  # 64:ff9b::/96: RFC 6052 §2.1
ASKED_1, ASKED_2 = np.uint64(0xC00000AA), np.uint64(0xC00000AB)  # 192.0.0.170, 192.0.0.171: RFC 7050 §8.2
IPV4ONLY = np.frombuffer(b"ipv4only.arpa", np.uint8).copy()  # RFC 7050 §8.1
LOW_32 = np.uint64(0xFFFFFFFF)


@inline
def embedded(hi: np.uint64, lo: np.uint64, length: int) -> np.uint64:
    """The IPv4 address behind a prefix of this length: RFC 6052 §2.2, where bits 64 to 71 are no part of it."""
    if length == 96:
        return lo & LOW_32
    if length == 32:
        return hi & LOW_32
    front = hi << np.uint64(length - 32) & LOW_32 if length < 64 else np.uint64(0)
    return front | lo << np.uint64(8) >> np.uint64(96 - length)


@inline
def is_bare(lo: np.uint64, length: int) -> bool:
    """Whether bits 64 to 71, and those behind the IPv4 address, are zero as they must be (RFC 6052 §2.2): all in `lo`."""
    if length == 96:
        return lo >> np.uint64(56) == 0
    behind = np.uint64(88 - length)  # bits
    return lo >> np.uint64(56) == 0 and lo & ((np.uint64(1) << behind) - np.uint64(1)) == 0


@inline
def is_behind(hi: np.uint64, lo: np.uint64, prefix_hi: np.uint64, prefix_lo: np.uint64, length: int) -> bool:
    """Whether an address begins with a prefix, and has nothing but an IPv4 address behind it."""
    if length == 96:
        return hi == prefix_hi and lo >> np.uint64(32) == prefix_lo >> np.uint64(32)
    rest = np.uint64(64 - length)
    return hi >> rest == prefix_hi >> rest and is_bare(lo, length)


@inline
def behind(state: State, hi: np.uint64, lo: np.uint64) -> np.uint64:
    """The IPv4 address that an IPv6 address stands for; 0 where it stands for none. The latest prefix counts."""
    if hi == WELL_KNOWN and lo >> np.uint64(32) == 0:
        return lo & LOW_32
    rows = state["cursor"][NAT64_ROWS]
    for back in range(min(rows, NAT64_PREFIXES)):
        p = state["nat64"][(rows - 1 - back) % NAT64_PREFIXES]
        if is_behind(hi, lo, p["hi"], p["lo"], p["length"]):
            return embedded(hi, lo, p["length"])
    return np.uint64(0)


@inline
def learn_prefix(state: State, hi: np.uint64, lo: np.uint64) -> None:
    """Takes the prefix out of an IPv6 address of `ipv4only.arpa`: RFC 7050 §3."""
    found = 0
    for length in LENGTHS:
        address = embedded(hi, lo, length)
        if is_bare(lo, length) and (address == ASKED_1 or address == ASKED_2):
            if found:
                return  # it stands in two places: RFC 7050 §3
            found = length
    if found == 0:
        return
    prefix_hi, prefix_lo = hi, np.uint64(0)
    if found == 96:
        prefix_lo = lo & ~LOW_32
    elif found < 64:
        prefix_hi = hi >> np.uint64(64 - found) << np.uint64(64 - found)
    rows = state["cursor"][NAT64_ROWS]
    for n in range(min(rows, NAT64_PREFIXES)):
        p = state["nat64"][n]
        if p["hi"] == prefix_hi and p["lo"] == prefix_lo and p["length"] == found:
            return
    if rows >= NAT64_PREFIXES:
        state["counters"][NAT64_FORGOTTEN] += 1
    p = state["nat64"][rows % NAT64_PREFIXES]
    p["hi"], p["lo"], p["length"] = prefix_hi, prefix_lo, found
    state["cursor"][NAT64_ROWS] += 1


@inline
def is_ipv4only(names: Names, number: int) -> bool:
    """Whether a name is the one by which hosts ask for the prefix."""
    start = names["start"][number]
    if names["start"][number + 1] - start != IPV4ONLY.size:
        return False
    for n in range(IPV4ONLY.size):
        if names["arena"][start + n] != IPV4ONLY[n]:
            return False
    return True
