"""Community ID v1 (https://github.com/corelight/community-id-spec): "1:" and base64 of a SHA-1 over the 5-tuple.

Theory: the spec hashes a 2-byte seed, both addresses (smaller end first), the protocol, a zero byte and both ports; 40
bytes at most, which is a single SHA-1 block (FIPS 180-4 §6.1). A kernel hashes all flows of a tick at once: one call
of a library per flow would cost more than the whole packet pass.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np

from ..core.jit import inline, kernel
from .ip import PROTOCOL_ICMP, PROTOCOL_ICMP6, PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP
from .state import Array

if TYPE_CHECKING:
    from ..core.wire import Bytes

MASK = 0xFFFFFFFF
BLOCK, DIGEST, LENGTH_AT = 64, 20, 56
INITIAL = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)  # FIPS 180-4 §5.3.1
# ICMP types that are one half of a conversation, and the other half (spec, "ICMP"): RFC 792, RFC 4443, RFC 4861
ICMP_PAIRS = ((PROTOCOL_ICMP, 8, 0), (PROTOCOL_ICMP, 9, 10), (PROTOCOL_ICMP, 13, 14), (PROTOCOL_ICMP, 15, 16),
              (PROTOCOL_ICMP, 17, 18), (PROTOCOL_ICMP6, 128, 129), (PROTOCOL_ICMP6, 130, 131),
              (PROTOCOL_ICMP6, 133, 134), (PROTOCOL_ICMP6, 135, 136), (PROTOCOL_ICMP6, 139, 140),
              (PROTOCOL_ICMP6, 144, 145))  # fmt: skip


@inline
def _rotated(value: int, by: int) -> int:
    """A 32-bit rotation to the left."""
    return ((value << by) | (value >> (32 - by))) & MASK


@inline
def _sha1_block(block: Bytes, words: Array, out: Bytes) -> None:
    """FIPS 180-4 §6.1.2 for a message of one block; `words`: int64[80]."""
    for t in range(16):
        words[t] = ((np.int64(block[4 * t]) << 24) | (np.int64(block[4 * t + 1]) << 16)
                    | (np.int64(block[4 * t + 2]) << 8) | np.int64(block[4 * t + 3]))  # fmt: skip
    for t in range(16, 80):
        words[t] = _rotated(words[t - 3] ^ words[t - 8] ^ words[t - 14] ^ words[t - 16], 1)
    a, b, c, d, e = INITIAL
    for t in range(80):
        if t < 20:
            f, k = (b & c) | ((b ^ MASK) & d), 0x5A827999
        elif t < 40:
            f, k = b ^ c ^ d, 0x6ED9EBA1
        elif t < 60:
            f, k = (b & c) | (b & d) | (c & d), 0x8F1BBCDC
        else:
            f, k = b ^ c ^ d, 0xCA62C1D6
        a, b, c, d, e = (_rotated(a, 5) + f + e + k + words[t]) & MASK, a, _rotated(b, 30), c, d
    for n in range(5):
        total = (INITIAL[n] + (a, b, c, d, e)[n]) & MASK
        for i in range(4):
            out[4 * n + i] = (total >> (24 - 8 * i)) & 0xFF


@inline
def _put(block: Bytes, at: int, hi: np.uint64, lo: np.uint64, four: bool) -> int:
    """An address in network order, 4 or 16 bytes; returns where the next field goes."""
    if not four:
        for i in range(8):
            block[at + i] = (hi >> np.uint64(56 - 8 * i)) & np.uint64(0xFF)
        at += 8
    for i in range(4 if four else 0, 8):
        block[at + i - (4 if four else 0)] = (lo >> np.uint64(56 - 8 * i)) & np.uint64(0xFF)
    return at + (4 if four else 8)


@inline
def _icmp_ports(protocol: int, kind: int, code: int) -> tuple[int, int, bool]:
    """Type and its counterpart, or type and code of a message without one: `(first, second, one way)`."""
    for which, one, other in ICMP_PAIRS:
        if which == protocol and kind == one:
            return one, other, False
        if which == protocol and kind == other:
            return other, one, False
    return kind, code, True


@kernel
def digests(flows: Array, from_local: Array, out: Array, block: Bytes, words: Array) -> None:
    """SHA-1 of each flow; flows: FLOW[n], from_local: uint8[n], out: uint8[n, 21] (the last byte stays 0).

    block: uint8[64], words: int64[80]: scratch.
    """
    for n in range(flows.size):
        f = flows[n]
        kind = f["kind"]
        protocol, version, extra = kind & 0xFF, (kind >> 8) & 0xFF, kind >> 16
        near, far = f["ports"] >> 16, f["ports"] & 0xFFFF
        near_hi, near_lo, far_hi, far_lo = f["local_hi"], f["local_lo"], f["remote_hi"], f["remote_lo"]
        if not from_local[n]:
            near, far = far, near
            near_hi, near_lo, far_hi, far_lo = far_hi, far_lo, near_hi, near_lo
        one_way = False
        if protocol in (PROTOCOL_ICMP, PROTOCOL_ICMP6):
            near, far, one_way = _icmp_ports(protocol, (extra >> 8) & 0xFF, extra & 0xFF)
        smaller = near_hi < far_hi or (
            near_hi == far_hi and (near_lo < far_lo or (near_lo == far_lo and near < far))
        )
        if not smaller and not one_way:
            near, far = far, near
            near_hi, near_lo, far_hi, far_lo = far_hi, far_lo, near_hi, near_lo
        block[:] = 0
        at = _put(block, 2, near_hi, near_lo, version == 4)
        at = _put(block, at, far_hi, far_lo, version == 4)
        block[at] = protocol
        at += 2
        if protocol in (PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_SCTP, PROTOCOL_ICMP, PROTOCOL_ICMP6):
            block[at], block[at + 1], block[at + 2], block[at + 3] = near >> 8, near & 0xFF, far >> 8, far & 0xFF
            at += 4
        block[at] = 0x80
        block[LENGTH_AT + 6], block[LENGTH_AT + 7] = (at * 8) >> 8, (at * 8) & 0xFF
        _sha1_block(block, words, out[n])


def community_ids(flows: Array, from_local: Array) -> list[str]:
    """The identifiers of FLOW[n]; from_local: uint8[n], whether the local end sent the first packet."""
    out = np.zeros((flows.size, DIGEST + 1), np.uint8)  # 21 bytes are 28 characters, the last of them padding
    digests(np.ascontiguousarray(flows), np.ascontiguousarray(from_local), out, np.zeros(BLOCK, np.uint8), np.zeros(80, np.int64))
    text = base64.b64encode(out.tobytes()).decode("ascii")
    return [f"1:{text[at : at + 27]}=" for at in range(0, len(text), 28)]
