"""Captures as one stream of batches in time order.

Theory: each file is read in stretches into a buffer of its own, which is used again and again; an index kernel finds
the packets in it. While they are worked on, a thread reads on into a second buffer, behind the unfinished tail, looks
for the packets there, and the two change places (files only: a pipe might have nothing to read for long). Several files are merged: the one whose next packet is
earliest gives out its packets up to the next packet of any other. A file that does not overlap with others thus passes
whole, without a copy, and is opened only when its time comes.

Rules: a batch is valid until the next is asked for. Inside a file its own order is kept, also where its clock runs
backwards. A file that ends in mid-packet, or is damaged from some place on, gives what came before, with a warning.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from ..core.errors import CaptureError, TruncatedCaptureError
from ..core.packets import PACKET, Interface, PacketBatch
from ..core.status import NEED_MORE, OK
from .layout import FAULTS
from .pcap import FILE_HEADER, PcapIndexer, byte_order
from .pcapng import PcapngIndexer, section_order
from .report import SourceReport, shown
from .source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

BUFFER_BYTES = 2 << 20
PEEK_BYTES = 1 << 16  # of a file that waits for its turn: enough for its first packet
MAX_BUFFER = 64 << 20  # a block longer than this is damage
BATCH_PACKETS = 1 << 14

Packets = npt.NDArray[np.void]
Index = tuple[int, int, int]  # packets found, where the next record begins, status


class CaptureFile:
    """One file: its packets batch by batch, and what it says of itself."""

    def __init__(self, stream: CaptureStream, path: str, buffer_bytes: int) -> None:
        """Opens the file and recognises its format."""
        self._stream = stream
        self.report = SourceReport(path)
        self._source = Source(path)
        self.report.size_bytes = self._source.size_bytes
        self._buffer = np.empty(buffer_bytes, np.uint8)
        self._reader: ThreadPoolExecutor | None = None
        self._ahead: Future[tuple[int, Index | None]] | None = None  # bytes behind the tail in `_next`, packets in it
        self._next = np.empty(0, np.uint8)
        self._next_packets = np.zeros(0, PACKET)
        self._found: Index | None = None  # what the thread found in the buffer, until it is given out
        if (self.report.size_bytes or 0) > buffer_bytes >= BUFFER_BYTES:
            self._reader = ThreadPoolExecutor(1, "read-ahead")
            self._next = np.empty(buffer_bytes, np.uint8)
            self._next_packets = np.zeros(BATCH_PACKETS, PACKET)
        self._at = self._end = 0
        self._offset = 0  # of the buffer's first byte in the decompressed file
        self._exhausted = False
        self._packets = np.zeros(BATCH_PACKETS, PACKET)
        self._indexer = self._recognise()
        if self._indexer is not None:
            self._fill()
            self._at = self._indexer.start

    def _recognise(self) -> PcapIndexer | PcapngIndexer | None:
        """By the magic number; None for a file whose header is not whole."""
        head = self._source.look(FILE_HEADER)
        path = shown(self.report.path)
        if not head:
            raise CaptureError(f"{path}: is empty; nothing was captured, or the copy failed"
                               if self._source.damaged is None else
                               f"{path}: compressed data are damaged at the start: {self._source.damaged}")  # fmt: skip
        if byte_order(head):
            if len(head) < FILE_HEADER:
                self._cut(f"{path}: ends inside the file header, at byte {len(head)}; no packet was read")
                return None
            return PcapIndexer(head, self.report.path, self._register)
        if section_order(head[:16]) or head[:4] == b"\x0a\x0d\x0d\x0a":
            return PcapngIndexer(self.report.path, self._register)
        raise CaptureError(f"{path}: not a capture at byte 0: begins with {head[:4].hex()}; expected pcap or pcapng")

    def _register(self, interface: Interface) -> int:
        """An interface of this file, numbered over all files."""
        number = len(self._stream.interfaces)
        self._stream.interfaces.append(interface)
        self.report.interfaces.append(number)
        if interface.linktype not in self.report.linktypes:
            self.report.linktypes.append(interface.linktype)
        return number

    def batch(self) -> PacketBatch | None:
        """The next packets, or None at the end."""
        if self._indexer is None:
            return None
        while True:
            found, self._found = self._found, None
            count, self._at, status = found or self._indexer.index(self._buffer, self._at, self._end, self._packets)
            self.report.dropped = self._indexer.dropped
            self.report.bytes_read = self._source.bytes_read
            if status not in {OK, NEED_MORE}:
                place = self._offset + self._at
                self._cut(f"{shown(self.report.path)}: {FAULTS[status]}, at byte {place}; read up to there")
                self._indexer = None
            if status == NEED_MORE and self._at:
                self._read_ahead()
            if count:
                return PacketBatch(self._buffer, self._packets[:count])
            if self._indexer is None:
                return None
            if not self._fill():
                self._finish()
                return None

    def _read_ahead(self) -> None:
        """Begins to fill the other buffer: the unfinished tail, and what follows it."""
        if self._reader is None or self._exhausted or self._ahead is not None or len(self._next) != len(self._buffer):
            return
        rest = self._end - self._at
        self._next[:rest] = self._buffer[self._at : self._end]
        self._ahead = self._reader.submit(self._read_behind, rest)

    def _read_behind(self, rest: int) -> tuple[int, Index | None]:
        """In the thread: (bytes read behind the tail, the packets there; pcapng registers interfaces, so not its)."""
        got = self._source.readinto(self._next.data[rest:])
        if not isinstance(self._indexer, PcapIndexer) or not got:
            return got, None
        return got, self._indexer.index(self._next, 0, rest + got, self._next_packets)

    def _fill(self) -> bool:
        """Goes on behind the unfinished tail; False where nothing more comes."""
        if self._exhausted:
            return False
        rest = self._end - self._at
        if self._ahead is not None:
            (got, self._found), self._ahead = self._ahead.result(), None
            self._buffer, self._next = self._next, self._buffer
            self._packets, self._next_packets = self._next_packets, self._packets
            self._offset += self._at
            self._at, self._end = 0, rest + got
            self._exhausted = self._end < len(self._buffer)
            return got > 0
        if self._at:
            self._buffer[:rest] = self._buffer[self._at : self._end].copy() if rest > self._at else (
                self._buffer[self._at : self._end]
            )
            self._offset += self._at
            self._at, self._end = 0, rest
        elif rest == len(self._buffer):
            if rest >= MAX_BUFFER:
                return False
            self._buffer = np.concatenate((self._buffer, np.empty(rest, np.uint8)))
        got = self._source.readinto(self._buffer.data[self._end :])
        self._end += got
        self._exhausted = self._end < len(self._buffer)
        return got > 0

    def _finish(self) -> None:
        """The end: whole, or in the middle of something."""
        rest = self._end - self._at
        path = shown(self.report.path)
        if self._source.damaged is not None:
            self._cut(f"{path}: compressed data are damaged at byte {self._source.bytes_read}: {self._source.damaged}")
        elif rest:
            self._cut(f"{path}: cut short in the middle of a packet, at byte {self._offset + self._at}; read up to there")
        self._indexer = None

    def _cut(self, warning: str) -> None:
        """The file ends before its end."""
        self.report.cut_short = True
        self.report.warnings.append(warning)
        self._stream.warnings.append(warning)
        if self._stream.strict:
            raise TruncatedCaptureError(warning)

    def close(self) -> None:
        """Gives the file and its buffers back."""
        if self._reader is not None:
            self._reader.shutdown()
        self._source.close()
        self._buffer = np.empty(0, np.uint8)
        self._indexer = None


class CaptureStream:
    """Iterates over PacketBatch; see `open_captures`."""

    def __init__(self, paths: Sequence[str], *, strict: bool) -> None:
        """Looks at every file; raises CaptureError for one that is no capture."""
        self.strict = strict
        self.interfaces: list[Interface] = []
        self.warnings: list[str] = []
        self._open: list[CaptureFile] = []
        self.sources: list[SourceReport] = []
        self._waiting: list[tuple[int, int, str]] = []  # first time, place in `sources`, path
        try:
            self._begin(paths)
        except BaseException:
            self.close()
            raise

    def _begin(self, paths: Sequence[str]) -> None:
        """One file is opened; of several those that can be looked at twice wait for their time."""
        for place, path in enumerate(paths):
            if len(paths) == 1 or path == "-" or "://" in path:
                file = CaptureFile(self, path, BUFFER_BYTES)
                self._open.append(file)
                self.sources.append(file.report)
            else:
                self.sources.append(SourceReport(path))
                self._waiting.append((first_time(path), place, path))
        self._waiting.sort(reverse=True)

    def __enter__(self) -> Self:
        """The stream itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Closes every file."""
        self.close()

    def close(self) -> None:
        """Closes every file."""
        for file in self._open:
            file.close()
        self._open = []

    def __iter__(self) -> Iterator[PacketBatch]:
        """Batches in time order; each is valid until the next."""
        heads: dict[CaptureFile, PacketBatch] = {}
        while True:
            for file in list(self._open):
                if file not in heads:
                    batch = file.batch()
                    if batch is None:
                        file.close()
                        self._open.remove(file)
                    else:
                        heads[file] = batch
            if not heads and not self._waiting:
                return
            earliest = min(heads, key=lambda file: _first(heads[file]), default=None)
            if self._waiting and (earliest is None or self._waiting[-1][0] <= _first(heads[earliest])):
                self._wake()
                continue
            if earliest is None:
                return
            limit = min([_first(batch) for file, batch in heads.items() if file is not earliest]
                        + [time for time, _, _ in self._waiting[-1:]], default=None)  # fmt: skip
            now, rest = _split(heads.pop(earliest), limit)
            if rest is not None:
                heads[earliest] = rest
            yield now

    def _wake(self) -> None:
        """Opens the file whose time has come."""
        _, place, path = self._waiting.pop()
        file = CaptureFile(self, path, BUFFER_BYTES)
        self.sources[place] = file.report
        self._open.append(file)


def _first(batch: PacketBatch) -> int:
    """The time of a batch's first packet."""
    return int(batch.packets[0]["ts_ns"])


