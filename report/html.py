"""The comparison as one HTML file that anybody can read, keep and send on.

Theory: the page is an article. First the answer in one sentence, then what a reader should doubt, then the picture, then
the tables, then what everything rests on and how it was done. It stands alone: no script, no font, no request to
anywhere, which its own Content-Security-Policy enforces. The same result gives the same bytes.

Rules: every text that is put into the template is escaped twice over: characters that steer a reader become visible
escapes (`visible`), what means something in HTML becomes entities (autoescape). Only our own charts are markup.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING, Any

from ..core.schema import CAPTURE
from . import charts, findings
from .places import country, flag
from .words import (
    IDLE,
    REFERENCE,
    TESTED,
    VERDICTS,
    Item,
    called,
    chance,
    circumstance,
    counted,
    equals,
    interval,
    mean,
    percent,
    ratio,
    sessions,
    size,
    visible,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

MULTIPLES, LANES = 6, 8  # destinations with a chart of their own, and with a lane on the line of time
FIRST_ROWS, MOST_ROWS = 15, 300  # destinations shown at once, and at all
SCALE = 2.0  # the ratio at the right end of the small scale in a table
DATABASE = ("name", "kind", "path", "build_date", "licence", "attribution", "sha256")
NOTHING: dict[str, Any] = {"options": {}, "warnings": [], "databases": [], "versions": {}, "seed": None}
ADDRESS = re.compile(r"https://[\w./-]*\w")
UNIT = re.compile(r"(?<=\d) (?=(?:[kMGT]?B|%)(?!\w))")


def render(result: dict[str, Any]) -> str:
    """The page for `result`, the compare dictionary of the contract."""
    return _environment().get_template("report.html.j2").render(page(result))


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_finalized, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters.update(
        prose=prose, size=size, clock=clock, day=lambda time: clock(time).partition(",")[0], base_name=findings.base_name,
        counted=counted, percent=percent, linked=linked, circumstance=circumstance,
    )  # fmt: skip
    return environment


def _finalized(value: object) -> object:
    """Whatever a template prints: markup of ours as it is, all else made visible, then escaped by Jinja."""
    from markupsafe import Markup

    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def prose(text: str) -> Markup:
    """Running text in which a number keeps its unit on the same line."""
    from markupsafe import Markup, escape

    return Markup(UNIT.sub("&nbsp;", str(escape(visible(text)))))  # noqa: S704  (escaped in the same line)


def linked(text: str) -> Markup:
    """A licence's attribution with its address as a link, as CC BY asks for."""
    from markupsafe import Markup, escape

    return Markup(  # noqa: S704  (escaped, and the address consists of letters, digits and ./-)
        ADDRESS.sub(
            lambda found: f'<a href="{found[0]}" rel="noopener noreferrer">{found[0].removeprefix("https://")}</a>',
            str(escape(visible(text))),
        )
    )


def clock(time: str | None) -> str:
    """An instant as a reader writes it: 20 November 2026, 09:00."""
    if not time:
        return ""
    at = findings.day(time).astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M}"


def page(result: dict[str, Any]) -> dict[str, Any]:
    """Everything that the template shows."""
    told = findings.headline(result)
    rows = findings.rows(result)
    shown = rows[:MOST_ROWS]
    return {
        "result": _completed(result),
        "per": result["per"], "margin": findings.margin(result),
        "same": [round((1 + side * findings.margin(result)) / SCALE * 100, 1) for side in (-1, 1)],
        "headline": told, "verdict": VERDICTS[told.item["verdict"]], "figures": _figures(told, result["per"]),
        "details": findings.details(result), "cautions": findings.cautions(result), "sample": findings.shares(result),
        "hero": _pair(charts_of(result, told.kind, told.item), result["per"], "headline"),
        "multiples": [_multiple(result, item, at) for at, item in enumerate(findings.selection(result, MULTIPLES), 1)],
        "rows": [_row(item) for item in shown[:FIRST_ROWS]], "more": [_row(item) for item in shown[FIRST_ROWS:]],
        "left_out": len(rows) - len(shown),
        "owners": [_row(item) for item in findings.by_volume(result["owners"])],
        "total": {**_row(result["total"]), "name": "Total"},
        "timeline": _timeline(result, findings.selection(result, LANES)),
        "verdicts": VERDICTS, "modes": charts.modes([each["mode"] for each in result["sessions"]]),
        "period": _period(result), "idle": any(each["mode"] == IDLE for each in result["sessions"]),
    }  # fmt: skip


def _completed(result: dict[str, Any]) -> dict[str, Any]:
    """The result with null where a field may be left out, so that the template knows every name."""
    basis = NOTHING | result["basis"]
    basis["databases"] = [dict.fromkeys(DATABASE) | each for each in basis["databases"]]
    blank = dict.fromkeys((*CAPTURE.names, "sha256"))
    return {**result, "basis": basis, "capture": [blank | row for row in result["capture"]]}


def _period(result: dict[str, Any]) -> tuple[str, str]:
    """First and last instant of the sessions."""
    return (
        min((each["start"] for each in result["sessions"]), default=""),
        max((each["end"] or each["start"] for each in result["sessions"]), default=""),
    )


