"""The trial of the pulled plug sees what a cut can do wrong: loss, damage, a list that does not fit; and says what it lacks."""

import hashlib
import os
import subprocess
import sys

import pytest
from wiretally.bench.power import listed, look
from wiretally.bench.service import missing_since
from wiretally.capture.record import SUMS
from wiretally.store import marks
from wiretally.store.database import Store


def test_loss_is_counted_from_the_first_packet_that_is_missing():
    came = [(1.0, 0), (2.0, 10), (3.0, 20), (4.0, 20)]
    assert missing_since(came, 20, 4.5) == 4.5
    assert missing_since(came, 19, 4.5) == 3.0
    assert missing_since(came, 10, 4.5) == 3.0
    assert missing_since(came, 0, 4.5) == 2.0


def test_what_lies_there_is_read_and_what_is_wrong_is_named(tmp_path):
    assert look(tmp_path) == (True, 0, {}, set(), [])
    (tmp_path / "home.db").touch()
    assert look(tmp_path) == (True, 0, {}, set(), [])
    with Store(str(tmp_path / "home.db")):
        name = marks.start(str(tmp_path / "home.db"), "incognito", "phone")
    assert look(tmp_path) == (True, 0, {}, {name}, [])
    (tmp_path / "home.db").write_bytes(bytes(4096))
    assert look(tmp_path).wrong == ["the store has no header"]


def test_a_list_that_does_not_fit_its_files_is_seen(tmp_path):
    whole, plain = tmp_path / "a.pcapng.zst", tmp_path / "a.pcapng"
    whole.write_bytes(b"whole")
    assert listed(tmp_path) == ["a.pcapng.zst: is in no list"]
    plain.write_bytes(b"")
    assert listed(tmp_path) == []  # the next start sees to it
    line = f"{hashlib.sha256(b'whole').hexdigest()}  a.pcapng.zst\n"
    (tmp_path / SUMS).write_text(line)
    plain.unlink()
    assert listed(tmp_path) == []
    (tmp_path / SUMS).write_text(line * 2 + line.replace("a.pcapng", "b.pcapng") + line[:30])
    assert listed(tmp_path) == ["a.pcapng.zst: listed twice", "b.pcapng.zst: is not what SHA256SUMS says", f"SHA256SUMS: {line[:30]!r}"]
    whole.write_bytes(b"half")
    (tmp_path / SUMS).write_text(line)
    assert listed(tmp_path) == ["a.pcapng.zst: is not what SHA256SUMS says"]


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user who is not root")
def test_without_root_it_says_so():
    run = subprocess.run([sys.executable, "-m", "wiretally.bench.power", "--runs", "1"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1
