"""What cannot be opened is told in one line; several that share an interface have each packet once."""

import os

import pytest
from crafting.link import HERE, ROUTER, collect, frames, frames_of, send
from wiretally.capture.interface import open_fanout, open_live
from wiretally.capture.live import LiveOptions
from wiretally.core.errors import CaptureError, EnvironmentFault, InputError

pytestmark = pytest.mark.usefixtures("network")
SMALL = LiveOptions(ring_bytes=1 << 20, block_bytes=1 << 16, retire_ms=10)


def test_sockets_of_a_group_share_by_device(link):
    devices = [bytes((2, 0, 0, 0, n >> 8, n & 255)) for n in range(40)]
    sent = [f for d in devices for f in frames(5, ends=ROUTER + d) + frames(5, ends=d + ROUTER)]
    captures = open_fanout(HERE, SMALL, 3)
    try:
        send(sent)
        parts = []
        for capture in captures:
            capture.stop()
            parts.append(frames_of(collect(capture)))
    finally:
        for capture in captures:
            capture.close()
    assert sorted(frame for part in parts for frame in part) == sorted(sent)
    assert all(parts)
    of = [{f[6:12] if f[:6] == ROUTER else f[:6] for f in part} for part in parts]
    assert sum(map(len, of)) == len(devices)
    assert sum(capture.counters().seen for capture in captures) == len(sent)


@pytest.mark.parametrize(
    ("name", "options", "error", "text"),
    [
        ("wlan9", {}, CaptureError, "wlan9: no such interface; this machine has lo"),
        ("evil\n", {}, CaptureError, r"evil\n: no such interface; this machine has lo"),
        ("nul\0", {}, CaptureError, r"nul\x00: no such interface; this machine has lo"),
        ("\udc80", {}, CaptureError, r"\udc80: no such interface; this machine has lo"),
        ("any", {}, InputError, "name the one"),
        ("lo", {"expression": "port ssh2"}, CaptureError, "--filter port ssh2: unknown port 'ssh2'; see pcap-filter(7)"),
        ("lo", {"expression": "host ("}, CaptureError, "syntax error"),
        ("lo", {"block_bytes": 100_000}, InputError, "power of two"),
        ("lo", {"ring_bytes": 1 << 19}, InputError, "two blocks"),
        ("lo", {"snaplen": 0}, InputError, "must be 1 to"),
        ("lo", {"fanout": 1 << 16}, InputError, "must be 0 to 65535"),
    ],
)
def test_faults_are_one_line(name, options, error, text):
    with pytest.raises(error) as fault:
        open_live(name, LiveOptions(**options))
    assert text in str(fault.value)
    assert "\n" not in str(fault.value)


def test_without_the_right_to_capture_it_says_what_to_do():
    os.seteuid(65_534)
    try:
        with pytest.raises(EnvironmentFault, match=r"lo: not permitted .* sudo setcap cap_net_raw"):
            open_live("lo", LiveOptions(expression="udp"))
    finally:
        os.seteuid(0)
