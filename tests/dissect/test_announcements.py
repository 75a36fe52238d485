import itertools

import polars as pl
import pytest
from crafting.packets import MS, PHONE, PHONE_MAC, START, dissect, udp
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSRR, DNSRRSRV
from scapy.layers.netbios import NBNSHeader, NBNSRegistrationRequest
from wiretally.core.schema import ANNOUNCED, polars_schema
from wiretally.dissect.announcements import MAX_KNOWN, Announcements, Claim, Heard, by_dns, labels, text
from wiretally.dissect.dissector import DissectOptions
from wiretally.dissect.state import SERVICE_DHCP, SERVICE_NETBIOS, SERVICE_SSDP
from wiretally.dissect.udp import MAX_ANNOUNCED

MAC = PHONE_MAC.hex(":")
WANTED = DissectOptions(tables=frozenset({"flows", "exchanges", "tls", "dns", "http", "announced"}))


def dhcp(*options, op=1, ciaddr="0.0.0.0"):
    return bytes(BOOTP(chaddr=PHONE_MAC, op=op, xid=1, ciaddr=ciaddr) / DHCP(options=[("message-type", "request"), *options, "end"]))


def claims(service, data, mac=MAC, ip=PHONE):
    reader = Announcements()
    reader.read(service, data, 7, mac, ip)
    return [tuple(claim)[1:] for claim in reader.take()]


def test_a_phone_that_joins_tells_its_name_address_and_software():
    said = dhcp(("hostname", b"Pixel-7"), ("vendor_class_id", b"android-dhcp-14"), ("requested_addr", PHONE))
    answer = dissect([(START, udp(said, port=68, remote_port=67, phone="0.0.0.0", server="255.255.255.255"))], WANTED)
    table = answer.tables["announced"]
    assert table.schema == pl.Schema(polars_schema(ANNOUNCED))
    assert table.drop("time").rows() == [(MAC, PHONE, "Pixel-7", "dhcp"), (MAC, PHONE, "android-dhcp-14", "dhcp_vendor")]
    assert answer.tables["flows"]["service"].to_list() == ["dhcp"]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (dhcp((81, b"\0\0\0Pixel-7.lan")), [(MAC, None, "Pixel-7.lan", "dhcp")]),
        (dhcp((81, b"\4\0\0\7pixel-7\3lan\0")), [(MAC, None, "pixel-7.lan", "dhcp")]),
        (dhcp((81, b"\5\0\0\7pixel-7"), ("hostname", b"pixel-7")), [(MAC, None, "pixel-7", "dhcp")]),
        (dhcp(("hostname", b"a\0\0"), ciaddr=PHONE), [(MAC, PHONE, "a", "dhcp")]),
        (dhcp(("hostname", b"Pixel-7"), op=2), []),  # what servers say is not what a device calls itself
        (dhcp(("hostname", b"\xff\x1b[2J")), [(MAC, None, "\\xff\x1b[2J", "dhcp")]),
        (dhcp((81, b"\4\0\0\x7fxx")), []),
        (dhcp()[:200], []), (b"", []), (dhcp()[:241] + b"\x0c", []),
        (b"\3abc" + b"\0\x27\0\x09\1\7pixel-7" + b"\0\x10\0\x0a\0\0\1\x37\0\4MSFT", [
            (MAC, PHONE, "pixel-7", "dhcp"), (MAC, PHONE, "MSFT", "dhcp_vendor")]),
        (b"\7abc" + b"\0\x27\0\x09\1\7pixel-7", []),  # a reply
    ],
)  # fmt: skip
def test_dhcp(data, found):
    assert claims(SERVICE_DHCP, data) == found


def test_what_software_calls_itself():
    notify = b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nServer: Linux/3.14 UPnP/1.0 IpBridge/1.26\r\nNT: x\r\n\r\n"
    search = b"M-SEARCH * HTTP/1.1\r\nUSER-AGENT: Chrome/120 Windows\n\r\n"
    assert claims(SERVICE_SSDP, notify) == [(MAC, PHONE, "Linux/3.14 UPnP/1.0 IpBridge/1.26", "ssdp")]
    assert claims(SERVICE_SSDP, search) == [(MAC, PHONE, "Chrome/120 Windows", "ssdp")]


@pytest.mark.parametrize(("name", "suffix", "group", "found"), [("DESKTOP-1", 0x4141, 0, ["DESKTOP-1"]),
                                                               ("WORKGROUP", 0x4141, 1, []), ("X", 0x4341, 0, ["X"]),
                                                               ("X", 0x424F, 0, [])])  # fmt: skip
