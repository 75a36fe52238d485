"""The live service on a machine of its own, whose clock may be set and whose memory is an appliance's.

Theory: the clock of whoever tests is not for setting. User-Mode Linux is the kernel as a program (`linux.uml`): a machine
with its own clock, memory and interfaces, one processor, and this file system read-only as its root, so that Python, the
packages and the project are simply there. It needs no processor that lets machines run, and it runs code as fast as this machine does. A
trial's half inside sends, sets the clock and ends; its half outside compares what the store says with what was sent, as
`service.flood` does.

Rules: nothing is installed. The kernel is that of Debian's package user-mode-linux, in `/` or in a folder that
`dpkg-deb -x` has put it into. Inside, only two folders of this machine can be written: the trial's and the kernels'. The
machine ends with the process that made it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import re
import shlex
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from shutil import copy
from typing import TYPE_CHECKING, Any

import polars as pl

from ..capture.stream import open_captures
from ..core.errors import EnvironmentFault
from ..core.jit import cache_folder
from ..store import marks
from ..store.reader import read_store
from .link import SENDER, enter_network
from .live_peers import peak
from .mix import count
from .service import Live, capture, counters, same_as, totals, tried

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STEP = 3600.0  # seconds
SLACK = 0.5  # seconds that a step may be told wrong by: what passes between two looks at both clocks
FINIT_MODULE = 313  # of x86-64, the only one that Debian's package is for
PATIENCE = 1800.0  # seconds: the first start compiles
EACH = 16  # packets that are sent between two looks at the clock
NS = 1_000_000_000
INIT = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run
mount -t hostfs -o {folder} none {folder}
mount -t hostfs -o {cache} none {cache}
export {passed} TMPDIR=/run PYTHONDONTWRITEBYTECODE=1
{command} >{folder}/said 2>&1
echo o >/proc/sysrq-trigger
sleep 60
"""


def find_kernel(root: Path) -> Path:
    """The kernel in a folder that is laid out as the package; `EnvironmentFault` where there is none."""
    kernel = root / "usr/bin/linux.uml"
    if not kernel.is_file():
        raise EnvironmentFault(
            f"bench machine: no kernel in {root}: apt-get install user-mode-linux, or apt-get download it, dpkg-deb -x, and name the folder with --kernel"
        )
    return kernel


def first_script(command: Sequence[str], folder: Path, cache: Path) -> str:
    """What the machine runs first: places that can be written, then `command`, then it is switched off."""
    passed = shlex.join(f"{name}={os.environ[name]}" for name in ("PATH", "PYTHONPATH", "HOME", "WIRETALLY_CACHE_DIR") if name in os.environ)
    places = {"folder": shlex.quote(str(folder)), "cache": shlex.quote(str(cache))}
    return INIT.format(**places, passed=passed, command=shlex.join(command))


def run(command: Sequence[str], folder: Path, root: Path, memory: int) -> list[dict[str, Any]]:
    """A machine with `memory` MiB for one command: what it has put into `folder`/results, a line of JSON each."""
    init = folder / "init"
    init.write_text(first_script(command, folder, cache_folder().parent), encoding="utf-8")
    init.chmod(0o700)
    line = [
        "setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", str(find_kernel(root)), f"mem={memory}M", "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}",
        "con=null", "con0=null,fd:1", f"uml_dir={folder}",
    ]  # fmt: skip
    with (folder / "console").open("wb") as console:
        machine = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
        try:
            machine.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pass
        finally:
            machine.kill()
            machine.wait()
    results = folder / "results"
    found = [json.loads(each) for each in results.read_text(encoding="utf-8").splitlines()] if results.exists() else []
    if not found:
        said = [(folder / name).read_text(encoding="utf-8", errors="replace") for name in ("said", "console") if (folder / name).exists()]
        raise EnvironmentFault(f"bench machine: it has found nothing: {' '.join(' '.join(said).split())[-1000:]}")
    results.unlink()
    return found


def load_module(root: Path, name: str) -> None:
    """A driver of this kernel, which `modprobe` would only look for in /lib/modules."""
    paths = sorted((root / "usr/lib/uml/modules" / os.uname().release).rglob(f"{name}.ko"))
    for path in paths:
        with path.open("rb") as file:
            if ctypes.CDLL(None, use_errno=True).syscall(FINIT_MODULE, file.fileno(), b"", 0):
                raise OSError(ctypes.get_errno(), f"{path}: {os.strerror(ctypes.get_errno())}")


