"""Community identifiers: the specification's own, and those of a slow twin."""

import ipaddress
import struct

import pytest
from crafting.packets import dissect
from hypothesis import given
from hypothesis import strategies as st
from naive.community_id import community_id
from scapy.all import ICMP, IP, SCTP, TCP, UDP, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6, Raw
from wiretally.core.packets import LINKTYPE_RAW

# README of the specification, and the baseline of its reference implementation
PUBLISHED = [
    (IP(src="128.232.110.120", dst="66.35.250.204") / TCP(sport=34855, dport=80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    (IP(src="192.168.1.52", dst="8.8.8.8") / UDP(sport=54585, dport=53), "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    (IP(src="192.168.0.89", dst="192.168.0.1") / ICMP(type=8, code=0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
]


def identifier(packet):
    return dissect([(1, bytes(packet))], linktype=LINKTYPE_RAW).one("flows")["community_id"]


@pytest.mark.parametrize(("packet", "expected"), PUBLISHED)
def test_published_identifiers(packet, expected):
    assert identifier(packet) == expected


addresses = st.integers(1, 2**32 - 1).map(lambda number: str(ipaddress.IPv4Address(number)))
addresses6 = st.integers(1, 2**128 - 1).map(lambda number: str(ipaddress.IPv6Address(number)))
ports = st.integers(0, 65535)


def frame(version, protocol, source, destination, payload):
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    if version == 4:
        return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + ends + payload
    return struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64) + ends + payload


@given(st.data(), st.sampled_from([4, 6]), st.sampled_from([6, 17, 132]))
def test_both_directions_as_the_twin(data, version, protocol):
    source, destination = (data.draw(addresses if version == 4 else addresses6) for _ in range(2))
    one, other = data.draw(ports), data.draw(ports)
    payload = struct.pack(">HHIIBBHHH", one, other, 0, 0, 0x50, 16, 0, 0, 0)
    if protocol == 17:
        payload = struct.pack(">HHHH", one, other, 8, 0)
    found = dissect([(1, frame(version, protocol, source, destination, payload))], linktype=LINKTYPE_RAW)
    expected = community_id(protocol, source, destination, one, other)
    assert found.one("flows")["community_id"] == expected == community_id(protocol, destination, source, other, one)


@given(st.data(), st.sampled_from([(4, 1), (6, 58)]), st.integers(0, 255), st.integers(0, 255))
def test_icmp_as_the_twin(data, layers, kind, code):
    version, protocol = layers
    source, destination = (data.draw(addresses if version == 4 else addresses6) for _ in range(2))
    found = dissect([(1, frame(version, protocol, source, destination, struct.pack(">BBHI", kind, code, 0, 9)))],
                    linktype=LINKTYPE_RAW)  # fmt: skip
    assert found.one("flows")["community_id"] == community_id(protocol, source, destination, kind, code)


@given(addresses, addresses, st.sampled_from([2, 47, 50, 89, 103]))
def test_a_protocol_without_ports_as_the_twin(source, destination, protocol):
    found = dissect([(1, frame(4, protocol, source, destination, b""))], linktype=LINKTYPE_RAW)
    assert found.one("flows")["community_id"] == community_id(protocol, source, destination)


@pytest.mark.parametrize(
    ("packet", "arguments"),
    [
        (IPv6(src="fe80::1", dst="fe80::2") / ICMPv6EchoRequest(), (58, "fe80::1", "fe80::2", 128, 0)),
        (IPv6(src="fe80::2", dst="fe80::1") / ICMPv6EchoReply(), (58, "fe80::2", "fe80::1", 129, 0)),
        (IPv6(src="fe80::1", dst="ff02::1:ff00:2") / ICMPv6ND_NS(), (58, "fe80::1", "ff02::1:ff00:2", 135, 0)),
        (IP(src="10.0.0.1", dst="10.0.0.2") / SCTP(sport=80, dport=5) / Raw(b"x" * 8), (132, "10.0.0.1", "10.0.0.2", 80, 5)),
    ],
)
def test_packets_of_scapy_as_the_twin(packet, arguments):
    assert identifier(packet) == community_id(*arguments)
