"""Whole programs on the benchmark's link: our service with its store, Wireshark's dumpcap, NFStream.

Theory: each runs as a process of its own with everything that it does when it is used, from when it is ready until it has
ended. Its processor time is that of the process and of those that it has started, less what it had used when it was ready;
of the user and of the system apart, as the kernel's ticks share it out.

Rules: buffers are of one size where a program lets them be set. What a peer delivered is what it says itself.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import EnvironmentFault
from .link import replayed

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 600.0  # seconds until a program has to be ready: the first start compiles
SETTLE = 2.0  # seconds for what a program still holds after the last packet
NFSTREAM = """
import sys
from nfstream import NFStreamer
for flow in NFStreamer(source=sys.argv[1], promiscuous_mode=False, n_meters=1, idle_timeout=60, active_timeout=1800,
                       performance_report=1):
    pass
"""  # what it has not given out when it is interrupted is lost: its reports say how many packets it has seen

Outcome = tuple[str, dict[str, Any]]  # what the sender said, what the program found


class Asked(NamedTuple):
    """How readers and programs are started. ring: bytes; snap: as for `live`; nfstream: the Python that has NFStream."""

    ring: int
    snap: str
    nfstream: str


class Used(NamedTuple):
    """Processor seconds."""

    user: float
    system: float

    def since(self, before: Used) -> Used:
        """Those after `before`."""
        return Used(self.user - before.user, self.system - before.system)


def used(pid: int) -> Used:
    """Of a process and of those below it: proc(5)."""
    tick, parents, seconds = os.sysconf("SC_CLK_TCK"), {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has just ended
        each = int(stat.parent.name)
        parents[each], seconds[each] = int(fields[1]), Used(int(fields[11]) / tick, int(fields[12]) / tick)
    tree = {pid}
    while more := {each for each, parent in parents.items() if parent in tree} - tree:
        tree |= more
    mine = [seconds[each] for each in tree if each in seconds]
    return Used(sum(each.user for each in mine), sum(each.system for each in mine))


def peak(pid: int) -> float:
    """MiB that a process had resident at most."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace"))
    return int(found[1]) / 1024 if found else 0.0


def written(pid: int) -> int:
    """Bytes that a process has caused to be written to a disk."""
    found = re.search(r"^write_bytes: (\d+)", Path(f"/proc/{pid}/io").read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) if found else 0


def watch(
    command: list[str], replay: list[str], is_ready: Callable[[], bool], log: Path, ending: int
) -> tuple[str, Used, float, str]:
    """Runs a program while `replay` sends: (what the sender said, what it used, peak MiB, its standard output)."""
    with log.open("w") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        end = time.monotonic() + PATIENCE
        while not is_ready():
            if process.poll() is not None or time.monotonic() > end:
                process.kill()
                raise EnvironmentFault(f"bench live: {command[0]} did not start: {' '.join(log.read_text().split())}")
            time.sleep(0.1)
        time.sleep(SETTLE)
        before = used(process.pid)
        try:
            said = replayed(replay)
        except BaseException:
            process.kill()
            raise
        time.sleep(SETTLE)
        during, memory = used(process.pid), peak(process.pid)
        process.send_signal(ending)
        out = process.communicate(timeout=PATIENCE)[0]
    return said, during.since(before), memory, out


def service(replay: list[str], interface: str, asked: Asked) -> Outcome:
    """`wiretally live`, everything on."""
    with tempfile.TemporaryDirectory(prefix="wiretally-bench-") as folder:
        store, log = Path(folder) / "home.db", Path(folder) / "log"
        command = [sys.executable, "-m", "wiretally.cli.main", "live", "-i", interface, "--store", str(store),
                   "--ring-mb", str(asked.ring >> 20), "--snap", asked.snap]  # fmt: skip
        said, cpu, memory, _ = watch(command, replay, lambda: begun(store), log, signal.SIGTERM)
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
            packets, dropped = connection.execute("SELECT sum(packets), sum(dropped) FROM capture").fetchone()
    return said, {"seen": packets + dropped, "dropped": dropped, "delivered": packets, **cpu._asdict(), "peak": memory}


def begun(store: Path) -> bool:
    """Whether a service has written its first moment into a store."""
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("SELECT count(*) FROM capture").fetchone()[0])
    except sqlite3.OperationalError:
        return False


def dumpcap(replay: list[str], interface: str, asked: Asked) -> Outcome:
    """Wireshark's capture to a file."""
    if which("dumpcap") is None:
        raise EnvironmentFault("bench live: needs dumpcap: apt-get install wireshark-common")
    with tempfile.TemporaryDirectory(prefix="wiretally-bench-") as folder:
        log = Path(folder) / "log"
        command = ["dumpcap", "-q", "-i", interface, f"-B{asked.ring >> 20}", "-w", str(Path(folder) / "packets")]
        said, cpu, memory, _ = watch(command, replay, lambda: log.exists() and "File:" in log.read_text(), log, signal.SIGINT)
        total = re.search(r"received/dropped on interface .*?: (\d+)/(\d+)", log.read_text())
        if total is None:
            raise EnvironmentFault(f"bench live: dumpcap: {' '.join(log.read_text().split())}")
    received, dropped = int(total[1]), int(total[2])
    return said, {"seen": received + dropped, "dropped": dropped, "delivered": received, **cpu._asdict(), "peak": memory}


def nfstream(replay: list[str], interface: str, asked: Asked) -> Outcome:
    """NFStream with its names, by the Python that has it."""
    with tempfile.TemporaryDirectory(prefix="wiretally-bench-") as folder:
        started = time.monotonic()
        command = [asked.nfstream, "-c", NFSTREAM, interface]
        said, cpu, memory, out = watch(command, replay, lambda: time.monotonic() - started > 2 * SETTLE, Path(folder) / "log",
                                       signal.SIGINT)  # fmt: skip
    reports = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    if not reports:
        raise EnvironmentFault("bench live: nfstream: said nothing of its packets")
    packets, dropped = (reports[-1][name] for name in ("packets_processed", "packets_dropped_filtered_by_kernel"))
    return said, {"seen": packets + dropped, "dropped": dropped, "delivered": packets, **cpu._asdict(), "peak": memory}


PROGRAMS = {"service": service, "dumpcap": dumpcap, "nfstream": nfstream}
