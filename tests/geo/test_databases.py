import hashlib

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive import mmdb
from wiretally.core.errors import DatabaseError
from wiretally.geo.addresses import pack, placeable
from wiretally.geo.databases import (
    BUNDLED,
    Database,
    Network,
    Opinion,
    country_of,
    data_folder,
    network_of,
    open_database,
    opinion_of,
)

NESTED = {"8.8.8.0/24": {"country": {"iso_code": "US"}}, "2a00::/16": {"country": {"iso_code": "DE"}}}
GOOGLE = {"autonomous_system_number": 15169, "autonomous_system_organization": "Google LLC"}
SCHEMAS = {  # records of files that people have, and what they say
    "GeoLite2-Country": ("country", {"country": {"iso_code": "US", "names": {"en": "x"}}, "continent": {}}, "US"),
    "DBIP-Country-Lite (compat=GeoLite2-Country)": ("country", {"country": {"iso_code": "US"}}, "US"),
    "GeoLite2-City": ("country", {"country": {"iso_code": "US"}, "city": {"names": {"en": "x"}}}, "US"),
    "my own": ("country", {"country": {"iso_code": "US"}}, "US"),
    "country ipvAll": ("country", {"country_code": "US"}, "US"),
    "ipinfo country.mmdb": ("country", {"country": "US", "country_name": "United States"}, "US"),
    "ipinfo lite.mmdb": ("country", {"country": "United States", "country_code": "US", "asn": "AS15169"}, "US"),
    "GeoLite2-ASN": ("asn", GOOGLE, Network(15169, "Google LLC")),
    "asn ipvAll": ("asn", GOOGLE, Network(15169, "Google LLC")),
    "ipinfo bundle_lite.mmdb": ("asn", {"asn": "AS15169", "as_name": "Google LLC"}, Network(15169, "Google LLC")),
    "ipinfo asn.mmdb": ("asn", {"asn": "AS15169", "name": "Google LLC", "domain": "x"}, Network(15169, "Google LLC")),
    "GeoLite2-Country, both": ("second", {"country": {"iso_code": "US"}, "registered_country": {"iso_code": "CA"}},
                               Opinion("US", "CA")),
    "registered only": ("second", {"registered_country": {"iso_code": "CA"}}, Opinion(None, "CA")),
    "flat second": ("second", {"country_code": "US"}, Opinion("US", None)),
    "nameless": ("asn", {"autonomous_system_number": 15169}, Network(15169, None)),
}


def asked(database, addresses):
    series = pl.Series(addresses, dtype=pl.String)
    places, answers = database.look_up(series, [placeable(packed) for packed in pack(series)])
    return [answers[place] for place in places]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_schema_is_read(tmp_path, kind):
    asks, record, answer = SCHEMAS[kind]
    path = mmdb.write(tmp_path / "x.mmdb", {"8.8.8.0/24": record, "2a00::/16": record}, database_type=kind)
    database = Database(path, asks)
    assert asked(database, ["8.8.8.8", "9.9.9.9", "2a00::1", "10.0.0.1", "word"]) == [answer, None, answer, None, None]
    assert database.info["type"] == kind
    assert database.info["build_date"] == "2023-11-14"


def test_answers_are_shared_and_none_comes_first():
    database = Database(BUNDLED / "country.mmdb", "country")
    addresses = pl.Series([f"8.8.{number}.8" for number in range(256)] + ["10.0.0.1"])
    places, answers = database.look_up(addresses, [placeable(packed) for packed in pack(addresses)])
    assert answers[0] is None
    assert len(answers) < 20
    assert places[-1] == 0
    assert answers[places[8]] == "US"


def test_the_bulk_way_gives_what_geoip2_gives():
    from geoip2.database import Reader
    from geoip2.errors import AddressNotFoundError

    addresses = [f"{first}.{first * 7 % 256}.{first * 31 % 256}.9" for first in range(1, 224)]
    addresses += [f"2{first:03x}:{first:x}::1" for first in range(0, 0xFFF, 17)]
    with Reader(BUNDLED / "asn.mmdb") as reader:
        for address, found in zip(addresses, asked(Database(BUNDLED / "asn.mmdb", "asn"), addresses), strict=True):
            if any(len(placeable(packed).rows) for packed in pack([address])):
                try:
                    want = reader.asn(address)
                except AddressNotFoundError:
                    assert found is None
                else:
                    assert found == (want.autonomous_system_number, want.autonomous_system_organization)


