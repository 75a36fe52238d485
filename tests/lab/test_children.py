"""Children of the lab: spoken to, missed when they die, ended for certain."""

import sys

import pytest
from wiretally.core.errors import EnvironmentFault
from wiretally.lab import children

ECHO = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"


def child(tmp_path, program, **options):
    return children.Child("it", [sys.executable, "-c", program], tmp_path, **options)


def test_a_child_is_spoken_to_in_lines_of_json(tmp_path):
    with child(tmp_path, ECHO, talks=True) as it:
        it.say({"mode": "idle"})
        assert it.hear() == {"mode": "idle"}
    assert it.process.returncode is not None


def test_one_that_died_is_told_by_its_last_line(tmp_path):
    with child(tmp_path, "import sys; sys.exit('no such device')") as it:
        it.process.wait(60)
        with pytest.raises(EnvironmentFault, match="lab: it ended with status 1: no such device"):
            it.check()


def test_waiting_ends_with_the_child_or_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "STEP_TIMEOUT", 0.3)
    with child(tmp_path, ECHO, talks=True) as it:
        with pytest.raises(EnvironmentFault, match="the thing did not start within"):
            children.wait_for("the thing", lambda: False, it)
        with pytest.raises(EnvironmentFault, match="does not answer"):
            it.hear()
    assert children.module("dns")[-1] == "wiretally.lab.dns"
