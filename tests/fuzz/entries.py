"""Every entry at which bytes of somebody else's come in: how one input is read, and what fuzzing begins with.

Theory: of an input nothing is expected but that it ends in counters, or in one line of a `WiretallyError`. Parsers are
called as plain Python, so that coverage leads the fuzzer through them (`guided.py`), and where the tests have a slow twin
of one (`naive/`), both must say the same. What a parser cannot reach by itself (reassembly, flow table, tunnels) is reached
by packets made of `chunks.py`.

Rules: one input, one state, so that a find is its bytes and nothing else. Seeds are crafted, never somebody's traffic.
"""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from crafting import handshakes, quic
from crafting import packets as made
from cryptography.hazmat.primitives import serialization
from fuzz import chunks, containers, seeds
from naive import crypto_stream as naive_stream
from naive import dns_names
from wiretally.capture.stream import open_captures
from wiretally.core.errors import WiretallyError
from wiretally.core.status import MALFORMED, OK
from wiretally.dissect.announcements import FORMS, Announcements
from wiretally.dissect.dns.message import MAX_ANSWERS, MESSAGE, parse_dns
from wiretally.dissect.dns.name import expand
from wiretally.dissect.dns.presentation import FORMS as FORMS_OF_RDATA
from wiretally.dissect.dns.presentation import rdata_text
from wiretally.dissect.dns.rdata import ANSWER
from wiretally.dissect.dns.text import rdata_texts, subnet_text
from wiretally.dissect.http import REQUEST, looks_like_request, parse_request
from wiretally.dissect.intern import NAMES, prepare, raw
from wiretally.dissect.quic.google import server_name
from wiretally.dissect.quic.hellos import HelloFromInitials
from wiretally.dissect.quic.initial import crypto_frames
from wiretally.dissect.tls.certificate import certificate_names
from wiretally.dissect.tls.client_hello import HELLO, SCRATCH_BYTES, SCRATCH_INTS, parse_client_hello
from wiretally.dissect.tls.ja4 import describe
from wiretally.dissect.tls.names import names_of
from wiretally.dissect.tls.server_hello import parse_server_hello
from wiretally.evidence.pseudonyms import Policy
from wiretally.evidence.rewrite import Rewriter
from wiretally.geo.lists import read_list
from wiretally.measure.inputs import read_sessions, read_visits

if TYPE_CHECKING:
    from collections.abc import Callable

UDP_PORTS = (53, 443, 5353, 5355, 67, 546, 1900, 137, 853, 3478, 40_001)
TCP_PORTS = (443, 53, 80, 853, 5223, 25)
LETTERS = (0x74, 0x71, 0x64)  # t, q, d: JA4 specification
DNS_HEADER = 12
LEAST_LOAD = 20  # octets of an Initial, so that there is a sample to protect its header by (RFC 9001 §5.4.2)


class Entry(NamedTuple):
    """Reads one input, and raises `WiretallyError` or what is a find; inputs that reach far."""

    read: Callable[[bytes], object]
    begin: Callable[[], list[bytes]]


def check(name: str, data: bytes) -> None:
    """Reads one input; raises what is a find, be it an error of the user's that is more than one line."""
    with np.errstate(over="ignore"):  # hashes wrap on purpose
        said = ""
        try:
            ENTRIES[name].read(data)
        except WiretallyError as error:
            said = str(error)
        assert said.isprintable(), f"an error of more than one line: {said}"


# ------------------------------------------------------------------------------------------------------------ parsers


