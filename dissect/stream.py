"""What a TCP stream says: TLS, DNS messages, HTTP heads; delivered bytes in, rows and app bytes out.

Theory: each direction is in one mode, decided by its first bytes, and by later ones where something else came before
(a proxy's handshake, STARTTLS). TLS records are accounted for in `tls/accounting.py`.

Rules: `deliver` gets every new byte once and in order; `lost` says that some are missing. A message in one piece is
parsed where it lies; one in several is put together by `collect.py`.
"""

from __future__ import annotations

import numpy as np

from ..core.jit import inline
from ..core.wire import Bytes, be16, u8
from .collect import claim, collect, release
from .http import LF, looks_like_request
from .messages import dns_message, http_message
from .records import Record
from .state import (
    APP,
    COLLECT_BYTES,
    COLLECT_LONG,
    DELIVERY,
    MODE_DNS,
    MODE_HTTP,
    MODE_LOST,
    MODE_NEW,
    MODE_OPAQUE,
    MODE_TLS,
    SERVICE_DNS,
    SERVICE_DOT,
    SERVICE_HTTP,
    SERVICE_TLS,
    State,
)
from .tls.accounting import (
    RECORD_HANDSHAKE,
    RECORD_HEADER,
    begin_record,
    begin_tls,
    gather,
    lose_record,
    record_body,
    record_header,
)
from .tls.application import settle
from .tls.record import looks_like_record

CLIENT_HELLO, SERVER_HELLO = 1, 2  # RFC 8446 §4
PORT_DNS, PORT_MDNS = 53, 5353
MAX_OPENING = 1024  # bytes that a proxy's handshake may put before the request: RFC 1928
MAX_PROXY_LINE = 107  # PROXY protocol, version 1, §2.1
PROXY = np.frombuffer(b"PROXY ", np.uint8).copy()  # PROXY protocol, version 1, §2.1
NOT_CUT = False


@inline
def deliver(state: State, b: Bytes, place: int, way: int, at: int, kept: int, length: int, now: int) -> None:
    """Takes `length` new bytes in order, of which `kept` lie in `b` from `at`."""
    f = state["flows"][place]
    if f["mode"][way] == MODE_OPAQUE and f["edge"][way] - length > MAX_OPENING and not (
        kept > RECORD_HEADER and u8(b, at) == RECORD_HANDSHAKE
    ):
        f["counts"][way, APP] += length
        return
    state["cursor"][DELIVERY] += 1
    fresh = 1
    while length > 0:
        mode = f["mode"][way]
        if mode == MODE_TLS:
            if f["record_left"][way] > 0:
                used = record_body(state, b, place, way, at, kept, length, now)
            else:
                used = record_header(state, b, place, way, at, kept, length, now)
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
            lose_record(state, f, c, way)
    elif f["mode"][way] == MODE_DNS:
        f["mode"][way] = MODE_OPAQUE


@inline
def undecided(f: Record, c: Record, way: int) -> None:
    """What was put aside to be told by what follows, when no more will: a record's beginning is cleartext then."""
    if c["app_held"] and c["client"] == way + 1:
        settle(f, c, way)
    if f["mode"][way] == MODE_NEW:
        f["counts"][way, APP] += c["header_have"][way]
        c["header_have"][way] = 0


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
    if fresh and f["edge"][way] - length <= MAX_OPENING and f["mode"][way] == MODE_OPAQUE and (
        looks_like_request(b, at, at + kept)
    ):  # behind the handshake of a SOCKS proxy
        f["mode"][way] = MODE_HTTP
        f["service"] = SERVICE_HTTP
        return 0
    f["counts"][way, APP] += length
    return length


@inline
def _probe(state: State, b: Bytes, place: int, way: int, at: int, kept: int, length: int, now: int) -> int:
    """The first bytes of a direction decide its mode; fewer than a record header are put aside."""
    f, c = state["flows"][place], state["cold"][place]
    ports = f["ports"]
    if PORT_DNS in (ports >> 16, ports & 0xFFFF) or PORT_MDNS in (ports >> 16, ports & 0xFFFF):
        f["mode"][way] = MODE_DNS
        f["service"] = SERVICE_DNS
        return 0
    if kept == 0:  # cut by the snapshot length: nothing can be known
        undecided(f, c, way)
        f["mode"][way] = MODE_OPAQUE
        c["inexact"] = 1
        return 0
    have = c["header_have"][way]
    prefix = proxy_line(b, at, at + kept) if have == 0 else 0
    if prefix:
        f["counts"][way, APP] += prefix
        return prefix
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
            begin_tls(f, c, way)
        return 0
    used = gather(b, c, way, at, min(kept, length))
    if c["header_have"][way] == RECORD_HEADER:
        if looks_like_record(c["header"][way], 0, RECORD_HEADER):
            f["mode"][way] = MODE_TLS
            begin_tls(f, c, way)
            begin_record(state, b, place, way, at + used, 0, NOT_CUT, now)
        else:
            f["mode"][way] = MODE_OPAQUE
            f["counts"][way, APP] += RECORD_HEADER
        c["header_have"][way] = 0
    return used


@inline
def proxy_line(b: Bytes, at: int, end: int) -> int:
    """How long the line is that a load balancer puts before a stream ("PROXY TCP4 …"), 0 where there is none."""
    if end - at < len(PROXY):
        return 0
    for n in range(len(PROXY)):
        if b[at + n] != PROXY[n]:
            return 0
    for n in range(at + len(PROXY), min(end, at + MAX_PROXY_LINE)):
        if u8(b, n) == LF:
            return n + 1 - at
    return 0


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
