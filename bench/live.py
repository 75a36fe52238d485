"""How much of a link this machine can follow: a capture replayed over a pair of linked interfaces at rising rates.

Theory: a namespace without a name holds both ends; tcpreplay sends at one, a reader in a process of its own captures at
the other. The reader's processor time counts from the moment that it is ready, so kernels are loaded by then. What the
machine spends on putting packets into the ring is the sender's, as it is on a real link the interrupt's.

Rules: packets are sent once, never in a loop: repeated connections would be other work. A rate counts as followed where
not one packet was dropped and as many came out as went in. Two readers (`live_reader.py`): `ring` only walks the blocks;
`dissect` fills every table and gives them up each second, as the service does. Whole programs, the service with its store
among them, are in `live_peers.py`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

from rich.table import Table

from ..core.errors import EnvironmentFault, InputError
from .link import SENDER, TAP, enter_network, replayed, size
from .live_peers import PROGRAMS, Asked, Outcome
from .live_reader import READERS
from .mix import count, write
from .processes import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import RenderableType

EVERYBODY = (*READERS, *PROGRAMS)


@dataclass(frozen=True)
class Options:
    """What is sent, and who reads it.

    capture: what is sent; None is a generated mix of `packets`. readers: of EVERYBODY. rates: packets/s (`50k`), `10mbit`,
    or `top`, as fast as the sender can; each is sent for `seconds` at most.
    """

    capture: Path | None
    packets: int
    readers: tuple[str, ...]
    rates: tuple[str, ...]
    seconds: float
    asked: Asked


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


def pace(rate: str, mean: float) -> float:
    """Packets/s that a rate is, for frames of `mean` bytes; infinity for `top`. Raises ValueError where it is no rate."""
    if rate == "top":
        return float("inf")
    found = float(rate.removesuffix("mbit")) * 1e6 / 8 / mean if rate.endswith("mbit") else float(count(rate))
    if not 0 < found < float("inf"):
        raise ValueError(f"{rate!r} is no rate")
    return found


def bench(options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Every reader at every rate; `say` is told which it is. As root, with tcpreplay; raises WiretallyError."""
    if which("tcpreplay") is None:
        raise EnvironmentFault("bench live: needs tcpreplay: apt-get install tcpreplay")
    enter_network()
    result: dict[str, Any] = {"schema": "wiretally.bench.live/2", "machine": machine(), "runs": []}
    with tempfile.TemporaryDirectory(prefix="wiretally-bench-") as folder:
        path = options.capture
        if path is None:
            path = Path(folder) / "mix.pcap"
            say(f"making {options.packets:,} packets")
            write(path, "mix", options.packets)
        packets, octets = size(path)
        if not packets:
            raise InputError(f"{path}: no packet to send")
        for reader in options.readers:
            for rate in options.rates:
                say(f"{reader} at {rate}")
                limit = max(int(min(packets, pace(rate, octets / packets) * options.seconds)), 1)
                result["runs"].append(asdict(measure(reader, path, rate, limit, options.asked)))
    return result


def measure(reader: str, path: Path, rate: str, packets: int, asked: Asked) -> Run:
    """One reader at one rate."""
    speed = f"--mbps={rate.removesuffix('mbit')}" if rate.endswith("mbit") else f"--pps={count(rate)}" if rate != "top" else "--topspeed"  # fmt: skip
    replay = ["tcpreplay", "--quiet", speed, f"--limit={packets}", "--preload-pcap", f"--intf1={SENDER}", str(path)]
    said, found = PROGRAMS[reader](replay, TAP, asked) if reader in PROGRAMS else ours(replay, reader, path, asked)
    rated = re.search(r"Rated: [\d.]+ Bps, ([\d.]+) Mbps, ([\d.]+) pps", said)
    sent = re.search(r"Successful packets:\s+(\d+)", said)
    if rated is None or sent is None:
        raise EnvironmentFault("bench live: tcpreplay did not say what it sent; is it version 4?")
    went, pps = int(sent[1]), float(rated[2])
    share = (found["user"] + found["system"]) * pps / went
    return Run(reader, rate, pps, float(rated[1]), went, found["seen"], found["dropped"], found["delivered"], found["user"],
               found["system"], share, found["peak"])  # fmt: skip


def ours(replay: list[str], reader: str, path: Path, asked: Asked) -> Outcome:
    """One of our readers while `replay` runs."""
    command = [sys.executable, "-m", "wiretally.bench.live_reader", "--ring", str(asked.ring), "--snap", asked.snap, reader,
               str(path)]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise EnvironmentFault(f"bench live: the reader {reader} did not start")
        try:
            said = replayed(replay)
        except BaseException:
            process.kill()
            raise
        return said, json.loads(process.communicate("")[0])


def shown(result: dict[str, Any]) -> Iterator[RenderableType]:
    """The machine, the table, and for each reader the highest rate that it followed without loss."""
    yield ", ".join(f"{key} {value}" for key, value in result["machine"].items())
    runs = [Run(**each) for each in result["runs"]]
    table = Table(title="loss; the reader's processor time, µs per packet, and share of one processor; peak memory", title_justify="left")
    for head in ("reader", "asked", "sent/s", "Mbit/s", "sent", "lost", "user", "system", "both", "CPU", "MiB"):
        table.add_column(head, justify="left" if head == "reader" else "right", no_wrap=True)
    for run in runs:
        each = [seconds / max(run.delivered, 1) * 1e6 for seconds in (run.user, run.system, run.user + run.system)]
        table.add_row(
            run.reader, run.asked, f"{run.sent:,.0f}", f"{run.sent_mbit:,.0f}", f"{run.packets:,}",
            f"{run.packets - run.delivered:,}", *(f"{part:.2f}" for part in each), f"{run.share:.1%}", f"{run.peak_mib:.0f}",
        )  # fmt: skip
    yield table
    for reader in dict.fromkeys(run.reader for run in runs):
        best = max((run.sent for run in runs if run.reader == reader and run.is_whole), default=None)
        yield f"{reader}: " + ("lost packets at every rate" if best is None else f"no loss up to {best:,.0f} packets/s")
