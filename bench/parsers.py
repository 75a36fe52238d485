"""What a message costs to read: `python -m wiretally.bench.parsers`.

Theory: a message is timed by its way through the real entry, `Dissector.feed`, compiled, in packets of new flows as they
come from a network (a ClientHello with its SYN, cut at 1,400 bytes); so the time is that of packets and flow table too, and
an upper bound of the parser's. Machines differ and are noisy: beside it stands a reference that reads the same bytes
in the same rounds, and what counts is the ratio. For TLS and DNS that is dpkt; for QUIC, which dpkt does not know, the
ciphers alone: keys derived, a block and the payload opened by `cryptography`, nothing parsed.

Rules: medians over rounds in which all cases take turns. AIMS are upper bounds in µs of processor time per message: what
waits for its turn on a busy machine costs nothing, though caches that others fill still do.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import dpkt
import numpy as np
from rich.console import Console
from rich.table import Table

from ..core.packets import PACKET, PacketBatch
from ..dissect.dissector import DissectOptions, Dissector
from ..dissect.quic.initial import client_keys, opened, packets
from . import hello, quic

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGES, ROUNDS = 3000, 7  # fewer than a sheet has room for
HELLO_AIM, DNS_AIM, INITIAL_AIM = 15.0, 5.0, 120.0  # µs
MSS = 1400
SYN, PSH_ACK = 0x02, 0x18
PHONE_MAC, ROUTER_MAC = bytes.fromhex("d26a913c0e57"), bytes.fromhex("02aabbccddee")
LOCAL, REMOTE = bytes((192, 168, 7, 20)), bytes((93, 184, 216, 34))


class Case(NamedTuple):
    """A kind of message: frames of MESSAGES of them, how many bytes and Initials one has, and who else reads them."""

    name: str
    aim: float
    frames: list[bytes]
    size: int
    parts: int  # what the aim counts: messages, or Initials
    reference: str
    read: Callable[[], object]


class Line(NamedTuple):
    """One case measured: medians in µs, and the median of the rounds' ratios."""

    case: Case
    ours: float
    theirs: float
    ratio: float


def _frame(protocol: int, body: bytes, *, up: bool = True) -> bytes:
    """Ethernet and IPv4 around a transport's bytes."""
    source, target = (LOCAL, REMOTE) if up else (REMOTE, LOCAL)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol, 0) + source + target
    ends = ROUTER_MAC + PHONE_MAC if up else PHONE_MAC + ROUTER_MAC
    return ends + b"\x08\0" + ip + body


def _udp(port: int, service: int, data: bytes, *, up: bool = True) -> bytes:
    ports = (port, service) if up else (service, port)
    return _frame(17, struct.pack(">HHHH", *ports, 8 + len(data), 0) + data, up=up)


def _tcp(port: int, data: bytes) -> list[bytes]:
    """A SYN, and the data in segments."""
    pieces = [(0, SYN, b"")] + [(1 + at, PSH_ACK, data[at : at + MSS]) for at in range(0, len(data), MSS)]
    return [_frame(6, struct.pack(">HHIIBBHHH", port, 443, seq, 0, 0x50, flags, 65535, 0, 0) + piece)
            for seq, flags, piece in pieces]  # fmt: skip


def _dns(number: int, answers: int) -> bytes:
    """A query for an address (RFC 1035 §4.1), or an answer with that many records."""
    name = b"".join(hello.vector(1, label) for label in (b"host%d" % (number % 50), b"telemetry", b"example", b"org"))
    question = name + b"\0\0\1\0\1"
    record = b"\xc0\x0c\0\1\0\1\0\0\1\x2c\0\4"
    head = struct.pack(">HHHHHH", number, 0x8180 if answers else 0x0100, 1, answers, 0, 0)
    return head + question + b"".join(record + bytes((10, 0, n, 1)) for n in range(answers))


