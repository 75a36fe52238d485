"""Captures of any size with known content, for benchmarks: the same seed gives the same bytes.

Theory: flows begin one after another; a group of flows is scripted (`flows`), its packets join those still pending, and
all that lie before the next group's beginning are sorted by time and written. So memory holds one group and the tails of
earlier ones, never the capture. Headers are laid over a copy of a pool of noise by NumPy, some thousand frames at once.

Three kinds. `mix`: 50,000 TLS and 8,000 QUIC flows per nominal 5 million packets over 563 s, a DNS lookup before each,
200 clients, a quarter of it IPv6. `short`: the same names and handshakes in flows of about a dozen packets, most without
a lookup. `small64`: 64-byte UDP frames over 1,000 flows. TCP and UDP checksums are those of an offloading sender
(pseudo-header only); IPv4 header checksums are right.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from .flows import SECOND, Pace, Truth, Wire, dns, quic_flow, tls
from .frames import Ends, Writer
from .hello import make_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator

NOMINAL = 5_000_000
SPAN = 563 * SECOND  # of a nominal capture
START = 1_767_225_600 * SECOND  # 2026-01-01T00:00:00Z
GROUP = 250
CLIENTS, SERVERS, HOSTS = 200, 2_000, 3_000
ZONES = (
    "example.com", "example.net", "google-analytics.com", "doubleclick.net", "gstatic.com", "facebook.com", "akamaihd.net",
    "cloudfront.net", "api.intl.miui.com", "sentry.io", "app-measurement.com", "cdn.example.org", "news.example.co.uk",
)  # fmt: skip
WORDS = (
    "www",
    "api",
    "static",
    "img",
    "events",
    "log",
    "cdn",
    "push",
    "data",
    "edge",
    "sync",
    "metrics",
    "assets",
    "m",
)
PACES = {"mix": Pace(4.05, 8.62, 2.5), "short": Pace(0.2, 6.0, 0.5)}
LOOKUPS = {"mix": 1.0, "short": 0.25}  # of all flows, how many have a DNS lookup before them
FLOWS_PER_MILLION = {"mix": 11_600, "short": 60_000}
QUIC_SHARE = 8 / 58
V6_SHARE = 0.25


class World:
    """Who talks to whom: clients behind one access point, servers, and their names."""

    def __init__(self, rng: Random) -> None:
        """Everything random comes from `rng`."""
        self.rng = rng
        self.client_macs = [b"\x02" + rng.randbytes(5) for _ in range(CLIENTS)]
        self.gateway_mac = b"\x02" + rng.randbytes(5)
        names = {f"{rng.choice(WORDS)}{i}.{rng.choice(ZONES)}" for i in range(HOSTS)}
        self.names = sorted(names)
        self.v4 = [
            bytes((rng.choice((23, 34, 52, 104, 142, 151)),)) + rng.randbytes(2) + b"\x0a" for _ in range(SERVERS)
        ]
        self.v6 = [bytes.fromhex("2a001450") + rng.randbytes(11) + b"\x0a" for _ in range(SERVERS)]
        self.certificate = make_certificate(rng)
        self.ports = [32_768] * CLIENTS

    def port(self, client: int) -> int:
        """The client's next ephemeral port."""
        self.ports[client] = 32_768 + (self.ports[client] - 32_767) % 28_000
        return self.ports[client]

    def addresses(self, client: int, host: int) -> tuple[bytes, bytes, bytes]:
        """Of the client, of the resolver it uses, and of the host, in one family."""
        if self.rng.random() < V6_SHARE:
            link = bytes.fromhex("20010db8004300000000000000000000")[:14]
            return link + (client + 2).to_bytes(2, "big"), link + b"\0\1", self.v6[host % SERVERS]
        return bytes((192, 168, 43, client + 2)), bytes((192, 168, 43, 1)), self.v4[host % SERVERS]


def generate(out: BinaryIO, kind: str, packets: int, *, seed: int = 1, keep_names: bool = False) -> Truth:
    """Writes a capture of about `packets` packets of one kind (`mix`, `short`, `small64`) and says what is in it."""
    truth = Truth(keep_names=keep_names)
    writer = Writer(out, seed)
    batches = _small_frames(packets, seed, truth) if kind == "small64" else _conversations(kind, packets, seed, truth)
    for ends, rows, contents in batches:
        writer.write(ends, rows, contents)
    truth.packets, truth.frame_bytes = writer.packets, writer.frame_bytes
    return truth


Batch = tuple[Ends, npt.NDArray[np.int64], npt.NDArray[np.object_]]


