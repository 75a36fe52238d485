"""Place, network, owner and category of single addresses and names, each with what it rests on.

Rules: names are not resolved and nothing is asked of anybody: what the databases do not hold is null. A round trip that
the user has measured says more: how far away the server can be, whether the country is possible, and which are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from ..core.errors import InputError
from .attributor import BY_NETWORK
from .catalogue import is_address
from .roundtrips import ASKED, possible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .attributor import Attributor
    from .databases import Database

COLUMNS = (
    "target", "country", "geo_status", "country_source", "country_second", "second_source", "registered_country",
    "registered_source", "shared", "shared_source", "asn", "as_org", "network_source",
    "owner", "parent", "product", "category", "attribution_source", "evidence",
    "geo_check", "max_distance_km", "possible_countries",
)  # fmt: skip
FOUND = ("country", "geo_status", "country_second", "registered_country", "shared", "asn", "as_org", "owner", "parent",
         "product", "category", "attribution_source")  # fmt: skip


def where(targets: Sequence[str], attributor: Attributor, rtt_ms: float | None = None) -> list[dict[str, Any]]:
    """A dictionary of `COLUMNS` per target, in order.

    `…_source`: name and date of the database that answered. `evidence`: source and date of the catalogue's row, or of
    the network's database where the owner is only the network's. `rtt_ms`: the round trip to every address asked about;
    it takes a place to measure from, `InputError` without one. `possible_countries`: those that it leaves, nearest first,
    where they are few.
    """
    if rtt_ms is not None and attributor.place is None:
        raise InputError("--rtt: a round trip says nothing without the place that it was measured from: give --place LAT,LON")
    asked = pl.DataFrame({
        "remote_ip": [each if is_address(each) else None for each in targets],
        "name": [None if is_address(each) else each for each in targets],
        "transport": None, "rtt_remote_ms": rtt_ms, "rtt_remote_min_ms": None,
    }, schema_overrides=ASKED | {"name": pl.String})  # fmt: skip
    rows = []
    for target, found in zip(targets, attributor.join(asked).to_dicts(), strict=True):
        row = dict.fromkeys(COLUMNS) | {"target": target} | {name: found[name] for name in FOUND}
        for column, of, database in (
            ("country_source", "country", attributor.country), ("second_source", "country_second", attributor.second),
            ("registered_source", "registered_country", attributor.second), ("network_source", "asn", attributor.asn),
        ):  # fmt: skip
            row[column] = _source(database) if found[of] is not None else None
        if found["shared"]:
            row["shared_source"] = "; ".join(f"{each['name']} of {each['build_date']}" for each in attributor.shared.info())
        if is_address(target):
            row["evidence"] = row["network_source"] if found["attribution_source"] == BY_NETWORK else None
            if found["max_distance_km"] is not None and rtt_ms is not None and attributor.place is not None:
                row |= {name: found[name] for name in ("geo_check", "max_distance_km")}
                row["possible_countries"] = possible(attributor.place, rtt_ms, attributor.outlines).countries
        else:
            row["evidence"] = attributor.catalogue.find(target).evidence
        rows.append(row)
    return rows


def _source(database: Database) -> str:
    return f"{database.name} of {database.built}"
