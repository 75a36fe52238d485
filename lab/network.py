"""Phone, access point and internet as network namespaces on one machine.

    phone 192.168.50.23 -- veth -- 192.168.50.1 access point -- link with latency -- internet (all hosts' addresses)

Rules: the veth pair has every offload off, so that the tap sees the segments and checksums that a radio would carry;
IPv6 is off, as in a home network without it; the access point routes without address translation, which the tap on
the phone's side could not see anyway. Names are private to the cell (see cell.py).
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from ..core.errors import EnvironmentFault
from .hosts import HOSTS

PHONE, ACCESS_POINT, INTERNET = "phone", "ap", "internet"

PHONE_IP = "192.168.50.23"
PHONE_MAC = "d2:6a:91:3c:0e:57"  # locally administered and random, as phones use per network
AP_IP = "192.168.50.1"
AP_MAC = "b8:27:eb:4f:12:a0"
PREFIX = 24
RADIO = "wlan0"
UPLINK, CORE = "uplink0", "core0"
UPLINK_IP, CORE_IP = "100.64.7.2", "100.64.7.1"  # RFC 6598: between a line and its provider

OFFLOADS = ("tso", "gso", "gro", "tx", "rx")
STEP_TIMEOUT = 20.0


def inside(namespace: str, *command: str) -> list[str]:
    """The command line that runs `command` in `namespace`."""
    return ["ip", "netns", "exec", namespace, *command]


def build() -> None:
    """Make the three namespaces and the radio link; the link to the internet is up once distance.py holds it."""
    Path("/run/netns").mkdir(exist_ok=True)
    for namespace in (PHONE, ACCESS_POINT, INTERNET):
        _run(["ip", "netns", "add", namespace])
        _set(namespace, "net/ipv6/conf/all/disable_ipv6", "1")
        _run(inside(namespace, "ip", "link", "set", "lo", "up"))
    radio = ["ip", "link", "add", "name", RADIO, "address", PHONE_MAC, "netns", PHONE, "type", "veth"]
    _run([*radio, "peer", "name", RADIO, "address", AP_MAC, "netns", ACCESS_POINT])
    for namespace, address in ((PHONE, PHONE_IP), (ACCESS_POINT, AP_IP)):
        _run(inside(namespace, "ip", "address", "add", f"{address}/{PREFIX}", "dev", RADIO))
        off = [word for offload in OFFLOADS for word in (offload, "off")]
        _run(inside(namespace, "ethtool", "-K", RADIO, *off))
        _run(inside(namespace, "ip", "link", "set", RADIO, "up"))
    _run(inside(PHONE, "ip", "route", "add", "default", "via", AP_IP))
    for namespace, device, here, there in (
        (ACCESS_POINT, UPLINK, UPLINK_IP, CORE_IP),
        (INTERNET, CORE, CORE_IP, UPLINK_IP),
    ):
        _run(inside(namespace, "ip", "tuntap", "add", "dev", device, "mode", "tun"))
        _run(inside(namespace, "ip", "address", "add", here, "peer", there, "dev", device))
        _run(inside(namespace, "ip", "link", "set", device, "up"))
        _run(inside(namespace, "ip", "route", "add", "default", "via", there))
    _set(ACCESS_POINT, "net/ipv4/ip_forward", "1")
    for address in sorted({host.address for host in HOSTS}):
        _run(inside(INTERNET, "ip", "address", "add", f"{address}/32", "dev", "lo"))


def _set(namespace: str, name: str, value: str) -> None:
    """Write a kernel setting of the namespace."""
    _run(inside(namespace, "sh", "-c", f"echo {value} > /proc/sys/{name}"))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=STEP_TIMEOUT)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        message = f"lab: {' '.join(command)}: {said}"
        raise EnvironmentFault(message)
