"""Live captures: what is asked of one, and what it gives.

Theory: a live capture hands out batches for as long as it is wanted. Where nothing comes it says so (None) after the
time-out, so that its caller can keep time by the wall clock. `ring.py` and `sniffer.py` are the two kinds there are,
`interface.py` opens the one that the system has.

Rules: one interface. (Capturing an access point's radio and its uplink would count each packet twice.) An interface that
goes down, or away, does not end the capture: it is reported, waited for, and counted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from ..core.packets import Interface, PacketBatch

MAX_SNAPLEN = 262_144  # libpcap's MAXIMUM_SNAPLEN


def _ignore(_: str) -> None:
    """What becomes of a message that nobody asked for."""


@dataclass(frozen=True)
class LiveOptions:
    """How to capture.

    expression: pcap-filter(7); the kernel takes what it accepts. snaplen: most bytes kept of a packet. snap: "whole"
    keeps packets whole; "names" cuts QUIC packets with a short header, which changes no table but `truncated` and lets
    the ring hold more. promiscuous: also frames for other stations, where the hardware can. ring_bytes: memory for
    packets that wait; block_bytes: its unit, a power of two; retire_ms: the longest a packet waits in a block that does
    not fill; the ring lasts for so long times its blocks (15 s), however little comes. fanout: number of a group of
    captures that share the interface's packets, by device (`open_fanout`). sniffer: "ring" or "scapy"; None is what the
    system has. notify: called with one line when the interface goes or comes, or is seen to join packets.
    """

    expression: str = ""
    snaplen: int = MAX_SNAPLEN
    snap: Literal["whole", "names"] = "whole"
    promiscuous: bool = False
    ring_bytes: int = 64 << 20
    block_bytes: int = 1 << 19
    retire_ms: int = 120
    fanout: int | None = None
    sniffer: Literal["ring", "scapy"] | None = None
    notify: Callable[[str], None] = _ignore


class Counters(NamedTuple):
    """Counts since the capture began.

    seen: packets that the filter accepted, dropped ones too; dropped: those lost because nobody made room in time;
    None where the system does not say. freezes: times the whole ring was full. delivered: packets handed out.
    outages: times the interface went down or away. joined: packets longer than the link can carry, which the receiver
    made of several (GRO, LRO): their payload is right, packets and bytes of headers are too few.
    """

    seen: int | None = 0
    dropped: int | None = 0
    freezes: int = 0
    delivered: int = 0
    outages: int = 0
    joined: int = 0

    @property
    def waiting(self) -> int | None:
        """Packets that the kernel holds and has not handed over yet."""
        return None if self.seen is None or self.dropped is None else self.seen - self.dropped - self.delivered

    def since(self, before: Counters) -> Counters:
        """The counts of the interval that began with `before`."""
        return Counters(*(None if a is None or b is None else a - b for a, b in zip(self, before, strict=True)))  # type: ignore[arg-type]


class LiveCapture(ABC):
    """One interface being captured; a context manager."""

    def __init__(self, interface: str, options: LiveOptions) -> None:
        """Nothing is open yet."""
        self.name = interface
        self.options = options
        self.interfaces: list[Interface] = []  # PACKET["interface"] is an index; grows if it comes back as another kind
        self._before = Counters()

    @abstractmethod
    def batches(self, timeout: float = 1.0) -> Iterator[PacketBatch | None]:
        """Batches until `stop`, None after each `timeout` seconds without one.

        A batch is valid until the next is asked for: its bytes may be the kernel's own memory.
        """

    @abstractmethod
    def counters(self) -> Counters:
        """Since the beginning; may be asked at any time, from any thread."""

    def interval(self) -> Counters:
        """Since the last time this was asked."""
        now = self.counters()
        gained, self._before = now.since(self._before), now
        return gained

    def backlog(self) -> float:
        """How much of the memory for packets is taken by packets that wait, 0 to 1; 0 where the system does not say."""
        return 0.0

    @abstractmethod
    def stop(self) -> None:
        """Takes nothing more: `batches` gives out what has been taken, and ends. For signal handlers and threads."""

    @abstractmethod
    def close(self) -> None:
        """Gives everything back."""

    def __enter__(self) -> Self:
        """The capture itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Closes the capture."""
        self.close()
