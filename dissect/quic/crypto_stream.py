"""The CRYPTO stream of Initials: handshake messages out of pieces in any order, overlapping or repeated.

Theory (RFC 9000 §7.5, §19.6): CRYPTO frames carry stretches of one stream from offset 0; browsers cut and shuffle them,
and send them again. A handshake message says in its header how long it is (RFC 8446 §4).

Rules: the first bytes to come for an offset stay. At most MAX_STREAM bytes and MAX_PIECES stretches with holes between
them; what is beyond is refused and counted in `refused`.
"""

from __future__ import annotations

from bisect import bisect_left

MAX_STREAM = 1 << 15  # two hellos of 16 KiB: after a HelloRetryRequest (RFC 8446 §4.1.4) a second one follows
MAX_MESSAGE = 1 << 14  # as over TCP (COLLECT_BYTES)
MAX_PIECES = 256
HANDSHAKE_HEADER = 4  # RFC 8446 §4


class CryptoStream:
    """What is known of one stream, and how far its messages have been given out."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.refused = 0
        self._pieces: list[tuple[int, bytes]] = []  # in order, disjoint
        self._given = 0

    def add(self, offset: int, data: bytes) -> bool:
        """Takes a piece; whether it brought bytes that were not there."""
        if offset + len(data) > MAX_STREAM:
            self.refused += 1
            return False
        pieces = self._pieces
        if not pieces or offset >= (last := pieces[-1])[0] + len(last[1]):  # nearly always
            at = len(pieces)
            gaps = [(offset, data)] if data else []
        else:
            at = bisect_left(pieces, (offset, b""))
            gaps = self._gaps(at, offset, data)
        if not gaps or len(pieces) + len(gaps) > MAX_PIECES:
            self.refused += bool(gaps)
            return False
        if len(gaps) == 1:
            pieces.insert(at, gaps[0])
        else:
            pieces.extend(gaps)
            pieces.sort()
        return True

    def _gaps(self, at: int, offset: int, data: bytes) -> list[tuple[int, bytes]]:
        """The parts of a piece that no other covers; those from place `at` on begin at its offset or later."""
        found = []
        place, end = offset, offset + len(data)
        for start, have in self._pieces[max(at - 1, 0) :]:
            if start >= end:
                break
            if start > place:
                found.append((place, data[place - offset : start - offset]))
            place = max(place, start + len(have))
        if place < end:
            found.append((place, data[place - offset :]))
        return found

    def message(self) -> bytes | None:
        """The next handshake message with its header, once it is whole."""
        head = self._read(self._given, HANDSHAKE_HEADER)
        if head is None:
            return None
        size = HANDSHAKE_HEADER + int.from_bytes(head[1:], "big")
        message = self._read(self._given, size) if size <= MAX_MESSAGE else None
        if message is not None:
            self._given += size
        return message

    def _read(self, start: int, size: int) -> bytes | None:
        """Bytes [start, start + size) of the stream, if they are all there."""
        parts, place, end = [], start, start + size
        for offset, data in self._pieces:
            if offset + len(data) <= place:
                continue
            if offset > place:
                return None
            parts.append(data[place - offset : end - offset])
            place = offset + len(data)
            if place >= end:
                return b"".join(parts)
        return None
