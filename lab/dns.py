"""The access point's resolver: answers from the lab's own table, over UDP and TCP.

Rules: A follows the CNAME chain to the address (RFC 1034 §3.6.2); HTTPS names the application protocols (RFC 9460
§9); other types of a known name give NOERROR without an answer, unknown names NXDOMAIN. There are no IPv6 addresses,
so AAAA is an empty answer, still with the chain. Owner names are compressed against the question (RFC 1035 §4.1.4).
"""

from __future__ import annotations

import itertools
import socketserver
import struct
import threading
from typing import NamedTuple

from .hosts import BY_NAME, HOSTS, Host
from .network import AP_IP

TYPE_A, TYPE_CNAME, TYPE_AAAA, TYPE_HTTPS = 1, 5, 28, 65  # RFC 1035 §3.2.2, RFC 3596 §2.1, RFC 9460 §14.1
CLASS_IN = 1
RCODE_OK, RCODE_NXDOMAIN, RCODE_FORMAT = 0, 3, 1
FLAGS_ANSWER = 0x8180  # response, recursion desired and available
HEADER = struct.Struct("!HHHHHH")
HEADER_ID = 2
KEY_ALPN = 1  # RFC 9460 §7.1
ADDRESS_TTL, CHAIN_TTL = 300, 3600
MAX_LABEL = 63
LENGTH_PREFIX = 2  # RFC 1035 §4.2.2

_CHAINS = {name: host for host in HOSTS for name in host.chain}


class Question(NamedTuple):
    """`end` is where the question section ends."""

    id: int
    name: str
    type: int
    end: int


class Record(NamedTuple):
    """One answer, its data in wire format."""

    name: str
    type: int
    ttl: int
    data: bytes


def encode_name(name: str) -> bytes:
    """A domain name as labels, uncompressed (RFC 1035 §3.1)."""
    return b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split(".")) + b"\0"


def parse_question(message: bytes) -> Question | None:
    """The first question of a query; None when there is none that can be read."""
    if len(message) < HEADER.size:
        return None
    number, _, questions, *_ = HEADER.unpack_from(message)
    labels: list[str] = []
    at = HEADER.size
    while at < len(message) and 0 < message[at] <= MAX_LABEL:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("ascii", "replace"))
        at += 1 + message[at]
    if questions != 1 or len(message) < at + 5 or message[at] != 0:
        return None
    (kind,) = struct.unpack_from("!H", message, at + 1)
    return Question(number, ".".join(labels).lower(), kind, at + 5)


def service_parameters(host: Host) -> bytes:
    """The data of an HTTPS record: priority 1, the owner itself, and the protocols it speaks."""
    protocols = b"".join(bytes([len(name)]) + name.encode("ascii") for name in host.alpn if name != "http/1.1")
    parameters = struct.pack("!HH", KEY_ALPN, len(protocols)) + protocols if protocols else b""
    return struct.pack("!H", 1) + b"\0" + parameters


def look_up(name: str, kind: int) -> tuple[int, list[Record]]:
    """The response code and the answers for a name and type."""
    host = BY_NAME.get(name) or _CHAINS.get(name)
    if host is None:
        return RCODE_NXDOMAIN, []
    names = [host.name, *host.chain]
    names = names[names.index(name) :]
    steps = itertools.pairwise(names)
    records = [Record(alias, TYPE_CNAME, CHAIN_TTL, encode_name(target)) for alias, target in steps]
    if kind == TYPE_A:
        address = bytes(int(part) for part in host.address.split("."))
        records.append(Record(names[-1], TYPE_A, ADDRESS_TTL, address))
    elif kind == TYPE_HTTPS and "h2" in host.alpn:
        records.append(Record(names[-1], TYPE_HTTPS, ADDRESS_TTL, service_parameters(host)))
    return RCODE_OK, records


def answer(message: bytes) -> bytes:
    """The response to a query, in wire format; empty where even the identifier is missing."""
    question = parse_question(message)
    if question is None:
        number = message[:2]
        return (
            number + struct.pack("!HHHHH", FLAGS_ANSWER | RCODE_FORMAT, 0, 0, 0, 0) if len(number) == HEADER_ID else b""
        )
    code, records = look_up(question.name, question.type)
    head = HEADER.pack(question.id, FLAGS_ANSWER | code, 1, len(records), 0, 0)
    response = bytearray(head + message[HEADER.size : question.end])
    offsets = {question.name: HEADER.size}
    for record in records:
        at = offsets.get(record.name)
        response += encode_name(record.name) if at is None else struct.pack("!H", 0xC000 | at)
        response += struct.pack("!HHIH", record.type, CLASS_IN, record.ttl, len(record.data))
        if record.type == TYPE_CNAME:  # the next record's owner is this one's target
            target = record.data
            offsets[_decode(target)] = len(response)
        response += record.data
    return bytes(response)


def _decode(labels: bytes) -> str:
    """The inverse of `encode_name`."""
    parts, at = [], 0
    while labels[at]:
        parts.append(labels[at + 1 : at + 1 + labels[at]].decode("ascii"))
        at += 1 + labels[at]
    return ".".join(parts)


class OverUdp(socketserver.BaseRequestHandler):
    """One datagram, one answer."""

    def handle(self) -> None:
        """Answer it."""
        message, socket = self.request
        socket.sendto(answer(message), self.client_address)


class OverTcp(socketserver.StreamRequestHandler):
    """Messages with a length before each (RFC 1035 §4.2.2)."""

    def handle(self) -> None:
        """Answer until the client has no more."""
        while len(prefix := self.rfile.read(LENGTH_PREFIX)) == LENGTH_PREFIX:
            response = answer(self.rfile.read(int.from_bytes(prefix, "big")))
            self.wfile.write(len(response).to_bytes(2, "big") + response)


def main() -> None:
    """Serve until the cell ends."""
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    tcp = socketserver.ThreadingTCPServer((AP_IP, 53), OverTcp)
    tcp.daemon_threads = True
    threading.Thread(target=tcp.serve_forever, daemon=True).start()
    with socketserver.UDPServer((AP_IP, 53), OverUdp) as udp:
        udp.serve_forever()


if __name__ == "__main__":
    main()
