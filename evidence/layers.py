"""A frame with nothing left in it but its headers, and other addresses in these.

Theory: what is not known to be harmless must not get through, so a frame is not searched for what to remove: a blank one
of the same length is filled with what is known. Headers are walked by the dissector's own functions, called as plain
Python, so that both agree about where a payload begins; inside tunnels too. Byte counts and times stay exact.

Rules: options of IPv4 and TCP are blank (end of list), bodies of IPv6 extension headers too; checksums are computed anew,
because the old ones tell of the old addresses. Link types that carry names of processes or interfaces are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..core import packets as p
from ..core.errors import InputError
from ..core.status import OK
from ..dissect import ethernet, ip, layers, link, mpls, ppp, transport, tunnel, wifi

if TYPE_CHECKING:
    from .pseudonyms import Pseudonyms

READ = frozenset({
    p.LINKTYPE_NULL, p.LINKTYPE_ETHERNET, p.LINKTYPE_PPP, p.LINKTYPE_RAW_BSD, p.LINKTYPE_RAW_OPENBSD, p.LINKTYPE_PPP_HDLC,
    p.LINKTYPE_PPP_ETHER, p.LINKTYPE_RAW, p.LINKTYPE_C_HDLC, p.LINKTYPE_IEEE802_11, p.LINKTYPE_LOOP, p.LINKTYPE_LINUX_SLL,
    p.LINKTYPE_IEEE802_11_RADIOTAP, p.LINKTYPE_IPV4, p.LINKTYPE_IPV6, p.LINKTYPE_LINUX_SLL2,
})  # fmt: skip
MAX_TUNNEL_HEADER = 64  # bytes between a transport header and the packet inside that are kept
ADDRESSED_TUNNELS = frozenset({tunnel.PORT_TEREDO, tunnel.PORT_AYIYA, tunnel.PORT_CAPWAP_DATA})  # their headers hold addresses
TUNNEL_PORTS = frozenset({
    tunnel.PORT_VXLAN, tunnel.PORT_VXLAN_LINUX, tunnel.PORT_VXLAN_GPE, tunnel.PORT_GENEVE, tunnel.PORT_GTP_U,
    tunnel.PORT_L2TP, *ADDRESSED_TUNNELS})  # fmt: skip
IP_CHECKSUM_4 = 10  # RFC 791 §3.1
TCP_CHECKSUM, UDP_CHECKSUM, ICMP_CHECKSUM = 16, 6, 2  # RFC 9293 §3.1, RFC 768, RFC 792
ICMP_KEPT, ECHO_KEPT = 4, 8  # type, code, checksum; of an echo identifier and sequence too: RFC 792, RFC 4443 §4
ECHOES = frozenset({transport.ICMP_ECHO, transport.ICMP_ECHO_REPLY, transport.ICMP6_ECHO, transport.ICMP6_ECHO_REPLY})
SCTP_KEPT = 12  # RFC 9260 §3
WIFI_ADDRESSES = (4, 10, 16)  # IEEE 802.11-2020 §9.2.3
WIFI_FOURTH = 24


class Blank(NamedTuple):
    """`frame`: filled with headers; the rest is where the payload of the innermost transport goes.

    protocol: 0 where there is none; source, destination: packed, as they were; data_at, data_bytes: of the payload, by
    the headers (the capture may hold less); whole: neither a fragment nor cut.
    """

    frame: bytearray
    protocol: int
    source: bytes
    destination: bytes
    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    data_at: int
    data_bytes: int
    whole: bool
    tunnel_lost: bool
    seals: list[tuple[int, int, int, int]]  # of each transport header: protocol, ip_at, l4_at, l4_end, outermost first


def refuse_unknown(linktype: int) -> None:
    """Raises InputError for a link type whose headers are not known to be harmless."""
    if linktype not in READ:
        name = p.LINKTYPE_NAMES.get(linktype, str(linktype))
        raise InputError(f"link type {name}: its headers are not rewritten; convert the capture to Ethernet or raw IP first")


def blank(b: bytes, linktype: int, wire: int, pseudonyms: Pseudonyms) -> Blank:
    """The frame `b` of `wire` bytes, with headers only, under pseudonyms."""
    return _plain(b, linktype, pseudonyms) or walked(b, linktype, wire, pseudonyms)


def _plain(b: bytes, linktype: int, pseudonyms: Pseudonyms) -> Blank | None:
    """As `walked`, for what most frames are: Ethernet, IP without options, TCP or UDP in one piece; None for others."""
    size = len(b)
    if linktype != p.LINKTYPE_ETHERNET or size < 42:
        return None
    kind = b[12:14]
    if kind == b"\x08\x00" and b[14] == 0x45:
        at, protocol, end = 34, b[23], 14 + (b[16] << 8 | b[17])
        if b[20] & 0x3F or b[21]:
            return None
        source, destination = b[26:30], b[30:34]
    elif kind == b"\x86\xdd" and b[14] >> 4 == 6 and size >= 62:
        at, protocol, end = 54, b[20], 54 + (b[18] << 8 | b[19])
        source, destination = b[22:38], b[38:54]
    else:
        return None
    if end > size:
        return None
    source_port, destination_port = b[at] << 8 | b[at + 1], b[at + 2] << 8 | b[at + 3]
    seq = ack = flags = 0
    if protocol == ip.PROTOCOL_TCP and end - at >= transport.TCP_BYTES:
        seq, ack = int.from_bytes(b[at + 4 : at + 8], "big"), int.from_bytes(b[at + 8 : at + 12], "big")
        flags, data, kept = b[at + 13], at + (b[at + 12] >> 4) * 4, 18
        if data - at < transport.TCP_BYTES or data > end:
            return None
    elif protocol == ip.PROTOCOL_UDP and (b[at + 4] << 8 | b[at + 5]) == end - at >= transport.UDP_BYTES:
        data, kept = at + transport.UDP_BYTES, transport.UDP_BYTES
        if {source_port, destination_port} & TUNNEL_PORTS:
            return None
    else:
        return None
    out = bytearray(size)
    out[: at + kept] = b[: at + kept]
    _macs(out, b, 0, pseudonyms)
    first = at - 2 * len(source)
    out[first:at] = pseudonyms.address(source) + pseudonyms.address(destination)
    if len(source) == 4:
        out[24:26] = bytes(2)
        out[24:26] = _checksum(out[14:34])
    return Blank(out, protocol, source, destination, source_port, destination_port, seq, ack, flags, data, end - data,
                 whole=True, tunnel_lost=False, seals=[(protocol, 14, at, end)])  # fmt: skip


def walked(b: bytes, linktype: int, wire: int, pseudonyms: Pseudonyms) -> Blank:
    """As `blank`, layer by layer."""
    out = bytearray(len(b))
    h: dict[str, Any] = {"has_mac": 0, "tunnel": 0, "present": len(b)}
    seals: list[tuple[int, int, int, int]] = []
    lost = False
    wire_end, padded, reached = wire, 0, 0
    status, layer, at = link.first_layer(b, 0, len(b), linktype, h)  # type: ignore[arg-type]  # reads bytes as well
    if status == OK:
        _copy(out, b, 0, at)
        _link_address(out, b, linktype, pseudonyms)
    for _ in range(ip.MAX_LAYERS):
        if status != OK:
            break
        start = at
        if layer in (layers.ETHERTYPE_IPV4, layers.ETHERTYPE_IPV6):
            read = ip.ipv4 if layer == layers.ETHERTYPE_IPV4 else ip.ipv6
            status, layer, at, wire_end, reached = read(b, at, len(b), wire_end, h, reached)  # type: ignore[arg-type]
            if status == OK:
                _network(out, b, start, h, pseudonyms)
        elif layer == layers.LAYER_TRANSPORT:
            if not h["fragment"]:
                seals.append((int(h["protocol"]), int(h["ip_at"]), int(at), int(h["l4_end"])))
            if _has_addresses(b, at, h):
                lost = True
                break
            status, layer, at, _, wire_end = ip.inner(b, at, len(b), wire_end, h)  # type: ignore[arg-type]
            if layer == layers.LAYER_NONE:
                break
            if at - start > MAX_TUNNEL_HEADER:
                lost = True
                break
            _copy(out, b, start, at)
        elif layer == layers.LAYER_WIFI:
            status, layer, at = wifi.wifi(b, at, len(b), padded, h)  # type: ignore[arg-type]
            _wifi(out, b, start, at if status == OK else start + 2, pseudonyms)
        else:
            status, layer, at, padded = _step(b, layer, at, h)
            if status == OK:
                _copy(out, b, start, at)
                if layer != layers.LAYER_ETHERNET and _was_ethernet(b, start, at, h):
                    _macs(out, b, start, pseudonyms)
    return _innermost(out, b, h, seals, reached, lost=lost)


def _step(b: Any, layer: int, at: int, h: dict[str, Any]) -> tuple[int, int, int, int]:  # noqa: ANN401
    """One layer below IP: `(status, layer, at, padded)`."""
    h["ethernet_at"] = -1
    if layer == layers.LAYER_ETHERNET:
        h["ethernet_at"] = at
        return (*ethernet.ethernet(b, at, len(b), h), 0)
    if layer in (layers.ETHERTYPE_VLAN, layers.ETHERTYPE_QINQ, layers.ETHERTYPE_QINQ_OLD):
        return (*ethernet.vlan(b, at, len(b)), 0)
    if layer == layers.LAYER_IP:
        return (*ip.by_version(b, at, len(b)), at, 0)
    if layer in (layers.ETHERTYPE_MPLS, layers.ETHERTYPE_MPLS_MULTICAST):
        return (*mpls.mpls(b, at, len(b)), 0)
    if layer == layers.ETHERTYPE_PPPOE:
        return (*ppp.pppoe(b, at, len(b)), 0)
    if layer in (layers.LAYER_PPP, layers.ETHERTYPE_PPP):
        return (*ppp.ppp(b, at, len(b)), 0)
    if layer == layers.LAYER_RADIOTAP:
        return wifi.radiotap(b, at, len(b))
    if layer == layers.ETHERTYPE_TRANSPARENT:
        return OK, layers.LAYER_ETHERNET, at, 0
    return (*ethernet.rare_tag(b, layer, at, len(b)), 0)


def _was_ethernet(b: bytes, start: int, at: int, h: dict[str, Any]) -> bool:
    return h.get("ethernet_at") == start and at - start >= ethernet.ETHERNET_BYTES <= len(b) - start


def _has_addresses(b: bytes, at: int, h: dict[str, Any]) -> bool:
    """Whether this is a tunnel whose own header repeats addresses."""
    if h["protocol"] != ip.PROTOCOL_UDP or h["fragment"] or h["more"] or len(b) - at < transport.PORTS_BYTES:
        return False
    ports = {int.from_bytes(b[at : at + 2], "big"), int.from_bytes(b[at + 2 : at + 4], "big")}
    return bool(ports & ADDRESSED_TUNNELS)


def _copy(out: bytearray, b: bytes, start: int, end: int) -> None:
    end = min(end, len(b))
    out[start:end] = b[start:end]


def _macs(out: bytearray, b: bytes, at: int, pseudonyms: Pseudonyms) -> None:
    """Destination and source (IEEE 802.3-2022 §3.1.1)."""
    for place in (at, at + 6):
        out[place : place + 6] = pseudonyms.mac(b[place : place + 6])


def _link_address(out: bytearray, b: bytes, linktype: int, pseudonyms: Pseudonyms) -> None:
    """The sender's address in a cooked header."""
    place = {p.LINKTYPE_LINUX_SLL: link.SLL_ADDRESS, p.LINKTYPE_LINUX_SLL2: link.SLL2_ADDRESS}.get(linktype)
    if place is not None:
        out[place : place + 8] = pseudonyms.mac(b[place : place + 6]) + b"\0\0"