def _split(batch: PacketBatch, limit: int | None) -> tuple[PacketBatch, PacketBatch | None]:
    """The packets up to the first that is later than `limit`, and the rest."""
    if limit is None:
        return batch, None
    later = np.flatnonzero(batch.packets["ts_ns"] > limit)
    if not later.size:
        return batch, None
    count = max(int(later[0]), 1)
    rest = PacketBatch(batch.buffer, batch.packets[count:]) if count < len(batch.packets) else None
    return PacketBatch(batch.buffer, batch.packets[:count]), rest


def first_time(path: str) -> int:
    """The time of a file's first packet, ns; the far future for a file without packets."""
    look = CaptureStream.__new__(CaptureStream)
    look.strict, look.interfaces, look.warnings = False, [], []
    file = CaptureFile(look, path, PEEK_BYTES)
    try:
        batch = file.batch()
        return np.iinfo(np.int64).max if batch is None else _first(batch)
    finally:
        file.close()


def open_captures(paths: Sequence[str], *, strict: bool = False) -> CaptureStream:
    """Capture files as one stream in time order.

    paths: files, addresses that fsspec opens, "-" for standard input. strict: a file cut short raises
    TruncatedCaptureError. Raises CaptureError, one line, for what is no capture or cannot be opened.
    """
    return CaptureStream(paths, strict=strict)


__all__: list[Any] = ["CaptureFile", "CaptureStream", "open_captures"]
