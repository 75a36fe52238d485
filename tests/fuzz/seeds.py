"""What is mutated: conversations of every protocol and link layer that is read, built here.

TLS and QUIC come from the benchmark's generator; the rest is crafted with scapy, once per process. `packets()` gives
Ethernet frames; `rewrap` puts their IP packets behind another link layer.
"""

from __future__ import annotations

import functools
import io
import struct
from typing import TYPE_CHECKING

from wiretally.bench.mix import generate

if TYPE_CHECKING:
    from random import Random

    from wiretally.bench.flows import Truth

LINKS = {0, 1, 9, 12, 101, 105, 108, 113, 127, 228, 229, 276}
FAMILIES = {4: (2, 0x0800, 0x0021), 6: (30, 0x86DD, 0x0057)}  # BSD address family, EtherType, PPP protocol


@functools.cache
def conversations() -> list[bytes]:
    """Frames of a few dozen short TLS and QUIC connections and lookups, in time order."""
    data, at, frames = _generated()[0], 24, []
    while at < len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        frames.append(data[at + 16 : at + 16 + size])
        at += 16 + size
    return frames


def tls_names() -> list[str]:
    """The server names of the TLS connections in `conversations`."""
    return _generated()[1].tls_names


@functools.cache
def _generated() -> tuple[bytes, Truth]:
    out = io.BytesIO()
    truth = generate(out, "short", 1_500, seed=7, keep_names=True)
    return out.getvalue(), truth


@functools.cache
def crafted() -> list[list[bytes]]:
    """Groups of frames that belong together."""
    from scapy import all as s
    from scapy.contrib.mpls import MPLS

    ether = s.Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    v4, v6 = s.IP(src="192.168.1.7", dst="93.184.216.34"), s.IPv6(src="fd00::7", dst="2001:db8::1")
    udp, tcp = s.UDP(sport=40_000, dport=9_999), s.TCP(sport=40_000, dport=443, flags="PA", seq=1, ack=1)
    echo = udp / b"payload of a datagram"
    groups = [[ether / ip / layer] for ip in (v4, v6) for layer in (echo, tcp / (b"\x17\x03\x03\x00\x20" + bytes(32)))]
    groups += [_names(s, ether, v4), _names_over_tcp(s, ether, v4), _web(s, ether, v4), _web(s, ether, v6)]
    groups += [
        [ether / v4 / s.ICMP(id=7) / b"ping", ether / v4 / s.ICMP(type=3, code=3) / v4 / udp],
        [ether / v6 / s.ICMPv6EchoRequest(id=7), ether / v6 / s.ICMPv6ND_NS(tgt="fd00::8")],
        [ether / s.ARP(pdst="192.168.1.1"), ether / s.IP(proto=2) / b"\x16\0\0\0\xe0\0\0\xfb"],
        [ether / v4 / s.SCTP(sport=5, dport=6) / s.SCTPChunkInit()],
        [ether / s.Dot1Q(vlan=5) / v4 / echo, ether / s.Dot1AD(vlan=5) / s.Dot1Q(vlan=6) / v6 / echo],
        [ether / MPLS(label=3, s=0) / MPLS(label=4, s=1) / v4 / echo],
        [ether / s.PPPoE(sessionid=1) / s.PPP(proto=0x21) / v4 / echo],
        [s.Dot3(src="02:00:00:00:00:01") / s.LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / s.SNAP(code=0x800) / v4 / echo],
        [ether / v4 / s.GRE() / v4 / echo, ether / v4 / v4 / echo, ether / v4 / v6 / echo, ether / v6 / v4 / tcp],
        [
            ether
            / v4
            / s.GRE(key_present=1, key=7, seqnum_present=1, sequence_number=1, proto=0x6558)
            / ether
            / v4
            / echo
        ],
        [ether / v4 / s.UDP(sport=4789, dport=4789) / s.VXLAN(vni=9, flags=8) / ether / v4 / echo],
        [
            ether
            / v4
            / s.UDP(sport=2152, dport=2152)
            / (b"\x30\xff" + struct.pack(">HI", len(v4 / echo), 1) + bytes(v4 / echo))
        ],
        [ether / v6 / s.IPv6ExtHdrHopByHop() / s.IPv6ExtHdrRouting() / s.IPv6ExtHdrDestOpt() / echo],
        [ether / v4 / s.AH(payloadlen=1, nh=17) / echo, ether / v4 / s.ESP(spi=1, data=bytes(40))],
        list(s.fragment(ether / v4 / s.UDP(sport=53, dport=40_000) / bytes(3_000), fragsize=600)),
        list(s.fragment6(ether / v6 / s.IPv6ExtHdrFragment(id=3) / s.UDP(sport=9, dport=10) / bytes(3_000), 700)),
        [ether / s.IP(options=[s.IPOption_RR(routers=["1.2.3.4"])]) / tcp, ether / v4 / s.TCP(options=[("MSS", 9)])],
        [
            ether
            / s.IP(src="0.0.0.0", dst="255.255.255.255")
            / s.UDP(sport=68, dport=67)
            / s.BOOTP(chaddr=b"\x02\0\0\0\0\1")
            / s.DHCP(options=[("message-type", "request"), ("hostname", b"phone"), "end"])
        ],
        [ether / v4 / s.UDP(sport=123, dport=123) / s.NTP()],
    ]
    return [[bytes(packet) for packet in group] for group in groups]


