"""Whose file it is, and whether it is whole: what is asked before a store is written.

Theory: two writers would count everything twice, so one process holds `FILE-lock` (flock(2): the kernel lets go of it
however the process ends). It is a file of its own since SQLite locks the store itself with fcntl(2), which on some
systems meets flock, and which a process loses when it closes any descriptor of the file. Readers and those who mark
sessions do not ask for it.

A store is known by its header. Where that is damaged, what remains says so: the pages behind it, and those in the
write-ahead log, hold the text of our tables (sqlite.org/fileformat.html §1.6, §2.6, §4.1).

Rules: a file of somebody else's is neither moved nor written. A damaged store is renamed, never overwritten.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .journal import is_whole
from .layout import APPLICATION_ID, ID_AT, MAGIC, is_store

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE_BYTES = 4096
POINTER_MAP_ENTRY, POINTER_KINDS = 5, 5  # §1.8: kind of page and parent, for each page behind it; how many kinds
LEAF = 0x0D  # of a table's tree: §1.6
OURS = (b"CREATE TABLE open_exchanges (", b"CREATE TABLE clock_steps (")  # in the table of tables: §2.6
LOG_MAGIC, LOG_HEADER, FRAME_HEADER = (0x377F0682, 0x377F0683), 32, 24  # §4.1
ENDINGS = ("", "-wal", "-shm")
# what keeps SQLite from looking is no damage: sqlite.org/rescode.html, the low byte of which is the primary code
UNKNOWABLE, PRIMARY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR,
                                 sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY}), 0xFF  # fmt: skip


class WriterLock:
    """Held from `take` until `leave`, or until the process is gone."""

    def __init__(self, path: str) -> None:
        """`path`: of the store; links to it are followed, as SQLite does."""
        self._path = Path(os.path.realpath(path) + "-lock")
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Whether it could be had; raises OSError where there can be no such file."""
        try:
            import fcntl
        except ImportError:  # no such locks on this system
            return True
        while True:
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with suppress(FileNotFoundError):
                    if os.path.samestat(os.fstat(descriptor), self._path.stat()):
                        self._descriptor = descriptor
                        return True
            except BlockingIOError:
                os.close(descriptor)
                return False
            except OSError:
                os.close(descriptor)
                raise
            os.close(descriptor)  # another process has just removed it

    def leave(self) -> None:
        """Lets go, and leaves no file behind."""
        if self._descriptor is not None:
            self._path.unlink(missing_ok=True)  # first, so that nobody has it who does not have its name
            os.close(self._descriptor)
            self._descriptor = None


def is_ours(file: Path) -> bool:
    """Whether a file that is not empty is a store, or what remains of one."""
    if is_store(str(file)):
        return True
    with file.open("rb") as opened:
        if opened.read(len(MAGIC)) == MAGIC:
            return False  # another program's database
    return any(map(_tells, _remains(file))) or _is_blank(file)


def is_sound(path: str) -> bool:
    """SQLite's own check, and that of the journal's blocks; what the log holds goes into the file, be it the header.

    Raises sqlite3.OperationalError where that cannot be found out: a full disk, a lock that another process holds.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            checks = ("integrity_check(1)", "application_id")
            if [connection.execute(f"PRAGMA {check}").fetchone()[0] for check in checks] != ["ok", APPLICATION_ID]:
                return False
            (there,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'journal'").fetchone()
            return all(is_whole(data) for (data,) in connection.execute("SELECT data FROM journal")) if there else True
    except sqlite3.DatabaseError as error:
        code = error.sqlite_errorcode
        if code & PRIMARY in UNKNOWABLE and code != sqlite3.SQLITE_IOERR_SHORT_READ:
            raise
        return False


def put_aside(file: Path) -> str:
    """Renames the file and its log; returns the new name."""
    name = f"{file.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}"
    number = 0
    while (aside := file.with_name(name + (f"-{number}" if number else ""))).exists():
        number += 1
    for ending in ENDINGS:
        part = file.with_name(file.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside.name


def _is_blank(file: Path) -> bool:
    """Whether there is nothing at all in it: what file systems make of a file that the power went away from."""
    with file.open("rb") as opened:
        return not any(any(piece) for piece in iter(lambda: opened.read(1 << 20), b""))


def _remains(file: Path) -> Iterator[bytes]:
    """The pages of the log beside the file, and those behind the file's first, where it has the form of a database."""
    log = file.with_name(file.name + "-wal")
    if log.exists():
        with log.open("rb") as opened:
            head = opened.read(LOG_HEADER)
            if len(head) == LOG_HEADER and struct.unpack_from(">I", head)[0] in LOG_MAGIC:
                while len(frame := opened.read(FRAME_HEADER + PAGE_BYTES)) == FRAME_HEADER + PAGE_BYTES:
                    yield frame[FRAME_HEADER:]
    rest = file.stat().st_size % PAGE_BYTES
    with file.open("rb") as opened:
        opened.seek(PAGE_BYTES)
        if not rest and _is_pointer_map(opened.read(PAGE_BYTES)):
            yield from iter(lambda: opened.read(PAGE_BYTES), b"")


def _is_pointer_map(page: bytes) -> bool:
    """Whether the second page is what it is in a database that can be made smaller."""
    kinds = page[: len(page) // POINTER_MAP_ENTRY * POINTER_MAP_ENTRY : POINTER_MAP_ENTRY]
    return bool(kinds) and kinds[0] > 0 and max(kinds) <= POINTER_KINDS


def _tells(page: bytes) -> bool:
    """Whether a page can only be one of a store."""
    first = page.startswith(MAGIC) and page[ID_AT : ID_AT + 4] == APPLICATION_ID.to_bytes(4, "big")
    return first or (page[0] == LEAF and any(text in page for text in OURS))
