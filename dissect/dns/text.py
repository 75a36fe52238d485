"""DNS numbers and record data as text: types and response codes by name, rdata in presentation form.

Sources: IANA "Domain Name System (DNS) Parameters", resource record types and RCODEs; RFC 9460 for SVCB and HTTPS;
RFC 3597 §5 for types without a form of their own.
"""

from __future__ import annotations

import base64
import socket
import struct
from typing import TYPE_CHECKING, Any

from ..intern import Names, raw
from .message import KIND_ADDRESS, KIND_NAME, TYPE_AFSDB, TYPE_MX, TYPE_SOA, TYPE_SRV

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

TYPES = {
    1: "A", 2: "NS", 3: "MD", 4: "MF", 5: "CNAME", 6: "SOA", 7: "MB", 8: "MG", 9: "MR", 10: "NULL", 11: "WKS", 12: "PTR",
    13: "HINFO", 14: "MINFO", 15: "MX", 16: "TXT", 17: "RP", 18: "AFSDB", 19: "X25", 20: "ISDN", 21: "RT", 22: "NSAP",
    23: "NSAP-PTR", 24: "SIG", 25: "KEY", 26: "PX", 27: "GPOS", 28: "AAAA", 29: "LOC", 30: "NXT", 31: "EID",
    32: "NIMLOC", 33: "SRV", 34: "ATMA", 35: "NAPTR", 36: "KX", 37: "CERT", 38: "A6", 39: "DNAME", 40: "SINK",
    41: "OPT", 42: "APL", 43: "DS", 44: "SSHFP", 45: "IPSECKEY", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 49: "DHCID",
    50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 53: "SMIMEA", 55: "HIP", 56: "NINFO", 57: "RKEY", 58: "TALINK",
    59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY", 62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 66: "DSYNC",
    99: "SPF", 100: "UINFO", 101: "UID", 102: "GID", 103: "UNSPEC", 104: "NID", 105: "L32", 106: "L64", 107: "LP",
    108: "EUI48", 109: "EUI64", 128: "NXNAME", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 253: "MAILB",
    254: "MAILA", 255: "ANY", 256: "URI", 257: "CAA", 258: "AVC", 259: "DOA", 260: "AMTRELAY", 261: "RESINFO",
    262: "WALLET", 263: "CLA", 264: "IPN", 32768: "TA", 32769: "DLV",
}  # fmt: skip
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN",
          7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 11: "DSOTYPENI", 16: "BADVERS", 17: "BADKEY",
          18: "BADTIME", 19: "BADMODE", 20: "BADNAME", 21: "BADALG", 22: "BADTRUNC", 23: "BADCOOKIE"}  # fmt: skip
TYPE_TXT, TYPE_SPF, TYPE_SVCB, TYPE_HTTPS, TYPE_CAA = 16, 99, 64, 65, 257
PRINTABLE = range(0x20, 0x7F)
SVCB_KEYS = ("mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp")


def type_name(number: int) -> str:
    """A record type by its name, else TYPE123 (RFC 3597 §5)."""
    return TYPES.get(number, f"TYPE{number}")


def rcode_name(number: int) -> str:
    """A response code by its name, else RCODE123."""
    return RCODES.get(number, f"RCODE{number}")


def rdata_texts(records: npt.NDArray[Any], texts: list[str | None], names: Names) -> list[str]:
    """ANSWER[n] as text, each distinct one worked out once; texts: what the numbers stand for."""
    known: dict[tuple[int, ...], str] = {}
    found = []
    keys = zip(*(records[field].tolist() for field in ("kind", "type", "hi", "lo", "data")), strict=True)
    for key in keys:
        text = known.get(key)
        if text is None:
            kind, number, hi, lo, data = key
            if kind == KIND_ADDRESS:
                text = address_text(number == 1, hi, lo)
            elif kind == KIND_NAME:
                text = texts[data] or ""
            else:
                text = rdata_text(number, raw(names, data) if data else b"")
            known[key] = text
        found.append(text)
    return found


def address_text(four: bool, hi: int, lo: int) -> str:
    """An address record's data."""
    if four:
        return socket.inet_ntop(socket.AF_INET, (lo & 0xFFFFFFFF).to_bytes(4, "big"))
    return socket.inet_ntop(socket.AF_INET6, hi.to_bytes(8, "big") + lo.to_bytes(8, "big"))


