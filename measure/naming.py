"""Which device a session is about: people give a name, an IP or a link address, and mean one device by all of them.

Theory: a device is a link address with the addresses and names that the `devices` table says it had over time. A name
stands for the one device that has claimed it, by DHCP or multicast DNS; upper and lower case and the ending `.local`
make no difference. An address stands for the device that had it nearest to the session. A link address with two IPv4
addresses side by side is a router's: what is behind it are devices of their own. Only when devices are known can it be
said where a session without an end ends (at the device's next) and which sessions overlap.

Rules: where all sessions of a device give it alike, their traffic is that of what they give (an IP address: of that one),
else that of the device. An address is never taken for a name. Names come from the network: in errors they stand as Python
would write them.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import InputError
from .inputs import is_mac, notation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl

    from .inputs import Session

MOST_LISTED = 8
LOCAL = ".local"  # RFC 6762 §3
SOON_NS = 60_000_000_000  # after the start of a session the first packet of a store may come
SIDE_BY_SIDE = 0.5  # of the shorter span: less is a change of address, whose stragglers come late


class Directory:
    """The devices that were seen; `devices`: the table of the contract, None where nobody asked."""

    def __init__(self, devices: pl.DataFrame | None = None) -> None:
        """Knows nobody where there is no table."""
        self._names: dict[str, dict[str, None]] = {}
        self._shown: dict[str, None] = {}
        self._spans: dict[str, list[tuple[int, int, str]]] = {}
        self._keys: set[str] = set()
        self._routers: set[str] = set()
        if devices is None:
            return
        for row in devices.select("mac", "addresses", "address_spans", "names").iter_rows(named=True):
            key = row["mac"] or row["addresses"][0]
            self._keys.add(key)
            spans = [(each["address"], *(int(each[name].timestamp() * 1e9) for name in ("first_seen", "last_seen"))) for each in row["address_spans"]]
            for address, first, last in spans:
                self._spans.setdefault(address, []).append((first, last, key))
            if _is_router(spans):
                self._routers.add(key)
            for name in row["names"]:
                self._shown[name] = None
                self._names.setdefault(_plain(name), {})[key] = None

    def knows(self, device: str) -> bool:
        """Whether anything of it was seen."""
        text = notation(device)
        return text in self._keys or text in self._spans or _plain(text) in self._names

    def device(self, given: str, at: int | None = None) -> str:
        """What stands for the device: its link address, else `given` as tables write it; `at`: ns since the epoch.

        Raises InputError where a name is more than one device's.
        """
        text = notation(given)
        if not is_address(text):
            owners = list(self._names.get(_plain(text), {}))
            if len(owners) > 1:
                raise InputError(f"sessions: {len(owners)} devices call themselves {given!r}; give the link address: {', '.join(owners[:MOST_LISTED])}")
            return owners[0] if owners else _plain(text)
        spans = self._spans.get(text)
        if not spans:
            return text
        *_, key = min(spans, key=lambda span: max(span[0] - at, at - span[1], 0)) if at is not None else max(spans, key=lambda span: span[1])
        return text if key in self._routers else key

    def listed(self) -> str:
        """The names that are known, fit to print."""
        return ", ".join(repr(each) for each in sorted(self._shown)[:MOST_LISTED]) or "none"


class Resolved(NamedTuple):
    """Sessions with addresses for devices and with their ends, the user's word for each such address, and warnings."""

    sessions: list[Session]
    named: dict[str, str]
    told: list[str]


def ask_for_devices(sessions: Sequence[Session]) -> bool:
    """Whether it takes the devices to understand the sessions: one address, always the same, is understood without."""
    given = {notation(each.device) for each in sessions}
    return len(given) > 1 or not all(map(is_address, given))


def resolved(sessions: Iterable[Session], directory: Directory, *, lenient: bool = False) -> Resolved:
    """The sessions by device, each that is open until the device's next.

    Raises InputError where a name is nobody's or more than one device's, and where sessions of one device overlap;
    lenient, for what was marked while it ran: the former are left out, the latter ends where the next begins, with a warning.
    """
    told: list[str] = []
    known: list[tuple[Session, str]] = []
    for each in sorted(sessions, key=lambda session: (session.start, session.session)):
        try:
            if not directory.knows(each.device) and (lenient or not is_address(each.device)):
                raise _unknown(each.device, directory)
            known.append((each, directory.device(each.device, each.start)))
        except InputError as fault:
            if not lenient:
                raise
            told.append(f"session {each.session} is left out: {str(fault).removeprefix('sessions: ')}")
    if not known:
        raise InputError(f"sessions: none of their devices has been seen; known are {directory.listed()}")
    notations: dict[str, dict[str, None]] = {}
    for each, device in known:
        notations.setdefault(device, {})[notation(each.device)] = None
    found, named = [], {}
    for each, device in _ended(known, told if lenient else None):
        given = notations[device]
        apart = len(given) == 1 and is_address(each.device)
        if not apart:
            named[device] = min(given, key=is_address)  # a name, if there is one
        found.append(replace(each, device=notation(each.device) if apart else device))
    return Resolved(found, named, told)


