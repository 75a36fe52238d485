"""QUIC packets with nothing in them but what naming needs: the client's hello, opened, changed and sealed again.

Theory: Initial packets are sealed with keys that anybody on the path can derive (RFC 9001 §5.2), so the server name in
them is as public as in TLS over TCP, and has to be replaced like it. A hello may lie in pieces over several packets, in
any order: a first pass puts it together, the second takes each packet's pieces from the hello under pseudonyms. Lengths
stay, so packet numbers, frames and padding do. All other packets keep their headers only; their contents are ciphertext
whose keys nobody on the path has.

Rules: the server's Initials (hello, version and suite in the clear) are blank, and so are tokens. An Initial that does
not open is blank behind its header. Of a short header so many bytes stay as it may have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dissect.quic.datagram import is_quic_version
from ..dissect.quic.initial import (
    CRYPTO,
    CRYPTO_GOOGLE,
    FIXED,
    INITIAL,
    LONG,
    PADDING,
    PING,
    SAMPLE,
    SAMPLE_OFFSET,
    Keys,
    Packet,
    client_keys,
    opened,
    packets,
    varint,
)
from ..dissect.udp import QUIC_LEAST
from . import messages

if TYPE_CHECKING:
    from .layers import Blank
    from .pseudonyms import Pseudonyms

SHORT_HEADER = 1 + 20 + 4  # first byte, connection ID, packet number: RFC 9000 §17.3.1
PACKET_NUMBER = 4
MAX_HELLO = 1 << 16
MAX_CONNECTIONS = 1 << 16  # whose hello is put together; later ones are blank, counted

Pair = tuple[bytes, int, bytes, int]


class Hellos:
    """The hellos of a capture's QUIC connections, by who asks whom."""

    def __init__(self) -> None:
        """Knows none."""
        self._pieces: dict[Pair, dict[int, bytes]] = {}
        self._keys: dict[Pair, list[Keys]] = {}
        self._made: dict[Pair, bytes] = {}
        self.skipped = 0

    def follow(self, made: Blank, payload: bytes) -> None:
        """First pass: a UDP datagram."""
        pair = _pair(made)
        for packet in _initials(payload):
            opening = self._opened(pair, payload, packet)
            if opening is None:
                continue
            if pair not in self._pieces and len(self._pieces) >= MAX_CONNECTIONS:
                self.skipped += 1
                continue
            for offset, _, _, data in _crypto(opening[1]):
                if offset + len(data) <= MAX_HELLO:
                    self._pieces.setdefault(pair, {})[offset] = data

    def messages(self) -> dict[Pair, bytes]:
        """Each hello as far as it was there; missing pieces are zero."""
        found = {}
        for pair, pieces in self._pieces.items():
            whole = bytearray(max(offset + len(data) for offset, data in pieces.items()))
            for offset, data in pieces.items():
                whole[offset : offset + len(data)] = data
            found[pair] = bytes(whole)
        return found

    def rewritten(self, made: Blank, payload: bytes, pseudonyms: Pseudonyms) -> bytes | None:
        """Second pass: the datagram's payload; None where it is no QUIC."""
        if len(payload) < QUIC_LEAST or not payload[0] & FIXED:
            return None
        out = bytearray(len(payload))
        if not payload[0] & LONG:
            return None
        if not is_quic_version(int.from_bytes(payload[1:5], "big")):
            return None
        if not self._made:
            self._made = {pair: messages.hello(message, pseudonyms) for pair, message in self.messages().items()}
        end = 0
        for packet in packets(payload):
            self._packet(out, payload, packet, _pair(made))
            end = packet.end
        if not end:  # Retry, Version Negotiation, or cut: flags, version, connection IDs
            size = 7 + payload[5] + (payload[6 + payload[5]] if 6 + payload[5] < len(payload) else 0)
            out[:size] = payload[:size]
        elif len(payload) - end and not payload[end] & LONG:
            out[end : end + SHORT_HEADER] = payload[end : end + SHORT_HEADER]
        return bytes(out[: len(payload)])

    def _packet(self, out: bytearray, payload: bytes, packet: Packet, pair: Pair) -> None:
        header = payload[packet.start : packet.number_at + PACKET_NUMBER]
        out[packet.start : packet.number_at + PACKET_NUMBER] = header
        if packet.kind != INITIAL:
            return
        opening = self._opened(pair, payload, packet)
        if opening is None or pair not in self._made:
            self._without_token(out, payload, packet)
            return
        keys, frames = opening
        changed = bytearray(len(frames))  # padding (RFC 9000 §19.1), and in it the frames that are kept
        hello = self._made[pair]
        for offset, start, at, data in _crypto(frames):
            changed[start:at] = frames[start:at]
            changed[at : at + len(data)] = hello[offset : offset + len(data)].ljust(len(data), b"\0")
        out[packet.start : packet.end] = _sealed(payload, packet, keys, bytes(changed))

    @staticmethod
    def _without_token(out: bytearray, payload: bytes, packet: Packet) -> None:
        """A token is opaque and names a client to its server (RFC 9000 §8.1)."""
        at = packet.start + 6 + payload[packet.start + 5]
        at += 1 + payload[at]
        size, at = varint(payload, at)
        out[at : at + size] = bytes(size)

    def _opened(self, pair: Pair, payload: bytes, packet: Packet) -> tuple[Keys, bytes] | None:
        """The keys that open an Initial, and its frames; the keys follow from the first one of the connection."""
        for keys in [*self._keys.get(pair, []), *client_keys(packet.version, packet.dcid)]:
            opening = opened(payload, packet, keys)
            if opening is not None:
                kept = self._keys.setdefault(pair, [])
                if keys not in kept:
                    kept.append(keys)
                return keys, opening[1]
        return None


