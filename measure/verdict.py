"""Verdicts: the word that the numbers of one destination allow, and no more.

| word | what it takes |
|---|---|
| absent | nothing was uploaded in either mode, or nothing beyond what an idle device uploads |
| continues | the 90 % interval of the ratio lies within 1 ± margin (two one-sided tests at 5 %: Schuirmann 1987) |
| stops | q <= alpha, the upper bound of the ratio is below 0.2, and no packet was lost in any session |
| reduced | q <= alpha and the upper bound of the ratio is below 1 |
| increases | q <= alpha and the lower bound of the ratio is above 1 |
| appears | q <= alpha and nothing (beyond idle) was uploaded in the baseline mode |
| inconclusive | none of these; `needed_sessions` says how many per mode would settle it |

Rules: tried in the order absent, appears, continues, stops, reduced, increases. Fewer than MIN_SESSIONS in a mode allow
only `absent` or `inconclusive`. Where names are missing in a session, what a destination lost may stand under an address: then
only `continues` or `inconclusive`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

ABSENT, CONTINUES, STOPS, REDUCED = "absent", "continues", "stops", "reduced"
INCREASES, APPEARS, INCONCLUSIVE = "increases", "appears", "inconclusive"
MIN_SESSIONS = 3
IDLE_NOISE = 0.10  # what a mode uploads beyond idle, as a share of idle, that is still called nothing


@dataclass(frozen=True)
class Numbers:
    """What a verdict rests on: means per session, idle mean, ratio bounds at 95 % and 90 %, q, sessions, drops, whether names are missing."""

    baseline: float
    compared: float
    idle: float
    low: float
    high: float
    equivalence_low: float
    equivalence_high: float
    q: float
    sessions: int
    dropped: bool
    nameless: bool = False


def verdict(n: Numbers, alpha: float, margin: float, stop_ratio: float) -> str:
    """The word for these numbers."""
    word = _word(n, alpha, margin, stop_ratio)
    return INCONCLUSIVE if n.nameless and word != CONTINUES else word


def _word(n: Numbers, alpha: float, margin: float, stop_ratio: float) -> str:
    """The same where every name is known."""
    nothing_before = _nothing(n.baseline, n.idle)
    if nothing_before and _nothing(n.compared, n.idle):
        return ABSENT
    if n.sessions < MIN_SESSIONS:
        return INCONCLUSIVE
    differs = not isnan(n.q) and n.q <= alpha
    if nothing_before:
        return APPEARS if differs and n.compared > n.baseline else INCONCLUSIVE
    if 1 - margin <= n.equivalence_low and n.equivalence_high <= 1 + margin:
        return CONTINUES
    if not differs:
        return INCONCLUSIVE
    if n.high < stop_ratio and not n.dropped:
        return STOPS
    if n.high < 1:
        return REDUCED
    return INCREASES if n.low > 1 else INCONCLUSIVE


def _nothing(mean: float, idle: float) -> bool:
    """Whether a mode uploads nothing, or nothing beyond idle."""
    return mean <= 0 or (idle > 0 and mean - idle <= IDLE_NOISE * idle)
