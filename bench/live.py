"""How much of a link this machine can follow: a capture replayed over a pair of linked interfaces at rising rates.

Theory: a namespace without a name holds both ends; tcpreplay sends at one, a reader in a process of its own captures at
the other. The reader's processor time counts from the moment that it is ready, so kernels are loaded by then. What the
machine spends on putting packets into the ring is the sender's, as it is on a real link the interrupt's.

Rules: packets are sent once, never in a loop: repeated connections would be other work. A rate counts as followed where
not one packet was dropped and as many came out as went in. Two readers: `ring` only walks the blocks; `dissect` fills
every table and gives them up each second, as the service does. Whole programs, the service with its store among them, are
in `live_peers.py`.
"""

from __future__ import annotations

import argparse
import ctypes
import itertools
import json
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from ..capture.interface import open_live
from ..capture.live import LiveOptions
from ..core.errors import EnvironmentFault, WiretallyError
from .live_peers import PROGRAMS, Outcome
from .mix import count, write
from .processes import machine

if TYPE_CHECKING:
    from ..dissect.dissector import Dissector

console = Console(width=None if sys.stdout.isatty() else 120)

CLONE_NEWNET = 0x40000000  # linux/sched.h
TAP, SENDER = "tap", "sender"
MTU = 65_535
READERS = ("ring", "dissect")
RATES = "10k,50k,100k,200k,300k,400k,top,10mbit,50mbit,250mbit,1000mbit"
TICK = 1.0  # seconds
WARMING = 8  # batches


@dataclass
class Run:
    """One rate: `asked` and `sent` in packets/s, `sent_mbit` in Mbit/s; `top` is as fast as the sender can.

    packets: sent. seen, dropped: of the ring. delivered: to the reader. user, system: its seconds of processor time;
    share: of one processor while packets were sent. peak_mib: resident, the ring included.
    """

    reader: str
    asked: str
    sent: float
    sent_mbit: float
    packets: int
    seen: int
    dropped: int
    delivered: int
    user: float
    system: float
    share: float
    peak_mib: float

    @property
    def is_whole(self) -> bool:
        """Whether every packet that was sent came out."""
        return self.dropped == 0 and self.delivered == self.packets


def enter_network() -> None:
    """This process, and what it starts, into a namespace of its own with the two linked interfaces."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise EnvironmentFault("bench live: needs a network namespace of its own: run as root")
    for name in ("all", "default"):  # no neighbours to discover: only what is replayed is on the link
        setting = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
        if setting.exists():
            setting.write_text("1", encoding="ascii")
    mtu = ["mtu", str(MTU)]
    for command in (
        ["link", "add", TAP, *mtu, "type", "veth", "peer", "name", SENDER, *mtu],
        ["link", "set", TAP, "up"],
        ["link", "set", SENDER, "up"],
    ):
        subprocess.run(["ip", *command], check=True)


def read(reader: str, capture_file: str, ring_bytes: int, snap: str) -> None:
    """The reader's process: says "ready", captures until its standard input ends, prints its figures."""
    options = LiveOptions(ring_bytes=ring_bytes, snap="names" if snap == "names" else "whole")
    dissector = _warm_dissector(capture_file) if reader == "dissect" else None
    with open_live(TAP, options) as capture:
        threading.Thread(target=lambda: (sys.stdin.read(), capture.stop()), daemon=True).start()
        print("ready", flush=True)
        begin, due = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() + TICK
        for batch in capture.batches(TICK):
            if dissector is not None:
                if batch is not None:
                    dissector.feed(batch)
                if time.monotonic() >= due:
                    dissector.tick()
                    due += TICK
        if dissector is not None:
            dissector.tick()
        end = resource.getrusage(resource.RUSAGE_SELF)
        counters = capture.counters()
    peak, user, system = end.ru_maxrss / 1024, end.ru_utime - begin.ru_utime, end.ru_stime - begin.ru_stime
    print(json.dumps({**counters._asdict(), "user": user, "system": system, "peak": peak}))


def _warm_dissector(capture_file: str) -> Dissector:
    """A new dissector, after another has loaded every kernel and library on the first packets of the file."""
    from ..capture.stream import open_captures
    from ..dissect.dissector import Dissector

    trial = Dissector()
    with open_captures([capture_file]) as stream:
        for batch in itertools.islice(stream, WARMING):
            trial.feed(batch)
        trial.tick()
        trial.tick(end=True)
    return Dissector()


def measure(reader: str, path: Path, rate: str, packets: int, arguments: argparse.Namespace) -> Run:
    """One reader at one rate: `200k` packets/s, `50mbit`, or `top`."""
    pace = f"--mbps={rate.removesuffix('mbit')}" if rate.endswith("mbit") else f"--pps={count(rate)}" if rate != "top" else "--topspeed"  # fmt: skip
    replay = ["tcpreplay", "--quiet", pace, f"--limit={packets}", "--preload-pcap", f"--intf1={SENDER}", str(path)]
    said, found = PROGRAMS[reader](replay, TAP, arguments) if reader in PROGRAMS else ours(replay, reader, path, arguments)
    rated = re.search(r"Rated: [\d.]+ Bps, ([\d.]+) Mbps, ([\d.]+) pps", said)
    sent = re.search(r"Successful packets:\s+(\d+)", said)
    if rated is None or sent is None:
        raise EnvironmentFault("bench live: tcpreplay did not say what it sent; is it version 4?")
    went, pps = int(sent[1]), float(rated[2])
    share = (found["user"] + found["system"]) * pps / went
    return Run(reader, rate, pps, float(rated[1]), went, found["seen"], found["dropped"], found["delivered"], found["user"],
               found["system"], share, found["peak"])  # fmt: skip


