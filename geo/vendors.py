"""Whose product a link address is: the blocks that the IEEE has given out.

Theory: an address that its maker has given begins with a block of 24, 28 or 36 bits that the IEEE gave to the maker
(registries MA-L, MA-M, MA-S); the smaller lie inside larger ones that stayed with the authority, so the longest counts.
Phones take addresses of their own choosing on most networks: those have the second lowest bit of the first byte set (IEEE
802 §8.4), belong to no block and say nothing. Of groups nobody is the maker.

Rules: what is in no block is null. The file is `data/vendors.npz`; its date is in `wiretally data status`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple
from zipfile import BadZipFile

import numpy as np

from ..core.errors import DatabaseError
from .databases import BUNDLED, sha256

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

LONGEST_FIRST = (36, 28, 24)
ADDRESS_BITS = 48
NO_MAKER = 0x03  # of the first byte: U/L, locally administered; I/G, a group


class Blocks(NamedTuple):
    """Blocks of one length: their first bits uint64[n], sorted, and the places of their organisations uint32[n]."""

    starts: npt.NDArray[np.uint64]
    owners: npt.NDArray[np.uint32]


class Vendors:
    """The registry, read at first use; `DatabaseError` where it cannot be read."""

    def __init__(self, path: Path = BUNDLED / "vendors.npz") -> None:
        self.path = path

    @cached_property
    def _file(self) -> tuple[list[str], dict[int, Blocks], dict[str, str]]:
        try:
            with np.load(self.path, allow_pickle=False) as file:
                names = file["names"].tobytes().decode().split("\n")
                blocks = {bits: Blocks(file[f"blocks{bits}"], file[f"owners{bits}"]) for bits in LONGEST_FIRST}
                about = {word: str(file[word]) for word in ("date", "source", "licence")}
        except (OSError, EOFError, ValueError, KeyError, BadZipFile) as error:
            raise DatabaseError(f"{self.path}: cannot be read: install the package anew ({error})") from error
        return names, blocks, about

    def of(self, macs: Sequence[str | None]) -> list[str | None]:
        """The organisation of each address (`dc:a6:32:01:02:03`); null for those of nobody's block, and for none."""
        known = {mac: self._one(mac) for mac in set(macs) if mac is not None}
        return [known.get(mac) if mac is not None else None for mac in macs]

    def _one(self, mac: str) -> str | None:
        digits = mac.replace(":", "")
        if int(digits[:2], 16) & NO_MAKER:
            return None
        names, blocks, _ = self._file
        address = int(digits, 16)
        for bits in LONGEST_FIRST:
            wanted, (starts, owners) = address >> ADDRESS_BITS - bits, blocks[bits]
            place = int(np.searchsorted(starts, np.uint64(wanted)))
            if place < len(starts) and int(starts[place]) == wanted:
                return names[int(owners[place])]
        return None

    def info(self) -> dict[str, str | None]:
        """The file as `Database.info` gives it."""
        _, _, about = self._file
        return {
            "name": "IEEE address blocks", "kind": "vendors", "path": str(self.path), "type": "npz", "build_date": about["date"],
            "licence": about["licence"], "attribution": f"IEEE Registration Authority; npm {about['source']}",
            "sha256": sha256(self.path),
        }  # fmt: skip
