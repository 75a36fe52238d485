"""`wiretally data`: a user's own databases."""

import json
import shutil

import pytest
from typer.testing import CliRunner
from wiretally.cli.main import app
from wiretally.geo.databases import BUNDLED


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    monkeypatch.setenv("WIRETALLY_DATA_DIR", str(tmp_path / "own"))
    shutil.copy(BUNDLED / "country.mmdb", tmp_path / "GeoLite2-Country.mmdb")
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, ["data", *map(str, words)])


def test_update_status_and_undo(own):
    done = run("update", own / "GeoLite2-Country.mmdb")
    assert done.exit_code == 0, done.output
    assert "country: DB-IP Country Lite of 2026-06-01" in done.output
    rows = [json.loads(line) for line in run("status", "--format", "jsonl", "-q").stdout.splitlines()]
    assert {row["kind"]: row["origin"] for row in rows}["country"] == "yours"
    assert run("update", "--undo", "--as", "country").exit_code == 0
    rows = [json.loads(line) for line in run("status", "--format", "jsonl", "-q").stdout.splitlines()]
    assert {row["kind"]: row["origin"] for row in rows}["country"] == "bundled"


def test_as_a_second_opinion_and_by_geoipupdate(own):
    assert "second: " in run("update", own / "GeoLite2-Country.mmdb", "--as", "second", "--older").output
    (own / "GeoIP.conf").write_text(f"EditionIDs GeoLite2-Country\nDatabaseDirectory {own}\n")
    assert "country: " in run("update", "--geoip-conf", own / "GeoIP.conf").output
    row = json.loads(run("update", own / "GeoLite2-Country.mmdb", "--older", "--format", "jsonl").output)
    assert (row["kind"], row["origin"]) == ("country", "yours")


@pytest.mark.parametrize("words", [["update"], ["update", "--undo"]])
def test_usage(words):
    assert run(*words).exit_code == 2


def test_the_table_is_a_glance():
    shown = run("status")
    assert shown.exit_code == 0
    assert "bundled" in shown.stdout
    assert "sha256" not in shown.stdout