@pytest.mark.parametrize("kind", ["country", "asn", "second"])
def test_files_in_the_ordinary_schema_are_read_by_geoip2(kind, monkeypatch):
    import geoip2.models

    model = geoip2.models.ASN if kind == "asn" else geoip2.models.Country
    made, begin = [], model.__init__
    monkeypatch.setattr(model, "__init__", lambda self, *words, **record: made.append(self) or begin(self, *words, **record))
    assert asked(Database(BUNDLED / f"{kind}.mmdb", kind), ["161.117.71.74"])[0]
    assert len(made) == 1


@pytest.mark.parametrize("record", [{"country": "DE"}, {"country": {"iso_code": "DE"}, "locales": 1}, {"country_code": "DE"}])
def test_a_record_of_another_shape_than_the_type_says_is_read_all_the_same(tmp_path, record):
    networks = {"8.8.8.0/24": {"country": {"iso_code": "US"}}, "9.9.9.0/24": record}
    path = mmdb.write(tmp_path / "x.mmdb", networks, database_type="GeoLite2-Country")
    assert asked(Database(path, "country"), ["8.8.8.8", "9.9.9.9", "7.7.7.7"]) == ["US", "DE", None]


RECORDS = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(), st.booleans()),
    lambda inner: st.dictionaries(
        st.sampled_from(["country", "iso_code", "country_code", "asn", "as_name", "name", "autonomous_system_number"]), inner
    ) | st.lists(inner, max_size=2),
    max_leaves=8,
)  # fmt: skip


@given(RECORDS)
def test_any_record_is_answered_or_not_but_never_raises(record):
    assert (code := country_of(record)) is None or len(code) == 2
    assert (found := network_of(record)) is None or 0 <= found.asn < 1 << 32
    assert (both := opinion_of(record)) is None or any(both)


class TestFaults:
    def one_line(self, path, kind="country"):
        with pytest.raises(DatabaseError) as caught:
            asked(Database(path, kind), ["8.8.8.8", "2a00::1"])
        text = str(caught.value)
        assert str(path) in text
        assert "\n" not in text
        assert text.isprintable()
        return text

    def test_missing(self, tmp_path):
        assert "no such file" in self.one_line(tmp_path / "absent.mmdb")

    @pytest.mark.parametrize("content", [b"", b"\0" * 100, b"\xff" * 4096, b"\x89PNG\r\n" * 500, b"<html>\n" * 9])
    def test_something_else(self, tmp_path, content):
        path = tmp_path / "x.mmdb"
        path.write_bytes(content)
        assert "not an MMDB file" in self.one_line(path)

    def test_a_folder(self, tmp_path):
        self.one_line(tmp_path)

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
    def test_cut_short(self, tmp_path, share):
        path, whole = tmp_path / "x.mmdb", (BUNDLED / "country.mmdb").read_bytes()
        path.write_bytes(whole[: int(len(whole) * share)])
        self.one_line(path)

    def test_a_tree_that_the_middle_was_lost_of(self, tmp_path):
        path, whole = tmp_path / "x.mmdb", (BUNDLED / "country.mmdb").read_bytes()
        path.write_bytes(whole[:1000] + whole[-2000:])
        self.one_line(path)

    def test_records_that_are_damaged(self, tmp_path):
        path = mmdb.write(tmp_path / "x.mmdb", NESTED, database_type="GeoLite2-Country")
        content = bytearray(path.read_bytes())
        at = content.rindex(b"iso_code", 0, content.rindex(b"MaxMind.com"))
        content[at - 1 : at + 8] = b"\xff" * 9
        path.write_bytes(content)
        self.one_line(path)

    @pytest.mark.parametrize("kind", ["GeoLite2-Country", "country ipvAll"])
    def test_a_record_beyond_those_that_are_sampled_is_damaged(self, tmp_path, kind):
        networks = {f"1.{number}.0.0/16": {"country": {"iso_code": f"{number:02x}"[:2]}} for number in range(0, 256, 2)}
        path = mmdb.write(
            tmp_path / "x.mmdb", networks | {"8.8.8.0/24": {"country": {"iso_code": "US"}}}, database_type=kind
        )
        content = bytearray(path.read_bytes())
        at = content.rindex(b"iso_code", 0, content.rindex(b"MaxMind.com"))
        content[at - 1 : at + 8] = b"\xff" * 9
        path.write_bytes(content)
        assert asked(Database(path, "country"), ["1.0.0.1"]) == ["00"]
        assert "damaged at 8.8.8.8" in self.one_line(path)

    def test_the_other_kind(self, tmp_path):
        assert "no asn: give GeoLite2-ASN" in self.one_line(BUNDLED / "country.mmdb", "asn")
        assert "no country: give" in self.one_line(BUNDLED / "asn.mmdb")

    def test_a_file_that_holds_nothing(self, tmp_path):
        self.one_line(mmdb.write(tmp_path / "x.mmdb", {}))

    def test_hostile_words_in_a_record(self, tmp_path):
        path = mmdb.write(tmp_path / "x.mmdb", {"8.8.8.0/24": {"a\x1b[31m\nb": "c\r\n"}})
        self.one_line(path)