def test_computers_register_their_netbios_names(name, suffix, group, found):
    header = NBNSHeader(OPCODE=5, QDCOUNT=1, ARCOUNT=1)
    request = header / NBNSRegistrationRequest(QUESTION_NAME=name, SUFFIX=suffix, G=group, NB_ADDRESS=PHONE)
    assert [claim[2] for claim in claims(SERVICE_NETBIOS, bytes(request))] == found


def test_hosts_and_services_by_multicast_dns():
    said = DNS(id=0, qr=1, aa=1, qd=[], an=[
        DNSRR(rrname="Pixel-7.local", type="A", rdata=PHONE), DNSRR(rrname="Pixel-7.local", type="AAAA", rdata="fe80::1"),
        DNSRRSRV(rrname="Living Room._googlecast._tcp.local", port=8009, target="Pixel-7.local"),
        DNSRR(rrname="20.7.168.192.in-addr.arpa", type="PTR", rdata="Pixel-7.local"),
    ])  # fmt: skip
    table = dissect([(START, udp(bytes(said), port=5353, remote_port=5353, server="224.0.0.251"))], WANTED).tables["announced"]
    assert sorted(table.select("ip", "name", "source").rows()) == [
        (PHONE, "living room", "mdns"), (PHONE, "pixel-7.local", "mdns"), ("fe80::1", "living room", "mdns"),
        ("fe80::1", "pixel-7.local", "mdns"),
    ]  # fmt: skip


def test_a_device_that_is_asked_for_its_services_tells_its_name_in_additional_records():
    said = DNS(id=0, qr=1, aa=1, qd=[], an=[DNSRR(rrname="_googlecast._tcp.local", type="PTR", rdata="Living Room._googlecast._tcp.local")],
               ar=[DNSRRSRV(rrname="Living Room._googlecast._tcp.local", port=8009, target="cast-1.local"),
                   DNSRR(rrname="cast-1.local", type="A", rdata=PHONE)])  # fmt: skip
    table = dissect([(START, udp(bytes(said), port=5353, remote_port=5353, server="224.0.0.251"))], WANTED).tables["announced"]
    assert sorted(table.select("ip", "name", "source").rows()) == [(PHONE, "cast-1.local", "mdns"), (PHONE, "living room", "mdns")]


def test_a_claim_is_a_row_once_however_the_capture_is_cut():
    times = itertools.count(START, MS)
    said = [udp(dhcp(("hostname", name)), port=68, remote_port=67, server="255.255.255.255") for name in (b"a", b"b", b"a", b"a")]
    items = [(next(times), frame) for frame in said]
    whole = dissect(items, WANTED).tables["announced"]
    assert whole["name"].to_list() == ["a", "b"]
    assert dissect(items, WANTED, cuts=(1, 2, 3), ticks=(0, 1, 2)).tables["announced"].equals(whole)


def test_claims_are_forgotten_after_so_many_others():
    heard, nothing = Heard(), dissect([]).tables["dns"]
    one = Claim(0, MAC, None, "a", "dhcp")
    assert heard.frame([one], nothing).height == 1
    assert heard.frame([Claim(n, MAC, None, str(n), "dhcp") for n in range(MAX_KNOWN - 1)], nothing).height == MAX_KNOWN - 1
    assert heard.frame([one], nothing).height == 0
    heard.frame([Claim(n, MAC, None, f"x{n}", "dhcp") for n in range(MAX_KNOWN)], nothing)
    assert heard.frame([one], nothing).height == 1
    assert by_dns(nothing).height == 0


@pytest.mark.parametrize("count", [MAX_ANNOUNCED, MAX_ANNOUNCED + 1])
def test_so_many_datagrams_of_one_flow_are_read_the_rest_is_counted(count):
    items = [(START + n, udp(dhcp(("hostname", b"n%d" % n)), port=68, remote_port=67, server="255.255.255.255")) for n in range(count)]
    answer = dissect(items, WANTED)
    assert answer.tables["announced"].height == MAX_ANNOUNCED
    assert answer.given_up["announced_skipped"] == count - MAX_ANNOUNCED


@given(st.sampled_from([SERVICE_DHCP, SERVICE_SSDP, SERVICE_NETBIOS]), st.binary(max_size=300), st.booleans())
def test_any_octets_are_survived(service, data, formed):
    if formed:
        data = {SERVICE_DHCP: dhcp()[:240], SERVICE_SSDP: b"NOTIFY *\nServer:", SERVICE_NETBIOS: b"\0\1\x29\0\0\1\0\0\0\0\0\1"}[service] + data
    for claim in claims(service, data):
        assert 0 < len(claim[2]) <= 4 * 255


def test_texts_lose_their_padding():
    assert (text(b" a \0"), text(b"\0"), labels(b"\1a\2bc\0"), labels(b"\1a"), labels(b"")) == ("a", "", "a.bc", "a", "")
