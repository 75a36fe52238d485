"""The page: valid, alone, inert, the same bytes, within a size that can be mailed."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from wiretally.report.html import render
from wiretally.report.words import VERDICTS

VOID = {"meta", "link", "br", "img", "input", "hr"}
LOADS = {"src", "srcset", "href", "xlink:href", "action", "data", "poster", "background", "formaction"}
TIDY_IS_OLDER = (  # than groups in <dl> (HTML Living Standard §4.4.9), and dislikes elements that only have a look
    "<dl>", "</dl>", "missing <dd>", "missing </div> before <dt>", "trimming empty",
)  # fmt: skip
STEERING = re.compile("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Page(HTMLParser):
    """Tags that balance, ids, and what is referred to."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.uses, self.text, self.attributes = [], [], [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        assert len(dict(attrs)) == len(attrs)
        self.ids += [value for name, value in attrs if name == "id"]
        self.uses += [(tag, value) for name, value in attrs if name in LOADS]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


def test_tags_balance_and_ids_are_unique(rendered):
    page = Page(rendered)
    assert len(page.ids) == len(set(page.ids))
    assert page.tags.count("h1") == page.tags.count("main") == 1
    for tag, name, value in page.attributes:
        if name == "aria-labelledby":
            assert value in page.ids, tag


@pytest.mark.skipif(not shutil.which("tidy"), reason="tidy is not on this machine")
def test_tidy_finds_no_error(rendered):
    run = subprocess.run(
        ["tidy", "-q", "-e", "--drop-empty-elements", "no"],
        input=rendered,
        capture_output=True,
        text=True,
        check=False,
    )
    wrong = [line for line in run.stderr.splitlines() if "Warning" in line or "Error" in line]
    wrong = [line for line in wrong if not any(known in line for known in TIDY_IS_OLDER)]
    assert wrong == []


def test_nothing_is_loaded_from_anywhere(rendered):
    page = Page(rendered)
    assert not {"script", "iframe", "object", "embed", "img", "form", "base"} & set(page.tags)
    for tag, value in page.uses:
        assert value.startswith("#") or (tag == "a" and value.startswith("https://db-ip.com")) or value == "data:,"
    assert "@import" not in rendered
    assert not re.search(r"url\((?!#)", rendered)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in rendered


def test_hostile_names_are_inert(make):
    text = render(make("hostile"))
    assert "<script" not in text
    assert "<img" not in text
    assert not STEERING.search(text)
    page = Page(text)
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert "<script>alert(1)</script>\\u202e\\u001b[31m" in page.text  # shown as what it is
    assert not STEERING.search(html.unescape(text))


def test_every_field_from_outside_is_escaped(make):
    result = make("leaky")
    attack = "</td><script>\u202e"

    def poisoned(value, path=""):
        if isinstance(value, dict):
            return {key: poisoned(each, key) for key, each in value.items()}
        if isinstance(value, list):
            return [poisoned(each, path) for each in value]
        free = {
            "source",
            "linktype",
            "sha256",
            "device",
            "owner",
            "category",
            "name",
            "licence",
            "attribution",
            "warnings",
            "countries",
        }
        return value + attack if isinstance(value, str) and path in free else value

    text = render(poisoned(result))
    assert "<script" not in text
    assert not STEERING.search(text)
    Page(text)


def test_the_same_result_gives_the_same_bytes_and_a_small_file(result, rendered):
    assert render(result) == rendered
    assert len(rendered.encode()) < 1_000_000


def test_what_a_reader_needs_is_there(make):
    result = make("leaky")
    text = " ".join(Page(render(result)).text.replace("\xa0", " ").split())
    for needed in (
        "Uploads to Xiaomi continued in incognito mode", "sa.api.intl.miui.com", "Singapore", "telemetry", "ab" * 32,
        "phone.pcapng.zst", "48,210 packets", "0 packets", "built 2026-10-01", "CC BY 4.0", "IP Geolocation by DB-IP",
        "8 normal, 8 incognito and 2 idle sessions", "Seed", "alpha 0.05", "What is not claimed",
    ):  # fmt: skip
        assert needed in text
    assert "/home/somebody" not in text
    for word in VERDICTS:
        assert word in text


def test_charts_are_described_and_hold_every_session(make):
    text = render(make("leaky"))
    page = Page(text)
    labels = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    assert page.tags.count("svg") == len(labels) == 2 + 6 + 2
    assert "8 sessions" in labels[0]
    assert labels[0] == labels[1]
    headline = text[text.index('<div class="chart wide">') : text.index('<div class="chart narrow">')]
    assert headline.count("<use") == 18


def test_cells_of_tables_have_their_headers(rendered):
    page = Page(rendered)
    headers = [attribute for attribute in page.attributes if attribute[0] == "th" and attribute[1] == "scope"]
    assert len(headers) == page.tags.count("th")
    assert page.tags.count("caption") == page.tags.count("table")


def test_losses_come_before_the_charts(make):
    text = render(make("honest", dropped=12))
    assert text.index("12 packets were lost") < text.index("<svg")


def test_per_minute_and_per_visit(make):
    for per in ("minute", "visit"):
        text = render(make("leaky", per=per))
        assert f"per {per}" in text
        assert f"uploaded per {per}" in text
