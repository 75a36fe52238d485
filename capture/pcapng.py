"""pcapng: blocks; the kernel walks those that carry packets, Python reads the few that describe.

Theory: draft-ietf-opsawg-pcapng. A file is one or more sections, each with its own byte order and its own list of
interfaces; an interface has a link type, a snapshot length and a clock (`if_tsresol`, `if_tsoffset`).

Rules: blocks of unknown types are skipped. A simple packet has no time: it gets the time of the packet before it.
Times that 64-bit nanoseconds cannot hold are clipped to the years 1677 to 2262. Interfaces of different sections with
the same place, link type and name are one to the outside, so that a thousand concatenated files do not make a thousand.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..core.jit import inline, kernel
from ..core.packets import Interface
from ..core.status import NEED_MORE, OK
from ..core.wire import Bytes
from .layout import (
    BAD_BLOCK_LENGTH,
    BAD_CAPTURED,
    BAD_INTERFACE,
    BAD_PACKET_LENGTH,
    BAD_SECTION,
    BAD_TRAILER,
    DESCRIBES,
    TOO_MANY_INTERFACES,
    greatest_captured,
    u16,
    u32,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Packets = npt.NDArray[np.void]

SECTION_HEADER = 0x0A0D0D0A  # §4.1; the same in either byte order
INTERFACE_DESCRIPTION = 1  # §4.2
PACKET_BLOCK = 2  # appendix A, obsolete
SIMPLE_PACKET = 3  # §4.4
INTERFACE_STATISTICS = 5  # §4.6
ENHANCED_PACKET = 6  # §4.3
BYTE_ORDER_MAGIC = 0x1A2B3C4D  # §4.1
VERSIONS = frozenset({(1, 0), (1, 2)})  # §4.1: 1.2 was written by some and is the same

BLOCK_LENGTH = 4  # u32, §3.1; repeated in the last four bytes
BLOCK_BODY = 8
MIN_BLOCK = 12
MAX_BLOCK = 16 << 20  # bytes; a longer block means that the walk has left the blocks

PACKET_INTERFACE = 8  # u32, §4.3; in the obsolete block u16, then u16 packets dropped
PACKET_DROPS = 10
PACKET_TIME_HIGH = 12
PACKET_TIME_LOW = 16
PACKET_CAPTURED = 20
PACKET_ORIGINAL = 24
PACKET_DATA = 28
MIN_PACKET_BLOCK = 32
SIMPLE_ORIGINAL = 8  # §4.4
SIMPLE_DATA = 12
MIN_SIMPLE_BLOCK = 16
DROPS_UNKNOWN = 0xFFFF

OPTION_END = 0  # §3.5
OPTION_HEADER = 4
EPB_DROPCOUNT = 4  # §4.3
IF_NAME = 2  # §4.2
IF_TSRESOL = 9
IF_TSOFFSET = 14
ISB_IFDROP = 5  # §4.6
ISB_OSDROP = 7

MAX_INTERFACES = 65_536  # in a section
MAX_DROPS = 1 << 48  # a drop count above it is not believed

NS_PER_S = 1_000_000_000
MAX_SECONDS = 9_223_372_035  # what int64 nanoseconds hold
MIN_SECONDS = -9_223_372_036
MAX_TICKS = (1 << 63) - 1
MAX_DECIMAL = 18  # powers of the resolution that fit into int64
MAX_BINARY = 62

INTERFACE = np.dtype(
    [
        ("units", np.int64),  # ticks per second
        ("shift", np.int64),  # ns of a fraction = (ticks >> shift) * times // by
        ("times", np.int64),
        ("by", np.int64),
        ("offset_s", np.int64),  # if_tsoffset
        ("snaplen", np.int64),  # 0: no limit
        ("limit", np.int64),  # greatest captured length
        ("drops", np.int64),  # by packets' own counts; -1: none said anything
        ("interface", np.int32),
        ("linktype", np.int32),
    ]
)
SECTION = np.dtype([("big_endian", np.bool_), ("last_ns", np.int64)])


@inline
def _time_ns(buffer: Bytes, at: int, big_endian: bool, interface: Packets) -> int:
    """The time of a packet block: ticks in two words, high one first (§4.3), as ns since the epoch."""
    high = u32(buffer, at + PACKET_TIME_HIGH, big_endian)
    ticks = (high << 32) | u32(buffer, at + PACKET_TIME_LOW, big_endian) if high < 0x80000000 else MAX_TICKS
    units = interface["units"]
    seconds = ticks // units
    fraction = ((ticks - seconds * units) >> interface["shift"]) * interface["times"] // interface["by"]
    seconds = max(min(seconds, MAX_SECONDS) + interface["offset_s"], MIN_SECONDS)
    return min(seconds, MAX_SECONDS) * NS_PER_S + fraction


@inline
def _add_drops(interface: Packets, drops: int) -> None:
    if drops <= MAX_DROPS:
        interface["drops"] = min(max(interface["drops"], 0) + drops, MAX_DROPS)


@inline
def _read_dropcount(buffer: Bytes, at: int, end: int, big_endian: bool, interface: Packets) -> None:
    """Finds epb_dropcount among the options in buffer[at:end] (§4.3)."""
    while end - at >= OPTION_HEADER:
        code, length = u16(buffer, at, big_endian), u16(buffer, at + 2, big_endian)
        if code == OPTION_END or length > end - at - OPTION_HEADER:
            return
        if code == EPB_DROPCOUNT and length == 8:
            first, second = u32(buffer, at + 4, big_endian), u32(buffer, at + 8, big_endian)
            high, low = (first, second) if big_endian else (second, first)
            if high < 0x10000:
                _add_drops(interface, (high << 32) | low)
        at += OPTION_HEADER + ((length + 3) & ~3)


@inline
def _packet_block(
    buffer: Bytes, at: int, length: int, section: Packets, interfaces: Packets, packet: Packets
) -> int:
    """Fills `packet` from an enhanced or obsolete packet block of `length` padded bytes; returns a status."""
    if length < MIN_PACKET_BLOCK:
        return BAD_BLOCK_LENGTH
    big = section["big_endian"]
    enhanced = u32(buffer, at, big) == ENHANCED_PACKET
    number = u32(buffer, at + PACKET_INTERFACE, big) if enhanced else u16(buffer, at + PACKET_INTERFACE, big)
    if number >= len(interfaces):
        return BAD_INTERFACE
    interface = interfaces[number]
    captured = u32(buffer, at + PACKET_CAPTURED, big)
    if captured > length - MIN_PACKET_BLOCK:
        return BAD_PACKET_LENGTH
    if captured > interface["limit"]:
        return BAD_CAPTURED
    if enhanced:
        options = at + PACKET_DATA + ((captured + 3) & ~3)
        _read_dropcount(buffer, options, at + length - 4, big, interface)
    else:
        drops = u16(buffer, at + PACKET_DROPS, big)
        if drops != DROPS_UNKNOWN:
            _add_drops(interface, drops)
    section["last_ns"] = _time_ns(buffer, at, big, interface)
    packet["at"] = at + PACKET_DATA
    packet["captured"] = captured
    packet["wire"] = max(u32(buffer, at + PACKET_ORIGINAL, big), captured)
    packet["interface"] = interface["interface"]
    packet["linktype"] = interface["linktype"]
    packet["ts_ns"] = section["last_ns"]
    return OK


@inline
def _simple_packet(
    buffer: Bytes, at: int, length: int, section: Packets, interfaces: Packets, packet: Packets
) -> int:
    """Fills `packet` from a simple packet block, which belongs to interface 0 and is cut at its snaplen (§4.4)."""
    if length < MIN_SIMPLE_BLOCK:
        return BAD_BLOCK_LENGTH
    if len(interfaces) == 0:
        return BAD_INTERFACE
    interface = interfaces[0]
    wire = u32(buffer, at + SIMPLE_ORIGINAL, section["big_endian"])
    captured = min(wire, length - MIN_SIMPLE_BLOCK)
    if interface["snaplen"] > 0:
        captured = min(captured, interface["snaplen"])
    if captured > interface["limit"]:
        return BAD_CAPTURED
    packet["at"] = at + SIMPLE_DATA
    packet["captured"] = captured
    packet["wire"] = wire
    packet["interface"] = interface["interface"]
    packet["linktype"] = interface["linktype"]
    packet["ts_ns"] = section["last_ns"]
    return OK


@kernel
def index_pcapng(
    buffer: Bytes, at: int, end: int, sections: Packets, interfaces: Packets, packets: Packets
) -> tuple[int, int, int]:
    """Walks blocks in buffer[at:end] and fills `packets`.

    sections : SECTION[1]; interfaces : INTERFACE[n], those of the section; packets : PACKET[m].
    Returns (packets filled, where the next block starts, OK if `packets` is full, NEED_MORE, DESCRIBES, or a fault).
    """
    section = sections[0]
    big = section["big_endian"]
    count = 0
    while count < len(packets):
        if end - at < MIN_BLOCK:
            return count, at, NEED_MORE
        kind, length = u32(buffer, at, big), u32(buffer, at + BLOCK_LENGTH, big)
        if kind == SECTION_HEADER:
            return count, at, DESCRIBES
        padded = (length + 3) & ~3  # some writers forget the padding in the length: so does wiretap/pcapng.c take it
        if length < MIN_BLOCK or padded > MAX_BLOCK:
            return count, at, BAD_BLOCK_LENGTH
        if end - at < padded:
            return count, at, NEED_MORE
        if u32(buffer, at + padded - 4, big) != length:
            return count, at, BAD_TRAILER
        status = OK
        if kind in (ENHANCED_PACKET, PACKET_BLOCK):
            status = _packet_block(buffer, at, padded, section, interfaces, packets[count])
            count += status == OK
        elif kind == SIMPLE_PACKET:
            status = _simple_packet(buffer, at, padded, section, interfaces, packets[count])
            count += status == OK
        elif kind in (INTERFACE_DESCRIPTION, INTERFACE_STATISTICS):
            status = DESCRIBES
        if status != OK:
            return count, at, status
        at += padded
    return count, at, OK


class PcapngIndexer:
    """The blocks of one pcapng file; `index` is called with the buffer as it fills."""

    start = 0

    def __init__(self, source: str, register: Callable[[Interface], int]) -> None:
        """`register` takes each interface as it is found and returns its index to the outside."""
        self._source = source
        self._register = register
        self._known: dict[tuple[int, int, str | None], int] = {}
        self._section = np.zeros(1, SECTION)
        self._rows = np.zeros(16, INTERFACE)
        self._count = 0
        self._statistics: dict[int, int] = {}  # interface of the section: packets lost, by its last statistics block
        self._dropped_before: int | None = None

    def index(self, buffer: Bytes, at: int, end: int, packets: Packets) -> tuple[int, int, int]:
        """As `index_pcapng`, with descriptions taken in on the way."""
        count = 0
        while True:
            rows = self._rows[: self._count]
            got, at, status = index_pcapng(buffer, at, end, self._section, rows, packets[count:])
            count += got
            if status == DESCRIBES:
                at, status = self._describe(buffer, at, end)
                if status == OK:
                    continue
            return count, at, status

    @property
    def dropped(self) -> int | None:
        """Packets that the file says were lost: of each interface, the greater of its two ways to say so."""
        total = self._dropped_before
        for number in range(self._count):
            said = max(self._statistics.get(number, -1), int(self._rows[number]["drops"]))
            if said >= 0:
                total = (total or 0) + said
        return total

    def _describe(self, buffer: Bytes, at: int, end: int) -> tuple[int, int]:
        """Takes in the section header, interface description or statistics at `at`: (next block, status)."""
        kind = int(u32(buffer, at, bool(self._section[0]["big_endian"])))
        if kind == SECTION_HEADER:
            return self._begin_section(buffer, at, end)
        length = (int(u32(buffer, at + BLOCK_LENGTH, bool(self._section[0]["big_endian"]))) + 3) & ~3
        body = buffer[at + BLOCK_BODY : at + length - 4].tobytes()
        status = self._add_interface(body) if kind == INTERFACE_DESCRIPTION else self._add_statistics(body)
        return (at + length if status == OK else at), status

    def _begin_section(self, buffer: Bytes, at: int, end: int) -> tuple[int, int]:
        head = buffer[at : min(at + 16, end)].tobytes()
        order = section_order(head)
        if order is None:
            return at, BAD_SECTION
        if len(head) < 16:
            return at, NEED_MORE
        length, _, major, minor = struct.unpack(order + "IIHH", head[4:16])
        padded = (length + 3) & ~3
        if length < 28 or padded > MAX_BLOCK:
            return at, BAD_BLOCK_LENGTH
        if (major, minor) not in VERSIONS:
            return at, BAD_SECTION
        if end - at < padded:
            return at, NEED_MORE
        if struct.unpack(order + "I", buffer[at + padded - 4 : at + padded].tobytes())[0] != length:
            return at, BAD_TRAILER
        self._dropped_before = self.dropped
        self._section[0]["big_endian"] = order == ">"
        self._count = 0
        self._statistics = {}
        return at + padded, OK

    def _add_interface(self, body: bytes) -> int:
        order = self._order
        if len(body) < 8:
            return BAD_BLOCK_LENGTH
        if self._count >= MAX_INTERFACES:
            return TOO_MANY_INTERFACES
        if self._count == len(self._rows):
            self._rows = np.concatenate((self._rows, np.zeros(len(self._rows), INTERFACE)))
        linktype, _, snaplen = struct.unpack(order + "HHI", body[:8])
        options = dict(_options(body[8:], order))
        raw_name = options.get(IF_NAME)
        name = raw_name.rstrip(b"\0").decode("utf-8", "replace") if raw_name else None
        row = self._rows[self._count]
        row["snaplen"], row["limit"], row["linktype"] = snaplen, greatest_captured(linktype), linktype
        row["drops"] = -1
        resolution = options.get(IF_TSRESOL, b"\x06")[:1] or b"\x06"  # §4.2: microseconds unless said otherwise
        row["units"], row["shift"], row["times"], row["by"] = clock(resolution[0])
        offset = options.get(IF_TSOFFSET, b"")
        seconds = struct.unpack(order + "q", offset)[0] if len(offset) == 8 else 0
        row["offset_s"] = min(max(seconds, 2 * MIN_SECONDS), MAX_SECONDS)
        key = (self._count, linktype, name)
        if key not in self._known:
            self._known[key] = self._register(Interface(self._source, linktype, name))
        row["interface"] = self._known[key]
        self._count += 1
        return OK

    def _add_statistics(self, body: bytes) -> int:
        order = self._order
        if len(body) < 12:
            return BAD_BLOCK_LENGTH
        (number,) = struct.unpack(order + "I", body[:4])
        if number >= self._count:
            return BAD_INTERFACE
        options = dict(_options(body[12:], order))
        counts = [options[code] for code in (ISB_IFDROP, ISB_OSDROP) if len(options.get(code, b"")) == 8]
        drops = [count for (count,) in (struct.unpack(order + "Q", raw) for raw in counts) if count <= MAX_DROPS]
        if drops:
            self._statistics[number] = sum(drops)
        return OK

    @property
    def _order(self) -> str:
        return ">" if self._section[0]["big_endian"] else "<"


def section_order(head: bytes) -> str | None:
    """'<' or '>' where `head` begins a pcapng section, else None."""
    for order in "<>":
        if len(head) >= MIN_BLOCK and head[:4] == b"\n\r\r\n" and struct.unpack(order + "8xI", head[:12])[0] == (
            BYTE_ORDER_MAGIC
        ):
            return order
    return None


def clock(resolution: int) -> tuple[int, int, int, int]:
    """`if_tsresol` (§4.2: a power of 10, or with the top bit of 2) as (units, shift, times, by) of INTERFACE.

    Exact to 2**-42 s; finer ticks lose what is below (0.2 ps), and those that int64 cannot count are one second zero.
    """
    power = resolution & 0x7F
    if resolution & 0x80:
        if power > MAX_BINARY:
            return MAX_TICKS, 0, 0, 1
        if power <= 33:
            return 1 << power, 0, NS_PER_S, 1 << power
        shift = max(power - 42, 0)
        return 1 << power, shift, 5**9, 1 << (power - shift - 9)  # 10**9 / 2**n = 5**9 / 2**(n - 9)
    if power > MAX_DECIMAL:
        return MAX_TICKS, 0, 0, 1
    return 10**power, 0, 10 ** max(9 - power, 0), 10 ** max(power - 9, 0)


def _options(raw: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option (§3.5), up to the end mark or the first that does not fit."""
    at = 0
    while len(raw) - at >= OPTION_HEADER:
        code, length = struct.unpack(order + "HH", raw[at : at + OPTION_HEADER])
        if code == OPTION_END or length > len(raw) - at - OPTION_HEADER:
            return
        yield code, raw[at + OPTION_HEADER : at + OPTION_HEADER + length]
        at += OPTION_HEADER + ((length + 3) & ~3)
