"""The names in a server's certificate, as it was sent before TLS 1.3 (RFC 5246 §7.4.2).

Theory: of an X.509 certificate (RFC 5280 §4.1) two places name a host: the subject's common name and the dNSNames among
the alternative names. DER (X.690) is a tree of tag, length, content: the walk goes from the outside in, and every step
is checked against what contains it.

Names are interned as one list: for each its tag, two bytes of length, its bytes. `names.py` makes text of it.

Rules: at most MAX_CERTIFICATE_NAMES names of at most MAX_CERTIFICATE_NAME bytes; what is left out is told. Nothing is
verified: a certificate is what the server says.
"""

from __future__ import annotations

from ...core.jit import inline
from ...core.status import MALFORMED, OK
from ...core.wire import Bytes, be16, be24, u8
from ..intern import Names, intern

MAX_CERTIFICATE_NAMES, MAX_CERTIFICATE_NAME = 256, 255
SEQUENCE, SET, OBJECT, OCTETS, BOOLEAN = 0x30, 0x31, 0x06, 0x04, 0x01  # X.690 §8
VERSION, EXTENSIONS = 0xA0, 0xA3  # [0] and [3] of TBSCertificate: RFC 5280 §4.1
DNS_NAME = 0x82  # [2] of GeneralName: RFC 5280 §4.2.1.6
OBJECT_BYTES = 3
COMMON_NAME = 0x550403  # 2.5.4.3: RFC 5280 Appendix A.1
ALTERNATIVE_NAME = 0x551D11  # 2.5.29.17: RFC 5280 §4.2.1.6
BROKEN = -1
FIELDS_BEFORE_SUBJECT = 4  # serial number, signature, issuer, validity


@inline
def element(b: Bytes, at: int, end: int) -> tuple[int, int, int]:
    """`(tag, where the content begins, where it ends)`; the end is BROKEN if it is not whole. Definite lengths only."""
    if at + 2 > end:
        return 0, at, BROKEN
    tag, size = u8(b, at), u8(b, at + 1)
    at += 2
    if size == 0x81 and at + 1 <= end:
        size, at = u8(b, at), at + 1
    elif size == 0x82 and at + 2 <= end:
        size, at = be16(b, at), at + 2
    elif size == 0x83 and at + 3 <= end:
        size, at = be24(b, at), at + 3
    elif size >= 0x80:
        return tag, at, BROKEN
    return tag, at, at + size if at + size <= end else BROKEN


@inline
def certificate_names(b: Bytes, at: int, end: int, names: Names, work: Bytes) -> tuple[int, int, int]:
    """[at, end): one certificate; `(status, number of the interned list, names left out)`.

    What was found before a break is kept.
    """
    tag, at, end = element(b, at, end)
    if end < 0 or tag != SEQUENCE:
        return MALFORMED, 0, 0
    tag, at, end = element(b, at, end)
    if end < 0 or tag != SEQUENCE:
        return MALFORMED, 0, 0
    tag, _, stop = element(b, at, end)
    if tag == VERSION and stop >= 0:
        at = stop
    for _ in range(FIELDS_BEFORE_SUBJECT):
        tag, _, stop = element(b, at, end)
        if stop < 0:
            return MALFORMED, 0, 0
        at = stop
    tag, subject, stop = element(b, at, end)
    if stop < 0 or tag != SEQUENCE:
        return MALFORMED, 0, 0
    used, left_out = common_name(b, subject, stop, work)
    at = stop
    while at < end:
        tag, content, stop = element(b, at, end)
        if stop < 0:
            return MALFORMED, intern(names, work, 0, used), left_out
        if tag == EXTENSIONS:
            status, used, more = alternative_names(b, content, stop, work, used)
            return status, intern(names, work, 0, used), left_out + more
        at = stop
    return OK, intern(names, work, 0, used), left_out


@inline
def common_name(b: Bytes, at: int, end: int, work: Bytes) -> tuple[int, int]:
    """The last common name of a Name (RFC 5280 §4.1.2.4: the most specific is the last), as an entry of the list.

    `(bytes of the list, names left out)`.
    """
    used, left_out = 0, 0
    while at < end:
        _, inside, stop = element(b, at, end)  # RelativeDistinguishedName, a SET
        if stop < 0:
            break
        at = stop
        while inside < stop:
            _, attribute, behind = element(b, inside, stop)  # AttributeTypeAndValue, a SEQUENCE
            if behind < 0:
                break
            inside = behind
            tag, kind, kind_end = element(b, attribute, behind)
            if kind_end < 0 or tag != OBJECT or kind_end - kind != OBJECT_BYTES or be24(b, kind) != COMMON_NAME:
                continue
            tag, value, value_end = element(b, kind_end, behind)
            if value_end < 0:
                continue
            if 0 < value_end - value <= MAX_CERTIFICATE_NAME:
                used = entry(b, value, value_end, tag, work, 0)
            else:
                left_out += 1
    return used, left_out


@inline
def alternative_names(b: Bytes, at: int, end: int, work: Bytes, used: int) -> tuple[int, int, int]:
    """The dNSNames of Extensions (RFC 5280 §4.1, §4.2.1.6): `(status, bytes of the list, names left out)`."""
    _, at, end = element(b, at, end)
    left_out = 0
    if end < 0:
        return MALFORMED, used, 0
    while at < end:
        _, inside, stop = element(b, at, end)
        if stop < 0:
            return MALFORMED, used, left_out
        at = stop
        tag, kind, kind_end = element(b, inside, stop)
        if kind_end < 0 or tag != OBJECT:
            return MALFORMED, used, left_out
        if kind_end - kind != OBJECT_BYTES or be24(b, kind) != ALTERNATIVE_NAME:
            continue
        tag, value, value_end = element(b, kind_end, stop)
        if tag == BOOLEAN and value_end >= 0:  # critical
            tag, value, value_end = element(b, value_end, stop)
        if value_end < 0 or tag != OCTETS:
            return MALFORMED, used, left_out
        _, name, names_end = element(b, value, value_end)
        if names_end < 0:
            return MALFORMED, used, left_out
        count = 0
        while name < names_end:
            tag, content, behind = element(b, name, names_end)
            if behind < 0:
                return MALFORMED, used, left_out
            name = behind
            if tag != DNS_NAME or behind == content:
                continue
            if count == MAX_CERTIFICATE_NAMES or behind - content > MAX_CERTIFICATE_NAME:
                left_out += 1
                continue
            used = entry(b, content, behind, tag, work, used)
            count += 1
    return OK, used, left_out


@inline
def entry(b: Bytes, at: int, end: int, tag: int, work: Bytes, used: int) -> int:
    """Appends a name to the list; returns the list's length."""
    work[used], work[used + 1], work[used + 2] = tag, (end - at) >> 8, (end - at) & 0xFF
    used += 3
    for n in range(at, end):
        work[used] = b[n]
        used += 1
    return used
