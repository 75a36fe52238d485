"""Exchanges: the epochs of a flow, upload first and then download, in which upload volume is measured by time.

Theory (a-b-t model: Hernández-Campos et al., Tmix): an exchange ends when upload data follow download data, or after a
silence longer than the idle gap. Its counters are the flow's totals now less those at its start, so the sum over a
flow's exchanges equals the flow's totals, exactly.

Rules: only new payload turns the phase; acknowledgements and repetitions belong to the exchange in which they fall.
"""

from __future__ import annotations

from ..core.jit import inline
from .records import Record
from .state import (
    COUNTS,
    EXCHANGE_DOWN,
    EXCHANGE_NONE,
    EXCHANGE_UP,
    EXCHANGES,
    IDLE_GAP,
    UP,
    State,
)


@inline
def best_name(c: Record) -> int:
    """The name of a flow so far: a ClientHello's, else a Host header's, else the device's own DNS answer.

    The name of an outer hello (ECH) stands for all that its provider hides: it is none.
    """
    if c["sni"] != 0 and c["ech"] != 2:
        return c["sni"]
    return c["host"] if c["host"] != 0 else c["dns_name"]


@inline
def close_exchange(state: State, place: int) -> None:
    """Writes the row of the exchange that ends here, if any packet is in it."""
    f, c = state["flows"][place], state["cold"][place]
    row = state["exchanges"][state["cursor"][EXCHANGES]]
    total = 0
    for way in range(2):
        for n in range(COUNTS):
            row["counts"][way, n] = f["counts"][way, n] - c["snapshot"][way, n]
            c["snapshot"][way, n] = f["counts"][way, n]
            total += row["counts"][way, n]
    f["exchange_phase"] = EXCHANGE_NONE
    if total == 0:
        return
    row["flow_id"] = c["flow_id"]
    row["start"] = f["exchange_start"]
    row["end"] = f["exchange_last"]
    row["name"] = best_name(c)
    state["cursor"][EXCHANGES] += 1


@inline
def name_since(state: State, place: int, first: int) -> None:
    """Gives the flow's name to its exchanges in rows `first` and later: closed after the packet that named it.

    The names of QUIC flows are found a batch of packets later than those of TCP (`dissector.py`).
    """
    c = state["cold"][place]
    for n in range(first, state["cursor"][EXCHANGES]):
        if state["exchanges"][n]["flow_id"] == c["flow_id"]:
            state["exchanges"][n]["name"] = best_name(c)


@inline
def before_packet(state: State, place: int, now: int) -> None:
    """A silence longer than the idle gap ends the exchange before the packet that breaks it is counted."""
    f = state["flows"][place]
    if f["counts"][0, 0] + f["counts"][1, 0] == 0:
        f["exchange_start"] = now
        f["exchange_last"] = now
    elif now - f["exchange_last"] > state["settings"][IDLE_GAP]:
        close_exchange(state, place)
        f["exchange_start"] = now


@inline
def before_data(state: State, place: int, way: int, now: int) -> None:
    """New payload that goes up after payload has come down begins the next exchange."""
    f = state["flows"][place]
    if way == UP:
        if f["exchange_phase"] == EXCHANGE_DOWN:
            close_exchange(state, place)
            f["exchange_start"] = now
        f["exchange_phase"] = EXCHANGE_UP
    elif f["exchange_phase"] == EXCHANGE_UP or f["exchange_phase"] == EXCHANGE_NONE:
        f["exchange_phase"] = EXCHANGE_DOWN
