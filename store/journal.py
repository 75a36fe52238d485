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
import sqlite3
import zlib
from typing import TYPE_CHECKING, NamedTuple

from ..core.schema import ANNOUNCED, EXCHANGES, FLOWS, TABLES, polars_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import polars as pl

    Block = tuple[int, str, bytes]  # moment, name, data

RUNNING, OPEN = "running", "open"  # flows that go on, as rows of flows; the exchange that each is in
SHAPES = {RUNNING: FLOWS, OPEN: EXCHANGES, "announced": ANNOUNCED, **{name: TABLES[name] for name in ("flows", "exchanges", "tls", "dns", "http")}}
CHECKSUM = 4  # bytes: CRC-32 (ISO 3309)
PLAIN = ("exchanges", "tls", "dns", "http", "announced")  # tables whose rows stay as they came


class Folded(NamedTuple):
    """What moments amount to: the rows of each table, the newest row of each flow, and the open exchange of each.

    closed: flow identifiers whose open exchange of earlier moments is over.
    """

    tables: dict[str, pl.DataFrame]
    open: pl.DataFrame
    closed: pl.Series


def packed(frame: pl.DataFrame) -> bytes:
    """The frame as a block, behind its checksum: SQLite's own check does not look into it."""
    data = frame.write_ipc_stream(None, compression="zstd").getvalue()
    return zlib.crc32(data).to_bytes(CHECKSUM, "big") + data


def unpacked(name: str, data: bytes) -> pl.DataFrame:
    """The frame of a block, with the columns that its table has now; those that it lacks are null.

    `sqlite3.DatabaseError`, as for any other damage, where it is not what was written.
    """
    import polars as pl

    if not is_whole(data):
        raise sqlite3.DatabaseError(f"a block of {name} in the journal is not what was written")
    frame, schema = pl.read_ipc_stream(io.BytesIO(data[CHECKSUM:])), polars_schema(SHAPES[name])
    if list(frame.schema.items()) == list(schema.items()):
        return frame  # as it is nearly always: no query is needed
    return frame.select(pl.col(column) if column in frame.columns else pl.lit(None, kind).alias(column) for column, kind in schema.items())


def is_whole(data: bytes) -> bool:
    """Whether a block is as it was written."""
    return zlib.crc32(data[CHECKSUM:]).to_bytes(CHECKSUM, "big") == data[:CHECKSUM]


def needed(tables: Collection[str]) -> set[str]:
    """The blocks that tables are made from."""
    wanted = set(tables)
    if wanted & {"flows", "exchanges"}:
        wanted |= {"flows", "exchanges", RUNNING, OPEN}
    return wanted & set(SHAPES)


def folded(blocks: Sequence[Block]) -> Folded:
    """Blocks in their order as one."""
    import polars as pl

    def parts(*names: str) -> Iterator[tuple[int, str, pl.DataFrame]]:
        return ((moment, name, unpacked(name, data)) for moment, name, data in reversed(blocks) if name in names)

    def joined(name: str, found: list[pl.DataFrame]) -> pl.DataFrame:
        return pl.concat([pl.DataFrame(schema=polars_schema(SHAPES[name])), *reversed(found)])

    # from the newest to the oldest, so that no more is held than stays; those of one moment lie in the order of `keep`
    over: dict[str, int] = {}  # the moment of the newest row of each flow that says that an exchange is over
    tables: dict[str, list[pl.DataFrame]] = {name: [] for name in (*PLAIN, "flows")}
    shown, seen = set[str](), set[str]()
    for moment, name, part in parts(RUNNING, "flows", *PLAIN):
        if name in {"flows", "exchanges"}:
            for flow in part["flow_id"].to_list():
                over.setdefault(flow, moment)
        tables["flows" if name == RUNNING else name].append(_unseen(part, shown) if name in {RUNNING, "flows"} else part)
    open_ = []
    for moment, _, part in parts(OPEN):
        newest = _unseen(part, seen)
        still = [place for place, flow in enumerate(newest["flow_id"].to_list()) if over.get(flow, moment) <= moment]
        open_.append(newest if len(still) == newest.height else newest[pl.Series(still, dtype=pl.Int64)])
    return Folded({name: joined(name, found) for name, found in tables.items()}, joined(OPEN, open_), pl.Series("flow_id", list(over), pl.String))


def _unseen(frame: pl.DataFrame, seen: set[str]) -> pl.DataFrame:
    """The newest row of each flow that is not among those seen, which it then is."""
    import polars as pl

    newest = {flow: place for place, flow in enumerate(frame["flow_id"].to_list()) if flow not in seen}
    seen.update(newest)
    return frame if len(newest) == frame.height else frame[pl.Series(newest.values(), dtype=pl.Int64).sort()]
