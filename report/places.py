"""Countries by name and flag.

The names are those of the time zone database's `iso3166.tab` (public domain, in the package `tzdata`).
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from .words import visible

REGIONAL_INDICATOR_A = 0x1F1E6  # Unicode 15 §22.10: two of them make a flag


@cache
def names() -> dict[str, str]:
    """ISO 3166-1 two-letter codes to English names."""
    text = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {code: name for code, name, *_ in rows}


def country(code: str) -> str:
    """The name of a country, or the code where it has none."""
    return names().get(code) or visible(code)


def flag(code: str) -> str:
    """The flag of a country; empty for what is not one."""
    if code not in names():
        return ""
    return "".join(chr(REGIONAL_INDICATOR_A + ord(letter) - ord("A")) for letter in code)
