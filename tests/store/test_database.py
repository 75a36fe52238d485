"""The store keeps what it is given, once, through damage, full disks and clocks that are stepped."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from crafting.rights import small_disk
from crafting.sessions import MINUTE, NS, START, frame, moment
from crafting.stores import exchange, flow, gone, minute
from wiretally.core.errors import EnvironmentFault
from wiretally.store import database
from wiretally.store.database import Store
from wiretally.store.reader import read_store


def test_running_flows_count_as_their_exchanges_say_and_nothing_twice(tmp_path):
    path = str(tmp_path / "a.db")
    with Store(path) as store:
        store.keep({"running": frame("flows", [flow("f", packets=2)]), "open": frame("exchanges", [exchange("f", packets=2)])})
        store.keep({"running": frame("flows", [flow("f", packets=7, seconds=9)]), "exchanges": frame("exchanges", [exchange("f", packets=4)]),
                    "open": frame("exchanges", [exchange("f", packets=3)])})  # fmt: skip
        found = read_store(path, ("flows", "exchanges"))
        assert found["flows"]["up_packets"].to_list() == [7]
        assert found["flows"]["end"].to_list() == [None]
        assert found["exchanges"]["up_packets"].to_list() == [4, 3]
        store.keep({"flows": frame("flows", [flow("f", packets=8, end="fin")]), "exchanges": frame("exchanges", [exchange("f", packets=4)])})
    found = read_store(path, ("flows", "exchanges"))
    assert (found["flows"]["up_packets"].to_list(), found["exchanges"]["up_packets"].sum()) == ([8], 8)


def test_what_a_vanished_process_left_open_ends_where_it_was_seen(tmp_path):
    path = str(tmp_path / "a.db")
    first = Store(path)
    first.keep({"running": frame("flows", [flow("f", packets=1)]), "exchanges": frame("exchanges", [exchange("f", packets=4)]),
                "open": frame("exchanges", [exchange("f", packets=3, at=START + 5 * NS)])})  # fmt: skip
    gone(first)
    with Store(path):
        pass
    found = read_store(path, ("flows", "exchanges"))
    row = found["flows"].row(0, named=True)
    assert (row["end"], row["up_packets"], row["last_seen"]) == ("eof", 7, moment(START + 5 * NS))
    assert found["exchanges"]["up_packets"].to_list() == [4, 3]


def test_a_moment_in_which_nothing_happened_writes_nothing(tmp_path):
    with Store(str(tmp_path / "a.db")) as store:
        store.keep({"capture": minute(3), "flows": frame("flows", [])})
        before = store._connection.total_changes
        for _ in range(5):
            store.keep({"capture": minute(3), "flows": frame("flows", [])})
        assert store._connection.total_changes == before
        store.keep({"capture": minute(3)}, minute_is_over=True)
        store.keep({"capture": minute(4)})
    assert read_store(str(tmp_path / "a.db"), ("capture",))["capture"]["packets"].to_list() == [3, 4]


def test_damage_that_shows_while_it_is_written_is_one_line(tmp_path, monkeypatch):
    with Store(str(tmp_path / "a.db")) as store:
        store.keep({"capture": minute(1)})

        def broken(*_):
            raise sqlite3.DatabaseError("database disk image is malformed")

        monkeypatch.setattr(store, "_write", broken)
        with pytest.raises(EnvironmentFault, match=r"a.db: damaged: .*put aside"):
            store.keep({"capture": minute(2)})


def test_the_running_minute_replaces_itself(tmp_path):
    path = str(tmp_path / "a.db")
    with Store(path) as store:
        for packets, over in ((1, False), (5, True), (2, False), (3, False)):
            store.keep({"capture": minute(packets)}, minute_is_over=over)
    with Store(path) as store:
        store.keep({"capture": minute(9)})
    assert read_store(path, ("capture",))["capture"]["packets"].to_list() == [5, 3, 9]


def test_a_reader_that_stays_does_not_hold_up_the_writer(tmp_path):
    path = str(tmp_path / "a.db")
    with Store(path) as store:
        store.keep({"exchanges": frame("exchanges", [exchange("f")])})
        store.fold()
        reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM exchanges").fetchone() == (1,)
        for number in range(20):
            store.keep({"exchanges": frame("exchanges", [exchange(f"g{number}")])})
            store.fold()
        assert not store.full
        assert reader.execute("SELECT count(*) FROM exchanges").fetchone() == (1,)  # its own moment
        reader.close()
    assert read_store(path, ("exchanges",))["exchanges"].height == 21
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("DELETE FROM exchanges")


def test_a_full_disk_stops_writing_not_counting_and_recovers(tmp_path):
    with small_disk(tmp_path, "2m"):
        said = []
        path = str(tmp_path / "a.db")
        with Store(path, warn=said.append) as store:
            store.keep({"exchanges": frame("exchanges", [exchange("f0")])})
            filler = Path(tmp_path / "filler")
            with filler.open("wb", buffering=0) as out:
                try:
                    while True:
                        out.write(bytes(4096))
                except OSError:
                    pass
            for number in range(5):
                store.keep({"exchanges": frame("exchanges", [exchange(f"g{number}-{n}") for n in range(200)])})
            assert store.full
            filler.unlink()
            store.keep({"exchanges": frame("exchanges", [exchange("last")])})
            assert not store.full
        assert read_store(path, ("exchanges",))["exchanges"].height == 1 + 1000 + 1
        assert [("cannot be written" in line, "written again" in line) for line in said] == [(True, False), (False, True)]


def test_rows_beyond_what_may_wait_are_given_up_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr("wiretally.store.database.MAX_WAITING", 150)
    with Store(str(tmp_path / "a.db")) as store:
        store._connection.execute("PRAGMA query_only = ON")
        for number in range(4):
            store.keep({"exchanges": frame("exchanges", [exchange(f"{number}-{n}") for n in range(50)])})
        assert store.full
        assert store.lost_rows > 0
        store._connection.execute("PRAGMA query_only = OFF")
        store.keep({})
    assert read_store(str(tmp_path / "a.db"), ("exchanges",))["exchanges"].height + store.lost_rows == 200
    assert 0 < store.lost_rows < 200


def test_old_rows_go_by_age_and_by_size(tmp_path):
    path = str(tmp_path / "a.db")
    day = 24 * 60 * MINUTE
    with Store(path) as store:
        for age in range(6):
            rows = [exchange(f"{age}-{n}", at=START - age * day) for n in range(2500)]
            store.keep({"exchanges": frame("exchanges", rows), "flows": frame("flows", [flow(f"{age}-{n}", end="fin") for n in range(3)])})
            store.fold()
        while store.prune(START, days=2.5):
            pass
        assert store._connection.execute("SELECT count(*) FROM exchanges").fetchone() == (7500,)
        limit = store.used_bytes() // 2
        while store.prune(START, max_bytes=limit):
            pass
        assert store.used_bytes() <= limit


def test_what_is_deleted_goes_back_to_the_file_system(tmp_path):
    path = tmp_path / "a.db"
    with Store(str(path)) as store:
        for age in range(4):
            store.keep({"exchanges": frame("exchanges", [exchange(f"{age}-{n}" * 40, at=START - age * 24 * 60 * MINUTE) for n in range(5000)])})
            store.fold()
        store._connection.execute("PRAGMA wal_checkpoint").fetchall()
        before = path.stat().st_size
        assert store.prune(START, days=2.5) > 0
        while store.prune(START, days=2.5):
            pass
        assert path.stat().st_size < 0.9 * before
        largest = path.stat().st_size // 4
        while store.prune(START, max_bytes=largest):
            pass
        assert path.stat().st_size <= largest * (1 + 1 / database.SPARE_SHARE)
        store._connection.execute("DELETE FROM exchanges")  # nothing is old, nothing too much: what is free goes nevertheless
        before = store.used_bytes()
        while store.prune(START, days=10_000):
            pass
        assert path.stat().st_size <= before * (1 + 1 / database.SPARE_SHARE) + database.PAGE_BYTES
        assert store.prune(START, days=10_000) == 0
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_retention_on_a_full_disk_waits(tmp_path):
    said = []
    with Store(str(tmp_path / "a.db"), warn=said.append) as store:
        store.keep({"exchanges": frame("exchanges", [exchange("f", at=START - 24 * 60 * MINUTE)])})
        store.fold()
        store._connection.execute("PRAGMA query_only = ON")
        assert store.prune(START, days=0.5) == 0
        assert "cannot be written" in said[0]
        store._connection.execute("PRAGMA query_only = OFF")
        assert store.prune(START, days=0.5) > 0


def test_a_step_of_the_clock_that_cannot_be_written_waits_like_rows(tmp_path, monkeypatch):
    path = str(tmp_path / "a.db")
    monkeypatch.setattr(database, "BUSY_MS", 1)
    with Store(path) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            store.note_step(START, NS, 1, None)
            assert store.full
            other.execute("ROLLBACK")
        assert store._connection.execute("SELECT count(*) FROM clock_steps").fetchone() == (0,)
        store.keep({"exchanges": frame("exchanges", [exchange("a")])})
        assert store._connection.execute("SELECT step_ns FROM clock_steps").fetchall() == [(NS,)]
        assert not store.full


def test_damage_met_while_deleting_is_one_line(tmp_path):
    store = Store(str(tmp_path / "a.db"))
    store.keep({"flows": frame("flows", [{"flow_id": "a"}])})
    store._connection.execute("UPDATE journal SET data = x'00112233'")
    with pytest.raises(EnvironmentFault, match=r"damaged: .*; start again: it is put aside then"):
        store.prune(START, max_bytes=1)
    store._connection.close()


def test_minutes_without_a_packet_are_as_old_as_those_around_them(tmp_path):
    silent, seen = {"packets": 0, "wire_bytes": 0}, {"packets": 1, "wire_bytes": 60, "first_seen": moment(START), "last_seen": moment(START)}
    with Store(str(tmp_path / "a.db")) as store:
        for each in (silent, silent, seen, silent):
            store.keep({"capture": frame("capture", [each])}, minute_is_over=True)
        store.prune(START, days=1)
        assert store._connection.execute("SELECT packets FROM capture").fetchall() == [(1,), (0,)]
