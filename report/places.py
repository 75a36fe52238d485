"""Countries by name and flag, and how far each can be believed.

Theory: a country stands in a report only as strongly as what was found about it. One that two databases name stands
alone; one that they dispute says so; a network that answers from many places has its operator's name and no country; a
country that the round trip refutes is struck out, with the distance that refutes it.

The names are those of the time zone database's `iso3166.tab` (public domain, in the package `tzdata`).
"""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NamedTuple

from .words import Item, visible

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class Belief(NamedTuple):
    """What a `geo_status` lets a report say: `short` in a table's cell, `long` where there is room."""

    short: str
    long: str


BELIEFS = {  # every status of geo/evidence.py, in the order in which a legend has them
    "agree": Belief("", "two databases name this country"),
    "disputed": Belief("disputed", "databases disagree, or only one of them knows the place"),
    "v6_low": Belief("uncertain", "an IPv6 address: the database is right for about three in four"),
    "shared": Belief("place not known", "an operator’s network that answers from many places: the place is not known"),
    "refuted": Belief("refuted", "the server answered too soon to be there"),
}


class Place(NamedTuple):
    """A place as far as it can be believed; `struck`: it is shown only to say that it is wrong."""

    code: str | None
    name: str
    note: str = ""
    struck: bool = False
    status: str | None = None
    uploaded: int | None = None

    @property
    def flag(self) -> str:
        """Its flag; empty where it is no country."""
        return flag(self.code or "")


def places(item: Item) -> list[Place]:
    """The places of an item of the compare JSON, most uploaded first; of results without evidence the bare countries."""
    if "places" not in item:
        refuted = item.get("geo_check") == "impossible"
        note = "refuted by the round-trip time" if refuted else ""
        return [Place(code, country(code), note, refuted) for code in item["countries"]]
    return [place(each) for each in item["places"]]


def place(found: Mapping[str, Any]) -> Place:
    """One place: country, status, operator, max_distance_km and up_app_bytes of `measure/places.py`."""
    code, status, uploaded = found["country"], found["status"], found["up_app_bytes"]
    if status == "shared":
        name = f"{visible(found['operator'] or 'an operator')} network"
        return Place(None, name, BELIEFS[status].short, status=status, uploaded=uploaded)
    note = BELIEFS[status].short if status in BELIEFS else ""
    if status == "refuted":
        note = f"refuted: within {reach(found['max_distance_km'])} of the access point"
    return Place(code, country(code or ""), note, status == "refuted", status, uploaded)


def reach(km: float | None) -> str:
    """A bound in words, rounded up: nothing is claimed closer than it was measured."""
    return "an unknown distance" if km is None else f"{max(math.ceil(km / 100) * 100, 100):,} km"
