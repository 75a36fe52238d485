"""The same count from the capture alone: tshark's TLS record lengths, without any of this package's own dissectors.

TLS 1.3 hides the content type behind 23, so a client record of length L carries L - 17 bytes of application data
(RFC 8446 §5.2: one byte of type, sixteen of tag), except the first one, which is Finished, and alerts (two bytes).
"""

import collections
import datetime as dt
import shutil
import subprocess

ALERT_RECORD = 2 + 17
FIELDS = ("frame.time_epoch", "tcp.stream", "ip.src", "tls.record.content_type", "tls.record.opaque_type")


def available():
    return shutil.which("tshark") is not None


def nanoseconds(text):
    whole, _, fraction = text.rstrip("Z").partition(".")
    seconds = dt.datetime.fromisoformat(f"{whole}+00:00").timestamp() if "T" in whole else int(whole)
    return int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])


def uploads(capture, device, sessions):
    """Bytes by (session or None, host), from tshark."""
    fields = [*FIELDS, "tls.record.length", "tls.handshake.extensions_server_name"]
    command = [
        "tshark",
        "-r",
        str(capture),
        "-Y",
        "tls",
        "-T",
        "fields",
        *(word for name in fields for word in ("-e", name)),
    ]
    output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    spans = [(s["session"], nanoseconds(s["start"]), nanoseconds(s["end"])) for s in sessions]
    names, finished, totals = {}, set(), collections.Counter()
    for line in output.splitlines():
        time, stream, source, clear, hidden, lengths, name = line.split("\t")
        if name:
            names[stream] = name
        if source != device:
            continue
        kinds = [kind for kind in f"{clear},{hidden}".split(",") if kind]
        sizes = [int(size) for size in lengths.split(",") if size]
        at = nanoseconds(time)
        session = next((name for name, start, end in spans if start <= at < end), None)
        for kind, size in zip(kinds, sizes, strict=True):
            if kind != "23":
                continue
            if stream not in finished:
                finished.add(stream)
            elif size != ALERT_RECORD:
                totals[session, names[stream]] += size - 17
    return {key: value for key, value in totals.items() if value}


def truth(document):
    """The servers' side of the same."""
    cells = {(s["session"], host): v for s in document["sessions"] for host, v in s["hosts"].items()}
    cells |= {(None, host): v for host, v in document["between"].items()}
    return {key: value["up_app_bytes"] for key, value in cells.items() if value["up_app_bytes"]}
