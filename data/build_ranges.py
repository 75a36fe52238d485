"""Writes ranges/shared.csv and ranges/regions.csv: `python -m wiretally.data.build_ranges --help`.

Theory: operators publish which of their addresses stand where, and which are answered from everywhere at once. The first
are a truth to measure databases by (regions.csv: prefix, country), the second are addresses of which no database can say
where they are (shared.csv). Files are taken as the operators publish them; a published fact has no licence of its own.

Rules: only whole countries are kept of regions. A prefix that is in both lists, or in two countries, is no truth. Local
zones of AWS stand elsewhere than the region that they belong to and are left out.
"""

from __future__ import annotations

import argparse
import csv
import ipaddress
import itertools
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from .sources import HERE

RANGES = HERE / "ranges"
SHARED_COLUMNS = ("prefix", "kind", "operator", "source", "licence", "date")
REGION_COLUMNS = ("prefix", "country", "operator", "source", "date")
OPERATORS = {  # the lists' words -> ours
    "AWS CLOUDFRONT": "Amazon CloudFront", "cloudfront": "Amazon CloudFront", "AWS ROUTE53": "Amazon Route 53",
    "AWS GLOBALACCELERATOR": "AWS Global Accelerator", "Azure AzureTrafficManager": "Azure Traffic Manager",
    "Azure AzureFrontDoor.Frontend": "Azure Front Door", "Azure AzureFrontDoor.FirstParty": "Azure Front Door",
    "gcore": "Gcore", "fastly": "Fastly", "gocache": "GoCache", "cdnetworks": "CDNetworks",
    "kinx": "KINX", "arvancloud": "ArvanCloud", "skbroadband": "SK Broadband", "qrator": "Qrator", "lgtelecom": "LG U+",
    "cafe24": "Cafe24", "百度云加速": "Baidu Yunjiasu", "云盾": "Alibaba Cloud Shield", "加速乐": "Knownsec Jiasule",
    "腾讯云": "Tencent Cloud CDN",
}  # fmt: skip
AWS = """
af-south-1 ZA, ap-east-1 HK, ap-east-2 TW, ap-northeast-1 JP, ap-northeast-2 KR, ap-northeast-3 JP, ap-south-1 IN,
ap-south-2 IN, ap-southeast-1 SG, ap-southeast-2 AU, ap-southeast-3 ID, ap-southeast-4 AU, ap-southeast-5 MY,
ap-southeast-6 NZ, ap-southeast-7 TH, ca-central-1 CA, ca-west-1 CA, cn-north-1 CN, cn-northwest-1 CN, eu-central-1 DE,
eu-central-2 CH, eu-north-1 SE, eu-south-1 IT, eu-south-2 ES, eu-west-1 IE, eu-west-2 GB, eu-west-3 FR, il-central-1 IL,
me-central-1 AE, me-south-1 BH, mx-central-1 MX, sa-east-1 BR, us-east-1 US, us-east-2 US, us-gov-east-1 US,
us-gov-west-1 US, us-west-1 US, us-west-2 US
"""
GOOGLE = """
africa-south1 ZA, asia-east1 TW, asia-east2 HK, asia-northeast1 JP, asia-northeast2 JP, asia-northeast3 KR, asia-south1 IN,
asia-south2 IN, asia-southeast1 SG, asia-southeast2 ID, australia-southeast1 AU, australia-southeast2 AU,
europe-central2 PL, europe-north1 FI, europe-north2 SE, europe-southwest1 ES, europe-west1 BE, europe-west10 DE,
europe-west12 IT, europe-west2 GB, europe-west3 DE, europe-west4 NL, europe-west6 CH, europe-west8 IT, europe-west9 FR,
me-central1 QA, me-central2 SA, me-west1 IL, northamerica-northeast1 CA, northamerica-northeast2 CA, northamerica-south1 MX,
southamerica-east1 BR, southamerica-west1 CL, us-central1 US, us-central2 US, us-east1 US, us-east4 US, us-east5 US,
us-east7 US, us-south1 US, us-west1 US, us-west2 US, us-west3 US, us-west4 US, us-west8 US
"""
AZURE = """
australiacentral AU, australiacentral2 AU, australiaeast AU, australiasoutheast AU, austriaeast AT, brazilse BR,
brazilsouth BR, canadacentral CA, canadaeast CA, centralfrance FR, centralindia IN, centralus US, chilec CL, eastasia HK,
eastus US, eastus2 US, germanyn DE, germanywc DE, indonesiacentral ID, israelcentral IL, italynorth IT, japaneast JP,
japanwest JP, jioindiacentral IN, jioindiawest IN, koreacentral KR, koreasouth KR, malaysiawest MY, mexicocentral MX,
newzealandnorth NZ, northcentralus US, northeurope IE, norwaye NO, norwayw NO, polandcentral PL, qatarcentral QA,
southafricanorth ZA, southafricawest ZA, southcentralus US, southeastasia SG, southfrance FR, southindia IN,
spaincentral ES, swedencentral SE, swedensouth SE, switzerlandn CH, switzerlandw CH, taiwannorth TW, uaecentral AE,
uaenorth AE, uksouth GB, ukwest GB, westcentralus US, westeurope NL, westindia IN, westus US, westus2 US, westus3 US
"""
ORACLE = """
af-johannesburg-1 ZA, ap-chuncheon-1 KR, ap-hyderabad-1 IN, ap-melbourne-1 AU, ap-mumbai-1 IN, ap-osaka-1 JP, ap-seoul-1 KR,
ap-singapore-1 SG, ap-singapore-2 SG, ap-sydney-1 AU, ap-tokyo-1 JP, ca-montreal-1 CA, ca-toronto-1 CA, eu-amsterdam-1 NL,
eu-frankfurt-1 DE, eu-jovanovac-1 RS, eu-madrid-1 ES, eu-marseille-1 FR, eu-milan-1 IT, eu-paris-1 FR, eu-stockholm-1 SE,
eu-zurich-1 CH, il-jerusalem-1 IL, me-abudhabi-1 AE, me-dubai-1 AE, me-jeddah-1 SA, me-riyadh-1 SA, mx-monterrey-1 MX,
mx-queretaro-1 MX, sa-bogota-1 CO, sa-santiago-1 CL, sa-saopaulo-1 BR, sa-valparaiso-1 CL, sa-vinhedo-1 BR, uk-cardiff-1 GB,
uk-london-1 GB, us-abilene-1 US, us-ashburn-1 US, us-boardman-1 US, us-chicago-1 US, us-dallas-1 US, us-phoenix-1 US,
us-saltlake-2 US, us-sanjose-1 US
"""
NOT_SHARED = {"google"}  # that list holds all of Google's addresses, its cloud's regions among them
Found = defaultdict[str, list[str]]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def countries(table: str) -> dict[str, str]:
    """Regions to countries."""
    return dict(pair.split() for pair in table.split(","))


