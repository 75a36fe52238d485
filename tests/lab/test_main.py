"""What the command says where it cannot run."""

import os
import subprocess
import sys

import pytest
from wiretally.lab.__main__ import parse


def lab(*arguments, **environment):
    command = [sys.executable, "-m", "wiretally.lab", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=os.environ | environment)


def test_a_machine_without_the_tools_is_told_so_in_one_line(tmp_path):
    done = lab("leaky", "--output", str(tmp_path / "out"), PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    for word in ("chromium", "iproute2", "ethtool", "wireshark-common"):
        assert word in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments",
    [(), ("nonsense", "-o", "x"), ("leaky", "-o", "x", "--flush", "4"), ("swap", "-o", "x", "--sessions", "0"),
     ("leaky", "-o", "x", "--pads", "-1"), ("background", "-o", "x", "--background", "0")],
)
def test_wrong_usage_is_two(arguments):
    assert lab(*arguments).returncode == 2


def test_the_timer_is_fifteen_seconds_unless_told_otherwise():
    assert parse(["leaky", "-o", "x"]).flush == 15.0
