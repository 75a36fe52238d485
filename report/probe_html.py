"""The length probe as one HTML file; the rules are those of `html.py`, whose environment and style it uses."""

from __future__ import annotations

from typing import Any

from . import experiment_charts, experiments, findings, html
from .words import VERDICTS, called, chance, listed, visible

CHARTS = 6
MOST_ROWS = 300
ROLES = ("normal", "incognito", "other")


def render(result: dict[str, Any]) -> str:
    """The page for `result`, the probe dictionary of the contract."""
    return html.environment().get_template("probe.html.j2").render(page(result))


def page(result: dict[str, Any]) -> dict[str, Any]:
    """Everything that the template shows."""
    least = result["basis"]["options"]["least_slope"]
    idle = result["basis"]["options"]["idle"]
    names = [each["mode"] for each in result["sessions"]]
    modes = {mode: ROLES[min(at, len(ROLES) - 1)] for at, mode in enumerate(sorted({*names} - {idle}, key=lambda m: (m != "normal", m)))}
    rows = result["destinations"]
    first = [each for each in rows if "url_dependent" in (each["verdict"], each["lagged"]["verdict"])]
    shown = [*(each for each in first if not each["control"]), *(each for each in rows if each["control"])][: CHARTS - 2]
    shown += [each for each in rows if each not in shown and each["points"]][: CHARTS - len(shown)]
    return {
        "result": html.completed(result), "headline": experiments.headline(result), "control": experiments.control(result),
        "cautions": findings.cautions(result), "names": findings.names(result), "modes": list(modes.items()), "period": html.period(result),
        "sentences": [experiments.probed(each, least) for each in rows if not each["control"]][:12],
        "charts": [_chart(each, modes, at) for at, each in enumerate(shown, 1)],
        "rows": [_row(each) for each in rows[:MOST_ROWS]], "left_out": max(len(rows) - MOST_ROWS, 0), "least": f"{least:g}",
        "sample": listed((f"{names.count(mode)} {visible(mode)}" for mode in dict.fromkeys(names)), 9) + " sessions",
        "meanings": {word: text.format(least=f"{least:g}") for word, text in experiments.MEANINGS.items()},
        "symbols": experiments.SYMBOLS, "verdicts": VERDICTS,
    }  # fmt: skip


def _chart(item: dict[str, Any], modes: dict[str, str], number: int) -> dict[str, Any]:
    drawn = experiment_charts.pair(experiment_charts.scatter, item, modes, name=f"scatter-{number}")
    return {**_row(item), **{form: html.drawing(svg) for form, svg in drawn.items()}}


def _row(item: dict[str, Any]) -> dict[str, Any]:
    """One line of the table."""
    def told(of: dict[str, Any]) -> tuple[str, str]:
        slope = of["slope"]
        ends = "" if slope["ci_low"] is None else f"{experiments.ratio_or(slope['ci_low'])} to {experiments.ratio_or(slope['ci_high'])}"
        return experiments.ratio_or(slope["estimate"]), ends

    return {
        "name": called(item), "owner": findings.owner(item), "control": item["control"], "visits": item["visits"],
        "flushes": item["flushes"], "own": told(item), "before": told(item["lagged"]), "q": chance(item["q"]),
        "before_word": item["lagged"]["verdict"], "word": item["verdict"],
        "modes": [(mode, *told(each), each["verdict"].replace("_", " ")) for mode, each in item["modes"].items()],
    }  # fmt: skip
