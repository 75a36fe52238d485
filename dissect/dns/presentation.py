r"""Record data in presentation form (RFC 1035 §5.1), as a zone file would hold them.

Theory: the kernel has left octets without compression (`rdata.py`); a `Reader` walks them, and each type's form says
in which order. A form must use up all of the data: what does not fit is shown as octets, `\# 4 0a000001` (RFC 3597 §5),
as are types that have no form here.
"""

from __future__ import annotations

import base64
import re
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .numbers import type_name

if TYPE_CHECKING:
    from collections.abc import Callable

PRINTABLE = range(0x20, 0x7F)
PLAIN = re.compile(r"[A-Za-z0-9.,:/+_-]+")  # needs no quotes
FAMILIES = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}  # IANA address family numbers


class Reader:
    """Takes fields off the front of `data`; IndexError or ValueError where there is not enough."""

    def __init__(self, data: bytes) -> None:
        """`data`: what is to be read."""
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        """The next octets."""
        self.at += size
        if self.at > len(self.data):
            raise IndexError
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """An unsigned integer in network order."""
        return int.from_bytes(self.take(size), "big")

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(len(self.data) - self.at)

    def more(self) -> bool:
        """Whether something is left."""
        return self.at < len(self.data)

    def string(self) -> str:
        """A character-string (RFC 1035 §3.3), quoted."""
        return quoted(self.take(self.number(1)))

    def strings(self) -> str:
        """All that is left, as character-strings."""
        found = []
        while self.more():
            found.append(self.string())
        return " ".join(found)

    def name(self) -> str:
        """A name without compression."""
        labels = []
        while size := self.number(1):
            if size > 63:
                raise ValueError
            labels.append("".join(map(_in_name, self.take(size).lower())))
        return ".".join(labels) or "."

    def numbers(self, *sizes: int) -> str:
        """Unsigned integers of these sizes, in decimal."""
        return " ".join(str(self.number(size)) for size in sizes)

    def hexadecimal(self) -> str:
        """Everything that is left."""
        return self.rest().hex().upper()

    def base64(self) -> str:
        """Everything that is left."""
        return base64.b64encode(self.rest()).decode("ascii")

    def types(self) -> str:
        """Type bit maps (RFC 4034 §4.1.2)."""
        found = []
        while self.more():
            window, size = self.number(1), self.number(1)
            for place, octet in enumerate(self.take(size)):
                found += [type_name((window << 8) + 8 * place + bit) for bit in range(8) if octet & 0x80 >> bit]
        return " ".join(found)


def quoted(data: bytes) -> str:
    """A character-string (RFC 1035 §5.1)."""
    return '"' + "".join(f"\\{chr(c)}" if c in b'"\\' else chr(c) if c in PRINTABLE else f"\\{c:03d}" for c in data) + '"'


def _in_name(c: int) -> str:
    """One octet of a label where spaces separate fields."""
    return chr(c) if 0x21 <= c <= 0x7E and c not in b'.\\"();@$' else f"\\{c:03d}"


def rdata_text(number: int, data: bytes) -> str:
    """Record data as the kernel left it, in presentation form; RFC 3597 where it has no form or does not fit it."""
    form = FORMS.get(number)
    if form is not None and data:
        reader = Reader(data)
        try:
            text = form(reader).rstrip()
        except (IndexError, ValueError, OverflowError):
            pass  # does not fit its form: shown as octets
        else:
            if not reader.more():
                return text
    return f"\\# {len(data)} {data.hex()}".rstrip()


def _names(r: Reader) -> str:
    """RP, MINFO, TALINK: nothing but names."""
    found = []
    while r.more():
        found.append(r.name())
    return " ".join(found)


def _soa(r: Reader) -> str:
    """RFC 1035 §3.3.13."""
    return f"{r.name()} {r.name()} {r.numbers(4, 4, 4, 4, 4)}"


def _preference(r: Reader) -> str:
    """MX, AFSDB, RT, KX, PX, LP: a number, then names."""
    return f"{r.number(2)} {_names(r)}"