def ours(replay: list[str], reader: str, path: Path, arguments: argparse.Namespace) -> Outcome:
    """One of our readers while `replay` runs."""
    command = [sys.executable, "-m", __spec__.name, "--reader", reader, "--ring", str(arguments.ring), "--snap",
               arguments.snap, str(path)]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise EnvironmentFault(f"bench live: the reader {reader} did not start")
        said = subprocess.run(replay, capture_output=True, text=True, check=True).stdout
        return said, json.loads(process.communicate("")[0])


def show(runs: list[Run]) -> None:
    """The table, and for each reader the highest rate that it followed without loss."""
    table = Table(title="loss; the reader's processor time, µs per packet, and share of one processor; peak memory", title_justify="left")
    for head in ("reader", "asked", "sent/s", "Mbit/s", "sent", "lost", "user", "system", "both", "CPU", "MiB"):
        table.add_column(head, justify="left" if head == "reader" else "right", no_wrap=True)
    for run in runs:
        each = [seconds / max(run.delivered, 1) * 1e6 for seconds in (run.user, run.system, run.user + run.system)]
        table.add_row(
            run.reader, run.asked, f"{run.sent:,.0f}", f"{run.sent_mbit:,.0f}", f"{run.packets:,}",
            f"{run.packets - run.delivered:,}", *(f"{part:.2f}" for part in each), f"{run.share:.1%}", f"{run.peak_mib:.0f}",
        )  # fmt: skip
    console.print(table)
    for reader in dict.fromkeys(run.reader for run in runs):
        best = max((run.sent for run in runs if run.reader == reader and run.is_whole), default=None)
        console.print(f"{reader}: " + ("lost packets at every rate" if best is None else f"no loss up to {best:,.0f} packets/s"))


def main(words: list[str] | None = None) -> int:
    """`python -m wiretally.bench.live`; as root, with tcpreplay."""
    parser = argparse.ArgumentParser(prog="python -m wiretally.bench.live", description=__doc__.partition("\n")[0])
    parser.add_argument("capture", nargs="?", type=Path, help="what is sent (default: a generated mix)")
    parser.add_argument("--packets", type=count, default=1_000_000, help="size of the generated mix, such as 2M")
    parser.add_argument("--rates", default=RATES, help=f"packets/s, such as 50k; 10mbit; top (default {RATES})")
    parser.add_argument("--seconds", type=float, default=10.0, help="the longest that one rate is sent for")
    parser.add_argument("--ring", type=int, default=64 << 20, help="bytes (default 64 MiB)")
    parser.add_argument("--snap", choices=("whole", "names"), default="whole")
    parser.add_argument("--readers", default="ring,dissect,service", help="ring: blocks only; dissect: every table; service: with its store; dumpcap; nfstream")
    parser.add_argument("--nfstream", default=sys.executable, metavar="PYTHON", help="the one that has NFStream")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--reader", choices=READERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    try:
        if arguments.reader:
            read(arguments.reader, str(arguments.capture), arguments.ring, arguments.snap)
            return 0
        return _bench(arguments)
    except WiretallyError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _bench(arguments: argparse.Namespace) -> int:
    if which("tcpreplay") is None:
        raise EnvironmentFault("bench live: needs tcpreplay: apt-get install tcpreplay")
    enter_network()
    console.print(", ".join(f"{key} {value}" for key, value in machine().items()))
    with tempfile.TemporaryDirectory(prefix="wiretally-bench-") as folder:
        path = arguments.capture
        if path is None:
            path = Path(folder) / "mix.pcap"
            write(path, "mix", arguments.packets)
        packets, octets = size(path)
        runs = []
        for reader in arguments.readers.split(","):
            for rate in arguments.rates.split(","):
                pace = packets if rate == "top" else (
                    float(rate.removesuffix("mbit")) * 1e6 / 8 / (octets / packets) if rate.endswith("mbit") else count(rate)
                )  # fmt: skip
                limit = packets if rate == "top" else min(packets, max(int(pace * arguments.seconds), 1))
                runs.append(measure(reader, path, rate, limit, arguments))
    show(runs)
    if arguments.json:
        result = {"schema": "wiretally.bench.live/2", "machine": machine(), "runs": [asdict(run) for run in runs]}
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def size(path: Path) -> tuple[int, int]:
    """Packets and bytes of a capture."""
    from ..capture.stream import open_captures

    packets = octets = 0
    with open_captures([str(path)]) as stream:
        for batch in stream:
            packets += len(batch.packets)
            octets += int(batch.packets["wire"].sum())
    return packets, octets


if __name__ == "__main__":
    sys.exit(main())
