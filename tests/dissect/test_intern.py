"""Byte strings by number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.dissect import intern
from wiretally.dissect.state import STATE


@pytest.fixture(scope="module")
def states():
    return np.zeros(1, STATE)


def prepared(states, key=12345):
    names = states[0]["names"]
    names["slots"][: int(names["mask"]) + 1] = 0
    names["refused"] = 0
    intern.prepare(names, key)
    return names


def number_of(states, value):
    return intern.number_of(states, np.frombuffer(value, np.uint8))


@given(st.lists(st.binary(max_size=40), max_size=60), st.integers(1, 2**63))
def test_equal_bytes_have_the_equal_number_and_come_back(states, values, key):
    names = prepared(states, key)
    known = {b"": 0}
    for value in values:
        number = number_of(states, value)
        assert known.setdefault(value, len(known)) == number
        assert intern.raw(names, number) == value
    assert intern.texts(names, 1, len(known)) == [intern._text(value) for value in list(known)[1:]]
    assert intern.texts(names, len(known), len(known)) == []


def test_the_table_widens_and_keeps_what_it_has(states):
    names = prepared(states)
    values = [f"name-{number}".encode() for number in range(3 * intern.FIRST_SLOTS)]
    numbers = [number_of(states, value) for value in values]
    assert numbers == list(range(1, len(values) + 1))
    assert names["mask"] > 2 * len(values) - 2
    assert [number_of(states, value) for value in values[::97]] == numbers[::97]


@pytest.mark.parametrize(("value", "text"), [(b"\xc3\xa9t\xc3\xa9", "été"), (b"\xe9", "é"), (b"\0", "\0")])
def test_text_is_utf_8_where_it_is(states, value, text):
    names = prepared(states)
    assert intern.texts(names, number_of(states, value), names["count"]) == [text]


def test_the_last_entry_fits_and_one_past_it_is_refused_and_counted(states):
    names = prepared(states)
    names["mask"] = 2 * intern.MAX_NAMES - 1  # as it is by then
    names["count"] = intern.MAX_NAMES - 1
    names["start"][intern.MAX_NAMES - 1] = 0
    assert number_of(states, b"last") == intern.MAX_NAMES - 1
    assert number_of(states, b"one more") == 0
    assert number_of(states, b"last") == intern.MAX_NAMES - 1
    assert names["refused"] == 1


def test_the_last_byte_fits_and_one_past_it_is_refused_and_counted(states):
    names = prepared(states)
    names["start"][1] = intern.MAX_NAME_BYTES - 3
    assert number_of(states, b"four") == 0
    assert number_of(states, b"thr") == 1
    assert number_of(states, b"x") == 0
    assert names["refused"] == 2
