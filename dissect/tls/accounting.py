"""TLS records passing by: what their headers say of application data, and the handshake messages that are wanted.

Theory: TLS costs nothing inside a record: only the next header's place is known, and the header is read when the bytes
that cover it are delivered. App bytes are what the headers imply (`application.py`), credited as the bytes of the record
pass, so that they fall into the right moment. Of the handshake three messages are wanted: ClientHello, ServerHello and,
before TLS 1.3, the server's Certificate. Each may be cut over records and segments in any way (RFC 8446 §5.1): one that
lies whole in a record is read there, others are put together by `collect.py`.

Rules: where a header is lost, the direction is LOST until one is recognised, and the flow is flagged inexact.
"""

from __future__ import annotations

from ...core.jit import inline
from ...core.wire import Bytes, be16, be24, u8
from ..collect import claim, collect, drop, release
from ..messages import CLIENT_HELLO, DONE, NEXT, RESUMED, WANTED, handshake_bytes, handshake_message
from ..records import Record
from ..state import (
    APP,
    COLLECT_BYTES,
    COLLECT_LONG,
    DELIVERY,
    MODE_LOST,
    MODE_TLS,
    RECORDS_LOST,
    SERVICE_DOT,
    SERVICE_TLS,
    State,
)
from .application import app_bytes, settle_alert
from .record import looks_like_record

RECORD_HEADER = 5  # RFC 8446 §5.1
RECORD_CIPHER_CHANGE, RECORD_ALERT, RECORD_HANDSHAKE, RECORD_APPLICATION = 20, 21, 22, 23
HANDSHAKE_HEADER = 4  # RFC 8446 §4
PORT_DOT = 853  # RFC 7858 §3.1


@inline
def begin_tls(f: Record, c: Record, way: int) -> None:
    """The flow is TLS; one that was picked up in mid-stream cannot know which records were handshake."""
    other = 1 - way
    ports = f["ports"]
    f["service"] = SERVICE_DOT if PORT_DOT in (ports >> 16, ports & 0xFFFF) else SERVICE_TLS
    if c["syn"][0] == 0 and c["syn"][1] == 0 and c["hello_ns"] == 0 and f["mode"][other] != MODE_TLS:
        c["inexact"] = 1


@inline
def lose_record(state: State, f: Record, c: Record, way: int) -> None:
    """The next record header cannot be found by counting any more."""
    f["mode"][way] = MODE_LOST
    f["record_left"][way] = 0
    f["app_left"][way] = 0
    c["header_have"][way] = 0
    c["inexact"] = 1
    state["counters"][RECORDS_LOST] += 1


@inline
def gather(b: Bytes, c: Record, way: int, at: int, available: int) -> int:
    """Puts bytes of a record header aside until it is whole; returns how many were taken."""
    have = c["header_have"][way]
    used = min(RECORD_HEADER - have, available)
    for n in range(used):
        c["header"][way, have + n] = b[at + n]
    c["header_have"][way] = have + used
    return used


@inline
def record_header(state: State, b: Bytes, place: int, way: int, at: int, kept: int, length: int, now: int) -> int:
    """RFC 8446 §5.1: type, version, length; may straddle segments."""
    f, c = state["flows"][place], state["cold"][place]
    if c["header_have"][way] == 0 and kept >= RECORD_HEADER:
        for n in range(RECORD_HEADER):
            c["header"][way, n] = b[at + n]
        used = RECORD_HEADER
    else:
        used = gather(b, c, way, at, min(kept, length))
        if c["header_have"][way] < RECORD_HEADER:
            if used < length:  # the rest was cut off by the snapshot length
                lose_record(state, f, c, way)
            return used
    c["header_have"][way] = 0
    if not looks_like_record(c["header"][way], 0, RECORD_HEADER):
        lose_record(state, f, c, way)
        return used
    begin_record(state, b, place, way, at + used, kept - used, kept < length, now)
    return used


