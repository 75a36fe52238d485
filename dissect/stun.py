"""STUN (RFC 8489): how a device asks what its address looks like from outside, before a call or a direct connection.

Theory: a message begins with two zero bits, and has a fixed number, the magic cookie, where it cannot be missed; the
port says nothing. This file is the smallest whole protocol of the house and the pattern for others: `docs/guides/
add-a-protocol.md` goes through it.

Rules: nothing behind `end` is read. What is not certainly STUN is not STUN.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes, be16, be32, u8

READS = (
    ("STUN", "RFC 8489 §5", "recognised on any port by its magic cookie"),
)  # fmt: skip

STUN_BYTES = 20  # RFC 8489 §5
STUN_LENGTH = 2  # u16, of what follows the header; in whole words
STUN_COOKIE_AT = 4
STUN_COOKIE = 0x2112A442


@inline
def looks_like_stun(b: Bytes, at: int, end: int) -> bool:
    """RFC 8489 §5: two zero bits, the cookie, and a length in words that reaches at least to `end`."""
    if end - at < STUN_BYTES:
        return False
    length = be16(b, at + STUN_LENGTH)
    return (
        u8(b, at) & 0xC0 == 0
        and be32(b, at + STUN_COOKIE_AT) == STUN_COOKIE
        and length & 3 == 0
        and at + STUN_BYTES + length >= end
    )
