"""What a source says of itself: the account that goes with its packets.

Rules: filled in while the source is read, final once it is exhausted. Every text is one line, names the source as the
user gave it, the place and what to do; control characters in names are escaped, because file names are hostile too.
"""

from __future__ import annotations

from dataclasses import dataclass, field


def shown(name: str) -> str:
    """`name` with everything unprintable escaped, so that a message about it stays one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in name)


@dataclass
class SourceReport:
    """One input: `path` is what the user gave ("-" is standard input)."""

    path: str
    linktypes: list[int] = field(default_factory=list)  # LINKTYPE_ numbers in order of appearance
    interfaces: list[int] = field(default_factory=list)  # its indexes into the stream's `interfaces`
    dropped: int | None = None  # packets that the file says were lost; None where it says nothing
    cut_short: bool = False  # ends in the middle of a packet, or is damaged from some place on
    size_bytes: int | None = None  # as stored (compressed); None where it cannot be known
    bytes_read: int = 0  # as stored, so that bytes_read / size_bytes is the progress
    warnings: list[str] = field(default_factory=list)