def _wifi(out: bytearray, b: bytes, start: int, end: int, pseudonyms: Pseudonyms) -> None:
    """Frame control, the addresses, and what stands between a data frame's header and its packet."""
    _copy(out, b, start, end)
    if end - start < 2 or len(b) < end:
        return
    for place in WIFI_ADDRESSES + ((WIFI_FOURTH,) if b[start + 1] & 3 == 3 else ()):
        if start + place + 6 <= end:
            out[start + place : start + place + 6] = pseudonyms.mac(b[start + place : start + place + 6])
    if b[start] & 0x80 and end - start >= 48:  # a subframe's addresses stand 22 bytes before the packet: §9.3.2.2
        out[end - 22 : end - 10] = bytes(12)


def _network(out: bytearray, b: bytes, at: int, h: dict[str, Any], pseudonyms: Pseudonyms) -> None:
    """An IP header with its extension headers."""
    if h["version"] == 4:
        _copy(out, b, at, at + ip.IPV4_BYTES)
        header = (b[at] & 0x0F) * 4
        final = ip.final_destination(b, at, header)  # type: ignore[arg-type]
        out[at + 12 : at + 16] = pseudonyms.address(b[at + 12 : at + 16])
        out[at + 16 : at + 20] = pseudonyms.address(b[final : final + 4])
        if h["l4_at"] > at + header:  # RFC 4302 §2: next header and length of an authentication header
            _copy(out, b, at + header, at + header + 2)
        out[at + IP_CHECKSUM_4 : at + IP_CHECKSUM_4 + 2] = bytes(2)
        out[at + IP_CHECKSUM_4 : at + IP_CHECKSUM_4 + 2] = _checksum(out[at : at + header])
        return
    _copy(out, b, at, at + ip.IPV6_BYTES)
    for place in (at + ip.IPV6_SOURCE, at + ip.IPV6_DESTINATION):
        out[place : place + 16] = pseudonyms.address(b[place : place + 16])
    header, place = b[at + ip.IPV6_NEXT_HEADER], at + ip.IPV6_BYTES
    while place + 8 <= min(h["l4_at"], len(b)):
        _copy(out, b, place, place + (8 if header == ip.FRAGMENT_HEADER else 2))
        step = 8 if header == ip.FRAGMENT_HEADER else (b[place + 1] + 2) * 4 if header == ip.AUTHENTICATION else (
            (b[place + 1] + 1) * 8)  # fmt: skip
        header, place = b[place], place + step