def _srv(r: Reader) -> str:
    """RFC 2782."""
    return f"{r.numbers(2, 2, 2)} {r.name()}"


def _naptr(r: Reader) -> str:
    """RFC 3403 §4.1."""
    return f"{r.numbers(2, 2)} {r.string()} {r.string()} {r.string()} {r.name()}"


def _caa(r: Reader) -> str:
    """RFC 8659 §4.1."""
    flags, tag = r.number(1), r.take(r.number(1))
    if not tag.isalnum():
        raise ValueError
    return f"{flags} {tag.decode('ascii')} {quoted(r.rest())}"


def _ds(r: Reader) -> str:
    """RFC 4034 §5.3."""
    return f"{r.numbers(2, 1, 1)} {r.hexadecimal()}"


def _dnskey(r: Reader) -> str:
    """RFC 4034 §2.2."""
    return f"{r.numbers(2, 1, 1)} {r.base64()}"


def _rrsig(r: Reader) -> str:
    """RFC 4034 §3.2."""
    covered, fields = type_name(r.number(2)), r.numbers(1, 1, 4)
    until, since = (f"{datetime.fromtimestamp(r.number(4), UTC):%Y%m%d%H%M%S}" for _ in range(2))
    return f"{covered} {fields} {until} {since} {r.number(2)} {r.name()} {r.base64()}"


def _nsec(r: Reader) -> str:
    """RFC 4034 §4.2."""
    return f"{r.name()} {r.types()}"


def _nsec3(r: Reader) -> str:
    """RFC 5155 §3.3."""
    fields = _nsec3param(r)
    owner = base64.b32hexencode(r.take(r.number(1))).decode("ascii").rstrip("=")
    return f"{fields} {owner} {r.types()}"


def _nsec3param(r: Reader) -> str:
    """RFC 5155 §4.3."""
    return f"{r.numbers(1, 1, 2)} {r.take(r.number(1)).hex().upper() or '-'}"


def _tlsa(r: Reader) -> str:
    """RFC 6698 §2.2."""
    return f"{r.numbers(1, 1, 1)} {r.hexadecimal()}"


def _sshfp(r: Reader) -> str:
    """RFC 4255 §3.2."""
    return f"{r.numbers(1, 1)} {r.hexadecimal()}"


def _cert(r: Reader) -> str:
    """RFC 4398 §2.2."""
    return f"{r.numbers(2, 2, 1)} {r.base64()}"


def _uri(r: Reader) -> str:
    """RFC 7553 §4.5."""
    return f"{r.numbers(2, 2)} {quoted(r.rest())}"


def _csync(r: Reader) -> str:
    """RFC 7477 §2.1.2."""
    return f"{r.numbers(4, 2)} {r.types()}"


def _zonemd(r: Reader) -> str:
    """RFC 8976 §2.3."""
    return f"{r.numbers(4, 1, 1)} {r.hexadecimal()}"


def _eui(r: Reader) -> str:
    """RFC 7043 §3.2, §4.2."""
    return r.rest().hex("-")


def _locator(r: Reader) -> str:
    """NID and L64: RFC 6742 §2.1.2, §2.3.2."""
    return f"{r.number(2)} {r.take(8).hex(':', 2)}"


def _l32(r: Reader) -> str:
    """RFC 6742 §2.2.2."""
    return f"{r.number(2)} {socket.inet_ntoa(r.take(4))}"


def _apl(r: Reader) -> str:
    """RFC 3123 §5."""
    found = []
    while r.more():
        number, length, size = r.number(2), r.number(1), r.number(1)
        family, width = FAMILIES.get(number, (None, 0))
        octets = r.take(size & 0x7F)
        if family is None or len(octets) > width:
            raise ValueError
        negated = "!" if size & 0x80 else ""
        found.append(f"{negated}{number}:{socket.inet_ntop(family, octets.ljust(width, bytes(1)))}/{length}")
    return " ".join(found)