def _names(s, ether, v4) -> list:
    """DNS, mDNS and LLMNR: every kind of record that is shown."""
    records = s.DNSRR(rrname="a.example", type="CNAME", rdata="b.example")
    for record in (
        s.DNSRR(rrname="b.example", type="A", rdata="93.184.216.34"),
        s.DNSRR(rrname="b.example", type="AAAA", rdata="2001:db8::1"),
        s.DNSRR(rrname="b.example", type="TXT", rdata=[b"one", b"\x1b[31mtwo"]),
        s.DNSRR(rrname="b.example", type="PTR", rdata="c.example"),
        s.DNSRRMX(rrname="b.example", exchange="m.example"),
        s.DNSRRSRV(rrname="_x._tcp.example", target="d.example"),
        s.DNSRRSOA(rrname="example", mname="ns.example", rname="root.example"),
        s.DNSRR(rrname="b.example", type=65, rdata=b"\0\1\0\0\1\0\3\2h2\0\4\0\4\1\2\3\4"),
        s.DNSRR(rrname="b.example", type=4711, rdata=b"unknown"),
    ):
        records /= record
    question = s.DNSQR(qname="a.example", qtype="A")
    answer = s.DNS(id=9, qr=1, qd=question, an=records, ar=s.DNSRROPT())
    multicast = s.IP(src="192.168.1.7", dst="224.0.0.251") / s.UDP(sport=5353, dport=5353)
    back = s.IP(src=v4.dst, dst=v4.src)
    return [
        ether / v4 / s.UDP(sport=40_001, dport=53) / s.DNS(id=9, qd=question),
        ether / back / s.UDP(sport=53, dport=40_001) / answer,
        ether / multicast / answer,
        ether / v4 / s.UDP(sport=40_002, dport=5355) / s.DNS(id=9, qd=question),
    ]


def _names_over_tcp(s, ether, v4) -> list:
    """Two queries in one stream, cut in the middle of a length field."""
    message = bytes(s.DNS(id=9, qd=s.DNSQR(qname="over.tcp.example", qtype="HTTPS")))
    return _stream(s, ether / v4, (len(message).to_bytes(2, "big") + message) * 2, len(message) + 3, 53)


def _web(s, ether, ip) -> list:
    head = b"GET /collect?d=1 HTTP/1.1\r\nHost: t.example\r\nUser-Agent: x\r\n\r\nPOST / HTTP/1.1\r\nHost: u\r\n\r\n"
    return _stream(s, ether / ip, head, 40, 80)


def _stream(s, below, data: bytes, cut: int, port: int) -> list:
    """A connection from its SYN on, `data` in two segments."""
    ends = {"sport": 40_003, "dport": port}
    return [
        below / s.TCP(**ends, flags="S", seq=99),
        below / s.TCP(**ends, flags="PA", seq=100, ack=1) / data[:cut],
        below / s.TCP(**ends, flags="PA", seq=100 + cut, ack=1) / data[cut:],
        below / s.TCP(**ends, flags="FA", seq=100 + len(data), ack=1),
    ]


def packets(rng: Random) -> list[bytes]:
    """Some frames that make sense together."""
    if rng.random() < 0.45:
        frames = conversations()
        first = rng.randrange(len(frames))
        return frames[first : first + rng.randrange(1, 70)]
    return [frame for group in rng.sample(crafted(), rng.randrange(1, 4)) for frame in group]


def rewrap(frame: bytes, linktype: int) -> bytes | None:
    """The frame's IP packet behind another link layer; None where the frame carries none directly."""
    ip = frame[14:]
    version = ip[0] >> 4 if ip else 0
    if linktype == 1:
        return frame
    if frame[12:14] not in {b"\x08\0", b"\x86\xdd"} or version not in FAMILIES:
        return None
    family, ethertype, ppp = FAMILIES[version]
    kind = ethertype.to_bytes(2, "big")
    mac = frame[6:12]
    snap = b"\xaa\xaa\x03\0\0\0" + kind
    wifi = b"\x08\x01\0\0" + mac * 3 + b"\0\0" + snap
    heads = {
        0: struct.pack("<I", family),
        9: b"\xff\x03" + ppp.to_bytes(2, "big"),
        108: struct.pack(">I", family),
        105: wifi,
        113: b"\0\0\0\1\0\6" + mac + b"\0\0" + kind,
        127: b"\0\0\x08\0\0\0\0\0" + wifi,
        276: kind + b"\0\0\0\0\0\2\0\1\0\6" + mac + b"\0\0",
    }
    return heads.get(linktype, b"") + ip
