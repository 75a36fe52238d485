"""Packets that scapy makes, to be found again below any link layer, whole and cut after every byte."""

from crafting.packets import START, assert_sums_close, dissect
from scapy.all import IP, TCP, UDP, Ether, IPv6, Raw

FOUR = IP(src="10.1.2.3", dst="203.0.113.9") / UDP(sport=5555, dport=7777) / Raw(b"inner" * 3)
SIX = IPv6(src="fd00::3", dst="2001:db8::9") / TCP(sport=5555, dport=7777, flags="A", seq=9) / Raw(b"inner" * 3)
DOWN = IP(src="203.0.113.9", dst="10.1.2.3") / UDP(sport=7777, dport=5555) / Raw(b"inner" * 3)
STATION, PEER, ACCESS_POINT, FAR_POINT = "d2:6a:91:3c:0e:57", "02:aa:bb:cc:dd:ee", "02:00:00:00:0a:01", "02:00:00:00:0a:02"
LINK = Ether(src=STATION, dst=PEER)
ENDS = {4: ("10.1.2.3", "203.0.113.9", "udp"), 6: ("fd00::3", "2001:db8::9", "tcp")}
TO_PORTS = {4: 20 + 4, 6: 40 + 4}  # bytes from the packet's first to the last of its ports: RFC 791 §3.1, RFC 8200 §3


def assert_read(frame, packet, linktype=1, *, mac=None, tunnel=None, up=True, behind=0):
    """The packet's flow is read from the frame and from all of its beginnings that have the ports; the others are malformed.

    packet: what the frame ends with, but for `behind` bytes; mac: of the local end, None where the link tells none.
    """
    frame = bytes(frame)
    least = len(frame) - behind - len(packet) + TO_PORTS[packet.version]
    answer = dissect([(START + n, frame[:n], len(frame)) for n in range(len(frame) + 1)], linktype=linktype)
    assert_sums_close(answer, len(frame) + 1)
    row = answer.one("flows")
    assert (row["local_ip"], row["remote_ip"], row["transport"]) == ENDS[packet.version]
    assert (row["local_port"], row["remote_port"], row["local_mac"], row["tunnel"]) == (5555, 7777, mac, tunnel)
    read, way = len(frame) + 1 - least, "up" if up else "down"
    assert row[f"{way}_packets"] == read
    assert (row[f"{way}_wire_bytes"], row[f"{way}_ip_bytes"]) == (read * len(frame), read * len(packet))
    assert (answer.counters["malformed"], answer.counters["unsupported"]) == (least, 0)


def assert_unread(frame, linktype=1, *, fate="unsupported"):
    """Neither the frame nor any beginning of it gives a row; as a whole it ends as `fate`."""
    frame = bytes(frame)
    answer = dissect([(START + n, frame[:n], len(frame)) for n in range(len(frame))], linktype=linktype)
    assert_sums_close(answer, len(frame))
    assert answer.counters["counted"] == 0
    assert dissect([(START, frame)], linktype=linktype).counters[fate] == 1
