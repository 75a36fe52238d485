"""The live store: one SQLite file that a single writer fills, a transaction at a time.

Theory: WAL, so that readers never block the writer. `synchronous=FULL`: the log is on the medium when a transaction
ends, so that a pulled plug costs what came after the last one, and nothing that was there before (`NORMAL` would only
keep the file sound, and lose everything since the last checkpoint). A transaction holds all tables of one moment, so
whatever is read adds up. A store that an earlier process left in mid-flight is closed first: the exchanges that were
open end where they were last seen, their flows with them.

Rules: the file and its log are the owner's alone (0600). A damaged file is put aside, never overwritten. While the disk
is full nothing is written and nothing raised: rows wait, up to MAX_WAITING, beyond which the oldest are given up,
counted in `lost_rows`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ..core.errors import EnvironmentFault
from ..core.schema import COUNTERS
from .cells import escaped
from .layout import APPLICATION_ID, KEPT, insertion, is_store, lay_out, to_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    import polars as pl

BUSY_MS = 5_000  # how long a marker of sessions may hold the lock
MAX_WAITING = 500_000  # rows that wait for a disk that is full
LOG_BYTES = 4 << 20  # of the write-ahead log that are kept between checkpoints
DAY_NS = 86_400 * 1_000_000_000
PRUNED = {"flows": "last_seen", "exchanges": '"end"', "tls": "time", "dns": "time", "http": "time", "capture": "last_seen"}
YOUNG, SHOW_EVERY = 3, 60  # seconds: a flow whose name may still come; between two rows of one that goes on
PRUNE_ROWS, PRUNE_PAGES = 20_000, 2_000  # deleted and given back to the file system in one go: the writer goes on between


class Store:
    """The writer of one file; a context manager."""

    def __init__(self, path: str, *, warn: Callable[[str], None] | None = None) -> None:
        """Opens or makes `path`; raises `EnvironmentFault`, one line, where that cannot be."""
        self.path, self.warn = path, warn or _ignore
        self.lost_rows = 0
        self.full = False
        self._waiting: deque[dict[str, list[tuple[object, ...]]]] = deque()
        self._minute = 0
        self._shown: dict[object, float] = {}  # when a flow that goes on was last written, monotonic
        try:
            self._connection = self._opened()
        except (OSError, sqlite3.Error) as error:
            raise EnvironmentFault(f"{escaped(path)}: cannot be used as a store: {error}: choose another with --store") from error

    def _opened(self) -> sqlite3.Connection:
        file = Path(self.path)
        if file.exists() and file.stat().st_size and not is_store(self.path):
            raise EnvironmentFault(f"{escaped(self.path)}: is something else than a wiretally store; name another with --store")
        if file.exists() and file.stat().st_size and not _is_sound(self.path):
            self.warn(f"{escaped(self.path)}: was damaged; put aside as {escaped(_put_aside(file))}, a new one is begun")
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        file.chmod(0o600)
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        new = not file.stat().st_size
        first = ("auto_vacuum = INCREMENTAL", f"application_id = {APPLICATION_ID}") if new else ()  # into the file, not the log
        for pragma in (*first, "journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {BUSY_MS}",
                       f"journal_size_limit = {LOG_BYTES}"):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN IMMEDIATE")
        lay_out(connection)
        _close_what_was_left(connection)
        connection.execute("COMMIT")
        (self._minute,) = connection.execute("SELECT coalesce(max(rowid), 0) FROM capture").fetchone()
        return connection

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Closes the file."""
        self.close()

    def close(self) -> None:
        """What still waits is tried once more; the log goes into the file."""
        self._try()
        self.lost_rows += sum(len(rows) for batch in self._waiting for rows in batch.values())
        self._connection.close()

    def keep(self, frames: Mapping[str, pl.DataFrame], *, minute_is_over: bool = False) -> None:
        """One transaction: all tables of one moment.

        frames: flows, exchanges, tls, dns, http as they have ended; `running` and `open` as they are now (a live taking);
        `capture`: the row of the running minute, which replaces itself until `minute_is_over`.
        """
        rows = {name: to_rows(name, frame) for name, frame in frames.items() if name in KEPT and name != "capture"}
        rows["closed"] = [(row[0],) for name in ("flows", "exchanges") for row in rows.get(name, [])]
        for row in rows.get("flows", []):
            self._shown.pop(row[0], None)
        rows["flows"] = (self._to_show(frames["running"]) if "running" in frames else []) + rows.get("flows", [])
        rows["open_exchanges"] = to_rows("open_exchanges", frames["open"]) if "open" in frames else []
        if "capture" in frames:
            rows["capture"] = [(self._minute + 1, *row) for row in to_rows("capture", frames["capture"])]
            self._minute += minute_is_over
        self._waiting.append(rows)
        self._try()

    def _to_show(self, running: pl.DataFrame) -> list[tuple[object, ...]]:
        """Rows of flows that go on: new ones, young ones, whose name may still come, and each once in a while.

        Their counters come from their exchanges (`reader.py`), so that writing them more often would only wear the disk.
        """
        import polars as pl

        now = time.monotonic()
        young = (running["last_seen"] - running["first_seen"]).dt.total_seconds() <= YOUNG
        due = pl.Series([self._shown.get(flow, -SHOW_EVERY) <= now - SHOW_EVERY for flow in running["flow_id"]], dtype=pl.Boolean)
        wanted = running.filter(young | due)
        self._shown.update(dict.fromkeys(wanted["flow_id"].to_list(), now))
        return to_rows("flows", wanted)

    def _try(self) -> None:
        """Writes what waits, oldest first."""
        while self._waiting:
            try:
                self._write(self._waiting[0])
            except sqlite3.OperationalError as error:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._wait(str(error))
                return
            self._waiting.popleft()
            if self.full:
                self.full = False
                self.warn(f"{escaped(self.path)}: written again")

    def _write(self, rows: dict[str, list[tuple[object, ...]]]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM open_exchanges WHERE flow_id = ?", rows["closed"])
        for name in ("flows", "exchanges", "open_exchanges", "tls", "dns", "http"):
            if rows.get(name):
                connection.executemany(insertion(name), rows[name])
        if rows.get("capture"):
            statement = insertion("capture").replace("capture (", "capture (rowid, ").replace("VALUES (", "VALUES (?, ")
            connection.executemany(statement, rows["capture"])
        connection.execute("COMMIT")

    def _wait(self, why: str) -> None:
        """The disk is full, or somebody holds the lock: rows wait, the oldest are given up beyond MAX_WAITING."""
        if not self.full:
            self.full = True
            self.warn(f"{escaped(self.path)}: cannot be written: {why}; counting goes on, rows wait")
        while sum(len(rows) for batch in self._waiting for rows in batch.values()) > MAX_WAITING:
            self.lost_rows += sum(len(rows) for rows in self._waiting.popleft().values())

    def prune(self, now_ns: int, *, days: float | None = None, max_bytes: int | None = None) -> int:
        """Deletes what is older than `days`, and the oldest while the file is larger than `max_bytes`; how many rows.

        A stretch at a time: call it again while it says that rows went.
        """
        gone = 0
        if days is not None:
            gone += self._delete_before(int(now_ns - days * DAY_NS))
        if not gone and max_bytes is not None and self.used_bytes() > max_bytes:
            (oldest,) = self._connection.execute('SELECT min("end") FROM exchanges').fetchone()
            if oldest is not None:
                row = self._connection.execute(
                    'SELECT "end" FROM exchanges ORDER BY "end" LIMIT 1 OFFSET ?', (PRUNE_ROWS // 4,)).fetchone()  # fmt: skip
                gone += self._delete_before(row[0] + 1 if row else now_ns)
        if gone:
            self._connection.execute(f"PRAGMA incremental_vacuum({PRUNE_PAGES})").fetchall()
        return gone

    def _delete_before(self, limit: int) -> int:
        gone = 0
        self._connection.execute("BEGIN IMMEDIATE")
        for name, column in PRUNED.items():
            ended = ' AND "end" IS NOT NULL' if name == "flows" else ""
            gone += self._connection.execute(
                f"DELETE FROM {name} WHERE rowid IN (SELECT rowid FROM {name} WHERE {column} < ?{ended} LIMIT {PRUNE_ROWS})",  # noqa: S608  (names of the schema)
                (limit,),
            ).rowcount
        self._connection.execute("COMMIT")
        return gone

    def used_bytes(self) -> int:
        """Of the file, free pages left out."""
        pages, free, size = (self._connection.execute(f"PRAGMA {name}").fetchone()[0]
                             for name in ("page_count", "freelist_count", "page_size"))  # fmt: skip
        return int((pages - free) * size)


def _ignore(_: str) -> None:
    """What becomes of a message that nobody asked for."""


def _is_sound(path: str) -> bool:
    """SQLite's own check, on a connection of its own."""
    try:
        connection = sqlite3.connect(path)
        try:
            return bool(connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",))
        finally:
            connection.close()
    except sqlite3.DatabaseError:
        return False


def _put_aside(file: Path) -> str:
    """Renames the file and its log; returns the new name."""
    name = f"{file.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}"
    number = 0
    while (aside := file.with_name(name + (f"-{number}" if number else ""))).exists():
        number += 1
    for ending in ("", "-wal", "-shm"):
        part = file.with_name(file.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside.name


def _close_what_was_left(connection: sqlite3.Connection) -> None:
    """Flows that a process which has gone left open end as far as they were seen."""
    names = ", ".join(f'"{name}"' for name in KEPT["exchanges"].names)
    connection.execute(f"INSERT INTO exchanges ({names}) SELECT {names} FROM open_exchanges")  # noqa: S608  (names of the schema)
    connection.execute("DELETE FROM open_exchanges")
    of_flow = "FROM exchanges e WHERE e.flow_id = flows.flow_id"
    sums = ", ".join(f"{each.name} = (SELECT coalesce(sum({each.name}), 0) {of_flow})" for each in COUNTERS)
    last = f'last_seen = max(last_seen, (SELECT coalesce(max("end"), 0) {of_flow}))'
    connection.execute(f"UPDATE flows SET {sums}, {last}, \"end\" = 'eof' WHERE \"end\" IS NULL")  # noqa: S608
