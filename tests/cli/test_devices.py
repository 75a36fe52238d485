import struct
from datetime import UTC, datetime

import polars as pl
import pytest
import wiretally
from crafting.packets import (
    FINISHED,
    PHONE_MAC,
    SECOND,
    START,
    Connection,
    app_record,
    batch,
    client_hello,
    server_hello,
    udp,
)
from polars.testing import assert_frame_equal
from scapy.layers.dhcp import BOOTP, DHCP
from typer.testing import CliRunner
from wiretally.cli import pipeline
from wiretally.cli.devices import Devices
from wiretally.cli.main import app
from wiretally.core.errors import InputError
from wiretally.core.schema import ANNOUNCED, DEVICES, FLOWS, polars_schema
from wiretally.dissect.dissector import Dissector
from wiretally.measure.inputs import Session, read_sessions
from wiretally.store import marks
from wiretally.store.database import Store

PHONE, TABLET = "da:a1:19:00:00:01", "3c:5a:b4:00:00:02"


def flows(*ends):
    schema = polars_schema(FLOWS)
    names = ("local_mac", "local_ip", "first_seen", "last_seen")
    kinds = {name: pl.Int64() if name.endswith("seen") else schema[name] for name in names}
    return pl.DataFrame(ends, schema=kinds, orient="row").cast({name: schema[name] for name in names})


def claims(*rows):
    schema = polars_schema(ANNOUNCED)
    kinds = {name: pl.Int64() if name == "time" else kind for name, kind in schema.items()}
    return pl.DataFrame(rows, schema=kinds, orient="row").cast(schema)


def gathered(*parts, said=None):
    devices = Devices()
    for part in parts:
        devices.take("flows", part)
    if said is not None:
        devices.take("announced", said)
    return devices.rows()


def test_devices_are_link_addresses_with_what_was_behind_them():
    whole = flows(
        (PHONE, "192.168.4.20", 10, 20), (PHONE, "fe80::1", 5, 40), (TABLET, "192.168.4.21", 30, 60),
        (PHONE, "192.168.4.20", 50, 90), (None, "10.0.0.9", 1, 2), (None, "10.0.0.8", 3, 4), (PHONE, "0.0.0.0", 2, 3),
        (None, "::", 1, 1),
    )  # fmt: skip
    table = gathered(whole)
    assert table.schema == pl.Schema(polars_schema(DEVICES))
    assert table.select("mac", "addresses", "randomised", "vendor").rows() == [
        (None, ["10.0.0.9"], None, None),
        (PHONE, ["fe80::1", "192.168.4.20"], True, None),
        (None, ["10.0.0.8"], None, None),
        (TABLET, ["192.168.4.21"], False, "Google, Inc."),
    ]
    assert table.select(pl.col("first_seen", "last_seen").to_physical()).rows() == [(1, 2), (2, 90), (3, 4), (30, 60)]
    spans = table["address_spans"].list.eval(pl.element().struct.field("last_seen").to_physical()).to_list()
    assert spans == [[2], [40, 90], [4], [60]]
    assert table["names"].to_list() == [[]] * 4
    assert_frame_equal(gathered(*whole.iter_slices(1)), table)


def test_names_belong_to_the_link_address_or_to_whoever_had_the_address_then():
    whole = flows((PHONE, "192.168.4.20", 0, 100), (TABLET, "192.168.4.20", 500, 600), (TABLET, "192.168.4.21", 500, 600))
    said = claims(
        (5, PHONE, None, "Pixel-7", "dhcp"), (5, PHONE, None, "android-dhcp-14", "dhcp_vendor"),
        (90, None, "192.168.4.20", "pixel-7.local", "mdns"), (650, None, "192.168.4.20", "tablet.local", "mdns"),
        (660, None, "192.168.4.20", "tablet.local", "llmnr"), (700, None, "192.168.4.99", "nobody.local", "mdns"),
        (800, TABLET, "192.168.4.21", "Linux UPnP/1.0", "ssdp"), (801, "02:00:00:00:00:09", None, "gone", "dhcp"),
    )  # fmt: skip
    table = gathered(whole, said=said).select("mac", "names", "name_sources", "software")
    assert table.rows() == [
        (PHONE, ["Pixel-7", "pixel-7.local"], ["dhcp", "mdns"], ["android-dhcp-14"]),
        (TABLET, ["tablet.local"], ["mdns"], ["Linux UPnP/1.0"]),
    ]


def story():
    """A phone that tells its name, looks up and talks to one server in two sessions, and one of DNS over HTTPS."""
    said = bytes(BOOTP(chaddr=PHONE_MAC, op=1) / DHCP(options=[("message-type", "request"), ("hostname", b"Pixel-7"), "end"]))
    items = [(START, udp(said, port=68, remote_port=67, phone="0.0.0.0", server="255.255.255.255"))]
    for number, name in enumerate(("a.test", "a.test", "dns.google")):
        talk = Connection(START + (1 + 60 * number) * SECOND, port=40_000 + number).open().send(client_hello(name))
        items += talk.send(server_hello(), up=False).send(FINISHED).send(app_record(500)).send(app_record(50), up=False).close().items
    return items


