"""Names of resolvers that answer DNS over HTTPS (RFC 8484): flows to them hide names.

Theory: inside TLS, DNS over HTTPS looks like any other request; only the server's name tells. The list is of resolvers
that browsers and systems are known to use or that their operators document, each row with its source; resolvers that a
network designates by itself (RFC 9462) are learned from its DNS. One that somebody runs for himself is not recognised.
"""

from __future__ import annotations

import csv
from functools import cache

from ..core.errors import DatabaseError
from .databases import BUNDLED

COLUMNS = ["domain", "provider", "source"]


@cache
def resolvers() -> tuple[str, ...]:
    """The names of the bundled list."""
    path = BUNDLED / "catalogue" / "resolvers.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != COLUMNS:
                raise DatabaseError(f"{path}:1: the header is not {','.join(COLUMNS)}; install wiretally again")
            return tuple(row["domain"] for row in reader)
    except OSError as error:
        raise DatabaseError(f"{path}: cannot be read: {error.strerror}; install wiretally again") from error
