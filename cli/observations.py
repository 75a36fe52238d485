"""What one reading of captures gives: a frame per table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Observations:
    """The tables of `core/schema.py` as Polars frames, each with all its columns in order, also where it is empty.

    `warnings`: one line for each thing that was not as it should be, a capture that was cut short for example.
    """

    flows: pl.DataFrame
    exchanges: pl.DataFrame
    tls: pl.DataFrame
    dns: pl.DataFrame
    http: pl.DataFrame
    devices: pl.DataFrame
    capture: pl.DataFrame
    warnings: tuple[str, ...] = ()
