"""Packets of one block of the kernel's ring, found where they lie.

Theory: linux/if_packet.h, TPACKET_V3. A block begins with a descriptor that counts its packets; each packet has a
header, a link-layer address and then its bytes, and says how far the next one is away. A record of each is all that is
made: the ring is the batch's buffer.

Rules: the kernel takes the outer VLAN tag out of a frame and puts it into the header. Frames are to be as they were on
the link, so the tag is put back in place: the two addresses (12 bytes) move 4 bytes forward into room that was reserved,
and captured and original length grow by 4. On links without a usable header of their own LINKTYPE_LINUX_SLL's is
written in front of the packet, as libpcap does. A block may therefore be walked only once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..core.jit import inline, kernel
from ..core.packets import LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL
from ..core.wire import Bytes

Packets = npt.NDArray[np.void]
Halves = npt.NDArray[np.uint16]
Words = npt.NDArray[np.uint32]

# u32 words from the start of a block: struct tpacket_block_desc, tpacket_hdr_v1
BLOCK_PACKETS = 3
BLOCK_FIRST = 4  # bytes from the start of the block to the first packet's header
BLOCK_FIRST_SECONDS = 8

# u32 words from the start of a packet's header: struct tpacket3_hdr
NEXT = 0  # bytes to the next header
SECONDS = 1
NANOSECONDS = 2
CAPTURED = 3
ORIGINAL = 4
STATUS = 5
VLAN_TAG = 8
# u16 halves from there
FRAME = 12  # bytes from the header to the frame
VLAN_TYPE = 18
LINK_HARDWARE = 28  # struct sockaddr_ll, behind the header
# bytes from there
LINK_PROTOCOL = 50
LINK_PACKET_TYPE = 58
LINK_ADDRESS_BYTES = 59
LINK_ADDRESS = 60
LINE = 16  # words of a line of the cache
LEAST_RECORD = 80  # bytes that the header and the address of one packet take, aligned to 16

VLAN_VALID = 1 << 4  # TP_STATUS_VLAN_VALID
VLAN_TYPE_VALID = 1 << 6  # TP_STATUS_VLAN_TPID_VALID
ETHERTYPE_VLAN = 0x8100  # IEEE 802.1Q-2022 §9.6
VLAN_BYTES = 4
ADDRESSES = 12  # destination and source: IEEE 802.3-2022 §3.1.1
COOKED_BYTES = 16  # LINKTYPE_LINUX_SLL

NS_PER_S = 1_000_000_000


@kernel
def walk_block(
    octets: Bytes, halves: Halves, words: Words, block: int, interface: int, linktype: int, longest: int,
    packets: Packets,
) -> tuple[int, int, int]:  # fmt: skip
    """Fills `packets` from the block that starts at words[block]; returns how many, and how many exceed `longest`.

    A header says where the next one is, and comes from another core's cache: the walk waits for each of them. So what is
    needed if the next packet is as long as this one is touched before, with the head of the frame, which the pass reads.
    The third number is only there so that the compiler does not leave these reads out.

    octets, halves, words : the ring; packets : PACKET[m], m >= block bytes // LEAST_RECORD.
    """
    count = np.int64(words[block + BLOCK_PACKETS])
    header = np.int64(block) + np.int64(words[block + BLOCK_FIRST]) // 4
    joined = touched = 0
    last = words.size - 1
    for n in range(count):
        step = np.int64(words[header + NEXT]) // 4
        guess = header + 2 * step
        touched += int(words[min(guess, last)]) + int(words[min(guess + LINE, last)]) + int(words[min(header + 2 * LINE, last)])
        at = header * 4 + np.int64(halves[header * 2 + FRAME])
        captured, wire = np.int64(words[header + CAPTURED]), np.int64(words[header + ORIGINAL])
        if linktype == LINKTYPE_ETHERNET:
            status = np.int64(words[header + STATUS])
            if status & VLAN_VALID and captured >= ADDRESSES:
                kind = np.int64(halves[header * 2 + VLAN_TYPE]) if status & VLAN_TYPE_VALID else ETHERTYPE_VLAN
                _put_tag(octets, at, kind, np.int64(words[header + VLAN_TAG]))
                at -= VLAN_BYTES
                captured += VLAN_BYTES
                wire += VLAN_BYTES
        elif linktype == LINKTYPE_LINUX_SLL:
            _put_cooked(octets, at, header * 4, np.int64(halves[header * 2 + LINK_HARDWARE]))
            at -= COOKED_BYTES
            captured += COOKED_BYTES
            wire += COOKED_BYTES
        if wire > longest:
            joined += 1
        packet = packets[n]
        packet["at"] = at
        packet["ts_ns"] = np.int64(words[header + SECONDS]) * NS_PER_S + np.int64(words[header + NANOSECONDS])
        packet["captured"] = captured
        packet["wire"] = wire
        packet["interface"] = interface
        packet["linktype"] = linktype
        header += step
    return count, joined, touched


@inline
def _put_tag(octets: Bytes, at: int, kind: int, tag: int) -> None:
    """Puts a VLAN tag behind the addresses of the frame at `at`, which then starts VLAN_BYTES earlier."""
    for n in range(at, at + ADDRESSES):
        octets[n - VLAN_BYTES] = octets[n]
    at -= VLAN_BYTES
    octets[at + ADDRESSES] = (kind >> 8) & 0xFF
    octets[at + ADDRESSES + 1] = kind & 0xFF
    octets[at + ADDRESSES + 2] = (tag >> 8) & 0xFF
    octets[at + ADDRESSES + 3] = tag & 0xFF


@inline
def _put_cooked(octets: Bytes, at: int, header: int, hardware: int) -> None:
    """Writes LINKTYPE_LINUX_SLL's header in front of the packet at `at`, which then starts COOKED_BYTES earlier.

    header : where the kernel's header is, bytes; hardware : ARPHRD_.
    """
    at -= COOKED_BYTES
    protocol_high, protocol_low = octets[header + LINK_PROTOCOL], octets[header + LINK_PROTOCOL + 1]
    packet_type, address_bytes = octets[header + LINK_PACKET_TYPE], octets[header + LINK_ADDRESS_BYTES]
    for n in range(8):
        octets[at + 6 + n] = octets[header + LINK_ADDRESS + n]
    octets[at] = 0
    octets[at + 1] = packet_type
    octets[at + 2] = (hardware >> 8) & 0xFF
    octets[at + 3] = hardware & 0xFF
    octets[at + 4] = 0
    octets[at + 5] = address_bytes
    octets[at + 14] = protocol_high
    octets[at + 15] = protocol_low