def inside(arguments: argparse.Namespace) -> dict[str, Any]:
    """The half of a trial that runs in the machine: the service under load, the clock stepped `steps` times; the store is left in the folder."""
    folder, store = Path(arguments.inside), Path("/run/home.db")
    load_module(arguments.kernel, "veth")
    enter_network()
    live = Live(store, *arguments.options.split(), log=folder / "log")
    chance, steps, size = random.Random(arguments.seed), list[float](), STEP
    began, wall = time.monotonic(), time.time_ns()
    sender = threading.Thread(target=send, args=(Path(arguments.capture), arguments.pps))
    sender.start()
    marks.start(str(store), "incognito", "phone")
    seconds, free = arguments.packets / arguments.pps, available()
    for moment in sorted(chance.uniform(1.0, seconds - 1.0) for _ in range(arguments.steps)):
        time.sleep(max(began + moment - time.monotonic(), 0))
        time.clock_settime(time.CLOCK_REALTIME, time.time() + size)
        steps.append(size)
        size = chance.choice((STEP, -STEP))
    while sender.is_alive():
        free = min(free, available())
        time.sleep(0.1)
    time.sleep(2.0)
    marks.stop(str(store))
    result = {"steps": steps, "received": counters(), "peak_mib": round(peak(live.process.pid), 1), "least_free_mib": round(free), "oom": oom()}
    code = live.end()
    copy(store, folder / "home.db")
    return result | {"exit": code, "seconds": time.monotonic() - began, "began_ns": wall}


def send(path: Path, pps: int) -> None:
    """Sends a capture, `pps` packets a second by the clock that nobody sets; tcpreplay goes by the other."""
    with open_captures([str(path)]) as stream, socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as link:
        link.bind((SENDER, 0))
        began, sent = time.monotonic(), 0
        for batch in stream:
            frames = batch.buffer.tobytes()
            for at, size in zip(batch.packets["at"].tolist(), batch.packets["captured"].tolist(), strict=True):
                link.send(frames[at : at + size])
                sent += 1
                if sent % EACH == 0:
                    time.sleep(max(began + sent / pps - time.monotonic(), 0))


def available() -> float:
    """MiB that programs could still have: proc_meminfo(5)."""
    found = re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else 0.0


def oom() -> int:
    """How often the kernel has killed something for want of memory: proc_vmstat(5)."""
    found = re.search(r"^oom_kill (\d+)", Path("/proc/vmstat").read_text(encoding="ascii"), re.MULTILINE)
    return int(found[1]) if found else 0