def octets(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def new_names() -> np.void:
    names = np.zeros(1, NAMES)[0]
    prepare(names, 1)
    return names


def client_hello(data: bytes) -> None:
    """The first octet chooses the protocol that it came by."""
    names, row = new_names(), np.zeros(1, HELLO)[0]
    work, lists = np.zeros(SCRATCH_BYTES, np.uint8), np.zeros(SCRATCH_INTS, np.int64)
    letter = LETTERS[data[0] % len(LETTERS)] if data else LETTERS[0]
    assert parse_client_hello(octets(data[1:]), 0, len(data[1:]), letter, names, work, lists, row) in {OK, MALFORMED}
    if row["shape"]:
        assert describe(raw(names, row["shape"])).ja4.startswith(chr(letter))


def server_hello(data: bytes) -> None:
    assert parse_server_hello(octets(data), 0, len(data), np.zeros(8, np.int64)) in {OK, MALFORMED}


def certificate(data: bytes) -> None:
    names = new_names()
    status, number, _ = certificate_names(octets(data), 0, len(data), names, np.zeros(SCRATCH_BYTES, np.uint8))
    assert status in {OK, MALFORMED}
    names_of(raw(names, number))


def dns_message(data: bytes) -> None:
    names, work = new_names(), np.zeros(SCRATCH_BYTES, np.uint8)
    message, answers = np.zeros(1, MESSAGE)[0], np.zeros(MAX_ANSWERS, ANSWER)
    status, written = parse_dns(octets(data), 0, len(data), names, work, message, answers, 0, multicast=len(data) % 2 == 0)
    assert status in {OK, MALFORMED}
    assert written == message["answers"] + message["additional"] <= MAX_ANSWERS
    texts: list[str | None] = [raw(names, number).decode("latin-1") for number in range(int(names["count"]))]
    assert len(rdata_texts(answers[:written], texts, names)) == written
    if message["subnet"]:
        subnet_text(raw(names, message["subnet"]))


def dns_name(data: bytes) -> None:
    """The first octet says where the name begins; against the slow twin."""
    work, at = np.zeros(SCRATCH_BYTES, np.uint8), data[0] if data else 0
    size, behind = expand(octets(data), at, 0, len(data), work, 0, in_wire=False)
    found = dns_names.labels_at(data, at)
    said = None if behind < 0 else (bytes(work[:size]).decode("ascii"), behind)
    assert said == (found and (dns_names.text_of(found[0]), found[1]))


def rdata(data: bytes) -> None:
    """Two octets of type in front."""
    assert rdata_text(int.from_bytes(data[:2], "big"), data[2:]).isprintable()


def http(data: bytes) -> None:
    if looks_like_request(octets(data), 0, len(data)):
        assert parse_request(octets(data), 0, len(data), new_names(), np.zeros(1, REQUEST)[0]) in {OK, MALFORMED}


def announcement(data: bytes) -> None:
    """The first octet chooses between DHCP, SSDP and NetBIOS."""
    heard = Announcements()
    heard.read(sorted(FORMS)[data[0] % len(FORMS)] if data else 0, data[1:], 7, None, None)
    assert all(claim.name for claim in heard.take())


def quic_frames(data: bytes) -> None:
    """Each chunk is what an Initial holds; against the slow twin where no two pieces contradict one another."""
    found, hellos, pieces = HelloFromInitials(), [], []
    for number, chunk in enumerate(chunks.chunks(data)[:8]):
        load = chunk.content.ljust(LEAST_LOAD, quic.PADDING)
        hello = found.take(1, quic.initial(load, number=number, size=0))
        hellos += [hello.message] if hello else []
        pieces += crypto_frames(load)
    known: dict[int, int] = {}
    agree = all(known.setdefault(at + n, octet) == octet for at, piece in pieces for n, octet in enumerate(piece))
    if agree and not found.given_up:
        assert set(hellos) <= set(naive_stream.messages(pieces))


def quic_datagrams(data: bytes) -> None:
    """Each chunk is a datagram."""
    found = HelloFromInitials()
    for flags, datagram in chunks.chunks(data):
        found.take(1, datagram, flags & 1)
        server_name(datagram)


def tcp(data: bytes) -> None:
    """The first octet chooses the port."""
    chunks.conversation(data[1:], TCP_PORTS[data[0] % len(TCP_PORTS)] if data else 0)


def udp(data: bytes) -> None:
    """The first octet chooses the port."""
    chunks.datagrams(data[1:], UDP_PORTS[data[0] % len(UDP_PORTS)] if data else 0)


@functools.cache
def scratch() -> Path:
    """A folder of this process."""
    folder = tempfile.TemporaryDirectory(prefix="wiretally-fuzz-")
    scratch.folder = folder  # type: ignore[attr-defined]  # goes when the process does
    return Path(folder.name)


def file(read: Callable[[str], object]) -> Callable[[bytes], object]:
    """What reads a file by its path."""

    def from_bytes(data: bytes) -> object:
        path = scratch() / "input"
        path.write_bytes(data)
        return read(str(path))

    return from_bytes


def capture(path: str) -> int:
    """How many packets there are."""
    count = 0
    with open_captures([path]) as stream:
        for batch in stream:
            ends = batch.packets["at"].astype(np.int64) + batch.packets["captured"]
            assert (ends <= len(batch.buffer)).all()
            count += len(batch.packets)
    return count


def rewritten(path: str) -> None:
    """Under pseudonyms there are as many packets."""
    rewriter, target = Rewriter([path]), scratch() / "rewritten"
    with target.open("wb") as out:
        done = rewriter.write(out, rewriter.pseudonyms(bytes(32), Policy("all", "hash"), ()))
    assert done.packets == capture(path)
    assert done.packets == (capture(str(target)) if done.packets else 0)


# -------------------------------------------------------------------------------------------------------------- seeds


def _messages() -> list[bytes]:
    """DNS messages of every kind of record."""
    found = [frame[42:] for group in seeds.crafted() for frame in group if frame[12:14] == b"\x08\0" and frame[23] == 17]
    return [data for data in found if len(data) > DNS_HEADER and data[:2] == b"\0\x09"]


def _datagrams() -> list[bytes]:
    """By the ports that they are read at; those of QUIC last."""
    hello = quic.hello_message(post_quantum=True)
    parts = [quic.initial(quic.crypto(hello[:900])), quic.initial(quic.crypto(hello[900:], 900), number=1)]
    fragment = b"\1\0\0\x40" + bytes(5) + b"\0\0\x40" + bytes(64)
    dtls = bytes.fromhex("16fefd0000000000000000") + made.hello.vector(2, fragment)
    talks = [(port, [(0, data), (1, data)]) for port in (53, 5353, 5355, 853) for data in _messages()[:2]]
    talks += [(port, [(0, data[1:])]) for port in (67, 546, 1900, 137) for data in _announcements()[:: len(FORMS)]]
    talks += [(3478, [(0, b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12)), (0, dtls)]), (40_001, [(0, dtls), (1, dtls)])]
    talks += [(443, [(0, parts[0]), (0, parts[1]), (1, quic.retry())]), (443, [(0, quic.negotiation()), (1, quic.short(60))])]
    return [bytes([UDP_PORTS.index(port)]) + chunks.joined(said) for port, said in talks]


