"""Classic pcap: one header of 24 bytes, then records.

Theory: draft-ietf-opsawg-pcap. The magic number tells byte order, unit of the fractions of a second and, for the
variant that Alexey Kuznetzov's patched libpcap wrote, eight more bytes in each record header.

Rules: a captured length above the file's snapshot length is taken as it stands (files that were merged or written by
careless tools have it), one above what any capture can hold ends the walk. An original length below the captured one
cannot be true and is raised to it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..core.jit import kernel
from ..core.packets import Interface
from ..core.status import NEED_MORE, OK
from ..core.wire import Bytes
from .layout import BAD_CAPTURED, greatest_captured, u32

if TYPE_CHECKING:
    from collections.abc import Callable

Packets = npt.NDArray[np.void]

FILE_HEADER = 24  # draft-ietf-opsawg-pcap §4
VERSION_MAJOR = 4
VERSION_MINOR = 6
LINKTYPE = 20

MICROSECONDS = 0xA1B2C3D4  # §4
NANOSECONDS = 0xA1B23C4D  # §4
MODIFIED = 0xA1B2CD34  # Kuznetzov's libpcap: wiretap/libpcap.h
TICK_NS = {MICROSECONDS: 1000, NANOSECONDS: 1, MODIFIED: 1000}

SECONDS = 0  # u32, §5
FRACTION = 4  # u32, micro- or nanoseconds
CAPTURED = 8  # u32
ORIGINAL = 12  # u32
RECORD_HEADER = 16
MODIFIED_RECORD_HEADER = 24  # interface index, protocol and packet type follow

LINKTYPE_MASK = 0x03FFFFFF  # §4: above it lie the length of the frame check sequence and whether it is known
NS_PER_S = 1_000_000_000

AS_WRITTEN = 0
SWAPPED = 1  # version 2.0 to 2.2 and DG/UX wrote the original length first: pcap(3) sf-pcap.c
MAYBE_SWAPPED = 2  # version 2.3: some did

FORM = np.dtype(
    [
        ("big_endian", np.bool_),
        ("record_header", np.int64),
        ("tick_ns", np.int64),
        ("lengths", np.int64),  # AS_WRITTEN, SWAPPED, MAYBE_SWAPPED
        ("limit", np.int64),  # greatest captured length
        ("interface", np.int32),
        ("linktype", np.int32),
    ]
)


@kernel
def index_pcap(buffer: Bytes, at: int, end: int, form: Packets, packets: Packets) -> tuple[int, int, int]:
    """Walks records in buffer[at:end] and fills `packets`.

    form : FORM[1]; packets : PACKET[m].
    Returns (packets filled, where the next record starts, OK if `packets` is full, else NEED_MORE or BAD_CAPTURED).
    """
    big, header, tick_ns = form[0]["big_endian"], form[0]["record_header"], form[0]["tick_ns"]
    lengths, limit = form[0]["lengths"], form[0]["limit"]
    interface, linktype = form[0]["interface"], form[0]["linktype"]
    count = 0
    while count < len(packets):
        if end - at < header:
            return count, at, NEED_MORE
        captured, wire = u32(buffer, at + CAPTURED, big), u32(buffer, at + ORIGINAL, big)
        if lengths == SWAPPED or (lengths == MAYBE_SWAPPED and captured > wire):
            captured, wire = wire, captured
        if captured > limit:
            return count, at, BAD_CAPTURED
        if end - at - header < captured:
            return count, at, NEED_MORE
        packet = packets[count]
        packet["at"] = at + header
        packet["ts_ns"] = u32(buffer, at + SECONDS, big) * NS_PER_S + u32(buffer, at + FRACTION, big) * tick_ns
        packet["captured"] = captured
        packet["wire"] = max(wire, captured)
        packet["interface"] = interface
        packet["linktype"] = linktype
        at += header + captured
        count += 1
    return count, at, OK


def byte_order(head: bytes) -> str | None:
    """'<' or '>' where `head` begins with a magic number of pcap, else None."""
    for order in "<>":
        if len(head) >= 4 and struct.unpack(order + "I", head[:4])[0] in TICK_NS:
            return order
    return None


class PcapIndexer:
    """The records of one pcap file; `index` is called with the buffer as it fills."""

    def __init__(self, head: bytes, source: str, register: Callable[[Interface], int]) -> None:
        """`head`: the first FILE_HEADER bytes, with one of the magic numbers."""
        order = byte_order(head)
        if order is None or len(head) < FILE_HEADER:
            message = "not a whole pcap header"
            raise ValueError(message)
        magic, major, minor, _, _, _, linktype = struct.unpack(order + "IHHiIII", head[:FILE_HEADER])
        linktype &= LINKTYPE_MASK
        self._form = np.zeros(1, FORM)
        form = self._form[0]
        form["big_endian"] = order == ">"
        form["record_header"] = MODIFIED_RECORD_HEADER if magic == MODIFIED else RECORD_HEADER
        form["tick_ns"] = TICK_NS[magic]
        form["lengths"] = _lengths(major, minor)
        form["limit"] = greatest_captured(linktype)
        form["linktype"] = linktype
        form["interface"] = register(Interface(source, linktype))
        self.start = FILE_HEADER
        self.dropped: int | None = None  # pcap has no place to say it

    def index(self, buffer: Bytes, at: int, end: int, packets: Packets) -> tuple[int, int, int]:
        """As `index_pcap`."""
        return index_pcap(buffer, at, end, self._form, packets)


def _lengths(major: int, minor: int) -> int:
    if (major == 2 and minor < 3) or (major, minor) == (543, 0):
        return SWAPPED
    return MAYBE_SWAPPED if (major, minor) == (2, 3) else AS_WRITTEN
