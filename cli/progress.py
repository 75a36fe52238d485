"""What a waiting person sees: a bar on standard error while captures are read, warnings after them.

Rules: nothing unless standard error is a terminal; standard output is never touched.
"""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..capture.stream import CaptureStream

REFRESH = 0.1  # seconds between two looks at the stream


@contextmanager
def bar(*, quiet: bool) -> Iterator[Callable[[CaptureStream], None] | None]:
    """A function to call with the stream as it is read; None where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("reading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)
        next_look = 0.0

        def look(stream: CaptureStream) -> None:
            nonlocal next_look
            if time.monotonic() < next_look:
                return
            next_look = time.monotonic() + REFRESH
            sizes = [source.size_bytes for source in stream.sources]
            total = None if None in sizes else sum(size or 0 for size in sizes)
            progress.update(task, total=total, completed=sum(source.bytes_read for source in stream.sources))

        yield look


@contextmanager
def steps(*, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A function that says what is being done now, in the place of what it said before; an empty text clears the line.

    Nothing runs between two calls: it is also for those who measure.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return

    from ..store.cells import escaped

    def say(what: str) -> None:
        sys.stderr.write(f"\r\x1b[K{escaped(what)}")  # ECMA-48 §8.3.41: erase to the end of the line
        sys.stderr.flush()

    try:
        yield say
    finally:
        say("")


def warner(*, quiet: bool) -> Callable[[str], None]:
    """A function that says a warning on standard error, one line each."""

    def warn(line: str) -> None:
        if not quiet:
            say(f"warning: {line}")

    return warn


def say(line: str) -> None:
    """A line on standard error, if that takes it: a log on a full disk is no reason to stop counting."""
    with suppress(OSError):
        typer.echo(f"wiretally: {line}", err=True)
