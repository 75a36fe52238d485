"""`wiretally bench` refuses in one line, before anything is measured, and writes where it is told to."""

import json

import pytest
from rich.table import Table
from typer.testing import CliRunner
from wiretally.cli import bench
from wiretally.cli.main import app
from wiretally.core.errors import EnvironmentFault


def run(*words):
    return CliRunner().invoke(app, ["bench", *map(str, words)])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["live", "--rates", "50k,fast"], "'fast' is no rate: write 50k (packets/s), 10mbit or top"),
        (["live", "--readers", "ring,nobody"], "'nobody' is none: there are ring, dissect, service, dumpcap, nfstream"),
        (["live", "--packets", "many"], "'many' is no number of packets"),
        (["live", "--seconds", "0"], "0.0 is not a number of seconds above 0"),
        (["live", "--ring", "1"], "Invalid value for '--ring'"),
        (["live", "--format", "csv"], "'csv' is not one of"),
        (["peers", "--packets", "0"], "'0' is no number of packets"),
        (["peers", "--repeat", "0"], "Invalid value for '--repeat'"),
    ],
)
def test_usage(words, text):
    done = run(*words)
    assert done.exit_code == 2
    assert text in done.stderr


@pytest.mark.parametrize("words", [["live"], ["live", "--json", "/no/such/place"], ["peers"]])
def test_a_place_that_cannot_be_written_is_told_before_anything_is_measured(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run(*words, *([] if "--json" in words else ["-o", "/no/such/place"]))
    assert isinstance(done.exception, EnvironmentFault)
    assert str(done.exception).startswith("/no/such/place: cannot be written: ")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_to_work_in_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "work").touch()
    done = run("peers", "--work", tmp_path / "work")
    assert isinstance(done.exception, EnvironmentFault)
    assert str(done.exception).startswith("--work ")
    assert "\n" not in str(done.exception)


@pytest.mark.parametrize("form", ["text", "json"])
def test_text_comes_as_it_is_known_and_json_whole(form, tmp_path):
    table = Table("tool", "did")
    table.add_row("one", "[red]nothing[/red]")
    target, beside = tmp_path / "out", tmp_path / "beside.json"
    with bench._told(form, str(target), str(beside), quiet=True) as (say, show, whole):
        say("measuring")
        show("a sentence")
        show(table)
        whole({"schema": "wiretally.bench/1"})
    assert json.loads(beside.read_text()) == {"schema": "wiretally.bench/1"}
    if form == "json":
        assert target.read_text() == beside.read_text()
    else:
        assert target.read_text().startswith("a sentence\n")
        assert "[red]nothing[/red]" in target.read_text()
        assert "wiretally" not in target.read_text()
