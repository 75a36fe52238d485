"""What is left out when packets come faster than they can be followed, in which order, and when it comes back.

Theory: the ring holds what cannot be taken at once; how full it is says whether the rest keeps up. First go columns that
take long to make and can be had later from others (Community ID, JA4 and what else a hello says), then
payloads are not parsed any more (names, DNS, HTTP, the opening of QUIC). Packets and bytes are counted always, application
bytes among them: their record headers are still read.

Rules: a step down at once, a step up only after CALM seconds, so that the order does not flutter. Each change is said.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LEVELS = ((0.5, 1), (0.75, 2))  # share of the ring that waits; what is left out: LEAN_ of `dissect/state.py`
CALM, CALM_SHARE = 10.0, 0.1  # seconds with no more of the ring waiting than this, until one step comes back
WORDS = (
    "packets can be followed again: nothing is left out",
    "packets come faster than they can be followed: Community ID and JA4 are left out",
    "packets come faster than they can be followed: payloads are not parsed, names are missing; all bytes are counted",
)


class Overload:
    """`lean` is what is left out now."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """`say` gets a line at each change."""
        self.lean = 0
        self._say = say
        self._uneasy = 0.0  # when more than CALM_SHARE last waited

    def look(self, backlog: float, now: float) -> int:
        """Takes the share of the ring that waits at monotonic time `now`, s; returns what to leave out."""
        wanted = max((lean for share, lean in LEVELS if backlog >= share), default=0)
        if backlog > CALM_SHARE:
            self._uneasy = now
        if wanted > self.lean:
            self._change(wanted)
        elif self.lean and now - self._uneasy >= CALM:
            self._uneasy = now
            self._change(self.lean - 1)
        return self.lean

    def _change(self, lean: int) -> None:
        self.lean = lean
        self._say(WORDS[lean])
