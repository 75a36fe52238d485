"""Converts the package third-party-web into catalogue/third-party-web.csv: `python -m wiretally.data.build_catalogue`.

Theory: the package names, for domains of the web, the service, its company and a kind; here that becomes owner,
product and one of the catalogue's categories. `*.example.com` there covers example.com and all below it, which is a
`suffix` row here. vendors.csv beside it is kept by hand and has the first word.
"""

from __future__ import annotations

import csv
import json
from typing import Any

from .sources import HERE, package, published

PACKAGE = "third-party-web"
LICENCE = "MIT"
COLUMNS = ("owner", "domain", "match", "product", "category", "country", "source", "licence", "date")
CATEGORIES = {  # README.md explains the words
    "ad": "ads",
    "analytics": "analytics",
    "cdn": "cdn",
    "consent-provider": "service",
    "content": "content",
    "customer-success": "service",
    "hosting": "hosting",
    "marketing": "marketing",
    "other": "",
    "social": "social",
    "tag-manager": "analytics",  # what loads the measuring code, and counts by doing so
    "utility": "service",
    "video": "content",
}
COMPANIES = {  # the package's word for an organisation -> the one that vendors.csv uses, or that several rows share
    "AOL / Oath / Verizon Media": "Yahoo",
    "AOL": "Yahoo",
    "APSIS International AB": "APSIS",
    "Adobe Business Catalyst": "Adobe",
    "Adobe Systems": "Adobe",
    "Amazon Ads": "Amazon",
    "Amazon Pay": "Amazon",
    "Amazon Web Services": "Amazon",
    "Baidu Analytics": "Baidu",
    "Bing Ads": "Microsoft",
    "Blogger": "Google",
    "ByteDance Ltd": "ByteDance",
    "Cloudflare CDN": "Cloudflare",
    "Facebook": "Meta Platforms",
    "Fastly Insights": "Fastly",
    "Firebase": "Google",
    "Google FundingChoices": "Google",
    "Instagram": "Meta Platforms",
    "LinkedIn Ads": "LinkedIn (Microsoft)",
    "LinkedIn": "LinkedIn (Microsoft)",
    "LiveRamp IdentityLink": "LiveRamp",
    "OpenX Technologies": "OpenX",
    "PayPal Ads": "PayPal",
    "Salesforce Commerce Cloud": "Salesforce",
    "Quora Ads": "Quora",
    "Salesforce.com": "Salesforce",
    "Sentry": "Functional Software (Sentry)",
    "Skype": "Microsoft",
    "Snapchat": "Snap",
    "Twitch": "Amazon",
    "Yahoo!": "Yahoo",
    "YouTube": "Google",
}
VISITED = {  # sites that people visit: the package's word is of what other sites embed from there, not of the whole
    "aol.co.uk", "aol.com", "apple.com", "bing.com", "ebay.com", "hp.com", "line.me", "microsoft.com",
    "msn.com", "quora.com", "salesforce.com", "snapchat.com", "theguardian.com", "www.linkedin.com", "yahoo.com",
}  # fmt: skip
CONSENT = " CMP"  # consent platforms are listed apart from the company that runs them


def rows(entities: list[dict[str, Any]], source: str, date: str) -> list[tuple[str, ...]]:
    """Sorted rows of `COLUMNS`, a row per domain pattern; the package knows no countries."""
    found = []
    for entity in entities:
        name = entity["name"]
        company = entity.get("company") or name.removesuffix(CONSENT)
        owner = COMPANIES.get(company, company)
        category = CATEGORIES[entity["category"]]
        for pattern in entity["domains"]:
            match = "suffix" if pattern.startswith("*.") else "exact"
            domain = pattern.removeprefix("*.").lower()
            what = ("", "") if domain in VISITED else (name, category)
            found.append((owner, domain, match, *what, "", source, LICENCE, date))
    return sorted(found, key=lambda row: (row[0].lower(), row[1]))


def main() -> None:
    """Writes the file."""
    with package(PACKAGE) as source:
        entities = json.loads((source.folder / "dist" / "entities-nostats.json").read_text(encoding="utf-8"))
        path = HERE / "catalogue" / "third-party-web.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows(entities, f"{PACKAGE} {source.version}", published(PACKAGE, source.version)))
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
