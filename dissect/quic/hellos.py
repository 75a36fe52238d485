"""ClientHellos out of Initials: which datagrams belong to which attempt to connect, and when a hello is whole.

Theory: the keys of Initials follow from the Destination Connection ID of the client's first one, and stay when it goes on
with the ID that the server chose (RFC 9001 §5.2). After a Retry they follow from the Retry's Source Connection ID, which is
what the client's next Initial carries (§5.2), after a Version Negotiation from whatever the client draws anew. So a packet
that no known keys open is tried with its own ID: if that works, it begins another *attempt*, with a CRYPTO stream of its
own. A hello that an attempt repeats word for word (Retry: RFC 9000 §17.2.5.3) is the same one sent again and given once;
one with other words (another version, the answer to a HelloRetryRequest) is another.

Rules: the way of the first packet that opens is the client's; the other way is not looked at. Bounded: so many
connections and attempts are remembered, the oldest is given up, counted if its hello was not whole.
"""

from __future__ import annotations

from typing import NamedTuple

from .crypto_stream import CryptoStream
from .initial import INITIAL, Keys, Packet, client_keys, crypto_frames, opened, packets

MAX_CONNECTIONS = 2048
MAX_ATTEMPTS = 4  # a version negotiation and a retry make three
CLIENT_HELLO = 1  # RFC 8446 §4


class Hello(NamedTuple):
    """A whole ClientHello with its header, the datagrams that brought a part of it, the QUIC version."""

    message: bytes
    packets: int
    version: int


class _Attempt:
    """Keys, and what they have opened."""

    __slots__ = ("datagrams", "keys", "largest", "stream")

    def __init__(self, keys: Keys, largest: int) -> None:
        self.keys = keys
        self.largest = largest  # packet number so far
        self.stream = CryptoStream()
        self.datagrams = 0


class _Connection:
    """One flow: the client's way, its attempts, its last hello."""

    __slots__ = ("attempts", "last", "way")

    def __init__(self, way: int) -> None:
        self.way = way
        self.attempts: list[_Attempt] = []
        self.last: bytes | None = None


class HelloFromInitials:
    """Datagrams in, hellos out; `given_up` counts hellos that were let go in pieces, and pieces that were refused."""

    def __init__(self) -> None:
        """Nobody has said anything."""
        self._flows: dict[int, _Connection] = {}
        self.given_up = 0

    def wants(self, flow: int, way: int) -> bool:
        """Whether a datagram of this way can say anything: not the server's once the client is known."""
        connection = self._flows.get(flow)
        return connection is None or connection.way == way

    def take(self, flow: int, datagram: bytes, way: int = 0) -> Hello | None:
        """Takes a datagram; the hello that becomes whole with it."""
        connection = self._flows.get(flow)
        if connection is not None and connection.way != way:
            return None
        found = None
        counted: _Attempt | None = None
        for packet in packets(datagram):
            if packet.kind != INITIAL:
                continue
            attempt, frames = self._open(connection, datagram, packet) if connection else (None, None)
            if frames is None:
                attempt, frames = self._begin(flow, way, datagram, packet)
                connection = self._flows.get(flow)
            if frames is None or attempt is None or connection is None:
                continue
            stream = attempt.stream
            for offset, data in crypto_frames(frames):
                if stream.add(offset, data) and counted is not attempt:
                    counted = attempt
                    attempt.datagrams += 1
            if stream.refused:
                self.given_up += stream.refused
                stream.refused = 0
            found = self._hello(connection, attempt, packet.version) or found
        return found

    def _open(self, connection: _Connection, datagram: bytes, packet: Packet) -> tuple[_Attempt | None, bytes | None]:
        """The attempt whose keys open the packet, newest first, and the packet's frames."""
        for attempt in reversed(connection.attempts):
            whole = opened(datagram, packet, attempt.keys, attempt.largest)
            if whole is not None:
                attempt.largest = max(attempt.largest, whole[0])
                return attempt, whole[1]
        return None, None

    def _begin(self, flow: int, way: int, datagram: bytes, packet: Packet) -> tuple[_Attempt | None, bytes | None]:
        """A new attempt, if the packet opens with keys from its own connection ID."""
        for keys in client_keys(packet.version, packet.dcid):
            whole = opened(datagram, packet, keys)
            if whole is not None:
                connection = self._flows.get(flow) or self._new(flow, way)
                if len(connection.attempts) == MAX_ATTEMPTS:
                    connection.attempts.pop(0)
                    self.given_up += 1
                attempt = _Attempt(keys, whole[0])
                connection.attempts.append(attempt)
                return attempt, whole[1]
        return None, None

    def _hello(self, connection: _Connection, attempt: _Attempt, version: int) -> Hello | None:
        """The attempt's next hello, if it is whole and not the one before sent again."""
        message = attempt.stream.message()
        if message is None:
            return None
        datagrams, attempt.datagrams = attempt.datagrams, 0
        if message[0] != CLIENT_HELLO or message == connection.last:
            return None
        connection.last = message
        return Hello(message, datagrams, version)

    def _new(self, flow: int, way: int) -> _Connection:
        if len(self._flows) >= MAX_CONNECTIONS:
            oldest = self._flows.pop(next(iter(self._flows)))
            self.given_up += oldest.last is None
        connection = self._flows[flow] = _Connection(way)
        return connection
