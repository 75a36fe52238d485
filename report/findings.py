"""What a result says, in the order in which a reader should meet it.

Theory: the question is whether somebody is told what is visited in private. So the first sentence is about the owner
that received most through destinations which the catalogue marks as telemetry; failing that as analytics, crash reports
or advertising; failing that through hosts that carry telemetry among essential services; failing that about everything
together. The choice goes by volume above the idle rate and never by the result, so that no finding is picked for being
spectacular.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from .words import VERDICTS, Item, Terms, called, counted, evidence, listed, mean, sentence, size, title, visible

# hosts that also carry essential services (telemetry_mixed) come last: what they receive is not telemetry alone
TELEMETRY = (frozenset({"telemetry"}), frozenset({"analytics", "crash", "ads"}), frozenset({"telemetry_mixed"}))
OLD_DAYS = 183  # a geolocation database older than this misplaces what has moved since
TOGETHER, NOWHERE = "all destinations together", "any destination"
OTHERS = 3  # further owners with a sentence of their own


class Headline(NamedTuple):
    """The verdict in one sentence: `title` alone is short, `title: evidence.` is complete."""

    item: Item
    kind: str  # owner, destination or total
    title: str
    evidence: str

    @property
    def sentence(self) -> str:
        """The whole of it."""
        return f"{self.title}: {self.evidence}."


def most(item: Item, terms: Terms) -> float:
    """Mean bytes in the mode that uploaded more."""
    return max(mean(item, terms.reference) or 0.0, mean(item, terms.tested) or 0.0)


def excess(item: Item, terms: Terms) -> float:
    """Mean bytes above the idle rate, in the mode that uploaded more."""
    return most(item, terms) - (mean(item, terms.idle) or 0.0)


def by_volume(items: list[Item], terms: Terms) -> list[Item]:
    """Most uploaded above the idle rate first; where nothing was uploaded in either mode is left out."""
    seen = [item for item in items if most(item, terms) > 0]
    return sorted(seen, key=lambda item: (-excess(item, terms), item["key"]))


def of_owner(result: dict[str, Any], key: str) -> list[Item]:
    """An owner's destinations, most uploaded first."""
    return by_volume([item for item in result["destinations"] if item["owner"] == key], Terms.of(result))


def owners(result: dict[str, Any]) -> list[Item]:
    """Owners, most uploaded first; a destination that nobody is known to own stands for itself already."""
    destinations = {item["key"] for item in result["destinations"]}
    return by_volume([item for item in result["owners"] if item["key"] not in destinations], Terms.of(result))


def owner(item: Item) -> str:
    """Who owns a destination, fit to print; empty where that is not known, and it stands for itself."""
    return "" if item["owner"] in {None, item["key"]} else visible(item["owner"])


def telemetry_owners(result: dict[str, Any]) -> list[Item]:
    """Owners that run telemetry destinations, in the order of the theory above."""
    ranked, terms = [], Terms.of(result)
    for each in result["owners"]:
        destinations = of_owner(result, each["key"])
        for tier, categories in enumerate(TELEMETRY):
            marked = [item for item in destinations if item["category"] in categories]
            if marked:
                above = sum(excess(item, terms) for item in marked)
                ranked.append((tier, -above, each["key"], each))
                break
    return [each for *_, each in sorted(ranked, key=lambda entry: entry[:3])]


def subject(result: dict[str, Any]) -> tuple[str, Item]:
    """What the first sentence is about, and its kind: owner, destination or total."""
    first = next(iter(telemetry_owners(result)), None)
    if first is not None:
        return "owner", first
    for categories in TELEMETRY:
        marked = by_volume(
            [item for item in result["destinations"] if item["category"] in categories], Terms.of(result)
        )
        if marked:
            return "destination", marked[0]
    return "total", result["total"]


def headline(result: dict[str, Any]) -> Headline:
    """The verdict in one sentence."""
    (kind, item), terms = subject(result), Terms.of(result)
    who = called(item) if kind != "total" else NOWHERE if item["verdict"] == "absent" else TOGETHER
    return Headline(item, kind, title(item, terms, who), evidence(item, terms))


def details(result: dict[str, Any]) -> list[str]:
    """Sentences that belong to the first one: the hosts behind it, other owners, the total."""
    (kind, item), terms = subject(result), Terms.of(result)
    told = []
    if kind == "owner":
        told += _hosts(result, item)
        told += [sentence(other, terms) for other in telemetry_owners(result)[1 : 1 + OTHERS]]
    if kind != "total" and result["total"]["verdict"] != "absent":
        told.append(sentence(result["total"], terms, TOGETHER))
    told += _tally(result)
    return told


