import csv
import random

import polars as pl
import pytest
from crafting.packets import ACK, MS, RST, START, SYN, dissect, tcp, udp
from crafting.quic import DCID, SCID, crypto, hello_message, initial
from wiretally.core.errors import DatabaseError, InputError
from wiretally.core.schema import ATTRIBUTION, DNS, FLOWS, polars_schema
from wiretally.geo import attributor as module
from wiretally.geo import roundtrips
from wiretally.geo.attributor import Attributor, GeoConfig
from wiretally.geo.catalogue import LISTS
from wiretally.geo.databases import KINDS
from wiretally.geo.outlines import Outlines
from wiretally.geo.roundtrips import KM_PER_RTT_MS, MARGIN_KM

BERLIN = (52.52, 13.405)
SINGAPORE, GOOGLE, PRIVATE = "161.117.71.74", "8.8.8.8", "192.168.1.1"
COLUMNS = [column.name for column in ATTRIBUTION]


@pytest.fixture
def plain():
    return Attributor.open()


@pytest.fixture
def berlin():
    return Attributor.open(GeoConfig(place=BERLIN))


def flows(*rows):
    """(remote_ip, name, rtt_remote_ms) each."""
    given_rows = [
        {"flow_id": str(number), "remote_ip": address, "name": name, "rtt_remote_ms": rtt}
        for number, (address, name, rtt) in enumerate(rows)
    ]
    return pl.DataFrame(given_rows, schema=polars_schema(FLOWS)).drop(COLUMNS)


def one(attributor, address, name=None, rtt=None):
    return attributor.join(flows((address, name, rtt))).row(0, named=True)


class TestWords:
    def test_place_and_network_come_from_the_address_and_the_owner_from_the_name(self, plain):
        row = one(plain, SINGAPORE, "sa.api.intl.miui.com", 12.5)
        assert {name: row[name] for name in COLUMNS} == {
            "country": "SG", "asn": 45102, "as_org": "Alibaba (US) Technology Co., Ltd.",
            "owner": "Xiaomi Corporation", "product": row["product"], "category": "telemetry",
            "attribution_source": "catalogue", "geo_check": "unknown", "max_distance_km": 1250.0,
            "prefix_max_distance_km": 1250.0, "geo_status": "agree", "country_second": "SG", "registered_country": "SG",
            "shared": None, "parent": "Xiaomi Corporation", "cname": None,
        }  # fmt: skip
        assert row["product"]

    def test_behind_nat64_the_address_inside_has_the_place(self, plain):
        address = "2001:db8:122::a175:474a"
        table = flows((address, None, 12.5), (address, None, None)).with_columns(remote_ipv4=pl.Series([SINGAPORE, None]))
        inside, unknown = plain.join(table).rows(named=True)
        assert (inside["remote_ip"], inside["country"], inside["asn"], inside["geo_status"]) == (address, "SG", 45102, "agree")
        assert (unknown["remote_ip"], unknown["country"], unknown["max_distance_km"]) == (address, None, None)

    def test_without_a_name_the_network_stands_for_the_owner(self, plain):
        row = one(plain, GOOGLE)
        assert (row["owner"], row["category"], row["attribution_source"]) == ("Google LLC", None, "as")

    @pytest.mark.parametrize("name", ["8.8.8.8", "com", ""])
    def test_nor_with_a_name_that_is_none(self, plain, name):
        assert one(plain, GOOGLE, name)["attribution_source"] == "as"

    def test_a_name_that_nobody_knows_stands_for_itself(self, plain):
        row = one(plain, GOOGLE, "www.nobody-knows.example.org")
        assert (row["owner"], row["category"], row["attribution_source"]) == ("example.org", None, "domain")

    def test_private_ends_have_no_place_but_may_have_a_name(self, plain):
        row = one(plain, PRIVATE, "printer.local", 0.3)
        assert [row[name] for name in ("country", "asn", "as_org", "category")] == [None] * 4
        assert row["geo_check"] == "unknown"
        row = one(plain, PRIVATE)
        assert [row[name] for name in ("owner", "attribution_source")] == [None, None]

    def test_no_address_at_all(self, plain):
        row = one(plain, None)
        assert {name: row[name] for name in COLUMNS if row[name] is not None} == {"geo_check": "unknown"}


