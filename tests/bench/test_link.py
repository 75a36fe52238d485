"""What is sent on a benchmark's link, and what is said where it cannot be."""

import pytest
from wiretally.bench.link import replayed, size
from wiretally.bench.mix import generate
from wiretally.core.errors import EnvironmentFault


def test_the_sender_is_heard_or_its_fault_is_one_line():
    assert replayed(["echo", "Rated: 1 Bps"]) == "Rated: 1 Bps\n"
    with pytest.raises(EnvironmentFault) as fault:
        replayed(["sh", "-c", "echo sent; printf 'no\\nsuch\\033[2J file' >&2; exit 3"])
    assert str(fault.value) == r"bench: sh has sent nothing: no such\x1b[2J file"


def test_the_size_of_a_capture_is_what_was_made(tmp_path):
    path = tmp_path / "small.pcap"
    with path.open("wb") as out:
        truth = generate(out, "small64", 500)
    assert size(path) == (truth.packets, truth.frame_bytes)
