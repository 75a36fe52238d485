"""What a QUIC datagram shows without keys: packets one behind the other, their types, connection IDs and lengths.

Theory (RFC 9000 §12.2, §17): packets with a long header say how long they are, so that several fit into a datagram; a
packet with a short header takes the rest. Its header is one byte, the Destination Connection ID and the packet number.
How long the ID is only its two ends know; its owner shows it in the long headers before (Source Connection ID). How long
the number is, header protection hides: two bytes are assumed (§17.1: enough for 2**14 packets in flight), so the estimate
of application bytes is off by at most two bytes a packet, and counts ACK frames and padding inside as data.

Rules: 1-RTT and 0-RTT packets are application data, everything else is handshake. A flow is QUIC when a long header of a
known version has been seen. The clock of `rtt_remote_ms` starts at the first Initial that only a client can send first
(§7.2: ID of 8 bytes or more, §14.1: 1,200 bytes or more) and stops at the other end's next packet, be it Initial, Retry or
Version Negotiation: servers send each of these at once.
"""

from __future__ import annotations

from ...core.jit import inline
from ...core.wire import Bytes, be16, be32, u8
from ..parcels import lay_aside
from ..records import Record
from ..state import (
    SERVICE_DOQ,
    SERVICE_GQUIC,
    SERVICE_NONE,
    SERVICE_QUIC,
    Array,
    State,
)
from .connections import learn_connection

LONG, FIXED = 0x80, 0x40  # RFC 9000 §17.2
INITIAL, ZERO_RTT, HANDSHAKE, RETRY, NEGOTIATION = 0, 1, 2, 3, 4  # §17.2 in version 1; §17.2.1 has no type
VERSION_2 = 0x6B3343CF  # RFC 9369 §3.1
VERSION_AT, DCID_AT, LONG_LEAST = 1, 5, 7  # §17.2
MAX_CONNECTION_ID = 20  # §17.2
CLIENT_ID, CLIENT_BYTES = 8, 1200  # §7.2, §14.1: least of a client's first Initial
NUMBER_BYTES, TAG = 2, 16  # assumed; RFC 9001 §5.3
MAX_INITIALS = 16  # datagrams of one way of a flow that are opened in search of its hellos
PUBLIC_VERSION, PUBLIC_ID, PUBLIC_RESERVED = 0x01, 0x08, 0x80  # Google QUIC's public header, up to Q043
PUBLIC_VERSION_AT, PUBLIC_LEAST = 9, 13
# places in what `long_header` fills
KIND, VERSION, DCID, DCID_BYTES, SCID, SCID_BYTES, LEFT, BEHIND = range(8)


@inline
def is_settled_version(version: int) -> bool:
    """Versions 1 (RFC 9000 §15), 2 (RFC 9369 §3.1), the drafts 22 to 34, Facebook's and Google's with TLS."""
    return (
        version in (1, VERSION_2, 0x54303530, 0x54303531)
        or 0xFF000016 <= version <= 0xFF000022
        or version & 0xFFFFFF00 == 0xFACEB000
    )


@inline
def is_reserved_version(version: int) -> bool:
    """The numbers that RFC 9000 §15 reserves to provoke a negotiation (0x?a?a?a?a): their sender names its hello."""
    return version & 0x0F0F0F0F == 0x0A0A0A0A


@inline
def is_quic_version(version: int) -> bool:
    """Either of them."""
    return is_settled_version(version) or is_reserved_version(version)


@inline
def is_google_version(version: int) -> bool:
    """Google QUIC without TLS: "Q" and three digits."""
    return version >> 24 == 0x51 and version & 0xF0F0F0 == 0x303030


@inline
def varint(b: Bytes, at: int, end: int) -> tuple[int, int]:
    """RFC 9000 §16: `(value, where it ends)`; the value is -1 where it does not end before `end`."""
    if at >= end:
        return -1, at
    first = u8(b, at)
    behind = at + (1 << (first >> 6))
    if behind > end:
        return -1, at
    if behind == at + 1:
        return first, behind
    if behind == at + 2:
        return be16(b, at) & 0x3FFF, behind
    high = be32(b, at) & 0x3FFFFFFF
    return high if behind == at + 4 else (high << 32) | be32(b, at + 4), behind


@inline
def long_header(b: Bytes, at: int, end: int, stop: int, found: Array) -> bool:
    """A long header at `at`, into int64[8] `found`; captured bytes end at `end`, the datagram at `stop`.

    LEFT: bytes from the packet number on; BEHIND: where the next packet begins. False where it is none.
    """
    found[VERSION] = 0
    if end - at < LONG_LEAST:
        return False
    version = be32(b, at + VERSION_AT)
    kind = (u8(b, at) >> 4) & 3
    if version == VERSION_2:  # RFC 9369 §3.2: the types are shifted by one
        kind = (kind + 3) & 3
    if version == 0:
        kind = NEGOTIATION
    elif u8(b, at) & FIXED == 0:
        return False
    found[KIND], found[VERSION] = kind, version
    dcid_bytes = u8(b, at + DCID_AT)
    place = at + DCID_AT + 1 + dcid_bytes
    if dcid_bytes > MAX_CONNECTION_ID or place >= end:
        return False
    scid_bytes = u8(b, place)
    found[DCID], found[DCID_BYTES] = at + DCID_AT + 1, dcid_bytes
    found[SCID], found[SCID_BYTES] = place + 1, scid_bytes
    found[LEFT], found[BEHIND] = 0, stop
    place += 1 + scid_bytes
    if scid_bytes > MAX_CONNECTION_ID or place > end:
        return False
    if kind in (RETRY, NEGOTIATION):
        return True
    if kind == INITIAL:
        token, place = varint(b, place, end)
        if token < 0 or token > stop - place:
            return False
        place += token
    left, place = varint(b, place, end)
    if left < 0 or left > stop - place:
        return False
    found[LEFT], found[BEHIND] = left, place + left
    return True


