from functools import cache

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wiretally.geo.catalogue import MAX_NAME, UNKNOWN, Catalogue
from wiretally.geo.names import WORDS, Names

LIST = "domain,match,owner,product,category\nmine.miui.com,,Me,,ads\ngoogle.com,exact,,,\nco.uk,,,,listed\n"


@pytest.fixture(scope="module")
def plain():
    return Catalogue()


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    path = tmp_path_factory.mktemp("lists") / "own.csv"
    path.write_text(LIST)
    return Catalogue(theirs=[str(path)])


def one_by_one(catalogue, names):
    found = [catalogue.find(name) for name in names]
    return [(*each[:4], catalogue.parent(each.owner)) for each in found]


@cache
def columns(catalogue):
    return Names(catalogue)


def together(catalogue, names):
    frame = columns(catalogue).look_up(pl.Series("name", names, pl.String))
    assert frame["name"].to_list() == names
    return frame.select(WORDS).rows()


LABEL = st.sampled_from(["", "a", "www", "mine", "data", "sa.api.intl", "telemetry", "xn--p1ai", "8", "\\046", "co", "B"])
END = st.sampled_from(["miui.com", "MIUI.com.", "mi.com", "google.com", "bbc.co.uk", "co.uk", "example.org", "kobe.jp", "8.8.8.8",
                       "city.kobe.jp", "рф", "İ.com", "K.com", "[2001:db8::1]:443", "miui.com:443", "example.8", ".", ""])  # fmt: skip
NAMES = st.lists(st.builds(lambda labels, end: ".".join([*labels, end]), st.lists(LABEL, max_size=4), END) | st.text(max_size=20), max_size=30)


@given(NAMES)
@example(["sa.api.intl.miui.com", "mine.miui.com", "x.mine.miui.com", "google.com", "www.google.com", "a..miui.com", ".miui.com"])
@example(["x" * (MAX_NAME - 9) + ".miui.com", "x" * (MAX_NAME - 8) + ".miui.com", "miui.com" + "." * MAX_NAME])
def test_the_same_as_one_by_one(plain, theirs, names):
    for catalogue in (plain, theirs):
        assert together(catalogue, names) == one_by_one(catalogue, names)


def test_every_domain_of_the_catalogue_and_below_it(plain):
    names = [prefix + domain for domain in {**plain.exact, **plain.suffix} for prefix in ("", "new.", "a.b.")]
    assert together(plain, names) == one_by_one(plain, names)


def test_no_names(plain):
    assert together(plain, []) == []


def test_what_is_no_name_is_unknown(plain):
    assert together(plain, ["", "8.8.8.8", "com"]) == [(*UNKNOWN[:4], None)] * 3


def test_names_of_very_many_labels_end(plain):
    deep = "a." * (MAX_NAME // 2) + "b"
    assert together(plain, [deep, "a" + deep]) == one_by_one(plain, [deep, "a" + deep])