class TestShape:
    def test_the_columns_are_the_schemas_in_its_order(self, plain):
        joined = plain.join(flows((GOOGLE, None, 1.0)))
        schema = polars_schema(FLOWS)
        assert joined.columns == list(schema)
        assert {name: joined.schema[name] for name in COLUMNS} == {name: schema[name] for name in COLUMNS}

    def test_no_rows(self, plain):
        joined = plain.join(flows())
        assert joined.columns == FLOWS.names
        assert joined.height == 0

    def test_null_columns_of_the_schema_are_filled(self, plain):
        full = pl.DataFrame([{"remote_ip": GOOGLE}], schema=polars_schema(FLOWS))
        assert plain.join(full)["country"].to_list() == ["US"]

    def test_rows_stay_in_order_and_none_is_lost_or_doubled(self, plain):
        rng = random.Random(3)
        picked = [
            (
                rng.choice([GOOGLE, SINGAPORE, PRIVATE, None, "2a00:1450::1"]),
                rng.choice(["a.mi.com", "x.org", None]),
                None,
            )
            for _ in range(500)
        ]
        joined = plain.join(flows(*picked))
        assert joined["flow_id"].to_list() == [str(number) for number in range(500)]
        assert joined["remote_ip"].to_list() == [address for address, _, _ in picked]

    def test_addresses_and_names_keep_order_and_repeats(self, plain):
        texts = [GOOGLE, "word", PRIVATE, GOOGLE]
        assert plain.addresses(texts).to_dict(as_series=False) == {
            "address": texts, "country": ["US", None, None, "US"], "asn": [15169, None, None, 15169],
            "as_org": ["Google LLC", None, None, "Google LLC"], "country_second": ["US", None, None, "US"],
            "registered_country": ["US", None, None, "US"], "shared": ["Google", None, None, "Google"],
        }  # fmt: skip
        found = plain.names(["x.mi.com", "8.8.8.8", "x.mi.com"])
        assert found["owner"].to_list() == ["Xiaomi Corporation", None, "Xiaomi Corporation"]
        assert plain.names([]).columns == ["name", "owner", "product", "category", "attribution_source", "parent"]
        assert plain.addresses([]).height == 0


class TestLightSpeed:
    KM = Outlines().distance_km(BERLIN, "SG")

    def test_a_country_too_far_for_the_round_trip_is_impossible(self, berlin):
        row = one(berlin, SINGAPORE, None, 15.0)
        assert (row["country"], row["geo_check"], row["max_distance_km"]) == ("SG", "impossible", 1500.0)

    def test_a_country_within_it_is_plausible(self, berlin):
        assert one(berlin, SINGAPORE, None, 160.0)["geo_check"] == "plausible"
        assert one(berlin, "2003::1", None, 0.1)["geo_check"] == "plausible"  # Germany

    def test_the_border_between_the_two(self, berlin):
        edge = (self.KM - MARGIN_KM) / KM_PER_RTT_MS
        assert one(berlin, SINGAPORE, None, edge + 0.01)["geo_check"] == "plausible"
        assert one(Attributor.open(GeoConfig(place=BERLIN)), SINGAPORE, None, edge - 0.01)["geo_check"] == "impossible"

    @pytest.mark.parametrize("rtt", [None, -0.5, 0.0, float("nan"), float("inf")])
    def test_without_a_usable_round_trip_nothing_is_known(self, berlin, rtt):
        row = one(berlin, SINGAPORE, None, rtt)
        assert (row["geo_check"], row["max_distance_km"]) == ("unknown", None)

    def test_the_smallest_of_an_address_counts_for_all_its_flows(self, berlin):
        joined = berlin.join(flows((SINGAPORE, None, 200.0), (SINGAPORE, None, 9.0), (SINGAPORE, None, None)))
        assert joined["max_distance_km"].to_list() == [900.0] * 3
        assert joined["geo_check"].to_list() == ["impossible"] * 3

    def test_and_for_frames_that_follow(self, berlin):
        assert one(berlin, SINGAPORE, None, 200.0)["geo_check"] == "plausible"
        assert one(berlin, SINGAPORE, None, 9.0)["geo_check"] == "impossible"
        assert one(berlin, SINGAPORE, None, 200.0)["max_distance_km"] == 900.0
        assert one(berlin, GOOGLE, None, 200.0)["max_distance_km"] == 20_000.0


def segments(*steps):
    """(ms, from the phone?, flags, seq, ack, data) of a connection to Singapore."""
    return [(START + ms * MS, tcp(data, up=up, flags=flags, seq=seq, ack=ack, server=SINGAPORE)) for ms, up, flags, seq, ack, data in steps]


