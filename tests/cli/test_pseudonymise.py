"""The command: what it writes, what it says, what it refuses; and that compare says the same of the result."""

import json

import pytest
import wiretally
from crafting.tiny import tiny
from typer.testing import CliRunner
from wiretally.cli.main import app
from wiretally.cli.rewriting import read_key
from wiretally.core.errors import InputError


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def command(sample):
    return lambda *words: CliRunner().invoke(app, ["pseudonymise", str(sample / "capture.pcapng.zst"), *words])


def numbers(result):
    """All of the result but names and what it rests on."""
    return [[item["modes"], item["ratio"], item["p"], item["verdict"]] for item in result["destinations"]]


def test_compare_says_the_same_of_the_result(sample, command, tmp_path):
    target = tmp_path / "shared.pcapng.zst"
    shown = command("--names", "registrable", "--format", "json", "-o", str(target))
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)
    assert told["flows_same"] == told["flows"] > 100
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.stat().st_size < (sample / "capture.pcapng.zst").stat().st_size / 4
    device = wiretally.read(target).flows["local_ip"].unique().to_list()
    assert len(device) == 1
    marks = tmp_path / "sessions.csv"
    marks.write_text((sample / "sessions.csv").read_text().replace("192.168.50.23", device[0]))
    before = wiretally.compare(sample / "capture.pcapng.zst", sample / "sessions.csv", statistics={"resamples": 199})
    after = wiretally.compare(target, marks, statistics={"resamples": 199})
    assert sorted(numbers(after), key=str) == sorted(numbers(before), key=str)


@pytest.mark.parametrize(("words", "says"), [
    (["-o", "-"], "has to be a file"), (["-o", "x", "--key", "nowhere"], "cannot be read"),
])  # fmt: skip
def test_what_it_refuses(command, words, says):
    shown = command(*words)
    assert shown.exit_code == 1 or says in str(shown.exception)
    assert says in str(shown.exception)


def test_keys_from_files(tmp_path):
    raw, text, wrong = tmp_path / "raw", tmp_path / "text", tmp_path / "wrong"
    raw.write_bytes(bytes(range(32)))
    text.write_text(bytes(range(32)).hex() + "\n")
    wrong.write_text("short")
    assert read_key(str(raw)) == read_key(str(text)) == bytes(range(32))
    with pytest.raises(InputError, match="no key"):
        read_key(str(wrong))
