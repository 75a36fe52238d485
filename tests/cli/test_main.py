"""The program as a process: exit codes, streams, the first minute of a new user."""

import subprocess
import sys
from typing import get_args

import pytest
import wiretally
from wiretally.cli import read
from wiretally.cli.main import COMMANDS
from wiretally.core.schema import TABLES


def run(*words, **options):
    command = [sys.executable, "-m", "wiretally.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_alone_it_says_what_to_do_next():
    shown = run()
    assert shown.returncode == 0
    for words in ("tcpdump", "sessions.csv", "wiretally compare", "--help"):
        assert words in shown.stdout
    assert shown.stderr == ""


def test_the_version():
    assert run("--version").stdout == f"wiretally {wiretally.__version__}\n"


def test_help_names_every_command_and_a_slip_of_the_pen_finds_one():
    shown = run("--help").stdout
    assert [line.split()[0] for line in shown.partition("Commands:\n")[2].splitlines()] == list(COMMANDS)
    assert "Did you mean 'compare'?" in run("comprae").stderr


def test_a_command_loads_no_other():
    look = "import sys, wiretally.cli.main as m; m.app(['data', 'status', '-q'], standalone_mode=False); print(*sys.modules, file=sys.stderr)"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stderr.split()
    assert {f"wiretally.cli.{name}" for name in COMMANDS}.intersection(loaded) == {"wiretally.cli.data"}


@pytest.mark.parametrize("command", ["read", "compare", "where"])
def test_every_command_has_help_with_an_example(command):
    shown = run(command, "--help")
    assert shown.returncode == 0
    assert f"Example: wiretally {command} " in shown.stdout
    for option in ("--format", "--output", "-o", "-q"):
        assert option in shown.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["listen"],
        ["read"],
        ["read", "x.pcap", "--table", "users"],
        ["read", "x.pcap", "--format", "xml"],
        ["read", "x.pcap", "--local", "phone"],
        ["read", "x.pcap", "--idle-gap", "0"],
        ["read", "x.pcap", "--idle-gap", "nan"],
        ["read", "x.pcap", "--max-flows", "0"],
        ["read", "x.pcap", "--place", "91,0"],
        ["read", "x.pcap", "--place", "Berlin"],
        ["compare", "x.pcap"],
        ["compare", "x.pcap", "--sessions", "s.csv", "--format", "parquet"],
        ["compare", "x.pcap", "--sessions", "s.csv", "--alpha", "2"],
        ["compare", "x.pcap", "--sessions", "s.csv", "--seed", "-1"],
        ["probe", "x.pcap", "--sessions", "s.csv", "--visits", "v.csv", "--alpha", "nan"],
        ["where"],
    ],
)
def test_a_wrong_command_is_usage(words):
    shown = run(*words)
    assert shown.returncode == 2
    assert shown.stdout == ""
    assert "Traceback" not in shown.stderr
    assert "Usage: " in shown.stderr


def test_the_tables_offered_are_the_tables_there_are():
    assert set(get_args(read.Table)) == set(TABLES) == set(read.GLANCE)
    for name, columns in read.GLANCE.items():
        assert set(columns) <= set(TABLES[name].names)


def test_without_a_standard_output_there_is_one_line():
    line = f"{sys.executable} -m wiretally.cli.main where 192.0.2.1 -q >&-"  # a shell is what closes it
    shown = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert shown.returncode == 1
    assert shown.stderr == "wiretally: standard output: cannot be written: Bad file descriptor: choose another place with --output\n"
