"""`wiretally plan` writes a plan in each format, and refuses in one line."""

import csv
import json

from typer.testing import CliRunner
from wiretally.cli.main import app
from wiretally.core.errors import InputError


def run(*arguments):
    return CliRunner().invoke(app, ["plan", *map(str, arguments)])


def test_formats_say_the_same(tmp_path):
    whole = json.loads(run("--format", "json", "--seed", 5).output)
    path = tmp_path / "plan.csv"
    assert run("--format", "csv", "--seed", 5, "-o", path).exit_code == 0
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["session"] for row in rows] == [each["session"] for each in whole["sessions"]]
    assert {row["seed"] for row in rows} == {"5"}
    text = run("--seed", 5).output
    assert text.startswith(f"{whole['per_mode']} sessions of each mode")
    assert "note: no pilot sessions" in text


def test_what_is_no_pilot_is_refused(tmp_path):
    path = tmp_path / "pilot.json"
    assert isinstance(run(path).exception, InputError)
    for text in ("{", "[]", "{}"):
        path.write_text(text)
        assert isinstance(run(path).exception, InputError)
    assert run("--destination", "a.example").exit_code == 2
