"""The telemetry format: Sensors Analytics' `crc`, `gzip`, `data_list` form, and MiStat's heartbeat form.

Written from the published description of the format (Palant 2020; the SDK's documented fields), not from its code.
A body is `crc=<hash>&gzip=1&data_list=<base64 of gzip of a JSON array>`, URL-encoded; `crc` is Java's
`String.hashCode` of the base64 text. Nothing in it is encrypted below TLS. The identity is a made-up device's.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
import uuid
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode

Event = dict[str, Any]

SDK_VERSION = "3.2.10"
APP_VERSION = "3.4.0"
PATH = "/sa?project=global_browser_mini&r=NL"
HEARTBEAT_PATH = "/mistats/v2"


class Device(NamedTuple):
    """Who the agent says it is: the same in every session, which is the point of the identifier."""

    android_id: str
    identity: str

    @classmethod
    def made_up(cls, seed: int) -> Device:
        """A device that belongs to nobody."""
        source = random.Random(seed)
        return cls(f"{source.getrandbits(64):016x}", str(uuid.UUID(int=source.getrandbits(128), version=4)))


def page_event(device: Device, name: str, url: str, time_ms: int, track_id: int, referrer: str = "") -> Event:
    """One `track` event of the browser, such as `page_load_event_start`, for a URL; with the one before where asked."""
    before = {"$referrer": referrer} if referrer else {}
    return {
        "_track_id": track_id,
        "time": time_ms,
        "type": "track",
        "distinct_id": device.identity,
        "lib": {
            "$lib": "Android",
            "$lib_version": SDK_VERSION,
            "$app_version": APP_VERSION,
            "$lib_method": "code",
            "$lib_detail": "com.miui.analytics.SensorsReporter##track##SensorsReporter.java##118",
        },
        "event": name,
        "properties": {
            "$lib": "Android",
            "$lib_version": SDK_VERSION,
            "$os": "Android",
            "$os_version": "9",
            "$manufacturer": "Xiaomi",
            "$model": "Redmi Note 8",
            "$app_version": APP_VERSION,
            "$screen_width": 1080,
            "$screen_height": 2340,
            "$screen_orientation": "portrait",
            "$carrier": "KPN",
            "$wifi": True,
            "$network_type": "WIFI",
            "$device_id": device.android_id,
            "$is_first_day": False,
            "uuid": device.identity,
            "internet_status": "WIFI",
            "platform": "AndroidApp",
            "miui_version": "V11.0.3.0.PCOMIXM",
            "miui_region": "NL",
            "system_language": "en_GB",
            "url": url,
            **before,
        },
    }


def noisy_event(device: Device, url: str, time_ms: int, track_id: int, noise: str) -> Event:
    """An event that holds the address and random text: a length that says little."""
    return {"_track_id": track_id, "time": time_ms, "distinct_id": device.identity, "event": "page_view",
            "properties": {"url": url, "trace": noise}}  # fmt: skip


def reduced_event(device: Device, time_ms: int, track_id: int) -> Event:
    """An event that says that a page was opened, not which; always of the same length."""
    return {"event": "page_view", "time": time_ms, "id": f"{track_id & 0xFFFFFFFF:010d}", "who": device.android_id}


def java_hash(text: str) -> int:
    """Java's `String.hashCode`: s[0]·31ⁿ⁻¹ + … over UTF-16 units, as a signed 32-bit integer."""
    value = 0
    units = text.encode("utf-16-be")
    for at in range(0, len(units), 2):
        value = (31 * value + (units[at] << 8 | units[at + 1])) & 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


def encode(events: list[Event], flush_time_ms: int) -> bytes:
    """The body of one POST."""
    stamped = [{**event, "_flush_time": flush_time_ms} for event in events]
    text = json.dumps(stamped, separators=(",", ":"), ensure_ascii=False)
    data = base64.b64encode(gzip.compress(text.encode("utf-8"), compresslevel=6, mtime=0)).decode("ascii")
    return urlencode({"crc": java_hash(data), "gzip": 1, "data_list": data}).encode("ascii")


def encode_plain(events: list[Event]) -> bytes:
    """The body of one POST of reduced events, uncompressed: its length depends on nothing but their number."""
    records = [json.dumps(event, separators=(",", ":")) for event in events]
    # filled up to whole groups of three bytes, which become whole groups of four characters
    text = "[" + ",".join(record + " " * (-(len(record) + 1) % 3) for record in records) + "]  "
    data = base64.urlsafe_b64encode(text.encode("ascii")).decode("ascii")
    return f"crc={java_hash(data) & 0xFFFFFFFF:010d}&gzip=0&data_list={data}".encode("ascii")


def decode(body: bytes) -> list[Event]:
    """The events of a POST body. Raises `ValueError` where it is not one, or its checksum is wrong."""
    form = parse_qs(body.decode("ascii"), strict_parsing=True)
    if set(form) == {"crc", "gzip", "data_list"} and form["gzip"] == ["0"]:
        data = form["data_list"][0]
        if int(form["crc"][0]) != java_hash(data) & 0xFFFFFFFF:
            message = f"lab: crc {form['crc'][0]} does not belong to the data"
            raise ValueError(message)
        plain: list[Event] = json.loads(base64.urlsafe_b64decode(data))
        return plain
    if set(form) != {"crc", "gzip", "data_list"} or form["gzip"] != ["1"]:
        message = f"lab: a telemetry form has the fields {sorted(form)}"
        raise ValueError(message)
    data = form["data_list"][0]
    if int(form["crc"][0]) != java_hash(data):
        message = f"lab: crc {form['crc'][0]} does not belong to the data"
        raise ValueError(message)
    events = json.loads(gzip.decompress(base64.b64decode(data, validate=True)))
    if not isinstance(events, list):
        message = "lab: data_list holds no list"
        raise ValueError(message)  # noqa: TRY004  (malformed data, not a caller's mistake)
    return events


def heartbeat(device: Device, beat: int) -> bytes:
    """The body of MiStat's periodic POST: it says that the device lives, and nothing about pages."""
    form = {
        "app_id": "2882303761517406012",
        "app_key": "5181740612012",
        "device_id": device.android_id,
        "channel": "mi_market",
        "version": APP_VERSION,
        "mistatv": 3,
        "policy": 0,
        "interval": 300000,
        "id_type": 1,
        "size": 1,
        "stat_value": f"hb:{beat:06d}",
    }
    return urlencode(form).encode("ascii")
