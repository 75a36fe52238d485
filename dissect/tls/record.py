"""TLS records: what a record header is, and what a protected record adds to its content.

Sources: RFC 8446 §5.1 and §5.2 (TLS 1.3), RFC 5246 §6.2.3 (TLS 1.2), RFC 5288 §3 (GCM), RFC 7905 §2 (ChaCha20).
"""

from __future__ import annotations

from ...core.jit import inline
from ...core.wire import Bytes, be16, u8

RECORD_HEADER = 5  # RFC 8446 §5.1
MAX_RECORD = (1 << 14) + 2048  # TLS 1.2 ciphertext: RFC 5246 §6.2.3
CHANGE_CIPHER_SPEC, HEARTBEAT = 20, 24  # content types: RFC 8446 §5.1, RFC 6520 §3
TLS_1_3 = 0x0304
OVERHEAD_1_3 = 17  # inner content type and AEAD tag
OVERHEAD_GCM = 24  # explicit nonce 8 and tag 16
OVERHEAD_CCM_8 = 16  # explicit nonce 8 and tag 8: RFC 6655 §4
OVERHEAD_CHACHA20 = 16
UNKNOWN = -1

# IANA TLS Cipher Suites: AEAD suites of TLS 1.2
GCM_RANGES = ((0x009C, 0x00A7), (0xC02B, 0xC032), (0xC050, 0xC065), (0xC06A, 0xC06F), (0xC07A, 0xC091),
              (0xC09C, 0xC09F), (0xC0A4, 0xC0A7), (0xC0AC, 0xC0AD), (0xD001, 0xD002))  # fmt: skip
CCM_8_RANGES = ((0xC0A0, 0xC0A3), (0xC0A8, 0xC0AB), (0xC0AE, 0xC0AF))
CHACHA20_RANGES = ((0xCCA8, 0xCCAE),)


@inline
def looks_like_record(b: Bytes, at: int, end: int) -> bool:
    """Whether a TLS record header can start at `at`: content type, version 3.x, a length that may be."""
    if end - at < RECORD_HEADER:
        return False
    kind = u8(b, at)
    if kind < CHANGE_CIPHER_SPEC or kind > HEARTBEAT or u8(b, at + 1) != 3 or u8(b, at + 2) > 4:
        return False
    return 0 < be16(b, at + 3) <= MAX_RECORD


@inline
def app_overhead(version: int, cipher: int) -> int:
    """Bytes that protection adds to a record's content; UNKNOWN where padding makes it vary (CBC) or the suite is new."""
    if version == TLS_1_3:
        return OVERHEAD_1_3
    for low, high in GCM_RANGES:
        if low <= cipher <= high:
            return OVERHEAD_GCM
    for low, high in CHACHA20_RANGES:
        if low <= cipher <= high:
            return OVERHEAD_CHACHA20
    for low, high in CCM_8_RANGES:
        if low <= cipher <= high:
            return OVERHEAD_CCM_8
    return UNKNOWN
