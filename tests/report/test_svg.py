"""Figures as inline SVG: the page's colours and font, ids of their own, the same bytes."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import matplotlib as mpl
from wiretally.report import svg


def parsed(drawn: str) -> ET.Element:
    return ET.fromstring(drawn)  # noqa: S314  (drawn by us)


def figure(name: str = "one", text: str = "a $x^2$ <b> & \\frac") -> str:
    def draw(figure):
        axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
        axes.scatter([1, 2, 3], [1, 2, 3], color=svg.COLOURS["--normal"])
        axes.text(1, 1, text, color=svg.INK, fontweight="bold")

    return svg.drawn(300, 200, name, "dots", draw)


def test_text_stays_text_and_mathematics_is_not_set():
    texts = [element.text for element in parsed(figure()).iter("text")]
    assert "a $x^2$ <b> & \\frac" in texts


def test_colours_are_variables_and_the_font_is_the_pages():
    drawn = figure()
    assert "var(--normal)" in drawn
    assert "var(--ink)" in drawn
    assert not any(colour in drawn for colour in svg.COLOURS.values())
    assert "font-family" not in drawn
    assert "DejaVu" not in drawn


def test_ids_carry_the_name_and_all_references_resolve():
    root = parsed(figure("chart"))
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert ids
    assert len(ids) == len(set(ids))
    assert all(each.startswith("chart-") for each in ids)
    used = {element.attrib["href"][1:] for element in root.iter() if "href" in element.attrib}
    used |= {
        found for element in root.iter() for value in element.attrib.values() for found in svg.REFERENCE.findall(value)
    }
    assert used == set(ids)


def test_nothing_of_a_file_of_its_own_is_left():
    root = parsed(figure())
    assert not {"metadata", "style", "script", "image"} & {element.tag for element in root.iter()}
    assert root.attrib == {"viewBox": "0 0 300 200", "role": "img", "aria-label": "dots"}


def test_the_same_figure_is_the_same_bytes_whatever_the_users_style():
    first = figure()
    with mpl.rc_context({"font.size": 31, "axes.grid": True, "axes.facecolor": "red", "svg.fonttype": "path"}):
        assert figure() == first
