"""Rows of packets into a classic pcap file, some thousand frames at a time.

Theory: the bytes of a frame are noise, then fixed headers of the sending end, then the fields that differ from packet to
packet, then the patches of its payload; each of the first three is one NumPy assignment for the whole block.

Rules: microsecond pcap, little-endian, Ethernet. IPv4 header checksums are right; TCP and UDP carry the pseudo-header
sum, as a capture on an offloading sender shows them.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

BLOCK = 8_192  # frames laid out at once: about 7 MB
HEAD = 74  # Ethernet 14, IPv6 40, TCP 20: the longest
ETHERNET, IPV4, IPV6, TCP, UDP = 14, 20, 40, 20, 8
NOISE = 1 << 20
PCAP_HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)

Matrix = npt.NDArray[np.uint8]
Column = npt.NDArray[np.int64]


class Ends:
    """Header templates of flows' two ends, numbered from 0; those of finished flows can be forgotten."""

    def __init__(self) -> None:
        """Empty."""
        self._base = 0
        self._heads: list[bytes] = []
        self._shapes: list[tuple[bool, bool, int]] = []

    def __len__(self) -> int:
        """How many there have been."""
        return self._base + len(self._heads)

    def add(self, macs: tuple[bytes, bytes], local: bytes, remote: bytes, port: int, service: int, *, tcp: bool) -> int:
        """Both ends of a new flow: the number of the local one; the remote one's is the next."""
        for source, target, here, there, a, b in (
            (macs[0], macs[1], local, remote, port, service),
            (macs[1], macs[0], remote, local, service, port),
        ):
            self._heads.append(_head(target + source, here, there, (a, b), tcp=tcp).ljust(HEAD, b"\0"))
            words = struct.unpack(f">{len(here)}H", here + there)  # pseudo-header: RFC 9293 §3.1, RFC 8200 §8.1
            self._shapes.append((len(here) == 16, tcp, sum(words) + (6 if tcp else 17)))
        return len(self) - 2

    def forget(self, before: int) -> None:
        """Drops the templates of ends numbered below `before`."""
        drop = before - self._base
        del self._heads[:drop], self._shapes[:drop]
        self._base = before

    def of(self, numbers: Column) -> tuple[Matrix, npt.NDArray[np.int64]]:
        """Templates uint8[n, 74] and (is IPv6, is TCP, pseudo-header sum) int64[n, 3] of ends by number."""
        distinct, index = np.unique(numbers, return_inverse=True)
        heads = b"".join(self._heads[number - self._base] for number in distinct)
        shapes = np.array([self._shapes[number - self._base] for number in distinct], np.int64)
        return np.frombuffer(heads, np.uint8).reshape(-1, HEAD)[index], shapes[index]


def _head(macs: bytes, source: bytes, target: bytes, ports: tuple[int, int], *, tcp: bool) -> bytes:
    """Ethernet, IP and the ports; what differs from packet to packet is zero."""
    protocol = 6 if tcp else 17
    if len(source) == 4:
        ip = struct.pack(">BBHHHBBH", 0x45, 0, 0, 0, 0x4000, 64, protocol, 0) + source + target  # RFC 791 §3.1
        kind = b"\x08\x00"
    else:
        ip = struct.pack(">IHBB", 6 << 28, 0, protocol, 64) + source + target  # RFC 8200 §3
        kind = b"\x86\xdd"
    return macs + kind + ip + struct.pack(">HH", *ports)


