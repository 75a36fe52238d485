"""The store keeps what it is given, once, through damage, full disks and processes that vanish."""

import os
import random
import shutil
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from crafting.sessions import MINUTE, NS, START, frame, moment
from wiretally.core.errors import EnvironmentFault, InputError
from wiretally.core.schema import TABLES
from wiretally.measure.inputs import Session
from wiretally.store import database, marks
from wiretally.store.database import Store
from wiretally.store.layout import is_store
from wiretally.store.reader import read_marks, read_store

ALL = ("flows", "exchanges", "tls", "dns", "http", "capture")


def flow(name, *, end=None, packets=1, seconds=0):
    return {"flow_id": name, "local_ip": "10.0.0.2", "remote_ip": "203.0.113.9", "transport": "tcp", "name": "a.example",
            "first_seen": moment(START), "last_seen": moment(START + seconds * NS), "end": end, "app_exact": True,
            "up_packets": packets, "down_packets": 0}  # fmt: skip


def exchange(name, *, packets=1, at=START):
    return {"flow_id": name, "start": moment(at), "end": moment(at), "up_packets": packets, "down_packets": 0}


def gone(store):
    """What is left of a process that was killed: the kernel has closed its files."""
    store._connection.close()
    os.close(store._lock._descriptor)


def minute(packets):
    return frame("capture", [{"source": "wlan0", "packets": packets, "counted": packets, "dropped": 0, "cut_short": False}])


def test_every_type_comes_back_as_it_was(tmp_path):
    rows = {
        "flows": frame("flows", [flow("f", end="fin") | {"rtt_remote_ms": 1.25, "asn": 4_294_967_295, "up_wire_bytes": 1 << 62}]),
        "tls": frame("tls", [{"time": moment(START), "flow_id": "f", "alpn": ["h2", "=cmd|' /C"], "versions": [], "ciphers": 3,
                              "post_quantum": True}]),
        "dns": frame("dns", [{"time": moment(START), "qname": "a\\000.example", "answers": [
            {"name": "a", "type": "A", "data": "192.0.2.1", "ttl": 60}, {"name": "b", "type": "TXT", "data": "\"'é\x1b", "ttl": 0}]},
            {"time": moment(START), "qname": "b.example"}]),
        "http": frame("http", [{"time": moment(START), "host": "x", "target": "/'; DROP TABLE flows;--"}]),
        "capture": minute(3),
        "exchanges": frame("exchanges", [exchange("f")]),
    }  # fmt: skip
    with Store(str(tmp_path / "a.db")) as store:
        store.keep(rows)
    found = read_store(str(tmp_path / "a.db"), ALL)
    for name, given in rows.items():
        assert found[name].equals(given), name
        assert list(found[name].columns) == TABLES[name].names


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


@pytest.mark.parametrize("seed", range(4))
def test_whenever_it_is_folded_it_reads_as_if_every_moment_had_been_applied_at_once(tmp_path, seed):
    """Against a twin that applies each moment to dictionaries; folding, in stretches of any size, changes nothing."""
    chance, path = random.Random(seed), str(tmp_path / "a.db")
    flows, closed, going = {}, [], {}
    with Store(path) as store:
        for number in range(25):
            chosen = chance.sample("abcdefg", chance.randrange(8))
            ended = {name for name in chosen if chance.random() < 0.3}
            parts = [name for name in chosen if name in ended or chance.random() < 0.4]
            shown = [name for name in chosen if name not in ended]
            store.keep({
                "flows": frame("flows", [flow(name, end="fin", packets=number) for name in ended]),
                "running": frame("flows", [flow(name, packets=number) for name in shown]),
                "exchanges": frame("exchanges", [exchange(name, packets=number + 1, at=START + number) for name in parts]),
                "open": frame("exchanges", [exchange(name, packets=100 + number, at=START + number) for name in shown]),
            })  # fmt: skip
            closed += [(name, number + 1) for name in parts]
            for name in {*parts, *ended}:
                going.pop(name, None)
            flows |= dict.fromkeys(shown) | dict.fromkeys(ended, "fin")
            going |= dict.fromkeys(shown, 100 + number)
            if chance.random() < 0.3:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr("wiretally.store.database.FOLD_ROWS", chance.randrange(1, 40))
                    store.fold()
            if number % 4:
                continue
            found = read_store(path, ("flows", "exchanges"))
            expected = sorted(closed + list(going.items()))
            assert sorted(found["exchanges"].select("flow_id", "up_packets").rows()) == expected
            assert dict(found["flows"].select("flow_id", "end").rows()) == flows
            assert found["flows"]["flow_id"].is_unique().all()
            assert read_store(path, ("flows",))["flows"].equals(found["flows"])


