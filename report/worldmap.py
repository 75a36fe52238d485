"""A map of the world with what was uploaded to each country, as inline SVG.

Theory: the map shows places as strongly as they can be believed: filled where two databases agree, hatched where that
is disputed or uncertain, only outlined where the round trip refutes it. The darker the more was uploaded, on a
logarithmic scale of a few steps: a vendor's telemetry is small beside a video. What answers from many places is in no
country and stands in the table only. The table beside the map says everything that the map shows.

The outlines are the bundled ones, thinned to half a degree, the unit of the drawing: a page holds them in less than 100
kilobytes. Plate carrée: longitude is x, latitude is y.

Rules: no script, no font, nothing from elsewhere; colours are the page's. The same result gives the same bytes.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from ..geo.outlines import WITHIN, Outlines
from .places import Place, country, place
from .words import size

if TYPE_CHECKING:
    import numpy.typing as npt

    from .words import Item

STEP = 0.5  # degrees
NORTH, SOUTH = 84.0, -57.0  # Antarctica is left out
LEAST_AREA = 1.5  # square degrees: smaller islands are left out, unless a country is nothing else
DOT = 1.6  # radius, in degrees, of a country that is too small to be seen
SMALL = 12.0  # square degrees
SHADES = 4
CLASSES = {"agree": "agree", "disputed": "unsure", "v6_low": "unsure", "refuted": "refuted"}
HATCH = (
    '<pattern id="hatch" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="2.2" height="4"/></pattern>'
)


def rows(total: Item) -> list[Place]:
    """The places of the total, most uploaded first; empty where the result has none."""
    return [place(each) for each in total.get("places", ())]


def drawn(places: list[Place]) -> str:
    """The map; empty where no country is among the places."""
    amounts: dict[str, dict[str, int]] = {}
    for each in places:
        kind = CLASSES.get(each.status or "")
        if kind and each.code and WITHIN.get(each.code, each.code) in paths():
            code = WITHIN.get(each.code, each.code)
            of = amounts.setdefault(code, {})
            of[kind] = of.get(kind, 0) + (each.uploaded or 0)
    if not amounts:
        return ""
    most = max(sum(of.values()) for of in amounts.values())
    ground = "".join(path for code, (path, _) in paths().items() if code not in amounts)
    shown = "".join(_country(code, of, most) for code, of in sorted(amounts.items()))
    label = "; ".join(f"{country(code)} {size(sum(of.values()))}" for code, of in
                      sorted(amounts.items(), key=lambda each: (-sum(each[1].values()), each[0])))  # fmt: skip
    box = " ".join(f"{value / STEP:g}" for value in (-180, -NORTH, 360, NORTH - SOUTH))
    return (
        f'<svg viewBox="{box}" class="world" role="img" aria-label="Map of the world. Uploaded: {label}"><defs>{HATCH}</defs>'
        f'<path class="ground" d="{ground}"/>{shown}</svg>'
    )


def _country(code: str, of: dict[str, int], most: int) -> str:
    """One country in the manner of what most went to it by; a dot where it is too small."""
    kind = max(sorted(of), key=lambda each: of[each])
    amount = sum(of.values())
    shade = SHADES if most <= 1 else max(1, math.ceil(SHADES * math.log1p(amount) / math.log1p(most)))
    path, dot = paths()[code]
    spot = f'<circle cx="{dot[0] / STEP:.0f}" cy="{-dot[1] / STEP:.0f}" r="{DOT / STEP:g}"/>' if dot else ""
    return f'<g class="{kind} shade-{shade}"><path d="{path}"/>{spot}</g>'


@cache
def paths() -> dict[str, tuple[str, tuple[float, float] | None]]:
    """By country: its outline as SVG path data, and for a small one the place of its dot."""
    found = {}
    for code, rings in Outlines().rings().items():
        sizes = [_area(ring) for ring in rings]
        largest = rings[int(np.argmax(sizes))]
        kept = [ring for ring, area in zip(rings, sizes, strict=True) if area >= LEAST_AREA or ring is largest]
        path = "".join(_path(ring + turn) for ring in kept for turn in _turns(ring))
        middle = (largest.min(axis=0) + largest.max(axis=0)) / 2
        small = max(sizes) < SMALL
        found[code] = (path, (round(float(middle[0]), 1), round(float(middle[1]), 1)) if small else None)
    return {code: each for code, each in found.items() if each[0] or each[1]}


def _area(ring: npt.NDArray[np.float64]) -> float:
    """Of a closed ring, in square degrees."""
    x, y = ring[:, 0], ring[:, 1]
    return float(abs((x[:-1] * y[1:] - x[1:] * y[:-1]).sum()) / 2)


def _turns(ring: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    """Where a ring is drawn: one that runs on beyond 180° comes in again at the other side."""
    turns = [0.0]
    turns += [-360.0] if ring[:, 0].max() > 180 else []
    turns += [360.0] if ring[:, 0].min() < -180 else []
    return [np.array([turn, 0.0]) for turn in turns]


def _path(ring: npt.NDArray[np.float64]) -> str:
    """Path data in steps of `STEP`, each point as the difference from the one before; empty for less than a triangle."""
    points = np.rint(np.clip(ring, [-540, SOUTH - 9], [540, NORTH]) / STEP)
    moves = np.flatnonzero((np.diff(points, axis=0) != 0).any(axis=1)) + 1
    points = points[np.concatenate([[0], moves])]
    if len(points) < 4 or points[:, 1].max() * STEP < SOUTH:
        return ""
    units = (points * [1, -1]).astype(int)
    steps = " ".join(f"{dx},{dy}" for dx, dy in np.diff(units[:-1], axis=0).tolist())
    return f"M{units[0][0]},{units[0][1]}l{steps}z"