class TestWhichFile:
    def test_bundled(self, monkeypatch):
        monkeypatch.delenv("WIRETALLY_COUNTRY_DB", raising=False)
        database = open_database("country")
        assert database.path == BUNDLED / "country.mmdb"
        assert database.info == {
            "name": "DB-IP Country Lite",
            "kind": "country",
            "path": str(BUNDLED / "country.mmdb"),
            "type": "wiretally-Country (compat=GeoLite2-Country)",
            "build_date": database.built,
            "licence": "CC BY 4.0",
            "attribution": "IP Geolocation by DB-IP (https://db-ip.com)",
            "sha256": hashlib.sha256((BUNDLED / "country.mmdb").read_bytes()).hexdigest(),
        }

    def test_the_environment_then_what_is_asked_for(self, tmp_path, monkeypatch):
        theirs = mmdb.write(tmp_path / "theirs.mmdb", NESTED, database_type="GeoLite2-Country")
        asked_for = mmdb.write(tmp_path / "asked.mmdb", NESTED, database_type="ipinfo x")
        monkeypatch.setenv("WIRETALLY_COUNTRY_DB", str(theirs))
        assert open_database("country").path == theirs
        assert "MaxMind" in open_database("country").info["attribution"]
        assert open_database("country", asked_for).path == asked_for
        assert "IPinfo" in open_database("country", asked_for).info["attribution"]

    def test_a_file_that_the_user_has_put_in_place(self, tmp_path, monkeypatch):
        monkeypatch.delenv("WIRETALLY_COUNTRY_DB", raising=False)
        monkeypatch.setenv("WIRETALLY_DATA_DIR", str(tmp_path))
        assert open_database("country").path == BUNDLED / "country.mmdb"
        mmdb.write(tmp_path / "country.mmdb", NESTED)
        assert open_database("country").path == tmp_path / "country.mmdb"
        assert not open_database("country").bundled

    def test_where_a_users_files_lie(self, monkeypatch):
        monkeypatch.setenv("HOME", "/home/somebody")
        for variable in ("WIRETALLY_DATA_DIR", "XDG_DATA_HOME"):
            monkeypatch.delenv(variable, raising=False)
        assert str(data_folder()) == "/home/somebody/.local/share/wiretally"
        monkeypatch.setenv("XDG_DATA_HOME", "relative")  # which the specification says to ignore
        assert str(data_folder()) == "/home/somebody/.local/share/wiretally"
        monkeypatch.setenv("XDG_DATA_HOME", "/data")
        assert str(data_folder()) == "/data/wiretally"
        monkeypatch.setenv("WIRETALLY_DATA_DIR", "~/own")
        assert str(data_folder()) == "/home/somebody/own"

    def test_a_home_folder_is_expanded(self, tmp_path, monkeypatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        mmdb.write(tmp_path / "x.mmdb", NESTED)
        database = open_database("country", "~/x.mmdb")
        assert database.path == tmp_path / "x.mmdb"
        assert database.name == "test"
        assert database.info["attribution"] == "made by a test"
