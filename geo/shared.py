"""Addresses that have no one place: content networks, and anycast, where each asks its nearest.

Theory: operators publish such ranges (`data/ranges/shared.csv`), and some run whole autonomous systems of that kind
(`data/ranges/networks.csv`). What a database says of the place of such an address is where its owner sits, or nothing.
The prefix says more than the network and comes first; of prefixes inside one another the longest.

Rules: this is evidence against a place, not for one: an address that is in no list may be shared all the same.
"""

from __future__ import annotations

import csv
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl

from ..core.errors import DatabaseError
from .addresses import pack
from .databases import BUNDLED, sha256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from .addresses import Packed


class Steps(NamedTuple):
    """Where operators change along the addresses: `starts` uint64[n] (IPv6: the upper halves), `operators` int64[n]."""

    starts: npt.NDArray[np.uint64]
    operators: npt.NDArray[np.int64]


class Shared:
    """The two lists; `DatabaseError` where one cannot be read. They are read at first use."""

    def __init__(self, folder: Path = BUNDLED / "ranges") -> None:
        self.ranges, self.networks = folder / "shared.csv", folder / "networks.csv"

    @cached_property
    def _operators(self) -> dict[int, str]:
        return {int(number): operator for number, operator, _ in _rows(self.networks, "asn")}

    @cached_property
    def _steps(self) -> tuple[list[str | None], dict[int, Steps]]:
        """Operators of prefixes, the first is None, for nobody; and where they are, by the width of an address in bytes."""
        rows = _rows(self.ranges, "prefix")
        places: dict[str | None, int] = {None: 0}
        numbers = np.array([places.setdefault(operator, len(places)) for _, operator, _ in rows])
        parts = [prefix.partition("/") for prefix, _, _ in rows]
        lengths = np.array([int(length) if length.isdecimal() else 0 for _, _, length in parts])
        found, good = {}, 0
        for packed in pack([address for address, _, _ in parts]):
            width = packed.octets.shape[1]
            bits, length = min(width * 8, 64), lengths[packed.rows]  # of IPv6 the upper half counts
            size = np.uint64(1) << np.clip(bits - length, 0, bits - 1).astype(np.uint64)
            first = _words(packed)
            good += int(np.count_nonzero((length > 0) & (length <= width * 8) & (first % size == 0)))
            last = first + (size - np.uint64(1))
            found[width] = _steps(list(zip(first.tolist(), last.tolist(), numbers[packed.rows].tolist(), strict=True)))
        if good < len(rows):
            raise DatabaseError(f"{self.ranges}: {len(rows) - good} rows hold no network: install the package anew")
        return list(places), found

    def operators(self, families: Sequence[Packed], networks: pl.Series) -> pl.Series:
        """Who shares each address; null where nobody is known to. `networks`: the AS number of each, null without one."""
        if not any(len(packed.rows) for packed in families):
            return pl.Series("shared", [None] * len(networks), pl.String)
        names, by_width = self._steps
        places = np.zeros(len(networks), np.int64)
        for packed in families:
            steps = by_width[packed.octets.shape[1]]
            places[packed.rows] = steps.operators[np.searchsorted(steps.starts, _words(packed), "right") - 1]
        by_prefix = pl.Series("shared", names, pl.String).gather(places)
        numbers = list(self._operators)
        by_network = networks.replace_strict(numbers, list(self._operators.values()), default=None, return_dtype=pl.String)
        return pl.select(shared=pl.coalesce(by_prefix, by_network)).to_series()

    def info(self) -> list[dict[str, str | None]]:
        """The files as `Database.info` gives them; the date is that of the newest row."""
        return [
            {
                "name": name, "kind": "shared", "path": str(path), "type": "csv",
                "build_date": max(date for _, _, date in _rows(path, key)),
                "licence": "published facts; CC0-1.0 and MIT as each row says" if key == "prefix" else "Apache-2.0",
                "attribution": "operators' own lists; lord-alfred/ipranges; projectdiscovery/cdncheck" if key == "prefix"
                else "compiled from what operators say of their networks",
                "sha256": sha256(path),
            }
            for name, path, key in (("Shared ranges", self.ranges, "prefix"), ("Shared networks", self.networks, "asn"))
        ]  # fmt: skip


def _rows(path: Path, key: str) -> list[tuple[str, str, str]]:
    """`key`, operator and date of each row."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)
            head = next(rows, [])
            places = [head.index(name) for name in (key, "operator", "date")]
            found = [(row[places[0]], row[places[1]], row[places[2]]) for row in rows if row]
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, IndexError) as error:
        raise DatabaseError(f"{path}: cannot be read, or lacks a column of {key}, operator, date: install the package anew "
                            f"({error})") from error  # fmt: skip
    if not found:
        raise DatabaseError(f"{path}: holds no row: install the package anew")
    return found


def _words(packed: Packed) -> npt.NDArray[np.uint64]:
    """Addresses as numbers; of IPv6 the upper halves."""
    width = packed.octets.shape[1]
    return packed.octets.view(">u4" if width == 4 else ">u8").reshape(-1, 1 if width == 4 else 2)[:, 0].astype(np.uint64)


def _steps(networks: list[tuple[int, int, int]]) -> Steps:
    """Nested networks (first, last, operator) as steps: where a longer one ends, the one around it goes on."""
    starts, operators = [0], [0]
    around: list[tuple[int, int]] = []  # (last, operator) of the networks that are open, the innermost last

    def step(at: int, operator: int) -> None:
        if starts[-1] == at:
            operators[-1] = operator
        elif operators[-1] != operator:
            starts.append(at)
            operators.append(operator)

    def close(before: int | None) -> None:
        while around and (before is None or around[-1][0] < before):
            last, _ = around.pop()
            step(last + 1, around[-1][1] if around else 0)

    for first, last, operator in sorted(networks, key=lambda each: (each[0], -each[1])):
        close(first)
        around.append((last, operator))
        step(first, operator)
    close(None)
    return Steps(np.array(starts, np.uint64), np.array(operators, np.int64))