def cases(rng: random.Random) -> list[Case]:
    """Every kind of message that is measured."""
    made = []
    ports = range(20_000, 20_000 + MESSAGES)
    for label, post_quantum in (("ClientHello", False), ("ClientHello, X25519MLKEM768", True)):
        plain = [hello.chromium_hello(rng, f"a{n % 50}.example.org", post_quantum=post_quantum) for n in range(MESSAGES)]
        records = [hello.record(hello.HANDSHAKE, message, 0x0301) for message in plain]
        frames = [frame for port, data in zip(ports, records, strict=True) for frame in _tcp(port, data)]
        made.append(Case(label, HELLO_AIM, frames, len(plain[0]), MESSAGES, "dpkt.ssl.TLS",
                         _each(dpkt.ssl.TLS, records)))  # fmt: skip
    for label, answers in (("DNS query", 0), ("DNS answer, 1 record", 1), ("DNS answer, 10 records", 10)):
        messages = [_dns(n, answers) for n in range(MESSAGES)]
        frames = [_udp(port, 53, data, up=not answers) for port, data in zip(ports, messages, strict=True)]
        made.append(Case(label, DNS_AIM, frames, len(messages[0]), MESSAGES, "dpkt.dns.DNS",
                         _each(dpkt.dns.DNS, messages)))  # fmt: skip
    for label, post_quantum in (("QUIC Initial", False), ("QUIC Initial, hello in two datagrams", True)):
        hellos = [hello.quic_hello(rng, f"a{n % 50}.example.org", post_quantum=post_quantum) for n in range(MESSAGES)]
        sent = [quic.client_initials(rng, rng.randbytes(8), message) for message in hellos]
        frames = [_udp(port, 443, data) for port, datagrams in zip(ports, sent, strict=True) for data in datagrams]
        made.append(Case(label, INITIAL_AIM, frames, quic.DATAGRAM, sum(map(len, sent)), "ciphers alone",
                         _ciphers(sent)))  # fmt: skip
    return made


def _each(parse: Callable[[bytes], object], messages: list[bytes]) -> Callable[[], object]:
    return lambda: [parse(message) for message in messages]


def _ciphers(sent: list[list[bytes]]) -> Callable[[], object]:
    """Keys of each connection, and its packets opened; where they lie is known before."""
    known = [[(data, packets(data)[0]) for data in datagrams] for datagrams in sent]

    def run() -> None:
        for datagrams in known:
            keys = client_keys(1, datagrams[0][1].dcid)[0]
            for data, packet in datagrams:
                opened(data, packet, keys)

    return run


def _batch(frames: list[bytes]) -> PacketBatch:
    table = np.zeros(len(frames), PACKET)
    sizes = np.array([len(frame) for frame in frames], np.int64)
    table["at"], table["captured"], table["wire"] = np.cumsum(sizes) - sizes, sizes, sizes
    table["ts_ns"], table["linktype"] = np.arange(len(frames)) * 1000, 1
    return PacketBatch(np.frombuffer(b"".join(frames), np.uint8).copy(), table)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _ours(batch: PacketBatch) -> float:
    dissector = Dissector(DissectOptions())
    return _seconds(lambda: dissector.feed(batch))


def measure(rounds: int = ROUNDS) -> list[Line]:
    """All cases, in turn, `rounds` times after one that does not count."""
    made = cases(random.Random(5))
    batches = [_batch(case.frames) for case in made]
    times: list[list[tuple[float, float]]] = [[] for _ in made]
    for number in range(rounds + 1):
        for case, batch, taken in zip(made, batches, times, strict=True):
            pair = _ours(batch), _seconds(case.read)
            if number:
                taken.append(pair)
    lines = []
    for case, taken in zip(made, times, strict=True):
        ours, theirs = (median(column) / case.parts * 1e6 for column in zip(*taken, strict=True))
        lines.append(Line(case, ours, theirs, median(mine / other for mine, other in taken)))
    return lines


def show(lines: list[Line], console: Console) -> None:
    """The table."""
    table = Table(title="µs of processor time per message, with its packets", title_justify="left")
    for head in ("message", "bytes", "µs", "aim", "reference", "its µs", "ratio"):
        table.add_column(head, justify="left" if head in {"message", "reference"} else "right")
    for case, ours, theirs, ratio in lines:
        mark = "" if ours <= case.aim else " missed"
        table.add_row(case.name, f"{case.size:,}", f"{ours:.2f}", f"{case.aim:g}{mark}", case.reference,
                      f"{theirs:.2f}", f"{ratio:.2f}")  # fmt: skip
    console.print(table)


def main(arguments: list[str] | None = None) -> int:
    """Measures and prints; 0 also where an aim was missed, as the machine may be busy."""
    parser = argparse.ArgumentParser(prog="python -m wiretally.bench.parsers", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    show(measure(parser.parse_args(arguments).rounds), Console(width=110, highlight=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
