"""Label stacks made by scapy: IP by its version, or an Ethernet pseudowire with and without its control word."""

import pytest

pytest.importorskip("scapy.all")

from crafting.layered import FOUR, LINK, PEER, SIX, STATION, TO_PORTS, assert_read, assert_unread
from crafting.packets import START, assert_sums_close, dissect
from scapy.all import Dot1Q, Ether, Raw
from scapy.contrib.mpls import MPLS

UNICAST = Ether(src=STATION, dst=PEER, type=0x8847)
MULTICAST = Ether(src=STATION, dst=PEER, type=0x8848)
READ = {
    "one label": (UNICAST / MPLS(label=20, s=1) / FOUR, FOUR),
    "explicit null of IPv6": (UNICAST / MPLS(label=2, s=1) / SIX, SIX),
    "two labels": (UNICAST / MPLS(label=20, s=0) / MPLS(label=30, s=1) / SIX, SIX),
    "twelve labels": (UNICAST / Raw(b"\0\x01\x40\x40" * 11) / MPLS(label=30, s=1) / FOUR, FOUR),
    "multicast": (MULTICAST / MPLS(label=20, s=1) / FOUR, FOUR),
    "behind 802.1Q": (LINK / Dot1Q(vlan=7, type=0x8847) / MPLS(label=20, s=1) / FOUR, FOUR),
}


@pytest.mark.parametrize("name", READ)
def test_the_packet_is_found_whole_and_cut_anywhere(name):
    assert_read(*READ[name], mac=STATION, tunnel="mpls")


WORD = b"\0\0\0\7"  # RFC 4385 §3, RFC 4448 §4.6: four bits of 0, twelve reserved ones, a sequence number
CUSTOMER = {"own": "d2:6a:91:3c:0e:58", "vendor": "00:1b:63:01:02:03", "router": "00:00:5e:00:01:07"}


@pytest.mark.parametrize("word", [b"", WORD])
@pytest.mark.parametrize("name", CUSTOMER)
@pytest.mark.parametrize(("tag", "packet"), [(None, FOUR), (Dot1Q(vlan=7), SIX)])
def test_an_ethernet_pseudowire_with_and_without_its_control_word(name, word, tag, packet):
    """Most link addresses begin with four bits of 0, as control words do."""
    customer = Ether(src="00:1b:63:0a:0b:0c", dst=CUSTOMER[name])
    frame = bytes(UNICAST / MPLS(label=20, s=1) / Raw(word) / (customer / tag / packet if tag else customer / packet))
    whole = dissect([(START, frame)])
    row = whole.one("flows")
    assert (row["remote_port"], row["local_mac"], row["tunnel"]) == (7777, "00:1b:63:0a:0b:0c", "mpls")
    cut = dissect([(START + n, frame[:n], len(frame)) for n in range(len(frame))])
    assert_sums_close(cut, len(frame))
    assert cut.one("flows")["remote_ip"] == row["remote_ip"]
    assert cut.counters["counted"] == len(packet) - TO_PORTS[packet.version]


@pytest.mark.parametrize("frame", [
    UNICAST / Raw(b"\0\x01\x40\x40" * 20),  # no bottom
    UNICAST / MPLS(label=20, s=1),  # nothing below it
])  # fmt: skip
def test_a_stack_that_leads_nowhere_is_malformed(frame):
    assert_unread(frame, fate="malformed")


def test_a_pseudowire_that_carries_no_packet_is_unsupported():
    assert_unread(UNICAST / MPLS(label=20, s=1) / Raw(WORD) / Ether(src=STATION, dst=PEER, type=0x0806) / Raw(bytes(28)))
