"""Captures written: pcapng with nanoseconds, one section, and a comment that says what was done to it.

Source: draft-ietf-opsawg-pcapng §4.1 to §4.6. Rules: the same packets give the same bytes: no clock, no host name.
"""

from __future__ import annotations

import json
import struct
from typing import IO, TYPE_CHECKING, Any

from ..capture.source import Source
from ..core.errors import CaptureError

if TYPE_CHECKING:
    from collections.abc import Sequence

SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
BYTE_ORDER = 0x1A2B3C4D
OPTION_END, OPTION_COMMENT, USER_APPLICATION, RESOLUTION, DROPPED = 0, 1, 4, 9, 5  # §3.5, §4.1, §4.2, §4.6
NANOSECONDS = 9
SNAPLEN = 262_144
LOOK = 8192  # bytes of a section header that are searched for a comment
PREFIX = "wiretally pseudonyms "


class Writer:
    """Packets into an open binary file."""

    def __init__(self, file: IO[bytes], about: dict[str, Any]) -> None:
        """`about`: what was done, as the section's comment."""
        self._file = file
        comment = PREFIX + json.dumps(about, sort_keys=True, separators=(",", ":"))
        options = _option(OPTION_COMMENT, comment.encode()) + _option(USER_APPLICATION, b"wiretally") + _option(OPTION_END)
        self._block(SECTION, struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1) + options)
        self._count = 0

    def interface(self, linktype: int) -> int:
        """Describes an interface; its number."""
        options = _option(RESOLUTION, bytes([NANOSECONDS])) + _option(OPTION_END)
        self._block(INTERFACE, struct.pack("<HHI", linktype, 0, SNAPLEN) + options)
        self._count += 1
        return self._count - 1

    def packet(self, interface: int, ts_ns: int, frame: bytes, wire: int) -> None:
        """One packet; a time before 1970 becomes 1970, which is all that the format can say."""
        time = max(ts_ns, 0)
        head = struct.pack("<IIIII", interface, time >> 32, time & 0xFFFFFFFF, len(frame), wire)
        self._block(PACKET, head + frame + b"\0" * (-len(frame) % 4))

    def dropped(self, interface: int, ts_ns: int, count: int) -> None:
        """How many packets the capturing machine lost."""
        time = max(ts_ns, 0)
        options = _option(DROPPED, struct.pack("<Q", count)) + _option(OPTION_END)
        self._block(STATISTICS, struct.pack("<III", interface, time >> 32, time & 0xFFFFFFFF) + options)

    def _block(self, kind: int, body: bytes) -> None:
        size = struct.pack("<I", 12 + len(body))
        self._file.write(struct.pack("<I", kind) + size + body + size)


def _option(code: int, value: bytes = b"") -> bytes:
    return struct.pack("<HH", code, len(value)) + value + b"\0" * (-len(value) % 4)


def pseudonyms_of(paths: Sequence[str]) -> dict[str, Any] | None:
    """What the first of the captures that says so says was done to it; None where none does."""
    for path in paths:
        if path == "-" or "://" in path:
            continue
        try:
            source = Source(path)
        except CaptureError:
            continue  # whoever reads it will say so
        try:
            head = source.look(LOOK)
        finally:
            source.close()
        found = _comment(head)
        if found is not None:
            return found
    return None


def _comment(head: bytes) -> dict[str, Any] | None:
    """The comment of a section header that `Writer` wrote (§4.1: options begin after 24 bytes)."""
    if len(head) < 28 or head[:4] != struct.pack("<I", SECTION) or head[8:12] != struct.pack("<I", BYTE_ORDER):
        return None
    code, size = struct.unpack("<HH", head[24:28])
    text = head[28 : 28 + size]
    if code != OPTION_COMMENT or not text.startswith(PREFIX.encode()):
        return None
    try:
        found = json.loads(text[len(PREFIX) :])
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
