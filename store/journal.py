"""The newest moments of a live store, as they came: small to write, quick to read, not yet rows of its tables.

Theory: a log-structured merge (O'Neil et al., 1996). Putting each row into its table when it comes would touch as many
pages as there are rows, each second; flows that go on would be written again and again. So a moment is written as it
is, one compressed block per table (Arrow's stream format in zstd), and some time later many moments are folded into the
tables at once: of a flow that went on in all of them only the last row is left to write.

Rules: the order of moments, and inside a moment the order closed, then open, decides what is newest. Whoever reads a
store reads tables and journal together (`reader.py`).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, NamedTuple

from ..core.schema import ANNOUNCED, EXCHANGES, FLOWS, TABLES, polars_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import polars as pl

    Block = tuple[int, str, bytes]  # moment, name, data

RUNNING, OPEN = "running", "open"  # flows that go on, as rows of flows; the exchange that each is in
SHAPES = {RUNNING: FLOWS, OPEN: EXCHANGES, "announced": ANNOUNCED, **{name: TABLES[name] for name in ("flows", "exchanges", "tls", "dns", "http")}}
LEVEL = 1  # of zstd: columns are far smaller by then, more would only cost time


class Folded(NamedTuple):
    """What moments amount to: the rows of each table, the newest row of each flow, and the open exchange of each.

    closed: flow identifiers whose open exchange of earlier moments is over.
    """

    tables: dict[str, pl.DataFrame]
    open: pl.DataFrame
    closed: pl.Series


def packed(frame: pl.DataFrame) -> bytes:
    """The frame as a block."""
    import zstandard

    return zstandard.ZstdCompressor(LEVEL).compress(frame.write_ipc_stream(None, compression="uncompressed").getvalue())


def unpacked(name: str, data: bytes) -> pl.DataFrame:
    """The frame of a block, with the columns that its table has now; those that it lacks are null."""
    import polars as pl
    import zstandard

    frame = pl.read_ipc_stream(io.BytesIO(zstandard.ZstdDecompressor().decompress(data)))
    return frame.select(
        pl.col(column) if column in frame.columns else pl.lit(None, kind).alias(column)
        for column, kind in polars_schema(SHAPES[name]).items()
    )


def needed(tables: Collection[str]) -> set[str]:
    """The blocks that tables are made from."""
    wanted = set(tables)
    if wanted & {"flows", "exchanges"}:
        wanted |= {"flows", "exchanges", RUNNING, OPEN}
    return wanted & set(SHAPES)


def folded(blocks: Sequence[Block]) -> Folded:
    """Blocks in their order as one."""
    import polars as pl

    def joined(*names: str) -> pl.DataFrame:
        schema = polars_schema(SHAPES[names[0]]) | {"moment": pl.Int64()}
        parts = [unpacked(name, data).with_columns(moment=pl.lit(moment, pl.Int64))
                 for moment, name, data in blocks if name in names]  # fmt: skip
        return pl.concat([pl.DataFrame(schema=schema), *parts])

    # blocks of one moment lie in the order of `keep`: running before flows
    shown, ended, exchanges, going = joined(RUNNING, "flows"), joined("flows"), joined("exchanges"), joined(OPEN)
    closed = pl.concat([part.select("flow_id", over="moment") for part in (ended, exchanges)])
    closed = closed.group_by("flow_id").agg(pl.col("over").max())
    newest = going.unique("flow_id", keep="last", maintain_order=True).join(closed, on="flow_id", how="left")
    tables = {name: joined(name).drop("moment") for name in ("tls", "dns", "http", "announced")}
    tables["flows"] = shown.unique("flow_id", keep="last", maintain_order=True).drop("moment")
    tables["exchanges"] = exchanges.drop("moment")
    still = newest.filter(pl.col("over").is_null() | (pl.col("over") <= pl.col("moment")))
    return Folded(tables, still.drop("moment", "over"), closed["flow_id"])
