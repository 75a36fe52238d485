"""ServerHello (RFC 8446 §4.1.3): which version and cipher the rest of the connection speaks."""

from __future__ import annotations

from typing import Any

from ...core.jit import inline
from ...core.status import MALFORMED, OK
from ...core.wire import Bytes, be16, be64, u8

VERSION, CIPHER, RETRY, GROUP, PSK, UNSURE = 0, 1, 2, 3, 4, 5  # places in `out`
RANDOM_BYTES = 32
LEAST_BODY = 2 + RANDOM_BYTES + 1 + 2 + 1  # version, random, empty session identifier, cipher, compression
TRUNCATED_HMAC, PRE_SHARED_KEY, SUPPORTED_VERSIONS, KEY_SHARE = 4, 41, 43, 51  # RFC 6066 §7, RFC 8446 §4.2
RETRY_RANDOM = 0xCF21AD74E59A6111  # first 8 bytes of the random of HelloRetryRequest: RFC 8446 §4.1.3


@inline
def parse_server_hello(b: Bytes, at: int, end: int, out: Any) -> int:  # noqa: ANN401  (int64[8])
    """[at, end): the message without its header.

    Fills version, cipher, whether it asks for a new hello, the named group (0: none named), whether a pre-shared key was
    taken, and whether what records add to their content is not what the suite says (compression, shortened MAC).
    """
    out[GROUP], out[PSK], out[UNSURE] = 0, 0, 0
    if end - at < LEAST_BODY:
        return MALFORMED
    out[VERSION] = be16(b, at)
    out[RETRY] = 1 if be64(b, at + 2) == RETRY_RANDOM else 0
    place = at + 2 + RANDOM_BYTES
    place += 1 + u8(b, place)
    if place + 3 > end:
        return MALFORMED
    out[CIPHER] = be16(b, place)
    out[UNSURE] = 1 if u8(b, place + 2) != 0 else 0  # compression method: RFC 3749 §2
    place += 3
    if place + 2 > end:
        return OK
    stop = min(place + 2 + be16(b, place), end)
    place += 2
    while place + 4 <= stop:
        kind, size = be16(b, place), be16(b, place + 2)
        place += 4
        if place + size > stop:
            return MALFORMED
        if kind == SUPPORTED_VERSIONS and size == 2:
            out[VERSION] = be16(b, place)
        elif kind == KEY_SHARE and size >= 2:
            out[GROUP] = be16(b, place)
        elif kind == PRE_SHARED_KEY:
            out[PSK] = 1
        elif kind == TRUNCATED_HMAC:
            out[UNSURE] = 1
        place += size
    return OK
