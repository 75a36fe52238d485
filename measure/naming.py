"""Sessions whose device is given by a name that it calls itself.

Theory: people know names ("Pixel-7"), captures know addresses. A name stands for the one device that has claimed it, by
DHCP or multicast DNS, and so for all addresses of that device over time; upper and lower case and the ending `.local`
make no difference. Two devices that claim one name cannot be told apart by it.

Rules: an address is never taken for a name. Names come from the network: in errors they stand as Python would write them.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.errors import InputError
from .inputs import is_mac

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from .inputs import Session

MOST_LISTED = 8
LOCAL = ".local"  # RFC 6762 §3


def names_in(sessions: Sequence[Session]) -> list[str]:
    """The devices of the sessions that are given by a name, each once."""
    return list(dict.fromkeys(each.device for each in sessions if not _is_address(each.device)))


def by_address(sessions: Sequence[Session], devices: pl.DataFrame) -> tuple[list[Session], dict[str, str]]:
    """The sessions with addresses for names, and the name for each such address; devices: the table of the contract.

    Raises InputError where a name is nobody's, or more than one device's.
    """
    owners: dict[str, dict[str, None]] = {}
    shown: dict[str, None] = {}
    for mac, addresses, names in devices.select("mac", "addresses", "names").iter_rows():
        for name in names:
            shown[name] = None
            owners.setdefault(_plain(name), {})[mac or addresses[0]] = None
    found = {name: _the_one(name, list(owners.get(_plain(name), {})), list(shown)) for name in names_in(sessions)}
    meant = [replace(each, device=found.get(each.device, each.device)) for each in sessions]
    return meant, {address: name for name, address in found.items()}


def _the_one(name: str, owners: list[str], known: list[str]) -> str:
    if len(owners) > 1:
        raise InputError(f"sessions: {len(owners)} devices call themselves {name!r}; give the link address: {', '.join(owners[:MOST_LISTED])}")
    if not owners:
        listed = ", ".join(repr(each) for each in sorted(known)[:MOST_LISTED]) or "none"
        raise InputError(f"sessions: device {name!r} is no address, and no device of the captures calls itself that; known are "
                         f"{listed}; give a name, an IP or a MAC address")  # fmt: skip
    return owners[0]


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return is_mac(text)
    return True


def _plain(name: str) -> str:
    return name.rstrip(".").casefold().removesuffix(LOCAL)
