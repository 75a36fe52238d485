"""The live benchmark sends what it says, and its reader gets all of it."""

import json
import os
import subprocess
import sys
from shutil import which

import pytest
from wiretally.bench.live import Run, show


@pytest.mark.slow
def test_both_readers_get_every_packet(tmp_path):
    if os.geteuid() or which("tcpreplay") is None:
        pytest.skip("needs root and tcpreplay")
    figures = tmp_path / "live.json"
    command = [sys.executable, "-m", "wiretally.bench.live", "--packets", "5k", "--rates", "20k,100mbit,top",
               "--seconds", "0.1", "--readers", "ring,dissect", "--json", str(figures)]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    runs = json.loads(figures.read_text())["runs"]
    assert [(one["reader"], one["asked"]) for one in runs] == [
        (reader, rate) for reader in ("ring", "dissect") for rate in ("20k", "100mbit", "top")
    ]
    for one in runs:
        assert one["seen"] == one["delivered"] == one["packets"] > 0
        assert one["dropped"] == 0
        assert one["user"] + one["system"] > 0
    assert runs[0]["packets"] == 2_000
    assert "no loss up to" in run.stdout


@pytest.mark.slow
def test_the_whole_service_and_a_peer_get_every_packet(tmp_path):
    if os.geteuid() or which("tcpreplay") is None or which("dumpcap") is None:
        pytest.skip("needs root, tcpreplay and dumpcap")
    figures = tmp_path / "live.json"
    command = [sys.executable, "-m", "wiretally.cli.main", "bench", "live", "--packets", "3k", "--rates", "20k", "--seconds", "0.1",
               "--readers", "service,dumpcap", "--json", str(figures)]  # fmt: skip
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for one in json.loads(figures.read_text())["runs"]:
        assert one["seen"] == one["delivered"] == one["packets"] == 2_000
        assert one["peak_mib"] > 1
    assert "service: no loss up to" in run.stdout


def test_a_lost_packet_is_a_loss_wherever_it_was_lost(capsys):
    def run(pps, delivered, dropped):
        return Run("ring", "top", pps, 1.0, 100, 100, dropped, delivered, 0.0001, 0.0003, 0.1, 50.0)

    show([run(10.0, 100, 0), run(20.0, 99, 1), run(30.0, 99, 0)])
    said = capsys.readouterr().out
    assert "no loss up to 10 packets/s" in said
    assert "│ 1.00 │   3.00 │ 4.00 │" in said  # µs of user, system, both
    show([run(20.0, 99, 1)])
    assert "lost packets at every rate" in capsys.readouterr().out


def test_without_root_it_says_so():
    if os.geteuid():
        pytest.skip("root gives its rights up for this")
    code = "import os, sys; from wiretally.bench.live import main; os.seteuid(65534); sys.exit(main(['--packets', '1k']))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "run as root" in run.stderr or "apt-get install tcpreplay" in run.stderr
