"""One word for how far a country can be believed.

Theory: databases are often wrong for servers, and wrong in public. So a country is never given without what was found
when it was asked about: whether a second database says the same, whether the address belongs to somebody who answers
from many places, and whether the round trip leaves room for it. One status, the first of these that holds:

`refuted`   the server answered sooner than light could have gone there and back: it is not in that country
`shared`    a content network or anycast: the address has no one place, whatever a database says
`v6_low`    an IPv6 address, placed by the bundled database only, which is right for three in four
`agree`     both databases name the same country
`disputed`  they do not, or only one of them knows any

Rules: registration is shown beside it and never counts as place: for cloud servers abroad it is wrong 97 times in 100.
"""

from __future__ import annotations

import polars as pl

from .roundtrips import MARGIN_KM

REFUTED, SHARED, V6_LOW, AGREE, DISPUTED = "refuted", "shared", "v6_low", "agree", "disputed"
STATUSES = (AGREE, DISPUTED, SHARED, V6_LOW, REFUTED)
PLAUSIBLE, IMPOSSIBLE, UNKNOWN = "plausible", "impossible", "unknown"


def checked() -> pl.Expr:
    """`geo_check` from `max_distance_km` and `away_km`, the distance to the nearest point of the country."""
    most, away = pl.col("max_distance_km"), pl.col("away_km")
    return (
        pl.when(most.is_null() | away.is_null())
        .then(pl.lit(UNKNOWN))
        .when(away > most + MARGIN_KM)
        .then(pl.lit(IMPOSSIBLE))
        .otherwise(pl.lit(PLAUSIBLE))
    )


def status(*, weak_ipv6: bool) -> pl.Expr:
    """`geo_status` from remote_ip, country, country_second, shared and geo_check; null where nothing is known."""
    ipv6 = pl.col("remote_ip").str.contains(":", literal=True) & pl.lit(weak_ipv6)
    return (
        pl.when(pl.col("geo_check") == IMPOSSIBLE)
        .then(pl.lit(REFUTED))
        .when(pl.col("shared").is_not_null())
        .then(pl.lit(SHARED))
        .when(pl.col("country").is_null())
        .then(pl.lit(None, pl.String))
        .when(ipv6)
        .then(pl.lit(V6_LOW))
        .when((pl.col("country") == pl.col("country_second")).fill_null(value=False))
        .then(pl.lit(AGREE))
        .otherwise(pl.lit(DISPUTED))
    )
