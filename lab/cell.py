"""A cell in which everything the lab makes dies with it.

Theory: the kernel cleans up more reliably than any `finally`. The lab runs as process 1 of its own PID namespace, with
its own mounts and an empty network; when it ends, for whatever reason, the kernel kills what it started, and network
namespaces, interfaces, routes and temporary files (all on private mounts) vanish with the last process.
Rules: enter before any thread is started; outside the cell nothing is changed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import EnvironmentFault

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

CLONE_NEWNS = 0x00020000  # clone(2)
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1  # prctl(2)

SCRATCH = Path("/run/lab")
"""A folder in memory that exists inside the cell only."""

_libc = ctypes.CDLL(None, use_errno=True)


def run_in_cell(work: Callable[[], int]) -> int:
    """Run `work` in a new cell and return its exit status; a signal to this process reaches it.

    Raises `EnvironmentFault` where the kernel or the user's rights do not allow it.
    """
    if _libc.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID) != 0:
        reason = os.strerror(ctypes.get_errno())
        message = f"lab: cannot make namespaces ({reason}): run as root on a Linux kernel with namespaces"
        raise EnvironmentFault(message)
    child = os.fork()
    if child == 0:
        _become_first_process()
        os._exit(_status_of(work))

    def forward(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)

    previous = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        _, status = os.waitpid(child, 0)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def enter_network(name: str) -> None:
    """Move this process into the named network namespace: what it opens from now on belongs there."""
    descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if _libc.setns(descriptor, CLONE_NEWNET) != 0:
            message = f"lab: cannot enter network namespace {name}: {os.strerror(ctypes.get_errno())}"
            raise EnvironmentFault(message)
    finally:
        os.close(descriptor)


def _become_first_process() -> None:
    """Private mounts, a /proc of this PID namespace, and death when the process outside dies."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    _mount("--make-rprivate", "/")
    _mount("-t", "proc", "proc", "/proc")
    _mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    SCRATCH.mkdir()


def use_resolver(address: str) -> None:
    """Let the whole cell ask the DNS server at `address`."""
    theirs = Path("/etc/resolv.conf").resolve()
    if not theirs.exists():  # a link into the /run that the cell hides
        theirs.parent.mkdir(parents=True, exist_ok=True)
        theirs.touch()
    ours = SCRATCH / "resolv.conf"
    ours.write_text(f"nameserver {address}\noptions timeout:2 attempts:2\n", encoding="ascii")
    _mount("--bind", str(ours), str(theirs))


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False, timeout=10)
    if done.returncode:
        message = f"lab: mount {' '.join(arguments)} failed: {done.stderr.strip()}"
        raise EnvironmentFault(message)


def _stop(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _status_of(work: Callable[[], int]) -> int:
    """What `work` would have made the process's exit status."""
    try:
        return work()
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
