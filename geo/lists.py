"""Lists of hosts that users bring: whatever form they come in, rows of domain and what is known of it.

Theory: four forms are told apart by what is in the file. A table (CSV with a column `domain`) and AdGuard's companies
database (JSON) say whose a host is and what it is for. Hosts files and Adblock-style rules (`||host^`) say only that a
host is on the list: what that means is up to whoever made it. So a word may be given with the file, `telemetry=FILE`;
without one the category is the bundled catalogue's where that has one, as owner and product are, else `listed`.

Rules: files come from anywhere: a line that is no rule for a host is left out and counted; a file without any such line
is an error, in one line.
"""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CATEGORIES = (  # data/README.md explains the words
    "telemetry", "telemetry_mixed", "analytics", "ads", "marketing", "crash", "push", "update", "config", "security",
    "location", "connectivity", "time", "sync", "search", "social", "content", "cdn", "hosting", "dns", "service", "listed",
)  # fmt: skip
LISTED = "listed"
ADGUARD = {  # companiesdb's categories -> ours; the others say nothing of a purpose
    "advertising": "ads", "pornvertising": "ads", "site_analytics": "analytics", "mobile_analytics": "analytics",
    "telemetry": "telemetry", "cdn": "cdn", "hosting": "hosting", "social_media": "social", "audio_video_player": "content",
    "customer_interaction": "service", "essential": "service", "comments": "service", "consent": "service", "email": "service",
}  # fmt: skip
MOST_BYTES = 64 << 20
MOST_ROWS = 1 << 21
HOST = re.compile(r"(?:[\w-]{1,63}\.)+[\w-]{2,63}")
RULE = re.compile(r"\|\|(?P<host>[^/^$*|]+)\^?\|?(?:\$(?P<options>.*))?")
COSMETIC = re.compile(r"\S#[@?$%]*#")  # a rule for what a page shows, not for a host
HARMLESS = {"third-party", "3p", "important", "all", "document", "popup"}  # of a rule's options: it still names the host
ADDRESS = re.compile(r"[\da-fA-F.:]+(?:%\w+)?")
LOCAL = {"localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-localhost", "ip6-loopback", "0.0.0.0"}  # noqa: S104


class Row(NamedTuple):
    """A domain and what a list says of it; None where it says nothing. `exact`: not what lies below."""

    domain: str
    exact: bool
    owner: str | None = None
    product: str | None = None
    category: str | None = None


class Theirs(NamedTuple):
    """One list of the user's: its name as the output says it, its rows, and how many lines were no rule for a host."""

    name: str
    path: Path
    rows: list[Row]
    left_out: int


def read_list(asked: str) -> Theirs:
    """The list that `asked` names: a path, or CATEGORY=path. `InputError` where it cannot be understood."""
    word, _, rest = asked.partition("=")
    given = word if rest and word in CATEGORIES and not Path(asked).exists() else None
    path = Path(rest if given else asked).expanduser()
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: more than {MOST_BYTES >> 20} MiB: give a shorter list")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a list of hosts ({_why(error)})") from error
    rows: list[Row] = []
    left_out = 0
    for row in _rows(text, path):
        if row is None:
            left_out += 1
            continue
        rows.append(row._replace(category=given) if given else row)
        if len(rows) > MOST_ROWS:
            raise InputError(f"{path}: more than {MOST_ROWS} hosts: give a shorter list")
    if not rows:
        raise InputError(f"{path}: names no host: give a hosts file, rules such as ||host^, AdGuard's trackers.json, or a CSV "
                         "with a column domain")  # fmt: skip
    return Theirs(path.name, path, rows, left_out)


def _rows(text: str, path: Path) -> Iterable[Row | None]:
    """By the form of the file; None for a line that is no rule for a host."""
    start = text.lstrip()
    if start.startswith("{"):
        return _adguard(text, path)
    header = next((line for line in start.splitlines() if line.strip() and not line.startswith(("#", "!"))), "")
    if "domain" in [cell.strip().strip('"').lower() for cell in header.split(",")]:
        return _table(start[start.index(header) :], path)
    return _lines(text)


def _lines(text: str) -> Iterator[Row | None]:
    """Hosts files, Adblock-style rules and plain lists, also mixed."""
    for line in text.splitlines():
        if COSMETIC.search(line):
            yield None
            continue
        words = [line.strip()] if line.lstrip().startswith(("||", "@@")) else line.partition("#")[0].split()
        if not words or words[0].startswith(("!", "[")):
            continue
        rule = RULE.fullmatch(words[0])
        if rule:
            options = set(filter(None, (rule["options"] or "").split(",")))
            yield _row(rule["host"], exact=False) if options <= HARMLESS else None
        elif len(words) > 1 and ADDRESS.fullmatch(words[0]):
            for word in words[1:]:
                if word not in LOCAL:
                    yield _row(word, exact=True)
        elif len(words) == 1 and not ADDRESS.fullmatch(words[0]):
            yield _row(words[0].removeprefix("*."), exact=not words[0].startswith("*."))
        else:
            yield None


def _row(host: str, *, exact: bool) -> Row | None:
    domain = host.lower().strip(".")
    return Row(domain, exact, category=LISTED) if HOST.fullmatch(domain) else None


def _table(text: str, path: Path) -> Iterator[Row | None]:
    """CSV with `domain`, and where it has them `match` (exact, suffix), `owner`, `product`, `category`."""
    table = csv.DictReader(io.StringIO(text))
    try:
        table.fieldnames = [name.strip().lower() for name in table.fieldnames or ()]
        if "domain" not in table.fieldnames:
            raise InputError(f"{path}: line 1: no column domain: check the quotes of the header")
        for cells in table:
            row = _row((cells["domain"] or "").strip(), exact=(cells.get("match") or "").strip() == "exact")
            category = (cells.get("category") or "").strip() or None
            if category and category not in CATEGORIES:
                raise InputError(f"{path}: line {table.line_num}: category {category[:40]!r} is none of {', '.join(CATEGORIES)}")
            owner, product = ((cells.get(name) or "").strip() or None for name in ("owner", "product"))
            yield row and row._replace(owner=owner, product=product, category=category)
    except csv.Error as error:
        raise InputError(f"{path}: line {table.line_num}: not a table ({_why(error)})") from error


def _adguard(text: str, path: Path) -> Iterator[Row | None]:
    """`trackers.json` of AdGuard's companiesdb; the companies' names from a `companies` object in it or beside it."""
    try:
        whole = json.loads(text)
        trackers, domains = whole["trackers"], whole["trackerDomains"]
        companies = whole.get("companies") or _beside(path)
        categories = whole.get("categories", {})
        for domain, key in domains.items():
            tracker = trackers.get(key) or {}
            company = companies.get(str(tracker.get("companyId"))) or {}
            row = _row(domain, exact=False)
            yield row and row._replace(
                owner=_text(company.get("name")) or _text(tracker.get("companyId")) or _text(tracker.get("name")),
                product=_text(tracker.get("name")),
                category=ADGUARD.get(str(categories.get(str(tracker.get("categoryId"))))),
            )
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: not AdGuard's trackers.json: it needs trackers and trackerDomains ({_why(error)})") from error


def _beside(path: Path) -> dict[str, Any]:
    """`companies.json` in the same folder, where that is as AdGuard publishes it."""
    try:
        found = json.loads((path.parent / "companies.json").read_text(encoding="utf-8"))["companies"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _why(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
