"""The kernel's packet ring: a socket of family AF_PACKET whose packets appear in memory shared with the kernel.

Theory: Linux Documentation/networking/packet_mmap.rst, TPACKET_V3. The ring is a row of blocks. The kernel fills one
with packets, each behind a header, and hands it over when it is full or when its time is up; whoever has read it hands
it back. Where every block is taken, packets are dropped, and counted: the size of the ring decides about that.

Rules: a block belongs to one side at a time, by its status word. The kernel's other stores to the block come before the
one to the status word, and our loads have to come after our load of it (`_fence`; processors other than x86 reorder).
Reading the drop counters resets them, so they are added up here. Layouts are those of linux/if_packet.h, in the byte
order of the machine.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import socket
import struct
import sys
import threading
from bisect import bisect_left
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..core.errors import CaptureError, EnvironmentFault
from ..core.packets import (
    LINKTYPE_ETHERNET,
    LINKTYPE_IEEE802_11,
    LINKTYPE_IEEE802_11_PRISM,
    LINKTYPE_IEEE802_11_RADIOTAP,
    LINKTYPE_LINUX_SLL,
    LINKTYPE_RAW,
)
from .filters import NOTHING, SO_ATTACH_FILTER, Program, attach, by_device
from .report import shown

ETH_P_ALL = 0x0003  # linux/if_ether.h
SOL_PACKET = 263
PACKET_ADD_MEMBERSHIP, PACKET_RX_RING, PACKET_STATISTICS = 1, 5, 6
PACKET_VERSION, PACKET_RESERVE, PACKET_FANOUT, PACKET_FANOUT_DATA = 10, 12, 18, 22
PACKET_MR_PROMISC = 1
TPACKET_V3 = 2
FANOUT_HASH, FANOUT_CBPF = 0, 6
SIOCGIFFLAGS, SIOCGIFMTU, SIOCGIFHWADDR = 0x8913, 0x8921, 0x8927  # linux/sockios.h
IFF_UP = 0x1

STATUS_KERNEL, STATUS_USER = 0, 1
BLOCK_STATUS, BLOCK_LENGTH = 2, 5  # u32 words into `struct tpacket_block_desc`; the latter: bytes of it that are in use
FRAME_BYTES = 2048  # only checked by the kernel in version 3, never used
LONGEST_HEADER = 128  # more than the header of any kind of link takes
VLAN_BYTES = 4  # reserved before each frame, so that a tag can be put back: IEEE 802.1Q-2022 §9.6

# linux/if_arp.h → LINKTYPE_; every other kind of link is captured cooked, as libpcap does
ARPHRD_LOOPBACK = 772
LINKTYPES = {
    1: LINKTYPE_ETHERNET,  # ARPHRD_ETHER
    ARPHRD_LOOPBACK: LINKTYPE_ETHERNET,
    519: LINKTYPE_RAW,  # ARPHRD_RAWIP
    768: LINKTYPE_RAW,  # ARPHRD_TUNNEL
    776: LINKTYPE_RAW,  # ARPHRD_SIT
    801: LINKTYPE_IEEE802_11,  # ARPHRD_IEEE80211
    802: LINKTYPE_IEEE802_11_PRISM,  # ARPHRD_IEEE80211_PRISM
    803: LINKTYPE_IEEE802_11_RADIOTAP,  # ARPHRD_IEEE80211_RADIOTAP
    0xFFFE: LINKTYPE_RAW,  # ARPHRD_NONE: tun
}

Array = npt.NDArray[np.void]


class Device(NamedTuple):
    """A network interface as it is now; the same name may come back with another index."""

    name: str
    number: int  # ifindex
    hardware: int  # ARPHRD_
    is_up: bool
    mtu: int

    @property
    def linktype(self) -> int:
        """LINKTYPE_ of its packets; LINKTYPE_LINUX_SLL where they are captured without their link header."""
        return LINKTYPES.get(self.hardware, LINKTYPE_LINUX_SLL)

    @property
    def longest(self) -> int:
        """Bytes of the longest frame that can have been on the link; what is longer was joined by an offload."""
        return self.mtu + LONGEST_HEADER


class Statistics(NamedTuple):
    """PACKET_STATISTICS, added up: packets that passed the filter (dropped ones too), of them dropped, full-ring stops."""

    seen: int = 0
    dropped: int = 0
    freezes: int = 0


def look_up(name: str) -> Device | None:
    """The interface of that name, or None."""
    try:
        request = name.encode()[:15].ljust(40, b"\0")  # struct ifreq; IFNAMSIZ is 16
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            flags = struct.unpack_from("=h", fcntl.ioctl(sock, SIOCGIFFLAGS, request), 16)[0]
            hardware = struct.unpack_from("=H", fcntl.ioctl(sock, SIOCGIFHWADDR, request), 16)[0]
            mtu = struct.unpack_from("=i", fcntl.ioctl(sock, SIOCGIFMTU, request), 16)[0]
        return Device(name, socket.if_nametoindex(name), hardware, bool(flags & IFF_UP), mtu)
    except (OSError, ValueError):  # none of that name, or a name that none can have
        return None


def no_such_interface(name: str) -> CaptureError:
    """The error for a name that no interface has."""
    have = ", ".join(shown(one) for _, one in socket.if_nameindex())
    return CaptureError(f"{shown(name)}: no such interface; this machine has {have or 'none'}")


class PacketRing:
    """One socket and its ring: `octets`, `halves` and `words` are the same memory as uint8, uint16 and uint32."""

    def __init__(self, device: Device, ring_bytes: int, block_bytes: int, retire_ms: int) -> None:
        """A ring that takes nothing until `start`. Raises EnvironmentFault: no right to capture, no memory."""
        cooked = device.linktype == LINKTYPE_LINUX_SLL
        self.device = device
        self.block_words = block_bytes // 4
        self.blocks = max(ring_bytes // block_bytes, 2)
        self._next = 0
        self._statistics = Statistics()
        self._counting = threading.Lock()
        self._fencing = threading.Lock()
        try:
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM if cooked else socket.SOCK_RAW, 0)
        except PermissionError as error:
            python = os.path.realpath(sys.executable)
            raise EnvironmentFault(f"{shown(device.name)}: not permitted to capture: run as root, or once: "
                                   f"sudo setcap cap_net_raw,cap_net_admin+ep {shown(python)}") from error  # fmt: skip
        try:
            self._map(block_bytes, retire_ms)
        except OSError as error:
            self.socket.close()
            raise EnvironmentFault(f"{shown(device.name)}: no ring of {self.blocks * block_bytes >> 20} MiB: "
                                   f"{error.strerror}; ask for a smaller one") from error  # fmt: skip

    def _map(self, block_bytes: int, retire_ms: int) -> None:
        """Sets the ring up and maps it."""
        sock = self.socket
        sock.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        sock.setsockopt(SOL_PACKET, PACKET_RESERVE, VLAN_BYTES)
        frames = self.blocks * (block_bytes // FRAME_BYTES)
        request = struct.pack("=7I", block_bytes, self.blocks, FRAME_BYTES, frames, retire_ms, 0, 0)
        sock.setsockopt(SOL_PACKET, PACKET_RX_RING, request)  # struct tpacket_req3
        self._memory = mmap.mmap(sock.fileno(), self.blocks * block_bytes)
        self.octets = np.frombuffer(self._memory, np.uint8)
        self.halves, self.words = self.octets.view(np.uint16), self.octets.view(np.uint32)

    def start(self, program: Program, *, promiscuous: bool = False, fanout: int | None = None) -> None:
        """Takes packets that `program` accepts; with the sockets of the group `fanout` each takes its devices' share.

        Raises OSError where the interface has gone in the meantime, or is down and `fanout` is given.
        """
        sock = self.socket
        attach(sock, program if fanout is None else NOTHING, socket.SOL_SOCKET, SO_ATTACH_FILTER)
        sock.bind((self.device.name, ETH_P_ALL))
        if promiscuous:
            membership = struct.pack("=iHH8x", self.device.number, PACKET_MR_PROMISC, 0)  # struct packet_mreq
            sock.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
        if fanout is not None:  # only a bound socket may join; until it has, it would get every packet
            by_address = self.device.linktype == LINKTYPE_ETHERNET
            way = FANOUT_CBPF if by_address else FANOUT_HASH
            sock.setsockopt(SOL_PACKET, PACKET_FANOUT, fanout | way << 16)
            if by_address:
                attach(sock, by_device(), SOL_PACKET, PACKET_FANOUT_DATA)
            attach(sock, program, socket.SOL_SOCKET, SO_ATTACH_FILTER)

    def stop(self) -> None:
        """Takes nothing more; what has been taken can still be read."""
        attach(self.socket, NOTHING, socket.SOL_SOCKET, SO_ATTACH_FILTER)

    def ready(self, most: int = 1) -> list[int]:
        """Where the next blocks start, in words: those that are ours, at most so many."""
        found = []
        for after in range(most):
            at = (self._next + after) % self.blocks * self.block_words
            if not self.words[at + BLOCK_STATUS] & STATUS_USER:
                break
            found.append(at)
        if found:
            self._fence()
        return found

    def give_back(self, blocks: int = 1) -> None:
        """Hands the first so many that `ready` found to the kernel: nothing of them may be looked at any more."""
        if not self.words.size:  # closed while a batch was out
            return
        self._fence()
        for _ in range(blocks):
            self.words[self._next * self.block_words + BLOCK_STATUS] = STATUS_KERNEL
            self._next = (self._next + 1) % self.blocks

    def waiting(self) -> int:
        """Blocks that the kernel has filled and nobody has given back; it fills them in turn."""
        status = self.words[BLOCK_STATUS :: self.block_words]

        def is_free(after: int) -> bool:
            return not status[(self._next + after) % self.blocks] & STATUS_USER

        return bisect_left(range(self.blocks), x=True, key=is_free) if status.size else 0

    def filled(self, beyond: int = 0) -> float:
        """Share of the ring's memory that packets in waiting blocks take, the first `beyond` blocks left out.

        Blocks are handed over after a time even when they hold little, so many of them may be little to do.
        """
        lengths = self.words[BLOCK_LENGTH :: self.block_words]
        bytes_ = sum(int(lengths[(self._next + place) % self.blocks]) for place in range(beyond, self.waiting()))
        return bytes_ / (4 * self.block_words * self.blocks)

    def _fence(self) -> None:
        """Loads and stores before it come before those after it: a release, then an acquire, of the same lock."""
        for _ in range(2):
            with self._fencing:
                pass

    def clear_error(self) -> None:
        """Takes note of ENETDOWN, so that poll sleeps again; `Device.is_up` says more."""
        self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def statistics(self) -> Statistics:
        """Since the ring was made."""
        with self._counting:
            new = struct.unpack("=3I", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12))
            self._statistics = Statistics(*(a + b for a, b in zip(self._statistics, new, strict=True)))
            return self._statistics

    def close(self) -> None:
        """Gives the ring back; memory that a batch still shows stays until the batch is let go."""
        self.socket.close()
        empty = np.empty(0, np.uint8)
        self.octets, self.halves, self.words = empty, empty.view(np.uint16), empty.view(np.uint32)
        with contextlib.suppress(BufferError):
            self._memory.close()
