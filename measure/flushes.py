"""Flushes: which visits an upload may tell of.

Theory: a reporter may send one message per visit, or collect visits until a timer runs out. Either way a message can
only tell of visits since the last one. So visits and uploads alternate: some visits, then the uploads up to the next
visit, which are one flush with the sum of their bytes. Visits after the last upload of a session may be told of later
and are left out. A session's first visit has none before it.

A report is made when a page has begun or has loaded, so a visit just before a flush may be told of by it, by the next one, or by
both. So where a timer sends (flushes come a steady time after their first visit, seldom soon after their last), the two flushes
beside a visit less than `EDGE_NS` before one are left out. Moments of visits and uploads decide, never pads, so that re-ordering
pads stays fair.

Rules: visits are in order of session and time. A visit without a pad, or one that is not asked about, makes the flush
that it is in useless.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

EDGE_NS = 500_000_000  # after a visit began, until which a flush may not know of it; and how steady a timer is
SELDOM = 0.5  # share of flushes below which such uploads are an accident of timing


class Flushes(NamedTuple):
    """`visits`: indices of the visits in flushes, in order; `first`: where each flush begins among them; by flush:
    `size` (visits), `session` (index), `amount` (bytes).
    """  # noqa: D205  (a list of fields)

    visits: Ints
    first: Ints
    size: Ints
    session: Ints
    amount: Floats

    def sums(self, values: Floats) -> Floats:
        """Sums over the visits of each flush; values: float64[all visits], or [draws, all visits], fastest if a transposed view."""
        if values.ndim == 1:
            taken = values[self.visits]
            return np.add.reduceat(taken, self.first) if len(self.first) else taken[:0]
        inside = np.append(self.first, len(self.visits))  # ones where a visit is in a flush: a row is a flush
        whole = sparse.csr_array((np.ones(len(self.visits)), self.visits, inside), shape=(len(self.first), values.shape[-1]))
        summed: Floats = (whole @ values.T).T
        return summed

    def only(self, keep: Bools) -> Flushes:
        """The flushes that are kept."""
        inside = np.repeat(keep, self.size)
        size = self.size[keep]
        return Flushes(self.visits[inside], np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.int64) if len(size) else size,
                       size, self.session[keep], self.amount[keep])  # fmt: skip


class Sent(NamedTuple):
    """Uploads of one destination, added up by the latest visit of their session: `after` (its index, -1 before the first), `session`
    (index), bytes, `lag` (ns from that visit to the first of them).
    """  # noqa: D205  (a list of fields)

    after: Ints
    session: Ints
    amount: Floats
    lag: Ints


def latest(at: Ints, place: Ints, visits: Ints, session: Ints) -> Ints:
    """The latest visit before each upload, -1 where its session has none; at, visits: on a line of time on which sessions lie apart."""
    last = np.searchsorted(visits, at, side="right") - 1
    if len(visits):
        last[session[np.maximum(last, 0)] != place] = -1
    return last


def flushes(sent: Sent, session: Ints, usable: Bools, at: Ints) -> Flushes:
    """The flushes of one destination; session of each visit, whether it can be used, and when it was, in ns."""
    seen, visits = sent.after >= 0, len(session)
    slot = np.bincount(sent.after[seen], sent.amount[seen], visits).astype(float)
    told = slot > 0
    following = np.full(visits, -1)
    if told.any():
        ends = np.flatnonzero(told)
        place = np.searchsorted(ends, np.arange(visits))
        inside = place < len(ends)
        following[inside] = ends[place[inside]]
        following[inside & (session != session[np.maximum(following, 0)])] = -1
    chosen = np.flatnonzero(following >= 0)
    ends, first, size = np.unique(following[chosen], return_index=True, return_counts=True)
    found = Flushes(chosen, first.astype(np.int64), size.astype(np.int64), session[ends], slot[ends])
    return found.only((found.sums((~usable).astype(float)) == 0) & _clear(sent, found, ends, at))


def _clear(sent: Sent, found: Flushes, ends: Ints, at: Ints) -> Bools:
    """The flushes of which it is clear what they may tell; ends: the latest visit of each."""
    lag = np.full(len(at), np.iinfo(np.int64).max)
    np.minimum.at(lag, sent.after[sent.after >= 0], sent.lag[sent.after >= 0])
    lag = lag[ends]
    soon = lag < EDGE_NS
    after = np.concatenate([soon[:0], soon[:1] & False, soon[:-1] & (found.session[1:] == found.session[:-1])])
    since = (at[ends] + lag - at[found.visits[found.first]])[~soon & ~after]
    timer = len(since) > 0 and soon.mean() < SELDOM and np.median(np.abs(since - np.median(since))) < EDGE_NS
    return ~soon & ~after if timer else np.full(len(soon), fill_value=True)


def silent(session: Ints, usable: Bools) -> Flushes:
    """The flushes of a destination that received nothing at all: one of no bytes for each visit."""
    chosen = np.flatnonzero(usable)
    return Flushes(chosen, np.arange(len(chosen)), np.ones(len(chosen), np.int64), session[chosen], np.zeros(len(chosen)))
