"""DNS answers that say more than an address: keys for ECH, resolvers that a network designates."""

from __future__ import annotations

import struct

from wiretally.bench import hello


def config(public, version=0xFE0D):
    """ECHConfig: RFC 9849 §4."""
    contents = b"\7\0\x20" + hello.vector(2, bytes(32)) + hello.vector(2, b"\0\1\0\1") + b"\0"
    return version.to_bytes(2, "big") + hello.vector(2, contents + hello.vector(1, public) + hello.vector(2, b""))


def https_record(configs, target=b"\0"):
    """Rdata of an HTTPS record: ALPN, then ECH (RFC 9460 §2.2, RFC 9848 §3)."""
    return (b"\0\1" + target + struct.pack(">HH", 1, 3) + b"\2h3" + struct.pack(">HH", 5, len(configs) + 2)
            + hello.vector(2, configs))  # fmt: skip


def answer_of(name, kind, rdata, number=1):
    labels = b"".join(hello.vector(1, label.encode()) for label in name.split(".")) + b"\0"
    return (struct.pack(">HHHHHH", number, 0x8180, 1, 1, 0, 0) + labels + struct.pack(">HH", kind, 1)
            + b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(rdata)) + rdata)  # fmt: skip


def designation(target, owner=b"\4_dns\x08resolver\4arpa\0", *, path=True):
    """An answer that designates a resolver (RFC 9462 §4)."""
    value = b"\0\1" + target + b"\0\1\0\3\2h2" + (b"\0\7\0\x10/dns-query{?dns}" if path else b"")
    return (b"\0\1\x80\0\0\1\0\1\0\0\0\0" + owner + b"\0\x40\0\1\xc0\x0c\0\x40\0\1\0\0\0\x3c"
            + len(value).to_bytes(2, "big") + value)  # fmt: skip
