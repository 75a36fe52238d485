"""The repetitions on recordings: what is true follows from the arm, what is drawn from the seed."""

import random
from pathlib import Path

import pytest
import wiretally
from wiretally.bench import lab_verdicts
from wiretally.lab.hosts import BACKGROUND, MISTAT, SENSORS, SHARED
from wiretally.lab.plan import ARMS

SAMPLES = Path(wiretally.__file__).parent / "data" / "samples"


def recording(arm, slope=None):
    return lab_verdicts.Recording(arm, arm, None, None, None, [], [], slope)


def test_what_is_true_of_each_arm():
    for arm in ARMS:
        truth = lab_verdicts.expected(recording(arm))
        host = SHARED if arm == "shared" else SENSORS
        assert truth["compare"][host] == ({"stops"} if arm in {"honest", "swap"} else {"continues"})
        assert truth["coupling"] == {host: {"locked"}, MISTAT: {"not_locked"}} | (
            {key: {"not_locked", "inconclusive"} for key in BACKGROUND} if arm == "background" else {})
        assert truth["probe"][host] == ({"independent"} if arm == "reduced" else {"url_dependent"})


def test_the_true_slope_is_that_of_the_servers_count():
    visits = [{"pad": pad} for pad in (0, 100, 200, 300)]
    posts = [{"session": "a", "visits": [n, n], "up_app_bytes": 900 + 1.2 * visits[n]["pad"]} for n in range(4)]
    posts += [{"session": "a", "visits": [0, 3], "up_app_bytes": 5000}, {"session": "b", "visits": [3], "up_app_bytes": 1}]
    posts += [{"session": "a", "visits": None, "up_app_bytes": 1}]
    truth = {"visits": visits, "posts": posts}
    assert lab_verdicts.true_slope(truth, {"a"}) == pytest.approx(1.2)
    assert lab_verdicts.true_slope(truth, {"c"}) is None


def test_a_recording_is_read_and_some_of_its_pairs_are_drawn_and_asked():
    (found,) = lab_verdicts.read(SAMPLES / "probe")
    assert found.slope == pytest.approx(1.17, abs=0.05)
    sessions, visits = lab_verdicts.drawn(found, 6, random.Random(1))
    modes = [session.mode for session in sessions]
    assert (modes.count("normal"), modes.count("incognito"), modes.count("idle")) == (6, 6, 4)
    assert len(visits) == 36
    assert lab_verdicts.drawn(found, 6, random.Random(1)) == (sessions, visits)
    words, slopes = lab_verdicts.asked(found, sessions, visits, seed=1)
    assert words["compare"][SENSORS] == "continues"
    assert words["coupling"][SENSORS] == "locked"
    assert slopes[SENSORS] == pytest.approx(found.slope, rel=0.15)


def test_the_page_holds_settings_and_every_row(monkeypatch):
    (found,) = lab_verdicts.read(SAMPLES / "reduced")
    monkeypatch.setattr(lab_verdicts, "RESAMPLES", 199)
    text = lab_verdicts.page([found], 8, 2, "python -m …")
    rows = [line for line in text.splitlines() if line.startswith("| reduced |")]
    assert "python -m wiretally.lab reduced" in rows[0]
    assert f"| reduced | probe | {SENSORS} | independent | 2 of 2 | – |" in rows
    assert f"| reduced | coupling | {SENSORS} | locked | 2 of 2 | – |" in rows
    assert "8 pairs of sessions were drawn 2 times" in text
    assert str(SAMPLES) not in text
