"""IPv4, IPv6 and what is wrapped in them, down to the innermost transport header.

Theory: `decode` walks layers in one loop of bounded depth until it stands before a transport header; a tunnel simply
sends the loop back to an earlier layer, so the inner flow counts. Lengths come from the IP headers; where the header
says 0 (segmentation offload, BIG TCP) or more than the wire carried, the frame's own length counts.

Rules: `present` is where captured bytes end, `wire_end` where the frame ended on the wire, both as positions in the
buffer; a cut packet thus gives exact byte counts. Nothing behind `present` is read. A header is noted in `h` only once it
has been read as a whole: a packet that cannot be read leaves nothing of its own to the one around it.
"""

from __future__ import annotations

import numpy as np

from ..core.jit import inline
from ..core.status import MALFORMED, OK, TRUNCATED, UNSUPPORTED
from ..core.wire import Bytes, be16, be32, be64, u8
from .ethernet import ethernet, rare_tag, vlan
from .layers import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    ETHERTYPE_MPLS,
    ETHERTYPE_MPLS_MULTICAST,
    ETHERTYPE_PPP,
    ETHERTYPE_PPPOE,
    ETHERTYPE_QINQ,
    ETHERTYPE_QINQ_OLD,
    ETHERTYPE_TRANSPARENT,
    ETHERTYPE_VLAN,
    LAYER_ETHERNET,
    LAYER_IP,
    LAYER_NONE,
    LAYER_PPP,
    LAYER_RADIOTAP,
    LAYER_TRANSPORT,
    LAYER_WIFI,
)
from .link import first_layer
from .mpls import mpls
from .ppp import ppp, pppoe
from .records import Record
from .tunnel import (
    TUNNEL_4IN6,
    TUNNEL_6IN4,
    TUNNEL_6IN6,
    TUNNEL_ETHERIP,
    TUNNEL_GRE,
    TUNNEL_IPIP,
    TUNNEL_MPLS,
    TUNNEL_NONE,
    TUNNEL_PPPOE,
    gre,
    inside,
    udp_tunnel,
)
from .wifi import WIFI_PLAIN, WIFI_SWAPPED, radiotap, wifi

READS = (
    ("IPv4", "RFC 791 §3.1",
     "addresses, lengths, fragments, the last hop of an unfinished source route; length 0 of super-packets"),
    ("IPv6", "RFC 8200 §3, RFC 8200 §4", "addresses, lengths, every extension header; length 0 of BIG TCP"),
    ("Authentication Header", "RFC 4302 §2", "stepped over; the check value is not looked at"),
    ("IP in IP, 6in4, EtherIP", "RFC 3378 §3", "what is inside"),
)  # fmt: skip

MAX_LAYERS = 16  # headers walked before a packet is given up as malformed

IPV4_BYTES = 20  # RFC 791 §3.1
IPV4_TOTAL_LENGTH, IPV4_ID, IPV4_FRAGMENT, IPV4_PROTOCOL, IPV4_SOURCE, IPV4_DESTINATION = 2, 4, 6, 9, 12, 16
OPTION_END, OPTION_NOTHING, LOOSE_ROUTE, STRICT_ROUTE = 0, 1, 131, 137  # RFC 791 §3.1
IPV6_BYTES = 40  # RFC 8200 §3
IPV6_PAYLOAD_LENGTH, IPV6_NEXT_HEADER, IPV6_SOURCE, IPV6_DESTINATION = 4, 6, 8, 24
MAX_EXTENSION_HEADERS = 128  # RFC 8504 §5.3 lets a host limit them
HOP_BY_HOP, ROUTING, FRAGMENT_HEADER, AUTHENTICATION, DESTINATION_OPTIONS = 0, 43, 44, 51, 60  # RFC 8200 §4
AUTHENTICATION_BYTES = 12  # RFC 4302 §2, without its check value
MOBILITY, HIP, SHIM6 = 135, 139, 140  # RFC 6275 §6.1, RFC 7401 §5.1, RFC 5533 §5.3
PROTOCOL_ICMP, PROTOCOL_IPIP, PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_IPV6, PROTOCOL_GRE = 1, 4, 6, 17, 41, 47
PROTOCOL_ICMP6, PROTOCOL_ETHERIP, PROTOCOL_SCTP, PROTOCOL_MPLS = 58, 97, 132, 137
V4_MAPPED = np.uint64(0xFFFF << 32)  # ::ffff:0:0/96, RFC 4291 §2.5.5.2


