import io
import os
import sys

import pytest
from wiretally.cli import progress


def test_warnings_are_lines_of_their_own(capsys):
    progress.warner(quiet=False)("a thing")
    progress.warner(quiet=True)("another")
    assert capsys.readouterr().err == "wiretally: warning: a thing\n"


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_steps_take_one_another_s_place_on_a_terminal_and_leave_nothing(monkeypatch):
    screen = _Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    with progress.steps(quiet=False) as say:
        say("first")
        say("second\x1b[2J")
    assert screen.getvalue() == "\r\x1b[Kfirst\r\x1b[Ksecond\\u001b[2J\r\x1b[K"
    with progress.steps(quiet=True) as say:
        say("third")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress.steps(quiet=False) as say:
        say("fourth")
    assert "third" not in screen.getvalue()
    assert not sys.stderr.getvalue()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no file that is always full")  # noqa: PTH110
def test_a_log_on_a_full_disk_ends_nothing(monkeypatch):
    descriptor = os.open("/dev/full", os.O_WRONLY)
    with os.fdopen(descriptor, "wb", buffering=0) as raw:
        monkeypatch.setattr(sys, "stderr", _Unbuffered(raw))
        progress.warner(quiet=False)("cannot be written: the disk is full")


class _Unbuffered:
    """Text straight into a file."""

    encoding = "utf-8"

    def __init__(self, raw):
        self.raw = raw

    def write(self, text):
        return self.raw.write(text.encode())

    def flush(self):
        """Nothing waits."""

    def isatty(self):
        return False
