"""The length probe as a table for a terminal; text is `rich.text.Text`, never markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from . import experiments, findings
from .words import called, chance, counted, shortened

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

MOST_ROWS = 25
TONES = {"uploads": "bold red", "none": "green", "unknown": "dim"}


class Probe:
    """A rich renderable of one result of `probe`."""

    def __init__(self, result: dict[str, Any]) -> None:
        """`result`: the probe dictionary of the contract."""
        self.result = result

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The answer, the control, the table, what to doubt."""
        least = self.result["basis"]["options"]["least_slope"]
        yield Text(f"{experiments.headline(self.result)}.", style="bold")
        yield Text(experiments.control(self.result) + "\n")
        yield self._table(self.result["destinations"][:MOST_ROWS], options.max_width)
        left = len(self.result["destinations"]) - MOST_ROWS
        if left > 0:
            yield Text(f"… {counted(left, 'more destination')}: --format json has all of them", style="dim")
        for each in self.result["destinations"][:MOST_ROWS]:
            if not each["control"] and "url_dependent" in (each["verdict"], each["lagged"]["verdict"]):
                yield Text("· " + experiments.probed(each, least))
        yield Text("\nSlopes are uploaded bytes per character added to the visited URL; `before`: to the URL visited before. "
                   f"Independent: growth of {least:g} or more is excluded.", style="dim")  # fmt: skip
        yield Text(findings.options(self.result), style="dim")
        for caution in findings.cautions(self.result):
            yield Text(f"! {caution}", style="bold yellow")

    def _table(self, rows: list[dict[str, Any]], width: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, title="Destinations", title_justify="left", title_style="bold", pad_edge=False)
        for head in ("destination", "visits", "bursts", "slope", "interval", "before", "q", "verdict"):
            table.add_column(head, justify="left" if head in {"destination", "verdict"} else "right", no_wrap=True)
        for each in rows:
            symbol, tone = experiments.SYMBOLS[each["verdict"]]
            slope = each["slope"]
            ends = "" if slope["ci_low"] is None else f"{experiments.ratio_or(slope['ci_low'])} to {experiments.ratio_or(slope['ci_high'])}"
            name = shortened(called(each), max(width - 80, 20)) + (" (visited)" if each["control"] else "")
            table.add_row(
                Text(name), str(each["visits"]), str(each["flushes"]), experiments.ratio_or(slope["estimate"]), ends,
                experiments.ratio_or(each["lagged"]["slope"]["estimate"]), chance(each["q"]),
                Text(f"{symbol} {each['verdict']}", style=TONES[tone]),
            )  # fmt: skip
        return table
