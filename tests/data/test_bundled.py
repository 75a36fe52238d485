"""The bundled files are what their readers and data/README.md say."""

import csv
import re
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import geoip2.database
import geoip2.errors
import maxminddb
import pytest
import wiretally.data
from wiretally.geo.catalogue import COLUMNS, LISTS
from wiretally.geo.databases import BUNDLED
from wiretally.geo.outlines import WITHIN, Outlines

README = (BUNDLED / "README.md").read_text()
COUNTRIES = {  # addresses whose place several databases agree on
    "161.117.71.74": "SG", "20.47.97.231": "NL", "5.255.255.5": "RU", "114.54.23.1": "CN", "240e::1": "CN",
    "2603:1040::1": "SG", "47.241.69.153": "SG",
}  # fmt: skip
NETWORKS = {
    "1.1.1.1": 13335, "8.8.8.8": 15169, "161.117.71.74": 45102, "77.88.8.8": 13238, "2a00:1450::1": 15169,
    "240e::1": 4134,
}  # fmt: skip
ANYWHERE = ["10.1.2.3", "192.168.1.1", "172.16.0.1", "100.64.0.1", "127.0.0.1", "fe80::1", "fd00::1", "::1", "ff02::1"]


@pytest.fixture(scope="module")
def country():
    with geoip2.database.Reader(BUNDLED / "country.mmdb") as reader:
        yield reader


@pytest.fixture(scope="module")
def asn():
    with geoip2.database.Reader(BUNDLED / "asn.mmdb") as reader:
        yield reader


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("address", "code"), COUNTRIES.items())
def test_geoip2_finds_countries(country, address, code):
    assert country.country(address).country.iso_code == code


@pytest.mark.parametrize(("address", "number"), NETWORKS.items())
def test_geoip2_finds_networks(asn, address, number):
    found = asn.asn(address)
    assert found.autonomous_system_number == number
    assert found.autonomous_system_organization


@pytest.mark.parametrize("address", ANYWHERE)
def test_private_addresses_have_no_place(country, asn, address):
    with pytest.raises(geoip2.errors.AddressNotFoundError):
        country.country(address)
    with pytest.raises(geoip2.errors.AddressNotFoundError):
        asn.asn(address)


def test_the_plain_reader_agrees_with_the_compiled_one():
    for name in ("country", "asn"):
        path = BUNDLED / f"{name}.mmdb"
        with (
            maxminddb.open_database(path, maxminddb.MODE_MMAP_EXT) as fast,
            maxminddb.open_database(path, maxminddb.MODE_MMAP) as plain,
        ):
            for address in [*COUNTRIES, *NETWORKS, *ANYWHERE]:
                assert fast.get(address) == plain.get(address)


@pytest.mark.slow
def test_every_country_is_a_code_that_has_an_outline():
    with maxminddb.open_database(BUNDLED / "country.mmdb") as reader:
        codes = {record["country"]["iso_code"] for _, record in reader}
    assert len(codes) > 240
    drawn = set(Outlines().codes) | set(WITHIN)
    assert codes - drawn == {"GI", "TK", "TV", "UM"}  # too small for 1:50 million: their geo_check is unknown


def test_build_dates_are_the_sources_and_stand_in_the_readme(country, asn):
    for reader, name in ((country, "country.mmdb"), (asn, "asn.mmdb")):
        built = datetime.fromtimestamp(reader.metadata().build_epoch, UTC)
        line = next(line for line in README.splitlines() if line.startswith(f"| `{name}`"))
        assert f"{built:%Y-%m-%d}" in line
        assert f"{built:%Y%m%d}" in line.replace(".", "")  # the package's version


def test_all_of_it_stays_small():
    files = [*BUNDLED.glob("*.mmdb"), *BUNDLED.glob("*.npz"), *BUNDLED.glob("**/*.csv")]
    assert sum(path.stat().st_size for path in files) < 18e6
    assert (BUNDLED / "outlines.npz").stat().st_size < 300e3


def test_the_readme_lists_every_file_and_its_licence():
    folder = Path(wiretally.data.__file__).parent
    present = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in {".mmdb", ".npz", ".csv"} and "samples" not in path.parts
    }
    listed = set(re.findall(r"^\| `([^`]+\.(?:mmdb|npz|csv))`", README, re.MULTILINE))
    assert present == listed
    for path in (folder / "LICENSES").iterdir():
        assert f"(LICENSES/{path.name})" in README


@pytest.mark.parametrize("each", LISTS, ids=lambda each: each.word)
class TestCatalogue:
    def test_schema(self, each):
        categories = set(re.findall(r"^\| `(\w+)` \|", README.partition("## The catalogue")[2], re.MULTILINE)) | {""}
        for row in rows(each.path):
            assert tuple(row) == COLUMNS
            assert row["match"] in {"exact", "suffix"}
            assert re.fullmatch(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z0-9-]{2,}", row["domain"]), row
            assert row["category"] in categories
            assert re.fullmatch(r"[A-Z]{2}|", row["country"])
            assert row["owner"] == row["owner"].strip() != ""
            assert row["source"]
            assert row["licence"]
            assert date(2026, 1, 1) <= date.fromisoformat(row["date"])

    def test_no_domain_twice(self, each):
        counted = Counter((row["domain"], row["match"]) for row in rows(each.path))
        assert [key for key, times in counted.items() if times > 1] == []

    def test_order(self, each):
        def key(row):
            domain = row["domain"].split(".")[::-1] if each.word == "catalogue" else row["domain"]
            return row["owner"].lower(), ".".join(domain) if isinstance(domain, list) else domain

        assert rows(each.path) == sorted(rows(each.path), key=key)


def test_the_lists_do_not_contradict_one_another_about_an_owner():
    ours, theirs = ({(row["domain"], row["match"]): row["owner"] for row in rows(each.path)} for each in LISTS)
    assert {key: (ours[key], theirs[key]) for key in ours.keys() & theirs if ours[key] != theirs[key]} == {}


def test_an_owner_inside_another_owners_domain_is_meant():
    held = rows(LISTS[0].path)
    suffixes = {row["domain"]: row["owner"] for row in held if row["match"] == "suffix"}
    found = {}
    for row in held:
        _, dot, tail = row["domain"].partition(".")
        while dot:
            if suffixes.get(tail, row["owner"]) != row["owner"]:
                found[row["domain"]] = suffixes[tail]
            _, dot, tail = tail.partition(".")
    assert found == {}


def test_it_has_the_vendors_that_the_project_is_about():
    held = rows(LISTS[0].path)
    sourced = [row for row in held if not row["source"].startswith("registrable domain of ")]
    assert len(sourced) >= 450
    owners = Counter(row["owner"].split()[0] for row in sourced)
    assert all(
        owners[name] >= 10 for name in ("Xiaomi", "Huawei", "Google", "Microsoft", "Samsung", "Apple", "Mozilla")
    )
