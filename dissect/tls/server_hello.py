"""ServerHello (RFC 8446 §4.1.3): which version and cipher the rest of the connection speaks."""

from __future__ import annotations

from typing import Any

from ...core.jit import inline
from ...core.status import MALFORMED, OK
from ...core.wire import Bytes, be16, be64, u8

VERSION, CIPHER, RETRY = 0, 1, 2  # places in `out`
HANDSHAKE_HEADER, RANDOM_BYTES = 4, 32
LEAST_BODY = 2 + RANDOM_BYTES + 1 + 2 + 1  # version, random, empty session identifier, cipher, compression
SUPPORTED_VERSIONS = 43  # RFC 8446 §4.2.1
RETRY_RANDOM = 0xCF21AD74E59A6111  # first 8 bytes of the random of HelloRetryRequest: RFC 8446 §4.1.3


@inline
def parse_server_hello(b: Bytes, at: int, end: int, out: Any) -> int:  # noqa: ANN401  (int64[8])
    """[at, end): the handshake message with its header. Fills version, cipher and whether it asks for a new hello."""
    body = at + HANDSHAKE_HEADER
    if end - body < LEAST_BODY:
        return MALFORMED
    out[VERSION] = be16(b, body)
    out[RETRY] = 1 if be64(b, body + 2) == RETRY_RANDOM else 0
    place = body + 2 + RANDOM_BYTES
    place += 1 + u8(b, place)
    if place + 3 > end:
        return MALFORMED
    out[CIPHER] = be16(b, place)
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
        place += size
    return OK
