"""What round trips say of distance: nothing is faster than light in fibre.

Theory: a server that answers within t ms is at most t × 100 km away, so a country that begins further off is refuted. A
short way round never confirms a place: it only leaves the countries within it. The smallest round trip of an address
counts, over all its flows: of TCP the smallest in the whole flow (`rtt_remote_min_ms`), which leaves out what repeated
segments make doubtful and refusals, that anybody may send; of QUIC, where a repeated hello only makes it longer, that of
the handshake (`rtt_remote_ms`). And beside it that of its prefix, since a /24 (IPv6: a /48) is the smallest network that is
routed on its own, and what stands near one of its addresses most often stands near all.

The bound holds where the round trip is that of the server's own answer. A transparent proxy on the way answers in its
stead, and makes everything look near.

Rules: times in ms, distances in km. What may make a round trip look shorter than it was is a margin with a name here.
Memory is bounded: beyond `MOST_KNOWN` addresses those not in the newest frame are forgotten, which only widens bounds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from .outlines import Outlines

KM_PER_RTT_MS = 100.0  # light in fibre does 2/3 c, there and back: Katz-Bassett et al., IMC 2006, §3.1
CLOCK_MS = 0.5  # stamps are taken when a driver hands packets on, several at a time: the first may be stamped late
HOP_MS = 0.5  # a bridge, a tunnel or a hypervisor before the tap may have held the first packet back
OUTLINE_KM = 100.0  # outlines at 1:50 million, islands they leave out, a configured place that is not quite it
MARGIN_KM = OUTLINE_KM + (CLOCK_MS + HOP_MS) * KM_PER_RTT_MS
MOST_KNOWN = 1 << 18
MOST_POSSIBLE = 12  # countries: a longer list says nothing
ASKED = {"remote_ip": pl.String, "transport": pl.String, "rtt_remote_ms": pl.Float64, "rtt_remote_min_ms": pl.Float64}
SLASH_24, SLASH_48 = r"^(\d+\.\d+\.\d+\.)", r"^([0-9a-f]+:[0-9a-f]+:[0-9a-f]*:)"  # as they are written
ZEROS_FOLLOW = r"^([0-9a-f]+:)"  # 2001::1: "::" stands for the second and third group too


class Possible(NamedTuple):
    """Countries that a round trip leaves, nearest first; None where they are more than `MOST_POSSIBLE`."""

    max_distance_km: float
    countries: list[str] | None


def refuted(distance_km: float, rtt_ms: float) -> bool:
    """Whether something so far away cannot have answered so soon."""
    return distance_km > rtt_ms * KM_PER_RTT_MS + MARGIN_KM


def possible(place: tuple[float, float], rtt_ms: float, outlines: Outlines) -> Possible:
    """Countries within reach of a round trip from a place."""
    near = sorted((km, code) for code, km in outlines.distances_km(place).items() if not refuted(km, rtt_ms))
    codes = [code for _, code in near]
    return Possible(rtt_ms * KM_PER_RTT_MS, codes if len(codes) <= MOST_POSSIBLE else None)


class RoundTrips:
    """The smallest round trip by address and by prefix, of all frames so far."""

    def __init__(self) -> None:
        """Knows none."""
        self._least = {
            key: pl.DataFrame(schema={key: pl.String, f"{key}_ms": pl.Float64}) for key in ("remote_ip", "prefix")
        }

    def bounds(self, flows: pl.DataFrame) -> pl.DataFrame:
        """remote_ip, max_distance_km, prefix_max_distance_km; `flows`: with the columns of `ASKED`.

        A row per address that the frame holds; null where there was no round trip. A time that ran backwards or stood
        still is none: a clock that did not move measures nothing.
        """
        rtt = pl.when(pl.col("transport") == "tcp").then("rtt_remote_min_ms").otherwise("rtt_remote_ms")
        usable = pl.when(rtt.is_finite() & (rtt > 0)).then(rtt)
        now = flows.filter(pl.col("remote_ip").is_not_null()).group_by("remote_ip").agg(usable.min().alias("remote_ip_ms"))
        now = now.with_columns(prefix=prefix(), prefix_ms="remote_ip_ms")
        for key in self._least:
            self._remember(key, now)
        return (
            now.select("remote_ip", "prefix")
            .join(self._least["remote_ip"], on="remote_ip", how="left")
            .join(self._least["prefix"], on="prefix", how="left")
            .select(
                "remote_ip",
                max_distance_km=pl.col("remote_ip_ms") * KM_PER_RTT_MS,
                prefix_max_distance_km=pl.col("prefix_ms") * KM_PER_RTT_MS,
            )
        )

    def _remember(self, key: str, now: pl.DataFrame) -> None:
        value = f"{key}_ms"
        least = (
            pl.concat([self._least[key], now.select(key, value).drop_nulls()])
            .group_by(key)
            .agg(pl.col(value).min())
        )
        self._least[key] = least if least.height <= MOST_KNOWN else least.join(now, on=key, how="semi")


def prefix() -> pl.Expr:
    """The /24 or /48 of `remote_ip`, as far as its canonical text (RFC 5952 §4) spells it; what has none is its own."""
    address = pl.col("remote_ip")
    return pl.coalesce(*(address.str.extract(each) for each in (SLASH_24, SLASH_48, ZEROS_FOLLOW)), address)
