"""The `devices` table: who was on the network, by what they were seen to do and what they said of themselves.

Theory: a device is a link address with the network addresses that were seen behind it, each for its span of time; flows
tell both. Names come from `announced`: a claim with a link address belongs to it, one with an IP address only to the
device that had that address nearest to the time of the claim.

Rules: 0.0.0.0 and :: are no addresses. A randomised link address says nothing of the vendor. Memory grows with the
addresses and the claims, not with the packets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.schema import ANNOUNCED, DEVICES, polars_schema

if TYPE_CHECKING:
    import polars as pl

LOCALLY_ADMINISTERED = "26aeAE"  # second digit of an address whose U/L bit is set and group bit is not: IEEE 802 §8.4
UNSPECIFIED = ("0.0.0.0", "::")  # noqa: S104  (addresses in packets)
NAMING = ("dhcp", "mdns", "llmnr", "netbios")  # the other sources tell software


class Devices:
    """Gathers devices tick by tick; holds a row for each address of each, and one for each claim."""

    def __init__(self) -> None:
        """Knows nobody yet."""
        import polars as pl

        wanted = ("mac", "address", "first_seen", "last_seen")
        kinds = polars_schema(DEVICES) | {"address": pl.String()}
        self._ends = pl.DataFrame(schema={name: kinds[name] for name in wanted})
        self._claims = pl.DataFrame(schema=polars_schema(ANNOUNCED))

    def take(self, name: str, frame: pl.DataFrame) -> None:
        """Takes the local ends of `flows`, and `announced` as it is; other tables say nothing of devices."""
        import polars as pl

        if name == "announced":
            both = pl.concat([self._claims, frame]).sort("time", maintain_order=True)
            self._claims = both.unique(["mac", "ip", "name", "source"], keep="first", maintain_order=True)
        if name == "flows":
            new = frame.select(mac="local_mac", address="local_ip", first_seen="first_seen", last_seen="last_seen")
            self._ends = (
                pl.concat([self._ends, new])
                .group_by("mac", "address")
                .agg(pl.col("first_seen").min(), pl.col("last_seen").max())
            )

    def rows(self) -> pl.DataFrame:
        """One row per link address; without one, per network address."""
        import polars as pl

        from ..geo.vendors import Vendors

        schema = polars_schema(DEVICES)
        devices = (
            self._ends.sort("first_seen", "address")
            .with_columns(key=pl.coalesce("mac", "address"), real=~pl.col("address").is_in(UNSPECIFIED))
            .group_by("mac", "key", maintain_order=True)
            .agg(
                addresses=pl.col("address").filter("real"),
                address_spans=pl.struct("address", "first_seen", "last_seen").filter("real"),
                first_seen=pl.col("first_seen").min(), last_seen=pl.col("last_seen").max(),
            )
            .filter(pl.col("mac").is_not_null() | (pl.col("addresses").list.len() > 0))
        )  # fmt: skip
        said = self._said()
        return (
            devices.join(said, on="key", how="left", maintain_order="left")
            .with_columns(
                randomised=pl.col("mac").str.slice(1, 1).is_in(list(LOCALLY_ADMINISTERED)),
                vendor=pl.Series(Vendors().of(devices["mac"].to_list()), dtype=pl.String()),
            )
            .with_columns(pl.col("names", "name_sources", "software").fill_null(pl.lit([], schema["names"])))
            .select(list(schema)).cast(schema)  # type: ignore[arg-type]
        )  # fmt: skip

    def _said(self) -> pl.DataFrame:
        """key, names, name_sources, software: of every device that has said something."""
        import polars as pl

        ends = self._ends.with_columns(key=pl.coalesce("mac", "address"))
        claims = self._claims.with_row_index("claim")
        direct = claims.filter(pl.col("mac").is_not_null()).with_columns(key=pl.col("mac"))
        by_address = claims.filter(pl.col("mac").is_null()).join(ends.drop("mac"), left_on="ip", right_on="address")
        time, first, last = (pl.col(name).to_physical() for name in ("time", "first_seen", "last_seen"))
        away = pl.max_horizontal(first - time, time - last, pl.lit(0))
        nearest = by_address.with_columns(away=away).sort("away", "key").unique("claim", keep="first", maintain_order=True)
        said = pl.concat([direct, nearest.select(direct.columns)]).sort("claim")
        names = said.filter(pl.col("source").is_in(NAMING)).unique(["key", "name"], keep="first", maintain_order=True)
        software = said.filter(~pl.col("source").is_in(NAMING)).unique(["key", "name"], keep="first", maintain_order=True)
        return names.group_by("key").agg(names=pl.col("name"), name_sources=pl.col("source")).join(
            software.group_by("key").agg(software=pl.col("name")), on="key", how="full", coalesce=True
        )  # fmt: skip
