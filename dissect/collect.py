"""Messages in pieces: stores that put them together.

Rules: a direction has at most one; without a free one the message is given up, counted.
"""

from __future__ import annotations

from ..core.jit import inline
from ..core.wire import Bytes
from .records import Record
from .state import COLLECT_BYTES, COLLECT_FULL, FREE_COLLECTORS, State


@inline
def claim(state: State, c: Record, way: int) -> bool:
    """Takes a collector; without a free one the message is given up, counted."""
    cursor = state["cursor"]
    if cursor[FREE_COLLECTORS] == 0:
        state["counters"][COLLECT_FULL] += 1
        c["collected"][way] = 1
        return False
    cursor[FREE_COLLECTORS] -= 1
    taken = state["free_collectors"][cursor[FREE_COLLECTORS]]
    state["collector_have"][taken] = 0
    c["collector"][way] = taken
    return True


@inline
def release(state: State, c: Record, way: int) -> None:
    """Gives the collector back."""
    cursor = state["cursor"]
    state["free_collectors"][cursor[FREE_COLLECTORS]] = c["collector"][way]
    cursor[FREE_COLLECTORS] += 1
    c["collector"][way] = -1


@inline
def drop(state: State, c: Record, way: int) -> None:
    """Gives the collector back, if there is one."""
    if c["collector"][way] >= 0:
        release(state, c, way)


@inline
def collect(state: State, c: Record, way: int, b: Bytes, at: int, length: int) -> int:
    """Appends bytes to the collector, up to its size; returns how many it has."""
    taken = c["collector"][way]
    have = state["collector_have"][taken]
    store = state["collectors"][taken]
    fits = min(length, COLLECT_BYTES - have)
    for n in range(fits):
        store[have + n] = b[at + n]
    state["collector_have"][taken] = have + fits
    return have + fits
