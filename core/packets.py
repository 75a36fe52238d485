"""Packets as columns: what every source hands out and the dissector takes.

Rules: a batch is one byte buffer and a record per packet. It is valid until the source is asked for the next one;
whoever needs bytes longer copies them. Offsets and times are int64. Packets come in the order of the source; times may
run backwards inside one file, as they do in real captures.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

PACKET = np.dtype(
    [
        ("at", np.int64),  # where the frame starts in the buffer
        ("ts_ns", np.int64),  # ns since 1970-01-01 UTC
        ("captured", np.int64),  # bytes present in the buffer
        ("wire", np.int64),  # bytes on the wire, >= captured
        ("interface", np.int32),  # index into the source's `interfaces`
        ("linktype", np.int32),  # LINKTYPE_ number: draft-ietf-opsawg-pcaplinktype
    ]
)


class PacketBatch(NamedTuple):
    """`buffer`: uint8[n]; `packets`: PACKET[m], every frame inside the buffer."""

    buffer: npt.NDArray[np.uint8]
    packets: npt.NDArray[np.void]


class Interface(NamedTuple):
    """One stream of packets inside one source: a pcapng interface, or the whole of a pcap file."""

    source: str  # the file name or address as the user gave it, or the network interface
    linktype: int
    name: str | None = None


LINKTYPE_NULL = 0
LINKTYPE_ETHERNET = 1
LINKTYPE_PPP = 9
LINKTYPE_RAW_BSD = 12  # DLT_RAW on most systems, written by older tools
LINKTYPE_RAW_OPENBSD = 14
LINKTYPE_PPP_HDLC = 50
LINKTYPE_PPP_ETHER = 51
LINKTYPE_RAW = 101
LINKTYPE_C_HDLC = 104
LINKTYPE_ARCNET_BSD, LINKTYPE_ARCNET_LINUX = 7, 129
LINKTYPE_IEEE802_11 = 105
LINKTYPE_LOOP = 108
LINKTYPE_LINUX_SLL = 113
LINKTYPE_IEEE802_11_PRISM = 119
LINKTYPE_IEEE802_11_RADIOTAP = 127
LINKTYPE_PPI = 192
LINKTYPE_IPV4 = 228
LINKTYPE_IPV6 = 229
LINKTYPE_NFLOG = 239
LINKTYPE_PKTAP = 258
LINKTYPE_LINUX_SLL2 = 276

LINKTYPE_NAMES = {
    LINKTYPE_NULL: "NULL",
    LINKTYPE_ETHERNET: "ETHERNET",
    LINKTYPE_PPP: "PPP",
    LINKTYPE_RAW_BSD: "RAW",
    LINKTYPE_RAW_OPENBSD: "RAW",
    LINKTYPE_PPP_HDLC: "PPP_HDLC",
    LINKTYPE_PPP_ETHER: "PPP_ETHER",
    LINKTYPE_RAW: "RAW",
    LINKTYPE_C_HDLC: "C_HDLC",
    LINKTYPE_ARCNET_BSD: "ARCNET_BSD",
    LINKTYPE_ARCNET_LINUX: "ARCNET_LINUX",
    LINKTYPE_IEEE802_11: "IEEE802_11",
    LINKTYPE_LOOP: "LOOP",
    LINKTYPE_LINUX_SLL: "LINUX_SLL",
    LINKTYPE_IEEE802_11_PRISM: "IEEE802_11_PRISM",
    LINKTYPE_IEEE802_11_RADIOTAP: "IEEE802_11_RADIOTAP",
    LINKTYPE_PPI: "PPI",
    LINKTYPE_IPV4: "IPV4",
    LINKTYPE_IPV6: "IPV6",
    LINKTYPE_NFLOG: "NFLOG",
    LINKTYPE_PKTAP: "PKTAP",
    LINKTYPE_LINUX_SLL2: "LINUX_SLL2",
}
