"""Byte strings by number: equal bytes have the equal number, for as long as the process lives.

Theory: names are found in kernels, where there are no strings. Each distinct byte string is kept once in an arena and
known by its number from then on; Python makes text of it once. Open addressing; entries are compared byte by byte, so
nothing rests on the hash being unique, and the hash is keyed, so names cannot be crafted to collide.

Rules: number 0 is "none" and has no bytes. The tables are one record of fixed size whose unused pages cost nothing;
the part of `slots` in use doubles as names come. When they are full, new byte strings are number 0, counted.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.jit import brief_kernel, inline
from ..core.wire import Bytes

MAX_NAMES = 1 << 21
MAX_NAME_BYTES = 1 << 27
FIRST_SLOTS = 1 << 12
NAMES = np.dtype(
    [
        ("arena", np.uint8, (MAX_NAME_BYTES,)),
        ("start", np.int64, (MAX_NAMES + 1,)),  # entry n has the bytes [start[n], start[n + 1])
        ("hashes", np.uint64, (MAX_NAMES,)),
        ("slots", np.int32, (2 * MAX_NAMES,)),
        ("count", np.int64),  # entries, with number 0
        ("mask", np.int64),  # slots in use, less one
        ("key", np.uint64),
        ("refused", np.int64),  # byte strings that found no room
    ],
    align=True,
)
FNV_OFFSET = np.uint64(0xCBF29CE484222325)  # FNV-1a, 64 bits (public domain: Fowler, Noll, Vo)
FNV_PRIME = np.uint64(0x100000001B3)
MIX = np.uint64(0xFF51AFD7ED558CCD)
SHIFT = np.uint64(32)

Names = Any  # one NAMES record


def prepare(names: Names, key: int) -> None:
    """Makes a zeroed record ready; `key`: random, 64 bits."""
    names["count"] = 1
    names["start"][:2] = 0
    names["mask"] = FIRST_SLOTS - 1
    names["key"] = np.uint64(key)


@inline
def hash_bytes(b: Bytes, at: int, end: int, key: np.uint64) -> np.uint64:
    """A keyed hash of b[at:end]."""
    h = FNV_OFFSET ^ key
    for n in range(at, end):
        h = (h ^ np.uint64(b[n])) * FNV_PRIME
        h ^= h >> SHIFT
    return (h ^ key) * MIX


@inline
def _equal(names: Names, number: int, b: Bytes, at: int, end: int) -> bool:
    """Whether the entry has exactly these bytes."""
    start = names["start"][number]
    if names["start"][number + 1] - start != end - at:
        return False
    for n in range(end - at):
        if names["arena"][start + n] != b[at + n]:
            return False
    return True


@inline
def begins_with(names: Names, number: int, b: Bytes) -> bool:
    """Whether the entry begins with all of `b`."""
    start = names["start"][number]
    if names["start"][number + 1] - start < b.size:
        return False
    for n in range(b.size):
        if names["arena"][start + n] != b[n]:
            return False
    return True


@inline
def intern(names: Names, b: Bytes, at: int, end: int) -> int:
    """The number of b[at:end]; 0 for no bytes, and for new ones when there is no room."""
    if end <= at:
        return 0
    hashed = hash_bytes(b, at, end, names["key"])
    mask = names["mask"]
    slot = np.int64(hashed >> SHIFT) & mask
    while names["slots"][slot] != 0:
        number = np.int64(names["slots"][slot])
        if names["hashes"][number] == hashed and _equal(names, number, b, at, end):
            return number
        slot = (slot + 1) & mask
    number = names["count"]
    start = names["start"][number]
    if number >= MAX_NAMES or start + end - at > MAX_NAME_BYTES:
        names["refused"] += 1
        return 0
    for n in range(end - at):
        names["arena"][start + n] = b[at + n]
    names["start"][number + 1] = start + end - at
    names["hashes"][number] = hashed
    names["slots"][slot] = number
    names["count"] = number + 1
    if number * 2 > mask:
        _widen(names)
    return number


@inline
def _widen(names: Names) -> None:
    """Twice as many slots, entered anew."""
    mask = min(names["mask"] * 2 + 1, 2 * MAX_NAMES - 1)
    names["slots"][: names["mask"] + 1] = 0
    names["mask"] = mask
    for number in range(1, names["count"]):
        slot = np.int64(names["hashes"][number] >> SHIFT) & mask
        while names["slots"][slot] != 0:
            slot = (slot + 1) & mask
        names["slots"][slot] = number


@brief_kernel
def number_of(states: npt.NDArray[Any], b: Bytes) -> int:
    """The number of all of `b`, for Python; states: STATE[1]."""
    return intern(states[0]["names"], b, 0, b.size)


def raw(names: Names, number: int) -> bytes:
    """The bytes of an entry."""
    start, stop = names["start"][number : number + 2].tolist()
    return bytes(names["arena"][start:stop])


def texts(names: Names, first: int, count: int) -> list[str]:
    """Entries `first` to `count` - 1 as text: UTF-8 where it is, else as Latin-1; never raises."""
    starts: npt.NDArray[np.int64] = names["start"][first : count + 1]
    if count <= first:
        return []
    arena = names["arena"][int(starts[0]) : int(starts[-1])].tobytes()
    offsets = (starts - starts[0]).tolist()
    return [_text(arena[low:high]) for low, high in pairwise(offsets)]


def _text(value: bytes) -> str:
    """Bytes from the network as text that stands for them."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")
