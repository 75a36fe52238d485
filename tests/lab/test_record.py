"""The whole lab, once: two sessions of one page with the real browser, counted on both sides."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from naive import lab_arithmetic as arithmetic
from wiretally.lab.hosts import SENSORS, SENSORS_ALTERNATIVE
from wiretally.lab.needs import missing

LACKS = missing()
QUICK = ("--sessions", "1", "--idle", "0", "--visits", "1", "--flush", "5", "--heartbeat", "1000", "--gap", "0.7")
LAG = 100.0  # ms that a server may be behind the tap on a busy machine: a byte that is nearer to a mark may be in two sessions


def by_host(totals):
    """The sums of all sessions and of what is between them."""
    sums = Counter()
    for (_, host), count in totals.items():
        sums[host] += count
    return sums


@pytest.mark.lab
@pytest.mark.skipif(bool(LACKS), reason=f"the lab cannot run here: this machine lacks {', '.join(LACKS)}")
def test_a_recording_counts_the_same_on_both_sides(tmp_path):
    command = [sys.executable, "-m", "wiretally.lab", "swap", "--output", str(tmp_path), *QUICK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "README.md",
        "capture.pcapng.zst",
        "sessions.csv",
        "truth.json",
        "visits.csv",
    ]
    told = json.loads((tmp_path / "truth.json").read_text())
    by_mode = {session["mode"]: session for session in told["sessions"]}
    assert (by_mode["normal"]["history"], by_mode["incognito"]["history"]) == (1, 0)
    assert [session["events"] for session in told["sessions"]] == [2, 2]
    assert SENSORS in by_mode["normal"]["hosts"]
    assert SENSORS not in by_mode["incognito"]["hosts"]
    assert SENSORS_ALTERNATIVE in by_mode["incognito"]["hosts"]
    if arithmetic.available():
        counted = arithmetic.uploads(tmp_path / "capture.pcapng.zst", told["device"], told["sessions"])
        true = arithmetic.truth(told)
        assert by_host(counted) == by_host(true)
        assert counted == true or told["clearance_ms"] < LAG
    assert not Path("/run/lab").exists()
