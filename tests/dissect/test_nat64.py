"""IPv4 addresses behind IPv6 ones: the RFC's own table, any prefix, who is believed, and the limit."""

import ipaddress
import struct

import numpy as np
import pytest
from crafting.packets import MS, START, dissect, ethernet
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import nat64 as naive
from scapy.layers.dns import DNS, DNSQR, DNSRR
from wiretally.dissect import nat64
from wiretally.dissect.state import NAT64_PREFIXES

PHONE, RESOLVER = "2001:db8:ffff::20", "2001:db8:ffff::53"
ASKED = ("192.0.0.170", "192.0.0.171")
# RFC 6052 §2.4, for 192.0.2.33
TABLE = [
    ("2001:db8::", 32, "2001:db8:c000:221::"), ("2001:db8:100::", 40, "2001:db8:1c0:2:21::"),
    ("2001:db8:122::", 48, "2001:db8:122:c000:2:2100::"), ("2001:db8:122:300::", 56, "2001:db8:122:3c0:0:221::"),
    ("2001:db8:122:344::", 64, "2001:db8:122:344:c0:2:2100::"), ("2001:db8:122:344::", 96, "2001:db8:122:344::192.0.2.33"),
    ("64:ff9b::", 96, "64:ff9b::192.0.2.33"),
]  # fmt: skip
INSIDE = st.integers(1, (1 << 32) - 1).map(ipaddress.IPv4Address)


def halves(address):
    number = int(ipaddress.IPv6Address(address))
    return np.uint64(number >> 64), np.uint64(number & (1 << 64) - 1)


def udp6(data, *, port, remote_port, remote, up=True):
    ends = [ipaddress.IPv6Address(end).packed for end in ((PHONE, remote) if up else (remote, PHONE))]
    ports = (port, remote_port) if up else (remote_port, port)
    body = struct.pack(">HHHH", *ports, 8 + len(data), 0) + data
    return ethernet(struct.pack(">IHBB", 0x60000000, len(body), 17, 64) + ends[0] + ends[1] + body, up=up, ethertype=0x86DD)


def told(*addresses, name="ipv4only.arpa", number=1, port=53):
    """The network's answer to who `name` is."""
    records = [DNSRR(rrname=name, type="AAAA", rdata=str(address)) for address in addresses]
    message = bytes(DNS(id=number, qr=1, qd=[DNSQR(qname=name, qtype="AAAA")], an=records))
    return udp6(message, port=40_000 + number, remote_port=port, remote=RESOLVER, up=False)


def flow(remote, port=50_000):
    return udp6(b"hello", port=port, remote_port=443, remote=remote)


def behind(*frames, local=("2001:db8:ffff::/48",)):
    """`remote_ipv4` of the flows to port 443, in order."""
    from wiretally.dissect.dissector import DissectOptions

    answer = dissect([(START + n * MS, frame) for n, frame in enumerate(frames)], DissectOptions(local=local))
    flows = answer.tables["flows"].sort("first_seen")
    return flows.filter(flows["remote_port"] == 443)["remote_ipv4"].to_list(), answer.given_up["nat64_forgotten"]


@pytest.mark.parametrize(("prefix", "length", "address"), TABLE)
def test_the_table_of_the_standard(prefix, length, address):
    assert naive.made(prefix, length, "192.0.2.33") == ipaddress.IPv6Address(address)
    assert int(nat64.embedded(*halves(address), length)) == int(ipaddress.IPv4Address("192.0.2.33"))
    frames = [told(naive.made(prefix, length, ASKED[0])), flow(address)]
    assert behind(*frames) == (["192.0.2.33"], 0)
    assert behind(*frames[1:]) == (["192.0.2.33" if prefix == "64:ff9b::" else None], 0)


@settings(max_examples=10)
@given(st.data())
def test_any_prefix_any_address(data):
    prefixes = []
    for _ in range(data.draw(st.integers(1, 3))):
        length = data.draw(st.sampled_from(naive.LENGTHS))
        octets = data.draw(st.binary(min_size=16, max_size=16))
        octets = b"\x20" + octets[1:8] + b"\0" + octets[9:]
        prefixes.append((ipaddress.IPv6Address(octets[: length // 8].ljust(16, b"\0")), length))
    frames = [told(*(naive.made(*prefix, asked) for asked in ASKED), number=n) for n, prefix in enumerate(prefixes)]
    prefix, length = data.draw(st.sampled_from(prefixes))
    address = data.draw(st.one_of(INSIDE.map(lambda inside: naive.made(prefix, length, inside)),
                                  st.integers(1, 1 << 120).map(lambda n: ipaddress.IPv6Address(int(prefix) | n))))  # fmt: skip
    expected = naive.behind(address, prefixes)
    assert behind(*frames, flow(address)) == ([expected and str(expected)], 0)


def test_a_prefix_counts_from_when_it_was_told():
    address = naive.made("2001:db8:122::", 96, "192.0.2.33")
    frames = [flow(address, 1), told(naive.made("2001:db8:122::", 96, ASKED[1])), flow(address, 2), flow("2001:db8::1", 3)]
    assert behind(*frames)[0] == [None, "192.0.2.33", None]


@pytest.mark.parametrize(
    "frame",
    [
        told(naive.made("2001:db8:122::", 96, ASKED[0]), name="ipv4only.arpa.example"),
        told(naive.made("2001:db8:122::", 96, ASKED[0]), name="ipv4only.arp"),
        told(naive.made("2001:db8:122::", 96, ASKED[0]), port=5353),  # anybody on the link may answer there
        told(naive.made("2001:db8:122::", 96, "192.0.0.172")),
        told("2001:db8:122:0:1::192.0.0.170"), told("2001:db8:122:0:100::192.0.0.170"),
    ],
)  # fmt: skip
def test_what_tells_no_prefix(frame):
    addresses = [naive.made("2001:db8:122::", 96, "192.0.2.33"), "2001:db8:122:0:100::192.0.2.33"]
    expected = ["192.0.2.33"] if frame == told("2001:db8:122:0:1::192.0.0.170") else [None]
    assert behind(frame, flow(addresses[0]))[0] == [None]
    assert behind(frame, flow(addresses[1]))[0] == [None]
    assert behind(frame, flow("2001:db8:122:0:1::192.0.2.33"))[0] == expected


@pytest.mark.parametrize("count", [NAT64_PREFIXES, NAT64_PREFIXES + 1])
def test_as_many_prefixes_as_are_known_and_one_more(count):
    prefixes = [ipaddress.IPv6Address(f"2001:db8:{n + 1:x}::") for n in range(count)]
    frames = [told(naive.made(prefix, 96, ASKED[0]), number=n % 2) for n, prefix in enumerate(prefixes)]
    first, last = (flow(naive.made(prefix, 96, "192.0.2.33"), n) for n, prefix in ((1, prefixes[0]), (2, prefixes[-1])))
    beyond = count - NAT64_PREFIXES
    assert behind(*frames, *frames[-3:], first, last) == ([None if beyond else "192.0.2.33", "192.0.2.33"], beyond)
