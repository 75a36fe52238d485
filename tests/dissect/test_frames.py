"""Columns that say what of a conversation was seen."""

import pytest
from crafting.packets import ACK, FIN, MS, RST, START, SYN, dissect, tcp
from scapy.all import ICMP, IP, UDP, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, IPv6
from wiretally.core.packets import LINKTYPE_RAW

UP, DOWN = True, False
OPENED = [(UP, SYN, 1_000, 0), (DOWN, SYN | ACK, 5_000, 1_001), (UP, ACK, 1_001, 5_001)]


@pytest.mark.parametrize(("steps", "signs", "end"), [
    (OPENED[:1], "S", "eof"), (OPENED, "Ss", "eof"), (OPENED[2:], None, "eof"),
    ([(DOWN, SYN, 5_000, 0)], "s", "eof"),
    ([*OPENED, (UP, FIN | ACK, 1_001, 5_001)], "SsF", "eof"),
    ([*OPENED, (DOWN, FIN | ACK, 5_001, 1_001)], "Ssf", "eof"),
    ([*OPENED, (UP, FIN | ACK, 1_001, 5_001), (DOWN, FIN | ACK, 5_001, 1_002)], "SsFf", "fin"),
    ([OPENED[0], (DOWN, RST | ACK, 0, 1_001)], "S", "rst"),
])  # fmt: skip
def test_openings_and_closings_by_who_sent_them(steps, signs, end):
    items = [(START + number * MS, tcp(b"", up=up, flags=flags, seq=seq, ack=ack)) for number, (up, flags, seq, ack) in enumerate(steps)]
    flow = dissect(items).one("flows")
    assert (flow["tcp_signs"], flow["end"], flow["icmp_type"], flow["icmp_code"]) == (signs, end, None, None)


FOUR, SIX = {"src": "10.0.0.2", "dst": "203.0.113.9"}, {"src": "fd00::2", "dst": "2001:db8::9"}


@pytest.mark.parametrize(("packet", "kind", "code"), [
    (IP(**FOUR) / ICMP(type=8, code=0, id=0xFFFF), 8, 0), (IP(**FOUR) / ICMP(type=0, code=0, id=7), 8, 0), (IP(**FOUR) / ICMP(type=3, code=13), 3, 13),
    (IPv6(**SIX) / ICMPv6EchoRequest(id=9), 128, 0), (IPv6(**SIX) / ICMPv6EchoReply(id=9), 128, 0), (IPv6(**SIX) / ICMPv6ND_NS(), 135, 0),
    (IP(**FOUR) / UDP(sport=40_000, dport=9), None, None),
])  # fmt: skip
def test_icmp_has_a_type_and_a_code(packet, kind, code):
    flow = dissect([(1, bytes(packet))], linktype=LINKTYPE_RAW).one("flows")
    assert (flow["icmp_type"], flow["icmp_code"], flow["tcp_signs"]) == (kind, code, None)