def aws(text: str) -> tuple[str, dict[str, list[str]]]:
    """The date and the prefixes by country of AWS's ip-ranges.json."""
    whole, known, found = json.loads(text), countries(AWS), Found(list)
    anywhere = {
        each["ip_prefix"]
        for each in whole["prefixes"]
        if each["service"] in {"CLOUDFRONT", "GLOBALACCELERATOR", "ROUTE53"}
    }
    for each in whole["prefixes"]:
        if each["region"] in known and each["network_border_group"] == each["region"] and each["ip_prefix"] not in anywhere:
            found[known[each["region"]]].append(each["ip_prefix"])
    return whole["createDate"][:10], found


def google(text: str) -> tuple[str, dict[str, list[str]]]:
    """The same of Google's cloud.json."""
    whole, known, found = json.loads(text), countries(GOOGLE), Found(list)
    for each in whole["prefixes"]:
        if each["scope"] in known and "ipv4Prefix" in each:
            found[known[each["scope"]]].append(each["ipv4Prefix"])
    return whole["creationTime"][:10], found


def azure(text: str) -> tuple[str, dict[str, list[str]]]:
    """The same of Microsoft's ServiceTags_Public.json, which has a number and no date: that of its download."""
    whole, known, found = json.loads(text), countries(AZURE), Found(list)
    for each in whole["values"]:
        code = known.get(each["properties"]["region"])
        if code and each["name"].startswith("AzureCloud."):
            found[code] += [prefix for prefix in each["properties"]["addressPrefixes"] if ":" not in prefix]
    return "2025-07-25", found


