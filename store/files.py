"""Tables to files, a frame at a time: JSONL, CSV, and a glance for the terminal; Parquet is in `parquet.py`.

Theory: a sink is opened for one table, takes its frames as they come and is complete when it is left without an
exception. Memory does not grow with what was written.

Rules: every frame has exactly the columns of the schema given, in order. What text formats do to values is in
`cells.py`, what becomes of the file in `output.py`.
"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from .cells import as_text, escaped, times_as_text, without_formulas
from .output import STANDARD_OUTPUT, Output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import polars as pl

    Schema = Mapping[str, pl.DataType]

TEXT_ROWS = 50
WIDE = 200  # columns of a table that goes into a file or a pipe


class Sink(ABC):
    """A context manager that takes frames; the file is in its place once it is left without an exception."""

    def __init__(self, schema: Schema, target: str | Output) -> None:
        """Opens `target` (`-`: standard output); raises `EnvironmentFault` where it cannot be written."""
        self.schema = dict(schema)
        self.output = Output(target) if isinstance(target, str) else target

    def __enter__(self) -> Self:
        """The sink itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Completes the file, or removes it where there was an exception."""
        if error is not None:
            self.output.__exit__(kind, error, trace)
            return
        with self.output:
            self.finish()

    @abstractmethod
    def write(self, frame: pl.DataFrame) -> None:
        """Appends the rows of `frame`."""

    def finish(self) -> None:  # noqa: B027  (most formats have nothing to add)
        """Writes what stands at the end."""


class JsonlSink(Sink):
    """One JSON object per line; keys are the columns, missing is null."""

    def write(self, frame: pl.DataFrame) -> None:
        """Appends a line per row."""
        lines = times_as_text(frame).write_ndjson().split("\n")
        self.output.write("\n".join(map(escaped, lines)).encode())


class CsvSink(Sink):
    """RFC 4180 with a header line; missing is empty."""

    def __init__(self, schema: Schema, target: str | Output) -> None:
        """Opens the target; the header goes before the first row, or alone; not behind what is in it already."""
        super().__init__(schema, target)
        self._headed = not isinstance(target, str) and target.behind_something

    def write(self, frame: pl.DataFrame) -> None:
        """Appends a line per row."""
        cells = without_formulas(as_text(frame))
        self.output.write(cells.write_csv(include_header=not self._headed).encode())
        self._headed = True

    def finish(self) -> None:
        """A table without rows still has its header."""
        import polars as pl

        if not self._headed:
            self.write(pl.DataFrame(schema=self.schema))


class TextSink(Sink):
    """A table for the eye: the first rows of some columns, and how to get all of it."""

    def __init__(self, schema: Schema, target: str, glance: Sequence[str] = ()) -> None:
        """`glance`: the columns to show; all where it is empty."""
        super().__init__(schema, target)
        self._columns = list(glance) or list(self.schema)
        self._kept: list[pl.DataFrame] = []
        self._rows = 0

    def write(self, frame: pl.DataFrame) -> None:
        """Keeps the first rows, counts all."""
        left = TEXT_ROWS - sum(kept.height for kept in self._kept)
        if left > 0:
            self._kept.append(as_text(frame.select(self._columns).head(left)))
        self._rows += frame.height

    def finish(self) -> None:
        """Renders the table; as wide as the terminal, or `WIDE`."""
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE, pad_edge=False)
        for name in self._columns:
            table.add_column(name, justify="right" if self.schema[name].is_numeric() else "left", overflow="fold")
        shown = [row for frame in self._kept for row in frame.iter_rows()]
        for row in shown:
            table.add_row(*(Text("" if cell is None else _short(cell)) for cell in row))
        on_terminal = self.output.file.isatty()
        with io.StringIO() as page:
            console = Console(file=page, force_terminal=on_terminal, width=None if on_terminal else WIDE)
            console.print(table)
            lines = [line.rstrip() for line in page.getvalue().strip("\n").split("\n")]
            self.output.write("\n".join([*lines, ""]).encode())
        rows, columns = len(shown), len(self._columns)
        if rows < self._rows or columns < len(self.schema):
            note = f"{rows} of {self._rows} rows, {columns} of {len(self.schema)} columns; all of it: --format csv -o FILE\n"
            self.output.write(note.encode())


def _short(cell: object) -> str:
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def open_sink(schema: Schema, form: str, target: str = STANDARD_OUTPUT, glance: Sequence[str] = ()) -> Sink:
    """A sink for frames of `schema`; `form` is text, jsonl, csv or parquet; `glance` are the columns that text shows."""
    if form == "parquet":
        from .parquet import ParquetSink

        return ParquetSink(schema, target)
    if form == "text":
        return TextSink(schema, target, glance)
    return {"jsonl": JsonlSink, "csv": CsvSink}[form](schema, target)
