"""Datagrams that Python reads: QUIC Initials, which take ciphers, and what devices say of themselves.

Theory: what Python runs once for hundreds of datagrams costs half of what it costs for one here and there, between kernels
that have filled the caches with something else. So their bytes are laid aside until there is no more room, or rows are taken.

Rules: a datagram comes with how far the exchanges had come when it was laid aside, so that a name found in it can be given to
those that began since. Whoever empties a sheet, or lets a flow go, has them read before.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes, u8
from .state import DATAGRAMS, EXCHANGES, PARCELLED, State


@inline
def lay_aside(state: State, b: Bytes, place: int, way: int, at: int, end: int, now: int) -> None:
    """Keeps b[at:end] of a flow; there is room for one datagram of each packet."""
    c, cursor = state["cold"][place], state["cursor"]
    c["initials"][way] += 1
    begin, parcels = cursor[PARCELLED], state["parcels"]
    for n in range(end - at):
        parcels[begin + n] = u8(b, at + n)
    row = state["datagrams"][cursor[DATAGRAMS]]
    row["slot"], row["flow_id"], row["at"], row["end"] = place, c["flow_id"], begin, begin + end - at
    row["way"], row["time"], row["service"] = way, now, state["flows"][place]["service"]
    row["exchanges"] = cursor[EXCHANGES]
    cursor[PARCELLED] += end - at
    cursor[DATAGRAMS] += 1
