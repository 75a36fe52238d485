"""The live store: one SQLite file that a single writer fills, a transaction at a time.

Theory: WAL, so that readers never block the writer. `synchronous=FULL`: the log is on the medium when a transaction
ends, so that a pulled plug costs what came after the last one, and nothing that was there before (`NORMAL` would only
keep the file sound, and lose everything since the last checkpoint). A transaction holds all tables of one moment, so
whatever is read adds up. Moments go into the journal (`journal.py`) and from there, many at once, into the tables:
FOLD_ROWS at a time, with each moment that comes until none is left, so that the journal does not grow. Only on this way
are places and owners looked up: once for each flow that is left, for many at a time, which costs a tenth. A store that an
earlier process left in mid-flight is closed first: the exchanges that were open end where they were last seen, their
flows with them.

Rules: one process writes it (`guard.py`). The file and its log are the owner's alone (0600). A damaged file is put aside,
never overwritten. What retention deletes goes back to the file system, but for pages that the next moments need. While the disk
is full nothing is written and nothing raised: rows wait, up to MAX_WAITING, beyond which the oldest are given up,
counted in `lost_rows`. Damage that shows while it is written raises `EnvironmentFault`: the next start puts it aside.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections import deque
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from ..core.errors import EnvironmentFault
from ..core.schema import COUNTERS
from .cells import escaped
from .guard import PAGE_BYTES, WriterLock, is_ours, is_sound, put_aside
from .journal import OPEN, RUNNING, SHAPES, folded, packed
from .layout import APPLICATION_ID, KEPT, insertion, lay_out, to_rows
from .marks import follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    import polars as pl

    Tables = Mapping[str, pl.DataFrame]

BUSY_MS = 5_000  # how long a marker of sessions may hold the lock
MAX_WAITING = 500_000  # rows that wait for a disk that is full
LOG_BYTES = 16 << 20  # of the write-ahead log between checkpoints: what changes often is written into the file once
DAY_NS = 86_400 * 1_000_000_000
PRUNED = {"flows": "last_seen", "exchanges": '"end"', "tls": "time", "dns": "time", "http": "time",
          "announced": "time", "capture": "last_seen"}  # fmt: skip
FOLD_EVERY = 30.0  # seconds; where a fold has left something, the next moment brings another
FOLD_ROWS = 10_000  # that go from the journal into the tables in one transaction
ROWS_AT_ONCE = 1_000  # that are made for SQLite: as Python's values they take twenty times the room
CLOSING = 20.0  # seconds that the end may spend on folding; readers do not need it
SUPERSEDED = 16  # rows of exchanges that go on, of which folding leaves one: what they count for
ORDER = (RUNNING, "flows", "exchanges", OPEN, "tls", "dns", "http", "announced")  # of the blocks of one moment
PRUNE_ROWS, PRUNE_PAGES = 20_000, 2_000  # deleted and given back to the file system in one go: the writer goes on between
SPARE_PAGES, SPARE_SHARE = 4_000, 8  # that stay free, since the journal fills them again; of those in use an eighth at most


class Store:
    """The writer of one file; a context manager."""

    def __init__(
        self, path: str, *, warn: Callable[[str], None] | None = None, attributed: Callable[[Tables], Tables] | None = None
    ) -> None:
        """Opens or makes `path`; raises `EnvironmentFault`, one line, where that cannot be.

        attributed: adds places and owners to tables on their way from the journal; may be another one at any time.
        """
        self.path, self.warn, self.attributed = path, warn or _ignore, attributed or _as_they_are
        self.lost_rows = 0
        self.full = False
        self.folds = 0  # times that moments went from the journal into the tables
        self._waiting: deque[_Moment] = deque()
        self._steps: deque[tuple[int, int, int, str | None]] = deque()  # of the clock, not written yet
        self._minute = self._moment = 0
        self._account: list[tuple[object, ...]] = []  # the capture's row as it was last kept
        self._folded = time.monotonic()
        self._behind = False  # the last fold left moments in the journal
        self._lock = WriterLock(path)
        try:
            alone = self._lock.take()
        except OSError as error:
            raise EnvironmentFault(f"{escaped(path)}: cannot be used as a store: {error}: choose another with --store") from error
        if not alone:
            raise EnvironmentFault(f"{escaped(path)}: is written by another process; end that one, or name another with --store")
        try:
            self._connection = self._opened()
        except (OSError, sqlite3.Error) as error:
            self._lock.leave()
            raise EnvironmentFault(f"{escaped(path)}: cannot be used as a store: {error}: choose another with --store") from error
        except EnvironmentFault:
            self._lock.leave()
            raise

    def _opened(self) -> sqlite3.Connection:
        file = Path(self.path)
        something = file.exists() and file.stat().st_size
        if something and not is_ours(file):
            raise EnvironmentFault(f"{escaped(self.path)}: is something else than a wiretally store; name another with --store")
        if something and not is_sound(self.path):
            self.warn(f"{escaped(self.path)}: was damaged; put aside as {escaped(put_aside(file))}, a new one is begun")
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        file.chmod(0o600)
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        new = not file.stat().st_size
        first = ("auto_vacuum = INCREMENTAL", f"application_id = {APPLICATION_ID}") if new else ()  # into the file, not the log
        for pragma in (*first, "journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {BUSY_MS}",
                       f"journal_size_limit = {LOG_BYTES}", f"wal_autocheckpoint = {LOG_BYTES // PAGE_BYTES}"):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN IMMEDIATE")
        lay_out(connection)
        while _fold(connection, self.attributed)[1]:
            pass
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
        """What still waits is tried once more; the journal goes into the tables, the log into the file."""
        try:
            self._try()
        except EnvironmentFault as fault:  # the next start sees to it
            self.warn(str(fault))
        until = time.monotonic() + CLOSING
        with contextlib.suppress(sqlite3.Error):  # it is whole as it is
            while not self.full and time.monotonic() < until and self.fold():
                pass
        self.lost_rows += sum(moment.rows for moment in self._waiting)
        self._connection.close()
        self._lock.leave()

    def keep(self, frames: Tables, *, minute_is_over: bool = False) -> None:
        """One transaction: all tables of one moment.

        frames: flows, exchanges, tls, dns, http, announced as they have ended; `running` and `open` as they are now (a live taking);
        `capture`: the row of the running minute, which replaces itself until `minute_is_over`.
        """
        account = to_rows("capture", frames["capture"]) if "capture" in frames else []
        blocks = [(name, frames[name].height, packed(frames[name])) for name in ORDER if name in frames and frames[name].height]
        del frames  # a fold may follow, which needs room of its own
        if not blocks and not minute_is_over and account == self._account:
            self._try()
            return
        self._account = account
        self._moment += 1
        self._waiting.append(_Moment(self._moment, blocks, [(self._minute + 1, *row) for row in account]))
        self._minute += minute_is_over and bool(account)
        self._try()

    def note_step(self, at_ns: int, step_ns: int, monotonic_ns: int, boot: str | None) -> None:
        """The wall clock was stepped by `step_ns`, to `at_ns`; what is kept from now on has the new times, and sessions go on by them."""
        self._steps.append((at_ns, step_ns, monotonic_ns, boot))
        with self._writing():
            self._write_steps()

    def _write_steps(self) -> None:
        while self._steps:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("INSERT INTO clock_steps VALUES (?, ?, ?, ?)", self._steps[0])
            follow(self._connection, *self._steps[0])
            self._connection.execute("COMMIT")
            self._steps.popleft()

    def _try(self) -> None:
        """Writes what waits, oldest first, and folds when it is time."""
        with self._writing():
            self._write_steps()
            while self._waiting:
                self._write(self._waiting[0])
                self._waiting.popleft()
                if self.full:
                    self.full = False
                    self.warn(f"{escaped(self.path)}: written again")
            if self._behind or time.monotonic() - self._folded >= FOLD_EVERY:
                self.fold()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """What goes wrong meanwhile: a full disk or a lock is waited for, damage is the operator's."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._wait(str(error))
        except sqlite3.DatabaseError as error:
            raise EnvironmentFault(f"{escaped(self.path)}: damaged: {error}; start again: it is put aside then") from error

    def _write(self, moment: _Moment) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO journal (moment, name, rows, data) VALUES (?, ?, ?, ?)",
                               [(moment.number, *block) for block in moment.blocks])  # fmt: skip
        if moment.account:
            statement = insertion("capture").replace("capture (", "capture (rowid, ").replace("VALUES (", "VALUES (?, ")
            connection.executemany(statement, moment.account)
        connection.execute("COMMIT")

    def fold(self) -> int:
        """Moves the oldest moments of the journal into the tables, one transaction; how many blocks they were."""
        self._folded = time.monotonic()
        self._connection.execute("BEGIN IMMEDIATE")
        blocks, self._behind = _fold(self._connection, self.attributed)
        self._connection.execute("COMMIT")
        self.folds += 1
        return blocks

    def _wait(self, why: str) -> None:
        """The disk is full, or somebody holds the lock: rows wait, the oldest are given up beyond MAX_WAITING."""
        if not self.full:
            self.full = True
            self.warn(f"{escaped(self.path)}: cannot be written: {why}; counting goes on, rows wait")
        while sum(moment.rows for moment in self._waiting) > MAX_WAITING:
            self.lost_rows += self._waiting.popleft().rows

    def prune(self, now_ns: int, *, days: float | None = None, max_bytes: int | None = None) -> int:
        """Deletes what is older than `days`, and the oldest while the file is larger than `max_bytes`; how many rows and pages.

        A stretch at a time: call it again while it says that something went.
        """
        gone = 0
        with self._writing():
            gone = self._delete(now_ns, days, max_bytes)
            gone += self._give_back()
        return gone

    def _delete(self, now_ns: int, days: float | None, max_bytes: int | None) -> int:
        gone = 0
        if days is not None:
            gone += self._delete_before(int(now_ns - days * DAY_NS))
        if not gone and max_bytes is not None and self.used_bytes() > max_bytes:
            (latest,) = self._connection.execute('SELECT max("end") FROM exchanges').fetchone()  # by a clock that was stepped since, perhaps
            if latest is not None:
                row = self._connection.execute(
                    'SELECT "end" FROM exchanges ORDER BY "end" LIMIT 1 OFFSET ?', (PRUNE_ROWS // 4,)).fetchone()  # fmt: skip
                gone += self._delete_before((row[0] if row else latest) + 1)
            else:  # all of it is journal
                gone += self.fold()
        return gone

    def _give_back(self) -> int:
        """Makes the file shorter by free pages; how many. The log has to go into the file for that."""
        used, free = self._pages()
        pages = min(free - min(SPARE_PAGES, used // SPARE_SHARE), PRUNE_PAGES)
        if pages <= 0:
            return 0
        self._connection.executescript(f"PRAGMA incremental_vacuum({pages})")  # execute() stops at the first page
        self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        return max(free - self._pages()[1], 0)

    def _delete_before(self, limit: int) -> int:
        gone = 0
        self._connection.execute("BEGIN IMMEDIATE")
        for name, column in PRUNED.items():
            ended = ' AND "end" IS NOT NULL' if name == "flows" else ""
            gone += self._connection.execute(
                f"DELETE FROM {name} WHERE rowid IN (SELECT rowid FROM {name} WHERE {column} < ?{ended} LIMIT {PRUNE_ROWS})",  # noqa: S608  (names of the schema)
                (limit,),
            ).rowcount
        # minutes without a packet have no time of their own: they are as old as those around them
        gone += self._connection.execute(
            "DELETE FROM capture WHERE last_seen IS NULL AND rowid < (SELECT min(rowid) FROM capture WHERE last_seen IS NOT NULL)").rowcount  # fmt: skip
        self._connection.execute("COMMIT")
        return gone

    def used_bytes(self) -> int:
        """Of the file, free pages left out."""
        return self._pages()[0] * PAGE_BYTES

    def _pages(self) -> tuple[int, int]:
        """In use, and free."""
        pages, free = (self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
        return pages - free, free


class _Moment(NamedTuple):
    """What one transaction holds: blocks of the journal (name, rows, data) and the row of the capture's account."""

    number: int
    blocks: list[tuple[str, int, bytes]]
    account: list[tuple[object, ...]]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(count for _, count, _ in self.blocks) + len(self.account)


def _fold(connection: sqlite3.Connection, attributed: Callable[[Tables], Tables]) -> tuple[int, bool]:
    """The oldest whole moments, FOLD_ROWS at most but one at least, from the journal into the tables.

    How many blocks they were, and whether others are left.
    """
    count, number, more = 0, None, False
    waiting = connection.execute("SELECT moment, name, rows, number FROM journal ORDER BY number")
    for _, moment in groupby(waiting, itemgetter(0)):
        held = list(moment)
        rows = sum(height // SUPERSEDED if name == OPEN else height for _, name, height, _ in held)
        if number is not None and count + rows > FOLD_ROWS:
            more = True
            break
        count, number = count + rows, held[-1][3]
    waiting.close()
    if number is None:
        return 0, False
    blocks = connection.execute("SELECT moment, name, data FROM journal WHERE number <= ? ORDER BY number", (number,)).fetchall()
    found = folded([block for block in blocks if block[1] in SHAPES])
    connection.executemany("DELETE FROM open_exchanges WHERE flow_id = ?", [(name,) for name in found.closed])
    frames = {**attributed(found.tables), "open_exchanges": found.open}
    del blocks, found
    while frames:  # each leaves memory when it is written
        name, frame = frames.popitem()
        for part in frame.iter_slices(ROWS_AT_ONCE):
            connection.executemany(insertion(name), to_rows(name, part))
    return connection.execute("DELETE FROM journal WHERE number <= ?", (number,)).rowcount, more


def _ignore(_: str) -> None:
    """What becomes of a message that nobody asked for."""


def _as_they_are(tables: Tables) -> Tables:
    """Where nobody says what places and owners are."""
    return tables


def _close_what_was_left(connection: sqlite3.Connection) -> None:
    """Flows that a process which has gone left open end as far as they were seen."""
    names = ", ".join(f'"{name}"' for name in KEPT["exchanges"].names)
    connection.execute(f"INSERT INTO exchanges ({names}) SELECT {names} FROM open_exchanges")  # noqa: S608  (names of the schema)
    connection.execute("DELETE FROM open_exchanges")
    sums = ", ".join(f"coalesce(sum(e.{each.name}), 0) AS {each.name}" for each in COUNTERS)
    taken = ", ".join(f"{each.name} = told.{each.name}" for each in COUNTERS)
    connection.execute(
        f"UPDATE flows SET {taken}, last_seen = max(last_seen, told.latest), \"end\" = 'eof' FROM ("  # noqa: S608  (names of the schema)
        f'SELECT f.flow_id, {sums}, coalesce(max(e."end"), 0) AS latest FROM flows f LEFT JOIN exchanges e USING (flow_id) '
        f'WHERE f."end" IS NULL GROUP BY f.flow_id) AS told WHERE flows.flow_id = told.flow_id'
    )
