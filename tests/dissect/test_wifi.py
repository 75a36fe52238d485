"""802.11 frames made by scapy, behind every header that they are captured with: read in clear, never misread."""

import pytest

pytest.importorskip("scapy.all")

from crafting.layered import (
    ACCESS_POINT,
    DOWN,
    FAR_POINT,
    FOUR,
    PEER,
    SIX,
    STATION,
    assert_read,
    assert_unread,
)
from scapy.all import LLC, SNAP, Dot11, Dot11Beacon, Dot11CCMP, Dot11QoS, RadioTap, Raw
from scapy.layers.dot11 import PrismHeader
from scapy.layers.ppi import PPI
from wiretally.core.packets import (
    LINKTYPE_IEEE802_11,
    LINKTYPE_IEEE802_11_PRISM,
    LINKTYPE_IEEE802_11_RADIOTAP,
    LINKTYPE_PPI,
)

DATA, QOS = 0, 8  # subtypes: IEEE 802.11-2020 table 9-1
SNAPPED = LLC(dsap=0xAA, ssap=0xAA, ctrl=3) / SNAP()


def data(subtype=DATA, flags="", first=PEER, second=STATION, third=ACCESS_POINT, fourth=None):
    return Dot11(type=2, subtype=subtype, FCfield=flags, addr1=first, addr2=second, addr3=third, addr4=fourth)


def to_ap(subtype=DATA, flags=""):
    return data(subtype, "to_DS" + flags, ACCESS_POINT, STATION, PEER)


def subframe(packet, source, destination):
    """IEEE 802.11-2020 §9.3.2.2.2."""
    body = bytes(SNAPPED / packet)
    ends = bytes.fromhex((destination + source).replace(":", ""))
    return Raw(ends + len(body).to_bytes(2, "big")) / SNAPPED / packet


