"""Packets inside packets, made by scapy: the inner flow counts, and is told what it came in."""

import pytest

pytest.importorskip("scapy.all")

from crafting.packets import START, assert_sums_close, dissect
from scapy.all import GRE, IP, PPP, TCP, UDP, Dot1Q, Dot11, Dot11FCS, Dot11QoS, Ether, IPv6, PPPoE, RadioTap, Raw
from scapy.contrib.geneve import GENEVE
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.l2 import LLC, SNAP
from scapy.layers.vxlan import VXLAN
from wiretally.dissect import tunnel

INNER = IP(src="10.1.2.3", dst="203.0.113.9") / UDP(sport=5555, dport=7777) / Raw(b"inner" * 3)
INNER6 = IPv6(src="fd00::3", dst="2001:db8::9") / UDP(sport=5555, dport=7777) / Raw(b"inner" * 3)
LAN = Ether(src="02:00:00:00:00:05", dst="02:00:00:00:00:06")
FOUR = Ether(src="02:00:00:00:00:05", dst="02:00:00:00:00:06", type=0x0800)
LINK = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
OUT = LINK / IP(src="192.0.2.1", dst="192.0.2.2")
OUT6 = LINK / IPv6(src="2001:db8::1", dst="2001:db8::2")
WIFI = Dot11(type=2, addr1="02:00:00:00:00:06", addr2="02:00:00:00:00:05") / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP()
LAYERS = {
    "plain": (LINK / INNER, None),
    "vlan": (LINK / Dot1Q(vlan=7) / INNER, None),
    "ipip": (OUT / INNER, "ipip"),
    "6in4": (OUT / INNER6, "6in4"),
    "4in6": (OUT6 / INNER, "4in6"),
    "6in6": (OUT6 / INNER6, "6in6"),
    "gre": (OUT / GRE() / INNER, "gre"),
    "gre with a key": (OUT / GRE(key_present=1, key=9) / INNER6, "gre"),
    "erspan": (OUT / GRE(proto=0x88BE, seqnum_present=1) / Raw(bytes(8)) / LAN / INNER, "gre"),
    "vxlan": (OUT / UDP(sport=40001, dport=4789) / VXLAN(flags=8, vni=7) / LAN / INNER, "vxlan"),
    "geneve": (OUT / UDP(sport=40001, dport=6081) / GENEVE(vni=7) / LAN / INNER, "geneve"),
    "gtp": (OUT / UDP(sport=2152, dport=2152) / GTP_U_Header(teid=1, gtp_type=255) / INNER, "gtp"),
    "teredo": (OUT / UDP(sport=40001, dport=3544) / INNER6, "teredo"),
    "l2tp": (OUT / UDP(sport=1701, dport=1701) / Raw(bytes.fromhex("000205f7206aff030021") + bytes(INNER)), "l2tp"),
    "l2tp with a length": (OUT / UDP(sport=1701, dport=1701)
                           / Raw(bytes.fromhex("4002002f05f7206aff030021") + bytes(INNER)), "l2tp"),
    "capwap": (OUT / UDP(sport=40001, dport=5247) / Raw(bytes.fromhex("0010030000000000") + bytes(WIFI / INNER)), "capwap"),
    "capwap, bytes exchanged as Cisco does": (
        OUT / UDP(sport=40001, dport=5247)
        / Raw(bytes.fromhex("0010030000000000") + bytes(WIFI / INNER)[1::-1] + bytes(WIFI / INNER)[2:]), "capwap"),
    "capwap, local": (OUT / UDP(sport=40001, dport=5247) / Raw(bytes.fromhex("0010020000000000") + bytes(LAN / INNER)), "capwap"),
    "vxlan gpe": (OUT / UDP(sport=40001, dport=4790) / Raw(bytes.fromhex("0c00000100000700") + bytes(INNER)), "vxlan"),
    "aruba": (OUT / GRE(proto=0x8200) / WIFI / INNER, "gre"),
    "fabricpath": (Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x8903) / Raw(b"\4\1" + bytes(LAN / INNER)), None),
    "mpls": (Ether(type=0x8847) / MPLS(label=3, s=0) / MPLS(label=4, s=1) / INNER, "mpls"),
    "pppoe": (Ether(type=0x8864) / PPPoE(sessionid=1) / PPP(proto=0x21) / INNER, "pppoe"),
    "a chain": (Ether(type=0x8847) / MPLS(s=1) / IP(src="192.0.2.1", dst="192.0.2.2") / GRE(proto=0x6558) / LAN
                / IP(src="192.0.2.3", dst="192.0.2.4") / UDP(sport=1, dport=4789) / VXLAN(flags=8) / LAN / INNER,
                "mpls/gre/vxlan"),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_the_inner_flow_counts_and_says_what_it_came_in(name):
    frame, wanted = LAYERS[name]
    answer = dissect([(START, frame)])
    row = answer.one("flows")
    assert (row["tunnel"], row["local_port"], row["remote_port"]) == (wanted, 5555, 7777)
    assert (row["up_wire_bytes"], row["up_payload_bytes"]) == (len(frame), 15)
    assert row["up_ip_bytes"] == len(INNER6 if ":" in row["local_ip"] else INNER)
    assert_sums_close(answer, 1)


