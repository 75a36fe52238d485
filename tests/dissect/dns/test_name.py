import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from naive.dns_names import labels_at, text_of, wire_of
from wiretally.core.jit import brief_kernel
from wiretally.dissect.dns.name import MAX_NAME, after_name, expand


@brief_kernel
def expanded(b, at, start, end, out, in_wire):
    return expand(b, at, start, end, out, 0, in_wire)


@brief_kernel
def stepped(b, at, end):
    return after_name(b, at, end)


def ours(message, at, *, in_wire=False):
    """(what was written, where the name ends), or None."""
    out = np.zeros(8192, np.uint8)
    size, behind = expanded(np.frombuffer(message, np.uint8), at, 0, len(message), out, in_wire)
    return None if behind < 0 else (out[:size].tobytes(), behind)


# octets that make names likely: short labels, ends, pointers to places near the start, reserved label types
OCTETS = st.one_of(st.sampled_from([0, 1, 2, 3, 0xC0, 0x41, 0x61, 0x2E, 0x40, 0x80]), st.integers(0, 255))


@given(st.binary(max_size=80) | st.lists(OCTETS, max_size=80).map(bytes), st.integers(0, 80))
@example(b"\x01a\x00\xc0\x00\x01B\xc0\x03", 5)
@example(b"\xc0\x00", 0)
def test_any_octets_give_the_name_that_the_naive_twin_reads(message, at):
    if not message:
        return
    at %= len(message)
    known = labels_at(message, at)
    as_text, as_wire = ours(message, at), ours(message, at, in_wire=True)
    if known is None:
        assert as_text is as_wire is None
        return
    labels, behind = known
    assert as_text == (text_of(labels).encode(), behind)
    assert as_wire == (wire_of(labels), behind)
    assert stepped(np.frombuffer(message, np.uint8), at, len(message)) == behind


def test_a_name_may_have_255_octets_and_no_more():
    longest = (b"\x3f" + b"x" * 63) * 3 + b"\x3d" + b"y" * 61 + b"\0"
    assert len(longest) == MAX_NAME
    assert ours(longest, 0) is not None
    assert ours((b"\x3f" + b"x" * 63) * 3 + b"\x3e" + b"y" * 62 + b"\0", 0) is None


@pytest.mark.parametrize("reserved", [0x40, 0x41, 0x80, 0xBF])
def test_reserved_label_types_are_refused(reserved):
    assert ours(bytes([1, 0x61, reserved, 0, 0]), 0) is None
    assert stepped(np.array([1, 0x61, reserved, 0, 0], np.uint8), 0, 5) == -1


def test_pointers_go_strictly_backwards():
    assert ours(b"\x00\xc0\x01", 1) is None  # to itself
    assert ours(b"\x00\xc0\x03\x00", 1) is None  # forwards
    assert ours(b"\x01a\xc0\x00", 2) is None  # to what contains it
    chain = b"\x00" + b"".join((0xC000 | max(0, 2 * n - 1)).to_bytes(2, "big") for n in range(200))
    assert ours(chain, len(chain) - 2) == (b"", len(chain))
