"""Volume: what each session uploaded to each destination, from exchanges by time.

Theory: a connection outlives a session, so flow totals cannot say what a session uploaded; exchanges can. An exchange
belongs to the session of its device in which it began. Since a second of silence ends an exchange, little lies across a
mark; how much does is reported.

Memory: exchanges are taken in slices of `SLICE` rows. Sums by session and destination stay, and of each exchange what a
question of time needs, in 36 bytes: names are codes (categorical).

Rules: destinations are names where flows have one, else addresses. What stays inside the local network (private and
multicast addresses) is no upload to anybody and is left out, counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from ..core.errors import InputError
from .places import EVIDENCE, with_evidence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .inputs import Session

SUMMED = ("up_app_bytes", "up_wire_bytes", "down_app_bytes", "down_wire_bytes")
# RFC 1918, RFC 6598, RFC 3927, RFC 5771, RFC 919, RFC 4193, RFC 4291
INSIDE = (
    r"^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|169\.254\.|127\.|0\.|"
    r"22[4-9]\.|23\d\.|255\.255\.255\.255|fe[89ab]|f[cd]|ff|::1$|::$)"
)


SLICE = 1_000_000
OF_A_DESTINATION = ("key", "owner", "parent", "category", "country", "geo_status", "shared", "max_distance_km")
IN_TIME = ("session", "device", "flow_id", "key", "owner")


class Volumes(NamedTuple):
    """`exchanges`: one row per exchange: `IN_TIME` (categorical), began (ns since the epoch), up_app_bytes. `sums`: by session and
    `OF_A_DESTINATION`: `SUMMED`, exchanges, and the largest up_app_bytes. The rest is what did not count.
    """  # noqa: D205  (a list of fields)

    exchanges: pl.DataFrame
    sums: pl.DataFrame
    outside: int  # app bytes uploaded outside of every session
    inside_network: int  # app bytes to addresses of the local network
    straddling: int  # app bytes of exchanges that began in a session and ended after it
    inexact: float  # share of the uploaded app bytes that are estimates
    unseen: tuple[str, ...]  # devices of sessions that no flow belongs to


def assign(flows: pl.DataFrame, exchanges: pl.DataFrame, sessions: Sequence[Session]) -> Volumes:
    """Puts every exchange into the session it belongs to; flows, exchanges: tables of the contract with attribution."""
    marks = pl.DataFrame(
        [(s.session, s.device, s.start, s.end) for s in sessions],
        schema={"session": pl.String, "device": pl.String, "from": pl.Int64, "until": pl.Int64},
        orient="row",
    )
    ends = with_evidence(flows).select("flow_id", "local_ip", "local_mac", "remote_ip", "owner", "category", "country",
                                       "as_org", *EVIDENCE, "app_exact", flow_name="name",
                                       local_network=pl.col("remote_ip").str.contains(INSIDE))  # fmt: skip
    parts = [_slice(exchanges[at : at + SLICE], ends, marks) for at in range(0, max(len(exchanges), 1), SLICE)]
    sums = pl.concat([part.sums for part in parts]).group_by("session", *OF_A_DESTINATION).agg(*_added(pl.col("exchanges").sum()))
    away, inside, straddling, guessed = (sum(column) for column in zip(*(part.told for part in parts), strict=True))
    app = int(sums["up_app_bytes"].sum())
    devices = set(flows["local_ip"].drop_nulls().unique()) | set(flows["local_mac"].drop_nulls().unique())
    return Volumes(
        pl.concat([part.exchanges for part in parts], rechunk=False), sums, away - app, inside, straddling, guessed / app if app else 0.0,
        tuple(sorted({s.device for s in sessions} - devices)),
    )  # fmt: skip


class _Part(NamedTuple):
    """Some exchanges; `told`: app bytes that went away, stayed inside, straddle, are guessed."""

    exchanges: pl.DataFrame
    sums: pl.DataFrame
    told: tuple[int, ...]


def _slice(exchanges: pl.DataFrame, ends: pl.DataFrame, marks: pl.DataFrame) -> _Part:
    rows = exchanges.select("flow_id", "start", "end", "name", *SUMMED).join(ends, on="flow_id", how="left").with_columns(
        key=pl.coalesce("flow_name", "name", "remote_ip"),
        began=pl.col("start").dt.epoch("ns"), ended=pl.col("end").dt.epoch("ns"),
        local_network=pl.col("local_network").fill_null(value=False),
    )  # fmt: skip
    rows = rows.with_columns(owner=pl.coalesce("owner", "as_org", "key"))
    rows = rows.with_columns(parent=pl.coalesce("parent", "owner"))
    away = rows.filter(~pl.col("local_network"))
    taken = pl.concat([_of(away, marks, column) for column in ("local_ip", "local_mac")])
    told = (away, rows.filter(pl.col("local_network")), taken.filter(pl.col("ended") > pl.col("until")), taken.filter(~pl.col("app_exact")))
    return _Part(
        taken.select(*(pl.col(name).cast(pl.Categorical()) for name in IN_TIME), "began", "up_app_bytes"),
        taken.with_columns(largest="up_app_bytes").group_by("session", *OF_A_DESTINATION).agg(*_added(pl.len().cast(pl.Int64))),
        tuple(int(each["up_app_bytes"].sum()) for each in told),
    )  # fmt: skip


def _added(exchanges: pl.Expr) -> tuple[pl.Expr, ...]:
    """How rows of `sums` come together."""
    return *(pl.col(name).sum().cast(pl.Int64) for name in SUMMED), exchanges.alias("exchanges"), pl.col("largest").max()


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
    """Sums by session and `keys` (key, owner, parent, or a constant): app and wire bytes, exchanges."""
    return volumes.sums.group_by("session", keys).agg(*(pl.col(name).sum() for name in (*SUMMED, "exchanges")))


def together(exchanges: pl.DataFrame, column: str) -> Iterator[pl.DataFrame]:
    """`exchanges` in parts of about `SLICE` rows, each with all rows of some values of `column`."""
    counts = exchanges.group_by(column).len().sort(column, nulls_last=True)
    for _, some in counts.with_columns(part=pl.col("len").cum_sum() // SLICE).group_by("part", maintain_order=True):
        yield exchanges.join(some, on=column, how="semi")


def timeline(volumes: Volumes, bin_seconds: int) -> pl.DataFrame:
    """Uploaded app bytes by time bin, destination and device."""
    width, of = bin_seconds * 1_000_000_000, ["began", "key", "owner", "device"]
    parts = [
        rows.filter(pl.col("up_app_bytes") > 0).with_columns(pl.col("began") // width).group_by(of)
        .agg(pl.col("up_app_bytes").sum().cast(pl.Int64))
        for rows in volumes.exchanges.iter_slices(SLICE)
    ]  # fmt: skip
    whole = pl.concat([*parts, volumes.exchanges.clear().select(*of, pl.col("up_app_bytes").cast(pl.Int64))])
    return (
        whole.group_by(of).agg(pl.col("up_app_bytes").sum())
        .select(pl.from_epoch(pl.col("began") * width, "ns").dt.replace_time_zone("UTC").alias("time"),
                *(pl.col(name).cast(pl.String) for name in of[1:]), "up_app_bytes")
        .sort("time", "key", "device", "owner")  # one name may belong to several owners: the order must not be left open
    )  # fmt: skip