def _figures(told: findings.Headline, per: str) -> list[dict[str, str]]:
    """The numbers of the first sentence, large."""
    item = told.item
    figures = [
        {"mode": mode, "label": circumstance(mode), "value": size(mean(item, mode)), "note": f"per {per}, mean of {counted(sessions(item, mode), 'session')}"}
        for mode in (REFERENCE, TESTED)
    ]  # fmt: skip
    if item["ratio"] and item["ratio"]["estimate"] is not None:
        ends = interval(item["ratio"])
        figures.append({
            "mode": "ratio", "label": "incognito to normal", "value": ratio(item["ratio"]["estimate"]),
            "note": f"95 % interval {ends}" if ends else "no interval",
        })  # fmt: skip
    return figures


def charts_of(result: dict[str, Any], kind: str, item: Item) -> list[charts.Strip]:
    """A strip per mode with what each session uploaded to an owner, a destination or in total."""
    sums: dict[str, float] = {}
    for each in result["volumes"]:
        if kind == "total" or each["owner" if kind == "owner" else "key"] == item["key"]:
            sums[each["session"]] = sums.get(each["session"], 0) + each["up_app_bytes"]
    strips = []
    for mode in charts.modes(list(item["modes"])):
        of_mode = [each for each in result["sessions"] if each["mode"] == mode]
        values = [sums.get(each["session"], 0) / units for each in of_mode if (units := _units(each, result["per"]))]
        summary = item["modes"][mode]
        if values and summary["sessions"]:
            strips.append(charts.Strip(mode, values, summary["mean"], summary["ci_low"], summary["ci_high"]))
    return strips


def _units(session: dict[str, Any], per: str) -> float:
    """How many of `per` a session holds; 0 where it cannot be expressed so."""
    return float({"minute": session["seconds"] / 60, "visit": session["visits"] or 0}.get(per, 1))


def _pair(strips: list[charts.Strip], per: str, name: str) -> dict[str, Markup] | None:
    """The same chart for a wide and for a narrow page."""
    from markupsafe import Markup

    if not any(strip.values and max(strip.values) for strip in strips):
        return None
    return {
        "wide": Markup(charts.volume(strips, per, f"{name}-wide")),  # noqa: S704  (drawn here)
        "narrow": Markup(charts.volume(strips, per, f"{name}-narrow", charts.NARROW)),  # noqa: S704
    }


def _multiple(result: dict[str, Any], item: Item, number: int) -> dict[str, Any]:
    from markupsafe import Markup

    strips = [strip for strip in charts_of(result, "destination", item) if strip.mode != IDLE or strip.mean]
    svg = charts.volume(strips, result["per"], f"multiple-{number}", charts.NARROW) if strips else ""
    return {**_row(item), "svg": Markup(svg)}  # noqa: S704  (drawn here)


def _row(item: Item) -> dict[str, Any]:
    """One line of a table."""
    return {
        "key": item["key"], "name": called(item), "owner": item["owner"], "category": (item["category"] or "").replace("_", " "),
        "places": [(flag(code), country(code)) for code in item["countries"]],
        "refuted": item.get("geo_check") == "impossible", "volumes": {mode: size(mean(item, mode)) for mode in (REFERENCE, TESTED, IDLE)},
        "ratio": ratio((item["ratio"] or {}).get("estimate")), "interval": interval(item["ratio"]), "scale": _scale(item),
        "q": chance(item["q"]), "equals_q": equals("q", item["q"]), "word": item["verdict"], "verdict": VERDICTS[item["verdict"]],
        "needed": item["needed_sessions"],
    }  # fmt: skip


def _scale(item: Item) -> dict[str, Any] | None:
    """Where ratio and interval lie on a scale from 0 to `SCALE`, in percent; `beyond` where they leave it."""
    ends = item["ratio"]
    if not ends or ends["estimate"] is None:
        return None
    low = ends["estimate"] if ends["ci_low"] is None else ends["ci_low"]
    high = ends["ci_high"] if ends["ci_high"] is not None else SCALE * 2 if ends["ci_low"] is not None else low
    at, left, right = (round(min(max(value / SCALE, 0.0), 1.0) * 100, 1) for value in (ends["estimate"], low, high))
    return {"at": at, "left": left, "width": round(right - left, 1), "beyond": max(high, ends["estimate"]) > SCALE}


def _timeline(result: dict[str, Any], rows: list[Item]) -> dict[str, Any] | None:
    from markupsafe import Markup

    bins, lanes = result["timeline"]["bins"], [(item["key"], called(item)) for item in rows]
    spans = [
        charts.Span(
            visible(each["device"]), each["mode"], seconds(each["start"]), seconds(each["end"] or each["start"])
        )
        for each in result["sessions"]
    ]
    if not spans or not lanes or not bins:
        return None
    keys = {key for key, _ in lanes}
    uploads = [
        charts.Upload(each["key"], visible(each["device"]), seconds(each["time"]), each["up_app_bytes"])
        for each in bins if each["key"] in keys
    ]  # fmt: skip
    return {
        "wide": Markup(charts.timeline(spans, uploads, lanes, "timeline-wide")),  # noqa: S704  (drawn here)
        "narrow": Markup(charts.timeline(spans, uploads, lanes, "timeline-narrow", charts.NARROW)),  # noqa: S704
        "devices": len({span.device for span in spans}),
    }


def seconds(time: str) -> float:
    """An instant as seconds since the epoch."""
    return findings.day(time).timestamp()
