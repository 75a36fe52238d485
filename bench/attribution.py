"""How fast addresses and names are attributed, in how much memory, and how often that is right.

`python -m wiretally.bench.attribution`. Theory: operators publish the region of each of their addresses
(`data/ranges/regions.csv`), which is a truth to hold databases to. Samples are drawn from every prefix and weighted by
its addresses; addresses that no network announces cannot be anybody's destination and are told apart. What is shared has
no true country: of it only the share that is recognised is measured.

The figures to hold: a million distinct addresses in 2 s, a million names in 5 s, 60 MB for all databases together;
`agree` right for 99.5 % of cloud addresses, and given to 90 % of them.
"""

from __future__ import annotations

import argparse
import csv
import ipaddress
import json
import random
import resource
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .processes import machine

if TYPE_CHECKING:
    import polars as pl

    from ..geo.attributor import Attributor

MILLION = 1_000_000
PER_PREFIX = 8
AIMS = {  # bound, and whether the figure has to stay below it
    "a million addresses, s": (2.0, True),
    "a million names, s": (5.0, True),
    "resident memory of all databases, MB": (60.0, True),
    "agree is right, of announced cloud addresses": (0.995, False),
    "agree is given, of announced cloud addresses": (0.90, False),
}


def resident_mb() -> float:
    """Resident memory of this process: the second field of /proc/self/statm, proc_pid_statm(5)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def distinct_addresses(number: int, seed: int = 1) -> list[str]:
    """Random global-looking IPv4 addresses, each once, in no order."""
    words = np.random.default_rng(seed).permutation(
        np.unique(np.random.default_rng(seed).integers(1 << 24, 0xE0000000, number + number // 8, dtype=np.int64))
    )[:number]
    return [f"{word >> 24}.{word >> 16 & 255}.{word >> 8 & 255}.{word & 255}" for word in words.tolist()]


def distinct_names(domains: list[str], number: int, seed: int = 1) -> list[str]:
    """Names, each once: two of three below a domain of the catalogue, the others below domains that nobody knows."""
    chosen = random.Random(seed).choices(domains, k=number)
    return [f"h{at}.{domain}" if at % 3 else f"www.site{at}.co.uk" for at, domain in enumerate(chosen)]


def speed(attributor: Attributor) -> dict[str, float]:
    """Seconds for a million of each, everything warm: of the clock, and of the processor, which depend less on what else runs."""
    addresses = distinct_addresses(MILLION)
    names = distinct_names(catalogue_domains(), MILLION)
    attributor.addresses(addresses[:1000])
    attributor.names(names[:1000])
    found = {}
    for what, look_up, texts in (("addresses", attributor.addresses, addresses), ("names", attributor.names, names)):
        started, busy = time.perf_counter(), time.process_time()
        look_up(texts)
        found[f"a million {what}, s"] = time.perf_counter() - started
        found[f"a million {what}, s of the processor"] = time.process_time() - busy
    return found


def catalogue_domains() -> list[str]:
    """Every domain of the bundled lists."""
    from ..geo.catalogue import LISTS

    found = []
    for each in LISTS:
        with each.path.open(newline="", encoding="utf-8") as file:
            found += [row["domain"] for row in csv.DictReader(file)]
    return found


def statuses(attributor: Attributor, addresses: list[str]) -> pl.DataFrame:
    """remote_ip, country, geo_status, asn of each, in order."""
    import polars as pl

    from ..geo.roundtrips import ASKED

    kinds = ASKED | {"name": pl.String}
    return attributor.join(pl.DataFrame(dict.fromkeys(kinds) | {"remote_ip": addresses}, schema_overrides=kinds))


def samples(prefixes: list[str], seed: int = 1) -> tuple[list[str], list[int], list[float]]:
    """Addresses, the place of the prefix of each, and how many addresses each stands for."""
    draw = random.Random(seed)
    addresses, places, weights = [], [], []
    for place, prefix in enumerate(prefixes):
        network = ipaddress.ip_network(prefix)
        count = min(PER_PREFIX, network.num_addresses)
        for _ in range(count):
            addresses.append(str(network[draw.randrange(network.num_addresses)]))
            places.append(place)
            weights.append(network.num_addresses / count)
    return addresses, places, weights


def accuracy(attributor: Attributor) -> tuple[dict[str, float], list[str]]:
    """The two shares, and lines that tell more."""
    from ..geo.databases import BUNDLED

    with (BUNDLED / "ranges" / "regions.csv").open(newline="", encoding="utf-8") as file:
        truth = list(csv.DictReader(file))
    addresses, places, weights = samples([row["prefix"] for row in truth])
    found = statuses(attributor, addresses)
    counts: Counter[tuple[str, str, str, bool]] = Counter()
    columns = (found[name].to_list() for name in ("country", "geo_status", "asn"))
    for place, weight, country, status, asn in zip(places, weights, *columns, strict=True):
        row = truth[place]
        reach = "announced" if asn is not None else "not announced"
        counts[row["operator"], reach, str(status), country == row["country"]] += int(weight * PER_PREFIX)
    lines = []
    for operator in [*sorted({key[0] for key in counts}), "all"]:
        for reach in ("announced", "not announced"):
            mine = {key: count for key, count in counts.items() if operator in {key[0], "all"} and key[1] == reach}
            total = sum(mine.values())
            for status in sorted({key[2] for key in mine}):
                right, wrong = (sum(c for key, c in mine.items() if key[2:] == (status, good)) for good in (True, False))
                lines.append(f"{operator}, {reach}: {status} {(right + wrong) / total:.2%}, right {right / (right + wrong):.2%}")
    known = {key: count for key, count in counts.items() if key[1] == "announced"}
    agree = {key: count for key, count in known.items() if key[2] == "agree"}
    right = sum(count for key, count in agree.items() if key[3])
    return {
        "agree is right, of announced cloud addresses": right / sum(agree.values()),
        "agree is given, of announced cloud addresses": sum(agree.values()) / sum(known.values()),
    }, lines


def shared(attributor: Attributor) -> list[str]:
    """What becomes of addresses of shared ranges."""
    from ..geo.shared import Shared

    with Shared().ranges.open(newline="", encoding="utf-8") as file:
        prefixes = [row["prefix"] for row in csv.DictReader(file)]
    addresses, _, _ = samples(prefixes)
    counts = Counter(statuses(attributor, addresses)["geo_status"].to_list())
    return [f"shared ranges: {status} {count / len(addresses):.2%} of samples" for status, count in counts.most_common()]


def main() -> int:
    """Measures and prints; as JSON with --json."""
    parser = argparse.ArgumentParser(prog="python -m wiretally.bench.attribution", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    options = parser.parse_args()
    import polars as pl

    from ..geo.attributor import Attributor

    pl.DataFrame({"x": ["a"]}).join(pl.DataFrame({"x": ["a"]}), on="x")  # Polars' own threads and buffers
    before = resident_mb()
    attributor = Attributor.open()
    attributor.addresses(distinct_addresses(20_000, seed=2))
    attributor.names(["www.example.org", "sa.api.intl.miui.com"])
    figures = {"resident memory of all databases, MB": resident_mb() - before}
    figures |= speed(attributor)
    shares, lines = accuracy(attributor)
    figures |= shares
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    for line in [*lines, *shared(attributor)]:
        print(line)
    for name, (bound, below) in AIMS.items():
        held = figures[name] <= bound if below else figures[name] >= bound
        print(f"{'held' if held else 'MISSED'}: {name}: {figures[name]:.4g} ({'at most' if below else 'at least'} {bound:g})")
    for name in sorted(figures.keys() - AIMS.keys()):
        print(f"{name}: {figures[name]:.4g}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
