"""Bytes of a fuzzer as packets, and what must hold of them.

Theory: a fuzzer changes bytes, and knows nothing of checksums of lengths between layers. So an input is a list of chunks,
each a flag octet and two octets of length in front of its content; frames, segments and datagrams are built around it, and
what is left for the fuzzer to find is what a parser does with the content, its order and its cuts.

Rules: a chunk that is shorter than it says is what there is of it. MAX_CHUNKS of an input are read.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
from crafting import packets as made
from fuzz import seeds
from wiretally.core.packets import PacketBatch
from wiretally.dissect.dissector import DissectOptions, Dissector

MAX_CHUNKS = 48
LINKS = sorted(seeds.LINKS)
WANTED = DissectOptions(first_packets=4, tables=frozenset({"flows", "exchanges", "tls", "dns", "http", "announced"}))
TABLES_OF = 16  # one input in so many is also made into tables, which takes ten times as long as to read it
STEPS = (made.MS, 0, 2 * made.SECOND, -made.MS)  # by two bits of the flags
DOWN, CUT, LATER, AGAIN = 0x01, 0x08, 0x10, 0x20  # other bits: the other way, captured short, a hole before it, an overlap


class Chunk(NamedTuple):
    """A flag octet, and content."""

    flags: int
    content: bytes


def chunks(data: bytes) -> list[Chunk]:
    """The chunks of an input."""
    found, at = [], 0
    while at + 3 <= len(data) and len(found) < MAX_CHUNKS:
        size = int.from_bytes(data[at + 1 : at + 3], "big")
        found.append(Chunk(data[at], data[at + 3 : at + 3 + size]))
        at += 3 + size
    return found


def joined(parts: list[tuple[int, bytes]]) -> bytes:
    """An input with these chunks."""
    return b"".join(bytes([flags]) + len(content).to_bytes(2, "big") + content for flags, content in parts)


def frames(data: bytes) -> None:
    """Each chunk is a frame, whose link type its flags choose."""
    items, links = [], []
    for flags, content in chunks(data):
        items.append((_next(items, flags >> 4), content, len(content) + (999 if flags & 0x40 else 0)))
        links.append(LINKS[(flags & 15) % len(LINKS)])
    _dissect(data, items, links)


def conversation(data: bytes, port: int) -> None:
    """A TCP connection; each chunk a segment, behind the one before or not quite."""
    c = made.Connection(remote_port=port).open()
    for flags, content in chunks(data):
        up = not flags & DOWN
        c.next[up] += 7 if flags & LATER else 0
        c.next[up] -= min(5, len(content)) if flags & AGAIN else 0
        c.send(content, up=up, after=max(STEPS[flags >> 1 & 3], 0))
        if flags & CUT:
            now, frame = c.items[-1]
            c.items[-1] = (now, frame[:-9], len(frame))
    c.close()
    _dissect(data, c.items, 1)


def datagrams(data: bytes, port: int) -> None:
    """A UDP flow; each chunk a datagram."""
    items = []
    for flags, content in chunks(data):
        frame = made.udp(content, up=not flags & DOWN, remote_port=port)
        items.append((_next(items, flags >> 1), frame[:-9] if flags & CUT else frame, len(frame)))
    _dissect(data, items, 1)


def _next(items: list, bits: int) -> int:
    return (items[-1][0] if items else made.START) + STEPS[bits & 3]


def _dissect(data: bytes, items: list, links: list[int] | int) -> None:
    """Every packet is accounted for; tables can be made, and their sums close."""
    batch = made.batch(items)
    batch.packets["linktype"] = links
    dissector = Dissector(WANTED)
    half = len(items) // 2
    for low, high in ((0, half), (half, len(items))):
        dissector.feed(PacketBatch(batch.buffer, batch.packets[low:high]))
    if zlib.crc32(data) % TABLES_OF == 0:
        answer = made.Answer(dissector.tick(end=True), made.named_counters(dissector), dissector.given_up)
        made.assert_sums_close(answer, len(items))
        for table in answer.tables.values():
            table.write_ndjson()
    else:
        dissector.take(end=True)
        counters = made.named_counters(dissector)
        assert len(items) == counters["counted"] + counters["malformed"] + counters["unsupported"]
    assert all(np.array(list(dissector.given_up.values())) >= 0)
