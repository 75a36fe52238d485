"""One UDP datagram of a known flow: what it says, by its ports and its first bytes.

Rules: payload is app data as it stands (cleartext), less the headers that QUIC adds where the flow is QUIC. QUIC
packets with a long header are handed to Python as spans, since opening them needs a cipher.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes, be32, u8
from .dns.detect import looks_like_query
from .http import looks_like_request
from .link import Record
from .messages import dns_message, http_message
from .state import (
    BORROWED,
    DATAGRAMS,
    SERVICE_DHCP,
    SERVICE_DNS,
    SERVICE_DOQ,
    SERVICE_DTLS,
    SERVICE_GQUIC,
    SERVICE_LLMNR,
    SERVICE_MDNS,
    SERVICE_NONE,
    SERVICE_NTP,
    SERVICE_QUIC,
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
PORT_NETBIOS, PORT_SSDP, PORT_MDNS, PORT_LLMNR = 137, 1900, 5353, 5355
DNS_HEADER = 12  # RFC 1035 §4.1.1
QUIC_LONG, QUIC_FIXED = 0x80, 0x40  # RFC 9000 §17.2
QUIC_V2 = 0x6B3343CF
MAX_INITIALS = 16  # of one flow that are opened in search of its hello
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
        if port in (PORT_DHCP_CLIENT, PORT_DHCP_SERVER):
            return SERVICE_DHCP
        if port == PORT_SSDP:
            return SERVICE_SSDP
        if port == PORT_DOQ:
            return SERVICE_DOQ
    return SERVICE_NONE


@inline
def not_netbios(ports: int) -> bool:
    """NetBIOS names look like DNS names (RFC 1002 §4.2), but are not."""
    return ports >> 16 != PORT_NETBIOS and ports & 0xFFFF != PORT_NETBIOS


@inline
def is_quic_version(version: int) -> bool:
    """Versions 1 (RFC 9000 §15), 2 (RFC 9369 §3.1), the drafts 22 to 34, Facebook's and Google's with TLS.

    The numbers that RFC 9000 §15 reserves to provoke a negotiation (0x?a?a?a?a) count too: their sender names its hello.
    """
    return (
        version in (1, 0x6B3343CF, 0xFACEB001, 0xFACEB002, 0x54303530, 0x54303531)
        or 0xFF000016 <= version <= 0xFF000022
        or version & 0x0F0F0F0F == 0x0A0A0A0A
    )


@inline
def udp_datagram(state: State, b: Bytes, place: int, way: int, borrowed: int, h: Record, now: int) -> None:
    """Names and messages in one datagram."""
    f, c = state["flows"][place], state["cold"][place]
    if c["quic_version"] != 0 and c["rtt_remote_ns"] == 0 and way != c["syn_way"]:
        c["rtt_remote_ns"] = max(now - c["syn_ns"], 0) + 1  # first client Initial to first answer
    at, length = h["data_at"], h["data_bytes"]
    end = min(at + length, h["present"])
    service = f["service"]
    if service in (SERVICE_DNS, SERVICE_MDNS, SERVICE_LLMNR):
        if end - at >= DNS_HEADER:
            dns_message(state, b, place, way, at, end, now)
    elif service == SERVICE_SSDP:
        if looks_like_request(b, at, end):
            http_message(state, b, place, at, end, now)
    elif end > at and u8(b, at) <= LAST_DTLS and service in (SERVICE_NONE, SERVICE_DTLS, SERVICE_STUN):
        dtls_datagram(state, b, place, way, at, end, length, now)
    elif end - at >= QUIC_LEAST and u8(b, at) & QUIC_LONG:
        _quic_long(state, b, place, way, at, end, borrowed, now)
    if service == SERVICE_NONE and f["service"] == SERVICE_NONE:
        if looks_like_stun(b, at, end):
            f["service"] = SERVICE_STUN
        elif not_netbios(f["ports"]) and looks_like_query(b, at, end):
            f["service"] = SERVICE_DNS
            dns_message(state, b, place, way, at, end, now)


@inline
def _quic_long(
    state: State, b: Bytes, place: int, way: int, at: int, end: int, borrowed: int, now: int
) -> None:
    """RFC 9000 §17.2: a long header of a version that is known marks the flow; the client's are queued for opening."""
    f, c = state["flows"][place], state["cold"][place]
    version = be32(b, at + 1)
    if is_quic_version(version) and u8(b, at) & QUIC_FIXED:
        if c["quic_version"] == 0:
            c["quic_version"] = version
            c["client"] = way + 1
            c["syn_way"] = way
            c["syn_ns"] = now
            c["hello_ns"] = now
            if f["service"] != SERVICE_DOQ:
                f["service"] = SERVICE_QUIC
        initial = (u8(b, at) >> 4) & 3 == (1 if version == QUIC_V2 else 0)  # RFC 9000 §17.2, RFC 9369 §3.2
        if initial and c["shape"] == 0 and c["initials"] < MAX_INITIALS:
            c["initials"] += 1
            row = state["datagrams"][state["cursor"][DATAGRAMS]]
            row["slot"], row["flow_id"], row["at"], row["end"] = place, c["flow_id"], at, end
            row["way"], row["time"] = way, now
            row["borrowed"] = borrowed
            if borrowed:
                state["cursor"][BORROWED] = 1  # its bytes are read before the next packet may overwrite them
            state["cursor"][DATAGRAMS] += 1
    elif f["service"] == SERVICE_NONE and 0x51303433 <= version <= 0x51303530:  # "Q043" to "Q050"
        f["service"] = SERVICE_GQUIC
