"""Link layers by the capture's link type: made by scapy where it knows them, else by hand as their documents have them."""

import pytest

pytest.importorskip("scapy.all")

from crafting.layered import DOWN, FOUR, LINK, SIX, STATION, TO_PORTS, assert_read, assert_unread
from crafting.packets import START, dissect, udp
from scapy.all import LLC, SNAP, CookedLinux, Dot1Q, Raw
from scapy.layers.l2 import CookedLinuxV2, Loopback, LoopbackOpenBSD
from scapy.layers.ppi import PPI
from wiretally.core.packets import (
    LINKTYPE_ARCNET_BSD,
    LINKTYPE_ARCNET_LINUX,
    LINKTYPE_C_HDLC,
    LINKTYPE_ETHERNET,
    LINKTYPE_IEEE802_11_PRISM,
    LINKTYPE_IPV4,
    LINKTYPE_IPV6,
    LINKTYPE_LINUX_SLL,
    LINKTYPE_LINUX_SLL2,
    LINKTYPE_LOOP,
    LINKTYPE_NFLOG,
    LINKTYPE_NULL,
    LINKTYPE_PKTAP,
    LINKTYPE_PPI,
    LINKTYPE_PPP,
    LINKTYPE_RAW,
    LINKTYPE_RAW_BSD,
    LINKTYPE_RAW_OPENBSD,
)
from wiretally.dissect.link import MAX_NFLOG_ATTRIBUTES

PACKET = udp(b"hello")[14:]  # without Ethernet
OLD, NEW = b"\xf0", b"\xd4"  # IPv4 as RFC 1051 and as RFC 1201 have it
WHOLE, SECOND, FIRST, EXCEPTION = b"\0\0\1", b"\2\0\1", b"\1\0\1", b"\xff\xff\xff"


@pytest.mark.parametrize(
    ("linktype", "head", "counted"),
    [
        (LINKTYPE_ARCNET_BSD, b"\1\2" + OLD, "counted"),
        (LINKTYPE_ARCNET_BSD, b"\1\2" + NEW + WHOLE, "counted"),
        (LINKTYPE_ARCNET_BSD, b"\1\2" + NEW + FIRST, "counted"),
        (LINKTYPE_ARCNET_BSD, b"\1\2" + NEW + SECOND, "unsupported"),
        (LINKTYPE_ARCNET_BSD, b"\1\2" + NEW + EXCEPTION + NEW + WHOLE, "counted"),
        (LINKTYPE_ARCNET_BSD, b"\1\2\xd5" + WHOLE, "unsupported"),  # address resolution
        (LINKTYPE_ARCNET_LINUX, b"\1\2\0\0" + OLD, "counted"),
        (LINKTYPE_ARCNET_LINUX, b"\1\2\0\0" + NEW + WHOLE, "counted"),
    ],
)
def test_arcnet(linktype, head, counted):
    answer = dissect([(START, head + PACKET)], linktype=linktype)
    assert answer.counters[counted] == answer.counters["seen"] == 1
    if counted == "counted":
        flow = answer.one("flows")
        assert (flow["up_payload_bytes"], flow["up_wire_bytes"]) == (5, len(head) + len(PACKET))


@pytest.mark.parametrize("head", [b"\1\2" + OLD, b"\1\2" + NEW + WHOLE, b"\1\2" + NEW + EXCEPTION + NEW + WHOLE])
def test_arcnet_cut_anywhere_in_its_header_is_malformed(head):
    for length in range(1, len(head)):
        answer = dissect([(START, head[:length])], linktype=LINKTYPE_ARCNET_BSD)
        assert answer.counters["malformed"] == 1, length


SENDER = bytes.fromhex(STATION.replace(":", "")) + bytes(2)  # an address of six bytes in a field of eight
COOKED = {"lladdrtype": 1, "lladdrlen": 6, "src": SENDER}
SNAPPED = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP()


def attribute(kind, value):
    """LINKTYPE_NFLOG: length with its own four bytes, type, value, padding to four."""
    return (4 + len(value)).to_bytes(2, "little") + kind.to_bytes(2, "little") + value + bytes(-len(value) % 4)


def nflog(packet):
    """Family, version, resource; prefix, packet header and payload, as iptables has them written."""
    head = b"\2\0\0\7" + attribute(10, b"wan\0\0") + attribute(1, bytes(8)) + attribute(9, bytes(packet))[:4]
    return Raw(head) / packet


