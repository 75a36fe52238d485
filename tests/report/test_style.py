"""The page's colours can be read, by the numbers of WCAG 2.2 §1.4.3 and §1.4.11, in light, in dark and in print."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

TEXT, GRAPHICS = 4.5, 3.0
STYLE = files("wiretally.report").joinpath("templates", "style.css").read_text(encoding="utf-8")
BLOCKS = [
    dict(re.findall(r"(--[a-z-]+): (#[0-9a-f]{3,6})\b", block))
    for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
]
THEMES = {"light": BLOCKS[0], "dark": BLOCKS[0] | BLOCKS[1], "print": BLOCKS[0] | BLOCKS[2]}


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_measure_itself():
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    "name", ["--ink", "--muted", "--normal", "--incognito", "--idle", "--other", "--less", "--none"]
)
def test_text_stands_out(theme, name):
    assert contrast(THEMES[theme][name], THEMES[theme]["--paper"]) >= TEXT


@pytest.mark.parametrize("theme", THEMES)
def test_cautions_stand_out(theme):
    assert contrast(THEMES[theme]["--ink"], THEMES[theme]["--caution"]) >= TEXT
