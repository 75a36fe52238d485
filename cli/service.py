"""The live service: one interface's packets into one store, for months.

Theory: the main thread takes packets from the ring and never waits for anything else. Once a second, if the keeper is
idle, it hands over what is new; the keeper, a thread of its own, makes frames, attributes them and writes one
transaction. While the disk is slow the handing over is rarer, and nothing is lost but freshness. All numbers of one
transaction are of one moment, so totals, exchanges and the account of the capture agree whenever somebody looks.

Rules: a signal to end lets the ring run empty, ends every flow and writes it. Drops stand in the `capture` table, a row
per minute, beside the totals that they touch. Where packets come too fast, less is said of them (`overload.py`), in the
same row. A step of the clock (`clocks.py`) moves what goes on with it, and is noted in the store.
"""

from __future__ import annotations

import gc
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..core.errors import WiretallyError
from ..core.packets import PacketBatch
from ..store.marks import boot
from . import memory
from .account import Account
from .clocks import Clocks
from .overload import Overload
from .systemd import notify

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from ..capture.live import LiveCapture
    from ..capture.record import Recorder
    from ..dissect.dissector import Dissector
    from ..dissect.rows import Taken
    from ..geo.attributor import Attributor
    from ..store.database import Store

TICK = 1.0  # seconds between transactions
WAIT = 0.25  # seconds that the ring may be silent before the clock is looked at
PRUNE_EVERY = 60.0  # seconds; while something goes, a stretch with each transaction
LIGHTEN_EVERY = 60.0  # seconds; and after each fold, whose code the next half minute does not need
STUCK = 300.0  # seconds that the keeper may take before the watchdog is left to bite
MANY_NAMES = 1 << 17  # names that are remembered before those that nothing refers to are forgotten
NS = 1_000_000_000
Step = tuple[int, int, int]  # wall clock after it, by how much, monotonic clock; ns


class Retention:
    """What may be kept: `days`, `max_bytes`; None is everything."""

    def __init__(self, days: float | None = None, max_bytes: int | None = None) -> None:
        """Both at once are both obeyed."""
        self.days, self.max_bytes = days, max_bytes


