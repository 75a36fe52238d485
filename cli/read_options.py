"""What reading can be told, by the names that users know; every option may be left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..capture.stream import CaptureStream


class ReadOptions(TypedDict, total=False):
    """What `read`, `compare` and the commands of the same names share.

    local: networks (CIDR) of the devices under observation. idle_gap: seconds of silence that end an exchange.
    flow_idle: seconds of silence that end a flow. max_flows: flows held at one time. packets: how many of
    each flow are told one by one, none unless given. strict: a capture that is cut
    short raises. country_db, asn_db, second_db: MMDB files. place: (latitude, longitude) of the access point. catalogue:
    the user's own lists of hosts. progress: called with the stream while it is read. warn: called with each warning, one
    line.
    """

    local: Sequence[str]
    idle_gap: float
    flow_idle: float
    max_flows: int
    packets: int
    strict: bool
    country_db: str
    asn_db: str
    second_db: str
    catalogue: Sequence[str]
    place: tuple[float, float]
    progress: Callable[[CaptureStream], None]
    warn: Callable[[str], None]
