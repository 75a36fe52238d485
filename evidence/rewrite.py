"""Captures into one capture under pseudonyms: same packets, times and lengths, other addresses and names, no content.

Theory: two passes over the same packets. The first follows TCP streams and QUIC hellos and notes the names and addresses
that are met; then every pseudonym is settled, so that no two names share one. The second writes each frame anew: blank,
with its headers (`layers.py`) and what naming and accounting need (`streams.py`, `messages.py`, `initials.py`).
Zeros instead of shorter packets, because lengths are the evidence, and zeros compress.

Rules: what is not understood is blank, and counted. Memory grows with streams and names, not with bytes.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import IO, TYPE_CHECKING, Any

from ..capture.source import Source
from ..capture.stream import open_captures
from ..core.errors import InputError
from ..dissect import ip
from . import messages
from .initials import Hellos
from .layers import Blank, blank, refuse_unknown, seal
from .pcapng import Writer
from .pseudonyms import Policy, Pseudonyms
from .streams import Streams, edited

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from ..capture.stream import CaptureStream

READ_BYTES = 1 << 20
PORT_DNS, PORT_MDNS = 53, 5353
DNS_LEAST = 12


@dataclass
class Rewritten:
    """What became of it. blanked: packets of tunnels whose own headers hold addresses, and whose inside is gone.
    holes: of TCP streams, where the capture lacks segments. shared: names that had to share a pseudonym.
    """  # noqa: D205  (a list of fields)

    packets: int = 0
    fragments: int = 0
    blanked: int = 0
    holes: int = 0
    hellos_skipped: int = 0
    shared: int = 0
    names: int = 0


def content_key(paths: Sequence[str]) -> bytes:
    """A key that follows from the captures' bytes, and from nothing that is published of them."""
    from .pseudonyms import key_of

    def parts() -> Iterator[bytes]:
        for path in paths:
            source = Source(path)
            try:
                buffer = bytearray(READ_BYTES)
                while size := source.readinto(memoryview(buffer)):
                    yield bytes(buffer[:size])
            finally:
                source.close()
            yield hashlib.sha256(b"end").digest()

    return key_of(parts())


class _Nobody(Pseudonyms):
    """The first pass has none yet, and looks at headers only."""

    def __init__(self) -> None:
        super().__init__(bytes(32), Policy("keep", "keep"))