def shaken(answer, done=None):
    """A handshake that is answered after some ms."""
    return [(0, True, SYN, 0, 0, b""), (answer, False, SYN | ACK, 0, 1, b""), (done or answer + 1, True, ACK, 1, 1, b"")]


def asked(sent, answered, seq=1):
    """A byte, and what acknowledges it."""
    return [(sent, True, ACK, seq, 1, b"x"), (answered, False, ACK, 1, seq + 1, b"")]


def quic(*times):
    """Initials of the phone at some ms, the last time is that of the answer."""
    first, answer = initial(crypto(hello_message())), initial(b"\x02" + bytes(4), dcid=SCID, scid=b"", keys_of=DCID, side="server")
    return [(START + ms * MS, udp(first if ms != times[-1] else answer, up=ms != times[-1], remote_port=443, server=SINGAPORE)) for ms in times]


class TestPackets:
    """From Berlin light needs 97 ms to Singapore and back, margins taken off."""

    @pytest.mark.parametrize(("packets", "km", "check"), [
        (segments(*shaken(170)), 17_000.0, "plausible"),
        (segments(*shaken(9)), 900.0, "impossible"),
        (segments(*shaken(170), *asked(200, 209)), 900.0, "impossible"),
        (segments(*asked(0, 9)), 900.0, "impossible"),  # the handshake was not captured
        (segments((0, True, SYN, 0, 0, b""), *((1000 + ms, *rest) for ms, *rest in shaken(5))), None, "unknown"),
        (segments((0, True, SYN, 0, 0, b""), *((1000 + ms, *rest) for ms, *rest in shaken(5)), *asked(1200, 1370)), 17_000.0, "plausible"),
        (segments(*shaken(170), (200, True, ACK, 1, 1, b"x"), *asked(1200, 1209)), 17_000.0, "plausible"),  # sent again
        (segments((0, True, SYN, 0, 0, b""), (1, False, RST | ACK, 0, 1, b"")), None, "unknown"),  # anybody may send a reset
        (quic(0, 170), 17_000.0, "plausible"),
        (quic(0, 165, 170), 17_000.0, "plausible"),
        (quic(0, 9), 900.0, "impossible"),
    ])  # fmt: skip
    def test_what_they_allow(self, berlin, packets, km, check):
        (row,) = berlin.join(dissect(packets).tables["flows"]).to_dicts()
        assert (row["country"], row["max_distance_km"], row["geo_check"]) == ("SG", km, check)
        assert row["geo_status"] == ("refuted" if check == "impossible" else "agree")


class TestOncePerRun:
    def count(self, monkeypatch, attributor):
        asked = []
        for database in (attributor.country, attributor.asn, attributor.second):
            whole = database.look_up
            monkeypatch.setattr(
                database, "look_up", lambda texts, *rest, whole=whole: asked.extend(texts) or whole(texts, *rest)
            )
        look_up = attributor._named.look_up
        monkeypatch.setattr(attributor._named, "look_up", lambda names: asked.extend(names) or look_up(names))
        return asked

    def test_each_address_and_name(self, monkeypatch, plain):
        asked = self.count(monkeypatch, plain)
        for _ in range(3):
            plain.join(flows(*[(GOOGLE, "a.example.org", None), (SINGAPORE, "b.example.org", None)] * 5))
        assert sorted(asked) == sorted([GOOGLE, SINGAPORE] * 3 + ["a.example.org", "b.example.org"])

    def test_memory_is_bounded_and_what_was_forgotten_is_looked_up_again(self, monkeypatch, berlin):
        monkeypatch.setattr(module, "MOST_KNOWN", 10)
        monkeypatch.setattr(roundtrips, "MOST_KNOWN", 10)
        first = one(berlin, SINGAPORE, "sa.api.intl.miui.com", 9.0)
        for block in range(5):
            rows = [(f"8.8.{block}.{number}", f"h{block}-{number}.example.org", 5.0) for number in range(8)]
            joined = berlin.join(flows(*rows))
            assert joined["country"].null_count() == 0
            assert berlin._placed.frame.height <= 10
            assert berlin._named.frame.height <= 10
            assert berlin._trips._least["remote_ip"].height <= 10
        again = one(berlin, SINGAPORE, "sa.api.intl.miui.com", 9.0)
        assert again == first

    def test_one_frame_larger_than_the_bound(self, monkeypatch, plain):
        monkeypatch.setattr(module, "MOST_KNOWN", 10)
        rows = [(f"8.8.8.{number}", f"h{number}.example.org", 5.0) for number in range(30)]
        joined = plain.join(flows(*rows, *rows))
        assert joined["country"].to_list() == ["US"] * 60
        assert joined["owner"].to_list() == ["example.org"] * 60
        assert joined["max_distance_km"].to_list() == [500.0] * 60


