"""Through libpcap the same frames come out as through the ring: each is the other's second opinion."""

import os
import struct

import pytest
from crafting.link import ENDS, HERE, collect, join, send, tunnel
from wiretally.capture.interface import open_live
from wiretally.capture.live import LiveOptions
from wiretally.capture.sniffer import ScapyCapture
from wiretally.core.errors import CaptureError

pytest.importorskip("scapy")
pytestmark = pytest.mark.usefixtures("network")
FRAMES = [
    *((ENDS + b"\x88\xb5" + bytes([n]) * (46 + n)) for n in range(100)),
    ENDS + bytes.fromhex("8100e005888e") + bytes(50),
    ENDS + bytes.fromhex("88a80064810000050800") + bytes(50),
]
SCAPY = LiveOptions(sniffer="scapy")


def both(name, act, options):
    """What either captures of what `act` does: (wire length, frame), and the link type."""
    found = []
    with open_live(name, LiveOptions(sniffer="ring", **options)) as ring, open_live(name, LiveOptions(sniffer="scapy", **options)) as other:  # fmt: skip
        act()
        for capture in (other, ring):  # at once after the last packet, which libpcap then still holds
            capture.stop()
            packets = collect(capture)
            found.append(([(wire, frame) for _, wire, frame in packets], capture.interfaces[0].linktype))
            assert capture.counters().dropped == 0
            assert capture.counters().delivered == len(packets)
    return found[::-1]


@pytest.mark.parametrize("options", [{}, {"snaplen": 60}, {"expression": "vlan"}, {"expression": "not vlan"}])
def test_the_same_frames(options):
    join()
    ring, other = both(HERE, lambda: send(FRAMES), options)
    if options.get("snaplen"):  # the kernel cuts before the tag is put back, scapy's caller after
        ring, other = ([(wire, frame[:60]) for wire, frame in packets] for packets, _ in (ring, other))
    assert ring == other
    assert len(ring if options.get("snaplen") else ring[0]) == {"vlan": 2, "not vlan": 100}.get(options.get("expression"), 102)


def test_the_same_frames_of_the_loopback():
    frames = [bytes(12) + b"\x88\xb5" + bytes([n]) * 60 for n in range(20)]
    ring, other = both("lo", lambda: send(frames, "lo"), {})
    assert ring == other
    assert [frame for _, frame in ring[0]] == frames


@pytest.mark.parametrize("hardware", [None, 512, 768, 776])
def test_the_same_packets_of_links_without_a_header(hardware):
    packet = struct.pack(">BBHHHBBH8s", 0x45, 0, 20, 1, 0, 64, 253, 0, bytes(8))
    with tunnel("wtring2", hardware) as descriptor:
        ring, other = both("wtring2", lambda: os.write(descriptor, packet), {})
    assert ring[0] == other[0]
    assert ring[1] == other[1]
    assert ring[0][0][1][-20:] == packet


def test_silence_is_told():
    with open_live("lo", SCAPY) as capture:
        assert isinstance(capture, ScapyCapture)
        assert next(capture.batches(0.02)) is None


@pytest.mark.parametrize(
    ("name", "expression", "text"),
    [("wlan9", "", "wlan9: "), ("lo", "port ssh2", "--filter port ssh2: ")],
)
def test_faults_are_one_line(name, expression, text):
    with pytest.raises(CaptureError) as fault:
        open_live(name, LiveOptions(sniffer="scapy", expression=expression))
    assert str(fault.value).startswith(text)
    assert "\n" not in str(fault.value)
