"""Sessions marked while a store is live: who began which mode when, by both clocks.

Theory: the wall clock says where packets belong, but may be stepped; the monotonic clock since boot says how long it
really was. Both are written. One session is open per device: beginning another ends it, as the next mark in a file does.
Packets before a step of the clock and after it may lie hours apart, or in one another's place: so a step ends what is open
by the clock before it, and the same goes on as another session by the clock after it.

Rules: a mark is one small transaction of its own; the live writer waits for it, and it for the writer.
"""

from __future__ import annotations

import csv
import io
import sqlite3
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import EnvironmentFault, InputError
from ..measure.inputs import notation
from .cells import escaped
from .layout import is_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

BUSY_MS = 5_000
BOOT = Path("/proc/sys/kernel/random/boot_id")
COLUMNS = "session, device, mode, start_ns, end_ns, start_monotonic_ns, end_monotonic_ns, boot, notes"


def check(path: str) -> None:
    """Raises EnvironmentFault where there is no store."""
    if not Path(path).exists():
        raise EnvironmentFault(f"{escaped(path)}: is not there; begin it with `wiretally live --interface IF --store FILE`, or name another with --store")
    if not is_store(path):
        raise EnvironmentFault(f"{escaped(path)}: is no wiretally store; name the one that `wiretally live` writes")


@contextmanager
def _writing(path: str) -> Iterator[sqlite3.Connection]:
    check(path)
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise EnvironmentFault(f"{escaped(path)}: cannot be marked: {error}") from error


def start(path: str, mode: str, device: str, notes: str = "", *, same: Callable[[str], bool] | None = None) -> str:
    """Begins a session and ends the device's open one; returns its name. `same`: whether another notation means the device."""
    mode, device = mode.lower(), notation(device)
    now, clock = time.time_ns(), time.monotonic_ns()
    with _writing(path) as connection:
        _end(connection, same or _alike(device), now, clock)
        return _begin(connection, (device, mode), (now, clock, boot()), notes)


def _begin(connection: sqlite3.Connection, who: tuple[str, str], when: tuple[int, int, str | None], notes: str) -> str:
    """A row for `who` (device, mode) from `when` (both clocks, boot); the name that it gets."""
    (device, mode), (now, clock, run) = who, when
    (number,) = connection.execute("SELECT count(*) + 1 FROM sessions WHERE mode = ?", (mode,)).fetchone()
    while connection.execute("SELECT 1 FROM sessions WHERE session = ?", (f"{mode}-{number}",)).fetchone():
        number += 1
    name = f"{mode}-{number}"
    connection.execute(f"INSERT INTO sessions ({COLUMNS}) VALUES (?, ?, ?, ?, NULL, ?, NULL, ?, ?)",  # noqa: S608  (names above)
                       (name, device, mode, now, clock, run, notes))  # fmt: skip
    return name


def follow(connection: sqlite3.Connection, at: int, step: int, clock: int, run: str | None) -> None:
    """The wall clock was stepped by `step`, to `at` when the other said `clock`: what was begun before it goes on anew. In the caller's transaction.

    A session that was begun by the new clock, before anybody had noticed, is left as it is.
    """
    rows = connection.execute(
        "SELECT session, device, mode, start_ns, start_monotonic_ns, notes FROM sessions WHERE end_ns IS NULL AND boot IS ? AND start_monotonic_ns IS NOT NULL", (run,)).fetchall()  # fmt: skip
    for name, device, mode, began, then, notes in rows:
        apart = (at - clock) - (began - then)  # of the clocks' differences, now and when it was begun
        if abs(apart) < abs(apart - step):
            continue
        connection.execute("UPDATE sessions SET end_ns = ?, end_monotonic_ns = ? WHERE session = ?", (max(at - step, began + 1), clock, name))
        _begin(connection, (device, mode), (at, clock, run), notes)


def stop(path: str, device: str | None = None, *, same: Callable[[str], bool] | None = None) -> list[str]:
    """Ends the open sessions, of one device or of all; their names."""
    now, clock = time.time_ns(), time.monotonic_ns()
    with _writing(path) as connection:
        return _end(connection, same or _alike(device), now, clock)


def remove(path: str, names: Sequence[str]) -> list[tuple[Any, ...]]:
    """Takes sessions out; their rows as `read_marks` has them. Raises InputError where there is none of a name."""
    with _writing(path) as connection:
        rows = []
        for name in names:
            row = connection.execute("SELECT session, device, mode, start_ns, end_ns, notes FROM sessions WHERE session = ?", (name,)).fetchone()
            if row is None:
                raise InputError(f"session {name!r} is not in {escaped(path)}; see `wiretally session list`")
            connection.execute("DELETE FROM sessions WHERE session = ?", (name,))
            rows.append(row)
        return rows


def _alike(device: str | None) -> Callable[[str], bool]:
    """Whether a device is written as this one is, but for case and separators; None is all of them."""
    return lambda other: device is None or notation(other) == notation(device)


def _end(connection: sqlite3.Connection, same: Callable[[str], bool], now: int, clock: int) -> list[str]:
    """Ends open sessions; one that would end before its beginning, since the clock was stepped back, by the other clock."""
    names = []
    rows = connection.execute(
        "SELECT session, device, start_ns, start_monotonic_ns, boot FROM sessions WHERE end_ns IS NULL").fetchall()  # fmt: skip
    for name, device, began, then, run in rows:
        if not same(device):
            continue
        ran = clock - then if then is not None and run == boot() else 1
        end = now if now > began else began + max(ran, 1)
        connection.execute("UPDATE sessions SET end_ns = ?, end_monotonic_ns = ? WHERE session = ?", (end, clock, name))
        names.append(name)
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


def told(path: str) -> list[str]:
    """The sessions so far, a line of the CSV that `compare --sessions` reads for each: for the comments of a recording."""
    from .reader import read_marks

    try:
        rows = read_marks(path)
    except EnvironmentFault:
        return []
    return [escaped(f"session {_csv(name, device, mode, rfc3339(begun), '' if ended is None else rfc3339(ended), notes)}")
            for name, device, mode, begun, ended, notes in rows]  # fmt: skip


def _csv(*cells: str) -> str:
    """RFC 4180, without the end of the line."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def rfc3339(ns: int) -> str:
    """UTC with nine digits."""
    seconds, rest = divmod(ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def boot() -> str | None:
    """What tells this run of the machine from the next; None where the system does not say."""
    try:
        return BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return None
