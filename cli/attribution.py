"""Places and owners for flows that pass: opened by options, left out where addresses are pseudonyms, told when they are old.

Rules: where a capture says that its addresses are pseudonyms nothing is said of countries and networks. What a reader must
know of the databases is said once, after the last flow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Unpack

from ..core.schema import TABLES, polars_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

    from ..geo.attributor import Attributor
    from .read_options import ReadOptions

    class Joins(Protocol):
        """What adds places and owners to flows."""

        def join(self, flows: pl.DataFrame) -> pl.DataFrame:
            """The flows with the attribution columns."""


OF_ADDRESSES = ("country", "asn", "as_org", "geo_check", "max_distance_km", "prefix_max_distance_km", "geo_status",
                "country_second", "registered_country", "shared")  # fmt: skip
OF_OWNERS = ("owner", "product", "category", "attribution_source", "parent")
HIDDEN = "remote addresses are pseudonyms: nothing is said of countries and networks"


def open_attributor(**options: Unpack[ReadOptions]) -> Attributor:
    """Places and owners by the databases that `options` name, else the bundled ones."""
    from ..geo.attributor import Attributor, GeoConfig

    given: dict[str, Any] = {name: value for name, value in options.items() if name in GeoConfig._fields}
    return Attributor.open(GeoConfig(**given))


class NamesOnly:
    """Attribution by names alone: addresses that are pseudonyms lie nowhere and belong to nobody."""

    def __init__(self, attributor: Attributor) -> None:
        self._attributor = attributor

    def join(self, flows: pl.DataFrame) -> pl.DataFrame:
        """The flows with the attribution columns; those that come of addresses are null."""
        import polars as pl

        schema = polars_schema(TABLES["flows"])
        joined = self._attributor.join(flows).with_columns(pl.lit(None, schema[name]).alias(name) for name in OF_ADDRESSES)
        by_address = pl.col("attribution_source") == "as"
        return joined.with_columns(pl.when(by_address).then(None).otherwise(pl.col(name)).alias(name) for name in OF_OWNERS)


def without_places(listed: Sequence[str], attributor: Attributor, warn: Callable[[str], None]) -> Joins:
    """`attributor`, or one that looks at no address where a capture says that these are pseudonyms."""
    from ..evidence.pcapng import pseudonyms_of

    if (pseudonyms_of(listed) or {}).get("addresses") != "all":
        return attributor
    warn(HIDDEN)
    return NamesOnly(attributor)


def with_warnings(
    stream: Iterator[tuple[str, pl.DataFrame]], attributor: Attributor | None, warn: Callable[[str], None]
) -> Iterator[tuple[str, pl.DataFrame]]:
    """The frames; after the last of them what a reader must know of the databases on the day of the latest flow."""
    latest: Any = None
    for name, frame in stream:
        yield name, frame
        if attributor and name == "flows":
            latest = max(filter(None, (latest, frame["last_seen"].max())), default=None)
    for line in told(attributor, latest) if attributor else ():
        warn(line)


def told(attributor: Attributor, day: object = None) -> list[str]:
    """What a reader must know of the databases: those that are old, on the day of the capture where there is one, so that
    a result stays the same; and lists with lines that are no rule for a host.
    """  # noqa: D205  (one sentence)
    from ..geo.updates import warnings
    from ..store.cells import escaped

    lists = attributor.catalogue.theirs
    lines = [f"{each.name}: {each.left_out} lines are no rule for a host and were left out" for each in lists if each.left_out]
    return [escaped(line) for line in (*warnings((attributor.country, attributor.asn, attributor.second), day), *lines)]
