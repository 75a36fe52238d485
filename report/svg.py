"""Matplotlib figures as inline SVG that takes its colours and its font from the page.

Theory: a figure is drawn in stand-in colours, and each is replaced by a CSS variable: one drawing is right in light, in
dark and in print. Text stays text (`svg.fonttype: none`), in the reader's own font.

Rules: the same figure gives the same bytes (salted ids, no date). Ids are kept only where something refers to them, and
carry the chart's name, for a page holds many charts. Names from the network come as text only: `text.parse_math` is off.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from matplotlib.figure import Figure

COLOURS = {  # stand-ins, by the page's variable
    "--ink": "#010101", "--muted": "#020202", "--rule": "#030303", "--paper": "#040404",
    "--normal": "#050505", "--incognito": "#060606", "--idle": "#070707", "--other": "#080808",
}  # fmt: skip
INK, MUTED, RULE, PAPER = (COLOURS[f"--{name}"] for name in ("ink", "muted", "rule", "paper"))
SETTINGS: dict[str, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "wiretally", "text.parse_math": False, "font.family": "sans-serif",
    "font.size": 12, "axes.edgecolor": RULE, "axes.labelcolor": MUTED, "text.color": INK, "xtick.color": RULE,
    "xtick.labelcolor": MUTED, "ytick.left": False, "ytick.labelleft": False, "axes.linewidth": 1, "axes.spines.top": False,
    "axes.spines.left": False, "axes.spines.right": False, "axes.facecolor": "none", "figure.facecolor": "none",
    "path.simplify": False,
}  # fmt: skip
FAMILY = re.compile(r"font-family: [^;]*; ?|; font-family: [^;]*$")
SHORTHAND = re.compile(r"font: (?:(bold|\d+) )?([\d.]+)px[^;]*")
NO_TURN = "rotate(-0 "
DECIMALS = re.compile(r"(\.\d\d)\d+")
REFERENCE = re.compile(r"url\(#([^)]+)\)")


def drawn(width: float, height: float, name: str, label: str, draw: Callable[[Figure], None]) -> str:
    """What `draw` puts on an empty figure of `width` × `height` CSS pixels; `label` is read out instead of it."""
    from matplotlib import style
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with style.context(["default", SETTINGS]), io.StringIO() as page, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the reader's font has it, or shows a box
        figure = Figure(figsize=(width / 72, height / 72))  # the backend draws 72 units to the inch
        FigureCanvasSVG(figure)
        draw(figure)
        figure.savefig(page, format="svg", metadata={"Date": None, "Creator": None})
        root = ET.fromstring(page.getvalue())  # noqa: S314  (written two lines up)
    return ET.tostring(_inline(root, name, label), encoding="unicode")


def _inline(root: Element, name: str, label: str) -> Element:
    """The drawing without what only a file of its own needs."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in {"metadata", "style", "title"}:
                parent.remove(child)
    used: set[str] = set()
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.text, element.tail = ((text or "").strip() or None for text in (element.text, element.tail))
        for key in list(element.attrib):
            value = element.attrib.pop(key)
            plain = key.rpartition("}")[2]
            if plain == "href":
                used.add(value[1:])
                value = f"#{name}-{value[1:]}"
            elif plain == "style":
                value = _styled(value)
            elif plain in {"d", "transform", "x", "y"}:
                value = DECIMALS.sub(r"\1", " ".join(value.split()))
            used.update(REFERENCE.findall(value))
            if not value.startswith(NO_TURN):
                element.set(plain, REFERENCE.sub(rf"url(#{name}-\1)", value))
    for element in root.iter():
        if (own := element.attrib.pop("id", None)) in used:
            element.set("id", f"{name}-{own}")
    box = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"viewBox": box, "role": "img", "aria-label": label})
    return root


def _styled(css: str) -> str:
    """Colours as variables, the font's family left to the page."""
    for variable, colour in COLOURS.items():
        css = css.replace(colour, f"var({variable})")
    css = SHORTHAND.sub(lambda found: f"font-weight: {found[1] or 400}; font-size: {found[2]}px", css)
    return FAMILY.sub("", css)
