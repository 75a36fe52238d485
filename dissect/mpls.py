"""MPLS: the stack of labels, and what is below it.

Rules: those of `link.py`.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.status import OK, TRUNCATED
from ..core.wire import Bytes, be16, u8
from .ethernet import ETHERNET_BYTES
from .layers import ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_QINQ, ETHERTYPE_VLAN, LAYER_ETHERNET, LAYER_IP, LAYER_NONE

READS = (
    ("MPLS", "RFC 3032 §2.1, RFC 4385 §3", "the label stack, then IP or an Ethernet pseudowire"),
)  # fmt: skip

MPLS_BYTES = 4  # RFC 3032 §2.1


@inline
def mpls(b: Bytes, at: int, present: int) -> tuple[int, int, int]:
    """RFC 3032 §2.1: labels up to the bottom of the stack; then IP by its version, or an Ethernet pseudowire.

    Its control word (RFC 4385 §3) begins with 0, as most link addresses do: it is one unless a type stands where a frame
    that begins here has its own.
    """
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
    if nibble == 0 and present - at >= 4 + ETHERNET_BYTES:
        ethertype = be16(b, at + ETHERNET_BYTES - 2)
        if ethertype not in (ETHERTYPE_IPV4, ETHERTYPE_IPV6, ETHERTYPE_VLAN, ETHERTYPE_QINQ):
            return OK, LAYER_ETHERNET, at + 4
    return OK, LAYER_ETHERNET, at
