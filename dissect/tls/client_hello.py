"""ClientHello (RFC 8446 §4.1.2; DTLS: RFC 9147 §5.3): the name asked for, and the shape that fingerprints rest on.

Theory: of thousands of hellos few differ in more than name and keys. What is common is written in a canonical form, the
*shape* (GREASE left out, ciphers and extensions sorted), and interned: fingerprint, versions and protocols are worked
out in Python once per shape (`ja4.py`).

Shape: letter, name present, legacy version (2), counts of versions, ciphers, extensions and signature algorithms (2
each), then each list of 2-byte numbers, then the body of the ALPN extension's list.

Rules: each length is checked against what contains it. A hello that breaks is MALFORMED; what was whole before the
break is kept, without a shape if the cipher suites were not whole.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.jit import inline
from ...core.status import MALFORMED, OK
from ...core.wire import Bytes, be16, u8
from ..intern import Names, intern
from .suites import POST_QUANTUM

HELLO = np.dtype(
    [("sni", np.int64), ("shape", np.int64), ("ech", np.int64), ("post_quantum", np.int64), ("ciphers", np.int64),
     ("hello_bytes", np.int64), ("resumes", np.int64), ("early_data", np.int64)],
    align=True,
)  # fmt: skip
HANDSHAKE_HEADER, DTLS_HEADER = 4, 12  # RFC 8446 §4, RFC 9147 §5.2
LETTER_DTLS = 0x64
RANDOM_BYTES = 32
MAX_ITEMS = 512  # of one list; more are MALFORMED, as no client offers so many
SCRATCH_BYTES = 1 << 15
# where each list begins in the scratch of int64
VERSIONS, CIPHERS, EXTENSIONS, SIGNATURES = 0, MAX_ITEMS, 2 * MAX_ITEMS, 3 * MAX_ITEMS
SCRATCH_INTS = 4 * MAX_ITEMS
MAX_ALPN = 4096

# RFC 8446 §4.2, and where another RFC defines the extension
SERVER_NAME, SUPPORTED_GROUPS, SIGNATURE_ALGORITHMS, ALPN = 0, 10, 13, 16  # RFC 6066 §3, 8422 §5.1.1, 8446, 7301 §3.1
SESSION_TICKET = 35  # RFC 5077 §3.2
PRE_SHARED_KEY, EARLY_DATA, SUPPORTED_VERSIONS, KEY_SHARE = 41, 42, 43, 51
ENCRYPTED_CLIENT_HELLO = 0xFE0D  # RFC 9849 §5
TLS_1_3, DTLS_1_3 = 0x0304, 0xFEFC  # RFC 8446 §4.2.1, RFC 9147 §5.3
HOST_NAME = 0  # RFC 6066 §3


@inline
def is_grease(value: int) -> bool:
    """RFC 8701 §2: 0x0A0A, 0x1A1A, … 0xFAFA."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


