r"""DNS messages (RFC 1035 §4): header, first question, answer section, and what EDNS adds to them (RFC 6891).

Theory: names are written out in presentation form (lower case, no final dot, `\DDD` for what does not print) and
interned. A compression pointer must go strictly backwards, so every walk ends (RFC 1035 §4.1.4 says "prior").

Rules: what parsed before a break is kept; then the status is MALFORMED. Authority and additional records are stepped
over in search of the one OPT record, which is part of the message and never an answer. In multicast DNS the additional
records are kept too: there a device tells more than it was asked (RFC 6763 §12). Rdata is in `rdata.py`.
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
     ("additional", np.int64), ("left_out", np.int64), ("edns", np.int64), ("udp_size", np.int64), ("subnet", np.int64)],
    align=True,
)  # fmt: skip
HEADER_BYTES = 12  # RFC 1035 §4.1.1
QUESTION_TAIL, RECORD_TAIL = 4, 10  # type, class (, TTL, length): §4.1.2, §4.1.3
MAX_ANSWERS = 512  # of one message that are kept, with additional records
MAX_ADDITIONAL = 64  # additional records that are looked at
TYPE_OPT = 41  # RFC 6891 §6.1.1
OPTION_HEADER = 4  # code, length: RFC 6891 §6.1.2
CLIENT_SUBNET, SUBNET_LEAST, SUBNET_MOST = 8, 4, 20  # RFC 7871 §6: family, two prefix lengths, at most 16 octets


@inline
def parse_dns(  # noqa: PLR0913, PLR0917
    b: Bytes, at: int, end: int, names: Names, work: Bytes, message: Any, answers: Any, into: int, multicast: bool  # noqa: ANN401
) -> tuple[int, int]:
    """[at, end): one message; message: one MESSAGE; answers: ANSWER[n], filled from `into`. `(status, records filled)`.

    multicast: the additional records are kept too, behind the answers.
    """
    message["valid"], message["additional"] = 0, 0
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
        place = record(b, place, at, end, names, work, answers[into + written])
        if place < 0:
            return MALFORMED, written
        written += 1
        message["answers"] = written
    if records > MAX_ANSWERS:
        message["left_out"] = records - MAX_ANSWERS
        return OK, written
    for _ in range(be16(b, at + 8)):  # authority
        place = after_record(b, place, end)
        if place < 0:
            return MALFORMED, written
    additional = be16(b, at + 10)
    for _ in range(min(additional, MAX_ADDITIONAL)):
        behind = after_record(b, place, end)
        if behind < 0:
            return MALFORMED, written
        if is_extension(b, place):
            if not extension(b, place + 1, behind, names, message):
                return MALFORMED, written
            if not multicast:
                break
        elif multicast and written < MAX_ANSWERS:
            if record(b, place, at, end, names, work, answers[into + written]) < 0:
                return MALFORMED, written
            written += 1
            message["additional"] += 1
        elif multicast:
            message["left_out"] += 1
        place = behind
    if multicast and additional > MAX_ADDITIONAL:
        message["left_out"] += additional - MAX_ADDITIONAL
    return OK, written


@inline
def record(b: Bytes, place: int, start: int, end: int, names: Names, work: Bytes, answer: Any) -> int:  # noqa: ANN401
    """One resource record (RFC 1035 §4.1.3) of the message at `start`; where it ends, -1 if it breaks."""
    size, place = expand(b, place, start, end, work, 0, in_wire=False)
    if place < 0 or place + RECORD_TAIL > end:
        return -1
    behind = place + RECORD_TAIL + be16(b, place + 8)
    if behind > end:
        return -1
    answer["name"] = intern_name(names, work, size)
    answer["type"] = be16(b, place)
    answer["ttl"] = be32(b, place + 4)
    return behind if rdata(b, place + RECORD_TAIL, behind, start, end, names, work, answer) else -1


@inline
def after_record(b: Bytes, place: int, end: int) -> int:
    """Where a record ends that is not read; -1 if it breaks."""
    place = after_name(b, place, end)
    if place < 0 or place + RECORD_TAIL > end:
        return -1
    behind = place + RECORD_TAIL + be16(b, place + 8)
    return behind if behind <= end else -1


@inline
def is_extension(b: Bytes, place: int) -> bool:
    """Whether a whole record is an OPT record: of the root, which is one octet (RFC 6891 §6.1.2)."""
    return u8(b, place) == 0 and be16(b, place + 1) == TYPE_OPT


@inline
def extension(b: Bytes, place: int, stop: int, names: Names, message: Any) -> bool:  # noqa: ANN401
    """An OPT record behind its name: upper bits of the response code, size, client subnet. False if an option breaks."""
    message["edns"] = 1
    message["udp_size"] = be16(b, place + 2)
    message["rcode"] |= u8(b, place + 4) << 4  # RFC 6891 §6.1.3
    return options(b, place + RECORD_TAIL, stop, names, message)


@inline
def options(b: Bytes, at: int, stop: int, names: Names, message: Any) -> bool:  # noqa: ANN401
    """The options of EDNS that are kept: the client subnet. False if one breaks."""
    while at + OPTION_HEADER <= stop:
        size = be16(b, at + 2)
        if at + OPTION_HEADER + size > stop:
            return False
        if be16(b, at) == CLIENT_SUBNET and SUBNET_LEAST <= size <= SUBNET_MOST:
            message["subnet"] = intern(names, b, at + OPTION_HEADER, at + OPTION_HEADER + size)
        at += OPTION_HEADER + size
    return at == stop
