"""Integers from bytes: the only place that assembles them.

Rules: every read widens to int64 first, because `(b[o] << 8) | b[o + 1]` on uint8 wraps without a warning when the
kernel runs uncompiled. Offsets are int64. The caller has compared `at + size <= end` before; a read past the buffer
is an IndexError (bounds checks are on), never another packet's bytes taken in silence.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .jit import inline

Bytes = npt.NDArray[np.uint8]

SEQ_MASK = 0xFFFFFFFF  # TCP sequence numbers are modulo 2**32: RFC 9293 §3.4
SEQ_HALF = 0x80000000


@inline
def u8(b: Bytes, at: int) -> int:
    """The byte at `at`, as int64."""
    return np.int64(b[at])


@inline
def be16(b: Bytes, at: int) -> int:
    """Two bytes, network order."""
    return (np.int64(b[at]) << 8) | np.int64(b[at + 1])


@inline
def be24(b: Bytes, at: int) -> int:
    """Three bytes, network order."""
    return (np.int64(b[at]) << 16) | (np.int64(b[at + 1]) << 8) | np.int64(b[at + 2])


@inline
def be32(b: Bytes, at: int) -> int:
    """Four bytes, network order."""
    return (be16(b, at) << 16) | be16(b, at + 2)


@inline
def le16(b: Bytes, at: int) -> int:
    """Two bytes, least significant first."""
    return (np.int64(b[at + 1]) << 8) | np.int64(b[at])


@inline
def le32(b: Bytes, at: int) -> int:
    """Four bytes, least significant first."""
    return (le16(b, at + 2) << 16) | le16(b, at)


@inline
def be64(b: Bytes, at: int) -> np.uint64:
    """Eight bytes, network order, as uint64: for addresses and hashes only, never for arithmetic."""
    return (np.uint64(be32(b, at)) << np.uint64(32)) | np.uint64(be32(b, at + 4))


@inline
def seq_after(a: int, b: int) -> int:
    """How far sequence number `a` lies after `b`, in [-2**31, 2**31): RFC 9293 §3.4, RFC 1982."""
    distance = (a - b) & SEQ_MASK
    return distance - (SEQ_MASK + 1) if distance >= SEQ_HALF else distance
