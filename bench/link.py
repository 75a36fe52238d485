"""A link of a benchmark's own: two linked interfaces in a namespace without a name, and a capture replayed at one of them."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

from ..capture.report import shown
from ..capture.stream import open_captures
from ..core.errors import EnvironmentFault

CLONE_NEWNET = 0x40000000  # linux/sched.h
TAP, SENDER = "tap", "sender"
MTU = 65_535


def enter_network() -> None:
    """This process, and what it starts, into a namespace of its own with the two linked interfaces."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise EnvironmentFault("bench: needs a network namespace of its own: run as root")
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


def replayed(command: list[str]) -> str:
    """What tcpreplay says when it has sent everything. Raises EnvironmentFault where it cannot."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise EnvironmentFault(f"bench: {command[0]} has sent nothing: {shown(' '.join(done.stderr.split()))}")
    return done.stdout


def size(path: Path) -> tuple[int, int]:
    """Packets and bytes of a capture."""
    packets = octets = 0
    with open_captures([str(path)]) as stream:
        for batch in stream:
            packets += len(batch.packets)
            octets += int(batch.packets["wire"].sum())
    return packets, octets
