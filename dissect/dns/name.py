r"""Domain names (RFC 1035 §3.1, §4.1.4): walked, written out, interned.

Theory: a name is written out in one of two forms: as text (lower case, no final dot, `\DDD` for what does not print),
which is how users know it, or as labels without compression, which is how rdata keep it once their message is gone.
A compression pointer must go strictly backwards, so every walk ends.

Rules: the reserved label types 0x40 and 0x80 (RFC 6891 §5) break a name, as does its 256th octet.
"""

from __future__ import annotations

from ...core.jit import inline
from ...core.wire import Bytes, be16, u8
from ..intern import Names, intern

MAX_NAME = 255  # octets on the wire: RFC 1035 §2.3.4
MAX_HOPS = 64  # compression pointers followed in one name
POINTER, TARGET = 0xC0, 0x3FFF  # RFC 1035 §4.1.4
DOT, BACKSLASH, ZERO, LOWER = 0x2E, 0x5C, 0x30, 0x20


@inline
def expand(b: Bytes, at: int, start: int, end: int, out: Bytes, size: int, in_wire: bool) -> tuple[int, int]:
    """Writes the name at `at` to out[size:]; `(size then, where the name ends)`, the latter -1 if it breaks.

    start: the message's first byte, from which pointers count. in_wire: as labels, else as text.
    """
    first, wire, behind = size, 0, -1
    lowest = at
    for _ in range(MAX_NAME + MAX_HOPS):
        if at >= end:
            return 0, -1
        length = u8(b, at)
        if length & POINTER == POINTER:
            if at + 2 > end:
                return 0, -1
            target = start + (be16(b, at) & TARGET)
            if behind < 0:
                behind = at + 2
            if target >= lowest:
                return 0, -1
            at, lowest = target, target
            continue
        if length & POINTER:
            return 0, -1
        at += 1
        if length == 0:
            if in_wire:
                out[size] = 0
                size += 1
            return size, (at if behind < 0 else behind)
        wire += length + 1
        if at + length > end or wire >= MAX_NAME:
            return 0, -1
        size = put_label(b, at, length, out, size, first, in_wire)
        at += length
    return 0, -1


@inline
def put_label(b: Bytes, at: int, length: int, out: Bytes, size: int, first: int, in_wire: bool) -> int:
    """One label behind those since `first`; returns the size then."""
    if in_wire:
        out[size] = length
        for n in range(length):
            out[size + 1 + n] = lowered(u8(b, at + n))
        return size + 1 + length
    if size > first:
        out[size] = DOT
        size += 1
    for n in range(at, at + length):
        size = put_character(out, size, u8(b, n))
    return size


@inline
def lowered(c: int) -> int:
    """ASCII letters in lower case: RFC 4343."""
    return c | LOWER if 0x41 <= c <= 0x5A else c


@inline
def put_character(out: Bytes, at: int, c: int) -> int:
    """One octet of a label: lower case; escaped if it does not print, or is a dot or backslash."""
    if 0x20 <= c <= 0x7E and c not in (DOT, BACKSLASH):
        out[at] = lowered(c)
        return at + 1
    out[at] = BACKSLASH
    out[at + 1] = ZERO + c // 100
    out[at + 2] = ZERO + c // 10 % 10
    out[at + 3] = ZERO + c % 10
    return at + 4


@inline
def after_name(b: Bytes, at: int, end: int) -> int:
    """Where the name at `at` ends, its pointer not followed; -1 if it breaks."""
    for _ in range(MAX_NAME):
        if at >= end:
            return -1
        length = u8(b, at)
        if length & POINTER == POINTER:
            return at + 2
        if length & POINTER:
            return -1
        at += 1 + length
        if length == 0:
            return at
    return -1


@inline
def intern_name(names: Names, work: Bytes, size: int) -> int:
    """A name as text by number; the root is a dot, so that it is not nothing."""
    if size == 0:
        work[0] = DOT
        return intern(names, work, 0, 1)
    return intern(names, work, 0, size)
