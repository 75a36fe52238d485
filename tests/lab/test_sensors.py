"""The telemetry form: its checksum is Java's, it survives the way, and it has the size that the notes compute."""

import json
import random
import statistics
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wiretally.lab import sensors

DEVICE = sensors.Device.made_up(7)


def event(url, track_id=-12345):
    return sensors.page_event(DEVICE, "page_load_event_start", url, 1588500000000, track_id)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("hello", 99162322),
        ("polygenelubricants", -2147483648),  # known to hash to Integer.MIN_VALUE
        ("\U0001f600", 1772899),  # two UTF-16 units: 0xD83D * 31 + 0xDE00
    ],
)
def test_the_hash_is_javas(text, expected):
    assert sensors.java_hash(text) == expected


@given(st.text(st.characters(codec="ascii"), max_size=200))
def test_the_hash_is_the_polynomial_of_the_java_documentation(text):
    value = sum(ord(letter) * 31 ** (len(text) - 1 - at) for at, letter in enumerate(text)) % (1 << 32)
    assert sensors.java_hash(text) == (value - (1 << 32) if value >= 1 << 31 else value)


@given(st.lists(st.text(max_size=300), min_size=1, max_size=50), st.integers(0, 1 << 42))
def test_what_is_encoded_is_decoded(urls, flush_time):
    events = [event(url.encode("utf-8", "replace").decode()) for url in urls]
    decoded = sensors.decode(sensors.encode(events, flush_time))
    assert decoded == [{**each, "_flush_time": flush_time} for each in events]


def test_the_crc_is_the_hash_of_the_data_as_written():
    form = parse_qs(sensors.encode([event("https://a.example/")], 0).decode(), strict_parsing=True)
    assert list(form) == ["crc", "gzip", "data_list"]
    assert form["gzip"] == ["1"]
    assert int(form["crc"][0]) == sensors.java_hash(form["data_list"][0])


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: body.replace(b"crc=", b"crc=1"),
        lambda body: body.replace(b"gzip=1", b"gzip=0"),
        lambda body: body[:-9],
        lambda body: body + b"&more=1",
        lambda _: b"\xff",
        lambda _: b"",
    ],
)
def test_a_damaged_body_is_refused(damage):
    with pytest.raises(ValueError):  # noqa: PT011  (any text: what matters is that nothing else is raised)
        sensors.decode(damage(sensors.encode([event("https://a.example/")], 0)))


def body_bytes(length, seed):
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    source = random.Random(seed)
    path = "".join(source.choice(letters) for _ in range(length))
    pair = [event("https://www.a.example/" + path, source.getrandbits(31)) for _ in range(2)]
    return len(sensors.encode(pair, 1588500015000))


def test_two_events_of_an_80_character_url_are_about_a_kilobyte():
    assert 750 < statistics.mean(body_bytes(58, seed) for seed in range(20)) < 1050


def test_a_random_character_of_the_url_costs_about_a_byte():
    short, long = (statistics.mean(body_bytes(length, seed) for seed in range(30)) for length in (40, 240))
    assert 0.9 < (long - short) / 200 < 1.3


def test_a_heartbeat_says_nothing_about_pages():
    form = parse_qs(sensors.heartbeat(DEVICE, 3).decode(), strict_parsing=True)
    assert {"app_id", "app_key", "device_id", "channel", "version", "stat_value", "mistatv"} <= set(form)
    assert "url" not in json.dumps(form)
