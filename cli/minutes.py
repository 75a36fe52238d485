"""The account of a live capture for whoever looks on: a row of the `capture` table as each minute is over.

Theory: `wiretally live -o -` feeds a log or a monitor; the same rows stand in the store. Text is a line a minute, for a
person.

Rules: a file has each row from the moment on that it is told, behind those of earlier runs. Nobody who looks on can stop
the capture: where rows are not taken any more this is said once, and counting goes on.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal, Self

from ..core.errors import WiretallyError
from ..core.schema import CAPTURE, polars_schema
from ..store.cells import escaped, times_as_text
from ..store.files import CsvSink, JsonlSink
from ..store.output import Output, ReaderGoneError, nobody_reads
from ..store.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    import polars as pl

    Form = Literal["text", "jsonl", "csv"]


class Lines(Sink):
    """A line of text for each row, at once."""

    def write(self, frame: pl.DataFrame) -> None:
        """Appends a line per row."""
        for row in times_as_text(frame).iter_rows(named=True):
            words = [f"{row['first_seen'] or 'nothing seen'} {row['source']}: {row['packets']:,} packets, {row['wire_bytes']:,} bytes"]
            words += [f"{row[name]:,} {name}" for name in ("dropped", "truncated", "malformed", "unsupported") if row[name]]
            words += [f"left out: {row['degraded']}"] if row["degraded"] else []
            self.output.write(f"{escaped(', '.join(words))}\n".encode())


SINKS: dict[str, type[Sink]] = {"text": Lines, "jsonl": JsonlSink, "csv": CsvSink}


class Minutes:
    """A context manager; `tell` takes rows of the `capture` table."""

    def __init__(self, form: Form, target: str, warn: Callable[[str], None]) -> None:
        """Opens `target`; raises `EnvironmentFault` where it cannot be written."""
        schema, output = polars_schema(CAPTURE), Output(target, at_once=True)
        self._sink: Sink | None = SINKS[form](schema, output)
        self._warn = warn

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Completes the file."""
        if self._sink is not None:
            with suppress(ReaderGoneError):
                self._sink.__exit__(kind, error, trace)

    def tell(self, row: pl.DataFrame) -> None:
        """Writes the row, now."""
        if self._sink is None:
            return
        try:
            self._sink.write(row)
            self._sink.output.flush()
        except ReaderGoneError:
            nobody_reads()
            self._stop("nobody reads them")
        except (WiretallyError, OSError) as fault:
            self._stop(escaped(str(fault)))

    def _stop(self, why: str) -> None:
        self._sink = None
        self._warn(f"minutes are not told any more: {why}; counting goes on")
