"""JA4, the TLS client fingerprint, and the facts of a hello's shape.

Written from the specification "JA4: TLS Client Fingerprinting" by FoxIO, LLC (BSD-3-Clause, see LICENSES/JA4.txt). Only
JA4 itself is implemented, nothing else of the JA4+ family.
"""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

SERVER_NAME, ALPN = 0x0000, 0x0010  # left out of the hash of extensions
VERSION_MARKS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2",
                 0xFEFF: "d1", 0xFEFD: "d2", 0xFEFC: "d3",
                 0x0100: "s1"}  # DTLS before RFC 4347: not in the specification, but what its own programs write  # fmt: skip
NOTHING = "000000000000"
HASH_DIGITS, MAX_COUNT = 12, 99
HEADER = struct.Struct(">BBHHHHH")  # letter, name present, legacy version, four counts


class Shape(NamedTuple):
    """What a hello's shape says: its fingerprint, the protocols and versions that it offers, the highest version."""

    ja4: str
    alpn: tuple[str, ...]
    versions: tuple[int, ...]
    version: int


def describe(shape: bytes) -> Shape:
    """The facts of a shape that `parse_client_hello` wrote."""
    letter, named, legacy, *counts = HEADER.unpack_from(shape)
    at = HEADER.size
    lists = []
    for count in counts:
        lists.append(struct.unpack_from(f">{count}H", shape, at))
        at += 2 * count
    versions, ciphers, extensions, signatures = lists
    protocols = _protocols(shape[at:])
    version = _highest(versions, legacy)
    first = (
        f"{chr(letter)}{VERSION_MARKS.get(version, '00')}{'d' if named else 'i'}"
        f"{min(len(ciphers), MAX_COUNT):02d}{min(len(extensions), MAX_COUNT):02d}{_alpn_mark(protocols)}"
    )
    hashed = ",".join(f"{e:04x}" for e in extensions if e not in (SERVER_NAME, ALPN))
    if signatures and hashed:
        hashed += "_" + ",".join(f"{s:04x}" for s in signatures)
    second = _digest(",".join(f"{c:04x}" for c in ciphers))
    alpn = tuple(protocol.decode("utf-8", "backslashreplace") for protocol in protocols)
    return Shape(f"{first}_{second}_{_digest(hashed)}", alpn, versions, version)


def _highest(versions: tuple[int, ...], legacy: int) -> int:
    """The highest version offered; DTLS numbers count down (RFC 9147 §5.3)."""
    if not versions:
        return legacy
    return min(versions) if legacy >> 8 == 0xFE else max(versions)


def _protocols(body: bytes) -> list[bytes]:
    """The names of an ALPN list (RFC 7301 §3.1), up to the first that does not fit."""
    found, at = [], 0
    while at < len(body) and at + 1 + body[at] <= len(body):
        found.append(body[at + 1 : at + 1 + body[at]])
        at += 1 + body[at]
    return found


def _alpn_mark(protocols: list[bytes]) -> str:
    """First and last character of the first protocol; of its hexadecimal form where either is not alphanumeric."""
    if not protocols or not protocols[0]:
        return "00"
    first, last = chr(protocols[0][0]), chr(protocols[0][-1])
    if first.isascii() and first.isalnum() and last.isascii() and last.isalnum():
        return first + last
    text = protocols[0].hex()
    return text[0] + text[-1]


def _digest(text: str) -> str:
    """The first 12 hexadecimal digits of the SHA-256; zeros for an empty list."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:HASH_DIGITS] if text else NOTHING
