"""Packets inside packets: GRE and the tunnels over UDP.

Theory: the innermost packet counts; what it came in is a chain of codes, five bits each, the outermost first, which
`named` writes as `gre/vxlan`.

Rules: a tunnel is believed only where its port and its header's fixed bits both say so; otherwise the UDP flow is the
flow. Each function gives `(layer, at)` of what is inside, or LAYER_NONE. Nothing behind the datagram's own length is
in it, and GTP-U must say no more than it holds. An inner packet that is longer than what it came in counts with what came
(a mirror may have cut it), its flow's app bytes are not exact, and it is counted in `inner_short` (`packet_pass.py`).
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes, be16, u8
from .layers import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_TRANSPARENT,
    LAYER_ETHERNET,
    LAYER_IP,
    LAYER_NONE,
    LAYER_PPP,
    LAYER_WIFI,
)

READS = (
    ("GRE", "RFC 2784 §2.1, RFC 2890, RFC 2637 §4.1",
     "what is inside: IP, PPP, Ethernet, EoIP, WCCP, ERSPAN II and III, Aruba's 802.11"),
    ("VXLAN, VXLAN-GPE", "RFC 7348 §5, draft-ietf-nvo3-vxlan-gpe-13 §3.1", "what is inside"),
    ("Geneve", "RFC 8926 §3.4", "what is inside; options are stepped over"),
    ("GTP-U", "3GPP TS 29.281 §5.1", "G-PDUs of version 1; extension headers are stepped over"),
    ("Teredo", "RFC 4380 §5.1.1", "IPv6, behind authentication and origin"),
    ("L2TP", "RFC 2661 §3.1", "data messages of version 2"),
    ("CAPWAP", "RFC 5415 §4.3", "data frames, 802.3 or 802.11, whole and in clear"),
    ("AYIYA", "draft-massar-v6ops-ayiya-02 §3", "IPv6"),
)  # fmt: skip

(TUNNEL_NONE, TUNNEL_IPIP, TUNNEL_6IN4, TUNNEL_4IN6, TUNNEL_6IN6, TUNNEL_GRE, TUNNEL_ETHERIP, TUNNEL_MPLS, TUNNEL_PPPOE,
 TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_GTP, TUNNEL_TEREDO, TUNNEL_AYIYA, TUNNEL_L2TP, TUNNEL_CAPWAP) = range(16)  # fmt: skip
TUNNEL_NAMES = ("", "ipip", "6in4", "4in6", "6in6", "gre", "etherip", "mpls", "pppoe", "vxlan", "geneve", "gtp", "teredo",
                "ayiya", "l2tp", "capwap")  # fmt: skip
TUNNEL_BITS, TUNNEL_MASK = 5, 31
LEAST_INSIDE = 20  # bytes: no packet is shorter than an IPv4 header (RFC 791 §3.1)
MAX_TUNNELS = 12  # codes that an int64 holds: more than the layers that are walked can bring

UDP_BYTES, UDP_LENGTH = 8, 4  # RFC 768
GRE_BYTES = 4  # RFC 2784 §2.1
GRE_CHECKSUM, GRE_ROUTING, GRE_KEY, GRE_SEQUENCE, GRE_ACK = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080  # RFC 2890, 2637
GRE_EOIP, GRE_EOIP_BYTES = 0x6400, 8  # MikroTik: version 1 with a key, which is length and tunnel number
GRE_WCCP, WCCP_BYTES = 0x883E, 4  # Cisco WCCP: version 2 puts a redirect header before the packet
GRE_PPP = 0x880B  # RFC 2637 §4.1
GRE_ARUBA, GRE_ARUBA_MASK = 0x8200, 0xFE00  # Aruba: 802.11 frames between access point and controller
GRE_ERSPAN_II, GRE_ERSPAN_III = 0x88BE, 0x22EB  # draft-foschiano-erspan-03 §4
PORT_VXLAN, PORT_VXLAN_LINUX = 4789, 8472  # RFC 7348 §5; the Linux default before it
PORT_VXLAN_GPE, GPE_NEXT = 4790, 3  # draft-ietf-nvo3-vxlan-gpe-13 §3.1
GPE_VALID, GPE_IPV4, GPE_IPV6, GPE_ETHERNET = 0x04, 1, 2, 3
PORT_GENEVE = 6081  # RFC 8926 §3.3
PORT_GTP_U = 2152  # 3GPP TS 29.281 §4.4.2
PORT_TEREDO = 3544  # RFC 4380 §2.7
PORT_AYIYA, AYIYA_BYTES, AYIYA_IPV6 = 5072, 8, 41  # draft-massar-v6ops-ayiya-02 §3
PORT_L2TP = 1701  # RFC 2661 §8.1
L2TP_CONTROL, L2TP_LENGTH, L2TP_SEQUENCE, L2TP_OFFSET, L2TP_VERSION = 0x8000, 0x4000, 0x0800, 0x0200, 2  # §3.1
PORT_CAPWAP_DATA, CAPWAP_BYTES = 5247, 8  # RFC 5415 §4.3
CAPWAP_NATIVE, CAPWAP_FRAGMENT, CAPWAP_KEEP_ALIVE, CAPWAP_WIFI = 0x0100, 0x0080, 0x0008, 1
VXLAN_BYTES, GENEVE_BYTES, GTP_BYTES = 8, 8, 8
VXLAN_VALID = 0x08  # flag I; the rest is ignored on receipt: RFC 7348 §5
GTP_G_PDU, GTP_LENGTH = 0xFF, 2  # 3GPP TS 29.281 §6.1; §5.1: u16, of what follows the first eight octets
MAX_GTP_EXTENSIONS = 4


@inline
def inside(tunnel: int, outer: int) -> int:
    """The chain `tunnel` with one more link; nothing is added where `outer` is none."""
    return tunnel << TUNNEL_BITS | outer if outer else tunnel


def named(tunnel: int) -> str | None:
    """The chain in words, the outermost first: `gre/vxlan`; None where the packet is in nothing."""
    codes = [tunnel >> TUNNEL_BITS * n & TUNNEL_MASK for n in range(MAX_TUNNELS)]
    return "/".join(TUNNEL_NAMES[code] for code in reversed(codes) if code) or None


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
    if protocol & GRE_ARUBA_MASK == GRE_ARUBA:
        return LAYER_WIFI, at + length
    if protocol == GRE_ERSPAN_II:
        return LAYER_ETHERNET, at + length + (8 if flags & GRE_SEQUENCE else 0)
    if protocol == GRE_ERSPAN_III and present - at > length + 12:
        return LAYER_ETHERNET, at + length + 12 + (8 if u8(b, at + length + 11) & 1 else 0)
    return protocol, at + length


@inline
def udp_tunnel(b: Bytes, at: int, present: int, wire_end: int) -> tuple[int, int, int, int]:
    """The tunnels over UDP, by their ports: `(layer, at, tunnel, where what is inside ends at the latest)`."""
    if min(present, wire_end) - at <= UDP_BYTES + 8:
        return LAYER_NONE, at, TUNNEL_NONE, wire_end
    source, destination = be16(b, at), be16(b, at + 2)
    tunnel = tunnel_of(source, destination)
    if tunnel == TUNNEL_NONE:
        return LAYER_NONE, at, TUNNEL_NONE, wire_end
    length = be16(b, at + UDP_LENGTH)
    if length != 0:  # a super-packet has none
        wire_end = min(wire_end, at + length)
        if tunnel == TUNNEL_GTP:
            behind = at + UDP_BYTES + GTP_BYTES + be16(b, at + UDP_BYTES + GTP_LENGTH)
            if behind > wire_end:
                return LAYER_NONE, at, TUNNEL_NONE, wire_end
            wire_end = behind
    present = min(present, wire_end)
    if present - at <= UDP_BYTES + 8:
        return LAYER_NONE, at, TUNNEL_NONE, wire_end
    layer, at = _carried(b, at + UDP_BYTES, present, tunnel, PORT_VXLAN_GPE in (source, destination))
    return layer if present - at >= LEAST_INSIDE else LAYER_NONE, at, tunnel, wire_end


@inline
def tunnel_of(source: int, destination: int) -> int:
    """The tunnel that a pair of ports stands for; those of VXLAN only as the destination (RFC 7348 §5)."""
    if destination in (PORT_VXLAN, PORT_VXLAN_LINUX) or PORT_VXLAN_GPE in (source, destination):
        return TUNNEL_VXLAN
    if PORT_GENEVE in (source, destination):
        return TUNNEL_GENEVE
    if PORT_GTP_U in (source, destination):
        return TUNNEL_GTP
    if PORT_TEREDO in (source, destination):
        return TUNNEL_TEREDO
    if PORT_AYIYA in (source, destination):
        return TUNNEL_AYIYA
    if PORT_L2TP in (source, destination):
        return TUNNEL_L2TP
    return TUNNEL_CAPWAP if PORT_CAPWAP_DATA in (source, destination) else TUNNEL_NONE


@inline
def _carried(b: Bytes, at: int, present: int, tunnel: int, extended: bool) -> tuple[int, int]:
    """What a datagram of this tunnel carries."""
    if tunnel == TUNNEL_VXLAN:
        return _vxlan(b, at, extended)
    if tunnel == TUNNEL_GENEVE:
        return _geneve(b, at)
    if tunnel == TUNNEL_GTP:
        return _gtp(b, at, present)
    if tunnel == TUNNEL_TEREDO:
        return _teredo(b, at, present)
    if tunnel == TUNNEL_AYIYA:
        return _ayiya(b, at, present)
    if tunnel == TUNNEL_L2TP:
        return _l2tp(b, at, present)
    return _capwap(b, at, present)


@inline
def _vxlan(b: Bytes, at: int, extended: bool) -> tuple[int, int]:
    """RFC 7348 §5: Ethernet; with the generic protocol extension what its next protocol says."""
    flags = u8(b, at)
    if not flags & VXLAN_VALID and not extended:
        return LAYER_NONE, at
    if not extended:
        return LAYER_ETHERNET, at + VXLAN_BYTES
    following = u8(b, at + GPE_NEXT) if flags & GPE_VALID else 0
    if following == GPE_IPV4:
        return ETHERTYPE_IPV4, at + VXLAN_BYTES
    if following == GPE_IPV6:
        return ETHERTYPE_IPV6, at + VXLAN_BYTES
    return LAYER_ETHERNET if following == GPE_ETHERNET else LAYER_NONE, at + VXLAN_BYTES


@inline
def _geneve(b: Bytes, at: int) -> tuple[int, int]:
    """RFC 8926 §3.4: options in units of four bytes, then what the protocol type says."""
    if u8(b, at) >> 6 != 0:  # version
        return LAYER_NONE, at
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


@inline
def _l2tp(b: Bytes, at: int, present: int) -> tuple[int, int]:
    """RFC 2661 §3.1: a data message of version 2 carries PPP behind its optional fields."""
    flags = be16(b, at)
    if flags & L2TP_CONTROL or flags & 0x0F != L2TP_VERSION:
        return LAYER_NONE, at
    at += 6 + (2 if flags & L2TP_LENGTH else 0) + (4 if flags & L2TP_SEQUENCE else 0)
    if flags & L2TP_OFFSET:
        if present - at < 2:
            return LAYER_NONE, at
        at += 2 + be16(b, at)
    return (LAYER_PPP, at) if present - at > 2 else (LAYER_NONE, at)


@inline
def _capwap(b: Bytes, at: int, present: int) -> tuple[int, int]:
    """RFC 5415 §4.3: an 802.3 frame, or an 802.11 frame where the header says native; not in pieces, not encrypted."""
    bits = be16(b, at + 2)
    behind = at + (u8(b, at + 1) >> 3) * 4  # HLEN, in words
    if u8(b, at) != 0 or bits & (CAPWAP_FRAGMENT | CAPWAP_KEEP_ALIVE) or behind < at + CAPWAP_BYTES or behind >= present:
        return LAYER_NONE, at
    if bits & CAPWAP_NATIVE == 0:
        return LAYER_ETHERNET, behind
    return (LAYER_WIFI, behind) if bits >> 9 & 0x1F == CAPWAP_WIFI else (LAYER_NONE, behind)
