"""The comparison as tables for a terminal.

Theory: one sentence first, then the numbers behind it, then what they rest on. Where there is room a row is one line;
on 80 columns owner, interval and q go under the destination, ratio and verdict that they belong to; on a narrower
terminal first the place goes, then the volumes, never the name or the verdict. Colour repeats what
a symbol and a word already say, so a pipe loses nothing.

Rules: text is built as `rich.text.Text`, never as markup: a host named `[red]` is a host named `[red]`.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from . import experiments, findings
from .places import Place, places
from .words import (
    NONE,
    VERDICTS,
    Item,
    Terms,
    called,
    chance,
    counted,
    equals,
    interval,
    mean,
    ratio,
    sessions,
    shortened,
    size,
    visible,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

WIDE, ROOMY = 122, 136  # columns from which a row fits on one line, and the idle rate beside it
NARROW, NARROWEST = 76, 66  # columns below which there is no place, and no volume
MOST_ROWS = 20
MOST_COUPLED = 6
TONES = {"uploads": "bold red", "less": "yellow", "none": "green", "unknown": "dim"}
GAP = 2  # columns between columns: the box draws one of them
LEAST_NAME, OWNER_WIDTH, PLACE_WIDTH, NEEDED_WIDTH = 20, 22, 16, 32
DESTINATIONS = "Destinations"


class Comparison:
    """A rich renderable of one result of `compare`."""

    def __init__(self, result: dict[str, Any]) -> None:
        """`result`: the compare dictionary of the contract."""
        self.result, self.terms = result, Terms.of(result)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The parts from top to bottom, for the width that there is."""
        yield from self._verdict()
        destinations = findings.rows(self.result)
        if destinations:
            yield self._table(DESTINATIONS, destinations[:MOST_ROWS], options.max_width)
            yield from self._needed(destinations[:MOST_ROWS])
            if len(destinations) > MOST_ROWS:
                left = counted(len(destinations) - MOST_ROWS, "more destination")
                yield Text(f"… {left}: --format html or --format json has all of them\n", style="dim")
        yield from _legend(destinations[:MOST_ROWS])
        owners = findings.owners(self.result)
        yield self._table("Owners and total", [*owners[:MOST_ROWS], self.result["total"]], options.max_width)
        yield from self._coupling()
        yield from self._basis()

    def _coupling(self) -> Iterator[RenderableType]:
        shown = experiments.worth_telling(findings.rows(self.result), MOST_COUPLED)
        told = [*map(experiments.coupling, shown), *experiments.heartbeats(self.result)]
        if told:
            yield Text("Do uploads follow visits?" if shown else "Heartbeats", style="bold")
            yield from map(_bullet, told)
            yield Text("")

    def _verdict(self) -> Iterator[RenderableType]:
        told = findings.headline(self.result)
        verdict = VERDICTS[told.item["verdict"]]
        first = Text(f"{verdict.symbol} ", style=TONES[verdict.tone])
        first.append(told.title, style="bold")
        first.append(f": {told.evidence}.")
        yield first
        for line in findings.details(self.result):
            yield _bullet(line)
        yield Text()

    def _table(self, name: str, items: list[Item], width: int) -> Table:
        wide, roomy = width >= WIDE, width >= ROOMY
        terms = self.terms
        idle = [terms.idle] if roomy and any(sessions(item, terms.idle) for item in items) else []
        modes = [terms.reference, terms.tested, *idle] if width >= NARROWEST else []
        volume: dict[str, Any] = {"justify": "right", "no_wrap": True}
        columns: list[tuple[str, dict[str, Any]]] = [
            *([("Owner", {})] if wide and name == DESTINATIONS else []),
            *([("Place", {})] if width >= NARROW else []),
            *((f"{visible(mode).capitalize()}\n/{terms.per}", volume) for mode in modes),
            ("Ratio", volume),
            *([(terms.interval, {"no_wrap": True}), ("q", volume)] if wide else []),
            ("Verdict", {"no_wrap": True}),
        ]
        rows = [list(self._cells(item, modes, width, owner=name == DESTINATIONS)) for item in items]
        taken = sum(
            max(cell_len(line) for cell in [heading, *(row[at].plain for row in rows)] for line in cell.split("\n"))
            for at, (heading, _) in enumerate(columns)
        )
        room = max(LEAST_NAME if width >= NARROW else 1, width - taken - GAP * len(columns) - 2)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=name, title_justify="left", title_style="bold",
                      padding=(0, GAP - 1, 0, 0))  # fmt: skip
        table.add_column("Destination" if name == DESTINATIONS else "Owner", overflow="fold")
        for heading, look in columns:
            table.add_column(heading, overflow="fold", **look)
        for item, row in zip(items, rows, strict=True):
            table.add_row(self._name(item, room, owner=name == DESTINATIONS and not wide), *row)
        return table

    def _needed(self, items: list[Item]) -> Iterator[RenderableType]:
        """How many sessions would settle what is inconclusive."""
        needed = [
            f"{shortened(called(item), NEEDED_WIDTH)} {item['needed_sessions']:,}"
            for item in items
            if item["needed_sessions"]
        ]
        if needed:
            yield Text(
                f"{VERDICTS['inconclusive'].symbol} sessions of each mode that would settle it, about: {', '.join(needed)}\n",
                style="dim",
            )

    def _name(self, item: Item, room: int, *, owner: bool) -> Text:
        if item is self.result["total"]:
            return Text("Total", style="bold")
        name = Text(shortened(called(item), room))
        if owner and findings.owner(item):
            name.append(f"\n{shortened(findings.owner(item), room)}", style="dim")
        return name

    def _cells(self, item: Item, modes: list[str], width: int, *, owner: bool) -> Iterator[Text]:
        wide = width >= WIDE
        verdict = VERDICTS[item["verdict"]]
        judged = Text(f"{verdict.symbol} {item['verdict']}", style=TONES[verdict.tone])
        estimate, ends = ratio((item["ratio"] or {}).get("estimate")), interval(item["ratio"])
        where = _places(places(item), wide=wide)
        if wide and owner:
            yield Text(shortened(findings.owner(item) or NONE, OWNER_WIDTH))
        if width >= NARROW:
            yield Text(shortened(where or NONE, PLACE_WIDTH))
        for mode in modes:
            yield Text(size(mean(item, mode)))
        if wide:
            yield from map(Text, (estimate, ends or NONE, chance(item["q"])))
            yield judged
            return
        yield Text(estimate).append(f"\n{ends}" if ends else "", style="dim")
        tested = equals("q", item["q"])
        yield judged.append(f"\n  {tested}" if tested else "", style="dim not bold")

    def _basis(self) -> Iterator[RenderableType]:
        result = self.result
        yield Text("\nWhat it rests on", style="bold")
        for row in result["capture"]:
            lost = "losses not recorded" if row.get("dropped") is None else f"{counted(row['dropped'], 'packet')} lost"
            line = f"{visible(row['source'])}: {counted(row['packets'], 'packet')}, {size(row['wire_bytes'])}, {lost}"
            if row.get("malformed") or row.get("unsupported"):
                line += f", {row['malformed'] or 0:,} malformed, {row['unsupported'] or 0:,} not IP"
            yield _bullet(line)
            if row.get("sha256"):
                yield Padding(Text(f"SHA-256 {visible(row['sha256'])}", style="dim", overflow="fold"), (0, 0, 0, 2))
        if result["sessions"]:
            first = min(each["start"] for each in result["sessions"])
            last = max(each["end"] or each["start"] for each in result["sessions"])
            yield _bullet(f"{findings.shares(result)}, {_clock(first)} to {_clock(last)} UTC")
        if names := findings.names(result):
            yield _bullet(names)
        for database in result["basis"].get("databases", []):
            credit = ", ".join(visible(database[key]) for key in ("licence", "attribution") if database.get(key))
            built = f"of {visible(database['build_date'])[:10]}" if database.get("build_date") else "without a date"
            yield _bullet(f"{visible(database['name'])} {built}" + (f" ({credit})" if credit else ""))
        if result["basis"].get("options"):
            yield _bullet(findings.options(result))
        for caution in findings.cautions(result):
            yield _bullet(caution, symbol="!", style="bold yellow")


