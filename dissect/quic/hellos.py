"""ClientHellos out of Initials: CRYPTO data put together by offset, over packets and datagrams in any order.

Theory: a hello with post-quantum keys spans several Initials, and browsers cut and shuffle it inside them. Each flow
that has sent an Initial waits here until its hello is whole. Keys come from the first Initial's connection ID; after a
Retry (RFC 9001 §5.2) the client starts anew with another, so a packet that the known keys do not open is tried with
its own.

Rules: bounded: so many flows wait, the oldest is given up; a hello has at most MAX_HELLO bytes.
"""

from __future__ import annotations

from .initial import INITIAL, Keys, client_keys, crypto_frames, opened, packets

MAX_WAITING = 4096
MAX_HELLO = 1 << 16
HANDSHAKE_HEADER = 4  # RFC 8446 §4


class CryptoStream:
    """The first bytes of a CRYPTO stream, from pieces in any order, overlapping or repeated."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._pieces: dict[int, bytes] = {}

    def add(self, offset: int, data: bytes) -> None:
        """Takes a piece; one beyond MAX_HELLO cannot be of the hello."""
        if offset + len(data) <= MAX_HELLO and len(data) > len(self._pieces.get(offset, b"")):
            self._pieces[offset] = data

    def message(self) -> bytes | None:
        """The first handshake message with its header, once it is whole."""
        joined = bytearray()
        for offset, data in sorted(self._pieces.items()):
            if offset > len(joined):
                break
            joined[offset : offset + len(data)] = data if len(data) > len(joined) - offset else (
                joined[offset : offset + len(data)]
            )
        if len(joined) < HANDSHAKE_HEADER:
            return None
        whole = HANDSHAKE_HEADER + int.from_bytes(joined[1:4], "big")
        return bytes(joined[:whole]) if len(joined) >= whole else None


class _Waiting:
    """What one flow has shown so far."""

    def __init__(self) -> None:
        self.keys: Keys | None = None
        self.way = -1  # the client's, once a packet of it has been opened
        self.stream = CryptoStream()
        self.datagrams = 0


class HelloFromInitials:
    """Datagrams in, hellos out; `given_up` counts flows that had to make room."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._flows: dict[int, _Waiting] = {}
        self.given_up = 0

    def take(self, flow: int, datagram: bytes, way: int = 0) -> tuple[bytes, int, int] | None:
        """Takes a datagram of a flow; `(hello, datagrams it was in, version)` when it becomes whole."""
        waiting = self._flows.get(flow)
        if waiting is not None and waiting.way not in (-1, way):
            return None  # the server's
        initials = [packet for packet in packets(datagram) if packet.kind == INITIAL]
        if not initials:
            return None
        if waiting is None:
            if len(self._flows) >= MAX_WAITING:
                self._flows.pop(next(iter(self._flows)))
                self.given_up += 1
            waiting = self._flows[flow] = _Waiting()
        found = False
        for packet in initials:
            frames = opened(datagram, packet, waiting.keys) if waiting.keys else None
            for keys in client_keys(packet.version, packet.dcid) if frames is None else ():
                frames = opened(datagram, packet, keys)
                if frames is not None:
                    waiting.keys, waiting.stream, waiting.way = keys, CryptoStream(), way
                    break
            if frames is None:
                continue
            for offset, data in crypto_frames(frames):
                waiting.stream.add(offset, data)
                found = True
        if not found:
            return None
        waiting.datagrams += 1
        message = waiting.stream.message()
        if message is None:
            return None
        del self._flows[flow]
        return message, waiting.datagrams, initials[0].version

    def forget(self, flow: int) -> None:
        """The flow has ended without a hello."""
        self._flows.pop(flow, None)
