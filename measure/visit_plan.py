"""A plan of visits for the length probe: which page, with how many added characters, in which mode, in which order.

Theory: for the slope of an upload on the pad, with residuals of deviation `noise` and pads spread evenly over
0 … `longest`, the one-sided test of level alpha finds a slope with the stated power when visits · variance of pads is at least
(z(1 - alpha) + z(power))² · (noise / slope)². The verdict asks for q over all destinations, which for the only one of them that
grows is a level of alpha by their number; so that is the level planned with. Ranks lose a twentieth of that (asymptotic relative efficiency 3/π).
Several visits in one burst lose more, at most their number: `per_flush`. So the number of visits follows.

Rules: sessions alternate in random order within blocks of one session per mode, pads and stays on a page are random,
everything follows from the seed, which is in every row. Added characters are those that a URL may hold unescaped
(RFC 3986 §2.3) and that Huffman coding of HTTP/2 and /3 cannot shorten much; drawn at random they cannot be compressed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from scipy import stats

from ..core.errors import InputError

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
RANKS = 3 / 3.141592653589793  # asymptotic relative efficiency of Wilcoxon scores under normal noise
LEAST_VISITS = 16  # per mode: below that permutations have little to re-order
MOST_VISITS = 5000
ARRANGEMENTS = 1999  # that the probe draws: no p is below one in so many and one
UNSAFE = "'\"`\\<>\x7f"  # would end a string in a script; RFC 3986 §2 has them escaped


@dataclass(frozen=True)
class PlanOptions:
    """slope: bytes per character to be found. noise: deviation of a burst's bytes that has other causes. power, alpha:
    of the verdict. longest: most characters added. per_session: visits. per_flush: visits that may share a burst.
    dwell: (least, most) seconds on a page. destinations: that will be tested beside the visited site.
    """  # noqa: D205  (a list of fields)

    slope: float = 0.5
    noise: float = 200.0
    power: float = 0.9
    alpha: float = 0.05
    longest: int = 1000
    per_session: int = 12
    per_flush: int = 3
    dwell: tuple[float, float] = (12.0, 30.0)
    seed: int = 1
    destinations: int = 20


class Planned(NamedTuple):
    """A visit to make: `dwell` in seconds before the next one; `pad` characters are already in the URL."""

    session: str
    mode: str
    position: int
    url: str
    pad: int
    dwell: float


def visits_needed(options: PlanOptions) -> int:
    """Visits per mode for the stated power."""
    if not (options.slope > 0 and options.noise > 0 and options.longest > 0 and 0.5 <= options.power < 1 and 0 < options.alpha < 0.5):
        raise InputError("plan: slope, noise and longest must be above 0, power from 0.5 to below 1, alpha between 0 and 0.5")
    if not 1 <= options.destinations <= options.alpha * (1 + ARRANGEMENTS):
        raise InputError(f"plan: from 1 to {options.alpha * (1 + ARRANGEMENTS):.0f} destinations at alpha {options.alpha:g}: with "
                         f"{ARRANGEMENTS} arrangements no p is smaller than that takes")  # fmt: skip
    z = stats.norm.ppf(1 - options.alpha / options.destinations) + stats.norm.ppf(options.power)
    variance = options.longest * (options.longest + 2) / 12  # of the discrete uniform distribution
    alone = z**2 * (options.noise / options.slope) ** 2 / variance / RANKS
    # pads are centred within sessions: each session costs one visit's worth
    count: int = max(ceil(alone * options.per_flush * options.per_session / max(options.per_session - 1, 1)), LEAST_VISITS)
    if count > MOST_VISITS:
        raise InputError(f"plan: {count} visits per mode would be needed; raise --longest, or look for a larger --slope")
    return int(count)


def plan(urls: list[str], modes: list[str], options: PlanOptions) -> list[Planned]:
    """The visits in the order in which they are to be made. Raises InputError where that is impossible."""
    if not urls or len(set(modes)) != len(modes) or not modes:
        raise InputError("plan: at least one URL, and each mode once")
    for url in urls:
        if not url.startswith(("https://", "http://")) or any(c <= " " or c in UNSAFE for c in url):
            raise InputError(f"plan: {url!r} is no web address; write it as https://example.org/")
    least, most = options.dwell
    if not 0 < least <= most or options.per_session < 3:
        raise InputError("plan: stays on a page must be above 0 s, and at least 3 visits be in a session")
    source = random.Random(options.seed)  # noqa: S311  (a design, no secret)
    sessions = ceil(visits_needed(options) / options.per_session)
    planned = []
    for block in range(1, sessions + 1):
        for mode in source.sample(modes, len(modes)):
            for position in range(1, options.per_session + 1):
                pad = source.randint(0, options.longest)
                dwell = round(source.uniform(least, most), 1)
                url = padded(source.choice(urls), "".join(source.choices(ALPHABET, k=pad)))
                planned.append(Planned(f"{mode}-{block:02d}", mode, position, url, pad, dwell))
    return planned


def padded(url: str, characters: str) -> str:
    """The URL with a query parameter of random characters, before its fragment."""
    head, mark, fragment = url.partition("#")
    return f"{head}{'&' if '?' in head else '?'}pad={characters}{mark}{fragment}"