def pktap(inside, length=108):
    return Raw(length.to_bytes(4, "little") + b"\1\0\0\0" + inside.to_bytes(4, "little") + bytes(length - 12))


READ = {
    "raw IPv4": (LINKTYPE_RAW, FOUR, FOUR, None),
    "raw IPv6": (LINKTYPE_RAW, SIX, SIX, None),
    "raw, BSD": (LINKTYPE_RAW_BSD, SIX, SIX, None),
    "raw, OpenBSD": (LINKTYPE_RAW_OPENBSD, FOUR, FOUR, None),
    "IPv4": (LINKTYPE_IPV4, FOUR, FOUR, None),
    "IPv6": (LINKTYPE_IPV6, SIX, SIX, None),
    "loopback, least significant byte first": (LINKTYPE_NULL, Raw(b"\2\0\0\0") / FOUR, FOUR, None),
    "loopback, network order": (LINKTYPE_NULL, Raw(b"\0\0\0\2") / FOUR, FOUR, None),
    "loopback, as scapy writes it here": (LINKTYPE_NULL, Loopback(type=2) / FOUR, FOUR, None),
    "loopback, an EtherType": (LINKTYPE_NULL, Raw(b"\0\0\x86\xdd") / SIX, SIX, None),
    "loopback, an EtherType the other way round": (LINKTYPE_NULL, Raw(b"\0\x08\0\0") / FOUR, FOUR, None),
    "loopback, OpenBSD": (LINKTYPE_LOOP, LoopbackOpenBSD(type=2) / FOUR, FOUR, None),
    "loopback, OpenBSD, IPv6": (LINKTYPE_LOOP, LoopbackOpenBSD(type=24) / SIX, SIX, None),
    "cooked": (LINKTYPE_LINUX_SLL, CookedLinux(proto=0x0800, **COOKED) / FOUR, FOUR, STATION),
    "cooked, IPv6": (LINKTYPE_LINUX_SLL, CookedLinux(proto=0x86DD, **COOKED) / SIX, SIX, STATION),
    "cooked, no address": (LINKTYPE_LINUX_SLL, CookedLinux(proto=0x0800) / FOUR, FOUR, None),
    "cooked, tagged": (LINKTYPE_LINUX_SLL, CookedLinux(proto=0x8100, **COOKED) / Dot1Q(vlan=7) / FOUR, FOUR, STATION),
    "cooked, LLC": (LINKTYPE_LINUX_SLL, CookedLinux(proto=4, **COOKED) / SNAPPED / FOUR, FOUR, STATION),
    "cooked 2": (LINKTYPE_LINUX_SLL2, CookedLinuxV2(proto=0x0800, ifindex=3, **COOKED) / FOUR, FOUR, STATION),
    "cooked 2, no address": (LINKTYPE_LINUX_SLL2, CookedLinuxV2(proto=0x86DD, ifindex=3) / SIX, SIX, None),
    "cooked 2, LLC": (LINKTYPE_LINUX_SLL2, CookedLinuxV2(proto=4, **COOKED) / SNAPPED / SIX, SIX, STATION),
    "Cisco HDLC": (LINKTYPE_C_HDLC, Raw(bytes.fromhex("0f000800")) / FOUR, FOUR, None),
    "Cisco HDLC to all": (LINKTYPE_C_HDLC, Raw(bytes.fromhex("8f0086dd")) / SIX, SIX, None),
    "Ethernet in PPI": (LINKTYPE_PPI, PPI(dlt=LINKTYPE_ETHERNET) / LINK / SIX, SIX, STATION),
    "Ethernet in PKTAP": (LINKTYPE_PKTAP, pktap(LINKTYPE_ETHERNET) / LINK / FOUR, FOUR, STATION),
    "raw in PKTAP": (LINKTYPE_PKTAP, pktap(LINKTYPE_RAW_BSD) / SIX, SIX, None),
    "loopback in PKTAP": (LINKTYPE_PKTAP, pktap(LINKTYPE_NULL, 156) / Raw(b"\x1e\0\0\0") / SIX, SIX, None),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_the_packet_is_found_whole_and_cut_anywhere(name):
    linktype, frame, packet, mac = READ[name]
    assert_read(frame, packet, linktype, mac=mac)


@pytest.mark.parametrize("family", [10, 24, 28, 30])
@pytest.mark.parametrize("order", ["little", "big"])
def test_every_system_has_its_own_number_for_ipv6(family, order):
    assert_read(Raw(family.to_bytes(4, order)) / SIX, SIX, LINKTYPE_NULL)


def test_of_a_family_that_no_system_has_the_packet_tells_which_it_is():
    for packet in (FOUR, SIX):
        assert dissect([(START, b"\x17\0\0\0" + bytes(packet))], linktype=LINKTYPE_NULL).one("flows")["remote_port"] == 7777
    assert_unread(Raw(b"\x17\0\0\0"), LINKTYPE_NULL)


@pytest.mark.parametrize(("linktype", "head"), [(LINKTYPE_LINUX_SLL, CookedLinux(proto=0x0800, **COOKED)),
                                                (LINKTYPE_LINUX_SLL2, CookedLinuxV2(proto=0x0800, **COOKED))])
def test_the_sender_s_address_is_not_that_of_a_local_receiver(linktype, head):
    assert_read(head / DOWN, DOWN, linktype, mac=None, up=False)


@pytest.mark.parametrize("packet", [FOUR, SIX])
def test_nflog_has_the_packet_in_one_of_its_attributes(packet):
    """Cut between two attributes it says no more than that there is no packet."""
    frame = bytes(nflog(packet))
    least = len(frame) - len(packet) + TO_PORTS[packet.version]
    answer = dissect([(START + n, frame[:n], len(frame)) for n in range(len(frame) + 1)], linktype=LINKTYPE_NFLOG)
    assert (answer.one("flows")["local_port"], answer.one("flows")["up_packets"]) == (5555, len(frame) + 1 - least)
    assert answer.counters["unsupported"] == 3  # behind the family, the prefix and the packet header
    assert answer.counters["malformed"] == least - 3


def test_nflog_attributes_at_the_limit_and_one_past_it():
    for count, fate in ((MAX_NFLOG_ATTRIBUTES - 1, "counted"), (MAX_NFLOG_ATTRIBUTES, "unsupported")):
        frame = b"\2\0\0\7" + attribute(7, bytes(4)) * count + attribute(9, bytes(FOUR))
        assert dissect([(START, frame)], linktype=LINKTYPE_NFLOG).counters[fate] == 1


@pytest.mark.parametrize(("linktype", "frame"), [
    (LINKTYPE_LINUX_SLL, CookedLinux(lladdrtype=824, proto=0x0800) / FOUR),  # netlink: its protocols are no EtherTypes
    (LINKTYPE_LINUX_SLL, CookedLinux(proto=1) / FOUR),  # 802.3 without LLC
    (LINKTYPE_LINUX_SLL2, CookedLinuxV2(lladdrtype=824, proto=0x0800) / FOUR),
    (LINKTYPE_LINUX_SLL2, CookedLinuxV2(proto=0xC) / FOUR),  # CAN
    (LINKTYPE_NULL, Raw(b"\7\0\0\0" + bytes(40))),
    (LINKTYPE_RAW, Raw(b"\x10" + bytes(40))),
    (LINKTYPE_C_HDLC, Raw(bytes.fromhex("8f008035") + bytes(18))),  # SLARP: RFC 1547 §4.3.1
    (LINKTYPE_PPI, PPI(dlt=195) / FOUR),  # 802.15.4
    (LINKTYPE_PKTAP, pktap(LINKTYPE_PPP) / FOUR),
    (147, Raw(bytes(FOUR))),  # a link type of somebody's own
])  # fmt: skip
def test_what_no_packet_of_ip_is_in_is_unsupported(linktype, frame):
    assert_unread(frame, linktype)


@pytest.mark.parametrize(("linktype", "frame"), [
    (LINKTYPE_PPI, bytes.fromhex("0000070001000000") + bytes(LINK / FOUR)),
    (LINKTYPE_PKTAP, bytes.fromhex("0b0000000100000001000000") + bytes(LINK / FOUR)),
    (LINKTYPE_PKTAP, bytes.fromhex("ffffffff0100000001000000") + bytes(LINK / FOUR)),
    (LINKTYPE_IEEE802_11_PRISM, bytes.fromhex("4400000007000000") + bytes(FOUR)),
    (LINKTYPE_IEEE802_11_PRISM, bytes.fromhex("44000000ffffffff") + bytes(FOUR)),
    (LINKTYPE_NFLOG, b"\2\0\0\7" + b"\3\0\1\0" + attribute(9, bytes(FOUR))),
])  # fmt: skip
def test_a_header_whose_length_cannot_be_is_malformed(linktype, frame):
    assert_unread(frame, linktype, fate="malformed")
