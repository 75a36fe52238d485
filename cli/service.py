"""The live service: one interface's packets into one store, for months.

Theory: the main thread takes packets from the ring and never waits for anything else. Once a second, if the keeper is
idle, it hands over what is new; the keeper, a thread of its own, makes frames, attributes them and writes one
transaction. While the disk is slow the handing over is rarer, and nothing is lost but freshness. All numbers of one
transaction are of one moment, so totals, exchanges and the account of the capture agree whenever somebody looks.

Rules: a signal to end lets the ring run empty, ends every flow and writes it. Drops stand in the `capture` table, a row
per minute, beside the totals that they touch.
"""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ..core.packets import LINKTYPE_NAMES
from ..core.schema import CAPTURE, polars_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from ..capture.live import Counters, LiveCapture
    from ..dissect.dissector import Dissector
    from ..dissect.rows import Taken
    from ..geo.attributor import Attributor
    from ..store.database import Store

TICK = 1.0  # seconds between transactions
WAIT = 0.25  # seconds that the ring may be silent before the clock is looked at
PRUNE_EVERY = 60.0
MINUTE_NS = 60_000_000_000


class Retention:
    """What may be kept: `days`, `max_bytes`; None is everything."""

    def __init__(self, days: float | None = None, max_bytes: int | None = None) -> None:
        """Both at once are both obeyed."""
        self.days, self.max_bytes = days, max_bytes


class Service:
    """Runs until the capture is stopped."""

    def __init__(
        self, capture: LiveCapture, dissector: Dissector, attributor: Attributor, store: Store, retention: Retention
    ) -> None:
        """Everything is open already, and is closed by whoever opened it."""
        self.capture, self.dissector, self.attributor, self.store = capture, dissector, attributor, store
        self.retention = retention
        self.ticks = 0
        self._account = _Account(capture.name)
        self._pruned = time.monotonic()

    def run(self) -> None:
        """Takes packets until `capture.stop`; everything is written when it returns."""
        notify("READY=1")
        keeping: Future[None] | None = None
        last = time.monotonic()
        with ThreadPoolExecutor(1, "keeper") as keeper:
            for batch in self.capture.batches(timeout=WAIT):
                if batch is not None:
                    self.dissector.feed(batch)
                now = time.monotonic()
                if now - last >= TICK and (keeping is None or keeping.done()):
                    if keeping is not None:
                        keeping.result()
                    last = now
                    keeping = keeper.submit(self._keep, self.dissector.take(live=True), self._counted(end=False))
            notify("STOPPING=1")
            if keeping is not None:
                keeping.result()
            self._end()

    def _counted(self, *, end: bool) -> tuple[pl.DataFrame, bool]:
        return self._account.row(self.capture, self.capture.counters(), self.dissector.counters, end=end)

    def _keep(self, taken: Taken, capture: tuple[pl.DataFrame, bool]) -> None:
        """In the keeper's thread: one transaction."""
        frames = self._attributed(self.dissector.tables(taken))
        self.store.keep(frames | {"capture": capture[0]}, minute_is_over=capture[1])
        self.ticks += 1
        notify("WATCHDOG=1")
        if time.monotonic() - self._pruned >= PRUNE_EVERY and not self.store.full and not self._prune():
            self._pruned = time.monotonic()

    def _prune(self) -> int:
        """A stretch of what may no longer be kept; how many rows went."""
        return self.store.prune(time.time_ns(), days=self.retention.days, max_bytes=self.retention.max_bytes)

    def _end(self) -> None:
        """Every flow ends; a stretch at a time, so that memory does not grow at the end."""
        for taken in self.dissector.drain():
            self.store.keep(self._attributed(self.dissector.tables(taken)))
        row, _ = self._counted(end=True)
        self.store.keep({"capture": row}, minute_is_over=True)

    def _attributed(self, frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        if "dns" in frames:
            self.attributor.learn(frames["dns"])
        return {name: self.attributor.join(frame) if name in ("flows", "running") and frame.height else frame
                for name, frame in frames.items()}  # fmt: skip


class _Account:
    """The rows of the `capture` table: what was seen in each minute, and what was lost in it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.time_ns() // MINUTE_NS
        self._base: tuple[Counters, npt.NDArray[np.int64]] | None = None

    def row(
        self, capture: LiveCapture, seen: Counters, counters: npt.NDArray[np.int64], *, end: bool
    ) -> tuple[pl.DataFrame, bool]:
        """The row of the running minute, and whether that is over now; counters: int64[interfaces, 8], dissector's."""
        import numpy as np
        import polars as pl

        from ..capture.live import Counters
        from ..dissect import state

        total = counters.sum(axis=0)
        if self._base is None:
            self._base = (Counters(), np.zeros_like(total))
        before, base = self._base
        gained = total - base
        now = time.time_ns()
        known = counters[counters[:, state.SEEN] > 0]
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
            "first_seen": max(int(known[:, state.EARLIEST].min()), self._began * MINUTE_NS) if len(known) else None,
            "last_seen": int(known[:, state.LATEST].max()) if len(known) else None,
        }
        over = end or now // MINUTE_NS != self._began
        if over:
            self._base = (seen, total.copy())
            self._began = now // MINUTE_NS
        return pl.DataFrame([row], schema=polars_schema(CAPTURE)), over


def notify(state: str) -> None:
    """Tells systemd, where it wants to be told: sd_notify(3)."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        try:
            sender.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)
        except OSError:
            return  # whoever watches has gone: nothing that a capture could do about it


def stopper(capture: LiveCapture) -> Callable[[int, object], None]:
    """A signal handler that ends the capture."""

    def stop(_number: int, _frame: object) -> None:
        capture.stop()

    return stop
