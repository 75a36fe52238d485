"""Loads every kernel, library and database that packets need, before packets wait: the first start compiles for minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from ..core.packets import LINKTYPE_ETHERNET, PACKET, PacketBatch
from ..dissect.dissector import Dissector
from ..dissect.messages import quic_messages
from ..dissect.state import DATAGRAM, new_state

if TYPE_CHECKING:
    from ..geo.attributor import Attributor

FRAME = bytes.fromhex(  # a DNS query for "a.": Ethernet, IPv4, UDP
    "02000000000102000000000208004500002f000000004011000cc0a80102c0a80101d4310035001b0000"
    "00010100000100000000000001610000010001"
)  # fmt: skip
ADDRESS, NAME = "1.1.1.1", "a.example.org"  # public ones: every list is asked for them


def warm(attributor: Attributor) -> None:
    """A packet through a dissector that is thrown away."""
    packets = np.zeros(1, PACKET)
    packets["captured"] = packets["wire"] = len(FRAME)
    packets["linktype"] = LINKTYPE_ETHERNET
    trial = Dissector()
    trial.feed(PacketBatch(np.frombuffer(FRAME, np.uint8).copy(), packets))
    trial.tables(trial.take(live=True))
    attributor.join(trial.tick(end=True)["flows"].with_columns(remote_ip=pl.lit(ADDRESS), name=pl.lit(NAME)))
    nobodys = np.zeros(1, DATAGRAM)
    nobodys["flow_id"] = 1
    quic_messages(new_state(1, np.zeros((0, 4), np.uint64), 1), nobodys, np.zeros((0, 5), np.int64), np.zeros(4, np.uint8))
