"""Flows, exchanges and sessions made for tests of the comparison."""

from datetime import UTC, datetime

import polars as pl
from wiretally.core.schema import TABLES, polars_schema
from wiretally.measure.inputs import Session

NS = 1_000_000_000
START = 1_700_000_000 * NS
PHONE = "192.168.7.20"
MINUTE = 60 * NS


def frame(table, rows):
    """A table of the contract from partial rows; the rest is null."""
    schema = polars_schema(TABLES[table])
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def moment(ns):
    return datetime.fromtimestamp(ns // NS, UTC)


def browsing(uploads, *, modes=None, minutes=2, owners=None, remote="203.0.113.9"):
    """(flows, exchanges, sessions): uploads[destination][session] in app bytes; modes: of the sessions, in order."""
    count = len(next(iter(uploads.values())))
    modes = modes or ["normal", "incognito"] * (count // 2)
    sessions = [Session(f"s{n}", PHONE, modes[n], START + n * minutes * MINUTE, START + (n + 1) * minutes * MINUTE)
                for n in range(count)]  # fmt: skip
    flows, exchanges = [], []
    for name, sizes in uploads.items():
        flow_id = f"flow-{name}"
        flows.append({"flow_id": flow_id, "local_ip": PHONE, "remote_ip": remote, "name": name, "app_exact": True,
                      "owner": (owners or {}).get(name, name), "country": "SG"})  # fmt: skip
        for session, size in zip(sessions, sizes, strict=True):
            if size:
                at = moment(session.start + 30 * NS)
                exchanges.append({"flow_id": flow_id, "start": at, "end": at, "name": name, "up_app_bytes": size,
                                  "up_wire_bytes": size + 100, "down_app_bytes": 10, "down_wire_bytes": 60})  # fmt: skip
    return frame("flows", flows), frame("exchanges", exchanges), sessions
