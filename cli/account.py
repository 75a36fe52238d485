"""The rows of the `capture` table of a live capture: what was seen in each minute, what was lost, what was left out."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ..capture.live import Counters
from ..core.packets import LINKTYPE_NAMES
from ..core.schema import CAPTURE, polars_schema
from ..dissect import state

if TYPE_CHECKING:
    import numpy.typing as npt

    from ..capture.live import LiveCapture

MINUTE_NS = 60_000_000_000
DEGRADED = (None, "columns", "payload")  # by LEAN_ of `dissect/state.py`


class Account:
    """Counts since the beginning, cut into minutes of the wall clock."""

    def __init__(self, name: str) -> None:
        """`name`: of the interface."""
        self._name = name
        self._minute = time.time_ns() // MINUTE_NS
        self._base: tuple[Counters, npt.NDArray[np.int64]] | None = None
        self._lean = 0
        self._span: tuple[int, int] | None = None  # first and last packet of the minute, ns

    def saw(self, times: npt.NDArray[np.int64]) -> None:
        """Packets have come; times: int64[n], n > 0, ns, nearly in order."""
        first, last = int(times.min()), int(times.max())
        self._span = (first, last) if self._span is None else (min(first, self._span[0]), max(last, self._span[1]))

    def move_clock(self, ns: int) -> None:
        """The clock that stamps packets was stepped by `ns`: the minute that goes on is told by the new one."""
        if self._span is not None:
            self._span = (self._span[0] + ns, self._span[1] + ns)

    def degrade(self, lean: int) -> None:
        """Something is being left out; the minute says the most that was."""
        self._lean = max(self._lean, lean)

    def row(
        self, capture: LiveCapture, seen: Counters, counters: npt.NDArray[np.int64], *, end: bool
    ) -> tuple[pl.DataFrame, bool]:
        """The row of the running minute, and whether that is over now; counters: int64[interfaces, 8], dissector's."""
        total = counters.sum(axis=0)
        if self._base is None:
            self._base = (Counters(), np.zeros_like(total))
        before, base = self._base
        gained = total - base
        minute = time.time_ns() // MINUTE_NS
        first, last = self._span or (None, None)
        linktypes = dict.fromkeys(each.linktype for each in capture.interfaces)
        row: dict[str, Any] = {
            "source": self._name,
            "linktype": ",".join(LINKTYPE_NAMES.get(kind, str(kind)) for kind in linktypes) or None,
            "packets": int(gained[state.SEEN]),
            "wire_bytes": int(gained[state.SEEN_BYTES]),
            "dropped": None if seen.dropped is None else seen.dropped - (before.dropped or 0),
            "truncated": int(gained[state.CUT]),
            "malformed": int(gained[state.MALFORMED_PACKETS]),
            "unsupported": int(gained[state.UNSUPPORTED_PACKETS]),
            "counted": int(gained[state.COUNTED_PACKETS]),
            "cut_short": False,
            "degraded": DEGRADED[self._lean],
            "first_seen": first,
            "last_seen": last,
        }
        over = end or minute != self._minute
        if over:
            self._base = (seen, total.copy())
            self._minute, self._lean, self._span = minute, 0, None
        return pl.DataFrame([row], schema=polars_schema(CAPTURE)), over