@inline
def begin_record(state: State, b: Bytes, place: int, way: int, at: int, kept: int, cut: bool, now: int) -> None:
    """A record begins: how much of it is application data, and whether handshake messages in it are wanted."""
    f, c = state["flows"][place], state["cold"][place]
    kind = int(c["header"][way, 0])
    size = be16(c["header"][way], 3)
    f["record_left"][way] = size
    f["app_left"][way] = 0
    c["record_type"][way] = kind
    c["skip"][way] = 0
    settle_alert(f, c, way)
    if kind == RECORD_APPLICATION:
        f["app_left"][way] = max(app_bytes(f, c, way, size, now), 0)
    elif kind == RECORD_HANDSHAKE:
        if c["collected"][way] == DONE and says_hello_again(b, c, way, at, min(kept, size), size):
            c["collected"][way] = WANTED
        if c["collected"][way] != DONE and c["collector"][way] < 0:
            _handshake(state, b, place, way, at, min(kept, size), size, cut, now)
    elif kind == RECORD_CIPHER_CHANGE and c["collected"][way] == NEXT:  # no certificate came: RFC 5246 §7.3
        c["resumed"] = RESUMED
        c["collected"][way] = DONE
        drop(state, c, way)


@inline
def says_hello_again(b: Bytes, c: Record, way: int, at: int, present: int, size: int) -> bool:
    """Whether a record is a client's second hello though no HelloRetryRequest was seen (RFC 8446 §4.1.4): it fits exactly."""
    return (c["client"] == way + 1 and present >= HANDSHAKE_HEADER and u8(b, at) == CLIENT_HELLO
            and HANDSHAKE_HEADER + be24(b, at + 1) == size)  # fmt: skip


@inline
def _handshake(  # noqa: PLR0913, PLR0917
    state: State, b: Bytes, place: int, way: int, at: int, present: int, size: int, cut: bool, now: int
) -> None:
    """Reads the messages that lie whole at the head of a record; the rest of it will be put aside as it passes."""
    c = state["cold"][place]
    done = 0
    while c["collected"][way] != DONE and done < size:
        left = present - done
        if left >= HANDSHAKE_HEADER:
            whole = HANDSHAKE_HEADER + be24(b, at + done + 1)
            if whole <= left or (cut and left < min(whole, size - done)):  # cut by the snapshot length: what there is of it
                c["pieces"][way] = 1
                handshake_message(state, b, place, way, at + done, at + done + min(whole, left), now)
                done += whole
                continue
        c["pieces"][way] = 0
        c["piece_of"][way] = 0
        c["skip"][way] = done
        claim(state, c, way)
        break


@inline
def record_body(state: State, b: Bytes, place: int, way: int, at: int, kept: int, length: int, now: int) -> int:
    """Inside a record: app bytes are credited as they pass; a wanted handshake message is collected."""
    f, c = state["flows"][place], state["cold"][place]
    used = min(f["record_left"][way], length)
    credit = min(f["app_left"][way], used)
    f["counts"][way, APP] += credit
    f["app_left"][way] -= credit
    f["record_left"][way] -= used
    if c["collector"][way] >= 0 and c["record_type"][way] == RECORD_HANDSHAKE:
        skipped = min(c["skip"][way], used)
        c["skip"][way] -= skipped
        if used > skipped:
            _put_aside(state, b, place, way, at + skipped, kept - skipped, used - skipped, now)
    return used


@inline
def _put_aside(state: State, b: Bytes, place: int, way: int, at: int, kept: int, used: int, now: int) -> None:
    """Collects bytes of a handshake record, and reads the messages that are whole by now."""
    c = state["cold"][place]
    if c["piece_of"][way] != state["cursor"][DELIVERY]:  # records of one packet are one piece
        c["piece_of"][way] = state["cursor"][DELIVERY]
        c["pieces"][way] += 1
    have = collect(state, c, way, b, at, min(used, max(kept, 0)))
    taken = c["collector"][way]
    store = state["collectors"][taken]
    if kept < used:  # cut by the snapshot length: what there is of the message
        if have >= HANDSHAKE_HEADER:
            handshake_message(state, store, place, way, 0, have, now)
        c["collected"][way] = DONE
    while c["collected"][way] != DONE and have >= HANDSHAKE_HEADER:
        needed = handshake_bytes(store, have)
        if needed > COLLECT_BYTES:
            state["counters"][COLLECT_LONG] += 1
            c["collected"][way] = DONE
            break
        if have < needed:
            return
        handshake_message(state, store, place, way, 0, needed, now)
        have -= needed
        for n in range(have):
            store[n] = store[needed + n]
        state["collector_have"][taken] = have
        c["pieces"][way] = 1
    if c["collected"][way] == DONE or have == 0:
        release(state, c, way)
