"""The beginning of a bundled recording, with the sessions that lie in it: small enough for tests that read it often."""

import csv
import io
from pathlib import Path

import dpkt
import wiretally
import zstandard

SAMPLES = Path(wiretally.__file__).parent / "data" / "samples"
RAW_BYTES = 420_000


def tiny(folder, arm="honest"):
    """Writes capture.pcapng.zst, sessions.csv and visits.csv into `folder`; returns it."""
    with (SAMPLES / arm / "capture.pcapng.zst").open("rb") as file:
        raw = zstandard.ZstdDecompressor().stream_reader(file).read(RAW_BYTES)
    at = 0
    while at + 8 <= len(raw) and at + (size := int.from_bytes(raw[at + 4 : at + 8], "little")) <= len(raw):
        at += size
    (folder / "capture.pcapng.zst").write_bytes(zstandard.ZstdCompressor().compress(raw[:at]))
    last = max(float(time) for time, _ in dpkt.pcapng.Reader(io.BytesIO(raw[:at])))
    kept = set()
    for name in ("sessions.csv", "visits.csv"):
        with (SAMPLES / arm / name).open(newline="") as file:
            rows = list(csv.reader(file))
        if name == "sessions.csv":
            rows[1:] = [row for row in rows[1:] if seconds(row[4]) < last]
            kept = {row[0] for row in rows}
        else:
            rows[1:] = [row for row in rows[1:] if row[1] in kept]
        with (folder / name).open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
    return folder


def seconds(text):
    from datetime import datetime

    return datetime.fromisoformat(text[:26] + "+00:00").timestamp()
