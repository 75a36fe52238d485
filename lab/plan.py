"""What is recorded: the arms, and the order of sessions and pages.

Theory: sessions come in pairs of the same pages in both modes, in random order within each pair, so that what drifts
(caches, connections, the hour) falls on both modes alike. Idle sessions, a browser that shows nothing, give the
baseline. Everything follows from a seed.
"""

from __future__ import annotations

import random
from typing import NamedTuple

from .hosts import SENSORS, SENSORS_ALTERNATIVE
from .sites import PAGES

NORMAL, INCOGNITO, IDLE = "normal", "incognito", "idle"


class Arm(NamedTuple):
    """Where page events go in each mode; None is nowhere."""

    meaning: str
    normal: str | None
    incognito: str | None


ARMS = {
    "leaky": Arm("uploads the same in incognito mode", SENSORS, SENSORS),
    "honest": Arm("uploads nothing in incognito mode", SENSORS, None),
    "swap": Arm("uploads the same in incognito mode, to another host of the vendor", SENSORS, SENSORS_ALTERNATIVE),
}


class Session(NamedTuple):
    """One span of one mode; `pages` are visited in order."""

    name: str
    mode: str
    pages: tuple[str, ...]
    notes: str


def sessions(pairs: int, idle: int, visits: int, seed: int) -> list[Session]:
    """`pairs` of normal and incognito sessions with `visits` pages each, and `idle` ones spread among them."""
    source = random.Random(seed)
    blocks: list[list[Session]] = []
    for pair in range(1, pairs + 1):
        pages = tuple(source.sample(PAGES, visits))
        block = [Session(f"{mode}-{pair:02d}", mode, pages, f"pair {pair}") for mode in (NORMAL, INCOGNITO)]
        source.shuffle(block)
        blocks.append(block)
    for number in range(1, idle + 1):
        blocks.insert(source.randrange(len(blocks) + 1), [Session(f"idle-{number:02d}", IDLE, (), "")])
    return [session for block in blocks for session in block]
