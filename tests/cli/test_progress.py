import os
import sys

import pytest
from wiretally.cli import progress


def test_warnings_are_lines_of_their_own(capsys):
    progress.warner(quiet=False)("a thing")
    progress.warner(quiet=True)("another")
    assert capsys.readouterr().err == "wiretally: warning: a thing\n"


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