def _conversations(kind: str, packets: int, seed: int, truth: Truth) -> Iterator[Batch]:
    """Batches in time order: the packets that lie before the beginning of the next group of flows."""
    rng = Random(f"{kind}-{seed}")
    world = World(rng)
    flows = max(1, packets * FLOWS_PER_MILLION[kind] // 1_000_000)
    span = SPAN * packets // NOMINAL
    ends = Ends()
    rows = np.empty((0, 6), np.int64)
    contents = np.empty(0, np.object_)
    for first in range(0, flows, GROUP):
        wire = Wire(rng, truth)
        for flow in range(first, min(first + GROUP, flows)):
            start = START + span * flow // flows + rng.randrange(max(1, span // flows))
            _conversation(wire, world, ends, kind, start)
        rows = np.concatenate([rows, np.array(wire.rows, np.int64)])
        contents = np.concatenate([contents, _objects(wire.contents)])
        order = np.argsort(rows[:, 0], kind="stable")
        rows, contents = rows[order], contents[order]
        last = first + GROUP >= flows
        ready = len(rows) if last else int(np.searchsorted(rows[:, 0], START + span * (first + GROUP) // flows))
        yield ends, rows[:ready], contents[:ready]
        rows, contents = rows[ready:], contents[ready:]
        ends.forget(int(rows[:, 1].min()) if len(rows) else len(ends))


def _conversation(wire: Wire, world: World, ends: Ends, kind: str, time: int) -> None:
    """One flow, and the lookup before it."""
    rng, pace = world.rng, PACES[kind]
    client, host = rng.randrange(CLIENTS), min(int(rng.paretovariate(0.6)) - 1, 10**6) % len(world.names)
    name = world.names[host]
    local, resolver, remote = world.addresses(client, host)
    macs = (world.client_macs[client], world.gateway_mac)
    if rng.random() < LOOKUPS[kind]:
        time = dns(wire, ends.add(macs, local, resolver, world.port(client), 53, tcp=False), time, name, remote)
    quic = rng.random() < QUIC_SHARE
    end = ends.add(macs, local, remote, world.port(client), 443, tcp=not quic)
    if quic:
        quic_flow(wire, end, time, name, pace)
    else:
        tls(wire, end, time, name, pace, world.certificate)


def _small_frames(packets: int, seed: int, truth: Truth) -> Iterator[Batch]:
    """64-byte UDP frames, a microsecond apart, of 1,000 flows in random order."""
    rng = Random(f"small64-{seed}")
    world, ends = World(rng), Ends()
    for flow in range(1_000):
        local, remote = bytes((192, 168, 43, flow % CLIENTS + 2)), world.v4[flow]
        ends.add((world.client_macs[flow % CLIENTS], world.gateway_mac), local, remote, 20_000 + flow, 9_000, tcp=False)
    truth.other_flows = min(1_000, packets)
    noise = np.random.default_rng(seed)
    for first in range(0, packets, 1 << 16):
        count = min(1 << 16, packets - first)
        rows = np.zeros((count, 6), np.int64)
        rows[:, 0] = START + np.arange(first, first + count) * 1_000
        rows[:, 1] = noise.integers(0, 2_000, count)
        rows[:, 3] = 64 - 14 - 20 - 8
        yield ends, rows, np.full(count, None, np.object_)


def _objects(items: list[tuple[tuple[int, bytes], ...] | None]) -> npt.NDArray[np.object_]:
    array = np.empty(len(items), np.object_)
    array[:] = items
    return array


def write(path: Path, kind: str, packets: int, *, seed: int = 1, keep_names: bool = False) -> str:
    """Generates `path`, and its truth as JSON beside it; the truth."""
    with path.open("wb") as out:
        truth = generate(out, kind, packets, seed=seed, keep_names=keep_names)
    text = json.dumps({"kind": kind, "seed": seed, **asdict(truth)}, indent=1) + "\n"
    Path(f"{path}.json").write_text(text, encoding="utf-8")
    return text


def count(text: str) -> int:
    """`5M`, `300k` or a plain number of packets; raises ValueError where it is none."""
    scale = {"k": 1_000, "M": 1_000_000}.get(text[-1:], 1)
    number = float(text.rstrip("kM")) * scale
    if not 1 <= number < float("inf"):
        raise ValueError(f"{text!r} is no number of packets")
    return int(number)


def main(arguments: list[str] | None = None) -> int:
    """`python -m wiretally.bench.mix mix --packets 1M -o mix1m.pcap`."""
    parser = argparse.ArgumentParser(prog="python -m wiretally.bench.mix", description=__doc__.partition("\n")[0])
    parser.add_argument("kind", choices=("mix", "short", "small64"))
    parser.add_argument("--packets", type=count, default=1_000_000, help="nominal size, such as 300k or 5M")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--names", action="store_true", help="keep every name in the truth")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the capture; its truth goes to OUTPUT.json")
    options = parser.parse_args(arguments)
    text = write(options.output, options.kind, options.packets, seed=options.seed, keep_names=options.names)
    if not options.names:
        sys.stderr.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
