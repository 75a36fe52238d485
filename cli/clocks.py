"""Steps of the wall clock, found by the monotonic one, and the packet at which each of them happened.

Theory: the kernel stamps packets by the wall clock; when that is stepped, packets that wait in the ring are still of the
old one. The difference of both clocks says that there was a step, and how far; the stamps say where: at the packet whose
distance to the one before is nearer to the step than to nothing. On a silent link it is before whatever comes next.

Rules: less than LEAST is the clock being steered, which is no step. A step that is not found in PATIENCE packets is taken
to have been before them.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

LEAST = 2_000_000_000  # ns
PATIENCE = 1_000_000


class Clocks:
    """Watches both clocks; `wall` and `steady` give ns."""

    def __init__(self, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = time.monotonic_ns) -> None:
        """Begins to watch now."""
        self._wall, self._steady = wall, steady
        self._offset = wall() - steady()
        self._pending: deque[int] = deque()
        self._last: int | None = None
        self._passed = 0

    def look(self) -> int:
        """The step since the last look, ns; 0 mostly."""
        step = self._wall() - self._steady() - self._offset
        if abs(step) < LEAST:
            return 0
        self._offset += step
        self._pending.append(step)
        self._passed = 0
        return step

    def quiet(self) -> int:
        """Nothing waits: the sum of steps that no packet has shown, which lie before the next packet."""
        total = sum(self._pending)
        self._pending.clear()
        return total

    def stretches(self, times: npt.NDArray[Any]) -> Iterator[tuple[int, int, int]]:
        """Cuts a batch where the clock was stepped: (first, end, step before it), ns; times: int64[n], n > 0."""
        first = 0
        while self._pending:
            step = self._pending[0]
            before = self._last if first == 0 else int(times[first - 1])
            gaps = np.diff(times[first:].astype(np.int64), prepend=times[first] if before is None else before)
            found = np.flatnonzero(np.abs(gaps - step) < abs(step) / 2)
            if not found.size:
                self._passed += len(times) - first
                if self._passed < PATIENCE:
                    break
                self._pending.popleft()
                yield first, first, step
                continue
            at = first + int(found[0])
            self._pending.popleft()
            if at > first:
                yield first, at, 0
            yield at, at, step
            first = at
        self._last = int(times[-1])
        if first < len(times):
            yield first, len(times), 0
