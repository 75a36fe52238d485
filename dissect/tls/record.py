"""TLS records: what a record header is (RFC 8446 §5.1)."""

from __future__ import annotations

from ...core.jit import inline
from ...core.wire import Bytes, be16, u8

RECORD_HEADER = 5  # RFC 8446 §5.1
MAX_RECORD = (1 << 14) + 2048  # TLS 1.2 ciphertext: RFC 5246 §6.2.3
CHANGE_CIPHER_SPEC, HEARTBEAT = 20, 24  # content types: RFC 8446 §5.1, RFC 6520 §3


@inline
def looks_like_record(b: Bytes, at: int, end: int) -> bool:
    """Whether a TLS record header can start at `at`: content type, version 3.x, a length that may be."""
    if end - at < RECORD_HEADER:
        return False
    kind = u8(b, at)
    if kind < CHANGE_CIPHER_SPEC or kind > HEARTBEAT or u8(b, at + 1) != 3 or u8(b, at + 2) > 4:
        return False
    return 0 < be16(b, at + 3) <= MAX_RECORD

