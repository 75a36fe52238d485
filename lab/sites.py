"""What the lab's web sites are made of: pages with style sheets, scripts, pictures and an analytics third party.

Everything is made from its own address, so a page is the same in every session and every recording. Sizes are those
of small real pages. Each page reports to the analytics host as pages do, in every mode, with a body of random length:
content noise that an analysis must not take for the browser's telemetry.
"""

from __future__ import annotations

import random
import struct
import zlib
from http import HTTPStatus
from typing import NamedTuple

from .hosts import ANALYTICS, LIBRARIES
from .web import Request, Response

DAY = 86400
TEXT = (
    "the harbour council said on tuesday that ferries would return in early summer after repairs to the old pier "
    "residents had asked for a timetable since march while shops along the quay waited for visitors and a new bakery "
    "opened behind the market square where mild weather brought crowds to tables under chestnut trees a spokesman "
    "added nothing about costs though engineers expect less than first feared because timber from the north arrived "
    "ahead of plan readers wrote to us with photographs of boats gulls bicycles and one very patient dog"
)
WORDS = TEXT.split(" ")


class Site(NamedTuple):
    """`pictures` are (count, bytes each); an empty `analytics` or `pictures_host` means none, or the site itself."""

    title: str
    slugs: tuple[str, ...]
    paragraphs: int
    pictures: tuple[int, int]
    pictures_host: str = ""
    analytics: str = ANALYTICS
    libraries: bool = False


SITES = {
    "www.northbridge-courier.example": Site(
        "Northbridge Courier",
        ("2020/05/ferry-returns-to-the-old-pier", "2020/05/council-votes-on-night-buses", "2020/04/letters-k3f9a2q"),
        10,
        (2, 1500),
        pictures_host="img.northbridge-courier.example",
        libraries=True,
    ),
    "www.delta-dagblad.example": Site(
        "Delta Dagblad",
        ("binnenland/artikel/5120394", "economie/artikel/5119877", "sport/artikel/5120011"),
        11,
        (1, 2200),
        libraries=True,
    ),
    "shop.harbourgoods.example": Site(
        "Harbour Goods",
        ("p/oilskin-jacket-navy-l?ref=front", "p/enamel-kettle-2l", "search?q=rain+boots+wide+fit&page=2"),
        5,
        (3, 1100),
        pictures_host="img.harbourgoods.example",
        analytics="metrics.harbourgoods.example",
    ),
    "forum.tinkerbench.example": Site(
        "Tinkerbench",
        ("t/48213/bricked-my-router-help", "t/47990/solder-fume-advice?page=3"),
        12,
        (1, 900),
        analytics="",
        libraries=True,
    ),
    "www.pocket-recipes.example": Site(
        "Pocket Recipes",
        ("soups/lentil-and-lemon", "bread/no-knead-rye-overnight"),
        6,
        (2, 1900),
    ),
    "www.clinic-answers.example": Site(
        "Clinic Answers",
        ("conditions/panic-attacks/symptoms", "medicines/sertraline/side-effects"),
        9,
        (1, 1500),
    ),
    "www.quiet-travel.example": Site(
        "Quiet Travel",
        ("guides/faroe-in-five-days", "rail/night-trains-2020"),
        7,
        (2, 1800),
    ),
    "wiki.openalmanac.example": Site(
        "Open Almanac",
        ("wiki/Tidal_range", "wiki/Sea_shanty", "wiki/Special:Search?search=lighthouse+keepers"),
        14,
        (1, 1200),
        analytics="",
    ),
}

PAGES = tuple(f"https://{host}/{slug}" for host, site in SITES.items() for slug in site.slugs)


def answer(request: Request) -> Response:
    """The response of any content or third-party host."""
    host = request.host.lower()
    if host == ANALYTICS or host.startswith("metrics."):
        return _analytics(request)
    if request.target.endswith(".css"):
        return Response(HTTPStatus.OK, "text/css; charset=utf-8", _style(host), DAY)
    if request.target.endswith(".js"):
        return Response(HTTPStatus.OK, "application/javascript; charset=utf-8", _library(request.target), DAY)
    if request.target.endswith(".png"):
        size = int(request.target.rpartition("-")[2].removesuffix(".png"))
        return Response(HTTPStatus.OK, "image/png", _picture(host + request.target, size), DAY)
    site = SITES.get(host)
    if site is None or request.target == "/favicon.ico":
        return Response(HTTPStatus.NOT_FOUND, "text/plain", b"not found")
    return Response(HTTPStatus.OK, "text/html; charset=utf-8", _page(host, site, request.target))


