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

NONE = DASH = "\N{EN DASH}"


class Verdict(NamedTuple):
    """`tone` groups verdicts by what they say about incognito mode: uploads, less, none, unknown."""

    symbol: str
    tone: str
    title: str
    meaning: str


VERDICTS = {
    "continues": Verdict(
        "=", "uploads", "Uploads to {who} continued {tested}",
        "For practical purposes as much is uploaded {tested} as {reference}: the ratio lies within ±{margin} of 1, by two "
        "one-sided tests.",
    ),
    "increases": Verdict(
        "↑", "uploads", "More was uploaded to {who} {tested}",
        "More is uploaded {tested} than {reference}, by more than chance explains.",
    ),
    "appears": Verdict(
        "+", "uploads", "Uploads to {who} appeared only {tested}",
        "Uploads were seen {tested}, and none {reference} beyond what an idle device uploads.",
    ),
    "reduced": Verdict(
        "↓", "less", "Less was uploaded to {who} {tested}",
        "Less is uploaded {tested} than {reference}, by more than chance explains; that it stops is not shown.",
    ),
    "stops": Verdict(
        "\N{MULTIPLICATION SIGN}", "none", "Uploads to {who} stopped, or nearly so, {tested}",
        "The upper end of the ratio’s interval is below {stop_ratio}, by more than chance explains, and no packet was lost "
        "while capturing.",
    ),
    "inconclusive": Verdict(
        "?", "unknown", "Whether uploads to {who} continue {tested} is not settled",
        "These sessions are too few or too uneven to say. It is not a finding that nothing changed.",
    ),
    "absent": Verdict(
        NONE, "unknown", "No uploads to {who} were seen, or none beyond those of an idle device",
        "Nothing was uploaded in either mode, or nothing beyond what an idle device uploads.",
    ),
}  # fmt: skip


class Terms(NamedTuple):
    """What a result was compared by: the two modes, the period that means are of, and the bounds of verdicts."""

    per: str = "session"
    reference: str = "normal"
    tested: str = "incognito"
    idle: str = "idle"
    margin: float = 0.25
    stop_ratio: float = 0.2
    alpha: float = 0.05

    @classmethod
    def of(cls, result: Mapping[str, Any]) -> Terms:
        """The terms of a result, from its options."""
        options = result["basis"].get("options", {})
        names = {"reference": "baseline", "tested": "compared"}
        given = {field: options.get(names.get(field, field)) for field in cls._fields}
        return cls(**{name: value for name, value in given.items() if value is not None} | {"per": result["per"]})

    @property
    def interval(self) -> str:
        """What the intervals are called."""
        return f"{percent(1 - self.alpha)} interval"

    def circumstance(self, mode: str) -> str:
        """Where a mode's number was measured, for the middle of a sentence."""
        known = {"normal": "in normal browsing", "idle": "while idle"}
        return known.get(mode, f"in {visible(mode)} mode")

    def role(self, mode: str) -> str:
        """Which of the page's colours a mode has."""
        return {self.reference: "normal", self.tested: "incognito", self.idle: "idle"}.get(mode, "other")

    def ordered(self, modes: Iterable[str]) -> list[str]:
        """The two modes compared, idle, then all others."""
        every = set(modes)
        first = [mode for mode in (self.reference, self.tested, self.idle) if mode in every]
        return first + sorted(every - set(first))

    def meaning(self, word: str) -> str:
        """What a verdict's word means, under these bounds."""
        return VERDICTS[word].meaning.format(
            margin=percent(self.margin), stop_ratio=self.stop_ratio, tested=self.circumstance(self.tested),
            reference=self.circumstance(self.reference),
        )  # fmt: skip


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


def title(item: Item, terms: Terms, who: str | None = None) -> str:
    """The verdict as a headline, without numbers."""
    return VERDICTS[item["verdict"]].title.format(who=who or called(item), tested=terms.circumstance(terms.tested))


def evidence(item: Item, terms: Terms) -> str:
    """The numbers behind a verdict, as the second half of a sentence."""
    amounts = {mode: mean(item, mode) for mode in (terms.tested, terms.reference)}
    missing = [terms.circumstance(mode) for mode, amount in amounts.items() if amount is None]
    if missing:
        return f"there is no session {listed(missing)}, so nothing was compared"
    details = []
    if item["ratio"] and item["ratio"]["estimate"] is not None:
        details.append(f"ratio {ratio(item['ratio']['estimate'])}{_beyond(mean(item, terms.idle))}")
        ends = interval(item["ratio"])
        details[-1] += f", {terms.interval} {ends}" if ends else ""
    if item["verdict"] == "continues":
        details.append(f"the same within ±{percent(terms.margin)}")
    elif item["verdict"] != "absent":
        details.append(equals("q", item["q"]))
    sample = counted(sessions(item, terms.reference), f"{visible(terms.reference)} session")
    details.append(f"{sessions(item, terms.tested)} {visible(terms.tested)} and {sample}")
    told = (
        f"{size(amounts[terms.tested])} per {terms.per} {terms.circumstance(terms.tested)} against "
        f"{size(amounts[terms.reference])} {terms.circumstance(terms.reference)} ({'; '.join(filter(None, details))})"
    )
    if item["verdict"] == "inconclusive" and item["needed_sessions"]:
        told += f"; about {counted(item['needed_sessions'], 'session')} of each mode would settle it"
    return told


def _beyond(idle: float | None) -> str:
    """What a ratio leaves out, so that nobody divides the means and wonders."""
    return f" beyond the {size(idle)} of an idle device" if idle else ""


def sentence(item: Item, terms: Terms, who: str | None = None) -> str:
    """The verdict in one sentence, with the numbers that it rests on."""
    return f"{title(item, terms, who)}: {evidence(item, terms)}."
