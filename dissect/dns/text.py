"""DNS numbers and record data as text: types and response codes by name, answers in presentation form.

Sources: IANA "Domain Name System (DNS) Parameters", resource record types and RCODEs.
"""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..intern import Names, raw
from .numbers import RCODES, type_name
from .presentation import rdata_text
from .rdata import KIND_ADDRESS, KIND_NAME

if TYPE_CHECKING:
    import numpy.typing as npt

MOST_ADDRESSES = 1 << 14  # whose texts are remembered
FAMILIES = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}  # IANA address family numbers: RFC 7871 §6


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


@lru_cache(MOST_ADDRESSES)
def address_text(four: bool, hi: int, lo: int) -> str:
    """An address of 128 bits; `four`: the IPv4 address in the last 32."""
    if four:
        return socket.inet_ntop(socket.AF_INET, (lo & 0xFFFFFFFF).to_bytes(4, "big"))
    return socket.inet_ntop(socket.AF_INET6, hi.to_bytes(8, "big") + lo.to_bytes(8, "big"))


def subnet_text(option: bytes) -> str | None:
    """A client subnet (RFC 7871 §6) in CIDR notation, as long as the asker gave it away; None where it is none."""
    family, width = FAMILIES.get(int.from_bytes(option[:2], "big"), (None, 0))
    source, scope, octets = option[2], option[3], option[4:]
    if family is None or len(octets) > width or max(source, scope) > 8 * width or len(octets) != (source + 7) // 8:
        return None
    address = socket.inet_ntop(family, octets.ljust(width, b"\0"))
    return str(ipaddress.ip_network(f"{address}/{source}", strict=False))


__all__ = ["rcode_name", "rdata_texts", "subnet_text", "type_name"]
