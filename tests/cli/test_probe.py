"""`wiretally probe`: captures by default, `plan` by name, and one line where an input is missing."""

import json
from pathlib import Path

import pytest
import wiretally
from typer.testing import CliRunner
from wiretally.cli.main import app

LEAKY = Path(wiretally.__file__).parent / "data" / "samples" / "leaky"


@pytest.fixture
def padded(tmp_path):
    """The visits of the sample as if their URLs had been padded."""
    lines = (LEAKY / "visits.csv").read_text().splitlines()
    path = tmp_path / "visits.csv"
    path.write_text("\n".join([lines[0]] + [f"{line}{at * 37 % 501}" for at, line in enumerate(lines[1:])]) + "\n")
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["probe", *map(str, arguments)])


def test_pads_that_were_never_sent_are_not_found(padded):
    done = run(LEAKY / "capture.pcapng.zst", "--sessions", LEAKY / "sessions.csv", "--visits", padded, "--format", "json", "-q")
    assert done.exit_code == 0, done.output
    result = json.loads(done.output)
    assert result["schema"] == "wiretally.probe/1"
    assert len(result["capture"][0]["sha256"]) == 64
    item = next(each for each in result["destinations"] if each["key"] == "sa.api.intl.miui.com")
    assert set(item) >= {"key", "owner", "category", "visits", "slope", "p", "q", "verdict"}
    assert set(item["slope"]) == {"estimate", "ci_low", "ci_high"}
    assert item["verdict"] != "url_dependent"


def test_the_report_of_a_result_is_written(padded, tmp_path):
    page = tmp_path / "probe.html"
    done = run(LEAKY / "capture.pcapng.zst", "--sessions", LEAKY / "sessions.csv", "--visits", padded, "--format", "html", "-q", "-o", page)
    assert done.exit_code == 0, done.output
    assert "<h3>Names</h3>" in page.read_text()


def test_usage():
    assert run().exit_code == 2
    assert run("x.pcap", "--visits", "v.csv").exit_code == 2
    shown = run("--help")
    assert shown.exit_code == 0
    assert "Example: wiretally probe" in shown.output


def test_a_plan_is_written(tmp_path):
    done = run("plan", "https://pages.example/", "--seed", "5", "-o", tmp_path / "plan.csv")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "plan.csv").read_text().startswith("time,session,url,pad,mode")
    assert run("plan").exit_code == 2
