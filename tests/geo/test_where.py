import socket

import pytest
from wiretally.geo.attributor import Attributor
from wiretally.geo.where import COLUMNS, where


@pytest.fixture(scope="module")
def attributor():
    return Attributor.open()


def test_an_address(attributor):
    (row,) = where(["161.117.71.74"], attributor)
    network = f"Route Views, NRO and DB-IP ASN Lite of {attributor.asn.built}"
    assert row == {
        "target": "161.117.71.74", "country": "SG", "country_source": f"DB-IP Country Lite of {attributor.country.built}",
        "asn": 45102, "as_org": "Alibaba (US) Technology Co., Ltd.", "network_source": network,
        "owner": "Alibaba (US) Technology Co., Ltd.", "product": None, "category": None, "attribution_source": "as",
        "evidence": network,
    }  # fmt: skip


def test_a_name(attributor):
    (row,) = where(["data.mistat.xiaomi.com"], attributor)
    assert (row["owner"], row["category"], row["attribution_source"]) == (
        "Xiaomi Corporation",
        "telemetry",
        "catalogue",
    )
    assert "nextdns" in row["evidence"]
    assert [row[name] for name in ("country", "country_source", "asn", "as_org", "network_source")] == [None] * 5


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
