import shutil
import stat
from datetime import UTC, date, datetime

import pytest
from naive import mmdb
from wiretally.core.errors import DatabaseError, EnvironmentFault, InputError
from wiretally.geo import updates
from wiretally.geo.databases import BUNDLED, open_database

TODAY = date(2026, 11, 27)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    for kind in ("COUNTRY", "ASN", "SECOND"):
        monkeypatch.delenv(f"WIRETALLY_{kind}_DB", raising=False)
    monkeypatch.setenv("WIRETALLY_DATA_DIR", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def theirs(tmp_path):
    """A file of the user's that is as good as the bundled one."""
    path = tmp_path / "GeoLite2-Country.mmdb"
    shutil.copy(BUNDLED / "country.mmdb", path)
    return path


def known_but(tmp_path, wrong):
    """A file that has `wrong` of the known addresses elsewhere; built in 2023."""
    records = {
        f"{address}/32": {"country": {"iso_code": "ZZ" if number < wrong else code}}
        for number, (address, code) in enumerate(updates.KNOWN["country"].items())
    }
    return mmdb.write(tmp_path / f"wrong-{wrong}.mmdb", records)


def test_the_bundled_files_know_what_every_database_knows():
    for kind in ("country", "asn", "second"):
        found = updates.check(BUNDLED / f"{kind}.mmdb", kind)
        assert found.right == found.asked


def test_what_a_file_is_for_is_told_from_what_it_holds(tmp_path):
    assert updates.kind_of(BUNDLED / "country.mmdb") == "country"
    assert updates.kind_of(BUNDLED / "asn.mmdb") == "asn"
    with pytest.raises(DatabaseError):
        updates.kind_of(mmdb.write(tmp_path / "x.mmdb", {"8.8.8.0/24": {"colour": "red"}}))


def test_a_file_takes_its_place_and_is_private(theirs, folder):
    found = updates.install(theirs, "country")
    assert open_database("country").path == folder / "country.mmdb"
    assert found.database.path == folder / "country.mmdb"
    assert stat.S_IMODE((folder / "country.mmdb").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["country.mmdb"]


def test_the_old_one_is_kept_and_comes_back(theirs, folder, tmp_path):
    updates.install(known_but(tmp_path, 0), "country", older=True)
    first = (folder / "country.mmdb").read_bytes()
    updates.install(theirs, "country")
    assert (folder / "country.mmdb.old").read_bytes() == first
    updates.restore("country")
    assert (folder / "country.mmdb").read_bytes() == first
    assert updates.restore("country").path == BUNDLED / "country.mmdb"
    with pytest.raises(InputError, match="nothing to go back"):
        updates.restore("country")


def test_an_older_file_only_on_request(folder, tmp_path):
    old = known_but(tmp_path, 0)
    with pytest.raises(DatabaseError, match="before the one in use"):
        updates.install(old, "country")
    assert list(folder.iterdir()) == []
    updates.install(old, "country", older=True)


@pytest.mark.parametrize("wrong", [3, 4])
def test_a_database_that_knows_too_little(folder, tmp_path, wrong):
    path = known_but(tmp_path, wrong)
    if wrong == 3:
        assert updates.install(path, "country", older=True).right == 7
        return
    with pytest.raises(DatabaseError, match="knows 6 of 10") as caught:
        updates.install(path, "country", older=True)
    assert str(path) in str(caught.value)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"<html>", b"\xab\xcd\xefMaxMind.com"])
def test_what_is_no_database_changes_nothing(theirs, folder, tmp_path, content):
    updates.install(theirs, "country")
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DatabaseError, match="/x: "):
        updates.install(tmp_path / "x", "country")
    assert open_database("country").path == folder / "country.mmdb"
    assert [path.name for path in folder.iterdir()] == ["country.mmdb"]


def test_a_missing_file_and_a_place_that_cannot_be_written(tmp_path, theirs, monkeypatch):
    with pytest.raises(EnvironmentFault, match="cannot be put into"):
        updates.install(tmp_path / "absent", "country")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("WIRETALLY_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(EnvironmentFault, match="cannot be put into"):
        updates.install(theirs, "country")


class TestGeoipupdate:
    def configuration(self, tmp_path, text):
        path = tmp_path / "GeoIP.conf"
        path.write_text(text)
        return path

    def test_its_files(self, tmp_path, theirs):
        text = f"# mine\nAccountID 1\nEditionIDs GeoLite2-Country GeoLite2-City  # both\nDatabaseDirectory {tmp_path}\n"
        assert updates.by_geoipupdate(self.configuration(tmp_path, text)) == [theirs]

    @pytest.mark.parametrize(
        ("text", "why"),
        [("", "names no EditionIDs"), ("EditionIDs GeoLite2-Country\nDatabaseDirectory /nowhere\n", "run geoipupdate first")],
    )
    def test_without_files(self, tmp_path, text, why):
        with pytest.raises(InputError, match=why):
            updates.by_geoipupdate(self.configuration(tmp_path, text))

    def test_without_a_configuration(self, tmp_path):
        with pytest.raises(InputError, match="configuration of geoipupdate"):
            updates.by_geoipupdate(tmp_path / "absent")


class TestStatus:
    def test_every_file_with_date_age_and_origin(self, theirs):
        updates.install(theirs, "country")
        rows = {row["kind"]: row for row in updates.status(TODAY)}
        assert (rows["country"]["origin"], rows["asn"]["origin"]) == ("yours", "bundled")
        assert rows["country"]["age_days"] == 179
        assert not rows["country"]["old"]

    def test_the_environments(self, theirs, monkeypatch):
        monkeypatch.setenv("WIRETALLY_COUNTRY_DB", str(theirs))
        assert updates.status(TODAY)[0]["origin"] == "environment"

    @pytest.mark.parametrize(
        ("day", "lines"), [(datetime(2026, 12, 1, tzinfo=UTC), 0), (datetime(2026, 12, 2, tzinfo=UTC), 1),
                           (datetime(2027, 6, 1, tzinfo=UTC), 3)],
    )  # fmt: skip
    def test_a_database_older_than_six_months_is_said(self, day, lines):
        told = updates.warnings([open_database(kind) for kind in ("country", "asn", "second")], day)
        assert len(told) == lines
        assert all("more than six months before the capture" in line for line in told)
