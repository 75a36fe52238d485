"""Whose host a name is, what it belongs to, and what it is for.

Theory: the catalogue is lists of domains in `data/catalogue/`, each row with its source. A row covers one name
(`exact`) or a domain with all below it (`suffix`). The longest domain wins; for the same domain the project's own list
comes before third-party-web, and inside a list the exact row before the suffix. A name that no row covers still has a
registrable domain, by the Public Suffix List: that stands for an owner whom nobody here knows. Owners may belong to
others: `owners.csv` says to whom.

The user's own lists (`lists.py`) come before all of these, the first of them first; what they do not say of a host is
filled in from below, but the word is theirs.

Rules: names come from the network: any text is answered, nothing is looked up anywhere but here.
"""

from __future__ import annotations

import csv
import ipaddress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import DatabaseError
from .databases import BUNDLED, sha256
from .lists import LISTED, read_list
from .suffixes import Suffixes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS = ("owner", "domain", "match", "product", "category", "country", "source", "licence", "date")
MAX_NAME = 4 * 253  # RFC 1035 §2.3.4 allows 253 characters of text; each may be written as \DDD
OWNER_COLUMNS = ("owner", "parent", "source", "date")
CATALOGUE, THIRD_PARTY_WEB, DOMAIN = "catalogue", "third-party-web", "domain"
OWN_LIST = "the user's own list"


class List(NamedTuple):
    """A file of the catalogue; `word` is what `attribution_source` says of its rows."""

    word: str
    name: str
    path: Path
    licence: str
    attribution: str


LISTS = (  # the first word first
    List(CATALOGUE, "wiretally catalogue", BUNDLED / "catalogue" / "vendors.csv", "Apache-2.0",
         "compiled from the sources that each row names"),
    List(THIRD_PARTY_WEB, "third-party-web", BUNDLED / "catalogue" / "third-party-web.csv", "MIT",
         "Copyright (c) 2019 Patrick Hulce"),
)  # fmt: skip


OWNERS = BUNDLED / "catalogue" / "owners.csv"


class Attribution(NamedTuple):
    """Who, what, what for, and by whose word: `list:FILE`, `catalogue`, `third-party-web`, `domain`; None where unknown."""

    owner: str | None
    product: str | None
    category: str | None
    source: str | None
    evidence: str | None = None  # the row's own source, with its date


UNKNOWN = Attribution(None, None, None, None)