def test_what_it_rests_on_is_listed(plain):
    assert [each["kind"] for each in plain.databases] == [
        "country", "asn", "second", "shared", "shared", "catalogue", "catalogue"
    ]  # fmt: skip
    for each in plain.databases:
        assert set(each) == {"name", "kind", "path", "type", "build_date", "licence", "attribution", "sha256"}
        assert all(each.values())


def test_files_of_the_users_are_named_when_they_are_missing(tmp_path):
    for config in (GeoConfig(**{f"{kind}_db": str(tmp_path / "x")}) for kind in KINDS):
        with pytest.raises(DatabaseError, match="no such file"):
            Attributor.open(config)


@pytest.mark.parametrize("place", [(91, 0), (0, 181), (-90.1, 0), (float("nan"), 0)])
def test_a_place_that_is_not_on_the_globe(place):
    with pytest.raises(InputError, match="not on the globe"):
        Attributor.open(GeoConfig(place=place))


class TestAliases:
    def dns(self, *records):
        answers = [{"name": name, "type": "CNAME", "data": data, "ttl": 9} for name, data in records]
        return pl.DataFrame([{"answers": answers}], schema=polars_schema(DNS))

    def test_a_name_that_hides_somebody_is_theirs_and_says_so(self, plain):
        plain.learn(self.dns(("metrics.shop.example", "a.edge.example"), ("a.edge.example", "data.mistat.xiaomi.com")))
        row = one(plain, GOOGLE, "metrics.shop.example")
        assert (row["owner"], row["category"], row["attribution_source"], row["cname"]) == (
            "Xiaomi Corporation", "telemetry", "cname", "data.mistat.xiaomi.com",
        )  # fmt: skip
        assert row["parent"] == "Xiaomi Corporation"

    def test_a_name_that_is_known_itself_keeps_its_owner(self, plain):
        plain.learn(self.dns(("www.mi.com", "stats.g.doubleclick.net")))
        row = one(plain, GOOGLE, "www.mi.com")
        assert (row["owner"], row["attribution_source"], row["cname"]) == ("Xiaomi Corporation", "catalogue", None)

    def test_nor_does_an_alias_that_nobody_knows(self, plain):
        plain.learn(self.dns(("a.shop.example", "b.nobody.example")))
        row = one(plain, GOOGLE, "a.shop.example")
        assert (row["owner"], row["attribution_source"], row["cname"]) == ("shop.example", "domain", None)

    def test_an_alias_that_is_told_later_counts_from_then_on(self, plain):
        assert one(plain, GOOGLE, "late.shop.example")["attribution_source"] == "domain"
        plain.learn(self.dns(("late.shop.example", "data.mistat.xiaomi.com")))
        assert one(plain, GOOGLE, "late.shop.example")["attribution_source"] == "cname"

    def test_every_vendor_host_has_its_owner_behind_an_alias(self, plain):
        with LISTS[0].path.open(newline="", encoding="utf-8") as file:
            held = list(csv.DictReader(file))
        plain.learn(self.dns(*((f"h{number}.shop{number}.example", row["domain"]) for number, row in enumerate(held))))
        joined = plain.join(flows(*((None, f"h{number}.shop{number}.example", None) for number in range(len(held)))))
        assert joined["owner"].to_list() == [row["owner"] for row in held]
        assert joined["attribution_source"].unique().to_list() == ["cname"]


def test_parents_stand_above_owners(plain):
    row = one(plain, GOOGLE, "app.adjust.com")
    assert (row["owner"], row["parent"]) == ("Adjust (AppLovin)", "AppLovin")
    assert one(plain, GOOGLE)["parent"] == "Google"


def test_the_users_own_lists_have_the_first_word(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("||www.google.com^\n")
    row = one(Attributor.open(GeoConfig(catalogue=[f"telemetry={path}"])), GOOGLE, "www.google.com")
    assert (row["owner"], row["category"], row["attribution_source"]) == ("Google", "telemetry", "list:mine.txt")
