import csv

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wiretally.core.errors import DatabaseError
from wiretally.geo.catalogue import COLUMNS, LISTS, MAX_NAME, UNKNOWN, Catalogue, List, bare, is_address


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


def written(path, rows, word="catalogue"):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(
            [owner, domain, match, "", "ads", "", "s", "MIT", "2026-01-01"] for owner, domain, match in rows
        )
    return List(word, word, path, "MIT", "them")


def vendor_rows():
    with LISTS[0].path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_vendor_row_resolves_by_its_name_and_below_it(catalogue):
    held = {(row["domain"], row["match"]) for row in vendor_rows()}
    for row in vendor_rows():
        want = (row["owner"], row["product"], row["category"] or None, "catalogue")
        if row["match"] == "exact" or (row["domain"], "exact") not in held:
            assert catalogue.find(row["domain"])[:4] == want
            assert catalogue.find(row["domain"].upper() + ".")[:4] == want
        if row["match"] == "suffix":
            assert catalogue.find(f"never-seen-before.{row['domain']}")[:4] == want
            assert catalogue.find(f"a.b.never-seen-before.{row['domain']}")[:4] == want


def test_every_row_carries_its_source(catalogue):
    for row in vendor_rows():
        if row["match"] == "exact":
            assert catalogue.find(row["domain"]).evidence == f"{row['source']}, {row['date']}"


def test_every_vendor_host_has_its_owner_at_a_new_subdomain_too(catalogue):
    strangers = {
        row["domain"]: owner
        for row in vendor_rows()
        if (owner := catalogue.find(f"new.{row['domain']}").owner) != row["owner"]
    }
    assert strangers == {}


@pytest.mark.parametrize(
    ("name", "owner", "category", "source"),
    [
        ("sa.api.intl.miui.com", "Xiaomi Corporation", "telemetry", "catalogue"),
        ("www.mi.com", "Xiaomi Corporation", None, "catalogue"),
        ("play.googleapis.com", "Google", "telemetry_mixed", "catalogue"),
        ("www.facebook.com", "Meta Platforms", "social", "third-party-web"),
        ("stats.g.doubleclick.net", "Google", "ads", "catalogue"),
        ("www.bbc.co.uk", "bbc.co.uk", None, "domain"),
        ("a.b.example.com.", "example.com", None, "domain"),
        ("xn--bcher-kva.example.рф", "example.рф", None, "domain"),
    ],
)
def test_known_names(catalogue, name, owner, category, source):
    found = catalogue.find(name)
    assert (found.owner, found.category, found.source) == (owner, category, source)


CONTENT = [
    "www.wikipedia.org",
    "www.youtube.com",
    "www.google.com",
    "www.amazon.com",
    "www.reddit.com",
    "www.bbc.co.uk",
    "www.instagram.com",
    "www.netflix.com",
    "www.baidu.com",
    "www.yandex.ru",
    "www.mozilla.org",
    "www.apple.com",
    "www.microsoft.com",
    "www.samsung.com",
    "www.xiaomi.com",
    "www.mi.com",
    "www.huawei.com",
    "www.qq.com",
    "www.facebook.com",
    "www.linkedin.com",
    "github.com",
    "store.steampowered.com",
]


@pytest.mark.parametrize("name", CONTENT)
def test_no_content_host_counts_as_telemetry(catalogue, name):
    assert catalogue.find(name).category not in {"telemetry", "telemetry_mixed", "crash", "ads"}


@pytest.mark.parametrize("name", ["", ".", "com", "co.uk", "8.8.8.8", "2001:db8::1", "[2001:db8::1]:443", "8.8.8.8:80",
                                  "localhost", "a" * (MAX_NAME + 1), "x." * MAX_NAME + "miui.com"])  # fmt: skip
def test_what_is_no_host_of_anybody_is_unknown(catalogue, name):
    assert catalogue.find(name) == UNKNOWN


def test_the_longest_name_and_one_more(catalogue):
    tail = ".tracking.miui.com"
    assert catalogue.find("a" * (MAX_NAME - len(tail)) + tail).owner == "Xiaomi Corporation"
    assert catalogue.find("a" * (MAX_NAME - len(tail) + 1) + tail) == UNKNOWN


@given(st.text(max_size=60) | st.from_regex(r"([\\.\-:\[\]\w]{0,9}\.){0,8}[a-z]{0,4}:?\d*", fullmatch=True))
@example("a..miui.com").via("an empty label")
@example("\x1b[31m.miui.com").via("control characters")
@example("=cmd|' /C calc'!A0.miui.com").via("a formula")
@example("<script>.miui.com").via("mark-up")
@example("..").via("dots")
def test_any_text_is_answered(catalogue, name):
    found = catalogue.find(name)
    assert (found.source is None) == (found.owner is None)
    assert found.owner is None or (found.owner and len(found.owner) <= MAX_NAME)


LABELS = st.sampled_from(["a", "b", "c", "ab"])
DOMAINS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
RULES = st.dictionaries(st.tuples(DOMAINS, st.sampled_from(["exact", "suffix"])), st.sampled_from("PQRS"), max_size=12)


def naive(ours, theirs, name):
    """Every rule is tried; the best is long, then ours, then exact."""
    fits = [
        (len(domain), which == 0, match == "exact", owner)
        for which, rules in enumerate((ours, theirs))
        for (domain, match), owner in rules.items()
        if name == domain or (match == "suffix" and name.endswith("." + domain))
    ]
    return max(fits)[3] if fits else None


@given(ours=RULES, theirs=RULES, names=st.lists(DOMAINS, max_size=8))
def test_longest_then_ours_then_exact(tmp_path_factory, ours, theirs, names):
    folder = tmp_path_factory.mktemp("lists")
    lists = [
        written(folder / f"{word}.csv", [(owner, *key) for key, owner in rules.items()], word)
        for word, rules in (("first", ours), ("second", theirs))
    ]
    catalogue = Catalogue(lists)
    for name in names:
        found = catalogue.find(name)
        assert (found.owner if found.source in {"first", "second"} else None) == naive(ours, theirs, name)


def test_the_date_of_a_list_is_its_newest_row(catalogue):
    ours, theirs = catalogue.info()
    assert ours["build_date"] == max(row["date"] for row in vendor_rows())
    assert theirs["build_date"] == "2026-09-14"
    assert {ours["kind"], theirs["kind"]} == {"catalogue"}
    assert len(ours["sha256"]) == 64


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "line 1"),
        ("domain,owner\n", "line 1"),
        (",".join(COLUMNS) + "\nO,x.example,prefix,,,,,,\n", "line 2"),
        (",".join(COLUMNS) + "\n,x.example,exact,,,,,,\n", "line 2"),
        (",".join(COLUMNS) + "\nO,x.example\n", "line 2"),
        (b"\xff\xfe\x00", "cannot be read"),
        (None, "cannot be read"),
    ],
)
def test_a_damaged_list_is_named_in_one_line(tmp_path, content, says):
    path = tmp_path / "x.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DatabaseError) as caught:
        Catalogue([List("x", "x", path, "MIT", "them")])
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("A.Example.", "a.example"),
        ("a.example:443", "a.example"),
        ("[::1]:80", "::1"),
        ("::1", "::1"),
        ("[", ""),
        (":", ""),
    ],
)
def test_the_bare_host(name, host):
    assert bare(name) == host


@pytest.mark.parametrize(
    ("host", "is_one"), [("1.2.3.4", True), ("::1", True), ("1.2.3", False), ("a.b", False), ("", False)]
)
def test_addresses_among_hosts(host, is_one):
    assert is_address(host) is is_one
