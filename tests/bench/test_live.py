"""The live benchmark sends what it says, and its reader gets all of it."""

import io
import json
import os
import stat
import subprocess
import sys
from shutil import which

import pytest
from rich.console import Console
from wiretally.bench.live import Run, pace, shown

PROGRAM = [sys.executable, "-m", "wiretally.cli.main", "bench", "live"]


@pytest.mark.slow
def test_both_readers_get_every_packet(tmp_path):
    if os.geteuid() or which("tcpreplay") is None:
        pytest.skip("needs root and tcpreplay")
    figures = tmp_path / "live.json"
    command = [*PROGRAM, "--packets", "5k", "--rates", "20k,100mbit,top", "--seconds", "0.1", "--readers", "ring,dissect",
               "--format", "json", "-o", str(figures), "-q"]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    result = json.loads(figures.read_text())
    assert result["schema"] == "wiretally.bench.live/2"
    runs = result["runs"]
    assert [(one["reader"], one["asked"]) for one in runs] == [
        (reader, rate) for reader in ("ring", "dissect") for rate in ("20k", "100mbit", "top")
    ]
    for one in runs:
        assert one["seen"] == one["delivered"] == one["packets"] > 0
        assert one["dropped"] == 0
        assert one["user"] + one["system"] > 0
    assert runs[0]["packets"] == 2_000
    assert "ring: no loss up to" in text(result)


@pytest.mark.slow
def test_the_whole_service_and_a_peer_get_every_packet(tmp_path):
    if os.geteuid() or which("tcpreplay") is None or which("dumpcap") is None:
        pytest.skip("needs root, tcpreplay and dumpcap")
    figures = tmp_path / "live.json"
    command = [*PROGRAM, "--packets", "3k", "--rates", "20k", "--seconds", "0.1", "--readers", "service,dumpcap", "--json", str(figures)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    result = json.loads(figures.read_text())
    for one in result["runs"]:
        assert one["seen"] == one["delivered"] == one["packets"] == 2_000
        assert one["peak_mib"] > 1
    assert stat.S_IMODE(figures.stat().st_mode) == 0o600
    assert run.stdout == text(result)


def text(result):
    with io.StringIO() as page:
        screen = Console(file=page, width=130, highlight=False, markup=False)
        for part in shown(result):
            screen.print(part)
        return page.getvalue()


def test_a_lost_packet_is_a_loss_wherever_it_was_lost():
    def run(pps, delivered, dropped):
        return vars(Run("ring", "top", pps, 1.0, 100, 100, dropped, delivered, 0.0001, 0.0003, 0.1, 50.0))

    said = text({"machine": {"cores": "2"}, "runs": [run(10.0, 100, 0), run(20.0, 99, 1), run(30.0, 99, 0)]})
    assert said.startswith("cores 2\n")
    assert "no loss up to 10 packets/s" in said
    assert "│ 1.00 │   3.00 │ 4.00 │" in said  # µs of user, system, both
    assert "lost packets at every rate" in text({"machine": {}, "runs": [run(20.0, 99, 1)]})


def test_rates_are_packets_or_bits():
    assert pace("50k", 1_250) == 50_000
    assert pace("10mbit", 1_250) == 1_000
    assert pace("top", 1_250) == float("inf")


@pytest.mark.parametrize("rate", ["", "fast", "0", "-5k", "nan", "inf", "mbit", "0mbit", "infmbit"])
def test_what_is_no_rate_is_refused(rate):
    with pytest.raises(ValueError, match=r"is no |could not convert"):
        pace(rate, 1_250)


def test_without_the_right_to_a_network_of_its_own_it_says_so():
    """Root gives the right up (PR_CAPBSET_DROP, CAP_SYS_ADMIN: linux/prctl.h, linux/capability.h); others do not have it."""
    code = "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 21, 0, 0, 0); os.execv(sys.executable, sys.argv[1:])"
    run = subprocess.run([sys.executable, "-c", code, *PROGRAM, "--packets", "1k"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr in {
        "wiretally: bench: needs a network namespace of its own: run as root\n",
        "wiretally: bench live: needs tcpreplay: apt-get install tcpreplay\n",
    }