class Service:
    """Runs until the capture is stopped."""

    def __init__(
        self, capture: LiveCapture, dissector: Dissector, store: Store, retention: Retention, warn: Callable[[str], None],
        clocks: Clocks | None = None,
    ) -> None:  # fmt: skip
        """Everything is open already, and is closed by whoever opened it; `warn` gets lines for the operator."""
        self.capture, self.dissector, self.store = capture, dissector, store
        self.retention, self.warn = retention, warn
        self.ticks = 0
        self.reload: Callable[[], tuple[Attributor, tuple[str, ...]]] | None = None  # opens databases, reads networks
        self.recorder: Recorder | None = None  # gets every batch first
        self.told: Callable[[pl.DataFrame], None] | None = None  # gets the account of each minute that is over
        self.clocks = clocks or Clocks()
        self.overload = Overload(warn)
        self._reloading = False
        self._steps: list[Step] = []
        self._account = Account(capture.name)
        self._pruned = self._lightened = time.monotonic()
        self._folds = store.folds

    def ask_reload(self) -> None:
        """For a signal handler: databases and local networks are read again once the keeper is idle."""
        self._reloading = True

    def run(self) -> None:
        """Takes packets until `capture.stop`; everything is written when it returns."""
        notify("READY=1")
        keeping: Future[None] | None = None
        began = last = time.monotonic()
        with ThreadPoolExecutor(1, "keeper") as keeper:
            for batch in self.capture.batches(timeout=WAIT):
                self._take(batch)
                now = time.monotonic()
                lean = self.overload.look(self.capture.backlog(), now)
                if lean != self.dissector.lean:
                    self.dissector.lean = lean
                if lean:
                    self._account.degrade(lean)
                if now - last < TICK:
                    continue
                idle = keeping is None or keeping.done()
                if idle or now - began < STUCK:
                    notify("WATCHDOG=1")
                if idle:
                    if keeping is not None:
                        keeping.result()
                    began = last = now
                    if self._reloading and self.reload is not None:  # nobody looks anything up now
                        self._reloading = False
                        self._reload(self.reload)
                    keeping = keeper.submit(self._keep, [self._new()])
                    if self.dissector.names > MANY_NAMES:  # waits for the keeper: the ring holds what comes meanwhile
                        keeping.result()
                        self.dissector.renew_names()
            notify("STOPPING=1")
            if keeping is not None:
                keeping.result()
            self._end()

    def _take(self, batch: PacketBatch | None) -> None:
        """Feeds a batch; where the clock was stepped in it, what goes on is moved."""
        step = self.clocks.look()
        if step:
            self._steps.append((time.time_ns(), step, time.monotonic_ns()))
            self.warn(f"the clock was stepped by {step / NS:+,.1f} s; running flows are moved with it")
        if batch is None:
            if quiet := self.clocks.quiet():
                self._move_clock(quiet)
            return
        if self.recorder is not None:
            self.recorder.take(batch)
        for first, end, moved in self.clocks.stretches(batch.packets["ts_ns"]):
            if moved:
                self._move_clock(moved)
            else:
                self._account.saw(batch.packets["ts_ns"][first:end])
                self.dissector.feed(PacketBatch(batch.buffer, batch.packets[first:end]))

    def _move_clock(self, ns: int) -> None:
        self.dissector.move_clock(ns)
        self._account.move_clock(ns)

    def _new(self) -> tuple[Taken, tuple[pl.DataFrame, bool], list[Step]]:
        """What has come since the last time, all of one moment."""
        steps, self._steps = self._steps, []
        return self.dissector.take(live=True), self._counted(end=False), steps

    def _counted(self, *, end: bool) -> tuple[pl.DataFrame, bool]:
        return self._account.row(self.capture, self.capture.counters(), self.dissector.counters, end=end)

    def _keep(self, new: list[tuple[Taken, tuple[pl.DataFrame, bool], list[Step]]]) -> None:
        """In the keeper's thread: one transaction. `new` is emptied, so that nothing holds what is written already."""
        taken, capture, steps = new.pop()
        for step in steps:
            self.store.note_step(*step, boot())
        frames = [self.dissector.tables(taken) | {"capture": capture[0]}]
        del taken
        self.store.keep(frames.pop(), minute_is_over=capture[1])
        if self.told and capture[1]:
            self.told(capture[0])
        self.ticks += 1
        now = time.monotonic()
        if now - self._pruned >= PRUNE_EVERY and not self.store.full and not self._prune():
            self._pruned = now
        if self.store.folds != self._folds or now - self._lightened >= LIGHTEN_EVERY:
            self._folds, self._lightened = self.store.folds, now
            memory.give_back()

    def _prune(self) -> int:
        """A stretch of what may no longer be kept; how many rows went."""
        return self.store.prune(time.time_ns(), days=self.retention.days, max_bytes=self.retention.max_bytes)

    def _reload(self, reload: Callable[[], tuple[Attributor, tuple[str, ...]]]) -> None:
        """Databases, catalogue and local networks anew; what cannot be read stays as it was."""
        notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            attributor, networks = reload()
            self.dissector.set_local(networks)
            self.store.attributed = attributor.attributed
            self.warn("databases and local networks have been read again")
        except WiretallyError as error:
            self.warn(f"nothing is changed: {error}")
        gc.collect()  # what is not needed any more is unmapped here, never while the keeper lets go of what is mapped (`memory.py`)
        notify("READY=1")

    def _end(self) -> None:
        """Every flow ends; a stretch at a time, so that memory does not grow at the end."""
        for step in self._steps:
            self.store.note_step(*step, boot())
        for taken in self.dissector.drain():
            self.store.keep(self.dissector.tables(taken))
            notify("WATCHDOG=1")
        row, _ = self._counted(end=True)
        self.store.keep({"capture": row}, minute_is_over=True)
        if self.told:
            self.told(row)
