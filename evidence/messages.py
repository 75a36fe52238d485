"""Messages that name somebody, with nothing in them but what naming and fingerprints need, under pseudonyms.

Theory: as with frames, a blank message of the same length is filled with what is known: of a ClientHello its shape (suites,
extensions and their order, groups, versions, algorithms, protocols) and its server name; of a ServerHello version and
suite; of DNS names, types, response codes and addresses; of an HTTP request its method and host. Random values, keys,
tickets, cookies, targets and bodies are gone.

Rules: what cannot be read stays blank. Every function gives as many bytes as it got.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..dissect.tls.server_hello import RETRY_RANDOM

if TYPE_CHECKING:
    from .pseudonyms import Pseudonyms

HANDSHAKE_HEADER, VERSION, RANDOM = 4, 2, 32  # RFC 8446 §4, §4.1.2
CLIENT_HELLO, SERVER_HELLO = 1, 2
SERVER_NAME, KEY_SHARE, ECH = 0, 51, 0xFE0D  # RFC 6066 §3, RFC 8446 §4.2.8, RFC 9849 §5
SHAPES = frozenset({10, 11, 13, 16, 27, 43, 45, 50})  # lists of numbers and protocols: no two clients differ by chance
CHOSEN_VERSION = 43  # RFC 8446 §4.2.1
DNS_HEADER = 12  # RFC 1035 §4.1.1
MAX_HOPS = 128  # compression pointers of one name
TYPE_A, TYPE_NS, TYPE_CNAME, TYPE_PTR, TYPE_AAAA, TYPE_SVCB, TYPE_HTTPS = 1, 2, 5, 12, 28, 64, 65  # RFC 1035, 3596, 9460
NAMED = (TYPE_NS, TYPE_CNAME, TYPE_PTR)
KEY_ALPN, KEY_ECH = 1, 5  # RFC 9460 §14.3.2
HOST = b"host:"


def hello(message: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A handshake message with its header: a client's or server's hello; anything else comes back blank."""
    out = bytearray(len(message))
    try:
        if message[0] == CLIENT_HELLO:
            _client_hello(message, out, pseudonyms)
        elif message[0] == SERVER_HELLO:
            _server_hello(message, out)
    except IndexError:
        pass  # it ended early: what came before stands
    return bytes(out[: len(message)])


def server_names(message: bytes) -> list[str]:
    """The server names of a ClientHello, whole or not."""
    try:
        return [message[at : at + size].decode("latin-1") for kind, at, size in _extensions(message) if kind == SERVER_NAME
                for at, size in [(at + 5, size - 5)] if size > 0]  # fmt: skip
    except IndexError:
        return []


def _u16(b: bytes | bytearray, at: int) -> int:
    if at + 2 > len(b):
        raise IndexError
    return (b[at] << 8) | b[at + 1]


def _extensions(message: bytes) -> list[tuple[int, int, int]]:
    """(type, place, length) of a ClientHello's extensions, as far as they are there (RFC 8446 §4.1.2)."""
    at = HANDSHAKE_HEADER + VERSION + RANDOM
    at += 1 + message[at]
    at += 2 + _u16(message, at)
    at += 1 + message[at]
    end = at + 2 + _u16(message, at)
    at += 2
    found = []
    while at + 4 <= min(end, len(message)):
        size = _u16(message, at + 2)
        found.append((_u16(message, at), at + 4, size))
        at += 4 + size
    return found


