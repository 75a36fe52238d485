"""What a dissector needs that runs for months: its times follow a clock that is stepped, its names are thinned out.

Theory: a small machine has no clock of its own; minutes after it has started, the network's time moves it by hours. What
goes on then is moved with it, so that no flow, exchange or round trip gets a length that it never had. Names are kept
for as long as a process lives (`intern.py`); after months most of them are nobody's any more, and those that something
still refers to get new numbers in an empty table.

Rules: the names' numbers may only change while no row that holds one is on its way: right after a taking.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from . import intern
from .state import EARLIEST, FRAGMENTS, HIGH_WATER, LATEST, NAMED_ENTRIES, NAMED_ROWS, SEEN, State

Array = npt.NDArray[Any]

ALWAYS_SET = ("first_ns", "last_ns", "way_first_ns", "way_last_ns", "exchange_start", "exchange_last")  # of FLOW
IF_SET = ("syn_ns", "last_syn_ns", "synack_ns", "hello_ns", "shown_ns")  # of COLD: 0 is none
NAMES_OF_FLOW = ("sni", "shape", "host", "dns_name", "certificate", "shown_name")


def move_clock(state: State, interfaces: Array, ns: int) -> None:
    """Moves every time of what goes on by `ns`; interfaces: int64[n, 8]."""
    high = int(state["cursor"][HIGH_WATER])
    flows, cold = state["flows"][:high], state["cold"][:high]
    alive = flows["alive"] != 0
    for name in ALWAYS_SET:
        flows[name][alive] += ns
    for name in IF_SET:
        column = cold[name]
        column[alive & (column != 0)] += ns
    timed = flows["timed_ns"]
    timed[alive[:, None] & (timed != 0)] += ns
    used = state["fragments"][:FRAGMENTS]["used"] != 0
    for name in ("began", "wait_ns"):
        state["fragments"][name][used] += ns
    known = state["connections"]["time"]
    known[known != 0] += ns
    state["named"][: min(int(state["cursor"][NAMED_ROWS]), NAMED_ENTRIES)]["time"] += ns
    interfaces[interfaces[:, SEEN] > 0] += np.array([ns if at in {EARLIEST, LATEST} else 0 for at in range(interfaces.shape[1])])


def renew_names(states: Array, referred: Array) -> Array:
    """Keeps the names that flows, answers or `referred` have; returns each old number's new one, 0 where it has gone."""
    state = states[0]
    names = state["names"]
    cold = state["cold"][: int(state["cursor"][HIGH_WATER])]
    learned = state["named"][: min(int(state["cursor"][NAMED_ROWS]), NAMED_ENTRIES)]
    parts = [cold[name].astype(np.int64) for name in NAMES_OF_FLOW]
    kept = np.unique(np.concatenate([*parts, learned["name"], state["outer"], state["resolvers"], referred.astype(np.int64)]))
    known = [intern.raw(names, number) for number in kept.tolist()]
    numbers = np.zeros(int(names["count"]), np.int64)
    names["slots"][:] = 0
    intern.prepare(names, int(names["key"]))
    for number, octets in zip(kept.tolist(), known, strict=True):
        numbers[number] = intern.number_of(states, np.frombuffer(octets, np.uint8).copy()) if number else 0
    for name in NAMES_OF_FLOW:
        cold[name] = numbers[cold[name]]
    learned["name"] = numbers[learned["name"]]
    for known_to in ("outer", "resolvers"):
        state[known_to] = numbers[state[known_to]]
    return numbers
