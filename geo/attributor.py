"""Adds to flows where they went and to whom: the columns of `core.schema.ATTRIBUTION`.

Theory: each distinct address and each distinct name is looked up once, and joined to the flows. Place and network come
from the address, with everything that speaks for or against the place (`evidence.py`). Owner, product and category come
from the name; where nobody knows it, from the first alias behind it (a member of the CNAME chain that the device was
told) that somebody knows: measuring code likes to hide behind names of the site itself. Without a name the network's
organisation stands for the owner, which is weaker: it may only be where somebody rented a server.

`attribution_source`: `list:FILE` (the user's own list), `catalogue`, `third-party-web` (rows of these), `cname` (such a
row, of the alias in the column `cname`), `domain` (no row: the owner is the registered domain itself), `as` (no name:
the owner is the network's organisation), null (neither).

Rules: nothing leaves the machine. Memory is bounded: beyond `MOST_KNOWN` addresses, names or aliases the older are
forgotten and, if they come again, looked up again; a forgotten round trip only makes a bound wider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from ..core.errors import InputError
from ..core.schema import ATTRIBUTION
from .addresses import pack, placeable, without_nat64
from .aliases import Aliases
from .catalogue import DOMAIN, Catalogue
from .databases import NOWHERE, SILENT, Network, Opinion, open_database
from .evidence import checked, status
from .names import WORDS, Names
from .outlines import Outlines
from .roundtrips import MOST_KNOWN, RoundTrips
from .shared import Shared

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .databases import Database

BY_NETWORK, BY_ALIAS = "as", "cname"


class GeoConfig(NamedTuple):
    """`country_db`, `asn_db`, `second_db`: MMDB files, else those of the environment, the user's own, or the bundled.

    `place`: (latitude, longitude) of the access point in degrees; without it no country is checked. `catalogue`: the
    user's own lists, as `lists.py` reads them; the first has the first word.
    """

    country_db: str | None = None
    asn_db: str | None = None
    second_db: str | None = None
    place: tuple[float, float] | None = None
    catalogue: Sequence[str] = ()


class Attributor:
    """What is known of addresses and names, and of distances from one place."""

    def __init__(
        self, country: Database, asn: Database, second: Database, catalogue: Catalogue, place: tuple[float, float] | None
    ) -> None:
        self.country, self.asn, self.second, self.catalogue, self.place = country, asn, second, catalogue, place
        self.outlines, self.shared = Outlines(), Shared()
        self._distances: dict[str, float | None] = {}
        self._names = Names(catalogue)
        self._placed = _Known("remote_ip", self._place)
        self._named = _Known("name", self._names.look_up)
        self._trips, self._aliases = RoundTrips(), Aliases()

    @classmethod
    def open(cls, config: GeoConfig = GeoConfig()) -> Attributor:  # noqa: B008  (immutable)
        """Opens the databases; `DatabaseError` where one cannot be used, `InputError` for a place or list that is none."""
        if config.place is not None:
            latitude, longitude = config.place
            if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
                raise InputError(f"place {latitude},{longitude}: not on the globe: write latitude,longitude in degrees")
        return cls(
            open_database("country", config.country_db), open_database("asn", config.asn_db),
            open_database("second", config.second_db), Catalogue(theirs=config.catalogue), config.place,
        )  # fmt: skip

    @property
    def databases(self) -> list[dict[str, str | None]]:
        """What the columns rest on: name, kind, path, type, build_date, licence, attribution, sha256."""
        mmdb = [each.info for each in (self.country, self.asn, self.second)]
        return [*mmdb, *self.shared.info(), *self.catalogue.info()]

    def learn(self, told: pl.DataFrame) -> None:
        """Takes in the aliases that a dns table tells, or the dissector's `aliases`."""
        self._aliases.learn(told)

    def join(self, flows: pl.DataFrame) -> pl.DataFrame:
        """`flows` (with name and `roundtrips.ASKED`) with the ATTRIBUTION columns after its own, rows in order."""
        flows = flows.drop([column.name for column in ATTRIBUTION], strict=False)
        addresses = flows["remote_ip"]
        if "remote_ipv4" in flows.columns:  # the place is that of the address behind NAT64
            flows = flows.with_columns(remote_ip=pl.coalesce("remote_ipv4", "remote_ip"))
        placed = self._placed.rows(flows["remote_ip"]).join(self._trips.bounds(flows), on="remote_ip", how="left")
        named = self._unmasked(self._named.rows(flows["name"]))
        joined = flows.join(self._judged(placed), on="remote_ip", how="left", maintain_order="left")
        joined = joined.join(named, on="name", how="left", maintain_order="left")
        unnamed = pl.col("owner").is_null() & pl.col("as_org").is_not_null()
        return joined.with_columns(
            owner=pl.coalesce("owner", "as_org"),
            parent=pl.coalesce("parent", pl.col("as_org").replace(self.catalogue.parents)),
            attribution_source=pl.when(unnamed).then(pl.lit(BY_NETWORK)).otherwise("attribution_source"),
            geo_check=pl.col("geo_check").fill_null("unknown"),
            remote_ip=addresses,
        ).select(*flows.columns, *(column.name for column in ATTRIBUTION))

    def attributed(self, tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
        """Tables of one time, `flows` with the ATTRIBUTION columns; aliases are those that `dns` tells, and earlier ones did."""
        self.learn(tables["dns"])
        return {name: self.join(frame) if name == "flows" and frame.height else frame for name, frame in tables.items()}

    def addresses(self, addresses: Sequence[str]) -> pl.DataFrame:
        """A row per address, in order: address, country, asn, as_org, country_second, registered_country, shared."""
        return self._place(pl.Series("address", addresses, pl.String))

    def names(self, names: Sequence[str]) -> pl.DataFrame:
        """A row per name, in order: name, owner, product, category, attribution_source, parent; null where unknown."""
        return self._names.look_up(pl.Series("name", names, pl.String))

    def _place(self, addresses: pl.Series) -> pl.DataFrame:
        asked = without_nat64(addresses)
        families = [placeable(family) for family in pack(asked)]
        places, codes = self.country.look_up(asked, families)
        spots, networks = self.asn.look_up(asked, families)
        seats, opinions = self.second.look_up(asked, families)
        known = [each if isinstance(each, Network) else NOWHERE for each in networks]
        told = [each if isinstance(each, Opinion) else SILENT for each in opinions]
        numbers = pl.Series("asn", [each.asn for each in known], pl.UInt32).gather(spots)
        return pl.DataFrame([
            addresses,
            pl.Series("country", codes, pl.String).gather(places),
            numbers,
            pl.Series("as_org", [each.as_org for each in known], pl.String).gather(spots),
            pl.Series("country_second", [each.country for each in told], pl.String).gather(seats),
            pl.Series("registered_country", [each.registered for each in told], pl.String).gather(seats),
            self.shared.operators(families, numbers),
        ])  # fmt: skip

    def _unmasked(self, named: pl.DataFrame) -> pl.DataFrame:
        """Names with `cname`: those that only their domain speaks for have the words of an alias that somebody knows."""
        rows = []
        unknown = named.filter(pl.col("attribution_source") == DOMAIN)["name"]
        for name in self._aliases.names(unknown):
            for alias in self._aliases.chain(name):
                found = self.catalogue.find(alias)
                if found.source not in {None, DOMAIN}:
                    parent = self.catalogue.parent(found.owner)
                    rows.append((name, found.owner, found.product, found.category, BY_ALIAS, parent, alias))
                    break
        kinds = dict.fromkeys(("name", *WORDS, "cname"), pl.String)
        aliased = pl.DataFrame(rows, schema=kinds, orient="row")
        if aliased.is_empty():
            return named.with_columns(cname=pl.lit(None, pl.String))
        kept = named.join(aliased, on="name", how="anti").with_columns(cname=pl.lit(None, pl.String))
        return pl.concat([kept, aliased.select(kept.columns)])

    def _judged(self, placed: pl.DataFrame) -> pl.DataFrame:
        """Places with `geo_check` and `geo_status`."""
        codes = placed["country"].drop_nulls().unique().to_list()
        far = pl.DataFrame(
            [(code, self.distance_km(code)) for code in codes],
            schema={"country": pl.String, "away_km": pl.Float64}, orient="row",
        )  # fmt: skip
        return (
            placed.join(far, on="country", how="left")
            .with_columns(geo_check=checked())
            .with_columns(geo_status=status(weak_ipv6=self.country.bundled))
            .drop("away_km")
        )

    def distance_km(self, code: str) -> float | None:
        """From the place to a country; None without a place, or for a country without an outline."""
        if self.place is None:
            return None
        if code not in self._distances:
            self._distances[code] = self.outlines.distance_km(self.place, code)
        return self._distances[code]


class _Known:
    """Rows by a key, each made once by `look_up` (a series of keys in, a frame that starts with them out)."""

    def __init__(self, key: str, look_up: Callable[[pl.Series], pl.DataFrame]) -> None:
        self.key, self.look_up = key, look_up
        self.frame: pl.DataFrame | None = None

    def rows(self, keys: pl.Series) -> pl.DataFrame:
        """A row for each distinct key that is not null."""
        wanted = pl.DataFrame([keys.drop_nulls().unique().alias(self.key)])
        if self.frame is None:
            self.frame = self.look_up(wanted[self.key])
        new = wanted.join(self.frame, on=self.key, how="anti")
        if new.height:
            if self.frame.height + new.height > MOST_KNOWN:
                self.frame = wanted.join(self.frame, on=self.key)
            self.frame = pl.concat([self.frame, self.look_up(new[self.key])])
        return wanted.join(self.frame, on=self.key)
