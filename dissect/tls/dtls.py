"""DTLS over UDP: hellos out of handshake fragments, application bytes out of record headers.

Sources: RFC 6347 (DTLS 1.0 and 1.2), RFC 9147 (1.3), RFC 9146 (connection IDs), RFC 7983 §7 (what shares a port with it).

Theory: a record never spans datagrams, so nothing needs to be remembered of records. A handshake message is cut into
fragments with offsets, which come in any order, again, and cut anew when they are sent again (RFC 6347 §4.2.3): one
message for each direction is put together in a collector, whose upper half marks the bytes that are there. A client says
hello again with a server's cookie (§4.2.1); each of its hellos has a sequence number, and is a row once.

Rules: app bytes are those of records; what is no record counts as it stands, since a call's media pass beside it. DTLS
1.3 hides its acknowledgements among the data (RFC 9147 §7), and a connection ID hides where a record's length stands:
such flows are flagged.
"""

from __future__ import annotations

from ...core.jit import inline
from ...core.wire import Bytes, be16, be24, be32, u8
from ..collect import claim, drop, release
from ..messages import (
    CERTIFICATE,
    CLIENT_HELLO,
    DONE,
    NEXT,
    RESUMED,
    SERVER_HELLO,
    SESSION_TICKET,
    WANTED,
    after_server_hello,
    client_hello,
    server_hello,
)
from ..records import Record
from ..state import APP, COLLECT_BYTES, COLLECT_FULL, COLLECT_LONG, SERVICE_DTLS, TLS_MALFORMED, State
from .application import note_setup
from .client_hello import LETTER_DTLS
from .protection import TYPICAL_1_2, TYPICAL_1_3, overhead

RECORD_HEADER, HANDSHAKE_HEADER = 13, 12  # RFC 6347 §4.1, §4.2.2
EPOCH_AT, LENGTH_AT, CONNECTION_ID_AT = 3, 11, 11  # RFC 6347 §4.1, RFC 9146 §4
CIPHER_CHANGE, ALERT, HANDSHAKE, APPLICATION, HEARTBEAT, WITH_ID, ACK = 20, 21, 22, 23, 24, 25, 26  # RFC 9147 §4.1
FIRST, LAST = 20, 63  # first bytes that are DTLS: RFC 7983 §7
UNIFIED_MASK, UNIFIED = 0xE0, 0x20  # RFC 9147 §4
UNIFIED_ID, UNIFIED_LONG, UNIFIED_LENGTH, UNIFIED_EPOCH = 0x10, 0x08, 0x04, 0x03
EPOCH_HANDSHAKE = 2  # RFC 9147 §6.1
DTLS_1_3 = 0xFEFC
MAX_DTLS_MESSAGE = COLLECT_BYTES // 2  # longest handshake message that is put together, with its header
PREAMBLE = 0x01000000  # of a control or data channel of CAPWAP under DTLS: RFC 5415 §4.2
PREAMBLE_BYTES = 4


@inline
def is_dtls_version(version: int) -> bool:
    """DTLS 1.0 (RFC 4347), 1.2 (which 1.3 calls itself: RFC 9147 §5.1), and OpenSSL's before 0.9.8f."""
    return version in (0xFEFF, 0xFEFD, 0x0100)


@inline
def looks_like_dtls(b: Bytes, at: int, end: int, size: int) -> bool:
    """Whether `size` bytes from `at`, of which those before `end` are present, begin with records that fill them."""
    stop = at + size
    while at + RECORD_HEADER <= end:
        kind = u8(b, at)
        if kind < CIPHER_CHANGE or kind > ACK or not is_dtls_version(be16(b, at + 1)):
            return False
        if kind == WITH_ID:
            return True
        at += RECORD_HEADER + be16(b, at + LENGTH_AT)
        if at == stop or (at < stop and at < end and u8(b, at) & UNIFIED_MASK == UNIFIED):
            return True
    return at < stop and at > end - RECORD_HEADER and end < stop  # cut by the snapshot length


