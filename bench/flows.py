"""Flows as scripts: what packets one conversation consists of, with their times, in plain Python.

Theory: a flow is written once as its story (handshake, requests, answers, close); `Wire` turns the story into rows that
`mix` merges, sorts and writes with NumPy. Only bytes that an observer can read are made (`patches`: handshakes, record
headers, DNS); the rest of a payload is noise that the writer puts there.

Rules: a row is (time, end, bits, length, seq, ack): `end` = index of the sending end's headers, `bits` = TCP data offset
and flags as on the wire, `length` = bytes after the fixed TCP or UDP header (a SYN's options count here). Everything
random comes from the caller's generator.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from . import hello, quic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

UP, DOWN = 0, 1
MSS = 1400
FIN, SYN, ACK, PSH = 0x01, 0x02, 0x10, 0x08  # RFC 9293 §3.1
PLAIN, WITH_OPTIONS = 5 << 12, 8 << 12  # data offsets: 20 and 32 bytes
SYN_OPTIONS = bytes.fromhex("020405780101040201030308")[:12]  # MSS 1400, SACK permitted, window scale 8
MICROSECOND, MILLISECOND, SECOND = 1_000, 1_000_000, 1_000_000_000

Patch = tuple[int, bytes]
Row = tuple[int, int, int, int, int, int]


class Piece(NamedTuple):
    """A stretch of a TCP stream: `size` bytes that begin with `head`; the rest is noise."""

    size: int
    head: bytes


@dataclass
class Truth:
    """What was put into a capture: counts, and the names where `keep_names` is set."""

    keep_names: bool = False
    packets: int = 0
    frame_bytes: int = 0
    tls_flows: int = 0
    quic_flows: int = 0
    other_flows: int = 0
    dns_queries: int = 0
    split_hellos: int = 0
    retransmitted: int = 0
    up_app_bytes: int = 0
    down_app_bytes: int = 0
    tls_names: list[str] = field(default_factory=list)
    quic_names: list[str] = field(default_factory=list)
    dns_names: list[str] = field(default_factory=list)


@dataclass
class Wire:
    """Rows of a group of flows, and what their payloads carry, index by index."""

    rng: Random
    truth: Truth
    rows: list[Row] = field(default_factory=list)
    contents: list[tuple[Patch, ...] | None] = field(default_factory=list)

    def put(self, row: Row, content: tuple[Patch, ...] | None = None) -> None:
        """Adds one packet."""
        self.rows.append(row)
        self.contents.append(content)


class Pace(NamedTuple):
    """How much a conversation carries: `exchanges` on average, and the mean of ln(bytes) of an answer."""

    exchanges: float
    download: float
    pause: float  # seconds between exchanges, on average


class Tcp:
    """One TCP connection: sequence numbers, segmentation, acknowledgements, a little loss and reordering."""

    def __init__(self, wire: Wire, end: int, time: int) -> None:
        """`end`: index of the client's headers; the server's follow it. `time`: ns, of the SYN."""
        rng = wire.rng
        self.wire, self.end, self.time = wire, end, time
        self.rtt = int(min(250, max(4, rng.lognormvariate(3.3, 0.6))) * MILLISECOND)
        self.near = int(rng.uniform(1, 6) * MILLISECOND)
        self.seq = [rng.getrandbits(32), rng.getrandbits(32)]
        self._packet(UP, WITH_OPTIONS | SYN, len(SYN_OPTIONS), ((0, SYN_OPTIONS),))
        self.seq[UP] += 1
        self.time += self.rtt
        self._packet(DOWN, WITH_OPTIONS | SYN | ACK, len(SYN_OPTIONS), ((0, SYN_OPTIONS),))
        self.seq[DOWN] += 1
        self.time += self.near
        self._packet(UP, PLAIN | ACK, 0)

    def _packet(
        self, way: int, bits: int, length: int, content: tuple[Patch, ...] | None = None, delay: int = 0
    ) -> None:
        acknowledged = self.seq[1 - way] if bits & ACK else 0
        self.wire.put((self.time + delay, self.end + way, bits, length, self.seq[way], acknowledged), content)

    def send(self, way: int, pieces: Iterable[Piece], *, acknowledge: bool = False) -> None:
        """Sends pieces back to back in segments of MSS bytes; the other side acknowledges every second one.

        `acknowledge`: the last one too; else its acknowledgement rides on what the other side says next.
        """
        size = 0
        patches: list[Patch] = []
        unacknowledged = 0
        for piece in pieces:
            left, head = piece
            while True:
                room = MSS - size
                if head:
                    patches.append((size, head[:room]))
                    head = head[room:]
                if left < room:
                    size += left
                    break
                left -= room
                self._segment(way, MSS, tuple(patches))
                size, patches = 0, []
                unacknowledged += 1
                if unacknowledged & 1 == 0:
                    self._packet(1 - way, PLAIN | ACK, 0, delay=self.near)
        if size:
            self._segment(way, size, tuple(patches))
        self.time += self.near
        if acknowledge:
            self._packet(1 - way, PLAIN | ACK, 0)

    def _segment(self, way: int, size: int, content: tuple[Patch, ...]) -> None:
        """One segment; a few per mille come late or twice."""
        rng = self.wire.rng
        self.time += rng.randrange(30, 250) * MICROSECOND
        row = (self.time, self.end + way, PLAIN | PSH | ACK, size, self.seq[way], self.seq[1 - way])
        luck = rng.random()
        if luck < 0.002:  # overtaken by those behind it
            row = (self.time + 400 * MICROSECOND, *row[1:])
        elif luck < 0.005:  # sent again: the copy arrives a time-out later
            self.wire.put((self.time + self.rtt + 200 * MILLISECOND, *row[1:]), content)
            self.wire.truth.retransmitted += 1
        self.wire.put(row, content)
        self.seq[way] += size

    def close(self) -> None:
        """FIN both ways."""
        self._packet(UP, PLAIN | FIN | ACK, 0)
        self.seq[UP] += 1
        self.time += self.rtt
        self._packet(DOWN, PLAIN | FIN | ACK, 0)
        self.seq[DOWN] += 1
        self.time += self.near
        self._packet(UP, PLAIN | ACK, 0)


def tls(wire: Wire, end: int, time: int, name: str, pace: Pace, certificate: bytes) -> None:
    """A TLS connection over TCP: 85 % TLS 1.3; 40 % of the hellos with a post-quantum share, so in two segments."""
    rng, truth = wire.rng, wire.truth
    tcp = Tcp(wire, end, time)
    kind = rng.random()
    post_quantum = kind < 0.4
    chromium = kind < 0.7
    first = hello.chromium_hello(rng, name, post_quantum=post_quantum) if chromium else hello.openssl_hello(rng, name)
    tcp.send(UP, [_whole(hello.record(hello.HANDSHAKE, first, 0x0301))])
    tcp.time += tcp.rtt
    new = post_quantum or rng.random() < 0.75
    overhead = 17 if new else 24  # RFC 8446 §5.2: type and tag; RFC 5288 §3: explicit nonce and tag
    if new:
        cipher = rng.choice((0x1301, 0x1302, 0x1303))
        finished = hello.FINISHED_SHA384 if cipher == 0x1302 else hello.FINISHED_SHA256
        session = first[39 : 39 + first[38]]
        answer = hello.server_hello(rng, cipher=cipher, session=session, post_quantum=post_quantum)
        flight = [_whole(hello.record(hello.HANDSHAKE, answer) + hello.CCS_RECORD)]
        flight += [_sealed(size) for size in (rng.randrange(27, 60), rng.randrange(2200, 4200), 281, finished)]
        tcp.send(DOWN, flight)
        tcp.send(UP, [_whole(hello.CCS_RECORD), _sealed(finished)])
    else:
        tcp.send(DOWN, [_whole(hello.server_flight_12(rng, certificate))])
        tcp.send(UP, [_whole(hello.client_flight_12(rng))])
        tcp.time += tcp.rtt
        tcp.send(DOWN, [_whole(hello.CCS_RECORD + hello.record(hello.HANDSHAKE, rng.randbytes(40)))])
    for _ in range(_count(rng, pace.exchanges)):
        up, down = _request(rng), _answer(rng, pace)
        tcp.send(UP, _records(up, overhead))
        tcp.time += tcp.rtt
        tcp.send(DOWN, _records(down, overhead), acknowledge=True)
        tcp.time += _pause(rng, pace)
        truth.up_app_bytes += up
        truth.down_app_bytes += down
    tcp.close()
    truth.tls_flows += 1
    truth.split_hellos += len(first) + 5 > MSS
    if truth.keep_names:
        truth.tls_names.append(name)


def quic_flow(wire: Wire, end: int, time: int, name: str, pace: Pace) -> None:
    """A QUIC connection: half of the hellos over two datagrams; then 1-RTT packets with short headers."""
    rng, truth = wire.rng, wire.truth
    rtt = int(min(250, max(4, rng.lognormvariate(3.3, 0.6))) * MILLISECOND)
    dcid, scid = rng.randbytes(8), rng.randbytes(8)
    post_quantum = rng.random() < 0.5

    def datagram(way: int, payload: bytes, size: int = 0) -> None:
        wire.put((time, end + way, 0, max(size, len(payload)), 0, 0), ((0, payload),))

    first = quic.client_initials(rng, dcid, hello.quic_hello(rng, name, post_quantum=post_quantum))
    for payload in first:
        datagram(UP, payload)
        time += rng.randrange(50, 300) * MICROSECOND
    time += rtt
    answer = quic.server_initial(dcid, scid, hello.server_hello(rng, cipher=0x1301, post_quantum=post_quantum))
    if len(answer) < quic.DATAGRAM - 200:
        answer += quic.handshake(rng, b"", scid, quic.DATAGRAM - len(answer) - 20)
    datagram(DOWN, answer)
    for _ in range(2):
        time += rng.randrange(50, 300) * MICROSECOND
        datagram(DOWN, quic.handshake(rng, b"", scid, 1200))
    time += 2 * MILLISECOND
    datagram(UP, quic.handshake(rng, scid, b"", 60) + quic.short_header(rng, scid) + rng.randbytes(40))
    for _ in range(_count(rng, pace.exchanges)):
        left = _request(rng)
        while left > 0:
            datagram(UP, quic.short_header(rng, scid), min(quic.DATAGRAM, left + 40))
            left -= quic.DATAGRAM - 40
            time += rng.randrange(30, 250) * MICROSECOND
        time += rtt
        left = _answer(rng, pace)
        while left > 0:
            datagram(DOWN, quic.short_header(rng, b""), min(quic.DATAGRAM, left + 40))
            left -= quic.DATAGRAM - 40
            time += rng.randrange(30, 250) * MICROSECOND
            if rng.random() < 0.3:
                datagram(UP, quic.short_header(rng, scid), rng.randrange(33, 45))
        time += _pause(rng, pace)
    truth.quic_flows += 1
    truth.split_hellos += len(first) > 1
    if truth.keep_names:
        truth.quic_names.append(name)


def dns(wire: Wire, end: int, time: int, name: str, address: bytes) -> int:
    """A query and its answer, some of them through a CNAME chain; the time at which the answer came."""
    rng, truth = wire.rng, wire.truth
    kind = 1 if len(address) == 4 else 28
    number = rng.getrandbits(16).to_bytes(2, "big")
    question = _labels(name) + kind.to_bytes(2, "big") + b"\0\1"
    wire.put(
        (time, end, 0, 12 + len(question), 0, 0), ((0, number + bytes.fromhex("01000001000000000000") + question),)
    )
    chain = rng.choice((0, 0, 1, 2))
    answers, owner = b"", b"\xc0\x0c"  # pointer to the question: RFC 1035 §4.1.4
    for step in range(chain):
        target = _labels(f"{name.split('.', maxsplit=1)[0]}-{step}.edge{rng.randrange(40)}.cdn.example.net")
        at = 12 + len(question) + len(answers) + len(owner) + 10
        answers += owner + b"\0\5\0\1" + rng.randrange(60, 3600).to_bytes(4, "big") + hello.vector(2, target)
        owner = (0xC000 | at).to_bytes(2, "big")
    answers += owner + kind.to_bytes(2, "big") + b"\0\1" + rng.randrange(20, 300).to_bytes(4, "big")
    answers += hello.vector(2, address)
    header = number + b"\x81\x80\0\1" + (chain + 1).to_bytes(2, "big") + b"\0\0\0\0"
    time += int(rng.uniform(2, 40) * MILLISECOND)
    wire.put((time, end + 1, 0, 12 + len(question) + len(answers), 0, 0), ((0, header + question + answers),))
    truth.dns_queries += 1
    if truth.keep_names:
        truth.dns_names.append(name)
    return time


def _labels(name: str) -> bytes:
    return b"".join(hello.vector(1, label.encode("ascii")) for label in name.split(".")) + b"\0"


def _whole(data: bytes) -> Piece:
    return Piece(len(data), data)


def _sealed(size: int) -> Piece:
    """One encrypted record whose length field says `size`."""
    return Piece(5 + size, bytes((hello.APPLICATION_DATA, 3, 3)) + size.to_bytes(2, "big"))


def _records(data: int, overhead: int) -> Iterable[Piece]:
    """Application data in records of at most 16 KiB: RFC 8446 §5.1."""
    while data > 0:
        part = min(data, 16_384)
        yield _sealed(part + overhead)
        data -= part


def _count(rng: Random, mean: float) -> int:
    return 1 + int(rng.expovariate(1 / max(mean - 0.5, 0.01)))


def _request(rng: Random) -> int:
    """Bytes of a request: mostly a few hundred; every twentieth is an upload."""
    return int(min(100_000, rng.lognormvariate(*((9.5, 0.8) if rng.random() < 0.05 else (6.0, 0.7))))) + 40


def _answer(rng: Random, pace: Pace) -> int:
    return int(min(400_000, rng.lognormvariate(pace.download, 1.3))) + 30


def _pause(rng: Random, pace: Pace) -> int:
    return int(min(20, rng.expovariate(1 / pace.pause)) * SECOND)
