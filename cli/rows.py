"""The two tables that no single room can fill: `capture` and `devices`.

Theory: a source knows its name, link types and drops; the dissector knows what became of each packet. A device is a
link address with the network addresses that were seen behind it; flows tell both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.packets import LINKTYPE_NAMES
from ..core.schema import CAPTURE, DEVICES, polars_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from ..capture.report import SourceReport

LOCALLY_ADMINISTERED = "26aeAE"  # second digit of an address whose U/L bit is set and group bit is not: IEEE 802 §8.4


def capture_rows(sources: Sequence[SourceReport], counters: npt.NDArray[np.int64]) -> pl.DataFrame:
    """One row per source; `counters`: int64[interfaces, 8] of the dissector, columns as in `dissect/state.py`."""
    import polars as pl

    return pl.DataFrame([_capture_row(source, counters) for source in sources], schema=polars_schema(CAPTURE))


def _capture_row(source: SourceReport, counters: npt.NDArray[np.int64]) -> dict[str, Any]:
    from ..dissect import state

    mine = counters[[index for index in source.interfaces if index < len(counters)]]
    total = mine.sum(axis=0)
    seen = mine[mine[:, state.SEEN] > 0]
    packets, counted = int(total[state.SEEN]), int(total[state.COUNTED_PACKETS])
    malformed, unsupported = int(total[state.MALFORMED_PACKETS]), int(total[state.UNSUPPORTED_PACKETS])
    fates = counted + malformed + unsupported
    assert packets == fates, f"{source.path}: {packets} packets, {fates} accounted for"  # noqa: S101  (the sums must close)
    return {
        "source": source.path,
        "linktype": ",".join(dict.fromkeys(LINKTYPE_NAMES.get(kind, str(kind)) for kind in source.linktypes)) or None,
        "packets": packets,
        "wire_bytes": int(total[state.SEEN_BYTES]),
        "dropped": source.dropped,
        "truncated": int(total[state.CUT]),
        "malformed": malformed,
        "unsupported": unsupported,
        "counted": counted,
        "cut_short": source.cut_short,
        "degraded": None,
        "first_seen": int(seen[:, state.EARLIEST].min()) if len(seen) else None,
        "last_seen": int(seen[:, state.LATEST].max()) if len(seen) else None,
    }


class Devices:
    """Gathers devices from flows, tick by tick; holds one row per device address."""

    def __init__(self) -> None:
        """Knows nobody yet."""
        import polars as pl

        wanted = ("mac", "address", "first_seen", "last_seen")
        kinds = polars_schema(DEVICES) | {"address": pl.String()}
        self._ends = pl.DataFrame(schema={name: kinds[name] for name in wanted})

    def add(self, flows: pl.DataFrame) -> None:
        """Takes the local ends of `flows`."""
        import polars as pl

        new = flows.select(mac="local_mac", address="local_ip", first_seen="first_seen", last_seen="last_seen")
        self._ends = (
            pl.concat([self._ends, new])
            .group_by("mac", "address")
            .agg(pl.col("first_seen").min(), pl.col("last_seen").max())
        )

    def rows(self) -> pl.DataFrame:
        """One row per link address; without one, per network address. Names and vendor are null: nobody asked yet."""
        import polars as pl

        schema = polars_schema(DEVICES)
        return (
            self._ends.sort("first_seen", "address")
            .group_by(pl.col("mac"), key=pl.coalesce("mac", "address"), maintain_order=True)
            .agg(
                addresses=pl.col("address"), first_seen=pl.col("first_seen").min(), last_seen=pl.col("last_seen").max()
            )
            .with_columns(
                vendor=pl.lit(None, pl.String()),
                names=pl.lit(None, schema["names"]),
                randomised=pl.col("mac").str.slice(1, 1).is_in(list(LOCALLY_ADMINISTERED)),
            )
            .select(list(schema))
        )
