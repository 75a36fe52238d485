"""Datagrams that Python reads: QUIC Initials, which take ciphers, and what devices say of themselves.

Theory: what Python runs once for hundreds of datagrams costs half of what it costs for one here and there, between kernels
that have filled the caches with something else. So their bytes are laid aside until there is no more room, or rows are taken.

Rules: a datagram comes with how far the exchanges had come when it was laid aside, so that a name found in it can be given to
those that began since. Whoever empties a sheet, or lets a flow go, has them read before.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes, u8
from .state import DATAGRAM_BYTES, DATAGRAMS, EXCHANGES, PARCELLED, State


@inline
def lay_aside(state: State, b: Bytes, place: int, way: int, at: int, end: int, now: int) -> None:
    """Keeps b[at:end] of a flow, as far as a datagram can be long (RFC 768: frames without a length of their own may say more)."""
    c, cursor = state["cold"][place], state["cursor"]
    c["initials"][way] += 1
    begin, parcels = cursor[PARCELLED], state["parcels"]
    size = min(max(end - at, 0), DATAGRAM_BYTES)  # there is room for one of each packet
    for n in range(size):
        parcels[begin + n] = u8(b, at + n)
    row = state["datagrams"][cursor[DATAGRAMS]]
    row["slot"], row["flow_id"], row["at"], row["end"] = place, c["flow_id"], begin, begin + size
    row["way"], row["time"], row["service"] = way, now, state["flows"][place]["service"]
    row["exchanges"] = cursor[EXCHANGES]
    cursor[PARCELLED] += size
    cursor[DATAGRAMS] += 1
