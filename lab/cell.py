"""A cell in which everything the lab makes dies with it.

Theory: the kernel cleans up more reliably than any `finally`. The lab runs as process 1 of its own PID namespace, with
its own mounts and an empty network; when it ends, for whatever reason, the kernel kills what it started, and network
namespaces, interfaces, routes and temporary files (all on private mounts) vanish with the last process.
Rules: enter before any thread is started; outside the cell nothing is changed. Who asks it to end is obeyed: CPython sees a
signal only between two steps, and one that comes just before a call that sleeps waits for the call's end, so it is sent again.
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

ENDING = signal.SIGINT, signal.SIGTERM
AGAIN = 5.0  # seconds until what was asked to end is asked again
PATIENCE = 3  # times that it is asked, before it is killed

_libc = ctypes.CDLL(None, use_errno=True)


def run_in_cell(work: Callable[[], int]) -> int:
    """Run `work` in a new cell and return its exit status; a signal to this process reaches it.

    Raises `EnvironmentFault` where the kernel or the user's rights do not allow it.
    """
    if _libc.unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID) != 0:
        reason = os.strerror(ctypes.get_errno())
        message = f"lab: cannot make namespaces ({reason}): run as root on a Linux kernel with namespaces"
        raise EnvironmentFault(message)
    watched = {*ENDING, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, watched)  # none is lost between two looks, nor before the child listens
    child = os.fork()
    if child == 0:
        _become_first_process(before)
        os._exit(_status_of(work))
    try:
        code = os.waitstatus_to_exitcode(_ended(child, watched))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return code if code >= 0 else 128 - code


def _ended(child: int, watched: set[signal.Signals]) -> int:
    """The child's status; a signal to this process reaches it, until it ends."""
    asked, times = signal.SIGTERM, 0
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        came = signal.sigtimedwait(watched, AGAIN)
        if came is not None and came.si_signo in ENDING:
            asked, times = signal.Signals(came.si_signo), times + 1
        elif came is None and times:
            times += 1
        else:
            continue
        os.kill(child, asked if times <= PATIENCE else signal.SIGKILL)


def enter_network(name: str) -> None:
    """Move this process into the named network namespace: what it opens from now on belongs there."""
    descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if _libc.setns(descriptor, CLONE_NEWNET) != 0:
            message = f"lab: cannot enter network namespace {name}: {os.strerror(ctypes.get_errno())}"
            raise EnvironmentFault(message)
    finally:
        os.close(descriptor)


def _become_first_process(mask: set[signal.Signals | int]) -> None:
    """Private mounts, a /proc of this PID namespace, and death when the process outside dies; mask: signals that stay blocked."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in ENDING:
        signal.signal(number, _stop)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
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