@inline
def decode(b: Bytes, at: int, present: int, wire_end: int, linktype: int, h: Record) -> int:
    """Fills `h` down to the transport header of the innermost packet; returns a status.

    An inner packet that cannot be read leaves the outer one standing: it is then counted as the outer flow.
    """
    h["has_mac"] = 0
    h["tunnel"] = TUNNEL_NONE
    h["present"] = present
    status, layer, at = first_layer(b, at, present, linktype, h)
    return walk(b, at, present, wire_end, status, layer, 0, h)


@inline
def walk(
    b: Bytes, at: int, present: int, wire_end: int, status: int, layer: int, reached: int, h: Record
) -> int:
    """Goes on from `layer` at `at`; `reached` counts the IP headers behind it.

    What a packet is inside of is noted in `h` with each IP header that could be read, so that it belongs to the flow.
    """
    form = WIFI_PLAIN
    tunnel = h["tunnel"]
    source, destination, has_mac = h["src_mac"], h["dst_mac"], h["has_mac"]
    for _ in range(MAX_LAYERS):
        if status != OK:
            break
        if layer == ETHERTYPE_IPV4:
            status, layer, at, wire_end, reached = ipv4(b, at, present, wire_end, h, reached)
            if status == OK:
                h["tunnel"] = tunnel
        elif layer == ETHERTYPE_IPV6:
            status, layer, at, wire_end, reached = ipv6(b, at, present, wire_end, h, reached)
            if status == OK:
                h["tunnel"] = tunnel
        elif layer == LAYER_TRANSPORT:
            status, layer, at, outer, wire_end = inner(b, at, present, wire_end, h)
            if layer == LAYER_NONE:
                return OK
            tunnel = inside(tunnel, outer)
            source, destination, has_mac = h["src_mac"], h["dst_mac"], h["has_mac"]
            form = WIFI_SWAPPED
        elif layer == LAYER_ETHERNET:
            status, layer, at = ethernet(b, at, present, h)
        elif layer in (ETHERTYPE_VLAN, ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD):
            status, layer, at = vlan(b, at, present)
        elif layer == LAYER_IP:
            status, layer = by_version(b, at, present)
        elif layer in (ETHERTYPE_MPLS, ETHERTYPE_MPLS_MULTICAST):
            status, layer, at = mpls(b, at, present)
            tunnel = inside(tunnel, TUNNEL_MPLS)
        elif layer == ETHERTYPE_PPPOE:
            status, layer, at = pppoe(b, at, present)
            tunnel = inside(tunnel, TUNNEL_PPPOE)
        elif layer in (LAYER_PPP, ETHERTYPE_PPP):
            status, layer, at = ppp(b, at, present)
        elif layer == LAYER_RADIOTAP:
            status, layer, at, form = radiotap(b, at, present)
        elif layer == LAYER_WIFI:
            status, layer, at = wifi(b, at, present, form, h)
        elif layer == ETHERTYPE_TRANSPARENT:
            layer = LAYER_ETHERNET
        else:
            status, layer, at = rare_tag(b, layer, at, present)
    if reached:
        if layer != LAYER_TRANSPORT:  # what is inside could not be read: the link addresses are again those around it
            h["src_mac"], h["dst_mac"], h["has_mac"] = source, destination, has_mac
        return OK
    return MALFORMED if status == OK else status


@inline
def by_version(b: Bytes, at: int, present: int) -> tuple[int, int]:
    """Which IP a packet is by its version nibble: `(status, layer)`."""
    if present - at < 1:
        return TRUNCATED, LAYER_NONE
    version = u8(b, at) >> 4
    if version == 4:
        return OK, ETHERTYPE_IPV4
    if version == 6:
        return OK, ETHERTYPE_IPV6
    return UNSUPPORTED, LAYER_NONE


