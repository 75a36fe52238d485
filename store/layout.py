"""How the tables of the contract lie in SQLite.

Theory: the schema of `core/schema.py` is the only definition; tables are made from it, and columns that it has gained
are added when a store is opened. Everything else changes by the numbered files in `migrations/`, each applied once, in
order, in one transaction with the number it leaves in `user_version`.

Rules: times are integers, ns since the epoch; lists and records are JSON text; truth is 0 or 1; missing is NULL.
`open_exchanges` holds, for each flow that goes on, the exchange it is in; with `exchanges` it adds up to the totals.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.schema import ANNOUNCED, CAPTURE, DNS, EXCHANGES, FLOWS, HTTP, TABLES, TLS, Table, polars_schema
from .cells import json_text

if TYPE_CHECKING:
    import sqlite3

    import polars as pl

APPLICATION_ID = 0x77697265  # "wire", in the file's header: sqlite.org/fileformat.html §1.3
MAGIC = b"SQLite format 3\0"
ID_AT = 68  # of the application id in the header
KEPT = {"flows": FLOWS, "exchanges": EXCHANGES, "open_exchanges": EXCHANGES, "tls": TLS, "dns": DNS, "http": HTTP,
        "announced": ANNOUNCED, "capture": CAPTURE}  # fmt: skip
KEYS = {"flows": "flow_id", "open_exchanges": "flow_id"}
AFFINITY = {"time": "INTEGER", "u64": "INTEGER", "u32": "INTEGER", "u16": "INTEGER", "bool": "INTEGER", "f64": "REAL"}
MIGRATIONS = Path(__file__).resolve().parent / "migrations"


def is_store(path: str) -> bool:
    """Whether the file is one of ours, by its first bytes; False where it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            head = file.read(ID_AT + 4)
    except (OSError, ValueError):
        return False
    return head.startswith(MAGIC) and head[ID_AT:] == APPLICATION_ID.to_bytes(4, "big")


def lay_out(connection: sqlite3.Connection) -> None:
    """Makes what is missing, inside the caller's transaction."""
    for name, table in KEPT.items():
        have = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
        if not have:
            connection.execute(f"CREATE TABLE {name} ({', '.join(_column(name, column) for column in table.columns)})")
        for column in table.columns:
            if have and column.name not in have:
                connection.execute(f"ALTER TABLE {name} ADD COLUMN {_column(name, column)}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, path in enumerate(sorted(MIGRATIONS.glob("*.sql")), start=1):
        if number > version:
            for statement in path.read_text(encoding="utf-8").split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _column(table: str, column: Any) -> str:  # noqa: ANN401  (a Column of core/schema.py)
    key = " PRIMARY KEY" if KEYS.get(table) == column.name else ""
    return f'"{column.name}" {AFFINITY.get(column.type, "TEXT")}{key}'


def insertion(name: str) -> str:
    """The statement that puts a row into a table; a row with the same key is replaced."""
    columns = KEPT[name].names
    quoted = ", ".join(f'"{column}"' for column in columns)
    return f"INSERT OR REPLACE INTO {name} ({quoted}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608  (names of the schema)


def to_rows(name: str, frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    """The frame's rows as SQLite holds them; columns that it lacks are NULL. Only lists take a query."""
    import polars as pl

    nothing = pl.Series([None]).new_from_index(0, frame.height)
    columns = []
    for column in KEPT[name].columns:
        values = frame[column.name] if column.name in frame.columns else nothing
        if values.null_count() == frame.height:
            values = nothing
        elif column.type == "time":
            values = values.cast(pl.Int64)  # `to_physical` makes a query of it
        elif column.type.startswith("list"):
            values = frame.select(json_text(column.name)).to_series()
        columns.append(values.alias(column.name))
    return pl.DataFrame(columns).rows()


def to_frame(table: Table, rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    """The contract's frame from SQLite's rows, columns in the order of the table."""
    import polars as pl

    schema = polars_schema(table)
    stored: dict[str, Any] = {
        column.name: pl.Int64() if column.type == "time" else pl.String() if column.type.startswith("list") else (
            pl.Int64() if column.type == "bool" else schema[column.name])
        for column in table.columns
    }  # fmt: skip
    frame = pl.DataFrame(rows, schema=stored, orient="row")
    return frame.select(_restored(column, schema[column.name]) for column in table.columns)


def _restored(column: Any, kind: pl.DataType) -> pl.Expr:  # noqa: ANN401
    import polars as pl

    stored = pl.col(column.name)
    if column.type == "time":
        return stored.cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
    if column.type.startswith("list"):
        return stored.str.json_decode(kind)
    return stored.cast(kind)


__all__ = ["KEPT", "TABLES", "insertion", "is_store", "lay_out", "to_frame", "to_rows"]
