"""A sink: what a table is written into, a frame at a time, whatever the format.

Theory: it is opened for one table, takes its frames as they come and is complete when it is left without an exception.
Memory does not grow with what was written.

Rules: every frame has exactly the columns of the schema given, in order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

from .output import Output

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    import polars as pl

    Schema = Mapping[str, pl.DataType]


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
