"""Many names through the catalogue at once.

Theory: `Catalogue.find` asks for the name itself, then for each domain that it lies in, the longest first. Here all names
take each of these steps together, as a join with the catalogue's domains; those that have found their row go no further.
What no row covers is asked for its registrable domain, and every distinct answer is written out once.

Rules: the same answers as `find`, which the tests hold it to. What this cannot do in columns goes there one by one: names
outside ASCII (whose small letters are Python's), with ports or brackets, that may be addresses, and those that a list of
the user's has a word on.
"""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from .catalogue import DOMAIN, MAX_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from .catalogue import Attribution, Catalogue

ODD = r"[:\[]|[0-9]$|^$"  # a port or brackets, perhaps an address, nothing
NOBODY = -1
WORDS = ("owner", "product", "category", "attribution_source", "parent")


class Names:
    """A catalogue's rows as columns, to look names up in."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._ours = _steps(catalogue.exact, catalogue.suffix)
        self._theirs = _steps(catalogue.their_exact, catalogue.their_suffix) if catalogue.theirs else None
        self._answers = self._columns([*catalogue.suffix.values(), *catalogue.exact.values()])

    def look_up(self, names: pl.Series) -> pl.DataFrame:
        """A row per name, in order: name, owner, product, category, attribution_source, parent; null where unknown."""
        hosts = names.str.to_lowercase().str.strip_chars_end(".")
        long, ascii_ = hosts.str.len_bytes() > MAX_NAME, names.str.len_bytes() == names.str.len_chars()
        odd = (long | ~ascii_ | hosts.str.contains(ODD)).to_numpy()
        places = _longest(hosts, self._ours)
        if self._theirs:
            odd = odd | (_longest(hosts, self._theirs) != NOBODY)
        alone, uncovered = np.flatnonzero(odd), np.flatnonzero((places == NOBODY) & ~odd)
        parts = (
            self._answers,
            self._columns([self._catalogue.find(name) for name in names.gather(alone)]),
            self._domains(hosts.gather(uncovered)),
        )
        places[alone] = parts[0].height + np.arange(len(alone))
        places[uncovered] = parts[0].height + parts[1].height + np.arange(len(uncovered))
        answers = pl.concat(parts)
        return pl.DataFrame([names, *(answers[word].gather(places) for word in WORDS)])

    def _columns(self, rows: Sequence[Attribution]) -> pl.DataFrame:
        """`WORDS` of each row."""
        columns = ([each[at] for each in rows] for at in range(4))  # owner, product, category, source
        found = [pl.Series(word, column, pl.String) for word, column in zip(WORDS[:4], columns, strict=True)]
        return pl.DataFrame([*found, self._parents(found[0])])

    def _domains(self, hosts: pl.Series) -> pl.DataFrame:
        """`WORDS` of hosts that no row covers: the registrable domain stands for the owner."""
        registrable = self._catalogue.registrable
        owners = pl.Series("owner", [registrable(host) for host in hosts], pl.String)
        source = pl.when(owners.is_not_null()).then(pl.lit(DOMAIN)).alias("attribution_source")
        silent = (pl.lit(None, pl.String).alias(word) for word in ("product", "category"))
        return pl.select(owners, *silent, source, self._parents(owners))

    def _parents(self, owners: pl.Series) -> pl.Series:
        return owners.replace(self._catalogue.parents).alias("parent")


def _steps(exact: Mapping[str, Attribution], suffix: Mapping[str, Attribution]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """`tail`, and its `place` among the rows, suffixes first: what the first step asks for, of the name itself, and all others."""
    domains = pl.Series("tail", [*suffix, *exact], pl.String)
    table = pl.DataFrame([domains, pl.Series("place", range(len(domains)), pl.Int64)])
    return table.unique("tail", keep="last"), table.head(len(suffix))  # of both kinds the exact row, of the name itself


def _longest(hosts: pl.Series, steps: tuple[pl.DataFrame, pl.DataFrame]) -> npt.NDArray[np.int64]:
    """int64[n]: the place of the row for each host or for the longest domain that it lies in; `NOBODY` without one."""
    first, others = steps
    found = np.full(len(hosts), NOBODY)
    left = pl.DataFrame([hosts.alias("tail")]).with_row_index("row")
    for table in chain([first], repeat(others)):
        asked = left.join(table, on="tail", how="left")
        met = asked.filter(pl.col("place").is_not_null())
        found[met["row"].to_numpy()] = met["place"].to_numpy()
        above = pl.col("tail").str.splitn(".", 2).struct.field("field_1")
        left = asked.filter(pl.col("place").is_null()).select("row", tail=above).filter(pl.col("tail").is_not_null())
        if left.is_empty():
            break
    return found