@pytest.mark.parametrize("frame", [RadioTap() / WIFI / INNER, RadioTap(present="Flags", Flags="pad") / WIFI / INNER,
                                   RadioTap() / Dot11FCS(type=2, subtype=8, FCfield=1) / Dot11QoS()
                                   / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP() / INNER])  # fmt: skip
def test_wifi_in_clear_is_a_link_not_a_tunnel(frame):
    row = dissect([(START, frame)], linktype=127).one("flows")
    assert (row["tunnel"], row["local_port"], row["up_payload_bytes"]) == (None, 5555, 15)


VXLAN_LAN = UDP(sport=40001, dport=4789) / VXLAN(flags=8) / LAN
UNREAD = {
    "vxlan without its flag": (UDP(sport=40001, dport=4789) / Raw(bytes(8) + bytes(LAN / INNER))),
    "geneve of another version": (UDP(sport=40001, dport=6081) / Raw(bytes.fromhex("4000655800000700") + bytes(LAN / INNER))),
    "gtp signalling": (UDP(sport=2152, dport=2152) / GTP_U_Header(gtp_type=1) / Raw(bytes(20))),
    "l2tp control": (UDP(sport=1701, dport=1701) / Raw(bytes.fromhex("c802001400010000") + bytes(12))),
    "capwap, encrypted": (UDP(sport=40001, dport=5247) / Raw(b"\1" + bytes(40))),
    "arp in vxlan": (UDP(sport=40001, dport=4789) / VXLAN(flags=8) / Ether(type=0x0806) / Raw(bytes(28))),
    "cut by its own length": (UDP(sport=40001, dport=4789, len=20) / VXLAN(flags=8) / LAN / INNER),
    "gtp that says more than its datagram holds": (UDP(sport=2152, dport=2152) / GTP_U_Header(gtp_type=255, length=len(INNER) + 1) / INNER),
    "gtp that says less than an inner header": (UDP(sport=2152, dport=2152) / GTP_U_Header(gtp_type=255, length=12) / INNER),
    "gtp behind its datagram's end": (UDP(sport=2152, dport=2152, len=8 + 8 + 12) / GTP_U_Header(gtp_type=255) / INNER),
    "an inner check value that ends early": VXLAN_LAN / Raw(bytes(IP(src="10.1.2.3", dst="203.0.113.9", proto=51, len=28)) + bytes(8)),
    "an inner check value behind its packet's end": (
        GRE() / IP(src="10.1.2.3", dst="203.0.113.9", proto=51) / Raw(b"\x11\xff" + bytes(30))),
    "an inner fragment header and one that ends early": (
        VXLAN_LAN / IPv6(src="fd00::3", dst="2001:db8::9", nh=44) / Raw(bytes.fromhex("3c00000100000007") + bytes(4))),
    "an inner header that ends early": (UDP(sport=40001, dport=4789) / VXLAN(flags=8) / LAN / Raw(bytes(INNER)[:12])),
}


def below_ports(packet):
    """The local port of what goes out: GRE has none."""
    return packet.sport if UDP in packet and not isinstance(packet, GRE) else None


