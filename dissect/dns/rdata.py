"""Record data (RFC 1035 §3.3): an address, a name, or octets that need their message no more.

Theory: the message is gone when text is made of its records, and with it what compression pointers point at. So names
inside record data are written out in place; every type that may hold compressed ones is a line of `LAYOUT` (RFC 3597
§4; multicast DNS compresses in NSEC too: RFC 6762 §18.14). All others are kept as they stand.

Rules: at most MAX_RDATA octets are kept behind the names. What becomes of the octets is `presentation.py`'s.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.jit import inline
from ...core.wire import Bytes, be16, be32, be64, u8
from ..intern import Names, intern
from .name import after_name, expand, intern_name

ANSWER = np.dtype(
    [("name", np.int64), ("type", np.int64), ("ttl", np.int64), ("kind", np.int64), ("hi", np.uint64),
     ("lo", np.uint64), ("data", np.int64)],
    align=True,
)  # fmt: skip
KIND_RAW, KIND_ADDRESS, KIND_NAME = 0, 1, 2
TYPE_A, TYPE_CNAME, TYPE_AAAA, TYPE_SVCB = 1, 5, 28, 64
TARGET, PARAMETER_HEADER = 2, 4  # behind the priority; key, length: RFC 9460 §2.2
KEY_DOHPATH = 7  # RFC 9461 §5
V4_MAPPED = np.uint64(0xFFFF << 32)
MAX_RDATA = 4096  # octets of record data that are kept
NAMES_ONLY = (2, 3, 4, 5, 7, 8, 9, 12, 23, 39)  # NS MD MF CNAME MB MG MR PTR, NSAP-PTR (RFC 1348), DNAME (RFC 6672)
# type, octets, then character-strings, then names; the rest follows as it is
LAYOUT = (
    (6, 0, 0, 2),  # SOA: RFC 1035 §3.3.13
    (14, 0, 0, 2),  # MINFO: RFC 1035 §3.3.7
    (15, 2, 0, 1),  # MX: RFC 1035 §3.3.9
    (17, 0, 0, 2),  # RP: RFC 1183 §2.2
    (18, 2, 0, 1),  # AFSDB: RFC 1183 §1
    (21, 2, 0, 1),  # RT: RFC 1183 §3.3
    (24, 18, 0, 1),  # SIG: RFC 2535 §4.1
    (26, 2, 0, 2),  # PX: RFC 2163 §4
    (30, 0, 0, 1),  # NXT: RFC 2535 §5.2
    (33, 6, 0, 1),  # SRV: RFC 2782
    (35, 4, 3, 1),  # NAPTR: RFC 3403 §4.1
    (36, 2, 0, 1),  # KX: RFC 2230 §3.1
    (46, 18, 0, 1),  # RRSIG: RFC 4034 §3.1
    (47, 0, 0, 1),  # NSEC: RFC 4034 §4.1
)
LAID_OUT = 64
OCTETS, STRINGS, NAMES_IN = (np.zeros(LAID_OUT, np.int64) for _ in range(3))
for _type, _octets, _strings, _names in LAYOUT:
    OCTETS[_type], STRINGS[_type], NAMES_IN[_type] = _octets, _strings, _names


@inline
def rdata(b: Bytes, at: int, stop: int, start: int, end: int, names: Names, work: Bytes, answer: Any) -> bool:  # noqa: ANN401
    """The data of one record, by type: address, name, or octets without compression. False if it breaks."""
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
    elif kind in NAMES_ONLY:
        size, behind = expand(b, at, start, end, work, 0, in_wire=False)
        if behind < 0:
            return False
        answer["kind"] = KIND_NAME
        answer["data"] = intern_name(names, work, size)
    elif kind < LAID_OUT and NAMES_IN[kind]:
        size = uncompressed(b, at, stop, start, end, work, kind)
        if size < 0:
            return False
        answer["data"] = intern(names, work, 0, size)
    else:
        answer["data"] = intern(names, b, at, min(stop, at + MAX_RDATA))
        if kind == TYPE_SVCB:
            answer["lo"] = np.uint64(doh_target(b, at, stop, names, work))
    return True


@inline
def doh_target(b: Bytes, at: int, stop: int, names: Names, work: Bytes) -> int:
    """The target of an SVCB record with a `dohpath`, which is a resolver over HTTPS (RFC 9461 §5); else 0."""
    place = after_name(b, at + TARGET, stop)
    while place >= 0 and place + PARAMETER_HEADER <= stop:
        if be16(b, place) == KEY_DOHPATH:
            size, _ = expand(b, at + TARGET, at + TARGET, stop, work, 0, in_wire=False)
            return intern(names, work, 0, size)
        place += PARAMETER_HEADER + be16(b, place + 2)
    return 0


@inline
def uncompressed(b: Bytes, at: int, stop: int, start: int, end: int, work: Bytes, kind: int) -> int:
    """Writes the data into `work` with its names as labels; how many octets, -1 if it breaks."""
    behind = at + OCTETS[kind]
    for _ in range(STRINGS[kind]):
        if behind >= stop:
            return -1
        behind += 1 + u8(b, behind)
    if behind > stop:
        return -1
    size = behind - at
    for n in range(size):
        work[n] = b[at + n]
    for _ in range(NAMES_IN[kind]):
        size, behind = expand(b, behind, start, end, work, size, in_wire=True)
        if behind < 0:
            return -1
    for n in range(behind, min(stop, behind + MAX_RDATA)):
        work[size] = b[n]
        size += 1
    return size


def aliases(answers: Any) -> Any:  # noqa: ANN401  (ANSWER[n] in, bool[n] out)
    """Which records say what a name is an alias of (RFC 1035 §3.3.1)."""
    return (answers["type"] == TYPE_CNAME) & (answers["kind"] == KIND_NAME)