class Catalogue:
    """Rows by domain; `DatabaseError` where a file cannot be read."""

    def __init__(self, lists: Sequence[List] = LISTS, theirs: Sequence[str] = ()) -> None:
        """`theirs`: the user's own lists, as `lists.read_list` takes them; `InputError` where one is none."""
        self.lists = lists
        self._suffixes = Suffixes()
        self.theirs = [read_list(asked) for asked in theirs]
        self.exact: dict[str, Attribution] = {}
        self.suffix: dict[str, Attribution] = {}
        self._dates: dict[str, str] = {}
        for each in lists:
            self._load(each)
        self.parents = _parents()
        self.their_exact: dict[str, Attribution] = {}
        self.their_suffix: dict[str, Attribution] = {}
        for own in reversed(self.theirs):
            for row in reversed(own.rows):
                said = Attribution(row.owner, row.product, row.category, f"list:{own.name}", own.name)
                (self.their_exact if row.exact else self.their_suffix)[row.domain] = said

    def _load(self, each: List) -> None:
        exact: dict[str, Attribution] = {}
        suffix: dict[str, Attribution] = {}
        tables = {"exact": exact, "suffix": suffix}
        newest = ""
        try:
            with each.path.open(newline="", encoding="utf-8") as file:
                rows = csv.reader(file)
                if tuple(next(rows, ())) != COLUMNS:
                    raise DatabaseError(f"{each.path}: line 1: expected the columns {','.join(COLUMNS)}")
                for row in filter(None, rows):
                    if len(row) != len(COLUMNS) or not row[0] or not row[1] or row[2] not in tables:
                        raise DatabaseError(
                            f"{each.path}: line {rows.line_num}: a row needs every column, a domain, an owner and a "
                            "match: exact or suffix"
                        )
                    owner, domain, match, product, category, _, source, _, date = row
                    said = Attribution(owner, product or None, category or None, each.word, f"{source}, {date}")
                    tables[match].setdefault(domain, said)
                    newest = max(newest, date)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DatabaseError(f"{each.path}: cannot be read: install the package anew ({error})") from error

        self._dates[each.word] = newest
        # an earlier list's word for a domain stands, whichever kind of row it gave it in
        self.exact = {domain: row for domain, row in exact.items() if domain not in self.suffix} | self.exact
        self.suffix = suffix | self.suffix

    def find(self, name: str) -> Attribution:
        """What is known of a host's name; `UNKNOWN` for addresses, empty and impossible names."""
        host = bare(name) if ":" in name or "[" in name else name.lower().rstrip(".")
        if not host or len(host) > MAX_NAME or ((host[-1].isdigit() or ":" in host) and is_address(host)):
            return UNKNOWN
        found = _longest(host, self.exact, self.suffix) or self._by_domain(host)
        theirs = _longest(host, self.their_exact, self.their_suffix) if self.theirs else None
        if theirs is None:
            return found
        says_nothing = theirs.category in {None, LISTED}
        category = (found.category or theirs.category) if says_nothing else theirs.category
        if theirs.owner is None and theirs.product is None:  # they say at most what for
            return theirs._replace(owner=found.owner, product=found.product, category=category)
        return theirs._replace(owner=theirs.owner or found.owner, category=category)

    def parent(self, owner: str | None) -> str | None:
        """The organisation that an owner belongs to at last, else the owner itself."""
        return owner if owner is None else self.parents.get(owner, owner)

    def _by_domain(self, host: str) -> Attribution:
        domain = self.registrable(host)
        return UNKNOWN if domain is None else Attribution(domain, None, None, DOMAIN, "Public Suffix List")

    def registrable(self, host: str) -> str | None:
        """The domain that somebody registered: one label below a public suffix of ICANN's; None for a suffix."""
        return self._suffixes.registrable(host)

    def info(self) -> list[dict[str, str | None]]:
        """The files as `Database.info` gives them; the date is that of the newest row."""
        return [
            {
                "name": each.name, "kind": "catalogue", "path": str(each.path), "type": "csv",
                "build_date": self._dates.get(each.word), "licence": each.licence, "attribution": each.attribution,
                "sha256": sha256(each.path),
            }
            for each in self.lists
        ] + [
            {
                "name": each.name, "kind": "catalogue", "path": str(each.path), "type": OWN_LIST,
                "build_date": f"{datetime.fromtimestamp(each.path.stat().st_mtime, UTC):%Y-%m-%d}", "licence": None,
                "attribution": None, "sha256": sha256(each.path),
            }
            for each in self.theirs
        ]  # fmt: skip


def _longest(host: str, exact: dict[str, Attribution], suffix: dict[str, Attribution]) -> Attribution | None:
    """The row for the host itself, else for the longest domain that it lies in."""
    found = exact.get(host)
    tail = host
    while found is None:
        found = suffix.get(tail)
        _, dot, tail = tail.partition(".")
        if not dot:
            break
    return found


def _parents(path: Path = OWNERS) -> dict[str, str]:
    """Owners to the organisation at the top; `DatabaseError` where the file cannot be read or goes in a circle."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if tuple(rows.fieldnames or ()) != OWNER_COLUMNS:
                raise DatabaseError(f"{path}: line 1: expected the columns {','.join(OWNER_COLUMNS)}")
            direct = {row["owner"]: row["parent"] for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatabaseError(f"{path}: cannot be read: install the package anew ({error})") from error
    found = {}
    for owner in direct:
        top = owner
        for _ in range(len(direct) + 1):
            if top not in direct:
                break
            top = direct[top]
        else:
            raise DatabaseError(f"{path}: {owner} belongs to itself in the end: install the package anew")
        found[owner] = top
    return found


def bare(name: str) -> str:
    """A host in lower case without a final dot, brackets or a port: RFC 3986 §3.2.2, §3.2.3."""
    host = name.lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    return host.rstrip(".")


def is_address(host: str) -> bool:
    """Whether a host is an IP address."""
    if not host or not (host[-1].isdigit() or ":" in host):
        return False  # a word with dots that ends in a letter is a name
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
