"""Evidence: what is captured, as pcapng files in a folder, beside what is computed from it.

Theory: a thread of its own writes, so that a slow disk never holds up the ring: batches are laid out as blocks
(`epb.py`) and queued; when the queue is full they are not recorded, and counted. A file that has reached its size is
closed; another thread compresses it (zstd) and writes its SHA-256 down; the oldest go when the folder holds more than it may. Sessions
are told as comments (draft-ietf-opsawg-pcapng §3.5.1) of the section header, as they were when the file was begun, and
of the interface statistics at its end (§4.6), which say what was lost. A pulled plug costs what the medium was not told
to keep: so it is told, each SYNC_EVERY, and at each step by which a file becomes another.

Rules: files are the owner's alone (0600) and never overwritten. `SHA256SUMS` is as sha256sum(1) writes it: a name in it
is whole, compressed and will not change; the plain file goes after it stands there. A file without its statistics is one
that was not ended: what is in it is good to its last whole block.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import queue
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np

from ..core.errors import EnvironmentFault
from .epb import OVERHEAD, write_blocks
from .report import shown

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from ..core.packets import Interface, PacketBatch

# block types and option codes: draft-ietf-opsawg-pcapng §11.1, §3.5, §4.1, §4.2, §4.6
SECTION, INTERFACE, STATISTICS = 0x0A0D0D0A, 1, 5
END, COMMENT, NAME, RESOLUTION, DROPPED, APPLICATION = 0, 1, 2, 9, 5, 4
BYTE_ORDER = 0x1A2B3C4D
NS = 9  # if_tsresol: 10^-9 s
QUEUED_BYTES = 32 << 20  # blocks that wait for the disk
SUMS = "SHA256SUMS"
SUMS_TEXT: Any = {"encoding": "utf-8", "errors": "surrogateescape"}  # whatever a bad card has made of it
PIECE = 1 << 20
SYNC_EVERY = 1.0  # seconds: what a pulled plug may cost
LEVEL = 3  # of zstd


def block(kind: int, body: bytes) -> bytes:
    """A block of pcapng, little-endian, padded."""
    total = 12 + (len(body) + 3) // 4 * 4
    return struct.pack("<II", kind, total) + body.ljust(total - 12, b"\0") + struct.pack("<I", total)


def option(code: int, value: bytes) -> bytes:
    """An option, padded to 4; a value is 65,535 bytes at most."""
    value = value[:65_535]
    return struct.pack("<HH", code, len(value)) + value.ljust((len(value) + 3) // 4 * 4, b"\0")


def keep_names(folder: Path) -> None:
    """A folder's names are on the medium; where the system cannot promise that of folders, it has its own ways."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class Recorder:
    """Takes batches; a context manager. `lost`: packets that were not recorded; `recorded`: those that were or will be."""

    def __init__(
        self, folder: str, interfaces: list[Interface], *, file_bytes: int, most_bytes: int | None = None,
        comments: Callable[[], list[str]] | None = None, warn: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        """Begins a file in `folder`, which is made; `EnvironmentFault` where that cannot be.

        interfaces: of the capture, which may grow. file_bytes: size at which the next file is begun. most_bytes: of the
        folder. comments: asked for when a file is begun. warn: called with one line.
        """
        self.folder, self.interfaces = Path(folder), interfaces
        self.file_bytes, self.most_bytes = file_bytes, most_bytes
        self.lost = self.recorded = 0
        self._comments, self._warn = comments or list, warn or (lambda _: None)
        self._queue: queue.SimpleQueue[tuple[npt.NDArray[np.uint8], int, int] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._counting = threading.Lock()
        self._file: BinaryIO | None = None
        self._path = self.folder
        self._size = self._described = self._in_file = 0
        self._failed = False
        self._unsynced = 0.0  # since when the medium lacks something; 0: it lacks nothing
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._left = sorted(self.folder.glob("*.pcapng"))  # of processes that have gone, and those that a full disk cut short
            self._begin()
        except OSError as error:
            raise EnvironmentFault(f"{shown(folder)}: cannot be recorded into: {error.strerror}; choose another --record") from error
        self._settler = ThreadPoolExecutor(1, "settler")
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def take(self, batch: PacketBatch) -> None:
        """Queues the packets of a batch, or counts them as lost; never waits."""
        packets = batch.packets
        room = int(packets["captured"].sum()) + packets.size * (OVERHEAD + 3)
        if self._waiting + room > QUEUED_BYTES:
            if not self.lost:
                self._warn(f"{shown(str(self.folder))}: the disk is too slow to record everything; what is missing is counted")
            self.lost += packets.size
            return
        out = np.empty(room, np.uint8)
        end = write_blocks(batch.buffer, packets, out, 0)
        with self._counting:
            self._waiting += room
        self.recorded += packets.size
        self._queue.put((out[:end], room, packets.size))

    def close(self) -> None:
        """Writes what waits and ends the last file."""
        self._queue.put(None)
        self._thread.join()
        self._settler.shutdown()

    def __enter__(self) -> Self:
        """The recorder itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self.close()

    def _run(self) -> None:
        """The thread: blocks into files, after those that an earlier process has left behind."""
        self._settle_left()
        while (item := self._next()) is not None:
            blocks, room, count = item
            self._put(blocks, count)
            with self._counting:
                self._waiting -= room
        self._finish()

    def _next(self) -> tuple[npt.NDArray[np.uint8], int, int] | None:
        """What is to be written; meanwhile the medium gets what it lacks when that is due."""
        while True:
            left = self._unsynced + SYNC_EVERY - time.monotonic() if self._unsynced else None
            if left is None or left > 0:
                with contextlib.suppress(queue.Empty):
                    return self._queue.get(timeout=left)
            self._sync()

    def _sync(self) -> None:
        """What the file holds is on the medium; where that fails, as where writing does."""
        self._unsynced = 0.0
        try:
            if self._file is not None:
                os.fsync(self._file.fileno())
        except OSError as error:
            self._fail(error)

    def _put(self, blocks: npt.NDArray[np.uint8], count: int) -> None:
        """Blocks of one batch; on a full disk they are lost, and the next file is tried with the next batch."""
        try:
            if self._file is None or (self._size >= self.file_bytes and self._in_file):
                self._finish()
                self._begin()
            if self._file is not None:
                self._describe(self._file)
                self._write(self._file, blocks.tobytes())
                self._in_file += count
                self._unsynced = self._unsynced or time.monotonic()
            if self._failed:
                self._failed = False
                self._warn(f"{shown(str(self.folder))}: recorded again")
        except OSError as error:
            self.lost += count
            self.recorded -= count
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        """Said once; the next file is tried with the next batch."""
        if not self._failed:
            self._failed = True
            self._warn(f"{shown(str(self.folder))}: cannot be recorded into: {error.strerror}; what is missing is counted")
        self._give_up()

    def _begin(self) -> None:
        """A new file, with its section header."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        number = 0
        while True:
            path = self.folder / f"{stamp}-{number:03d}.pcapng"
            if not Path(f"{path}.zst").exists():
                try:
                    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                    break
                except FileExistsError:
                    pass
            number += 1
        self._path, self._file = path, os.fdopen(handle, "wb", buffering=0)
        said = b"".join(option(COMMENT, line.encode()) for line in self._comments())
        body = struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1) + said + option(APPLICATION, b"wiretally") + option(END, b"")
        self._size = self._described = self._in_file = 0
        self._write(self._file, block(SECTION, body))
        keep_names(self.folder)

    def _write(self, file: BinaryIO, data: bytes) -> None:
        """All of `data` or, on a full disk, nothing of it: OSError."""
        left = memoryview(data)
        try:
            while left:
                left = left[file.write(left) :]
        except OSError:
            file.truncate(self._size)
            raise
        self._size += len(data)

    def _describe(self, file: BinaryIO) -> None:
        """Interfaces that the file has not described yet."""
        for interface in self.interfaces[self._described :]:
            options = option(NAME, (interface.name or "").encode()) + option(RESOLUTION, bytes([NS])) + option(END, b"")
            self._write(file, block(INTERFACE, struct.pack("<HHI", interface.linktype, 0, 0) + options))
            self._described += 1

    def _finish(self) -> None:
        """Ends the file with its statistics; what becomes of it then is seen to elsewhere."""
        file, path = self._file, self._path
        if file is None:
            return
        self._file, self._unsynced = None, 0.0
        try:
            with file:
                self._describe(file)
                if self._described:
                    now = time.time_ns()
                    said = b"".join(option(COMMENT, line.encode()) for line in self._comments())
                    body = struct.pack("<III", 0, now >> 32, now & 0xFFFFFFFF) + said + option(DROPPED, struct.pack("<Q", self.lost))
                    self._write(file, block(STATISTICS, body + option(END, b"")))
                os.fsync(file.fileno())
        except OSError as error:
            self._warn(f"{shown(str(path))}: has no statistics at its end: {error.strerror}")
        self._left.append(path)
        self._settle_left()

    def _settle_left(self) -> None:
        """Has the other thread see to the files that will not change any more."""
        while self._left:
            self._settler.submit(self._settle, self._left.pop(0))

    def _settle(self, path: Path) -> None:
        """Compresses a file and writes down its digest; then room for the next.

        The plain file goes last, so that wherever this is cut short the next start does it again.
        """
        try:
            if path.stat().st_size:  # else it was begun when the power went
                self._note(self._compressed(path))
            path.unlink()
            self._tidy()
        except OSError as error:
            self._warn(f"{shown(str(path))}: stays as it is: {error.strerror}")
            self._left.append(path)
        except Exception as error:  # noqa: BLE001  (nobody looks at what this thread ends with)
            self._warn(f"{shown(str(path))}: stays as it is: {shown(str(error))}")

    def _compressed(self, path: Path) -> Path:
        """`path` through zstd, under the same name with .zst once that is whole."""
        import zstandard

        target = Path(f"{path}.zst")
        part = Path(f"{target}.part")
        with path.open("rb") as source, os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            zstandard.ZstdCompressor(LEVEL).copy_stream(source, out)
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
        return target

    def _note(self, path: Path) -> None:
        """The file's digest into the list."""
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
        self._list({path.name}, f"{digest.hexdigest()}  {path.name}\n")

    def _list(self, names: set[str], line: str = "") -> None:
        """The list without `names` and with `line`: another file that takes its name, so that no line is ever half there."""
        sums, part = self.folder / SUMS, self.folder / f"{SUMS}.part"
        old = sums.read_text(**SUMS_TEXT).splitlines(keepends=True) if sums.exists() else []
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", **SUMS_TEXT) as out:
            out.writelines([each for each in old if each.endswith("\n") and each[66:-1] not in names])
            out.write(line)
            out.flush()
            os.fsync(out.fileno())
        part.replace(sums)
        keep_names(self.folder)

    def _tidy(self) -> None:
        """Deletes the oldest while the folder holds more than it may; they leave the list before.

        The list says which are old, since names are by a clock that may be stepped; what is not in it is not ours.
        """
        sums = self.folder / SUMS
        if self.most_bytes is None or not sums.exists():
            return
        there = {path.name: path for path in self.folder.glob("*.pcapng.zst")}
        lines = sums.read_text(**SUMS_TEXT).splitlines()
        files = [there[line[66:]] for line in lines if line[66:] in there]
        sizes = {path: path.stat().st_size for path in files}
        held, gone = sum(sizes.values()), list[Path]()
        while files[1:] and held > self.most_bytes:
            gone.append(files.pop(0))
            held -= sizes[gone[-1]]
        if gone:
            self._list({path.name for path in gone})
            for path in gone:
                path.unlink()

    def _give_up(self) -> None:
        """Lets go of a file that cannot be written; it stays as far as it came, if a packet is in it."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()
            if self._in_file:
                self._left.append(self._path)
            else:
                self._path.unlink(missing_ok=True)
