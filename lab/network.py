"""Phone, access point and internet as network namespaces on one machine.

    phone 192.168.50.23 -- veth -- 192.168.50.1 access point -- link with latency -- internet (all hosts' addresses)

With two phones the access point's side is a bridge, as a radio is to its stations.
Rules: the veth pair has every offload off, so that the tap sees the segments and checksums that a radio would carry;
IPv6 is off, as in a home network without it; the access point routes without address translation, which the tap on
the phone's side could not see anyway. Names are private to the cell (see cell.py).
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import EnvironmentFault
from .hosts import HOSTS

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCESS_POINT, INTERNET = "ap", "internet"


class Phone(NamedTuple):
    """A device behind the access point; `namespace` is where its processes run."""

    namespace: str
    address: str
    mac: str


PHONES = (  # locally administered and random, as phones use per network
    Phone("phone", "192.168.50.23", "d2:6a:91:3c:0e:57"),
    Phone("second", "192.168.50.31", "7e:04:c5:b8:22:9d"),
)
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


def build(phones: Sequence[Phone] = PHONES[:1]) -> None:
    """Make the namespaces and the radio link; the link to the internet is up once distance.py holds it."""
    Path("/run/netns").mkdir(exist_ok=True)
    for namespace in (*(phone.namespace for phone in phones), ACCESS_POINT, INTERNET):
        _run(["ip", "netns", "add", namespace])
        _set(namespace, "net/ipv6/conf/all/disable_ipv6", "1")
        _run(inside(namespace, "ip", "link", "set", "lo", "up"))
    _radio(phones)
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


def _radio(phones: Sequence[Phone]) -> None:
    """The link between phones and access point: one cable, or a bridge with one for each."""
    bridged = len(phones) > 1
    if bridged:
        _run(inside(ACCESS_POINT, "ip", "link", "add", "name", RADIO, "address", AP_MAC, "type", "bridge"))
    for number, phone in enumerate(phones):
        port = f"port{number}" if bridged else RADIO
        cable = ["ip", "link", "add", "name", RADIO, "address", phone.mac, "netns", phone.namespace, "type", "veth"]
        _run([*cable, "peer", "name", port, *(() if bridged else ("address", AP_MAC)), "netns", ACCESS_POINT])
        if bridged:
            _run(inside(ACCESS_POINT, "ip", "link", "set", port, "master", RADIO))
            _bring_up(ACCESS_POINT, port)
        _bring_up(phone.namespace, RADIO, phone.address)
    _bring_up(ACCESS_POINT, RADIO, AP_IP)
    for phone in phones:
        _run(inside(phone.namespace, "ip", "route", "add", "default", "via", AP_IP))


def _bring_up(namespace: str, device: str, address: str = "") -> None:
    """Up, without offloads, with its address where it has one."""
    if address:
        _run(inside(namespace, "ip", "address", "add", f"{address}/{PREFIX}", "dev", device))
    _run(inside(namespace, "ethtool", "-K", device, *(word for offload in OFFLOADS for word in (offload, "off"))))
    _run(inside(namespace, "ip", "link", "set", device, "up"))


def _set(namespace: str, name: str, value: str) -> None:
    """Write a kernel setting of the namespace."""
    _run(inside(namespace, "sh", "-c", f"echo {value} > /proc/sys/{name}"))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=STEP_TIMEOUT)
    if done.returncode:
        said = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        message = f"lab: {' '.join(command)}: {said}"
        raise EnvironmentFault(message)
