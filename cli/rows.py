"""The `capture` table, which no single room can fill.

Theory: a source knows its name, link types and drops; the dissector knows what became of each packet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..core.packets import LINKTYPE_NAMES
from ..core.schema import CAPTURE, polars_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from ..capture.report import SourceReport


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
