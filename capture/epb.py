"""Packets of a batch as pcapng blocks, one after another: what a recording is made of.

Theory: draft-ietf-opsawg-pcapng §4.3, the Enhanced Packet Block, little-endian, times in ns (if_tsresol 9). A recording
must not cost more than the copy of the bytes, so the blocks of a whole batch are laid out by one kernel.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.jit import inline, kernel
from ..core.wire import Bytes

Packets = npt.NDArray[np.void]
ENHANCED_PACKET = 6  # block type: draft-ietf-opsawg-pcapng §11.1
OVERHEAD = 32  # bytes of a block besides the packet, which is padded to 4
HEADER = 28


@inline
def _put(out: Bytes, at: int, value: int) -> None:
    """A u32, little-endian."""
    for n in range(4):
        out[at + n] = (value >> (8 * n)) & 0xFF


@kernel
def write_blocks(octets: Bytes, packets: Packets, out: Bytes, at: int) -> int:
    """Writes a block per packet into `out` from `at`; returns where the last one ends.

    octets, packets : a batch, PACKET[n]; out : has room for captured + OVERHEAD + 3 bytes per packet.
    """
    for n in range(packets.size):
        p = packets[n]
        captured, time = np.int64(p["captured"]), np.int64(p["ts_ns"])
        total = int(OVERHEAD + (captured + 3) // 4 * 4)
        _put(out, at, ENHANCED_PACKET)
        _put(out, at + 4, total)
        _put(out, at + 8, np.int64(p["interface"]))
        _put(out, at + 12, time >> 32)
        _put(out, at + 16, time & 0xFFFFFFFF)
        _put(out, at + 20, captured)
        _put(out, at + 24, np.int64(p["wire"]))
        source = np.int64(p["at"])
        for i in range(captured):
            out[at + HEADER + i] = octets[source + i]
        for i in range(captured, total - OVERHEAD):
            out[at + HEADER + i] = 0
        _put(out, at + total - 4, total)
        at += total
    return at
