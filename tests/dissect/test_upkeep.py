"""A dissector that runs for months: a stepped clock, thinned names, other networks, less said under load."""

import dpkt
import polars as pl
import pytest
from crafting.packets import (
    FINISHED,
    MS,
    SECOND,
    START,
    Connection,
    app_record,
    batch,
    client_hello,
    hello,
    named_counters,
    server_hello,
    udp,
)
from wiretally.core.schema import COUNTERS
from wiretally.dissect import intern
from wiretally.dissect.dissector import DissectOptions, Dissector
from wiretally.dissect.state import LEAN_COLUMNS, LEAN_PAYLOAD

HOUR = 3600 * SECOND
NAMES = [column.name for column in COUNTERS]
LATER = ("first_seen", "last_seen", "start", "end", "time", "flow_id")


def query(number=1, name="a.example", *, answer=False):
    message = dpkt.dns.DNS(id=number, qd=[dpkt.dns.DNS.Q(name=name)])
    if answer:
        message.qr = dpkt.dns.DNS_R
        message.an = [dpkt.dns.DNS.RR(name=name, ip=bytes([93, 184, 216, 34]), ttl=60)]
    return bytes(message)


def story():
    """Two connections, each cut in the middle by whoever tells it, and a lookup whose answer is late."""
    first = Connection(START).open().send(client_hello("one.example")).send(server_hello(), up=False)
    first.send(hello.record(23, bytes(2000)), up=False).send(FINISHED + app_record(500)).send(app_record(9000), up=False)
    items = [(START, udp(query()))]
    half = len(first.items) - 2
    rest = [*first.items[half:], (first.now + 9 * MS, udp(query(answer=True), up=False))]
    second = Connection(first.now + 20 * MS, port=40_001).open().send(client_hello("one.example", 2))
    return items + first.items[:half], rest + second.items


def tables(step=0, *, tick=False):
    before, after = story()
    dissector, pieces = Dissector(), []
    dissector.feed(batch(before))
    if tick:
        pieces.append(dissector.tables(dissector.take(live=True)))
    if step:
        dissector.move_clock(step)
    dissector.feed(batch([(at + step, frame) for at, frame in after]))
    pieces.append(dissector.tick(end=True))
    return {name: pl.concat([piece[name] for piece in pieces]) for name in pieces[-1]}, named_counters(dissector)


@pytest.mark.parametrize("tick", [False, True])
@pytest.mark.parametrize("step", [HOUR, -HOUR, 500 * 24 * HOUR])
def test_a_step_of_the_clock_changes_times_and_nothing_else(step, tick):
    """Flows, exchanges, lookups, round trips and gaps are as if the clock had always been right."""
    (plain, counted), (moved, counted_too) = tables(), tables(step, tick=tick)
    assert counted == counted_too
    for name, frame in plain.items():
        rest = [column for column in frame.columns if column not in LATER and frame[column].dtype != pl.Struct]
        assert moved[name].select(rest).equals(frame.select(rest)), name
    shift = pl.duration(nanoseconds=step)
    for column in ("first_seen", "last_seen"):
        assert moved["flows"][column].to_list() == plain["flows"].select(pl.col(column) + shift)[column].to_list()


def test_names_are_thinned_and_those_in_use_stay(monkeypatch):
    before, after = story()
    dissector, plain = Dissector(), Dissector()
    for each in (dissector, plain):
        each.feed(batch([(START, udp(query(n, f"gone{n}.example"), port=50_000 + n)) for n in range(300)]))
        each.feed(batch([(START + HOUR, udp(query(9), port=60_000))] + [(at + HOUR, frame) for at, frame in before]))
        each.tables(each.take(live=True))
    many = dissector.names
    dissector.renew_names()
    assert dissector.names < many / 10
    ends = []
    for each in (dissector, plain):
        each.feed(batch([(at + HOUR, frame) for at, frame in after]))
        ends.append(each.tick(end=True))
    for name, frame in ends[1].items():
        assert ends[0][name].equals(frame), name
    assert ends[0]["flows"]["name"].drop_nulls().to_list() == ["one.example", "one.example"]
    assert dissector.given_up["names_refused"] == 0
    assert many < intern.MAX_NAMES


def test_less_is_said_and_every_byte_is_counted():
    before, after = story()
    found = {}
    for lean in (0, LEAN_COLUMNS, LEAN_PAYLOAD):
        dissector = Dissector()
        dissector.lean = lean
        dissector.feed(batch(before + after))
        found[lean] = (dissector.tick(end=True), dissector.given_up["parses_skipped"], named_counters(dissector))
    (whole, none, counters), (columns, still_none, _), (payload, some, lean_counters) = found.values()
    assert (none, still_none) == (0, 0)
    assert some == 4  # two lookups' messages, two hellos
    assert counters == lean_counters
    for lean in (columns, payload):
        assert lean["flows"].select(NAMES).equals(whole["flows"].select(NAMES))
        assert lean["flows"]["app_exact"].equals(whole["flows"]["app_exact"])
        assert lean["exchanges"].select(NAMES).equals(whole["exchanges"].select(NAMES))
        assert lean["flows"]["community_id"].null_count() == lean["flows"].height
    assert columns["flows"]["sni"].equals(whole["flows"]["sni"])
    assert payload["flows"]["sni"].null_count() == payload["flows"].height
    assert payload["dns"].height == payload["tls"].height == 0


def test_other_networks_hold_for_flows_that_begin_then():
    dissector = Dissector(DissectOptions(local=("192.168.7.0/24",)))
    dissector.feed(batch([(START, udp(b"x" * 30, port=7001, remote_port=9))]))
    dissector.set_local(("93.184.216.0/24",))
    dissector.feed(batch([(START, udp(b"x" * 30, port=7001, remote_port=9)), (START, udp(b"x" * 30, port=7002, remote_port=9))]))
    assert sorted(dissector.tick(end=True)["flows"]["local_ip"]) == ["192.168.7.20", "93.184.216.34"]


def test_a_running_flow_is_shown_when_it_is_new_when_it_has_a_name_and_once_a_minute():
    dissector = Dissector()
    connection = Connection(START).open()
    shown = []

    def tell():
        dissector.feed(batch(connection.items))
        connection.items.clear()
        made = dissector.tables(dissector.take(live=True))
        shown.append((made["running"].height, made["open"].height))

    tell()
    connection.send(app_record(10))
    tell()
    connection.send(client_hello("late.example"))
    tell()
    tell()
    connection.send(app_record(10))
    tell()
    connection.send(app_record(10), after=61 * SECOND)
    tell()
    assert shown == [(1, 1), (0, 1), (1, 1), (0, 0), (0, 1), (1, 1)]


def test_a_flow_that_lingers_after_its_last_segments_still_goes_on():
    """What comes late belongs to it: a row that said that it had ended would never be counted anew (`store/reader.py`)."""
    dissector = Dissector()
    dissector.feed(batch(Connection(START).open().send(app_record(10)).close().items))
    shown = dissector.tables(dissector.take(live=True))["running"]
    assert shown["end"].to_list() == [None]
    assert dissector.tick(end=True)["flows"]["end"].to_list() == ["fin"]
