"""Whether kernels say the same compiled and uncompiled, and in any batches: `python -m wiretally.bench.agree FOLDER`.

Theory: three workers read the same first packets of each capture: compiled in one batch, compiled in batches cut at
random places, uncompiled in one batch. Each answers with a digest per table; the digests must be equal.

Rules: rows are compared in an order of their own, since they are given up when they are known. A capture that one
worker refuses all must refuse, in the same words. `--packets` limits each capture, because uncompiled kernels are slow;
how many packets were compared is said.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

PACKETS = 200
CUTS = 7
SEED = 1


def digests(path: str, most: int, *, cut: bool) -> dict[str, Any]:
    """Packets read, and a digest of each table; or the one line that says why the capture cannot be read."""
    from wiretally.capture.stream import open_captures
    from wiretally.core.errors import WiretallyError
    from wiretally.core.packets import PacketBatch
    from wiretally.dissect.dissector import DissectOptions, Dissector

    dissector = Dissector(DissectOptions(first_packets=4))
    rng = random.Random(f"{SEED} {Path(path).name}")
    read = 0
    try:
        with open_captures([path]) as stream:
            for batch in stream:
                packets = batch.packets[: most - read]
                places = sorted(rng.randrange(len(packets) + 1) for _ in range(CUTS)) if cut else []
                for low, high in zip([0, *places], [*places, len(packets)], strict=True):
                    dissector.feed(PacketBatch(batch.buffer, packets[low:high]))
                read += len(packets)
                if read >= most:
                    break
    except WiretallyError as error:
        return {"packets": read, "error": str(error)}
    tables = {name: _digest(frame) for name, frame in dissector.tick(end=True).items()}
    return {"packets": read, "counters": dissector.counters.sum(axis=0).tolist(), "given_up": dissector.given_up} | tables


def _digest(frame: pl.DataFrame) -> str:
    rows = sorted(frame.write_ndjson().splitlines())
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


def answer(most: int, *, cut: bool) -> None:
    """A worker: paths on standard input, a line of JSON each on standard output."""
    for line in sys.stdin:
        print(json.dumps(digests(line.rstrip("\n"), most, cut=cut)), flush=True)


class Worker:
    """One process that answers, with or without compiled kernels."""

    def __init__(self, most: int, *, compiled: bool, cut: bool) -> None:
        """Starts it."""
        command = [sys.executable, "-W", "ignore", "-m", "wiretally.bench.agree", "-", "--packets", str(most),
                   *(["--cut"] if cut else [])]  # fmt: skip
        environment = {name: value for name, value in os.environ.items() if name != "NUMBA_DISABLE_JIT"}
        if not compiled:
            environment["NUMBA_DISABLE_JIT"] = "1"
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)

    def ask(self, path: Path) -> None:
        """Sends one capture."""
        pipe: IO[str] = self.process.stdin  # type: ignore[assignment]
        pipe.write(f"{path}\n")
        pipe.flush()

    def told(self) -> dict[str, Any]:
        """Its answer."""
        line = self.process.stdout.readline()  # type: ignore[union-attr]
        found: dict[str, Any] = json.loads(line) if line else {"died": self.process.wait()}
        return found


def compared(paths: list[Path], most: int) -> tuple[int, list[str]]:
    """Packets compared, and a line for each capture that is not told the same by all."""
    workers = {"compiled": Worker(most, compiled=True, cut=False), "in batches": Worker(most, compiled=True, cut=True),
               "uncompiled": Worker(most, compiled=False, cut=False)}  # fmt: skip
    packets, differing = 0, []
    for path in paths:
        for worker in workers.values():
            worker.ask(path)
        answers = {name: worker.told() for name, worker in workers.items()}
        first = answers["compiled"]
        packets += first.get("packets", 0)
        for name, said in answers.items():
            wrong = sorted(key for key in first.keys() | said.keys() if first.get(key) != said.get(key))
            if wrong:
                differing.append(f"{path}: {name}: {', '.join(wrong)}")
    for worker in workers.values():
        worker.process.stdin.close()  # type: ignore[union-attr]
        worker.process.wait()
    return packets, differing


def main(arguments: list[str]) -> int:
    """Compares a folder; 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", help="captures, in folders or not; - is for its own workers")
    parser.add_argument("--packets", type=int, default=PACKETS, metavar="N", help=f"of each capture; default {PACKETS}")
    parser.add_argument("--cut", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.folder == "-":
        answer(asked.packets, cut=asked.cut)
        return 0
    paths = sorted(path for path in Path(asked.folder).rglob("*") if path.is_file() and path.stat().st_size)
    packets, differing = compared(paths, asked.packets)
    print(*differing, f"{len(paths)} captures, {packets:,} packets: {len(differing)} told differently", sep="\n")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
