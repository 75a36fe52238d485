"""Results of `compare` as it writes them, for cases that a report must tell apart; numbers come from drawn sessions."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SENSORS, TRACKING, MISTAT = "sa.api.intl.miui.com", "tracking.intl.miui.com", "data.mistat.intl.xiaomi.com"
HOSTILE = "<script>alert(1)</script>\u202e\x1b[31mmoc.elpmaxe\x07[bold]$\\frac{1}{2}$"

Spec = dict[str, Any]
NO_RATIO = {"estimate": None, "ci_low": None, "ci_high": None}


def host(key: str, owner: str | None, category: str | None, country: str | None, **mean: float) -> Spec:
    """A destination and its true mean bytes per mode."""
    return {"key": key, "owner": owner, "category": category, "country": country, "mean": mean}


PLAIN = [
    host(MISTAT, "Xiaomi", "telemetry", "SG", normal=640, incognito=640, idle=630),
    host("www.google-analytics.com", "Google", "analytics", "US", normal=6200, incognito=6350),
    host("cdn.assetdock.example", None, "cdn", "US", normal=5100, incognito=5000),
    host("www.delta-dagblad.example", None, None, "NL", normal=9300, incognito=9900),
    host("forum.tinkerbench.example", None, None, "FI", normal=300, incognito=1400),
    host("145.239.5.80", None, None, "FR", normal=800, incognito=300),
]
CASES: dict[str, list[Spec]] = {
    "leaky": [host(SENSORS, "Xiaomi", "telemetry", "SG", normal=12300, incognito=12100), *PLAIN],
    "honest": [host(SENSORS, "Xiaomi", "telemetry", "SG", normal=12300, incognito=0), *PLAIN],
    "swap": [
        host(SENSORS, "Xiaomi", "telemetry", "SG", normal=12300, incognito=0),
        host(TRACKING, "Xiaomi", "telemetry", "SG", normal=0, incognito=12250),
        *PLAIN,
    ],
    "hostile": [
        host(HOSTILE, '"><img src=x onerror=alert(1)>\u2066', "telemetry", "<b", normal=9e3, incognito=9e3),
        host("=cmd|' /C calc'!A0\n\u2028next", None, None, None, normal=50, incognito=70),
        host("数据.example" + "x" * 240, "数据\u0000", "ads", "CN", normal=1e7, incognito=3e7),
    ],
    "empty": [],
    "many": [
        host(f"h{i:03d}.very-long-subdomain-name.cdn-provider-{i % 7}.example", f"Owner {i % 11}" if i % 3 else None,
             "ads" if i % 5 else "telemetry", ("US", "DE", "SG", "NL")[i % 4], normal=9e5 / (i + 1), incognito=9e5 / (i + 2))
        for i in range(240)
    ],
}  # fmt: skip


def summary(values: list[float], exchanges: int, source: random.Random) -> Spec:
    """One mode of an ITEM."""
    ordered, n = sorted(values), len(values)
    means = sorted(sum(source.choices(values, k=n)) / n for _ in range(400))
    return {
        "sessions": n, "mean": sum(values) / n, "median": ordered[n // 2], "ci_low": means[10], "ci_high": means[-11],
        "exchanges": exchanges,
    }  # fmt: skip


def verdict(low: float, high: float, top: float, bottom: float, idle: float) -> str:
    """The contract's words, from the interval of the ratio."""
    if top - idle <= 0.1 * idle:
        return "appears" if bottom - idle > 0.1 * idle else "absent"
    if high < 0.2:
        return "stops"
    if 0.75 <= low <= high <= 1.25:
        return "continues"
    if high < 1:
        return "reduced"
    return "increases" if low > 1 else "inconclusive"


