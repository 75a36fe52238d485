"""Numbers, names and verdicts in plain language.

Theory: a sentence claims no more than was tested. It names whom the upload went to, says both means, the ratio with its
interval, how many sessions stand behind it, and never who on the device sent it. Every verdict of the contract has its
own words here, and nowhere else.

Rules: sizes are SI (1 kB = 1000 B) with three digits. Whatever came from the network passes `visible` before it is put
into a sentence, so that no character can steer a terminal or turn the reading direction.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from ..store.cells import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Item = dict[str, Any]  # an ITEM of the contract's compare JSON

REFERENCE, TESTED, IDLE = "normal", "incognito", "idle"
CIRCUMSTANCES = {REFERENCE: "in normal browsing", TESTED: "in incognito mode", IDLE: "while idle"}
MARGIN = 0.25  # "continues" where the options do not say otherwise
NONE = DASH = "\N{EN DASH}"


class Verdict(NamedTuple):
    """`tone` groups verdicts by what they say about incognito mode: uploads, less, none, unknown."""

    symbol: str
    tone: str
    title: str
    meaning: str


VERDICTS = {
    "continues": Verdict(
        "=", "uploads", "Uploads to {who} continued in incognito mode",
        "The whole interval of the ratio lies within ±{margin} of 1: for practical purposes as much is uploaded in "
        "incognito mode as in normal browsing.",
    ),
    "increases": Verdict(
        "↑", "uploads", "More was uploaded to {who} in incognito mode",
        "More is uploaded in incognito mode, by more than chance explains.",
    ),
    "appears": Verdict(
        "+", "uploads", "Uploads to {who} appeared only in incognito mode",
        "Uploads were seen in incognito mode and none in normal browsing.",
    ),
    "reduced": Verdict(
        "↓", "less", "Less was uploaded to {who} in incognito mode",
        "Less is uploaded in incognito mode, by more than chance explains; that it stops is not shown.",
    ),
    "stops": Verdict(
        "\N{MULTIPLICATION SIGN}", "none", "Uploads to {who} stopped, or nearly so, in incognito mode",
        "The upper end of the ratio's interval is below 0.2: at least four fifths of the upload is gone.",
    ),
    "inconclusive": Verdict(
        "?", "unknown", "Whether uploads to {who} continue in incognito mode is not settled",
        "These sessions are too few or too uneven to say. It is not a finding that nothing changed.",
    ),
    "absent": Verdict(
        NONE, "unknown", "No uploads to {who} were seen in either mode",
        "No upload was seen in normal browsing or in incognito mode.",
    ),
}  # fmt: skip


def visible(text: object) -> str:
    """`text` on one line with every control, format and direction character as a visible escape."""
    return escaped(str(text))


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` characters, the middle left out: hosts differ at both ends."""
    if len(text) <= width:
        return text
    end = (width - 1) // 2
    return f"{text[: width - 1 - end]}…{text[len(text) - end :]}"


def size(amount: float | None) -> str:
    """Bytes with an SI unit and three digits: 0 B, 950 B, 12.1 kB."""
    if amount is None or not math.isfinite(amount):
        return NONE
    sign, amount = ("-", -amount) if amount < 0 else ("", amount)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        digits = 0 if unit == "B" and (amount >= 10 or amount == int(amount)) else _digits(amount)
        if float(f"{amount:.{digits}f}") < 1000 or unit == "TB":
            return f"{sign}{amount:.{digits}f} {unit}"
        amount /= 1000
    raise AssertionError  # the last unit takes everything


def _digits(amount: float) -> int:
    return 2 if amount < 9.995 else 1 if amount < 99.95 else 0


def ratio(value: float | None) -> str:
    """A ratio with two decimals, fewer where it is large."""
    if value is None or not math.isfinite(value):
        return NONE
    return f"{value:.{_digits(value)}f}"


