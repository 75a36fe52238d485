"""Pages are the same each time, and everything that they ask for is there."""

import io
import re
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest
from PIL import Image
from wiretally.lab.hosts import BY_NAME
from wiretally.lab.sites import PAGES, SITES, answer
from wiretally.lab.web import Request


def get(url):
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    return answer(Request("GET", parts.netloc, target, b"", 0))


@pytest.mark.parametrize("url", PAGES)
def test_a_page_and_all_it_needs_is_served(url):
    page = get(url)
    assert page.status == HTTPStatus.OK
    assert page == get(url)
    needs = re.findall(r'(?:src|stylesheet" href)="([^"]+)"', page.body.decode())
    assert len(needs) >= 2
    for need in needs:
        address = need if need.startswith("https:") else f"https://{urlsplit(url).netloc}{need}"
        assert urlsplit(address).netloc in BY_NAME
        response = get(address)
        assert response.status == HTTPStatus.OK
        assert response.body
        if address.endswith(".png"):
            Image.open(io.BytesIO(response.body)).load()


def test_most_pages_report_to_analytics():
    assert 0 < sum(bool(site.analytics) for site in SITES.values()) < len(SITES)
    reports = answer(Request("POST", "www.google-analytics.com", "/g/collect?v=2", b"ep=noise", 8))
    assert (reports.status, reports.body) == (HTTPStatus.NO_CONTENT, b"")


def test_what_is_not_there_is_not_found():
    assert get("https://www.quiet-travel.example/favicon.ico").status == HTTPStatus.NOT_FOUND
    assert answer(Request("GET", "nobody.example", "/", b"", 0)).status == HTTPStatus.NOT_FOUND
