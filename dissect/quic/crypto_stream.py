"""The CRYPTO stream of Initials: handshake messages out of pieces in any order, overlapping or repeated.

Theory (RFC 9000 §7.5, §19.6): CRYPTO frames carry stretches of one stream from offset 0; browsers cut and shuffle them,
and send them again. A handshake message says in its header how long it is (RFC 8446 §4).

Rules: pieces are joined by offset when they may be enough; where they overlap, the one that begins earlier counts, so the
order in which they come does not matter. Bounded in bytes and in pieces; what does not fit is refused, counted in `refused`.
"""

from __future__ import annotations

MAX_MESSAGE = 1 << 14  # as over TCP (COLLECT_BYTES)
MAX_STREAM = 2 * MAX_MESSAGE  # after a HelloRetryRequest (RFC 8446 §4.1.4) a second hello follows
MAX_HELD = 2 * MAX_STREAM  # bytes, with what overlaps
MAX_PIECES = 1024
HANDSHAKE_HEADER = 4  # RFC 8446 §4


class CryptoStream:
    """What has come of one stream, and how far its messages have been given out."""

    __slots__ = ("_given", "_held", "_pieces", "refused")

    def __init__(self) -> None:
        """Nothing yet."""
        self.refused = 0
        self._pieces: dict[int, bytes] = {}
        self._held = 0
        self._given = 0

    def add(self, offset: int, data: bytes) -> bool:
        """Takes a piece; whether it is of what has not been given out."""
        end = offset + len(data)
        if end <= self._given:
            return False
        known = self._pieces.get(offset, b"")
        more = len(data) - len(known)
        if more > 0:
            room = len(self._pieces) < MAX_PIECES or known
            if end > MAX_STREAM or self._held + more > MAX_HELD or not room:
                self.refused += 1
                return False
            self._pieces[offset] = data
            self._held += more
        return True

    def message(self) -> bytes | None:
        """The next handshake message with its header, once it is whole."""
        start = self._given
        whole = self._pieces.get(start, b"")
        size = HANDSHAKE_HEADER + int.from_bytes(whole[1:4], "big")
        if self._held - start < min(size, MAX_MESSAGE):
            return None
        if len(whole) < max(size, HANDSHAKE_HEADER):
            whole = self._joined()[start:]
            size = HANDSHAKE_HEADER + int.from_bytes(whole[1:4], "big")
        if len(whole) >= HANDSHAKE_HEADER and size > MAX_MESSAGE:
            self.refused += 1
            self._given = MAX_STREAM  # nothing behind it can be told apart
            return None
        if len(whole) < max(size, HANDSHAKE_HEADER):
            return None
        self._given = start + size
        return whole[:size]

    def _joined(self) -> bytes:
        """The stream from its beginning to the first hole."""
        joined = bytearray()
        for offset, data in sorted(self._pieces.items()):
            have = len(joined)
            if offset > have:
                break
            joined += data[have - offset :]
        return bytes(joined)
