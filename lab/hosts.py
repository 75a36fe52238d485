"""The lab's internet: who answers at which address, how far away, and under which names.

Theory: an analysis is only tested on what looks like the real thing, so hosts carry addresses that geolocation
databases know, round-trip times that fit the place, CNAME chains, and names that the catalogue of owners knows.
Rules: no packet ever leaves the lab's namespaces, so nothing here is ever contacted. Content sites are invented and
live under `.example` (RFC 2606 §2). Round-trip times are as seen from an access point in the Netherlands.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Role = Literal["content", "third_party", "telemetry", "telemetry_alternative", "heartbeat", "background"]

H2 = ("h2", "http/1.1")
HTTP1 = ("http/1.1",)


class Host(NamedTuple):
    """One TLS server: `chain` is the CNAMEs between `name` and `address`; `rtt_ms` is the path beyond the tap."""

    name: str
    address: str
    rtt_ms: float
    role: Role
    alpn: tuple[str, ...] = H2
    chain: tuple[str, ...] = ()


SENSORS = "sa.api.intl.miui.com"
SENSORS_ALTERNATIVE = "tracking.intl.miui.com"
MISTAT = "data.mistat.intl.xiaomi.com"

SHARED = "cdn.assetdock.example"
"""The content network's host that pages load scripts from, and that one arm's telemetry hides behind."""

ANALYTICS = "www.google-analytics.com"
LIBRARIES = SHARED
BACKGROUND = ("play.googleapis.com", "android.clients.google.com", "app-measurement.com")
"""What a phone talks to while nobody touches it."""

HOSTS: tuple[Host, ...] = (
    # The browser vendor, in Singapore. HttpURLConnection speaks HTTP/1.1.
    Host(SENSORS, "161.117.71.74", 163.0, "telemetry", HTTP1, ("sa-intl.alisgp0.mi-traffic.example",)),
    Host(SENSORS_ALTERNATIVE, "161.117.95.22", 164.5, "telemetry_alternative", HTTP1),
    Host(MISTAT, "47.241.69.153", 162.0, "heartbeat", HTTP1),
    # The operating system and an app on it.
    Host(BACKGROUND[0], "142.250.179.138", 7.0, "background", HTTP1),
    Host(BACKGROUND[1], "142.250.186.46", 7.5, "background", HTTP1),
    Host(BACKGROUND[2], "216.58.212.142", 9.0, "background", HTTP1),
    # Third parties: an anycast content network, web analytics, and analytics cloaked behind a first-party name.
    Host(LIBRARIES, "151.101.1.57", 3.5, "third_party", H2, ("assetdock.map.fastly.example",)),
    Host(ANALYTICS, "142.250.185.78", 8.5, "third_party", H2, ("www-alv.google-analytics.com",)),
    Host(
        "metrics.harbourgoods.example",
        "66.235.152.225",
        10.0,
        "third_party",
        H2,
        ("harbourgoods.example.data.adobedc.net",),
    ),
    # Content.
    Host("www.northbridge-courier.example", "78.46.88.202", 11.0, "content"),
    Host("img.northbridge-courier.example", "104.18.32.7", 3.0, "content", H2, ("nbc.edge.cloudcache.example",)),
    Host("www.delta-dagblad.example", "188.166.45.10", 4.0, "content"),
    Host("shop.harbourgoods.example", "54.154.31.77", 19.0, "content"),
    Host("img.harbourgoods.example", "104.18.32.7", 3.0, "content", H2, ("harbour.edge.cloudcache.example",)),
    Host("forum.tinkerbench.example", "95.216.30.12", 28.0, "content", HTTP1),
    Host("www.pocket-recipes.example", "138.201.61.4", 12.5, "content"),
    Host("www.clinic-answers.example", "145.239.5.80", 9.0, "content"),
    Host("www.quiet-travel.example", "52.211.20.8", 20.0, "content"),
    Host("wiki.openalmanac.example", "85.17.30.20", 4.5, "content"),
)

BY_NAME = {host.name: host for host in HOSTS}
BY_ADDRESS = {host.address: host for host in HOSTS}
