"""Sessions marked while a store is live: who began which mode when, by both clocks.

Theory: the wall clock says where packets belong, but may be stepped; the monotonic clock since boot says how long it
really was. Both are written. One session is open per device: beginning another ends it, as the next mark in a file does.

Rules: a mark is one small transaction of its own; the live writer waits for it, and it for the writer.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import EnvironmentFault, InputError
from .cells import escaped
from .layout import is_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BUSY_MS = 5_000
BOOT = Path("/proc/sys/kernel/random/boot_id")
COLUMNS = "session, device, mode, start_ns, end_ns, start_monotonic_ns, end_monotonic_ns, boot, notes"


@contextmanager
def _writing(path: str) -> Iterator[sqlite3.Connection]:
    if not is_store(path):
        raise EnvironmentFault(f"{escaped(path)}: is no wiretally store; name the one that `wiretally live` writes")
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise EnvironmentFault(f"{escaped(path)}: cannot be marked: {error}") from error


def start(path: str, mode: str, device: str, notes: str = "") -> str:
    """Begins a session and ends the device's open one; returns its name."""
    now, clock = time.time_ns(), time.monotonic_ns()
    with _writing(path) as connection:
        _end(connection, device, now, clock)
        (number,) = connection.execute("SELECT count(*) + 1 FROM sessions WHERE mode = ?", (mode,)).fetchone()
        while connection.execute("SELECT 1 FROM sessions WHERE session = ?", (f"{mode}-{number}",)).fetchone():
            number += 1
        name = f"{mode}-{number}"
        connection.execute(f"INSERT INTO sessions ({COLUMNS}) VALUES (?, ?, ?, ?, NULL, ?, NULL, ?, ?)",  # noqa: S608  (names above)
                           (name, device, mode.lower(), now, clock, _boot(), notes))  # fmt: skip
    return name


def stop(path: str, device: str | None = None) -> list[str]:
    """Ends the open sessions, of one device or of all; their names."""
    now, clock = time.time_ns(), time.monotonic_ns()
    with _writing(path) as connection:
        return _end(connection, device, now, clock)


def _end(connection: sqlite3.Connection, device: str | None, now: int, clock: int) -> list[str]:
    names = [row[0] for row in connection.execute(
        "SELECT session FROM sessions WHERE end_ns IS NULL AND (?1 IS NULL OR device = ?1)", (device,))]  # fmt: skip
    connection.executemany("UPDATE sessions SET end_ns = max(?, start_ns + 1), end_monotonic_ns = ? WHERE session = ?",
                           [(now, clock, name) for name in names])  # fmt: skip
    return names


def add(path: str, sessions: Sequence[Any]) -> int:
    """Sessions of a file (`measure.inputs.Session`); a name that is there already is refused."""
    with _writing(path) as connection:
        for each in sessions:
            if connection.execute("SELECT 1 FROM sessions WHERE session = ?", (each.session,)).fetchone():
                raise InputError(f"session {each.session!r} is in {escaped(path)} already; give it another name")
            connection.execute(f"INSERT INTO sessions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, NULL, NULL, NULL, ?)",  # noqa: S608
                               (each.session, each.device, each.mode, each.start, each.end, each.notes))  # fmt: skip
    return len(sessions)


def _boot() -> str | None:
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return None
