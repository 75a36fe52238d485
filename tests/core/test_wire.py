"""Integers from bytes against Python's own, compiled and not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.core import wire

READERS = {
    "u8": (wire.u8, 1, "big"), "be16": (wire.be16, 2, "big"), "be24": (wire.be24, 3, "big"),
    "be32": (wire.be32, 4, "big"), "be64": (wire.be64, 8, "big"), "le16": (wire.le16, 2, "little"),
    "le32": (wire.le32, 4, "little"),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
@given(data=st.binary(min_size=8, max_size=24), at=st.integers(0, 16))
def test_a_reader_reads_as_python_does(name, data, at):
    reader, size, order = READERS[name]
    at = min(at, len(data) - size)
    buffer = np.frombuffer(data, np.uint8).copy()
    assert int(reader(buffer, at)) == int.from_bytes(data[at : at + size], order)


@pytest.mark.parametrize("name", READERS)
def test_reading_past_the_buffer_is_an_error_not_somebody_elses_byte(name):
    reader, size, _ = READERS[name]
    buffer = np.zeros(16, np.uint8)[:9]
    with pytest.raises(IndexError):
        reader(buffer, 9 - size + 1)


SEQUENCE = st.integers(0, 2**32 - 1)


@given(a=SEQUENCE, step=st.integers(-(2**31), 2**31 - 1))
def test_sequence_numbers_go_round(a, step):
    assert wire.seq_after((a + step) % 2**32, a) == step
