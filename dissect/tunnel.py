"""Packets inside packets: GRE and the tunnels over UDP.

Rules: a tunnel is believed only where its port and its header's fixed bits both say so; otherwise the UDP flow is the
flow. Each function gives `(layer, at)` of what is inside, or LAYER_NONE.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes, be16, u8
from .link import ETHERTYPE_TRANSPARENT, LAYER_ETHERNET, LAYER_IP, LAYER_NONE, LAYER_PPP

UDP_BYTES = 8  # RFC 768
GRE_BYTES = 4  # RFC 2784 §2.1
GRE_CHECKSUM, GRE_ROUTING, GRE_KEY, GRE_SEQUENCE, GRE_ACK = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080  # RFC 2890, 2637
GRE_EOIP, GRE_EOIP_BYTES = 0x6400, 8  # MikroTik: version 1 with a key, which is length and tunnel number
GRE_WCCP, WCCP_BYTES = 0x883E, 4  # Cisco WCCP: version 2 puts a redirect header before the packet
GRE_PPP = 0x880B  # RFC 2637 §4.1
GRE_ERSPAN_II, GRE_ERSPAN_III = 0x88BE, 0x22EB  # draft-foschiano-erspan-03 §4
PORT_VXLAN, PORT_VXLAN_LINUX = 4789, 8472  # RFC 7348 §5; the Linux default before it
PORT_GENEVE = 6081  # RFC 8926 §3.3
PORT_GTP_U = 2152  # 3GPP TS 29.281 §4.4.2
PORT_TEREDO = 3544  # RFC 4380 §2.7
PORT_AYIYA, AYIYA_BYTES, AYIYA_IPV6 = 5072, 8, 41  # draft-massar-v6ops-ayiya-02 §3
VXLAN_BYTES, GENEVE_BYTES, GTP_BYTES = 8, 8, 8
VXLAN_VALID = 0x08  # flag I; the rest is ignored on receipt: RFC 7348 §5
GTP_G_PDU = 0xFF  # 3GPP TS 29.281 §6.1
MAX_GTP_EXTENSIONS = 4


@inline
def gre(b: Bytes, at: int, present: int) -> tuple[int, int]:
    """RFC 2784 with the key and sequence of RFC 2890 and the acknowledgement of PPTP (RFC 2637)."""
    if present - at < GRE_BYTES:
        return LAYER_NONE, at
    flags, protocol = be16(b, at), be16(b, at + 2)
    version = flags & 7
    if version > 1 or flags & GRE_ROUTING:
        return LAYER_NONE, at
    length = GRE_BYTES
    if flags & GRE_CHECKSUM:
        length += 4
    if flags & GRE_KEY:
        length += 4
    if flags & GRE_SEQUENCE:
        length += 4
    if version == 1 and flags & GRE_ACK:
        length += 4
    if present - at <= length:
        return LAYER_NONE, at
    if version == 1 and protocol == GRE_EOIP:
        return LAYER_ETHERNET, at + GRE_EOIP_BYTES
    if protocol == GRE_WCCP:
        return LAYER_IP, at + length + (0 if u8(b, at + length) >> 4 == 4 else WCCP_BYTES)
    if protocol == GRE_PPP:
        return LAYER_PPP, at + length
    if protocol == ETHERTYPE_TRANSPARENT:
        return LAYER_ETHERNET, at + length
    if protocol == GRE_ERSPAN_II:
        return LAYER_ETHERNET, at + length + (8 if flags & GRE_SEQUENCE else 0)
    if protocol == GRE_ERSPAN_III and present - at > length + 12:
        return LAYER_ETHERNET, at + length + 12 + (8 if u8(b, at + length + 11) & 1 else 0)
    return protocol, at + length


@inline
def udp_tunnel(b: Bytes, at: int, present: int) -> tuple[int, int]:
    """VXLAN, Geneve, GTP-U and Teredo by their ports."""
    if present - at <= UDP_BYTES + 8:
        return LAYER_NONE, at
    source, destination = be16(b, at), be16(b, at + 2)
    inside = at + UDP_BYTES
    if destination in (PORT_VXLAN, PORT_VXLAN_LINUX):
        if u8(b, inside) & VXLAN_VALID:
            return LAYER_ETHERNET, inside + VXLAN_BYTES
    elif destination == PORT_GENEVE:
        if u8(b, inside) >> 6 == 0:  # RFC 8926 §3.4: version 0
            return _geneve(b, inside)
    elif PORT_GTP_U in (source, destination):
        return _gtp(b, inside, present)
    elif PORT_TEREDO in (source, destination):
        return _teredo(b, inside, present)
    elif PORT_AYIYA in (source, destination):
        return _ayiya(b, inside, present)
    return LAYER_NONE, at


@inline
def _geneve(b: Bytes, at: int) -> tuple[int, int]:
    """RFC 8926 §3.4: options in units of four bytes, then what the protocol type says."""
    protocol = be16(b, at + 2)
    at += GENEVE_BYTES + (u8(b, at) & 0x3F) * 4
    return (LAYER_ETHERNET if protocol == ETHERTYPE_TRANSPARENT else protocol), at


@inline
def _gtp(b: Bytes, at: int, present: int) -> tuple[int, int]:
    """3GPP TS 29.281 §5.1: a G-PDU of version 1 carries an IP packet behind its optional fields."""
    flags = u8(b, at)
    if flags >> 5 != 1 or not flags & 0x10 or u8(b, at + 1) != GTP_G_PDU:
        return LAYER_NONE, at
    following = at + GTP_BYTES
    if flags & 0x07:
        following += 4
        if following > present:
            return LAYER_NONE, at
        extension = u8(b, following - 1) if flags & 0x04 else 0
        for _ in range(MAX_GTP_EXTENSIONS):
            if extension == 0:
                break
            if following >= present:
                return LAYER_NONE, at
            units = u8(b, following)
            if units == 0 or following + units * 4 > present:
                return LAYER_NONE, at
            following += units * 4
            extension = u8(b, following - 1)
    if following < present and u8(b, following) >> 4 in (4, 6):
        return LAYER_IP, following
    return LAYER_NONE, at


@inline
def _ayiya(b: Bytes, at: int, present: int) -> tuple[int, int]:
    """Identity of 2**n bytes and signature of n words behind the fixed part; then what the next header says."""
    behind = at + AYIYA_BYTES + (1 << (u8(b, at) >> 4)) + (u8(b, at + 1) >> 4) * 4
    if u8(b, at + 3) == AYIYA_IPV6 and behind < present and u8(b, behind) >> 4 == 6:
        return LAYER_IP, behind
    return LAYER_NONE, at


@inline
def _teredo(b: Bytes, at: int, present: int) -> tuple[int, int]:
    """RFC 4380 §5.1.1: IPv6, after an authentication and an origin indication if they are there."""
    if be16(b, at) == 1 and present - at > 4:
        at += 4 + u8(b, at + 2) + u8(b, at + 3) + 9
    if present - at > 8 and be16(b, at) == 0:
        at += 8
    if present - at >= 40 and u8(b, at) >> 4 == 6:
        return LAYER_IP, at
    return LAYER_NONE, at