@inline
def ipv4(b: Bytes, at: int, present: int, wire_end: int, h: Record, reached: int) -> tuple[int, int, int, int, int]:
    """RFC 791 §3.1: `(status, layer, at, wire_end, reached)`; `reached` counts IP headers that were whole."""
    if present - at < IPV4_BYTES:
        return TRUNCATED, LAYER_NONE, at, wire_end, reached
    header = (u8(b, at) & 0x0F) * 4
    total = be16(b, at + IPV4_TOTAL_LENGTH)
    if u8(b, at) >> 4 != 4 or header < IPV4_BYTES or (total != 0 and total < header):
        return MALFORMED, LAYER_NONE, at, wire_end, reached
    short = 1 if at + total > wire_end else 0
    if total != 0 and at + total < wire_end:
        wire_end = at + total
    if at + header > present:
        return TRUNCATED, LAYER_NONE, at, wire_end, reached
    flags = be16(b, at + IPV4_FRAGMENT)
    protocol, behind = u8(b, at + IPV4_PROTOCOL), at + header
    if protocol == AUTHENTICATION and flags & 0x1FFF == 0:  # RFC 4302 §2: next header, length in 4-byte units less 2
        if present - behind < AUTHENTICATION_BYTES:
            return TRUNCATED, LAYER_NONE, at, wire_end, reached
        protocol = u8(b, behind)
        behind += (u8(b, behind + 1) + 2) * 4
        if behind > wire_end:
            return MALFORMED, LAYER_NONE, at, wire_end, reached
    h["short"] = short
    h["version"] = 4
    h["src_hi"] = 0
    h["dst_hi"] = 0
    h["src_lo"] = V4_MAPPED | np.uint64(be32(b, at + IPV4_SOURCE))
    h["dst_lo"] = V4_MAPPED | np.uint64(be32(b, final_destination(b, at, header)))
    h["protocol"] = protocol
    h["fragment"] = (flags & 0x1FFF) * 8
    h["more"] = (flags >> 13) & 1
    h["datagram"] = be16(b, at + IPV4_ID)
    h["body_at"] = at + header
    return _transport(at, behind, wire_end, h, reached)


@inline
def final_destination(b: Bytes, at: int, header: int) -> int:
    """Where the address stands that the packet is for: behind an unfinished source route, else in the header.

    RFC 791 §3.1, options 131 and 137: the destination field holds the next hop until the pointer has passed the route.
    """
    option, end = at + IPV4_BYTES, at + header
    while option + 1 < end:
        kind, size = u8(b, option), u8(b, option + 1)
        if kind == OPTION_END:
            break
        if kind == OPTION_NOTHING:
            option += 1
            continue
        if size < 2 or option + size > end:
            break
        if kind in (LOOSE_ROUTE, STRICT_ROUTE) and size >= 7 and u8(b, option + 2) <= size - 3:
            return option + 3 + (size - 3) // 4 * 4 - 4
        option += size
    return at + IPV4_DESTINATION


