"""Opening an interface: the kernel's ring on Linux (`ring.py`), libpcap by scapy (`sniffer.py`) elsewhere or when asked.

Rules: what cannot be done is refused here, before anything is open, in one line.
"""

from __future__ import annotations

import secrets
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.errors import InputError
from .live import MAX_SNAPLEN, LiveOptions
from .report import shown
from .sniffer import ScapyCapture

if TYPE_CHECKING:
    from .live import LiveCapture

LEAST_BLOCK = 1 << 16  # bytes: holds the longest packet that offloading can make
MAX_RING = 1 << 31


def open_live(interface: str, options: LiveOptions | None = None) -> LiveCapture:
    """Begins to capture. Raises a subclass of WiretallyError, one line: no such interface, not permitted, bad filter."""
    options = options or LiveOptions()
    _check(interface, options)
    if (options.sniffer or ("ring" if sys.platform == "linux" else "scapy")) == "ring":
        from .ring import RingCapture  # here, because other systems lack what it imports

        return RingCapture(interface, options)
    return ScapyCapture(interface, options)


def open_fanout(interface: str, options: LiveOptions, sockets: int) -> list[LiveCapture]:
    """Several captures that share the packets of one interface, each for a thread or process of its own.

    All packets of a device go to the same capture, so that each can be dissected by itself. Linux only.
    """
    # by chance: two containers that share a network may have processes of the same number, and would share the packets
    group = options.fanout if options.fanout is not None else secrets.randbelow(1 << 16)
    captures: list[LiveCapture] = []
    try:
        for _ in range(sockets):
            captures.append(open_live(interface, replace(options, fanout=group, sniffer="ring")))  # noqa: PERF401  (those open are closed below)
    except BaseException:
        for capture in captures:
            capture.close()
        raise
    return captures


def _check(interface: str, options: LiveOptions) -> None:
    """Refuses what cannot be done."""
    if interface == "any":
        raise InputError("any: sees a forwarded packet once on each interface; name the one the devices are behind")
    block, ring = options.block_bytes, options.ring_bytes
    if block < LEAST_BLOCK or block & (block - 1):
        raise InputError(f"{shown(interface)}: blocks of {block} bytes: must be a power of two, {LEAST_BLOCK} or more")
    if not 2 * block <= ring <= MAX_RING:
        raise InputError(f"{shown(interface)}: a ring of {ring} bytes: must hold two blocks of {block}, {MAX_RING} at most")
    if not 1 <= options.snaplen <= MAX_SNAPLEN:
        raise InputError(f"{shown(interface)}: {options.snaplen} bytes of a packet: must be 1 to {MAX_SNAPLEN}")
    if options.fanout is not None and not 0 <= options.fanout <= 0xFFFF:
        raise InputError(f"{shown(interface)}: fanout group {options.fanout}: must be 0 to 65535")
