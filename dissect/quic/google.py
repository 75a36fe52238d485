"""Google QUIC before it took TLS over: the server name in the client's CHLO.

Theory (draft-tsvwg-quic-protocol-02; "QUIC Crypto", A. Langley and W. Chang, 2016): a CHLO is a table of tags,
each with the offset at which its value ends, in the first STREAM frame of the first packet, which is not encrypted. Public
header: flags, connection ID of 8 bytes, version (Q043 and before), packet number of 1, 2, 4 or 6 bytes; then a
hash of 12 bytes. Q046 has RFC 9000's long header with four bits for each ID's length; the number is behind it.

Rules: only the name is read; the numbers in front are skipped by looking for the table where they end.
"""

from __future__ import annotations

CHLO, SNI = b"CHLO", b"SNI\0"
TAG_BYTES = 8  # a tag, and where its value ends, little-endian
MAX_TAGS = 128
LOOK = 64  # headers, hash and the STREAM frame's own header take less


def server_name(datagram: bytes) -> bytes | None:
    """The value of the SNI tag, or None where there is none or the datagram is not a CHLO."""
    at = datagram.find(CHLO, 0, LOOK + len(CHLO))
    if at < 0 or len(datagram) < at + TAG_BYTES:
        return None
    count = int.from_bytes(datagram[at + 4 : at + 6], "little")
    tags = at + TAG_BYTES
    values = tags + count * TAG_BYTES
    if count > MAX_TAGS or values > len(datagram):
        return None
    start = 0
    for place in range(tags, values, TAG_BYTES):
        end = int.from_bytes(datagram[place + 4 : place + 8], "little")
        if end < start or values + end > len(datagram):
            return None
        if datagram[place : place + 4] == SNI:
            return datagram[values + start : values + end] or None
        start = end
    return None
