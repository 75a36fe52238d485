"""What the kernel hands over is what was on the link: tags, directions, links of every kind."""

import os
import struct
import subprocess

import pytest
from crafting.link import ENDS, HERE, PHONE, ROUTER, collect, frames, frames_of, send, tunnel
from wiretally.capture.interface import open_live
from wiretally.capture.live import LiveOptions
from wiretally.core.packets import LINKTYPE_LINUX_SLL, LINKTYPE_RAW

pytestmark = pytest.mark.usefixtures("network")
SMALL = LiveOptions(ring_bytes=1 << 20, block_bytes=1 << 16, retire_ms=10)
PING = bytes.fromhex("4500001c0001000040010000c0a80714080808080800f7fe00010000")


@pytest.mark.parametrize(
    "tags",
    [["81000005"], ["8100e07b"], ["88a80064", "81000005"], ["81000000"]],
    ids=["tag", "priority", "stacked", "priority only"],
)
def test_tags_are_where_they_were_on_the_link(link, tags):
    sent = [ENDS + bytes.fromhex("".join(tags)) + b"\x88\xb5" + bytes(range(n, n + 60)) for n in range(50)]
    sent[10:10] = frames(5)
    with open_live(HERE, SMALL) as capture:
        send(sent)
        found = collect(capture, len(sent))
    assert frames_of(found) == sent
    assert [wire for _, wire, _ in found] == list(map(len, sent))


def test_both_directions_once_each(link):
    out, back = frames(50), frames(50, ends=PHONE + ROUTER)
    with open_live(HERE, SMALL) as capture:
        send(out)
        send(back, HERE)
        assert frames_of(collect(capture, 100)) == out + back


def test_loopback_shows_each_packet_once():
    sent = [b"\0" * 12 + frame[12:] for frame in frames(50)]
    with open_live("lo", SMALL) as capture:
        send(sent, "lo")
        capture.stop()
        assert frames_of(collect(capture)) == sent


def test_a_tunnel_has_no_link_header():
    with tunnel("wtring2") as descriptor, open_live("wtring2", SMALL) as capture:
        os.write(descriptor, PING)
        assert frames_of(collect(capture, 1)) == [PING]
        assert capture.interfaces[0].linktype == LINKTYPE_RAW


@pytest.mark.parametrize(("expression", "taken"), [("", 1), ("icmp and host 8.8.8.8", 1), ("udp", 0), ("ip6", 0), ("inbound", 1)])
def test_other_links_are_cooked(expression, taken):
    options = LiveOptions(ring_bytes=1 << 20, block_bytes=1 << 16, expression=expression)
    with tunnel("wtring2", hardware=512) as descriptor, open_live("wtring2", options) as capture:  # ARPHRD_PPP
        os.write(descriptor, PING)
        capture.stop()
        found = collect(capture)
        assert capture.interfaces[0].linktype == LINKTYPE_LINUX_SLL
    cooked = struct.pack(">HHH8sH", 0, 512, 0, b"", 0x0800)  # to us, ARPHRD_PPP, no address, IPv4
    assert [(wire, frame) for _, wire, frame in found] == [(16 + len(PING), cooked + PING)] * taken


def test_promiscuous_while_it_is_open(link):
    def promiscuity():
        said = subprocess.run(["ip", "-d", "link", "show", HERE], capture_output=True, text=True, check=True).stdout
        return int(said.partition("promiscuity ")[2].split()[0])

    with open_live(HERE, LiveOptions(promiscuous=True, ring_bytes=1 << 20, block_bytes=1 << 16)):
        assert promiscuity() == 1
    assert promiscuity() == 0
