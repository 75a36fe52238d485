"""A live capture from the kernel's packet ring: batches are the ring's own memory, nothing is copied.

Theory: the blocks that the kernel has handed over become a batch, a few at a time, since each batch costs all that is done
once for it; when the next one is asked for, they go back. While none is ready the reader rests, so that many can fill, and
then sleeps in poll: a waking finds the caches as others have left them, which costs as much as a third of a block's packets.
A rest is short when the one before filled much of the ring. Its ends: `stop` closes the entrance and lets what is inside come out
(an unfilled block comes after its time-out), so that packets taken and packets handed out agree.

Rules: when the interface goes down the kernel itself takes up again once it is up. When it is deleted (hostapd does
that) what is inside comes out, the ring is closed, and a new one is made as soon as an interface of that name is there.
A signal handler may call `stop`: it only writes to a descriptor.
"""

from __future__ import annotations

import math
import os
import select
import threading
import time
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import CaptureError, WiretallyError
from ..core.packets import LINKTYPE_NAMES, PACKET, Interface, PacketBatch
from .afpacket import ARPHRD_LOOPBACK, Device, PacketRing, Statistics, look_up, no_such_interface
from .blocks import LEAST_RECORD, walk_block
from .filters import Program, chain, compile_expression, keep, keep_names
from .live import Counters, LiveCapture, LiveOptions
from .report import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RETRY = 0.2  # seconds between looks for an interface that has gone
TICK = 0.04  # seconds: two turns of a kernel's slowest clock (HZ=100), rounded up
PATIENCE = 1.0  # seconds more for packets that the kernel has counted and not handed over
LOOK = 1.0  # seconds between looks at an interface that is silent
REST_RATE = 1 << 30  # bytes/s: what comes faster than that fills the ring in one rest (64 MiB: 62 ms); half as long after
BUSY = 0.2  # of the ring filled in the rest before
AT_ONCE = 4  # blocks of a batch, at most this
HELD = 1 / 16  # of the ring


