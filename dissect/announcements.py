"""What devices say of themselves on the local network: names and software, in DHCP, SSDP and NetBIOS.

Theory: these protocols are rare, so their datagrams are queued by the packet pass and read here, one at a time, the
DHCP ones by dpkt. What multicast DNS and LLMNR say is in the dns table already; `by_dns` takes it from there, also from
additional records, where a device that is asked for its services tells its name and addresses (RFC 6763 §12.2).
A name is a claim: nothing stops a device from calling itself, or another, what it likes.

Rules: only what clients say counts, never what servers call them. Whatever does not parse says nothing. A claim is a
row once; it comes again only when MAX_KNOWN others have come since. At most MAX_ANNOUNCED datagrams of one flow come
here (`udp.py`), the rest is counted.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING, NamedTuple

from ..core.schema import ANNOUNCED, polars_schema
from .state import SERVICE_DHCP, SERVICE_NETBIOS, SERVICE_SSDP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl

READS = (
    ("DHCP", "RFC 2131 §2, RFC 2132 §3.14, RFC 4702 §2, RFC 8415 §8, RFC 4704 §4",
     "names, addresses and vendor classes of clients, of both versions"),
    ("SSDP", "draft-cai-ssdp-v1-03 §4", "what software calls itself"),
    ("NetBIOS names", "RFC 1002 §4.2.2", "names that computers register or refresh"),
)  # fmt: skip

MAX_KNOWN = 1 << 14
MAX_TEXT = 255
MAX_BYTES = 1500  # of a datagram that are read
DHCP_MAGIC, BOOT_REQUEST, ETHERNET = 0x63825363, 1, 1  # RFC 2131 §3, §2; RFC 1700
HOST_NAME, REQUESTED_ADDRESS, VENDOR_CLASS, CLIENT_FQDN = 12, 50, 60, 81  # RFC 2132 §3.14, §9.1, §9.13; RFC 4702 §2
FQDN_ENCODED, FQDN_FIXED = 0x04, 3  # RFC 4702 §2.1: the name is in wire format; flags and two obsolete octets
DHCP6_CLIENT = (1, 3, 4, 5, 6, 8, 9, 11)  # solicit to information-request: RFC 8415 §7.3
DHCP6_VENDOR_CLASS, DHCP6_FQDN = 16, 39  # RFC 8415 §21.16, RFC 4704 §4
NETBIOS_REGISTRATION, NETBIOS_REFRESH = 5, (8, 9)  # RFC 1002 §4.2.1.1
NETBIOS_NAME, NETBIOS_GROUP = 32, 0x8000  # RFC 1002 §4.1, §4.2.2
NETBIOS_HOST, NETBIOS_SERVER = 0x00, 0x20  # sixteenth octet of a Windows computer's names
NAMING = frozenset({"dhcp", "mdns", "llmnr", "netbios"})  # sources of names; the others tell software


class Claim(NamedTuple):
    """`mac`, `ip`: whose name or software it is, as far as that is known; `source`: where it was said."""

    time: int
    mac: str | None
    ip: str | None
    name: str
    source: str


class Announcements:
    """Reads datagrams and gathers claims; `take` empties it."""

    def __init__(self) -> None:
        """Nothing has been said yet."""
        self._claims: list[Claim] = []

    def read(self, service: int, data: bytes, time: int, mac: str | None, ip: str | None) -> None:
        """One datagram; `mac`, `ip`: who sent it."""
        form = FORMS.get(service)
        if form is None:
            return
        try:
            for claim in form(data[:MAX_BYTES], mac, ip):
                self._claims.append(Claim(time, *claim))
        except (ValueError, IndexError, struct.error):
            return

    def take(self) -> list[Claim]:
        """What was said since the last time."""
        claims, self._claims = self._claims, []
        return claims


Said = tuple[str | None, str | None, str, str]


def dhcp(data: bytes, mac: str | None, ip: str | None) -> Iterator[Said]:
    """A client's message: its name, and what its software calls itself."""
    if len(data) > 240 and data[0] == BOOT_REQUEST:
        yield from _dhcp4(data)
    elif data and data[0] in DHCP6_CLIENT:
        yield from _dhcp6(data, mac, ip)


def _dhcp4(data: bytes) -> Iterator[Said]:
    """RFC 2131 §2."""
    from dpkt import UnpackError
    from dpkt.dhcp import DHCP

    try:
        message = DHCP(data)
    except UnpackError:
        return
    if message.magic != DHCP_MAGIC or message.hrd != ETHERNET or len(message.chaddr) != 6:
        return
    options = dict(message.opts)
    mac = message.chaddr.hex(":")
    asked = options.get(REQUESTED_ADDRESS, b"")
    address = asked if len(asked) == 4 else message.ciaddr.to_bytes(4, "big")
    ip = socket.inet_ntoa(address) if any(address) else None
    fqdn = options.get(CLIENT_FQDN, b"")
    full = fqdn[FQDN_FIXED:]
    names = (text(options.get(HOST_NAME, b"")), labels(full) if fqdn and fqdn[0] & FQDN_ENCODED else text(full))
    yield from ((mac, ip, name, "dhcp") for name in dict.fromkeys(names) if name)
    if vendor := text(options.get(VENDOR_CLASS, b"")):
        yield mac, ip, vendor, "dhcp_vendor"