def oracle(text: str) -> tuple[str, dict[str, list[str]]]:
    """The same of Oracle's public_ip_ranges.json."""
    whole, known, found = json.loads(text), countries(ORACLE), Found(list)
    for each in whole["regions"]:
        if each["region"] in known:
            found[known[each["region"]]] += [one["cidr"] for one in each["cidrs"]]
    return whole["last_updated_timestamp"][:10], found


READERS: dict[str, tuple[str, Any]] = {
    "aws": ("AWS", aws), "google": ("Google Cloud", google), "azure": ("Azure", azure), "oracle": ("Oracle Cloud", oracle),
}  # fmt: skip


def regions(files: dict[str, Path], shared: list[Network]) -> list[tuple[str, ...]]:
    """Rows of `REGION_COLUMNS`: prefixes joined, without what is shared and without what two countries claim."""
    rows: list[tuple[str, ...]] = []
    taken = list(ipaddress.collapse_addresses(each for each in shared if isinstance(each, ipaddress.IPv4Network)))
    for key, path in files.items():
        operator, read = READERS[key]
        date, found = read(path.read_text(encoding="utf-8"))
        claimed: dict[ipaddress.IPv4Network, str] = {}
        for code, prefixes in sorted(found.items()):
            for network in ipaddress.collapse_addresses(map(ipaddress.IPv4Network, prefixes)):
                claimed[network] = code
        ordered = sorted(claimed, key=lambda each: (each.network_address, each.prefixlen))
        doubtful = {
            one
            for before, after in itertools.pairwise(ordered)
            if before.overlaps(after)
            for one in (before, after)
        }
        rows += [
            (str(each), claimed[each], operator, path.name, date)
            for each in ordered
            if each not in doubtful and not any(each.overlaps(other) for other in taken)
        ]
    return rows


def shared_rows(path: Path, date: str) -> list[tuple[str, ...]]:
    """Rows of `SHARED_COLUMNS` from a list of prefix, kind, operator, source and licence."""
    rows: dict[str, tuple[str, ...]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["operator"] in NOT_SHARED:
                continue
            prefix = str(ipaddress.ip_network(row["prefix"]))
            operator = OPERATORS.get(row["operator"], row["operator"])
            rows.setdefault(prefix, (prefix, row["kind"], operator, row["source"], row["licence"], date))
    return sorted(rows.values(), key=lambda row: (":" in row[0], ipaddress.ip_network(row[0])))


def main() -> None:
    """Writes both files."""
    parser = argparse.ArgumentParser(prog="python -m wiretally.data.build_ranges", description=__doc__)
    parser.add_argument("--shared", type=Path, required=True, help="CSV of prefix,kind,operator,source,licence")
    parser.add_argument("--shared-date", required=True, help="on which it was compiled")
    for key in READERS:
        parser.add_argument(f"--{key}", type=Path, required=True, help="the operator's own file")
    given = vars(parser.parse_args())
    shared = shared_rows(given["shared"], given["shared_date"])
    truth = regions({key: given[key] for key in READERS}, [ipaddress.ip_network(row[0]) for row in shared])
    RANGES.mkdir(exist_ok=True)
    for name, columns, rows in (("shared", SHARED_COLUMNS, shared), ("regions", REGION_COLUMNS, truth)):
        path = RANGES / f"{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        print(f"{path.name}: {len(rows)} rows, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
