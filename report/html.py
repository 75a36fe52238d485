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
from . import charts, experiment_charts, experiments, findings, places, worldmap
from .words import (
    VERDICTS,
    Item,
    Terms,
    called,
    chance,
    counted,
    interval,
    mean,
    ratio,
    sessions,
    size,
    visible,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

COUPLED = 6  # destinations whose coupling is shown
MULTIPLES, LANES = 6, 8  # destinations with a chart of their own, and with a lane on the line of time
FIRST_ROWS, MOST_ROWS = 15, 300  # destinations shown at once, and at all
MOST_PLACES = 3
SCALE = 2.0  # the ratio at the right end of the small scale in a table
DATABASE = ("name", "kind", "path", "build_date", "licence", "attribution", "sha256")
NOTHING: dict[str, Any] = {"options": {}, "warnings": [], "databases": [], "versions": {}, "seed": None}
ADDRESS = re.compile(r"https://[\w./-]*\w")
UNIT = re.compile(r"(?<=\d) (?=(?:[kMGT]?B|%)(?!\w))")


def render(result: dict[str, Any]) -> str:
    """The page for `result`, the compare dictionary of the contract."""
    return environment().get_template("report.html.j2").render(page(result))


def environment() -> Environment:
    """Templates of this room, everything in them escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=_finalized, keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters.update(
        prose=prose, size=size, clock=clock, day=lambda time: clock(time).partition(",")[0], base_name=findings.base_name,
        counted=counted, linked=linked,
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
    told, terms = findings.headline(result), Terms.of(result)
    rows = findings.rows(result)
    shown = rows[:MOST_ROWS]
    present = {each["mode"] for each in result["sessions"]}
    return {
        "result": completed(result), "symbols": experiments.SYMBOLS, "terms": terms, "per": terms.per, "verdicts": VERDICTS,
        "same": [round((1 + side * terms.margin) / SCALE * 100, 1) for side in (-1, 1)],
        "modes": [(mode, terms.role(mode)) for mode in terms.ordered(present)],
        "columns": [(mode, terms.role(mode)) for mode in (terms.reference, terms.tested, terms.idle)
                    if mode != terms.idle or mode in present],
        "headline": told, "verdict": VERDICTS[told.item["verdict"]], "figures": _figures(told, terms),
        "details": findings.details(result), "cautions": findings.cautions(result), "names": findings.names(result), "sample": findings.shares(result),
        "hero": _pair(strips_of(result, told.kind, told.item), terms, "headline"),
        "multiples": [_multiple(result, item, at) for at, item in enumerate(findings.selection(result, MULTIPLES), 1)],
        "rows": [_row(item) for item in shown[:FIRST_ROWS]], "more": [_row(item) for item in shown[FIRST_ROWS:]],
        "left_out": len(rows) - len(shown), "owners": [_row(item) for item in findings.owners(result)][:MOST_ROWS],
        "total": {**_row(result["total"]), "name": "Total"},
        "coupled": _coupled(result), "heartbeats": experiments.heartbeats(result), "coupling_source": (result["basis"].get("visits") or {}).get("source"),
        "vendors": [_row(item) for item in findings.by_volume(result.get("vendors", []), terms)][:MOST_ROWS],
        "map": _map(result), "beliefs": places.BELIEFS,
        "timeline": _timeline(result, findings.selection(result, LANES)), "period": period(result),
    }  # fmt: skip


def completed(result: dict[str, Any]) -> dict[str, Any]:
    """The result with null where a field may be left out, so that the template knows every name."""
    basis = NOTHING | result["basis"]
    basis["databases"] = [dict.fromkeys(DATABASE) | each for each in basis["databases"]]
    blank = dict.fromkeys((*CAPTURE.names, "sha256"))
    return {**result, "basis": basis, "capture": [blank | row for row in result["capture"]]}


def period(result: dict[str, Any]) -> tuple[str, str]:
    """First and last instant of the sessions."""
    return (
        min((each["start"] for each in result["sessions"]), default=""),
        max((each["end"] or each["start"] for each in result["sessions"]), default=""),
    )


def _figures(told: findings.Headline, terms: Terms) -> list[dict[str, str]]:
    """The numbers of the first sentence, large."""
    item = told.item
    figures = [
        {"role": terms.role(mode), "label": terms.circumstance(mode), "value": size(mean(item, mode)),
         "note": f"per {terms.per}, mean of {counted(sessions(item, mode), 'session')}"}
        for mode in (terms.reference, terms.tested)
    ]  # fmt: skip
    if item["ratio"] and item["ratio"]["estimate"] is not None:
        ends = interval(item["ratio"])
        figures.append({
            "role": "ratio", "label": f"{visible(terms.tested)} to {visible(terms.reference)}",
            "value": ratio(item["ratio"]["estimate"]), "note": f"{terms.interval} {ends}" if ends else "no interval",
        })  # fmt: skip
    return figures


def strips_of(result: dict[str, Any], kind: str, item: Item) -> list[charts.Strip]:
    """A strip per mode with what each session uploaded to an owner, a destination or in total."""
    terms, units, sums = Terms.of(result), _units(result), dict[str, float]()
    for each in result["volumes"]:
        if kind == "total" or each["owner" if kind == "owner" else "key"] == item["key"]:
            sums[each["session"]] = sums.get(each["session"], 0) + each["up_app_bytes"]
    strips = []
    for mode in terms.ordered(item["modes"]):
        names = [each["session"] for each in result["sessions"] if each["mode"] == mode]
        values = [sums.get(name, 0) / units[name] for name in names if units[name]]
        summary = item["modes"][mode]
        if values and summary["sessions"]:
            strips.append(
                charts.Strip(mode, terms.role(mode), values, summary["mean"], summary["ci_low"], summary["ci_high"])
            )
    return strips


def _units(result: dict[str, Any]) -> dict[str, float]:
    """How many of the period each session holds, 0 where it holds none; idle ones by the length of the others."""
    terms = Terms.of(result)
    active = [each for each in result["sessions"] if each["mode"] in {terms.reference, terms.tested}]
    length, visits = (sum(each[name] or 0 for each in active) for name in ("seconds", "visits"))
    usual = {"minute": 60.0, "visit": length / visits if visits else 0.0}.get(terms.per, length / max(len(active), 1))
    units = {}
    for each in result["sessions"]:
        by_time = each["seconds"] / usual if usual else 0.0
        own = {"minute": by_time, "visit": float(each["visits"] or 0)}.get(terms.per, 1.0)
        units[each["session"]] = by_time if each["mode"] == terms.idle else own
    return units


def _pair(strips: list[charts.Strip], terms: Terms, name: str) -> dict[str, Markup] | None:
    """The same chart for a wide and for a narrow page."""
    if not any(strip.values and max(strip.values) for strip in strips):
        return None
    return {
        form: drawing(charts.volume(strips, terms.per, terms.interval, f"{name}-{form}", width))
        for form, width in (("wide", charts.WIDE), ("narrow", charts.NARROW))
    }


def _multiple(result: dict[str, Any], item: Item, number: int) -> dict[str, Any]:
    terms = Terms.of(result)
    strips = [strip for strip in strips_of(result, "destination", item) if strip.role != "idle" or strip.mean]
    name = f"multiple-{number}"
    svg = charts.volume(strips, terms.per, terms.interval, name, charts.NARROW) if strips else ""
    return {**_row(item), "svg": drawing(svg)}


def _map(result: dict[str, Any]) -> dict[str, Any] | None:
    """The map of the total with its table; None where no place is known."""
    found = worldmap.rows(result["total"])
    if not found:
        return None
    drawn = worldmap.drawn(found)
    return {"svg": drawing(drawn) if drawn else None, "rows": found[:MOST_ROWS], "left_out": max(len(found) - MOST_ROWS, 0)}


def drawing(svg: str) -> Markup:
    """A chart of ours as markup."""
    from markupsafe import Markup

    return Markup(svg)  # noqa: S704  (serialised from a tree, by us)


def _row(item: Item) -> dict[str, Any]:
    """One line of a table."""
    found = places.places(item)
    return {
        "key": item["key"], "name": called(item), "owner": findings.owner(item),
        "category": (item["category"] or "").replace("_", " "), "places": found[:MOST_PLACES],
        "elsewhere": max(len(found) - MOST_PLACES, 0),
        "volumes": {mode: size(mean(item, mode)) for mode in item["modes"]},
        "ratio": ratio((item["ratio"] or {}).get("estimate")), "interval": interval(item["ratio"]),
        "scale": _scale(item), "q": chance(item["q"]), "word": item["verdict"], "verdict": VERDICTS[item["verdict"]],
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


def _coupled(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Coupling in sentences and charts: of the headline's owner's destinations, then of all others that are locked."""
    shown = experiments.worth_telling(findings.rows(result), COUPLED)
    return [
        {"name": called(item), "sentence": experiments.coupling(item), "word": item["coupling"]["verdict"],
         **{form: drawing(svg) for form, svg in (
             experiment_charts.pair(experiment_charts.around, item, name=f"around-{at}") if item["coupling"]["uploads"] else {}).items()}}
        for at, item in enumerate(shown, 1)
    ]  # fmt: skip


def _timeline(result: dict[str, Any], rows: list[Item]) -> dict[str, Any] | None:
    terms, timeline = Terms.of(result), result["timeline"]
    lanes = [(item["key"], called(item)) for item in rows]
    spans = [
        charts.Span(visible(each["device"]), each["mode"], terms.role(each["mode"]), seconds(each["start"]),
                    seconds(each["end"] or each["start"]))
        for each in result["sessions"]
    ]  # fmt: skip
    if not spans or not lanes or not timeline["bins"]:
        return None
    keys = {key for key, _ in lanes}
    uploads = [
        charts.Upload(each["key"], visible(each["device"]), seconds(each["time"]), float(timeline["bin_seconds"]),
                      each["up_app_bytes"])
        for each in timeline["bins"] if each["key"] in keys
    ]  # fmt: skip
    return {
        "devices": len({span.device for span in spans}),
        **{
            form: drawing(charts.timeline(spans, uploads, lanes, f"timeline-{form}", width))
            for form, width in (("wide", charts.WIDE), ("narrow", charts.NARROW))
        },
    }


def seconds(time: str) -> float:
    """An instant as seconds since the epoch."""
    return findings.day(time).timestamp()
