"""How far a place is from a country: what the speed of light lets a claim be checked against.

Theory: a country is the inside of its outlines (Natural Earth, 1:50 million). Inside the distance is 0, outside it is
the distance to the nearest edge along the great circle. Outlines at that scale leave out small islands and smooth
coasts; whoever compares distances adds a margin.

Rules: degrees and kilometres; places are (latitude, longitude), as people write them. A country that has no outline
has no distance.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np

from ..core.errors import DatabaseError
from .databases import BUNDLED

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

EARTH_RADIUS_KM = 6371.0  # mean radius, IUGG
WITHIN = {  # codes that Natural Earth draws as a part of another country
    "BQ": "NL", "BV": "NO", "CC": "CX", "GF": "FR", "GP": "FR", "MQ": "FR", "RE": "FR", "SJ": "NO", "YT": "FR",
}  # fmt: skip


class Outlines:
    """Countries of `data/outlines.npz`, read at first use."""

    def __init__(self, path: Path = BUNDLED / "outlines.npz") -> None:
        self.path = path
        self._last: tuple[tuple[float, float], dict[str, float]] | None = None

    @cached_property
    def _rings(self) -> dict[str, list[Floats]]:
        """Closed rings by country: float64[n, 2], longitude and latitude; a ring across 180° runs on beyond it."""
        try:
            with np.load(self.path) as file:
                points = np.cumsum(file["steps"], axis=0) * float(file["unit"])
                codes, of_country, starts = file["codes"].tolist(), file["rings"].tolist(), file["starts"]
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise DatabaseError(f"{self.path}: cannot be read: install the package anew ({error})") from error
        found: dict[str, list[Floats]] = {code: [] for code in codes}
        for number, ring in zip(of_country, np.split(points, starts[1:-1]), strict=True):
            found[codes[number]].append(ring)
        return found

    @property
    def codes(self) -> list[str]:
        """ISO 3166-1 codes that have an outline of their own."""
        return list(self._rings)

    def rings(self) -> dict[str, list[Floats]]:
        """Closed rings by country: float64[n, 2], longitude and latitude; a ring across 180° runs on beyond it."""
        return self._rings

    def distance_km(self, place: tuple[float, float], code: str) -> float | None:
        """From a place to the nearest point of a country; 0 inside it, None where it has no outline."""
        rings = self._rings.get(WITHIN.get(code, code))
        if not rings:
            return None
        if inside(place, rings):
            return 0.0
        return min(float(to_edges_km(place, ring).min()) for ring in rings)

    def distances_km(self, place: tuple[float, float]) -> dict[str, float]:
        """To every country that has an outline of its own; those from the last place are kept."""
        if self._last is None or self._last[0] != place:
            self._last = place, {code: km for code in self.codes if (km := self.distance_km(place, code)) is not None}
        return self._last[1]


def inside(place: tuple[float, float], rings: list[Floats]) -> bool:
    """Whether an odd number of rings surrounds the place: holes take away what they surround."""
    latitude, longitude = place
    crossings = 0
    for ring in rings:
        x, y = ring[:, 0], ring[:, 1]
        spans = (y[:-1] > latitude) != (y[1:] > latitude)
        if not spans.any():
            continue
        at, below = np.flatnonzero(spans), latitude - y[:-1][spans]
        meets = x[at] + below * (x[at + 1] - x[at]) / (y[at + 1] - y[at])
        # a ring that runs beyond 180° is met by the same place a turn further on
        crossings += sum(int((meets > longitude + turn).sum()) % 2 for turn in (-360, 0, 360))
    return crossings % 2 == 1


def unit_vectors(longitude: Floats, latitude: Floats) -> Floats:
    """Points of the globe as float64[n, 3] of length 1."""
    lon, lat = np.radians(longitude), np.radians(latitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def angle(first: Floats, second: Floats) -> Floats:
    """Between unit vectors, in radians; exact for small angles too, where the arc cosine is not."""
    across = np.linalg.norm(np.cross(first, second), axis=-1)
    return np.asarray(np.arctan2(across, (first * second).sum(axis=-1)))


def to_edges_km(place: tuple[float, float], ring: Floats) -> Floats:
    """From a place to each edge of a ring of n points, along great circles: float64[n - 1]."""
    here = unit_vectors(np.array(place[1]), np.array(place[0]))
    points = unit_vectors(ring[:, 0], ring[:, 1])
    start, end = points[:-1], points[1:]
    ends = np.minimum(angle(here, start), angle(here, end))
    normal = np.cross(start, end)  # of the plane of the edge's great circle
    length = np.linalg.norm(normal, axis=-1)
    proper = length > 0
    normal[proper] /= length[proper, None]
    # the nearest point of the whole circle lies on the edge if it is between the planes through the edge's ends
    between = ((np.cross(normal, start) @ here) > 0) & ((np.cross(end, normal) @ here) > 0) & proper
    return np.where(between, np.abs(np.arcsin(np.clip(normal @ here, -1, 1))), ends) * EARTH_RADIUS_KM