@inline
def parse_client_hello(b: Bytes, at: int, end: int, letter: int, names: Names, work: Bytes, lists: Any, row: Any) -> int:  # noqa: ANN401
    """[at, end): the handshake message with its header; letter: t, q or d; work, lists: scratch; row: one HELLO."""
    row["sni"], row["shape"], row["ech"], row["post_quantum"], row["ciphers"] = 0, 0, 0, 0, 0
    row["resumes"], row["early_data"] = 0, 0
    row["hello_bytes"] = end - at
    place = at + (DTLS_HEADER if letter == LETTER_DTLS else HANDSHAKE_HEADER)
    if end - place < 2 + RANDOM_BYTES + 1:
        return MALFORMED
    legacy = be16(b, place)
    place += 2 + RANDOM_BYTES
    session = u8(b, place)
    place += 1 + session
    if letter == LETTER_DTLS and place < end:
        place += 1 + u8(b, place)  # cookie: RFC 6347 §4.2.1
    if place + 2 > end:
        return MALFORMED
    size = be16(b, place)
    place += 2
    ciphers = numbers(b, place, place + size, end, lists, CIPHERS)
    if ciphers < 0:
        return MALFORMED
    place += size
    row["ciphers"] = ciphers
    sort(lists, CIPHERS, ciphers)
    if place < end:
        place += 1 + u8(b, place)  # compression methods
    status = OK
    versions, extensions, signatures, alpn_at, alpn_end = 0, 0, 0, 0, 0
    named = 0
    if place + 2 <= end:
        stop = place + 2 + be16(b, place)
        place += 2
        if stop > end:
            status, stop = MALFORMED, end
        while place + 4 <= stop:
            kind, size = be16(b, place), be16(b, place + 2)
            place += 4
            if extensions == MAX_ITEMS:
                status = MALFORMED
                break
            if not is_grease(kind):
                lists[EXTENSIONS + extensions] = kind
                extensions += 1
            if place + size > stop:  # its type was whole
                status = MALFORMED
                break
            if kind == SERVER_NAME:
                named = 1
                row["sni"] = server_name(b, place, place + size, names)
            elif kind == SUPPORTED_VERSIONS and size >= 1:
                versions = max(numbers(b, place + 1, place + 1 + u8(b, place), place + size, lists, VERSIONS), 0)
            elif kind == SIGNATURE_ALGORITHMS and size >= 2:
                signatures = max(numbers(b, place + 2, place + 2 + be16(b, place), place + size, lists, SIGNATURES), 0)
            elif kind == ALPN and size >= 2:
                alpn_at, alpn_end = place + 2, min(place + 2 + be16(b, place), place + size, place + 2 + MAX_ALPN)
            elif kind == ENCRYPTED_CLIENT_HELLO:
                row["ech"] = 1
            elif kind == PRE_SHARED_KEY or (kind == SESSION_TICKET and size > 0):
                row["resumes"] = 1
            elif kind == EARLY_DATA:
                row["early_data"] = 1
            elif kind == KEY_SHARE or kind == SUPPORTED_GROUPS:
                if has_post_quantum(b, place, place + size, kind):
                    row["post_quantum"] = 1
            place += size
    if session and not offers_1_3(lists, versions):  # in TLS 1.3 an identifier means nothing: RFC 8446 §4.1.2
        row["resumes"] = 1
    sort(lists, EXTENSIONS, extensions)
    work[0], work[1] = letter, named
    at = put(work, 2, legacy)
    for count in (versions, ciphers, extensions, signatures):
        at = put(work, at, count)
    at = put_all(work, at, lists, VERSIONS, versions)
    at = put_all(work, at, lists, CIPHERS, ciphers)
    at = put_all(work, at, lists, EXTENSIONS, extensions)
    at = put_all(work, at, lists, SIGNATURES, signatures)
    for n in range(alpn_at, alpn_end):
        work[at] = b[n]
        at += 1
    row["shape"] = intern(names, work, 0, at)
    return status


@inline
def numbers(b: Bytes, at: int, stop: int, end: int, lists: Any, into: int) -> int:  # noqa: ANN401
    """The 2-byte numbers of [at, stop) less GREASE; -1 where they run over `end` or are too many."""
    if stop > end or stop - at > 2 * MAX_ITEMS:
        return -1
    count = 0
    while at + 2 <= stop:
        value = be16(b, at)
        if not is_grease(value):
            lists[into + count] = value
            count += 1
        at += 2
    return count


@inline
def offers_1_3(lists: Any, count: int) -> bool:  # noqa: ANN401
    """Whether TLS 1.3 or DTLS 1.3 is among the versions offered."""
    for n in range(VERSIONS, VERSIONS + count):
        if lists[n] == TLS_1_3 or lists[n] == DTLS_1_3:
            return True
    return False


@inline
def sort(lists: Any, at: int, count: int) -> None:  # noqa: ANN401
    """Insertion sort: lists are short, and nearly sorted ones are common."""
    for n in range(at + 1, at + count):
        value = lists[n]
        place = n - 1
        while place >= at and lists[place] > value:
            lists[place + 1] = lists[place]
            place -= 1
        lists[place + 1] = value


@inline
def put(work: Bytes, at: int, value: int) -> int:
    """Two bytes, network order; returns where the next go."""
    work[at], work[at + 1] = value >> 8, value & 0xFF
    return at + 2


@inline
def put_all(work: Bytes, at: int, lists: Any, first: int, count: int) -> int:  # noqa: ANN401
    """A list of numbers, two bytes each."""
    for n in range(first, first + count):
        at = put(work, at, lists[n])
    return at


@inline
def server_name(b: Bytes, at: int, end: int, names: Names) -> int:
    """The first host name of the list (RFC 6066 §3), interned; 0 where there is none."""
    if end - at < 2:
        return 0
    stop = min(at + 2 + be16(b, at), end)
    at += 2
    while at + 3 <= stop:
        kind, size = u8(b, at), be16(b, at + 1)
        at += 3
        if at + size > stop:
            return 0
        if kind == HOST_NAME and size > 0:
            return intern(names, b, at, at + size)
        at += size
    return 0


@inline
def has_post_quantum(b: Bytes, at: int, end: int, kind: int) -> bool:
    """Whether a group with a post-quantum part is offered (groups) or sent along (key shares: RFC 8446 §4.2.8)."""
    at += 2
    while at + 2 <= end:
        group = be16(b, at)
        for known in POST_QUANTUM:
            if group == known:
                return True
        at += 2
        if kind == KEY_SHARE:
            if at + 2 > end:
                break
            at += 2 + be16(b, at)
    return False
