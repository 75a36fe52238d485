"""The bundled recordings: complete, small, and what their truth says."""

import csv
import io
import json
import statistics
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

PADDED = ("probe", "reduced", "http3")  # content blank, addresses padded
whole = pytest.mark.parametrize("arm", WHOLE)
padded = pytest.mark.parametrize("arm", PADDED)
every = pytest.mark.parametrize("arm", WHOLE + PADDED)


def document(arm):
    return json.loads((SAMPLES / arm / "truth.json").read_text())


def rows(arm, name):
    with (SAMPLES / arm / name).open(newline="") as file:
        return list(csv.DictReader(file))


@every
def test_the_samples_stay_small(arm):
    assert sum(file.stat().st_size for file in (SAMPLES / arm).iterdir()) < MAX_BYTES / 3


@every
def test_sessions_lie_inside_the_capture_and_apart(arm):
    packed = (SAMPLES / arm / "capture.pcapng.zst").read_bytes()
    raw = zstandard.ZstdDecompressor().stream_reader(packed).read()
    times = [float(at) for at, _ in dpkt.pcapng.Reader(io.BytesIO(raw))]
    sessions = rows(arm, "sessions.csv")
    assert list(sessions[0]) == ["session", "device", "mode", "start", "end", "notes"]
    marks = [arithmetic.nanoseconds(row[edge]) for row in sessions for edge in ("start", "end")]
    assert marks == sorted(set(marks))
    assert min(times) * 1e9 < marks[1]  # in the first session at the latest: an agent that speaks QUIC starts slowly
    assert marks[-1] < max(times) * 1e9


@every
def test_visits_lie_inside_their_sessions(arm):
    sessions = {row["session"]: row for row in rows(arm, "sessions.csv")}
    visits = rows(arm, "visits.csv")
    assert list(visits[0]) == ["time", "session", "url", "pad"]
    for visit in visits:
        session = sessions[visit["session"]]
        assert session["start"] < visit["time"] < session["end"]
        assert session["mode"] != "idle"


@every
def test_the_design_can_answer(arm):
    modes = [row["mode"] for row in rows(arm, "sessions.csv")]
    assert modes.count("normal") == modes.count("incognito") >= 6
    assert modes.count("idle") >= 2
    browsing = [mode for mode in modes if mode != "idle"]
    assert {tuple(browsing[at : at + 2]) for at in range(0, len(browsing), 2)} == {
        ("normal", "incognito"),
        ("incognito", "normal"),
    }


@every
def test_the_browser_was_in_the_mode_that_is_written(arm):
    for session in document(arm)["sessions"]:
        assert session["history"] == (session["visits"] if session["mode"] == "normal" else 0)


@whole
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


@every
def test_no_byte_is_near_a_mark(arm):
    assert document(arm)["clearance_ms"] > 20


@whole
@pytest.mark.skipif(not arithmetic.available(), reason="tshark is not installed")
def test_the_truth_is_what_tshark_counts_to_the_byte(arm):
    told = document(arm)
    counted = arithmetic.uploads(SAMPLES / arm / "capture.pcapng.zst", told["device"], told["sessions"])
    assert counted == arithmetic.truth(told)
    assert len(counted) > 50


@padded
def test_every_visit_was_reported_once_and_its_post_is_known(arm):
    told = document(arm)
    visits, posts = told["visits"], told["posts"]
    per_visit = 1 if told["form"] == "reduced" else 2
    assert len(visits) == 84
    assert {visit["events"] for visit in visits} == {per_visit}
    for number, post in enumerate(posts):
        assert post["events"] == len(post["visits"])
        assert {visits[place]["session"] for place in post["visits"]} == {post["session"]}
        assert all(number in visits[place]["posts"] for place in post["visits"])
    assert {len(set(post["visits"])) for post in posts} == {1, 2}  # some flushes carry several visits
    assert len({visit["pad"] for visit in visits}) > 40
    assert [len(visit["url"].rpartition("k=")[2]) for visit in visits] == [visit["pad"] for visit in visits]
    assert [int(row["pad"]) for row in rows(arm, "visits.csv")] == [visit["pad"] for visit in visits]


@padded
def test_bytes_grow_with_pads_where_addresses_are_reported(arm):
    told = document(arm)
    pads = [sum(told["visits"][place]["pad"] for place in set(post["visits"])) for post in told["posts"]]
    sizes = [post["up_app_bytes"] for post in told["posts"]]
    if told["form"] == "reduced":
        assert len({(post["events"], post["up_app_bytes"]) for post in told["posts"]}) == 2
    else:
        slope = statistics.linear_regression(pads, sizes).slope
        assert 1.0 < slope < 1.5


@padded
@pytest.mark.skipif(not arithmetic.available(), reason="tshark is not installed")
def test_without_content_the_lengths_still_say_the_truth(arm):
    told = document(arm)
    quic = {SENSORS} if arm == "http3" else set()
    counted = arithmetic.uploads(SAMPLES / arm / "capture.pcapng.zst", told["device"], told["sessions"])
    expected = {key: value for key, value in arithmetic.truth(told).items() if key[1] not in quic}
    assert counted == expected
    assert len(counted) > 100