def _analytics(request: Request) -> Response:
    """The script that reports, or the empty answer to a report."""
    if request.target.startswith("/analytics.js"):
        return Response(HTTPStatus.OK, "application/javascript", _REPORTER.encode("ascii"), DAY)
    return Response(HTTPStatus.NO_CONTENT, "", b"")


_REPORTER = """
// Reports the page, with a body of random length: the noise of content.
(function () {
  var where = document.currentScript.dataset.to;
  var alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  function noise(least, most) {
    var out = "", n = least + Math.floor(Math.random() * (most - least));
    while (out.length < n) out += alphabet[Math.floor(Math.random() * alphabet.length)];
    return out;
  }
  addEventListener("load", function () {
    var target = "https://" + where + "/g/collect?v=2&tid=G-7T2KQ0&en=page_view&dl=" + encodeURIComponent(location.href)
      + "&dt=" + encodeURIComponent(document.title) + "&sr=" + screen.width + "x" + screen.height;
    fetch(target, { method: "POST", mode: "no-cors", credentials: "include", keepalive: true, body: "ep=" + noise(40, 700) });
  });
})();
"""


def _page(host: str, site: Site, target: str) -> bytes:
    source = _source(host + target)
    pictures_host = site.pictures_host or host
    count, size = site.pictures
    title = target.rpartition("/")[2].partition("?")[0].replace("-", " ")
    scripts = f'<script src="https://{LIBRARIES}/lib/reader-3.2.1.js" defer></script>\n' if site.libraries else ""
    if site.analytics:
        where = site.analytics
        scripts += f'<script src="https://{where}/analytics.js" data-to="{where}" async></script>\n'
    body = []
    for number in range(site.paragraphs):
        body.append(f"<p>{_prose(source, 60)}</p>")
        if number < count:
            length = size + source.randrange(size // 4)
            address = f"https://{pictures_host}/i/{source.getrandbits(40):x}-{length}.png"
            body.append(f'<img src="{address}" alt="" width="320">')
    links = "".join(f'<li><a href="/{slug}">{slug}</a>' for slug in site.slugs)
    text = "\n".join(body)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} - {site.title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/a/site.css">
{scripts}</head>
<body><header><h1>{site.title}</h1><nav><ul>{links}</ul></nav></header>
<main><h2>{title}</h2>
{text}
</main></body></html>
""".encode()


def _style(host: str) -> bytes:
    source = _source(host)
    rules = [
        f".{source.choice(WORDS)}-{number} {{ margin: {source.randrange(40)}px; color: #{source.getrandbits(24):06x}; }}"
        for number in range(60)
    ]
    return ("body { font: 17px/1.5 serif; max-width: 40em; margin: auto; }\n" + "\n".join(rules)).encode("ascii")


def _library(target: str) -> bytes:
    source = _source(target)
    functions = [
        f"function {source.choice(WORDS)}{number}(a, b) {{ return a * {source.randrange(9999)} + b; }}"
        for number in range(90)
    ]
    return "\n".join(functions).encode("ascii")


def _picture(name: str, size: int) -> bytes:
    """A valid PNG of about `size` bytes of grey noise (RFC 2083 §3.2)."""
    source = _source(name)
    width = 64
    rows = b"".join(b"\0" + source.randbytes(width) for _ in range(max(1, size // (width + 1))))
    head = struct.pack("!IIBBBBB", width, len(rows) // (width + 1), 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    parts = [
        struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _prose(source: random.Random, words: int) -> str:
    return " ".join(source.choice(WORDS) for _ in range(words)).capitalize() + "."


def _source(name: str) -> random.Random:
    """The same randomness for the same name."""
    return random.Random(name)
