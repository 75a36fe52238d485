"""TLS records passing by: what their headers say of application data, and the handshake messages that are wanted.

Theory: TLS costs nothing inside a record: only the next header's place is known, and the header is read when the bytes
that cover it are delivered. App bytes are what the headers imply (TLS 1.3: length less 17, RFC 8446 §5.2), credited as
the bytes of the record pass, so that they fall into the right moment. Handshake and alerts are no application data: in
TLS 1.3 they hide as type 23, and are told by their place (the server's before the client's Finished) and their length
(Finished 53 or 69, alert 19).

Rules: where a header is lost, the direction is LOST until one is recognised, and the flow is flagged inexact.
"""

from __future__ import annotations

from ...core.jit import inline
from ...core.wire import Bytes, be16, be24
from ..collect import claim, collect, release
from ..link import Record
from ..messages import hello_message
from ..state import (
    APP,
    COLLECT_BYTES,
    COLLECT_LONG,
    MODE_LOST,
    MODE_TLS,
    RECORDS_LOST,
    SERVICE_DOT,
    SERVICE_TLS,
    State,
)
from .record import app_overhead, looks_like_record

RECORD_HEADER = 5  # RFC 8446 §5.1
RECORD_ALERT, RECORD_HANDSHAKE, RECORD_APPLICATION = 21, 22, 23
TLS_1_3 = 0x0304
TLS_1_3_OVERHEAD = 17  # inner content type and AEAD tag: RFC 8446 §5.2, RFC 5116 §5.1
FINISHED_SHA256, FINISHED_SHA384 = 53, 69  # header 4, verify data 32 or 48, overhead 17: RFC 8446 §4.4.4
ALERT_1_3 = 19  # two bytes of alert, overhead 17: RFC 8446 §6
HANDSHAKE_HEADER = 4  # RFC 8446 §4
CBC_ESTIMATE = 44  # IV 16, MAC 20, half of the padding 8: the middle of what TLS 1.2 CBC allows, RFC 5246 §6.2.3.2
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
    """A record begins: how much of it is application data, and whether its handshake message is wanted."""
    f, c = state["flows"][place], state["cold"][place]
    kind = int(c["header"][way, 0])
    size = be16(c["header"][way], 3)
    f["record_left"][way] = size
    f["app_left"][way] = 0
    c["record_type"][way] = kind
    if c["alert_held"][way]:  # it was not the last record of its direction, so it was data
        f["counts"][way, APP] += ALERT_1_3 - TLS_1_3_OVERHEAD
        c["alert_held"][way] = 0
    if kind == RECORD_APPLICATION:
        f["app_left"][way] = max(_app_bytes(c, way, size, now), 0)
    elif kind == RECORD_HANDSHAKE and c["collected"][way] == 0 and c["collector"][way] < 0:
        if kept >= HANDSHAKE_HEADER:
            whole = HANDSHAKE_HEADER + be24(b, at + 1)
            if whole <= kept and whole <= size:
                c["pieces"][way] = 1
                hello_message(state, b, place, way, at, at + whole, now)
                return
            if kept < min(whole, size) and cut:  # by the snapshot length: what there is of it
                c["pieces"][way] = 1
                hello_message(state, b, place, way, at, at + kept, now)
                return
        c["pieces"][way] = 0
        claim(state, c, way)


@inline
def _app_bytes(c: Record, way: int, size: int, now: int) -> int:
    """Application bytes of a type-23 record of `size` bytes; notes Finished, alerts and the end of the set-up."""
    client = int(c["client"]) - 1 if c["client"] else (0 if c["from_local"] else 1)
    if c["tls_version"] != 0 and c["tls_version"] < TLS_1_3:
        c["first_app"][way] = 1
        overhead = app_overhead(c["tls_version"], c["cipher"])
        if overhead < 0:
            c["inexact"] = 1
            overhead = CBC_ESTIMATE
        _note_setup(c, way, client, now)
        return size - overhead
    if c["hello_ns"] != 0:
        if way != client and c["finished"][client] == 0:
            return 0  # the server's handshake
        if way == client and c["finished"][way] == 0 and size in (FINISHED_SHA256, FINISHED_SHA384):
            c["finished"][way] = 1
            return 0
    _note_setup(c, way, client, now)
    if size == ALERT_1_3:
        c["alert_held"][way] = 1
        return 0
    c["first_app"][way] = 1
    return size - TLS_1_3_OVERHEAD


@inline
def _note_setup(c: Record, way: int, client: int, now: int) -> None:
    """The client's first application record ends the set-up."""
    if way == client and c["setup_done"] == 0 and c["hello_ns"] != 0:
        c["setup_done"] = 1
        c["setup_ns"] = now - c["hello_ns"]


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
        c["pieces"][way] += 1
        have = collect(state, c, way, b, at, min(used, kept))
        store = state["collectors"][c["collector"][way]]
        if kept < used:  # cut by the snapshot length: what there is of the message
            if have >= HANDSHAKE_HEADER:
                hello_message(state, store, place, way, 0, have, now)
            release(state, c, way)
            c["collected"][way] = 1
            return used
        if have >= HANDSHAKE_HEADER:
            whole = HANDSHAKE_HEADER + be24(store, 1)
            if whole > COLLECT_BYTES:
                state["counters"][COLLECT_LONG] += 1
                release(state, c, way)
                c["collected"][way] = 1
            elif have >= whole:
                hello_message(state, store, place, way, 0, whole, now)
                release(state, c, way)
    return used
