"""A live capture through libpcap, by scapy's sockets: for systems without the kernel's packet ring.

Theory: whatever libpcap has buffered is copied into one buffer and handed out as a batch. scapy opens the interface and
finds the link type; packets are taken raw, since its dissection costs a thousand times what counting a packet does.

Rules: the same `PacketBatch` and the same words as the ring. Times have microseconds. Where the interface goes away the
capture ends with an error: other systems say it in too many ways to tell a pause from an end.
"""

from __future__ import annotations

import ctypes
import importlib.util
import select
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import CaptureError, EnvironmentFault
from ..core.packets import LINKTYPE_RAW, LINKTYPE_RAW_BSD, LINKTYPE_RAW_OPENBSD, PACKET, Interface, PacketBatch
from .live import MAX_SNAPLEN, Counters, LiveCapture, LiveOptions
from .report import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

BUFFER_BYTES = 4 << 20
BATCH_PACKETS = 1 << 14
NS_PER_S, NS_PER_US = 1_000_000_000, 1_000
TURN = 0.1  # seconds between looks at `stop`
HELD = 0.3  # seconds that a packet may be with libpcap before it is shown: scapy asks for 0.1, of which the kernel may take two turns
STOPPING = 1.0  # seconds for what libpcap still holds, where packets go on coming; its entrance cannot be closed


class ScapyCapture(LiveCapture):
    """See `LiveCapture`; `snap`, `fanout` and the sizes of the ring do not apply."""

    def __init__(self, interface: str, options: LiveOptions) -> None:
        """Opens the interface. Raises EnvironmentFault without scapy, CaptureError where libpcap refuses."""
        super().__init__(interface, options)
        if importlib.util.find_spec("scapy") is None:
            raise EnvironmentFault("--sniffer scapy: scapy is not installed: pip install 'wiretally[sniff]'")
        self._socket = _open(interface, options)
        linktype = int(self._socket.pcap_fd.datalink())
        # inside, libpcap has the system's own number for packets without a link header
        linktype = LINKTYPE_RAW if linktype in {LINKTYPE_RAW_BSD, LINKTYPE_RAW_OPENBSD} else linktype
        self.interfaces.append(Interface(interface, linktype, interface))
        self._buffer = np.empty(BUFFER_BYTES, np.uint8)
        self._packets = np.zeros(BATCH_PACKETS, PACKET)
        self._packets["linktype"] = linktype
        self._delivered = 0
        self._last = Counters()
        self._stopped: float | None = None  # when

    def batches(self, timeout: float = 1.0) -> Iterator[PacketBatch | None]:
        """See `LiveCapture.batches`."""
        due = time.monotonic() + timeout
        while True:
            stopped, now = self._stopped, time.monotonic()
            count = self._fill()
            if count:
                self._delivered += count
                yield PacketBatch(self._buffer, self._packets[:count])
            if stopped is not None and now >= stopped + (STOPPING if count else HELD):
                return
            if count:
                due = time.monotonic() + timeout
                continue
            left = due - time.monotonic()
            if left <= 0:
                yield None
                due = time.monotonic() + timeout
            else:
                self._wait(min(left, TURN))

    def _fill(self) -> int:
        """Copies what libpcap holds, as far as there is room; returns how many packets."""
        at = count = 0
        source = self._socket.pcap_fd
        while count < BATCH_PACKETS and at + MAX_SNAPLEN <= BUFFER_BYTES:
            _, octets = source.next()
            if octets is None:
                break
            header = source.header.contents
            captured = min(len(octets), self.options.snaplen)
            self._buffer[at : at + captured] = np.frombuffer(octets, np.uint8)[:captured]
            row = self._packets[count]
            row["at"], row["captured"], row["wire"] = at, captured, max(int(header.len), captured)
            row["ts_ns"] = int(header.ts.tv_sec) * NS_PER_S + int(header.ts.tv_usec) * NS_PER_US
            at += captured
            count += 1
        return count

    def _wait(self, seconds: float) -> None:
        """Until there is something, or `seconds` have passed."""
        descriptor = self._socket.fileno()
        if sys.platform == "win32" or descriptor < 0:
            time.sleep(min(seconds, 0.01))
        else:
            select.select([descriptor], [], [], seconds)

    def stop(self) -> None:
        """See `LiveCapture.stop`."""
        self._stopped = time.monotonic()

    def counters(self) -> Counters:
        """See `LiveCapture.counters`; `seen` and `dropped` are libpcap's."""
        if self._socket is not None:
            from scapy.libs.winpcapy import pcap_stat, pcap_stats

            said = pcap_stat()
            known = pcap_stats(self._socket.pcap_fd.pcap, ctypes.byref(said)) == 0
            seen, dropped = (int(said.ps_recv), int(said.ps_drop)) if known else (None, None)
            self._last = Counters(seen, dropped)
        return self._last._replace(delivered=self._delivered)

    def close(self) -> None:
        """See `LiveCapture.close`; counters can still be asked."""
        if self._socket is not None:
            self.counters()
            self._socket.close()
            self._socket = None


def _open(interface: str, options: LiveOptions) -> Any:  # noqa: ANN401  (scapy chooses the class of its socket)
    """A listening socket of scapy's over libpcap, not blocking."""
    import scapy.layers.inet  # noqa: F401  (registers link types, or scapy complains of them)
    from scapy.config import conf
    from scapy.error import Scapy_Exception

    conf.use_pcap = True
    if not conf.use_pcap:  # scapy takes it back where it finds none
        raise EnvironmentFault("--sniffer scapy: needs libpcap, which is not here: install it (on Windows: npcap)")
    try:
        sock: Any = conf.L2listen(iface=interface, promisc=options.promiscuous, filter=options.expression or None)
    except Scapy_Exception as error:
        raise CaptureError(f"--filter {shown(options.expression)}: {_line(error)}; see pcap-filter(7)") from error
    except (OSError, ValueError) as error:
        raise CaptureError(f"{shown(interface)}: {_line(error)}; check its name, and run as root") from error
    sock.pcap_fd.setnonblock(i=True)
    return sock


def _line(error: Exception) -> str:
    return shown(" ".join(str(error).replace("\0", "").split()))
