from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from publicsuffixlist import PSLFILE, PublicSuffixList
from wiretally.geo.suffixes import BEGIN, END, Suffixes

WHOLE = PublicSuffixList(only_icann=True)
SUFFIXES = Suffixes()


def rules():
    lines = Path(PSLFILE).read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].splitlines()
    return [line.split()[0] for line in lines if line and not line.startswith("//")]


def test_every_rule_and_what_lies_below_it():
    found = rules()
    assert len(found) > 5000
    for rule in found:
        host = rule.lstrip("!").replace("*", "any")
        for name in (host, f"a.{host}", f"b.a.{host}", f"c.b.a.{host}"):
            assert SUFFIXES.registrable(name) == WHOLE.privatesuffix(name), name
            if not name.isascii():
                wire = name.encode("idna").decode()
                assert SUFFIXES.registrable(wire) == WHOLE.privatesuffix(wire), wire


LABELS = st.lists(st.sampled_from(["a", "www", "co", "uk", "com", "kobe", "city", "jp", "рф", "xn--p1ai", "xn--", "xn--a", "CoM", "", "8"]),
                  max_size=5)  # fmt: skip


@given(LABELS.map(".".join) | st.text(max_size=12))
@example("xn--\u00e9")
@example("")
def test_the_answers_of_the_whole_list(host):
    host = host.rstrip(".")
    assert SUFFIXES.registrable(host) == WHOLE.privatesuffix(host)


@pytest.mark.parametrize(
    ("host", "domain"),
    [("www.bbc.co.uk", "bbc.co.uk"), ("co.uk", None), ("a.b.nobody-has-this", "b.nobody-has-this"), ("x.github.io", "github.io"),
     ("www.city.kobe.jp", "city.kobe.jp"), ("a.b.xn--p1ai", "b.xn--p1ai"), ("localhost", None)],
)  # fmt: skip
def test_known_names(host, domain):
    assert SUFFIXES.registrable(host) == domain


def test_names_in_domains_that_do_not_exist_take_no_memory():
    for number in range(100):
        SUFFIXES.registrable(f"a.nothing{number}")
    assert not any(top.startswith("nothing") for top in SUFFIXES._lists)