@inline
def ipv6(b: Bytes, at: int, present: int, wire_end: int, h: Record, reached: int) -> tuple[int, int, int, int, int]:
    """RFC 8200 §3 and its extension headers (§4); returns as `ipv4` does."""
    if present - at < IPV6_BYTES:
        return TRUNCATED, LAYER_NONE, at, wire_end, reached
    if u8(b, at) >> 4 != 6:
        return MALFORMED, LAYER_NONE, at, wire_end, reached
    length = be16(b, at + IPV6_PAYLOAD_LENGTH)
    short = 1 if at + IPV6_BYTES + length > wire_end else 0
    if length != 0 and at + IPV6_BYTES + length < wire_end:
        wire_end = at + IPV6_BYTES + length
    present = min(present, wire_end)
    header = u8(b, at + IPV6_NEXT_HEADER)
    next_at = at + IPV6_BYTES
    fragment, more, datagram, body_at = 0, 0, 0, 0
    for _ in range(MAX_EXTENSION_HEADERS):
        if header in (HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS, MOBILITY, HIP, SHIM6, AUTHENTICATION):
            if present - next_at < 8:
                return TRUNCATED, LAYER_NONE, at, wire_end, reached
            units = u8(b, next_at + 1)
            step = (units + 2) * 4 if header == AUTHENTICATION else (units + 1) * 8
        elif header == FRAGMENT_HEADER:
            if present - next_at < 8:
                return TRUNCATED, LAYER_NONE, at, wire_end, reached
            step = 8
            fragment = be16(b, next_at + 2) & 0xFFF8
            more = be16(b, next_at + 2) & 1
            datagram = be32(b, next_at + 4)
            body_at = next_at + step
        else:
            break
        if header in (MOBILITY, HIP, SHIM6) and u8(b, next_at) == 59:  # nothing follows: the header is the payload
            break
        header = u8(b, next_at)
        next_at += step
        if fragment != 0:
            break
    if next_at > wire_end:
        return MALFORMED, LAYER_NONE, at, wire_end, reached
    h["short"] = short
    h["version"] = 6
    h["src_hi"] = be64(b, at + IPV6_SOURCE)
    h["src_lo"] = be64(b, at + IPV6_SOURCE + 8)
    h["dst_hi"] = be64(b, at + IPV6_DESTINATION)
    h["dst_lo"] = be64(b, at + IPV6_DESTINATION + 8)
    h["protocol"] = header
    h["fragment"] = fragment
    h["more"] = more
    h["datagram"] = datagram
    h["body_at"] = body_at
    return _transport(at, next_at, wire_end, h, reached)


@inline
def _transport(ip_at: int, at: int, wire_end: int, h: Record, reached: int) -> tuple[int, int, int, int, int]:
    """Notes where the IP packet and its transport header lie."""
    h["ip_at"] = ip_at
    h["ip_bytes"] = wire_end - ip_at
    h["l4_at"] = at
    h["l4_end"] = wire_end
    return OK, LAYER_TRANSPORT, at, wire_end, reached + 1


@inline
def inner(b: Bytes, at: int, present: int, wire_end: int, h: Record) -> tuple[int, int, int, int, int]:
    """What a transport carries that is itself a packet: `(status, layer, at, tunnel, wire_end)`.

    LAYER_NONE where it is none, and the flow is this one.
    """
    protocol = h["protocol"]
    if h["fragment"] != 0 or (h["more"] != 0 and protocol != PROTOCOL_GRE):
        return OK, LAYER_NONE, at, TUNNEL_NONE, wire_end
    if protocol in (PROTOCOL_TCP, PROTOCOL_ICMP):
        return OK, LAYER_NONE, at, TUNNEL_NONE, wire_end
    if protocol == PROTOCOL_UDP:
        layer, at, tunnel, wire_end = udp_tunnel(b, at, present, wire_end)
        return OK, layer, at, tunnel, wire_end
    if protocol == PROTOCOL_IPIP:
        return OK, LAYER_IP, at, TUNNEL_IPIP if h["version"] == 4 else TUNNEL_4IN6, wire_end
    if protocol == PROTOCOL_IPV6:
        return OK, LAYER_IP, at, TUNNEL_6IN4 if h["version"] == 4 else TUNNEL_6IN6, wire_end
    if protocol == PROTOCOL_GRE:
        layer, at = gre(b, at, min(present, wire_end))
        return OK, layer, at, TUNNEL_GRE, wire_end
    if protocol == PROTOCOL_ETHERIP and present - at > 2:  # RFC 3378 §3: two bytes
        return OK, LAYER_ETHERNET, at + 2, TUNNEL_ETHERIP, wire_end
    if protocol == PROTOCOL_MPLS:  # RFC 4023: its label stack says the rest
        return OK, ETHERTYPE_MPLS, at, TUNNEL_NONE, wire_end
    return OK, LAYER_NONE, at, TUNNEL_NONE, wire_end
