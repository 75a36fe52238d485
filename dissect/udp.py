"""One UDP datagram of a known flow: what it says, by its ports and its first bytes.

Rules: payload is app data as it stands (cleartext), less what QUIC adds where the flow is QUIC (`quic/datagram.py`).
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes, u8
from .dns.detect import looks_like_query
from .http import looks_like_request
from .messages import dns_message, http_message
from .parcels import lay_aside
from .quic.datagram import google_datagram, quic_datagram
from .records import Record
from .state import (
    ANNOUNCED_SKIPPED,
    SERVICE_DHCP,
    SERVICE_DNS,
    SERVICE_DOQ,
    SERVICE_DTLS,
    SERVICE_GQUIC,
    SERVICE_LLMNR,
    SERVICE_MDNS,
    SERVICE_NETBIOS,
    SERVICE_NONE,
    SERVICE_NTP,
    SERVICE_SSDP,
    SERVICE_STUN,
    State,
)
from .stun import looks_like_stun
from .tls.dtls import LAST as LAST_DTLS
from .tls.dtls import dtls_datagram

READS = (
    ("Services over UDP", "RFC 9000 §17.2",
     "DNS, mDNS, LLMNR, NTP, DHCP, SSDP, DoQ by port; QUIC by its long header; DTLS, STUN and DNS on any port by content"),
)  # fmt: skip

PORT_DNS, PORT_DHCP_SERVER, PORT_DHCP_CLIENT, PORT_NTP, PORT_DOQ = 53, 67, 68, 123, 853
PORT_DHCP6_CLIENT, PORT_DHCP6_SERVER = 546, 547  # RFC 8415 §7.2
PORT_NETBIOS, PORT_SSDP, PORT_MDNS, PORT_LLMNR = 137, 1900, 5353, 5355
DNS_HEADER = 12  # RFC 1035 §4.1.1
QUIC_LONG = 0x80  # RFC 9000 §17.2
MAX_ANNOUNCED = 64  # datagrams of one way of a flow in which devices are looked for
QUIC_LEAST = 22  # flags, version, two lengths, and the sample of header protection (RFC 9001 §5.4.2)


@inline
def service_of(ports: int) -> int:
    """The service that a well-known port stands for, at either end."""
    for port in (ports >> 16, ports & 0xFFFF):
        if port == PORT_DNS:
            return SERVICE_DNS
        if port == PORT_MDNS:
            return SERVICE_MDNS
        if port == PORT_LLMNR:
            return SERVICE_LLMNR
        if port == PORT_NTP:
            return SERVICE_NTP
        if port in (PORT_DHCP_CLIENT, PORT_DHCP_SERVER, PORT_DHCP6_CLIENT, PORT_DHCP6_SERVER):
            return SERVICE_DHCP
        if port == PORT_SSDP:
            return SERVICE_SSDP
        if port == PORT_DOQ:
            return SERVICE_DOQ
        if port == PORT_NETBIOS:  # its names look like DNS names (RFC 1002 §4.2), but are not
            return SERVICE_NETBIOS
    return SERVICE_NONE


@inline
def udp_datagram(state: State, b: Bytes, place: int, way: int, h: Record, now: int) -> int:
    """Names and messages in one datagram; returns how many of its bytes are application data."""
    f, c = state["flows"][place], state["cold"][place]
    at, length = h["data_at"], h["data_bytes"]
    end = min(at + length, h["present"])
    if c["quic_version"] != 0:
        client = c["syn_way"]
        if c["rtt_remote_ns"] == 0 and way != client and c["syn"][client]:
            c["rtt_remote_ns"] = max(now - c["syn_ns"], 0) + 1
        return quic_datagram(state, b, place, way, h, now)
    service = f["service"]
    if service in (SERVICE_DNS, SERVICE_MDNS, SERVICE_LLMNR):
        if end - at >= DNS_HEADER:
            dns_message(state, b, place, way, at, end, now)
    elif service in (SERVICE_DHCP, SERVICE_SSDP, SERVICE_NETBIOS):
        if service == SERVICE_SSDP and looks_like_request(b, at, end):
            http_message(state, b, place, at, end, now)
        if c["initials"][way] < MAX_ANNOUNCED:
            lay_aside(state, b, place, way, at, end, now)
        else:
            state["counters"][ANNOUNCED_SKIPPED] += 1
    elif end > at and u8(b, at) <= LAST_DTLS and service in (SERVICE_NONE, SERVICE_DTLS, SERVICE_STUN):
        dtls_datagram(state, b, place, way, at, end, length, now)
    elif end - at >= QUIC_LEAST and u8(b, at) & QUIC_LONG:
        length = quic_datagram(state, b, place, way, h, now)
    if f["service"] in (SERVICE_NONE, SERVICE_GQUIC) and end - at >= QUIC_LEAST:
        google_datagram(state, b, place, way, at, end, now)
    if service == SERVICE_NONE and f["service"] == SERVICE_NONE:
        if looks_like_stun(b, at, end):
            f["service"] = SERVICE_STUN
        elif looks_like_query(b, at, end):
            f["service"] = SERVICE_DNS
            dns_message(state, b, place, way, at, end, now)
    return length
