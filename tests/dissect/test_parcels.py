"""Datagrams that wait to be read: all of them are, in time for whatever needs what they say, however many there are."""

import random

import polars as pl
import pytest
from crafting.packets import (
    MS,
    PHONE,
    SECOND,
    START,
    Answer,
    batch,
    dissect,
    ethernet,
    ipv4,
    named_counters,
    sorted_tables,
    udp,
)
from crafting.quic import (
    ACK,
    DCID,
    HANDSHAKE,
    SCID,
    SERVER_ID,
    V1,
    V2,
    ZERO_RTT,
    crypto,
    frames_of,
    hello_message,
    initial,
    negotiation,
    opaque,
    q043,
    retry,
    short,
)
from crafting.records import answer_of, config, designation, https_record
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


def at_once(items, options=WANTED):
    """As `dissect`, but read after each packet."""
    dissector = Dissector(options)
    pieces = []
    for item in items:
        dissector.feed(batch([item]))
        pieces.append(dissector.tables(dissector.take(live=True)))
    pieces.append(dissector.tick(end=True))
    tables = {name: pl.concat([piece[name] for piece in pieces]) for name in pieces[-1]}
    return Answer(tables, named_counters(dissector), dissector.given_up)


def assert_the_same_late_or_at_once(items, options=WANTED):
    late, early = dissect(items, options), at_once(items, options)
    assert late.given_up == early.given_up
    late, early = sorted_tables(late), sorted_tables(early)
    for name, table in late.items():
        assert table.equals(early[name]), name
    return late


def any_datagram(rng):
    """What a connection may bring, and what none would."""
    message = hello_message(rng.choice(["a.example", "b.example"]), rng.randrange(3))
    dcid, version = rng.choice([DCID, SERVER_ID, bytes(9)]), rng.choice([V1, V1, V2])
    half = len(message) // 2
    return rng.choice([
        lambda: initial(crypto(message), dcid=dcid, version=version, size=rng.choice([1200, 900]), number=rng.randrange(3)),
        lambda: initial(crypto(message[:half]), dcid=dcid, version=version),
        lambda: initial(crypto(message[half:], half), dcid=dcid, version=version, number=1),
        lambda: initial(ACK, dcid=SCID, scid=SERVER_ID, side="server", keys_of=DCID, version=version),
        retry, negotiation, *2 * [lambda: q043([(b"SNI\0", rng.choice([b"c.example", b"d.example"]))])],
        lambda: short(rng.randrange(5, 900), rng.choice([SERVER_ID, SCID, DCID])),
        lambda: opaque(rng.choice([ZERO_RTT, HANDSHAKE]), 300), lambda: rng.randbytes(rng.randrange(40)),
    ])()  # fmt: skip


def any_mix(rng):
    """Three connections that do as they like, and a device that says what it is."""
    items, now = [], START
    for _ in range(rng.randrange(8, 30)):
        now += rng.choice([1_000, MS, MS, MS, 700 * MS, 1_200 * MS, 200 * SECOND])
        up = rng.random() < 0.6
        if rng.random() < 0.1:
            items.append((now, udp(b"NOTIFY * HTTP/1.1\r\nSERVER: tv\r\n\r\n", up=up, port=1900, remote_port=1900)))
        else:
            items.append((now, udp(any_datagram(rng), up=up, port=40_000 + rng.randrange(3), remote_port=443)))
    return items


@pytest.mark.parametrize("seed", [*range(6), 12, 19, 25])
def test_whatever_comes_it_is_the_same_when_it_is_read(seed):
    assert_the_same_late_or_at_once(any_mix(random.Random(seed)), WANTED if seed % 2 else DissectOptions(max_flows=2, tables=WANTED.tables))


def test_who_is_known_to_be_the_client_stays_it():
    """A name of Google QUIC settles it: an Initial of the other end, which anybody can make, is not looked at."""
    items = frames_of([(True, q043([(b"SNI\0", b"c.example")])), (False, initial(crypto(hello_message("evil.example"))))])
    tables = assert_the_same_late_or_at_once(items)
    assert tables["tls"].is_empty()
    assert tables["flows"]["name"].to_list() == ["c.example"]


def test_what_is_learned_after_a_hello_says_nothing_of_it():
    """As with TCP, whose hellos are read as they come."""
    announced = answer_of("hidden.example", 65, https_record(config(b"front.example")))
    items = []
    for second, port in enumerate((40_000, 41_000)):
        for n, name in enumerate(("front.example", "doh.test")):
            datagram = initial(crypto(hello_message(name)))
            items += frames_of([(True, datagram)], port=port + n, start=START + second * SECOND + n * MS)
        items += [(START + second * SECOND + (5 + n) * MS, udp(data, up=False)) for n, data in enumerate((announced, designation(b"\3doh\4test\0")))]
    tables = assert_the_same_late_or_at_once(items)
    flows = tables["flows"].filter(pl.col("remote_port") == 443).sort("local_port")
    assert flows["ech"].to_list() == ["grease_or_real", "grease_or_real", "outer", "grease_or_real"]
    assert flows["service"].to_list() == ["quic", "quic", "quic", "doh"]