class Rewriter:
    """Looks at captures once, then writes them under pseudonyms."""

    def __init__(self, paths: Sequence[str], *, progress: Callable[[CaptureStream], None] | None = None) -> None:
        """Raises InputError for what cannot be read twice or holds link types that are not rewritten."""
        for path in paths:
            if path == "-":
                raise InputError("-: standard input cannot be read twice; write it into a file first")
        self._paths, self._progress = list(paths), progress
        self._streams, self._hellos = Streams(), Hellos()
        self._names: set[str] = set()
        self._seen = Rewritten()
        self._look()

    def _packets(self) -> Iterator[tuple[CaptureStream, int, int, bytes, int, int]]:
        """(stream, interface, time, frame, wire, link type) of every packet."""
        with open_captures(self._paths) as stream:
            for batch in stream:
                whole = batch.buffer.tobytes() if batch.packets.size else b""
                for row in batch.packets.tolist():
                    at, ts_ns, captured, wire, interface, linktype = row
                    yield stream, interface, ts_ns, whole[at : at + captured], wire, linktype
                if self._progress:
                    self._progress(stream)

    def _look(self) -> None:
        nobody = _Nobody()
        known: set[int] = set()
        for _, _, _, frame, wire, linktype in self._packets():
            if linktype not in known:
                refuse_unknown(linktype)
                known.add(linktype)
            made = blank(frame, linktype, wire, nobody)
            payload = frame[made.data_at : made.data_at + made.data_bytes]
            if made.protocol == ip.PROTOCOL_TCP and made.whole | (made.data_bytes > len(payload)):
                self._streams.follow(made, payload)
            elif made.protocol == ip.PROTOCOL_UDP and _is_dns(made, payload):
                self._names.update(messages.dns_names(payload))
            elif made.protocol == ip.PROTOCOL_UDP:
                self._hellos.follow(made, payload)
        self._streams.end()
        for edit in self._streams.edits():
            if edit.kind == "hello":
                self._names.update(messages.server_names(edit.message))
            elif edit.kind == "dns":
                self._names.update(messages.dns_names(edit.message[2:]))
            elif edit.kind == "head":
                self._names.update(messages.hosts(edit.message))
        for message in self._hellos.messages().values():
            self._names.update(messages.server_names(message))

    def pseudonyms(self, key: bytes, policy: Policy, devices: Collection[str], more: Collection[str] = ()) -> Pseudonyms:
        """Pseudonyms for all names that were met, and `more`."""
        return Pseudonyms(key, policy, devices, self._names | set(more))

    def write(self, file: IO[bytes], pseudonyms: Pseudonyms) -> Rewritten:
        """The second pass, into an open binary file."""
        done = Rewritten(holes=self._streams.lost_holes, shared=pseudonyms.shared, names=len(self._names),
                         hellos_skipped=self._hellos.skipped)  # fmt: skip
        writer = Writer(file, pseudonyms.policy._asdict())
        interfaces: dict[int, int] = {}
        latest: dict[int, int] = {}
        stream = None
        for stream, interface, ts_ns, frame, wire, linktype in self._packets():  # noqa: B007  (asked after its end)
            if interface not in interfaces:
                interfaces[interface] = writer.interface(linktype)
            made = blank(frame, linktype, wire, pseudonyms)
            self._fill(made, frame, pseudonyms)
            writer.packet(interfaces[interface], ts_ns, seal(made), wire)
            latest[interface] = ts_ns
            done.packets += 1
            done.blanked += made.tunnel_lost
            done.fragments += bool(made.protocol and not made.whole and made.data_at + made.data_bytes <= len(frame))
        for source in stream.sources if stream else ():
            mine = [number for number in source.interfaces if number in interfaces]
            if source.dropped is not None and mine:
                writer.dropped(interfaces[mine[0]], latest[mine[0]], source.dropped)
        return done

    def _fill(self, made: Blank, frame: bytes, pseudonyms: Pseudonyms) -> None:
        """Puts into the frame what stays of its payload."""
        at = made.data_at
        payload = frame[at : at + made.data_bytes]
        if made.protocol == ip.PROTOCOL_TCP and made.whole | (made.data_bytes > len(payload)):
            direction, offset = self._streams.place(made)
            for place, edit in direction.laid_over(offset, len(payload)) if direction and payload else ():
                data = edited(edit, pseudonyms)
                first, last = max(place, 0), min(place + len(data), len(payload))
                made.frame[at + first : at + last] = data[first - place : last - place]
        elif made.protocol == ip.PROTOCOL_UDP and payload:
            if _is_dns(made, payload):
                made.frame[at : at + len(payload)] = messages.dns(payload, pseudonyms)
            elif PORT_MDNS not in (made.source_port, made.destination_port):
                new = self._hellos.rewritten(made, payload, pseudonyms) if made.whole else None
                if new is not None:
                    made.frame[at : at + len(payload)] = new
                elif not payload[0] & 0x80 and payload[0] & 0x40:  # may be a short header: RFC 9000 §17.3.1
                    made.frame[at] = payload[0] & 0x40

    def about(self, done: Rewritten, pseudonyms: Pseudonyms) -> dict[str, Any]:
        """What a reader has to know of the result."""
        return {**pseudonyms.policy._asdict(), **asdict(done)}


def _is_dns(made: Blank, payload: bytes) -> bool:
    return PORT_DNS in (made.source_port, made.destination_port) and len(payload) >= DNS_LEAST
