"""The lab's internet is consistent with itself and with names that may be used."""

import ipaddress

from wiretally.lab.hosts import HOSTS, MISTAT, SENSORS, SENSORS_ALTERNATIVE
from wiretally.lab.network import AP_IP, PHONES
from wiretally.lab.plan import ARMS
from wiretally.lab.sites import SITES


def test_names_are_unique_and_addresses_public():
    assert len({host.name for host in HOSTS}) == len(HOSTS)
    assert all(ipaddress.ip_address(host.address).is_global for host in HOSTS)
    for phone in PHONES:
        assert ipaddress.ip_address(phone.address) in ipaddress.ip_network(f"{AP_IP}/24", strict=False)


def test_one_address_has_one_distance():
    assert len({(host.address, host.rtt_ms) for host in HOSTS}) == len({host.address for host in HOSTS})


def test_content_is_invented():
    for host in HOSTS:
        if host.role == "content":
            assert host.name.endswith(".example")
    names = {host.name for host in HOSTS}
    assert set(SITES) <= names
    assert {site.pictures_host for site in SITES.values()} - {""} <= names
    assert {site.analytics for site in SITES.values()} - {""} <= names


def test_singapore_is_as_far_as_light_in_fibre_says():
    for host in HOSTS:
        if host.name in {SENSORS, SENSORS_ALTERNATIVE, MISTAT}:
            assert host.rtt_ms * 100 >= 10_000  # km, at 1 ms of round trip per 100 km


def test_the_arms_send_to_hosts_that_exist():
    names = {host.name for host in HOSTS}
    assert {arm.normal for arm in ARMS.values()} | {arm.incognito for arm in ARMS.values()} - {None} <= names