def clock(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """The clock is stepped by an hour, up and down, at random moments under load: everything is counted, nothing gets a length it never had."""
    import wiretally

    path = capture(arguments, folder)
    offline = wiretally.read(path)
    sent = int(offline.capture["packets"].sum())
    for number in range(arguments.runs):
        (found,) = machine(arguments, folder, path, arguments.steps, arguments.seed + number)
        tables = read_store(str(folder / "home.db"), ("flows", "exchanges", "tls", "dns", "capture"))
        with closing(sqlite3.connect(folder / "home.db")) as connection:
            sessions = [ended - begun for begun, ended in connection.execute("SELECT start_ns, end_ns FROM sessions")]
            noted = [(at, step / NS) for at, step in connection.execute("SELECT at_ns, step_ns FROM clock_steps ORDER BY rowid")]
        same, odd = same_as(tables, offline), lengths(tables, found["seconds"])
        parts = len(sessions) == len(noted) + 1 and all(0 < each < found["seconds"] * NS for each in sessions)  # of the one session, by each clock
        told = len(noted) == len(found["steps"]) and all(abs(step - made) < SLACK for (_, step), made in zip(noted, found["steps"], strict=True))
        stored, dropped = int(tables["capture"]["packets"].sum()), int(tables["capture"]["dropped"].sum())
        yield {"run": number, "sent": sent, "received": found["received"], "stored": stored, "dropped": dropped, "totals": totals(tables), "same": same,
               "steps": found["steps"], "noted": [round(step, 3) for _, step in noted], "sessions": len(sessions), "never_so_long": odd, "seconds": round(found["seconds"], 1),
               "holds": found["exit"] == 0 and sent == found["received"] == stored and not dropped and len({*totals(tables)}) == 1
               and all(same.values()) and told and parts and not odd}  # fmt: skip


def lengths(tables: dict[str, pl.DataFrame], seconds: float) -> dict[str, int]:
    """How many flows, exchanges and times between two packets are negative or longer than the trial was, where there are any."""
    spans = {
        "flows": pl.col("last_seen") - pl.col("first_seen"), "exchanges": pl.col("end") - pl.col("start"),
        "capture": pl.col("last_seen") - pl.col("first_seen"),
    }  # fmt: skip
    odd = {name: tables[name].filter(~span.dt.total_nanoseconds().is_between(0, int(seconds * NS))).height for name, span in spans.items()}
    for name in ("flows", "tls", "dns"):
        for column in tables[name].columns:
            if column.endswith("_ms"):
                odd[f"{name}.{column}"] = tables[name].filter(~pl.col(column).is_between(0, seconds * 1000)).height
    return {name: height for name, height in odd.items() if height}


def memory(arguments: argparse.Namespace, folder: Path) -> Iterator[dict[str, Any]]:
    """The service in the memory of a small machine: what it takes at most, what is left, that nothing is killed."""
    path = capture(arguments, folder)
    for number in range(arguments.runs):
        (found,) = machine(arguments, folder, path, 0, arguments.seed + number)
        tables = read_store(str(folder / "home.db"), ("flows", "exchanges", "capture"))
        stored, dropped = int(tables["capture"]["packets"].sum()), int(tables["capture"]["dropped"].sum())
        yield {"run": number, "memory_mib": arguments.memory, "peak_mib": found["peak_mib"], "least_free_mib": found["least_free_mib"], "oom": found["oom"],
               "received": found["received"], "stored": stored, "dropped": dropped, "flows": tables["flows"].height,
               "holds": found["exit"] == 0 and not found["oom"] and stored == found["received"] and len({*totals(tables)}) == 1}  # fmt: skip


def machine(arguments: argparse.Namespace, folder: Path, path: Path, steps: int, seed: int) -> list[dict[str, Any]]:
    """One machine for one run."""
    words = {"inside": folder, "capture": path, "kernel": arguments.kernel, "packets": arguments.packets, "pps": arguments.pps, "steps": steps, "seed": seed}
    command = [sys.executable, "-m", __spec__.name, arguments.trial, *(f"--{name}={value}" for name, value in words.items()), f"--options={arguments.options}"]
    return run(command, folder, arguments.kernel, arguments.memory)


TRIALS = {"clock": clock, "memory": memory}


def main(words: list[str] | None = None) -> int:
    """`python -m wiretally.bench.machine clock --runs 5`; as root, with user-mode-linux."""
    parser = argparse.ArgumentParser(prog="python -m wiretally.bench.machine", description=__doc__.partition("\n")[0])
    parser.add_argument("trial", choices=TRIALS)
    parser.add_argument("--kernel", type=Path, default=Path("/"), metavar="FOLDER", help="that the package user-mode-linux is in")
    parser.add_argument("--capture", help="what is sent (default: a generated mix); give --packets too")
    parser.add_argument("--packets", type=count, default=60_000, help="size of the generated mix, such as 2M")
    parser.add_argument("--pps", type=int, default=2_000)
    parser.add_argument("--steps", type=int, default=4, help="of the clock, in each run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory", type=int, default=1024, help="MiB")
    parser.add_argument("--options", default="", help="more options of wiretally live")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    if arguments.inside:
        (Path(arguments.inside) / "results").write_text(json.dumps(inside(arguments)) + "\n", encoding="utf-8")
        return 0
    return tried(TRIALS[arguments.trial], arguments, must_be_root, lambda: find_kernel(arguments.kernel))


def must_be_root() -> None:
    """Raises EnvironmentFault."""
    if os.geteuid():
        raise EnvironmentFault("bench machine: needs processes of its own: run as root")


if __name__ == "__main__":
    sys.exit(main())
