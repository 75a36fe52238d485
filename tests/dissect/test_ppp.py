"""PPP as scapy and its RFCs have it, by itself, over Ethernet, and as Cisco's HDLC."""

import pytest

pytest.importorskip("scapy.all")

from crafting.layered import FOUR, PEER, SIX, STATION, assert_read, assert_unread
from scapy.all import PPP, Ether, PPPoE, PPPoED, Raw
from scapy.contrib.mpls import MPLS
from scapy.layers.ppp import HDLC
from wiretally.core.packets import LINKTYPE_PPP, LINKTYPE_PPP_ETHER, LINKTYPE_PPP_HDLC

IP4, IP6 = PPP(proto=0x21), PPP(proto=0x57)
READ = {
    "address and control": (HDLC() / IP4 / FOUR, FOUR, None),
    "address and control, IPv6": (HDLC() / IP6 / SIX, SIX, None),
    "neither (RFC 1661 §6.6)": (IP4 / FOUR, FOUR, None),
    "a protocol of one byte (RFC 1661 §6.5)": (HDLC() / Raw(b"\x21") / FOUR, FOUR, None),
    "the shortest header that there is": (Raw(b"\x57") / SIX, SIX, None),
    "MPLS": (HDLC() / PPP(proto=0x281) / MPLS(label=20, s=1) / FOUR, FOUR, "mpls"),
    "Cisco HDLC to one": (Raw(bytes.fromhex("0f000800")) / FOUR, FOUR, None),
    "Cisco HDLC to all": (Raw(bytes.fromhex("8f0086dd")) / SIX, SIX, None),
}


@pytest.mark.parametrize("linktype", [LINKTYPE_PPP, LINKTYPE_PPP_HDLC])
@pytest.mark.parametrize("name", READ)
def test_the_packet_is_found_whole_and_cut_anywhere(name, linktype):
    frame, packet, tunnel = READ[name]
    assert_read(frame, packet, linktype, tunnel=tunnel)


@pytest.mark.parametrize("frame", [
    HDLC() / PPP(proto=0xC021) / Raw(bytes(30)),  # LCP: RFC 1661 §5
    HDLC() / PPP(proto=0x3D) / Raw(b"\xc0\0\0\1" + bytes(FOUR)),  # a piece of a bundle: RFC 1990 §3
    HDLC() / PPP(proto=0xFD) / FOUR,  # compressed: RFC 1962
    HDLC() / PPP(proto=0x2D) / FOUR,  # a header compressed as RFC 1144 has it
])  # fmt: skip
def test_what_cannot_be_read_by_itself_is_unsupported(frame):
    assert_unread(frame, LINKTYPE_PPP)


SESSION = Ether(src=STATION, dst=PEER, type=0x8864)
OVER_ETHERNET = {
    "IPv4": (PPPoE(sessionid=7) / IP4 / FOUR, FOUR),
    "IPv6": (PPPoE(sessionid=7) / IP6 / SIX, SIX),
    "a protocol of one byte": (PPPoE(sessionid=7) / Raw(b"\x21") / FOUR, FOUR),
}


@pytest.mark.parametrize("name", OVER_ETHERNET)
def test_a_session_over_ethernet(name):
    session, packet = OVER_ETHERNET[name]
    assert_read(SESSION / session, packet, mac=STATION, tunnel="pppoe")
    assert_read(session, packet, LINKTYPE_PPP_ETHER, tunnel="pppoe")


def test_discovery_is_unsupported():
    """RFC 2516 §5: in its own type, or with a code in that of a session."""
    assert_unread(Ether(src=STATION, dst=PEER, type=0x8863) / PPPoED(code=9) / Raw(bytes(40)))
    assert_unread(SESSION / PPPoE(code=9) / IP4 / FOUR)