def test_places_and_owners_are_looked_up_once_for_each_flow_on_its_way_into_the_tables(tmp_path):
    path, asked = str(tmp_path / "a.db"), []

    def attributed(tables):
        asked.append((sorted(tables["flows"]["flow_id"]), tables["dns"].height))
        return {**tables, "flows": tables["flows"].with_columns(owner=pl.lit("Example"))}

    def owners():
        return dict(read_store(path, ("flows",))["flows"].select("flow_id", "owner").rows())

    first = Store(path, attributed=attributed)
    for number in range(3):
        first.keep({"running": frame("flows", [flow("f", packets=number), flow(f"g{number}")]),
                    "dns": frame("dns", [{"time": moment(START), "qname": "a.example"}])})  # fmt: skip
    assert (asked, owners()) == ([], dict.fromkeys(("f", "g0", "g1", "g2")))
    first.fold()
    assert (asked, owners()) == ([(["f", "g0", "g1", "g2"], 3)], dict.fromkeys(("f", "g0", "g1", "g2"), "Example"))
    first.keep({"flows": frame("flows", [flow("f", packets=9, end="fin")])})
    gone(first)  # the next start looks up what it left
    with Store(path, attributed=attributed):
        assert asked[1:] == [(["f"], 0)]
    assert owners() == dict.fromkeys(("f", "g0", "g1", "g2"), "Example")


def test_the_journal_is_caught_up_with_however_many_rows_come(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "FOLD_ROWS", 2)
    with Store(str(tmp_path / "a.db")) as store:
        def waiting():
            return store._connection.execute("SELECT count(DISTINCT moment) FROM journal").fetchone()[0]

        for number in range(4):
            store.keep({"flows": frame("flows", [flow(f"{number}{each}", end="fin") for each in "abc"])})
        assert waiting() == 4  # it is not time yet
        store.fold()
        held = []
        for number in range(4, 9):
            store.keep({"flows": frame("flows", [flow(f"{number}{each}", end="fin") for each in "ab"])})
            held.append(waiting())
        assert held == [3, 3, 3, 3, 3]  # a moment came, a moment went: one at least, though its rows are more than FOLD_ROWS
        while store.fold():
            pass
        store.keep({"flows": frame("flows", [flow("z", end="fin")])})
        assert waiting() == 1


def test_the_journal_of_a_vanished_process_becomes_rows(tmp_path):
    path = str(tmp_path / "a.db")
    first = Store(path)
    for number in range(3):
        first.keep({"running": frame("flows", [flow("f", packets=1)]), "open": frame("exchanges", [exchange("f", packets=number + 1)]),
                    "tls": frame("tls", [{"time": moment(START), "flow_id": "f", "alpn": ["h2"], "versions": []}])})  # fmt: skip
    gone(first)
    with Store(path) as store:
        assert store._connection.execute("SELECT count(*) FROM journal").fetchone() == (0,)
        assert store._connection.execute("SELECT up_packets FROM exchanges").fetchall() == [(3,)]
        assert store._connection.execute("SELECT count(*), min(alpn) FROM tls").fetchone() == (3, '["h2"]')
        assert store._connection.execute('SELECT up_packets, "end" FROM flows').fetchall() == [(3, "eof")]


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


def test_a_block_of_the_journal_that_is_not_what_was_written_is_damage(tmp_path):
    path = tmp_path / "a.db"
    with Store(str(path)) as store:
        store.keep({"exchanges": frame("exchanges", [exchange("f")])})
        shutil.copy(path, tmp_path / "before.db")
        shutil.copy(f"{path}-wal", tmp_path / "before.db-wal")
    before = tmp_path / "before.db"
    with closing(sqlite3.connect(before)) as connection:
        (data,) = connection.execute("SELECT data FROM journal").fetchone()
        assert read_store(str(before), ("exchanges",))["exchanges"].height == 1
        for at in (0, 3, 4, len(data) // 2, len(data) - 1):
            connection.execute("UPDATE journal SET data = ?", (data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :],))
            connection.commit()
            with pytest.raises(EnvironmentFault, match=r"a block of exchanges in the journal is not what was written"):
                read_store(str(before), ("exchanges",))
    said = []
    with Store(str(before), warn=said.append) as store:
        store.keep({"exchanges": frame("exchanges", [exchange("g")])})
    assert "was damaged; put aside as before.db.damaged-" in said[0]
    assert read_store(str(before), ("exchanges",))["exchanges"]["flow_id"].to_list() == ["g"]


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


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a file system of its own")
def test_a_full_disk_stops_writing_not_counting_and_recovers(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(tmp_path)], check=True)
    try:
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
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


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


