"""Every value comes back as it was, from tables of any age."""

import polars as pl
from crafting.sessions import START, frame, moment
from crafting.stores import exchange, flow, minute
from wiretally.core.schema import TABLES
from wiretally.store.database import Store
from wiretally.store.reader import read_store

ALL = ("flows", "exchanges", "tls", "dns", "http", "capture")


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


def test_a_column_that_the_schema_has_gained_is_added(tmp_path):
    path = str(tmp_path / "a.db")
    with Store(path) as store:
        store.keep({"flows": frame("flows", [flow("f", end="fin")])})
        store._connection.execute("ALTER TABLE flows DROP COLUMN max_distance_km")
    with Store(path) as store:
        store.keep({"flows": frame("flows", [flow("g", end="fin") | {"max_distance_km": 9.0}])})
    assert read_store(path, ("flows",))["flows"]["max_distance_km"].to_list() == [None, 9.0]
    assert isinstance(read_store(path, ("flows",))["flows"], pl.DataFrame)
