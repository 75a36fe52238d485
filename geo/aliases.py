"""CNAME chains that devices were told: which names stand behind a name.

Theory: a site may give a name of its own to somebody else's server (`metrics.shop.example` is an alias of the analytics
company's host): lists of hosts then see the site only. The device's own DNS answer tells the chain (RFC 1034 §3.6.2), so
every member of it can be asked about.

Rules: the newest answer for a name counts. A chain is followed `MAX_CHAIN` steps, and ends where it turns back on itself.
Beyond `MOST_ALIASES` names the oldest are forgotten: their flows are then attributed by the name alone.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CHAIN = 16  # what resolvers follow: BIND max-query-restarts is 11, Unbound MAX_RESTART_COUNT is 11
MOST_ALIASES = 1 << 18


class Aliases:
    """Names and what each is an alias of."""

    def __init__(self) -> None:
        """Knows none."""
        self._target: dict[str, str] = {}
        self.forgotten = 0

    def learn(self, told: pl.DataFrame) -> None:
        """Takes in the CNAME records of a dns table (`answers`: list of name, type, data, ttl), or `name` and `target`."""
        if "answers" in told.columns:
            records = told.select(pl.col("answers").explode()).drop_nulls().unnest("answers")
            told = records.filter(pl.col("type") == "CNAME").select("name", target="data")
        for name, target in told.drop_nulls().unique(keep="last", maintain_order=True).iter_rows():
            self._target.pop(name, None)  # the newest goes to the end
            self._target[name] = target.rstrip(".").lower()
        surplus = len(self._target) - MOST_ALIASES
        if surplus > 0:
            for name in list(islice(self._target, surplus)):
                del self._target[name]
            self.forgotten += surplus

    def names(self, names: pl.Series) -> list[str]:
        """Those that are aliases."""
        return [name for name in names.to_list() if name in self._target]

    def chain(self, name: str) -> Iterator[str]:
        """The names behind a name, one after the other."""
        seen = {name}
        for _ in range(MAX_CHAIN):
            name = self._target.get(name, "")
            if not name or name in seen:
                return
            seen.add(name)
            yield name