def rdata_text(number: int, data: bytes) -> str:
    """Record data as the kernel left it, in presentation form; RFC 3597 where it has no form or does not fit it."""
    form = FORMS.get(number)
    if form is not None:
        try:
            return form(data)
        except (struct.error, IndexError, ValueError):
            pass  # does not fit its form: shown as octets
    return f"\\# {len(data)} {data.hex()}".rstrip()


def _quoted(data: bytes) -> str:
    """A character-string (RFC 1035 §5.1)."""
    return '"' + "".join(f"\\{chr(c)}" if c in b'"\\' else chr(c) if c in PRINTABLE else f"\\{c:03d}" for c in data) + '"'


def _txt(data: bytes) -> str:
    """RFC 1035 §3.3.14."""
    parts, at = [], 0
    while at < len(data):
        size = data[at]
        if at + 1 + size > len(data):
            raise ValueError
        parts.append(_quoted(data[at + 1 : at + 1 + size]))
        at += 1 + size
    return " ".join(parts)


def _text(data: bytes) -> str:
    """A name that the kernel wrote out."""
    return data.decode("ascii") or "."


def _mx(data: bytes) -> str:
    """RFC 1035 §3.3.9."""
    return f"{struct.unpack_from('>H', data)[0]} {_text(data[2:])}"


def _srv(data: bytes) -> str:
    """RFC 2782."""
    return "{} {} {} ".format(*struct.unpack_from(">HHH", data)) + _text(data[6:])


def _soa(data: bytes) -> str:
    """RFC 1035 §3.3.13."""
    first, _, second = data[20:].decode("ascii").partition(" ")
    return f"{first or '.'} {second or '.'} " + " ".join(str(n) for n in struct.unpack_from(">IIIII", data))


def _caa(data: bytes) -> str:
    """RFC 8659 §4.1."""
    size = data[1]
    return f"{data[0]} {data[2 : 2 + size].decode('ascii')} {_quoted(data[2 + size :])}"


def _name(data: bytes, at: int) -> tuple[str, int]:
    """An uncompressed name (RFC 9460 §2.2)."""
    labels = []
    while data[at]:
        size = data[at]
        if size > 63 or at + 1 + size > len(data):
            raise ValueError
        labels.append("".join(chr(c) if 0x21 <= c < 0x7F and c not in b".\\" else f"\\{c:03d}"
                              for c in data[at + 1 : at + 1 + size].lower()))  # fmt: skip
        at += 1 + size
    return ".".join(labels) or ".", at + 1


def _svcb(data: bytes) -> str:
    """SVCB and HTTPS: RFC 9460 §2.1, parameters §7."""
    priority = struct.unpack_from(">H", data)[0]
    target, at = _name(data, 2)
    parts = [str(priority), target]
    while at < len(data):
        key, size = struct.unpack_from(">HH", data, at)
        value = data[at + 4 : at + 4 + size]
        if len(value) < size:
            raise ValueError
        parts.append(_parameter(key, value))
        at += 4 + size
    return " ".join(parts)


def _parameter(key: int, value: bytes) -> str:
    """One SvcParam in presentation form."""
    name = SVCB_KEYS[key] if key < len(SVCB_KEYS) else f"key{key}"
    if key == 0:
        shown = ",".join(
            SVCB_KEYS[k] if k < len(SVCB_KEYS) else f"key{k}" for k in struct.unpack(f">{len(value) // 2}H", value)
        )
    elif key == 1:
        protocols, at = [], 0
        while at < len(value):
            protocols.append(value[at + 1 : at + 1 + value[at]])
            at += 1 + value[at]
        shown = ",".join(p.decode("ascii", "backslashreplace") for p in protocols)
    elif key == 3:
        shown = str(struct.unpack(">H", value)[0])
    elif key == 4:
        shown = ",".join(socket.inet_ntop(socket.AF_INET, value[n : n + 4]) for n in range(0, len(value), 4))
    elif key == 6:
        shown = ",".join(socket.inet_ntop(socket.AF_INET6, value[n : n + 16]) for n in range(0, len(value), 16))
    elif key == 5:
        shown = base64.b64encode(value).decode("ascii")
    elif not value:
        return name
    else:
        shown = _quoted(value)
    return f"{name}={shown}"


FORMS: dict[int, Callable[[bytes], str]] = {
    TYPE_TXT: _txt, TYPE_SPF: _txt, TYPE_MX: _mx, TYPE_AFSDB: _mx, TYPE_SRV: _srv, TYPE_SOA: _soa, TYPE_CAA: _caa,
    TYPE_SVCB: _svcb, TYPE_HTTPS: _svcb,
}  # fmt: skip
