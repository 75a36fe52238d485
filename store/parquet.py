"""Parquet, a frame at a time.

Theory: Polars writes Parquet in a streaming fashion only where it pulls the frames itself. So its sink runs in a thread
of its own that pulls from a queue of one; whoever reads packets pushes, and waits only where the disk is slower than
the packets. Standard output and pipes get the finished file: the engine wants to seek.
"""

from __future__ import annotations

import queue
import shutil
import tempfile
import threading
from typing import IO, TYPE_CHECKING, Self

from ..core.errors import EnvironmentFault
from .cells import escaped
from .sink import Sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    import polars as pl

ROW_GROUP = 1 << 12  # rows; the encoder holds about two groups, 60 MB less than with its default at 57 columns
PATIENCE = 0.2  # seconds between looks at whether the writer still lives


class ParquetSink(Sink):
    """Row groups of `ROW_GROUP`, zstd."""

    def __enter__(self) -> Self:
        """Starts the writer."""
        self._frames: queue.Queue[pl.DataFrame | None] = queue.Queue(maxsize=1)
        self._failure: Exception | None = None
        self._file: IO[bytes] = self.output.file if self.output.seekable else tempfile.TemporaryFile()
        self._writer = threading.Thread(target=self._drain, name="parquet", daemon=True)
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Lets the writer end, whatever happened."""
        if error is not None and self._writer.is_alive():
            self._push(None)
            self._writer.join()
        super().__exit__(kind, error, trace)

    def write(self, frame: pl.DataFrame) -> None:
        """Hands `frame` to the writer."""
        if frame.height:
            self._push(frame)
            self._complain()

    def finish(self) -> None:
        """Waits for the footer; copies where the target takes no seeking."""
        self._push(None)
        self._writer.join()
        self._complain()
        if self._file is not self.output.file:
            self._file.seek(0)
            shutil.copyfileobj(self._file, self.output)

    def _push(self, frame: pl.DataFrame | None) -> None:
        while self._writer.is_alive():
            try:
                self._frames.put(frame, timeout=PATIENCE)
            except queue.Full:
                continue
            return

    def _pulled(self, *_: object) -> Iterator[pl.DataFrame]:
        while (frame := self._frames.get()) is not None:
            yield frame

    def _drain(self) -> None:
        from polars.io.plugins import register_io_source

        try:
            frames = register_io_source(self._pulled, schema=self.schema)
            frames.sink_parquet(self._file, compression="zstd", row_group_size=ROW_GROUP, engine="streaming")
        except Exception as error:  # noqa: BLE001  (a thread has nobody above it: `_complain` raises it)
            self._failure = error

    def _complain(self) -> None:
        from polars.exceptions import PolarsError

        if isinstance(self._failure, PolarsError | OSError):
            why = escaped(str(self._failure).partition("\n")[0])
            raise EnvironmentFault(f"{self.output.shown}: cannot be written: {why}: choose another place with --output")
        if self._failure is not None:
            raise self._failure
