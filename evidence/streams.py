"""What of each TCP stream stays: the headers of TLS records, hellos, DNS messages and the heads of HTTP requests.

Theory: a record's header may lie anywhere in a segment, or across two, and segments come late, twice or never. So a first
pass over a capture follows every direction in order, as the dissector does, and notes edits: bytes at an offset of the
stream. The second pass lays them over whatever segment covers that offset. Memory is what the edits take: 5 bytes per
record, a few hundred per hello.

Rules: one direction is followed until a hole stays open that the other side has acknowledged; from there a record is
picked up where a segment begins with one. What is held for a hole is bounded; beyond that the hole is given up, counted.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from ..dissect.http import METHODS
from . import messages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .layers import Blank
    from .pseudonyms import Pseudonyms

SYN, ACK = 0x02, 0x10  # RFC 9293 §3.1
SEQ_BITS = 32
RECORD_HEADER = 5  # RFC 8446 §5.1
RECORD_HANDSHAKE = 22
MAX_RECORD = (1 << 14) + 2048  # RFC 5246 §6.2.3
MAX_MESSAGE = 1 << 16  # of a hello or a head that is gathered
MAX_OPENING = 1024  # bytes before a request or a hello: a proxy's handshake
MAX_HELD = 4 << 20  # bytes of one direction that wait for a hole to close
DNS_PORTS = (53, 5353)
NEW, OPAQUE, TLS, LOST, HTTP, DNS = range(6)


class Edit(NamedTuple):
    """`size` bytes at an offset of a stream: those of `message` from `at` on; a message may lie in several records."""

    offset: int
    size: int
    kind: str  # record, hello, head, dns
    message: bytes
    at: int = 0


class Direction:
    """One direction of one connection."""

    def __init__(self, key: tuple[bytes, int, bytes, int]) -> None:
        """`key`: source, port, destination, port."""
        self.edits: list[Edit] = []
        self.lost_holes = 0
        self.isn = -1
        self._dns = key[1] in DNS_PORTS or key[3] in DNS_PORTS
        self._seen: tuple[int, int] | None = None  # a sequence number and its offset
        self._edge = 0
        self._held: dict[int, tuple[bytes, int]] = {}  # offset: bytes captured, length
        self._mode = NEW
        self._left = 0  # of the record
        self._pending = b""  # of a header, a hello, a head or a DNS message that is not whole
        self._pending_at = 0
        self._hello = False  # the record's bytes are gathered into `_said`
        self._said = b""
        self._spans: list[tuple[int, int]] = []  # where those stand: offset, size
        self._offsets: list[int] = []

    def offset_of(self, seq: int) -> int:
        """Where in the stream a sequence number stands; the first one asked for is 0 (RFC 9293 §3.4)."""
        if self._seen is None:
            self._seen = (seq, 0)
        known, offset = self._seen
        distance = (seq - known) & ((1 << SEQ_BITS) - 1)
        offset += distance - (1 << SEQ_BITS if distance >> (SEQ_BITS - 1) else 0)
        self._seen = (seq, offset)
        return offset

    def follow(self, offset: int, data: bytes, length: int) -> None:
        """Takes a segment: `length` bytes at `offset`, of which `data` was captured."""
        if offset + length <= self._edge:
            return
        if offset > self._edge:
            self._held[offset] = max(self._held.get(offset, (b"", 0)), (data, length), key=lambda held: held[1])
            if sum(held[1] for held in self._held.values()) > MAX_HELD:
                self._give_up(min(self._held))
            return
        self._advance(offset, data, length)

    def acknowledged(self, offset: int) -> None:
        """The other side has everything before `offset`: a hole there stays open."""
        while self._held and (first := min(self._held)) <= offset and first > self._edge:
            self._give_up(first)

    def end(self) -> None:
        """No more comes: what was held is looked at."""
        while self._held:
            self._give_up(min(self._held))

    def _advance(self, offset: int, data: bytes, length: int) -> None:
        skip = self._edge - offset
        self._edge = offset + length
        self._deliver(offset + skip, data[skip:], length - skip)
        while (fits := next((at for at in sorted(self._held) if at <= self._edge), None)) is not None:
            data, length = self._held.pop(fits)
            if fits + length > self._edge:
                skip = self._edge - fits
                self._edge = fits + length
                self._deliver(fits + skip, data[skip:], length - skip)

    def _give_up(self, to: int) -> None:
        hole = to - self._edge
        self.lost_holes += 1
        self._edge = to
        self._pending, pending = b"", self._pending
        self._hello, self._said, self._spans = False, b"", []
        if self._mode == TLS:
            if hole <= self._left and not pending:
                self._left -= hole
            else:
                self._mode = LOST
        elif self._mode == DNS:
            self._mode = OPAQUE
        data, length = self._held.pop(to)
        self._advance(to, data, length)

    def _deliver(self, offset: int, data: bytes, length: int) -> None:
        """New bytes in order; what was not captured of them is missing at their end."""
        end = offset + length
        fresh = True
        while offset < end:
            if self._mode == TLS:
                used = self._record(offset, data, end - offset)
            elif self._mode == NEW:
                used = self._probe(offset, data, end - offset)
            elif self._mode == HTTP:
                used = self._request(offset, data, end - offset)
            elif self._mode == DNS:
                used = self._dns_message(offset, data, end - offset)
            else:
                used = self._other(offset, data, end - offset, fresh=fresh)
            fresh = False
            offset += used
            data = data[used:]

    def _probe(self, offset: int, data: bytes, length: int) -> int:
        if self._dns:
            self._mode = DNS
        elif not self._pending and data.startswith(METHODS):
            self._mode = HTTP
        elif not data or not 20 <= (self._pending or data)[0] <= 24:  # content types: RFC 8446 §5.1
            self._mode = OPAQUE
            self._pending = b""
        elif len(self._pending) + len(data) >= RECORD_HEADER:
            self._mode = TLS if _is_record(self._pending + data) else OPAQUE
            if self._mode == OPAQUE:
                self._pending = b""
        else:
            self._gather(offset, data)
            return length
        return 0

    def _record(self, offset: int, data: bytes, length: int) -> int:
        """Inside a record, or at the header of one."""
        if self._left:
            used = min(self._left, length)
            self._left -= used
            if self._hello:
                self._said += data[:used]
                self._spans.append((offset, min(used, len(data))))
                self._finish_hello(cut=len(data) < used)
            return used
        need = RECORD_HEADER - len(self._pending)
        self._gather(offset, data[:need])
        if len(self._pending) < RECORD_HEADER:
            if len(data) < min(need, length):
                self._mode, self._pending = LOST, b""
            return min(need, length)
        header, at, self._pending = self._pending, self._pending_at, b""
        if not _is_record(header):
            self._mode = LOST
            return need
        self.edits.append(Edit(at, RECORD_HEADER, "record", header))
        self._left = int.from_bytes(header[3:5], "big")
        self._hello = header[0] == RECORD_HANDSHAKE
        if not self._hello:
            self._said, self._spans = b"", []
        return need

    def _finish_hello(self, *, cut: bool) -> None:
        """A handshake message that is whole, or that no more will come of, is noted; one that is no hello is not."""
        size = 4 + int.from_bytes(self._said[1:4], "big") if len(self._said) >= 4 else MAX_MESSAGE
        wanted = self._said[:1] in (b"", b"\x01", b"\x02") and size <= MAX_MESSAGE
        if wanted and len(self._said) < size and not cut:
            return
        at = 0
        for offset, length in self._spans if wanted else ():
            used = min(length, size - at)
            self.edits.append(Edit(offset, used, "hello", self._said[:size], at))
            at += used
        self._hello, self._said, self._spans = False, b"", []

    def _request(self, offset: int, data: bytes, length: int) -> int:
        if not self._pending and not data.startswith(METHODS):
            if _is_hello(data):  # a tunnel by CONNECT: TLS begins
                self._mode = TLS
                return 0
            return length
        had = len(self._pending)
        self._gather(offset, data)
        ends = [at + len(mark) for mark in (b"\r\n\r\n", b"\n\n") if (at := self._pending.find(mark)) >= 0]
        if ends or len(self._pending) > MAX_MESSAGE or len(data) < length:
            size = min(ends, default=len(self._pending))
            self.edits.append(Edit(self._pending_at, size, "head", self._pending[:size]))
            self._pending = b""
            return max(size - had, 1) if ends else length
        return length

    def _dns_message(self, offset: int, data: bytes, length: int) -> int:
        had = len(self._pending)
        self._gather(offset, data)
        size = 2 + int.from_bytes(self._pending[:2], "big") if len(self._pending) >= 2 else MAX_MESSAGE
        if len(self._pending) >= size:
            self.edits.append(Edit(self._pending_at, size, "dns", self._pending[:size]))
            self._pending = b""
            return size - had
        if len(data) < length:
            self._mode, self._pending = OPAQUE, b""
        return length

    def _other(self, offset: int, data: bytes, length: int, *, fresh: bool) -> int:
        if fresh and _is_record(data) and (self._mode == LOST or _is_hello(data)):
            self._mode, self._left, self._pending = TLS, 0, b""
            return 0
        if fresh and offset <= MAX_OPENING and self._mode == OPAQUE and data.startswith(METHODS):
            self._mode = HTTP
            return 0
        return length

    def _gather(self, offset: int, data: bytes) -> None:
        if not self._pending:
            self._pending_at = offset
        self._pending += data

    def laid_over(self, offset: int, size: int) -> Iterator[tuple[int, Edit]]:
        """The edits that touch [offset, offset + size), each with its place relative to `offset`."""
        if len(self._offsets) != len(self.edits):
            self.edits.sort()
            self._offsets = [edit.offset for edit in self.edits]
        at = bisect_left(self._offsets, offset - MAX_MESSAGE - RECORD_HEADER)
        while at < len(self.edits) and self.edits[at].offset < offset + size:
            if self.edits[at].offset + self.edits[at].size > offset:
                yield self.edits[at].offset - offset, self.edits[at]
            at += 1


class Streams:
    """Every direction of a capture: followed in a first pass, looked up in a second that takes the same packets."""

    def __init__(self) -> None:
        """Knows none."""
        self._all: dict[tuple[bytes, int, bytes, int], list[Direction]] = {}
        self._current: dict[tuple[bytes, int, bytes, int], int] = {}

    def follow(self, made: Blank, payload: bytes) -> None:
        """First pass: a TCP segment with its captured payload."""
        mine, other, offset = self._place(made, create=True)
        if mine is not None and made.data_bytes:
            mine.follow(offset, payload, made.data_bytes)
        if other is not None and made.flags & ACK and other._held:  # noqa: SLF001  (its own kind)
            other.acknowledged(other.offset_of(made.ack))

    def end(self) -> None:
        """Between the passes."""
        for each in self._all.values():
            for direction in each:
                direction.end()
                direction._seen = None  # noqa: SLF001  (counted anew)
        self._current = {}

    def edits(self) -> Iterator[Edit]:
        """All of them."""
        for each in self._all.values():
            for direction in each:
                yield from direction.edits

    @property
    def lost_holes(self) -> int:
        """Holes that nothing filled."""
        return sum(direction.lost_holes for each in self._all.values() for direction in each)

    def place(self, made: Blank) -> tuple[Direction | None, int]:
        """Second pass: the direction of a segment, and where in it the segment stands."""
        mine, _, offset = self._place(made, create=False)
        return mine, offset

    def _place(self, made: Blank, *, create: bool) -> tuple[Direction | None, Direction | None, int]:
        key = (made.source, made.source_port, made.destination, made.destination_port)
        back = (made.destination, made.destination_port, made.source, made.source_port)
        each = self._all.setdefault(key, []) if create else self._all.get(key, [])
        number = self._current.get(key, -1)
        opens = made.flags & SYN
        if number < 0 or (opens and each[number].isn not in (-1, made.seq)):
            number += 1
            if create:
                each.append(Direction(key))
            self._current[key] = number
        if number >= len(each):
            return None, None, 0
        mine = each[number]
        if opens:
            mine.isn = made.seq
        offset = mine.offset_of((made.seq + (1 if opens else 0)) & 0xFFFFFFFF)
        others = self._all.get(back, [])
        at = self._current.get(back, -1)
        return mine, others[at] if 0 <= at < len(others) else None, offset


def _is_record(b: bytes) -> bool:
    """As the dissector's `looks_like_record`."""
    return (len(b) >= RECORD_HEADER and 20 <= b[0] <= 24 and b[1] == 3 and b[2] <= 4
            and 0 < int.from_bytes(b[3:5], "big") <= MAX_RECORD)  # fmt: skip


def _is_hello(b: bytes) -> bool:
    return _is_record(b) and b[0] == RECORD_HANDSHAKE and len(b) > RECORD_HEADER and b[RECORD_HEADER] in (
        messages.CLIENT_HELLO, messages.SERVER_HELLO)  # fmt: skip


def edited(edit: Edit, pseudonyms: Pseudonyms) -> bytes:
    """What stands in the place of an edit's bytes."""
    message = edit.message
    if edit.kind == "hello":
        message = messages.hello(message, pseudonyms)
    elif edit.kind == "head":
        message = messages.request_head(message, pseudonyms)
    elif edit.kind == "dns":
        message = message[:2] + messages.dns(message[2:], pseudonyms)
    return message[edit.at : edit.at + edit.size]
