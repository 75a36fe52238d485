"""Ethernet: addresses, LLC, and the tags of switches and backbones.

Rules: those of `link.py`.
"""

from __future__ import annotations

import numpy as np

from ..core.jit import inline
from ..core.status import OK, TRUNCATED, UNSUPPORTED
from ..core.wire import Bytes, be16, be32, u8
from .layers import (
    ETHERTYPE_E_TAG,
    ETHERTYPE_FABRICPATH,
    ETHERTYPE_I_TAG,
    ETHERTYPE_IPV4,
    ETHERTYPE_LEAST,
    ETHERTYPE_VN_TAG,
    LAYER_ETHERNET,
    LAYER_NONE,
)
from .records import Record

READS = (
    ("Ethernet, 802.1Q and 802.1ad tags", "IEEE 802.3-2022 §3.1.1, IEEE 802.1Q-2022 §9.6",
     "addresses, type; LLC and SNAP; E-Tag, VN-Tag, I-Tag and FabricPath are stepped over"),
)  # fmt: skip

ETHERNET_BYTES = 14  # IEEE 802.3-2022 §3.1.1
LLC_BYTES, SNAP_BYTES = 3, 8  # RFC 1042: with SNAP behind it, five more
VLAN_BYTES = 4
E_TAG_BYTES = 8  # IEEE 802.1BR-2012 §7.5: six bytes of control, then the next type
VN_TAG_BYTES = 6  # Cisco VN-Tag: four bytes of control, then the next type
I_TAG_BYTES = 4  # IEEE 802.1Q-2022 §9.7: service identifier, then the customer's addresses
FABRICPATH_BYTES = 2  # forwarding tag and hop count, then the customer's frame


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
    if present - at < LLC_BYTES:
        return TRUNCATED, LAYER_NONE, at
    if u8(b, at) == 0xAA and u8(b, at + 1) == 0xAA and u8(b, at + 2) == 0x03:
        if present - at < SNAP_BYTES:
            return TRUNCATED, LAYER_NONE, at
        return OK, be16(b, at + 6), at + SNAP_BYTES
    if u8(b, at) == 0x06 and u8(b, at + 1) == 0x06:  # LSAP of IP: RFC 1042
        return OK, ETHERTYPE_IPV4, at + LLC_BYTES
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
