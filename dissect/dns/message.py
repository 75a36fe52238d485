r"""DNS messages (RFC 1035 §4): header, first question, answer section.

Theory: names are written out in presentation form (lower case, no final dot, `\DDD` for what does not print) and
interned. A compression pointer must go strictly backwards, so every walk ends (RFC 1035 §4.1.4 says "prior").

Rules: what parsed before a break is kept; then the status is MALFORMED. Rdata with names inside is rewritten without
compression, since the message is gone when text is made of it: `text.py` knows the forms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.jit import inline
from ...core.status import MALFORMED, OK
from ...core.wire import Bytes, be16, be32, be64, u8
from ..intern import Names, intern

MESSAGE = np.dtype(
    [("valid", np.int64), ("id", np.int64), ("response", np.int64), ("opcode", np.int64), ("rcode", np.int64),
     ("truncated", np.int64), ("qname", np.int64), ("qtype", np.int64), ("qclass", np.int64), ("answers", np.int64)],
    align=True,
)  # fmt: skip
ANSWER = np.dtype(
    [("name", np.int64), ("type", np.int64), ("ttl", np.int64), ("kind", np.int64), ("hi", np.uint64),
     ("lo", np.uint64), ("data", np.int64)],
    align=True,
)  # fmt: skip
KIND_RAW, KIND_ADDRESS, KIND_NAME = 0, 1, 2

HEADER_BYTES = 12  # RFC 1035 §4.1.1
QUESTION_TAIL, RECORD_TAIL = 4, 10  # type, class (, TTL, length): §4.1.2, §4.1.3
MAX_ANSWERS = 512  # of one message that are kept
MAX_HOPS = 64  # compression pointers followed in one name
MAX_NAME = 255  # octets on the wire: RFC 1035 §2.3.4
MAX_TEXT = 4 * MAX_NAME
LABEL_BYTES, POINTER = 0x3F, 0xC0
TYPE_A, TYPE_NS, TYPE_CNAME, TYPE_SOA, TYPE_PTR, TYPE_MX, TYPE_AAAA, TYPE_SRV = 1, 2, 5, 6, 12, 15, 28, 33
TYPE_DNAME = 39  # RFC 6672
TYPE_AFSDB = 18  # RFC 1183 §1
ROOT = 0x2E
LOWER = 0x20
V4_MAPPED = np.uint64(0xFFFF << 32)
MAX_RDATA = 4096  # bytes of rdata that are kept


@inline
def parse_dns(b: Bytes, at: int, end: int, names: Names, work: Bytes, message: Any, answers: Any, into: int) -> tuple[int, int]:  # noqa: ANN401
    """[at, end): one message; message: one MESSAGE; answers: ANSWER[n], filled from `into`. `(status, answers)`."""
    message["valid"] = 0
    message["qname"], message["qtype"], message["qclass"], message["answers"] = 0, 0, 0, 0
    if end - at < HEADER_BYTES:
        return MALFORMED, 0
    flags = be16(b, at + 2)
    message["id"] = be16(b, at)
    message["response"] = flags >> 15
    message["opcode"] = (flags >> 11) & 0xF
    message["truncated"] = (flags >> 9) & 1
    message["rcode"] = flags & 0xF
    questions, records = be16(b, at + 4), be16(b, at + 6)
    place = at + HEADER_BYTES
    for n in range(questions):
        size, place = expand(b, place, at, end, work)
        if place < 0 or place + QUESTION_TAIL > end:
            return MALFORMED, 0
        if n == 0:
            message["qname"] = intern_name(names, work, size)
            message["qtype"] = be16(b, place)
            message["qclass"] = be16(b, place + 2)
        place += QUESTION_TAIL
    message["valid"] = 1
    written = 0
    for _ in range(min(records, MAX_ANSWERS)):
        size, place = expand(b, place, at, end, work)
        if place < 0 or place + RECORD_TAIL > end:
            return MALFORMED, written
        length = be16(b, place + 8)
        if place + RECORD_TAIL + length > end:
            return MALFORMED, written
        answer = answers[into + written]
        answer["name"] = intern_name(names, work, size)
        answer["type"] = be16(b, place)
        answer["ttl"] = be32(b, place + 4)
        place += RECORD_TAIL
        if not rdata(b, place, place + length, at, end, names, work, answer):
            return MALFORMED, written
        place += length
        written += 1
        message["answers"] = written
    return OK, written


@inline
def intern_name(names: Names, work: Bytes, size: int) -> int:
    """A name in presentation form; the root is a dot, so that it is not nothing."""
    if size == 0:
        work[0] = ROOT
        return intern(names, work, 0, 1)
    return intern(names, work, 0, size)


@inline
def expand(b: Bytes, at: int, start: int, end: int, out: Bytes) -> tuple[int, int]:
    """Writes the name at `at` out into `out`; `(length of the text, where the name ends)`, the latter -1 if it breaks.

    start: the message's first byte, from which pointers count.
    """
    size, wire, behind = 0, 0, -1
    lowest = at
    for _ in range(MAX_NAME + MAX_HOPS):
        if at >= end:
            return 0, -1
        length = u8(b, at)
        if length & POINTER == POINTER:
            if at + 2 > end:
                return 0, -1
            target = start + (be16(b, at) & 0x3FFF)
            if behind < 0:
                behind = at + 2
            if target >= lowest:
                return 0, -1
            at, lowest = target, target
            continue
        if length & POINTER:  # 0x40 and 0x80 are reserved: RFC 6891 §5
            return 0, -1
        at += 1
        if length == 0:
            return size, (at if behind < 0 else behind)
        wire += length + 1
        if at + length > end or wire >= MAX_NAME:
            return 0, -1
        if size:
            out[size] = ROOT
            size += 1
        for n in range(at, at + length):
            size = put_character(out, size, u8(b, n))
        at += length
    return 0, -1


@inline
def put_character(out: Bytes, at: int, c: int) -> int:
    """One octet of a label: lower case; escaped if it does not print, or is a dot or backslash."""
    if 0x41 <= c <= 0x5A:
        out[at] = c | LOWER
        return at + 1
    if 0x20 <= c <= 0x7E and c not in (0x2E, 0x5C):
        out[at] = c
        return at + 1
    out[at] = 0x5C
    out[at + 1] = 0x30 + c // 100
    out[at + 2] = 0x30 + c // 10 % 10
    out[at + 3] = 0x30 + c % 10
    return at + 4


@inline
def rdata(b: Bytes, at: int, stop: int, start: int, end: int, names: Names, work: Bytes, answer: Any) -> bool:  # noqa: ANN401
    """The data of one record, by type: address, name, or bytes without compression. False if it breaks."""
    kind = answer["type"]
    answer["kind"], answer["hi"], answer["lo"], answer["data"] = KIND_RAW, 0, 0, 0
    if stop == at:  # an update's prerequisite or deletion has none: RFC 2136 §2.4, §2.5
        return True
    if kind == TYPE_A and stop - at == 4:
        answer["kind"] = KIND_ADDRESS
        answer["lo"] = V4_MAPPED | np.uint64(be32(b, at))
    elif kind == TYPE_AAAA and stop - at == 16:
        answer["kind"] = KIND_ADDRESS
        answer["hi"], answer["lo"] = be64(b, at), be64(b, at + 8)
    elif kind in (TYPE_CNAME, TYPE_NS, TYPE_PTR, TYPE_DNAME):
        size, behind = expand(b, at, start, end, work)
        if behind < 0:
            return False
        answer["kind"] = KIND_NAME
        answer["data"] = intern_name(names, work, size)
    elif kind in (TYPE_MX, TYPE_AFSDB):
        return fixed_and_name(b, at, 2, start, end, names, work, answer)
    elif kind == TYPE_SRV:
        return fixed_and_name(b, at, 6, start, end, names, work, answer)
    elif kind == TYPE_SOA:
        return soa(b, at, start, end, names, work, answer)
    else:
        answer["data"] = intern(names, b, at, min(stop, at + MAX_RDATA))
    return True


@inline
def fixed_and_name(b: Bytes, at: int, fixed: int, start: int, end: int, names: Names, work: Bytes, answer: Any) -> bool:  # noqa: ANN401
    """MX (RFC 1035 §3.3.9) and SRV (RFC 2782): some octets, then a name: interned as the octets, then the text."""
    if at + fixed > end:
        return False
    size, behind = expand(b, at + fixed, start, end, work[fixed:])
    if behind < 0:
        return False
    for n in range(fixed):
        work[n] = b[at + n]
    answer["data"] = intern(names, work, 0, fixed + size)
    return True


@inline
def soa(b: Bytes, at: int, start: int, end: int, names: Names, work: Bytes, answer: Any) -> bool:  # noqa: ANN401
    """SOA (RFC 1035 §3.3.13): two names and 20 octets: interned as the octets, then both texts with a space between."""
    first, behind = expand(b, at, start, end, work[20:])
    if behind < 0:
        return False
    work[20 + first] = 0x20
    second, behind = expand(b, behind, start, end, work[21 + first :])
    if behind < 0 or behind + 20 > end:
        return False
    for n in range(20):
        work[n] = b[behind + n]
    answer["data"] = intern(names, work, 0, 21 + first + second)
    return True
