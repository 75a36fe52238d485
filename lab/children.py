"""Processes of the lab: started with a log, spoken to in lines of JSON, ended for certain.

Rules: every wait has a limit; a child that dies ends the recording with one line, its last.
"""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, Any, Self

from ..core.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

STEP_TIMEOUT = 20.0


class Child:
    """A process of the lab with its log; killed at the end if it does not stop by itself."""

    def __init__(self, name: str, command: list[str], logs: Path, *, talks: bool = False) -> None:
        """`talks`: its standard input and output are pipes."""
        self.name = name
        self.log = logs / f"{name}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else log,
                stderr=log,
            )

    def __enter__(self) -> Self:
        """Started already."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop()

    def check(self) -> None:
        """Raise `EnvironmentFault` if it ended."""
        if self.process.poll() is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["no message"]
            message = f"lab: {self.name} ended with status {self.process.returncode}: {lines[-1]}"
            raise EnvironmentFault(message)

    def say(self, message: dict[str, Any]) -> None:
        """Write one JSON line to it."""
        self.check()
        pipe: IO[bytes] = self.process.stdin  # type: ignore[assignment]  # talks
        pipe.write(json.dumps(message).encode("ascii") + b"\n")
        pipe.flush()

    def hear(self) -> dict[str, Any]:
        """Read one JSON line from it."""
        pipe: IO[bytes] = self.process.stdout  # type: ignore[assignment]  # talks
        if not select.select([pipe], [], [], STEP_TIMEOUT)[0]:
            self.check()
            message = f"lab: {self.name} does not answer within {STEP_TIMEOUT:.0f} s"
            raise EnvironmentFault(message)
        line = pipe.readline()
        if not line:
            self.process.wait(STEP_TIMEOUT)
            self.check()
        heard: dict[str, Any] = json.loads(line)
        return heard

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ask, then insist."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(STEP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def module(name: str) -> list[str]:
    """The command line that runs a module of the lab."""
    return [sys.executable, "-m", f"{__package__}.{name}"]


def wait_for(what: str, ready: Callable[[], bool], child: Child) -> None:
    """Until it is ready, or too long, or the child has died."""
    deadline = time.monotonic() + STEP_TIMEOUT
    while not ready():
        child.check()
        if time.monotonic() > deadline:
            message = f"lab: {what} did not start within {STEP_TIMEOUT:.0f} s"
            raise EnvironmentFault(message)
        time.sleep(0.1)