def interval(of: Mapping[str, float | None] | None) -> str:
    """The ends of an interval with a dash between; one that is open above: from 0.91."""
    if not of or of["ci_low"] is None:
        return ""
    if of["ci_high"] is None:
        return f"from {ratio(of['ci_low'])}"
    return f"{ratio(of['ci_low'])}{DASH}{ratio(of['ci_high'])}"


def chance(value: float | None) -> str:
    """A p or q: two significant digits, and no more zeros than mean something."""
    if value is None:
        return NONE
    return "< 0.001" if value < 0.001 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"


def equals(letter: str, value: float | None) -> str:
    """`q = 0.62` or `q < 0.001`; empty where nothing was tested."""
    if value is None:
        return ""
    text = chance(value)
    return f"{letter} {text}" if text.startswith("<") else f"{letter} = {text}"


def percent(share: float) -> str:
    """A share in whole percent, a small one not rounded to nothing."""
    return f"{share * 100:.0f} %" if share >= 0.01 or share == 0 else "1 %"


def counted(number: int, noun: str) -> str:
    """`1 session`, `8 sessions`; thousands apart."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(parts: Iterable[str], most: int = 2) -> str:
    """`a`, `a and b`, `a, b and 3 more`."""
    every = list(parts)
    if len(every) > most + 1:
        every = [*every[:most], f"{len(every) - most} more"]
    return " and ".join([", ".join(every[:-1]), every[-1]] if len(every) > 1 else every)


def circumstance(mode: str) -> str:
    """Where a mode's number was measured, for the end of a sentence."""
    return CIRCUMSTANCES.get(mode, f"in mode {visible(mode)}")


def mean(item: Item, mode: str) -> float | None:
    """Mean bytes of one mode; None where there were no sessions of it."""
    summary = item["modes"].get(mode)
    return summary["mean"] if summary and summary["sessions"] else None


def sessions(item: Item, mode: str) -> int:
    """How many sessions of one mode stand behind the item."""
    summary = item["modes"].get(mode)
    return summary["sessions"] if summary else 0


def called(item: Item) -> str:
    """The item's name, fit to print."""
    return visible(item["name"] or item["key"])


def title(item: Item, who: str | None = None) -> str:
    """The verdict as a headline, without numbers."""
    return VERDICTS[item["verdict"]].title.format(who=who or called(item))


def evidence(item: Item, per: str, margin: float = MARGIN) -> str:
    """The numbers behind a verdict, as the second half of a sentence."""
    tested, reference = mean(item, TESTED), mean(item, REFERENCE)
    if tested is None or reference is None:
        missing = listed(circumstance(mode) for mode in (TESTED, REFERENCE) if mean(item, mode) is None)
        return f"there is no session {missing}, so nothing was compared"
    volumes = f"{size(tested)} per {per} {circumstance(TESTED)} against {size(reference)} {circumstance(REFERENCE)}"
    details = []
    if item["ratio"] and item["ratio"]["estimate"] is not None:
        ends = interval(item["ratio"])
        details.append(f"ratio {ratio(item['ratio']['estimate'])}" + (f", 95 % interval {ends}" if ends else ""))
    if item["verdict"] == "continues":
        details.append(f"the same within ±{percent(margin)}")
    elif item["verdict"] != "absent":
        details.append(equals("q", item["q"]))
    sample = counted(sessions(item, REFERENCE), f"{REFERENCE} session")
    details.append(f"{sessions(item, TESTED)} {TESTED} and {sample}")
    told = f"{volumes} ({'; '.join(filter(None, details))})"
    if item["verdict"] == "inconclusive" and item["needed_sessions"]:
        told += f"; about {counted(item['needed_sessions'], 'session')} of each mode would settle it"
    return told


def sentence(item: Item, per: str, margin: float = MARGIN, who: str | None = None) -> str:
    """The verdict in one sentence, with the numbers that it rests on."""
    return f"{title(item, who)}: {evidence(item, per, margin)}."
