"""Many addresses through the search tree of one MMDB file at once.

Theory: a reader descends bit by bit and decodes what it finds, for each address anew. A capture holds many addresses
and few answers, so here all addresses descend together, a bit per step, and come out with the leaf that they reach;
each distinct leaf is then decoded once, by an ordinary reader. Where there are many, the first 16 steps are taken once
for all that could be: a table says where each beginning of an address leads.

Sections refer to the MaxMind DB File Format Specification 2.0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

TOGETHER = 1 << 16  # addresses that descend together: what they touch on a level stays in the processor's cache
TABLE_BITS = 16
WORTH_A_TABLE = 1 << 14  # addresses
SPREAD = 8  # numbers per leaf, on average, up to which counting them out takes less time than sorting
IPV4_DEPTH = 96  # "IPv4 addresses in an IPv6 tree": they stand in ::/96


class Tree:
    """The tree of the file at `path`; the numbers are its metadata's. ValueError if the file cannot hold it."""

    def __init__(self, path: Path, node_count: int, record_size: int, ip_version: int) -> None:
        if record_size not in {24, 28, 32}:
            raise ValueError(f"records of {record_size} bits")
        self.node_count, self.record_size, self.ip_version = node_count, record_size, ip_version
        octets = np.memmap(path, np.uint8, "r")
        if node_count * record_size // 4 > len(octets):
            raise ValueError("the tree is cut short")
        # every place of the file read as a word: records of three bytes and of three and a half are not aligned
        self._words: npt.NDArray[np.uint32] = np.ndarray(len(octets) - 3, ">u4", octets, strides=(1,))
        self._tables: dict[int, npt.NDArray[np.int64]] = {}
        self._ipv4_root = 0
        if ip_version == 6:
            root = np.zeros(1, np.int64)
            for _ in range(IPV4_DEPTH):
                if root[0] < node_count:
                    root = self._child(root, np.zeros(1, np.int64))
            self._ipv4_root = int(root[0])

    def leaves(self, octets: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """What addresses (uint8[n, 4 or 16]) reach, as int64[n]: numbers of leaves, -1 where there is nothing."""
        found = np.full(len(octets), -1, np.int64)
        ipv4 = octets.shape[1] == 4
        if self.ip_version == 4 and not ipv4:
            return found
        root = self._ipv4_root if ipv4 else 0
        words = octets.view(">u4" if ipv4 else ">u8")[:, 0]
        order = np.argsort(words.astype(np.uint64))  # neighbours descend through the same nodes
        table = self._table(root) if len(octets) >= WORTH_A_TABLE else None
        for start in range(0, len(octets), TOGETHER):
            part = order[start : start + TOGETHER]
            first = np.full(len(part), root) if table is None else table[words[part] >> (words.itemsize * 8 - TABLE_BITS)]
            found[part] = self._descend(octets[part], first, 0 if table is None else TABLE_BITS)
        return np.where(found > self.node_count, found, -1)  # node_count itself says "not found"

    def _table(self, root: int) -> npt.NDArray[np.int64]:
        """Where the first `TABLE_BITS` bits lead from a root: int64[2^TABLE_BITS]."""
        if root not in self._tables:
            nodes = np.full(1, root)
            for _ in range(TABLE_BITS):
                nodes = np.repeat(nodes, 2)
                on_way = np.flatnonzero(nodes < self.node_count)
                nodes[on_way] = self._child(nodes[on_way], on_way & 1)
            self._tables[root] = nodes
        return self._tables[root]

    def _descend(
        self, octets: npt.NDArray[np.uint8], found: npt.NDArray[np.int64], start: int
    ) -> npt.NDArray[np.int64]:
        """Leaves, from nodes that the first `start` bits have led to."""
        on_way = np.flatnonzero(found < self.node_count)
        nodes = found[on_way]
        for bit in range(start, octets.shape[1] * 8):
            if not on_way.size:
                break
            sides = (octets[on_way, bit >> 3] >> np.uint8(7 - (bit & 7))) & 1
            nodes = self._child(nodes, sides.astype(np.int64))
            arrived = nodes >= self.node_count
            if arrived.any():
                found[on_way[arrived]] = nodes[arrived]
                on_way, nodes = on_way[~arrived], nodes[~arrived]
        found[on_way] = -1  # a tree deeper than its addresses: damaged
        return found

    def _child(self, nodes: npt.NDArray[np.int64], sides: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The left (0) or right (1) record of each node: "Node Layout"."""
        size = self.record_size // 4  # bytes of a node
        words: npt.NDArray[np.int64] = self._words[nodes * size + sides * (size // 2)].astype(np.int64)
        if self.record_size == 24:
            return words >> 8
        if self.record_size == 32:
            return words
        # 28 bits: the byte in the middle holds the top four bits of both, the left record's in its upper half
        return np.where(sides == 0, (words >> 8) | (words & 0xF0) << 20, words & 0x0FFF_FFFF)


def distinct(leaves: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Each leaf once, sorted; where it stands first; and for each of `leaves` its place among these: as numpy.unique."""
    count = len(leaves)
    low, high = (int(leaves.min()), int(leaves.max())) if count else (0, 0)
    if count < WORTH_A_TABLE or high - low > SPREAD * count:
        found, first, which = np.unique(leaves, return_index=True, return_inverse=True)
        return found, first, which
    offsets = leaves - low
    table = np.full(high - low + 1, -1)
    table[offsets[::-1]] = np.arange(count - 1, -1, -1)  # of equal ones the last to be written stands first
    held = np.flatnonzero(table >= 0)
    first = table[held]
    table[held] = np.arange(len(held))
    return held + low, first, table[offsets]
