"""The reader on the benchmark's link, in a process of its own: `python -m wiretally.bench.live_reader dissect FILE`.

Theory: it says "ready" when everything is loaded, captures until its standard input ends, and prints its figures as a line
of JSON. Its processor time counts from "ready" on.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import sys
import threading
import time
from typing import TYPE_CHECKING

from ..capture.interface import open_live
from ..capture.live import LiveOptions
from ..capture.stream import open_captures
from ..core.errors import WiretallyError
from .link import TAP

if TYPE_CHECKING:
    from ..dissect.dissector import Dissector

READERS = ("ring", "dissect")
TICK = 1.0  # seconds
WARMING = 8  # batches


def read(reader: str, capture_file: str, ring_bytes: int, snap: str) -> None:
    """Captures with or without a dissector, which `capture_file` makes ready."""
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
    from ..dissect.dissector import Dissector  # here: the ring's reader is measured without it

    trial = Dissector()
    with open_captures([capture_file]) as stream:
        for batch in itertools.islice(stream, WARMING):
            trial.feed(batch)
        trial.tick()
        trial.tick(end=True)
    return Dissector()


def main() -> int:
    """Started by `live.py`; what cannot be captured is one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m wiretally.bench.live_reader", description=__doc__.partition("\n")[0])
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("capture", help="what will be sent")
    parser.add_argument("--ring", type=int, required=True, help="bytes")
    parser.add_argument("--snap", choices=("whole", "names"), required=True)
    arguments = parser.parse_args()
    try:
        read(arguments.reader, arguments.capture, arguments.ring, arguments.snap)
    except WiretallyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
