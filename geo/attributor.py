"""Adds to flows where they went and to whom: the columns of `core.schema.ATTRIBUTION`.

Theory: each distinct address and each distinct name is looked up once, and joined to the flows. Place and network come
from the address. Owner, product and category come from the name; without one, the network's organisation stands for
the owner, which is weaker: it may only be where somebody rented a server. The smallest round trip ever seen to an
address bounds how far away its server can be, and so can refute a country; it never confirms one.

`attribution_source`: `catalogue`, `third-party-web` (a row of that list), `domain` (no row: the owner is the registered
domain itself), `as` (no name: the owner is the network's organisation), null (neither).

Rules: nothing leaves the machine. Memory is bounded: beyond `MOST_KNOWN` addresses or names the older are forgotten
and, if they come again, looked up again; a forgotten round trip only makes a bound wider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from ..core.errors import InputError
from ..core.schema import ATTRIBUTION
from .addresses import pack, placeable
from .catalogue import Catalogue
from .databases import NOWHERE, Network, open_database
from .outlines import Outlines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .databases import Database

KM_PER_RTT_MS = 100.0  # light in fibre does 2/3 c, there and back: Katz-Bassett et al., IMC 2006, §3.1
MARGIN_KM = 100.0  # outlines at 1:50 million, islands they leave out, a configured place that is not quite it: 1 ms
MOST_KNOWN = 1 << 18
BY_NETWORK = "as"
NAMED = ("owner", "product", "category", "attribution_source")


class GeoConfig(NamedTuple):
    """`country_db`, `asn_db`: MMDB files, else those of the environment, else the bundled ones.

    `place`: (latitude, longitude) of the access point in degrees; without it no country is checked.
    """

    country_db: str | None = None
    asn_db: str | None = None
    place: tuple[float, float] | None = None


class Attributor:
    """What is known of addresses and names, and of distances from one place."""

    def __init__(
        self, country: Database, asn: Database, catalogue: Catalogue, place: tuple[float, float] | None
    ) -> None:
        self.country, self.asn, self.catalogue, self.place = country, asn, catalogue, place
        self._outlines = Outlines()
        self._distances: dict[str, float | None] = {}
        self._placed = _Known("remote_ip", self._place)
        self._named = _Known("name", self._name)
        self._fastest = pl.DataFrame(schema={"remote_ip": pl.String, "rtt_ms": pl.Float64})

    @classmethod
    def open(cls, config: GeoConfig = GeoConfig()) -> Attributor:  # noqa: B008  (immutable)
        """Opens the databases; `DatabaseError` where one cannot be used, `InputError` for a place that is none."""
        if config.place is not None:
            latitude, longitude = config.place
            if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
                raise InputError(f"place {latitude},{longitude}: not on the globe: write latitude,longitude in degrees")
        return cls(
            open_database("country", config.country_db), open_database("asn", config.asn_db), Catalogue(), config.place
        )

    @property
    def databases(self) -> list[dict[str, str | None]]:
        """What the columns rest on: name, kind, path, type, build_date, licence, attribution, sha256."""
        return [self.country.info, self.asn.info, *self.catalogue.info()]

    def join(self, flows: pl.DataFrame) -> pl.DataFrame:
        """`flows` (with remote_ip, name, rtt_remote_ms) with the ATTRIBUTION columns after its own, rows in order."""
        flows = flows.drop([column.name for column in ATTRIBUTION], strict=False)
        placed = self._placed.rows(flows["remote_ip"]).join(self._bounded(flows), on="remote_ip", how="left")
        named = self._named.rows(flows["name"])
        joined = flows.join(self._checked(placed), on="remote_ip", how="left", maintain_order="left")
        joined = joined.join(named, on="name", how="left", maintain_order="left")
        unnamed = pl.col("owner").is_null() & pl.col("as_org").is_not_null()
        return joined.with_columns(
            owner=pl.coalesce("owner", "as_org"),
            attribution_source=pl.when(unnamed).then(pl.lit(BY_NETWORK)).otherwise("attribution_source"),
            geo_check=pl.col("geo_check").fill_null("unknown"),
        ).select(*flows.columns, *(column.name for column in ATTRIBUTION))

    def addresses(self, addresses: Sequence[str]) -> pl.DataFrame:
        """A row per address, in order: address, country, asn, as_org; null where it has none."""
        return self._place(pl.Series("address", addresses, pl.String))

    def names(self, names: Sequence[str]) -> pl.DataFrame:
        """A row per name, in order: name, owner, product, category, attribution_source; null where unknown."""
        return self._name(pl.Series("name", names, pl.String))

    def _place(self, addresses: pl.Series) -> pl.DataFrame:
        texts = addresses.to_list()
        families = [placeable(family) for family in pack(texts)]
        places, codes = self.country.look_up(texts, families)
        spots, networks = self.asn.look_up(texts, families)
        known = [each if isinstance(each, Network) else NOWHERE for each in networks]
        return pl.DataFrame([
            addresses,
            pl.Series("country", codes, pl.String).gather(places),
            pl.Series("asn", [each.asn for each in known], pl.UInt32).gather(spots),
            pl.Series("as_org", [each.as_org for each in known], pl.String).gather(spots),
        ])  # fmt: skip

    def _name(self, names: pl.Series) -> pl.DataFrame:
        columns: dict[str, list[str | None]] = {column: [] for column in NAMED}
        owners, products, categories, sources = columns.values()
        for name in names.to_list():
            found = self.catalogue.find(name)
            owners.append(found.owner)
            products.append(found.product)
            categories.append(found.category)
            sources.append(found.source)
        return pl.DataFrame([names, *(pl.Series(column, values, pl.String) for column, values in columns.items())])

    def _bounded(self, flows: pl.DataFrame) -> pl.DataFrame:
        """remote_ip, rtt_ms: the smallest round trips of all frames so far; a time that ran backwards is none."""
        rtt = pl.col("rtt_remote_ms")
        now = flows.filter(pl.col("remote_ip").is_not_null() & rtt.is_finite() & (rtt >= 0)).select(
            "remote_ip", rtt_ms="rtt_remote_ms"
        )
        least = pl.concat([self._fastest, now]).group_by("remote_ip").agg(pl.col("rtt_ms").min())
        self._fastest = least if least.height <= MOST_KNOWN else least.join(now, on="remote_ip", how="semi")
        return least

    def _checked(self, placed: pl.DataFrame) -> pl.DataFrame:
        """Places with `max_distance_km` and `geo_check` instead of the round trip."""
        far = pl.DataFrame(
            [(code, self._distance_km(code)) for code in placed["country"].drop_nulls().unique().to_list()],
            schema={"country": pl.String, "away_km": pl.Float64}, orient="row",
        )  # fmt: skip
        most = pl.col("max_distance_km")
        return (
            placed.join(far, on="country", how="left")
            .with_columns(max_distance_km=pl.col("rtt_ms") * KM_PER_RTT_MS)
            .with_columns(
                geo_check=pl.when(most.is_null() | pl.col("away_km").is_null())
                .then(pl.lit("unknown"))
                .when(pl.col("away_km") > most + MARGIN_KM)
                .then(pl.lit("impossible"))
                .otherwise(pl.lit("plausible"))
            )
            .drop("rtt_ms", "away_km")
        )

    def _distance_km(self, code: str) -> float | None:
        if self.place is None:
            return None
        if code not in self._distances:
            self._distances[code] = self._outlines.distance_km(self.place, code)
        return self._distances[code]


class _Known:
    """Rows by a key, each made once by `look_up` (a series of keys in, a frame that starts with them out)."""

    def __init__(self, key: str, look_up: Callable[[pl.Series], pl.DataFrame]) -> None:
        self.key, self.look_up = key, look_up
        self.frame = look_up(pl.Series(key, [], pl.String))

    def rows(self, keys: pl.Series) -> pl.DataFrame:
        """A row for each distinct key that is not null."""
        wanted = pl.DataFrame([keys.drop_nulls().unique().alias(self.key)])
        new = wanted.join(self.frame, on=self.key, how="anti")
        if new.height:
            if self.frame.height + new.height > MOST_KNOWN:
                self.frame = wanted.join(self.frame, on=self.key)
            self.frame = pl.concat([self.frame, self.look_up(new[self.key])])
        return wanted.join(self.frame, on=self.key)
