"""Link layers: from the first byte of a frame to the protocol above it.

Theory: each function reads one header and says which layer follows and where: `(status, layer, at)`. A layer is an
EtherType, or one of the LAYER_ numbers above the EtherType range for what has none. Rules: `present` is where the
captured bytes end; nothing behind it is read. A header cut by it is TRUNCATED.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.jit import inline
from ..core.packets import (
    LINKTYPE_ARCNET_BSD,
    LINKTYPE_ARCNET_LINUX,
    LINKTYPE_C_HDLC,
    LINKTYPE_ETHERNET,
    LINKTYPE_IEEE802_11,
    LINKTYPE_IEEE802_11_PRISM,
    LINKTYPE_IEEE802_11_RADIOTAP,
    LINKTYPE_IPV4,
    LINKTYPE_IPV6,
    LINKTYPE_LINUX_SLL,
    LINKTYPE_LINUX_SLL2,
    LINKTYPE_LOOP,
    LINKTYPE_NFLOG,
    LINKTYPE_NULL,
    LINKTYPE_PKTAP,
    LINKTYPE_PPI,
    LINKTYPE_PPP,
    LINKTYPE_PPP_ETHER,
    LINKTYPE_PPP_HDLC,
    LINKTYPE_RAW,
    LINKTYPE_RAW_BSD,
    LINKTYPE_RAW_OPENBSD,
)
from ..core.status import MALFORMED, OK, TRUNCATED, UNSUPPORTED
from ..core.wire import Bytes, be16, be32, le16, le32, u8

READS = (
    ("Ethernet, 802.1Q and 802.1ad tags", "IEEE 802.3-2022 §3.1.1, IEEE 802.1Q-2022 §9.6",
     "addresses, type; LLC and SNAP; E-Tag, VN-Tag, I-Tag and FabricPath are stepped over"),
    ("802.11 with radiotap, Prism or PPI", "IEEE 802.11-2020 §9.2.4",
     "data frames in clear: addresses, the first frame of an aggregate"),
    ("Linux cooked, BSD loopback, raw IP, NFLOG, PKTAP, Cisco HDLC", "RFC 1547 §4.3.1",
     "protocol, the sender's address where there is one"),
    ("ARCnet", "RFC 1201 §2, RFC 1051 §3", "protocol; whole packets and the first piece of one"),
    ("PPP, PPPoE", "RFC 1661 §2, RFC 1662 §3.1, RFC 2516 §4", "session packets that carry IP or MPLS"),
    ("MPLS", "RFC 3032 §2.1, RFC 4385 §3", "the label stack, then IP or an Ethernet pseudowire"),
)  # fmt: skip

Record = Any

ETHERTYPE_IPV4 = 0x0800  # RFC 894
ETHERTYPE_IPV6 = 0x86DD  # RFC 2464 §3
ETHERTYPE_VLAN = 0x8100  # IEEE 802.1Q-2022 §9.6
ETHERTYPE_QINQ = 0x88A8  # IEEE 802.1Q-2022 §9.6
ETHERTYPE_QINQ_OLD = 0x9100  # in use before 802.1ad
ETHERTYPE_TRANSPARENT = 0x6558  # transparent Ethernet bridging: RFC 1701 §3
ETHERTYPE_MPLS = 0x8847  # RFC 3032 §5
ETHERTYPE_MPLS_MULTICAST = 0x8848
ETHERTYPE_PPPOE = 0x8864  # session stage: RFC 2516 §4
ETHERTYPE_PPP = 0x880B  # PPP in GRE: RFC 7637's registry, RFC 2637 §4.1
ETHERTYPE_E_TAG = 0x893F  # IEEE 802.1BR-2012 §7.5
ETHERTYPE_VN_TAG = 0x8926  # Cisco VN-Tag
ETHERTYPE_I_TAG = 0x88E7  # provider backbone bridges: IEEE 802.1Q-2022 §9.7
ETHERTYPE_FABRICPATH = 0x8903  # Cisco FabricPath
ETHERTYPE_LEAST = 0x0600  # smaller values are an 802.3 length: IEEE 802.3-2022 §3.2.6

LAYER_ETHERNET = 0x10000
LAYER_PPP = 0x10001
LAYER_IP = 0x10002  # the version nibble decides
LAYER_WIFI = 0x10003
LAYER_RADIOTAP = 0x10004
LAYER_TRANSPORT = 0x10005
LAYER_MPLS_PAYLOAD = 0x10006
LAYER_NONE = 0x10007

ETHERNET_BYTES = 14  # IEEE 802.3-2022 §3.1.1
VLAN_BYTES = 4
SLL_BYTES = 16  # LINKTYPE_LINUX_SLL
SLL_PROTOCOL = 14
SLL_ADDRESS = 6
SLL2_BYTES = 20  # LINKTYPE_LINUX_SLL2
SLL2_ADDRESS = 12
E_TAG_BYTES = 8  # IEEE 802.1BR-2012 §7.5: six bytes of control, then the next type
VN_TAG_BYTES = 6  # Cisco VN-Tag: four bytes of control, then the next type
I_TAG_BYTES = 4  # IEEE 802.1Q-2022 §9.7: service identifier, then the customer's addresses
FABRICPATH_BYTES = 2  # forwarding tag and hop count, then the customer's frame
MPLS_BYTES = 4  # RFC 3032 §2.1
PPPOE_BYTES = 6  # RFC 2516 §4
ARCNET_ADDRESSES, ARCNET_OLD, ARCNET_NEW = 2, 1, 4  # bytes: two addresses; protocol; protocol, split flag, number
ARCNET_IP_OLD, ARCNET_IP, ARCNET_IPV6, ARCNET_EXCEPTION = 240, 212, 196, 0xFF  # RFC 1051 §3, RFC 1201 §2, RFC 2497 §2
PPI_BYTES = 8  # LINKTYPE_PPI: version, flags, length, link type
PKTAP_BYTES, PKTAP_LINKTYPE = 12, 8  # LINKTYPE_PKTAP: length, record type, link type, and more
NFLOG_BYTES, NFLOG_ATTRIBUTE, NFLOG_PAYLOAD, MAX_NFLOG_ATTRIBUTES = 4, 4, 9, 32  # LINKTYPE_NFLOG: family, TLVs
PRISM_MSG_BYTES = 4  # length field of the Prism header

AF_INET = 2  # BSD loopback address families: LINKTYPE_NULL
AF_INET6_ANY = (10, 24, 28, 30)  # Linux, NetBSD and OpenBSD, FreeBSD, Darwin
PPP_IPV4, PPP_IPV6 = 0x21, 0x57  # RFC 1332 §2, RFC 5072 §2
PPP_MPLS = 0x0281
ARPHRD_NETLINK = 824
ARPHRD_LOOPBACK, ARPHRD_ETHER = 772, 1


@inline
def first_layer(b: Bytes, at: int, present: int, linktype: int, h: Record) -> tuple[int, int, int]:
    """What a frame of this link type begins with: `(status, layer, at)`."""
    if linktype == LINKTYPE_ETHERNET:
        return OK, LAYER_ETHERNET, at
    if linktype in (LINKTYPE_RAW, LINKTYPE_RAW_BSD, LINKTYPE_RAW_OPENBSD, LINKTYPE_IPV4, LINKTYPE_IPV6):
        return OK, LAYER_IP, at
    if linktype == LINKTYPE_LINUX_SLL:
        return _cooked(b, at, present, h)
    if linktype == LINKTYPE_LINUX_SLL2:
        return _cooked2(b, at, present, h)
    if linktype in (LINKTYPE_NULL, LINKTYPE_LOOP):
        return _loopback(b, at, present, linktype)
    if linktype == LINKTYPE_IEEE802_11:
        return OK, LAYER_WIFI, at
    if linktype == LINKTYPE_IEEE802_11_RADIOTAP:
        return OK, LAYER_RADIOTAP, at
    if linktype == LINKTYPE_IEEE802_11_PRISM and present - at >= 2 * PRISM_MSG_BYTES:
        little = le32(b, at + PRISM_MSG_BYTES)
        return OK, LAYER_WIFI, at + (little if little < 1024 else be32(b, at + PRISM_MSG_BYTES))
    if linktype in (LINKTYPE_PPP, LINKTYPE_PPP_HDLC):
        return OK, LAYER_PPP, at
    if linktype == LINKTYPE_PPI and present - at >= PPI_BYTES:
        inside = le32(b, at + 4)
        behind = at + le16(b, at + 2)
        if inside == LINKTYPE_IEEE802_11:
            return OK, LAYER_WIFI, behind
        if inside == LINKTYPE_ETHERNET:
            return OK, LAYER_ETHERNET, behind
    if linktype == LINKTYPE_PPP_ETHER:
        return OK, ETHERTYPE_PPPOE, at
    if linktype == LINKTYPE_C_HDLC and present - at >= 4:  # RFC 1547 §4.3.1: address, control, protocol
        return OK, be16(b, at + 2), at + 4
    if linktype in (LINKTYPE_ARCNET_BSD, LINKTYPE_ARCNET_LINUX):
        return _arcnet(b, at, present, linktype)
    if linktype == LINKTYPE_NFLOG:
        return _nflog(b, at, present)
    if linktype == LINKTYPE_PKTAP and present - at >= PKTAP_BYTES:
        inside, behind = le32(b, at + PKTAP_LINKTYPE), at + le32(b, at)
        if inside == LINKTYPE_ETHERNET:
            return OK, LAYER_ETHERNET, behind
        if inside in (LINKTYPE_RAW, LINKTYPE_RAW_BSD):
            return OK, LAYER_IP, behind
        if inside == LINKTYPE_NULL:
            return _loopback(b, behind, present, LINKTYPE_NULL)
    return UNSUPPORTED, LAYER_NONE, at


@inline
def _arcnet(b: Bytes, at: int, present: int, linktype: int) -> tuple[int, int, int]:
    """ARCnet (RFC 1201, RFC 1051): addresses of a byte each, in Linux's form an offset, then the protocol.

    RFC 1201 adds a split flag, 0 for a whole packet, and a sequence number; a fragment that is not the first carries no IP
    header. An exception frame (RFC 1201 §2.2) repeats protocol, flag and number behind a flag of 0xFF.
    """
    at += ARCNET_ADDRESSES + (2 if linktype == LINKTYPE_ARCNET_LINUX else 0)
    if present - at < ARCNET_OLD:
        return TRUNCATED, LAYER_NONE, at
    protocol = u8(b, at)
    if protocol == ARCNET_IP_OLD:
        return OK, ETHERTYPE_IPV4, at + ARCNET_OLD
    if protocol not in (ARCNET_IP, ARCNET_IPV6):
        return UNSUPPORTED, LAYER_NONE, at
    if present - at < ARCNET_NEW:
        return TRUNCATED, LAYER_NONE, at
    if u8(b, at + 1) == ARCNET_EXCEPTION:
        at += ARCNET_NEW
        if present - at < ARCNET_NEW:
            return TRUNCATED, LAYER_NONE, at
    if u8(b, at + 1) != 0 and u8(b, at + 1) & 1 == 0:
        return UNSUPPORTED, LAYER_NONE, at
    return OK, ETHERTYPE_IPV4 if protocol == ARCNET_IP else ETHERTYPE_IPV6, at + ARCNET_NEW


@inline
def _nflog(b: Bytes, at: int, present: int) -> tuple[int, int, int]:
    """LINKTYPE_NFLOG: attributes of length, type (in the byte order of the host) and padding to four; one is the packet."""
    at += NFLOG_BYTES
    for _ in range(MAX_NFLOG_ATTRIBUTES):
        if present - at < NFLOG_ATTRIBUTE:
            break
        length, kind = le16(b, at), le16(b, at + 2)
        if kind == NFLOG_PAYLOAD:
            return OK, LAYER_IP, at + NFLOG_ATTRIBUTE
        if length < NFLOG_ATTRIBUTE:
            break
        at += (length + 3) // 4 * 4
    return UNSUPPORTED, LAYER_NONE, at


@inline
def mac48(b: Bytes, at: int) -> np.uint64:
    """A link address as the low 48 bits of a uint64."""
    return (np.uint64(be16(b, at)) << np.uint64(32)) | np.uint64(be32(b, at + 2))


@inline
def ethernet(b: Bytes, at: int, present: int, h: Record) -> tuple[int, int, int]:
    """IEEE 802.3: destination, source, type or length."""
    if present - at < ETHERNET_BYTES:
        return TRUNCATED, LAYER_NONE, at
    h["dst_mac"] = mac48(b, at)
    h["src_mac"] = mac48(b, at + 6)
    h["has_mac"] = 1
    ethertype = be16(b, at + 12)
    if ethertype < ETHERTYPE_LEAST:
        return llc(b, at + ETHERNET_BYTES, present)
    return OK, ethertype, at + ETHERNET_BYTES


@inline
def llc(b: Bytes, at: int, present: int) -> tuple[int, int, int]:
    """IEEE 802.2 LLC with SNAP (RFC 1042) leads to an EtherType; other LLC carries no IP."""
    if present - at >= 8 and u8(b, at) == 0xAA and u8(b, at + 1) == 0xAA and u8(b, at + 2) == 0x03:
        return OK, be16(b, at + 6), at + 8
    if present - at >= 3 and u8(b, at) == 0x06 and u8(b, at + 1) == 0x06:  # LSAP of IP: RFC 1042
        return OK, ETHERTYPE_IPV4, at + 3
    return UNSUPPORTED, LAYER_NONE, at


@inline
def vlan(b: Bytes, at: int, present: int) -> tuple[int, int, int]:
    """One IEEE 802.1Q tag, behind its EtherType: tag control, then the next type."""
    if present - at < VLAN_BYTES:
        return TRUNCATED, LAYER_NONE, at
    ethertype = be16(b, at + 2)
    if ethertype < ETHERTYPE_LEAST:
        return llc(b, at + VLAN_BYTES, present)
    return OK, ethertype, at + VLAN_BYTES


@inline
def rare_tag(b: Bytes, ethertype: int, at: int, present: int) -> tuple[int, int, int]:
    """Tags of switches and backbones; what none of them is, is not supported."""
    if ethertype == ETHERTYPE_I_TAG:
        return OK, LAYER_ETHERNET, at + I_TAG_BYTES
    if ethertype == ETHERTYPE_FABRICPATH:
        return OK, LAYER_ETHERNET, at + FABRICPATH_BYTES
    size = 0
    if ethertype == ETHERTYPE_E_TAG:
        size = E_TAG_BYTES
    elif ethertype == ETHERTYPE_VN_TAG:
        size = VN_TAG_BYTES
    if size == 0:
        return UNSUPPORTED, LAYER_NONE, at
    if present - at < size:
        return TRUNCATED, LAYER_NONE, at
    return OK, be16(b, at + size - 2), at + size


@inline
def mpls(b: Bytes, at: int, present: int) -> tuple[int, int, int]:
    """RFC 3032 §2.1: labels up to the bottom of the stack; then IP by its version, or an Ethernet pseudowire."""
    while True:
        if present - at < MPLS_BYTES:
            return TRUNCATED, LAYER_NONE, at
        bottom = u8(b, at + 2) & 1
        at += MPLS_BYTES
        if bottom:
            break
    if present - at < 1:
        return TRUNCATED, LAYER_NONE, at
    nibble = u8(b, at) >> 4
    if nibble in (4, 6):
        return OK, LAYER_IP, at
    if nibble == 0 and present - at >= 4 + ETHERNET_BYTES:  # RFC 4385 §3: control word of a pseudowire
        return OK, LAYER_ETHERNET, at + 4
    return OK, LAYER_ETHERNET, at


@inline
def pppoe(b: Bytes, at: int, present: int) -> tuple[int, int, int]:
    """RFC 2516 §4: six bytes, then PPP without its address and control bytes."""
    if present - at < PPPOE_BYTES:
        return TRUNCATED, LAYER_NONE, at
    if u8(b, at + 1) != 0:  # code: a session packet has 0
        return UNSUPPORTED, LAYER_NONE, at
    return OK, LAYER_PPP, at + PPPOE_BYTES


@inline
def ppp(b: Bytes, at: int, present: int) -> tuple[int, int, int]:
    """RFC 1661 §2 with HDLC-like framing of RFC 1662 §3.1 if it is there; a one-byte protocol if it is compressed."""
    if present - at >= 2 and u8(b, at) in (0xFF, 0x0F) and u8(b, at + 1) in (0x03, 0x00):
        if u8(b, at) == 0x0F and u8(b, at + 1) == 0x00 and present - at >= 4:  # Cisco HDLC in a PPP link type
            return OK, be16(b, at + 2), at + 4
        at += 2
    if present - at < 2:
        return TRUNCATED, LAYER_NONE, at
    if u8(b, at) & 1:
        protocol = u8(b, at)
        at += 1
    else:
        protocol = be16(b, at)
        at += 2
    if protocol == PPP_IPV4:
        return OK, ETHERTYPE_IPV4, at
    if protocol == PPP_IPV6:
        return OK, ETHERTYPE_IPV6, at
    if protocol == PPP_MPLS:
        return OK, ETHERTYPE_MPLS, at
    return UNSUPPORTED, LAYER_NONE, at


@inline
def _cooked(b: Bytes, at: int, present: int, h: Record) -> tuple[int, int, int]:
    """LINKTYPE_LINUX_SLL: packet type, ARPHRD, address length, address, protocol."""
    if present - at < SLL_BYTES:
        return TRUNCATED, LAYER_NONE, at
    if be16(b, at + 2) == ARPHRD_NETLINK:
        return UNSUPPORTED, LAYER_NONE, at
    if be16(b, at + 4) == 6:
        h["src_mac"] = mac48(b, at + SLL_ADDRESS)
        h["has_mac"] = 2  # only the sender's
    protocol = be16(b, at + SLL_PROTOCOL)
    if protocol < ETHERTYPE_LEAST:
        return (llc(b, at + SLL_BYTES, present)) if protocol == 4 else (UNSUPPORTED, LAYER_NONE, at)
    return OK, protocol, at + SLL_BYTES


@inline
def _cooked2(b: Bytes, at: int, present: int, h: Record) -> tuple[int, int, int]:
    """LINKTYPE_LINUX_SLL2: protocol, reserved, interface index, ARPHRD, packet type, address length, address."""
    if present - at < SLL2_BYTES:
        return TRUNCATED, LAYER_NONE, at
    if be16(b, at + 8) == ARPHRD_NETLINK:
        return UNSUPPORTED, LAYER_NONE, at
    if u8(b, at + 11) == 6:
        h["src_mac"] = mac48(b, at + SLL2_ADDRESS)
        h["has_mac"] = 2
    protocol = be16(b, at)
    if protocol < ETHERTYPE_LEAST:
        return (llc(b, at + SLL2_BYTES, present)) if protocol == 4 else (UNSUPPORTED, LAYER_NONE, at)
    return OK, protocol, at + SLL2_BYTES


@inline
def _loopback(b: Bytes, at: int, present: int, linktype: int) -> tuple[int, int, int]:
    """LINKTYPE_NULL has the family in the byte order of the capturing host, LINKTYPE_LOOP in network order."""
    if present - at < 4:
        return TRUNCATED, LAYER_NONE, at
    family = be32(b, at)
    if linktype == LINKTYPE_NULL and family > 0xFFFF:
        family = le32(b, at)
    if family == AF_INET:
        return OK, ETHERTYPE_IPV4, at + 4
    if family in AF_INET6_ANY:
        return OK, ETHERTYPE_IPV6, at + 4
    if linktype == LINKTYPE_NULL and ETHERTYPE_LEAST <= family <= 0xFFFF:  # some writers put an EtherType there
        return OK, family, at + 4
    if present - at > 4 and u8(b, at + 4) >> 4 in (4, 6):  # a family of some other system: the packet tells
        return OK, LAYER_IP, at + 4
    return UNSUPPORTED, LAYER_NONE, at


# IEEE 802.11-2020 §9.2.4
WIFI_TYPE_DATA = 2
WIFI_DATA = 0x08  # version 0 and type 2 in the first byte of frame control
WIFI_HEADER = 24
WIFI_TO_DS, WIFI_FROM_DS, WIFI_PROTECTED, WIFI_ORDER = 0x01, 0x02, 0x40, 0x80
WIFI_SUBTYPE_NULL, WIFI_SUBTYPE_QOS = 0x4, 0x8
RADIOTAP_FLAGS_DATAPAD = 0x20
WIFI_PLAIN, WIFI_PADDED, WIFI_SWAPPED = 0, 1, 2  # as the standard has it; header padded to four; may have its
# frame control bytes exchanged, as Cisco sends them in CAPWAP


@inline
def radiotap(b: Bytes, at: int, present: int) -> tuple[int, int, int, int]:
    """Radiotap header: its own length at offset 2, and whether the frame is padded: `(status, layer, at, form)`."""
    if present - at < 8:
        return TRUNCATED, LAYER_NONE, at, WIFI_PLAIN
    length = le16(b, at + 2)
    words = le32(b, at + 4)
    field = at + 8
    more = words >> 31
    while more and field + 4 <= present:
        more = le32(b, field) >> 31
        field += 4
    if words & 1:  # TSFT: aligned to 8 bytes
        field = at + ((field - at + 7) // 8) * 8 + 8
    padded = words & 2 and field < present and u8(b, field) & RADIOTAP_FLAGS_DATAPAD
    if length < 8 or at + length > present:
        return MALFORMED, LAYER_NONE, at, WIFI_PLAIN
    return OK, LAYER_WIFI, at + length, WIFI_PADDED if padded else WIFI_PLAIN


@inline
def wifi(b: Bytes, at: int, present: int, form: int, h: Record) -> tuple[int, int, int]:
    """IEEE 802.11 data frame in clear; everything else (management, control, encrypted, null) carries no IP for us."""
    if present - at < 2:
        return TRUNCATED, LAYER_NONE, at
    control, flags = u8(b, at), u8(b, at + 1)
    if form == WIFI_SWAPPED and control & 0x0F != WIFI_DATA and flags & 0x0F == WIFI_DATA:
        control, flags = flags, control
    subtype = control >> 4
    if (control >> 2) & 3 != WIFI_TYPE_DATA or subtype & WIFI_SUBTYPE_NULL or flags & WIFI_PROTECTED:
        return UNSUPPORTED, LAYER_NONE, at
    if present - at < WIFI_HEADER:
        return TRUNCATED, LAYER_NONE, at
    to_ds, from_ds = flags & WIFI_TO_DS, flags & WIFI_FROM_DS
    h["dst_mac"] = mac48(b, at + (16 if to_ds else 4))
    h["src_mac"] = mac48(b, at + ((24 if to_ds else 16) if from_ds else 10)) if present - at >= 30 else mac48(b, at + 10)
    h["has_mac"] = 1
    length = WIFI_HEADER + (6 if to_ds and from_ds else 0)
    aggregate = 0
    if subtype & WIFI_SUBTYPE_QOS:
        if present - at < length + 2:
            return TRUNCATED, LAYER_NONE, at
        aggregate = u8(b, at + length) & 0x80
        length += 2 + (4 if flags & WIFI_ORDER else 0)
    if form == WIFI_PADDED:
        length = (length + 3) // 4 * 4
    if aggregate:  # A-MSDU: the first subframe's header has destination, source, length
        length += 14
    return llc(b, at + length, present)


Packets = npt.NDArray[np.void]
