"""What pcap and pcapng have in common: byte order, the greatest lengths, and what can be wrong with a file.

Rules: either format may be written in either byte order, told by its magic number. A length that no capture can have
means that the walk has left the records: the file is damaged there, nothing after it can be trusted.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes, be16, be32, le16, le32

# The greatest captured length that libpcap and Wireshark accept as well (MAXIMUM_SNAPLEN, WTAP_MAX_PACKET_SIZE).
MAX_CAPTURED = 262_144
# Link types that carry messages of files and memories, not frames of a network.
MAX_CAPTURED_LARGE = 16 << 20
LARGE_LINKTYPES = frozenset({189, 220, 231, 249, 279})  # USB_LINUX, USB_LINUX_MMAPPED, DBUS, USBPCAP, EBHSCR

# What an indexing kernel returns beside the codes of core.status, which end at 4.
DESCRIBES = 16  # pcapng: a block that describes the section, an interface or its statistics is next
BAD_CAPTURED = 17
BAD_BLOCK_LENGTH = 18
BAD_TRAILER = 19
BAD_INTERFACE = 20
BAD_PACKET_LENGTH = 21
BAD_SECTION = 22
TOO_MANY_INTERFACES = 23

FAULTS = {
    BAD_CAPTURED: "a packet is longer than any capture can hold",
    BAD_BLOCK_LENGTH: "a block has an impossible length",
    BAD_TRAILER: "the two lengths of a block differ",
    BAD_INTERFACE: "a block names an interface that was not described",
    BAD_PACKET_LENGTH: "a packet is longer than the block around it",
    BAD_SECTION: "a section header has an unknown byte order or version",
    TOO_MANY_INTERFACES: "a section describes too many interfaces",
}


def greatest_captured(linktype: int) -> int:
    """The greatest captured length that a packet of this link type can have, in bytes."""
    return MAX_CAPTURED_LARGE if linktype in LARGE_LINKTYPES else MAX_CAPTURED


@inline
def u16(b: Bytes, at: int, big_endian: bool) -> int:
    """Two bytes in the file's byte order."""
    return be16(b, at) if big_endian else le16(b, at)


@inline
def u32(b: Bytes, at: int, big_endian: bool) -> int:
    """Four bytes in the file's byte order."""
    return be32(b, at) if big_endian else le32(b, at)
