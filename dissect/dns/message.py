r"""DNS messages (RFC 1035 §4): header, first question, answer section, and what EDNS adds to them (RFC 6891).

Theory: names are written out in presentation form (lower case, no final dot, `\DDD` for what does not print) and
interned. A compression pointer must go strictly backwards, so every walk ends (RFC 1035 §4.1.4 says "prior").

Rules: what parsed before a break is kept; then the status is MALFORMED. Authority and additional records are stepped
over in search of the one OPT record, which is part of the message and never an answer. Rdata is in `rdata.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.jit import inline
from ...core.status import MALFORMED, OK
from ...core.wire import Bytes, be16, be32, u8
from ..intern import Names, intern
from .name import after_name, expand, intern_name
from .rdata import rdata

MESSAGE = np.dtype(
    [("valid", np.int64), ("id", np.int64), ("response", np.int64), ("opcode", np.int64), ("rcode", np.int64),
     ("truncated", np.int64), ("qname", np.int64), ("qtype", np.int64), ("qclass", np.int64), ("answers", np.int64),
     ("left_out", np.int64), ("edns", np.int64), ("udp_size", np.int64), ("subnet", np.int64)],
    align=True,
)  # fmt: skip
HEADER_BYTES = 12  # RFC 1035 §4.1.1
QUESTION_TAIL, RECORD_TAIL = 4, 10  # type, class (, TTL, length): §4.1.2, §4.1.3
MAX_ANSWERS = 512  # of one message that are kept
MAX_ADDITIONAL = 64  # additional records among which the OPT record is looked for
TYPE_OPT = 41  # RFC 6891 §6.1.1
OPTION_HEADER = 4  # code, length: RFC 6891 §6.1.2
CLIENT_SUBNET, SUBNET_LEAST, SUBNET_MOST = 8, 4, 20  # RFC 7871 §6: family, two prefix lengths, at most 16 octets


@inline
def parse_dns(b: Bytes, at: int, end: int, names: Names, work: Bytes, message: Any, answers: Any, into: int) -> tuple[int, int]:  # noqa: ANN401
    """[at, end): one message; message: one MESSAGE; answers: ANSWER[n], filled from `into`. `(status, answers)`."""
    message["valid"] = 0
    message["qname"], message["qtype"], message["qclass"], message["answers"] = 0, 0, 0, 0
    message["left_out"], message["edns"], message["udp_size"], message["subnet"] = 0, 0, 0, 0
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
        size, place = expand(b, place, at, end, work, 0, in_wire=False)
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
        size, place = expand(b, place, at, end, work, 0, in_wire=False)
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
    if records > MAX_ANSWERS:
        message["left_out"] = records - MAX_ANSWERS
        return OK, written
    return extension(b, place, end, be16(b, at + 8), be16(b, at + 10), names, message), written


@inline
def extension(b: Bytes, place: int, end: int, authority: int, additional: int, names: Names, message: Any) -> int:  # noqa: ANN401
    """The OPT record behind `authority` others, if there is one: upper bits of the response code, size, client subnet."""
    for n in range(authority + min(additional, MAX_ADDITIONAL)):
        root = place < end and u8(b, place) == 0
        place = after_name(b, place, end)
        if place < 0 or place + RECORD_TAIL > end:
            return MALFORMED
        stop = place + RECORD_TAIL + be16(b, place + 8)
        if stop > end:
            return MALFORMED
        if n >= authority and root and be16(b, place) == TYPE_OPT:
            message["edns"] = 1
            message["udp_size"] = be16(b, place + 2)
            message["rcode"] |= u8(b, place + 4) << 4  # RFC 6891 §6.1.3
            return options(b, place + RECORD_TAIL, stop, names, message)
        place = stop
    return OK


@inline
def options(b: Bytes, at: int, stop: int, names: Names, message: Any) -> int:  # noqa: ANN401
    """The options of EDNS that are kept: the client subnet."""
    while at + OPTION_HEADER <= stop:
        size = be16(b, at + 2)
        if at + OPTION_HEADER + size > stop:
            return MALFORMED
        if be16(b, at) == CLIENT_SUBNET and SUBNET_LEAST <= size <= SUBNET_MOST:
            message["subnet"] = intern(names, b, at + OPTION_HEADER, at + OPTION_HEADER + size)
        at += OPTION_HEADER + size
    return OK if at == stop else MALFORMED
