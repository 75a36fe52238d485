"""Tables to files, a frame at a time: JSONL, CSV, and a glance for the terminal; Parquet is in `parquet.py`.

Theory: every format is a sink (`sink.py`). What text formats do to values is in `cells.py`, what becomes of the file in
`output.py`.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from .cells import as_text, escaped, times_as_text, without_formulas
from .output import STANDARD_OUTPUT
from .parquet import ParquetSink
from .sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import polars as pl

    from .output import Output
    from .sink import Schema

TEXT_ROWS = 50
WIDE = 200  # columns of a table that goes into a file or a pipe


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
    if form == "text":
        return TextSink(schema, target, glance)
    others: dict[str, Callable[[Schema, str], Sink]] = {"jsonl": JsonlSink, "csv": CsvSink, "parquet": ParquetSink}
    return others[form](schema, target)
