"""MPLS: the stack of labels, and what is below it.

Rules: those of `link.py`.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.status import OK, TRUNCATED
from ..core.wire import Bytes, u8
from .ethernet import ETHERNET_BYTES
from .layers import LAYER_ETHERNET, LAYER_IP, LAYER_NONE

READS = (
    ("MPLS", "RFC 3032 §2.1, RFC 4385 §3", "the label stack, then IP or an Ethernet pseudowire"),
)  # fmt: skip

MPLS_BYTES = 4  # RFC 3032 §2.1


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