@inline
def dtls_datagram(state: State, b: Bytes, place: int, way: int, at: int, end: int, size: int, now: int) -> None:
    """A datagram that may be DTLS: bytes before `end` are present, `size` were sent."""
    f, c = state["flows"][place], state["cold"][place]
    if end - at > PREAMBLE_BYTES and be32(b, at) == PREAMBLE:
        at, size = at + PREAMBLE_BYTES, size - PREAMBLE_BYTES
    if f["service"] != SERVICE_DTLS:
        if not looks_like_dtls(b, at, end, size):
            return
        f["service"] = SERVICE_DTLS
    elif u8(b, at) < FIRST or u8(b, at) > LAST:
        return
    stop = at + size
    f["counts"][way, APP] -= size
    fresh = 1
    while at < stop and at < end:
        kind = u8(b, at)
        if kind & UNIFIED_MASK == UNIFIED:
            at = _unified(f, c, way, b, at, end, stop, now)
            continue
        if kind < CIPHER_CHANGE or kind > ACK or at + RECORD_HEADER > end:
            c["inexact"] = 1
            break
        length = be16(b, at + LENGTH_AT)
        if kind == WITH_ID:
            c["inexact"] = 1
            f["counts"][way, APP] += max(stop - at - RECORD_HEADER - TYPICAL_1_2, 0)
            note_setup(c, way, _client(c), now)
            break
        epoch = be16(b, at + EPOCH_AT)
        at += RECORD_HEADER
        if kind == APPLICATION:
            f["counts"][way, APP] += _application(c, way, min(length, stop - at), epoch, now)
        elif kind == HANDSHAKE and epoch == 0:
            _fragments(state, b, place, way, at, min(at + length, end), fresh, now)
            fresh = 0
        elif kind == CIPHER_CHANGE and c["collected"][way] == NEXT and c["client"] != way + 1:
            c["resumed"] = RESUMED  # no certificate came: RFC 5246 §7.3
            c["collected"][way] = DONE
            drop(state, c, way)
        at += length


@inline
def _client(c: Record) -> int:
    """The client's direction: who said hello, else who came first."""
    return int(c["client"]) - 1 if c["client"] else (0 if c["from_local"] else 1)


@inline
def _application(c: Record, way: int, size: int, epoch: int, now: int) -> int:
    """Application bytes of a record of DTLS 1.2 or older."""
    note_setup(c, way, _client(c), now)
    if epoch == 0:
        return size
    added, exact = overhead(int(c["tls_version"]), int(c["cipher"]))
    if c["tls_version"] == 0:
        added, exact = TYPICAL_1_2, False
    if not exact:
        c["inexact"] = 1
    return max(size - added, 0)


@inline
def _unified(f: Record, c: Record, way: int, b: Bytes, at: int, end: int, stop: int, now: int) -> int:
    """A protected record of DTLS 1.3 (RFC 9147 §4); returns where the next one begins."""
    flags = u8(b, at)
    header = 1 + (2 if flags & UNIFIED_LONG else 1)
    behind = stop
    c["inexact"] = 1
    if flags & UNIFIED_ID == 0 and flags & UNIFIED_LENGTH:
        if at + header + 2 > end:
            return stop
        behind = min(at + header + 2 + be16(b, at + header), stop)
        header += 2
    if flags & UNIFIED_EPOCH != EPOCH_HANDSHAKE:
        added, _ = overhead(DTLS_1_3, int(c["cipher"])) if c["cipher"] else (TYPICAL_1_3, False)
        size = behind - at - header - added
        if size > 0:
            note_setup(c, way, _client(c), now)
            f["counts"][way, APP] += size
    return behind


@inline
def _fragments(state: State, b: Bytes, place: int, way: int, at: int, end: int, fresh: int, now: int) -> None:
    """The handshake fragments of a record: RFC 6347 §4.2.2."""
    c = state["cold"][place]
    while at + HANDSHAKE_HEADER <= end:
        kind, whole, number = u8(b, at), be24(b, at + 1), be16(b, at + 4)
        offset, size = be24(b, at + 6), be24(b, at + 9)
        if offset + size > whole:
            state["counters"][TLS_MALFORMED] += 1
            return
        present = max(min(size, end - at - HANDSHAKE_HEADER), 0)
        if _is_wanted(c, way, kind, number):
            if size == whole:
                c["pieces"][way] = 1
                drop(state, c, way)
                _message(state, b, place, way, at, at + HANDSHAKE_HEADER + present, number, now)
            else:
                _put_aside(state, b, place, way, at, whole, offset, present, fresh, now)
                fresh = 0
        at += HANDSHAKE_HEADER + size


