"""One output file: complete or not there at all.

Theory: what is written holds browsing history, so a new file is readable by its owner only (0600), written under a
temporary name in the same folder and renamed when it is complete; a run that fails leaves nothing behind. `-` is
standard output; a device or a pipe that exists is written to directly.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from ..core.errors import EnvironmentFault
from .cells import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

STANDARD_OUTPUT = "-"


class ReaderGoneError(Exception):
    """Whoever read our standard output has had enough; nothing is wrong."""


def nobody_reads() -> None:
    """Lets standard output lead nowhere: what is left in its buffer would raise when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Output:
    """A context manager: `.file` takes bytes; leaving it without an exception puts the file in its place."""

    def __init__(self, target: str, *, at_once: bool = False) -> None:
        """Opens `target`; raises `EnvironmentFault` where that cannot be.

        at_once: what is written is in the file from then on, behind what is there already: for what has no end to be complete at.
        """
        self.target, self._at_once = target, at_once
        self.file: IO[bytes]
        self._temporary: Path | None = None
        self._final = Path(target).resolve() if target != STANDARD_OUTPUT else None
        try:
            self._open()
        except OSError as error:
            raise self._fault(error) from error

    def _open(self) -> None:
        if self._final is None:
            if sys.stdout is None:  # closed before we began
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            self.file = sys.stdout.buffer
        elif self._final.exists() and not self._final.is_file() and not self._final.is_dir():
            self.file = self._final.open("wb")
        elif self._final.is_dir():
            raise EnvironmentFault(f"{self.shown}: is a folder: name a file in it")
        elif self._at_once:
            self.file = os.fdopen(os.open(self._final, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
        else:
            handle, name = tempfile.mkstemp(prefix=f".{self._final.name}.", dir=self._final.parent)
            self._temporary = Path(name)
            self.file = os.fdopen(handle, "wb")

    def __enter__(self) -> Self:
        """The output itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Renames what is complete, removes what is not."""
        try:
            if self._final is None:
                self.file.flush()
                return
            self.file.close()
            if self._temporary is not None and kind is None:
                self._temporary.replace(self._final)
                self._temporary = None
        except BrokenPipeError as gone:
            raise ReaderGoneError from gone
        except OSError as on_disk:
            raise self._fault(on_disk) from on_disk
        finally:
            if self._temporary is not None:
                self._temporary.unlink(missing_ok=True)

    @property
    def seekable(self) -> bool:
        """Whether `file` is an ordinary file of ours."""
        return self._temporary is not None

    @property
    def behind_something(self) -> bool:
        """Whether what is written goes behind what was in the file already."""
        return self._at_once and self._final is not None and self._final.is_file() and self._final.stat().st_size > 0

    @property
    def shown(self) -> str:
        """The target's name for a message."""
        return "standard output" if self.target == STANDARD_OUTPUT else escaped(self.target)

    def write(self, data: bytes) -> int:
        """Appends; a full disk raises `EnvironmentFault`, a closed pipe `ReaderGoneError`."""
        with self._watched():
            return self.file.write(data)

    def flush(self) -> None:
        """Hands on what has been written so far; raises as `write` does."""
        with self._watched():
            self.file.flush()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """The faults of the system as ours."""
        try:
            yield
        except BrokenPipeError as error:
            raise ReaderGoneError from error
        except OSError as error:
            raise self._fault(error) from error

    def _fault(self, error: OSError) -> EnvironmentFault:
        """The one line for an output that cannot be written."""
        why = error.strerror or error
        return EnvironmentFault(f"{self.shown}: cannot be written: {why}: choose another place with --output")
