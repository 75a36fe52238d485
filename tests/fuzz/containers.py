"""Frames into capture files of every kind that is read: written here from the specifications, not by the reader.

Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng. A `Frame` may lie about its lengths; that is the point.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import struct
from typing import TYPE_CHECKING, NamedTuple

import zstandard

if TYPE_CHECKING:
    from random import Random

SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, NAMES, STATISTICS, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 4, 5, 6
SECRETS, CUSTOM, CUSTOM_NO_COPY = 10, 0xBAD, 0x40000BAD
MAGICS = {1_000: 0xA1B2C3D4, 1: 0xA1B23C4D}  # ns per unit of the fraction
SKIPPED = {  # a name record that ends the list; two bytes of TLS secrets
    order: {NAMES: bytes(4), SECRETS: struct.pack(f"{order}II", 0x544C534B, 2) + b"x\n"} for order in "<>"
}


class Frame(NamedTuple):
    """`wire`: what the file claims was on the wire; `ts`: ns since 1970."""

    linktype: int
    ts: int
    data: bytes
    wire: int


def pcap(frames: list[Frame], order: str, unit: int, *, modified: bool = False) -> bytes:
    """Classic pcap of the first frame's link type; `order` is `<` or `>`, `unit` 1 or 1,000 ns.

    `modified`: the variant of Alexey Kuznetzov's libpcap, with eight more bytes per record.
    """
    linktype = frames[0].linktype if frames else 1
    magic, more = (0xA1B2CD34, bytes(8)) if modified else (MAGICS[unit], b"")
    out = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65_535, linktype)
    for frame in frames:
        seconds, rest = divmod(frame.ts, 10**9)
        head = (seconds & 0xFFFFFFFF, rest // unit, len(frame.data), frame.wire & 0xFFFFFFFF)
        out += struct.pack(f"{order}IIII", *head) + more + frame.data
    return out


def pcapng(frames: list[Frame], order: str, rng: Random) -> bytes:
    """Sections, interfaces with clocks of their own, every kind of packet block, and blocks to be skipped."""
    out, interfaces, known = b"", {}, 0
    for frame in frames:
        if not out or rng.random() < 0.02:
            out += _block(order, SECTION, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
            interfaces, known = {}, 0
        if frame.linktype not in interfaces or rng.random() < 0.02:
            resolution = rng.choice((3, 6, 9, 9, 12, 0x80 | 20, 0x80 | 30))
            options = _option(order, 9, bytes((resolution,))) + _option(order, 2, b"eth0") + _option(order, 0, b"")
            out += _block(order, INTERFACE, struct.pack(f"{order}HHI", frame.linktype, 0, 0) + options)
            interfaces[frame.linktype] = (known, resolution)
            known += 1
        if rng.random() < 0.05:
            kind = rng.choice((NAMES, SECRETS, CUSTOM, CUSTOM_NO_COPY, 0x77))
            out += _block(order, kind, SKIPPED[order].get(kind) or rng.randbytes(rng.randrange(4, 40)))
        out += _packet(order, rng, frame, *interfaces[frame.linktype])
    return out + _block(order, STATISTICS, struct.pack(f"{order}III", 0, 0, 0) + _option(order, 5, bytes(8)))


def _packet(order: str, rng: Random, frame: Frame, interface: int, resolution: int) -> bytes:
    ticks = frame.ts * (1 << (resolution & 0x7F)) // 10**9 if resolution & 0x80 else frame.ts * 10**resolution // 10**9
    stamp = (ticks >> 32 & 0xFFFFFFFF, ticks & 0xFFFFFFFF)
    sizes = (len(frame.data), frame.wire & 0xFFFFFFFF)
    kind = rng.random()
    if kind < 0.1 and interface == 0:
        return _block(order, SIMPLE_PACKET, struct.pack(f"{order}I", sizes[1]) + frame.data)
    if kind < 0.2:
        return _block(order, OLD_PACKET, struct.pack(f"{order}HHIIII", interface, 3, *stamp, *sizes) + frame.data)
    comment = _option(order, 1, b"a comment") + _option(order, 0, b"") if kind < 0.3 else b""
    body = struct.pack(f"{order}IIIII", interface, *stamp, *sizes) + frame.data + bytes(-len(frame.data) % 4)
    return _block(order, ENHANCED_PACKET, body + comment)


def _block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def _option(order: str, code: int, value: bytes) -> bytes:
    return struct.pack(f"{order}HH", code, len(value)) + value + bytes(-len(value) % 4)


def compress(data: bytes, rng: Random) -> bytes:
    """In one of the ways that are read, or (bz2) are not."""
    tool = rng.choice((gzip.compress, lzma.compress, zstandard.compress, zstandard.compress, bz2.compress))
    cut = rng.randrange(len(data) + 1) if rng.random() < 0.2 else 0  # two members, one after another
    if tool is lzma.compress:
        return lzma.compress(data[:cut], preset=0) + lzma.compress(data[cut:], preset=0)
    return (tool(data[:cut]) if cut else b"") + tool(data[cut:])
