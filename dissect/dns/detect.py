"""Whether a datagram on any port is a DNS query: resolvers are not bound to port 53.

Theory: a standard query is rigid: one question, no answers, a name of ordinary labels, a common type, class IN, and
nothing behind it but one OPT record. Random or other data does not pass.

Rules: only queries are recognised; what answers them on the same flow is then taken for DNS too.
"""

from __future__ import annotations

from ...core.jit import inline
from ...core.wire import Bytes, be16, u8

HEADER_BYTES = 12  # RFC 1035 §4.1.1
QUERY_FLAGS, FIXED_FLAGS = 0x0000, 0xFE8F  # all but RD, AD, CD are zero in a standard query: RFC 1035 §4.1.1, RFC 4035 §3
MAX_LABEL, MAX_LABELS = 63, 32  # RFC 1035 §2.3.4
CLASS_IN = 1
COMMON_TYPES = (1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 43, 48, 64, 65, 255, 257)
OPT_LEAST = 11  # root, type, class, TTL, length: RFC 6891 §6.1.2
TYPE_OPT = 41


@inline
def looks_like_query(b: Bytes, at: int, end: int) -> bool:
    """[at, end): a whole datagram."""
    if end - at < HEADER_BYTES + 5 or be16(b, at + 2) & FIXED_FLAGS != QUERY_FLAGS:
        return False
    if be16(b, at + 4) != 1 or be16(b, at + 6) != 0 or be16(b, at + 8) != 0 or be16(b, at + 10) > 1:
        return False
    place = at + HEADER_BYTES
    for labels in range(MAX_LABELS):
        if place >= end:
            return False
        size = u8(b, place)
        place += 1
        if size == 0:
            return labels > 0 and _is_tail(b, place, end, be16(b, at + 10))
        if size > MAX_LABEL or place + size > end:
            return False
        for n in range(place, place + size):
            if not _is_ordinary(u8(b, n)):
                return False
        place += size
    return False


@inline
def _is_ordinary(c: int) -> bool:
    """Letters, digits, hyphen and underscore (RFC 1035 §2.3.1, RFC 8552)."""
    return 0x61 <= c | 0x20 <= 0x7A or 0x30 <= c <= 0x39 or c in (0x2D, 0x5F)


@inline
def _is_tail(b: Bytes, at: int, end: int, additional: int) -> bool:
    """A common type, class IN, and then nothing, or one OPT record."""
    if at + 4 > end or be16(b, at + 2) != CLASS_IN:
        return False
    kind = be16(b, at)
    common = False
    for known in COMMON_TYPES:
        common = common or kind == known
    behind = at + 4
    if not common or additional == 0:
        return common and behind == end
    return (
        end - behind >= OPT_LEAST
        and u8(b, behind) == 0
        and be16(b, behind + 1) == TYPE_OPT
        and behind + OPT_LEAST + be16(b, behind + 9) == end
    )