def _segments() -> list[bytes]:
    message = _messages()[0]
    hello, shown = made.client_hello(chromium=False), made.hello.vector(3, made.hello.vector(3, _certificates()[0]))
    old = made.server_hello(version=0x0303, cipher=0xC02F) + made.hello.record(22, made.hello.message(11, shown))
    return [bytes([port]) + chunks.joined(parts) for port, parts in (
        (0, [(0, hello), (1, made.server_hello()), (0, made.app_record(40)), (1, made.app_record(900))]),
        (0, [(0, hello[:90]), (0, hello[90:]), (1, old), (0, made.hello.record(20, b"\1")), (0, made.app_record(40))]),
        (0, [(0, hello), (1, made.server_hello(retry=True)), (0, hello), (1, made.server_hello())]),
        (1, [(0, made.hello.vector(2, message)), (1, made.hello.vector(2, message) * 2)]),
        (2, [(0, b"GET / HTTP/1.1\r\nHost: a.example:80\r\nUser-Agent: x\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\n\r\n")]),
        (2, [(0, b"CONNECT a.example:443 HTTP/1.1\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\n\r\n"), (0, hello)]),
    )]  # fmt: skip


def _certificates() -> list[bytes]:
    made_for = (("a.example", ("a.example", "*.b.example")), (None, ("c.example",)), ("d.example", ()))
    return [handshakes.certificate(*names)[0].public_bytes(serialization.Encoding.DER) for names in made_for]


def _frames() -> list[bytes]:
    found = [chunks.joined([(chunks.LINKS.index(1), frame) for frame in group]) for group in seeds.crafted()]
    first = seeds.crafted()[0][0]
    return found + [chunks.joined([(n, kept)]) for n, link in enumerate(chunks.LINKS) if (kept := seeds.rewrap(first, link))]


def _captures() -> list[bytes]:
    listed = [containers.Frame(1, made.START + n, group[0], len(group[0])) for n, group in enumerate(seeds.crafted()[:6])]
    return [containers.pcap(listed, order, unit) for order in "<>" for unit in (1, 1_000)] + [
        containers.pcapng(listed, order, Random(n)) for n, order in enumerate("<><>")]  # fmt: skip


def _conversations() -> bytes:
    frames = [*seeds.conversations()[:40], *(frame for group in seeds.crafted() for frame in group)]
    return containers.pcap([containers.Frame(1, made.START + n, frame[:400], len(frame)) for n, frame in enumerate(frames)], "<", 1)


