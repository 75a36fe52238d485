"""What a TCP stream says: TLS records, DNS messages, HTTP heads; delivered bytes in, rows and app bytes out.

Theory: each direction is in one mode. TLS costs nothing inside a record: only the next header's place is known, and the
header is read when the bytes that cover it are delivered. App bytes are what the record headers imply (TLS 1.3: length
less 17, RFC 8446 §5.2), credited as the bytes of the record pass, so that they fall into the right moment. Handshake
and alerts are no application data: in TLS 1.3 they hide as type 23, and are told by their place (the server's before
the client's Finished) and their length (Finished 53 or 69, alert 19).

Rules: `deliver` gets every new byte once and in order; `lost` says that some are missing. Where a record header may be
among them, the direction is LOST until a header is recognised, and the flow is flagged inexact. A message in one piece
is parsed where it lies; one in several is put together in a collector.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes, be16, be24, u8
from .http import looks_like_request
from .link import Record
from .messages import dns_message, hello_message, http_message
from .state import (
    APP,
    COLLECT_BYTES,
    COLLECT_FULL,
    COLLECT_LONG,
    FREE_COLLECTORS,
    MODE_DNS,
    MODE_HTTP,
    MODE_LOST,
    MODE_NEW,
    MODE_OPAQUE,
    MODE_TLS,
    RECORDS_LOST,
    SERVICE_DNS,
    SERVICE_DOT,
    SERVICE_HTTP,
    SERVICE_TLS,
    State,
)
from .tls.record import app_overhead, looks_like_record

RECORD_HEADER = 5  # RFC 8446 §5.1
RECORD_ALERT, RECORD_HANDSHAKE, RECORD_APPLICATION = 21, 22, 23
TLS_1_3 = 0x0304
TLS_1_3_OVERHEAD = 17  # inner content type and AEAD tag: RFC 8446 §5.2, RFC 5116 §5.1
FINISHED_SHA256, FINISHED_SHA384 = 53, 69  # header 4, verify data 32 or 48, overhead 17: RFC 8446 §4.4.4
ALERT_1_3 = 19  # two bytes of alert, overhead 17: RFC 8446 §6
HANDSHAKE_HEADER = 4  # RFC 8446 §4
CLIENT_HELLO, SERVER_HELLO = 1, 2
PORT_DNS, PORT_DOT = 53, 853
NOT_CUT = False
CBC_ESTIMATE = 44  # IV 16, MAC 20, half of the padding 8: the middle of what TLS 1.2 CBC allows, RFC 5246 §6.2.3.2


@inline
def deliver(state: State, b: Bytes, place: int, way: int, at: int, kept: int, length: int, now: int) -> None:
    """Takes `length` new bytes in order, of which `kept` lie in `b` from `at`."""
    f = state["flows"][place]
    if f["mode"][way] == MODE_OPAQUE and not (kept > RECORD_HEADER and u8(b, at) == RECORD_HANDSHAKE):
        f["counts"][way, APP] += length
        return
    fresh = 1
    while length > 0:
        mode = f["mode"][way]
        if mode == MODE_TLS:
            if f["record_left"][way] > 0:
                used = _record_body(state, b, place, way, at, kept, length, now)
            else:
                used = _record_header(state, b, place, way, at, kept, length, now)
        elif mode == MODE_NEW:
            used = _probe(state, b, place, way, at, kept, length, now)
        elif mode == MODE_DNS:
            used = _dns(state, b, place, way, at, kept, length, now)
        elif mode == MODE_HTTP:
            used = _http(state, b, place, way, at, kept, length, now)
        else:
            used = _opaque(b, f, way, at, kept, length, fresh)
        fresh = 0
        at += used
        kept = max(kept - used, 0)
        length -= used


@inline
def lost(state: State, place: int, way: int, length: int) -> None:
    """Bytes of the stream are missing here."""
    f, c = state["flows"][place], state["cold"][place]
    if c["collector"][way] >= 0:
        release(state, c, way)
    undecided(f, c, way)
    if f["mode"][way] == MODE_TLS:
        if length <= f["record_left"][way] and c["header_have"][way] == 0:
            f["record_left"][way] -= length
            f["app_left"][way] -= min(f["app_left"][way], length)
            if c["record_type"][way] == RECORD_HANDSHAKE:
                c["collected"][way] = 1
        else:
            _lose_record(state, f, c, way)
    elif f["mode"][way] == MODE_DNS:
        f["mode"][way] = MODE_OPAQUE


@inline
def undecided(f: Record, c: Record, way: int) -> None:
    """Bytes put aside as the beginning of a record header, when no more will tell: they are cleartext."""
    if f["mode"][way] == MODE_NEW:
        f["counts"][way, APP] += c["header_have"][way]
        c["header_have"][way] = 0


@inline
def _lose_record(state: State, f: Record, c: Record, way: int) -> None:
    """The next record header cannot be found by counting any more."""
    f["mode"][way] = MODE_LOST
    f["record_left"][way] = 0
    f["app_left"][way] = 0
    c["header_have"][way] = 0
    c["inexact"] = 1
    state["counters"][RECORDS_LOST] += 1


@inline
def _opaque(b: Bytes, f: Record, way: int, at: int, kept: int, length: int, fresh: int) -> int:
    """Bytes of no known protocol, or between lost records: a TLS record at the start of a delivery is picked up."""
    if fresh and kept > RECORD_HEADER and looks_like_record(b, at, at + kept):
        hello = u8(b, at) == RECORD_HANDSHAKE and u8(b, at + RECORD_HEADER) in (CLIENT_HELLO, SERVER_HELLO)
        if f["mode"][way] == MODE_LOST or hello:
            f["mode"][way] = MODE_TLS
            f["record_left"][way] = 0
            if f["service"] != SERVICE_DOT:
                f["service"] = SERVICE_TLS
            return 0
    f["counts"][way, APP] += length
    return length


@inline
def _probe(state: State, b: Bytes, place: int, way: int, at: int, kept: int, length: int, now: int) -> int:
    """The first bytes of a direction decide its mode; fewer than a record header are put aside."""
    f, c = state["flows"][place], state["cold"][place]
    ports = f["ports"]
    if PORT_DNS in (ports >> 16, ports & 0xFFFF):
        f["mode"][way] = MODE_DNS
        f["service"] = SERVICE_DNS
        return 0
    if kept == 0:  # cut by the snapshot length: nothing can be known
        undecided(f, c, way)
        f["mode"][way] = MODE_OPAQUE
        c["inexact"] = 1
        return 0
    have = c["header_have"][way]
    if have == 0 and looks_like_request(b, at, at + kept):
        f["mode"][way] = MODE_HTTP
        f["service"] = SERVICE_HTTP
        return 0
    first = u8(b, at) if have == 0 else int(c["header"][way, 0])
    if first < 20 or first > 24:  # content types: RFC 8446 §5.1, RFC 6520 §3
        f["mode"][way] = MODE_OPAQUE
        return 0
    if have == 0 and kept >= RECORD_HEADER:
        f["mode"][way] = MODE_TLS if looks_like_record(b, at, at + kept) else MODE_OPAQUE
        if f["mode"][way] == MODE_TLS:
            _begin_tls(f, c, way)
        return 0
    used = _gather(b, c, way, at, min(kept, length))
    if c["header_have"][way] == RECORD_HEADER:
        if looks_like_record(c["header"][way], 0, RECORD_HEADER):
            f["mode"][way] = MODE_TLS
            _begin_tls(f, c, way)
            _begin_record(state, b, place, way, at + used, 0, NOT_CUT, now)
        else:
            f["mode"][way] = MODE_OPAQUE
            f["counts"][way, APP] += RECORD_HEADER
        c["header_have"][way] = 0
    return used


@inline
def _begin_tls(f: Record, c: Record, way: int) -> None:
    """The flow is TLS; one that was picked up in mid-stream cannot know which records were handshake."""
    other = 1 - way
    ports = f["ports"]
    f["service"] = SERVICE_DOT if PORT_DOT in (ports >> 16, ports & 0xFFFF) else SERVICE_TLS
    if c["syn"][0] == 0 and c["syn"][1] == 0 and c["hello_ns"] == 0 and f["mode"][other] != MODE_TLS:
        c["inexact"] = 1


@inline
def _gather(b: Bytes, c: Record, way: int, at: int, available: int) -> int:
    """Puts bytes of a record header aside until it is whole; returns how many were taken."""
    have = c["header_have"][way]
    used = min(RECORD_HEADER - have, available)
    for n in range(used):
        c["header"][way, have + n] = b[at + n]
    c["header_have"][way] = have + used
    return used


@inline
def _record_header(state: State, b: Bytes, place: int, way: int, at: int, kept: int, length: int, now: int) -> int:
    """RFC 8446 §5.1: type, version, length; may straddle segments."""
    f, c = state["flows"][place], state["cold"][place]
    if c["header_have"][way] == 0 and kept >= RECORD_HEADER:
        for n in range(RECORD_HEADER):
            c["header"][way, n] = b[at + n]
        used = RECORD_HEADER
    else:
        used = _gather(b, c, way, at, min(kept, length))
        if c["header_have"][way] < RECORD_HEADER:
            if used < length:  # the rest was cut off by the snapshot length
                _lose_record(state, f, c, way)
            return used
    c["header_have"][way] = 0
    if not looks_like_record(c["header"][way], 0, RECORD_HEADER):
        _lose_record(state, f, c, way)
        return used
    _begin_record(state, b, place, way, at + used, kept - used, kept < length, now)
    return used


@inline
def _begin_record(state: State, b: Bytes, place: int, way: int, at: int, kept: int, cut: bool, now: int) -> None:
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
def _record_body(state: State, b: Bytes, place: int, way: int, at: int, kept: int, length: int, now: int) -> int:
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


@inline
def claim(state: State, c: Record, way: int) -> bool:
    """Takes a collector; without a free one the message is given up, counted."""
    cursor = state["cursor"]
    if cursor[FREE_COLLECTORS] == 0:
        state["counters"][COLLECT_FULL] += 1
        c["collected"][way] = 1
        return False
    cursor[FREE_COLLECTORS] -= 1
    taken = state["free_collectors"][cursor[FREE_COLLECTORS]]
    state["collector_have"][taken] = 0
    c["collector"][way] = taken
    return True


@inline
def release(state: State, c: Record, way: int) -> None:
    """Gives the collector back."""
    cursor = state["cursor"]
    state["free_collectors"][cursor[FREE_COLLECTORS]] = c["collector"][way]
    cursor[FREE_COLLECTORS] += 1
    c["collector"][way] = -1


@inline
def collect(state: State, c: Record, way: int, b: Bytes, at: int, length: int) -> int:
    """Appends bytes to the collector, up to its size; returns how many it has."""
    taken = c["collector"][way]
    have = state["collector_have"][taken]
    store = state["collectors"][taken]
    fits = min(length, COLLECT_BYTES - have)
    for n in range(fits):
        store[have + n] = b[at + n]
    state["collector_have"][taken] = have + fits
    return have + fits


@inline
def _dns(state: State, b: Bytes, place: int, way: int, at: int, kept: int, length: int, now: int) -> int:
    """RFC 1035 §4.2.2: two bytes of length, then a message."""
    f, c = state["flows"][place], state["cold"][place]
    if c["collector"][way] < 0:
        if kept >= 2 and kept >= 2 + be16(b, at):
            used = 2 + be16(b, at)
            dns_message(state, b, place, way, at + 2, at + used, now)
            f["counts"][way, APP] += used
            return used
        if not claim(state, c, way):
            f["mode"][way] = MODE_OPAQUE
            return 0
    if kept < length:
        release(state, c, way)
        f["mode"][way] = MODE_OPAQUE
        return 0
    taken = c["collector"][way]
    have = state["collector_have"][taken]
    store = state["collectors"][taken]
    want = 2 + be16(store, 0) if have >= 2 else 2
    if want > COLLECT_BYTES:
        state["counters"][COLLECT_LONG] += 1
        release(state, c, way)
        f["mode"][way] = MODE_OPAQUE
        return 0
    used = min(want - have, length)
    have = collect(state, c, way, b, at, used)
    f["counts"][way, APP] += used
    if have >= 2 and have == 2 + be16(store, 0):
        dns_message(state, store, place, way, 2, have, now)
        release(state, c, way)
    return used


@inline
def _http(state: State, b: Bytes, place: int, way: int, at: int, kept: int, length: int, now: int) -> int:
    """Request heads of HTTP/1 (RFC 9112 §2.1); bodies pass. A head must begin where a delivery or a head ends."""
    f, c = state["flows"][place], state["cold"][place]
    if c["collector"][way] < 0:
        if not looks_like_request(b, at, at + kept):
            f["counts"][way, APP] += length
            hello = kept > RECORD_HEADER and looks_like_record(b, at, at + kept)
            if hello and u8(b, at + RECORD_HEADER) == CLIENT_HELLO:
                f["counts"][way, APP] -= length  # a tunnel by CONNECT (RFC 9110 §9.3.6): TLS begins
                f["mode"][way] = MODE_TLS
                f["mode"][1 - way] = MODE_OPAQUE
                f["service"] = SERVICE_TLS
                return 0
            return length
        size = head_end(b, at, at + kept, at)
        if size > 0:
            http_message(state, b, place, at, at + size, now)
            f["counts"][way, APP] += size
            return size
        if not claim(state, c, way):
            f["mode"][way] = MODE_OPAQUE
            return 0
    taken = c["collector"][way]
    store = state["collectors"][taken]
    had = state["collector_have"][taken]
    have = collect(state, c, way, b, at, min(kept, length))
    size = head_end(store, 0, have, max(had - 3, 0))
    if size == 0 and (have == COLLECT_BYTES or kept < length):
        state["counters"][COLLECT_LONG] += 1
        size = have  # what there is of it
    if size > 0:
        http_message(state, store, place, 0, size, now)
        release(state, c, way)
        used = min(max(size - had, 1), length)
    else:
        used = length
    f["counts"][way, APP] += used
    return used


@inline
def head_end(b: Bytes, at: int, end: int, since: int) -> int:
    """Length of the head in [at, end) with its blank line, or 0 while it has none; searched from `since`."""
    for n in range(since, end - 1):
        if u8(b, n) == 0x0A:
            if u8(b, n + 1) == 0x0A:
                return n + 2 - at
            if u8(b, n + 1) == 0x0D and n + 2 < end and u8(b, n + 2) == 0x0A:
                return n + 3 - at
    return 0
