"""A network of a test's own: a namespace without a name, gone with the test, and in it a pair of linked interfaces.

The kernel does some of its work later, in threads of its own, which on a busy machine may be much later: it takes frames from
one end of a link to the other, and notices that a link has both its ends. What is done here has been done when it returns.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLONE_NEWNET = 0x40000000  # linux/sched.h
TUNSETIFF, TUNSETLINK = 0x400454CA, 0x400454CD  # linux/if_tun.h
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
ETH_P_ALL = 3  # linux/if_ether.h
SOL_PACKET, PACKET_STATISTICS, PACKET_IGNORE_OUTGOING = 263, 6, 23  # linux/if_packet.h
HERE, THERE = "wtring0", "wtring1"
PHONE, ROUTER = bytes.fromhex("d26a913c0e57"), bytes.fromhex("02aabbccddee")
ENDS = ROUTER + PHONE
OTHER_END = {HERE: THERE, THERE: HERE, "lo": "lo"}
AT_ONCE = 500  # frames: between two ends the kernel keeps 1,000 (net.core.netdev_max_backlog) and drops the rest
LONG = 60.0  # seconds after which something will not come at all


def ip(*words: str) -> str:
    """Runs ip(8); what it says."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
    return done.stdout


def wait_until(happened: Callable[[], object]) -> None:
    """Returns once it has."""
    end = time.monotonic() + LONG
    while not happened():
        assert time.monotonic() < end, "did not come"
        time.sleep(0.002)


@contextlib.contextmanager
def private_network() -> Iterator[None]:
    """The calling thread, and what it starts, in an empty network namespace with `lo` up and IPv6 off."""
    library = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if library.unshare(CLONE_NEWNET):
            pytest.skip("needs root: a network namespace of its own")
        try:
            for name in ("all", "default"):
                setting = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
                if setting.exists():
                    setting.write_text("1")
            ip("link", "set", "lo", "up")
            yield
        finally:
            assert library.setns(before, CLONE_NEWNET) == 0
    finally:
        os.close(before)


def join(mtu: int = 1500) -> None:
    """HERE and THERE, linked and up."""
    ip("link", "add", HERE, "mtu", str(mtu), "type", "veth", "peer", "name", THERE, "mtu", str(mtu))
    for name in (HERE, THERE):
        ip("link", "set", name, "up")
    wait_until(lambda: "state UP" in ip("link", "show", HERE))  # until then it sends nothing, and says nothing of it


def send(frames: list[bytes], interface: str = THERE, *, arrive: bool = True) -> None:
    """Puts frames on the link as they are; `arrive`: and sees them arrive, unless the other end may be down."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock, Arrivals(OTHER_END[interface]) as arrivals:
        sock.bind((interface, 0))
        for first in range(0, len(frames), AT_ONCE):
            for frame in frames[first : first + AT_ONCE]:
                sock.send(frame)
            if arrive:
                wait_until(lambda first=first: arrivals.count() >= min(first + AT_ONCE, len(frames)))


class Arrivals:
    """Counts what comes in on an interface, as the kernel does for everyone who listens there."""

    def __init__(self, interface: str) -> None:
        """Counts from now on."""
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self._socket.bind((interface, ETH_P_ALL))
        self._count = 0

    def count(self) -> int:
        """Of frames, those included for which this socket had no room."""
        self._count += struct.unpack("=2I", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[0]
        return self._count

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Counts no more."""
        self._socket.close()


@contextlib.contextmanager
def tunnel(name: str, hardware: int | None = None) -> Iterator[int]:
    """A tun device, of another kind of link (ARPHRD_) if asked; what is written to the descriptor arrives on it."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("=16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        if hardware is not None:
            fcntl.ioctl(descriptor, TUNSETLINK, hardware)
        ip("link", "set", name, "up")
        yield descriptor
    finally:
        os.close(descriptor)


def collect(capture, packets=None):
    """(ts_ns, wire length, frame) of everything until `packets` have come or the capture has stopped."""
    found, end = [], time.monotonic() + LONG
    for batch in capture.batches(0.05):
        if batch is not None:
            octets = batch.buffer
            found += [
                (int(p["ts_ns"]), int(p["wire"]), bytes(octets[p["at"] : p["at"] + p["captured"]])) for p in batch.packets
            ]
        if packets is not None and len(found) >= packets:
            break
        assert time.monotonic() < end, "did not come"
    return found


def frames_of(found):
    return [frame for _, _, frame in found]


def frames(count, length=60, ends=ENDS):
    """Frames of an EtherType for experiments (IEEE 802 §9.2.3), each another one."""
    return [(ends + b"\x88\xb5" + struct.pack(">I", n)).ljust(length + n % 7, b"-") for n in range(count)]


def udp(source, destination, payload=b""):
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 1, 0, 64, 17, 0, b"\xc0\xa8\x07\x14", b"\x08\x08\x08\x08")
    return ENDS + b"\x08\x00" + header + struct.pack(">HHHH", source, destination, 8 + len(payload), 0) + payload


def until(batches, wanted):
    """Goes on until `wanted(found)`; the frames that came."""
    found, deadline = [], time.monotonic() + LONG
    while not wanted(found):
        assert time.monotonic() < deadline, "did not come"
        batch = next(batches)
        rows = batch.packets if batch is not None else ()
        found += [bytes(batch.buffer[p["at"] : p["at"] + p["captured"]]) for p in rows]
    return found
