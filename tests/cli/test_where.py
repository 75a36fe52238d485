"""`wiretally where`: what is known of an address or a name, from the files on this machine."""

import json

import pytest
from typer.testing import CliRunner
from wiretally.cli import pipeline
from wiretally.cli.main import app


def test_addresses_and_names_together():
    frame = pipeline.where(["8.8.8.8", "sa.api.intl.miui.com", "2001:4860:4860::8888"])
    assert frame.height == 3
    assert frame["country"].drop_nulls().len() >= 2
    assert frame.filter(target="sa.api.intl.miui.com")["owner"].to_list() == ["Xiaomi Corporation"]


def test_one_alone_from_python():
    assert pipeline.where("8.8.8.8").height == 1


def test_the_command_says_what_it_rests_on():
    shown = CliRunner().invoke(app, ["where", "8.8.8.8", "--format", "jsonl"])
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["country"] == "US"
    table = CliRunner().invoke(app, ["where", "8.8.8.8"])
    assert table.exit_code == 0
    assert table.stderr.strip()
    lines = table.stdout.splitlines()
    assert lines[0] == "8.8.8.8"
    assert any(line.startswith("  country ") and "US  (DB-IP Country Lite of 20" in line for line in lines)
    assert CliRunner().invoke(app, ["where", "10.0.0.1", "-q"]).stdout == "10.0.0.1\n  nothing is known of it\n"


@pytest.mark.parametrize("target", ["", "two words", "https://host.example/", "1.1.1.1:443", "a\x1b@host.example"])
def test_what_is_neither_address_nor_name_is_usage(target):
    shown = CliRunner().invoke(app, ["where", "1.1.1.1", target])
    assert shown.exit_code == 2
    assert "neither an address nor a host name" in shown.stderr
    assert "\x1b" not in shown.stderr