def _client_hello(b: bytes, out: bytearray, pseudonyms: Pseudonyms) -> None:
    out[: HANDSHAKE_HEADER + VERSION] = b[: HANDSHAKE_HEADER + VERSION]
    at = HANDSHAKE_HEADER + VERSION + RANDOM
    out[at] = b[at]
    at += 1 + b[at]
    suites = 2 + _u16(b, at)
    out[at : at + suites] = b[at : at + suites]
    at += suites
    methods = 1 + b[at] + 2  # and the length of the extensions
    out[at : at + methods] = b[at : at + methods]
    for kind, place, size in _extensions(b):
        out[place - 4 : place] = b[place - 4 : place]
        if kind in SHAPES:
            out[place : place + size] = b[place : place + size]
        elif kind == SERVER_NAME and size > 5:  # list length, type, name length: RFC 6066 §3
            name = b[place + 5 : place + size]
            out[place : place + 5] = b[place : place + 5]
            out[place + 5 : place + 5 + len(name)] = pseudonyms.name(name)
        elif kind == KEY_SHARE:
            out[place : place + 2] = b[place : place + 2]
            share = place + 2
            while share + 4 <= min(place + size, len(b)):
                out[share : share + 4] = b[share : share + 4]
                share += 4 + _u16(b, share + 2)
        elif kind == ECH and size:
            out[place] = b[place]
    del out[len(b) :]


def _server_hello(b: bytes, out: bytearray) -> None:
    out[: HANDSHAKE_HEADER + VERSION] = b[: HANDSHAKE_HEADER + VERSION]
    random = HANDSHAKE_HEADER + VERSION
    if b[random : random + 8] == RETRY_RANDOM.to_bytes(8, "big"):
        out[random : random + RANDOM] = b[random : random + RANDOM]
    at = random + RANDOM
    out[at] = b[at]
    at += 1 + b[at]
    out[at : at + 5] = b[at : at + 5]  # suite, compression, length of the extensions
    end, at = at + 5 + _u16(b, at + 3), at + 5
    while at + 4 <= min(end, len(b)):
        kind, size = _u16(b, at), _u16(b, at + 2)
        keep = 4 + (size if kind == CHOSEN_VERSION else min(size, 4) if kind == KEY_SHARE else 0)  # of a share its group, length
        out[at : at + keep] = b[at : at + keep]
        at += 4 + size
    del out[len(b) :]


def request_head(head: bytes, pseudonyms: Pseudonyms) -> bytes:
    """The head of an HTTP/1 request (RFC 9112 §2.1) with its method, line ends and host; all else is filled with x."""
    out = bytearray(byte if byte in b"\r\n" else 0x78 for byte in head)
    line = head.split(b"\n", 1)[0].rstrip(b"\r")
    method, _, rest = line.partition(b" ")
    target, _, version = rest.rpartition(b" ")
    out[: len(method) + 1] = method + b" "
    if target:
        out[len(method) + 1] = 0x2F
        if method == b"CONNECT":  # its target is the host: RFC 9112 §3.2.3
            name, colon, port = target.rpartition(b":") if b":" in target else (target, b"", b"")
            out[len(method) + 1 : len(method) + 1 + len(target)] = pseudonyms.name(name) + colon + port
        at = len(method) + 1 + len(target)
        out[at : len(line)] = b" " + version if version.startswith(b"HTTP/") else b" " + b"x" * len(version)
    at = 0
    for text in head.splitlines(keepends=True):
        if text[: len(HOST)].lower() == HOST:
            value = text[len(HOST) :]
            host = value.strip()
            name, colon, port = host.rpartition(b":") if b":" in host and not host.startswith(b"[") else (host, b"", b"")
            start = at + len(HOST) + (len(value) - len(value.lstrip()))
            out[at:start] = head[at:start]
            out[start : start + len(host)] = pseudonyms.name(name) + colon + port
        at += len(text)
    return bytes(out[: len(head)])


def hosts(head: bytes) -> list[str]:
    """The host of a request's head, as `request_head` sees it."""
    values = [line[len(HOST) :].strip() for line in head.splitlines() if line[: len(HOST)].lower() == HOST]
    values += head.split()[1:2] if head.startswith(b"CONNECT ") else []
    return [(value.rpartition(b":")[0] if b":" in value and not value.startswith(b"[") else value).decode("latin-1")
            for value in values if value]  # fmt: skip


