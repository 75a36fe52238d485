"""What a device has learned from its own DNS answers: (device, address) to the name that it asked for.

Theory (DN-Hunter, IMC 2012): the name that a device asked for shortly before names the flow, also where a CNAME chain
lies between. Entries outlive their TTL, since flows do. Newer answers do not overwrite older ones: a flow is named by
the latest answer before its first packet.

Rules: entries lie in a ring; the oldest are overwritten, which is counted once they could still have been used. A chain
links the entries of one hash, newest first, and is walked a bounded way.
"""

from __future__ import annotations

import numpy as np

from ..core.jit import inline
from .flow_table import mixed
from .state import NAMED_ENTRIES, NAMED_HEADS, NAMED_ROWS, NAMES_FORGOTTEN, State

MAX_CHAIN = 32  # entries of one hash that are looked at
SLACK_NS = 50_000_000  # a first packet may be captured just before the answer that named it


@inline
def _home(state: State, device_hi: np.uint64, device_lo: np.uint64, hi: np.uint64, lo: np.uint64) -> int:
    """The place of a pair in the index."""
    hashed = mixed(mixed(mixed(device_hi ^ state["seed"][0]) + device_lo) ^ mixed(hi ^ state["seed"][1]) + lo)
    return np.int64(hashed & np.uint64(NAMED_HEADS - 1))


@inline
def learn(state: State, device_hi: np.uint64, device_lo: np.uint64, hi: np.uint64, lo: np.uint64, name: int,
          now: int) -> None:  # fmt: skip
    """Notes that the device was told that `name` is at the address."""
    home = _home(state, device_hi, device_lo, hi, lo)
    newest = np.int64(state["named_index"][home]) - 1
    if newest >= 0:
        e = state["named"][newest]
        if (e["name"] == name and e["address_lo"] == lo and e["address_hi"] == hi and e["device_lo"] == device_lo
                and e["device_hi"] == device_hi):  # fmt: skip
            return
    row = state["cursor"][NAMED_ROWS] % NAMED_ENTRIES
    if state["cursor"][NAMED_ROWS] >= NAMED_ENTRIES:
        state["counters"][NAMES_FORGOTTEN] += 1
        forget(state, row)
    e = state["named"][row]
    e["device_hi"], e["device_lo"], e["address_hi"], e["address_lo"] = device_hi, device_lo, hi, lo
    e["time"] = now
    e["name"] = name
    state["named_older"][row] = state["named_index"][home]
    state["named_index"][home] = row + 1
    state["cursor"][NAMED_ROWS] += 1


@inline
def forget(state: State, row: int) -> None:
    """Unlinks the oldest entry: it is the last of its chain, so its chain ends before it."""
    e = state["named"][row]
    home = _home(state, e["device_hi"], e["device_lo"], e["address_hi"], e["address_lo"])
    at = np.int64(state["named_index"][home]) - 1
    if at == row:
        state["named_index"][home] = 0
        return
    while at >= 0:
        older = np.int64(state["named_older"][at]) - 1
        if older == row:
            state["named_older"][at] = 0
            return
        at = older


@inline
def name_at(state: State, device_hi: np.uint64, device_lo: np.uint64, hi: np.uint64, lo: np.uint64, when: int) -> int:
    """The name that the device last asked for before `when` (with a little slack) and was given this address; or 0."""
    at = np.int64(state["named_index"][_home(state, device_hi, device_lo, hi, lo)]) - 1
    for _ in range(MAX_CHAIN):
        if at < 0:
            break
        e = state["named"][at]
        if (e["time"] <= when + SLACK_NS and e["address_lo"] == lo and e["address_hi"] == hi
                and e["device_lo"] == device_lo and e["device_hi"] == device_hi):  # fmt: skip
            return e["name"]
        at = np.int64(state["named_older"][at]) - 1
    return 0
