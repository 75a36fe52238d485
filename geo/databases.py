"""Opens MMDB files of countries and of networks, and reads their records whatever schema they have.

Theory: files in the GeoLite2 schema (MaxMind's, DB-IP's own, the bundled ones) are read by `geoip2`; others (IPinfo,
ip-location-db) hold flat records, told apart by a sample, never by their name. Which file: the one that is asked for,
else the environment's (`WIRETALLY_COUNTRY_DB`, `WIRETALLY_ASN_DB`), else the bundled one.

Rules: a file that cannot be used is an error when it is opened, in one line. An address without a record is None.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import maxminddb
import numpy as np

from ..core.errors import DatabaseError
from .tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from .addresses import Packed

Kind = Literal["country", "asn"]
BUNDLED = Path(__file__).resolve().parent.parent / "data"
VARIABLES: dict[Kind, str] = {"country": "WIRETALLY_COUNTRY_DB", "asn": "WIRETALLY_ASN_DB"}
EXAMPLES: dict[Kind, str] = {
    "country": "GeoLite2-Country, DB-IP Country or IPinfo Lite",
    "asn": "GeoLite2-ASN, DB-IP ASN or IPinfo Lite",
}
SAMPLE = 100  # records that are looked at to tell a schema
DB_IP = "IP Geolocation by DB-IP (https://db-ip.com)"


class Origin(NamedTuple):
    """What a report owes to the maker of a file whose `database_type` starts with `prefix`."""

    prefix: str
    name: str | None
    licence: str | None
    attribution: str | None


ORIGINS = (
    Origin("wiretally-Country", "DB-IP Country Lite", "CC BY 4.0", DB_IP),
    Origin("wiretally-ASN", "Route Views, NRO and DB-IP ASN Lite", "CC BY 4.0",
           f"routeviews.org; nro.net; {DB_IP}; merged by ip-location-db"),
    Origin("DBIP-", None, "CC BY 4.0 where Lite", DB_IP),
    Origin("GeoLite2-", None, "GeoLite End User License Agreement",
           "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com"),
    Origin("ipinfo ", None, "CC BY-SA 4.0 where Lite", "IP address data is powered by IPinfo (https://ipinfo.io)"),
)  # fmt: skip


class Network(NamedTuple):
    """An autonomous system: number, and organisation where the file names it."""

    asn: int | None
    as_org: str | None


NOWHERE = Network(None, None)
Answer = str | Network


def country_of(record: Any) -> str | None:  # noqa: ANN401  (whatever a file holds)
    """ISO 3166-1 code out of a nested (`country.iso_code`) or a flat (`country_code`, `country`) record."""
    if not isinstance(record, dict):
        return None
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code") or country
    return code if isinstance(code, str) and len(code) == 2 else None


def network_of(record: Any) -> Network | None:  # noqa: ANN401  (whatever a file holds)
    """AS out of `autonomous_system_number` and `…_organization`, or of `asn` ("AS15169") and `as_name` or `name`."""
    if not isinstance(record, dict):
        return None
    number = record.get("autonomous_system_number", record.get("asn"))
    digits = str(number).upper().removeprefix("AS")
    if not digits.isdecimal() or int(digits) >= 1 << 32:
        return None
    names = (record.get(key) for key in ("autonomous_system_organization", "as_name", "name"))
    return Network(int(digits), next((name for name in names if isinstance(name, str) and name), None))


class Database:
    """One open file. `kind` says what is asked of it; `DatabaseError` if it cannot answer that."""

    def __init__(self, path: Path, kind: Kind) -> None:
        self.path, self.kind = path, kind
        try:
            reader = maxminddb.open_database(path)
            self._metadata = found = reader.metadata()
            self._tree = Tree(path, found.node_count, found.record_size, found.ip_version)
            samples = [(str(network[0]), record) for network, record in islice(reader, SAMPLE)]
        except FileNotFoundError as error:
            raise DatabaseError(f"{path}: no such file: give {EXAMPLES[kind]} in MMDB form") from error
        except (OSError, maxminddb.InvalidDatabaseError, UnicodeDecodeError, ValueError) as error:
            raise DatabaseError(f"{path}: not an MMDB file, or damaged: get it anew ({_line(error)})") from error
        read = country_of if kind == "country" else network_of
        if not any(read(record) for _, record in samples):
            held = _line(samples[0][1]) if samples else "nothing"
            raise DatabaseError(f"{path}: records hold {held[:60]}, no {kind}: give {EXAMPLES[kind]} in MMDB form")
        self._answer = self._by_geoip2(samples[0][0]) or (lambda address: read(reader.get(address)))

    def _by_geoip2(self, sample: str) -> Callable[[str], Answer | None] | None:
        """A look-up, of addresses that have a record, through `geoip2`, if that takes this file for one of its own."""
        import geoip2.database

        reader = geoip2.database.Reader(self.path)

        def country(address: str) -> str | None:
            return reader.country(address).country.iso_code

        def network(address: str) -> Network:
            found = reader.asn(address)
            return Network(found.autonomous_system_number, found.autonomous_system_organization)

        look_up = country if self.kind == "country" else network
        try:
            look_up(sample)
        except TypeError:  # not a file of its schema
            reader.close()
            return None
        return look_up

    def look_up(
        self, addresses: Sequence[str], families: Sequence[Packed]
    ) -> tuple[npt.NDArray[np.int64], list[Answer | None]]:
        """For each address a place in the list of distinct answers; the first of those is None, for "nowhere".

        `families`: the same addresses as bytes; what is not among them is nowhere.
        """
        places = np.zeros(len(addresses), np.int64)
        answers: list[Answer | None] = [None]
        for packed in families:
            reached = self._tree.leaves(packed.octets)
            leaves, first, which = np.unique(reached, return_index=True, return_inverse=True)
            found = np.zeros(len(leaves), np.int64)
            for number, (leaf, row) in enumerate(zip(leaves.tolist(), packed.rows[first].tolist(), strict=True)):
                answer = self._decoded(addresses[row]) if leaf >= 0 else None
                if answer is not None:
                    found[number] = len(answers)
                    answers.append(answer)
            places[packed.rows] = found[which]
        return places, answers

    def _decoded(self, address: str) -> Answer | None:
        try:
            return self._answer(address)
        except (maxminddb.InvalidDatabaseError, UnicodeDecodeError, ValueError) as error:
            raise DatabaseError(f"{self.path}: damaged at {address}: get it anew ({_line(error)})") from error

    @property
    def built(self) -> str:
        """The file's own build date, YYYY-MM-DD."""
        return f"{datetime.fromtimestamp(self._metadata.build_epoch, UTC):%Y-%m-%d}"

    @property
    def name(self) -> str:
        """What to call it in a report."""
        return self._origin.name or self._metadata.database_type

    @property
    def _origin(self) -> Origin:
        kind = self._metadata.database_type
        description = self._metadata.description.get("en")
        return next((each for each in ORIGINS if kind.startswith(each.prefix)), Origin("", None, None, description))

    @property
    def info(self) -> dict[str, str | None]:
        """name, kind, path, type, build_date, licence, attribution, sha256."""
        return {
            "name": self.name, "kind": self.kind, "path": str(self.path), "type": self._metadata.database_type,
            "build_date": self.built, "licence": self._origin.licence, "attribution": self._origin.attribution,
            "sha256": sha256(self.path),
        }  # fmt: skip


def open_database(kind: Kind, asked: str | os.PathLike[str] | None = None) -> Database:
    """The file that is asked for, else the environment's, else the bundled one."""
    chosen = asked or os.environ.get(VARIABLES[kind]) or BUNDLED / f"{kind}.mmdb"
    return Database(Path(chosen).expanduser(), kind)


def sha256(path: Path) -> str:
    """Of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(thing: object) -> str:
    """Its text on one line, without control characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in str(thing)).split())