def _pair(made: Blank) -> Pair:
    return made.source, made.source_port, made.destination, made.destination_port


def _initials(payload: bytes) -> list[Packet]:
    if len(payload) < QUIC_LEAST or not payload[0] & LONG or not payload[0] & FIXED:
        return []
    if not is_quic_version(int.from_bytes(payload[1:5], "big")):
        return []
    return [packet for packet in packets(payload) if packet.kind == INITIAL]


def _crypto(frames: bytes) -> list[tuple[int, int, int, bytes]]:
    """(offset in the hello, where the frame and where its data begin, data) of the CRYPTO frames (RFC 9000 §19.6)."""
    found = []
    at = 0
    try:
        while at < len(frames):
            kind, start = frames[at], at
            at += 1
            if kind in (CRYPTO, CRYPTO_GOOGLE):
                offset, at = varint(frames, at)
                length, at = varint(frames, at)
                if at + length > len(frames):
                    break
                found.append((offset, start, at, frames[at : at + length]))
                at += length
            elif kind not in (PADDING, PING):
                break
    except IndexError:
        pass  # cut inside a frame: what came before stands
    return found


def _sealed(payload: bytes, packet: Packet, keys: Keys, frames: bytes) -> bytes:
    """The packet with other frames of the same length (RFC 9001 §5.3, §5.4); its token would be covered, so it stays."""
    sample = payload[packet.number_at + SAMPLE_OFFSET : packet.number_at + SAMPLE_OFFSET + SAMPLE]
    mask = keys.header.update(sample)
    first = payload[packet.start] ^ (mask[0] & 0x0F)
    size = (first & 3) + 1
    number = int.from_bytes(payload[packet.number_at : packet.number_at + size], "big") ^ int.from_bytes(mask[1 : 1 + size], "big")
    header = bytearray(bytes([first]) + payload[packet.start + 1 : packet.number_at] + number.to_bytes(size, "big"))
    at = 6 + header[5]  # source connection ID, then the token: RFC 9000 §17.2.2
    at += 1 + header[at]
    token, at = varint(bytes(header), at)
    header[at : at + token] = bytes(token)
    body = keys.seal.encrypt((keys.iv ^ number).to_bytes(12, "big"), frames, bytes(header))
    mask = keys.header.update(body[SAMPLE_OFFSET - size : SAMPLE_OFFSET - size + SAMPLE])
    out = header + body
    out[0] ^= mask[0] & 0x0F
    for n in range(size):
        out[len(header) - size + n] ^= mask[1 + n]
    return bytes(out)
