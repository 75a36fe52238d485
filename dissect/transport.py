"""TCP, UDP and ICMP headers: ports, payload, flags; what else the flow table needs to tell flows apart.

Rules: `read_transport` returns OK, TRUNCATED or MALFORMED and fills the transport fields of the headers record.
Payload lengths come from the IP length, so a packet cut by the snapshot length still counts exactly.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.status import MALFORMED, OK, TRUNCATED
from ..core.wire import Bytes, be16, be32, u8
from .ip import PROTOCOL_ICMP, PROTOCOL_ICMP6, PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP
from .records import Record

READS = (
    ("TCP, UDP, SCTP headers", "RFC 9293 §3.1, RFC 768, RFC 9260 §3",
     "ports, payload, flags; super-packets and what the snapshot length cut count by the IP length"),
    ("ICMP, ICMPv6", "RFC 792, RFC 4443 §4", "type, code, the identifier of an echo"),
)  # fmt: skip

PORTS_BYTES = 4  # source and destination port come first in TCP and UDP
TCP_BYTES = 20  # RFC 9293 §3.1
TCP_SEQ, TCP_ACK, TCP_OFFSET, TCP_FLAGS = 4, 8, 12, 13
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
UDP_BYTES = 8  # RFC 768
UDP_LENGTH = 4
PROTOCOL_UDPLITE, PROTOCOL_DCCP = 136, 33
SCTP_BYTES = 12  # RFC 9260 §3
ICMP_ECHO, ICMP_ECHO_REPLY = 8, 0  # RFC 792
ICMP6_ECHO, ICMP6_ECHO_REPLY = 128, 129  # RFC 4443 §4
ICMP_BYTES = 8


@inline
def read_transport(b: Bytes, h: Record) -> int:
    """Ports, payload and what tells flows apart; later fragments have none of it: OK with `fragment` set."""
    at, end, present = h["l4_at"], h["l4_end"], min(h["present"], h["l4_end"])
    h["src_port"] = 0
    h["dst_port"] = 0
    h["extra"] = 0
    h["tcp_flags"] = 0
    h["seq"] = 0
    h["cut"] = 0
    h["answers"] = 0
    h["data_at"] = at
    h["data_bytes"] = max(end - at, 0)
    if h["fragment"] != 0:
        return OK
    protocol = h["protocol"]
    if h["more"] != 0:
        return _first_piece(b, at, present, h)
    if protocol == PROTOCOL_TCP:
        return _tcp(b, at, end, present, h)
    if protocol == PROTOCOL_UDP:
        return _udp(b, at, end, present, h)
    if protocol == PROTOCOL_ICMP:
        return _icmp(b, at, present, h, ICMP_ECHO, ICMP_ECHO_REPLY)
    if protocol == PROTOCOL_ICMP6:
        return _icmp(b, at, present, h, ICMP6_ECHO, ICMP6_ECHO_REPLY)
    if protocol == PROTOCOL_SCTP and present - at >= SCTP_BYTES:
        h["src_port"] = be16(b, at)
        h["dst_port"] = be16(b, at + 2)
        h["data_at"] = at + SCTP_BYTES
        h["data_bytes"] = max(end - at - SCTP_BYTES, 0)
    return OK


@inline
def _first_piece(b: Bytes, at: int, present: int, h: Record) -> int:
    """The first fragment of a datagram: what tells its flow apart; the rest is read when the datagram is whole."""
    protocol = h["protocol"]
    if protocol in (PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_SCTP) and present - at >= PORTS_BYTES:
        h["src_port"] = be16(b, at)
        h["dst_port"] = be16(b, at + 2)
    elif protocol == PROTOCOL_ICMP and present - at >= ICMP_BYTES:
        return _icmp(b, at, present, h, ICMP_ECHO, ICMP_ECHO_REPLY)
    elif protocol == PROTOCOL_ICMP6 and present - at >= ICMP_BYTES:
        return _icmp(b, at, present, h, ICMP6_ECHO, ICMP6_ECHO_REPLY)
    return OK


@inline
def _tcp(b: Bytes, at: int, end: int, present: int, h: Record) -> int:
    """RFC 9293 §3.1."""
    if end - at < TCP_BYTES:
        return MALFORMED
    if present - at < PORTS_BYTES:
        return TRUNCATED
    h["src_port"] = be16(b, at)
    h["dst_port"] = be16(b, at + 2)
    if present - at < TCP_BYTES:  # cut: the packet counts, what it carries cannot be known
        h["cut"] = 1
        h["data_bytes"] = 0
        return OK
    h["seq"] = be32(b, at + TCP_SEQ)
    h["ack"] = be32(b, at + TCP_ACK)
    h["tcp_flags"] = u8(b, at + TCP_FLAGS)
    h["answers"] = 1 if h["tcp_flags"] & (SYN | ACK) == SYN | ACK else 0
    header = (u8(b, at + TCP_OFFSET) >> 4) * 4
    if header < TCP_BYTES or at + header > end:
        return MALFORMED
    h["data_at"] = at + header
    h["data_bytes"] = end - at - header
    return OK


@inline
def _udp(b: Bytes, at: int, end: int, present: int, h: Record) -> int:
    """RFC 768; a length of 0 is a super-packet or jumbogram (RFC 2675 §4): the IP length counts."""
    if end - at < UDP_BYTES:
        return MALFORMED
    if present - at < PORTS_BYTES:
        return TRUNCATED
    h["src_port"] = be16(b, at)
    h["dst_port"] = be16(b, at + 2)
    length = be16(b, at + UDP_LENGTH) if present - at >= UDP_BYTES else 0
    if length != 0 and length < UDP_BYTES:
        return MALFORMED
    h["data_at"] = at + UDP_BYTES
    h["data_bytes"] = end - at - UDP_BYTES
    if length != 0:
        h["data_bytes"] = min(h["data_bytes"], length - UDP_BYTES)
    return OK


@inline
def _icmp(b: Bytes, at: int, present: int, h: Record, echo: int, reply: int) -> int:
    """ICMP flows by type and identifier: an echo and its reply are one flow (RFC 792, RFC 4443 §4)."""
    if present - at < 2:
        return TRUNCATED
    kind, code = u8(b, at), u8(b, at + 1)
    if kind in (echo, reply) and present - at >= ICMP_BYTES:
        h["extra"] = (be16(b, at + 4) << 16) | (echo << 8)
        h["answers"] = 1 if kind == reply else 0
    else:
        h["extra"] = (kind << 8) | code
    return OK
