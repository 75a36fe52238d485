"""Numbers and sentences: every verdict has its own, and none says more than was tested."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wiretally.report import words

MODES = {
    mode: {"sessions": 8, "mean": mean, "median": mean, "ci_low": mean, "ci_high": mean, "exchanges": 9}
    for mode, mean in (("normal", 12300.0), ("incognito", 12100.0))
}
ITEM = {
    "key": "Xiaomi", "name": "Xiaomi", "owner": "Xiaomi", "category": None, "countries": ["SG"], "modes": MODES,
    "ratio": {"estimate": 0.98, "ci_low": 0.91, "ci_high": 1.06}, "difference": None, "p": 0.4, "q": 0.62,
    "verdict": "continues", "needed_sessions": None, "coupling": None,
}  # fmt: skip
TERMS = words.Terms()
UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (0.42, "0.42 B"), (3.25, "3.25 B"), (12, "12 B"), (999.4, "999 B"), (999.6, "1.00 kB"), (1000, "1.00 kB"),
     (12_049, "12.0 kB"), (99_949, "99.9 kB"), (99_960, "100 kB"), (999_600, "1.00 MB"), (3.4e15, "3400 TB"),
     (-1500, "-1.50 kB"), (None, words.NONE), (math.inf, words.NONE)],
)  # fmt: skip
def test_sizes_are_si_with_three_digits(amount, text):
    assert words.size(amount) == text


@given(st.floats(0, 1e15))
@example(999.5)
@example(9.995)
def test_a_size_is_the_amount_to_three_digits(amount):
    number, unit = words.size(amount).split()
    whole = unit == "B" and amount >= 10  # there are no half bytes; a mean of them is not told to three digits below 100
    assert float(number) * UNITS[unit] == pytest.approx(amount, rel=0.0051, abs=0.5 if whole else 0.0051)
    assert float(number) < 1000 or unit == "TB"


@pytest.mark.parametrize(
    ("value", "text"), [(0.00004, "< 0.001"), (0.0011, "0.0011"), (0.0499, "0.05"), (0.62, "0.62"), (None, words.NONE)]
)
def test_chances(value, text):
    assert words.chance(value) == text


def test_an_interval_open_above_says_so():
    assert words.interval({"ci_low": 1.5, "ci_high": None}) == "from 1.50"
    assert words.interval({"ci_low": None, "ci_high": None}) == ""
    assert words.interval(None) == ""


def test_lists():
    assert [words.listed("abcde"[:n]) for n in (1, 2, 3, 4)] == ["a", "a and b", "a, b and c", "a, b and 2 more"]


@given(st.text(), st.integers(5, 60))
def test_a_shortened_name_fits_and_keeps_its_ends(name, width):
    short = words.shortened(name, width)
    assert len(short) <= width
    assert short[0] == name[0] if name else short == ""
    assert short.endswith(name[-1:])


@given(st.text())
def test_what_is_visible_is_printable(text):
    assert words.visible(text).isprintable()


def test_the_sentence_of_the_brief():
    assert words.sentence(ITEM, TERMS) == (
        "Uploads to Xiaomi continued in incognito mode: 12.1 kB per session in incognito mode against 12.3 kB in normal "
        "browsing (ratio 0.98, 95 % interval 0.91\N{EN DASH}1.06; the same within ±25 %; 8 incognito and 8 normal sessions)."
    )


@pytest.mark.parametrize("word", ["continues", "reduced", "stops", "increases", "appears", "inconclusive", "absent"])
def test_every_verdict_of_the_contract_has_its_own_sentence(word):
    told = words.sentence({**ITEM, "verdict": word, "needed_sessions": 14}, TERMS)
    others = [words.title({**ITEM, "verdict": other}, TERMS) for other in words.VERDICTS if other != word]
    assert words.title({**ITEM, "verdict": word}, TERMS) not in others
    assert "8 incognito and 8 normal sessions" in told
    assert ("q = 0.62" in told) == (word not in {"continues", "absent"})
    assert ("about 14 sessions of each mode" in told) == (word == "inconclusive")
    assert "{" not in TERMS.meaning(word)
    assert len({verdict.symbol for verdict in words.VERDICTS.values()}) == len(words.VERDICTS) == 7


def test_a_mode_without_sessions_is_said_and_nothing_compared():
    told = words.sentence({**ITEM, "modes": {"normal": MODES["normal"]}, "verdict": "inconclusive"}, TERMS)
    assert told.endswith("there is no session in incognito mode, so nothing was compared.")


def test_no_sentence_says_who_sent_it_or_what():
    for word in words.VERDICTS:
        told = words.sentence({**ITEM, "verdict": word}, TERMS)
        assert not re.search(r"\b(browser|app|history|spie[sd]|tracks?|personal)\b", told)


def test_other_modes_and_bounds_are_called_by_their_own_names():
    options = {"baseline": "before", "compared": "after", "margin": 0.1, "alpha": 0.01, "stop_ratio": 0.05}
    terms = words.Terms.of({"per": "minute", "basis": {"options": options}})
    item = {**ITEM, "modes": {"before": MODES["normal"], "after": MODES["incognito"]}}
    assert words.sentence(item, terms) == (
        "Uploads to Xiaomi continued in after mode: 12.1 kB per minute in after mode against 12.3 kB in before mode "
        "(ratio 0.98, 99 % interval 0.91\N{EN DASH}1.06; the same within ±10 %; 8 after and 8 before sessions)."
    )
    assert "0.05" in terms.meaning("stops")
    assert terms.ordered({"zebra", "idle", "after", "before", "apple"}) == ["before", "after", "idle", "apple", "zebra"]
    assert [terms.role(mode) for mode in ("before", "after", "idle", "normal")] == [
        "normal",
        "incognito",
        "idle",
        "other",
    ]


def test_a_ratio_that_leaves_the_idle_rate_out_says_so():
    idle = {**MODES["normal"], "mean": 400.0}
    assert "ratio 0.98 beyond the 400 B of an idle device, 95 % interval" in words.sentence(
        {**ITEM, "modes": {**MODES, "idle": idle}}, TERMS
    )