def dns(message: bytes, pseudonyms: Pseudonyms) -> bytes:
    """A DNS message (RFC 1035 §4.1): names and addresses under pseudonyms; other data of records is blank."""
    out = bytearray(len(message))
    out[:DNS_HEADER] = message[:DNS_HEADER]
    try:
        at = DNS_HEADER
        for _ in range(_u16(message, 4)):
            at = _name(message, at, out, pseudonyms)
            out[at : at + 4] = message[at : at + 4]
            at += 4
        for _ in range(_u16(message, 6) + _u16(message, 8) + _u16(message, 10)):
            at = _record(message, at, out, pseudonyms)
    except IndexError:
        pass  # it ended early: what came before stands
    return bytes(out[: len(message)])


def dns_names(message: bytes) -> list[str]:
    """Every name that a message spells out or points to, as text."""
    found: list[str] = []
    try:
        at = DNS_HEADER
        for _ in range(_u16(message, 4)):
            labels, at = _labels(message, at)
            found.append(b".".join(label for _, label in labels).decode("latin-1"))
            at += 4
        for _ in range(_u16(message, 6) + _u16(message, 8) + _u16(message, 10)):
            labels, at = _labels(message, at)
            found.append(b".".join(label for _, label in labels).decode("latin-1"))
            kind, size = _u16(message, at), _u16(message, at + 8)
            if kind in NAMED:
                found.append(b".".join(label for _, label in _labels(message, at + 10)[0]).decode("latin-1"))
            at += 10 + size
    except IndexError:
        pass
    return [name for name in found if name]


def _labels(b: bytes, at: int, pointers: list[int] | None = None) -> tuple[list[tuple[int, bytes]], int]:
    """The labels of a name, each with its place, and where the name ends (RFC 1035 §4.1.4); `pointers` gets theirs."""
    labels: list[tuple[int, bytes]] = []
    end, hops = -1, 0
    while True:
        size = b[at]
        if size & 0xC0 == 0xC0:
            end = at + 2 if end < 0 else end
            target = _u16(b, at) & 0x3FFF
            hops += 1
            if pointers is not None:
                pointers.append(at)
            if target >= at or hops > MAX_HOPS:
                raise IndexError
            at = target
        elif size & 0xC0:
            raise IndexError
        elif size == 0:
            return labels, at + 1 if end < 0 else end
        else:
            if at + 1 + size > len(b) or len(labels) > MAX_HOPS:
                raise IndexError
            labels.append((at + 1, b[at + 1 : at + 1 + size]))
            at += 1 + size


def _name(b: bytes, at: int, out: bytearray, pseudonyms: Pseudonyms) -> int:
    """Writes a name where it stands and where it points to; where it ends."""
    pointers: list[int] = []
    labels, end = _labels(b, at, pointers)
    for (place, label), made in zip(labels, pseudonyms.labels([label for _, label in labels]), strict=True):
        out[place - 1] = b[place - 1]
        out[place : place + len(label)] = made
    for place in pointers:
        out[place : place + 2] = b[place : place + 2]
    return end


def _record(b: bytes, at: int, out: bytearray, pseudonyms: Pseudonyms) -> int:
    at = _name(b, at, out, pseudonyms)
    kind, size = _u16(b, at), _u16(b, at + 8)
    out[at : at + 10] = b[at : at + 10]
    at += 10
    if at + size > len(b):
        raise IndexError
    data = b[at : at + size]
    if kind in NAMED:
        _name(b, at, out, pseudonyms)
    elif (kind == TYPE_A and size == 4) or (kind == TYPE_AAAA and size == 16):
        out[at : at + size] = pseudonyms.address(data)
    elif kind in (TYPE_SVCB, TYPE_HTTPS):
        _service(b, at, at + size, out, pseudonyms)
    return at + size


def _service(b: bytes, at: int, end: int, out: bytearray, pseudonyms: Pseudonyms) -> None:
    """Priority, target and parameters of RFC 9460 §2.2; of these protocols and, where names stay, the ECH keys."""
    out[at : at + 2] = b[at : at + 2]
    at = _name(b, at + 2, out, pseudonyms)
    while at + 4 <= end:
        key, size = _u16(b, at), _u16(b, at + 2)
        keep = 4 + (size if key == KEY_ALPN or (key == KEY_ECH and pseudonyms.policy.names == "keep") else 0)
        out[at : at + keep] = b[at : at + keep]
        at += 4 + size
