"""Datagrams that Python reads: QUIC Initials, which take ciphers, and what devices say of themselves.

Theory: what Python runs once for hundreds of datagrams costs less than for a few here and there, between kernels that have
filled the caches with something else (ADR 6). So their bytes are laid aside until there is no more room, or rows are taken.

Rules: it makes no difference when they are read. So a datagram comes with how far the exchanges had come when it was laid
aside, for the name found in it to be given to those that closed since, and with how many public names of ECH and
resolvers were known; what would not have been laid aside, had those before it been read, is passed over. Whoever empties a
sheet, or lets a flow go, has them read before.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes, u8
from .state import DATAGRAM_BYTES, DATAGRAMS, EXCHANGES, OUTER_KNOWN, PARCELLED, RESOLVERS_KNOWN, State


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
    row["exchanges"], row["outer"], row["resolvers"] = cursor[EXCHANGES], cursor[OUTER_KNOWN], cursor[RESOLVERS_KNOWN]
    cursor[PARCELLED] += size
    cursor[DATAGRAMS] += 1
