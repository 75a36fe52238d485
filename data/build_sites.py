"""Converts the package top-sites into sites.csv: `python -m wiretally.data.build_sites`.

Theory: what people visit is content. A list of the sites that most others link to keeps the catalogue honest: none of
them, nor its `www`, may count as telemetry (`tests/data/test_sites.py`).
"""

from __future__ import annotations

import csv
import json

from .sources import HERE, package, published

PACKAGE = "top-sites"
COLUMNS = ("rank", "domain", "source", "licence", "date")


def main() -> None:
    """Writes the file."""
    with package(PACKAGE) as source:
        sites = json.loads((source.folder / "top-sites.json").read_text(encoding="utf-8"))
        rest = (f"{PACKAGE} {source.version} (Moz Top 500)", "MIT", published(PACKAGE, source.version))
    path = HERE / "sites.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((site["rank"], site["rootDomain"].lower(), *rest) for site in sites)
    print(f"{path.name}: {len(sites)} sites, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