def ended(sessions: Iterable[Session], directory: Directory) -> list[Session]:
    """The sessions as they are given, each that is open until the device's next; raises InputError as `resolved`, but for the unknown."""
    ordered = sorted(sessions, key=lambda session: (session.start, session.session))
    return [each for each, _ in _ended([(each, directory.device(each.device, each.start)) for each in ordered], None)]


def _ended(known: Sequence[tuple[Session, str]], told: list[str] | None) -> list[tuple[Session, str]]:
    """Sessions in order of time, and their devices, with their ends; told: takes warnings where overlaps are allowed."""
    found = []
    for place, (each, device) in enumerate(known):
        following = next((other for other, its in known[place + 1 :] if its == device), None)
        end = each.end
        if following is not None:
            if end is not None and end > following.start:
                if told is None:
                    given = dict.fromkeys((each.device, following.device))
                    raise InputError(f"sessions: {following.session!r} begins before {each.session!r} of the same device ({', '.join(given)}) "
                                     "has ended; correct the times")  # fmt: skip
                told.append(f"session {each.session} is taken to end where {following.session} of the same device begins")
                end = None
            end = following.start if end is None else end
        if end is None or end > each.start:
            found.append((replace(each, end=end), device))
    return found


def still_kept(who: Resolved, exchanges: pl.DataFrame, capture: pl.DataFrame) -> Resolved:
    """Without the sessions of a time of which a store keeps nothing any more: they would count as silence.

    exchanges, capture: tables of the contract; what ended earlier was deleted from both. Raises InputError where no session is left.
    """
    first = [exchanges["end"].dt.epoch("ns").min(), capture["first_seen"].dt.epoch("ns").min()]
    known = [each for each in first if isinstance(each, int)]
    if not known:
        return who
    earliest = min(known)
    gone = [each.session for each in who.sessions if each.end is not None and each.end <= earliest]
    kept = [each for each in who.sessions if each.session not in gone]
    if not kept:
        raise InputError("sessions: nothing is kept of the time of any of them; see `--keep-days` and `--keep-mb` of `wiretally live`")
    told = [f"nothing is kept any more of the time of session(s) {', '.join(gone[:MOST_LISTED])}: left out"] if gone else []
    began = [each.session for each in kept if each.start < earliest - SOON_NS]
    if began:
        told.append(f"what is kept begins in the middle of session(s) {', '.join(began[:MOST_LISTED])}: they may have uploaded more")
    return who._replace(sessions=kept, told=who.told + told)


def _unknown(given: str, directory: Directory) -> InputError:
    if is_address(given):
        return InputError(f"sessions: device {given!r} has not been seen")
    return InputError(f"sessions: device {given!r} is no address, and no device of the captures calls itself that; known are "
                      f"{directory.listed()}; give a name, an IP or a MAC address")  # fmt: skip


def is_address(text: str) -> bool:
    """Whether it is an IP or a link address, in any notation."""
    text = notation(text)
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return is_mac(text)
    return True


def _plain(name: str) -> str:
    return name.rstrip(".").casefold().removesuffix(LOCAL)


def _is_router(spans: Sequence[tuple[str, int, int]]) -> bool:
    """Whether two of the addresses were in use side by side, as those of one device never are: of IPv4, without RFC 3927's."""
    theirs = sorted((first, last) for address, first, last in spans if "." in address and not address.startswith("169.254."))
    furthest = theirs[0] if theirs else (0, 0)  # the one that lasts longest of those that began earlier
    for later, until in theirs[1:]:
        first, last = furthest
        shared, shorter = min(last, until) - later, min(last - first, until - later)
        if shared > 0 and shared >= SIDE_BY_SIDE * shorter:
            return True
        furthest = max(furthest, (later, until), key=itemgetter(1))
    return False