def _legend(items: list[Item]) -> Iterator[RenderableType]:
    """What the words beside places mean, where there are any."""
    found = [each for item in items for each in places(item)]
    told = []
    if any(each.code and each.note and not each.struck for each in found):
        told.append("? databases disagree, or an IPv6 address: uncertain")
    if any(each.struck for each in found):
        told.append("not X: the round trip is too short for X")
    if any(each.code is None for each in found):
        told.append("network: answers from many places, the place is not known")
    if told:
        yield Text(f"Places: {'; '.join(told)}\n", style="dim")


def _bullet(line: str, symbol: str = "·", style: str = "dim") -> Table:
    """A line that wraps under itself."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=1)
    grid.add_column(overflow="fold")
    grid.add_row(Text(symbol, style=style), Text(line))
    return grid


def _places(found: list[Place], *, wide: bool) -> str:
    """As strongly as they can be believed: `Singapore`, `Singapore ?`, `not Singapore`, `Fastly network`."""
    if len(found) > 2:
        return f"{len(found)} places"
    return ", ".join(_place(each, wide=wide and len(found) == 1) for each in found)


def _place(of: Place, *, wide: bool) -> str:
    name = of.name if wide or of.code is None else visible(of.code)
    if of.struck:
        return f"not {name}"
    return f"{name} ?" if of.code and of.note else name


def _clock(time: str) -> str:
    return findings.day(time).astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def comparison(result: dict[str, Any]) -> Comparison:
    """A rich renderable of `result`, the compare dictionary of the contract."""
    return Comparison(result)
