"""What is recorded: the arms, and the order of sessions and pages.

Theory: sessions come in pairs of the same pages in both modes, in random order within each pair, so that what drifts
(caches, connections, the hour) falls on both modes alike. Idle sessions, a browser that shows nothing, give the
baseline. Everything follows from a seed.
"""

from __future__ import annotations

import random
import string
from typing import Literal, NamedTuple

from .hosts import SENSORS, SENSORS_ALTERNATIVE, SHARED
from .sites import PAGES

NORMAL, INCOGNITO, IDLE = "normal", "incognito", "idle"


Form = Literal["events", "reduced", "noisy", "referrer"]
"""What a page report holds: the vendor's two events; a record of fixed size without an address; the address and noise of
random length; the two events with the address before as well."""

ALPHABET = string.ascii_letters + string.digits + "-_"


class Arm(NamedTuple):
    """Where page events go in each mode (None is nowhere), in which form, and what else the phone does meanwhile.

    http3: events go over QUIC. background: an idle phone's own traffic. second: the arm of a second phone beside it.
    """

    meaning: str
    normal: str | None
    incognito: str | None
    form: Form = "events"
    http3: bool = False
    background: bool = False
    second: str | None = None


ARMS = {
    "leaky": Arm("uploads the same in incognito mode", SENSORS, SENSORS),
    "honest": Arm("uploads nothing in incognito mode", SENSORS, None),
    "swap": Arm("uploads the same in incognito mode, to another host of the vendor", SENSORS, SENSORS_ALTERNATIVE),
    "reduced": Arm("reports that a page was opened, never which, in records of one size", SENSORS, SENSORS, "reduced"),
    "noisy": Arm("reports each address among noise of random length", SENSORS, SENSORS, "noisy"),
    "referrer": Arm("reports each address together with the one before", SENSORS, SENSORS, "referrer"),
    "background": Arm("uploads the same in incognito mode, beside an idle phone's own traffic", SENSORS, SENSORS, background=True),
    "http3": Arm("uploads the same in incognito mode, over QUIC", SENSORS, SENSORS, http3=True),
    "shared": Arm("uploads the same in incognito mode, to a host that pages load from as well", SHARED, SHARED),
    "two": Arm("uploads the same in incognito mode, beside a second phone that does not", SENSORS, SENSORS, second="honest"),
}


class Page(NamedTuple):
    """An address, and how many random characters of it are padding; None where padding was not asked for."""

    url: str
    pad: int | None = None


class Session(NamedTuple):
    """One span of one mode; `pages` are visited in order."""

    name: str
    mode: str
    pages: tuple[Page, ...]
    notes: str


def padded(url: str, pad: int, source: random.Random) -> Page:
    """The page with `pad` characters of high entropy in its address: what compresses does not measure lengths."""
    joint = "&" if "?" in url else "?"
    return Page(f"{url}{joint}k={''.join(source.choices(ALPHABET, k=pad))}", pad)


def sessions(pairs: int, idle: int, visits: int, seed: int, longest_pad: int = 0) -> list[Session]:
    """`pairs` of normal and incognito sessions with `visits` pages each, and `idle` ones spread among them.

    With `longest_pad` every visit has an address of its own, padded by 0 to `longest_pad` characters.
    """
    source = random.Random(seed)
    pads = random.Random(seed + 1)  # apart, so that pages and order are the same without pads
    blocks: list[list[Session]] = []
    for pair in range(1, pairs + 1):
        urls = source.sample(PAGES, visits)
        block = []
        for mode in (NORMAL, INCOGNITO):
            pages = [padded(url, pads.randint(0, longest_pad), pads) if longest_pad else Page(url) for url in urls]
            block.append(Session(f"{mode}-{pair:02d}", mode, tuple(pages), f"pair {pair}"))
        source.shuffle(block)
        blocks.append(block)
    for number in range(1, idle + 1):
        blocks.insert(source.randrange(len(blocks) + 1), [Session(f"idle-{number:02d}", IDLE, (), "")])
    return [session for block in blocks for session in block]
