"""The result counts the same and says nothing of who: on a recording of the lab, and on packets made to be difficult."""

import io
import ipaddress
from pathlib import Path

import dpkt
import pytest
import wiretally
import zstandard
from wiretally.core.errors import InputError
from wiretally.core.schema import ATTRIBUTION
from wiretally.evidence.layers import blank, walked
from wiretally.evidence.pcapng import pseudonyms_of
from wiretally.evidence.pseudonyms import Policy, Pseudonyms
from wiretally.evidence.rewrite import Rewriter, content_key

SAMPLES = Path(wiretally.__file__).parent / "data" / "samples"
PHONE_MAC, AP_MAC = bytes.fromhex("d26a913c0e57"), bytes.fromhex("b827eb4f12a0")
PHONE, AP = "192.168.50.23", "192.168.50.1"


def rewritten(path, policy, target, devices=()):
    rewriter = Rewriter([str(path)])
    pseudonyms = rewriter.pseudonyms(content_key([str(path)]), policy, devices)
    with target.open("wb") as file:
        done = rewriter.write(file, pseudonyms)
    return pseudonyms, done


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The first half of a recording, uncompressed."""
    target = tmp_path_factory.mktemp("plain") / "capture.pcapng"
    with (SAMPLES / "swap" / "capture.pcapng.zst").open("rb") as file:
        raw = zstandard.ZstdDecompressor().stream_reader(file).read(600_000)
    target.write_bytes(raw)
    return target


@pytest.fixture(scope="module")
def hidden(plain, tmp_path_factory):
    target = tmp_path_factory.mktemp("hidden") / "capture.pcapng"
    return *rewritten(plain, Policy("all", "hash"), target), target


def test_everything_that_is_counted_is_the_same(plain, hidden):
    pseudonyms, done, target = hidden
    before, after = wiretally.read(plain), wiretally.read(target)
    assert done.packets == before.capture["packets"].sum() > 500
    for table in ("flows", "exchanges", "tls", "dns"):
        old, new = getattr(before, table), getattr(after, table)
        says_who = {"flow_id", "community_id", "local_mac", "local_ip", "remote_ip", "name", "sni", "certificate_names", "qname",
                    "answers", "client_subnet", *(column.name for column in ATTRIBUTION)}  # fmt: skip
        for column in set(old.columns) - says_who:
            assert new[column].to_list() == old[column].to_list(), (table, column)
        for column in {"name", "sni", "qname"} & set(old.columns):
            expected = [None if name is None else pseudonyms.text(name) for name in old[column]]
            assert new[column].to_list() == expected
    assert after.flows["country"].null_count() == after.flows.height
    assert any("pseudonyms" in line for line in after.warnings)


def test_nothing_of_who_is_left_in_any_byte(plain, hidden):
    pseudonyms, _, target = hidden
    before = wiretally.read(plain)
    data = target.read_bytes()
    for mac in (PHONE_MAC, AP_MAC):
        assert mac in plain.read_bytes()
        assert mac not in data
    addresses = set(before.flows["local_ip"]) | set(before.flows["remote_ip"])
    addresses |= {answer["data"] for answers in before.dns["answers"].drop_nulls() for answer in answers if answer["type"] == "A"}
    for address in addresses:
        packed = ipaddress.ip_address(address).packed
        if pseudonyms.address(packed) != packed:
            assert data.count(packed) <= 1, address  # four bytes may be there by chance
    labels = {label for name in set(before.dns["qname"]) | set(before.tls["sni"]) for label in name.split(".") if len(label) > 4}
    assert len(labels) > 10
    assert [label for label in labels if label.encode() in data.lower()] == []


def test_the_file_says_what_was_done_and_is_the_same_each_time(plain, hidden, tmp_path):
    *_, target = hidden
    assert pseudonyms_of([str(target)]) == {"addresses": "all", "names": "hash"}
    assert pseudonyms_of([str(plain)]) is None
    again = tmp_path / "again.pcapng"
    rewritten(plain, Policy("all", "hash"), again)
    assert again.read_bytes() == target.read_bytes()


def test_frames_are_sound_and_quick_and_slow_agree(plain):
    pseudonyms = Pseudonyms(bytes(32), Policy("all", "hash"))
    for number, (_, frame) in enumerate(dpkt.pcapng.Reader(io.BytesIO(plain.read_bytes()))):
        if number % 9 == 0:
            quick, slow = blank(frame, 1, len(frame), pseudonyms), walked(frame, 1, len(frame), pseudonyms)
            assert quick._replace(seals=[], frame=bytes(quick.frame)) == slow._replace(seals=[], frame=bytes(slow.frame))
            assert quick.seals == slow.seals
        if number > 1500:
            break


def test_checksums_are_right_for_others(hidden):
    *_, target = hidden
    for number, (_, frame) in enumerate(dpkt.pcapng.Reader(io.BytesIO(target.read_bytes()))):
        packet = dpkt.ethernet.Ethernet(frame).data
        if isinstance(packet, dpkt.ip.IP):
            said = packet.sum, packet.data.sum
            packet.sum = packet.data.sum = 0
            bytes(packet)
            again = dpkt.ip.IP(bytes(packet))
            assert (again.sum, again.data.sum) == said
        if number > 300:
            break


# ------------------------------------------------------------------------------------------- packets made for this


def ethernet(kind, body, source=PHONE_MAC, target=AP_MAC):
    return target + source + kind.to_bytes(2, "big") + body


def packet(source, target, transport, protocol):
    if ipaddress.ip_address(source).version == 6:
        made = dpkt.ip6.IP6(src=ipaddress.ip_address(source).packed, dst=ipaddress.ip_address(target).packed, nxt=protocol,
                            data=bytes(transport), plen=len(bytes(transport)))  # fmt: skip
        made.extension_hdrs = {}
        return ethernet(0x86DD, bytes(made))
    made = dpkt.ip.IP(src=ipaddress.ip_address(source).packed, dst=ipaddress.ip_address(target).packed, p=protocol,
                      data=bytes(transport))  # fmt: skip
    return ethernet(0x0800, bytes(made))


def udp(source, target, sport, dport, data):
    return packet(source, target, dpkt.udp.UDP(sport=sport, dport=dport, data=data, ulen=8 + len(data)), 17)


def tcp(source, target, sport, dport, seq, ack, flags, data=b""):
    return packet(source, target, dpkt.tcp.TCP(sport=sport, dport=dport, seq=seq, ack=ack, flags=flags, data=data), 6)


def capture(path, frames):
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, nano=True)
        for number, frame in enumerate(frames):
            writer.writepkt(frame, ts=1_700_000_000 + number / 100)
    return path


SECRETS = (b"annas-phone", b"secret-path", b"dhcp-host", b"top-secret", b"cookie")


def test_protocols_that_name_people_are_blank(tmp_path):
    server, device6 = "203.0.113.7", "2a02:908:10::17"
    request = b"GET /secret-path?q=1 HTTP/1.1\r\nHost: www.shop.test\r\nCookie: cookie\r\n\r\n"
    arp = b"\x00\x01\x08\x00\x06\x04\x00\x01" + PHONE_MAC + bytes([192, 168, 50, 23]) + bytes(6) + bytes([192, 168, 50, 1])
    dhcp = b"\x01\x01\x06\x00" + bytes(24) + PHONE_MAC + bytes(202) + b"\x63\x82\x53\x63\x0c\x09dhcp-host\xff"
    mdns = b"\0\0\0\0\0\1\0\0\0\0\0\0\x0bannas-phone\5local\0\0\1\0\1"
    embedded = b"\x03\x03\0\0\0\0\0\0" + packet(PHONE, server, b"\0\1\0\2", 17)[14:]
    frames = [
        ethernet(0x0806, arp),
        udp("0.0.0.0", "255.255.255.255", 68, 67, dhcp),
        udp(PHONE, "224.0.0.251", 5353, 5353, mdns),
        packet(AP, PHONE, embedded, 1),
        packet(AP, PHONE, b"\x05\x01\0\0" + bytes([192, 168, 50, 23]), 1),  # a redirect names a gateway
        tcp(PHONE, server, 40000, 80, 100, 0, 2),
        tcp(server, PHONE, 80, 40000, 900, 101, 18),
        tcp(PHONE, server, 40000, 80, 101, 901, 24, request[:30]),
        tcp(PHONE, server, 40000, 80, 131, 901, 24, request[30:]),
        tcp(device6, "2001:4860:4860::8888", 40001, 9999, 5, 0, 24, b"top-secret"),
        udp(PHONE, server, 4000, 5000, b"top-secret"),
    ]
    source, target = capture(tmp_path / "a.pcap", frames), tmp_path / "b.pcapng"
    before = wiretally.read(source)
    _, done = rewritten(source, Policy("local", "keep"), target, set(before.flows["local_ip"]))
    after = wiretally.read(target)
    data = target.read_bytes()
    assert [word for word in SECRETS if word in data] == []
    assert PHONE_MAC not in data
    assert ipaddress.ip_address(device6).packed not in data
    assert bytes([192, 168, 50, 23]) not in data
    assert data.count(ipaddress.ip_address(server).packed) == 5
    assert (done.packets, done.blanked, done.holes) == (11, 0, 0)
    assert after.http["host"].to_list() == ["www.shop.test"]
    assert after.http["method"].to_list() == ["GET"]
    counts = [column for column in before.flows.columns if column.startswith(("up_", "down_"))]
    assert after.flows.select(counts).equals(before.flows.select(counts))
    same = ("packets", "wire_bytes", "counted", "malformed", "unsupported")
    assert after.capture.select(same).equals(before.capture.select(same))


def test_records_that_straddle_come_late_or_not_at_all(tmp_path):
    server = "203.0.113.7"
    record = b"\x17\x03\x03\x01\x00" + b"q" * 256
    stream = record * 6
    pieces = [(at, stream[at : at + 200]) for at in range(0, len(stream), 200)]
    order = [0, 2, 1, 3, 3, 5, 7, 6]  # 4 is missing; its hole is acknowledged
    frames = [tcp(PHONE, server, 40000, 443, 100, 0, 2), tcp(server, PHONE, 443, 40000, 900, 101, 18)]
    frames += [tcp(PHONE, server, 40000, 443, 101 + pieces[n][0], 901, 24, pieces[n][1]) for n in order]
    frames += [tcp(server, PHONE, 443, 40000, 901, 101 + len(stream), 16)]
    source, target = capture(tmp_path / "a.pcap", frames), tmp_path / "b.pcapng"
    _, done = rewritten(source, Policy("local", "keep"), target)
    before, after = wiretally.read(source).flows, wiretally.read(target).flows
    assert after["up_app_bytes"].to_list() == before["up_app_bytes"].to_list()
    assert after["up_retransmitted_bytes"].to_list() == before["up_retransmitted_bytes"].to_list() == [200]
    assert done.holes == 1
    assert b"qqq" not in target.read_bytes()


def test_what_cannot_be_done_is_said(tmp_path):
    with pytest.raises(InputError, match="standard input"):
        Rewriter(["-"])
    strange = tmp_path / "strange.pcap"
    with strange.open("wb") as file:
        writer = dpkt.pcap.Writer(file, linktype=258)
        writer.writepkt(bytes(60), ts=1.0)
    with pytest.raises(InputError, match="PKTAP"):
        Rewriter([str(strange)])
