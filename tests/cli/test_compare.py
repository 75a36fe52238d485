"""The whole path on the bundled recordings: the verdict that is true, the bytes that the servers counted."""

import hashlib
import json
import statistics
from pathlib import Path

import pytest
import wiretally
from typer.testing import CliRunner
from wiretally.cli.main import app

SAMPLES = Path(wiretally.__file__).parent / "data" / "samples"
TELEMETRY, ALTERNATIVE = "sa.api.intl.miui.com", "tracking.intl.miui.com"
ARMS = ("leaky", "honest", "swap")


def inputs(arm):
    folder = SAMPLES / arm
    return str(folder / "capture.pcapng.zst"), str(folder / "sessions.csv"), str(folder / "visits.csv")


@pytest.fixture(scope="module")
def results():
    return {arm: wiretally.compare(*inputs(arm)) for arm in ARMS}


def verdict(result, host):
    return next(item["verdict"] for item in result["destinations"] if item["key"] == host)


def vendor(result):
    owner = next(item["owner"] for item in result["destinations"] if item["key"] == TELEMETRY)
    return next(item["verdict"] for item in result["owners"] if item["key"] == owner)


def test_the_verdicts_are_the_true_ones(results):
    assert verdict(results["leaky"], TELEMETRY) == "continues"
    assert vendor(results["leaky"]) == "continues"
    assert verdict(results["honest"], TELEMETRY) == "stops"
    assert verdict(results["swap"], TELEMETRY) == "stops"
    assert verdict(results["swap"], ALTERNATIVE) == "appears"
    assert vendor(results["swap"]) == "continues"


@pytest.mark.parametrize("arm", ARMS)
def test_the_bytes_are_those_that_the_servers_counted(arm, results):
    truth = json.loads((SAMPLES / arm / "truth.json").read_text())
    measured = {(row["session"], row["key"]): row["up_app_bytes"] for row in results[arm]["volumes"]}
    errors = [
        abs(measured.get((session["session"], host), 0) - counts["up_app_bytes"]) / counts["up_app_bytes"]
        for session in truth["sessions"]
        for host, counts in session["hosts"].items()
        if counts["up_app_bytes"] and host in {TELEMETRY, ALTERNATIVE}
    ]
    assert len(errors) >= 10
    assert statistics.mean(errors) <= 0.005
    assert max(errors) <= 0.03


@pytest.mark.parametrize("arm", ARMS)
def test_the_phone_s_own_clock_is_the_only_heartbeat_and_pages_are_blamed_for_their_own_uploads_only(arm, results):
    truth = json.loads((SAMPLES / arm / "truth.json").read_text())
    beats = [each for each in results[arm]["beacons"] if each["verdict"] == "heartbeat"]
    assert [each["key"] for each in beats] == ["data.mistat.intl.xiaomi.com"]
    assert beats[0]["period_s"] == pytest.approx(truth["heartbeat_seconds"], rel=0.01)
    coupled = {item["key"]: item["coupling"] for item in results[arm]["destinations"] if item["coupling"]["verdict"] == "locked"}
    assert set(coupled) - {TELEMETRY, ALTERNATIVE} == {"www.google-analytics.com", "cdn.assetdock.example"}
    for key, of in coupled.items():
        assert (of["sites_coupled"] == of["sites"]) == (key in {TELEMETRY, ALTERNATIVE})
        assert (of["site_p"] is not None and of["site_p"] <= 0.05) == (key not in {TELEMETRY, ALTERNATIVE})


def test_what_it_rests_on(results):
    result = results["leaky"]
    assert result["schema"] == "wiretally.compare/1"
    (row,) = result["capture"]
    path = inputs("leaky")[0]
    assert row["source"] == path
    assert row["sha256"] == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert row["packets"] == row["counted"] + row["malformed"] + row["unsupported"] > 1000
    assert row["first_seen"].endswith("Z")
    assert result["basis"]["versions"]["wiretally"] == wiretally.__version__
    assert all(database["sha256"] and database["build_date"] for database in result["basis"]["databases"])


def test_the_same_seed_gives_the_same_numbers(results):
    again = wiretally.compare(*inputs("leaky"))
    assert json.dumps(again, default=str) == json.dumps(results["leaky"], default=str)


def command(*words):
    path, sessions, visits = inputs("leaky")
    return CliRunner().invoke(app, ["compare", path, "--sessions", sessions, "--visits", visits, "-q", *words])


def test_json_is_the_same_result(results):
    shown = command("--format", "json")
    assert shown.exit_code == 0
    assert json.loads(shown.stdout) == json.loads(json.dumps(results["leaky"]))


def test_text_names_the_host_and_the_verdict():
    shown = command()
    assert shown.exit_code == 0
    assert TELEMETRY in shown.stdout
    assert "continues" in shown.stdout


def test_html_is_one_file_that_asks_nobody(tmp_path):
    target = tmp_path / "report.html"
    shown = command("--format", "html", "--output", str(target))
    assert shown.exit_code == 0
    assert shown.stdout == ""
    page = target.read_text()
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert TELEMETRY in page
    assert "<script" not in page
    assert 'src="http' not in page
    assert target.stat().st_mode & 0o777 == 0o600
