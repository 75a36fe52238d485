"""What waits in the journal reads as if it were in the tables already, and gets there."""

import random
import shutil
import sqlite3
from contextlib import closing

import polars as pl
import pytest
from crafting.sessions import START, frame, moment
from crafting.stores import exchange, flow, gone
from wiretally.core.errors import EnvironmentFault
from wiretally.store import database
from wiretally.store.database import Store
from wiretally.store.reader import read_store


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
