"""The first packets of flows, told one by one, against a list that plain Python keeps."""

import random

import polars as pl
import pytest
from crafting.packets import ACK, MS, SECOND, START, SYN, Connection, dissect, ethernet, ipv4, tcp, udp
from wiretally.core.errors import InputError
from wiretally.core.schema import FLOWS, polars_schema
from wiretally.dissect.dissector import DissectOptions, Dissector
from wiretally.dissect.state import MAX_FIRST_PACKETS


def told(items, most, **layout):
    return dissect(items, DissectOptions(first_packets=most), **layout).tables["flows"]


def test_nobody_asked():
    frame = dissect(Connection().open().items).tables["flows"]
    assert frame["first_packets"].to_list() == [None]
    assert frame.schema["first_packets"] == polars_schema(FLOWS)["first_packets"]


def test_one_flow():
    items = [(START, tcp(flags=SYN, seq=1)), (START + 5 * MS, tcp(flags=SYN | ACK, up=False, ack=2)),
             (START + 4 * MS, tcp(b"abc", seq=2, ack=1)), (START + 9 * MS, tcp(b"abc", seq=2, ack=1)),
             (START + 9 * MS, tcp(up=False, ack=5))]  # fmt: skip
    rows = [{"direction": way, "ip_bytes": 40 + size, "payload_bytes": size, "gap_ms": gap}
            for way, size, gap in (("up", 0, None), ("down", 0, 5.0), ("up", 3, -1.0), ("up", 3, 4.0), ("down", 0, 0.0))]  # fmt: skip
    for most in (1, 4, 5, 6, MAX_FIRST_PACKETS):
        assert told(items, most)["first_packets"].to_list() == [rows[:most]]


@pytest.mark.parametrize("most", [1, 3, 16])
def test_many_flows_in_any_batches(most):
    """Ports are used again after idle time-outs, so that places in the pool are too."""
    rng = random.Random(most)
    items, wanted, last = [], {}, {}
    now = START
    for _ in range(400):
        now += rng.choice([MS, 20 * MS, SECOND, 200 * SECOND])
        port, size, up = 40_000 + rng.randrange(4), rng.randrange(5), rng.random() < 0.6
        items.append((now, udp(b"z" * size, port=port, remote_port=9_999, up=up)))
        if now - last.get(port, now) > 180 * SECOND or port not in last:
            wanted[port, now] = []
            current = wanted[port, now]
            gap = None
        else:
            current = next(v for (p, _), v in reversed(wanted.items()) if p == port)
            gap = (now - last[port]) / 1e6
        last[port] = now
        current.append({"direction": "up" if up else "down", "ip_bytes": 28 + size, "payload_bytes": size, "gap_ms": gap})
    expected = sorted(((port, at), rows[:most]) for (port, at), rows in wanted.items())
    for cuts, ticks in (((), ()), ((7, 150, 151, 390), (1, 3))):
        frame = told(items, most, cuts=cuts, ticks=ticks)
        found = sorted(
            ((port, at), rows)
            for port, at, rows in frame.select("local_port", pl.col("first_seen").dt.epoch("ns"), "first_packets").iter_rows()
        )
        assert found == expected


def test_a_datagram_in_pieces_has_its_payload_with_the_piece_that_makes_it_whole():
    whole = (40_000).to_bytes(2, "big") + (9_999).to_bytes(2, "big") + (8 + 24).to_bytes(2, "big") + bytes(2) + bytes(24)
    pieces = [ethernet(ipv4(part, 17, "192.168.7.20", "93.184.216.34", identification=5, fragment=fragment))
              for part, fragment in ((whole[16:], 2), (whole[:16], 0x2000))]  # fmt: skip
    rows = told([(START, pieces[0]), (START + MS, pieces[1])], 8)["first_packets"].to_list()
    assert [(row["ip_bytes"], row["payload_bytes"]) for row in rows[0]] == [(36, 0), (36, 24)]


@pytest.mark.parametrize("most", [-1, MAX_FIRST_PACKETS + 1])
def test_more_than_can_be_told_is_refused(most):
    with pytest.raises(InputError, match=f"--packets {most}"):
        Dissector(DissectOptions(first_packets=most))
