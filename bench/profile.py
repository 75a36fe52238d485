"""Where the time of `wiretally read` goes: `python -m wiretally.bench.profile FILE`.

Theory: a stage is a function at the border of a room. Each is wrapped with a clock that charges it for its own time
only: what it spends in another stage counts there. The rest is what no stage claims: wiring, the command line.

Rules: this runs the real command in this process, writing Parquet to a temporary folder. The first run, which may compile
kernels, is not counted unless `--cold` asks for it.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STAGES = {  # what is shown: where the function lies
    "read and index packets": ("capture.stream", "CaptureStream.__iter__"),
    "packet pass (kernels)": ("dissect.packet_pass", "run"),
    "QUIC Initials": ("dissect.dissector", "Dissector._read_parcels"),
    "dissector made, first kernel loaded": ("dissect.dissector", "Dissector.__init__"),
    "batches into the pass": ("dissect.dissector", "Dissector.feed"),
    "rows into frames": ("dissect.frames", "Frames.make"),
    "ticks": ("dissect.dissector", "Dissector.tick"),
    "places, owners": ("geo.attributor", "Attributor.join"),
    "databases opened": ("geo.attributor", "Attributor.open"),
    "write": ("store.files", "open_sink"),
}
PACKAGE = __package__.rpartition(".")[0]


class Clock:
    """Time per stage, each without what it spends in other stages."""

    def __init__(self) -> None:
        """Nothing is running."""
        self.spent: dict[str, float] = defaultdict(float)
        self.calls: dict[str, int] = defaultdict(int)
        self._running: list[str] = []
        self._since = time.perf_counter()

    def _charge(self) -> None:
        now = time.perf_counter()
        if self._running:
            self.spent[self._running[-1]] += now - self._since
        self._since = now

    def enter(self, stage: str) -> None:
        """From here on time is charged to `stage`."""
        self._charge()
        self._running.append(stage)
        self.calls[stage] += 1

    def leave(self) -> None:
        """Back to what ran before."""
        self._charge()
        self._running.pop()

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, charged to `stage`."""

        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401  (whatever the function takes and gives)
            self.enter(stage)
            try:
                return function(*arguments, **options)
            finally:
                self.leave()

        return call

    def timed_iterator(self, stage: str, function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """A function that returns an iterator, each step of which is charged to `stage`."""

        @functools.wraps(function)
        def call(*arguments: Any) -> Iterator[Any]:  # noqa: ANN401
            step = self.timed(stage, functools.partial(next, function(*arguments), None))
            while (item := step()) is not None:
                yield item

        return call


def instrument(clock: Clock) -> None:
    """Wraps every stage that this version of the package has."""
    for stage, (module, path) in STAGES.items():
        owner: Any = importlib.import_module(f"{PACKAGE}.{module}")
        *classes, name = path.split(".")
        for part in classes:
            owner = getattr(owner, part)
        function = getattr(owner, name)
        if name == "__iter__":
            setattr(owner, name, clock.timed_iterator(stage, function))
        elif name == "open_sink":
            setattr(owner, name, _timed_sink(clock, stage, function))
        else:
            setattr(owner, name, clock.timed(stage, function))


def _timed_sink(clock: Clock, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`open_sink` whose sinks charge what they write."""

    def call(*arguments: Any) -> Any:  # noqa: ANN401
        sink = function(*arguments)
        kind = type(sink)
        for name in ("write", "__exit__"):
            setattr(kind, name, clock.timed(stage, getattr(kind, name)))
        return sink

    return call


def read(path: Path) -> None:
    """The command, in this process."""
    from ..cli.main import app

    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "flows.parquet")
        app(["read", str(path), "--format", "parquet", "--quiet", "-o", output], standalone_mode=False)


def main(arguments: list[str] | None = None) -> int:
    """Prints the table of stages, or what cProfile says."""
    start = time.perf_counter()
    parser = argparse.ArgumentParser(prog="python -m wiretally.bench.profile", description=__doc__.partition("\n")[0])
    parser.add_argument("capture", type=Path)
    parser.add_argument("--cold", action="store_true", help="count the first run, with imports and loading of kernels")
    parser.add_argument("--functions", type=int, metavar="N", help="cProfile's N most expensive functions instead")
    options = parser.parse_args(arguments)
    if not options.cold:
        read(options.capture)
    if options.functions:
        return _functions(options.capture, options.functions)
    clock = Clock()
    if not options.cold:
        start = time.perf_counter()
    instrument(clock)
    imported = time.perf_counter() - start
    read(options.capture)
    total = time.perf_counter() - start
    if options.cold:
        clock.spent["imports"] = imported
    clock.spent["the rest"] = total - sum(clock.spent.values())
    table = Table("stage", "s", "%", "calls", title=f"{options.capture}: {total:.2f} s", title_justify="left")
    for stage, spent in sorted(clock.spent.items(), key=lambda item: -item[1]):
        table.add_row(stage, f"{spent:.3f}", f"{100 * spent / total:.1f}", str(clock.calls.get(stage, "")))
    Console(width=100, highlight=False).print(table)
    return 0


def _functions(path: Path, count: int) -> int:
    import cProfile
    import pstats

    profile = cProfile.Profile()
    profile.runcall(read, path)
    pstats.Stats(profile).sort_stats("tottime").print_stats(count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
