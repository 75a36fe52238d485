"""PPP, and its session packets over Ethernet.

Rules: those of `link.py`.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.status import OK, TRUNCATED, UNSUPPORTED
from ..core.wire import Bytes, be16, u8
from .layers import ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_MPLS, LAYER_NONE, LAYER_PPP

READS = (
    ("PPP, PPPoE", "RFC 1661 §2, RFC 1662 §3.1, RFC 2516 §4", "session packets that carry IP or MPLS"),
)  # fmt: skip

PPPOE_BYTES = 6  # RFC 2516 §4
PPP_IPV4, PPP_IPV6 = 0x21, 0x57  # RFC 1332 §2, RFC 5072 §2
PPP_MPLS = 0x0281


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
    if present - at >= 2 and u8(b, at) in (0xFF, 0x0F, 0x8F) and u8(b, at + 1) in (0x03, 0x00):
        if u8(b, at) != 0xFF and u8(b, at + 1) == 0x00 and present - at >= 4:  # Cisco HDLC in a PPP link type
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
