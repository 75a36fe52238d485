"""A store read while it is being written: read-only, in one transaction, never in the writer's way.

Theory: a reader of a WAL sees the moment at which it began. A flow that goes on has its row from when it was last
written and its exchanges up to the last second, so its counters are taken from these: the sum over a flow's exchanges
is the flow's total, always. What is still in the journal (`journal.py`) is newer than what is in the tables.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..core.errors import EnvironmentFault
from ..core.schema import COUNTERS, TABLES, Table
from .cells import escaped
from .journal import Folded, folded, needed
from .layout import KEPT, to_frame

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    import polars as pl

BUSY_MS = 2_000
DAY_NS = 86_400 * 1_000_000_000


@contextmanager
def reading(path: str) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, inside a read transaction; `EnvironmentFault` where the file cannot be read."""
    try:
        connection = sqlite3.connect(f"file:{quote(str(Path(path).resolve()))}?mode=ro", uri=True, isolation_level=None)
        with closing(connection):
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise EnvironmentFault(f"{escaped(path)}: cannot be read as a store: {error}") from error


def read_store(path: str, tables: Collection[str]) -> dict[str, pl.DataFrame]:
    """The tables asked for that a store holds (all but devices), as reading its captures would give them."""
    import polars as pl

    with reading(path) as connection:
        there = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        found = {
            name: _table(connection, name) if name in there else to_frame(KEPT[name], [])  # an older version's store
            for name in tables
            if name in KEPT
        }
        if not {"exchanges", "flows"}.isdisjoint(tables):
            found |= {name: _table(connection, name) for name in ("exchanges", "open_exchanges")}
        recent = _recent(connection, needed(tables))
    for name, frame in recent.tables.items():
        if name in found:
            found[name] = pl.concat([_without(found[name], frame["flow_id"]) if name == "flows" else found[name], frame])
    if "open_exchanges" in found:
        old = _without(_without(found.pop("open_exchanges"), recent.closed), recent.open["flow_id"])
        found["exchanges"] = pl.concat([found["exchanges"], old, recent.open]).sort("start", "flow_id", maintain_order=True)
    if "flows" in found:
        found["flows"] = _counted(found["flows"], found["exchanges"])
    return {name: found[name] for name in tables if name in found}


def _recent(connection: sqlite3.Connection, names: set[str]) -> Folded:
    """What the journal holds."""
    (there,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'journal'").fetchone()
    marks = ", ".join("?" * len(names))
    asked = f"SELECT moment, name, data FROM journal WHERE name IN ({marks}) ORDER BY number"  # noqa: S608
    return folded(connection.execute(asked, sorted(names)).fetchall() if there and names else [])


def _without(frame: pl.DataFrame, flows: pl.Series) -> pl.DataFrame:
    """The rows of all flows but these."""
    import polars as pl

    return frame.filter(~pl.col("flow_id").is_in(flows.implode())) if len(flows) and frame.height else frame


def read_marks(path: str) -> list[tuple[str, str, str, int, int | None, str]]:
    """Sessions marked in the store: session, device, mode, start and end in ns, notes."""
    with reading(path) as connection:
        return connection.execute(
            "SELECT session, device, mode, start_ns, end_ns, notes FROM sessions ORDER BY start_ns, session"
        ).fetchall()


def read_recent(path: str, days: float) -> dict[str, pl.DataFrame]:
    """Flows of the last days that are kept, their local ends only (local_mac, local_ip, first_seen, last_seen), and `announced`: who is here."""
    import polars as pl

    names = ["local_mac", "local_ip", "first_seen", "last_seen"]
    shape = Table("flows", "", tuple(column for column in KEPT["flows"].columns if column.name in names))
    with reading(path) as connection:
        rows = connection.execute(f"SELECT {', '.join(shape.names)} FROM flows WHERE last_seen >= (SELECT max(last_seen) FROM flows) - ?",  # noqa: S608
                                  (int(days * DAY_NS),)).fetchall()  # fmt: skip
        (there,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'announced'").fetchone()
        announced = _table(connection, "announced") if there else to_frame(KEPT["announced"], [])  # an older version's store
        recent = _recent(connection, needed(("flows", "announced"))).tables
    flows = [to_frame(shape, rows), *(frame.select(shape.names) for name, frame in recent.items() if name == "flows")]
    claims = [announced, *(frame for name, frame in recent.items() if name == "announced")]
    return {"flows": pl.concat(flows), "announced": pl.concat(claims)}


def _table(connection: sqlite3.Connection, name: str) -> pl.DataFrame:
    names = ", ".join(f'"{column}"' for column in KEPT[name].names)
    return to_frame(KEPT[name], connection.execute(f"SELECT {names} FROM {name} ORDER BY rowid").fetchall())  # noqa: S608  (names of the schema)


def _counted(flows: pl.DataFrame, exchanges: pl.DataFrame) -> pl.DataFrame:
    """Flows that go on with the sums of their exchanges."""
    import polars as pl

    going = flows.filter(pl.col("end").is_null()).select("flow_id")
    if not going.height:
        return flows
    names = [column.name for column in COUNTERS]
    sums = exchanges.join(going, on="flow_id", how="semi").group_by("flow_id").agg(
        *(pl.col(name).sum() for name in names), latest=pl.col("end").max()
    )  # fmt: skip
    joined = flows.join(sums, on="flow_id", how="left", suffix="_now", maintain_order="left")
    return joined.with_columns(
        *(pl.coalesce(f"{name}_now", name).alias(name) for name in names),
        last_seen=pl.max_horizontal("last_seen", "latest"),
    ).select(TABLES["flows"].names)
