"""Where bytes come from: files, standard input, addresses; through whatever compression their content shows.

Theory: every source is opened as a raw stream, looked at, and wrapped in decompressors until what comes out is no
compression any more. The type is told by content, never by name (RFC 1952 §2.3.1, the xz format §2.1.1.1, RFC 8878
§3.1.1, bzip2, the LZ4 frame format).

Rules: what cannot be opened is a CaptureError of one line. Damage in the middle of compressed data ends the data, as a
cut file does; it is told by `damaged`. Memory is bounded: decompressors stream.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import select
import stat
import sys
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from ..core.errors import CaptureError
from .report import shown

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WRAPPINGS = 3  # a compressed file inside a compressed file inside a compressed file
LOOK = 8
PATIENCE_MS = 500
STANDARD_INPUT = "-"
DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, ValueError, RuntimeError)


def damage() -> tuple[type[Exception], ...]:
    """What decompressors raise where their data are damaged; zstandard's is known once it has been used."""
    zstandard = sys.modules.get("zstandard")
    return (*DAMAGE, zstandard.ZstdError) if zstandard else DAMAGE


class Counted(io.RawIOBase):
    """A raw stream that counts what has been read from it and can be looked into before."""

    def __init__(self, raw: IO[bytes]) -> None:
        """Takes over `raw`."""
        self._raw = raw
        self._ahead = b""
        self.count = 0

    def look(self, size: int) -> bytes:
        """The next bytes, left where they are."""
        while len(self._ahead) < size:
            more = self._raw.read(size - len(self._ahead))
            if not more:
                break
            self._ahead += more
        return self._ahead[:size]

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, into: Any) -> int:  # noqa: ANN401  (any writable buffer)
        """As `io.RawIOBase.readinto`."""
        view = memoryview(into).cast("B")
        if self._ahead:
            taken = min(len(self._ahead), len(view))
            view[:taken] = self._ahead[:taken]
            self._ahead = self._ahead[taken:]
        elif hasattr(self._raw, "readinto"):
            taken = self._raw.readinto(view) or 0
        else:
            data = self._raw.read(len(view))
            taken = len(data)
            view[:taken] = data
        self.count += taken
        return taken

    def close(self) -> None:
        """Closes what was taken over."""
        if not self.closed:
            self._raw.close()
        super().close()


class _Pipe(io.FileIO):
    """A pipe, whose reads an interrupt ends.

    A library's signal handler may have the kernel go on with a read that a signal broke; it never does so with a poll
    (signal(7)). Now and then the poll ends by itself, since a signal may come just before it.
    """

    def readinto(self, into: Any) -> int:  # noqa: ANN401  (any writable buffer)
        """As `io.RawIOBase.readinto`."""
        self._wait()
        return super().readinto(into) or 0

    def read(self, size: int | None = -1) -> bytes:
        """As `io.RawIOBase.read`."""
        self._wait()
        return super().read(size) or b""

    def _wait(self) -> None:
        waiting = select.poll()
        waiting.register(self.fileno(), select.POLLIN)
        while not waiting.poll(PATIENCE_MS):
            pass


class Source:
    """One input as a stream of its decompressed bytes."""

    def __init__(self, path: str) -> None:
        """Opens `path`; raises CaptureError where it cannot be opened."""
        self.path = path
        self.size_bytes, raw = _open(path)
        self._stored = Counted(raw)
        self._stream: Counted = self._stored
        self.damaged: str | None = None
        for _ in range(MAX_WRAPPINGS):
            inner = self._unwrapped()
            if inner is None:
                break
            self._stream = Counted(inner)

    @property
    def bytes_read(self) -> int:
        """Bytes read so far as stored."""
        return self._stored.count

    def look(self, size: int) -> bytes:
        """The next decompressed bytes, left where they are."""
        if self.damaged is not None:  # libbz2 writes past its memory when it is asked again after an error
            return b""
        try:
            return self._stream.look(size)
        except damage() as e:
            self.damaged = str(e) or type(e).__name__
            return b""

    def readinto(self, view: memoryview) -> int:
        """Fills `view` as far as bytes come; 0 at the end, or where compressed data are damaged."""
        filled = 0
        if self.damaged is not None:
            return filled
        try:
            while filled < len(view):
                got = self._stream.readinto(view[filled:])
                if not got:
                    break
                filled += got
        except damage() as e:
            self.damaged = str(e) or type(e).__name__
        return filled

    def close(self) -> None:
        """Closes the source; standard input stays open."""
        self._stream.close()
        self._stored.close()

    def _unwrapped(self) -> IO[bytes] | None:
        """The stream inside the compression that the first bytes show, or None."""
        head = self.look(LOOK)
        for magic, opener in WRAPPINGS:
            if head.startswith(magic):
                return opener(cast("IO[bytes]", io.BufferedReader(self._stream, 1 << 18)))
        return None


def _zstd(stream: IO[bytes]) -> IO[bytes]:
    import zstandard  # only where it is met

    return cast("IO[bytes]", zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True))


def _lz4(stream: IO[bytes]) -> IO[bytes]:
    import lz4.frame  # only where it is met

    return cast("IO[bytes]", lz4.frame.LZ4FrameFile(stream))


WRAPPINGS: tuple[tuple[bytes, Callable[[IO[bytes]], IO[bytes]]], ...] = (
    (b"\x1f\x8b", lambda stream: cast("IO[bytes]", gzip.GzipFile(fileobj=stream))),
    (b"\xfd7zXZ\x00", lambda stream: cast("IO[bytes]", lzma.LZMAFile(stream))),  # noqa: SIM115  (closed with the source)
    (b"BZh", lambda stream: cast("IO[bytes]", bz2.BZ2File(stream))),
    (b"\x28\xb5\x2f\xfd", _zstd),
    (b"\x04\x22\x4d\x18", _lz4),
)


def _open(path: str) -> tuple[int | None, IO[bytes]]:
    """(size as stored if it is known, the raw stream)."""
    if path == STANDARD_INPUT:
        return None, cast("IO[bytes]", _Pipe(sys.stdin.fileno(), "rb", closefd=False))
    if "://" in path:
        return _open_address(path)
    file = Path(path)
    try:
        if file.is_dir():
            raise CaptureError(f"{shown(path)}: is a directory; name the capture files in it")
        status = file.stat()
        opened = io.FileIO(path, "rb") if stat.S_ISREG(status.st_mode) else _Pipe(path, "rb")
        return status.st_size, cast("IO[bytes]", opened)
    except FileNotFoundError:
        raise CaptureError(f"{shown(path)}: no such file; check the path") from None
    except PermissionError:
        raise CaptureError(f"{shown(path)}: not permitted to read it; change its mode or the user") from None
    except (OSError, ValueError) as e:
        raise CaptureError(f"{shown(path)}: cannot be opened: {e}") from None


def _open_address(path: str) -> tuple[int | None, IO[bytes]]:
    """Anything that fsspec opens."""
    try:
        import fsspec
    except ImportError:
        raise CaptureError(f"{shown(path)}: addresses need fsspec; install wiretally[remote]") from None
    try:
        opened = fsspec.open(path, "rb").open()
    except Exception as e:  # noqa: BLE001  (file systems raise what they like)
        raise CaptureError(f"{shown(path)}: cannot be opened: {str(e).splitlines()[0] if str(e) else type(e).__name__}"
                           ) from None  # fmt: skip
    return getattr(opened, "size", None), cast("IO[bytes]", opened)