@inline
def quic_datagram(state: State, b: Bytes, place: int, way: int, h: Record, now: int) -> int:
    """Takes the packets of a datagram; returns how many of its bytes are application data.

    What the capture cut off behind a long header is not counted: it may be anything.
    """
    c, found = state["cold"][place], state["quic"]
    start, stop = h["data_at"], h["data_at"] + h["data_bytes"]
    end = min(stop, h["present"])
    at, app, initial = start, 0, 0
    while at < end:
        if u8(b, at) & LONG == 0:
            if at == start or u8(b, at) & FIXED:  # zeros behind the last packet are padding
                app += max(stop - at - 1 - c["cid_bytes"][way] - NUMBER_BYTES - TAG, 0)
                _first_data(c, way, now)
            break
        whole = long_header(b, at, end, stop, found)
        if c["quic_version"] == 0 and not _begins(state, place, way, stop - start if whole else 0, now):
            return h["data_bytes"]
        if not whole or not is_quic_version(found[VERSION]):
            break  # also Version Negotiation, behind which nothing follows
        c["cid_bytes"][way], c["cid_bytes"][1 - way] = found[DCID_BYTES], found[SCID_BYTES]
        learn_connection(state, b, place, way, found[SCID], found[SCID_BYTES])
        if found[KIND] == ZERO_RTT:
            c["zero_rtt"] = 1
            app += max(found[LEFT] - NUMBER_BYTES - TAG, 0)
        elif found[KIND] == INITIAL:
            initial = 1
        at = found[BEHIND]
    if initial:
        for_hellos(state, b, place, way, start, end, now)
    return app


@inline
def _begins(state: State, place: int, way: int, size: int, now: int) -> bool:
    """Whether the long header just read makes the flow QUIC; its clock starts where it is a client's first.

    size: bytes of the datagram, 0 where the header was not whole.
    """
    f, c, found = state["flows"][place], state["cold"][place], state["quic"]
    version = found[VERSION]
    first = size >= CLIENT_BYTES and found[KIND] == INITIAL and found[DCID_BYTES] >= CLIENT_ID
    if not (is_settled_version(version) or (is_reserved_version(version) and first)):
        return False
    c["quic_version"] = version
    if f["service"] != SERVICE_DOQ:
        f["service"] = SERVICE_QUIC
    if first:
        c["client"], c["syn_way"] = way + 1, way
        c["syn"][way] = 1
        c["syn_ns"], c["hello_ns"] = now, now
    return True


@inline
def _first_data(c: Array, way: int, now: int) -> None:
    """The client's first 1-RTT packet ends the set-up (RFC 9001 §4.1.2: it has the server's Finished by then)."""
    if c["setup_done"] == 0 and c["client"] == way + 1 and c["syn"][way]:
        c["setup_done"] = 1
        c["setup_ns"] = max(now - c["hello_ns"], 0)


@inline
def for_hellos(state: State, b: Bytes, place: int, way: int, at: int, end: int, now: int) -> None:
    """A datagram that may bring a hello, for Python, which has the ciphers; the server's no longer once the client is known for sure."""
    c = state["cold"][place]
    if c["initials"][way] < MAX_INITIALS and c["opened"] != 2 - way:
        lay_aside(state, b, place, way, at, end, now)


@inline
def google_datagram(state: State, b: Bytes, place: int, way: int, at: int, end: int, now: int) -> None:
    """Google QUIC before TLS: recognised by the version that the client repeats until it is answered.

    Its packets are handed to Python, where the name stands in the clear (`google.py`).
    """
    f, c = state["flows"][place], state["cold"][place]
    if end - at < PUBLIC_LEAST:
        return
    flags = u8(b, at)
    if flags & LONG:
        known = is_google_version(be32(b, at + VERSION_AT))
    else:
        marked = flags & (PUBLIC_VERSION | PUBLIC_ID | FIXED) == PUBLIC_VERSION | PUBLIC_ID
        known = marked and is_google_version(be32(b, at + PUBLIC_VERSION_AT))
    if known:
        if f["service"] == SERVICE_NONE:
            f["service"] = SERVICE_GQUIC
        if f["service"] == SERVICE_GQUIC:
            c["inexact"] = 1
            for_hellos(state, b, place, way, at, end, now)
