"""Link layers: from the first byte of a frame to the protocol above it, by the link type of the capture.

Theory: each function reads one header and says which layer follows and where: `(status, layer, at)` (`layers.py`). What
begins with a header of its own standard is in `ethernet.py`, `wifi.py` and `ppp.py`.

Rules: `present` is where the captured bytes end; nothing behind it is read. A header cut by it is TRUNCATED; one that says
that it is shorter than what it consists of is MALFORMED.
"""

from __future__ import annotations

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
from .ethernet import llc, mac48
from .layers import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_LEAST,
    ETHERTYPE_PPPOE,
    LAYER_ETHERNET,
    LAYER_IP,
    LAYER_NONE,
    LAYER_PPP,
    LAYER_RADIOTAP,
    LAYER_WIFI,
)
from .records import Record

READS = (
    ("Linux cooked, BSD loopback, raw IP, NFLOG, PKTAP, Cisco HDLC", "RFC 1547 §4.3.1",
     "protocol, the sender's address where there is one"),
    ("ARCnet", "RFC 1201 §2, RFC 1051 §3", "protocol; whole packets and the first piece of one"),
)  # fmt: skip

SLL_BYTES = 16  # LINKTYPE_LINUX_SLL
SLL_PROTOCOL = 14
SLL_ADDRESS = 6
SLL2_BYTES = 20  # LINKTYPE_LINUX_SLL2
SLL2_ADDRESS = 12
ARCNET_ADDRESSES, ARCNET_OLD, ARCNET_NEW = 2, 1, 4  # bytes: two addresses; protocol; protocol, split flag, number
ARCNET_IP_OLD, ARCNET_IP, ARCNET_IPV6, ARCNET_EXCEPTION = 240, 212, 196, 0xFF  # RFC 1051 §3, RFC 1201 §2, RFC 2497 §2
PPI_BYTES = 8  # LINKTYPE_PPI
PKTAP_BYTES, PKTAP_LINKTYPE = 12, 8  # LINKTYPE_PKTAP
NFLOG_BYTES, NFLOG_ATTRIBUTE, NFLOG_PAYLOAD, MAX_NFLOG_ATTRIBUTES = 4, 4, 9, 32  # LINKTYPE_NFLOG: family, TLVs
PRISM_MSG_BYTES, MAX_PRISM = 4, 1024  # LINKTYPE_IEEE802_11_PRISM: two fields of four bytes begin it

AF_INET = 2  # BSD loopback address families: LINKTYPE_NULL
AF_INET6_ANY = (10, 24, 28, 30)  # Linux, NetBSD and OpenBSD, FreeBSD, Darwin
ARPHRD_NETLINK = 824


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
    if linktype == LINKTYPE_IEEE802_11_PRISM:
        return _prism(b, at, present)
    if linktype in (LINKTYPE_PPP, LINKTYPE_PPP_HDLC):
        return OK, LAYER_PPP, at
    if linktype == LINKTYPE_PPI:
        return _ppi(b, at, present)
    if linktype == LINKTYPE_PPP_ETHER:
        return OK, ETHERTYPE_PPPOE, at
    if linktype == LINKTYPE_C_HDLC:  # RFC 1547 §4.3.1: address, control, protocol
        return (OK, be16(b, at + 2), at + 4) if present - at >= 4 else (TRUNCATED, LAYER_NONE, at)
    if linktype in (LINKTYPE_ARCNET_BSD, LINKTYPE_ARCNET_LINUX):
        return _arcnet(b, at, present, linktype)
    if linktype == LINKTYPE_NFLOG:
        return _nflog(b, at, present)
    if linktype == LINKTYPE_PKTAP:
        return _pktap(b, at, present)
    return UNSUPPORTED, LAYER_NONE, at


@inline
def _prism(b: Bytes, at: int, present: int) -> tuple[int, int, int]:
    """Prism: message code and length, in the byte order of the host; the same of AVS in network order."""
    if present - at < 2 * PRISM_MSG_BYTES:
        return TRUNCATED, LAYER_NONE, at
    length = le32(b, at + PRISM_MSG_BYTES)
    if length >= MAX_PRISM:
        length = be32(b, at + PRISM_MSG_BYTES)
    return (OK, LAYER_WIFI, at + length) if length >= 2 * PRISM_MSG_BYTES else (MALFORMED, LAYER_NONE, at)


@inline
def _ppi(b: Bytes, at: int, present: int) -> tuple[int, int, int]:
    """LINKTYPE_PPI: version, flags, the length of all of it, and what follows it."""
    if present - at < PPI_BYTES:
        return TRUNCATED, LAYER_NONE, at
    length, inside = le16(b, at + 2), le32(b, at + 4)
    if length < PPI_BYTES:
        return MALFORMED, LAYER_NONE, at
    if inside == LINKTYPE_IEEE802_11:
        return OK, LAYER_WIFI, at + length
    if inside == LINKTYPE_ETHERNET:
        return OK, LAYER_ETHERNET, at + length
    return UNSUPPORTED, LAYER_NONE, at


@inline
def _pktap(b: Bytes, at: int, present: int) -> tuple[int, int, int]:
    """LINKTYPE_PKTAP: the length of all of it, a record type, what follows it, and more."""
    if present - at < PKTAP_BYTES:
        return TRUNCATED, LAYER_NONE, at
    length, inside = le32(b, at), le32(b, at + PKTAP_LINKTYPE)
    if length < PKTAP_BYTES:
        return MALFORMED, LAYER_NONE, at
    if inside == LINKTYPE_ETHERNET:
        return OK, LAYER_ETHERNET, at + length
    if inside in (LINKTYPE_RAW, LINKTYPE_RAW_BSD):
        return OK, LAYER_IP, at + length
    if inside == LINKTYPE_NULL:
        return _loopback(b, at + length, present, LINKTYPE_NULL)
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
        if at == present:
            break
        if present - at < NFLOG_ATTRIBUTE:
            return TRUNCATED, LAYER_NONE, at
        length, kind = le16(b, at), le16(b, at + 2)
        if kind == NFLOG_PAYLOAD:
            return OK, LAYER_IP, at + NFLOG_ATTRIBUTE
        if length < NFLOG_ATTRIBUTE:
            return MALFORMED, LAYER_NONE, at
        at += (length + 3) // 4 * 4
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
