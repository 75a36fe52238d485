"""Request heads of HTTP/1 in clear (RFC 9112 §2, §3): method, target, Host, User-Agent.

Rules: a head begins with a known method and a space; field names are case-insensitive (RFC 9110 §5.1); a lone LF ends
a line too (RFC 9112 §2.2). A target in absolute form names the host where no Host field does (§3.2.2), and so does
CONNECT (§3.2.3). `host` is the field as it stands; `name` is it without the port.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.jit import inline
from ..core.status import MALFORMED, OK
from ..core.wire import Bytes, u8
from .intern import Names, intern

READS = (
    ("HTTP/1 in clear", "RFC 9112 §2, RFC 9112 §3", "request heads: method, Host, target, User-Agent; CONNECT"),
)  # fmt: skip

REQUEST = np.dtype(
    [("method", np.int64), ("host", np.int64), ("target", np.int64), ("user_agent", np.int64), ("name", np.int64)],
    align=True,
)
# RFC 9110 §9.3, RFC 5789, RFC 4918, RFC 3253; SSDP's are spoken over UDP
METHODS = (b"GET ", b"POST ", b"HEAD ", b"PUT ", b"DELETE ", b"CONNECT ", b"OPTIONS ", b"TRACE ", b"PATCH ",
           b"PROPFIND ", b"PROPPATCH ", b"MKCOL ", b"COPY ", b"MOVE ", b"LOCK ", b"UNLOCK ", b"REPORT ", b"SEARCH ",
           b"SUBSCRIBE ", b"UNSUBSCRIBE ", b"NOTIFY ", b"M-SEARCH ", b"MKCALENDAR ", b"CHECKOUT ", b"MERGE ",
           b"BPROPFIND ", b"RPC_CONNECT ", b"RPC_IN_DATA ", b"RPC_OUT_DATA ", b"CCM_POST ")  # fmt: skip
METHOD_BYTES = np.frombuffer(b"".join(METHODS), np.uint8).copy()
METHOD_ENDS = np.cumsum([len(method) for method in METHODS])
CONNECT_FIRST, CONNECT_SIZE = 0x43, 7
HTTP = np.frombuffer(b"HTTP/", np.uint8).copy()  # RFC 9112 §2.3
HOST = np.frombuffer(b"host:", np.uint8).copy()
USER_AGENT = np.frombuffer(b"user-agent:", np.uint8).copy()
LF, CR, SPACE, TAB, COLON, SLASH, BRACKET, AT_SIGN = 0x0A, 0x0D, 0x20, 0x09, 0x3A, 0x2F, 0x5D, 0x40
SHORTEST = 4


@inline
def looks_like_request(b: Bytes, at: int, end: int) -> bool:
    """Whether a known method and a space stand at `at`."""
    if end - at < SHORTEST or u8(b, at) < 0x41 or u8(b, at) > 0x5A:
        return False
    first = 0
    for stop in METHOD_ENDS:
        size = stop - first
        if end - at >= size:
            same = True
            for n in range(size):
                if b[at + n] != METHOD_BYTES[first + n]:
                    same = False
                    break
            if same:
                return True
        first = stop
    return False


@inline
def line_end(b: Bytes, at: int, end: int) -> int:
    """Where the line's content ends, before CR LF or LF; `end` for an unfinished line."""
    for n in range(at, end):
        if u8(b, n) == LF:
            return n - 1 if n > at and u8(b, n - 1) == CR else n
    return end


@inline
def after_line(b: Bytes, at: int, end: int) -> int:
    """Where the next line begins."""
    while at < end and u8(b, at) != LF:
        at += 1
    return at + 1


@inline
def is_field(b: Bytes, at: int, end: int, name: Bytes) -> bool:
    """Whether the line begins with the field name (lower case, with its colon), in any case."""
    if end - at < name.size:
        return False
    for n in range(name.size):
        c = u8(b, at + n)
        if 0x41 <= c <= 0x5A:
            c |= 0x20
        if c != name[n]:
            return False
    return True


@inline
def value_of(b: Bytes, at: int, end: int, names: Names) -> int:
    """A field's value without the white space around it, interned."""
    while at < end and u8(b, at) in (SPACE, TAB):
        at += 1
    while end > at and u8(b, end - 1) in (SPACE, TAB):
        end -= 1
    return intern(names, b, at, end)


@inline
def host_of(b: Bytes, at: int, end: int, names: Names) -> int:
    """A host without its port (RFC 3986 §3.2.2: an IPv6 address stands in brackets)."""
    while at < end and u8(b, at) in (SPACE, TAB):
        at += 1
    stop = at
    bracket = at < end and u8(b, at) == 0x5B
    while stop < end and u8(b, stop) not in (SPACE, TAB, SLASH):
        if u8(b, stop) == COLON and not bracket:
            break
        if u8(b, stop) == BRACKET:
            stop += 1
            break
        stop += 1
    return intern(names, b, at, stop)


@inline
def parse_request(b: Bytes, at: int, end: int, names: Names, row: Any) -> int:  # noqa: ANN401
    """[at, end): a head, or what there is of it; row: one REQUEST."""
    row["method"], row["host"], row["target"], row["user_agent"], row["name"] = 0, 0, 0, 0, 0
    stop = line_end(b, at, end)
    space = at
    while space < stop and u8(b, space) != SPACE:
        space += 1
    if space == stop:
        return MALFORMED
    row["method"] = intern(names, b, at, space)
    target = space + 1
    tail = target
    while tail < stop and u8(b, tail) != SPACE:
        tail += 1
    version = stop
    while version > target and u8(b, version - 1) != SPACE:
        version -= 1
    if version > target and version + HTTP.size <= stop:
        for n in range(HTTP.size):
            if b[version + n] != HTTP[n]:
                return MALFORMED  # RTSP and others look alike
    row["target"] = intern(names, b, target, tail)
    line = after_line(b, at, end)
    while line < end:
        stop = line_end(b, line, end)
        if stop == line:
            break
        if row["host"] == 0 and is_field(b, line, stop, HOST):
            row["host"] = value_of(b, line + HOST.size, stop, names)
            row["name"] = host_of(b, line + HOST.size, stop, names)
        elif row["user_agent"] == 0 and is_field(b, line, stop, USER_AGENT):
            row["user_agent"] = value_of(b, line + USER_AGENT.size, stop, names)
        line = after_line(b, line, end)
    if row["host"] == 0:
        row["host"] = host_of_target(b, at, space, target, tail, names)
        row["name"] = row["host"]
    return OK


@inline
def host_of_target(b: Bytes, at: int, space: int, target: int, tail: int, names: Names) -> int:
    """The host in an absolute target or in that of CONNECT; 0 in any other."""
    if u8(b, at) == CONNECT_FIRST and space - at == CONNECT_SIZE:
        return host_of(b, target, tail, names)
    for n in range(target, min(target + 16, tail - 3)):
        if u8(b, n) == COLON and u8(b, n + 1) == SLASH and u8(b, n + 2) == SLASH:
            return host_of(b, n + 3, tail, names)
    return 0
