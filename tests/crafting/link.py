"""A network of a test's own: a namespace without a name, gone with the test, and in it a pair of linked interfaces."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNET = 0x40000000  # linux/sched.h
TUNSETIFF, TUNSETLINK = 0x400454CA, 0x400454CD  # linux/if_tun.h
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
HERE, THERE = "wtring0", "wtring1"


def ip(*words: str) -> None:
    """Runs ip(8)."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"


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


def send(frames: list[bytes], interface: str = THERE) -> None:
    """Puts frames on the link as they are."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((interface, 0))
        for frame in frames:
            sock.send(frame)


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


def collect(capture, packets=None, seconds=10.0):
    """(ts_ns, wire length, frame) of everything until `packets` have come or the capture has stopped."""
    found = []
    timer = threading.Timer(seconds, capture.stop)
    timer.start()
    for batch in capture.batches(0.05):
        if batch is not None:
            octets = batch.buffer
            found += [
                (int(p["ts_ns"]), int(p["wire"]), bytes(octets[p["at"] : p["at"] + p["captured"]])) for p in batch.packets
            ]
        if packets is not None and len(found) >= packets:
            break
    timer.cancel()
    return found


def frames_of(found):
    return [frame for _, _, frame in found]