def _innermost(
    out: bytearray, b: bytes, h: dict[str, Any], seals: list[tuple[int, int, int, int]], reached: int, *, lost: bool
) -> Blank:
    """The innermost transport header, and where its payload is."""
    nothing = Blank(out, 0, b"", b"", 0, 0, 0, 0, 0, len(b), 0, whole=False, tunnel_lost=lost, seals=seals)
    if not reached:
        return nothing
    size, first = (4, ip.IPV4_SOURCE) if h["version"] == 4 else (16, ip.IPV6_SOURCE)
    source = b[h["ip_at"] + first : h["ip_at"] + first + size]
    destination = b[h["ip_at"] + first + size : h["ip_at"] + first + 2 * size]
    at, protocol = h["l4_at"], h["protocol"]
    if transport.read_transport(b, h) != OK or h["fragment"]:  # type: ignore[arg-type]
        if protocol == ip.PROTOCOL_UDP and not h["fragment"]:  # what is wrong with it stays wrong
            _copy(out, b, at, at + transport.UDP_BYTES)
        return nothing
    if protocol in (ip.MOBILITY, ip.HIP, ip.SHIM6):
        _copy(out, b, at, at + 2)
    elif protocol == ip.PROTOCOL_TCP:
        _copy(out, b, at, at + transport.TCP_BYTES)
        out[at + 18 : at + 20] = bytes(len(out[at + 18 : at + 20]))  # urgent pointer: RFC 9293 §3.1
    elif protocol == ip.PROTOCOL_UDP:
        _copy(out, b, at, at + transport.UDP_BYTES)
    elif protocol in (ip.PROTOCOL_ICMP, ip.PROTOCOL_ICMP6):
        _copy(out, b, at, at + (ECHO_KEPT if at < len(b) and b[at] in ECHOES else ICMP_KEPT))
    elif protocol == ip.PROTOCOL_SCTP:
        _copy(out, b, at, at + SCTP_KEPT)
    elif protocol == ip.PROTOCOL_GRE:
        _copy(out, b, at, at + tunnel.GRE_BYTES)
    whole = not h["more"] and not h["cut"] and h["l4_end"] <= len(b)
    return Blank(
        out, int(protocol), source, destination, int(h["src_port"]), int(h["dst_port"]), int(h["seq"]), int(h.get("ack", 0)),
        int(h["tcp_flags"]), int(h["data_at"]), int(h["data_bytes"]), whole=whole, tunnel_lost=lost, seals=seals,
    )  # fmt: skip


