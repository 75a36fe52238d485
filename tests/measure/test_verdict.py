"""Each word by the least that allows it, and not by less."""

from dataclasses import replace

import pytest
from wiretally.measure.verdict import Numbers, verdict

SAME = Numbers(100, 100, 0, 0.9, 1.1, 0.92, 1.08, 0.9, 6, dropped=False)
LESS = Numbers(100, 50, 0, 0.3, 0.7, 0.35, 0.65, 0.01, 6, dropped=False)
GONE = Numbers(100, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.01, 6, dropped=False)
NEW = Numbers(0, 100, 0, float("nan"), float("nan"), float("nan"), float("nan"), 0.01, 6, dropped=False)


@pytest.mark.parametrize(("numbers", "word"), [
    (SAME, "continues"),
    (replace(SAME, equivalence_high=1.26), "inconclusive"),
    (replace(SAME, q=0.01), "continues"),  # different, but within what counts as equal
    (LESS, "reduced"),
    (replace(LESS, q=0.06), "inconclusive"),
    (replace(LESS, high=1.0), "inconclusive"),
    (GONE, "stops"),
    (replace(GONE, dropped=True), "reduced"),
    (replace(GONE, high=0.2), "reduced"),
    *((replace(each, nameless=True), "inconclusive") for each in (LESS, GONE, NEW, replace(NEW, compared=0))),
    (replace(SAME, nameless=True), "continues"),
    (replace(GONE, sessions=2), "inconclusive"),
    (NEW, "appears"),
    (replace(NEW, q=float("nan")), "inconclusive"),
    (replace(NEW, compared=0), "absent"),
    (Numbers(100, 200, 0, 1.5, 2.5, 1.6, 2.4, 0.01, 6, dropped=False), "increases"),
    (Numbers(104, 106, 100, 0.1, 9, 0.2, 8, 0.01, 6, dropped=False), "absent"),  # what an idle device uploads too
])  # fmt: skip
def test_words(numbers, word):
    assert verdict(numbers, alpha=0.05, margin=0.25, stop_ratio=0.2) == word