def _compressed() -> list[bytes]:
    return [containers.compress(data, Random(n)) for data in _captures()[::4] for n in range(5)]


def _announcements() -> list[bytes]:
    frames = [frame for group in seeds.crafted() for frame in group if frame[34:38] == b"\0\x44\0\x43"]
    six = b"\1abc" + b"\0\x27\0\x09\1\7pixel-7" + b"\0\x10\0\x0a\0\0\1\x37\0\4MSFT"
    lines = b"NOTIFY * HTTP/1.1\r\nSERVER: x/1\r\nUSER-AGENT: y/2\r\n\r\n"
    netbios = b"\0\1\x29\x10\0\1\0\0\0\0\0\1\x20" + b"FA" * 15 + b"AA\0\0\x20\0\1" + b"\xc0\x0c\0\x20\0\1" + bytes(6) + bytes(6)
    return [bytes([n]) + data for data in (*(frame[42:] for frame in frames), six, lines, netbios) for n in range(len(FORMS))]


def _rdata() -> list[bytes]:
    names = b"\1a\7example\0"
    return [kind.to_bytes(2, "big") + body for kind in FORMS_OF_RDATA for body in (
        bytes(8) + names * 2 + bytes(24), b"\0\1" + names + b"\0\1\0\3\2h2\0\4\0\4\1\2\3\4", b"\3abc\2de", bytes(18) + names,
    )]  # fmt: skip


SESSIONS = b"session,device,mode,start,end,notes\na,02:00:00:00:00:01,Dark,2026-01-01T10:00:00Z,2026-01-01 11:00:00+01:30,\n"
VISITS = b'\xef\xbb\xbftime,session,url,pad\n2026-01-01T10:00:00.5Z,a,"https://a.example/?q=1,2",12\n'
LISTS = [
    b"# hosts\n127.0.0.1 localhost\n0.0.0.0 ads.example t.example\n", b"! rules\n||ads.example^$third-party\n@@||b.example^\n",
    b"domain,match,owner,product,category\na.example,suffix,A,P,ads\n",
    json.dumps({"trackers": {"a": {"name": "A", "categoryId": 4, "companyId": "c"}}, "categories": {"4": "advertising"},
                "trackerDomains": {"a.example": "a"}, "companies": {"c": {"name": "C"}}}).encode(),
]  # fmt: skip
HEADS = [b"GET / HTTP/1.1\r\nHost: a.example:80\r\nUser-Agent: x\r\n\r\n", b"CONNECT [::1]:443 HTTP/1.0\n\n",
         b"POST http://b.example/x HTTP/1.1\nhost:\t b \r\n"]  # fmt: skip

ENTRIES = {
    "capture": Entry(file(capture), _captures),
    "compressed": Entry(file(capture), _compressed),
    "pseudonyms": Entry(file(rewritten), lambda: [*_captures(), _conversations()]),
    "frames": Entry(chunks.frames, _frames),
    "tcp": Entry(tcp, _segments),
    "udp": Entry(udp, _datagrams),
    "client-hello": Entry(client_hello, lambda: [bytes([n]) + made.client_hello_message(seed=n) for n in range(3)]),
    "server-hello": Entry(server_hello, lambda: [made.server_hello(retry=retry)[9:] for retry in (False, True)]),
    "certificate": Entry(certificate, _certificates),
    "dns-message": Entry(dns_message, _messages),
    "dns-name": Entry(dns_name, lambda: [b"\1\1a\0", b"\5\3abc\0\1b\xc0\1", b"\3\0\0\x40", b"\1" + b"\x3f" * 250]),
    "rdata": Entry(rdata, _rdata),
    "http": Entry(http, lambda: HEADS),
    "announcement": Entry(announcement, _announcements),
    "quic-frames": Entry(quic_frames, lambda: [chunks.joined([(0, quic.ACK + quic.crypto(b"\1\0\0\4ab", at)), (
        0, quic.PING + b"\0\0" + quic.crypto(b"cd", 6))]) for at in (0, 2)]),
    "quic-datagrams": Entry(quic_datagrams, lambda: [data[1:] for data in _datagrams()[-2:]]),
    "sessions": Entry(file(read_sessions), lambda: [SESSIONS]),
    "visits": Entry(file(read_visits), lambda: [VISITS]),
    "list": Entry(file(read_list), lambda: LISTS),
}  # fmt: skip