def _hosts(result: dict[str, Any], of: Item) -> list[str]:
    """Which hosts an owner's sum is made of, and whether uploads moved from one to another."""
    hosts = of_owner(result, of["key"])
    stopped = [called(item) for item in hosts if item["verdict"] in {"stops", "reduced"}]
    started = [called(item) for item in hosts if item["verdict"] in {"appears", "increases"}]
    name, terms = called(of), Terms.of(result)
    if stopped and started and of["verdict"] not in {"stops", "reduced"}:
        less = f"{listed(stopped)} received less or nothing {terms.circumstance(terms.tested)}"
        return [f"Within {name} the upload moved: {less}, {listed(started)} received more or only then."]
    parts = [f"{called(item)} ({size(most(item, terms))} per {terms.per})" for item in hosts]
    return [f"The uploads to {name} went to {listed(parts)}."] if parts else []


def _tally(result: dict[str, Any]) -> list[str]:
    """How the verdicts spread over all destinations."""
    verdicts = [item["verdict"] for item in rows(result)]
    if not verdicts:
        return []
    spread = listed((f"{verdicts.count(word)} {word}" for word in VERDICTS if word in verdicts), len(VERDICTS))
    return [f"Of {counted(len(verdicts), 'destination')}: {spread}."]


def rows(result: dict[str, Any]) -> list[Item]:
    """Destinations for a table: those of the first sentence's owner, then all others, most uploaded first."""
    kind, item = subject(result)
    first = item["key"] if kind == "owner" else None
    ordered = by_volume(result["destinations"], Terms.of(result))
    return sorted(ordered, key=lambda each: first is None or each["owner"] != first)


def selection(result: dict[str, Any], number: int) -> list[Item]:
    """Destinations for charts: half of them of the first sentence's owner, the others the largest of all."""
    ordered = rows(result)
    kind, about = subject(result)
    first = [item for item in ordered if kind == "owner" and item["owner"] == about["key"]][: number // 2]
    others = [item for item in by_volume(ordered, Terms.of(result)) if item not in first]
    return [*first, *others][:number]


def names(result: dict[str, Any]) -> str:
    """How far names were there to be seen, in one sentence; empty where the result does not say."""
    hidden = result["basis"].get("hidden_names")
    if not hidden:
        return ""
    asking, unnamed = hidden["encrypted_dns"], hidden["unnamed"]
    used = (
        f"{counted(asking['flows'], 'flow')} of {counted(asking['devices'], 'device')} asked for names inside encryption "
        f"({size(asking['up_wire_bytes'] + asking['down_wire_bytes'])})"
        if asking["flows"]
        else "no encrypted DNS was recognised"
    )
    return (
        f"names: {unnamed['of_flows'] - unnamed['flows']:,} of {counted(unnamed['of_flows'], 'flow')} to the internet have one; "
        f"{used}"
    )


def options(result: dict[str, Any]) -> str:
    """What was asked for, on one line: every bound that a verdict rests on."""
    return "Options: " + ", ".join(f"{name} {visible(value)}" for name, value in sorted(result["basis"].get("options", {}).items()))


def cautions(result: dict[str, Any]) -> list[str]:
    """What a reader must know before believing a number; each once, fit to print."""
    told = [visible(warning) for warning in result["basis"].get("warnings", [])]
    latest = max((row["last_seen"] for row in result["capture"] if row.get("last_seen")), default=None)
    for database in result["basis"].get("databases", []):
        built = database.get("build_date")
        already = any(line.startswith(f"{visible(database['name'])} was built on") for line in told)
        if built and latest and not already and (day(latest) - day(built)).days > OLD_DAYS:
            told.append(
                f"{visible(database['name'])} was built on {visible(built)[:10]}, more than six months before the "
                "capture: places may be out of date"
            )
    return list(dict.fromkeys(told))


def day(time: str) -> datetime:
    """A date or time of a result as an instant; without a zone it is UTC."""
    parsed = datetime.fromisoformat(time)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def base_name(source: str) -> str:
    """A capture's name without the folders it lies in: they name people, and mean nothing to a reader."""
    return visible(source.replace("\\", "/").rsplit("/", 1)[-1] or source)


def shares(result: dict[str, Any]) -> str:
    """The sample in half a sentence: 8 incognito, 8 normal and 2 idle sessions."""
    modes = [session["mode"] for session in result["sessions"]]
    order = Terms.of(result).ordered(modes)
    return listed((f"{modes.count(mode)} {visible(mode)}" for mode in order), 9) + (
        " session" if len(modes) == 1 else " sessions"
    )
