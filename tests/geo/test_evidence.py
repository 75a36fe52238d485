import polars as pl
import pytest
from wiretally.geo.evidence import STATUSES, checked, status
from wiretally.geo.roundtrips import MARGIN_KM

CASES = [  # remote_ip, country, country_second, shared, geo_check, status
    ("192.0.2.1", "SG", "SG", None, "plausible", "agree"),
    ("192.0.2.1", "SG", "SG", None, "unknown", "agree"),
    ("192.0.2.1", "SG", "US", None, "plausible", "disputed"),
    ("192.0.2.1", "SG", None, None, "plausible", "disputed"),
    ("192.0.2.1", "SG", "SG", "Fastly", "plausible", "shared"),
    ("192.0.2.1", None, None, "Fastly", "unknown", "shared"),
    ("192.0.2.1", "SG", "SG", "Fastly", "impossible", "refuted"),
    ("192.0.2.1", "SG", "SG", None, "impossible", "refuted"),
    ("2001:db8::1", "SG", "SG", None, "plausible", "v6_low"),
    ("2001:db8::1", "SG", "SG", "Fastly", "plausible", "shared"),
    ("2001:db8::1", "SG", "SG", None, "impossible", "refuted"),
    ("2001:db8::1", None, "SG", None, "unknown", None),
    ("192.0.2.1", None, None, None, "unknown", None),
]


def judged(case, *, weak_ipv6=True):
    names = ("remote_ip", "country", "country_second", "shared", "geo_check")
    frame = pl.DataFrame([case[:5]], schema=dict.fromkeys(names, pl.String), orient="row")
    return frame.select(status(weak_ipv6=weak_ipv6)).item()


@pytest.mark.parametrize("case", CASES)
def test_the_first_that_holds(case):
    assert judged(case) == case[5]
    assert case[5] is None or case[5] in STATUSES


def test_a_users_own_database_knows_ipv6():
    assert judged(CASES[8], weak_ipv6=False) == "agree"


@pytest.mark.parametrize(
    ("most", "away", "word"),
    [
        (None, 0.0, "unknown"), (100.0, None, "unknown"), (100.0, 100.0 + MARGIN_KM, "plausible"),
        (100.0, 100.1 + MARGIN_KM, "impossible"), (0.0, 0.0, "plausible"),
    ],
)  # fmt: skip
def test_a_country_against_a_distance(most, away, word):
    frame = pl.DataFrame({"max_distance_km": [most], "away_km": [away]}, schema=dict.fromkeys(("max_distance_km", "away_km"), pl.Float64))
    assert frame.select(checked()).item() == word
