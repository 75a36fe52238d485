"""The bundled recordings: complete, small, and what their truth says."""

import csv
import io
import json
from pathlib import Path

import dpkt
import pytest
import wiretally
import zstandard
from naive import lab_arithmetic as arithmetic
from wiretally.lab.hosts import MISTAT, SENSORS, SENSORS_ALTERNATIVE
from wiretally.lab.plan import ARMS

WHOLE = ("leaky", "honest", "swap")  # whole packets, pairs of the same pages
SAMPLES = Path(wiretally.__file__).parent / "data" / "samples"
MAX_BYTES = 4_000_000

pytestmark = pytest.mark.parametrize("arm", WHOLE)


def document(arm):
    return json.loads((SAMPLES / arm / "truth.json").read_text())


def rows(arm, name):
    with (SAMPLES / arm / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_samples_stay_small(arm):
    assert sum(file.stat().st_size for file in (SAMPLES / arm).iterdir()) < MAX_BYTES / len(WHOLE)


def test_sessions_lie_inside_the_capture_and_apart(arm):
    packed = (SAMPLES / arm / "capture.pcapng.zst").read_bytes()
    raw = zstandard.ZstdDecompressor().decompress(packed)
    times = [float(at) for at, _ in dpkt.pcapng.Reader(io.BytesIO(raw))]
    sessions = rows(arm, "sessions.csv")
    assert list(sessions[0]) == ["session", "device", "mode", "start", "end", "notes"]
    marks = [arithmetic.nanoseconds(row[edge]) for row in sessions for edge in ("start", "end")]
    assert marks == sorted(set(marks))
    assert min(times) * 1e9 < marks[0]
    assert marks[-1] < max(times) * 1e9


def test_visits_lie_inside_their_sessions(arm):
    sessions = {row["session"]: row for row in rows(arm, "sessions.csv")}
    visits = rows(arm, "visits.csv")
    assert list(visits[0]) == ["time", "session", "url", "pad"]
    for visit in visits:
        session = sessions[visit["session"]]
        assert session["start"] < visit["time"] < session["end"]
        assert session["mode"] != "idle"


def test_the_design_can_answer(arm):
    modes = [row["mode"] for row in rows(arm, "sessions.csv")]
    assert modes.count("normal") == modes.count("incognito") >= 6
    assert modes.count("idle") >= 2
    browsing = [mode for mode in modes if mode != "idle"]
    assert {tuple(browsing[at : at + 2]) for at in range(0, len(browsing), 2)} == {
        ("normal", "incognito"),
        ("incognito", "normal"),
    }


def test_the_browser_was_in_the_mode_that_is_written(arm):
    for session in document(arm)["sessions"]:
        assert session["history"] == (session["visits"] if session["mode"] == "normal" else 0)


def test_the_arm_did_what_it_is_called_after(arm):
    sent = {
        (mode, host): 0 for mode in ("normal", "incognito", "idle") for host in (SENSORS, SENSORS_ALTERNATIVE, MISTAT)
    }
    for session in document(arm)["sessions"]:
        expected = 2 * session["visits"] if getattr(ARMS[arm], session["mode"], None) else 0
        assert session["events"] == expected
        for host, counts in session["hosts"].items():
            if (session["mode"], host) in sent:
                sent[session["mode"], host] += counts["up_app_bytes"]
    for (mode, host), count in sent.items():
        assert (count > 0) == (host == MISTAT or host == getattr(ARMS[arm], mode, None))


def test_no_byte_is_near_a_mark(arm):
    assert document(arm)["clearance_ms"] > 20


@pytest.mark.skipif(not arithmetic.available(), reason="tshark is not installed")
def test_the_truth_is_what_tshark_counts_to_the_byte(arm):
    told = document(arm)
    counted = arithmetic.uploads(SAMPLES / arm / "capture.pcapng.zst", told["device"], told["sessions"])
    assert counted == arithmetic.truth(told)
    assert len(counted) > 50
