"""What people visit is content: the top sites keep the catalogue honest."""

import csv

import pytest
from wiretally.geo.catalogue import Catalogue
from wiretally.geo.databases import BUNDLED

NOT_CONTENT = {"telemetry", "telemetry_mixed", "crash"}


@pytest.fixture(scope="module")
def sites():
    with (BUNDLED / "sites.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_list_is_whole_and_dated(sites):
    assert [int(site["rank"]) for site in sites] == list(range(1, 501))
    assert len({site["domain"] for site in sites}) == 500
    assert {site["date"] for site in sites} != {""}


def test_no_site_counts_as_telemetry(sites):
    catalogue = Catalogue()
    names = [name for site in sites for name in (site["domain"], f"www.{site['domain']}", f"m.{site['domain']}")]
    assert {name: found for name in names if (found := catalogue.find(name).category) in NOT_CONTENT} == {}