READ = {
    "between stations": (data() / SNAPPED / FOUR, FOUR),
    "to the access point": (to_ap() / SNAPPED / SIX, SIX),
    "from the access point": (data(DATA, "from_DS", STATION, ACCESS_POINT, PEER) / SNAPPED / DOWN, DOWN),
    "between access points, four addresses": (
        data(DATA, "to_DS+from_DS", FAR_POINT, ACCESS_POINT, PEER, STATION) / SNAPPED / FOUR, FOUR),
    "with quality of service": (to_ap(QOS) / Dot11QoS(TID=5) / SNAPPED / SIX, SIX),
    "from the access point, with quality of service": (
        data(QOS, "from_DS", STATION, ACCESS_POINT, PEER) / Dot11QoS() / SNAPPED / DOWN, DOWN),
    "four addresses with quality of service": (
        data(QOS, "to_DS+from_DS", FAR_POINT, ACCESS_POINT, PEER, STATION) / Dot11QoS() / SNAPPED / SIX, SIX),
    "with HT control": (to_ap(QOS, "+order") / Dot11QoS() / Raw(b"\3\0\0\0") / SNAPPED / FOUR, FOUR),
    "order without quality of service has no HT control": (to_ap(DATA, "+order") / SNAPPED / FOUR, FOUR),
    "sent again": (to_ap(DATA, "+retry") / SNAPPED / FOUR, FOUR),
    "data with an acknowledgement": (to_ap(1) / SNAPPED / FOUR, FOUR),
    "the LSAP of IP": (to_ap() / LLC(dsap=6, ssap=6, ctrl=3) / FOUR, FOUR),
    "an aggregate": (data(QOS, "to_DS", ACCESS_POINT, STATION, ACCESS_POINT) / Dot11QoS(A_MSDU_Present=1)
                     / subframe(FOUR, STATION, PEER), FOUR),
    "an aggregate of the station's, as the access point passes it on": (
        data(QOS, "from_DS", PEER, ACCESS_POINT, ACCESS_POINT) / Dot11QoS(A_MSDU_Present=1)
        / subframe(FOUR, STATION, PEER), FOUR),
    "an aggregate to the station, on its way to the access point": (
        data(QOS, "to_DS", ACCESS_POINT, PEER, ACCESS_POINT) / Dot11QoS(A_MSDU_Present=1)
        / subframe(DOWN, PEER, STATION), DOWN),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_data_in_clear_is_read_whole_and_cut_anywhere(name):
    frame, packet = READ[name]
    assert_read(frame, packet, LINKTYPE_IEEE802_11, mac=STATION, up=packet is not DOWN)


UNREAD = {
    "protected": to_ap(DATA, "+protected") / Dot11CCMP(data=bytes(SNAPPED / FOUR)),
    "protected, with quality of service": to_ap(QOS, "+protected") / Dot11QoS() / Dot11CCMP(data=bytes(SNAPPED / FOUR)),
    "protected in name only": to_ap(DATA, "+protected") / Raw(bytes(SNAPPED / FOUR)),
    "null": to_ap(4) / SNAPPED / FOUR,
    "null, with quality of service": to_ap(12) / Dot11QoS() / SNAPPED / FOUR,
    "beacon": Dot11(type=0, subtype=8, addr1=PEER, addr2=ACCESS_POINT, addr3=ACCESS_POINT) / Dot11Beacon() / FOUR,
    "control": Dot11(type=1, subtype=13, addr1=PEER) / Raw(bytes(FOUR)),
    "other LLC": to_ap() / LLC(dsap=0x42, ssap=0x42, ctrl=3) / Raw(bytes(40)),
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_protected_or_carries_no_data_is_unsupported_never_misread(name):
    assert_unread(UNREAD[name], LINKTYPE_IEEE802_11)
    assert_unread(RadioTap() / UNREAD[name], LINKTYPE_IEEE802_11_RADIOTAP)


BARE, SERVICE = to_ap() / SNAPPED / FOUR, to_ap(QOS) / Dot11QoS() / SNAPPED / FOUR
PADDED = to_ap(QOS) / Dot11QoS() / Raw(bytes(2)) / SNAPPED / FOUR  # its header is 26 bytes long
HEADED = {
    "radiotap, nothing in it": (LINKTYPE_IEEE802_11_RADIOTAP, RadioTap(present=0) / BARE),
    "radiotap, flags": (LINKTYPE_IEEE802_11_RADIOTAP, RadioTap(present="Flags", Flags="") / SERVICE),
    "radiotap, padded": (LINKTYPE_IEEE802_11_RADIOTAP, RadioTap(present="Flags", Flags="pad") / PADDED),
    "radiotap, time and padded": (LINKTYPE_IEEE802_11_RADIOTAP, RadioTap(present="TSFT+Flags", Flags="pad") / PADDED),
    "radiotap, padded where nothing is to pad": (LINKTYPE_IEEE802_11_RADIOTAP, RadioTap(present="Flags", Flags="pad") / BARE),
    "radiotap, rate, channel and antenna": (
        LINKTYPE_IEEE802_11_RADIOTAP, RadioTap(present="TSFT+Flags+Rate+Channel+dBm_AntSignal+Antenna", Flags="") / SERVICE),
    "radiotap, more presence words": (
        LINKTYPE_IEEE802_11_RADIOTAP,
        Raw(bytes.fromhex("00001900 030000a0 20000080 00000000 1122334455667788 20")) / PADDED),
    "prism": (LINKTYPE_IEEE802_11_PRISM, PrismHeader() / BARE),
    "avs, in network order": (LINKTYPE_IEEE802_11_PRISM, Raw(bytes.fromhex("8021100100000040") + bytes(56)) / SERVICE),
    "ppi": (LINKTYPE_PPI, PPI(dlt=LINKTYPE_IEEE802_11) / BARE),
    "ppi with fields": (LINKTYPE_PPI, Raw(bytes.fromhex("00002000 69000000 02001400") + bytes(20)) / SERVICE),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADED)
def test_the_header_of_the_capture_is_stepped_over(name):
    linktype, frame = HEADED[name]
    assert_read(frame, FOUR, linktype, mac=STATION)


@pytest.mark.parametrize("length", [0, 7, 2_000])
def test_a_radiotap_header_that_is_none_is_malformed(length):
    frame = b"\0\0" + length.to_bytes(2, "little") + bytes(4) + bytes(BARE)
    assert_unread(frame, LINKTYPE_IEEE802_11_RADIOTAP, fate="malformed")
