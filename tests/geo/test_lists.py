import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.core.errors import InputError
from wiretally.geo import lists as module
from wiretally.geo.catalogue import Catalogue
from wiretally.geo.lists import CATEGORIES, Row, read_list

HOSTS = """\
# Title: a hosts file
127.0.0.1 localhost
0.0.0.0 tracker.vendor.example  other.vendor.example # why
::1 ip6-localhost
0.0.0.0 not_a_name
plain.vendor.example
*.wild.example
"""
RULES = """\
[Adblock Plus 2.0]
! Title: rules
||telemetry.vendor.example^
||ads.example^$third-party
||path.example/pixel
||some.example^$script
@@||allowed.example^
example.com##.banner
"""
ADGUARD = {
    "categories": {"4": "advertising", "15": "telemetry", "8": "misc"},
    "trackers": {
        "xiaomi_tracking": {"name": "Xiaomi Tracking", "categoryId": 15, "url": None, "companyId": "xiaomi"},
        "odd": {"name": "Odd", "categoryId": 8, "companyId": None},
    },
    "trackerDomains": {"tracking.example": "xiaomi_tracking", "odd.example": "odd", "gone.example": "nobody"},
}


def written(tmp_path, content, name="list.txt"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(path)


def rows(tmp_path, content, name="list.txt"):
    return read_list(written(tmp_path, content, name)).rows


class TestForms:
    def test_a_hosts_file(self, tmp_path):
        found = read_list(written(tmp_path, HOSTS))
        assert [(row.domain, row.exact) for row in found.rows] == [
            ("tracker.vendor.example", True), ("other.vendor.example", True), ("plain.vendor.example", True),
            ("wild.example", False),
        ]  # fmt: skip
        assert found.left_out == 1
        assert {row.category for row in found.rows} == {"listed"}

    def test_rules(self, tmp_path):
        found = read_list(written(tmp_path, RULES))
        assert [(row.domain, row.exact) for row in found.rows] == [("telemetry.vendor.example", False), ("ads.example", False)]
        assert found.left_out == 4

    def test_adguards_companies(self, tmp_path):
        assert rows(tmp_path, ADGUARD) == [
            Row("tracking.example", exact=False, owner="xiaomi", product="Xiaomi Tracking", category="telemetry"),
            Row("odd.example", exact=False, owner="Odd", product="Odd"),
            Row("gone.example", exact=False),
        ]
        written(tmp_path, {"companies": {"xiaomi": {"name": "Xiaomi, Inc."}}}, "companies.json")
        assert rows(tmp_path, ADGUARD)[0].owner == "Xiaomi, Inc."

    def test_a_table(self, tmp_path):
        table = "# mine\nDomain,owner,category,match,product\nA.example.,Me,telemetry,exact,Mine\nb.example,,,,\n,x,,,\n"
        assert rows(tmp_path, table) == [
            Row("a.example", exact=True, owner="Me", product="Mine", category="telemetry"), Row("b.example", exact=False)
        ]  # fmt: skip

    def test_a_word_for_a_list_that_has_none(self, tmp_path):
        path = written(tmp_path, HOSTS)
        assert {row.category for row in read_list(f"telemetry={path}").rows} == {"telemetry"}

    @pytest.mark.parametrize(
        "content",
        ["", "\n\n", "# only words\n", "{}", "{", '{"trackers": 1, "trackerDomains": {"a.example": 1}}', "[" * 99_999,
         '{"trackers": ' + "[" * 99_999, "<html>", "\0\0\0", "domain,category\na.example,nonsense\n", "domain\n"],
    )  # fmt: skip
    def test_what_is_no_list_is_one_line(self, tmp_path, content):
        with pytest.raises(InputError) as caught:
            rows(tmp_path, content)
        assert "\n" not in str(caught.value)
        assert "list.txt" in str(caught.value)

    def test_missing_a_folder_and_bytes_that_are_no_text(self, tmp_path):
        (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
        for path in (tmp_path / "absent", tmp_path, tmp_path / "x"):
            with pytest.raises(InputError, match="list of hosts"):
                read_list(str(path))

    def test_limits(self, tmp_path, monkeypatch):
        monkeypatch.setattr(module, "MOST_ROWS", 2)
        assert len(rows(tmp_path, "a.example\nb.example\n")) == 2
        with pytest.raises(InputError, match="more than 2 hosts"):
            rows(tmp_path, "a.example\nb.example\nc.example\n")
        monkeypatch.setattr(module, "MOST_BYTES", 10)
        assert rows(tmp_path, "a.example\n")
        with pytest.raises(InputError, match="MiB"):
            rows(tmp_path, "a.example\n\n")

    @given(st.text(max_size=200))
    def test_any_text_is_a_list_or_one_line(self, tmp_path_factory, text):
        path = tmp_path_factory.getbasetemp() / "any.txt"
        path.write_text(text, encoding="utf-8", errors="replace")
        try:
            found = read_list(str(path)).rows
        except InputError:
            found = []
        assert all(module.HOST.fullmatch(row.domain) for row in found)


class TestFirstWord:
    def test_theirs_win_and_the_output_says_so(self, tmp_path):
        mine = written(tmp_path, "domain,owner,category\nxiaomi.com,Me,ads\n", "mine.csv")
        found = Catalogue(theirs=[mine]).find("data.mistat.xiaomi.com")
        assert (found.owner, found.category, found.source, found.evidence) == ("Me", "ads", "list:mine.csv", "mine.csv")
        assert Catalogue(theirs=[mine]).find("www.google.com").source != "list:mine.csv"

    def test_what_a_list_does_not_say_is_filled_in(self, tmp_path):
        hosts = written(tmp_path, "0.0.0.0 new.xiaomi.com\n0.0.0.0 a.nobody.example\n")
        catalogue = Catalogue(theirs=[f"telemetry={hosts}"])
        found = catalogue.find("new.xiaomi.com")
        assert (found.owner, found.category, found.source) == ("Xiaomi Corporation", "telemetry", "list:list.txt")
        assert catalogue.find("a.nobody.example")[:4] == ("nobody.example", None, "telemetry", "list:list.txt")

    def test_the_first_list_has_the_first_word(self, tmp_path):
        one, two = (written(tmp_path, f"domain,owner\na.example,{name}\n", f"{name}.csv") for name in ("one", "two"))
        assert Catalogue(theirs=[one, two]).find("a.example").owner == "one"
        assert Catalogue(theirs=[two, one]).find("a.example").owner == "two"

    def test_it_is_among_what_the_result_rests_on(self, tmp_path):
        info = Catalogue(theirs=[written(tmp_path, HOSTS)]).info()[-1]
        assert (info["name"], info["kind"], info["type"]) == ("list.txt", "catalogue", "the user's own list")


def test_the_readme_explains_every_category():
    from wiretally.geo.databases import BUNDLED

    readme = (BUNDLED / "README.md").read_text().partition("## The catalogue")[2]
    assert all(f"| `{word}` |" in readme for word in CATEGORIES)
