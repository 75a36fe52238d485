"""Where uploads went, and how far that can be believed.

Theory: a country alone is a claim; with the status that `geo` gives it, it is a finding. So places are kept apart by
status: what went to a country that both databases name, and what went to one that the round trip refutes, are never
added up. The nearest bound counts: of several addresses in one place the smallest distance.
"""

from __future__ import annotations

from typing import Any

import polars as pl

EVIDENCE = {
    "parent": pl.String(), "geo_status": pl.String(), "shared": pl.String(), "max_distance_km": pl.Float64(),
}  # fmt: skip


def with_evidence(flows: pl.DataFrame) -> pl.DataFrame:
    """`flows` with every column of `EVIDENCE`: null where an older attribution did not have it."""
    missing = [pl.lit(None, kind).alias(name) for name, kind in EVIDENCE.items() if name not in flows.columns]
    return flows.with_columns(missing)


def places(exchanges: pl.DataFrame, kind: str) -> dict[str, list[dict[str, Any]]]:
    """Places of each value of the column `kind`, most uploaded first.

    Each is country (null where only the operator is known), status, operator (of a shared network), max_distance_km and
    up_app_bytes.
    """
    table = (
        exchanges.filter(pl.col("country").is_not_null() | pl.col("shared").is_not_null())
        .group_by(kind, "country", status="geo_status", operator="shared")
        .agg(pl.col("max_distance_km").min(), pl.col("up_app_bytes").sum().cast(pl.Int64))
        .sort("up_app_bytes", "country", "status", "operator", descending=[True, False, False, False])
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in table.iter_rows(named=True):
        found.setdefault(row.pop(kind), []).append(row)
    return found