def item(key: str, values: dict[str, list[float]], source: random.Random, **about: Any) -> Spec:
    """An ITEM of the contract from bytes per session."""
    modes = {mode: summary(each, sum(map(bool, each)) * 4, source) for mode, each in values.items() if each}
    idle = modes["idle"]["mean"] if "idle" in modes else 0.0
    draws = []
    for _ in range(400 if {"normal", "incognito"} <= modes.keys() else 0):
        normal, incognito = (
            sum(source.choices(values[mode], k=len(values[mode]))) / len(values[mode]) - idle
            for mode in ("normal", "incognito")
        )
        if normal > 0:
            draws.append(max(incognito, 0) / normal)
    draws.sort()
    low, high = (draws[len(draws) // 40], draws[-len(draws) // 40 - 1]) if draws else (None, None)
    normal, incognito = (modes.get(mode, {}).get("mean", 0.0) for mode in ("normal", "incognito"))
    word = verdict(low if draws else 0, high if draws else 9, normal, incognito, idle)
    if word != "absent" and min(len(values["normal"]), len(values["incognito"])) < 4:
        word = "inconclusive"
    return {
        "key": key, "name": key, "owner": None, "category": None, "countries": [], **about, "modes": modes,
        "ratio": {"estimate": draws[len(draws) // 2], "ci_low": low, "ci_high": high} if draws and word != "absent" else NO_RATIO,
        "difference": {"estimate": incognito - normal, "ci_low": incognito - normal - 900, "ci_high": incognito - normal + 900},
        "p": None if word == "absent" else 0.5 if word in {"continues", "inconclusive"} else 0.0002,
        "q": None if word == "absent" else 0.62 if word in {"continues", "inconclusive"} else 0.0011,
        "verdict": word, "needed_sessions": 14 if word == "inconclusive" else None, "coupling": None,
    }  # fmt: skip


def build(case: str = "leaky", *, pairs: int = 8, idle: int = 2, dropped: int | None = 0, per: str = "session") -> Spec:
    """A whole result; the same arguments give the same one."""
    source = random.Random(f"{case}/{pairs}")
    specs = CASES[case]
    marks = []
    for pair in range(pairs):
        marks += source.sample(["normal", "incognito"], 2)
        marks += ["idle"] if pair < idle else []
    sessions, volumes, bins, at = [], [], [], START
    drawn: dict[str, dict[str, list[float]]] = {
        spec["key"]: {"normal": [], "incognito": [], "idle": []} for spec in specs
    }
    for number, mode in enumerate(marks):
        name, end = f"{mode}-{number:02d}", at + timedelta(seconds=120)
        total = 0
        for spec in specs:
            mean = spec["mean"].get(mode, 0)
            sent = max(0, int(source.gauss(mean, mean * 0.09))) if mean else 0
            drawn[spec["key"]][mode].append(sent)
            total += sent
            if not sent:
                continue
            volumes.append({"session": name, "key": spec["key"], "owner": spec["owner"], "up_app_bytes": sent,
                            "up_wire_bytes": int(sent * 1.3) + 900, "exchanges": 4})  # fmt: skip
            bins += [
                {"time": stamp(at + timedelta(seconds=second)), "key": spec["key"], "owner": spec["owner"],
                 "device": "192.168.4.20", "up_app_bytes": sent // 4}
                for second in range(10, 120, 30)
            ]  # fmt: skip
        sessions.append({"session": name, "device": "192.168.4.20", "mode": mode, "start": stamp(at), "end": stamp(end),
                         "seconds": 120.0, "visits": 0 if mode == "idle" else 5, "exchanges": 60, "up_app_bytes": total,
                         "up_wire_bytes": int(total * 1.3), "down_app_bytes": total * 30,
                         "down_wire_bytes": total * 32})  # fmt: skip
        at = end + timedelta(seconds=20 if number != len(marks) // 2 else 5400)
    silent = {mode: [0.0] * marks.count(mode) for mode in ("normal", "incognito", "idle")}
    every = [drawn[spec["key"]] for spec in specs]
    owners = sorted({spec["owner"] for spec in specs if spec["owner"]})
    bytes_read = sum(each["up_wire_bytes"] for each in volumes)
    return {
        "schema": "wiretally.compare/1",
        "capture": [{
            "source": "/home/somebody/captures/phone.pcapng.zst", "linktype": "ethernet", "packets": 48210,
            "wire_bytes": 31_220_118 + bytes_read, "dropped": dropped, "truncated": 0, "malformed": 3, "unsupported": 41,
            "counted": 48166, "cut_short": False, "first_seen": stamp(START), "last_seen": stamp(at), "sha256": "ab" * 32,
        }],
        "sessions": sessions, "measure": "up_app_bytes", "per": per,
        "destinations": [
            item(spec["key"], drawn[spec["key"]], source, owner=spec["owner"], category=spec["category"],
                 countries=[spec["country"]] if spec["country"] else [])
            for spec in specs
        ],
        "owners": [
            item(owner, summed([drawn[s["key"]] for s in specs if s["owner"] == owner]), source, owner=owner,
                 countries=sorted({s["country"] for s in specs if s["owner"] == owner and s["country"]}))
            for owner in owners
        ],
        "total": item("total", summed(every) if every else silent, source),
        "volumes": volumes,
        "timeline": {"bin_seconds": 1.0, "bins": bins},
        "basis": {
            "options": {"alpha": 0.05, "margin": 0.25, "stop_ratio": 0.2, "resamples": 4999, "seed": 1, "per": per,
                        "baseline": "normal", "compared": "incognito", "idle": "idle", "two_one_sided_level": 0.1},
            "seed": 1, "warnings": [f"{dropped} packets were lost while capturing: no verdict is 'stops'"] if dropped else [],
            "versions": {"wiretally": "0.1.0", "python": "3.11.7", "numpy": "2.4.6"},
            "databases": [{
                "name": "DB-IP Country Lite", "kind": "country", "path": "/opt/geo/country.mmdb", "build_date": "2026-10-01",
                "licence": "CC BY 4.0", "attribution": "IP Geolocation by DB-IP (https://db-ip.com)", "sha256": "cd" * 32,
            }],
        },
    }  # fmt: skip


def bare() -> Spec:
    """As little as the contract lets a result hold: what was not measured is null or not there."""
    result = build("swap", idle=0)
    for each in [*result["destinations"], *result["owners"], result["total"]]:
        each["ratio"] = dict(NO_RATIO)
        each.update(p=None, q=None, verdict="inconclusive", countries=[], name=None)
        for mode in each["modes"].values():
            mode.update(ci_low=None, ci_high=None)
    result["total"]["ratio"] = {"estimate": 7.5, "ci_low": 1.1, "ci_high": None}
    result["destinations"][0].update(ratio=None, difference=None)
    for session in result["sessions"]:
        session["visits"] = None
    result["capture"] = [{"source": "-", "packets": 5, "wire_bytes": 300, "dropped": None, "first_seen": None, "last_seen": None}]
    result["timeline"]["bins"], result["volumes"] = [], []
    result["basis"] = {"seed": 1}
    return result


def summed(parts: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    """Bytes per session over several destinations."""
    return {mode: [sum(each) for each in zip(*(part[mode] for part in parts), strict=True)] for mode in parts[0]}


def stamp(time: datetime) -> str:
    """RFC 3339 with nine digits."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


@pytest.fixture(scope="session", params=[*CASES, "bare", "inconclusive", "dropped", "minute"])
def result(request) -> Spec:
    """Every case in turn, as it is: not to be changed."""
    return {
        "bare": bare,
        "inconclusive": lambda: build("leaky", pairs=2, idle=0),
        "dropped": lambda: build("honest", dropped=12),
        "minute": lambda: build("leaky", per="minute"),
    }.get(request.param, lambda: build(request.param))()


@pytest.fixture(scope="session")
def rendered(result) -> str:
    """The page of every case in turn."""
    from wiretally.report.html import render

    return render(result)


@pytest.fixture
def make():
    """The builder itself."""
    return build