def seal(made: Blank) -> bytes:
    """The frame with its checksums right, innermost first; those of cut packets and fragments are zero."""
    out = made.frame
    for protocol, ip_at, at, end in reversed(made.seals):
        place = {ip.PROTOCOL_TCP: TCP_CHECKSUM, ip.PROTOCOL_UDP: UDP_CHECKSUM, ip.PROTOCOL_ICMP: ICMP_CHECKSUM,
                 ip.PROTOCOL_ICMP6: ICMP_CHECKSUM}.get(protocol)  # fmt: skip
        if place is None or at + place + 2 > len(out):
            continue
        out[at + place : at + place + 2] = bytes(2)
        if end > len(out) or not made.whole:
            continue
        version = out[ip_at] >> 4
        ends = out[ip_at + 12 : ip_at + 20] if version == 4 else out[ip_at + 8 : ip_at + 40]
        pseudo = b"" if protocol == ip.PROTOCOL_ICMP else bytes(ends) + (end - at).to_bytes(4, "big") + protocol.to_bytes(4, "big")
        out[at + place : at + place + 2] = _checksum(pseudo + out[at:end], udp=protocol == ip.PROTOCOL_UDP)
    return bytes(out)


def _checksum(data: bytes | bytearray, *, udp: bool = False) -> bytes:
    """RFC 1071: the one's complement sum is what remains modulo 65535."""
    value = int.from_bytes(data + b"\0" * (len(data) % 2), "big")
    rest = value % 0xFFFF
    summed = 0xFFFF if rest == 0 and value else rest
    found = 0xFFFF - summed
    return (0xFFFF if udp and found == 0 else found).to_bytes(2, "big")
