"""One process writes a store; what is damaged is told from what is somebody else's."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from crafting.sessions import START, frame, moment
from crafting.stores import exchange, minute
from wiretally.core.errors import EnvironmentFault
from wiretally.store import marks
from wiretally.store.database import Store
from wiretally.store.guard import PAGE_BYTES, WriterLock, is_ours
from wiretally.store.reader import read_store

HOLDS = """
import sys, time
from wiretally.store.guard import WriterLock
print(WriterLock(sys.argv[1]).take(), flush=True)
time.sleep(60)
"""


def kept(path, *, rows=3000):
    """A store with rows in it; closed."""
    exchanges = [{"flow_id": f"f{n}", "start": moment(START), "end": moment(START), "up_packets": 1} for n in range(rows)]
    with Store(str(path)) as store:
        store.keep({"exchanges": frame("exchanges", exchanges)})
    return path


def test_a_second_writer_is_refused_and_marks_and_readers_are_not(tmp_path):
    path, link = str(tmp_path / "a.db"), tmp_path / "link.db"
    with Store(path) as store:
        link.symlink_to(path)
        for name in (path, str(link)):
            with pytest.raises(EnvironmentFault, match=r"\.db: is written by another process; end that one, or name another with --store"):
                Store(name)
        assert marks.start(path, "normal", "10.0.0.2") == "normal-1"
        store.keep({"exchanges": frame("exchanges", [{"flow_id": "f", "start": moment(START), "end": moment(START)}])})
        assert read_store(path, ("exchanges",))["exchanges"].height == 1
    with Store(path):
        pass
    assert {file.name for file in tmp_path.iterdir()} == {"a.db", "link.db"}  # nothing is left lying about


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    path = str(tmp_path / "a.db")
    with subprocess.Popen([sys.executable, "-c", HOLDS, path], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "True\n"
        with pytest.raises(EnvironmentFault, match="is written by another process"):
            Store(path)
        assert not Path(path).exists()
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert Path(path + "-lock").exists()
    with Store(path):
        assert Path(path + "-lock").stat().st_mode & 0o777 == 0o600


def test_a_lock_whose_name_is_gone_is_no_lock(tmp_path):
    first, second = WriterLock(str(tmp_path / "a.db")), WriterLock(str(tmp_path / "a.db"))
    assert first.take()
    first.leave()
    assert second.take()
    assert not WriterLock(str(tmp_path / "a.db")).take()
    second.leave()


def test_a_refused_store_holds_no_lock(tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("dear reader, " * 20)
    with pytest.raises(EnvironmentFault, match="is something else"):
        Store(str(path))
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("damage", [bytes(PAGE_BYTES), bytes(512), b"\xff" * PAGE_BYTES, b"SQLite f" + bytes(92)])
def test_a_store_whose_first_page_is_damaged_is_put_aside(tmp_path, damage):
    path = kept(tmp_path / "a.db")
    data = damage + path.read_bytes()[len(damage) :]
    path.write_bytes(data)
    said = []
    with Store(str(path), warn=said.append):
        pass
    assert "was damaged; put aside as a.db.damaged-" in said[0]
    assert next(tmp_path.glob("a.db.damaged-*")).read_bytes() == data


def test_a_header_that_the_log_still_has_is_taken_from_there(tmp_path):
    path, copy = tmp_path / "a.db", tmp_path / "b.db"
    with Store(str(path)) as store:
        store.keep({"exchanges": frame("exchanges", [{"flow_id": "f", "start": moment(START), "end": moment(START)}])})
        for ending in ("", "-wal"):
            (tmp_path / f"b.db{ending}").write_bytes((tmp_path / f"a.db{ending}").read_bytes())
    data = copy.read_bytes()
    copy.write_bytes(bytes(PAGE_BYTES) + data[PAGE_BYTES:])
    said = []
    with Store(str(copy), warn=said.append):
        pass
    assert said == []
    assert read_store(str(copy), ("exchanges",))["exchanges"].height == 1


def database(path, *, vacuum=2):
    connection = sqlite3.connect(path)
    connection.executescript(f"PRAGMA auto_vacuum = {vacuum}; CREATE TABLE letters (text); CREATE TABLE journal (day)")
    connection.executemany("INSERT INTO letters VALUES (?)", [("dear reader" * 300,)] * 50)
    connection.commit()
    connection.close()
    return path.read_bytes()


@pytest.mark.parametrize("kind", ["text", "capture", "database", "database without its first page", "image", "quotation"])
def test_files_of_others_stay_as_they_are(tmp_path, kind):
    path = tmp_path / "a.db"
    other = database(tmp_path / "other.db")
    data = {
        "text": b"dear reader, " * 20, "capture": bytes.fromhex("d4c3b2a102000400") + bytes(8192), "database": other,
        "database without its first page": bytes(PAGE_BYTES) + other[PAGE_BYTES:], "image": bytes(32_768) + b"\x01CD001" + bytes(4090),
        "quotation": (b"CREATE TABLE open_exchanges (" * 300)[: 2 * PAGE_BYTES],
    }[kind]  # fmt: skip
    path.write_bytes(data)
    assert not is_ours(path)
    with pytest.raises(EnvironmentFault, match="is something else"):
        Store(str(path))
    assert path.read_bytes() == data
    assert not list(tmp_path.glob("*.damaged-*"))


def test_what_cannot_be_looked_at_is_not_damaged(tmp_path):
    """A lock that somebody holds, and a disk that takes nothing, say nothing of the file: it stays where it is."""
    path = kept(tmp_path / "a.db", rows=10)
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(EnvironmentFault, match="cannot be used as a store"):
            Store(str(path))
    finally:
        holder.close()
    left = Store(str(path))  # as a pulled plug leaves it: the log is there
    left.keep({"exchanges": frame("exchanges", [{"flow_id": "f", "start": moment(START), "end": moment(START)}])})
    for ending in ("", "-wal"):
        (tmp_path / f"b.db{ending}").write_bytes((tmp_path / f"a.db{ending}").read_bytes())
    left.close()
    program = ("import resource, signal, sys; from wiretally.store.database import Store; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
               "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); Store(sys.argv[1])")  # fmt: skip
    full = subprocess.run([sys.executable, "-c", program, str(tmp_path / "b.db")], capture_output=True, text=True, check=False)
    assert "cannot be used as a store" in full.stderr.splitlines()[-1]
    assert [file.name for file in tmp_path.iterdir() if "damaged" in file.name] == []
    assert read_store(str(tmp_path / "b.db"), ("exchanges",))["exchanges"].height == 11


def test_it_is_the_owners_alone_and_nothing_else_is_overwritten(tmp_path):
    old = os.umask(0)
    try:
        with Store(str(tmp_path / "a.db")) as store:
            store.keep({"capture": minute(1)})
            modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(old)
    assert modes == {0o600}
    other = tmp_path / "letter.txt"
    other.write_text("dear reader, " * 20)
    with pytest.raises(EnvironmentFault, match="is something else"):
        Store(str(other))
    assert other.read_text().startswith("dear reader")
    with pytest.raises(EnvironmentFault, match="nowhere"):
        Store(str(tmp_path / "nowhere" / "a.db"))


def test_a_damaged_file_is_put_aside(tmp_path):
    path = tmp_path / "a.db"
    with Store(str(path)) as store:
        store.keep({"exchanges": frame("exchanges", [exchange(f"f{n}") for n in range(3000)])})
    data = bytearray(path.read_bytes())
    data[8192:40960] = bytes(32768)
    path.write_bytes(data)
    said = []
    with Store(str(path), warn=said.append) as store:
        store.keep({"capture": minute(1)})
    assert len(said) == 1
    assert "was damaged; put aside as a.db.damaged-" in said[0]
    (aside,) = tmp_path.glob("a.db.damaged-*")
    assert aside.read_bytes() == bytes(data)
    assert read_store(str(path), ("exchanges",))["exchanges"].height == 0


@pytest.mark.parametrize("size", [4096, 100_000])
def test_a_file_of_nothing_but_zeros_is_a_store_that_the_power_went_away_from(tmp_path, size):
    path = tmp_path / "a.db"
    path.write_bytes(bytes(size))
    said = []
    with Store(str(path), warn=said.append) as store:
        store.keep({"exchanges": frame("exchanges", [exchange("f")])})
    assert "was damaged; put aside as a.db.damaged-" in said[0]
    assert next(tmp_path.glob("a.db.damaged-*")).read_bytes() == bytes(size)
    assert read_store(str(path), ("exchanges",))["exchanges"].height == 1


def test_an_empty_file_becomes_a_store(tmp_path):
    path = tmp_path / "a.db"
    path.touch()
    said = []
    with Store(str(path), warn=said.append) as store:
        store.keep({"exchanges": frame("exchanges", [exchange("f")])})
    assert said == []
    assert read_store(str(path), ("exchanges",))["exchanges"].height == 1
