"""The link between access point and internet: every host as far away as its round-trip time says.

Theory: geography is checked against handshake RTTs, so a lab without latency would place Singapore next door. Two TUN
devices, one in each namespace, are joined by this process. The whole round trip is spent on the way back: what the
phone sends arrives at once, so a server's clock and the tap's clock agree about uploads to within a millisecond.
Rules: packets of one host keep their order; nothing is dropped or changed; unknown sources are not delayed.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import select
import struct
import sys
import time

from .cell import enter_network
from .hosts import HOSTS
from .network import ACCESS_POINT, CORE, INTERNET, UPLINK

TUNSETIFF = 0x400454CA  # <linux/if_tun.h>
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
IPV4_SOURCE = slice(12, 16)  # RFC 791 §3.1
LARGEST_PACKET = 65535


class DelayLine:
    """Packets waiting for their time; ties leave in the order in which they came."""

    def __init__(self, delays: dict[bytes, float]) -> None:
        """`delays`: seconds by packed IPv4 source address."""
        self._delays = delays
        self._waiting: list[tuple[float, int, bytes]] = []
        self._count = 0

    def put(self, packet: bytes, now: float) -> None:
        """Take a packet in."""
        due = now + self._delays.get(packet[IPV4_SOURCE], 0.0)
        heapq.heappush(self._waiting, (due, self._count, packet))
        self._count += 1

    def take(self, now: float) -> list[bytes]:
        """Give out, in order, every packet whose time has come."""
        ready = []
        while self._waiting and self._waiting[0][0] <= now:
            ready.append(heapq.heappop(self._waiting)[2])
        return ready

    def wait(self, now: float) -> float | None:
        """Seconds until the next packet is due; None when nothing waits."""
        return max(0.0, self._waiting[0][0] - now) if self._waiting else None


def packed(address: str) -> bytes:
    """An IPv4 address as it stands in a packet."""
    return bytes(int(part) for part in address.split("."))


def open_tun(namespace: str, device: str) -> int:
    """A descriptor for an existing TUN device of another namespace."""
    enter_network(namespace)
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


def main(rtt_ms: float | None = None) -> None:
    """Join the two devices until the cell ends; `rtt_ms` puts every host at the same distance."""
    uplink = open_tun(ACCESS_POINT, UPLINK)
    core = open_tun(INTERNET, CORE)
    line = DelayLine({packed(host.address): (host.rtt_ms if rtt_ms is None else rtt_ms) / 1000 for host in HOSTS})
    while True:
        readable, _, _ = select.select([uplink, core], [], [], line.wait(time.monotonic()))
        if uplink in readable:
            os.write(core, os.read(uplink, LARGEST_PACKET))
        if core in readable:
            line.put(os.read(core, LARGEST_PACKET), time.monotonic())
        for packet in line.take(time.monotonic()):
            os.write(uplink, packet)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
