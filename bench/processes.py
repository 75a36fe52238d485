"""Whole processes, measured: wall time, processor time and peak resident memory.

Theory: what a user waits for is a process from its start to its end, so that is what is timed; `wait4` gives the
kernel's own account of that one child. The peak is that of the largest process of its tree, not the sum.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

LAUNCH = Path(__file__).resolve().parent / "launch.py"


class Run(NamedTuple):
    """One process: `seconds` of wall time, `cpu` seconds of user and system time, `peak` MiB, `code` of its exit."""

    seconds: float
    cpu: float
    peak: float
    code: int


def run(command: list[str], log: Path) -> Run:
    """Runs `command` with its output in `log`."""
    launcher = [sys.executable, "-I", "-S", str(LAUNCH), str(log), *command]
    words = subprocess.run(launcher, capture_output=True, text=True, check=True).stdout.split()
    return Run(float(words[0]), float(words[1]), int(words[2]) / 1024, int(words[3]))


def warm(path: Path) -> str:
    """Reads the file once, so that every tool finds it in the page cache; says whether it can have stayed there."""
    block = bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(block):
            pass
    return "warm" if path.stat().st_size < available_memory() // 2 else "too small for the file"


def available_memory() -> int:
    """Bytes that the kernel could hand out: MemAvailable of proc(5)."""
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    processor = "unknown"
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(("model name", "Model")):
            processor = line.partition(":")[2].strip()
    return {
        "processor": processor,
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "load at start": f"{os.getloadavg()[0]:.2f}",
    }
