"""Public names of Encrypted Client Hello: which server names stand for another one that is hidden.

Theory: a real outer hello carries the `public_name` of the ECHConfig that the client was given (RFC 9849 §4), usually in
the `ech` parameter of an HTTPS record (RFC 9848 §3, RFC 9460 §7). GREASE (RFC 9849 §6.2) carries the true name. So only
a name that such a record has announced, or that is known, is an outer one.

Rules: names are kept as numbers of the interning table, OUTER_NAMES of them; more are counted and not learned.
"""

from __future__ import annotations

from ...core.jit import inline
from ...core.wire import Bytes, be16, u8
from ..intern import intern
from ..state import OUTER_FULL, OUTER_KNOWN, OUTER_NAMES, State

SVC_ECH = 5  # SvcParamKey: RFC 9848 §3
ECH_VERSION = 0xFE0D  # RFC 9849 §4
PRIORITY_BYTES = 2  # RFC 9460 §2.2
CONFIG_ID, KEM = 1, 2  # bytes of HpkeKeyConfig before the public key: RFC 9849 §4


@inline
def is_public_name(state: State, name: int) -> bool:
    """Whether a name is a known public name."""
    for n in range(state["cursor"][OUTER_KNOWN]):
        if state["outer"][n] == name:
            return True
    return False


@inline
def learn_public_names(state: State, rdata: int) -> None:
    """Takes the public names out of an HTTPS or SVCB record: RFC 9460 §2.2; rdata: its interned bytes."""
    names = state["names"]
    b = names["arena"]
    at, end = names["start"][rdata], names["start"][rdata + 1]
    at += PRIORITY_BYTES
    while at < end and u8(b, at) != 0:  # TargetName, not compressed: RFC 9460 §2.2
        at += 1 + u8(b, at)
    at += 1
    while at + 4 <= end:
        key, size = be16(b, at), be16(b, at + 2)
        at += 4
        if at + size > end:
            break
        if key == SVC_ECH and size >= 2:
            _configs(state, b, at + 2, min(at + 2 + be16(b, at), at + size))
        at += size


@inline
def _configs(state: State, b: Bytes, at: int, end: int) -> None:
    """ECHConfigList: RFC 9849 §4."""
    while at + 4 <= end:
        version, stop = be16(b, at), at + 4 + be16(b, at + 2)
        at += 4
        if stop > end:
            break
        if version == ECH_VERSION:
            _config(state, b, at, stop)
        at = stop


@inline
def _config(state: State, b: Bytes, at: int, end: int) -> None:
    """ECHConfigContents: the key, its suites and the longest name pass, the public name is learned."""
    at += CONFIG_ID + KEM
    for _ in range(2):
        if at + 2 > end:
            return
        at += 2 + be16(b, at)
    at += 1
    if at + 1 > end or at + 1 + u8(b, at) > end:
        return
    number = intern(state["names"], b, at + 1, at + 1 + u8(b, at))
    if number == 0 or is_public_name(state, number):
        return
    known = state["cursor"][OUTER_KNOWN]
    if known == OUTER_NAMES:
        state["counters"][OUTER_FULL] += 1
        return
    state["outer"][known] = number
    state["cursor"][OUTER_KNOWN] += 1
