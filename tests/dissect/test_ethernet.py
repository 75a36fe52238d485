"""Ethernet and its tags, made by scapy: the packet below them is found, whole and cut anywhere."""

import pytest

pytest.importorskip("scapy.all")

from crafting.layered import FOUR, LINK, PEER, SIX, STATION, assert_read, assert_unread
from scapy.all import LLC, SNAP, STP, Dot1AD, Dot1AH, Dot1Q, Dot3, Ether, Raw

SNAPPED = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP()
LENGTH = Dot3(src=STATION, dst=PEER)
READ = {
    "plain": (LINK / FOUR, FOUR),
    "plain, IPv6": (LINK / SIX, SIX),
    "802.1Q": (LINK / Dot1Q(vlan=7) / FOUR, FOUR),
    "802.1Q of priority only": (LINK / Dot1Q(vlan=0, prio=5) / SIX, SIX),
    "802.1ad": (LINK / Dot1AD(vlan=7) / Dot1Q(vlan=8) / FOUR, FOUR),
    "two tags as before 802.1ad": (Ether(src=STATION, dst=PEER, type=0x9100) / Dot1Q(vlan=7) / Dot1Q(vlan=8) / SIX, SIX),
    "802.3 with SNAP": (LENGTH / SNAPPED / FOUR, FOUR),
    "802.3 with SNAP, IPv6": (LENGTH / SNAPPED / SIX, SIX),
    "802.3 with the LSAP of IP": (LENGTH / LLC(dsap=6, ssap=6, ctrl=3) / FOUR, FOUR),
    "802.1Q, then a length and SNAP": (LINK / Dot1Q(vlan=7, type=8 + len(FOUR)) / SNAPPED / FOUR, FOUR),
    "E-Tag": (Ether(src=STATION, dst=PEER, type=0x893F) / Raw(bytes.fromhex("000010070000 0800")) / FOUR, FOUR),
    "VN-Tag": (Ether(src=STATION, dst=PEER, type=0x8926) / Raw(bytes.fromhex("80070001 86dd")) / SIX, SIX),
    "VN-Tag, then 802.1Q": (Ether(src=STATION, dst=PEER, type=0x8926) / Raw(bytes.fromhex("80070001 8100"))
                            / Dot1Q(vlan=9) / FOUR, FOUR),
    "backbone: B-Tag, I-Tag, the customer's frame": (
        Ether(src="02:00:00:00:00:0b", dst="02:00:00:00:00:0c") / Dot1AD(vlan=7) / Dot1AH(isid=4711) / LINK / FOUR, FOUR),
    "FabricPath": (Ether(src="02:00:00:00:00:0b", dst="02:00:00:00:00:0c", type=0x8903) / Raw(b"\4\1") / LINK / SIX, SIX),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_the_packet_is_found_whole_and_cut_anywhere(name):
    assert_read(*READ[name], mac=STATION)


def test_what_a_switch_appends_is_no_part_of_the_packet():
    assert_read(bytes(LINK / FOUR) + bytes(11), FOUR, mac=STATION, behind=11)


@pytest.mark.parametrize("frame", [
    LENGTH / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(),
    LENGTH / LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP(OUI=0xC, code=0x2000) / Raw(bytes(30)),  # CDP
    LINK / Dot1Q(vlan=7, type=38) / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(),
    Ether(src=STATION, dst=PEER, type=0x88E5) / Raw(bytes(8) + bytes(FOUR)),  # MACsec
    Ether(src=STATION, dst=PEER, type=0x893F) / Raw(bytes(6) + b"\x08\x06" + bytes(FOUR)),  # ARP behind an E-Tag
])  # fmt: skip
def test_what_carries_no_packet_is_unsupported(frame):
    assert_unread(frame)


def test_tags_without_end_are_malformed():
    frame = LINK
    for _ in range(40):
        frame /= Dot1Q(vlan=7)
    assert_unread(frame / FOUR, fate="malformed")
