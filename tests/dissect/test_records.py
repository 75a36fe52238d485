"""Moving records as bytes gives what brackets give."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from wiretally.dissect.records import clear, copied, joined, picked

KIND = np.dtype([("a", np.uint8), ("b", np.int64, (2,)), ("c", np.uint16)], align=True)


def records(seed, count):
    made = np.zeros(count, KIND)
    random = np.random.default_rng(seed)
    for name in ("a", "c"):
        made[name] = random.integers(0, 200, count)
    made["b"] = random.integers(-9, 9, (count, 2))
    return made


@given(st.integers(0, 99), st.lists(st.integers(0, 19), max_size=30), st.lists(st.booleans(), min_size=20, max_size=20))
def test_as_by_brackets(seed, places, mask):
    of, at, on = records(seed, 20), np.array(places, np.int64), np.array(mask)
    assert (picked(of, at) == of[at]).all()
    assert (picked(of, on) == of[on]).all()
    assert (copied(of[3:9]) == of[3:9]).all()
    assert (joined([of[:4], of[4:4], of[9:]]) == np.concatenate([of[:4], of[9:]])).all()
    cleared = of.copy()
    cleared[at] = np.zeros((), KIND)
    clear(of, at)
    assert (of == cleared).all()


def test_a_copy_is_ones_own():
    of = records(1, 4)
    mine, some = copied(of), picked(of, np.arange(4))
    clear(of, np.arange(4))
    assert mine["a"].any()
    assert some["a"].any()
