import polars as pl
from wiretally.core.schema import DNS, polars_schema
from wiretally.geo import aliases as module
from wiretally.geo.aliases import MAX_CHAIN, Aliases


def dns(*records):
    """(name, type, data) each, in one answer."""
    rows = [{"qname": records[0][0] if records else "x", "answers": [
        {"name": name, "type": kind, "data": data, "ttl": 60} for name, kind, data in records
    ]}]  # fmt: skip
    return pl.DataFrame(rows, schema=polars_schema(DNS))


def test_a_chain_is_followed_to_its_end():
    known = Aliases()
    known.learn(dns(("a.shop", "CNAME", "B.cdn."), ("b.cdn", "CNAME", "c.cdn"), ("c.cdn", "A", "192.0.2.1")))
    assert list(known.chain("a.shop")) == ["b.cdn", "c.cdn"]
    assert list(known.chain("c.cdn")) == list(known.chain("nobody")) == []
    assert known.names(pl.Series(["c.cdn", "a.shop"])) == ["a.shop"]


def test_the_newest_answer_counts():
    known = Aliases()
    known.learn(dns(("a", "CNAME", "old")))
    known.learn(dns(("a", "CNAME", "new")))
    assert list(known.chain("a")) == ["new"]


def test_a_circle_and_a_long_chain_end():
    known = Aliases()
    known.learn(dns(("a", "CNAME", "b"), ("b", "CNAME", "a")))
    assert list(known.chain("a")) == ["b"]
    known.learn(dns(*((f"n{step}", "CNAME", f"n{step + 1}") for step in range(MAX_CHAIN + 5))))
    assert len(list(known.chain("n0"))) == MAX_CHAIN
    assert len(list(known.chain("n5"))) == MAX_CHAIN
    assert len(list(known.chain("n6"))) == MAX_CHAIN - 1


def test_the_oldest_are_forgotten_and_counted(monkeypatch):
    monkeypatch.setattr(module, "MOST_ALIASES", 3)
    known = Aliases()
    known.learn(dns(*((f"n{step}", "CNAME", "x") for step in range(3))))
    assert known.forgotten == 0
    known.learn(dns(("n3", "CNAME", "x")))
    assert known.forgotten == 1
    assert known.names(pl.Series(["n0", "n1", "n2", "n3"])) == ["n1", "n2", "n3"]


def test_answers_without_aliases_and_no_answers_at_all():
    known = Aliases()
    known.learn(pl.DataFrame(schema=polars_schema(DNS)))
    known.learn(dns())
    known.learn(dns(("a", "A", "192.0.2.1"), ("b", "CNAME", None)))
    assert known.names(pl.Series(["a", "b"])) == []