def _dhcp6(data: bytes, mac: str | None, ip: str | None) -> Iterator[Said]:
    """RFC 8415 §8."""
    at = 4
    while at + 4 <= len(data):
        code, size = struct.unpack_from(">HH", data, at)
        value = data[at + 4 : at + 4 + size]
        if code == DHCP6_FQDN and (name := labels(value[1:])):
            yield mac, ip, name, "dhcp"
        elif code == DHCP6_VENDOR_CLASS and (vendor := text(value[6:])):
            yield mac, ip, vendor, "dhcp_vendor"
        at += 4 + size


def ssdp(data: bytes, mac: str | None, ip: str | None) -> Iterator[Said]:
    """draft-cai-ssdp-v1-03 §4, UPnP Device Architecture 2.0 §1.2, §1.3: what the software of either side calls itself."""
    for line in data.split(b"\n")[1:]:
        field, _, value = line.partition(b":")
        if field.strip().lower() in {b"server", b"user-agent"} and (software := text(value)):
            yield mac, ip, software, "ssdp"


def netbios(data: bytes, mac: str | None, ip: str | None) -> Iterator[Said]:
    """A registration or refresh of a computer's own name (RFC 1002 §4.2.2, §4.2.4); groups are not names of devices."""
    from dpkt.netbios import decode_name

    _, flags, questions, _, _, additional = struct.unpack_from(">6H", data)
    if flags >> 11 not in {NETBIOS_REGISTRATION, *NETBIOS_REFRESH} or questions != 1 or additional != 1:
        return
    encoded = data[13 : 13 + NETBIOS_NAME]
    if data[12] != NETBIOS_NAME or not all(0x41 <= c <= 0x50 for c in encoded):
        return
    (kind,) = data[-6:-4][:1] or b"\0"
    if kind & NETBIOS_GROUP >> 8:
        return
    suffix = (encoded[30] - 0x41) << 4 | (encoded[31] - 0x41)
    if suffix in {NETBIOS_HOST, NETBIOS_SERVER}:
        name = text(decode_name(encoded.decode("ascii"))[:15].encode("latin-1"))
        if name:
            yield mac, ip, name, "netbios"


FORMS: dict[int, Callable[[bytes, str | None, str | None], Iterator[Said]]] = {
    SERVICE_DHCP: dhcp, SERVICE_SSDP: ssdp, SERVICE_NETBIOS: netbios,
}  # fmt: skip


def text(data: bytes) -> str:
    """Octets as text, without the padding around them; hostile characters are left to whoever prints them."""
    return data[:MAX_TEXT].decode("utf-8", "backslashreplace").strip(" \t\r\n\0")


def labels(data: bytes) -> str:
    """A name in wire format (RFC 1035 §3.1) that may lack its end (RFC 4702 §2.3.1)."""
    found, at = [], 0
    while at < len(data) and data[at]:
        if data[at] > 63:
            raise ValueError
        found.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return text(b".".join(found))


def by_dns(dns: pl.DataFrame) -> pl.DataFrame:
    """What the dns table says of devices: hosts by multicast DNS and LLMNR, and the services that run on them."""
    import polars as pl

    schema = polars_schema(ANNOUNCED)
    local = (dns["service"] == "mdns") | (dns["service"] == "llmnr")
    if not local.any():
        return pl.DataFrame(schema=schema)
    said = dns.filter(local)
    both = said.select("time", "service", told=pl.concat_list("answers", "additional")).with_row_index("message")
    told = both.filter(pl.col("told").list.len() > 0)
    if not told.height:
        return pl.DataFrame(schema=schema)
    records = told.explode("told").unnest("told")
    hosts = records.filter(pl.col("type").is_in(["A", "AAAA"])).select("message", "time", "service", "name", ip="data")
    hosts = hosts.filter(~pl.col("name").str.ends_with(".arpa"))
    services = records.filter(pl.col("type") == "SRV").select(
        "message",
        instance=pl.col("name").str.extract(r"^(.*?)\._", 1),
        name=pl.col("data").str.split(" ").list.get(3, null_on_oob=True).str.replace_all(r"\032", " ", literal=True),
    )  # fmt: skip
    running = services.join(hosts, on=["message", "name"]).select("message", "time", "service", "ip", name="instance")
    found = pl.concat([hosts, running.select(hosts.columns)]).drop_nulls("name").sort("message", maintain_order=True)
    return found.select("time", pl.lit(None, pl.String()).alias("mac"), "ip", "name", source="service").cast(schema)  # type: ignore[arg-type]


class Heard:
    """Claims as frames, each once."""

    def __init__(self) -> None:
        """Nothing has been heard yet."""
        self._known: dict[tuple[str | None, ...], None] = {}

    def frame(self, claims: list[Claim], dns: pl.DataFrame) -> pl.DataFrame:
        """What is new among claims and the rows of the dns table."""
        import polars as pl

        told = by_dns(dns)
        if not claims and not told.height:
            return told
        rows = [(time, *claim) for time, *claim in claims] + told.with_columns(pl.col("time").dt.epoch("ns")).rows()
        new = []
        for time, *claim in sorted(rows, key=lambda row: row[0]):
            key = tuple(claim)
            if key not in self._known:
                new.append((time, *claim))
            self._known.pop(key, None)
            self._known[key] = None
        while len(self._known) > MAX_KNOWN:
            self._known.pop(next(iter(self._known)))
        kinds = {name: pl.Int64() if name == "time" else kind for name, kind in polars_schema(ANNOUNCED).items()}
        times = pl.col("time").cast(pl.Datetime("ns")).dt.replace_time_zone("UTC")
        return pl.DataFrame(new, schema=kinds, orient="row").with_columns(times)
