import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.core.errors import DatabaseError
from wiretally.geo.vendors import LONGEST_FIRST, Vendors


@pytest.fixture(scope="module")
def bundled():
    return Vendors()


@pytest.mark.parametrize(
    ("mac", "vendor"),
    [
        ("3c:5a:b4:00:00:02", "Google, Inc."), ("dc:a6:32:01:02:03", "Raspberry Pi Trading Ltd"),
        ("dc:a6:32:ff:ff:ff", "Raspberry Pi Trading Ltd"), ("c8:5c:e2:7a:bc:de", "SYNERGY SYSTEMS AND SOLUTIONS"),
        ("da:a1:19:00:00:01", None), ("ff:ff:ff:ff:ff:ff", None), ("01:00:5e:00:00:01", None), (None, None),
        ("00:01:01:00:00:01", None),  # given to somebody who is not named
    ],
)  # fmt: skip
def test_known_blocks_of_each_length_and_what_is_in_none(bundled, mac, vendor):
    assert bundled.of([mac, mac]) == [vendor] * 2


def written(path, blocks, names=("A", "B", "C")):
    """(first bits in hexadecimal, place of the name)."""
    arrays = {word: np.array("2026-01-01") for word in ("date", "source", "licence")}
    for bits in LONGEST_FIRST:
        rows = sorted((int(start, 16), place) for start, place in blocks if len(start) * 4 == bits)
        arrays[f"blocks{bits}"] = np.array([start for start, _ in rows], np.uint64)
        arrays[f"owners{bits}"] = np.array([place for _, place in rows], np.uint32)
    np.savez_compressed(path, names=np.frombuffer("\n".join(names).encode(), np.uint8), **arrays)
    return Vendors(path)


STARTS = st.sampled_from(["00000c", "00000d", "00000c1", "00000c2", "00000c123", "00000c124", "000000", "fcffff"])


@given(st.dictionaries(STARTS, st.integers(0, 2)), st.lists(st.integers(0, 0xFFFFFF), max_size=6))
def test_the_longest_block_counts(tmp_path_factory, blocks, rests):
    vendors = written(tmp_path_factory.mktemp("x") / "vendors.npz", blocks.items())
    digits = [f"00000c{rest:06x}" for rest in rests] + ["00000c123000", "00000c123fff", "00000c1240ff", "000000000000", "fcffffffffff"]
    macs = [":".join(each[at : at + 2] for at in range(0, 12, 2)) for each in digits]
    around = [max((start for start in blocks if each.startswith(start)), key=len, default=None) for each in digits]
    assert vendors.of(macs) == [start and "ABC"[blocks[start]] for start in around]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 100])
def test_a_damaged_file_is_one_line(tmp_path, content):
    (tmp_path / "vendors.npz").write_bytes(content)
    with pytest.raises(DatabaseError) as caught:
        Vendors(tmp_path / "vendors.npz").of(["00:00:0c:00:00:01"])
    assert "\n" not in str(caught.value)


def test_what_it_rests_on(bundled):
    assert all(bundled.info().values())
    assert bundled.info()["build_date"] >= "2026-08-26"