class Writer:
    """Appends rows to a capture file."""

    def __init__(self, out: BinaryIO, seed: int) -> None:
        """Writes the file's header."""
        self.packets = self.frame_bytes = 0
        self._out = out
        self._noise = np.random.default_rng(seed).integers(0, 256, NOISE, np.uint8)
        out.write(PCAP_HEADER)

    def write(self, ends: Ends, rows: npt.NDArray[np.int64], contents: npt.NDArray[np.object_]) -> None:
        """`rows`: int64[n, 6] as in `flows`, in time order; `contents`: object[n], patches or None."""
        for first in range(0, len(rows), BLOCK):
            self._block(ends, rows[first : first + BLOCK], contents[first : first + BLOCK])

    def _block(self, ends: Ends, rows: npt.NDArray[np.int64], contents: npt.NDArray[np.object_]) -> None:
        heads, shapes = ends.of(rows[:, 1])
        v6, tcp, pseudo = shapes.T
        network = np.where(v6, IPV6, IPV4)
        sizes = ETHERNET + network + np.where(tcp, TCP, UDP)
        frames = sizes + rows[:, 3]
        starts = np.cumsum(16 + frames) - frames
        total = int(starts[-1] + frames[-1])
        buffer = np.resize(self._noise, total)
        self._noise = np.roll(self._noise, 4_099)
        _fill_network(heads, v6, rows[:, 3] + sizes - ETHERNET, np.arange(self.packets, self.packets + len(rows)))
        _fill_transport(heads, rows, ETHERNET + network, tcp, pseudo)
        records = np.stack([rows[:, 0] // 10**9, rows[:, 0] % 10**9 // 1_000, frames, frames], axis=1).astype("<u4")
        buffer[(starts - 16)[:, None] + np.arange(16)] = records.view(np.uint8)
        for size in np.unique(sizes):
            at = np.flatnonzero(sizes == size)
            buffer[starts[at][:, None] + np.arange(size)] = heads[at, :size]
        view = buffer.data
        for at, patches in zip((starts + sizes).tolist(), contents.tolist(), strict=True):
            for offset, data in patches or ():
                view[at + offset : at + offset + len(data)] = data
        self._out.write(view)
        self.packets += len(rows)
        self.frame_bytes += int(frames.sum())


def _put(heads: Matrix, at: Column | int, values: Column, size: int) -> None:
    """Writes big-endian integers of `size` bytes at column `at` (one for all, or one per row)."""
    lines = np.arange(len(heads))
    for byte in range(size):
        heads[lines, at + byte] = values >> 8 * (size - 1 - byte) & 0xFF


def _fold(sums: Column) -> Column:
    """One's complement sum in 16 bits: RFC 1071 §1."""
    for _ in range(3):
        sums = (sums & 0xFFFF) + (sums >> 16)
    return sums


def _fill_network(heads: Matrix, v6: Column, sizes: Column, numbers: Column) -> None:
    """IPv4 total length, identification and checksum; IPv6 payload length. `sizes`: bytes of the IP packet."""
    at = np.flatnonzero(v6 == 0)
    part = heads[at]
    _put(part, ETHERNET + 2, sizes[at], 2)
    _put(part, ETHERNET + 4, numbers[at] & 0xFFFF, 2)
    words = part[:, ETHERNET : ETHERNET + IPV4].astype(np.int64)
    _put(part, ETHERNET + 10, 0xFFFF - _fold((words[:, ::2] * 256 + words[:, 1::2]).sum(axis=1)), 2)
    heads[at] = part
    at = np.flatnonzero(v6)
    part = heads[at]
    _put(part, ETHERNET + 4, sizes[at] - IPV6, 2)
    heads[at] = part


def _fill_transport(heads: Matrix, rows: npt.NDArray[np.int64], at: Column, tcp: Column, pseudo: Column) -> None:
    """TCP sequence, acknowledgement, offset, flags, window; UDP length; checksums. `at`: where the header starts."""
    lines = np.flatnonzero(tcp)
    part, start = heads[lines], at[lines]
    _put(part, start + 4, rows[lines, 4] & 0xFFFFFFFF, 4)
    _put(part, start + 8, rows[lines, 5] & 0xFFFFFFFF, 4)
    _put(part, start + 12, rows[lines, 2], 2)
    _put(part, start + 14, np.full(len(lines), 0x0400), 2)
    _put(part, start + 16, _fold(pseudo[lines] + TCP + rows[lines, 3]), 2)
    heads[lines] = part
    lines = np.flatnonzero(tcp == 0)
    part, start = heads[lines], at[lines]
    _put(part, start + 4, UDP + rows[lines, 3], 2)
    _put(part, start + 6, _fold(pseudo[lines] + UDP + rows[lines, 3]), 2)
    heads[lines] = part