@pytest.mark.parametrize("step", [3600 * NS, -3600 * NS])
def test_a_session_goes_on_by_the_new_clock_when_it_is_stepped(tmp_path, monkeypatch, step):
    path, clock, wall = str(tmp_path / "a.db"), 5 * NS, START
    monkeypatch.setattr(marks.time, "time_ns", lambda: wall)
    monkeypatch.setattr(marks.time, "monotonic_ns", lambda: clock)
    with Store(path) as store:
        assert marks.start(path, "normal", "phone", "at home") == "normal-1"
        wall, clock = wall + step + 10 * NS, clock + 10 * NS
        assert marks.start(path, "idle", "tablet") == "idle-1"  # before the service has noticed
        wall, clock = wall + NS, clock + NS
        store.note_step(wall, step, clock, marks.boot())
        assert read_marks(path) == sorted([
            ("normal-1", "phone", "normal", START, START + 11 * NS, "at home"),
            ("idle-1", "tablet", "idle", START + step + 10 * NS, None, ""),
            ("normal-2", "phone", "normal", START + step + 11 * NS, None, "at home"),
        ], key=lambda row: (row[3], row[0]))  # fmt: skip
        wall, clock = wall + NS, clock + NS
        assert sorted(marks.stop(path)) == ["idle-1", "normal-2"]
        store.note_step(wall, step, clock, marks.boot())  # nothing is open
        assert len(read_marks(path)) == 3
        assert all(ended > begun for _, _, _, begun, ended, _ in read_marks(path))


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


def test_marks_have_both_clocks_and_one_session_per_device_is_open(tmp_path):
    path = str(tmp_path / "a.db")
    with pytest.raises(EnvironmentFault, match="is not there; begin it"):
        marks.start(path, "normal", "10.0.0.2")
    with Store(path) as store:
        assert is_store(path)
        assert marks.start(path, "normal", "10.0.0.2") == "normal-1"
        assert marks.start(path, "Incognito", "10.0.0.2", "second") == "incognito-1"
        assert marks.start(path, "normal", "10.0.0.3") == "normal-2"
        store.keep({"capture": minute(1)})
        assert marks.stop(path, "10.0.0.3") == ["normal-2"]
        assert marks.stop(path) == ["incognito-1"]
        assert marks.stop(path) == []
        assert marks.add(path, [Session("x", "10.0.0.2", "idle", START, START + NS)]) == 1
        with pytest.raises(InputError, match="'x' is in"):
            marks.add(path, [Session("x", "10.0.0.2", "idle", START, START + NS)])
        clocks = store._connection.execute("SELECT start_monotonic_ns, end_monotonic_ns, boot FROM sessions WHERE session = 'normal-1'")
        begun, ended, boot = clocks.fetchone()
    assert 0 < begun <= ended
    assert boot == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    rows = read_marks(path)
    assert [(row[0], row[2]) for row in rows] == [("x", "idle"), ("normal-1", "normal"), ("incognito-1", "incognito"), ("normal-2", "normal")]
    assert all(row[3] < row[4] for row in rows)


def test_a_session_over_a_clock_stepped_back_lasts_as_long_as_it_did(tmp_path, monkeypatch):
    path = str(tmp_path / "a.db")
    wall, steady = [START + 3600 * NS], [5 * NS]
    monkeypatch.setattr("wiretally.store.marks.time.time_ns", lambda: wall[0])
    monkeypatch.setattr("wiretally.store.marks.time.monotonic_ns", lambda: steady[0])
    with Store(path):
        marks.start(path, "normal", "10.0.0.2")
        wall[0], steady[0] = START, 65 * NS
        marks.stop(path)
    ((_, _, _, began, ended, _),) = read_marks(path)
    assert (began, ended) == (START + 3600 * NS, START + 3660 * NS)


def test_a_column_that_the_schema_has_gained_is_added(tmp_path):
    path = str(tmp_path / "a.db")
    with Store(path) as store:
        store.keep({"flows": frame("flows", [flow("f", end="fin")])})
        store._connection.execute("ALTER TABLE flows DROP COLUMN max_distance_km")
    with Store(path) as store:
        store.keep({"flows": frame("flows", [flow("g", end="fin") | {"max_distance_km": 9.0}])})
    assert read_store(path, ("flows",))["flows"]["max_distance_km"].to_list() == [None, 9.0]
    assert isinstance(read_store(path, ("flows",))["flows"], pl.DataFrame)


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


def test_a_session_that_was_written_down_has_no_other_clock_to_follow(tmp_path):
    path = str(tmp_path / "a.db")
    with Store(path) as store:
        marks.add(path, [Session("x", "10.0.0.2", "normal", START, None)])
        store.note_step(START, NS, 1, None)  # of a system that has no name for its run
    assert [row[0] for row in read_marks(path)] == ["x"]
