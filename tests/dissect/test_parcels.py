"""Datagrams that wait to be read: all of them are, in time for whatever needs what they say, however many there are."""

import polars as pl
import pytest
from crafting.packets import MS, PHONE, START, batch, dissect, ethernet, ipv4, sorted_tables, udp
from crafting.quic import crypto, frames_of, hello_message, initial
from wiretally.dissect.dissector import DissectOptions, Dissector
from wiretally.dissect.state import DATAGRAM_BYTES, DATAGRAMS, LEAN_PAYLOAD, PARCELLED, PARCELS, SEEN

WANTED = DissectOptions(tables=frozenset({"flows", "exchanges", "tls", "dns", "http", "announced"}))


def hellos(count, size=1200):
    """One Initial of each of many connections."""
    return [item for n in range(count)
            for item in frames_of([(True, initial(crypto(hello_message(f"n{n}.example", n)), size=size))], port=20_000 + n,
                                  start=START + n * MS)]  # fmt: skip


def test_more_than_may_wait_are_read():
    count = 2 * PARCELS // 1200
    answer = dissect(hellos(count))
    assert sorted(answer.tables["tls"]["sni"].to_list()) == sorted(f"n{n}.example" for n in range(count))
    assert answer.tables["flows"]["name"].null_count() == 0
    whole, cut = sorted_tables(answer), sorted_tables(dissect(hellos(count), cuts=[1, 7, count // 2]))
    assert all(whole[name].drop("flow_id", strict=False).equals(cut[name].drop("flow_id", strict=False)) for name in whole)


def test_the_longest_fit_to_the_last_byte():
    longest = DATAGRAM_BYTES - 1 - 28
    said = b"NOTIFY * HTTP/1.1\r\nSERVER: a television\r\n\r\n".ljust(longest, b" ")
    items = [(START + n * MS, udp(said, port=1900, remote_port=1900)) for n in range(3 * PARCELS // longest)]
    answer = dissect(items, WANTED)
    assert answer.tables["flows"]["up_packets"].to_list() == [len(items)]
    assert answer.tables["announced"]["name"].to_list() == ["a television"]


@pytest.mark.parametrize("size", [DATAGRAM_BYTES - 1, DATAGRAM_BYTES, DATAGRAM_BYTES + 1, 3 * DATAGRAM_BYTES])
def test_a_frame_that_hides_its_length_cannot_take_more_than_there_is(size):
    """An offloading sender leaves the lengths 0; then the frame's counts, which a capture file may make as long as it likes."""
    said = b"NOTIFY * HTTP/1.1\r\nSERVER: a television\r\n\r\n".ljust(size, b" ")
    whole = ethernet(ipv4(b"\x07\x6c\x07\x6c\0\0\0\0", 17, PHONE, "239.255.255.250"))
    frame = whole[:16] + b"\0\0" + whole[18:] + said
    count = 2 * PARCELS // DATAGRAM_BYTES
    dissector = Dissector(WANTED)
    dissector.feed(batch([(START + n * MS, frame) for n in range(count)]))
    assert 0 <= dissector._state["cursor"][PARCELLED] <= PARCELS
    assert (dissector._state["work"] == 0).all()  # what lies behind
    tables = dissector.tick()
    assert tables["flows"].is_empty()
    assert dissector.counters.sum(axis=0)[SEEN] == count


def test_nobody_waits_longer_than_until_rows_are_taken():
    dissector = Dissector(DissectOptions())
    dissector.feed(batch(hellos(3)))
    cursor = dissector._state["cursor"]
    assert (cursor[DATAGRAMS], cursor[PARCELLED]) == (3, 3 * 1200)
    live = dissector.tables(dissector.take(live=True))
    assert (cursor[DATAGRAMS], cursor[PARCELLED]) == (0, 0)
    assert live["tls"].height == live["running"].height == live["open"].height == 3
    for table in ("running", "open"):
        assert sorted(live[table]["name"].to_list()) == ["n0.example", "n1.example", "n2.example"]


@pytest.mark.parametrize("way_out", ["drain", "end"])
def test_the_end_reads_them_before_flows_go(way_out):
    dissector = Dissector(DissectOptions())
    dissector.feed(batch(hellos(3)))
    takings = list(dissector.drain()) if way_out == "drain" else [dissector.take(end=True)]
    found = [dissector.tables(taken) for taken in takings]
    for table in ("flows", "exchanges"):
        assert pl.concat([tables[table]["name"] for tables in found]).sort().to_list() == ["n0.example", "n1.example", "n2.example"]


def test_those_that_came_before_less_is_said_are_read():
    dissector = Dissector(DissectOptions())
    sent = hellos(5)
    dissector.feed(batch(sent[:3]))
    dissector.lean = LEAN_PAYLOAD
    dissector.feed(batch(sent[3:]))
    assert dissector.tick()["tls"].height == 3
    assert dissector.given_up["parses_skipped"] == 2


def test_a_step_of_the_clock_finds_nothing_waiting():
    dissector = Dissector(DissectOptions())
    dissector.feed(batch(hellos(2)))
    dissector.move_clock(-3_600_000_000_000)
    tables = dissector.tick()
    assert tables["tls"].height == 2
    assert tables["tls"]["time"].dt.epoch("ns").to_list() == [START, START + MS]


def test_what_waits_is_a_copy():
    """A live capture's memory is the kernel's again as soon as `feed` is done."""
    dissector = Dissector(DissectOptions())
    given = batch(hellos(2))
    dissector.feed(given)
    given.buffer[:] = 0
    assert dissector.tick()["tls"]["sni"].to_list() == ["n0.example", "n1.example"]