@inline
def _is_wanted(c: Record, way: int, kind: int, number: int) -> bool:
    """Whether a message is one that has not been read: a hello by its number, the server's first answers by their order.

    `collected` is, of the client, the number of its last hello + 1; of the server as for TLS over TCP.
    """
    if kind == CLIENT_HELLO:
        return (c["client"] == 0 or c["client"] == way + 1) and number < 255 and number >= c["collected"][way]
    if c["client"] == way + 1:
        return False
    if kind == SERVER_HELLO:
        return c["collected"][way] == WANTED
    return (kind == CERTIFICATE or kind == SESSION_TICKET) and c["collected"][way] == NEXT


@inline
def _put_aside(  # noqa: PLR0913, PLR0917  (a fragment is all of that)
    state: State, b: Bytes, place: int, way: int, at: int, whole: int, offset: int, present: int, fresh: int, now: int
) -> None:
    """Puts a fragment where it belongs; reads the message when no byte of it is missing."""
    c = state["cold"][place]
    if HANDSHAKE_HEADER + whole > MAX_DTLS_MESSAGE:
        state["counters"][COLLECT_LONG] += 1
        return
    if c["collector"][way] >= 0 and not _is_same(state, c, way, b, at):
        state["counters"][COLLECT_FULL] += 1  # one of the two is given up: the older
        if be16(state["collectors"][c["collector"][way]], 4) > be16(b, at + 4):
            return
        release(state, c, way)
    if c["collector"][way] < 0:
        before = c["collected"][way]
        if not claim(state, c, way):
            c["collected"][way] = before
            return
        c["pieces"][way] = 0
        store = state["collectors"][c["collector"][way]]
        for n in range(6):
            store[n] = b[at + n]
        for n in range(3):  # a message in one fragment: RFC 6347 §4.2.6
            store[6 + n], store[9 + n] = 0, b[at + 1 + n]
        for n in range(HANDSHAKE_HEADER, HANDSHAKE_HEADER + whole):
            store[MAX_DTLS_MESSAGE + n] = 0
    taken = c["collector"][way]
    store = state["collectors"][taken]
    c["pieces"][way] += fresh
    for n in range(present):
        to = HANDSHAKE_HEADER + offset + n
        if store[MAX_DTLS_MESSAGE + to] == 0:
            store[MAX_DTLS_MESSAGE + to] = 1
            store[to] = b[at + HANDSHAKE_HEADER + n]
            state["collector_have"][taken] += 1
    if state["collector_have"][taken] == whole:
        number = be16(store, 4)
        _message(state, store, place, way, 0, HANDSHAKE_HEADER + whole, number, now)
        drop(state, c, way)


@inline
def _is_same(state: State, c: Record, way: int, b: Bytes, at: int) -> bool:
    """Whether a fragment is of the message in hand: type, length and number agree."""
    store = state["collectors"][c["collector"][way]]
    for n in range(6):
        if store[n] != b[at + n]:
            return False
    return True


@inline
def _message(state: State, b: Bytes, place: int, way: int, at: int, end: int, number: int, now: int) -> None:
    """A message with its header, as if it had come in one fragment."""
    c = state["cold"][place]
    kind = u8(b, at)
    body = at + HANDSHAKE_HEADER
    if kind == CLIENT_HELLO:
        c["collected"][way] = number + 1
        client_hello(state, b, place, way, at, end, now, LETTER_DTLS)
    elif kind == SERVER_HELLO:
        client = c["collected"][1 - way]
        c["collected"][way] = DONE
        server_hello(state, b, c, way, body, end)
        c["collected"][1 - way] = client
    else:
        c["collected"][way] = DONE
        after_server_hello(state, b, c, kind, body + 6, end)