class RingCapture(LiveCapture):
    """See `LiveCapture`."""

    def __init__(self, interface: str, options: LiveOptions) -> None:
        """Opens the ring and begins to take packets."""
        super().__init__(interface, options)
        device = look_up(interface)
        if device is None:
            raise no_such_interface(interface)
        self._most = max(min(AT_ONCE, int(options.ring_bytes // options.block_bytes * HELD)), 1)  # blocks
        self._packets = np.zeros(self._most * options.block_bytes // LEAST_RECORD, PACKET)  # touched as far as packets come
        self._expressions: dict[int, Program] = {}  # by link type; libpcap wants the interface up to compile
        self._interface = 0
        self._delivered = self._outages = self._joined = 0
        self._past = Statistics()  # of rings that are closed
        self._changing = threading.Lock()  # counters may be asked from another thread while rings come and go
        self._stopping = False
        self._empty_by: float | None = None  # when a ring whose entrance is closed has nothing left
        self._down = False
        self._looked = 0.0
        self._rested = 0  # blocks that came in a rest and are still to be given back
        self._held = 0  # blocks that are given out
        self._busy = False  # the last rest filled much of the ring
        nothing = np.zeros(64, np.uint8)  # loads the kernel now, not while packets wait
        walk_block(nothing, nothing.view(np.uint16), nothing.view(np.uint32), 0, 0, 0, 0, self._packets)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._ring: PacketRing | None = None
        try:
            self._ring = self._open(device)
        except OSError as error:
            self.close()
            raise CaptureError(f"{shown(interface)}: cannot be captured: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    def _open(self, device: Device) -> PacketRing:
        """A ring that takes packets. Raises WiretallyError, or OSError for what may pass."""
        options, linktype = self.options, device.linktype
        if options.fanout is not None and not device.is_up:
            raise CaptureError(f"{shown(device.name)}: is down, and cannot be shared then: bring it up first")
        ring = PacketRing(device, options.ring_bytes, options.block_bytes, options.retire_ms)
        try:
            ring.start(self._program(device), promiscuous=options.promiscuous, fanout=options.fanout)
        except BaseException:
            ring.close()
            raise
        self._interface = self._number(Interface(self.name, linktype, self.name))
        self._down = not device.is_up
        if self._down:
            self._outage("is down; waiting for it to come up")
        return ring

    def _program(self, device: Device) -> Program:
        """What the kernel runs on each packet."""
        options, linktype = self.options, device.linktype
        if options.expression and linktype not in self._expressions:
            self._expressions[linktype] = compile_expression(options.expression, device.name, linktype)
        policy = keep_names(linktype, options.snaplen) if options.snap == "names" else keep(options.snaplen)
        # what this host sends on its loopback it also receives there: once is enough
        return chain(self._expressions.get(linktype, ()), policy, incoming_only=device.hardware == ARPHRD_LOOPBACK)

    def _number(self, interface: Interface) -> int:
        """Its index in `interfaces`; an interface that came back as the same kind of link keeps its own."""
        if interface not in self.interfaces:
            self.interfaces.append(interface)
        return self.interfaces.index(interface)

    def batches(self, timeout: float = 1.0) -> Iterator[PacketBatch | None]:
        """See `LiveCapture.batches`."""
        due = time.monotonic() + timeout
        while True:
            ring = self._ring
            if self._stopping and ring is not None and self._empty_by is None:
                ring.stop()
                self._drain()
            blocks = ring.ready(self._most) if ring is not None else ()
            if ring is not None and blocks:
                batch = self._batch(ring, blocks)
                self._held = len(blocks)
                try:
                    if batch is not None:
                        yield batch
                        due = time.monotonic() + timeout
                finally:  # also of a reader that leaves
                    ring.give_back(self._held)
                    self._rested, self._held = max(self._rested - self._held, 0), 0
                continue
            now = time.monotonic()
            if self._finished(ring, now):
                return
            if now >= due:
                yield None
                due = time.monotonic() + timeout
            elif ring is not None and self._ring is ring:
                self._rest(ring)
                if not self._rested:
                    self._wait(due - now)
            elif not self._return():
                select.select([self._wake], [], [], min(RETRY, due - now))

    def _batch(self, ring: PacketRing, blocks: Sequence[int]) -> PacketBatch | None:
        """The packets of some blocks; None if there are none."""
        linktype = self.interfaces[self._interface].linktype
        count = joined = 0
        for block in blocks:
            found, longer, _ = walk_block(ring.octets, ring.halves, ring.words, block, self._interface, linktype,
                                          ring.device.longest, self._packets[count:])  # fmt: skip
            count, joined = count + int(found), joined + int(longer)  # NumPy numbers where kernels run uncompiled
        self._delivered += count
        if joined and not self._joined:
            self.options.notify(f"{shown(self.name)}: the receiver joins packets, so that they and their headers are "
                                f"counted too few: ethtool -K {shown(self.name)} gro off lro off")  # fmt: skip
        self._joined += joined
        if self._down and count:
            self._up()
        return PacketBatch(ring.octets, self._packets[:count]) if count else None

    def _finished(self, ring: PacketRing | None, now: float) -> bool:
        """Looks after the ends of a ring without a ready block; True when the capture is over."""
        if ring is None:
            return self._stopping
        if self._empty_by is None:
            if now - self._looked >= LOOK:
                self._looked = now
                self._inspect(ring)
        elif now >= self._empty_by:
            if ring.ready():  # since it was looked for: on a busy machine that may be long ago
                return False
            if self.counters().waiting and now < self._empty_by + PATIENCE:
                return False
            self._empty_by = None
            self._retire()
            return self._stopping
        return False

    def _drain(self) -> None:
        """An unfilled block comes at the second turn of the kernel's timer; turns are rounded up to its ticks."""
        self._empty_by = time.monotonic() + 3 * self.options.retire_ms / 1000 + TICK

    def _inspect(self, ring: PacketRing) -> None:
        """Whether the interface is still the one that the ring is bound to, and up."""
        device = look_up(self.name)
        if device is None or device.number != ring.device.number:
            if not self._down:
                self._outages += 1
            self._down = False
            self.options.notify(f"{shown(self.name)}: interface has gone; waiting for it to come back")
            self._drain()
        elif device.is_up and self._down:
            self._up()
        elif not device.is_up and not self._down:
            self._down = True
            self._outage("has gone down; waiting for it to come up")

    def _outage(self, what: str) -> None:
        self._outages += 1
        self.options.notify(f"{shown(self.name)}: interface {what}")

    def _up(self) -> None:
        self._down = False
        self.options.notify(f"{shown(self.name)}: interface is up again")

    def _return(self) -> bool:
        """Opens the interface that has gone, if it is there again."""
        device = look_up(self.name)
        if device is None or not device.is_up:
            return False
        try:
            self._ring = self._open(device)
        except (OSError, WiretallyError):  # it goes on changing, or others of the group still hold what has gone
            return False
        kind = LINKTYPE_NAMES.get(device.linktype, str(device.linktype))
        self.options.notify(f"{shown(self.name)}: interface is back ({kind})")
        return True

    def _rest(self, ring: PacketRing) -> None:
        """Lets blocks fill, unless the end is near."""
        if self._empty_by is None and not self._stopping:
            seconds = self.options.ring_bytes / REST_RATE
            select.select([self._wake], [], [], seconds / 2 if self._busy else seconds)
            self._rested, self._busy = ring.waiting(), ring.filled() > BUSY

    def _wait(self, seconds: float) -> None:
        """Sleeps until a block is ready, the interface has news, `stop` was called, or `seconds` have passed."""
        ring = self._ring
        if ring is None:
            return
        now = time.monotonic()
        if self._empty_by is not None:
            seconds = min(seconds, max(self._empty_by - now, TICK / 4))
        poll = select.poll()
        poll.register(ring.socket, select.POLLIN | select.POLLERR)
        if not self._stopping:
            poll.register(self._wake, select.POLLIN)
        for _, events in poll.poll(max(min(seconds, LOOK), 0) * 1000 + 1):
            if events & select.POLLERR:
                ring.clear_error()
                self._looked = -math.inf  # what has become of the interface is for `_inspect` to see

    def stop(self) -> None:
        """See `LiveCapture.stop`."""
        self._stopping = True
        if self._wake >= 0:
            os.eventfd_write(self._wake, 1)

    def counters(self) -> Counters:
        """See `LiveCapture.counters`."""
        with self._changing:
            now = self._ring.statistics() if self._ring is not None else Statistics()
            seen, dropped, freezes = (a + b for a, b in zip(self._past, now, strict=True))
        return Counters(seen, dropped, freezes, self._delivered, self._outages, self._joined)

    def backlog(self) -> float:
        """See `LiveCapture.backlog`; what came in a rest, or is given out, does not count: nobody was too slow for it."""
        ring = self._ring
        return ring.filled(beyond=max(self._rested, self._held)) if ring is not None else 0.0

    def _retire(self) -> None:
        """Closes the ring; its counts stay."""
        with self._changing:
            ring, self._ring = self._ring, None
            if ring is not None:
                self._past = Statistics(*(a + b for a, b in zip(self._past, ring.statistics(), strict=True)))
                ring.close()

    def close(self) -> None:
        """See `LiveCapture.close`; counters can still be asked."""
        self._retire()
        wake, self._wake = self._wake, -1  # first, since a signal may call `stop` between any two lines
        if wake >= 0:
            os.close(wake)
