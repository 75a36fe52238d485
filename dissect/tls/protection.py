"""What protection adds to a record's content, by version and cipher suite: the arithmetic of app bytes.

Theory: an AEAD adds the same to every record (TLS 1.3: tag and content type, RFC 8446 §5.2; TLS 1.2: explicit nonce
and tag, RFC 5246 §6.2.3.3), a stream cipher its MAC. A block cipher adds an IV (from TLS 1.1 on: RFC 4346 §6.2.3.2), a
MAC and 1 to a block of padding, so that only an interval is known: its middle is taken, and the flow flagged. Whether
the MAC is over the ciphertext (RFC 7366) changes none of these lengths.
"""

from __future__ import annotations

from ...core.jit import inline
from .suites import EXACT, HASH_SHIFT, KIND_SHIFT, PADDED, SUITES, UNKNOWN

TLS_1_0, TLS_1_3 = 0x0301, 0x0304
DTLS_1_0, DTLS_1_2, DTLS_OLD = 0xFEFF, 0xFEFD, 0x0100  # RFC 4347 §4.1, RFC 6347 §4.1; OpenSSL before 0.9.8f
TYPICAL_1_3, TYPICAL_1_2 = 17, 24  # of the suites that nearly everybody uses
HASHES = (32, 48)  # of a Finished whose suite is not known: SHA-256, SHA-384
HANDSHAKE_HEADER = 4  # RFC 8446 §4


@inline
def before_1_3(version: int) -> bool:
    """Whether a chosen version (0: not known) is older than TLS 1.3 and DTLS 1.3."""
    return 0 < version < TLS_1_3 or version == DTLS_1_2 or version == DTLS_1_0


@inline
def suite(cipher: int) -> int:
    """What `SUITES` says of a cipher suite; 0 is the suite before any is chosen (RFC 5246 Appendix A.5)."""
    block, low = cipher >> 8, cipher & 0xFF
    if cipher == 0:
        return UNKNOWN
    if block == 0x00:
        return int(SUITES[0, low])
    if block == 0x13:
        return int(SUITES[1, low])
    if block == 0xC0:
        return int(SUITES[2, low])
    if block == 0xC1:
        return int(SUITES[3, low])
    if block == 0xCC:
        return int(SUITES[4, low])
    if block == 0xD0:
        return int(SUITES[5, low])
    return UNKNOWN


@inline
def overhead(version: int, cipher: int) -> tuple[int, bool]:
    """`(bytes that protection adds to a record's content, whether it is exactly so many)`."""
    if version == 0:  # no answer was seen: what a hello most likely gets
        return TYPICAL_1_3, True
    known = suite(cipher)
    kind, upper, lower = known >> KIND_SHIFT, (known >> HASH_SHIFT) & 0xFF, known & 0xFF
    old = before_1_3(version)
    if kind == EXACT:
        return lower, True
    if kind == PADDED and old:
        vector = 0 if version <= TLS_1_0 and version != DTLS_OLD else lower
        return vector + upper + lower // 2, False
    return (TYPICAL_1_2 if old else TYPICAL_1_3), False


@inline
def is_finished(cipher: int, size: int, added: int) -> bool:
    """Whether a TLS 1.3 record of `size` bytes is as long as one that holds a Finished alone: RFC 8446 §4.4.4.

    cipher: 0 for a hash that is not known; added: what protection adds.
    """
    known = suite(cipher)
    if known >> KIND_SHIFT == EXACT:
        return size == HANDSHAKE_HEADER + ((known >> HASH_SHIFT) & 0xFF) + added
    for length in HASHES:
        if size == HANDSHAKE_HEADER + length + added:
            return True
    return False