@pytest.mark.parametrize("name", UNREAD)
def test_what_cannot_be_read_inside_leaves_the_outer_flow_which_is_in_nothing(name):
    answer = dissect([(START, OUT / UNREAD[name])])
    row = answer.one("flows")
    assert (row["tunnel"], row["local_ip"], row["remote_ip"], row["up_packets"]) == (None, "192.0.2.1", "192.0.2.2", 1)
    assert (row["local_port"], row["local_mac"], row["app_exact"]) == (below_ports(UNREAD[name]), "02:00:00:00:00:01", True)
    assert_sums_close(answer, 1)


CARRIERS = {
    "gtp": UDP(sport=2152, dport=2152) / GTP_U_Header(teid=1, gtp_type=255),
    "vxlan": UDP(sport=40001, dport=4789) / VXLAN(flags=8) / FOUR,
    "ipip": Raw(b""),
    "gre": GRE(proto=0x0800),
}


@pytest.mark.parametrize("beyond", [0, 1, 500])
@pytest.mark.parametrize("name", CARRIERS)
def test_an_inner_packet_longer_than_what_it_came_in_counts_with_what_came_and_is_counted(name, beyond):
    inner = bytearray(bytes(INNER))
    inner[2:4] = (len(inner) + beyond).to_bytes(2, "big")
    below = IP(src="192.0.2.1", dst="192.0.2.2") / CARRIERS[name] if name != "ipip" else IP(src="192.0.2.1", dst="192.0.2.2", proto=4)
    answer = dissect([(START, LINK / below / Raw(bytes(inner)))])
    row = answer.one("flows")
    assert (row["tunnel"], row["remote_port"], row["up_ip_bytes"], row["up_payload_bytes"]) == (name, 7777, len(INNER), 15)
    assert (row["app_exact"], answer.given_up["inner_short"]) == (beyond == 0, beyond > 0)


def test_what_lies_behind_the_inner_datagram_is_not_in_it():
    """An inner length of 0 reaches to the end of what carries it: of the GTP-U message, of the UDP datagram."""
    inner = bytearray(bytes(INNER))
    inner[2:4] = b"\0\0"
    gtp = UDP(sport=2152, dport=2152) / GTP_U_Header(gtp_type=255, length=len(INNER)) / Raw(bytes(inner) + bytes(9))
    vxlan = UDP(sport=40001, dport=4789, len=8 + 8 + 14 + len(INNER)) / VXLAN(flags=8) / FOUR / Raw(bytes(inner) + bytes(9))
    for below in (gtp, vxlan):
        assert dissect([(START, OUT / below)]).one("flows")["up_ip_bytes"] == len(INNER)


def test_depth_is_bounded_at_the_layers_and_one_past_them():
    """IP in IP takes three layers a time, so four fit into MAX_LAYERS; of more, what has been reached is the flow."""
    for depth in (4, 5, 30):
        frame = LINK
        for number in range(depth):
            frame /= IP(src=f"192.0.2.{number}", dst="198.51.100.1")
        row = dissect([(START, frame / INNER)]).one("flows")
        whole = depth <= 4
        assert (row["local_port"] == 5555) == whole
        assert len(row["tunnel"].split("/")) == min(depth, 4)


def test_the_words_are_as_many_as_the_codes():
    assert len(tunnel.TUNNEL_NAMES) == tunnel.TUNNEL_CAPWAP + 1
    chain = tunnel.TUNNEL_NONE
    for code in range(1, tunnel.MAX_TUNNELS + 1):
        chain = tunnel.inside(chain, code)
    assert tunnel.named(chain) == "/".join(tunnel.TUNNEL_NAMES[1 : tunnel.MAX_TUNNELS + 1])
    assert chain < 1 << 63


@pytest.mark.parametrize(("layers", "wire"), [(OUT / TCP(sport=5555, dport=443, flags="A"), 70_000),
                                              (OUT6 / TCP(sport=5555, dport=443, flags="A"), 200_000)])
def test_super_packets_have_the_length_of_their_frame(layers, wire):
    """Segmentation offload and BIG TCP leave 0 as the length (RFC 2675 §3 without its option); capture cuts most of it."""
    frame = bytearray(bytes(layers))
    four = frame[14] >> 4 == 4
    at = 16 if four else 18
    frame[at : at + 2] = b"\0\0"
    row = dissect([(START, bytes(frame) + bytes(100), wire)]).one("flows")
    assert row["up_ip_bytes"] == wire - 14
    assert row["up_payload_bytes"] == wire - 14 - (40 if four else 60)
    assert row["app_exact"] is not None