def captured(folder):
    """The story as a file."""
    path, items = folder / "phone.pcap", story()
    head = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 1)
    path.write_bytes(head + b"".join(
        struct.pack("<IIII", ns // SECOND, ns % SECOND, len(frame), len(frame)) + frame for ns, frame in items))  # fmt: skip
    return path


def sessions_of(folder, device):
    at = [datetime.fromtimestamp(START // SECOND + offset, UTC).isoformat() for offset in (0, 60, 180)]
    path = folder / "sessions.csv"
    path.write_text(f"session,device,mode,start,end\nn,{device},normal,{at[0]},{at[1]}\ni,{device},incognito,{at[1]},{at[2]}\n")
    return path


def test_a_session_may_give_its_device_by_the_name_that_it_told(tmp_path):
    path = captured(tmp_path)
    by_name = wiretally.compare(path, sessions_of(tmp_path, "pixel-7.local"))
    by_address = wiretally.compare(path, sessions_of(tmp_path, PHONE_MAC.hex(":")))
    assert {row["device"] for row in by_name["sessions"]} == {"pixel-7.local"}
    assert by_name["volumes"] == by_address["volumes"]
    assert by_name["total"] == by_address["total"]
    hidden = by_name["basis"]["hidden_names"]
    assert hidden["encrypted_dns"]["services"] == {"dot": 0, "doq": 0, "doh": 1}
    assert any("used encrypted DNS (1 doh; dns.google)" in line for line in by_name["basis"]["warnings"])
    with pytest.raises(InputError, match="known are 'Pixel-7'"):
        wiretally.compare(path, sessions_of(tmp_path, "tablet"))


def test_notations_of_one_device_are_one_also_in_a_bundle(tmp_path):
    path, file = captured(tmp_path), sessions_of(tmp_path, PHONE_MAC.hex(":"))
    alike = wiretally.compare(path, file)
    file.write_text(file.read_text().replace(f"n,{PHONE_MAC.hex(':')}", "n,192.168.7.20").replace(f"i,{PHONE_MAC.hex(':')}", "i,Pixel-7"))
    mixed = wiretally.compare(path, file)
    assert mixed["total"] == alike["total"]
    assert {row["device"] for row in mixed["sessions"]} == {"Pixel-7"}
    target = str(tmp_path / "b.zip")
    for words in (("bundle", str(path), "--sessions", str(file), "-o", target), ("verify", target, "--no-tshark")):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output


def test_a_session_of_nobody_in_a_store_is_left_out_and_says_so(tmp_path):
    path, store = captured(tmp_path), str(tmp_path / "home.db")
    seen = wiretally.read(path)
    with Store(store) as kept:
        kept.keep({"flows": seen.flows, "exchanges": seen.exchanges, "capture": seen.capture})
    file = sessions_of(tmp_path, PHONE_MAC.hex(":"))
    marks.add(store, read_sessions(str(file)))
    clean = wiretally.compare(store)
    marks.add(store, [Session("ghost-1", "ghost", "normal", START, START + SECOND), Session("ghost-2", "10.9.9.9", "idle", START, START + SECOND),
                      Session("old", PHONE_MAC.hex(":"), "normal", START - 100 * SECOND, START - 50 * SECOND)])  # fmt: skip
    result = wiretally.compare(store)
    assert result["total"] == clean["total"]
    assert [row["session"] for row in result["sessions"]] == ["n", "i"]
    told = " ".join(result["basis"]["warnings"])
    assert "ghost-1 is left out" in told
    assert "ghost-2 is left out" in told
    assert "nothing is kept any more of the time of session(s) old" in told


def test_a_capture_and_the_store_of_it_know_the_same_devices(tmp_path):
    path = captured(tmp_path)
    told = []
    seen = wiretally.read(path, warn=told.append)
    assert [line for line in told if "encrypted DNS" in line] == list(seen.warnings)
    assert seen.devices.select("mac", "names", "addresses").rows() == [(PHONE_MAC.hex(":"), ["Pixel-7"], ["192.168.7.20"])]
    with Store(str(tmp_path / "home.db")) as store:
        dissector = Dissector(pipeline.dissect_options(pipeline.DISSECTED, {}))
        dissector.feed(batch(story()))
        store.keep({**dissector.tick(end=True), "capture": seen.capture}, minute_is_over=True)  # databases are old by its day, not by today
    again = wiretally.read(tmp_path / "home.db")
    assert_frame_equal(again.devices, seen.devices)
    assert again.warnings == seen.warnings != ()


@pytest.mark.parametrize("table", ["text", "json", "html"])
def test_every_report_says_how_many_names_are_hidden(tmp_path, table):
    words = ["compare", str(captured(tmp_path)), "--sessions", str(sessions_of(tmp_path, "Pixel-7")), "--format", table, "-q"]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0
    assert "encrypted DNS" in " ".join(shown.output.replace("│", " ").split())
