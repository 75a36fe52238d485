import socket

import pytest
from wiretally.core.errors import InputError
from wiretally.geo.attributor import Attributor, GeoConfig
from wiretally.geo.where import COLUMNS, where


@pytest.fixture(scope="module")
def attributor():
    return Attributor.open()


def test_an_address(attributor):
    (row,) = where(["161.117.71.74"], attributor)
    network = f"Route Views, NRO and DB-IP ASN Lite of {attributor.asn.built}"
    second = f"Geofeeds, WHOIS and RIR delegations of {attributor.second.built}"
    assert row == dict.fromkeys(COLUMNS) | {
        "target": "161.117.71.74", "country": "SG", "country_source": f"DB-IP Country Lite of {attributor.country.built}",
        "geo_status": "agree", "country_second": "SG", "second_source": second, "registered_country": "SG",
        "registered_source": second, "asn": 45102, "as_org": "Alibaba (US) Technology Co., Ltd.", "network_source": network,
        "owner": "Alibaba (US) Technology Co., Ltd.", "parent": "Alibaba (US) Technology Co., Ltd.",
        "attribution_source": "as", "evidence": network,
    }  # fmt: skip


def test_an_address_that_many_places_answer_for(attributor):
    (row,) = where(["1.1.1.1"], attributor)
    assert (row["shared"], row["geo_status"], row["owner"]) == ("Cloudflare", "shared", "Cloudflare, Inc.")
    assert "Shared networks of 20" in row["shared_source"]


class TestRoundTrips:
    BERLIN = (52.52, 13.405)

    def test_a_round_trip_refutes_and_names_what_is_left(self):
        near = Attributor.open(GeoConfig(place=self.BERLIN))
        (row,) = where(["161.117.71.74"], near, 1.0)
        assert (row["geo_check"], row["geo_status"], row["max_distance_km"]) == ("impossible", "refuted", 100.0)
        assert row["possible_countries"][0] == "DE"
        assert {"PL", "CZ"} <= set(row["possible_countries"])
        assert not {"SG", "GB", "IT"} & set(row["possible_countries"])

    def test_a_long_one_leaves_too_many_to_list(self):
        far = Attributor.open(GeoConfig(place=self.BERLIN))
        (row,) = where(["161.117.71.74"], far, 200.0)
        assert (row["geo_check"], row["geo_status"], row["possible_countries"]) == ("plausible", "agree", None)

    def test_without_a_place_it_says_nothing(self, attributor):
        with pytest.raises(InputError, match="--place"):
            where(["161.117.71.74"], attributor, 1.0)


def test_a_name(attributor):
    (row,) = where(["data.mistat.xiaomi.com"], attributor)
    assert (row["owner"], row["category"], row["attribution_source"]) == (
        "Xiaomi Corporation",
        "telemetry",
        "catalogue",
    )
    assert "nextdns" in row["evidence"]
    assert [row[name] for name in ("country", "country_source", "asn", "as_org", "network_source", "geo_check")] == [None] * 6


def test_every_target_has_a_row_in_its_place(attributor):
    targets = ["8.8.8.8", "x.mi.com", "", "10.0.0.1", "\x1b[0m", "8.8.8.8", "2A00:1450::1", "com", "é.example"]
    rows = where(targets, attributor)
    assert [row["target"] for row in rows] == targets
    assert all(tuple(row) == COLUMNS for row in rows)
    assert rows[0] == rows[5]
    assert rows[6]["asn"] == 15169
    for row in (rows[2], rows[3], rows[7]):
        assert [value for name, value in row.items() if name != "target" and value is not None] == []


def test_nothing_is_asked_of_the_network(attributor, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a look-up left the machine")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyaddr", "create_connection", "socket"):
        monkeypatch.setattr(socket, name, refuse)
    assert where(["www.example.org", "8.8.8.8"], attributor)[0]["owner"] == "example.org"


def test_no_targets(attributor):
    assert where([], attributor) == []
