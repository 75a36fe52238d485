"""Volume: what each session uploaded to each destination, from exchanges by time.

Theory: a connection outlives a session, so flow totals cannot say what a session uploaded; exchanges can. An exchange
belongs to the session of its device in which it began. Since a second of silence ends an exchange, little lies across a
mark; how much does is reported.

Rules: destinations are names where flows have one, else addresses. What stays inside the local network (private and
multicast addresses) is no upload to anybody and is left out, counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from ..core.errors import InputError
from .places import EVIDENCE, with_evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .inputs import Session

SUMMED = ("up_app_bytes", "up_wire_bytes", "down_app_bytes", "down_wire_bytes")
# RFC 1918, RFC 6598, RFC 3927, RFC 5771, RFC 919, RFC 4193, RFC 4291
INSIDE = (
    r"^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|169\.254\.|127\.|0\.|"
    r"22[4-9]\.|23\d\.|255\.255\.255\.255|fe[89ab]|f[cd]|ff|::1$|::$)"
)


class Volumes(NamedTuple):
    """`exchanges`: one row per exchange with session, mode, key and counters; the rest is what did not count."""

    exchanges: pl.DataFrame
    outside: int  # app bytes uploaded outside of every session
    inside_network: int  # app bytes to addresses of the local network
    straddling: int  # app bytes of exchanges that began in a session and ended after it
    inexact: float  # share of the uploaded app bytes that are estimates
    unseen: tuple[str, ...]  # devices of sessions that no flow belongs to


def assign(flows: pl.DataFrame, exchanges: pl.DataFrame, sessions: Sequence[Session]) -> Volumes:
    """Puts every exchange into the session it belongs to; flows, exchanges: tables of the contract with attribution."""
    marks = pl.DataFrame(
        [(s.session, s.device, s.mode, s.start, s.end) for s in sessions],
        schema={"session": pl.String, "device": pl.String, "mode": pl.String, "from": pl.Int64, "until": pl.Int64},
        orient="row",
    )
    ends = with_evidence(flows).select("flow_id", "local_ip", "local_mac", "remote_ip", "owner", "category", "country",
                                       "as_org", *EVIDENCE, "app_exact", flow_name="name",
                                       local_network=pl.col("remote_ip").str.contains(INSIDE))  # fmt: skip
    rows = exchanges.select("flow_id", "start", "end", "name", *SUMMED).join(ends, on="flow_id", how="left").with_columns(
        key=pl.coalesce("flow_name", "name", "remote_ip"),
        began=pl.col("start").dt.epoch("ns"), ended=pl.col("end").dt.epoch("ns"),
        local_network=pl.col("local_network").fill_null(value=False),
    )  # fmt: skip
    rows = rows.with_columns(owner=pl.coalesce("owner", "as_org", "key"))
    rows = rows.with_columns(parent=pl.coalesce("parent", "owner"))
    away = rows.filter(~pl.col("local_network"))
    taken = pl.concat([_of(away, marks, column) for column in ("local_ip", "local_mac")])
    devices = set(flows["local_ip"].drop_nulls().unique()) | set(flows["local_mac"].drop_nulls().unique())
    app = int(taken["up_app_bytes"].sum())
    guessed = int(taken.filter(~pl.col("app_exact"))["up_app_bytes"].sum())
    return Volumes(
        taken, int(away["up_app_bytes"].sum()) - app,
        int(rows.filter(pl.col("local_network"))["up_app_bytes"].sum()),
        int(taken.filter(pl.col("ended") > pl.col("until"))["up_app_bytes"].sum()),
        guessed / app if app else 0.0,
        tuple(sorted({s.device for s in sessions} - devices)),
    )  # fmt: skip


def _of(rows: pl.DataFrame, marks: pl.DataFrame, column: str) -> pl.DataFrame:
    """The exchanges of the sessions whose device is given by this column."""
    joined = rows.sort("began").join_asof(
        marks.sort("from"), left_on="began", right_on="from", by_left=column, by_right="device",
        strategy="backward", check_sortedness=False,
    )  # fmt: skip
    inside = pl.col("session").is_not_null() & (pl.col("until").is_null() | (pl.col("began") < pl.col("until")))
    return joined.filter(inside).with_columns(device=pl.col(column))


def check_devices(volumes: Volumes, sessions: Sequence[Session]) -> None:
    """Raises InputError where no session's device is in the captures: nothing could be said then."""
    if len(volumes.unseen) == len({session.device for session in sessions}):
        raise InputError(f"sessions: device {volumes.unseen[0]!r} is in no flow of the captures; give its IP or MAC address "
                         "as the access point sees it")  # fmt: skip


def per_session(volumes: Volumes, keys: str) -> pl.DataFrame:
    """Sums by session and `keys` (key, owner, or a constant): app and wire bytes, exchanges."""
    return volumes.exchanges.group_by("session", keys).agg(
        *(pl.col(name).sum().cast(pl.Int64) for name in SUMMED), exchanges=pl.len().cast(pl.Int64)
    )


def timeline(volumes: Volumes, bin_seconds: int) -> pl.DataFrame:
    """Uploaded app bytes by time bin, destination and device."""
    return (
        volumes.exchanges.filter(pl.col("up_app_bytes") > 0)
        .with_columns(time=pl.col("start").dt.truncate(f"{bin_seconds}s"))
        .group_by("time", "key", "owner", "device")
        .agg(pl.col("up_app_bytes").sum().cast(pl.Int64))
        .sort("time", "key", "device", "owner")  # one name may belong to several owners: the order must not be left open
    )