def _loc(r: Reader) -> str:
    """RFC 1876 §2, §3."""
    if r.number(1):
        raise ValueError
    sizes = [(octet >> 4) * 10 ** (octet & 15) / 100 for octet in r.take(3)]
    latitude, longitude = (r.number(4) - (1 << 31) for _ in range(2))
    metres = r.number(4) / 100 - 100_000
    return (f"{_angle(latitude, 'NS')} {_angle(longitude, 'EW')} {metres:.2f}m "
            + " ".join(f"{size:.2f}m" for size in sizes))  # fmt: skip


def _angle(thousandths: int, letters: str) -> str:
    """Thousandths of a second of arc as degrees, minutes, seconds."""
    seconds, part = divmod(abs(thousandths), 1000)
    return f"{seconds // 3600} {seconds // 60 % 60} {seconds % 60}.{part:03d} {letters[thousandths < 0]}"


def _svcb(r: Reader) -> str:
    """SVCB and HTTPS: RFC 9460 §2.1."""
    parts = [str(r.number(2)), r.name()]
    while r.more():
        key, value = r.number(2), r.take(r.number(2))
        parts.append(parameter(key, value))
    return " ".join(parts)


# RFC 9460 §14.3.2, RFC 9461 §5 (dohpath), RFC 9540 §4 (ohttp)
SVCB_KEYS = ("mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp")


def key_name(key: int) -> str:
    """A SvcParamKey by its name, else key123 (RFC 9460 §2.1)."""
    return SVCB_KEYS[key] if key < len(SVCB_KEYS) else f"key{key}"


def parameter(key: int, value: bytes) -> str:
    """One SvcParam: RFC 9460 §7 by key, §2.1 for those without a form. ValueError where the value does not fit its key."""
    reader, name = Reader(value), key_name(key)
    if key in VALUES:
        if not value:
            raise ValueError
        found = []
        while reader.more():
            found.append(VALUES[key](reader))
        if key == 3 and len(found) != 1:
            raise ValueError
        shown = ",".join(found)
        return f"{name}={shown if PLAIN.fullmatch(shown) else quoted(shown.encode('latin-1'))}"
    if not value:
        return name
    if name in {"no-default-alpn", "ohttp"}:
        raise ValueError
    if name == "ech":
        return f"{name}={base64.b64encode(value).decode('ascii')}"
    return f"{name}={quoted(value)}"


def _protocol(r: Reader) -> str:
    """One protocol of the value list: commas and backslashes are escaped once here, then again by the quotes (§A.1)."""
    identifier = r.take(r.number(1)).decode("latin-1")
    if not identifier:
        raise ValueError
    return identifier.replace("\\", "\\\\").replace(",", "\\,")


VALUES: dict[int, Callable[[Reader], str]] = {
    0: lambda r: key_name(r.number(2)),
    1: _protocol,
    3: lambda r: str(r.number(2)),
    4: lambda r: socket.inet_ntop(socket.AF_INET, r.take(4)),
    6: lambda r: socket.inet_ntop(socket.AF_INET6, r.take(16)),
}
FORMS: dict[int, Callable[[Reader], str]] = {
    6: _soa, 13: Reader.strings, 14: _names, 15: _preference, 16: Reader.strings, 17: _names, 18: _preference,
    19: Reader.strings, 20: Reader.strings, 21: _preference, 24: _rrsig, 25: _dnskey, 26: _preference,
    27: Reader.strings, 29: _loc, 33: _srv, 35: _naptr, 36: _preference, 37: _cert, 42: _apl, 43: _ds, 44: _sshfp,
    46: _rrsig, 47: _nsec, 48: _dnskey, 49: Reader.base64, 50: _nsec3, 51: _nsec3param, 52: _tlsa, 53: _tlsa,
    56: Reader.strings, 57: _dnskey, 58: _names, 59: _ds, 60: _dnskey, 61: Reader.base64, 62: _csync, 63: _zonemd,
    64: _svcb, 65: _svcb, 99: Reader.strings, 104: _locator, 105: _l32, 106: _locator, 107: _preference, 108: _eui,
    109: _eui, 256: _uri, 257: _caa, 258: Reader.strings, 261: Reader.strings, 262: Reader.strings, 32768: _ds,
    32769: _ds,
}  # fmt: skip
