"""Addresses as bytes, and which of them have a place at all.

Theory: text comes in, one array per family goes out, so that everything after works on columns. Addresses that are
private, reserved or local to a link mean something else in every network: no database can place them.

A NAT64 address stands for the IPv4 address inside it: that has the place, whatever database is asked (RFC 6052).

Rules: text that is no address is left out, never raised: it is traffic, or a word that somebody typed.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
DOTTED = rf"\A{OCTET}(?:\.{OCTET}){{3}}\z"
SPECIAL_IPV4 = (  # IANA IPv4 Special-Purpose Address Registry, what it lists as not globally reachable
    (0x00000000, 8),  # 0.0.0.0/8, RFC 791 §3.2
    (0x0A000000, 8),  # 10.0.0.0/8, RFC 1918 §3
    (0x64400000, 10),  # 100.64.0.0/10, RFC 6598 §7
    (0x7F000000, 8),  # 127.0.0.0/8, RFC 1122 §3.2.1.3
    (0xA9FE0000, 16),  # 169.254.0.0/16, RFC 3927 §2.1
    (0xAC100000, 12),  # 172.16.0.0/12, RFC 1918 §3
    (0xC0000000, 24),  # 192.0.0.0/24, RFC 6890 §2.1
    (0xC0000200, 24),  # 192.0.2.0/24, RFC 5737 §3
    (0xC0A80000, 16),  # 192.168.0.0/16, RFC 1918 §3
    (0xC6120000, 15),  # 198.18.0.0/15, RFC 2544 §C.2.2
    (0xC6336400, 24),  # 198.51.100.0/24, RFC 5737 §3
    (0xCB007100, 24),  # 203.0.113.0/24, RFC 5737 §3
    (0xE0000000, 3),  # 224.0.0.0/3: multicast, RFC 1112 §4, and reserved to 255.255.255.255
)
GLOBAL_IPV6 = (  # (first 64 bits, prefix length)
    (0x2000 << 48, 3),  # 2000::/3, global unicast: RFC 4291 §2.4
    (0x0064_FF9B << 32, 64),  # 64:ff9b::/96, an IPv4 address behind NAT64: RFC 6052 §2.1
)
SPECIAL_IPV6 = (
    (0x2001_0002 << 32, 48),  # 2001:2::/48, RFC 5180 §8
    (0x2001_0DB8 << 32, 32),  # 2001:db8::/32, RFC 3849 §2
    (0x3FFF << 48, 20),  # 3fff::/20, RFC 9637 §3
)


NAT64, NAT64_TEXT = bytes.fromhex("0064ff9b0000000000000000"), "64:ff9b::"  # RFC 6052 §2.1


class Packed(NamedTuple):
    """Addresses of one family: `octets` uint8[n, 4 or 16] in network order; `rows` int64[n]: where they stood."""

    octets: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int64]


def beyond_nat64(text: str) -> str:
    """The IPv4 address that an address of the well-known prefix 64:ff9b::/96 stands for (RFC 6052 §2.1), else `text`."""
    if not text.startswith(NAT64_TEXT):
        return text
    try:
        octets = socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return text
    return socket.inet_ntop(socket.AF_INET, octets[12:]) if octets[:12] == NAT64 else text


def without_nat64(addresses: pl.Series) -> pl.Series:
    """Addresses with those behind NAT64 in place of those that stand for them."""
    rows = np.flatnonzero(addresses.str.starts_with(NAT64_TEXT).fill_null(value=False).to_numpy())
    if not rows.size:
        return addresses
    return addresses.clone().scatter(rows, [beyond_nat64(text) for text in addresses.gather(rows)])


def pack(texts: Sequence[str] | pl.Series) -> tuple[Packed, Packed]:
    """IPv4 and IPv6 addresses among `texts`; what is no address is in neither."""
    given = texts if isinstance(texts, pl.Series) else pl.Series(texts, dtype=pl.String)
    of_ipv6 = given.str.contains(":", literal=True).fill_null(value=False).to_numpy()
    words, rows = _dotted(given)
    others = np.flatnonzero(of_ipv6)  # none of them is dotted: a colon is in each
    return (
        Packed(words.astype(">u4").view(np.uint8).reshape(-1, 4), rows),
        _packed(given.gather(others).to_list(), others, socket.AF_INET6, 16),
    )


def _dotted(given: pl.Series) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """IPv4 addresses as words, and where they stand: four numbers of at most 255 without leading zeros, as in inet_pton(3)."""
    good = given.str.contains(DOTTED).fill_null(value=False)
    rows = np.flatnonzero(good.to_numpy()).astype(np.int64)
    parts = given.gather(rows).str.split_exact(".", 3).struct.unnest()
    octets = [parts[column].cast(pl.UInt32).to_numpy() for column in parts.columns]
    return octets[0] << 24 | octets[1] << 16 | octets[2] << 8 | octets[3], rows


def _packed(texts: list[str], rows: npt.NDArray[np.int64], family: int, width: int) -> Packed:
    try:
        octets = b"".join([socket.inet_pton(family, text) for text in texts])
    except (OSError, ValueError):  # ValueError: a zero byte in the text
        good = np.array([_is_address(text, family) for text in texts], np.bool_)
        texts, rows = [text for text, each in zip(texts, good, strict=True) if each], rows[good]
        octets = b"".join([socket.inet_pton(family, text) for text in texts])
    return Packed(np.frombuffer(octets, np.uint8).reshape(-1, width), rows)


def _is_address(text: str, family: int) -> bool:
    try:
        socket.inet_pton(family, text)
    except (OSError, ValueError):
        return False
    return True


def placeable(packed: Packed) -> Packed:
    """Those of one family that are unicast and global."""
    if packed.octets.shape[1] == 4:
        words = packed.octets.view(">u4").reshape(-1).astype(np.uint32)
        good = ~_within(words, SPECIAL_IPV4, 32)
    else:
        halves = packed.octets.view(">u8").reshape(-1, 2).astype(np.uint64)
        mapped = (halves[:, 0] == 0) & (halves[:, 1] >> np.uint64(32) == 0xFFFF)  # RFC 4291 §2.5.5.2
        good = (_within(halves[:, 0], GLOBAL_IPV6, 64) | mapped) & ~_within(halves[:, 0], SPECIAL_IPV6, 64)
    return Packed(packed.octets[good], packed.rows[good])


def _within(
    words: npt.NDArray[np.uint32] | npt.NDArray[np.uint64], networks: Sequence[tuple[int, int]], bits: int
) -> npt.NDArray[np.bool_]:
    found = np.zeros(len(words), np.bool_)
    for network, length in networks:
        shift = words.dtype.type(bits - length)
        found |= words >> shift == network >> int(shift)
    return found
