"""Place, network, owner and category of single addresses and names, each with what it rests on.

Rules: names are not resolved and nothing is asked of anybody: what the databases do not hold is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .attributor import BY_NETWORK
from .catalogue import is_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .attributor import Attributor
    from .databases import Database

COLUMNS = (
    "target", "country", "country_source", "asn", "as_org", "network_source",
    "owner", "product", "category", "attribution_source", "evidence",
)  # fmt: skip


def where(targets: Sequence[str], attributor: Attributor) -> list[dict[str, Any]]:
    """A dictionary of `COLUMNS` per target, in order.

    `country_source`, `network_source`: name and date of the database that answered. `evidence`: source and date of
    the catalogue's row, or of the network's database where the owner is only the network's.
    """
    rows = []
    for target, placed in zip(targets, attributor.addresses(targets).to_dicts(), strict=True):
        network_source = _source(attributor.asn) if placed["asn"] is not None else None
        row = dict.fromkeys(COLUMNS) | {
            "target": target,
            "country": placed["country"],
            "country_source": _source(attributor.country) if placed["country"] else None,
            "asn": placed["asn"],
            "as_org": placed["as_org"],
            "network_source": network_source,
        }
        if not is_address(target):
            found = attributor.catalogue.find(target)
            row |= found._asdict() | {"attribution_source": found.source}
            del row["source"]
        elif placed["as_org"]:
            row |= {"owner": placed["as_org"], "attribution_source": BY_NETWORK, "evidence": network_source}
        rows.append(row)
    return rows


def _source(database: Database) -> str:
    return f"{database.name} of {database.built}"
